"""Every notebook runs to its end through papermill; the lessons also on data of other shapes."""

from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest

ROOT = Path(__file__).resolve().parents[1]
LESSONS = sorted((ROOT / "nbs").glob("0[1-7]_*.ipynb"))
OTHERS = sorted(p for p in (ROOT / "nbs").rglob("*.ipynb") if p not in LESSONS and ".ipynb_checkpoints" not in p.parts)

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("course_home")]


def name(path: Path) -> str:
    return path.relative_to(ROOT / "nbs").as_posix()


def execute(path: Path, cwd: Path, **parameters: Any) -> nbformat.NotebookNode:
    """Execute a notebook in a folder of its own; every code cell must have run to its end."""
    options: Any = {"kernel_name": "python3", "cwd": cwd, "progress_bar": False, "log_output": False,
                    "request_save_on_cell_execute": False, "autosave_cell_every": 0, "execution_timeout": 600}
    try:
        book = papermill.execute_notebook(path, None, parameters, **options)
    except RuntimeError as error:  # no kernel came up: another process may have taken its port; that is not about the notebook
        if "didn't respond" not in str(error):
            raise
        book = papermill.execute_notebook(path, None, parameters, **options)
    for number, cell in enumerate(book.cells):
        if cell.cell_type == "code" and cell.source.strip():
            told = cell.metadata.papermill
            assert told.status == "completed", f"{path.name}: cell {number} is {told.status}"
            assert not told.exception, f"{path.name}: cell {number} raised"
            assert not any(o.output_type == "error" for o in cell.outputs), f"{path.name}: cell {number} left early"
    return book


def said(book: nbformat.NotebookNode) -> str:
    """Everything that the cells of an executed notebook show as text."""
    parts = []
    for cell in book.cells:
        for output in cell.get("outputs", []):
            parts += [output.get("text", ""), *map(str, output.get("data", {}).values())]
    return "\n".join(parts)


def test_there_are_notebooks() -> None:
    assert LESSONS
    assert OTHERS


@pytest.mark.parametrize("path", OTHERS, ids=name)
def test_a_module_notebook_runs(path: Path, tmp_path: Path) -> None:
    before = path.read_bytes()
    book = execute(path, tmp_path)
    assert path.read_bytes() == before
    assert "Warning:" not in said(book), "a notebook shows no warning"


@pytest.mark.parametrize("path", LESSONS, ids=name)
def test_a_lesson_runs_on_the_story(path: Path, tmp_path: Path) -> None:
    book = execute(path, tmp_path)
    assert "Warning:" not in said(book)
    assert (tmp_path / "runs" / "flights" / "project.yaml").is_file()
    assert list((tmp_path / "runs" / "flights" / "decisions").glob("*.json"))


@pytest.mark.parametrize("path", LESSONS, ids=name)
def test_a_lesson_runs_on_a_regression_without_a_time(path: Path, tmp_path: Path, diabetes_csv: Path) -> None:
    book = execute(path, tmp_path, data=str(diabetes_csv), target="progression", project="mine", exercises=False)
    assert "Warning:" not in said(book)
    assert list((tmp_path / "mine" / "decisions").glob("*.json"))


@pytest.mark.parametrize("path", LESSONS, ids=name)
def test_a_lesson_runs_on_categories_with_blanks_and_an_id(path: Path, tmp_path: Path, churn_csv: Path) -> None:
    book = execute(path, tmp_path, data=str(churn_csv), target="Churn", seed=1)
    assert "Warning:" not in said(book)
    assert (tmp_path / "runs" / "churn" / "project.yaml").is_file()


@pytest.mark.parametrize("path", LESSONS, ids=name)
def test_a_lesson_refuses_wrong_parameters_in_one_line(path: Path, tmp_path: Path, diabetes_csv: Path) -> None:
    with pytest.raises(papermill.PapermillExecutionError) as caught:
        execute(path, tmp_path, data=str(diabetes_csv), target="progresion")
    assert "progression" in caught.value.evalue
    assert "\n" not in caught.value.evalue.strip()


@pytest.mark.slow(longest=True)
@pytest.mark.parametrize("order", [1, -1], ids=["forward", "backward"])
def test_the_lessons_run_in_any_order_in_one_project(tmp_path: Path, mixed_csv: Any, order: int) -> None:
    path = mixed_csv(600)
    for lesson in LESSONS[::order]:
        execute(lesson, tmp_path, data=str(path), target="y", time="when", project="one")
    assert len(list((tmp_path / "one" / "decisions").glob("*.json"))) == len(LESSONS)
