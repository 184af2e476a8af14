"""The documentation: pages made from notebooks, links between them, and nothing that needs a network."""

import hashlib
import json
import os
import re
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from ml_lifecycle.foundation.errors import MissingPackageError, ProjectError
from ml_lifecycle.foundation.lifecycle import STEPS
from ml_lifecycle.runner import _docpages as pages
from ml_lifecycle.runner import docs

ROOT = Path(__file__).resolve().parents[1]


# pages

def test_text_outside_of_code_is_changed() -> None:
    text = "a\n```python\na\n```\na\n~~~\na\n~~~\n"
    assert pages.outside_code(text, str.upper) == "A\n```python\na\n```\nA\n~~~\na\n~~~\n"


INDEX = {"syms": {
    "p.one": {"p.one.Report": ("foundation/one.html#report", ""), "p.one.Report.plot": ("foundation/one.html#report.plot", ""),
              "p.one._hidden": ("foundation/one.html#_hidden", ""), "p.one.twice": ("foundation/one.html#twice", "")},
    "p.two": {"p.two.twice": ("foundation/two.html#twice", ""), "p.two.Report._own": ("foundation/two.html#x", "")},
}}


def test_public_names_have_a_place_and_shared_names_have_none() -> None:
    names = pages.symbols(INDEX)
    assert names["Report"] == names["p.one.Report"] == "foundation/one.ipynb#report"
    assert names["Report.plot"] == "foundation/one.ipynb#report.plot"
    assert not {"twice", "_hidden", "Report._own"} & set(names)
    assert names["p.two.twice"] == "foundation/two.ipynb#twice"


@pytest.mark.parametrize(("text", "page", "expected"), [
    ("A `Report` is", "index.ipynb", "A [`Report`](foundation/one.ipynb#report) is"),
    ("call `Report.plot()`", "data/a.ipynb", "call [`Report.plot()`](../foundation/one.ipynb#report.plot)"),
    ("[`Report`](x.md) and `unknown` and `a b`", "a.ipynb", "[`Report`](x.md) and `unknown` and `a b`"),
    ("```\n`Report`\n```", "a.ipynb", "```\n`Report`\n```"),
])
def test_names_in_backticks_become_links(text: str, page: str, expected: str) -> None:
    assert pages.linked(text, page, pages.symbols(INDEX)) == expected


def test_files_outside_of_the_notebooks_are_taken_along(tmp_path: Path) -> None:
    root, site = tmp_path / "root", tmp_path / "site"
    (root / "nbs" / "data").mkdir(parents=True)
    (root / "GUIDE.md").write_text("guide")
    text = "[a](../../GUIDE.md#top) [b](../x.ipynb) [c](https://example.org/../GUIDE.md) [d](../../../secret) [e](../../gone.md)"
    turned = pages.adopted(text, "data/a.ipynb", root, site)
    assert turned == text.replace("../../GUIDE.md#top", "../GUIDE.md#top")
    assert (site / "GUIDE.md").read_text() == "guide"
    assert [p.name for p in site.rglob("*")] == ["GUIDE.md"]


def cell(kind: str, text: str) -> dict[str, Any]:
    return {"cell_type": kind, "source": text.splitlines(keepends=True)}


def test_the_front_page_becomes_the_readme() -> None:
    book = {"cells": [
        cell("markdown", "# Title\n[a](01_planning.ipynb) [b](../LICENSE) ![c](images/x.png) [d](https://example.org) [e](#here)"),
        cell("code", "#| eval: false\nrun()\n"), cell("code", "#| hide\nsecret()"), cell("code", "#| echo: true"),
        cell("markdown", "```\n[a](b.md)\n```")]}
    assert pages.as_readme(book) == (
        "# Title\n[a](nbs/01_planning.ipynb) [b](LICENSE) ![c](nbs/images/x.png) [d](https://example.org) [e](#here)\n\n"
        "```python\nrun()\n```\n\n```\n[a](b.md)\n```\n")


CODE = '''
@dataclass(frozen=True)
class Thing(Base):
    """A thing."""

    width: int  # in metres
    _own: int = 0

    @property
    def area(self) -> float:
        """Square metres."""
        return 1.0

    def grow(
        self,
        by: float,  # metres
    ) -> None:  # raises ValueError
        """Grow `by` metres.

        Slowly.
        """

    def _shrink(self): ...


def measure(x): return 1


async def _private(): ...
'''


def test_symbols_are_described_by_their_own_source() -> None:
    thing, area, grow, measure = pages.described(CODE)
    head = "@dataclass(frozen=True)\nclass Thing(Base):\n    width: int  # in metres"
    assert thing == f"---\n\n### Thing\n\n```python\n{head}\n```\n\nA thing."
    assert area == "#### Thing.area\n\n```python\n@property\ndef area(self) -> float:\n```\n\nSquare metres."
    assert "    by: float,  # metres\n) -> None:  # raises ValueError\n```\n\nGrow `by` metres.\n\nSlowly." in grow
    assert "def measure(x): return 1" in measure


# nothing from elsewhere

REMOTE = [
    '<script src="https://cdn.example.org/katex.js" defer></script>', "<script src='//cdn.example.org/x.js'></script>",
    '<link rel="stylesheet" href="https://cdn.example.org/x.css">', '<link href="https://fonts.example.org" rel="preconnect">',
    "<script type=\"module\">import mermaid from 'https://cdn.example.org/m.mjs';mermaid.run();</script>",
]


@pytest.mark.parametrize("tag", REMOTE)
def test_remote_scripts_and_styles_are_taken_out(tmp_path: Path, tag: str) -> None:
    page = tmp_path / "a.html"
    page.write_text(f'<head>{tag}<script src="site_libs/a.js"></script></head><a href="https://example.org">out</a>')
    assert pages.localise(tmp_path) == ["a.html"]
    assert page.read_text() == '<head><script src="site_libs/a.js"></script></head><a href="https://example.org">out</a>'
    assert pages.remote(tmp_path) == []
    assert pages.localise(tmp_path) == []


@pytest.mark.parametrize("rule", [
    "@import url(https://fonts.example.org/css2?family=Lato:wght@400;700&display=swap);",
    '@import "https://fonts.example.org/css";', "@import url('//fonts.example.org/css');",
])
def test_remote_fonts_are_taken_out(tmp_path: Path, rule: str) -> None:
    (tmp_path / "a.css").write_text(f'@charset "UTF-8";{rule}:root{{--a:1}}body{{color:red}}')
    assert pages.localise(tmp_path) == ["a.css"]
    assert (tmp_path / "a.css").read_text() == '@charset "UTF-8";:root{--a:1}body{color:red}'


@pytest.mark.parametrize(("name", "text"), [
    ("a.html", '<img alt="x" src="https://example.org/x.png">'), ("a.html", "<iframe src=https://example.org></iframe>"),
    ("a.html", '<link rel="stylesheet" href="//example.org/x.css">'), ("a.css", "body{background:url(https://example.org/x.png)}"),
])
def test_what_would_be_fetched_is_found(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert len(pages.remote(tmp_path)) == 1


@pytest.mark.parametrize("text", [
    '<a href="https://example.org">x</a>', '<svg xmlns="http://www.w3.org/2000/svg"></svg>',
    '<img src="data:image/png;base64,AA">', '<link rel="canonical" href="https://example.org">',
])
def test_what_is_only_named_is_no_problem(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.html").write_text(text)
    assert pages.remote(tmp_path) == []


# the builder

def quarto(folder: Path, script: str) -> None:
    folder.mkdir()
    (folder / "quarto").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "quarto").chmod(stat.S_IRWXU)


def test_quarto_is_taken_when_it_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "smalldocs.cli" in docs.find_builder()
    quarto(tmp_path / "bin", 'mkdir -p "$2/_docs" && echo "<p>quarto</p>" > "$2/_docs/index.html"')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin")
    assert docs.find_builder()[1:] == ["render"]
    site = tmp_path / "site"
    site.mkdir()
    (site / "_quarto.yml").write_text("project:\n  output-dir: _docs\n")
    output, broken = docs.render(site)
    assert (output / "index.html").read_text() == "<p>quarto</p>\n"
    assert broken == []


def test_a_builder_that_fails_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quarto(tmp_path / "bin", "echo cannot >&2; exit 3")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin")
    (tmp_path / "_quarto.yml").write_text("project:\n  output-dir: _docs\n")
    with pytest.raises(ProjectError, match="could not be rendered: cannot"):
        docs.render(tmp_path)


def test_without_a_builder_the_command_that_installs_one_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(__import__("sys").modules, "smalldocs", None)
    with pytest.raises(MissingPackageError, match=r"ml-lifecycle\[dev\]"):
        docs.find_builder()


def test_the_configuration_covers_every_step() -> None:
    assert (ROOT / "nbs" / "_quarto.yml").resolve() == ROOT / "_quarto.yml"
    config = yaml.safe_load((ROOT / "_quarto.yml").read_text(encoding="utf-8"))
    patterns = [entry.get("contents") for entry in config["website"]["sidebar"]["contents"]]
    assert {f"{step.key}/*.ipynb" for step in STEPS} | {"foundation/*.ipynb", "0*.ipynb", "decisions/*.md"} <= set(patterns)
    assert config["project"] == {"type": "website", "output-dir": "_docs"}


def test_the_readme_is_the_front_page() -> None:
    book = json.loads((ROOT / "nbs" / "index.ipynb").read_text(encoding="utf-8"))
    assert (ROOT / "README.md").read_text(encoding="utf-8") == pages.as_readme(book), "python -m ml_lifecycle.runner.docs --readme"


def test_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        docs.main([])
    assert caught.value.code == 2
    assert "must be the project" in capsys.readouterr().err
    (tmp_path / "_quarto.yml").touch()
    (tmp_path / "nbs").mkdir()
    (tmp_path / "nbs" / "index.ipynb").write_text(json.dumps({"cells": [cell("markdown", "# T")]}))
    assert docs.main(["--readme"]) == 0
    assert (tmp_path / "README.md").read_text() == "# T\n"
    monkeypatch.setattr(docs, "build_docs", lambda *a, **k: ["a.ipynb: cell 3"])
    assert docs.main([]) == 1
    assert "docs: a.ipynb: cell 3" in capsys.readouterr().err
    monkeypatch.setattr(docs, "build_docs", lambda *a, **k: [])
    assert docs.main(["--out", "site"]) == 0
    assert capsys.readouterr().out == "Open site/index.html\n"

    def fail(*args: Any, **options: Any) -> None:
        raise ProjectError("no space")

    monkeypatch.setattr(docs, "build_docs", fail)
    assert docs.main([]) == 1


# the site

SOME = ("index.ipynb", "foundation/errors.ipynb", "foundation/report.ipynb")


def fingerprint(folder: Path) -> str:
    files = sorted(p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return hashlib.sha256(b"".join(p.read_bytes() for p in files)).hexdigest()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The front page, two modules and the decision records, executed and rendered as `make docs` does it."""
    before = fingerprint(ROOT / "nbs")
    out = tmp_path_factory.mktemp("docs") / "_docs"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        assert docs.build_docs(ROOT, out, only=SOME) == []
    assert fingerprint(ROOT / "nbs") == before
    assert not (ROOT / "_proc").exists()
    return out


@pytest.mark.slow
class TestTheSite:
    """What a reader of the rendered pages can rely on."""

    def test_pages_and_navigation(self, site: Path) -> None:
        names = {p.relative_to(site).as_posix() for p in site.rglob("*.html")}
        assert {"index.html", "foundation/errors.html", "foundation/report.html"} <= names
        assert any(name.startswith("decisions/") for name in names)
        text = (site / "foundation" / "report.html").read_text(encoding="utf-8")
        for target in ("../index.html", "errors.html", "../decisions/"):
            assert re.search(rf'href="(\./|\.\./foundation/)?{re.escape(target)}', text), target

    def test_nothing_is_fetched_from_elsewhere(self, site: Path) -> None:
        assert pages.remote(site) == []
        for page in site.rglob("*.html"):
            text = page.read_text(encoding="utf-8")
            assert not re.search(r"""<(script|img|link|iframe|source)\b[^>]*\b(src|href)=["']?(https?:)?//""", text), page.name

    def test_outputs_signatures_and_source_are_shown(self, site: Path) -> None:
        text = re.sub(r"<[^>]+>", "", (site / "foundation" / "report.html").read_text(encoding="utf-8"))
        assert "act before you go on" in text  # prose
        assert "# what to do, as an instruction" in text  # the comment behind a parameter
        assert "Source" in text
        assert "default_exp" not in text
        assert "<svg" in (site / "foundation" / "report.html").read_text(encoding="utf-8")  # the output of a cell

    def test_links_between_pages_lead_somewhere(self, site: Path) -> None:
        for page in site.rglob("foundation/*.html"):
            for link in re.findall(r'href="([^"#?:]+)', page.read_text(encoding="utf-8")):
                if not link.startswith("//"):
                    assert (page.parent / link).exists(), f"{page.name}: {link}"

    def test_no_path_of_this_machine_is_left(self, site: Path) -> None:
        for page in site.rglob("*.html"):
            assert str(ROOT) not in page.read_text(encoding="utf-8")

    def test_only_a_built_site_is_replaced(self, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(ROOT)
        (tmp_path / "mine.txt").touch()
        with pytest.raises(ProjectError, match="must be a new folder or a built site"):
            docs.build_docs(ROOT, tmp_path, only=("index.ipynb",), run=False)
        assert (tmp_path / "mine.txt").exists()
        assert docs.build_docs(ROOT, site, only=SOME, run=False) == []


@pytest.mark.slow
def test_a_notebook_that_stops_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import nbformat

    for name, code in (("01_planning", "open('left.txt', 'w').close(); 'done'"), ("02_data", "1 / 0"), ("a", "print('fine')")):
        nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)]), tmp_path / f"{name}.ipynb")
    failed = docs.execute_all(tmp_path, workers=2)
    assert len(failed) == 1
    assert re.match(r"02_data.ipynb: cell 1 of 1.*ZeroDivisionError", failed[0])
    assert "fine" in (tmp_path / "a.ipynb").read_text()
    assert not (tmp_path / "left.txt").exists()
    assert "a.ipynb executed in" in capsys.readouterr().out
