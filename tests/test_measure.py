"""measure_model: every quantity, every form of rows and models, and nothing left changed."""

import importlib
import json
import math
import pickle
import random
import sys
import time

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.sparse import coo_matrix, csr_matrix
from sklearn.base import BaseEstimator
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from ml_lifecycle.foundation.dataset import load_dataset
from ml_lifecycle.foundation.errors import BadInputError, UnknownNameError
from ml_lifecycle.foundation.intervals import bootstrap_interval, wilson
from ml_lifecycle.foundation.metrics import METRICS, Metric, predict_with
from ml_lifecycle.planning import _costs, _peak
from ml_lifecycle.planning._quantities import LATENCIES
from ml_lifecycle.planning.measure import measure_model
from ml_lifecycle.planning.requirements import Requirements

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning", "error::FutureWarning", "error::UserWarning")
PLAIN = (str, int, float)
QUICK = {"n_boot": 20, "repeats": 20}


@pytest.fixture(scope="module")
def tumours():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    return X, y, make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)


def measured(model, X, y=None, optimize="accuracy", satisfice=(), **more):
    wish = Requirements(optimize, {name: "> 0" if name != "latency_ms" else "< 9" for name in satisfice},
                        confidence=more.pop("confidence", 0.8))
    return measure_model(model, X, y, requirements=wish, **{**QUICK, **more})


def test_everything_at_once(tumours):
    X, y, model = tumours
    every = ("latency_ms", "latency_ms_p99", "throughput_rows_per_s", "size_mb", "memory_mb", "coverage", "recall")
    kept = X.copy()
    found = measured(model, X, y, satisfice=every, metric="roc_auc", name="logistic", n_boot=100)
    assert all(type(value) in PLAIN for value in found.values())
    assert not [key for key in found if key.endswith("note")]
    assert found["name"] == "logistic"
    assert found["n"] == len(y)
    said = predict_with(model, X, task="classification", positive=1)
    for name in ("accuracy", "recall", "roc_auc"):
        expected = bootstrap_interval(name, y, said, n_boot=100)
        assert (found[name], found[f"{name}_low"], found[f"{name}_high"]) == pytest.approx(expected)
    assert found["latency_calls"] == 20
    assert 0 < found["latency_ms_p50"] <= found["latency_ms_p95"] <= found["latency_ms_p99"]
    assert found["latency_ms"] == found["latency_ms_p95"]
    for key in ("latency_ms", "latency_ms_p99"):
        assert 0 < found[f"{key}_low"] <= found[key] <= found[f"{key}_high"] < math.inf
    assert "latency_ms_p50_low" not in found
    assert found["throughput_rows_per_s"] > 100
    assert 0 < found["size_mb"] < 1
    assert 30 < found["memory_mb"] < 2000
    sure = int((model.predict_proba(X).max(1) >= 0.8).sum())
    assert (found["coverage"], found["coverage_low"], found["coverage_high"]) == wilson(sure, len(y))
    pd.testing.assert_frame_equal(X, kept)
    report = Requirements("accuracy", {"size_mb": "< 1"}).judge([found])
    assert report.winner == "logistic"


def test_the_same_seed_gives_the_same_scores(tumours):
    X, y, model = tumours
    assert measured(model, X, y) == measured(model, X, y)
    assert measured(model, X, y) != measured(model, X, y, seed=1)


def test_forms_of_rows():
    X, y = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=500).fit(X, y)
    expected = measured(model, X, y, satisfice=["coverage"])
    for form in (X.tolist(), coo_matrix(X)):
        for target in (y, y.tolist(), pd.Series(y), pd.Series(y).to_frame()):
            found = measured(model, form, target, satisfice=["coverage", "latency_ms", "throughput_rows_per_s"])
            assert {key: found[key] for key in expected} == expected


def test_a_data_set_brings_its_truth_and_its_positive_label(tumours):
    X, y, model = tumours
    frame = X.assign(label=y.map({0: "malignant", 1: "benign"}))
    data = load_dataset(frame, target="label")
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(data.X, data.y)
    said = predict_with(model, data.X, task="classification", positive=data.positive)
    found = measured(model, data, optimize="recall", metric="accuracy")
    assert data.positive == "malignant"
    assert found["recall"] == METRICS["recall"].score(data.y, said)
    other = np.where(np.asarray(data.y) == "benign", "malignant", "benign")
    assert measured(model, data, other)["accuracy"] == pytest.approx(1 - found["accuracy"])


# ---- which label is positive

@pytest.fixture(scope="module")
def pets():
    rng = np.random.default_rng(0)
    y = np.repeat(["cat", "dog"], [60, 50])
    X = (y == "dog")[:, None] + rng.normal(0, 1, (110, 1))
    return X, y, LogisticRegression().fit(X, y)


def test_the_positive_label_is_said_and_told(pets):
    X, y, model = pets
    other = np.r_[0:20, 60:110]  # cats are the rarer ones here
    assert measured(model, X, y, "f1")["positive"] == "dog"
    assert measured(model, X[other], y[other], "f1")["positive"] == "cat"
    for rows in (slice(None), other):
        said = predict_with(model, X[rows], task="classification", positive="cat")
        found = measured(model, X[rows], y[rows], "f1", positive="cat")
        assert found["positive"] == "cat"
        assert found["f1"] == METRICS["f1"].score(y[rows], said)
    assert measured(model, X, y, "f1", positive="cat")["f1"] != measured(model, X, y, "f1", positive="dog")["f1"]


def test_a_data_set_knows_the_positive_label_and_may_be_overruled(pets):
    X, y, _ = pets
    data = load_dataset(pd.DataFrame({"x": X[:, 0], "pet": y}), target="pet")
    model = LogisticRegression().fit(data.X, data.y)
    few = data.take(data.frame.index[np.r_[0:20, 60:110]])
    assert measured(model, few, optimize="f1")["positive"] == data.positive == "dog"
    assert measured(model, few, optimize="f1", positive="cat")["positive"] == "cat"


def test_the_positive_label_is_a_plain_value_or_none(pets, tumours):
    X, y, model = tumours
    assert type(measured(model, X, y, positive=np.int64(0))["positive"]) is int
    iris, kinds = load_iris(return_X_y=True)
    three = LogisticRegression(max_iter=500).fit(iris, kinds)
    assert measured(three, iris, kinds, "f1")["positive"] is None
    assert measured(three, iris[:100], kinds[:100], "f1")["positive"] is None  # two of the three that the model knows
    numbers, target = load_diabetes(return_X_y=True)
    line = LinearRegression().fit(numbers, target)
    assert measured(line, numbers, target, "rmse")["positive"] is None
    X, y, model = pets
    for call, words in [
        (lambda: measured(model, X, y, "f1", positive="dgo"),
         "`positive` must be one of the labels. Got 'dgo'. Did you mean 'dog'"),
        (lambda: measured(three, iris, kinds, "f1", positive=1), "unless there are two classes. Got 1 with 3 classes"),
        (lambda: measured(line, numbers, target, "rmse", positive=1), "Got 1 with regression"),
    ]:
        with pytest.raises(BadInputError, match=words):
            call()


# ---- which task

def test_a_metric_of_classification_needs_labels():
    X, y = load_diabetes(return_X_y=True)
    line = LinearRegression().fit(X, y)
    fractions = y + 0.5
    for target, words in ((fractions, "`y` must hold labels for a metric of classification. Got numbers with a fraction"),
                          (pd.Series(fractions).astype("Float64"), "`y` must hold labels"), (fractions.tolist(), "`y` must hold"),
                          (y, "`model` must predict labels for a metric of classification. Got numbers with a fraction")):
        with pytest.raises(BadInputError, match=words) as caught:
            measured(line, X, target, "f1")
        assert "\n" not in str(caught.value)
        assert "Choose a metric of regression" in str(caught.value)
    halves = np.where(y > 100, 0.5, 1.5)
    assert measured(Halves(), X, halves)["accuracy"] == (halves == 0.5).mean()  # the model says that these are its labels


class Halves:
    classes_ = (0.5, 1.5)

    def predict(self, X):
        return np.full(len(X), 0.5)


def test_the_task_is_read_from_what_there_is(tumours):
    X, y, model = tumours
    numbers, target = load_diabetes(return_X_y=True)
    line = LinearRegression().fit(numbers, target)
    assert measured(line, numbers, target, "rmse")["rmse"] > 0
    custom = {"greater_is_better": True, "optimize": "profit"}
    for candidate, rows, truth, kind in ((line, numbers, target, "regression"), (model, X, y, "classification"),
                                         (Constant(1.0), numbers, target, "regression"), (Constant(1), X, y, "classification"),
                                         (Sure(), X, y, "classification")):
        metric = "mae" if kind == "regression" else "accuracy"
        found = measure_model(candidate, rows, truth, requirements=custom, **QUICK)
        assert math.isnan(found["profit"])
        found = measure_model(candidate, rows, truth, requirements=custom, task=kind, metric=metric, **QUICK)
        assert math.isfinite(found[metric])
    with pytest.raises(BadInputError, match="must be one for regression"):
        measured(line, numbers, target, "accuracy", task="regression")
    with pytest.raises(UnknownNameError, match="`task`"):
        measured(model, X, y, task="ranking")


class Constant:
    """Says the same of every row."""

    def __init__(self, value):
        self.value = value

    def predict(self, X):
        return np.full(len(X), self.value)


class Sure(Constant):
    def __init__(self):
        super().__init__(1)

    def predict_proba(self, X):
        return np.tile([0.2, 0.8], (len(X), 1))


def test_a_metric_of_ones_own(tumours):
    X, y, model = tumours
    own = Metric("errors", "Errors", False, 0, np.inf, "rows", ("classification",), "labels",
                 function=lambda y, said, w: np.average(np.asarray(y) != said.labels, weights=w))
    found = measure_model(model, X, y, requirements=Requirements(own), metric=own, **QUICK)
    assert found["errors_low"] <= found["errors"] <= found["errors_high"]


# ---- what cannot be measured

def test_what_is_not_known_is_nan_with_a_note(tumours):
    X, y, _ = tumours
    svm = make_pipeline(StandardScaler(), LinearSVC()).fit(X, y)
    found = measured(svm, X, y, satisfice=["coverage", "log_loss", "euros"])
    assert found["name"] == "LinearSVC"
    assert found["coverage_note"] == "the model gives no probabilities"
    assert "needs probabilities" in found["log_loss_note"]
    assert "fill it in yourself" in found["euros_note"]
    assert all(math.isnan(found[key]) for key in ("coverage", "log_loss", "euros"))
    with pytest.raises(BadInputError, match="which needs probabilities"):
        measured(svm, X, y, optimize="log_loss")
    with pytest.raises(BadInputError, match="which needs probabilities"):
        measured(svm, X, y, metric="brier")


def test_no_coverage_in_regression():
    X, y = load_diabetes(return_X_y=True)
    found = measured(LinearRegression().fit(X, y), X, y, "r2", ["coverage"])
    assert math.isnan(found["coverage"])


TINY = """
import os
import numpy as np


class Constant:
    def __init__(self, size=1):
        self.size = size

    def predict(self, X):
        np.ones(self.size if len(X) > 3 else 1)
        return np.ones(len(X), dtype=int)


class Unsaved(Constant):
    def __reduce__(self):
        raise TypeError("not to be saved")


class Failing(Constant):
    def __setstate__(self, state):
        raise OSError("a file is missing")


class Exiting(Constant):
    def __setstate__(self, state):
        os._exit(3)
"""


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A module of models that needs nothing but numpy, so that a fresh process starts quickly."""
    (tmp_path / "tiny_models.py").write_text(TINY)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("tiny_models")
    del sys.modules["tiny_models"]


def test_models_that_another_process_cannot_run(tiny, monkeypatch):
    X, y = np.ones((3, 1)), np.array([0, 1, 1])
    found = measured(tiny.Unsaved(), X, y, satisfice=["memory_mb", "size_mb"])
    assert found["memory_mb_note"] == found["size_mb_note"] == "the model cannot be saved: TypeError: not to be saved"
    assert "OSError: a file is missing" in measured(tiny.Failing(), X, y, satisfice=["memory_mb"])["memory_mb_note"]
    assert "ended with code 3: no message" in measured(tiny.Exiting(), X, y, satisfice=["memory_mb"])["memory_mb_note"]
    Notebook = type("Notebook", (tiny.Constant,), {"__module__": "__main__"})
    import __main__

    monkeypatch.setattr(__main__, "Notebook", Notebook, raising=False)
    note = measured(Notebook(1), X, y, satisfice=["memory_mb"])["memory_mb_note"]
    assert "'Notebook' is defined in this notebook or script. Define it in a module" in note
    monkeypatch.setattr(_costs, "PATIENCE", 0.001)
    assert "longer than 0.001 s" in measured(tiny.Constant(), X, y, satisfice=["memory_mb"])["memory_mb_note"]


def test_memory_is_that_of_the_model_and_not_of_this_process(tiny):
    X, y, here = np.ones((4, 1)), np.array([0, 1, 1, 1]), np.ones(30_000_000)
    small = measured(tiny.Constant(), X, y, satisfice=["memory_mb"])["memory_mb"]
    large = measured(tiny.Constant(40_000_000), X, y, satisfice=["memory_mb"])["memory_mb"]
    assert large - small == pytest.approx(305, abs=30)  # 40 million numbers of 8 bytes
    assert small < here.nbytes / 2**20


def test_the_script_of_the_fresh_process(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "path.json").write_text(json.dumps(sys.path))
    for model, key in ((tiny.Constant(), "bytes"), (3, "error"), (tiny.Failing(), "error")):
        for name, value in (("model", model), ("batch", np.ones((2, 1)))):
            (tmp_path / f"{name}.pickle").write_bytes(pickle.dumps(value))
        _peak.main(str(tmp_path))
        assert key in json.loads((tmp_path / "answer.json").read_text())


def test_peak_without_proc(monkeypatch, tmp_path):
    monkeypatch.setattr(_peak.os.path, "exists", lambda path: False)
    assert _peak.peak_bytes() > 2**20
    monkeypatch.setattr(_peak.sys, "platform", "darwin")
    assert _peak.peak_bytes() > 2**10


# ---- time

class Sleepy(Constant):
    def predict(self, X):
        time.sleep(0.03)
        return super().predict(X)


def test_slow_models_are_not_waited_for(monkeypatch):
    monkeypatch.setattr(_costs, "CAP", 0.1)
    X, y = np.ones((3, 1)), np.array([0, 1, 1])
    found = measured(Sleepy(1), X, y, satisfice=["latency_ms", "throughput_rows_per_s"], repeats=200)
    assert 1 <= found["latency_calls"] <= 5
    assert found["latency_ms_p50"] > 29
    assert found["throughput_rows_per_s"] < 101


@pytest.mark.parametrize(("calls", "part"), [(200, 0.95), (200, 0.5), (20, 0.95), (9, 0.95), (200, 0.99), (3, 0.5)])
def test_the_interval_of_a_quantile(calls, part):
    rng, truth = np.random.default_rng(0), np.exp(0.3 * stats.norm.ppf(part))
    found = [_costs.quantile(np.sort(np.exp(rng.normal(0, 0.3, calls))), part) for _ in range(300)]
    assert 0.92 <= np.mean([low <= truth <= high for _, low, high in found]) <= 1
    assert all(low <= value <= high for value, low, high in found)


def test_one_call_bounds_nothing_and_equal_calls_do_not_vary():
    assert _costs.quantile(np.array([3.0]), 0.5) == (3, 0, math.inf)
    assert _costs.quantile(np.array([3.0] * 5), 0.95) == pytest.approx((3, 3, 3))
    assert LATENCIES["latency_ms"] == 0.95


# ---- wrong input

def test_wrong_input_is_named(tumours):
    X, y, model = tumours
    for call, words in [
        (lambda: measured(LogisticRegression(), X, y), "`model` must be fitted"),
        (lambda: measured(3, X, y), "must have a method `predict`"),
        (lambda: measured(model, X), "`y` must hold the truth of each row. Got None"),
        (lambda: measured(model, X, y[:5]), "the same rows, at least one. Got 569 and 5"),
        (lambda: measured(model, X[:0], y[:0]), "at least one. Got 0 and 0"),
        (lambda: measured(model, X, y, repeats=0), "`repeats` must be"),
        (lambda: measure_model(model, X, y, requirements={}), "with the key 'optimize'"),
        (lambda: measured(model, X, y, optimize="rmse", task="classification"), "one for classification. Got 'rmse'"),
    ]:
        with pytest.raises(BadInputError, match=words):
            call()


class Raising:
    """Takes many rows, or none at all."""

    def __init__(self, least):
        self.least = least

    def predict(self, X):
        if len(X) < self.least:
            raise KeyError("two\nlines " + "x" * 500)
        return np.ones(len(X), dtype=int)


@pytest.mark.parametrize(("more", "words"), [
    ({"seed": "a"}, "`seed` must be a whole number of at least 0. Got 'a'"), ({"seed": -1}, "Got -1"),
    ({"seed": None}, "Got None"), ({"n_boot": "a"}, "`n_boot` must be a whole number of at least 2. Got 'a'"),
    ({"n_boot": None}, "Got None"),
    ({"repeats": "a"}, "`repeats` must be a whole number of at least 1. Got 'a'"), ({"repeats": None}, "Got None"),
    ({"repeats": math.nan}, "Got nan"), ({"repeats": math.inf}, "Got inf"), ({"repeats": True}, "Got True"),
])
def test_counts_that_are_none_are_named(tumours, more, words):
    X, y, model = tumours
    with pytest.raises(BadInputError, match=words):
        measured(model, X, y, **more)


@pytest.mark.parametrize("X", [None, 3, "rows.csv", {"a": [1]}, pd.DataFrame, np.array(3), iter([1])])
def test_rows_that_are_none_are_named(tumours, X):
    with pytest.raises(BadInputError, match="`X` must hold the rows to predict: a frame.* Got "):
        measured(tumours[2], X, [1])


def test_what_the_model_raises_is_one_line(tumours):
    X, y, model = tumours
    gaps = X.copy()
    gaps.iloc[0, 0] = np.nan
    ones = np.ones((5, 1)), np.array([0, 1, 1, 1, 1])
    for call, words in [
        (lambda: measured(LogisticRegression, X, y), "Got the class LogisticRegression"),
        (lambda: measured(model, X.iloc[:, :3], y), "`model` must predict on `X`. Got ValueError: The feature names should"),
        (lambda: measured(model, gaps, y), "Got ValueError: Input X contains NaN"),
        (lambda: measured(Raising(9), *ones), "Got KeyError: .*…. Pass the columns"),
        (lambda: measured(Raising(2), *ones, satisfice=["latency_ms"]), "`model` must predict on `X`. Got KeyError"),
        (lambda: measured(model, X, y, "rmse", task="regression", metric="f1"), "must be one for regression"),
    ]:
        with pytest.raises(BadInputError, match=words) as caught:
            call()
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 500


def test_words_in_regression_are_named(pets):
    X, y, model = pets
    with pytest.raises(BadInputError, match="must predict numbers in regression. Got 'cat'"):
        measured(model, X, np.arange(110.0), "rmse", task="regression")


class Drawing(BaseEstimator):
    """A model whose predictions draw from the global random states."""

    def predict(self, X):
        return np.array([random.random() + np.random.random() for _ in range(len(X))])


def test_random_states_come_back():
    random.seed(1)
    np.random.seed(1)
    before = random.getstate(), np.random.get_state()[1].copy()
    measured(Drawing(), np.ones((5, 1)), np.arange(5.0), "mae", ["latency_ms"])
    assert random.getstate() == before[0]
    assert (np.random.get_state()[1] == before[1]).all()


# ---- torch

@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def test_a_module_with_tensors_arrays_frames_and_loaders(torch, tumours):
    X, y, _ = tumours
    X = (X - X.mean()) / X.std()
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(30, 8), torch.nn.BatchNorm1d(8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 2))
    net[2].eval()
    modes = [part.training for part in net.modules()]
    state, seen = torch.get_rng_state(), net[1].running_mean.clone()
    every = ("latency_ms", "throughput_rows_per_s", "size_mb", "coverage", "roc_auc")
    tensor, target = torch.tensor(X.to_numpy(), dtype=torch.float32), torch.tensor(y.to_numpy())
    found = measured(net, tensor, target, satisfice=(*every, "memory_mb"))
    assert not [key for key in found if key.endswith("note")]
    assert found["memory_mb"] > 50
    for rows, truth in ((X, y), (X.to_numpy(), y.tolist())):
        again = measured(net, rows, truth, satisfice=every)
        assert all(again[key] == pytest.approx(found[key], abs=1e-6) for key in ("accuracy", "roc_auc", "coverage", "size_mb"))
    pairs = torch.utils.data.TensorDataset(tensor, target)
    loader = torch.utils.data.DataLoader(pairs, batch_size=100, shuffle=True)
    assert measured(net, loader)["accuracy"] == pytest.approx(found["accuracy"])
    assert [part.training for part in net.modules()] == modes
    assert torch.equal(net[1].running_mean, seen)
    assert torch.equal(torch.get_rng_state(), state)
    words = y.map({0: "malignant", 1: "benign"})
    said = measured(net, X, words)
    assert said["accuracy"] == pytest.approx(1 - found["accuracy"])  # the columns stand in the order of the sorted labels
    data = load_dataset(X.assign(label=words), target="label")
    assert measured(net, data)["accuracy"] == pytest.approx(said["accuracy"])


def test_a_module_that_gives_values(torch):
    X, y = load_diabetes(return_X_y=True)
    found = measured(torch.nn.Linear(10, 1), X, y, "rmse", ["latency_ms"])
    assert found["rmse"] > 50
    assert found["name"] == "Linear"
    guessed = measure_model(torch.nn.Linear(10, 1), X, y, requirements={"optimize": "size_mb"}, **QUICK)
    assert guessed["size_mb"] > 0


def test_a_module_with_two_values_a_row_is_refused(torch):
    X, y = load_diabetes(return_X_y=True)
    with pytest.raises(BadInputError, match=r"must predict one value a row. Got predictions of shape \(442, 2\)"):
        measured(torch.nn.Linear(10, 2), X, y, "rmse")
    with pytest.raises(BadInputError, match="`model` must predict on `X`. Got RuntimeError: mat1 and mat2"):
        measured(torch.nn.Linear(3, 1), X, y, "rmse")


def test_a_module_takes_sparse_rows(torch):
    X, y = load_diabetes(return_X_y=True)
    net, every = torch.nn.Linear(10, 1), ("latency_ms", "throughput_rows_per_s", "size_mb")
    expected = measured(net, X, y, "rmse")
    for form in (csr_matrix(X), coo_matrix(X)):
        assert measured(net, form, y, "rmse", every)["rmse"] == pytest.approx(expected["rmse"])


def test_modules_that_give_more_than_logits(torch):
    class Two(torch.nn.Module):
        def forward(self, X):
            return X, X.mean()

    found = measured(Two(), np.eye(3), [0, 1, 2], satisfice=["latency_ms", "throughput_rows_per_s"])
    assert found["accuracy"] == 1


def test_loaders_of_another_form(torch):
    net, rows = torch.nn.Linear(2, 2), torch.ones(4, 2)
    with pytest.raises(BadInputError, match="pairs of tensors .* Got batches of Tensor"):
        measured(net, torch.utils.data.DataLoader(rows, batch_size=2))
    with pytest.raises(BadInputError, match="a DataLoader without batches"):
        measured(net, torch.utils.data.DataLoader([], batch_size=2))
    _peak.predict(net, rows)
