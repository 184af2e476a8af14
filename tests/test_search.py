"""The search: at least as good as chance with the same budget, and honest about what it has gained."""

import json
import signal
import subprocess
import sys
import time
import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joblib import parallel_config
from scipy import stats
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from ml_lifecycle.exploration import default_models
from ml_lifecycle.foundation import BadInputError, ProjectError, Report, UnknownNameError, load_dataset
from ml_lifecycle.refinement import SearchReport, coarse_to_fine, default_space
from ml_lifecycle.refinement._search.rounds import Region, closer, everywhere, spread
from ml_lifecycle.refinement._search.space import Line, read_space

class Landscape(RegressorMixin, BaseEstimator):
    """A model whose mean absolute error is a known function of its parameters."""

    def __init__(self, a: float = 0.05, b: float = 0.05, kind: str = "off", fails: Any = None) -> None:
        self.a, self.b, self.kind, self.fails = a, b, kind, fails

    def fit(self, X: Any, y: Any) -> "Landscape":
        if self.fails is not None and self.a > self.fails:
            raise ValueError("too\nlarge")
        return self

    def predict(self, X: Any) -> np.ndarray:
        off = (self.a - .3) ** 2 + (self.b - .7) ** 2 + (0 if self.kind == "good" else .1)
        return np.asarray(X)[:, 0] + off


X1 = np.linspace(0, 1, 60).reshape(-1, 1)
Y1 = X1[:, 0]
SPACE = {"a": (0., 1.), "b": (0., 1.)}


def land(estimator: Any = None, space: Any = None, **more: Any) -> SearchReport:
    options: dict[str, Any] = {"metric": "mae", "budget": 20, "cv": 2} | more
    return coarse_to_fine(estimator or Landscape(), SPACE if space is None else space, X1, Y1, **options)


def codes(report: Report) -> list[str]:
    return [f.code for f in report.findings]


def found(report: Report, code: str) -> Any:
    return next(f for f in report.findings if f.code == code)


# the search itself

def test_it_closes_in_and_says_so() -> None:
    report = land(budget=40)
    assert report.best_score < .12
    assert report.confirmed
    assert report.recommended == report.best_params
    assert abs(report.best_params["a"] - .3) < .15
    for low, high in (report.ranges["a"][0], report.ranges["b"][0]):
        assert (low, high) == (0, 1)
    assert report.ranges["a"][-1][1] - report.ranges["a"][-1][0] < .7
    assert list(report.frame["trial"]) == list(range(40))
    assert set(report.frame["round"]) == {0, 1, 2, 3}
    assert report.frame.loc[0, "score"] == report.default_score


def test_it_is_better_than_chance_with_the_same_budget() -> None:
    pairs = [[land(seed=seed, rounds=rounds, budget=25, confirm=False).best_score for rounds in (1, 3)] for seed in range(12)]
    chance, rounds = np.array(pairs).T
    assert rounds.mean() <= chance.mean()
    assert (rounds <= chance).mean() >= .6


def outcome(optimum: tuple[float, float], rounds: int, seed: int) -> float:
    def score(params: dict[str, float]) -> float:
        return -(params["a"] - optimum[0]) ** 2 - (params["b"] - optimum[1]) ** 2

    return float(coarse_to_fine(score, SPACE, budget=25, rounds=rounds, seed=seed).best_score)


@pytest.mark.parametrize("optimum", [(.5, .5), (0., 1.), (1.5, 1.5), (.02, .4)])
def test_an_optimum_on_or_beyond_the_edge_is_approached(optimum: tuple[float, float]) -> None:
    chance, rounds = (np.array([outcome(optimum, r, seed) for seed in range(12)]) for r in (1, 3))
    assert rounds.mean() > chance.mean()
    assert (rounds > chance).mean() > .8


def test_the_best_on_the_edge_of_the_space_is_said() -> None:
    report = land(space={"a": (.5, 1.), "b": (0., 1.)}, budget=40)
    assert found(report, "SEA003").evidence["edges"] == {"a": "lower"}
    assert "SEA003" not in codes(land(budget=40))


def test_the_estimator_as_given_may_be_the_best() -> None:
    good = Landscape(a=.3, b=.7, kind="good")
    report = land(good)
    assert report.best_trial == 0
    assert report.confirmed is False
    assert report.recommended == {}
    assert report.best_params == {"a": .3, "b": .7}
    assert found(report, "SEA001").severity == "passed"
    assert good.a == .3


def test_gains_of_less_than_a_point_are_no_reason_to_change() -> None:
    report = coarse_to_fine(Ridge(alpha=1.001), {"alpha": (1.0, 1.0005)}, X1, Y1 + np.sin(50 * Y1), budget=4)
    assert report.confirmed is not True
    assert report.recommended == {}


def test_noise_is_not_called_a_gain() -> None:
    rng, claims = np.random.default_rng(0), 0
    space = {"n_neighbors": (1, 40), "weights": ["uniform", "distance"], "p": [1, 2]}
    for seed in range(6):
        X, y = rng.normal(size=(120, 3)), rng.integers(0, 2, 120)
        report = coarse_to_fine(KNeighborsClassifier(), space, X, y, metric="accuracy", budget=8, cv=2, seed=seed)
        claims += report.confirmed is True
        assert report.passed is not False
    assert claims <= 1


def test_noise_is_not_called_a_gain_on_rows_that_were_held_out() -> None:
    rng, claims = np.random.default_rng(1), 0
    for seed in range(8):
        X, y = rng.normal(size=(200, 3)), rng.integers(0, 2, 200)
        report = coarse_to_fine(KNeighborsClassifier(), {"n_neighbors": (1, 40)}, X[:100], y[:100], metric="accuracy",
                                budget=5, cv=2, seed=seed, confirm=(X[100:], y[100:]))
        claims += report.confirmed is True
        assert "held out" in report.answer or report.best_trial == 0
    assert claims <= 1


def test_held_out_rows_of_one_class_cannot_tell() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 2))
    report = coarse_to_fine(SVC(gamma=1e-5), {"gamma": (1e-5, 10., "log")}, X, (X[:, 0] * X[:, 1] > 0).astype(int), budget=6, cv=2,
                            confirm=(X[:9], np.ones(9, dtype=int)))
    assert report.confirmed is None
    assert "undefined on the 9 rows" in report.answer
    assert "–" not in report.answer


def test_a_true_gain_is_shown_on_rows_that_were_held_out() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 2))
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    held = load_dataset(pd.DataFrame(X[300:], columns=["a", "b"]).assign(y=y[300:]), target="y")
    frame = pd.DataFrame(X[:300], columns=["a", "b"])
    report = coarse_to_fine(SVC(gamma=1e-5), {"gamma": (1e-5, 10., "log")}, frame, y[:300], metric="accuracy", budget=10, cv=3,
                            confirm=held)
    assert report.confirmed
    assert report.gain is not None
    assert report.gain[1] > 0
    grouped = load_dataset(held.frame.assign(g=np.arange(300) // 3), target="y", group="g")
    wide = coarse_to_fine(SVC(gamma=1e-5), {"gamma": (1e-5, 10., "log")}, frame, y[:300], metric="accuracy", budget=10, cv=3,
                          confirm=grouped)
    assert wide.confirmed


def test_the_seed_decides_and_nothing_is_disturbed() -> None:
    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    tree = DecisionTreeClassifier()
    X, y = load_breast_cancer(return_X_y=True)
    space = {"max_depth": (1, 9), "max_features": (.1, 1.)}
    first, second = (coarse_to_fine(tree, space, X[:200], y[:200], budget=6, cv=2, seed=4) for _ in range(2))
    assert (np.random.get_state()[1] == before).all()
    assert tree.max_depth is None
    pd.testing.assert_frame_equal(first.frame.drop(columns="seconds"), second.frame.drop(columns="seconds"))
    assert first.answer == second.answer


@pytest.mark.slow
def test_processes_change_nothing() -> None:
    X, y = load_diabetes(return_X_y=True)
    one, two = (coarse_to_fine(Ridge(), {"alpha": (.01, 10., "log")}, X, y, budget=5, cv=2, n_jobs=jobs) for jobs in (1, 2))
    assert one.best_params == two.best_params
    assert one.best_score == two.best_score


# spaces

def drawn(given: Any, count: int) -> list[Any]:
    space = read_space({"p": given}, {"p"})
    return [space.params(point)["p"] for point in spread(1, count, 0)]


@pytest.mark.parametrize(("given", "kind", "inside"), [
    ((0., 1.), float, lambda v: 0 <= v <= 1),
    ((1, 5), int, lambda v: v in range(1, 6)),
    ((1, 1000, "log"), int, lambda v: 1 <= v <= 1000),
    ((1e-3, 1e3, "log"), float, lambda v: 1e-3 <= v <= 1e3),
    ((np.int64(2), np.int64(4)), int, lambda v: v in (2, 3, 4)),
    ((0, 1, "linear"), int, lambda v: v in (0, 1)),
    (["x", None, 3], object, lambda v: v in ("x", None, 3)),
    (("x", "y"), str, lambda v: v in ("x", "y")),
    (np.array([1, 2]), int, lambda v: v in (1, 2)),
    (stats.loguniform(1e-3, 1e3), float, lambda v: 1e-3 <= v <= 1e3),
    (stats.randint(3, 8), int, lambda v: v in range(3, 8)),
    (stats.norm(5, 1), float, np.isfinite),
])
def test_values_of_every_kind_of_range(given: Any, kind: type, inside: Any) -> None:
    values = drawn(given, 200)
    assert all(isinstance(v, kind) and inside(v) for v in values)
    assert not any(isinstance(v, np.generic) for v in values)
    if kind is int:
        assert len(set(values)) > 1


def test_whole_numbers_come_equally_often() -> None:
    assert np.bincount(drawn((1, 4), 512))[1:].tolist() == [128] * 4


@settings(max_examples=100)
@given(st.floats(0, 1), st.sampled_from([(0., 2.), (1e-3, 10., "log"), (1, 50), (1, 500, "log")]))
def test_places_and_values_go_back_and_forth(place: float, spec: Any) -> None:
    axis = read_space({"p": spec}, {"p": 0}).axes[0]
    assert isinstance(axis, Line)
    value = axis.value(place)
    assert axis.value(axis.place(value)) == pytest.approx(value)
    assert 0 <= axis.place(value) <= 1
    assert np.isnan(axis.place(-5))
    assert np.isnan(axis.place("auto"))


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=8, unique=True), st.integers(0, 3))
def test_a_region_holds_the_best_and_stays_in_the_space(places: list[tuple[float, float]], turns: int) -> None:
    space = read_space({"a": (0., 1.), "b": (0., 1.), "c": ["x", "y"]}, None)
    points = np.array([[a, b, .25] for a, b in places])
    scores = -np.arange(float(len(points)))
    region = everywhere(space)
    for _ in range(turns + 1):
        region = closer(space, region, points, (scores, 0.))
        for i in range(2):
            low, high = region.ranges[i]
            assert 0 <= low <= places[0][i] <= high <= 1
            assert low < high
        assert region.weights[2][0] > region.weights[2][1] > 0


def test_a_region_widens_where_the_best_stands_on_its_edge() -> None:
    space = read_space({"a": (0., 1.)}, None)
    points = np.linspace(.3, .5, 10)[:, None]
    before = Region(((.3, .5),), ((),))
    inner, outer = (closer(space, before, points, (-abs(points[:, 0] - best), 0.)).ranges[0] for best in (.4, .5))
    assert outer[1] >= .6
    assert inner[1] < .5


def test_noise_keeps_a_region_wide() -> None:
    space = read_space({"a": (0., 1.)}, None)
    points = np.linspace(0, 1, 20)[:, None]
    sure, unsure = (closer(space, everywhere(space), points, (-abs(points[:, 0] - .5), noise)).ranges[0] for noise in (0., .3))
    assert unsure[1] - unsure[0] > 1.3 * (sure[1] - sure[0])


def test_a_small_space_is_tried_once_and_completely() -> None:
    space = {"n_neighbors": [1, 3], "weights": ["uniform", "distance"]}
    report = coarse_to_fine(KNeighborsRegressor(n_neighbors=9), space, X1, Y1, budget=30, cv=2)
    assert len(report.frame) == 5
    assert found(report, "SEA006").evidence == {"trials": 5, "budget": 30}
    assert not report.frame.duplicated(["n_neighbors", "weights"]).any()


def test_a_parameter_called_like_a_column() -> None:
    class Odd(Landscape):
        def __init__(self, score: float = 1., a: float = 0., b: float = 0., kind: str = "", fails: Any = None) -> None:
            super().__init__(a, b, kind, fails)
            self.score_ = score

        @property
        def score(self) -> float:  # type: ignore[override]
            return self.score_

        @score.setter
        def score(self, value: float) -> None:
            self.score_ = value

    report = land(Odd(), {"score": (0., 1.)}, budget=4)
    assert "parameter score" in report.frame


# data of every kind

def test_a_data_set_with_time_is_searched_forward() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"day": pd.date_range("2024-01-01", periods=200), "a": rng.normal(size=200)})
    frame["y"] = frame["a"] + .1 * rng.normal(size=200)
    data = load_dataset(frame, target="y", time="day")
    model = default_models("regression", data.X, time="day")["ridge regression"]
    report = coarse_to_fine(model, default_space(model), data, budget=5, cv=2)
    assert "forward in time" in report.how
    assert report.metric == "rmse"
    assert report.confirmed is not None or found(report, "SEA001").undecided


@pytest.mark.parametrize("dtype", ["Int64", "boolean", "category", "object", "string"])
def test_labels_of_every_type(dtype: str) -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(80, 2)), columns=["a", "b"], index=np.arange(80)[::-1])
    y = pd.Series((X["a"] > 0).astype(int), index=X.index).astype(str if dtype == "string" else dtype).astype(dtype)
    report = coarse_to_fine(KNeighborsClassifier(39), {"n_neighbors": [1, 3, 5]}, X, y, metric="accuracy", budget=4, cv=2,
                            confirm=(X, y))
    assert report.gain is not None


def test_groups_stay_whole() -> None:
    X, y = load_diabetes(return_X_y=True)
    report = coarse_to_fine(Ridge(), {"alpha": (.01, 10., "log")}, X[:100], y[:100], groups=np.arange(100) // 10, budget=4, cv=3)
    assert "whole groups" in report.how
    few = coarse_to_fine(Ridge(), {"alpha": (.01, 10., "log")}, X[:100], y[:100], groups=np.arange(100) // 50, budget=4, cv=3)
    assert "SEA005" in codes(few)


def test_texts_reach_the_estimator_as_they_came() -> None:
    texts, y = ["good fine"] * 20 + ["bad poor"] * 20, ["up"] * 20 + ["down"] * 20
    for X in (texts, pd.Series(texts, index=range(7, 47)), np.array(texts)):
        model = make_pipeline(CountVectorizer(), LogisticRegression())
        report = coarse_to_fine(model, {"logisticregression__C": (.1, 10., "log")}, X, y, budget=3, cv=2)
        assert report.best_score == 1


def test_folds_of_your_own_are_corrected_for_the_number_of_candidates() -> None:
    X, y = load_diabetes(return_X_y=True)
    report = coarse_to_fine(Ridge(alpha=1e4), {"alpha": (.01, 10., "log")}, X, y, budget=6, cv=KFold(5))
    assert "corrected for 5 candidates" in report.answer
    assert report.confirmed
    off = coarse_to_fine(Ridge(), {"alpha": (.01, 1e4, "log")}, X, y, budget=6, cv=KFold(5), confirm=False)
    assert off.confirmed is not False or off.best_trial == 0


def test_candidates_that_fail_do_not_take_the_others_with_them() -> None:
    report = land(Landscape(fails=.9), budget=30)
    assert found(report, "SEA004").severity == "tip"
    assert "too large" in found(report, "SEA004").message
    failed = report.frame[report.frame["score"].isna()]
    assert (failed["note"] != "").all()
    assert found(land(Landscape(fails=.06), budget=8), "SEA004").severity == "issue"
    rescued = land(Landscape(a=.95, fails=.9), budget=12)
    assert "as given fails" in rescued.answer
    assert rescued.confirmed
    with pytest.raises(BadInputError, match="`estimator` must fit with at least one candidate") as caught:
        land(Landscape(a=2., fails=-1.))
    assert "\n" not in str(caught.value)


def test_no_warning_leaves_the_search() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        coarse_to_fine(LogisticRegression(max_iter=3), {"C": (.1, 1000., "log")}, X, y, budget=4, cv=2)


@pytest.mark.parametrize(("change", "error", "text"), [
    ({"space": {}}, BadInputError, "`space` must name at least one parameter"),
    ({"space": [1]}, BadInputError, "`space` must name at least one parameter"),
    ({"space": {"aa": (0., 1.)}}, UnknownNameError, "Got 'aa'"),
    ({"space": {"a": 3}}, BadInputError, "a list of options"),
    ({"space": {"a": (1., 0.)}}, BadInputError, "low < high"),
    ({"space": {"a": (0., 1., "log")}}, BadInputError, "both above 0"),
    ({"space": {"a": (0., 1., "lgo")}}, BadInputError, "a list of options"),
    ({"space": {"a": (0., np.inf)}}, BadInputError, "finite bounds"),
    ({"space": {"a": (True, False)}}, BadInputError, "a list of options"),
    ({"space": {"a": []}}, BadInputError, "at least one option"),
    ({"estimator": Ridge}, BadInputError, "not its class. Got Ridge"),
    ({"estimator": SimpleNamespace(fit=1)}, BadInputError, "must have `fit`"),
    ({"budget": 1}, BadInputError, "`budget` must be a whole number from 2"),
    ({"budget": 2.5}, BadInputError, "`budget`"),
    ({"rounds": 0}, BadInputError, "`rounds` must be"),
    ({"cv": 1}, BadInputError, "`cv` must be at least 2"),
    ({"seed": "a"}, BadInputError, "`seed` must be"),
    ({"n_jobs": 0}, BadInputError, "`n_jobs` must be"),
    ({"metric": "acc"}, UnknownNameError, "`metric` must be"),
    ({"confirm": 3}, BadInputError, "must hold pairs"),
])
def test_nonsense_is_refused_in_one_line(change: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text) as caught:
        land(**change)
    assert "\n" not in str(caught.value)


def test_a_name_without_its_step_is_completed() -> None:
    pipe = make_pipeline(StandardScaler(), SVC())
    with pytest.raises(UnknownNameError, match="Did you mean 'svc__C'"):
        coarse_to_fine(pipe, {"C": (.1, 1.)}, X1, Y1)


# what it reports

def test_reads_back_and_draws() -> None:
    report = land(budget=6)
    back = Report.from_json(report.to_json())
    assert isinstance(back, SearchReport)
    assert back.best_params == report.best_params
    assert back.answer == report.answer
    assert "Best: a =" in report.answer
    assert report.label == "Mean absolute error"
    assert land(budget=2, rounds=1).plot() is not None


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_space_for_every_default_model_holds_its_default(task: str) -> None:
    frame = pd.DataFrame({"a": np.arange(50.), "b": list("xy") * 25})
    for name, model in default_models(task, frame).items():
        space = default_space(model)
        assert space, name
        own = model.get_params()
        for axis in read_space(space, own).axes:
            value = own[axis.name]
            assert value in (None, "sqrt", 0.0) or axis.place(value) == axis.place(value), (name, axis.name, value)  # type: ignore[union-attr]


def test_no_space_for_what_is_not_known() -> None:
    assert default_space(SVC()) == {}
    assert "no default space for SVC" in default_space(SVC()).note
    assert "no default space for SVC" in repr(default_space(SVC()))
    assert default_space(Ridge()) == {"alpha": (1e-3, 1e4, "log")}
    assert "no default space" in default_space(object()).note


# functions, conditions, logs, races

def hill(params: dict[str, Any]) -> float:
    return 1 - (params["a"] - .3) ** 2 - .2 * (params["b"] - .7) ** 2


def test_a_function_is_searched_like_an_estimator() -> None:
    report = coarse_to_fine(hill, SPACE, budget=30)
    assert report.best_score > .99
    assert report.confirmed is None
    assert report.default_score is None
    assert found(report, "SEA001").severity == "not applicable"
    assert len(report.frame) == 30
    lower = coarse_to_fine(lambda params: -hill(params), SPACE, budget=30, greater_is_better=False, metric="loss")
    assert lower.best_score < -.99
    assert lower.label == "loss"
    named = coarse_to_fine(lambda params: -hill(params), SPACE, budget=5, metric="rmse")
    assert not named.greater_is_better


def test_several_scores_of_a_function_bring_intervals() -> None:
    def seeds(params: dict[str, Any]) -> list[float]:
        return [hill(params) + .01 * np.random.default_rng([seed, int(1e6 * params["a"])]).normal() for seed in range(4)]

    report = coarse_to_fine(seeds, SPACE, budget=20)
    best = report.frame.loc[report.best_trial]
    assert best["low"] < best["score"] < best["high"]
    assert "SEA002" in codes(report)


def test_growing_effort_stops_candidates_without_hope() -> None:
    spent: list[float] = []

    def train(params: dict[str, Any], effort: float) -> float:
        spent.append(effort)
        return hill(params) - .05 * (1 - effort)

    report = coarse_to_fine(train, SPACE, budget=40)
    assert report.best_score > .99
    assert sum(spent) < .8 * 40 * (1 + 1 / 3 + 1 / 9)
    assert found(report, "SEA008").evidence["stopped"] == (report.frame["note"] != "").sum()
    spent.clear()
    whole = coarse_to_fine(train, SPACE, budget=10, early=False)
    assert spent == [1.0] * 10
    assert "SEA008" not in codes(whole)


def test_the_best_is_never_stopped() -> None:
    for seed in range(2):
        X, y = load_breast_cancer(return_X_y=True)
        tree = DecisionTreeClassifier(random_state=0)
        space = {"max_depth": (1, 9), "min_samples_leaf": (1, 200, "log")}
        report = coarse_to_fine(tree, space, X, y, budget=20, confirm=False, seed=seed)
        stopped = report.frame[report.frame["note"] != ""]
        whole = coarse_to_fine(tree, {k: sorted(set(v.tolist())) for k, v in stopped[list(space)].items()}, X, y, budget=20,
                               confirm=False, early=False, seed=seed) if len(stopped) else report
        assert set(stopped["trial"]).isdisjoint({report.best_trial})
        assert whole.best_score <= report.best_score + .02


def test_parameters_that_exist_only_beside_an_option() -> None:
    kernels = {"rbf": {"svc__gamma": (1e-4, 1., "log")}, "poly": {"svc__degree": (2, 4)}, "linear": {}}
    X, y = load_breast_cancer(return_X_y=True)
    report = coarse_to_fine(make_pipeline(StandardScaler(), SVC()), {"svc__C": (.01, 100., "log"), "svc__kernel": kernels},
                            X[:150], y[:150], budget=14, cv=2, confirm=False)
    assert list(report.frame.columns)[2:6] == ["svc__C", "svc__kernel", "svc__gamma", "svc__degree"]
    tried = report.frame.iloc[1:]
    assert tried.loc[tried["svc__kernel"] != "rbf", "svc__gamma"].isna().all()
    assert tried.loc[tried["svc__kernel"] == "rbf", "svc__gamma"].notna().all()
    assert set(tried["svc__kernel"]) == {"rbf", "poly", "linear"}


def test_a_list_of_spaces() -> None:
    seen: list[dict[str, Any]] = []

    def score(params: dict[str, Any]) -> float:
        seen.append(params)
        return params.get("a", 0.) + params.get("b", 0)

    report = coarse_to_fine(score, [{"a": (0., 1.)}, {"b": (1, 3), "c": ["x", "y"]}], budget=20)
    assert {frozenset(params) for params in seen} == {frozenset("a"), frozenset("bc")}
    assert report.best_params["b"] == 3
    assert len({repr(params) for params in seen}) == len(seen)
    small = coarse_to_fine(lambda p: 1., [{"a": [1, 2]}, {"b": [1]}], budget=9)
    assert len(small.frame) == 3
    assert "SEA006" in codes(small)


def test_a_far_corner_that_alone_works_is_found() -> None:
    def corner(params: dict[str, Any]) -> float:
        if params["a"] < .8 or params["b"] > .2:
            raise ValueError("diverged")
        return 1 - (params["a"] - .95) ** 2

    reports = [coarse_to_fine(corner, SPACE, budget=60, seed=seed) for seed in range(6)]
    assert all(report.best_score > .99 for report in reports)
    assert all(found(report, "SEA004") for report in reports)


def test_a_function_that_always_fails_is_said_in_one_line() -> None:
    with pytest.raises(BadInputError, match="give a score with at least one candidate") as caught:
        coarse_to_fine(lambda params: None, SPACE, budget=4)
    assert "\n" not in str(caught.value)


def test_a_log_is_gone_on_from(tmp_path: Any) -> None:
    calls: list[dict[str, Any]] = []

    def score(params: dict[str, Any]) -> float:
        calls.append(params)
        if len(calls) == 13 and interrupted:
            raise KeyboardInterrupt
        return hill(params)

    interrupted, path = True, tmp_path / "deep" / "search.jsonl"
    with pytest.raises(KeyboardInterrupt):
        coarse_to_fine(score, SPACE, budget=20, log=path)
    assert len(path.read_text().splitlines()) == 13  # the head, and twelve trials
    with path.open("a") as file:
        file.write('{"trial": 12, "ro')
    interrupted = False
    calls.clear()
    resumed = coarse_to_fine(score, SPACE, budget=20, log=path)
    assert len(calls) == 8
    assert found(resumed, "SEA009").evidence["taken"] == 12
    whole = coarse_to_fine(score, SPACE, budget=20)
    pd.testing.assert_frame_equal(resumed.frame.drop(columns="seconds"), whole.frame.drop(columns="seconds"))
    calls.clear()
    assert coarse_to_fine(score, SPACE, budget=30, log=path).best_score >= whole.best_score
    assert len(calls) == 10
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["trial"] for line in lines[1:]] == list(range(30))


def test_a_log_of_something_else_is_refused(tmp_path: Any) -> None:
    coarse_to_fine(hill, SPACE, budget=3, log=tmp_path / "a")
    (tmp_path / "b").write_text("hello\n")
    (tmp_path / "c").write_text("[]\n")
    for name, space, error, text in (("a", {"a": (0., 2.), "b": (0., 1.)}, BadInputError, "another space"),
                                     ("b", SPACE, BadInputError, "something else"), ("c", SPACE, BadInputError, "something else"),
                                     ("", SPACE, ProjectError, "can be written")):
        with pytest.raises(error, match=text) as caught:
            coarse_to_fine(hill, space, budget=3, log=tmp_path / name)
        assert "\n" not in str(caught.value)
    assert (tmp_path / "b").read_text() == "hello\n"
    law = {"a": stats.uniform(0, 1), "b": stats.uniform(0, 1)}
    for _ in range(2):
        report = coarse_to_fine(hill, dict(law), budget=3, log=tmp_path / "d")
    assert found(report, "SEA009").evidence["taken"] == 3


def test_failures_are_kept_in_the_log(tmp_path: Any) -> None:
    calls = []

    def score(params: dict[str, Any]) -> float:
        calls.append(params)
        if params["a"] > .5:
            raise RuntimeError("no")
        return hill(params)

    first, second = (coarse_to_fine(score, SPACE, budget=12, log=tmp_path / "log") for _ in range(2))
    assert len(calls) == 12
    assert found(second, "SEA004").message == found(first, "SEA004").message


KILLED = """
import sys, time
from ml_lifecycle.refinement import coarse_to_fine
def score(params):
    with open(sys.argv[2], "a") as file:
        file.write(f"{params['a']!r}\\n")
    time.sleep(.05)
    return 1 - (params["a"] - .3) ** 2
report = coarse_to_fine(score, {"a": (0., 1.)}, budget=40, log=sys.argv[1])
print(report.best_params["a"])
"""


@pytest.mark.slow
def test_a_search_that_was_killed_repeats_no_finished_trial(tmp_path: Any) -> None:
    log, calls = tmp_path / "log", tmp_path / "calls"
    command = [sys.executable, "-c", KILLED, str(log), str(calls)]
    child = subprocess.Popen(command)
    deadline = time.monotonic() + 90
    while (not log.exists() or log.read_bytes().count(b"\n") < 9) and time.monotonic() < deadline:
        time.sleep(.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    kept = [json.loads(line) for line in log.read_text().splitlines()[1:] if line.endswith("}")]
    assert 8 <= len(kept) < 40
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    tried = calls.read_text().split()
    assert all(tried.count(repr(line["params"]["a"])) == 1 for line in kept)
    assert len(tried) <= 41
    assert sorted(json.loads(line)["trial"] for line in log.read_text().splitlines()[1:]) == list(range(40))
    whole = coarse_to_fine(lambda params: 1 - (params["a"] - .3) ** 2, {"a": (0., 1.)}, budget=40)
    assert float(said) == whole.best_params["a"]


def test_the_time_is_a_limit() -> None:
    def slow(params: dict[str, Any]) -> float:
        time.sleep(.02)
        return hill(params)

    start = time.monotonic()
    report = coarse_to_fine(slow, SPACE, budget=10_000, seconds=.4)
    assert time.monotonic() - start < 5
    assert 1 <= len(report.frame) < 100
    assert found(report, "SEA009").evidence["budget"] == 10_000
    assert set(report.frame["round"]) == {1, 2, 3}


@pytest.mark.slow
def test_processes_change_nothing_in_a_race() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    space = {"max_depth": (1, 9), "min_samples_leaf": (1, 200, "log"), "max_features": (.05, 1.)}
    one, two = (coarse_to_fine(DecisionTreeClassifier(), space, X, y, budget=24, n_jobs=jobs) for jobs in (None, 2))
    pd.testing.assert_frame_equal(one.frame.drop(columns="seconds"), two.frame.drop(columns="seconds"))
    with parallel_config(backend="threading", n_jobs=2):
        three = coarse_to_fine(DecisionTreeClassifier(), space, X, y, budget=24)
    pd.testing.assert_frame_equal(one.frame.drop(columns="seconds"), three.frame.drop(columns="seconds"))


def test_what_matters_is_told_and_noise_is_not() -> None:
    space = dict.fromkeys("abcd", (0.0, 1.0))
    told, false = 0, 0
    for seed in range(10):
        report = coarse_to_fine(lambda p: -(p["a"] - .3) ** 2, space, budget=40, seed=seed)
        ps = found(report, "SEA007").evidence["p"]
        told += ps["a"] < .05
        false += sum(ps[name] < .05 for name in "bcd")
        assert 0 <= report.importance["a"][1] <= report.importance["a"][0] <= report.importance["a"][2] <= 1
    assert told >= 8
    assert false <= 5


def test_noise_alone_is_called_noise() -> None:
    said = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        report = coarse_to_fine(lambda p, rng=rng: float(rng.normal()), SPACE, budget=30, seed=seed, metric="noise")
        said.append(found(report, "SEA002").severity == "tip")
    assert sum(said) >= 8
    few = coarse_to_fine(hill, SPACE, budget=8)
    assert found(few, "SEA007").severity == "not applicable"


def test_lists_of_rising_numbers_keep_their_order() -> None:
    space = read_space({"a": [1, 10, 100], "b": ["x", "y"], "c": [3, 1, 2], "d": {1, 2}, "e": [True, False, True]}, None)
    assert [type(axis).__name__ for axis in space.axes] == ["Line", "Choice", "Choice", "Choice", "Choice"]
    for value in (1, 10, 100):
        point = space.point({"a": value, "b": "y", "c": 1, "d": 2, "e": False})
        assert point is not None
        assert space.params(point) == {"a": value, "b": "y", "c": 1, "d": 2, "e": False}
    assert space.point({"a": 7, "b": "y", "c": 1, "d": 2, "e": False}) is None
    assert space.size() == 3 * 2 * 3 * 2 * 2
    nested = read_space({"k": {"x": {"a": [1, 2]}, "y": {}}, "b": [1, 2]}, None)
    assert nested.size() == 6
    assert read_space([{"a": [1, 2]}, {"b": (1, 3)}], None).size() == 5
    assert read_space([{"a": (0., 1.)}], None).names == ("a",)


@settings(max_examples=60)
@given(st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_a_settled_point_stands_for_its_values(at: list[float]) -> None:
    space = read_space({"k": {"x": {"a": (1, 9, "log")}, "y": {"b": stats.randint(2, 6)}}, "c": [1, 5, 9]}, None)
    (point,) = space.settled(np.array([at]))
    assert space.params(point) == space.params(np.array(at))
    np.testing.assert_allclose(space.settled(point[None])[0], point, atol=1e-9)
    back = space.point(space.params(point))
    assert back is not None
    np.testing.assert_allclose(back, point, atol=1e-9)


def test_the_mark_of_data_follows_their_values() -> None:
    from scipy import sparse

    from ml_lifecycle.refinement._search.log import mark_of

    array = np.eye(3)
    changed = array.copy()
    changed[0, 0] = 2
    for make in (np.asarray, pd.DataFrame, sparse.csr_matrix, lambda a: a.astype(object)):
        assert mark_of(make(array)) == mark_of(make(array.copy()))
        assert mark_of(make(array)) != mark_of(make(changed))


@pytest.mark.parametrize(("function", "space", "options", "text"), [
    (hill, SPACE, {"X": X1}, "`X` and `y` must be left out"),
    (hill, SPACE, {"metric": len}, "`metric` must be a name"),
    (hill, SPACE, {"greater_is_better": "yes"}, "`greater_is_better` must be"),
    (hill, SPACE, {"early": 2}, "`early` must be"),
    (hill, SPACE, {"seconds": -1}, "`seconds` must be"),
    (hill, SPACE, {"log": 3}, "`log` must be the path"),
    (hill, {}, {}, "at least one parameter"),
    (hill, [], {}, "at least one parameter"),
    (hill, [{"a": [1]}, {}], {}, "in each of its spaces"),
    (hill, {3: [1]}, {}, "by text"),
    (hill, {"a": {"x": 3}}, {}, "what it brings with it"),
    (hill, {"a": {}}, {}, "what it brings with it"),
    (Ridge(), {"alpha": [1, 2]}, {}, "`X` must hold the features"),
])
def test_nonsense_around_functions_is_refused_in_one_line(function: Any, space: Any, options: dict[str, Any], text: str) -> None:
    with pytest.raises(BadInputError, match=text) as caught:
        coarse_to_fine(function, space, **options)
    assert "\n" not in str(caught.value)
