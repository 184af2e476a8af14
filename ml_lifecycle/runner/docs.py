"""The documentation site: notebooks executed, prepared with nbdev, rendered by whichever builder this machine has.

`python -m ml_lifecycle.runner.docs` builds it; nothing is written into the checkout but the finished site.
"""

import argparse
import ast
import json
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import nbformat

from ml_lifecycle.foundation.errors import ProjectError, require
from ml_lifecycle.runner import _docpages

TIMEOUT = 900.0  # seconds for one notebook


def find_builder() -> list[str]:
    """The command that renders a site, without the folder: quarto when it is on PATH, else smalldocs."""
    quarto = shutil.which("quarto")
    if quarto:
        return [quarto, "render"]
    require("smalldocs", "dev", "Building the documentation without quarto")
    return [sys.executable, "-m", "smalldocs.cli", "render", "--quiet"]


def stage(
    root: Path,  # the project
    work: Path,  # an empty folder
    only: Sequence[str] = (),  # patterns of notebooks below nbs/; none: all
) -> Path:  # the copy of nbs/
    """Copy nbs/ to where it may be changed; parts of the navigation that would be empty are left out."""
    import yaml

    site = work / "site"
    ignore = shutil.ignore_patterns(".ipynb_checkpoints", "__pycache__", "_quarto.yml")
    shutil.copytree(root / "nbs", site, ignore=ignore)
    shutil.copyfile(root / "pyproject.toml", work / "pyproject.toml")  # nbdev looks for its settings above the notebooks
    for path in site.rglob("*.ipynb"):
        name = path.relative_to(site).as_posix()
        if only and not any(fnmatch(name, pattern) for pattern in only):
            path.unlink()
    config = yaml.safe_load((root / "_quarto.yml").read_text(encoding="utf-8"))
    sidebar = config["website"]["sidebar"]
    sidebar["contents"] = [entry for entry in sidebar["contents"] if _has_pages(entry, site)]
    bar = config["website"].get("navbar", {})
    bar["left"] = [entry for entry in bar.get("left", []) if (site / entry["href"]).exists()]
    (site / "_quarto.yml").write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return site


def _has_pages(entry: Any, site: Path) -> bool:
    pattern = entry if isinstance(entry, str) else entry.get("contents", entry.get("href"))
    return not isinstance(pattern, str) or any(site.glob(pattern))


def execute_all(
    site: Path,  # the copy of nbs/; its notebooks get their outputs
    *,
    workers: int = 2,  # kernels at once
) -> list[str]:  # what failed, as "notebook: where and why"
    """Execute every notebook: the lessons one after the other in one place, the others each in a place of its own."""
    lessons = sorted(site.glob("0[1-7]_*.ipynb"))
    others = sorted(path for path in site.rglob("*.ipynb") if path not in lessons)
    groups = [group for group in ([*lessons], *([path] for path in others)) if group]
    failed = []
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for done in pool.map(_execute_group, groups):
            for path, seconds, message in done:
                name = Path(path).relative_to(site).as_posix()
                print(f"  {name} executed in {seconds:.0f} s" if not message else f"  {name} stopped: {message}", flush=True)
                failed += [f"{name}: {message}"] if message else []
    return failed


def _execute_group(paths: list[Path]) -> list[tuple[str, float, str]]:
    """Execute notebooks in place, in order, in a folder that is gone afterwards."""
    from ml_lifecycle.runner.execute import execute, tidy
    from ml_lifecycle.runner.kernel import KernelGuard

    told = []
    with tempfile.TemporaryDirectory() as folder:
        for path in paths:
            begin, guard = time.monotonic(), KernelGuard()
            try:
                outcome = execute(path, {}, cwd=Path(folder), timeout=TIMEOUT, guard=guard)
            finally:
                guard.close()
            if outcome.notebook is not None:
                text = nbformat.writes(tidy(outcome.notebook))
                path.write_text(text.replace(f"{folder}{os.sep}", "").replace(folder, "."), encoding="utf-8")
            told.append((str(path), time.monotonic() - begin, outcome.message))
    return told


# pages -----------------------------------------------------------------------------------------------------------

def prepare(
    root: Path,  # the project
    site: Path,  # the copy of nbs/
) -> None:
    """Turn notebooks and texts into pages: documented symbols, links, the directives of nbdev and of Quarto."""
    require("nbdev", "dev", "Building the documentation")
    from fastcore.nbio import read_nb, write_nb

    space: dict[str, Any] = {}
    exec((root / "ml_lifecycle" / "_modidx.py").read_text(encoding="utf-8"), space)
    names = {name: target for name, target in _docpages.symbols(space["d"]).items() if (site / target.split("#")[0]).exists()}
    for path in sorted([*site.rglob("*.ipynb"), *site.rglob("*.md")]):
        page = path.relative_to(site).as_posix()
        if path.suffix == ".md":
            text = _docpages.adopted(path.read_text(encoding="utf-8"), page, root, site)
            path.write_text(_docpages.linked(text, page, names), encoding="utf-8")
            continue
        book = read_nb(path)
        _document(book)
        _process(book)
        for cell in book.cells:
            if cell.cell_type == "raw":
                cell.source = re.sub(r"^output-file: .*\n", "", cell.source, flags=re.M)
            elif cell.cell_type == "markdown":
                cell.source = _docpages.linked(_docpages.adopted(cell.source, page, root, site), page, names)
        write_nb(book, path)


def _document(book: Any) -> None:
    """Behind each exported cell its signatures and docstrings; the code itself folded away, bare imports left out."""
    from fastcore.nbio import mk_cell

    cells = []
    for cell in book.cells:
        asked = set(cell.directives)
        if asked & {"default_exp", "hide"}:
            continue
        if cell.cell_type != "code" or not asked & {"export", "exporti", "exports"}:
            cells.append(cell)
            continue
        told = _docpages.described(cell.source) if "exporti" not in asked else []
        cells += [mk_cell(text, "markdown") for text in told]
        if not all(isinstance(node, (ast.Import, ast.ImportFrom, ast.If)) for node in ast.parse(cell.source).body):
            cell.remove_directives(quarto=True)
            cell.source = f'#| code-fold: true\n#| code-summary: "Source"\n{cell.source}'
            cells.append(cell)
    book.cells = cells


def _process(book: Any) -> None:
    """nbdev's processing, without the steps that execute cells or look names up in other packages."""
    from nbdev.processors import FilterDefaults

    ours = {"add_show_docs", "exec_show_docs", "clean_show_doc", "mv_exports", "add_links", "add_fold",
            "insert_warning", "ai_magics", "rm_export"}

    class Filter(FilterDefaults):
        """nbdev's defaults without `ours`."""

        def base_procs(self) -> list[Any]:
            return [step for step in super().base_procs() if step.__name__ not in ours]

    Filter()(book)


# rendering -------------------------------------------------------------------------------------------------------

def render(
    site: Path,  # a folder with a _quarto.yml
) -> tuple[Path, list[str]]:  # the rendered folder, and the links that lead nowhere
    """Render a site with the builder of this machine; raises ProjectError when it fails."""
    import yaml

    command = [*find_builder(), str(site)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    output = site / yaml.safe_load((site / "_quarto.yml").read_text(encoding="utf-8"))["project"]["output-dir"]
    said = (done.stdout + done.stderr).splitlines()
    if done.returncode or not (output / "index.html").exists() and not any(output.rglob("*.html")):
        raise ProjectError("The documentation could not be rendered: " + "; ".join(said[-5:]))
    return output, [line.removeprefix("warning: ") for line in said if "broken link" in line or "Unable to resolve link" in line]


def build_docs(
    root: Path,  # the project
    out: Path,  # where the site is put; what stands there is replaced when the new one is whole
    *,
    only: Sequence[str] = (),  # patterns of notebooks below nbs/, such as "foundation/*"; none: all
    run: bool = True,  # False: without executing the notebooks
    workers: int = 2,  # kernels at once
) -> list[str]:  # what is wrong with the site, one line each; empty: nothing
    """Build the documentation."""
    with tempfile.TemporaryDirectory() as folder:
        site = stage(root, Path(folder), only)
        problems = execute_all(site, workers=workers) if run else []
        prepare(root, site)
        output, broken = render(site)
        for page in _docpages.localise(output):
            print(f"  {page}: what would be fetched from elsewhere was left out", flush=True)
        problems += [] if only else broken
        problems += [f"{use} would be fetched from elsewhere" for use in _docpages.remote(output)]
        if out.exists():
            if any(out.iterdir()) and not (out / "site_libs").is_dir():
                raise ProjectError(f"`--out` must be a new folder or a built site. Got {str(out)!r}. Name another place.")
            shutil.rmtree(out)
        shutil.move(output, out)
    return problems


def write_readme(
    root: Path,  # the project
) -> Path:
    """Write README.md from nbs/index.ipynb."""
    from ml_lifecycle.foundation._files import write_text

    book = json.loads((root / "nbs" / "index.ipynb").read_text(encoding="utf-8"))
    return write_text(root / "README.md", _docpages.as_readme(book))


def main(
    argv: Iterable[str] | None = None,  # what stands on the command line
) -> int:  # 0 done, 1 something is wrong with the site
    """Build the documentation, or README.md, of the project in the current directory."""
    parser = argparse.ArgumentParser(prog="python -m ml_lifecycle.runner.docs", description=main.__doc__)
    parser.add_argument("--out", default="_docs", help="where the site is put (default: _docs)")
    parser.add_argument("--only", action="append", default=[], metavar="PATTERN",
                        help='notebooks below nbs/, such as "foundation/*" (default: all)')
    parser.add_argument("--no-run", action="store_true", help="render without executing the notebooks")
    parser.add_argument("--readme", action="store_true", help="only write README.md from nbs/index.ipynb")
    asked = parser.parse_args(None if argv is None else list(argv))
    root = Path.cwd()
    if not (root / "_quarto.yml").exists() or not (root / "nbs").is_dir():
        parser.error("the current directory must be the project (it has a _quarto.yml and nbs/)")
    if asked.readme:
        print(f"wrote {write_readme(root).name}")
        return 0
    try:
        problems = build_docs(root, Path(asked.out), only=asked.only, run=not asked.no_run)
    except ProjectError as error:
        problems = [str(error)]
    for problem in problems:
        print(f"docs: {problem}", file=sys.stderr)
    if not problems:
        print(f"Open {asked.out}/index.html")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
