"""Metrics against scikit-learn, and every form of labels, models and weights that a person may bring."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk
from sklearn.datasets import load_diabetes, load_iris
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.svm import SVC, LinearSVC

from ml_lifecycle.foundation.errors import BadInputError, UnknownNameError
from ml_lifecycle.foundation.metrics import METRICS, Metric, Predictions, get_metric, positive_label, predict_with

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning", "error::FutureWarning", "error::UserWarning")
BINARY = ("accuracy", "balanced_accuracy", "f1", "precision", "recall", "roc_auc", "average_precision", "log_loss", "brier")


def score(name, y, predictions, **kwargs):
    return METRICS[name].score(y, predictions, **kwargs)


def made(y, p, labels=(0, 1), positive=None):
    """Predictions with the probability `p` of the second label."""
    p = np.asarray(p, dtype=float)
    return Predictions(labels=np.asarray(labels)[(p > 0.5).astype(int)], proba=np.column_stack([1 - p, p]),
                       classes=tuple(labels), positive=positive)


def reference(name, y, p, w=None):
    """The same metric from scikit-learn, labels 0 and 1."""
    said = (np.asarray(p) > 0.5).astype(int)
    of_labels = {"accuracy": sk.accuracy_score, "balanced_accuracy": sk.balanced_accuracy_score, "f1": sk.f1_score,
                 "precision": sk.precision_score, "recall": sk.recall_score}
    if name in of_labels:
        return of_labels[name](y, said, sample_weight=w)
    return {"roc_auc": sk.roc_auc_score, "average_precision": sk.average_precision_score, "log_loss": sk.log_loss,
            "brier": sk.brier_score_loss}[name](y, p, sample_weight=w)


@pytest.fixture(scope="module")
def binary():
    rng = np.random.default_rng(0)
    p = rng.random(200).round(1) * 0.98 + 0.01  # with ties
    return (rng.random(200) < p).astype(int), p, rng.random(200)


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("weighted", [False, True])
def test_two_classes_as_scikit_learn(binary, name, weighted):
    y, p, w = binary
    w = w if weighted else None
    assert score(name, y, made(y, p), sample_weight=w) == pytest.approx(reference(name, y, p, w))


@pytest.mark.parametrize("labels", [("no", "yes"), (False, True), (-1, 1), (0.0, 1.0), ("benign", "zoster")])
@pytest.mark.parametrize("name", BINARY)
def test_the_kind_of_label_does_not_matter(binary, name, labels):
    y, p, _ = binary
    given_y = pd.Series(np.asarray(labels)[y])
    for form in (given_y, given_y.astype("category"), given_y.to_numpy(), given_y.tolist(), given_y.astype(object)):
        assert score(name, form, made(y, p, labels, positive=labels[1])) == pytest.approx(reference(name, y, p))


def test_positive_is_the_one_asked_for(binary):
    y, p, _ = binary
    assert score("recall", y, made(y, p, positive=0)) == pytest.approx(sk.recall_score(y, p > 0.5, pos_label=0))
    assert score("average_precision", y, made(y, p, positive=0)) == pytest.approx(
        sk.average_precision_score(y, 1 - p, pos_label=0))
    assert score("roc_auc", y, made(y, p, positive=0)) == pytest.approx(sk.roc_auc_score(y, p))


def test_without_a_word_the_rarer_label_of_the_rows_is_positive():
    y = np.array(["a", "b", "b", "b"])
    said = Predictions(labels=np.array(["a", "a", "b", "b"]))
    assert score("recall", y, said) == 1.0
    assert score("precision", y, said) == 0.5


@pytest.fixture(scope="module")
def many():
    X, y = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=2000, C=0.01).fit(X, y)
    return X, y, model


def test_many_classes_as_scikit_learn(many):
    X, y, model = many
    said, proba = predict_with(model, X, task="classification"), model.predict_proba(X)
    labels = model.predict(X)
    assert score("f1", y, said) == pytest.approx(sk.f1_score(y, labels, average="macro"))
    assert score("precision", y, said) == pytest.approx(sk.precision_score(y, labels, average="macro"))
    assert score("recall", y, said) == pytest.approx(sk.recall_score(y, labels, average="macro"))
    assert score("roc_auc", y, said) == pytest.approx(sk.roc_auc_score(y, proba, multi_class="ovr"))
    assert score("average_precision", y, said) == pytest.approx(
        sk.average_precision_score(np.eye(3)[y], proba, average="macro"))
    assert score("log_loss", y, said) == pytest.approx(sk.log_loss(y, proba))
    assert score("brier", y, said) == pytest.approx(((proba - np.eye(3)[y]) ** 2).sum(1).mean() / 2)


def test_a_class_that_is_never_predicted_counts_as_zero_in_the_mean():
    y = ["a", "b", "c", "c"]
    said = Predictions(labels=np.array(["a", "b", "b", "b"]))
    assert score("precision", y, said) == pytest.approx((1 + 1 / 3 + 0) / 3)
    assert score("f1", y, said) == pytest.approx((1 + 0.5 + 0) / 3)


def test_a_class_that_is_missing_in_y(many):
    X, y, model = many
    rows = y < 2
    said = predict_with(model, X[rows], task="classification")
    for name in BINARY:
        assert np.isfinite(score(name, y[rows], said)), name
    assert score("roc_auc", y[rows], said) == pytest.approx(
        np.mean([sk.roc_auc_score(y[rows] == k, model.predict_proba(X[rows])[:, k]) for k in (0, 1)]))


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("name", BINARY)
def test_one_class_alone_is_no_failure(name, label):
    y = np.full(6, label)
    value = score(name, y, made(y, [0.1, 0.4, 0.9, 0.6, 0.2, 0.3]))
    undefined = {"roc_auc": (0, 1), "recall": (0,), "average_precision": (0,)}
    assert np.isnan(value) == (label in undefined.get(name, ()))


def test_what_nothing_is_called_positive_has_no_precision():
    assert np.isnan(score("precision", [0, 1], Predictions(labels=np.array([0, 0]), classes=(0, 1))))
    assert score("f1", [0, 1], Predictions(labels=np.array([0, 0]), classes=(0, 1))) == 0
    assert np.isnan(score("f1", [0, 0], Predictions(labels=np.array([0, 0]))))


def test_a_label_that_the_model_does_not_know():
    said = made([0, 1], [0.2, 0.9, 0.5], ("no", "yes"))
    y = ["no", "yes", "maybe"]
    assert score("accuracy", y, said) == pytest.approx(2 / 3)
    assert score("log_loss", y, said) > 10
    assert 0 < score("brier", y, said) < 1
    assert np.isfinite(score("roc_auc", y, said))


def test_labels_of_another_kind_are_named():
    with pytest.raises(BadInputError, match="must hold labels that the model knows"):
        score("accuracy", [0, 1], made([0, 1], [0.2, 0.9], ("no", "yes")))


def test_missing_labels_and_wrong_lengths_are_named(binary):
    y, p, _ = binary
    with pytest.raises(BadInputError, match="no missing labels. Got 1 of 200"):
        score("accuracy", pd.Series(y, dtype=float).where(pd.Series(y).index > 0), made(y, p))
    with pytest.raises(BadInputError, match="one row for each of `y`. Got 200 predictions for 199"):
        score("roc_auc", y[1:], made(y, p))
    with pytest.raises(BadInputError, match="must be one column"):
        score("accuracy", np.ones((4, 2)), made(y, p))
    with pytest.raises(BadInputError, match="one row for each of `y`. Got 199 predictions for 200"):
        score("rmse", np.ones(200), Predictions(values=np.ones(199)))


@pytest.mark.parametrize("weight", [[1.0], np.full(200, -1.0), np.full(200, np.nan)])
def test_bad_weights_are_named(binary, weight):
    y, p, _ = binary
    with pytest.raises(BadInputError, match="`sample_weight` must be 200 finite numbers"):
        score("accuracy", y, made(y, p), sample_weight=weight)


def test_no_weight_at_all_and_no_rows_are_undefined(binary):
    y, p, _ = binary
    for name in BINARY:
        assert np.isnan(score(name, y, made(y, p), sample_weight=np.zeros(200)))
        assert np.isnan(score(name, [], made([], [])))
    for name in ("mae", "rmse", "r2", "median_ae", "mape"):
        assert np.isnan(score(name, [], Predictions(values=np.empty(0))))


# ---- regression

@pytest.fixture(scope="module")
def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return X, y, LinearRegression().fit(X, y)


@pytest.mark.parametrize("name", ["mae", "rmse", "r2", "median_ae", "mape"])
@pytest.mark.parametrize("weighted", [False, True])
def test_regression_as_scikit_learn(diabetes, name, weighted):
    X, y, model = diabetes
    w = np.random.default_rng(0).integers(0, 4, len(y)).astype(float) if weighted else None
    said = predict_with(model, X, task="regression")
    values = model.predict(X)
    if name == "median_ae":
        expected = np.median(np.repeat(np.abs(y - values), w.astype(int) if weighted else 1))
    else:
        expected = {"mae": sk.mean_absolute_error, "rmse": sk.root_mean_squared_error, "r2": sk.r2_score,
                    "mape": sk.mean_absolute_percentage_error}[name](y, values, sample_weight=w)
    assert score(name, y, said, sample_weight=w) == pytest.approx(expected)
    assert score(name, pd.Series(y).to_frame(), said, sample_weight=w) == pytest.approx(expected)


def test_undefined_in_regression():
    constant = Predictions(values=np.array([1.0, 2.0, 3.0]))
    assert np.isnan(score("r2", [5.1, 5.1, 5.1], constant))
    assert np.isnan(score("mape", [0, 1, 2], constant))
    assert np.isnan(score("rmse", [1, 2, 3], Predictions(values=np.array([1.0, np.nan, 3.0]))))
    for name in ("mape", "rmse", "r2"):
        assert np.isnan(score(name, [1e-300, 1e-320, 1], Predictions(values=np.array([1e200, 1e300, 0]))))


def test_r2_keeps_its_digits_far_from_zero():
    y = 1e9 + np.arange(10.0)
    assert score("r2", y, Predictions(values=y + 1)) == pytest.approx(sk.r2_score(y, y + 1))


@pytest.mark.parametrize(("y", "words"), [(["a", "b", "c"], "must hold numbers"), ([1, np.inf, 2], "finite numbers. Got 1 of 3")])
def test_targets_that_are_no_numbers(y, words):
    with pytest.raises(BadInputError, match=words):
        score("mae", y, Predictions(values=np.ones(3)))


def test_predictions_of_the_other_task():
    with pytest.raises(BadInputError, match="must hold labels"):
        score("accuracy", [0, 1], Predictions(values=np.ones(2)))
    with pytest.raises(BadInputError, match="must hold values"):
        score("mae", [0, 1], Predictions(labels=np.ones(2)))


# ---- predict_with

def test_columns_follow_the_classes_asked_for(many):
    X, y, _ = many
    names = np.array(["setosa", "versicolor", "virginica"], dtype=object)[y]
    model = LogisticRegression(max_iter=2000).fit(X[y < 2], names[y < 2])
    said = predict_with(model, X, task="classification", classes=["virginica", "versicolor", "setosa"])
    assert said.classes == ("virginica", "versicolor", "setosa")
    assert (said.proba[:, 0] == 0).all()
    assert said.proba[:, 1] == pytest.approx(model.predict_proba(X)[:, 1])
    fewer = predict_with(model, X, task="classification", classes=["versicolor"])
    assert fewer.classes == ("versicolor", "setosa")


def test_a_model_of_one_class():
    X = np.zeros((3, 1))
    said = predict_with(DummyClassifier().fit(X, ["a"] * 3), X, task="classification", classes=["a", "b"])
    assert said.proba.tolist() == [[1, 0]] * 3


def test_decision_scores_rank_and_are_no_probabilities(binary, many):
    y, p, _ = binary
    X = np.column_stack([p, np.random.default_rng(1).random(len(p))])
    for model in (LinearSVC(), RidgeClassifier(), SVC()):
        said = predict_with(model.fit(X, y), X, task="classification")
        assert said.proba is None
        assert score("roc_auc", y, said) == pytest.approx(sk.roc_auc_score(y, model.decision_function(X)))
        assert np.isfinite(score("accuracy", y, said))
        with pytest.raises(BadInputError, match="'log_loss', which needs probabilities, and a model without them"):
            score("log_loss", y, said)
    X, y, _ = many
    said = predict_with(LinearSVC().fit(X[y < 2], y[y < 2]), X[y < 2], task="classification", classes=[0, 1, 2])
    assert (said.scores[:, 2] == -np.inf).all()
    assert score("roc_auc", y[y < 2], said) == 1


class Rule:
    """A heuristic: labels only."""

    def predict(self, X):
        return np.where(np.asarray(X)[:, 0] > 0, "yes", "no")[:, None]


def test_labels_only():
    X = np.array([[1.0], [-1.0], [2.0]])
    said = predict_with(Rule(), X, task="classification")
    assert said.classes is None
    assert said.labels.tolist() == ["yes", "no", "yes"]
    assert score("f1", ["yes", "no", "no"], said) == pytest.approx(2 / 3)
    with pytest.raises(BadInputError, match="'roc_auc', which needs probabilities or decision scores"):
        score("roc_auc", ["yes", "no", "no"], said)
    assert predict_with(Rule(), X, task="classification", classes=["no", "yes"]).classes == ("no", "yes")


class Odd:
    """A model that gives `proba`, whatever it is."""

    def __init__(self, proba, labels=(0, 1), classes=None):
        self.proba, self.labels = np.asarray(proba), np.asarray(labels)
        if classes is not None:
            self.classes_ = classes

    def predict(self, X):
        return self.labels

    def predict_proba(self, X):
        return self.proba


def test_probabilities_in_odd_forms():
    one = predict_with(Odd([0.2, 0.9]), None, task="classification")
    assert one.classes == (0, 1)
    assert one.proba.tolist() == pytest.approx(np.array([[0.8, 0.2], [0.1, 0.9]]))
    words = predict_with(Odd([[0.8, 0.2], [0.1, 0.9]], ["n", "y"]), None, task="classification")
    assert words.classes == ("n", "y")
    lone = predict_with(Odd([[1.0], [1.0]], ["n", "n"], ["n"]), None, task="classification")
    assert lone.proba.tolist() == [[1.0], [1.0]]
    with pytest.raises(BadInputError, match="Got 2 classes for 3 columns"):
        predict_with(Odd(np.ones((2, 3)) / 3, ["n", "y"]), None, task="classification")
    with pytest.raises(BadInputError, match="one column of scores for each class"):
        predict_with(Odd(np.ones((2, 3, 1))), None, task="classification")


def test_models_that_cannot_be_asked():
    with pytest.raises(BadInputError, match="must have a method `predict`. Got int"):
        predict_with(3, [[1]], task="classification")
    with pytest.raises(BadInputError, match="`model` must be fitted. Got LogisticRegression"):
        predict_with(LogisticRegression(), [[1]], task="classification")
    with pytest.raises(BadInputError, match="one value a row"):
        predict_with(LinearRegression().fit([[1], [2]], [[1, 2], [3, 4]]), [[1]], task="regression")
    with pytest.raises(UnknownNameError, match="task"):
        predict_with(Rule(), [[1]], task="ranking")


def test_length_of_predictions():
    assert [len(p) for p in (Predictions(), Predictions(values=np.ones(2)), Predictions(labels=np.ones(3)))] == [0, 2, 3]


# ---- torch

def test_a_module_is_asked_and_left_as_it_was():
    torch = pytest.importorskip("torch")
    net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(0.5), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 3))
    net[1].eval()
    modes, seen = [m.training for m in net.modules()], net[2].running_mean.clone()
    X = np.random.default_rng(0).random((5, 4))
    state = torch.get_rng_state()
    said = predict_with(net, pd.DataFrame(X), task="classification", classes=["a", "b", "c"])
    assert torch.equal(state, torch.get_rng_state())
    assert [m.training for m in net.modules()] == modes
    assert torch.equal(seen, net[2].running_mean)
    assert said.proba.sum(1) == pytest.approx(np.ones(5))
    assert set(said.labels) <= {"a", "b", "c"}
    assert predict_with(net, torch.from_numpy(X), task="classification").classes == (0, 1, 2)


def test_one_logit_values_tokens_and_words():
    torch = pytest.importorskip("torch")
    one = torch.nn.Linear(2, 1)
    said = predict_with(one, np.ones((3, 2)), task="classification", classes=["no", "yes"])
    logit = one(torch.ones(1, 2)).item()
    assert said.proba[:, 1] == pytest.approx(np.full(3, 1 / (1 + np.exp(-logit))))
    assert predict_with(one, np.ones((3, 2)), task="regression").values == pytest.approx(np.full(3, logit))

    class Words(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.bag = torch.nn.EmbeddingBag(5, 2)

        def forward(self, tokens):
            return self.bag(tokens), "attention"

    assert predict_with(Words(), torch.tensor([[1, 2], [3, 4]]), task="classification").proba.shape == (2, 2)
    assert predict_with(torch.nn.Identity(), np.eye(2), task="classification").labels.tolist() == [0, 1]
    with pytest.raises(BadInputError, match="columns of text or dates: \\['carrier'\\]"):
        predict_with(one, pd.DataFrame({"carrier": ["AA"], "n": [1]}), task="classification")


# ---- which label, which metric

@pytest.mark.parametrize(("y", "expected"), [
    ([0, 1, 1], 1), ([False, True], True), (["no", "yes", "yes"], "yes"), (["True", "False"], "True"), (["y", "n"], "y"),
    (["negative", "positive"], "positive"), ([-1, 1], 1), ([1, 2, 2], 1), ([1, 1, 2], 2), (["a", "b"], "b"),
    (["a", "a", "b"], "b"), (["a", "b", "b"], "a"), (["a", "b", "c"], None), (["a"], None), ([1], 1), (["yes"], "yes"),
    (["yes", "true"], "yes"), (["yes", None, "no"], "yes"),
])
def test_positive_label(y, expected):
    for form in (y, pd.Series(y, dtype=object), pd.Series(y).astype("category")):
        assert positive_label(form) == expected


def test_labels_that_cannot_be_compared():
    y = pd.Series([1, "b", "b"], dtype=object)
    assert positive_label(y) == positive_label(y.tolist()) == 1
    assert score("accuracy", y.tolist(), Predictions(labels=np.array([1, "b", 1], dtype=object))) == pytest.approx(2 / 3)


def test_get_metric():
    assert get_metric(task="regression").name == "rmse"
    assert get_metric("", task="classification", y=["a", "b"]).name == "roc_auc"
    assert get_metric(None, task="classification", y=["a", "b", "c"]).name == "balanced_accuracy"
    assert get_metric(None, task="classification").name == "balanced_accuracy"
    assert get_metric(METRICS["f1"], task="classification") is METRICS["f1"]
    with pytest.raises(UnknownNameError, match="Did you mean 'roc_auc'"):
        get_metric("roc_acu", task="classification")
    with pytest.raises(BadInputError, match="must be one for regression. Got 'f1'.*mae, rmse"):
        get_metric("f1", task="regression")
    with pytest.raises(UnknownNameError, match="`task`"):
        get_metric("f1", task="ranking")


def test_metrics_state_their_direction_bounds_and_unit():
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric.low < metric.high
        assert metric.unit
        assert metric.label
        assert metric.sign == (1 if metric.greater_is_better else -1)
        assert metric.needs == ("values" if metric.tasks == ("regression",) else metric.needs)


def test_a_metric_of_ones_own(binary):
    y, p, w = binary
    own = Metric("errors", "Errors", False, 0, np.inf, "rows", ("classification",), "labels",
                 function=lambda y, said, weight: np.average(np.asarray(y) != said.labels, weights=weight))
    assert own.score(y, made(y, p), w) == pytest.approx(1 - reference("accuracy", y, p, w))
    assert get_metric(own, task="classification") is own


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.floats(0.01, 1), st.integers(0, 3)), min_size=1, max_size=30))
def test_any_rows_give_a_score_in_bounds_and_weights_are_repetitions(rows):
    y, labels, p, w = (np.array(column) for column in zip(*rows))
    proba = np.column_stack([p, 1.2 - p, np.full(len(p), 0.3)]) / 1.5
    said = Predictions(labels=labels, proba=proba, classes=(0, 1, 2))
    again = np.repeat(np.arange(len(y)), w)
    repeated = Predictions(labels=labels[again], proba=proba[again], classes=(0, 1, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in BINARY:
            value = score(name, y, said, sample_weight=w)
            assert np.isnan(value) or METRICS[name].low <= value <= METRICS[name].high
            assert value == pytest.approx(score(name, y[again], repeated), nan_ok=True)


def test_a_module_with_two_outputs_is_no_regression_of_one_target():
    torch = pytest.importorskip("torch")
    with pytest.raises(BadInputError, match=r"must predict one value a row. Got predictions of shape \(4, 2\)"):
        predict_with(torch.nn.Linear(3, 2), np.ones((4, 3)), task="regression")
    assert predict_with(torch.nn.Linear(3, 1), np.ones((4, 3)), task="regression").values.shape == (4,)


def test_what_a_module_cannot_take():
    torch = pytest.importorskip("torch")
    with pytest.raises(BadInputError, match="`X` must hold numbers for a torch model. Got an array of"):
        predict_with(torch.nn.Linear(1, 1), [["a"], ["b"]], task="regression")
    assert len(predict_with(torch.nn.Linear(1, 1), np.array([[1], [2.5]], dtype=object), task="regression")) == 2


def test_words_are_no_values():
    X = np.eye(3)
    model = LogisticRegression().fit(X, ["cat", "dog", "cat"])
    with pytest.raises(BadInputError, match="`model` must predict numbers in regression. Got 'cat'. Did you mean"):
        predict_with(model, X, task="regression")


def test_a_class_is_no_model():
    with pytest.raises(BadInputError, match="must be a fitted model. Got the class LogisticRegression. Make one and fit it"):
        predict_with(LogisticRegression, np.eye(2), task="classification")
