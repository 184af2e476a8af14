"""The checks of lesson 6 take right answers and refuse wrong ones."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from deployment_toys import MemoryRegistry, Version
from sklearn.tree import DecisionTreeClassifier

from ml_lifecycle.data.schema import infer_schema
from ml_lifecycle.deployment import Rollout
from ml_lifecycle.exploration import default_models
from ml_lifecycle.foundation import check, hint, load_dataset

BEFORE = Rollout(canary=0.1, salt="s")


@pytest.mark.parametrize(("attempt", "state"), [
    (..., "not attempted"), (Rollout(canary=0.3, salt="s"), "done"), (Rollout(canary=0.25, salt="s"), "done"),
    (Rollout(canary=0.3, salt="other"), "not yet"), (Rollout(canary=0.05, salt="s"), "not yet"),
    (Rollout(canary=0.9, salt="s"), "not yet"),
    (0.3, "not yet"), (BEFORE, "not yet")])
def test_a_wider_canary(attempt: Any, state: str) -> None:
    assert check("6.1", attempt, before=BEFORE).state == state


@pytest.fixture(scope="module")
def version() -> Version:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=80), "c": rng.choice(["x", "y"], 80), "t": pd.date_range("2024", periods=80)})
    data = load_dataset(frame.assign(y=np.where(frame["a"] > 0, "u", "v")), target="y")
    model = default_models("classification", data.X)["small tree"].fit(data.X, data.y)
    return MemoryRegistry(model, schema=infer_schema(data)).get()


EXAMPLE = {"a": 0.1, "c": "x", "t": pd.Timestamp("2024-01-05")}


@pytest.mark.parametrize(("change", "state"), [
    ({"a": "twelve"}, "done"), ({"c": 3}, "done"), ({"c": "z"}, "done"), ({"t": "soon"}, "done"), ({"a": [1]}, "done"),
    ({"a": None}, "done"),
    ({"a": 1e9}, "done"), ({}, "not yet"), ({"extra": 1}, "not yet"), ({"a": np.float64(0.2)}, "not yet")])
def test_a_record_that_is_refused(version: Version, change: dict[str, Any], state: str) -> None:
    assert check("6.2", {**EXAMPLE, **change}, version=version).state == state


def test_a_record_without_a_column_and_no_record(version: Version) -> None:
    assert "1 columns are missing" in check("6.2", {"a": "x", "c": "x"}, version=version).found
    assert check("6.2", [EXAMPLE], version=version).state == "not yet"
    assert check("6.2", ..., version=version).state == "not attempted"


def test_without_a_schema_names_and_types_count() -> None:
    frame = pd.DataFrame({"a": [0.0, 1.0], "b": [1.0, 0.0]})
    bare = MemoryRegistry(DecisionTreeClassifier().fit(frame, [0, 1])).get()
    assert check("6.2", {"a": 1, "b": {}}, version=bare).done
    assert not check("6.2", {"a": 1, "b": 2}, version=bare).done


@pytest.mark.parametrize("number", ["6.1", "6.2"])
def test_hints_do_not_fail(number: str) -> None:
    assert [hint(number, level) for level in (1, 2, 3)]
