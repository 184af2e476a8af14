"""overfit_batch on estimators that have fit or partial_fit."""

import warnings
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, SGDClassifier, SGDRegressor
from sklearn.metrics import zero_one_loss
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from ml_lifecycle.exploration import OverfitReport, default_models, overfit_batch
from ml_lifecycle.foundation.errors import BadInputError

def rows(n: int = 40) -> tuple[Any, Any]:
    X, y = load_breast_cancer(return_X_y=True)
    return X[:n], y[:n]


def causes(report: OverfitReport) -> list[str]:
    return [f.evidence["cause"] for f in report.findings if f.severity in ("issue", "tip")]


@pytest.mark.parametrize("model", [
    DecisionTreeClassifier(), make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
    MLPClassifier((16,), learning_rate_init=0.02), make_pipeline(StandardScaler(), LinearSVC()), DecisionTreeRegressor(),
    make_pipeline(StandardScaler(), SGDClassifier(loss="log_loss", random_state=0))])
def test_a_sound_estimator_has_no_issue(model: Any) -> None:
    X, y = rows()
    before = dict(vars(model))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = overfit_batch(model, (StandardScaler().fit_transform(X), y))
    assert "issue" not in {f.severity for f in report.findings}
    assert report.n == 40
    assert dict(vars(model)) == before


def test_a_frame_with_text_labels_and_a_loss_of_sklearn() -> None:
    X, y = rows()
    report = overfit_batch(DecisionTreeClassifier(), (pd.DataFrame(X), np.where(y, "yes", "no")), zero_one_loss_of_labels)
    assert report.passed is True
    assert report.last == 0
    assert report.plot() is not None
    plt.close("all")


def zero_one_loss_of_labels(output: Any, y: Any) -> float:
    return float(zero_one_loss(y, np.unique(y)[np.asarray(output).argmax(1)]))


def test_a_loss_of_torch() -> None:
    torch = pytest.importorskip("torch")
    X, y = rows()
    model = SGDRegressor(random_state=0)
    assert overfit_batch(model, (StandardScaler().fit_transform(X), y.astype(float)), torch.nn.MSELoss()).passed is not False


@pytest.mark.parametrize(("cause", "model", "change"), [
    ("unnormalised_input", MLPClassifier((16,), "logistic", learning_rate_init=0.02, random_state=0),
     lambda X, y: (X * 1e3, y)),
    ("one_class", DecisionTreeClassifier(), lambda X, y: (X, y * 0)),
    ("over_regularised", make_pipeline(StandardScaler(), LogisticRegression(C=1e-6)), lambda X, y: (X, y)),
    ("error", DecisionTreeClassifier(max_depth=-3), lambda X, y: (X, y)),
    ("rate_too_low", MLPClassifier((16,), learning_rate_init=1e-7, random_state=0),
     lambda X, y: (StandardScaler().fit_transform(X), y)),
])
def test_a_cause_is_named(cause: str, model: Any, change: Any) -> None:
    assert cause in causes(overfit_batch(model, change(*rows()), steps=80))


def test_a_model_that_cannot_learn_is_stuck_or_too_simple() -> None:
    X, y = rows()
    report = overfit_batch(DummyClassifier(), (X, y))
    assert report.passed is not True
    assert {"stuck", "falling"} & set(causes(report))


def test_a_linear_model_need_not_learn_noise_by_heart() -> None:
    draw = np.random.default_rng(0)
    report = overfit_batch(SGDClassifier(loss="log_loss"), (draw.normal(size=(64, 5)), np.r_[np.zeros(63), 1]), steps=20)
    assert report.passed is None
    assert causes(report) == ["capacity"]
    assert "5 columns" in report.answer


def test_partial_fits_end_when_time_is_over() -> None:
    report = overfit_batch(SGDClassifier(loss="log_loss", learning_rate="constant", eta0=1e-9), rows(), seconds=0.01)
    assert len(report.losses) < 50
    assert causes(report) == ["no_time"]


@pytest.mark.parametrize(("batch", "loss", "said"), [(None, None, "must be a pair"), (([[1.0]], [1]), None, "at least two rows"),
    (([[1.0], [2.0]], [1.0, np.nan]), None, "not missing"), (([[1.0], [2.0]], [1, 0]), 3, "`loss_fn` must be"), (([[1.0], [2.0]],
    [1, 0]), lambda o, y: np.ones(2), "must return one number")])
def test_what_is_refused(batch: Any, loss: Any, said: str) -> None:
    with pytest.raises(BadInputError, match=said) as caught:
        overfit_batch(DecisionTreeClassifier(), batch, loss)
    assert "\n" not in str(caught.value)


def test_rows_with_equal_inputs_set_the_lowest_loss() -> None:
    """No model can tell equal rows apart: it has done all it can when it gives their shares."""
    X = pd.DataFrame({"a": ["x", "x", "x", None, None, "z"] * 10, "b": [1.0, 1, 1, np.nan, np.nan, 3] * 10})
    y = np.array([1, 1, 0, 1, 0, 0] * 10)
    model = default_models("classification", X)["small tree"].set_params(model__max_depth=None)
    report = overfit_batch(model, (X, y))
    shares = -(3 * (2 / 3 * np.log(2 / 3) + 1 / 3 * np.log(1 / 3)) + 2 * np.log(1 / 2)) / 6
    assert report.lowest == pytest.approx(shares)
    assert report.passed, report.answer
