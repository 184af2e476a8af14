"""`ml-lifecycle run --from-decision`: the next pass begins where a decision leads back to, with what was learned."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from runner_toys import lesson, ran, saved

from ml_lifecycle.foundation.project import Project
from ml_lifecycle.runner.cli import main

pytestmark = pytest.mark.slow
DATA = "x,z,y\n" + "".join(f"{i * 37 % 17 / 4},{i % 3},{'no' if i % 2 else 'yes'}\n" for i in range(60))
DECIDE = """from ml_lifecycle import Project
Project(project).decide({step!r}, question="?", options=("on", "back"), choice={choice!r}, next_step={to!r}, values={values!r})"""
LEARN = """from ml_lifecycle import Project
found = Project(project)
print(list(found.dataset(data, target=target).X.columns), found.learned(before={step!r}))"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with my.csv, and lessons of which the third sends back to the second."""
    (tmp_path / "my.csv").write_text(DATA)
    place = tmp_path / "lessons"
    monkeypatch.setenv("ML_LIFECYCLE_LESSONS", str(place))
    monkeypatch.chdir(tmp_path)
    lesson(place, "01_planning", DECIDE.format(step="planning", choice="on", to="data", values={}))
    lesson(place, "02_data", LEARN.format(step="data"))
    lesson(place, "03_exploration", DECIDE.format(step="exploration", choice="back", to="data", values={
        "set_aside": {"z": "known too late"}, "model": "small tree"}))
    return place


def go(capfd: Any, *arguments: str) -> tuple[int, str, list[str]]:
    code = main(["run", *arguments])
    out, err = capfd.readouterr()
    return code, out, err.splitlines()


def test_the_next_pass_repeats_from_where_the_decision_leads(place: Path, capfd: Any) -> None:
    code, out, _ = go(capfd, "my.csv", "--target", "y", "--seed", "3")
    assert code == 0
    assert "--from-decision" in out
    code, out, err = go(capfd, "--from-decision")
    assert code == 0
    assert err[0] == ("pass 2 begins with step 2, data collection and labelling, as step 3 decided; "
                      "carried along: small tree, without z")
    steps = ["01_planning", "02_data", "03_exploration"]
    assert [one["step"] for one in ran(Path("runs/my"))] == [*steps, *steps[1:]]
    assert ran(Path("runs/my"))[-1]["seed"] == 3, "what the pass before was run with still holds"
    assert yaml.safe_load(Path("runs/my/project.yaml").read_text())["carried"] == {
        "model": "small tree", "params": {}, "set_aside": {"z": "known too late"}}
    book = json.loads(Path("runs/my/notebooks/02_data.ipynb").read_text())
    said = "".join("".join(o.get("text", "")) for c in book["cells"] for o in c.get("outputs", []))
    assert "['x']" in said
    assert "small tree" in said
    assert Path("runs/my/passes/1/decisions/03_exploration.json").is_file()
    assert "pass 2:" in out
    assert "Passes" in Path("runs/my/site/index.html").read_text()
    code, out, err = go(capfd, "--from-decision", "--project", "runs/my")
    assert (code, err[0].split(" begins")[0]) == (0, "pass 3")


def test_a_pass_that_was_interrupted_is_resumed_and_not_begun_twice(place: Path, capfd: Any) -> None:
    assert go(capfd, "my.csv", "--target", "y")[0] == 0
    good = (place / "02_data.ipynb").read_text()
    lesson(place, "02_data", "1 / 0")
    assert go(capfd, "--from-decision")[0] == 1
    (place / "02_data.ipynb").write_text(good)
    assert go(capfd, "--resume", "--project", "runs/my")[0] == 0
    assert Project("runs/my").settings["pass"] == 2
    assert saved(Path("runs/my"))["steps"] == ["data", "exploration"]


@pytest.mark.parametrize(("arguments", "word"), [
    (("--from-decision", "--resume"), "--resume"), (("--from-decision", "--steps", "2"), "--steps"),
    (("my.csv", "--from-decision"), "DATA"), (("--from-decision", "--project", "nowhere"), "nowhere")])
def test_what_does_not_go_together_is_one_line(place: Path, capfd: Any, arguments: tuple[str, ...], word: str) -> None:
    assert go(capfd, "my.csv", "--target", "y", "--steps", "1")[0] == 0
    code, _, err = go(capfd, *arguments)
    assert code == 2
    assert len(err) == 1
    assert word in err[0]


def test_without_a_decision_that_leads_back_nothing_is_run(place: Path, capfd: Any) -> None:
    assert go(capfd, "my.csv", "--target", "y", "--steps", "1")[0] == 0
    before = sorted(p.name for p in Path("runs/my").iterdir())
    code, _, err = go(capfd, "--from-decision")
    assert code == 2
    assert "every decision leads on" in err[0]
    assert sorted(p.name for p in Path("runs/my").iterdir()) == before


def test_a_lesson_whose_packages_are_absent_is_said_before_anything_is_run(
        place: Path, capfd: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lesson(place, "06_deployment", "1")
    monkeypatch.setitem(sys.modules, "skops", None)  # as if it were not installed
    code, _, err = go(capfd, "my.csv", "--target", "y")
    assert code == 2
    assert 'pip install "ml-lifecycle[deploy]"' in err[0]
    assert "--steps 1-5" in err[0]
    assert not Path("runs").exists()
