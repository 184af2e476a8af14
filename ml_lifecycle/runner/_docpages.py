"""Notebooks as pages of the documentation: documented symbols, links between pages, nothing that needs a network."""

import ast
import posixpath
import re
import shutil
import textwrap
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

_LINK = re.compile(r"(\]\(\s*<?)([^)\s>#]+)(#[^)\s>]*)?(>?[^)]*\))")
_NAME = re.compile(r"(?<!\[)`([A-Za-z_][\w.]*)(\(\))?`(?!\])")
_FENCE = re.compile(r"(^(?:`{3,}|~{3,}).*?^(?:`{3,}|~{3,})[^\S\n]*$)", flags=re.M | re.S)
_HTTP_TAG = re.compile(
    r"""<link\b(?=[^>]*\brel=["']?[^"'>]*(?:stylesheet|preload|preconnect|icon|font))[^>]*\bhref=["']?(?:https?:)?//[^>]*>|"""
    r"""<script\b[^>]*\bsrc=["']?(?:https?:)?//[^>]*>\s*</script>|"""
    r"""<script\b[^>]*type=["']module["'][^>]*>\s*import[^<]*?["'](?:https?:)?//.*?</script>""", flags=re.I | re.S)
_HTTP_CSS = re.compile(r"""@import\s+(?:url\(\s*)?["']?(?:https?:)?//.*?(?:\)\s*[^;{}]*;|["'][^;{}]*;)""", flags=re.I | re.S)
_HTTP_USE = re.compile(
    r"""<(?:script|img|iframe|video|audio|source|embed|link\b(?=[^>]*\brel=["']?[^"'>]*(?:stylesheet|preload|icon|font)))\b[^>]*?"""
    r"""\b(?:src|href|srcset)=["']?((?:https?:)?//[^"'\s>]+)|url\(\s*["']?((?:https?:)?//[^"')]+)""", flags=re.I)


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """The Markdown text with `change` applied to what stands outside of fenced code."""
    parts = _FENCE.split(text)
    return "".join(part if i % 2 else change(part) for i, part in enumerate(parts))


def symbols(
    index: dict[str, Any],  # `d` of the package's _modidx
) -> dict[str, str]:  # name as people write it -> page and anchor, relative to the root of the site
    """Where each public name of the library is documented; names that two modules share are left out."""
    found: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for module, names in index["syms"].items():
        for name, (target, _) in names.items():
            short = name.removeprefix(f"{module}.")
            counts[short] += 1
            if not any(part.startswith("_") for part in short.split(".")):
                page, _, anchor = target.partition("#")
                found[short] = found[name] = f"{page.removesuffix('.html')}.ipynb#{anchor}"
    return {name: target for name, target in found.items() if counts[name] < 2}


def linked(
    text: str,  # Markdown
    page: str,  # where it stands, such as "foundation/report.ipynb"
    names: dict[str, str],  # what `symbols` gives
) -> str:
    """The text with documented names in backticks as links."""
    def link(match: re.Match[str]) -> str:
        target = names.get(match[1])
        return match[0] if target is None else f"[{match[0]}]({posixpath.relpath(target, posixpath.dirname(page) or '.')})"

    return outside_code(text, lambda part: _NAME.sub(link, part))


def adopted(
    text: str,  # Markdown
    page: str,  # where it stands below nbs/
    root: Path,  # the project
    site: Path,  # the copy of nbs/ that is rendered
) -> str:
    """The text with links that lead out of nbs/ turned to copies of those files inside the site."""
    def turn(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join("nbs", posixpath.dirname(page), match[2]))
        if re.match(r"[a-z]+:", match[2]) or target.startswith(("nbs/", "..", "/")) or not (root / target).is_file():
            return match[0]
        copy = site / target
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / target, copy)
        return f"{match[1]}{posixpath.relpath(target, posixpath.dirname(page) or '.')}{match[3] or ''}{match[4]}"

    return outside_code(text, lambda part: _LINK.sub(turn, part))


def as_readme(
    book: dict[str, Any],  # nbs/index.ipynb
    folder: str = "nbs",  # where its links start
) -> str:
    """A notebook as the Markdown file at the root of the project."""
    def turn(match: re.Match[str]) -> str:
        if re.match(r"[a-z]+:", match[2]):
            return match[0]
        return f"{match[1]}{posixpath.normpath(posixpath.join(folder, match[2]))}{match[3] or ''}{match[4]}"

    parts = []
    for cell in book["cells"]:
        text = "".join(cell["source"]).strip()
        if cell["cell_type"] == "code":
            code = "\n".join(line for line in text.splitlines() if not line.startswith("#|"))
            parts.append(f"```python\n{code.strip()}\n```" if code.strip() and "hide" not in text.split("\n")[0] else "")
        else:
            parts.append(outside_code(text, lambda part: _LINK.sub(turn, part)))
    return "\n\n".join(filter(None, parts)) + "\n"


# documented symbols ----------------------------------------------------------------------------------------------

_Function = (ast.FunctionDef, ast.AsyncFunctionDef)


def described(
    source: str,  # of an exported cell
) -> list[str]:  # Markdown: heading, signature with the comments behind its parameters, docstring
    """What a reader needs to know of each public function, class and method that a cell defines."""
    told = []
    for node in ast.parse(source).body:
        if isinstance(node, (*_Function, ast.ClassDef)) and not node.name.startswith("_"):
            told.append(_described(node, node.name, source, 3))
            methods = [n for n in node.body if isinstance(n, _Function)] if isinstance(node, ast.ClassDef) else []
            told += [_described(n, f"{node.name}.{n.name}", source, 4) for n in methods if not n.name.startswith("_")]
    return told


def _described(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, name: str, source: str, level: int) -> str:
    lines = source.splitlines()
    first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
    shown = lines[first - 1:node.body[0].lineno - 1] or lines[first - 1:first]
    if isinstance(node, ast.ClassDef):
        fields = [n for n in node.body if isinstance(n, ast.AnnAssign) and not ast.unparse(n.target).startswith("_")]
        shown = [*(line for line in shown if line.strip()), *(line for n in fields for line in lines[n.lineno - 1:n.end_lineno])]
    signature, text = textwrap.dedent("\n".join(shown)).rstrip(), ast.get_docstring(node) or ""
    rule = "---\n\n" if level == 3 else ""
    return f"{rule}{'#' * level} {name}\n\n```python\n{signature}\n```\n\n{text}".rstrip()


# nothing that needs a network ------------------------------------------------------------------------------------

def localise(site: Path) -> list[str]:
    """Take remote scripts, stylesheets and fonts out of a rendered site; the names of the pages that had any."""
    touched = []
    for path in sorted(site.rglob("*")):
        if path.suffix not in (".html", ".css"):
            continue
        text = path.read_text(encoding="utf-8")
        less = (_HTTP_TAG if path.suffix == ".html" else _HTTP_CSS).sub("", text)
        if less != text:
            path.write_text(less, encoding="utf-8")
            touched.append(path.relative_to(site).as_posix())
    return touched


def remote(site: Path) -> list[str]:
    """What the pages of a rendered site would fetch from elsewhere, as "page: address"."""
    found = []
    for path in sorted(site.rglob("*")):
        if path.suffix in (".html", ".css"):
            hits = _HTTP_USE.findall(path.read_text(encoding="utf-8"))
            found += [f"{path.relative_to(site).as_posix()}: {a or b}" for a, b in hits]
    return found
