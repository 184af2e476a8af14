"""One metric on every slice: a planted bad one is named, chance is not."""

import numpy as np
import pandas as pd
import pytest

from ml_lifecycle.evaluation import evaluate_slices
from ml_lifecycle.foundation import load_dataset
from ml_lifecycle.foundation.errors import BadInputError, UnknownNameError
from ml_lifecycle.foundation.metrics import METRICS, Metric, Predictions

def table(seed, n):
    rng = np.random.default_rng(seed)
    return rng, pd.DataFrame({
        "size": rng.normal(size=n), "count": rng.poisson(2, n), "flag": rng.random(n) < 0.2, "city": rng.choice(list("abcde"), n),
        "gaps": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)),
        "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 10**5, n), unit="min"),
        "note": [" ".join(rng.choice(["good", "slow", "river", "phone"], rng.integers(5, 9))) for _ in range(n)]})


def flip(y, wrong):
    return np.where(wrong, 1 - y, y)


def codes(report):
    return {f.code: f for f in report.findings}


def test_random_errors_make_no_slice_fail():
    failing = 0
    for seed in range(20):
        rng, X = table(seed, 600)
        y = rng.integers(0, 2, 600)
        report = evaluate_slices(X, y, flip(y, rng.random(600) < 0.15), min_difference=1e-6)
        failing += bool(report.failing)
    assert failing <= 3


def test_a_category_with_twice_the_errors_is_named():
    found = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        part = np.where(np.arange(5000) < 150, "rare", rng.choice(["u", "v"], 5000))
        X = pd.DataFrame({"size": rng.normal(size=5000), "part": part})
        y = rng.integers(0, 2, 5000)
        report = evaluate_slices(X, y, flip(y, rng.random(5000) < np.where(X["part"] == "rare", 0.3, 0.15)))
        found += "part = rare" in report.failing
        assert set(report.failing) <= {"part = rare"}
    assert found >= 8
    assert report.passed is False


def test_scores_are_those_of_the_metric():
    rng, X = table(0, 500)
    y = rng.integers(0, 2, 500)
    p = np.clip(0.3 * y + 0.7 * rng.random(500), 0.01, 0.99)
    said = Predictions(labels=(p > 0.5).astype(int), proba=np.column_stack([1 - p, p]), classes=(0, 1), positive=1)
    mask = (X["city"] == "a").to_numpy()
    part = Predictions(labels=said.labels[mask], proba=said.proba[mask], classes=(0, 1), positive=1)
    for name in [name for name, metric in METRICS.items() if "classification" in metric.tasks]:
        frame = evaluate_slices(X, y, said, metric=name, slices={"a": mask}).frame
        assert frame["score"][0] == pytest.approx(METRICS[name].score(y[mask], part))
        assert frame["low"][0] <= frame["score"][0] <= frame["high"][0]
    value, guess = rng.normal(size=500), rng.normal(size=500)
    for name in ("rmse", "mae", "r2", "median_ae", "mape"):
        frame = evaluate_slices(X, value, guess, metric=name, slices={"a": mask}).frame
        assert frame["score"][0] == pytest.approx(METRICS[name].score(value[mask], Predictions(values=guess[mask])))


@pytest.mark.parametrize("metric", ["roc_auc", "average_precision", "balanced_accuracy", "f1", "log_loss", "brier"])
def test_a_slice_without_signal_fails_by_any_metric(metric):
    rng, X = table(1, 3000)
    y = rng.integers(0, 2, 3000)
    lost = (X["city"] == "c").to_numpy()
    p = np.clip(np.where(lost, rng.random(3000), 0.6 * y + 0.4 * rng.random(3000)), 0.01, 0.99)
    report = evaluate_slices(X, y, p, metric=metric)
    assert report.failing == ("city = c",)
    assert "Harder" not in report.answer


def test_numbers_many_classes_and_a_metric_of_ones_own():
    rng, X = table(2, 2000)
    value = rng.normal(size=2000)
    noisy = value + rng.normal(size=2000) * np.where(X["city"] == "b", 2, 1)
    for metric in ("rmse", "mae", "median_ae", "r2"):
        assert "city = b" in evaluate_slices(X, value, noisy, metric=metric).failing
    many = rng.integers(0, 6, 2000)
    said = np.where(rng.random(2000) < np.where(X["city"] == "b", 0.5, 0.1), (many + 1) % 6, many)
    for metric in ("accuracy", "balanced_accuracy", "f1"):
        assert evaluate_slices(X, many, said, metric=metric).failing == ("city = b",)
    proba = np.eye(6)[said] * 0.7 + 0.05
    assert evaluate_slices(X, many, proba, metric="roc_auc", by="city").failing == ("city = b",)

    def bias(y, predictions, sample_weight=None):
        return float(np.abs(np.average(predictions.values - y, weights=sample_weight)))

    own = Metric("bias", "Bias", False, 0, np.inf, "units", ("regression",), "values", function=bias)
    shifted = value + 0.1 * rng.normal(size=2000) + (X["city"] == "b")
    report = evaluate_slices(X, value, shifted, metric=own, by="city")
    assert report.failing == ("city = b",)
    report.plot()

    def broken(y, predictions, sample_weight=None):
        if len(y) < 1000:
            raise ValueError("no")
        return 1.0

    failing = Metric("broken", "Broken", True, 0, 1, "", ("regression",), "values", function=broken)
    assert (evaluate_slices(X, value, shifted, metric=failing, by="city").frame["verdict"] == "cannot tell").all()


def test_one_class_and_few_rows_cannot_tell():
    rng, X = table(0, 600)
    y = rng.integers(0, 2, 600)
    p = np.clip(0.3 * y + 0.7 * rng.random(600), 0.01, 0.99)
    rare = (y == 0) & (np.arange(600) < 300) | (np.arange(600) < 12)
    report = evaluate_slices(X, y, p, metric="roc_auc", slices={"ones": y == 1, "few": np.arange(600) < 9, "rare": rare})
    frame = report.frame.set_index("slice")
    assert frame.loc["ones", "note"] == "it holds one class only"
    assert frame.loc["few", "note"] == "fewer than 30 rows"
    assert "rows of a class" in frame.loc["rare", "note"]
    assert (frame["verdict"] == "cannot tell").all()
    assert report.passed is None


def test_slices_of_ones_own():
    rng, X = table(0, 400)
    y = rng.integers(0, 2, 400)
    mask = (X["size"] > 0).to_numpy()

    def young(frame):
        return frame["size"] < -1

    report = evaluate_slices(X, y, y, slices=[mask, young, lambda f: f["flag"], "city"])
    assert {"slice 1", "young", "slice 3", "city = a"} <= set(report.frame["slice"])
    several = {"x": "city", "m": X["size"] > 0, "none": pd.array([None] * 400)}
    mixed = evaluate_slices(X, y, flip(y, mask), slices=several, by=["flag"])
    assert {"city = a", "m", "none", "flag = True"} <= set(mixed.frame["slice"])
    alone = evaluate_slices(X, y, flip(y, mask), slices="flag")
    assert sorted(alone.frame["slice"]) == ["flag = False", "flag = True"]
    odd = X.set_axis([f"r{i}" for i in range(400)], axis=0)
    assert len(evaluate_slices(odd, y, y, slices={"r": lambda f: f.index.str.endswith("1")}).frame) == 1
    same = evaluate_slices(X, y, flip(y, mask), slices={"one": mask, "other": mask.astype(int)})
    assert codes(same)["SLI004"].evidence["same"] == {"other": "one"}
    assert "group = 1" in set(evaluate_slices(X, y, flip(y, mask), groups=np.arange(400) % 3, by="flag").frame["slice"])


def test_automatic_slices_cover_every_kind():
    rng, X = table(0, 800)
    y = rng.integers(0, 2, 800)
    names = set(evaluate_slices(X, y, flip(y, rng.random(800) < 0.2)).frame["slice"])
    assert {"flag = True", "city = a", "gaps is missing", "count = 0"} <= names | {"count = 0"}
    assert any(name.startswith("size < -0.") for name in names)
    assert any(name.startswith("when < 2024-") for name in names)
    assert any(name.startswith("letters of note") for name in names)


def test_what_has_nothing_to_compare():
    rng, X = table(0, 200)
    y = rng.integers(0, 2, 200)
    none = evaluate_slices(X, y, y)
    assert codes(none)["SLI002"].severity == "not applicable"
    assert none.passed is None
    empty = evaluate_slices(np.ones((200, 2)), y, flip(y, np.arange(200) < 20))
    assert empty.frame.empty
    assert "no slices" in empty.answer
    assert empty._repr_html_().startswith("<section")


def test_a_rare_class_is_judged_by_its_ranks():
    rng, X = table(0, 2000)
    y = (rng.random(2000) < 0.03).astype(int)
    assert evaluate_slices(X, y, np.clip(0.2 * y + 0.5 * rng.random(2000), 0, 1)).metric == "roc_auc"
    assert evaluate_slices(X, y, y).metric == "balanced_accuracy"
    assert evaluate_slices(X, 1 - 2 * y, 1 - 2 * y, metric="accuracy").metric == "accuracy"


def test_a_dataset_is_enough():
    rng, X = table(0, 300)
    data = load_dataset(X.assign(y=rng.choice(["no", "yes"], 300)), target="y")
    assert evaluate_slices(data, None, data.y).score == 1.0


@pytest.mark.parametrize(("options", "kind", "said"), [
    ({"alpha": 2}, BadInputError, "`alpha`"), ({"min_n": 1}, BadInputError, "`min_n`"), ({"seed": -1}, BadInputError, "`seed`"),
    ({"min_difference": 0}, BadInputError, "`min_difference`"), ({"groups": [1]}, BadInputError, "`groups`"),
    ({"metric": "acuracy"}, UnknownNameError, "accuracy"), ({"metric": "rmse"}, BadInputError, "`metric`"),
    ({"metric": "roc_auc"}, BadInputError, "roc_auc"), ({"slices": "citty"}, UnknownNameError, "city"),
    ({"by": "citty"}, UnknownNameError, "city"), ({"slices": {"a": [True]}}, BadInputError, "one bool for each"),
    ({"slices": {"a": np.arange(200)}}, BadInputError, "one bool"), ({"slices": [lambda f: f["gone"]]}, BadInputError, "KeyError"),
])
def test_bad_arguments_are_refused(options, kind, said):
    rng, X = table(0, 200)
    y = rng.integers(0, 2, 200)
    with pytest.raises(kind, match=said) as caught:
        evaluate_slices(X, y, 1 - y, **options)
    assert "\n" not in str(caught.value)


def test_nothing_is_changed():
    rng, X = table(0, 300)
    y = rng.integers(0, 2, 300)
    copy, state = X.copy(), np.random.get_state()[1].copy()
    first = evaluate_slices(X, y, rng.random(300), metric="roc_auc")
    pd.testing.assert_frame_equal(X, copy)
    assert (np.random.get_state()[1] == state).all()
    axes = first.plot()
    assert "left out" in axes.get_title(loc="left")


# harder by nature, or let down

def logistic(seed, n, strong=1.5):
    rng, X = table(seed, n)
    X["other"] = rng.normal(size=n)
    odds = strong * X["size"] + X["other"]
    return rng, X, odds.to_numpy(), (rng.random(n) < 1 / (1 + np.exp(-odds))).astype(int)


def too_sure(odds, times=3.0):
    return 1 / (1 + np.exp(-times * odds))


@pytest.mark.parametrize("metric", ["accuracy", "log_loss", "roc_auc", "f1"])
def test_a_model_that_is_too_sure_everywhere_fails_in_no_slice(metric):
    harder = 0
    for seed in range(4):
        rng, X, odds, y = logistic(seed, 3000, strong=4.0)
        report = evaluate_slices(X, y, too_sure(odds + 0.4 * rng.normal(size=3000)), metric=metric, by=["size", "city", "count"])
        assert report.failing == ()
        harder += (report.frame["verdict"] == "harder").any()
    assert harder == 4
    assert codes(report)["SLI005"].severity == "tip"
    assert "lead to expect" in codes(report)["SLI005"].message


@pytest.mark.parametrize("metric", ["accuracy", "log_loss", "roc_auc"])
@pytest.mark.parametrize("where", ["city = c", "size >="])
def test_wrong_and_sure_of_it_fails(metric, where):
    rng, X, odds, y = logistic(0, 3000)
    lost = (X["city"] == "c").to_numpy() if where == "city = c" else (X["size"] >= X["size"].quantile(0.75)).to_numpy()
    y = np.where(lost, 1 - y, y)
    report = evaluate_slices(X, y, too_sure(odds, 1.0), metric=metric, by=["city", "size"])
    assert report.failing[0].startswith(where)
    assert codes(report)["SLI001"].severity == "issue"


@pytest.mark.parametrize("times", [1.0, 4.0])
def test_many_classes_are_calibrated_before_they_are_judged(times):
    rng, X = table(3, 3000)
    odds = np.column_stack([-X["size"], 0.5 + 0 * X["size"], X["size"]]) * 2.0
    chance = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
    y = (chance.cumsum(axis=1) < rng.random((3000, 1))).sum(axis=1)
    said = chance**times / (chance**times).sum(axis=1, keepdims=True)
    clean = evaluate_slices(X, y, said, by=["size", "city"])
    assert clean.failing == ()
    assert (clean.frame["verdict"] == "harder").any()
    lost = (X["city"] == "c").to_numpy()
    assert evaluate_slices(X, np.where(lost, rng.permutation(y), y), said, by=["city"]).failing == ("city = c",)
    flat = np.where(lost[:, None], np.bincount(y) / 3000, chance)  # a model that has learned that it knows nothing there
    blind = evaluate_slices(X, np.where(lost, rng.permutation(y), y), flat, by=["city"])
    assert blind.failing == ("city = c",)
    assert "next to nothing" in codes(blind)["SLI001"].message


def test_a_category_that_is_the_only_driver_is_not_let_down():
    rng, X = table(4, 3000)
    chance = X["city"].map({"a": 0.05, "b": 0.1, "c": 0.5, "d": 0.9, "e": 0.95}).to_numpy()
    y = (rng.random(3000) < chance).astype(int)
    report = evaluate_slices(X, y, np.clip(chance + 0.01 * rng.normal(size=3000), 0.01, 0.99), by=["city"], metric="accuracy")
    assert report.failing == ()
    assert report.frame.set_index("slice").loc["city = c", "verdict"] == "harder"


def test_a_pair_of_classes_with_one_beyond_y_is_judged():
    rng, X, odds, y = logistic(5, 1500)
    p = too_sure(odds, 1.0)
    lost = (X["city"] == "c").to_numpy()
    said = np.column_stack([1 - p, p, np.zeros(1500)])
    assert evaluate_slices(X, np.where(lost, 1 - y, y), said, classes=[0, 1, 2], by=["city"]).failing == ("city = c",)


def test_noise_that_grows_is_harder_and_a_shift_fails():
    rng, X = table(6, 2000)
    truth = 2 * X["size"] + rng.normal(size=2000) * np.where(X["city"] == "b", 1.0, 0.4)
    noisy = evaluate_slices(X, truth, 2 * X["size"], by=["city"])
    assert noisy.failing == ()
    assert "still helps" in codes(noisy)["SLI005"].message
    shifted = evaluate_slices(X, truth + 4.0 * (X["city"] == "b"), 2 * X["size"], by=["city"])
    assert shifted.failing == ("city = b",)
    assert "too low on average" in codes(shifted)["SLI001"].message


def test_few_rows_with_much_noise_are_no_failure():
    failing = 0
    for seed in range(12):
        rng, X = table(seed, 200)
        truth = 2 * X["size"] + rng.normal(size=200) * np.where(X["city"] == "b", 2.5, 0.7)
        failing += bool(evaluate_slices(X, truth, 2 * X["size"], by=["city"]).failing)
    assert failing <= 1
    rng, X = table(0, 1000)
    lost = (X["city"] == "b").to_numpy()
    guess = np.where(lost, rng.permutation(2 * X["size"]), 2 * X["size"])
    report = evaluate_slices(X, 2 * X["size"] + 0.5 * rng.normal(size=1000), guess, by=["city"])
    assert report.failing == ("city = b",)
