"""The project directory: what is written can be read again, nothing is lost, and bad places are one clear line."""

import errno
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from ml_lifecycle.foundation import BadInputError, Finding, NextStep, Project, ProjectError, Report, _files

@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({"a": rng.normal(size=60), "b": rng.choice(["x", "y"], 60), "y": rng.integers(0, 2, 60)})


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "p")


class Small(Report):
    step = "exploration"
    slug = "small"


def small(severity: str = "passed", *, undecided: bool = False) -> Report:
    return Small(frame=pd.DataFrame({"x": [1.0, np.nan]}), findings=(
        Finding("TST001", severity, "One sentence.", {"n": 2}, NextStep("do it", "data"), undecided=undecided),))


def test_settings_are_merged_and_none_removes(project: Project) -> None:
    project.update(metric="f1", note="ä")
    project.update(seed=3, note=None)
    assert yaml.safe_load((project.path / "project.yaml").read_text(encoding="utf-8")) == {
        "schema": 1, "name": "p", "metric": "f1", "seed": 3}


def test_evidence_comes_back_of_its_class(project: Project) -> None:
    path = project.record(small())
    assert path.relative_to(project.path).as_posix() == "evidence/03_exploration/small.json"
    assert path.with_suffix(".svg").read_text(encoding="utf-8").startswith("<svg")
    assert isinstance(project.evidence("exploration")["small"], Small)
    assert list(project.evidence()) == ["exploration/small"]
    assert project.record(small(), name="../../other name").parent == path.parent


def test_a_name_without_a_letter_is_refused(project: Project) -> None:
    with pytest.raises(BadInputError, match="`name` must have a letter"):
        project.record(small(), name="../")


def test_recording_twice_gives_the_same_bytes(project: Project) -> None:
    first = {p.suffix: p.read_bytes() for p in project.record(small()).parent.iterdir()}
    assert {p.suffix: p.read_bytes() for p in project.record(small()).parent.iterdir()} == first


def test_a_new_decision_keeps_the_one_before(project: Project) -> None:
    for choice in ("a", "b", "b", "c"):
        project.decide("data", question="?", options=["a", "b", "c"], choice=choice, evidence=[small(), "seen"])
    card = project.decision("data")
    assert card is not None
    assert card.choice == "c"
    assert card.evidence == ("Report: One sentence.", "seen")
    assert sorted(p.name for p in (project.path / "decisions" / "history").iterdir()) == [
        "02_data.1.json", "02_data.2.json"]


def test_a_choice_outside_the_options_is_refused(project: Project) -> None:
    with pytest.raises(BadInputError, match="`choice` must be one of the options. Got 'z'"):
        project.decide("data", question="?", options=["a"], choice="z")


def test_status_follows_evidence_and_decisions(project: Project) -> None:
    assert project.status().next_step == "planning"
    project.record(small("tip", undecided=True))
    assert project.status().states()["exploration"] == "cannot tell"
    project.record(small("issue"), name="second")
    project.decide("exploration", question="?", options=["a"], choice="a", next_step="data")
    status = project.status()
    assert status.states()["exploration"] == "issue"
    assert status.next_step == "data"
    assert status.back == ("exploration", "data")
    assert status.passed is False
    assert "step 2" in status.answer
    assert "stroke-dasharray" in status.figure().svg


def test_status_of_a_closed_loop(project: Project) -> None:
    for step in range(1, 8):
        project.decide(step, question="?", options=["a"], choice="a")
    assert project.status().next_step is None
    assert "the loop is closed" in project.status().answer


def test_one_data_set_for_one_project(project: Project, frame: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "my.csv"
    frame.to_csv(path, index=False)
    first = project.dataset(path, target="y")
    assert project.settings["data"]["version"] == first.version
    assert Project(project.path).dataset().version == first.version
    with pytest.raises(ProjectError, match="must hold one data set") as error:
        project.dataset(frame.assign(a=frame["a"] + 1), target="y")
    assert "\n" not in str(error.value)
    with pytest.raises(ProjectError, match="target 'b'"):
        project.dataset(path, target="b")


def test_data_must_be_known(project: Project, frame: pd.DataFrame) -> None:
    with pytest.raises(BadInputError, match="`data` must be given"):
        project.dataset()


def test_splits_stay_the_same(project: Project, frame: pd.DataFrame) -> None:
    project.dataset(frame, target="y")
    first = project.splits(seed=1)
    again = Project(project.path)
    again.dataset(frame, target="y")
    second = again.splits(seed=2)
    for part in ("train", "val", "test"):
        assert getattr(first, part).frame.equals(getattr(second, part).frame)


def test_an_existing_project_only(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="must be a project directory"):
        Project(tmp_path / "none", create=False)
    (tmp_path / "file").write_text("x")
    with pytest.raises(ProjectError, match="must be a directory"):
        Project(tmp_path / "file")


@pytest.mark.parametrize("content", ["[1, 2]", "a: [", "\x00"])
def test_a_broken_project_file_is_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "project.yaml").write_text(content)
    with pytest.raises(ProjectError, match=r"project\.yaml") as error:
        _ = Project(tmp_path).settings
    assert "\n" not in str(error.value)


def test_broken_evidence_is_named(project: Project) -> None:
    path = project.record(small())
    path.write_text("{")
    with pytest.raises(ProjectError, match=r"small\.json.*run its step again"):
        project.evidence("exploration")


@pytest.mark.parametrize("failure", [errno.EACCES, errno.ENOSPC, errno.EROFS])
def test_a_failed_write_leaves_what_was_there(project: Project, monkeypatch: pytest.MonkeyPatch, failure: int) -> None:
    project.update(metric="f1")

    def refuse(*_: object) -> None:
        raise OSError(failure, os.strerror(failure))

    monkeypatch.setattr(_files.os, "replace", refuse)
    with pytest.raises(ProjectError, match="must be a directory that can be written"):
        project.update(metric="accuracy")
    monkeypatch.undo()
    assert project.settings["metric"] == "f1"
    assert [p.name for p in project.path.iterdir()] == ["project.yaml"]


def test_an_interrupt_leaves_no_part(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(_files.os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        project.update(metric="f1")
    assert [p.name for p in project.path.iterdir()] == ["project.yaml"]


@pytest.mark.skipif(os.name == "nt", reason="modes are those of POSIX")
@pytest.mark.parametrize(("umask", "mode", "want"), [(0o022, 0o666, 0o644), (0o022, 0o444, 0o444), (0o077, 0o444, 0o400)])
def test_a_file_gets_the_mode_that_the_umask_leaves(tmp_path: Path, umask: int, mode: int, want: int) -> None:
    before = os.umask(umask)
    try:
        _files.put_bytes(tmp_path / "deep" / "file", b"one", mode=mode)
        _files.put_bytes(tmp_path / "deep" / "file", b"two", mode=mode)  # also over what may not be written
    finally:
        assert os.umask(before) == umask
    assert (tmp_path / "deep" / "file").read_bytes() == b"two"
    assert (tmp_path / "deep" / "file").stat().st_mode & 0o777 == want
    assert len(list((tmp_path / "deep").iterdir())) == 1


def test_other_roles_get_splits_of_their_own(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    days = pd.date_range("2024-01-01", periods=300).to_numpy()[rng.permutation(300)]
    frame = pd.DataFrame({"x": rng.normal(size=300), "day": days,
                          "shop": rng.integers(0, 30, 300), "y": rng.integers(0, 2, 300)})
    path = tmp_path / "d.csv"
    frame.to_csv(path, index=False)
    project = Project(tmp_path / "p")
    project.dataset(path, target="y")
    drawn = project.splits()
    project.dataset(path, target="y", time="day")
    ordered = project.splits()
    assert drawn.train.frame["day"].max() > drawn.test.frame["day"].min()
    assert ordered.train.frame["day"].max() < ordered.test.frame["day"].min()
    assert project.data["time"] == "day"
    grouped = Project(project.path)
    grouped.dataset(path, target="y", group="shop")
    parts = grouped.splits()
    assert set(parts.train.frame["shop"]).isdisjoint(parts.test.frame["shop"])
    assert Project(project.path).dataset().roles["group"] == "shop"


@pytest.mark.parametrize("path", [None, "", " ", 3])
def test_a_project_needs_a_place(path: object) -> None:
    with pytest.raises(BadInputError, match="`project` must be the path of a directory"):
        Project(path)  # type: ignore[arg-type]


def test_only_reports_of_a_step_are_recorded(project: Project) -> None:
    for wrong in (None, "text", Report(frame=pd.DataFrame())):
        with pytest.raises(BadInputError, match="`report` must be a report of one of the seven steps"):
            project.record(wrong)  # type: ignore[arg-type]


def test_lone_evidence_and_text_options(project: Project) -> None:
    card = project.decide("data", question="?", options=["a"], choice="a", evidence="AUC 0.8")
    assert card.evidence == ("AUC 0.8",)
    assert project.decide("data", question="?", options=["a"], choice="a", evidence=small()).evidence == ("Report: One sentence.",)
    with pytest.raises(BadInputError, match="`options` must be a list"):
        project.decide("data", question="?", options="abc", choice="a")


@pytest.mark.parametrize("data", ["3", "{name: x}"])
def test_a_project_file_with_odd_data(project: Project, frame: pd.DataFrame, data: str) -> None:
    (project.path / "project.yaml").write_text(f"name: p\ndata: {data}\n")
    with pytest.raises(ProjectError, match="whose data have a name and a version"):
        project.dataset(frame, target="y")


def test_times_can_be_settings(project: Project) -> None:
    project.update(until=pd.Timestamp("2024-01-02"))
    assert project.settings["until"].startswith("2024-01-02")
