"""Edit a notebook as text: `to-text nb.ipynb nb.py`, then `to-notebook nb.py nb.ipynb`; cell ids stay what they were.

The text is jupytext's percent format. A cell that is unchanged, or little changed, keeps its id, so that
exported modules (which carry the ids) change only where the code did. Only sources and tags are written: no outputs.
"""

import difflib
import hashlib
import sys
from pathlib import Path

import jupytext
import nbformat

KERNEL = {"kernelspec": {"display_name": "python3", "language": "python", "name": "python3"}}


def closest(source: str, free: dict[str, str]) -> str | None:
    """The id of the cell in `free` (id -> source) that `source` most likely came from."""
    for cell_id, old in free.items():
        if old == source:
            return cell_id
    scored = [(difflib.SequenceMatcher(None, old, source, autojunk=False).quick_ratio(), i) for i, old in free.items()]
    best = max(scored, default=(0.0, None))
    return best[1] if best[0] > 0.85 else None


def to_notebook(text: Path, target: Path) -> None:
    """Write the percent text as a notebook, with the ids of the cells that `target` already has."""
    fresh = jupytext.read(text, fmt="py:percent")
    free = {}
    if target.exists():
        free = {cell["id"]: cell["source"] for cell in nbformat.read(target, as_version=4).cells}
    kept = {}
    for position, cell in enumerate(fresh.cells):
        exact = [cell_id for cell_id, old in free.items() if old == cell.source]
        if exact:
            kept[position] = exact[0]
            free.pop(exact[0])
    cells, taken = [], set(kept.values())
    for position, cell in enumerate(fresh.cells):
        cell_id = kept.get(position) or closest(cell.source, free)
        free.pop(cell_id, None)
        while cell_id is None or (cell_id in taken and position not in kept):
            cell_id = hashlib.sha256(f"{target.name}:{position}:{cell_id}:{cell.source}".encode()).hexdigest()[:8]
        taken.add(cell_id)
        metadata = {k: v for k, v in cell.metadata.items() if k in ("tags", "jupyter")}
        make = nbformat.v4.new_markdown_cell if cell.cell_type == "markdown" else nbformat.v4.new_code_cell
        cells.append(make(cell.source, metadata=metadata, id=cell_id))
    book = nbformat.v4.new_notebook(cells=cells, metadata=KERNEL)
    nbformat.validate(book)
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(book, target)


def to_text(notebook: Path, target: Path) -> None:
    """Write a notebook as percent text."""
    book = jupytext.read(notebook)
    book.metadata.pop("kernelspec", None)
    jupytext.write(book, target, fmt="py:percent")


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in ("to-notebook", "to-text"):
        sys.exit(__doc__)
    {"to-notebook": to_notebook, "to-text": to_text}[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
