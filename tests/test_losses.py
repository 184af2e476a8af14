"""The rows with the highest losses, whatever form the answers come in."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from ml_lifecycle.foundation import load_dataset
from ml_lifecycle.foundation.errors import BadInputError, UnknownNameError
from ml_lifecycle.foundation.metrics import Predictions
from ml_lifecycle.refinement import _loss_answers, top_losses

RNG = np.random.default_rng(0)
X = RNG.normal(size=(100, 3))
Y = RNG.integers(0, 2, 100)
P = RNG.random(100)
WORDS = np.array(["no", "yes"])


def found(report, code):
    return next(f for f in report.findings if f.code == code)


def test_losses_are_sorted_and_right():
    report = top_losses(X, Y, np.column_stack([1 - P, P]), n=100)
    loss = -np.log(np.where(Y == 1, P, 1 - P))
    order = np.argsort(-loss)
    assert list(report.frame["row"]) == list(order)
    assert np.allclose(report.frame["loss"], loss[order])
    assert report.total == pytest.approx(loss.sum())
    assert list(report.frame["given"]) == list(Y[order])


@pytest.mark.parametrize(("y", "pred"), [
    (Y, P), (Y == 1, P), (Y.astype(float), P), (WORDS[Y], P), (pd.Series(WORDS[Y], index=RNG.permutation(100)), P),
    (pd.Series(WORDS[Y], dtype="category"), np.column_stack([1 - P, P])), (pd.Series(Y, dtype="Int64"), pd.Series(P)),
    (WORDS[Y], pd.DataFrame({"yes": P, "no": 1 - P})), (list(WORDS[Y]), np.column_stack([1 - P, P]).tolist()),
    (Y, Predictions(labels=(P > 0.5).astype(int), proba=np.column_stack([1 - P, P]), classes=(0, 1))),
])
def test_every_form_of_the_same_answers_gives_the_same_losses(y, pred):
    usual = top_losses(X, Y, np.column_stack([1 - P, P]))
    report = top_losses(X, y, pred)
    assert list(report.frame["row"]) == list(usual.frame["row"])
    assert np.allclose(report.frame["loss"], usual.frame["loss"])


def test_labels_have_no_degree_of_wrongness():
    report = top_losses(X, Y, 1 - Y, n=5)
    assert report.loss == "zero_one"
    assert found(report, "TOP001").severity == "not applicable"
    assert found(report, "TOP002").severity == "not applicable"


def test_no_error_is_not_applicable():
    report = top_losses(X, Y, Y)
    assert report.frame.empty
    assert report.passed is None
    assert "no errors" in report.findings[0].message
    assert "No row" in report.answer


def test_numbers_and_an_outlier():
    y = RNG.normal(size=200)
    said = y + 0.1 * RNG.normal(size=200)
    said[7] += 50
    report = top_losses(RNG.normal(size=(200, 2)), y, said)
    assert report.frame["row"][0] == 7
    assert found(report, "TOP001").severity == "tip"
    absolute = top_losses(RNG.normal(size=(200, 2)), y, said, loss="absolute_error")
    assert absolute.frame["loss"][0] == pytest.approx(50, abs=1)


def test_spread_losses_are_no_tip():
    y = RNG.normal(size=400)
    assert found(top_losses(y[:, None], y, y + RNG.uniform(1, 2, 400)), "TOP001").severity == "passed"


def test_confident_errors_are_told_from_calibrated_ones():
    sure = np.full(1000, 0.97)
    y = (RNG.random(1000) < 0.97).astype(int)
    assert found(top_losses(np.ones((1000, 1)), y, sure), "TOP002").severity == "passed"
    wrong = (RNG.random(1000) < 0.85).astype(int)
    assert found(top_losses(np.ones((1000, 1)), wrong, sure), "TOP002").severity == "tip"


def test_twins_are_seen():
    table = pd.DataFrame({"a": ["x", "x", *map(str, range(98))], "b": 1})
    y = np.array([0, 1] + [0, 1] * 49)
    report = top_losses(table, y, 1 - y, n=100)
    assert found(report, "TOP003").evidence["rows"] == 2
    assert top_losses(pd.concat([table] * 201), np.tile(y, 201), np.tile(1 - y, 201)).n == 20_100  # too many: not asked


def test_features_of_any_kind_are_shown():
    table = pd.DataFrame({"loss": P, "row": pd.date_range("2024", periods=100, tz="UTC"), "big": [2**63] * 100,
                          "row!": pd.array([1, None] * 50, "Int64"), "c": pd.Categorical(["a", None] * 50)},
                         index=[f"r{i // 2}" for i in range(100)])
    report = top_losses(table, Y, P)
    assert "feature loss" in report.frame
    assert report.frame["index"][0].startswith("r")
    assert type(report).from_json(report.to_json()).frame.shape == report.frame.shape
    assert list(top_losses(table, Y, P, show="c").frame.columns)[-1] == "c"
    assert "the feature c" in type(report).columns["c"]
    assert report.plot().get_xlabel()


def test_a_dataset_and_a_sparse_matrix_are_features():
    frame = pd.DataFrame({"a": P, "b": RNG.normal(size=100), "y": WORDS[Y]})
    report = top_losses(load_dataset(frame, target="y"), None, WORDS[1 - Y])
    assert len(report.frame) == 20
    assert len(top_losses(sparse.csr_matrix(X), Y, P, n=3).frame) == 3


def test_a_class_the_model_does_not_know_has_the_highest_loss():
    report = top_losses(X[:4], ["a", "b", "a", "c"], [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.5, 0.5]], classes=["a", "b"])
    assert report.frame["row"][0] == 3


@pytest.mark.parametrize(("arguments", "options", "said"), [
    ((X, Y[:50], P), {}, "`y` must have one value"), ((X, None, P), {}, "`y` must hold"), ((X, Y, P[:50]), {}, "one prediction"),
    ((X, np.where(Y, np.nan, 1.0), P), {}, "missing"), ((X, Y, np.full(100, np.nan)), {}, "missing"),
    ((X, Y, 3 * np.column_stack([P, P])), {}, "between 0 and 1"), ((X, Y, np.column_stack([P, P, P])[:50]), {}, "one prediction"),
    ((X, WORDS[Y], Y), {}, "form of `y`"), ((X, WORDS[Y], RNG.random((100, 3))), {}, "`classes` must name"),
    ((X, Y, np.column_stack([1 - P, P])), {"classes": [0]}, "`classes` must name"),
    ((X, Y, np.column_stack([1 - P, P])), {"classes": ["a", "b"]}, "labels of `y`"),
    ((X, Y, np.ones((100, 2, 2))), {}, "one prediction"), ((np.ones((0, 2)), [], []), {}, "rows and columns"),
    ((X, P, P), {"loss": "log_loss"}, "`loss` must be"), ((X, Y, P), {"n": 0}, "`n` must be"), ((X, Y, P), {"seed": -1}, "`seed`"),
    ((X, WORDS[Y], P), {"task": "regression"}, "hold numbers"), ((X, P, P * np.inf), {}, "finite"),
    ((pd.DataFrame(X, columns=["a", "a", "b"]), Y, P), {}, "distinct"),
    ((X, Y, Predictions(labels=Y[:3])), {}, "one prediction"),
])
def test_what_cannot_be_used_is_refused_in_one_line(arguments, options, said):
    with pytest.raises(BadInputError, match=said) as caught:
        top_losses(*arguments, **options)
    assert "\n" not in str(caught.value)


def test_unknown_names_are_refused():
    for options in ({"loss": "hinge"}, {"task": "ranking"}, {"show": ["z"]}):
        with pytest.raises(UnknownNameError):
            top_losses(X, Y, P, **options)


def test_a_model_is_no_prediction():
    from sklearn.dummy import DummyClassifier

    with pytest.raises(BadInputError, match="predict_proba"):
        top_losses(X, Y, DummyClassifier())


def test_tasks_are_told_apart():
    whole = RNG.integers(0, 5, 100)
    assert _loss_answers.answers_of(X, whole, whole).task == "classification"
    assert _loss_answers.answers_of(X, whole, whole + RNG.normal(size=100)).task == "regression"
    assert _loss_answers.answers_of(X, RNG.integers(0, 50, 100), RNG.dirichlet(np.ones(50), 100), classes=range(50)).task == \
        "classification"


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1)), min_size=2, max_size=40))
def test_losses_are_never_negative_nor_undefined(rows):
    y, p = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    report = top_losses(np.zeros((len(y), 1)), y, np.column_stack([1 - p, p]), classes=[0, 1], n=100)
    assert np.isfinite(report.frame["loss"]).all()
    assert (report.frame["loss"] > 0).all()
    assert (np.diff(report.frame["loss"]) <= 0).all()


def test_nothing_is_changed():
    table, y, p = pd.DataFrame(X), Y.copy(), P.copy()
    before = table.copy()
    state = np.random.get_state()[1].copy()
    top_losses(table, y, p)
    pd.testing.assert_frame_equal(table, before)
    assert (y == Y).all()
    assert (p == P).all()
    assert (np.random.get_state()[1] == state).all()
