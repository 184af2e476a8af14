"""Exercises: three states, no answer printed, and every lesson's checks refuse a wrong answer."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.dummy import DummyClassifier

from ml_lifecycle.exploration import baselines, learning_curve
from ml_lifecycle.foundation import (
    METRICS,
    BadInputError,
    Dataset,
    Finding,
    Interval,
    UnknownNameError,
    check,
    hint,
    load_dataset,
)
from ml_lifecycle.foundation.exercises import EXERCISES, exercise, find_exercise
from ml_lifecycle.planning import Requirements

@pytest.fixture(autouse=True)
def _example() -> None:
    @exercise("9.9", "nudge", "nearly <there>")
    def _forty_two(attempt: int, *, off: int = 0) -> str | None:
        return None if attempt + off == 42 else f"<{attempt}> is not it"


def test_three_states() -> None:
    assert check("9.9", ...).state == "not attempted"
    assert check("9.9", 41).state == "not yet"
    assert check("9.9", 41, off=1).done
    assert check("9.9", 42, active=False).state == "not attempted"


def test_an_attempt_of_a_wrong_kind_is_not_yet() -> None:
    result = check("9.9", "forty-two")
    assert result.state == "not yet"
    assert "cannot be checked" in result.found


def test_shown_escaped() -> None:
    assert "<41>" not in check("9.9", 41)._repr_html_()
    assert repr(check("9.9", 41)).startswith("…")


def test_hints_have_levels() -> None:
    assert hint("9.9") == "nudge"
    assert hint("9.9", 2) == "nearly <there>"
    for wrong in (3, "a", None, 1.5, True):
        with pytest.raises(BadInputError, match="`level` must be an int from 1 to 2. Got"):
            hint("9.9", wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("unknown", ["1.77", "8.1", "3"])
def test_an_unknown_exercise_is_named(unknown: str) -> None:
    with pytest.raises(UnknownNameError, match="`exercise_id` must be an exercise's number"):
        check(unknown, 1)


@pytest.mark.parametrize("number", ["1.1", "1.2", "1.3", *(f"3.{i}" for i in range(1, 8))])
def test_every_exercise_has_three_hints(number: str) -> None:
    assert len(find_exercise(number).hints) == 3
    assert EXERCISES[number].id == number


class TestLessonChecks:
    """Every check of a lesson accepts a right attempt and refuses wrong ones, on data that no lesson shows."""

    @pytest.fixture
    def candidates(self) -> pd.DataFrame:
        return pd.DataFrame({"name": ["A", "B", "C"], "roc_auc": [.5, .7, .75], "roc_auc_low": [.5, .65, .7],
                             "roc_auc_high": [.5, .75, .8], "size_mb": [1., 2., 3.], "n": 500})

    @pytest.fixture
    def data(self) -> Dataset:
        rng = np.random.default_rng(0)
        x = rng.normal(size=(240, 2))
        frame = pd.DataFrame(x, columns=["a", "b"]).assign(y=np.where(x[:, 0] + rng.normal(size=240) > 0, "up", "down"))
        return load_dataset(frame, target="y")

    def test_no_skill(self, candidates: pd.DataFrame) -> None:
        context = {"candidates": candidates, "metric": METRICS["roc_auc"], "constant": "A"}
        assert check("1.1", .5, **context).done
        assert "above" in check("1.1", .7, **context).found
        assert "below" in check("1.1", .3, **context).found
        assert check("1.1", "half", **context).state == "not yet"

    def test_separating(self, candidates: pd.DataFrame) -> None:
        assert check("1.2", Requirements("roc_auc", {"size_mb": "<= 1.5"}), candidates=candidates).done
        for wrong in (Requirements("roc_auc"), Requirements("roc_auc", {"size_mb": "<= 9"}),
                      Requirements("roc_auc", {"size_mb": "<= 0.1"}), {"size_mb": "<= 1.5"}):
            assert check("1.2", wrong, candidates=candidates).state == "not yet"

    def test_rows_for_width(self) -> None:
        context = {"interval": Interval(.7, .6, .8), "n": 100, "width": .1}
        assert check("1.3", 400, **context).done
        assert "wider" in check("1.3", 200, **context).found
        assert "narrower" in check("1.3", 4000, **context).found

    def test_inside_the_noise(self, data: Dataset) -> None:
        report = baselines(data, models=["logistic regression", "small tree"], cv=3)
        frame = report.frame.set_index("name")
        top = frame.loc[report.best, "score"]
        right = {*frame.index[(frame["low"] <= top) & (top <= frame["high"])], report.best}
        assert check("3.1", right, report=report).done
        assert "1 missing" in check("3.1", right - {report.best}, report=report).found
        assert "too many" in check("3.1", right | {"majority"}, report=report).found
        assert "not in the table" in check("3.1", ["what"], report=report).found

    def test_useful_rule(self, data: Dataset) -> None:
        context = {"data": data, "metric": METRICS["roc_auc"]}
        assert check("3.2", lambda X: X["a"] if data.positive == "up" else -X["a"], **context).done
        assert "a constant answer" in check("3.2", lambda X: np.zeros(len(X)), **context).found
        lucky = [check("3.2", lambda X, s=s: np.random.default_rng(s).random(len(X)), **context).done for s in range(8)]
        assert sum(lucky) <= 1
        assert "no usable answer" in check("3.2", lambda X: [1], **context).found

    def test_the_leak(self, data: Dataset) -> None:
        leaky = load_dataset(data.frame.assign(closed_as=(data.y == "up") + .1), target="y")
        assert check("3.3", "closed_as", honest=data, leaky=leaky).done
        assert "still there" in check("3.3", "a", honest=data, leaky=leaky).found
        assert "not a column" in check("3.3", "y", honest=data, leaky=leaky).found

    def test_silent_bugs(self) -> None:
        findings = (Finding("OVR010", "issue", "a"), Finding("OVR020", "issue", "b"), Finding("OVR001", "tip", "c"))
        probe = SimpleNamespace(findings=findings)
        assert check("3.4", {"OVR010", "OVR020"}, probe=probe).done
        assert "1 missing, 0 too many" in check("3.4", "OVR010", probe=probe).found
        assert "0 missing, 1 too many" in check("3.4", ["OVR010", "OVR020", "OVR001"], probe=probe).found

    def test_mended_network(self) -> None:
        torch = pytest.importorskip("torch")
        nn = torch.nn

        def make(*last: Any) -> Any:
            torch.manual_seed(1)
            return nn.Sequential(nn.Unflatten(1, (1, 40)), nn.Conv1d(1, 8, 5, stride=2), nn.ReLU(), nn.Flatten(),
                                 nn.Linear(144, 10), *last)

        def step(model: Any, batch: Any, loss_fn: Any, optimizer: Any) -> Any:
            optimizer.zero_grad()
            loss = loss_fn(model(batch[0]), batch[1])
            loss.backward()
            optimizer.step()
            return loss

        def forgetful(model: Any, batch: Any, loss_fn: Any, optimizer: Any) -> Any:
            loss = loss_fn(model(batch[0]), batch[1])
            loss.backward()
            optimizer.step()
            return loss

        rng, y = np.random.default_rng(0), np.arange(80) % 10
        curves = np.sin(np.linspace(0, 6, 40) * (1 + y[:, None] / 4)) + rng.normal(0, .3, (80, 40))
        batch = torch.tensor(curves, dtype=torch.float32), torch.tensor(y)
        assert check("3.5", (make, step), batch=batch).done
        assert "oftmax" in check("3.5", (lambda: make(nn.Softmax(dim=1)), step), batch=batch).found
        assert "zero" in check("3.5", (make, forgetful), batch=batch).found
        assert "Conv1d" in check("3.5", (lambda: nn.Linear(40, 10), step), batch=batch).found
        assert check("3.5", make, batch=batch).state == "not yet"

    def test_gains_most(self, data: Dataset) -> None:
        curve = learning_curve(["logistic regression", "small tree"], data, cv=3, sizes=[20, 40, 80, 120])
        gains = {name: curve.extrapolate(240, name).value - curve.extrapolate(120, name).value for name in curve.fold_scores}
        assert check("3.6", max(gains, key=gains.__getitem__), curve=curve).done
        least = min(gains, key=gains.__getitem__)
        assert check("3.6", least, curve=curve).done == (gains[least] == max(gains.values()))
        assert "no curve" in check("3.6", "forest", curve=curve).found

    def test_as_good_as_published(self) -> None:
        assert check("3.7", LinearDiscriminantAnalysis()).done
        assert check("3.7", DummyClassifier()).state == "not yet"
        assert check("3.7", "LDA").state == "not yet"

    @pytest.mark.parametrize("number", ["1.1", "1.2", "1.3", *(f"3.{i}" for i in range(1, 8))])
    def test_hints_do_not_hold_the_answer(self, number: str) -> None:
        assert "closed_as" not in " ".join(find_exercise(number).hints)
