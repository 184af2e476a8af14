"""Learning curves: nested subsets, honest scores, what more rows would bring, and what cannot be asked."""

import math
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joblib import parallel_config
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.linear_model import LinearRegression, LogisticRegression, Perceptron, Ridge, RidgeClassifier
from sklearn.model_selection import ShuffleSplit, TimeSeriesSplit
from sklearn.model_selection import learning_curve as of_sklearn
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from ml_lifecycle.exploration import _entries, learning_curve
from ml_lifecycle.exploration._learning import draw as _learning_draw
from ml_lifecycle.exploration._learning.fit import Part, part_for
from ml_lifecycle.exploration._learning.order import Nests, make_nests
from ml_lifecycle.exploration._learning.score import Judge
from ml_lifecycle.exploration._learning.sizes import asked_sizes, usual_sizes
from ml_lifecycle.exploration.learning import LearningCurve
from ml_lifecycle.foundation.dataset import load_dataset
from ml_lifecycle.foundation.errors import BadInputError, UnknownNameError
from ml_lifecycle.foundation.metrics import METRICS, Metric

NB = GaussianNB()


def two_classes(rows: int = 200, columns: int = 5, noise: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, columns))
    return X, (X[:, 0] + X[:, 1] + noise * rng.normal(size=rows) > 0).astype(int)


def codes(report: LearningCurve) -> dict[str, str]:
    return {f.code: f.severity for f in report.findings}


def validation(report: LearningCurve, model: str | None = None) -> pd.DataFrame:
    frame = report.frame[report.frame["split"] == "validation"]
    return frame if model is None else frame[frame["model"] == model]


def nests_of(X: Any, y: Any, cv: Any = 5, **roles: Any) -> tuple[Any, Nests]:
    asked = _entries.pose(X, y, **{"metric": None, "task": None, "groups": None, "time": None, "positive": None} | roles)
    return asked.problem, make_nests(asked.problem, cv=cv, groups=asked.groups, times=asked.times, seed=0)


class Spy(ClassifierMixin, BaseEstimator):
    """Remembers what it was fitted and asked on."""

    seen: list[tuple[np.ndarray, np.ndarray]] = []
    asked: list[int] = []

    def fit(self, X, y):
        Spy.seen.append((np.array(X), np.array(y)))
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        Spy.asked.append(len(X))
        return np.full(len(X), self.classes_[0])

    def predict_proba(self, X):
        Spy.asked.append(len(X))
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


@pytest.fixture
def spy():
    Spy.seen, Spy.asked = [], []
    return Spy()


# what is measured

def test_scores_are_those_of_sklearn_on_the_same_fits() -> None:
    X, y = (part[::2] for part in load_breast_cancer(return_X_y=True))
    models = {"nb": GaussianNB(), "tree": DecisionTreeClassifier(max_depth=3, random_state=0)}
    problem, nests = nests_of(X, y)
    pairs = [(nest.train, nest.test) for nest in nests.each]
    for metric, scoring in (("roc_auc", "roc_auc"), ("accuracy", "accuracy"), ("log_loss", "neg_log_loss")):
        report = learning_curve(models, X, y, metric=metric, sizes=[40, 80, 160])
        for name, model in models.items():
            sizes, train, test = of_sklearn(model, X, y, train_sizes=[40, 80, 160], cv=pairs, scoring=scoring)
            sign = METRICS[metric].sign
            close = 1e-4 if metric == "log_loss" else 1e-9  # scikit-learn clips probabilities a little differently
            np.testing.assert_allclose(report.fold_scores[name], sign * test, atol=close)
            rows = report.frame[(report.frame["model"] == name) & (report.frame["split"] == "train")]
            np.testing.assert_allclose(rows["score"], sign * train.mean(axis=1), atol=close)


def test_regression_scores_are_those_of_sklearn() -> None:
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    _, nests = nests_of(X, y)
    pairs = [(nest.train[:nests.limit], nest.test) for nest in nests.each]
    report = learning_curve(Ridge(), X, y, metric="mae", sizes=[20, 0.5, 1.0])
    _, _, test = of_sklearn(Ridge(), X, y, train_sizes=np.array(report.sizes), cv=pairs, scoring="neg_mean_absolute_error")
    np.testing.assert_allclose(report.fold_scores["Ridge"], -test)
    assert report.rows == len(y) == report.n


def test_all_models_learn_from_the_same_nested_subsets_and_are_asked_once(spy) -> None:
    X, y = two_classes()
    learning_curve([spy, Spy()], X, y, sizes=[20, 50, 120], cv=3, seed=1, metric="accuracy")
    assert len(Spy.seen) == 2 * 3 * 3
    assert len(Spy.asked) == 2 * len(Spy.seen)  # once on the rows learned from, once on the test rows
    by_size = {n: [X for X, _ in Spy.seen if len(X) == n] for n in (20, 50, 120)}
    for small in by_size[20]:
        assert any((large[:20] == small).all() for large in by_size[50])
        assert any((large[:20] == small).all() for large in by_size[120])
    assert sum((a == b).all() for a in by_size[20] for b in by_size[20]) == 3 * 4  # each subset for both models


def test_every_beginning_holds_each_class_by_its_share() -> None:
    rng = np.random.default_rng(0)
    y = rng.choice(["a", "b", "c"], 400, p=[0.7, 0.25, 0.05])
    _, nests = nests_of(rng.normal(size=(400, 2)), y)
    for nest in nests.each:
        share = pd.Series(y[nest.train]).value_counts(normalize=True)
        for n in (7, 20, 55, 200):
            counts = pd.Series(y[nest.train[:n]]).value_counts().reindex(share.index, fill_value=0)
            assert ((counts - n * share).abs() <= 1.01).all()


def test_groups_stay_apart_and_grow_one_after_the_other() -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 20, 300)
    X, y = two_classes(300)
    _, nests = nests_of(X, y, groups=groups)
    for nest in nests.each:
        assert not set(groups[nest.train]) & set(groups[nest.test])
        changes = np.flatnonzero(np.diff(groups[nest.train]))
        assert len(changes) + 1 == len(set(groups[nest.train]))
    report = learning_curve(NB, X, y, groups=groups)
    assert "whole groups" in report.how


def test_time_grows_backwards_from_the_test_rows() -> None:
    X, y = two_classes(300)
    days = np.random.default_rng(0).permutation(300) // 3
    _, nests = nests_of(X, y, time=days, cv=4)
    assert len(nests.each) == 4
    for nest in nests.each:
        assert days[nest.train].max() < days[nest.test].min()
        assert (np.diff(days[nest.train]) <= 0).all()
    assert nests.limit >= 0.5 * 300
    report = learning_curve(NB, pd.DataFrame(X).assign(day=days).rename(columns=str), y, time="day", cv=4)
    assert "4 folds forward in time" in report.how
    assert "backwards in time" in report.how
    few = learning_curve(NB, X, y, time=days // 25, cv=5)
    assert any("too few different times" in f.message for f in few.findings)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(2, 6), st.integers(12, 80))
def test_an_order_is_a_permutation_of_the_training_rows(seed: int, classes: int, rows: int) -> None:
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.arange(classes).repeat(3), rng.integers(0, classes, rows)]).astype(str)
    problem, nests = nests_of(np.zeros((len(y), 1)), y, cv=3)
    for nest in nests.each:
        assert sorted([*nest.train, *nest.test]) == list(range(len(y)))
    assert 1 <= nests.least <= nests.limit
    ratios = [nests.ratio(n) for n in (2, nests.limit // 2, nests.limit)]
    assert all(0 <= ratio <= nests.folds.test_ratio + 1e-12 for ratio in ratios)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # Python 3.12 warns of it where threads run
def test_results_do_not_depend_on_processes_or_on_order() -> None:
    X, y = two_classes(150)
    models = {"nb": NB, "chance": Random(), "tree": DecisionTreeClassifier()}
    one = learning_curve(models, X, y, cv=3, sizes=[20, 50, 90])
    other = learning_curve(dict(reversed(models.items())), X, y, cv=3, sizes=[90, 50, 20])
    assert one.fold_scores["tree"] == other.fold_scores["tree"]
    before = np.random.get_state()[1].copy()
    with parallel_config(backend="multiprocessing"):
        two = learning_curve(models, X, y, cv=3, sizes=[20, 50, 90], n_jobs=2)
    assert (np.random.get_state()[1] == before).all()
    assert one.fold_scores == two.fold_scores
    pd.testing.assert_frame_equal(one.frame.drop(columns="fit_seconds"), two.frame.drop(columns="fit_seconds"))


class Random(ClassifierMixin, BaseEstimator):
    """Draws from the global random state."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return self.classes_[np.random.randint(0, 2, len(X))]

    def predict_proba(self, X):
        return np.random.random((len(X), 2))


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # Python 3.12 warns of it where threads run
def test_a_model_that_cannot_travel_stays_here() -> None:
    class Local(GaussianNB):
        def __reduce__(self):
            raise TypeError("no")

    X, y = two_classes(100)
    with parallel_config(backend="multiprocessing"):
        report = learning_curve({"a": Local(), "b": NB}, X, y, cv=2, sizes=[20, 40], n_jobs=2)
    assert report.fold_scores["a"] == report.fold_scores["b"]


def test_a_model_that_writes_into_its_input_harms_nobody() -> None:
    class Writer(GaussianNB):
        def fit(self, X, y):
            X -= 5
            return super().fit(X + 5, y)

    X, y = two_classes(120)
    for table in (X, pd.DataFrame(X).rename(columns=str)):
        before = table.copy()
        report = learning_curve({"writer": Writer(), "nb": NB}, table, y, cv=2, sizes=[20, 40])
        np.testing.assert_allclose(np.array(report.fold_scores["writer"]), np.array(report.fold_scores["nb"]))
        assert np.array_equal(np.asarray(before), np.asarray(table))


def test_a_fold_is_sliced_once() -> None:
    X, y = two_classes(60)
    problem, nests = nests_of(X, y, cv=2)
    judge = Judge(problem.task, problem.metric, problem.classes, problem.positive)
    first = part_for(problem.X, problem.y, judge, nests.each[0], "a")
    assert part_for(problem.X, problem.y, judge, nests.each[0], "a") is first
    assert part_for(problem.X, problem.y, judge, nests.each[1], "b") is not first
    assert isinstance(first, Part)
    assert np.shares_memory(first.features(30, 40), first.X)


@pytest.mark.parametrize("form", ["array", "frame", "sparse", "list", "dataset", "odd index", "category", "bool", "words"])
def test_every_form_of_input(form: str) -> None:
    X, y = two_classes(120)
    frame = pd.DataFrame(X).rename(columns=str)
    given: dict[str, Any] = {
        "array": (X, y), "frame": (frame, pd.Series(y)), "sparse": (sparse.csr_matrix(X), y), "list": (X.tolist(), y.tolist()),
        "dataset": (load_dataset(frame.assign(y=y), target="y"), None),
        "odd index": (frame.set_index(frame.index * 7 + 3), pd.Series(y, index=frame.index * 7 + 3)),
        "category": (frame, pd.Series(y).map({0: "no", 1: "yes"}).astype("category")), "bool": (frame, y == 1),
        "words": (frame, np.where(y == 1, "yes", "no"))}
    model = LogisticRegression()
    report = learning_curve(model, *given[form], cv=3, sizes=[20, 40, 80])
    assert np.isfinite(validation(report)["score"]).all()
    np.testing.assert_allclose(report.fold_scores["LogisticRegression"],
                               learning_curve(model, X, y, cv=3, sizes=[20, 40, 80]).fold_scores["LogisticRegression"], atol=1e-6)


def test_default_models_and_text() -> None:
    rng = np.random.default_rng(0)
    words = [" ".join(rng.choice(["good", "bad", "so", "then", "fine", "poor"], 8)) for _ in range(120)]
    X = pd.DataFrame({"note": words, "kind": rng.choice(["a", "b"], 120)})
    y = ["yes" if w.count("good") > w.count("bad") else "no" for w in words]
    report = learning_curve("logistic regression", X, y, cv=2, text=["note"], sizes=[20, 60])
    assert validation(report)["score"].iloc[-1] > 0.6


# the edges

@pytest.mark.parametrize(("sizes", "said"), [
    ([1000], "at most 160 rows.*Got 1000. The largest possible is 160"), ([0], "whole numbers.*Got 0"), ([-3], "Got -3"),
    ([2.5], "Got 2.5"), (["a"], "Got 'a'"), ("a", "Got 'a'"), ([], "Got none"), ([True], "Got True"), ([1], "at least 2 rows"),
    ([0.001], "at least 2 rows"), ([np.nan], "Got nan"), ([None], "Got None"), (161, "largest possible is 160")])
def test_sizes_that_cannot_be(spy, sizes: Any, said: str) -> None:
    X, y = two_classes()
    with pytest.raises(BadInputError, match=said) as caught:
        learning_curve(spy, X, y, sizes=sizes)
    assert "\n" not in str(caught.value)
    assert "`sizes`" in str(caught.value)
    assert not Spy.seen


def test_sizes_in_rows_and_shares_are_merged() -> None:
    assert asked_sizes([0.5, 80, np.int64(20), 20, 160.0, 1.0], 160) == (20, 80, 160)
    assert asked_sizes(50, 160) == (50,)


@settings(max_examples=60)
@given(st.integers(5, 10**7), st.integers(1, 10**4))
def test_usual_sizes_rise_to_the_limit(limit: int, least: int) -> None:
    sizes = usual_sizes(limit, least)
    assert sizes[-1] == limit
    assert sizes[0] >= 2
    assert list(sizes) == sorted(set(sizes))
    assert 1 < len(sizes) <= 7


@pytest.mark.parametrize(("model", "metric", "said"), [
    (RidgeClassifier(), "log_loss", "RidgeClassifier without `predict_proba`"), (Perceptron(), "brier", "predict_proba"),
    (type("Plain", (), {"fit": lambda s, X, y: s, "predict": lambda s, X: X})(), "roc_auc", "`decision_function`")])
def test_a_metric_that_a_model_cannot_serve(model: Any, metric: str, said: str) -> None:
    X, y = two_classes()
    with pytest.raises(BadInputError, match=said) as caught:
        learning_curve({"ok": NB, "RidgeClassifier" if metric == "log_loss" else "m": model}, X, y, metric=metric)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("call", "said"), [
    (lambda X, y: learning_curve([], X, y), "`models` must hold at least one model"),
    (lambda X, y: learning_curve(GaussianNB, X, y), "the class GaussianNB; write GaussianNB"),
    (lambda X, y: learning_curve([3], X, y), "`models` must be estimators"),
    (lambda X, y: learning_curve(NB), "`X` must hold the features"),
    (lambda X, y: learning_curve(NB, X, y, worth=0), "`worth` must be a number above 0"),
    (lambda X, y: learning_curve(NB, X, y, worth="much"), "`worth` must be"),
    (lambda X, y: learning_curve(NB, X, y, cv=1), "`cv` must be at least 2 folds"),
    (lambda X, y: learning_curve(NB, X, y, cv=True), "`cv` must be"),
    (lambda X, y: learning_curve(NB, X, y[:-1]), "`y` must have one value for each row"),
    (lambda X, y: learning_curve(NB, X, y * 0), "at least two different values"),
    (lambda X, y: learning_curve(NB, X, np.where(y == 1, np.nan, 0)), "no missing values"),
    (lambda X, y: learning_curve(NB, X, y, n_jobs=0), "`n_jobs` must be"),
    (lambda X, y: learning_curve(NB, X, y, seed=-1), "`seed` must be")])
def test_what_cannot_be_asked(call: Any, said: str) -> None:
    with pytest.raises(BadInputError, match=said) as caught:
        call(*two_classes())
    assert "\n" not in str(caught.value)
    with pytest.raises(UnknownNameError, match="metric"):
        learning_curve(NB, *two_classes(), metric="acurracy")


def test_a_model_that_fails_is_reported() -> None:
    X, y = two_classes()
    X[3, 1] = np.nan
    report = learning_curve({"refuses": LogisticRegression(), "tree": DecisionTreeClassifier()}, X, y)
    assert report.best == "tree"
    found = next(f for f in report.findings if f.code == "LRN006")
    assert found.severity == "issue"
    assert "refuses" in found.message
    assert "NaN" in found.evidence["error"]
    with pytest.raises(BadInputError, match="`sizes`"):
        learning_curve(NB, X, y, sizes=[500])


def test_nothing_scored() -> None:
    X, y = two_classes()
    report = learning_curve(LogisticRegression(), X * np.nan, y)
    assert report.best is None
    assert report.answer == "Nothing could be scored."
    assert report.passed is False
    report.plot()
    for ask in (lambda: report.extrapolate(100), lambda: report.rows_for(0.9)):
        with pytest.raises(BadInputError, match="`model` must have a curve"):
            ask()


def test_subsets_of_one_class_are_left_out_and_said() -> None:
    rng = np.random.default_rng(0)
    groups = np.arange(600) // 30
    X, y = rng.normal(size=(600, 3)), groups % 2
    report = learning_curve(NB, X + y[:, None], y, groups=groups, sizes=[20, 100, 300])
    found = next(f for f in report.findings if f.code == "LRN005")
    assert "one class of 2" in found.message
    assert "left out" in found.message
    frame = validation(report).set_index("n")
    assert frame.loc[20, "folds"] == 0
    assert np.isnan(frame.loc[20, "score"])
    assert frame.loc[300, "folds"] == 5


def test_a_class_that_a_subset_lacks() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 12, 600)
    X = rng.normal(size=(600, 3)) + y[:, None]
    kept = learning_curve(NB, X, y, task="classification", sizes=[6, 400])
    assert "kept" in next(f for f in kept.findings if f.code == "LRN005").message
    assert np.isfinite(validation(kept)["score"]).all()
    left = learning_curve(NB, X, y, task="classification", sizes=[6, 400], metric="log_loss")
    assert "left out" in next(f for f in left.findings if f.code == "LRN005").message
    assert "LRN005" not in codes(learning_curve(NB, X, y, task="classification"))


def test_a_subset_with_a_constant_target() -> None:
    X, _ = two_classes(200)
    y = np.where(np.arange(200) % 40 == 0, 10 * X[:, 0], 0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = learning_curve(Ridge(), X, y, metric="r2", sizes=[2, 5, 20, 100])
    assert report.frame[(report.frame["split"] == "train") & (report.frame["n"] == 2)]["score"].isna().all()


def test_warnings_are_kept_and_do_not_leak() -> None:
    X, y = two_classes()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = learning_curve(LogisticRegression(max_iter=1), X, y)
    assert any("ConvergenceWarning" in f.message for f in report.findings if f.code == "LRN010")


def test_folds_of_unequal_size_cap_the_curve() -> None:
    X, y = two_classes(300)
    report = learning_curve(NB, X, y, cv=TimeSeriesSplit(4))
    assert "LRN007" in codes(report)
    assert report.sizes[-1] == 60
    again = learning_curve(NB, X, y, cv=ShuffleSplit(4, test_size=0.3, random_state=0))
    assert set(again.ratios) == {again.ratios[0]}  # test rows come back: no size is freer of them


def test_a_single_fold_has_intervals_from_its_rows() -> None:
    X, y = two_classes(300)
    report = learning_curve(NB, X, y, cv=[(np.arange(200), np.arange(200, 300))])
    frame = validation(report)
    assert (frame["low"] < frame["score"]).all()
    assert (frame["folds"] == 1).all()
    assert report.n == 100


def test_a_metric_of_ones_own() -> None:
    mine = Metric("mine", "Mine", True, 0, 1, "share", ("classification",), "labels",
                  function=lambda y, p, w: float(np.mean(np.asarray(y) == p.labels)))
    X, y = two_classes()
    words = np.where(y == 1, "yes", "no")
    own = learning_curve(NB, X, words, metric=mine, sizes=[20, 40, 80, 160])
    usual = learning_curve(NB, X, words, metric="accuracy", sizes=[20, 40, 80, 160])
    assert own.fold_scores == usual.fold_scores
    assert own.extrapolate(1000)[0] > 0
    own.plot()


# what it says

def test_more_rows_help_when_the_curve_still_rises() -> None:
    rng = np.random.default_rng(0)
    X = rng.random((1500, 4))
    report = learning_curve(KNeighborsRegressor(2), X, np.sin(4 * X).sum(axis=1))
    found = next(f for f in report.findings if f.code == "LRN001")
    assert found.severity == "tip", found
    assert found.message.startswith("More rows will help")
    assert "LRN002" in codes(report)


def test_more_rows_do_not_help_on_a_flat_curve() -> None:
    X, y = two_classes(2000, noise=0.5)
    report = learning_curve(NB, X, y)
    found = next(f for f in report.findings if f.code == "LRN001")
    assert found.severity == "passed", found
    assert "will not help" in report.answer
    strict = learning_curve(NB, X, y, worth=1e-7)
    assert next(f for f in strict.findings if f.code == "LRN001").evidence["worth"] == 1e-7
    assert next(f for f in strict.findings if f.code == "LRN001").severity == "tip"


def test_few_sizes_and_few_rows_of_a_class_cannot_tell() -> None:
    X, y = two_classes()
    assert next(f for f in learning_curve(NB, X, y, sizes=[50, 100]).findings if f.code == "LRN001").undecided
    rare = np.zeros(200, dtype=int)
    rare[:8] = 1
    report = learning_curve(NB, X, rare)
    assert next(f for f in report.findings if f.code == "LRN001").undecided
    assert validation(report)["low"].isna().all()


def test_plain_data_give_no_issue() -> None:
    for seed in range(3):
        X, y = two_classes(300, seed=seed)
        report = learning_curve({"nb": NB, "logistic": LogisticRegression()}, X, y, seed=seed)
        assert "issue" not in codes(report).values(), report.findings


def test_a_peak_is_seen() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(800, 40))
    y = X @ rng.normal(size=40) + 6 * rng.normal(size=800)
    report = learning_curve({"least squares": LinearRegression(), "ridge": Ridge(50)}, X, y, cv=10,
                            sizes=[15, 40, 60, 120, 300, 640])
    found = [f for f in report.findings if f.code == "LRN003"]
    assert [f.evidence["model"] for f in found] == ["least squares"]
    assert found[0].evidence["to"] == 40
    assert found[0].severity == "tip"
    low, high = report.extrapolate(1280, "least squares")[1:]
    assert 0 < low < high < 60  # the peak does not set the scale of what comes after it
    report.plot()


def test_a_curve_that_gets_worse_is_an_issue() -> None:
    class Spoiled(GaussianNB):
        def fit(self, X, y):
            rng = np.random.default_rng(len(y))
            wrong = rng.random(len(y)) < min(0.6, len(y) / 600)
            return super().fit(X, np.where(wrong, 1 - y, y))

    X, y = two_classes(600, noise=0.3)
    report = learning_curve(Spoiled(), X, y, metric="accuracy")
    assert codes(report)["LRN003"] == "issue"
    assert report.passed is False


def test_curves_that_cross_are_said() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 2))
    y = ((X[:, 0] > 0) ^ (X[:, 1] > 0.8)).astype(int)
    report = learning_curve({"linear": LogisticRegression(), "tree": DecisionTreeClassifier(max_depth=6, random_state=0),
                             "late": Late()}, X, y, metric="accuracy")
    assert codes(report)["LRN004"] in ("tip", "passed")
    crossed = learning_curve({"linear": LogisticRegression(), "late": Late()}, X, y, metric="accuracy")
    found = next(f for f in crossed.findings if f.code == "LRN004")
    assert found.severity == "tip"
    assert found.evidence["other"] == "linear"


class Late(DecisionTreeClassifier):
    """Knows nothing before it has 500 rows."""

    def __init__(self):
        super().__init__(max_depth=6, random_state=0)

    def fit(self, X, y):
        return super().fit(X if len(X) > 500 else X * 0, y)


def test_dates_that_are_not_respected_are_said() -> None:
    X, y = two_classes()
    dated = pd.DataFrame(X).rename(columns=str).assign(day=pd.date_range("2024-01-01", periods=200))
    report = learning_curve("logistic regression", dated, y, cv=2, sizes=[20, 80])
    assert "LRN011" in codes(report)
    assert "LRN011" not in codes(learning_curve("logistic regression", dated, y, cv=2, time="day", sizes=[20, 80]))


# ahead

@pytest.fixture(scope="module")
def rising() -> LearningCurve:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1200, 10))
    return learning_curve({"nb": NB, "tree": DecisionTreeClassifier(max_depth=5)}, X,
                          (X[:, :3].sum(axis=1) + (X[:, 3] > 0) + rng.normal(size=1200) > 0.5).astype(int))


def test_what_to_expect_ahead(rising: LearningCurve) -> None:
    last = float(validation(rising, rising.best)["score"].iloc[-1])
    value, low, high = found = rising.extrapolate(5000)
    assert low <= value <= high <= 1
    assert value >= last - 1e-9
    assert found.behaviour in ("well-behaved", "ill-behaved")
    wide, narrow = rising.extrapolate(5000, level=0.95), rising.extrapolate(5000, level=0.5)
    assert wide[1] <= narrow[1] <= narrow[2] <= wide[2]
    assert rising.extrapolate(5000, "tree") != found
    for wrong in (0, -5, "a", math.nan, math.inf, True):
        with pytest.raises(BadInputError, match="`n` must be a number above 0"):
            rising.extrapolate(wrong)  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="`model`.*tree"):
        rising.extrapolate(100, "tre")
    with pytest.raises(BadInputError, match="`level`"):
        rising.extrapolate(100, level=2)


def test_rows_for_a_score(rising: LearningCurve) -> None:
    frame = validation(rising, "tree")
    there = rising.rows_for(float(frame["score"].iloc[-1]) - 0.005, "tree")
    assert there.more == 0
    assert "no more are needed" in str(there)
    near = rising.rows_for(float(frame["score"].iloc[-1]) + 0.005, "tree", cost_per_label=0.5)
    assert near.low <= near.n <= near.high
    assert near.more == max(0, near.n - 1200)
    assert near.cost == pytest.approx(0.5 * near.more)
    never = rising.rows_for(0.9999999, "tree", 2)
    assert math.isinf(never.n)
    assert math.isinf(never.cost or 0)
    assert "not" in never.sentence
    assert rising.rows_for(0.85).cost is None
    for wrong in ("a", None, math.nan, True):
        with pytest.raises(BadInputError, match="`score` must be a finite number"):
            rising.rows_for(wrong)  # type: ignore[arg-type]
    with pytest.raises(BadInputError, match="`cost_per_label`"):
        rising.rows_for(0.9, cost_per_label=-1)
    with pytest.raises(AttributeError):
        near.n = 3  # type: ignore[misc]


@settings(deadline=None, max_examples=8)
@given(st.floats(0.5, 0.9999), st.floats(0.5, 0.9999))
def test_a_higher_score_never_needs_fewer_rows(rising: LearningCurve, a: float, b: float) -> None:
    few, many = (rising.rows_for(score) for score in sorted((a, b)))
    assert few.n <= many.n
    assert few.high <= many.high


def test_rows_for_a_loss() -> None:
    X, y = load_diabetes(return_X_y=True)
    report = learning_curve(Ridge(0.1), X, y)
    last = float(validation(report)["score"].iloc[-1])
    assert report.rows_for(last + 1).more == 0
    assert report.rows_for(last - 0.5).n > report.sizes[-1]
    assert math.isinf(report.rows_for(0.1).low)


def test_it_comes_back_from_json(rising: LearningCurve) -> None:
    back = LearningCurve.from_json(rising.to_json())
    assert isinstance(back, LearningCurve)
    assert back.extrapolate(3000) == rising.extrapolate(3000)
    assert back.rows_for(0.9) == rising.rows_for(0.9)


def test_plots_of_one_to_many_models(rising: LearningCurve) -> None:
    X, y = two_classes(150)
    for count in (1, 6, 8):
        models = {f"a model with quite a long name {i}": GaussianNB(var_smoothing=10.0 ** -i) for i in range(count)}
        report = learning_curve(models, X, y, cv=2, sizes=[20, 40, 70])
        ax = report.plot()
        assert ax.get_xscale() == "log"
        names = [t.get_text() for t in ax.texts if t.get_text().startswith("a model")]
        assert len(names) == min(count, _learning_draw.MOST)
        assert ("2 more not drawn" in ax.get_xlabel()) == (count == 8)
        assert all("e" not in t.get_text() and "$" not in t.get_text() for t in ax.get_xticklabels())


# models that answer in odd ways

class Odd(BaseEstimator):
    """Says what it was made to say."""

    def __init__(self, say=None, scores=None, classes=None):
        self.say, self.scores, self.classes = say, scores, classes

    def fit(self, X, y):
        if self.classes is not None:
            self.classes_ = np.array(self.classes)
        return self

    def predict(self, X):
        return self.say(len(X))

    def decision_function(self, X):
        return self.scores(len(X))


class WithProba(Odd):
    """The same, with probabilities."""

    def predict_proba(self, X):
        return self.scores(len(X))


def said_of(model: Any, metric: str = "accuracy", words: bool = True) -> LearningCurve:
    X, y = two_classes(60)
    return learning_curve(model, X, np.where(y == 1, "yes", "no") if words else y, metric=metric, cv=2, sizes=[20])


@pytest.mark.parametrize(("model", "metric", "error"), [
    (Odd(lambda n: np.full(n, "maybe")), "accuracy", "gave 'maybe', which is none of the classes"),
    (Odd(lambda n: np.full(n, 3)), "accuracy", "gave 3, which is none of the classes"),
    (Odd(lambda n: np.full((n, 2), "yes")), "accuracy", "gave predictions of shape"),
    (Odd(lambda n: np.full(n, "no"), lambda n: np.zeros((n, 3)), ["no", "yes"]), "roc_auc", "classes"),
    (WithProba(lambda n: np.full(n, "no"), lambda n: np.full((n, 2), np.nan), ["no", "yes"]), "log_loss", "missing or infinite"),
    (WithProba(lambda n: np.full(n, "no"), lambda n: np.full((n, 3), 0.2), ["no", "yes", "perhaps"]), "log_loss", "'perhaps'")])
def test_an_odd_answer_is_an_error_of_the_model(model: Any, metric: str, error: str) -> None:
    report = said_of(model, metric)
    found = next(f for f in report.findings if f.code == "LRN006")
    assert error in found.evidence["error"], found.evidence["error"]


def test_odd_answers_that_can_be_read() -> None:
    column = said_of(Odd(lambda n: np.full((n, 1), "yes", dtype=object)))
    assert np.isfinite(validation(column)["score"]).all()
    nameless = said_of(WithProba(lambda n: np.full(n, "no"), lambda n: np.tile([0.7, 0.3], (n, 1))), "log_loss")
    assert np.isfinite(validation(nameless)["score"]).all()
    flat = said_of(Odd(lambda n: np.full(n, "no"), lambda n: np.arange(n), ["no", "yes"]), "roc_auc")
    assert np.isfinite(validation(flat)["score"]).all()
    one = said_of(WithProba(lambda n: np.full(n, "no"), lambda n: np.full(n, 0.3), ["no", "yes"]), "brier")
    assert np.isfinite(validation(one)["score"]).all()


def test_draws_of_torch_are_repeated_and_given_back() -> None:
    torch = pytest.importorskip("torch")

    class Net(Odd):
        def fit(self, X, y):
            self.weight = torch.rand(X.shape[1]).numpy()
            self.classes_ = np.unique(y)
            return self

        def predict(self, X):
            return self.classes_[(X @ self.weight > 0).astype(int)]

    before = torch.get_rng_state()
    first, second = said_of(Net()), said_of(Net())
    assert torch.equal(before, torch.get_rng_state())
    assert first.fold_scores == second.fold_scores


def test_a_model_from_elsewhere_gets_rows_of_its_own() -> None:
    torch = pytest.importorskip("torch")

    class Shifting(GaussianNB):
        def fit(self, X, y):
            torch.from_numpy(X).sub_(5)  # shares the memory, and does not ask whether it may write
            return super().fit(X + 5, y)

    X, y = two_classes(100)
    report = learning_curve({"shifting": Shifting(), "nb": NB}, X, y, cv=2, sizes=[20, 40])
    np.testing.assert_allclose(report.fold_scores["shifting"], report.fold_scores["nb"])
    assert "LRN010" not in codes(report)


def test_a_pipeline_that_works_in_place() -> None:
    X, y = two_classes(100)
    models = {"in place": make_pipeline(StandardScaler(copy=False), NB), "usual": make_pipeline(StandardScaler(), NB)}
    report = learning_curve({**models, "after": NB}, X, y, cv=2, sizes=[20, 40])
    assert report.fold_scores["in place"] == report.fold_scores["usual"]
    assert report.fold_scores["after"] == learning_curve({"after": NB}, X, y, cv=2, sizes=[20, 40]).fold_scores["after"]
