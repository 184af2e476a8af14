"""The ML test score: what counts, what does not, and what people say."""

import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from ml_lifecycle.evaluation import ModelTests, TestScore, ml_test_score
from ml_lifecycle.evaluation._score_tests import BANDS, RUBRIC, SECTIONS
from ml_lifecycle.exploration import baselines
from ml_lifecycle.foundation import BadInputError, LifecycleError, Project, ProjectError, UnknownNameError
from ml_lifecycle.foundation.lifecycle import STEPS
from ml_lifecycle.foundation.report import Finding, Report
from ml_lifecycle.planning import Requirements

@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "one")


def row(score: TestScore, test: str) -> pd.Series:
    return score.frame.set_index("id").loc[test]


def kept(slug: str, severity: Any, *, undecided: bool = False) -> Report:
    """A report that is recorded under a name, whatever its class will be."""
    found = Finding("TST001", severity, f"This is {severity}.", undecided=undecided)
    report = baselines(np.arange(40.).reshape(-1, 1), [0, 1] * 20, models=(), cv=2)
    import dataclasses

    return dataclasses.replace(report, findings=(found,))


def test_the_rubric_is_that_of_the_paper() -> None:
    assert len(RUBRIC) == 28
    assert len({r.id for r in RUBRIC}) == 28
    for section in SECTIONS:
        assert [r.id for r in RUBRIC if r.section == section] == [f"{section}_{i}" for i in range(1, 8)]


@pytest.mark.parametrize(("score", "begins"), [
    (0, "more of a research"), (.5, "not totally"), (1, "not totally"), (1.5, "a first pass"), (2, "a first pass"),
    (3, "reasonably"), (3.5, "strong"), (5, "strong"), (5.5, "exceptional"), (7, "exceptional")])
def test_the_bands_of_the_paper(score: float, begins: str) -> None:
    assert next(text for top, text in BANDS if score <= top).startswith(begins)


def test_an_empty_project_scores_nothing(project: Project) -> None:
    score = ml_test_score(project)
    assert score.score == 0
    assert set(score.sections.values()) == {0.0}
    assert set(score.frame["status"]) == {"open"}
    assert (score.frame["closes"] != "").all()
    assert score.passed is None
    assert not [f for f in score.findings if f.severity == "issue"]
    assert score.next is not None
    assert ml_test_score(str(project.path)).to_json() == score.to_json()


@pytest.mark.parametrize("wrong", [None, "nowhere", 3, ""])
def test_no_project(wrong: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LifecycleError, match="`project` must be") as caught:
        ml_test_score(wrong)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_the_score_is_the_least_of_the_sums(project: Project) -> None:
    said = {r.id: "automated" for r in RUBRIC} | {"monitor_1": "manual", "monitor_2": "no", "data_1": "no"}
    score = ml_test_score(project, answers=said)
    assert score.sections == {"Features and data": 6, "Model development": 7, "Infrastructure": 7, "Monitoring": 5.5}
    assert score.score == 5.5
    assert score.weakest == ("Monitoring",)
    assert score.passed
    assert "monitor_2" in str(score.findings)


@pytest.mark.parametrize(("name", "test"), [("schema", "data_1"), ("feature_value", "data_2"), ("search", "model_3"),
                                            ("slices", "model_6"), ("staleness", "monitor_4"), ("shadow", "infra_6"),
                                            ("release", "infra_4"), ("serving_shift", "monitor_3"),
                                            ("serving_schema", "monitor_2")])
def test_a_report_counts_only_where_it_passed(project: Project, name: str, test: str) -> None:
    for severity, undecided, status in (("issue", False, "open"), ("tip", True, "open"), ("passed", False, "manual")):
        project.record(kept(name, severity, undecided=undecided), name=name)
        found = row(ml_test_score(project), test)
        assert found["status"] == status, severity
        assert found["evidence"].startswith(name)
        assert ("This is" in found["evidence"]) == (status == "open")


@pytest.mark.parametrize("name", ["quality", "label_issues", "error_breakdown", "top_losses", "distribution_shift", "handoff"])
def test_other_evidence_closes_nothing(project: Project, name: str) -> None:
    project.record(kept(name, "passed"), name=name)
    assert ml_test_score(project).frame["points"].sum() == 0


def test_what_a_system_repeats_counts_whole(project: Project) -> None:
    project.record(kept("schema", "passed"), name="schema")
    once = ml_test_score(project)
    assert row(once, "data_1")["points"] == .5
    assert "MTS004" in {f.code for f in once.findings}
    assert row(ml_test_score(project, repeated_by="cron"), "data_1")["points"] == 1
    project.update(repeated_by="nightly")
    again = ml_test_score(project)
    assert row(again, "data_1")["status"] == "automated"
    assert "nightly" in row(again, "data_1")["evidence"]


def test_model_tests_count_by_kind(project: Project) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2))
    y = (X[:, 0] > 0).astype(int)
    model, poor = LogisticRegression().fit(X, y), LogisticRegression().fit(X[:, ::-1], y)
    tests = ModelTests(model, X, y)
    project.record(tests.functionality())
    score = ml_test_score(project)
    assert (row(score, "infra_2")["points"], row(score, "infra_4")["points"]) == (.5, 0)
    assert "none of no regression" in row(score, "infra_4")["evidence"]
    project.record(tests.no_regression(model))
    assert row(ml_test_score(project), "infra_4")["points"] == .5
    project.record(ModelTests(poor, X, y).no_regression(model))
    score = ml_test_score(project)
    assert row(score, "infra_4")["status"] == row(score, "infra_2")["status"] == "open"
    assert "MTS002" in {f.code for f in score.findings}


def test_baselines_count_where_the_simplest_was_compared(project: Project) -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=300)})
    report = baselines(X, X["a"] + rng.normal(size=300) > 0, models=("logistic regression", "small tree"), cv=3)
    project.record(report)
    assert (row(ml_test_score(project), "model_5")["status"] == "manual") == (report.findings[0].undecided is False)
    project.record(kept("baselines", "passed"), name="baselines")
    assert "do not compare" in row(ml_test_score(project), "model_5")["evidence"]


@pytest.mark.parametrize(("limit", "status"), [("<= 5000", "manual"), ("<= 0.00001", "open"), (None, "open")])
def test_time_counts_where_it_is_required(project: Project, limit: str | None, status: str) -> None:
    X = np.arange(40.).reshape(-1, 1)
    wish = Requirements("roc_auc", {"latency_ms": limit} if limit else {"size_mb": "<= 9"})
    project.record(ModelTests(LogisticRegression().fit(X, [0, 1] * 20), X, [0, 1] * 20).requirements(wish))
    assert row(ml_test_score(project), "monitor_6")["status"] == status


def test_the_registry_tells_of_canaries_and_rollbacks(project: Project) -> None:
    (project.path / "registry").mkdir()
    path = project.path / "registry" / "registry.sqlite"
    path.write_bytes(b"not a database")
    assert ml_test_score(project).score == 0
    path.unlink()
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE events (id INTEGER PRIMARY KEY, at TEXT, event TEXT, number INTEGER, alias TEXT, by TEXT)")
    db.execute("INSERT INTO events VALUES (1, '', 'promote', 2, 'canary', '')")
    db.execute("INSERT INTO events VALUES (2, '', 'rollback', 1, 'champion', '')")
    db.commit()
    db.close()
    score = ml_test_score(project)
    assert "version 2 was a canary" in row(score, "infra_6")["evidence"]
    assert "version 1 was rolled back to" in row(score, "infra_7")["evidence"]


def test_a_real_registry(project: Project) -> None:
    registry_module = pytest.importorskip("ml_lifecycle.deployment.registry")
    registry = registry_module.Registry(project.path / "registry")
    X = np.arange(40.).reshape(-1, 1)
    for c in (1., 2.):
        number = registry.register(LogisticRegression(C=c).fit(X, [0, 1] * 20), config={"C": c}, train_version="a",
                                   validation_version="b")
        registry.promote(number, "champion")
    registry.promote(number, "canary")
    registry.rollback()
    score = ml_test_score(project)
    assert row(score, "infra_6")["status"] == row(score, "infra_7")["status"] == "manual"


def test_a_whole_run_is_an_integration_test(project: Project) -> None:
    for step in STEPS[:-1]:
        assert row(ml_test_score(project), "infra_3")["status"] == "open"
        project.decide(step.key, question="?", options=["a"], choice="a")
    assert row(ml_test_score(project), "infra_3")["status"] == "manual"


def test_people_answer_in_a_file_or_in_the_call(project: Project) -> None:
    path = project.path / "ml_test_score.yaml"
    path.write_text("data_5: {status: manual, by: Ada, evidence: review}\nmonitor_1: no\nData 3: automated\n")
    score = ml_test_score(project)
    assert row(score, "data_5")["evidence"] == "Ada: review"
    assert row(score, "data_3")["points"] == 1
    assert row(score, "monitor_1")["evidence"] == "said not to be done"
    assert [f.evidence["tests"] for f in score.findings if f.code == "MTS003"] == [["data_3"]]
    over = ml_test_score(project, answers={"data_3": {"status": "no", "evidence": "not since May"}})
    assert row(over, "data_3")["evidence"] == "said not to be done (not since May)"
    assert row(over, "data_5")["points"] == .5
    other = project.path / "other.yaml"
    other.write_text("infra_1: manual\n")
    assert row(ml_test_score(project, answers=other), "infra_1")["points"] == .5


def test_recorded_evidence_outweighs_what_is_said(project: Project) -> None:
    project.record(kept("slices", "issue"), name="slices")
    project.record(kept("schema", "passed"), name="schema")
    score = ml_test_score(project, answers={"model_6": "automated", "data_1": "no"})
    assert row(score, "model_6")["status"] == row(score, "data_1")["status"] == "open"


@pytest.mark.parametrize("wrong", [{"data_8": "manual"}, {"data_1": "perhaps"}, {"data_1": {"by": "me"}}, ["data_1"],
                                   {"data_1": {"status": "no", "at": 1}}, "nowhere.yaml", {"data_1": 3}])
def test_wrong_answers_are_refused_in_one_line(project: Project, wrong: Any) -> None:
    with pytest.raises((BadInputError, UnknownNameError, ProjectError), match="`answers") as caught:
        ml_test_score(project, answers=wrong)
    assert "\n" not in str(caught.value)


def test_a_broken_answer_file_is_said(project: Project) -> None:
    (project.path / "ml_test_score.yaml").write_text("a: [")
    with pytest.raises(ProjectError, match="readable YAML"):
        ml_test_score(project)


def test_what_closes_a_test_exists() -> None:
    import importlib
    import re

    places = [importlib.import_module(f"ml_lifecycle.{key}") for key in ("foundation", *(step.key for step in STEPS))]
    for rubric in RUBRIC:
        for source in rubric.sources:
            for name in re.findall(r"([a-zA-Z_]\w*)\(", source.closes):
                methods = [n for m in places for n in vars(m).values() if isinstance(n, type) and hasattr(n, name)]
                assert methods or any(hasattr(m, name) for m in places), (rubric.id, name)
