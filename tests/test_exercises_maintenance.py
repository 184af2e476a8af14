"""The checks of lesson 7 accept right attempts and refuse wrong ones."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from ml_lifecycle.foundation import check
from ml_lifecycle.foundation.exercises import find_exercise
from ml_lifecycle.maintenance import DeprecatedFeatures, feature_value, staleness

@pytest.fixture(scope="module")
def table() -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(1000, 2)), columns=["useful", "dice"]).assign(flat=1.0)
    angle = np.arange(1000) / 1000 * 1.5
    return X, np.where(rng.logistic(size=1000) < 4 * (np.cos(angle) * X["useful"] + np.sin(angle) * X["dice"]), "yes", "no")


@pytest.mark.parametrize("number", ["7.1", "7.2", "7.3"])
def test_every_exercise_has_three_hints(number: str) -> None:
    assert len(find_exercise(number).hints) == 3


def test_what_can_go(table: Any) -> None:
    X, y = table
    value = feature_value(LogisticRegression(), X, y, cv=3)
    assert value.safe == ("flat",)
    assert check("7.1", {"flat"}, value=value).done
    assert check("7.1", "flat", value=value).done
    assert "1 more" in check("7.1", [], value=value).found
    assert "useful" in check("7.1", ["flat", "useful"], value=value).found
    assert "not in the table" in check("7.1", ["what"], value=value).found
    assert check("7.1", 3, value=value).state == "not yet"
    none = feature_value(LogisticRegression(), X[["useful"]], y, cv=3)
    assert check("7.1", None, value=none).done


def test_twice_the_loss(table: Any) -> None:
    X, y = table
    stale = staleness(LogisticRegression(), X, y, time=np.arange(1000))
    assert stale.retrain_every is not None
    assert check("7.2", 2 * stale.retrain_every[0], stale=stale).done
    assert "less" in check("7.2", stale.retrain_every[0], stale=stale).found
    assert "more" in check("7.2", 3 * stale.retrain_every[0], stale=stale).found
    assert "does give" in check("7.2", None, stale=stale).found
    timeless = staleness(LogisticRegression(), X, y)
    assert check("7.2", None, stale=timeless).done
    assert "does not say" in check("7.2", 3, stale=timeless).found


def test_the_guard(tmp_path: Path) -> None:
    out = DeprecatedFeatures(tmp_path / "out.yaml").deprecate("a", by="Ada", why="law").deprecate("b", by="Ada", why="law")
    context = {"out": out, "frame": pd.DataFrame({"a": [1], "c": [2]})}
    assert check("7.3", lambda frame: out.check(frame), **context).done
    assert "got through" in check("7.3", lambda frame: frame, **context).found

    def stops_everything(frame: pd.DataFrame) -> None:
        raise ValueError("no")

    assert "without any column that is out" in check("7.3", stops_everything, **context).found

    def knows_one(frame: pd.DataFrame) -> None:
        if "a" in frame:
            raise ValueError("a")

    assert "'b'" in check("7.3", knows_one, **context).found
