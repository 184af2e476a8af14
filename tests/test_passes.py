"""What one pass hands to the next, and in what the passes differ."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ml_lifecycle.foundation import passes
from ml_lifecycle.foundation.dataset import load_dataset
from ml_lifecycle.foundation.errors import BadInputError, ProjectError, UnknownNameError
from ml_lifecycle.foundation.lesson import start_lesson
from ml_lifecycle.foundation.project import Project
from ml_lifecycle.foundation.report import Finding, Report
from ml_lifecycle.foundation.status import sends_back

def frame(rows: int = 60) -> pd.DataFrame:
    return pd.DataFrame({"a": [i * 37 % 11 for i in range(rows)], "b": [i % 7 for i in range(rows)],
                         "leak": [i % 2 for i in range(rows)], "y": ["no", "yes"] * (rows // 2)})


def decide(project: Project, step: str, to: str | None, **values: Any) -> None:
    project.decide(step, question="?", options=("one", "two"), choice="one", next_step=to, values=values)


def issue(step_key: str, code: str, **evidence: Any) -> Report:
    kind = type("Issue", (Report,), {"step": step_key, "slug": "issue"})
    Report.kinds["Issue"] = Report  # read back as a plain report
    return kind(frame=pd.DataFrame({"a": [1]}), findings=(Finding(code, "issue", f"{evidence} is wrong.", evidence),))


def test_a_feature_that_is_set_aside_stays_in_the_frame() -> None:
    data = load_dataset(frame(), target="y")
    less = data.without(["leak"])
    assert "leak" not in less.X.columns
    assert "leak" in less.frame.columns
    assert less.version == data.version
    assert less.roles["set_aside"] == ("leak",)
    assert "leak" in data.X.columns, "the data set itself is as before"
    assert less.without("b").roles["set_aside"] == ("leak", "b")
    assert load_dataset(less, group="b").roles["set_aside"] == ("leak",)
    assert "set aside" in repr(less)


def test_a_feature_that_cannot_be_set_aside_is_refused() -> None:
    data = load_dataset(frame(), target="y")
    with pytest.raises(UnknownNameError, match="lek"):
        data.without(["lek"])
    with pytest.raises(BadInputError, match="leave a feature"):
        data.without(data.X.columns)


def test_model_and_params_hold_at_once_and_the_rest_waits_for_the_next_pass(tmp_path: Path) -> None:
    project = Project(tmp_path / "p")
    assert project.learned() == {}
    decide(project, "exploration", "refinement", model="ridge regression")
    decide(project, "refinement", "exploration", model="ridge regression", params={"model__alpha": 2.0}, rows=900,
           set_aside={"leak": "known too late"})
    assert project.learned(before="exploration") == {}
    assert project.learned(before="refinement") == {"model": "ridge regression", "params": {}}
    assert project.learned() == {"model": "ridge regression", "params": {"model__alpha": 2.0}}


def test_the_parameters_of_another_model_are_not_taken_over(tmp_path: Path) -> None:
    project = Project(tmp_path / "p")
    project.update(carried={"model": "small tree", "params": {"model__max_depth": 3}})
    decide(project, "exploration", "refinement", model="ridge regression")
    assert project.learned() == {"model": "ridge regression", "params": {}}


def test_the_next_pass_begins_at_the_earliest_step_and_carries_what_was_learned(tmp_path: Path) -> None:
    project = Project(tmp_path / "p")
    project.dataset(frame(), target="y")
    decide(project, "data", "data", set_aside={"leak": "known too late"})
    decide(project, "exploration", "refinement", model="small tree")
    decide(project, "refinement", "exploration", params={"model__max_depth": 4}, rows=40)
    decide(project, "maintenance", "exploration", set_aside={"b": "worth nothing"})
    project.record(issue("data", "TST001", column="leak"))
    coming = passes.start_pass(project)
    assert (coming.number, coming.step, coming.decided.step) == (2, "data", "data")
    assert project.settings["pass"] == 2
    assert project.settings["carried"] == {"model": "small tree", "params": {"model__max_depth": 4}, "rows": 40,
                                           "set_aside": {"leak": "known too late", "b": "worth nothing"}, "leaks": ["leak"]}
    assert project.decision("data") is None
    assert project.evidence("data") == {}
    assert (project.path / "passes" / "1" / "decisions" / "02_data.json").is_file()
    assert list(project.dataset(frame(), target="y").X.columns) == ["a"]
    assert set(project.splits().train.roles["set_aside"]) == {"leak", "b"}


def test_steps_before_the_one_that_is_repeated_keep_their_evidence(tmp_path: Path) -> None:
    project = Project(tmp_path / "p")
    decide(project, "planning", "data")
    decide(project, "evaluation", "refinement")
    passes.start_pass(project)
    assert project.decision("planning") is not None
    assert project.decision("evaluation") is None


def test_without_a_decision_that_leads_back_there_is_no_next_pass(tmp_path: Path) -> None:
    project = Project(tmp_path / "p")
    with pytest.raises(ProjectError, match="no decision was taken"):
        passes.start_pass(project)
    decide(project, "planning", "data")
    with pytest.raises(ProjectError, match="every decision leads on"):
        passes.next_pass(project)
    assert "pass" not in project.settings


def test_an_interruption_while_the_pass_is_kept_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project(tmp_path / "p")
    decide(project, "evaluation", "refinement", score=.5)

    def stop(self: Path, target: Path) -> Path:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", stop)
        with pytest.raises(KeyboardInterrupt):
            passes.start_pass(project)
    assert project.decision("evaluation") is not None
    assert passes.start_pass(project).number == 2
    assert [path.name for path in (project.path / "passes").iterdir()] == ["1"]


@pytest.mark.parametrize("carried", ["text", {"params": 3}, {"rows": "many"}, {"rows": True}, {"rows": 0}, {"model": ["a"]},
                                     {"set_aside": 3}])
def test_what_a_person_wrote_wrongly_is_said_in_one_line(tmp_path: Path, carried: Any) -> None:
    project = Project(tmp_path / "p")
    project.update(carried=carried)
    with pytest.raises(ProjectError, match="carried") as caught:
        project.learned()
    assert "\n" not in str(caught.value)


def test_a_list_of_columns_is_enough_for_a_person(tmp_path: Path) -> None:
    project = Project(tmp_path / "p")
    project.update(carried={"set_aside": ["leak"]})
    data = project.dataset(frame(), target="y")
    assert "leak" not in data.X.columns
    assert any("set aside by an earlier pass" in note for note in data.notes)


def test_a_lesson_says_what_it_takes_from_earlier_steps(tmp_path: Path) -> None:
    path = str(tmp_path / "p")
    project = Project(path)
    project.update(carried={"rows": 9000})
    lesson = start_lesson("evaluation", data=frame(), target="y", project=path)
    assert any("Step 3 has not chosen" in line for line in lesson.assumed)
    assert lesson.limit == 9000
    assert len(lesson.test) == len(lesson.splits.test)
    decide(project, "exploration", "refinement", model="small tree")
    lesson = start_lesson("evaluation", data=frame(), target="y", project=path)
    assert lesson.learned["model"] == "small tree"
    assert not any("Step 3 has not" in line for line in lesson.assumed)


@pytest.mark.parametrize(("leaks", "columns", "found"), [
    (["leak", "b"], ["b", "a", "leak"], ("b", "leak")),
    (["leak"], ["a"], ()),
    ([3], ["3"], ("3",)),  # a column whose name is a number: as text in the configuration
    (None, ["a"], ()),
    (["a"], None, ()),
    (["a"], "a", ()),  # a configuration may say anything under that name
    (["a"], 7, ()),
])
def test_what_a_champion_looks_at_though_it_leaks(leaks: Any, columns: Any, found: tuple[str, ...]) -> None:
    assert passes.leaking_columns({"leaks": leaks}, {"columns": columns}) == found
    assert passes.leaking_columns({}, {"columns": columns}) == ()
    assert passes.leaking_columns({"leaks": leaks}, {}) == ()


def test_the_decision_that_leads_back_furthest_counts(tmp_path: Path) -> None:
    project = Project(tmp_path / "p")
    for step, to in (("planning", "data"), ("data", "exploration"), ("exploration", "refinement"), ("refinement", "exploration"),
                     ("evaluation", "data"), ("deployment", "maintenance"), ("maintenance", "exploration")):
        decide(project, step, to)
    cards = [card for step in range(1, 8) if (card := project.decision(step))]
    back = sends_back(cards)
    assert back is not None
    assert (back.step, back.next_step) == ("evaluation", "data")
    status = project.status()
    assert (status.next_step, status.back) == ("data", ("evaluation", "data"))
    assert sends_back([card for card in cards if not card.repeats]) is None


def test_passes_are_set_side_by_side(tmp_path: Path) -> None:
    project = Project(tmp_path / "p")
    scores = {"score": .7, "low": .65, "high": .75, "n": 300, "metric": "roc_auc", "model": "small tree"}
    decide(project, "evaluation", "data", **scores, set_aside={"leak": "known too late"})
    project.record(issue("data", "TST001", column="leak"))
    first = passes.compare_passes(project)
    assert [f.code for f in first.findings] == ["PAS001"]
    passes.start_pass(project)
    decide(project, "evaluation", "deployment", **{**scores, "score": .72},
           against={"value": -.01, "low": -.02, "high": .004, "n": 300})
    project.record(issue("data", "TST002", column="other"))
    second = passes.compare_passes(project)
    assert [f.code for f in second.findings] == ["PAS002", "PAS004", "PAS003"]
    assert "not told apart" in second.findings[0].message
    assert "leak" in second.frame["carried"].iloc[1]
    assert second.passed is None
    assert json.loads(second.to_json())["verdict"] == "cannot tell"
    assert second.plot().get_xlabel().startswith("roc_auc")


@pytest.mark.parametrize(("low", "high", "word"), [(.01, .02, "better than"), (-.02, -.01, "worse than")])
def test_better_and_worse_are_said(tmp_path: Path, low: float, high: float, word: str) -> None:
    project = Project(tmp_path / "p")
    decide(project, "evaluation", "refinement")
    for _ in range(passes.LOOKS):
        passes.start_pass(project)
        decide(project, "evaluation", "refinement", against={"value": low, "low": low, "high": high, "n": 30})
    report = passes.compare_passes(project)
    assert word in report.answer
    assert "PAS005" in [f.code for f in report.findings]
