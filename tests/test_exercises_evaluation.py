"""The checks of lesson 5 accept right attempts and refuse wrong ones, on data that no lesson shows."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from ml_lifecycle.evaluation import ModelTests, compare_distributions
from ml_lifecycle.foundation import check
from ml_lifecycle.foundation.exercises import EXERCISES, find_exercise

NUMBERS = ["5.1", "5.2", "5.3"]


@pytest.fixture
def X() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.normal(size=(300, 2)), columns=["a", "b"])


@pytest.mark.parametrize("number", NUMBERS)
def test_every_exercise_has_three_hints_without_the_answer(number: str) -> None:
    assert len(find_exercise(number).hints) == 3
    assert EXERCISES[number].id == number


def test_what_has_shifted(X: pd.DataFrame) -> None:
    report = compare_distributions(X, X.assign(b=X["b"] + 2))
    assert check("5.1", {"b"}, report=report).done
    assert "1 missing" in check("5.1", set(), report=report).found
    assert "1 too many" in check("5.1", ["a", "b"], report=report).found
    assert "not in the report" in check("5.1", ["c"], report=report).found
    assert check("5.1", set(), report=compare_distributions(X[:150], X[150:])).done


def test_a_scenario_that_tells(X: pd.DataFrame) -> None:
    y = np.where(X["a"] > 0, "up", "down")
    context: dict[str, Any] = {"tests": ModelTests(LogisticRegression().fit(X, y), X, y), "X": X, "y": y}
    rows = pd.DataFrame({"a": [3., -3.], "b": 0.})
    assert check("5.2", (rows, ["up", "down"]), **context).done
    assert "always answers 'up'" in check("5.2", (rows[:1], "up"), **context).found
    assert "does not pass" in check("5.2", (rows, ["down", "up"]), **context).found
    assert "cannot be checked" in check("5.2", "no pair", **context).found
    values = X["a"] * 2
    context = {"tests": ModelTests(LinearRegression().fit(X, values), X, values), "X": X, "y": values}
    assert check("5.2", (rows, lambda value: [value[0] > value[-1]] * len(value)), **context).done
    assert "always answers" in check("5.2", (rows, (-99, 99)), **context).found


def test_the_planted_change(X: pd.DataFrame) -> None:
    context = {"honest": X, "changed": X.assign(b=X["b"] * 60)}
    assert check("5.3", "b", **context).done
    assert "still differ" in check("5.3", "a", **context).found
    assert "not a column" in check("5.3", "c", **context).found
