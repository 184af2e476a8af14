"""An executed lesson as the body of a page: prose and results in view, code folded away, exercises left out."""

import re
from collections.abc import Collection
from html import escape
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

_LEFT_OUT = {"exercise", "solution", "hint", "remove-cell"}
_LIVE = {"application/javascript", "application/vnd.jupyter.widget-view+json"}
_SCRIPT = re.compile(r"<(script|iframe|object)\b.*?</\1\s*>|</?(?:script|iframe|object|embed|link|meta|base)\b[^>]*>?",
                     re.IGNORECASE | re.DOTALL)
_IDLE = re.compile(r"\s*((from|import)\b.*(\n|$)\s*)*")  # a cell of nothing but imports
_LINK = re.compile(r'<a href="(?P<to>[^"#?:]+\.ipynb)(?:#[^"]*)?"[^>]*>(?P<words>.*?)</a>', re.DOTALL)


def lesson_body(
    path: Path,  # an executed notebook
    *,
    pages: Collection[str],  # names of the lessons that have a page, such as "03_exploration"
) -> str:  # HTML; no script, nothing from elsewhere
    """The body of a lesson's page; a notebook that cannot be read gives a sentence that says so."""
    try:
        book = nbformat.read(path, as_version=4)
    except (OSError, ValueError, KeyError, AttributeError, nbformat.ValidationError) as error:
        reason = " ".join(str(error).split())[:200]
        return f'<p class="stopped">This notebook cannot be read: <code>{escape(path.name)}</code>, {escape(reason)}.</p>'
    book.cells = _shown_cells(book.cells)
    book.metadata.pop("widgets", None)
    return _LINK.sub(lambda found: _local(found, pages), _convert(book))


def _convert(book: NotebookNode) -> str:
    import logging

    from nbconvert.exporters import HTMLExporter

    exporter = HTMLExporter(
        template_name="basic", template_file=str(Path(__file__).parent / "assets" / "lesson.html.j2"),
        exclude_anchor_links=True, exclude_input_prompt=True, exclude_output_prompt=True, embed_images=False,
        log=_silent(logging.getLogger("ml_lifecycle.pages")))
    body: str = exporter.from_notebook_node(book)[0]
    return body


def _silent(logger: Any) -> Any:
    logger.propagate, logger.disabled = False, True
    return logger


def _shown_cells(cells: list[NotebookNode]) -> list[NotebookNode]:
    """Without exercises, with the parameters that were used, without what only lives in a browser."""
    injected = any("injected-parameters" in _tags(cell) for cell in cells)
    kept, in_exercises = [], False
    for cell in cells:
        heading = re.match(r"\s*##? +(.*)", cell.source) if cell.cell_type == "markdown" else None
        if heading:
            in_exercises = heading[1].strip().casefold().startswith("exercise")
        if in_exercises or _tags(cell) & _LEFT_OUT or (injected and "parameters" in _tags(cell)):
            continue
        if cell.cell_type == "code":
            if not cell.outputs and _IDLE.fullmatch(cell.source):
                continue
            cell.outputs = [output for output in map(_still, cell.outputs) if output is not None]
        elif cell.cell_type == "markdown":
            cell.source = _SCRIPT.sub("", cell.source)
        kept.append(cell)
    return kept


def _tags(cell: NotebookNode) -> set[str]:
    return set(cell.metadata.get("tags", []))


def _still(output: NotebookNode) -> NotebookNode | None:
    """An output without scripts; None when nothing is left of it, or when it is noise."""
    if output.output_type == "stream":
        return output if output.name == "stdout" else None
    data = output.get("data")
    if data is None:
        return output
    for kind in _LIVE & set(data):
        del data[kind]
    output.get("metadata", {}).pop("text/html", None)  # would ask for a frame of its own
    for kind in ("text/html", "text/markdown", "image/svg+xml"):
        if kind in data:
            data[kind] = _SCRIPT.sub("", "".join(data[kind]))
    return output if data else None


def _local(found: "re.Match[str]", pages: Collection[str]) -> str:
    """A link to another lesson leads to its page; to a notebook that is not part of the site, the words remain."""
    name = Path(found["to"]).stem
    return f'<a href="{name}.html">{found["words"]}</a>' if name in pages else found["words"]
