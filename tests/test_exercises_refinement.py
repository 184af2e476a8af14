"""The checks of lesson 4 accept right attempts and refuse wrong ones, on data that no lesson shows."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from ml_lifecycle.foundation import Predictions, check
from ml_lifecycle.foundation.exercises import find_exercise
from ml_lifecycle.refinement import coarse_to_fine, error_breakdown

@pytest.mark.parametrize("number", ["4.1", "4.2", "4.3"])
def test_every_exercise_has_three_hints(number: str) -> None:
    assert len(find_exercise(number).hints) == 3
    assert check(number, ...).state == "not attempted"


def test_variance_by_hand() -> None:
    plain = error_breakdown(train=.02, val=.11, test=.2)
    assert check("4.1", .09, report=plain).done
    assert "wrong sign" in check("4.1", -.09, report=plain).found
    assert check("4.1", .11, report=plain).state == "not yet"
    assert check("4.1", "much", report=plain).state == "not yet"
    shifted = error_breakdown(train=.02, val_train=.05, val=.2)
    assert check("4.1", .03, report=shifted).done
    assert "holds the shift" in check("4.1", .18, report=shifted).found
    assert "does not lie" in check("4.1", .5, report=shifted).found
    split = error_breakdown(train=.02, val_train=.05, val_test=.2)
    assert check("4.1", .03, report=split).done


def test_failing_region() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=400), "kind": rng.choice(["x", "y", "z"], 400)})
    y = np.where(X["a"] > 0, "up", "down")
    said = np.where(X["kind"] == "x", np.where(y == "up", "down", "up"), y)
    context = {"X": X, "y": y, "answers": Predictions(labels=said)}
    assert check("4.2", lambda X: X["kind"] == "x", **context).done
    assert "luck is not ruled out" in check("4.2", lambda X: X["a"] > 0, **context).found
    assert "luck is not ruled out" in check("4.2", lambda X: X["kind"] == "y", **context).found
    assert "not all of them" in check("4.2", lambda X: X["a"] > 100, **context).found
    assert "not all of them" in check("4.2", lambda X: X["a"] < 100, **context).found
    assert "one for each row" in check("4.2", lambda X: X["kind"], **context).found
    assert check("4.2", 3, **context).state == "not yet"
    numbers = X["a"] + np.where(X["kind"] == "x", 9, .01 * rng.normal(size=400))
    assert check("4.2", lambda X: X["kind"] == "x", X=X, y=numbers, answers=Predictions(values=X["a"].to_numpy())).done


def test_inside_the_noise_of_the_search() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    report = coarse_to_fine(Ridge(), {"alpha": (1e-3, 1e4, "log")}, X, X[:, 0] + rng.normal(size=80), budget=6, cv=3)
    inside = (report.frame["low"] <= report.best_score) & (report.best_score <= report.frame["high"])
    right = int(inside.sum())
    assert check("4.3", right, report=report).done
    assert "too many" in check("4.3", right + 1, report=report).found
    assert "too few" in check("4.3", right - 1, report=report).found
    assert check("4.3", None, report=report).state == "not yet"


