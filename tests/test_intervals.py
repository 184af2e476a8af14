"""Intervals: their mathematics, their honesty at the edges, and how often they hold the truth."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ml_lifecycle.foundation.errors import BadInputError, UnknownNameError
from ml_lifecycle.foundation.intervals import (
    Interval,
    bootstrap_interval,
    fold_interval,
    holm,
    paired_difference,
    wilson,
)
from ml_lifecycle.foundation.metrics import METRICS, Metric, Predictions

pytestmark = pytest.mark.filterwarnings("error")
CLASSIFICATION = [m for m in METRICS.values() if "classification" in m.tasks]
REGRESSION = [m for m in METRICS.values() if "regression" in m.tasks]


def classified(y, p):
    p = np.asarray(p, dtype=float)
    return np.asarray(y), Predictions(labels=(p > 0.5).astype(int), proba=np.column_stack([1 - p, p]), classes=(0, 1))


def drawn(n, seed=0, classes=2):
    """Rows whose labels come true as often as the probabilities say."""
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet(np.ones(classes), n)
    y = (rng.random((n, 1)) > proba.cumsum(1)).sum(1).clip(0, classes - 1)
    return y, Predictions(labels=proba.argmax(1), proba=proba, classes=tuple(range(classes)))


# ---- folds

def test_folds_by_hand():
    scores = [0.8, 0.9, 0.7, 0.85, 0.75]
    found = fold_interval(scores, test_ratio=0.25)
    half = stats.t.ppf(0.975, 4) * np.sqrt((1 / 5 + 0.25) * np.var(scores, ddof=1))
    assert found == pytest.approx((0.8, 0.8 - half, 0.8 + half))
    assert fold_interval(scores, test_ratio=0.25, bounds=(0, 0.9)).high == 0.9
    assert fold_interval([*scores, np.nan, np.inf], test_ratio=0.25) == pytest.approx(found)
    assert fold_interval(scores, test_ratio=0.25, level=0.5).high < found.high


@pytest.mark.parametrize(("scores", "value"), [([], np.nan), ([0.5], 0.5), ([0.5, np.nan], 0.5)])
def test_too_few_folds_cannot_tell(scores, value):
    assert fold_interval(scores, test_ratio=0.25) == pytest.approx((value, np.nan, np.nan), nan_ok=True)
    assert paired_difference(scores, np.zeros(len(scores)), test_ratio=0.25) == pytest.approx(
        (value, np.nan, np.nan, np.nan), nan_ok=True)


def test_paired_difference():
    rng = np.random.default_rng(0)
    fold = rng.normal(0, 0.1, 10)
    found = paired_difference(0.85 + fold + rng.normal(0, 0.001, 10), 0.8 + fold, test_ratio=1 / 9)
    assert found.low > 0.04
    assert found.p < 0.001
    assert paired_difference(fold, fold, test_ratio=1 / 9) == (0, 0, 0, 1)
    swapped = paired_difference(fold, fold[::-1], test_ratio=1 / 9)
    assert swapped.low < 0 < swapped.high
    assert paired_difference([1, np.inf, 3, 4], [1, np.inf, 2, np.nan], test_ratio=1 / 3).value == 0.5


def test_p_agrees_with_the_interval():
    rng = np.random.default_rng(1)
    for shift in np.linspace(0, 0.2, 9):
        a = rng.normal(shift, 0.1, 5)
        found = paired_difference(a, np.zeros(5), test_ratio=0.25)
        assert (found.p < 0.05) == (not found.low <= 0 <= found.high)


@pytest.mark.parametrize(("call", "words"), [
    (lambda: fold_interval([1, 2], test_ratio=-1), "n_test / n_train"),
    (lambda: fold_interval([1, 2], test_ratio=np.nan), "n_test / n_train"),
    (lambda: fold_interval([1, 2], test_ratio=0.25, level=95), "`level` must lie between 0 and 1. Got 95"),
    (lambda: paired_difference([1, 2], [1], test_ratio=0.25), "same folds. Got shapes"),
    (lambda: wilson(3, 2), "`successes` must lie between 0 and n. Got 3 of 2"),
    (lambda: holm([0.1, 2]), "`p_values` must lie between 0 and 1"),
    (lambda: bootstrap_interval("accuracy", *classified([0], [0.1]), n_boot=1), "`n_boot` must be"),
    (lambda: bootstrap_interval("log_loss", [0], Predictions(labels=np.array([0]))), "needs probabilities"),
])
def test_wrong_arguments_are_named(call, words):
    with pytest.raises(BadInputError, match=words):
        call()


def test_an_unknown_metric_is_named():
    with pytest.raises(UnknownNameError, match="Did you mean 'accuracy'"):
        bootstrap_interval("acuracy", *classified([0], [0.1]))


# ---- bootstrap

@pytest.mark.parametrize("metric", CLASSIFICATION, ids=lambda m: m.name)
@pytest.mark.parametrize("classes", [2, 4])
def test_row_order_does_not_matter(metric, classes):
    y, said = drawn(120, classes=classes)
    shuffle = np.random.default_rng(1).permutation(120)
    again = Predictions(labels=said.labels[shuffle], proba=said.proba[shuffle], classes=said.classes)
    found = bootstrap_interval(metric, y, said)
    assert found == bootstrap_interval(metric, y[shuffle], again)
    assert metric.low <= found.low < found.value < found.high <= metric.high
    assert found != bootstrap_interval(metric, y, said, seed=1)


@pytest.mark.parametrize("metric", REGRESSION, ids=lambda m: m.name)
def test_row_order_does_not_matter_in_regression(metric):
    rng = np.random.default_rng(0)
    y = rng.normal(5, 1, 80)
    values, shuffle = y + rng.normal(0, 0.5, 80), rng.permutation(80)
    found = bootstrap_interval(metric, y, Predictions(values=values))
    assert found == bootstrap_interval(metric, y[shuffle], Predictions(values=values[shuffle]))
    assert metric.low <= found.low < found.value < found.high <= metric.high


def test_a_metric_of_ones_own():
    y, said = drawn(60)
    own = Metric("own", "Own", True, 0, 1, "share of rows", ("classification",), "labels",
                 function=lambda y, said, w: np.average(np.asarray(y) == said.labels, weights=w))
    shuffle = np.random.default_rng(1).permutation(60)
    again = Predictions(labels=said.labels[shuffle], proba=said.proba[shuffle], classes=said.classes)
    found = bootstrap_interval(own, y, said)
    assert found == pytest.approx(bootstrap_interval(own, y[shuffle], again))
    assert found.low < found.value < found.high


@pytest.mark.parametrize("metric", [m for m in CLASSIFICATION if m.name != "log_loss"], ids=lambda m: m.name)
def test_twenty_rows_without_a_mistake_prove_little(metric):
    y = np.repeat([0, 1], 10)
    found = bootstrap_interval(metric, *classified(y, y))
    best, far = (1, found.low) if metric.greater_is_better else (0, found.high)
    assert found.value == best
    assert abs(far - best) > 0.1


def test_the_rule_of_three_counts_the_rows_that_matter():
    y = np.r_[np.zeros(997, int), np.ones(3, int)]
    low = {name: bootstrap_interval(name, *classified(y, y)).low for name in ("accuracy", "recall", "roc_auc")}
    assert low["accuracy"] == pytest.approx(0.025 ** (1 / 1000))
    assert low["recall"] == low["roc_auc"] == pytest.approx(0.025 ** (1 / 3))
    balanced = bootstrap_interval("balanced_accuracy", *classified(y, y)).low
    assert balanced == pytest.approx(1 - (1 - 0.025 ** (1 / 3)) / 2)
    found = bootstrap_interval("accuracy", *classified(y, y), level=0.5)
    assert found.low > low["accuracy"]


def test_nothing_right_and_nothing_wrong_of_an_error():
    y = np.repeat([0, 1], 10)
    worst = bootstrap_interval("accuracy", *classified(y, 1 - y))
    assert worst == pytest.approx((0, 0, 1 - 0.025 ** (1 / 20)))
    truth = np.arange(20.0) + 1
    for name in ("mae", "rmse", "mape"):
        found = bootstrap_interval(name, truth, Predictions(values=truth))
        assert found.value == found.low == 0
        assert 0 < found.high < 10
    found = bootstrap_interval("r2", truth, Predictions(values=truth))
    assert found.value == found.high == 1
    assert found.low < 0.9


def test_a_constant_model_ranks_no_better_whatever_the_rows():
    y = np.repeat([0, 1], 10)
    assert bootstrap_interval("roc_auc", *classified(y, np.full(20, 0.3))) == (0.5, 0.5, 0.5)


def test_undefined_and_one_row():
    assert np.isnan(bootstrap_interval("roc_auc", *classified([1, 1, 1], [0.1, 0.8, 0.9]))).all()
    assert np.isnan(bootstrap_interval("accuracy", *classified([], []))).all()
    one = bootstrap_interval("mae", [3.0], Predictions(values=np.array([1.0])))
    assert one == pytest.approx((2, np.nan, np.nan), nan_ok=True)
    assert bootstrap_interval("accuracy", *classified([1], [0.9])) == pytest.approx((1, 0.025, 1))


def test_resamples_without_the_rare_class_are_left_out():
    y = np.r_[np.ones(2, int), np.zeros(48, int)]
    p = np.r_[0.9, 0.2, np.linspace(0.01, 0.4, 48)]
    found = bootstrap_interval("recall", *classified(y, p))
    assert found.value == 0.5
    assert (found.low, found.high) == (0, 1)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.floats(0.01, 0.99)), min_size=1, max_size=25),
       st.sampled_from(CLASSIFICATION), st.floats(0.5, 0.99))
def test_an_interval_holds_its_value_within_the_bounds(rows, metric, level):
    y, p = (np.array(column) for column in zip(*rows))
    found = bootstrap_interval(metric, *classified(y, p), n_boot=40, level=level)
    if np.isnan(found.value) or np.isnan(found.low):
        assert np.isnan(found.value) or len(y) == 1
    else:
        assert metric.low <= found.low <= found.value <= found.high <= metric.high


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)), min_size=2, max_size=25),
       st.sampled_from(REGRESSION))
def test_an_interval_holds_its_value_in_regression(rows, metric):
    y, values = (np.array(column) for column in zip(*rows))
    found = bootstrap_interval(metric, y, Predictions(values=values), n_boot=40)
    if np.isfinite(found.low):
        assert metric.low <= found.low <= found.value <= found.high <= metric.high


def covered(metric, truth, rows, times=240, **kwargs):
    """How often the interval holds the truth."""
    found = [bootstrap_interval(metric, *rows(seed), n_boot=200, seed=seed, **kwargs) for seed in range(times)]
    return np.mean([f.low <= truth <= f.high for f in found])


def test_accuracy_is_covered_as_often_as_said():
    def rows(share):
        return lambda seed: classified(np.ones(80, int), np.where(np.random.default_rng(seed).random(80) < share, 0.9, 0.1))

    for share in (0.7, 0.97):
        assert 0.91 <= covered("accuracy", share, rows(share)) <= 0.995
    assert 0.72 <= covered("accuracy", 0.7, rows(0.7), level=0.8) <= 0.88


def test_the_area_under_the_curve_is_covered_as_often_as_said():
    def rows(seed):
        y = np.repeat([0, 1], [70, 30])
        return classified(y, stats.norm.cdf(np.random.default_rng(seed).normal(y * 1.0)))

    assert 0.91 <= covered("roc_auc", stats.norm.cdf(1 / np.sqrt(2)), rows) <= 0.985


@pytest.mark.parametrize(("errors", "n", "truth"), [
    (lambda rng, n: rng.normal(size=n), 30, 1), (lambda rng, n: rng.laplace(size=n), 100, np.sqrt(2)),
])
def test_the_error_of_a_regression_is_covered_although_its_tail_is_long(errors, n, truth):
    def rows(seed):
        return np.zeros(n), Predictions(values=errors(np.random.default_rng(seed), n))

    assert 0.88 <= covered("rmse", truth, rows, times=300) <= 0.99


def test_the_mean_error_is_covered():
    def rows(seed):
        return np.zeros(30), Predictions(values=np.random.default_rng(seed).laplace(size=30))

    assert 0.9 <= covered("mae", 1, rows) <= 0.99


@pytest.mark.parametrize("n", [2, 3, 30])
def test_one_error_far_off_leaves_a_finite_interval(n):
    errors = np.r_[np.zeros(n - 1) + np.arange(n - 1) * 1e-9, 5.0]
    found = bootstrap_interval("rmse", np.zeros(n), Predictions(values=errors))
    assert found.low < found.value < found.high < 60 * found.value


def test_the_unit_of_the_errors_does_not_matter():
    errors = np.random.default_rng(0).laplace(size=40)
    small, large = (bootstrap_interval("rmse", np.zeros(40), Predictions(values=errors * unit)) for unit in (1e-140, 1e140))
    assert np.array(small) * 1e280 == pytest.approx(np.array(large))


@pytest.mark.parametrize(("more", "words"), [
    ({"n_boot": "a"}, "`n_boot` must be a whole number of at least 2. Got 'a'"), ({"n_boot": None}, "Got None"),
    ({"n_boot": 2.5}, "Got 2.5"), ({"n_boot": np.nan}, "Got nan"), ({"n_boot": True}, "Got True"),
    ({"seed": "a"}, "`seed` must be a whole number of at least 0. Got 'a'"), ({"seed": -1}, "Got -1"),
])
def test_resamples_are_counted_in_whole_numbers(more, words):
    with pytest.raises(BadInputError, match=words):
        bootstrap_interval("accuracy", *classified([0, 1], [0.1, 0.1]), **more)


def test_folds_cover_the_mean_and_the_plain_error_would_not():
    rng, times, ratio = np.random.default_rng(0), 2000, 0.25
    shared = rng.normal(0, np.sqrt(ratio / (1 + ratio)), (times, 1))  # folds correlate as the correction supposes
    scores = shared + rng.normal(0, np.sqrt(1 / (1 + ratio)), (times, 5))
    corrected = np.mean([abs(f.value) <= f.high - f.value for f in (fold_interval(s, test_ratio=ratio) for s in scores)])
    plain = np.mean([abs(f.value) <= f.high - f.value for f in (fold_interval(s, test_ratio=0) for s in scores)])
    assert 0.93 <= corrected <= 0.97
    assert plain < 0.9


@pytest.mark.parametrize("metric", [*CLASSIFICATION, *REGRESSION], ids=lambda m: m.name)
def test_ten_thousand_rows_take_a_moment(metric):
    if "regression" in metric.tasks:
        y = np.random.default_rng(0).normal(5, 1, 10_000).clip(1)
        rows = y, Predictions(values=y + 1 + np.sin(y * 9))
    else:
        rows = drawn(10_000)
    start = time.process_time()
    found = bootstrap_interval(metric, *rows)
    assert time.process_time() - start < 3
    assert found.high - found.low < 0.15 * max(1, abs(found.value))


# ---- shares and many questions

def test_wilson():
    assert wilson(8, 10) == pytest.approx((0.8, 0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 0) == pytest.approx((np.nan,) * 3, nan_ok=True)
    assert wilson(0, 10).low == 0
    assert wilson(10, 10).high == 1
    expected = stats.binomtest(3, 40).proportion_ci(method="wilson")
    assert wilson(3, 40)[1:] == pytest.approx((expected.low, expected.high))
    assert isinstance(wilson(1, 2), Interval)


@given(st.integers(0, 50), st.integers(0, 50), st.floats(0.01, 0.99))
def test_wilson_holds_its_value(successes, others, level):
    n = successes + others
    found = wilson(successes, n, level)
    if n:
        assert 0 <= found.low <= found.value <= found.high <= 1
        mirrored = wilson(others, n, level)
        assert found.low == pytest.approx(1 - mirrored.high)


def test_holm():
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]).tolist() == []
    assert holm([np.nan, 0.02, np.nan, 0.9]).tolist() == pytest.approx([np.nan, 0.04, np.nan, 0.9], nan_ok=True)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_the_plain_values_and_bonferroni(p):
    adjusted = holm(p)
    assert (adjusted >= p).all()
    assert (adjusted <= np.minimum(1, np.array(p) * len(p)) + 1e-12).all()
    order = np.argsort(p, kind="stable")
    assert (np.diff(adjusted[order]) >= 0).all()
    assert holm(p[::-1])[::-1].tolist() == adjusted.tolist()
