"""The irreducible error by every way, on cases whose truth is known by construction, and on input that makes no sense."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from ml_lifecycle.data import agreement
from ml_lifecycle.exploration import baselines
from ml_lifecycle.foundation import BadInputError, Report, UnknownNameError, load_dataset
from ml_lifecycle.foundation.intervals import Interval
from ml_lifecycle.refinement import IrreducibleError, error_breakdown, irreducible_error
from ml_lifecycle.refinement._irreducible.near import cover_hart
from ml_lifecycle.refinement._irreducible.ratings import mixture

def found(report: Report, code: str) -> Any:
    return next(f for f in report.findings if f.code == code)


def labels_of(p: np.ndarray, each: int, rng: np.random.Generator) -> np.ndarray:
    """Labels of items with the probabilities `p`, shape (items, classes)."""
    return np.array([rng.choice(p.shape[1], each, p=row) for row in p])


# labels of several people

@pytest.mark.parametrize("each", [2, 3, 5, 20])
@pytest.mark.parametrize("classes", [2, 3, 6])
@pytest.mark.parametrize("shape", [.2, .5, 2])
def test_ratings_hold_the_truth_and_come_near_it(each: int, classes: int, shape: float) -> None:
    rng = np.random.default_rng(each + classes)
    p = rng.dirichlet(np.full(classes, shape), 600)
    report = irreducible_error(labels_of(p, each, rng))
    truth = float((1 - p.max(1)).mean())
    assert report.low <= truth <= report.high
    assert abs(report.value - truth) < (.03 if each == 20 or (classes == 2 and each > 3) else .05)
    bounds = dict(zip(report.frame["reads"], report.frame["value"]))
    assert bounds["at least"] <= report.value <= bounds["at most"]


def test_intervals_hold_as_often_as_they_say() -> None:
    held = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        p = rng.beta(.5, .5, 4_000)
        chosen = rng.choice(4_000, 150)
        report = irreducible_error(rng.random((150, 10)) < p[chosen, None], n_boot=100)
        held += report.low <= np.minimum(p, 1 - p).mean() <= report.high
    assert held >= 37


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(st.integers(0, 3), min_size=2, max_size=6), min_size=1, max_size=12))
def test_the_estimate_lies_between_the_bounds_and_order_does_not_matter(labels: list[list[int]]) -> None:
    report = irreducible_error(labels, n_boot=20)
    at_least, at_most = (report.frame.loc[report.frame["reads"] == reads, "value"].item() for reads in ("at least", "at most"))
    assert 0 <= report.low <= at_least <= report.value + 1e-12
    assert report.value <= at_most + 1e-12 <= report.high + 1e-9 <= 1 + 1e-9
    turned = irreducible_error([row[::-1] for row in labels], n_boot=20)
    assert turned.value == pytest.approx(report.value)


def test_every_form_of_the_same_labels_says_the_same() -> None:
    rng = np.random.default_rng(0)
    table = rng.random((200, 5)) < rng.random((200, 1))
    words = np.where(table, "yes", "no")
    long = pd.DataFrame({"item": np.repeat(np.arange(200), 5), "annotator": np.tile(list("abcde"), 200), "label": words.ravel()})
    counts = np.column_stack([(~table).sum(1), table.sum(1)])
    value = irreducible_error(table).value
    for same in (words, words.tolist(), pd.DataFrame(words, index=np.arange(200)[::-1]), long,
                 pd.DataFrame(words).astype("category"), pd.Series([list(row) for row in words]),
                 {f"p{i}": words[:, i] for i in range(5)}):
        assert irreducible_error(same).value == pytest.approx(value)
    assert irreducible_error(counts, method="counts").value == pytest.approx(value)
    renamed = long.set_axis(["text", "who", "said"], axis=1)
    assert irreducible_error(renamed, item="text", annotator="who", label="said").value == pytest.approx(value)


def test_items_with_one_label_are_left_out_and_gaps_are_no_labels() -> None:
    labels = pd.DataFrame({"a": [1, 0, 1, None], "b": [1, None, 0, None], "c": [1, None, None, 1]})
    report = irreducible_error(labels)
    assert report.n == 2
    assert found(report, "IRR006").evidence["items"] == 2
    ragged = irreducible_error([[1, 1, 1], [0], [1, 0], [1], []])
    assert (ragged.n, ragged.value) == (report.n, report.value)


def test_no_disagreement_is_no_proof_of_none() -> None:
    report = irreducible_error(np.ones((40, 3), dtype=int))
    assert report.value == report.low == 0
    assert .02 < report.high < .2
    few = irreducible_error([["a", "a"], ["b", "b"]])
    assert found(few, "IRR001").undecided
    assert few.passed is None


def test_few_labels_an_item_are_said_to_be_few() -> None:
    rng = np.random.default_rng(0)
    p = rng.random((3_000, 1))
    assert found(irreducible_error(rng.random((3_000, 2)) < p), "IRR002").severity == "tip"
    assert found(irreducible_error(rng.random((300, 60)) < p[:300]), "IRR002").severity == "passed"


def test_many_items_cost_little() -> None:
    counts = np.random.default_rng(0).multinomial(5, [.5, .2, .1, .1, .1], 30_000)
    assert irreducible_error(counts, method="counts", n_boot=50).n == 30_000


def test_one_label_alone_has_nothing_to_be_confused_with() -> None:
    assert mixture(np.array([[3.0], [2.0]]), 0) == 0


def test_probabilities() -> None:
    p = np.array([.1, .9, .4, .5])
    for same in (p, p[:, None], np.column_stack([p, 1 - p]), p.tolist(), pd.Series(p)):
        report = irreducible_error(same)
        assert report.method == "probabilities"
        assert report.value == pytest.approx(.275)
    assert irreducible_error([0, 1, 1], method="probabilities").value == 0
    assert irreducible_error(np.full(50, .3)).low == pytest.approx(.3)


def test_ratings_that_are_numbers() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, 1)) + .7 * rng.normal(size=(400, 4))
    report = irreducible_error(rows, task="regression")
    assert report.metric == "rmse"
    assert report.low <= .7 <= report.high
    assert irreducible_error(rows).value == report.value
    assert irreducible_error([[1, 1], [2, 2]], task="regression").value == 0


# people

def test_each_person_against_the_others_and_against_the_truth() -> None:
    rng = np.random.default_rng(0)
    right = rng.integers(0, 4, 2_000)
    slips = (.05, .1, .3)
    said = {f"p{i}": np.where(rng.random(2_000) < slip, (right + 1) % 4, right) for i, slip in enumerate(slips)}
    known = irreducible_error(said, method="annotators", truth=right)
    by_name = known.frame.set_index("name")
    for i, slip in enumerate(slips):
        assert by_name.loc[f"p{i}", "low"] <= slip <= by_name.loc[f"p{i}", "high"]
    assert known.low <= np.mean(slips) <= known.high
    assert by_name.loc["the majority of all", "value"] < .05
    assert found(known, "IRR003").evidence["names"] == ("p2",) or found(known, "IRR003").evidence["names"] == ["p2"]
    blind = irreducible_error(said, method="annotators")
    assert blind.frame.iloc[0]["value"] == blind.value >= known.value - .01
    report = irreducible_error(agreement(said))
    assert report.method == "annotators"
    assert abs(report.value - blind.value) < .02


def test_people_who_are_alike_are_not_told_apart() -> None:
    alarms = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        said = {f"p{i}": np.where(rng.random(100) < .1, "x", "y") for i in range(6)}
        alarms += found(irreducible_error(said, method="annotators", n_boot=20), "IRR003").severity == "tip"
    assert alarms <= 5


# models

def test_the_best_of_models_is_an_upper_bound_for_all_of_them_together() -> None:
    one = irreducible_error(models={"a": .1}, n=500)
    many = irreducible_error(models={"a": .1, "b": .1, "c": .2}, n=500)
    assert one.partial
    assert many.partial
    assert one.low == many.low == 0
    assert many.value == .1
    assert many.high > one.high
    assert found(many, "IRR005").evidence["models"] == 3
    assert irreducible_error(models={"a": .9, "b": (.8, .7, .85)}, metric="accuracy", n=100).value == pytest.approx(.1)
    by_name = irreducible_error(models={"a": .1, "b": .3}, n={"a": 500, "b": 20})
    assert by_name.n == 500
    bare = irreducible_error(models={"a": .3, "b": .2})
    assert "without intervals" in error_breakdown(train=.3, val=.4, irreducible=bare, n=100).answer
    assert bare.value == .2
    assert np.isnan(bare.high)


def test_models_are_scored_on_rows_that_they_did_not_see() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    y = np.where(rng.random(300) < .2, X[:, 0] < 0, X[:, 0] > 0)
    report = irreducible_error(X, y, models={"tree": DecisionTreeClassifier(max_depth=2), "linear": LogisticRegression()})
    assert report.metric == "accuracy"
    assert report.value < .35
    assert report.low == 0 <= .2 <= report.high
    assert irreducible_error(baselines(X, y, models={"linear": LogisticRegression()}, metric="accuracy")).method == "models"
    numbers = irreducible_error(X, X[:, 0] + rng.normal(size=300), models={"linear": LinearRegression()})
    assert numbers.metric == "rmse"
    assert numbers.high > 1


# neighbours

def test_the_bound_of_cover_and_hart() -> None:
    assert cover_hart(.0, 2) == 0
    assert cover_hart(.5, 2) == .5
    assert cover_hart(2 * .2 * .8, 2) == pytest.approx(.2)
    assert cover_hart(2 / 3, 3) == pytest.approx(2 / 3)


@pytest.mark.parametrize("columns", [1, 3, 15])
@pytest.mark.parametrize("noise", [0, .1, .5])
def test_neighbours_hold_the_truth_between_their_bounds(columns: int, noise: float) -> None:
    rng = np.random.default_rng(columns)
    X = rng.normal(size=(900, columns))
    y = np.where(rng.random(900) < noise, X[:, 0] < 0, X[:, 0] > 0)
    report = irreducible_error(X, y)
    assert report.partial
    assert report.low <= noise <= report.high
    assert {"at least", "at most"} <= set(report.frame["reads"])
    if columns == 15:
        assert report.low < .1


def test_neighbours_of_tables_many_classes_and_numbers() -> None:
    rng = np.random.default_rng(0)
    kind = rng.choice(list("abc"), 600)
    frame = pd.DataFrame({"kind": kind, "size": rng.normal(size=600)}, index=np.arange(600)[::-1])
    y = np.where(rng.random(600) < .3, rng.choice(list("abc"), 600), kind)
    report = irreducible_error(frame, y)
    assert report.low <= .2 <= report.high
    data = load_dataset(frame.assign(y=y), target="y")
    assert irreducible_error(data).method == "neighbours"
    assert irreducible_error(frame.assign(y=y), "y").value == irreducible_error(data).value
    names = irreducible_error(frame, [f"id {i}" for i in range(600)])
    assert names.low == 0, "no class has rows enough for its neighbours to say anything"
    x = rng.uniform(-2, 2, 2_000)
    numbers = irreducible_error(x[:, None], np.sin(x) + .4 * rng.normal(size=2_000))
    assert numbers.metric == "rmse"
    assert 0 < numbers.low <= .4 <= numbers.high < .5


def test_rows_with_the_same_features_need_no_neighbourhood() -> None:
    rng = np.random.default_rng(0)
    X = rng.integers(0, 3, (2_000, 2))
    report = irreducible_error(X.astype(float), np.where(rng.random(2_000) < .2, 1, 0))
    assert report.low > .1
    assert found(report, "IRR004").severity == "passed"


def test_many_rows_are_drawn_from() -> None:
    rng = np.random.default_rng(0)
    report = irreducible_error(rng.normal(size=(10_500, 2)), rng.integers(0, 2, 10_500))
    assert found(report, "IRR006").evidence["rows"] == 10_500
    assert report.n == 10_000


# together with the breakdown

def test_a_breakdown_takes_a_report_an_interval_or_a_number() -> None:
    rng = np.random.default_rng(0)
    report = irreducible_error(rng.random((500, 20)) < rng.beta(.3, .3, (500, 1)))
    errors = {"train": .16, "val": .17, "n": 3_000}
    taken = error_breakdown(**errors, irreducible=report)
    assert taken.components["irreducible"] == pytest.approx((report.value, report.low, report.high))
    assert not taken.partial
    given_ = error_breakdown(**errors, irreducible=Interval(report.value, report.low, report.high))
    assert given_.components["avoidable_bias"] == pytest.approx(taken.components["avoidable_bias"])
    assert error_breakdown(train=.84, val=.83, metric="accuracy", irreducible=report, n=99).components["irreducible"][0] == \
        pytest.approx(report.value)


def test_bounds_count_in_full_and_are_said_to_be_bounds() -> None:
    best = irreducible_error(models={"a": .05}, n=2_000)
    report = error_breakdown(train=.3, val=.31, irreducible=best, n=2_000)
    value = report.components["avoidable_bias"]
    assert value[0] == pytest.approx(.25)
    assert value[2] >= .3
    assert report.partial
    assert report.dominant == "avoidable_bias"
    assert "at least 0.250" in report.answer
    assert "lies between" in found(report, "ERR002").message
    assert "≤" in " ".join(t.get_text() for t in report.plot().texts)
    near = error_breakdown(train=.07, val=.08, irreducible=best, n=2_000)
    assert near.dominant is None
    assert "the irreducible error, at most" in near.answer


def test_a_breakdown_refuses_another_metric() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 2))
    y = X[:, 0] > 0
    report = irreducible_error(X, y)
    with pytest.raises(BadInputError, match="must be in the metric of the breakdown, 'roc_auc'"):
        error_breakdown.from_model(LogisticRegression(), [(X, y), (X, y)], irreducible=report)
    assert error_breakdown.from_model(LogisticRegression(), [(X, y), (X, y)], irreducible=report, metric="accuracy").partial


# reports and nonsense

@pytest.mark.parametrize("report", [
    irreducible_error([[0, 1, 1], [0, 0, 0]] * 20), irreducible_error(models={"a": .1}),
    irreducible_error({"a": [1, 0, 1, 0] * 9, "b": [1, 0, 0, 0] * 9, "c": [1, 1, 1, 0] * 9}, method="annotators"),
    irreducible_error(np.arange(80.).reshape(40, 2), np.arange(40) % 2), irreducible_error([.1, .7]),
], ids=["ratings", "models", "annotators", "neighbours", "probabilities"])
def test_reports_read_back_and_are_drawn(report: IrreducibleError) -> None:
    back = Report.from_json(report.to_json())
    assert isinstance(back, IrreducibleError)
    assert back.answer == report.answer
    assert "\n" not in report.answer
    assert report.plot().get_xlabel().startswith("Error")
    assert report._repr_html_()


def test_the_seed_decides_and_nothing_is_disturbed() -> None:
    np.random.seed(1)
    before = np.random.get_state()[1].copy()
    labels = np.random.default_rng(0).integers(0, 4, (100, 5))
    first, second = (irreducible_error(labels, seed=3) for _ in range(2))
    assert first.to_json() == second.to_json()
    assert (np.random.get_state()[1] == before).all()


@pytest.mark.parametrize(("arguments", "error", "text"), [
    ({}, BadInputError, "`data` must be labels"),
    ({"data": 3}, BadInputError, "`data` must be labels"),
    ({"data": "yes"}, BadInputError, "`data` must be labels"),
    ({"data": []}, BadInputError, "`data` must"),
    ({"data": [[1], [0]]}, BadInputError, "two labels of the same item"),
    ({"data": [[None, None]]}, BadInputError, "`data` must hold labels"),
    ({"data": [[1, [2]], [3, 4]]}, BadInputError, "one label"),
    ({"data": [[1, 2]], "method": "rating"}, UnknownNameError, "Did you mean 'ratings'"),
    ({"data": [[1, 2]], "task": "clustering"}, UnknownNameError, "`task` must be"),
    ({"data": [["a", "b"]], "task": "regression"}, BadInputError, "must be numbers when task='regression'"),
    ({"data": [[1.5], [2]], "task": "regression"}, BadInputError, "two ratings of the same item"),
    ({"data": [[.5, .2]], "method": "counts"}, BadInputError, "whole numbers of at least 0"),
    ({"data": [["a"]], "method": "counts"}, BadInputError, "whole numbers of at least 0"),
    ({"data": [[.5, .2]], "method": "probabilities"}, BadInputError, "`data` must be probabilities"),
    ({"data": ["a"], "method": "probabilities"}, BadInputError, "`data` must be probabilities"),
    ({"data": [[1, 2], [1, 1]], "method": "annotators"}, BadInputError, "three labels of the same item"),
    ({"data": [[1, 2], [1, 1]], "truth": [1]}, BadInputError, "`truth` must hold the right label"),
    ({"data": [[1, 2]], "method": "neighbours"}, BadInputError, "features and target"),
    ({"data": [[1, 2]], "method": "models"}, BadInputError, "features and target"),
    ({"models": {"a": None}}, BadInputError, "`models` must be a dict of scores"),
    ({"data": np.full((9, 3), .7), "method": "probabilities"}, BadInputError, "`data` must be probabilities"),
    ({"models": {}}, BadInputError, "`models` must be a dict of scores"),
    ({"models": {"a": 2}, "metric": "accuracy"}, BadInputError, "`a` must lie from 0 to 1"),
    ({"data": np.ones((40, 2)), "y": np.ones(40)}, BadInputError, "at least two different values"),
    ({"data": np.ones((40, 2)), "y": [0, 1]}, BadInputError, "one value for each row"),
    ({"data": np.ones((4, 2)), "y": [0, 1, 0, 1]}, BadInputError, "at least 30 rows"),
    ({"data": [[1, 2]], "seed": -1}, BadInputError, "`seed` must be"),
    ({"data": [[1, 2]], "n_boot": 0}, BadInputError, "`n_boot` must be"),
    ({"data": agreement({"a": [1, 0, 1], "b": [1, 1, 1]})}, BadInputError, "three people or more"),
])
def test_nonsense_is_refused_in_one_line(arguments: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text) as caught:
        irreducible_error(**arguments)
    assert "\n" not in str(caught.value)
