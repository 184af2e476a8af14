import datetime
import functools
import os
import random
import sys
import time
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joblib import parallel_config
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import LeaveOneGroupOut, PredefinedSplit, RepeatedStratifiedKFold, StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from ml_lifecycle.exploration import _entries, _measure
from ml_lifecycle.exploration._folds import make_folds
from ml_lifecycle.exploration.baselines import BaselineReport, baselines
from ml_lifecycle.exploration.pipelines import default_models
from ml_lifecycle.foundation.dataset import load_dataset
from ml_lifecycle.foundation.errors import BadInputError, UnknownNameError
from ml_lifecycle.foundation.report import Report

pytestmark = pytest.mark.filterwarnings("error")


def fast():
    return {"linear": make_pipeline(StandardScaler(), LogisticRegression()), "stump": DecisionTreeClassifier(max_depth=1)}


@pytest.fixture(autouse=True)
def _one_row_is_timed(monkeypatch):
    monkeypatch.setattr(_measure, "ROWS_TIMED", 1)
    monkeypatch.setattr(_entries, "DRAWS", 3)


@pytest.fixture(scope="module")
def cancer():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    return X[["mean radius", "mean texture", "mean smoothness", "worst area"]], y


@pytest.fixture(scope="module")
def table(cancer):
    X, y = cancer
    return X.assign(diagnosis=np.where(y == 1, "benign", "malignant"))


def found(report, code):
    return next((f for f in report.findings if f.code == code), None)


def row(report, name):
    return report.frame.set_index("name").loc[name]


# ---- the report

def test_a_report_has_what_is_promised(cancer):
    X, y = cancer
    report = baselines(X, y, models=fast(), heuristics={"radius": lambda X: -X["mean radius"]})
    assert list(report.frame.columns[:7]) == ["name", "score", "low", "high", "fit_seconds", "predict_ms", "kind"]
    assert report.best == "linear"
    assert report.simplest == "linear"
    assert (report.metric, report.greater_is_better, report.n) == ("roc_auc", True, 569)
    frame = report.frame
    assert frame["score"].is_monotonic_decreasing
    assert set(frame["kind"]) == {"trivial", "model", "heuristic"}
    assert (frame["low"] <= frame["score"]).all()
    assert (frame["score"] <= frame["high"]).all()
    assert (frame["n"] == 569).all()
    assert (frame["folds"] == 5).all()
    assert (frame.loc[frame["kind"] != "heuristic", "fit_seconds"] > 0).all()
    assert (frame["predict_ms"] > 0).all()
    assert row(report, "majority")["score"] == 0.5
    assert report.fold_scores["linear"] == pytest.approx(tuple(report.fold_scores["linear"]))
    assert np.mean(report.fold_scores["linear"]) == pytest.approx(row(report, "linear")["score"])
    assert report.params["versions"]["scikit-learn"]
    assert "linear is best: ROC AUC" in report.answer
    assert "It is the simplest model, too." in report.answer
    assert report.passed is True


def test_scores_are_those_of_scikit_learn_on_the_same_folds(cancer):
    X, y = cancer
    report = baselines(X, y, models={"nb": GaussianNB()}, seed=3)
    scores = []
    for train, test in StratifiedKFold(5, shuffle=True, random_state=3).split(X, y):
        said = GaussianNB().fit(X.iloc[train], y.iloc[train]).predict_proba(X.iloc[test])[:, 1]
        scores.append(roc_auc_score(y.iloc[test], said))
    assert report.fold_scores["nb"] == pytest.approx(scores)


def test_the_report_reads_back_draws_and_shows_itself(cancer):
    X, y = cancer
    report = baselines(X, y, metric="log_loss", models=fast(), human=0.1, heuristics=[lambda X: 1 / 0],
                       published=[{"name": "<b>", "score": 0.2, "source": "a & b", "low": 0.1, "high": 0.3, "n": 10}])
    again = Report.from_json(report.to_json())
    assert isinstance(again, BaselineReport)
    assert again.to_json() == report.to_json()
    assert again.answer == report.answer
    assert again.svg() == report.svg()
    axes = report.plot()
    assert "Log loss (lower is better" in axes.get_xlabel()
    assert "&lt;b&gt;" in report._repr_html_()
    assert "<b><" not in report._repr_html_()
    assert "linear" in repr(report)


def test_nothing_that_was_handed_in_changes(cancer):
    X, y = cancer
    before, model = X.copy(deep=True), fast()["linear"]
    baselines(X, y, models=[model])
    pd.testing.assert_frame_equal(X, before)
    assert not hasattr(model[-1], "coef_")
    assert model[-1].random_state is None


def test_the_seed_repeats_everything_but_the_clock(cancer):
    X, y = cancer
    models = {"random": DecisionTreeClassifier(max_features=1, max_depth=3)}
    first, again, other = (baselines(X, y, models=models, seed=s) for s in (1, 1, 2))
    assert same_numbers(first, again)
    assert first.fold_scores != other.fold_scores


def same_numbers(one, two):
    timed = ["fit_seconds", "predict_ms"]
    pd.testing.assert_frame_equal(one.frame.drop(columns=timed), two.frame.drop(columns=timed))
    return one.fold_scores == two.fold_scores


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # Python 3.12 warns of it where threads run
def test_processes_and_threads_give_the_same_numbers(cancer):
    X, y = cancer[0].iloc[::3], cancer[1].iloc[::3]
    rule = {"radius": lambda X: (X["mean radius"] < 15).astype(int)}
    one = baselines(X, y, models={**fast(), "stays": Unpicklable()}, heuristics=rule, metric="accuracy", n_jobs=1)
    for backend in ("threading", "multiprocessing"):
        with parallel_config(backend=backend, n_jobs=2):
            two = baselines(X, y, models={**fast(), "stays": Unpicklable()}, heuristics=rule, metric="accuracy")
        assert same_numbers(one, two)
    assert {"linear", "stays", "radius"} <= set(one.fold_scores)


@pytest.mark.slow
def test_workers_give_the_same_numbers_for_the_default_models(table):
    few = table.iloc[::5]
    assert same_numbers(baselines(few, "diagnosis", cv=2), baselines(few, "diagnosis", cv=2, n_jobs=2))


class Unpicklable(ClassifierMixin, BaseEstimator):
    def __getstate__(self):
        raise TypeError("cannot pickle a live connection")

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


def test_what_cannot_be_sent_to_another_process_stays_here():
    assert not _measure._travels(Unpicklable())
    assert _measure._travels(lambda X: X)


# ---- what may be handed in

def test_a_data_set_a_table_a_file_and_a_course_name_are_taken(table, tmp_path):
    table.to_csv(tmp_path / "cancer.csv", index=False)
    reports = [baselines(table, target="diagnosis", models=["small tree"]),
               baselines(table, "diagnosis", models=["small tree"]),
               baselines(load_dataset(table, target="diagnosis"), models=["small tree"]),
               baselines(str(tmp_path / "cancer.csv"), target="diagnosis", models=["small tree"]),
               baselines(table.drop(columns="diagnosis"), table["diagnosis"], models=["small tree"], positive="malignant")]
    assert len({r.fold_scores["small tree"] for r in reports}) == 1
    assert reports[3].params["data"] == "cancer"
    assert reports[0].params["positive"] == "malignant"


@pytest.mark.parametrize("make", [
    lambda X: X.to_numpy(), lambda X: sparse.csr_matrix(X.to_numpy()), lambda X: X.to_numpy().tolist(),
    lambda X: [f"it weighs {w:.0f} and it is {'big' if w > 880 else 'small'} like most others" for w in X["worst area"]],
])
def test_features_come_in_many_forms(make, cancer):
    X, y = cancer
    report = baselines(make(X), list(y), models=["logistic regression"])
    assert row(report, "logistic regression")["score"] > 0.8


def test_default_models_run_on_classes_and_on_numbers(table):
    report = baselines(table.iloc[::4], "diagnosis", cv=2)
    assert set(report.frame.loc[report.frame["kind"] == "model", "name"]) == {
        "logistic regression", "small tree", "random forest", "gradient boosting"}
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    report = baselines(X.iloc[::3], y.iloc[::3], cv=2)
    assert report.metric == "rmse"
    assert report.simplest == "ridge regression"
    assert report.frame["score"].is_monotonic_increasing
    assert {"mean", "median"} <= set(report.frame["name"])


@pytest.mark.parametrize(("models", "names"), [
    ((), []), ([], []), ({}, []), (SVC(), ["SVC"]), ([SVC(), SVC()], ["SVC", "SVC 2"]), (("majority", GaussianNB()), None),
    ([("mine", GaussianNB())], ["mine"]), (make_pipeline(StandardScaler(), SVC()), ["SVC"]), ("small tree", ["small tree"]),
    ([GaussianNB(), "small tree"], ["GaussianNB", "small tree"]), ({"majority": GaussianNB()}, ["majority 2"]),
])
def test_models_come_in_many_forms(models, names, cancer):
    if names is None:
        with pytest.raises(UnknownNameError, match="Default models: logistic regression"):
            baselines(*cancer, models=models)
        return
    report = baselines(*cancer, models=models, cv=2)
    kinds = report.frame.set_index("name")["kind"]
    assert sorted(kinds.index[kinds == "model"]) == sorted(names)
    if not names:
        assert report.simplest is None
        assert found(report, "BAS001").severity == "not applicable"
        assert report.passed is None


@pytest.mark.parametrize(("arguments", "says"), [
    ({"models": [SVC]}, r"Got the class SVC; write SVC\(\)"), ({"models": [3]}, "must be estimators"),
    ({"heuristics": ["x"]}, "must be functions"), ({"metric": "rocauc"}, "Did you mean 'roc_auc'"),
    ({"metric": "rmse"}, "must be one for classification"), ({"task": "clasification"}, "Tasks"),
    ({"task": "regression", "y": ["a", "b"] * 284 + ["a"]}, "Did you mean task='classification'"),
    ({"cv": 1}, "at least 2 folds"), ({"cv": True}, "`cv` must be a number"), ({"cv": "five"}, "`cv` must be a number"),
    ({"cv": [([0, 1], [1, 2])]}, "1 rows on both sides of fold 1"), ({"cv": [([0, 1], [999])]}, "positions from 0 to 568"),
    ({"cv": [3]}, r"pairs \(training, test\)"), ({"cv": [([0], [1])]}, "two classes"), ({"y": [1] * 569}, "two different values"),
    ({"y": [1, 0]}, "one value for each row of X. Got 2 for 569"), ({"y": [None, 1, 0] + [1] * 566}, "no missing values. Got 1"),
    ({"y": [f"name {i}" for i in range(569)]}, "classes that come back"), ({"positive": 7}, "Labels: 0, 1"),
    ({"y": [np.inf] + list(np.arange(568.0) / 7)}, "infinite"), ({"groups": "clinic"}, "`groups` must be a column"),
    ({"groups": [1, 2]}, "one value for each row. Got 2 for 569"), ({"time": [1] * 569}, "two different times. Got 1"),
    ({"groups": [1] * 569}, "two groups. Got 1"), ({"target": "x"}, "must be left out when `y` is given"),
    ({"published": [{"name": "x", "score": 1}]}, "'source'"), ({"published": ["x"]}, "must be dicts"),
    ({"published": [{"name": "x", "score": "high", "source": "y"}]}, "score='high'"),
    ({"published": [{"name": "x", "score": 0.5, "source": "y", "low": 0.6}]}, "from low to high"),
    ({"human": {"score": 0.5, "hight": 1}}, "hight"), ({"human": [1, 0]}, "labels for each of the 569 rows"),
    *(({"seed": seed}, r"`seed` must be an int in the range \[0, 2\*\*32\). Got ")
      for seed in (-1, "a", 1.5, 2**33, None, True)),
    *(({"n_jobs": jobs}, "`n_jobs` must be a whole number other than 0") for jobs in (0, "a", 1.5, True)),
    ({"cv": [(0, 1)]}, r"arrays of positions. Got \(0, 1\) as fold 1"), ({"cv": [([0, [1]], [2])]}, "arrays of positions"),
    ({"cv": LeaveOneGroupOut()}, "Say which rows belong together: groups="), ({"cv": np.array(5)}, "Try cv=5"),
    ({"cv": StratifiedKFold}, r"Got StratifiedKFold. Write StratifiedKFold\(\)"), ({"models": 3}, "Got 3. Write models="),
    ({"published": 3}, "Got 3. Write published="), ({"heuristics": 3}, "Got 3. Write heuristics="),
    ({"text": 3}, "Got 3. Write text="),
    ({"published": [{"name": "x", "score": np.ones(2), "source": "y"}]}, "numbers as scores"),
    ({"y": [[1]] * 568 + [[1, 2]]}, "`y` must have one value for each row. Got a list in row 0"),
    ({"y": pd.Series([(1, 2)] * 569)}, "Got a tuple in row 0"), ({"y": np.arange(569) % 2 * 1j}, "Got complex numbers"),
    ({"y": [b"a"] * 568 + [b"b"]}, "Decode them"), ({"groups": [[1]] * 568 + [[1, 2]]}, "Got list, not one value a row"),
    ({"groups": pd.Series([[1]] * 569)}, "Got a list in row 0"), ({"groups": np.zeros((569, 2))}, r"Got shape \(569, 2\)"),
    ({"time": np.arange(569) * 1j}, "put in order"), ({"time": 3}, "in one column"),
    *(({"y": y, "task": task}, f"labels or numbers. Got {what}") for task in (None, "regression") for what, y in (
        ("dates", pd.Series(pd.date_range("2020", periods=569))), ("time spans", pd.to_timedelta(np.arange(569), unit="D")),
        ("dates", pd.Categorical(pd.date_range("2020", periods=569))), ("dates", [datetime.date(2020, 1, 1)] * 569),
        ("dates", pd.Series(pd.period_range("2020", periods=569))))),
    ({"y": [f"name {i}" for i in range(569)], "task": "regression"}, "Got 'name 0'. Make sure that `y` is"),
    ({"y": [f"{i}" for i in range(569)]}, r"pd.to_numeric\(y\)"),
    ({"y": [i + 0.5 for i in range(569)], "task": "classification"}, "Did you mean task='regression'"),
    ({"positive": [1]}, "must be one label"),
    ({"human": ["what"] * 569}, "none of the classes"), ({"human": [None] * 569}, "at least one label"),
])
def test_bad_arguments_are_refused_before_any_work(arguments, says, cancer, monkeypatch):
    X, y = cancer
    monkeypatch.setattr(sys.modules[BaselineReport.__module__], "measure_all", _no_work)
    with pytest.raises((BadInputError, UnknownNameError), match=says) as caught:
        baselines(X, **{"y": y, **arguments})
    assert "\n" not in str(caught.value)


def _no_work(*_, **__):
    raise AssertionError("it began to work")


def test_too_few_rows_and_a_missing_target_are_refused(table):
    with pytest.raises(BadInputError, match="at least 10 rows. Got 4"):
        baselines(np.zeros((4, 1)), [0, 1, 0, 1])
    with pytest.raises(BadInputError, match="`target` must name the column"):
        baselines(table)
    with pytest.raises(BadInputError, match="rows and columns"):
        baselines(np.zeros((20, 0)), [0, 1] * 10)
    with pytest.raises(BadInputError, match="`data` must have rows and columns. Got None. Pass a frame"):
        baselines(None, [0, 1] * 10)
    with pytest.raises(BadInputError, match="`data` must have the same number of columns"):
        baselines([[1], [1, 2]] * 10, [0, 1] * 10)


@pytest.mark.parametrize(("labels", "positive", "meant"), [
    ([0, 1], "1", 1), ([0, 1], " 0", 0), (["0", "1"], 1, "1"), ([0, 1], True, 1),
])
def test_a_positive_label_may_be_written_as_text(labels, positive, meant):
    y = np.array(labels)[np.arange(40) % 2]
    assert baselines(np.arange(40.0).reshape(-1, 1), y, models=(), positive=positive).params["positive"] == meant


def test_the_largest_seed_serves(cancer):
    report = baselines(*cancer, models=(), seed=2**32 - 1, n_jobs=np.int64(1))
    assert row(report, "stratified")["score"] == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("names", [[0, "b", ("c", 1)], [None, "a", "b"]])
def test_names_of_columns_may_be_mixed(names):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({i: rng.normal(size=60) for i in range(3)})
    y = X[0] + rng.normal(size=60) > 0
    X.columns = pd.Index(names, tupleize_cols=False)
    models = ["logistic regression", "small tree", "gradient boosting"]
    report = baselines(X, y, cv=2, heuristics=[lambda X: X.iloc[:, 0]], models=models)
    assert report.frame["score"].notna().all()
    strict = baselines(X, y, cv=2, models=[LogisticRegression()])
    assert row(strict, "majority")["score"] == 0.5
    assert "give all columns names that are strings" in found(strict, "BAS005").next.action


def test_the_random_states_of_others_stay_as_they_are(cancer):
    X, y = cancer

    class Drawing(GaussianNB):
        def fit(self, X, y):
            random.random()
            return super().fit(X, y + np.random.randint(0, 1))

    before = random.getstate(), np.random.get_state()
    baselines(X, y, models=[Drawing()], heuristics=[lambda X: np.random.random(len(X))], cv=StratifiedKFold(3, shuffle=True))
    with pytest.raises(BadInputError):
        baselines(X, y, models=(), cv=(np.random.random() for _ in range(2)))
    assert random.getstate() == before[0]
    assert all(np.array_equal(a, b) for a, b in zip(np.random.get_state(), before[1]))


@settings(max_examples=14, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([None, "accuracy", "log_loss", "average_precision"]), st.booleans())
def test_a_score_lies_within_its_interval(seed, metric, alone):
    rng = np.random.default_rng(seed)
    cv = [(np.arange(40), np.arange(40, 60))] if alone else 3
    people = rng.integers(0, 2, (60, 3))
    frame = baselines(rng.normal(size=(60, 2)), np.r_[0, 1, rng.integers(0, 2, 56), 0, 1], metric=metric, cv=cv, models=(),
                      human=people, seed=seed).frame
    known = frame[np.isfinite(frame["low"])]
    assert {"majority", "stratified"} <= set(known["name"])
    assert (known["low"] <= known["score"]).all()
    assert (known["score"] <= known["high"]).all()


@pytest.mark.parametrize(("y", "task"), [
    ([0, 1] * 20, "classification"), ([0.0, 1.0] * 20, "classification"), ([True, False] * 20, "classification"),
    (pd.Categorical([3, 4] * 20), "classification"), (pd.Series([True, False] * 20, dtype="boolean"), "classification"),
    (pd.Series([1, 2] * 20, dtype="Int64"), "classification"), (np.array(["a", "b"] * 20, dtype=object), "classification"),
    ([1, "b"] * 20, "classification"), (np.arange(40), "regression"), (np.arange(40) / 7, "regression"),
    (pd.Series(np.arange(40) / 7, dtype="Float64"), "regression"), (np.arange(40).reshape(-1, 1), "regression"),
    (np.array([1.5, 2.5] * 20, dtype=object), "regression"), (np.array([True, False] * 20, dtype=object), "classification"),
])
def test_the_task_is_told_from_the_target(y, task):
    report = baselines(np.arange(80.0).reshape(40, 2), y, models=())
    assert report.params["task"] == task
    assert report.frame["score"].notna().all()


# ---- rules of thumb

@pytest.mark.parametrize("metric", ["roc_auc", "accuracy"])
@pytest.mark.parametrize("rule", [
    lambda X: np.where(X["mean radius"] < 15, "benign", "malignant"), lambda X: X["mean radius"] >= 15,
    lambda X: (X["mean radius"] >= 15).astype(float), lambda X: [[0.9, 0.1] if r < 15 else [0.1, 0.9] for r in X["mean radius"]],
    lambda X: pd.Series(np.where(X["mean radius"] < 15, "benign", "malignant"), dtype="category"),
    lambda X: (X[["mean radius"]] >= 15).to_numpy(),
])
def test_rules_may_give_labels_truths_shares_or_probabilities(rule, metric, table):
    report = baselines(table, "diagnosis", metric=metric, heuristics={"rule": rule}, models=(), positive="malignant")
    assert row(report, "rule")["score"] > 0.8
    assert report.best == "rule"
    assert "No trained model" not in report.answer


def test_rules_may_give_scores_where_the_metric_ranks(table):
    def size(X):
        return X["worst area"]

    ranked = baselines(table, "diagnosis", heuristics=size, models=(), positive="malignant")
    assert row(ranked, "size")["score"] > 0.9
    assert row(ranked, "size")["fit_seconds"] == 0
    flipped = baselines(table, "diagnosis", heuristics=size, models=(), positive="benign")
    assert row(flipped, "size")["score"] == pytest.approx(1 - row(ranked, "size")["score"])
    for metric, needs in (("accuracy", "needs labels"), ("log_loss", "needs probabilities")):
        report = baselines(table, "diagnosis", metric=metric, heuristics=size, models=())
        assert needs in found(report, "BAS005").message


@pytest.mark.parametrize(("rule", "says"), [
    (lambda X: [1, 2], "gave 2 values"), (lambda X: 1, "gave one value"), (lambda X: [np.nan] * len(X), "missing"),
    (lambda X: X["no such column"], "KeyError"), (lambda X: ["maybe"] * len(X), "'maybe', which is none of the classes"),
    (lambda X: np.zeros((len(X), 3)), "3 columns for 2 classes"), (lambda X: [np.inf] * len(X), "infinite"),
    (lambda X: [[np.nan, 1.0]] * len(X), "missing"), (lambda X: None, "gave one value"), (lambda X: [[1]] * len(X), None),
])
def test_a_rule_that_fails_is_a_row_and_a_finding(rule, says, cancer):
    X, y = cancer
    report = baselines(X, y, metric="accuracy", heuristics=[rule], models=())
    if says is None:
        assert found(report, "BAS005") is None
        return
    assert np.isnan(row(report, "rule 1")["score"])
    assert "failed in 5 of 5 folds" in row(report, "rule 1")["note"]
    assert says in found(report, "BAS005").message
    assert report.passed is False
    assert report.frame["name"].iloc[-1] == "rule 1"


def test_rules_of_numbers_and_names(cancer):
    X, y = load_diabetes(return_X_y=True, as_frame=True)

    class Rule:
        def __call__(self, X):
            return 150 + 900 * X["bmi"]

    rules = [Rule(), ("named", lambda X: np.full(len(X), 150)), lambda X: X["sex"] * np.nan]
    report = baselines(X, y, heuristics=rules, models=())
    assert {"Rule", "named", "rule 3"} <= set(report.frame["name"])
    assert report.best == "Rule"


def test_a_rule_that_needs_many_rows_is_scored_but_not_timed(cancer):
    X, y = cancer

    def ranks(X):
        if len(X) < 2:
            raise ValueError("one row has no rank")
        return -X["mean radius"].rank()

    report = baselines(X, y, heuristics=[ranks], models=())
    assert row(report, "ranks")["score"] > 0.9
    assert np.isnan(row(report, "ranks")["predict_ms"])


def test_a_rule_that_is_as_good_as_the_models_is_an_issue():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(400, 3)), columns=list("abc"))
    y = ((X["a"] * X["b"] > 0) ^ (rng.random(400) < 0.05)).astype(int)
    models = {"linear": LogisticRegression(), "nb": GaussianNB()}
    wins = baselines(X, y, models=models, heuristics={"same sign": lambda X: (X["a"] * X["b"] > 0).astype(int)})
    assert found(wins, "BAS004").severity == "issue"
    assert wins.best == "same sign"
    assert "No trained model is better." in wins.answer
    assert wins.recommended == "same sign"
    assert wins.reason == found(wins, "BAS004").message
    assert found(wins, "BAS004").evidence["difference"] < 0
    loses = baselines(X, y, models={"tree": DecisionTreeClassifier()}, heuristics={"nothing": lambda X: X["c"]})
    assert found(loses, "BAS004").severity == "passed"
    ties = baselines(X, y, models={"tree": DecisionTreeClassifier(max_depth=5, random_state=1)}, cv=2,
                     heuristics={"nearly": lambda X: (X["a"].round() * X["b"].round() > 0).astype(int)})
    assert found(ties, "BAS004").severity in ("tip", "issue")


def told(*gaps, **more):
    """The report on a rule and on models that are so much better than it, in the mean of the folds and give or take."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(400, 1)), np.tile([0, 1], 200)
    noisy = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    fake = {f"model {i}": 0.7 + gap + spread * noisy for i, (gap, spread) in enumerate(gaps, 1)}

    def outcomes(problem, candidates, folds, **_):
        plain = {"majority": np.full(5, 0.5), "stratified": np.full(5, 0.5), "rule": 0.7 + 0 * noisy}
        scores = [{**plain, **fake}[c.name] for c in candidates]
        return [[_measure.Outcome(score=s, fit_seconds=0.1, predict_ms=0.1) for s in row] for row in scores]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules[BaselineReport.__module__], "measure_all", outcomes)
        return baselines(X, y, models={name: GaussianNB() for name in fake}, heuristics={"rule": lambda X: X}, **more)


@pytest.mark.parametrize(("gap", "spread", "severity", "choice", "says"), [
    (-1e-9, 0.02, "tip", "model 1", "Cannot tell whether model 1 is better or worse than the rule 'rule'"),
    (1e-9, 0.02, "tip", "model 1", "Cannot tell whether model 1 is better or worse than the rule 'rule'"),
    (-0.01, 0.02, "tip", "model 1", "Go on with model 1 until it can be told"),
    (-0.1, 0.02, "issue", "rule", "No trained model beats the rule 'rule' (0.700): the best, model 1, is worse: -0.100"),
    (-0.001, 0.002, "issue", "rule", "No trained model is worth more than the rule"),
    (0.001, 0.002, "issue", "rule", "less than a point at best"), (0.1, 0.02, "passed", "model 1", "beats the rule"),
])
def test_the_sign_of_noise_decides_nothing_between_a_rule_and_a_model(gap, spread, severity, choice, says):
    report = told((gap, spread))
    fourth = found(report, "BAS004")
    assert fourth.severity == severity
    assert fourth.undecided == (severity == "tip")
    assert says in fourth.message
    assert report.recommended == choice
    if severity != "passed":
        assert report.reason == fourth.message
        assert (report.passed is False) == (severity == "issue")
    if severity == "tip" and gap < 0:
        assert report.best == "rule"
        assert "Cannot tell whether model 1 is really worse" in report.answer
    again = Report.from_json(report.to_json())
    assert (again.recommended, again.reason, again.answer) == (report.recommended, report.reason, report.answer)


def test_a_rule_is_weighed_against_every_model():
    wild = told((-0.12, 0.01), (-0.01, 0.1))
    assert found(wild, "BAS004").undecided
    assert wild.recommended == "rule"  # model 1, the simplest, is shown to be worse
    assert "Keep the rule until it can be told" in wild.reason
    second = told((0.1, 0.01), (0.11, 0.2))
    assert found(second, "BAS004").severity == "passed"
    assert found(second, "BAS004").evidence["best"] == "model 1"
    assert second.recommended == "model 1"
    better = told((-0.1, 0.02), (0.005, 0.02))
    assert found(better, "BAS002").severity == "passed"
    assert better.recommended == "model 2"
    assert "Go on with model 2" in better.reason


def test_one_fold_decides_nothing_against_a_rule(cancer):
    X, y = cancer
    cv = PredefinedSplit(np.where(np.arange(569) < 400, -1, 0))
    report = baselines(X, y, cv=cv, models={"stump": DecisionTreeClassifier(max_depth=1)}, heuristics=[lambda X: -X["worst area"]])
    assert report.best == "rule 1"
    assert found(report, "BAS004").undecided
    assert report.recommended == "stump"


# ---- quoted scores

def test_people_and_papers_stand_beside_the_models(table):
    truth = table["diagnosis"].to_numpy()
    rng = np.random.default_rng(0)
    people = np.where(rng.random((569, 3)) < 0.1, np.where(truth == "benign", "malignant", "benign")[:, None], truth[:, None])
    people = people.astype(object)
    people[300:, :2] = None
    people[:, 2] = None
    paper = {"name": "paper", "score": 0.7, "source": "https://example.org", "low": 0.65, "high": 0.75, "n": 100}
    report = baselines(table, "diagnosis", metric="accuracy", human=people, published=paper, models=["logistic regression"])
    human = row(report, "human")
    assert human["score"] == pytest.approx(0.9, abs=0.04)
    assert human["low"] < human["score"] < human["high"]
    assert human["n"] == 300
    assert human["note"] == "2 annotators"
    assert found(report, "BAS009").severity == "passed"
    assert report.best == "logistic regression"
    one = baselines(table[["mean texture", "diagnosis"]], "diagnosis", metric="accuracy", human=pd.Series(truth),
                    models=["logistic regression"])
    assert row(one, "human")["score"] == 1
    assert row(one, "human")["low"] < 1
    assert "below what people reach" in found(one, "BAS008").message
    nurses = {"score": row(report, "logistic regression")["score"], "low": 0.5, "high": 1, "n": 20, "name": "nurses"}
    near = baselines(table, "diagnosis", metric="accuracy", models=["logistic regression"], human=nurses)
    assert found(near, "BAS008").undecided
    assert "nurses" in set(near.frame["name"])
    above = baselines(table, "diagnosis", metric="accuracy", human=0.6, models=["logistic regression"])
    assert found(above, "BAS008").severity == "passed"


def test_a_lower_score_is_above_people_when_lower_is_better():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    report = baselines(X, y, human=y.to_numpy() + 90, published=[{"name": "p", "score": 1.0, "source": "s"}],
                       models=[LinearRegression()])
    assert found(report, "BAS008").severity == "passed"
    assert "below the published result 'p'" in found(report, "BAS009").message


# ---- what fails, warns, or is too good

class Broken(BaseEstimator):
    def fit(self, X, y):
        raise RuntimeError("the disk is full.")

    def predict(self, X):
        return X


class Grumbling(GaussianNB):
    def fit(self, X, y):
        warnings.warn("old data", UserWarning, stacklevel=1)
        return super().fit(X, y)


class NotANumber(LinearRegression):
    def predict(self, X):
        return np.full(len(X), np.nan)


def test_one_that_fails_does_not_take_the_others_with_it(cancer):
    report = baselines(*cancer, models={"broken": Broken(), "nb": GaussianNB()})
    assert np.isnan(row(report, "broken")["score"])
    assert row(report, "nb")["score"] > 0.9
    failed = found(report, "BAS005")
    assert failed.severity == "issue"
    assert "RuntimeError: the disk is full." in failed.message
    assert report.frame["name"].iloc[-1] == "broken"
    assert report.simplest == "nb"
    alone = baselines(*cancer, models={"broken": Broken()})
    assert alone.best == "majority"
    assert alone.simplest is None
    assert alone.recommended == "majority"
    assert alone.reason == alone.answer
    X, y = load_diabetes(return_X_y=True)
    assert "predictions are missing" in found(baselines(X, y, models=[NotANumber()]), "BAS005").message


def test_warnings_are_told_and_do_not_leak(cancer):
    with warnings.catch_warnings(record=True) as leaked:
        warnings.simplefilter("always")
        report = baselines(*cancer, models={"net": MLPClassifier(max_iter=1), "nb": Grumbling()}, cv=2)
    assert not leaked
    told = [f.message for f in report.findings if f.code == "BAS012"]
    assert any("net warned: ConvergenceWarning" in message for message in told)
    assert any("nb warned: UserWarning: old data" in message for message in told)


def test_a_leak_is_asked_about(cancer):
    X, y = cancer
    report = baselines(X.assign(result=y * 2.0), y, models=fast())
    leak = found(report, "BAS006")
    assert "'result' alone reaches 1" in leak.message
    assert "almost perfect" in leak.message
    assert leak.next.step == "data"
    assert row(report, "linear")["low"] < 1
    D, z = load_diabetes(return_X_y=True, as_frame=True)
    report = baselines(D.assign(cost=z * 3), z, models=[Ridge(alpha=1e-6)])
    assert "'cost'" in found(report, "BAS006").message
    assert found(baselines(D, z, models=[Ridge()]), "BAS006") is None
    big = pd.concat([X.assign(result=y)] * 11, ignore_index=True).to_numpy()
    assert "4" in found(baselines(big, np.tile(y, 11), models=[GaussianNB()], cv=2), "BAS006").evidence["alone"]


def test_the_same_difference_in_every_fold_of_few_rows_decides_nothing():
    y = np.array([0, 1] * 10)
    X = y.copy().reshape(-1, 1).astype(float)
    X[[0, 19]] = 1 - X[[0, 19]]
    pairs = [(np.arange(4, 20), np.arange(4)), (np.arange(16), np.arange(16, 20))]
    report = baselines(X, y, metric="accuracy", cv=pairs, models={"tree": DecisionTreeClassifier()})
    assert report.fold_scores["tree"] == (0.75, 0.75)
    assert found(report, "BAS001").undecided
    assert np.isnan(found(report, "BAS001").evidence["p"])


def test_accuracy_on_a_rare_class_is_warned_of():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 2)), np.repeat([0, 1], [285, 15])
    report = baselines(X, y, metric="accuracy", models=fast())
    assert "always saying '0' is right for 95.0% of 300 rows" in found(report, "BAS007").message
    assert "15 rows of class '1'" in found(report, "BAS011").message
    assert found(baselines(X, y, models=fast()), "BAS007") is None


def test_dates_that_the_folds_ignore_are_mentioned(table):
    dated = table.assign(day=pd.date_range("2020-01-01", periods=len(table)))
    assert "('day')" in found(baselines(dated, "diagnosis", models=["small tree"]), "BAS013").message
    report = baselines(dated, "diagnosis", models=["small tree"], time="day")
    assert found(report, "BAS013") is None
    assert "forward in time" in report.answer


# ---- can it be told?

@functools.cache
def noise(task, seed):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(80, 4)), rng.normal(size=80)
    if task == "classification":
        return baselines(X, y > 0, models={"nb": GaussianNB(), "tree": DecisionTreeClassifier(max_depth=2)}, seed=seed)
    return baselines(X, y, models={"linear": Ridge(), "tree": DecisionTreeRegressor(max_depth=2)}, seed=seed)


def false_claims(reports):
    """How often a model is said to beat the trivial answer, and how often the complex one to beat the simple one."""
    first = sum(found(r, "BAS001").severity == "passed" for r in reports)
    second = [found(r, "BAS002") for r in reports]
    return first, sum(f.severity == "passed" and f.evidence["best"] != f.evidence["simplest"] for f in second)


def test_noise_hardly_ever_beats_anything():
    reports = [noise(task, seed) for task in ("classification", "regression") for seed in range(8)]
    assert max(false_claims(reports)) <= 1
    assert sum(found(r, "BAS001").undecided for r in reports) >= 13
    assert all(r.passed is not True for r in reports)
    undecided = [r for r in reports if found(r, "BAS001").undecided]
    assert all(r.recommended == r.simplest and r.reason for r in undecided)  # also where the trivial row happens to be on top
    on_top = [r for r in undecided if r.frame["kind"].iloc[0] == "trivial"]
    assert on_top
    assert all("is really worse" in r.answer for r in on_top)


@pytest.mark.slow
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_noise_beats_nothing_more_often_than_it_may(task):
    claims = false_claims([noise(task, seed) for seed in range(36)])
    assert max(claims) <= 3  # 8 %


def test_a_clear_signal_is_found():
    passed = 0
    for seed in range(5):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(200, 4))
        report = baselines(X, X[:, 0] + rng.normal(size=200) > 0, models={"nb": GaussianNB()}, seed=seed)
        passed += found(report, "BAS001").severity == "passed"
    assert passed >= 4


def test_a_truly_better_model_is_told_from_the_simplest_and_priced():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 2))
    y = X[:, 0] * X[:, 1] > 0
    report = baselines(X, y, models={"linear": LogisticRegression(), "tree": DecisionTreeClassifier(max_depth=4)})
    second = found(report, "BAS002")
    assert second.severity == "passed"
    assert second.evidence["p"] < 0.05
    assert (second.evidence["n"], second.evidence["folds"]) == (600, 5)
    assert "It beats linear, the simplest, by" in report.answer
    assert report.recommended == "tree"
    assert report.reason == second.message
    assert found(report, "BAS003").evidence["points"] > 5


def test_models_that_are_the_same_are_not_worth_a_choice(cancer):
    X, y = cancer
    slow = make_pipeline(StandardScaler(), SVC(kernel="linear"))
    report = baselines(X, y, models={"linear": LogisticRegression(C=1e-4), "same": LogisticRegression(C=1.01e-4), "svm": slow})
    assert report.simplest == "linear"
    tied = baselines(X, y, models={"a": LogisticRegression(C=1.0), "b": LogisticRegression(C=1.0)})
    assert "It is the simplest model, too." in tied.answer
    rng = np.random.default_rng(1)
    z = X["mean radius"] + rng.normal(size=len(X))
    close = baselines(X[["mean radius"]], z, models={"a": Ridge(alpha=1), "b": Ridge(alpha=0.9)})
    assert found(close, "BAS002").severity == "tip"
    assert not found(close, "BAS002").undecided
    assert "as good" in close.answer
    assert close.recommended == "a"


def test_no_sign_of_anything_is_an_issue():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(3000, 2)), rng.normal(size=3000)
    report = baselines(X, y, models=[Ridge()])
    assert found(report, "BAS001").severity == "issue"
    assert report.passed is False
    assert report.next.step == "data"
    assert report.recommended == found(report, "BAS001").evidence["trivial"]
    assert report.reason == found(report, "BAS001").message


# ---- folds

def test_a_single_fold_has_an_interval_from_its_rows(cancer):
    X, y = cancer
    report = baselines(X, y, cv=PredefinedSplit(np.where(np.arange(569) < 400, -1, 0)), models=fast())
    assert report.n == 169
    one = row(report, "linear")
    assert one["low"] < one["score"] <= one["high"]
    assert found(report, "BAS001").undecided
    assert "1 fold of PredefinedSplit" in report.answer


def test_a_splitter_and_masks_serve_as_folds(cancer):
    X, y = cancer
    report = baselines(X, y, cv=RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0), models=fast())
    assert len(report.fold_scores["linear"]) == 6
    assert report.n == 569
    mask = np.arange(569) < 300
    assert baselines(X, y, cv=[(mask, ~mask), (~mask, mask)], models=fast()).n == 569


def test_rare_classes_give_fewer_folds_and_say_so():
    y = np.array(["a"] * 30 + ["b"] * 30 + ["c"] * 3)
    folds = make_folds(None, y, task="classification")
    assert len(folds.pairs) == 3
    assert folds.notes == ("3 folds instead of 5: class 'c' has 3 rows.",)
    single = make_folds(None, np.array(["a"] * 30 + ["b"]), task="classification")
    assert len(single.pairs) >= 1
    assert "has one row" in " ".join(single.notes)
    report = baselines(np.arange(62.0).reshape(-1, 1), np.r_[y[:-3], ["c", "c"]], models=fast(), metric="roc_auc")
    assert "2 folds instead of 5" in found(report, "BAS010").message


def test_folds_without_a_defined_score_are_counted(cancer):
    X, y = cancer
    y = np.r_[np.zeros(60), np.tile([0, 1], 40)].astype(int)
    report = baselines(X[:140], y, time=np.arange(140), models={"nb": GaussianNB()}, cv=4)
    assert len(report.fold_scores["nb"]) < 4
    assert "left out" in found(report, "BAS010").message
    order = np.r_[np.tile([0, 1], 40), np.zeros(40)].astype(int)
    report = baselines(X[:120], order, time=np.arange(120), models={"nb": GaussianNB()}, cv=5)
    assert "undefined in" in row(report, "nb")["note"]
    assert row(report, "nb")["n"] < 100
    never = baselines(X[:40], np.tile([0, 1], 20), models={"nb": GaussianNB()}, cv=[(np.arange(20), np.arange(20, 40, 2))] * 2)
    assert "undefined in every fold" in found(never, "BAS005").message
    assert never.best is None
    assert never.answer == "Nothing could be scored."
    assert never.recommended is None
    assert never.plot() is not None


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=12, max_size=60), st.integers(2, 6), st.integers(0, 3))
def test_forward_folds_never_learn_from_the_future(times, cv, missing):
    times = np.array(times, dtype=float)
    if len(np.unique(times[missing:])) < 2:
        return
    times[:missing] = np.nan
    y = np.arange(len(times)) / 7
    folds = make_folds(None, y, task="regression", cv=cv, times=times)
    tests = np.concatenate([test for _, test in folds.pairs])
    assert len(np.unique(tests)) == len(tests) == folds.n
    for train, test in folds.pairs:
        assert times[train].max() < times[test].min()
    assert bool(missing) == any("without a time" in note for note in folds.notes)
    assert folds.test_ratio > 0


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 12), st.integers(0, 3), st.sampled_from(["classification", "regression"]), st.booleans())
def test_groups_never_stand_on_both_sides(count, seed, task, timed):
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, count, 80).astype(float)
    if len(np.unique(groups)) < 2:
        return
    groups[:2] = np.nan
    y = np.tile([0, 1], 40)
    times = np.sort(rng.integers(0, 40, 80)) if timed else None
    folds = make_folds(None, y, task=task, cv=4, groups=groups, times=times, seed=seed)
    for train, test in folds.pairs:
        assert not set(groups[train]) & set(groups[test])
        assert not {0, 1} & {*train, *test}
        if timed:
            assert times[train].max() < times[test].min()


def test_groups_that_follow_each_other_leave_the_training_rows():
    groups = np.repeat(np.arange(20), 10)
    folds = make_folds(None, np.tile([0, 1], 100), task="classification", groups=groups, times=np.arange(200))
    assert "training rows of groups that are tested on" in folds.notes[0]
    assert folds.n > 150
    back = make_folds(None, np.tile([0, 0, 1], 67)[:200], task="classification", groups=np.tile([1, 2], 100), times=np.arange(200))
    assert "Groups come back over time" in back.notes[0]
    two = make_folds(None, np.tile([0, 1], 100), task="classification", groups=np.repeat([1, 2], 100), cv=5)
    assert two.notes == ("2 folds instead of 5: there are 2 groups.",)


@pytest.mark.parametrize("make", [
    lambda d: d, lambda d: d.dt.tz_localize("Europe/Berlin"), lambda d: d.dt.to_period("D"), lambda d: d.astype(str),
    lambda d: d.astype("int64"), lambda d: d.to_numpy(), lambda d: list(d),
])
def test_time_comes_in_many_forms(make, cancer):
    X, y = cancer
    days = pd.Series(pd.date_range("2020-01-01", periods=569))
    report = baselines(X, y, time=make(days), models={"nb": GaussianNB()})
    assert report.how.startswith("5 folds forward in time")
    assert report.n == pytest.approx(569 * 5 / 6, abs=2)


def test_columns_for_time_and_groups_are_found_by_name(table):
    marked = table.assign(clinic=np.arange(len(table)) % 7, year=np.arange(len(table)) // 60)
    X, y = marked.drop(columns="diagnosis"), marked["diagnosis"]
    grouped = baselines(X, y, groups="clinic", models=["small tree"])
    assert grouped.how == "5 folds, whole groups"
    same = baselines(marked, "diagnosis", groups="clinic", models=["small tree"])
    assert same.how == "5 folds, whole groups"
    data = load_dataset(marked, target="diagnosis", time="year", group="clinic")
    both = baselines(data, models=["small tree"])
    assert both.how.endswith("on other groups")
    own = baselines(data, models=["small tree"], groups=np.arange(len(data)) // 9, time=np.arange(len(data)))
    assert own.n > 300


# ---- images, texts, many classes, long tails, rare classes

def test_images_are_columns_for_models_and_images_for_functions():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 120)
    images = rng.integers(0, 255, (120, 6, 5, 3)).astype("uint8")
    images[y == 1, :, 2] //= 2
    seen = []

    def dark(X):
        seen.append(X.shape)
        return -X[:, :, 2].mean(axis=(1, 2))

    report = baselines(images, y, heuristics=[dark], models=["logistic regression"], cv=3)
    assert row(report, "dark")["score"] > 0.9
    assert row(report, "logistic regression")["score"] > 0.8
    assert (40, 6, 5, 3) in seen
    assert (1, 6, 5, 3) in seen
    said = found(report, "BAS015")
    assert "Each row is an array of 6 x 5 x 3: estimators see it as 90 columns" in said.message
    assert report.passed is not False
    assert found(baselines(images[:, :, :, 0].tolist(), y, models=["small tree"], cv=2), "BAS015").evidence["shape"] == [6, 5]
    assert found(baselines(images.reshape(120, -1), y, models=["small tree"], cv=2), "BAS015") is None


def test_broad_tables_many_classes_and_many_texts_stay_quick():
    rng = np.random.default_rng(0)
    y = np.array([f"class {i}" for i in range(50)])[np.arange(200) % 50]
    X = rng.normal(size=(50, 20))[pd.factorize(y)[0]] + 0.5 * rng.normal(size=(200, 20))
    start = time.process_time()  # of this process alone: others that are busy do not count
    report = baselines(X, y, models=["gradient boosting"], cv=2)
    assert row(report, "gradient boosting")["score"] > 0.4
    words = np.array([f"word{i}" for i in range(300)])
    texts = pd.DataFrame({f"t{j}": [" ".join(words[rng.integers(0, 300, 6)]) for _ in range(80)] for j in range(100)})
    labels = np.arange(80) % 2
    texts["t7"] = [text + (" splendid" if label else " poor") for text, label in zip(texts["t7"], labels)]
    report = baselines(texts, labels, models=["logistic regression"], cv=2)
    assert row(report, "logistic regression")["score"] > 0.6
    assert time.process_time() - start < 20


def test_boosting_sees_the_main_directions_of_broad_tables():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    images = rng.normal(size=(60, 40, 40)) + y[:, None, None]
    boosting = default_models("classification", images.reshape(60, -1))["gradient boosting"]
    assert boosting.fit(images.reshape(60, -1), y)["columns"][-1].svd_ is not None
    assert boosting["columns"].get_feature_names_out()[0] == "direction 1"
    assert boosting.score(images.reshape(60, -1), y) > 0.9
    narrow = images.reshape(60, -1)[:, :400]
    assert default_models("classification", narrow, classes=3)["gradient boosting"]["columns"].style == "boosting"


def test_a_rare_class_asks_for_care(cancer):
    X, y = cancer
    kept = np.flatnonzero((y == 1) | (np.arange(len(y)) % 16 == 0))
    few = X.iloc[kept], y.iloc[kept]
    said = found(baselines(*few, models=fast(), cv=3), "BAS016")
    assert "rows are '0': with a ROC AUC that looks good" in said.message
    assert "average_precision" in said.next.call
    cut = found(baselines(*few, metric="f1", models=fast(), cv=3), "BAS016")
    assert "cut at a probability of one half" in cut.message
    assert found(baselines(*few, metric="average_precision", models=fast(), cv=3), "BAS016") is None
    assert found(baselines(*cancer, metric="f1", models=fast(), cv=3), "BAS016") is None


def test_a_long_tail_is_spoken_of_under_a_squared_error():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 3))
    for y, heavy in ((np.exp(2 * rng.normal(size=400)), True), (rng.normal(size=400), False), (rng.exponential(size=400), False)):
        for metric in ("rmse", "mae"):
            said = found(baselines(X, y, metric=metric, models=["ridge regression"], cv=2), "BAS017")
            assert (said is not None) == (heavy and metric == "rmse")
    assert "np.log1p" in found(baselines(X, np.exp(2 * X[:, 0]), models=(), cv=2), "BAS017").next.action
    assert "np.log1p" not in found(baselines(X, X[:, 0] ** 9, models=(), cv=2), "BAS017").next.action


def test_what_a_point_costs(cancer):
    X, y = cancer
    z = (X["mean radius"] - X["mean radius"].median()).abs() < 2
    report = baselines(X, z, models={"linear": LogisticRegression(C=1e-4), "tree": DecisionTreeClassifier(max_depth=4)})
    price = found(report, "BAS003")
    assert "times its time to fit" in price.message
    assert "times its time for one prediction" in price.message
    assert price.evidence["fit_ratio"] > 0
    assert price.evidence["predict_ratio"] > 0
    assert price.evidence["fit_seconds_a_point"] * price.evidence["points"] == pytest.approx(price.evidence["fit_seconds"])


# ---- a limit of time

class Stuck(DecisionTreeClassifier):
    """Never ends where a row is missing from those to learn from, and says in a file which process it is."""

    def __init__(self, row, place):
        super().__init__(max_depth=1)
        self.row, self.place = row, place

    def fit(self, X, y):
        if self.row not in X.index:
            with open(self.place, "w") as file:
                file.write(str(os.getpid()))
            time.sleep(3600)
        return super().fit(X, y)


def gone(pid):
    """Whether no process has this number, soon."""
    for _ in range(600):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.slow
def test_a_model_that_overruns_is_reported_and_not_waited_for(cancer, tmp_path):
    models = {"linear": fast()["linear"], "stays": Unpicklable(), "slow": Stuck(568, str(tmp_path / "slow"))}
    rule = {"radius": lambda X: (X["mean radius"] < 15).astype(int)}
    cv = StratifiedKFold(3)  # the last row is missing from the third fold alone
    report = baselines(*cancer, models=models, heuristics=rule, metric="accuracy", seconds=4, cv=cv)
    assert gone(int((tmp_path / "slow").read_text()))
    notes, folds = report.frame.set_index("name")["note"], report.frame.set_index("name")["folds"]
    assert notes["slow"].startswith("stopped after 4 s: 2 of 3 folds done, Accuracy 0.")
    assert (folds["slow"], folds["linear"]) == (2, 3)
    assert {f.evidence.get("name") for f in report.findings if f.code == "BAS014"} == {"slow", None}
    assert report.passed is not False
    free = baselines(*cancer, models={"linear": fast()["linear"]}, heuristics=rule, metric="accuracy", cv=cv)
    assert report.fold_scores["linear"] == free.fold_scores["linear"]
    assert report.fold_scores["radius"] == free.fold_scores["radius"]
    assert report.best == free.best
    report.plot()
    assert Report.from_json(report.to_json()).to_json() == report.to_json()


@pytest.mark.parametrize("seconds", [0, -1, "a", True, float("nan")])
def test_a_limit_of_time_is_a_positive_number(seconds, cancer):
    with pytest.raises(BadInputError, match="`seconds` must be a positive number"):
        baselines(*cancer, seconds=seconds)


# ---- speed

@pytest.mark.slow
def test_thousands_of_mixed_rows_take_seconds():
    rng, n = np.random.default_rng(0), 2500
    X = pd.DataFrame({f"n{i}": rng.normal(size=n) for i in range(14)})
    for i in range(9):
        X[f"c{i}"] = pd.Categorical(rng.choice([f"v{k}" for k in range(3 + 5 * i)], n))
    X["flag"], X["day"] = rng.random(n) > 0.5, pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 999, n), unit="D")
    start = time.process_time()  # of this process alone: others that are busy do not count
    report = baselines(X, X["n0"] + rng.normal(size=n) > 0, cv=3)
    assert time.process_time() - start < 30
    assert found(report, "BAS001").severity == "passed"
