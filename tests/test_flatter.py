"""A metric that flatters the candidate that knows nothing is named; one that does not is not."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_classification
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression, Ridge

from ml_lifecycle.foundation import UnknownNameError
from ml_lifecycle.planning import Requirements, measure_model

def measured(optimize: str, beside: str, *, rare: float = 0.5, informative: int = 4, seed: int = 0) -> pd.DataFrame:
    rows = 3000
    X, y = make_classification(rows, 8, n_informative=max(informative, 2), weights=[1 - rare], flip_y=0.005, random_state=seed)
    if not informative:
        X = np.random.default_rng(seed).normal(size=X.shape)
    half, wish = rows // 2, Requirements(optimize)
    models = {"constant": DummyClassifier(strategy="prior"), "linear": LogisticRegression(),
              "boosting": HistGradientBoostingClassifier(max_iter=40, random_state=0)}
    return pd.DataFrame([measure_model(m.fit(X[:half], y[:half]), X[half:], y[half:], requirements=wish, metric=beside, name=n)
                         for n, m in models.items()])


def codes(frame: Any, optimize: str) -> list[str]:
    report = Requirements(optimize).judge(frame, constant="constant")
    return [f.code for f in report.findings if f.code in ("REQ011", "REQ012")]


@pytest.mark.parametrize("seed", range(3))
def test_accuracy_on_a_rare_class_flatters(seed: int) -> None:
    frame = measured("accuracy", "balanced_accuracy", rare=0.02, seed=seed)
    assert codes(frame, "accuracy") == ["REQ011"]
    assert codes(frame, "balanced_accuracy") != ["REQ011"]
    report = Requirements("accuracy").judge(frame, constant="constant")
    assert report.passed is False
    assert report.next is not None


@pytest.mark.parametrize(("optimize", "beside"), [("accuracy", "balanced_accuracy"), ("roc_auc", "accuracy"),
                                                  ("log_loss", "accuracy")])
def test_a_metric_that_tells_is_not_accused(optimize: str, beside: str) -> None:
    assert codes(measured(optimize, beside, rare=0.4), optimize) == ["REQ012"]


def test_without_any_signal_no_metric_is_accused() -> None:
    for seed in range(5):
        assert codes(measured("accuracy", "balanced_accuracy", rare=0.5, informative=0, seed=seed), "accuracy") == []


def test_regression_and_metrics_of_ones_own_are_judged_as_far_as_they_can_be() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 3))
    y = X[:, 0] + rng.normal(size=600)
    wish = Requirements("rmse")
    frame = pd.DataFrame([measure_model(m.fit(X[:300], y[:300]), X[300:], y[300:], requirements=wish, metric="median_ae", name=n)
                          for n, m in {"constant": DummyRegressor(), "ridge": Ridge()}.items()])
    assert codes(frame, "rmse") == ["REQ012"]
    own = pd.DataFrame({"name": ["constant", "b"], "profit": [1.0, 2.0]})
    assert not [f for f in Requirements("profit", greater_is_better=True).judge(own, constant="constant").findings
                if f.code in ("REQ011", "REQ012")]
    bare = pd.DataFrame({"name": ["constant", "b"], "rmse": [1.0, np.nan], "mae": [np.nan, 1.0]})
    assert codes(bare, "rmse") == []


def test_the_constant_candidate_must_be_in_the_table() -> None:
    with pytest.raises(UnknownNameError, match="constant"):
        Requirements("rmse").judge(pd.DataFrame({"name": ["constant", "b"], "rmse": [1.0, 2.0]}), constant="constnt")
