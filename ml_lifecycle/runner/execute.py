"""One lesson through papermill: executed whole, or an account of where and why it stopped."""

import hashlib
import logging
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError

from ml_lifecycle.runner.kernel import KernelGuard, kernel_class
from ml_lifecycle.runner.say import one_line

CellHook = Callable[[int, int, str], None]  # (number of the cell, cells in all, what it is about)
_LOGGERS = ("papermill", "papermill.translators", "papermill.utils", "traitlets", "asyncio", "nbclient")


@dataclass(frozen=True)
class Outcome:
    """How the execution of a lesson ended."""

    state: str  # "done", "failed" or "interrupted"
    notebook: NotebookNode | None  # as far as it came; None when no kernel came up
    seconds: float  # wall time
    message: str = ""  # what stopped it, in one line
    traceback: str = ""  # the whole story, for --debug


def execute(
    lesson: Path,  # the notebook
    parameters: dict[str, Any],  # for its `parameters` cell
    *,
    cwd: Path,  # where the kernel works
    timeout: float,  # seconds for the whole lesson
    guard: KernelGuard,  # holds the kernel
    on_cell: CellHook = lambda number, total, about: None,  # called before each cell
) -> Outcome:  # never raises for what happens inside the lesson
    """Execute a lesson in a kernel of its own."""
    book, begin = nbformat.read(lesson, as_version=4), time.monotonic()
    place = _Place(book, on_cell)
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    message = traceback = ""
    try:
        _in_kernel(book, parameters, kernel_class(guard, cwd), place, lambda: timeout - (time.monotonic() - begin))
        message = _incomplete(place.book)
    except PapermillExecutionError as error:
        message, traceback = one_line(f"{error.ename}: {error.evalue}", 400), "\n".join(error.traceback)
    except CellTimeoutError:
        message = f"the lesson's time of {timeout:g} s is over; give it more: --timeout SECONDS"
    except DeadKernelError:
        message = guard.how_it_died()
    except RuntimeError as error:  # what jupyter_client raises when a kernel does not come up
        message = guard.how_it_died() if "died" in str(error).lower() else one_line(error, 400)
    finally:
        guard.sweep()
    seconds = time.monotonic() - begin
    if guard.stopped:
        return Outcome("interrupted", place.book, seconds, f"interrupted at {place}")
    if message:
        return Outcome("failed", place.book, seconds, f"{place}: {message}", traceback)
    return Outcome("done", place.book, seconds)


def _in_kernel(book: NotebookNode, parameters: dict[str, Any], kernels: Any, place: "_Place",
               left: Callable[[], float]) -> None:
    """Hand the notebook to papermill; a kernel that did not come up gets a second chance."""
    import papermill

    for last in (False, True):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the machinery; the lesson's own are in its notebook
                papermill.execute_notebook(
                    book, None, parameters, kernel_name="python3", language="python", progress_bar=False,
                    request_save_on_cell_execute=False, autosave_cell_every=0, kernel_manager_class=kernels,
                    timeout_func=lambda cell: max(0.001, left()),
                    on_notebook_start=place.started, on_cell_start=place.cell)
            return
        except RuntimeError as error:
            if last or place.number or "respond" not in str(error):
                raise


class _Place:
    """Follows which cell runs; knows the notebook that is being executed."""

    def __init__(self, source: NotebookNode, on_cell: CellHook) -> None:
        self.book: NotebookNode | None = None
        self.on_cell = on_cell
        self.total, self.number, self.heading = len(source.cells), 0, ""

    def started(self, notebook: NotebookNode) -> None:
        self.book, self.total = notebook, len(notebook.cells)

    def cell(self, cell: NotebookNode, cell_index: int) -> None:
        about = about_cell(cell)
        self.heading = about if cell.cell_type == "markdown" and about else self.heading
        self.number = cell_index + 1
        self.on_cell(self.number, self.total, about or self.heading)

    def __str__(self) -> str:
        if not self.number:
            return "the start of the kernel"
        return f"cell {self.number} of {self.total}" + (f" ({self.heading})" if self.heading else "")


def about_cell(cell: NotebookNode) -> str:
    """The first heading of a text cell, or the first comment of a code cell; empty when it has none."""
    for line in cell.source.splitlines():
        line = line.strip()
        if line.startswith("#") and not line.startswith(("#|", "#!")):
            return one_line(line.lstrip("# "), 60)
        if cell.cell_type == "code" and line and not line.startswith("#"):
            return ""
    return ""


def _incomplete(book: NotebookNode | None) -> str:
    """What is wrong with a notebook that no error stopped; empty when every code cell ran to its end."""
    if book is None:
        return "nothing was executed"
    for number, cell in enumerate(book.cells, 1):
        if cell.cell_type != "code" or not cell.source.strip() or "skip-execution" in cell.metadata.get("tags", []):
            continue
        if any(output.output_type == "error" and output.ename == "SystemExit" for output in cell.outputs):
            return f"cell {number} left the lesson early (sys.exit)"
        if cell.execution_count is None or cell.metadata.get("papermill", {}).get("exception"):
            return f"cell {number} did not run to its end"
    return ""


def tidy(book: NotebookNode) -> NotebookNode:
    """The executed notebook as it is kept: no progress bars, no trace of this machine's paths in papermill's notes."""
    for cell in book.cells:
        if cell.cell_type == "code":
            cell.outputs = _without_progress(cell.outputs)
    for name in ("input_path", "output_path", "environment_variables"):
        book.metadata.get("papermill", {}).pop(name, None)
    return book


def _without_progress(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Progress bars rewrite their line on stderr, and end with an empty one."""
    def progress(output: NotebookNode) -> bool:
        return output.output_type == "stream" and output.name == "stderr" and (
            "\r" in "".join(output.text) or not "".join(output.text).strip())

    return [output for output in outputs if not progress(output)]


def notebook_bytes(book: NotebookNode) -> bytes:
    """A notebook as the bytes of its file."""
    text: str = nbformat.writes(nbformat.from_dict(book), version=4)
    return (text + "\n").encode()


def sha(content: bytes) -> str:
    """The name of a content."""
    return hashlib.sha256(content).hexdigest()
