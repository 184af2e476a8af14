"""The start of a lesson: parameters are checked before any work, and what is assumed is said."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from ml_lifecycle.foundation import BadInputError, Project, ProjectError, UnknownNameError, start_lesson
from ml_lifecycle.foundation import lesson as module

@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({"a": rng.normal(size=300), "b": rng.choice(["x", "y"], 300),
                         "when": pd.date_range("2024-01-01", periods=300), "y": rng.choice(["no", "yes"], 300)})


@pytest.fixture
def path(frame: pd.DataFrame, tmp_path: Path) -> Path:
    frame.to_csv(tmp_path / "my.csv", index=False)
    return tmp_path / "my.csv"


def test_defaults_are_said(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    lesson = start_lesson(3, data=str(path), target="y", time="when")
    assert lesson.project.path == tmp_path / "runs" / "my"
    assert lesson.metric.name == "roc_auc"
    assert any("step 1 has not chosen" in sentence for sentence in lesson.assumed)
    assert "assumed" in repr(lesson)
    assert "when" in repr(lesson)
    assert "<svg" in lesson._repr_html_()


def test_the_project_remembers(path: Path, tmp_path: Path) -> None:
    first = start_lesson(1, data=str(path), target="y", time="when", project=str(tmp_path / "p"))
    first.project.update(metric="f1")
    for data in (str(path), ""):
        again = start_lesson(3, data=data, project=str(tmp_path / "p"))
        assert again.dataset.roles["target"] == "y"
        assert again.dataset.roles["time"] == "when"
        assert again.metric.name == "f1"
    other = start_lesson(3, data=str(path), project=str(tmp_path / "p"), metric="accuracy")
    assert any("step 1 chose f1" in sentence for sentence in other.assumed)


def test_a_budget_samples_the_parts_and_keeps_the_test_rows(frame: pd.DataFrame, tmp_path: Path,
                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(module.BUDGETS, "quick", 50)
    quick = start_lesson(3, data=frame, target="y", project=str(tmp_path / "p"))
    full = start_lesson(3, data=frame, target="y", project=str(tmp_path / "p"), budget="full")
    assert len(quick.train) == len(quick.val) == 50
    assert len(full.train) == 180
    assert quick.splits.test.frame.equals(full.splits.test.frame)
    assert "(budget)" in repr(quick)


@pytest.mark.parametrize(("wrong", "error", "words"), [
    ({"budget": "huge"}, UnknownNameError, "`budget` must be one of"),
    ({"seed": -1}, BadInputError, "`seed` must be"),
    ({"seed": "1"}, BadInputError, "`seed` must be"),
    ({"exercises": "no"}, BadInputError, "`exercises` must be True or False"),
    ({"target": ""}, BadInputError, "`target` must name the column"),
    ({"target": "yy"}, UnknownNameError, "Did you mean 'y'"),
    ({"metric": "rmse"}, BadInputError, "metric"),
    ({"metric": "acuracy"}, UnknownNameError, "Did you mean 'accuracy'"),
    ({"data": ""}, BadInputError, "`data` must be"),
])
def test_wrong_parameters_leave_nothing_behind(frame: pd.DataFrame, tmp_path: Path, wrong: dict, error: type, words: str,
                                               ) -> None:
    given = {"data": frame, "target": "y", "project": str(tmp_path / "p"), **wrong}
    with pytest.raises(error, match=words) as caught:
        start_lesson(3, **given)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "p").exists()


def test_too_few_rows_are_refused_before_any_work(frame: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="at least 20 rows with a target. Got 12"):
        start_lesson(3, data=frame.head(12).assign(y=["a", "b"] * 6), target="y", project=str(tmp_path / "p"))
    assert not (tmp_path / "p").exists()


def test_another_data_set(frame: pd.DataFrame, path: Path, tmp_path: Path) -> None:
    start_lesson(3, data=str(path), target="y", project=str(tmp_path / "p"))
    with pytest.raises(ProjectError, match="must hold one data set"):
        start_lesson(3, data=frame.head(200), target="y", project=str(tmp_path / "p"))
    assert Project(tmp_path / "p").settings["data"]["rows"] == 300


def test_a_slip_in_a_papermill_parameter(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = ["import x", "data = 'flights'", '# Parameters\ndata = "my.csv"\ntagret = "y"\n']
    shell = SimpleNamespace(user_ns={"In": cells})
    monkeypatch.setitem(module.sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert module.injected_names() == {"data", "tagret"}
    with pytest.raises(UnknownNameError, match="`-p tagret` must be a parameter of the lesson. Did you mean 'target'"):
        start_lesson(3, data="flights")
