"""Tests of models: good ones pass, each planted fault is found, and a written suite runs green or red."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from ml_lifecycle.evaluation import ModelTests, TestReport
from ml_lifecycle.evaluation._tests.compare import compare
from ml_lifecycle.evaluation._tests.result import Result, corrected
from ml_lifecycle.evaluation._tests.rows import read_rows, write_rows
from ml_lifecycle.exploration import prepare
from ml_lifecycle.foundation import METRICS, BadInputError, UnknownNameError, load_dataset
from ml_lifecycle.foundation.metrics import Predictions
from ml_lifecycle.foundation.report import Report
from ml_lifecycle.planning import Requirements

pytestmark = pytest.mark.filterwarnings("error")

def table(n: int = 400, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"size": rng.normal(size=n), "count": rng.integers(0, 9, n), "plan": rng.choice(["a", "b", "c"], n)})
    y = np.where(frame["size"] + (frame["plan"] == "a") + .6 * rng.normal(size=n) > .3, "yes", "no")
    return frame, y


@pytest.fixture(scope="module")
def fitted() -> Any:
    X, y = table(600, 9)
    return make_pipeline(prepare(X), LogisticRegression()).fit(X, y)


def verdict(report: TestReport, test: str) -> str:
    return str(report.frame.set_index("test").loc[test, "verdict"])


# good models

GOOD: dict[str, Callable[[], tuple[Any, Any, Any]]] = {}


def good(make: Callable[[], tuple[Any, Any, Any]]) -> Callable[[], tuple[Any, Any, Any]]:
    GOOD[make.__name__] = make
    return make


@good
def pipeline_on_a_frame() -> tuple[Any, Any, Any]:
    X, y = table()
    return make_pipeline(prepare(X), LogisticRegression()).fit(X, y), X.set_index(pd.Index(range(5, 405))), pd.Series(y)


@good
def plain_array() -> tuple[Any, Any, Any]:
    X, y = table()
    values = X[["size", "count"]].to_numpy()
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(values, y), values, y


@good
def frame_of_numbers_fitted_by_name() -> tuple[Any, Any, Any]:
    X, y = table()
    return LogisticRegression().fit(X[["size", "count"]], y), X[["size", "count"]], y


@good
def sparse_rows() -> tuple[Any, Any, Any]:
    X, y = table()
    values = sparse.csr_matrix(X[["size", "count"]].to_numpy())
    return LogisticRegression().fit(values, y), values, y


@good
def forest_of_three_classes() -> tuple[Any, Any, Any]:
    X, _ = table()
    y = np.digitize(X["size"], [-.5, .5])
    return RandomForestClassifier(20, random_state=0).fit(X[["size", "count"]], y), X[["size", "count"]], y


@good
def margins_only() -> tuple[Any, Any, Any]:
    X, y = table()
    return LinearSVC().fit(X[["size"]], y), X[["size"]], y


@good
def regression_with_gaps() -> tuple[Any, Any, Any]:
    X, _ = table()
    X["size"] = X["size"].mask(X["count"] == 3)
    y = X["size"].fillna(0) * 3 + X["count"]
    return HistGradientBoostingRegressor(max_iter=30).fit(X[["size", "count"]], y), X[["size", "count"]], y


@good
def category_dtype_and_booleans() -> tuple[Any, Any, Any]:
    X, y = table()
    X = X.assign(plan=X["plan"].astype("category"), big=X["size"] > 0)
    return make_pipeline(prepare(X), LogisticRegression()).fit(X, y == "yes"), X, y == "yes"


@good
def float32_network() -> tuple[Any, Any, Any]:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    X, _ = table()
    values = X[["size"]].to_numpy(np.float32)
    module = torch.nn.Sequential(torch.nn.Linear(1, 8), torch.nn.Dropout(.5), torch.nn.Linear(8, 2))
    return module, values, None


@pytest.mark.parametrize("name", GOOD)
def test_a_good_model_has_no_issue(name: str) -> None:
    model, X, y = GOOD[name]()
    report = ModelTests(model, X, y, task=None if y is not None else "classification").functionality()
    assert not report.failing, report
    assert report.passed is True, report
    assert all(f.severity != "issue" for f in report.findings)


def test_a_dataset_brings_everything(mixed_csv: Any) -> None:
    data = load_dataset(mixed_csv(300), target="y")
    model = make_pipeline(prepare(data.X), LogisticRegression()).fit(data.X, data.y)
    report = ModelTests(model, data).functionality()
    assert report.passed
    assert report.params["positive"] == data.positive


# planted faults

class Planted:
    """A logistic regression with one fault."""

    def __init__(self, fault: str) -> None:
        X, y = table()
        self.inner = make_pipeline(prepare(X), LogisticRegression()).fit(X, y)
        self.classes_, self.fault = self.inner.classes_, fault

    def predict_proba(self, X: pd.DataFrame) -> Any:
        if self.fault == "batch":
            X = X.assign(size=X["size"] - X["size"].mean())
        if self.fault == "writes":
            X["size"] = 0.0
        if self.fault == "renames":
            X.columns = [c.upper() for c in X.columns]
            X = X.rename(columns=str.lower)
        if self.fault == "one" and len(X) < 2:
            raise IndexError("too few")
        if self.fault == "crash" and X["size"].isna().any():
            raise AttributeError("no gaps, please")
        if self.fault == "unseen":
            list(map({"a": 0, "b": 1, "c": 2}.__getitem__, X["plan"]))
        if self.fault == "places":
            X = X.set_axis(["size", "count", "plan"], axis=1)
        proba = self.inner.predict_proba(X)
        if self.fault == "random":
            proba = np.roll(proba, int(np.random.randint(0, 2)), axis=1) + np.random.random() * 0
        if self.fault == "sum":
            proba = proba * 2
        if self.fault == "nan":
            proba[::7] = np.nan
        return proba[::-1] if self.fault == "order" and X["size"].iloc[0] > X["size"].iloc[-1] else proba

    def predict(self, X: pd.DataFrame) -> Any:
        labels = self.classes_[np.nan_to_num(self.predict_proba(X)).argmax(1)]
        if self.fault == "label":
            return np.where(labels == "yes", "maybe", labels)
        return labels[:-1] if self.fault == "short" else labels


@pytest.mark.parametrize(("fault", "test"), [
    ("batch", "alone or together"), ("writes", "input untouched"), ("renames", "input untouched"), ("one", "one row"),
    ("crash", "missing values"), ("unseen", "unseen categories"), ("places", "order of columns"), ("sum", "valid answers"),
    ("nan", "valid answers"), ("label", "valid answers"), ("short", "many rows"), ("order", "order of rows"),
    ("random", "same input, same answer")])
def test_each_planted_fault_is_found(fault: str, test: str) -> None:
    X, y = table(200, 5)
    before, state = X.copy(), np.random.get_state()[1].copy()
    np.random.seed(3)
    report = ModelTests(Planted(fault), X, y).functionality()
    assert test in report.failing, report
    assert report.passed is False
    assert report.next is not None
    pd.testing.assert_frame_equal(X, before)
    np.random.seed(0), np.random.set_state(("MT19937", state, 624, 0, 0.0))


def test_a_sound_copy_of_the_planted_model_passes() -> None:
    X, y = table(200, 5)
    assert ModelTests(Planted("none"), X, y).functionality().passed


def test_probing_leaves_the_random_state() -> None:
    X, y = table(60)
    np.random.seed(1)
    want = np.random.random()
    np.random.seed(1)
    ModelTests(Planted("random"), X, y).functionality()
    assert np.random.random() == want


def test_a_refusal_in_clear_words_is_a_tip_and_an_unseen_category_an_issue() -> None:
    X, y = table()
    numbers = X[["size", "count"]]
    report = ModelTests(LogisticRegression().fit(numbers, y), numbers, y).functionality()
    assert verdict(report, "missing values") == verdict(report, "order of columns") == "tip"
    strict = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(X[["plan"]], y)
    assert "unseen categories" in ModelTests(strict, X[["plan"]], y).functionality().failing


def test_names_that_are_ignored_are_an_issue() -> None:
    X, _ = table()
    y = 3 * X["size"] + X["count"]
    model = LinearRegression().fit(X[["size", "count"]].to_numpy(), y)
    assert "order of columns" in ModelTests(model, X[["size", "count"]], y).functionality().failing


def test_no_better_than_a_constant() -> None:
    X, y = table()
    assert verdict(ModelTests(DummyClassifier().fit(X, y), X, y).functionality(), "better than a constant") == "cannot tell"
    reversed_labels = LogisticRegression().fit(X[["size"]], np.where(y == "yes", "no", "yes"))
    assert "better than a constant" in ModelTests(reversed_labels, X[["size"]], y).functionality().failing
    off = ModelTests(Ridge().fit(X[["size"]], X["count"] * 1000), X[["size"]], X["count"].astype(float)).functionality()
    assert "better than a constant" in off.failing
    few = ModelTests(LogisticRegression().fit(X[["size"]], y), X[["size"]][:6], y[:6]).functionality()
    assert verdict(few, "better than a constant") in ("cannot tell", "not applicable")
    assert few.passed is not False
    alone = ModelTests(LogisticRegression().fit(X[["size"]], y), X[["size"]][y == "yes"], y[y == "yes"]).functionality()
    assert verdict(alone, "better than a constant") == "not applicable"


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "f1", "log_loss", "brier", "average_precision", "recall"])
def test_every_metric_has_its_constant(fitted: Any, metric: str) -> None:
    X, y = table(500, 3)
    report = ModelTests(fitted, X, y, metric=metric).functionality()
    assert verdict(report, "better than a constant") in (("cannot tell", "issue") if metric == "recall" else ("passed",)), report


# scenarios, invariance, direction

def test_scenarios_take_rows_in_every_form(fitted: Any) -> None:
    X, y = table(300, 2)
    tests = ModelTests(fitted, X, y)
    big, small = {"plan": "a", "size": 4.0, "count": 1}, {"size": -4.0, "count": 1, "plan": "b"}
    for rows, expect in ((big, "yes"), ([big, small], ["yes", "no"]), (pd.DataFrame([small, big]), np.array(["no", "yes"])),
                         (pd.Series(big), "yes"), (X[X["size"] > 3].iloc[:0], "yes"), (lambda X: X[X["size"] > 1.8], "yes")):
        if isinstance(rows, pd.DataFrame) and rows.empty:
            with pytest.raises(BadInputError, match="at least one row"):
                tests.scenario("none", rows, expect)
        else:
            assert "s" in tests.scenario("s", rows, expect).passing
    assert len(tests.report.frame) == 1  # a test of the same name takes the place of the one before
    assert "s" in tests.scenario("s", big, "no").failing
    assert tests.report.frame.loc[0, "value"] == 0


def test_a_share_of_rows_is_decided_on_these_rows(fitted: Any) -> None:
    X, y = table(300, 2)
    tests = ModelTests(fitted, X, y)
    said = fitted.predict(X[:20])
    some = np.where(np.arange(20) < 18, said, np.where(said == "yes", "no", "yes"))
    exact = tests.scenario("nine of ten", X[:20], some, at_least=.9)
    assert "nine of ten" in exact.passing
    assert exact.frame.loc[0, ["value", "low", "high"]].between(.6, 1).all()
    assert "all" in tests.scenario("all", X[:20], some).failing
    assert "close" in tests.scenario("close", X[:20], some, at_least=.95).open
    assert "far" in tests.scenario("far", X[:20], np.where(said == "yes", "no", "yes"), at_least=.95).failing
    assert "Rows 18, 19" in tests.report.frame.set_index("test").loc["all", "message"]


def test_functions_judge_answers_all_at_once_or_one_by_one(fitted: Any) -> None:
    X, y = table(100, 2)
    model = LinearRegression().fit(X[["size"]], X["size"] * 2)
    tests = ModelTests(model, X[["size"]], X["size"] * 2)
    for i, expect in enumerate((lambda v: np.abs(v) < 99, lambda v: -99 < v < 99, lambda v: v.max() < 99,
                                lambda X, v: np.sign(X["size"]) == np.sign(v), (-99, 99), X["size"] * 2)):
        assert f"{i}" in tests.scenario(f"{i}", X[["size"]], expect).passing, i
    assert "off" in tests.scenario("off", X[["size"]], X["size"] * 2 + .5, tolerance=.6).passing
    assert "off" in tests.scenario("off", X[["size"]], X["size"] * 2 + .5, tolerance=.4).failing
    labels = ModelTests(fitted, X, y).scenario("labels", X, lambda label: label in ("yes", "no"))
    assert labels.passing == ("labels",)


def test_invariance_counts_changed_rows_only(fitted: Any) -> None:
    X, y = table(300, 2)
    tests = ModelTests(fitted, X, y)
    assert "shift" in tests.invariance("shift", {"size": lambda s: s + 3}).failing
    assert "tiny" in tests.invariance("tiny", {"size": lambda s: s + 1e-9}, tolerance=1e-6).passing
    assert "same" in tests.invariance("same", lambda X: X).open
    report = tests.invariance("plan", {"plan": "a"}, at_least=.1)
    assert report.frame.set_index("test").loc["plan", "n"] == (X["plan"] != "a").sum()
    assert "unknown plan" in tests.invariance("unknown plan", {"plan": "new"}, at_least=.01).passing
    with pytest.raises(UnknownNameError, match="`change`"):
        tests.invariance("x", {"sise": 1})
    with pytest.raises(BadInputError, match="must keep the rows"):
        tests.invariance("x", lambda X: X[:3])


def test_directions(fitted: Any) -> None:
    X, y = table(300, 2)
    tests = ModelTests(fitted, X, y, positive="yes")
    assert "up" in tests.directional("up", {"size": lambda s: s + 1}).passing
    assert "down" in tests.directional("down", {"size": lambda s: s + 1}, "down").failing
    assert "no" in tests.directional("no", {"size": lambda s: s + 1}, "down", label="no").passing
    with pytest.raises(UnknownNameError, match="`expect`"):
        tests.directional("x", {"size": 1}, "sideways")
    with pytest.raises(BadInputError, match="`label`"):
        tests.directional("x", {"size": 1.}, label="may")


# no regression

def test_no_regression_three_answers(fitted: Any) -> None:
    X, y = table(2000, 4)
    tests = ModelTests(fitted, X, y)
    assert "itself" in tests.no_regression(fitted, 0, name="itself").passing
    weak = make_pipeline(prepare(X[["count"]]), LogisticRegression()).fit(X[["count"]], y)
    assert "weak" in tests.no_regression(weak, name="weak", X=X[["count"]]).passing
    lost = ModelTests(weak, X[["count"]], y).no_regression(fitted, name="good", X=X)
    assert lost.failing == ("good",)
    near = make_pipeline(prepare(X), LogisticRegression(C=.02)).fit(*table(300, 77))
    few = ModelTests(near, X[:60], y[:60]).no_regression(fitted, .001, name="near")
    assert few.open == ("near",)
    assert few.passed is None
    for baseline in (fitted.predict(X), Predictions(labels=fitted.predict(X), classes=("no", "yes"))):
        assert ModelTests(fitted, X, y, metric="accuracy").no_regression(baseline).passed


def test_the_direction_of_the_metric(fitted: Any) -> None:
    X, _ = table(800, 4)
    y = 3 * X["size"] + X["count"]
    good_one, poor = LinearRegression().fit(X[["size", "count"]], y), LinearRegression().fit(X[["count"]], y)
    tests = ModelTests(good_one, X[["size", "count"]], y)
    assert tests.no_regression(poor, X=X[["count"]]).passed
    assert ModelTests(poor, X[["count"]], y).no_regression(good_one, X=X[["size", "count"]]).passed is False


def test_equal_models_are_seldom_called_worse() -> None:
    """Under no difference at all, "worse" is said in at most 2.5 % of cases, with few rows too."""
    false_alarms = 0
    for seed in range(80):
        rng = np.random.default_rng(seed)
        y = rng.integers(0, 2, 80)
        said = [Predictions(labels=np.where(rng.random(80) < .8, y, 1 - y), classes=(0, 1), positive=1) for _ in range(2)]
        false_alarms += compare(METRICS["accuracy"], pd.Series(y), *said, None, seed).high < 0
    assert false_alarms <= 6


def test_rows_that_belong_together_are_drawn_together() -> None:
    rng = np.random.default_rng(0)
    y = pd.Series(np.repeat(rng.integers(0, 2, 30), 20))
    right = np.repeat(rng.random(30) < .75, 20)
    a = Predictions(labels=np.where(right, y, 1 - y), classes=(0, 1), positive=1)
    b = Predictions(labels=np.where(np.roll(right, 20), y, 1 - y), classes=(0, 1), positive=1)
    alone, together = (compare(METRICS["accuracy"], y, a, b, groups, 0) for groups in (None, np.repeat(np.arange(30), 20)))
    assert together.high - together.low > 3 * (alone.high - alone.low)


@settings(max_examples=8)
@given(st.integers(0, 10_000))
def test_the_order_of_the_rows_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = pd.Series(rng.integers(0, 2, 40))
    proba = [np.column_stack([1 - p, p]) for p in rng.random((2, 40)).round(1)]
    said = [Predictions(labels=p.argmax(1), proba=p, classes=(0, 1), positive=1) for p in proba]
    mixed = rng.permutation(40)
    turned = [Predictions(labels=s.labels[mixed], proba=s.proba[mixed], classes=(0, 1), positive=1) for s in said]  # type: ignore[index]
    groups = rng.integers(0, 9, 40)
    groups = pd.factorize(groups)[0]
    for g, h in ((None, None), (groups, pd.factorize(groups[mixed])[0])):
        first = compare(METRICS["roc_auc"], y, *said, g, 0)
        second = compare(METRICS["roc_auc"], y[mixed].reset_index(drop=True), *turned, h, 0)
        assert first == pytest.approx(second, nan_ok=True)


def test_many_tests_are_corrected() -> None:
    one = Result("a", "no regression", "issue", "It is worse.", p=.03)
    assert corrected((one,))[0].verdict == "issue"
    assert [r.verdict for r in corrected((one, one, one))] == ["cannot tell"] * 3
    assert corrected(()) == ()


def test_thresholds_are_met_missed_or_cannot_be_told(fitted: Any) -> None:
    X, y = table(300, 2)
    tests = ModelTests(fitted, X, y)
    wish = Requirements("roc_auc", {"accuracy": ">= 0.6", "latency_ms": "<= 0.0001", "size_mb": "<= 100", "recall": ">= 0.86"})
    report = tests.requirements(wish)
    assert {"accuracy >= 0.6", "size_mb <= 100"} <= set(report.passing)
    assert report.failing == ("latency_ms <= 0.0001",)
    assert report.open == ("recall >= 0.86",)
    assert tests.requirements({"optimize": "roc_auc", "satisfice": {"size_mb": "<= 100"}}).passed
    for call, said in ((lambda: tests.requirements(Requirements("roc_auc")), "thresholds"),
                       (lambda: ModelTests(fitted, X).requirements(wish), "`y`")):
        with pytest.raises(BadInputError, match=said):
            call()


# the report

def test_a_report_chains_and_is_a_report(fitted: Any, tmp_path: Path) -> None:
    X, y = table(200, 2)
    report = ModelTests(fitted, X, y).functionality().scenario("s", X[:1], fitted.predict(X[:1]))
    assert isinstance(report, TestReport)
    assert set(report.frame["kind"]) == {"functionality", "scenario"}
    assert list(report.frame.columns) == list(TestReport.columns)
    back = Report.from_json(report.to_json())
    assert isinstance(back, TestReport)
    with pytest.raises(AttributeError, match="begin with ModelTests"):
        back.scenario("t", X, "yes")
    with pytest.raises(AttributeError):
        report.nonsense  # noqa: B018
    import pickle

    assert not hasattr(pickle.loads(pickle.dumps(report)), "_suite")
    assert report.report.answer == report.run().answer
    assert "tests hold" in report.answer


def test_nothing_was_tested_yet(fitted: Any) -> None:
    X, y = table(40)
    tests = ModelTests(fitted, X, y)
    assert tests.report.passed is None
    assert "Nothing was tested" in repr(tests)
    assert "<section" in tests._repr_html_()
    with pytest.raises(BadInputError, match="must have tests to write"):
        tests.to_pytest("nowhere")


@pytest.mark.parametrize(("change", "said"), [
    ({"model": LogisticRegression()}, "must be fitted"), ({"model": LogisticRegression}, "Got the class"),
    ({"model": 3}, "must have a method `predict`"), ({"y": ["yes"]}, "same rows"), ({"X": None}, "`X` must hold the rows"),
    ({"y": [None] * 50}, "no missing values"), ({"seed": -1}, "`seed`"), ({"groups": [1]}, "one value for each row"),
    ({"classes": "yes"}, "labels in order"), ({"X": table()[0][:0], "y": []}, "Got none")])
def test_nonsense_is_refused_in_one_line(fitted: Any, change: dict[str, Any], said: str) -> None:
    X, y = table(50)
    asked = {"model": fitted, "X": X, "y": y, **change}
    with pytest.raises(BadInputError, match=said) as caught:
        ModelTests(asked.pop("model"), asked.pop("X"), asked.pop("y"), **asked)
    assert "\n" not in str(caught.value)


def test_nonsense_in_a_test_is_refused(fitted: Any) -> None:
    X, y = table(50)
    tests = ModelTests(fitted, X, y)
    for call, said in ((lambda: tests.scenario("", X, "yes"), "`name`"), (lambda: tests.scenario("s", X, "may"), "`expect`"),
                       (lambda: tests.scenario("s", X, ["yes"]), "one answer for each"),
                       (lambda: tests.scenario("s", {"size": 1}, "yes"), "Missing"),
                       (lambda: tests.scenario("s", X, "yes", at_least=0), "`at_least`"),
                       (lambda: tests.no_regression(fitted, -1), "`tolerance`"),
                       (lambda: tests.no_regression(["yes"]), "same rows"),
                       (lambda: ModelTests(fitted, X).no_regression(fitted), "`y` must be given"),
                       (lambda: tests.functionality().to_pytest("x.py"), "pytest finds"),
                       (lambda: tests.to_pytest("test_x.py", model="nowhere.joblib"), "nothing is there")):
        with pytest.raises(BadInputError, match=said):
            call()
    with pytest.raises(UnknownNameError):
        tests.saved("x")
    assert ModelTests(fitted, X).functionality().passed  # without a truth the rest is tested


def test_a_model_that_raises_in_a_test_fails_it(fitted: Any) -> None:
    X, y = table(60)
    tests = ModelTests(Planted("crash"), X, y)
    gap = X.assign(size=np.nan)
    assert "gap" in tests.scenario("gap", gap, "yes").failing
    assert "gap" in tests.invariance("gap", gap).failing
    assert "gap" in tests.directional("gap", gap, label="yes").failing
    assert "AttributeError" in tests.report.frame.loc[0, "message"]


def test_arrays_change_too(fitted: Any) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    y = np.digitize(X[:, 0], [-.5, .5])
    forest, margins, plain = RandomForestClassifier(20, random_state=0).fit(X, y), LinearSVC().fit(X, y > 1), Bare()
    more = X + [1., 0.]
    assert "up" in ModelTests(forest, X, y).directional("up", more, label=2, at_least=.9).passing
    assert "up" in ModelTests(margins, X, y > 1).directional("up", lambda rows: rows + [1., 0.], label=True).passing
    assert "up" in ModelTests(plain, X, y > 1, positive=True).directional("up", more, 1).passing
    assert "none" in ModelTests(forest, X, y).invariance("none", X.copy()).open
    holed = X.copy()
    holed[0, 0] = np.nan
    assert ModelTests(forest, holed, y).invariance("none", holed.copy()).open
    assert "far" in ModelTests(forest, X, y).invariance("far", more, tolerance=.01).failing
    model = LinearRegression().fit(X, X[:, 0])
    assert "near" in ModelTests(model, X, X[:, 0]).invariance("near", X + 1e-3, tolerance=.01).passing
    for call, said in ((lambda: ModelTests(plain, X, y > 1).invariance("x", more, tolerance=.1), "no probabilities"),
                       (lambda: ModelTests(model, X).scenario("x", X, (2, 1)), "smaller number first"),
                       (lambda: ModelTests(model, X).scenario("x", X, lambda X, said: [True]), "True or False"),
                       (lambda: ModelTests(model, X).invariance("x", {"a": 1}), "function of the rows"),
                       (lambda: ModelTests(model, X).scenario("x", [], 1), "at least one row")):
        with pytest.raises(BadInputError, match=said):
            call()


class Bare:
    """Labels and nothing else."""

    def predict(self, X: np.ndarray) -> np.ndarray:
        return X[:, 0] > .5


def test_categories_and_regressions_with_few_rows(fitted: Any) -> None:
    X, y = table(60)
    X["plan"] = X["plan"].astype("category")
    tests = ModelTests(fitted, X, y)
    assert len(tests.invariance("new", {"plan": "never seen"}, at_least=.01).passing) == 1
    few = ModelTests(fitted, X[:6], y[:6], metric="accuracy").no_regression(np.where(y[:6] == "yes", "no", "yes"))
    assert few.passed is not True or few.frame.loc[0, "low"] > 0
    numbers = ModelTests(LinearRegression().fit(X[["size"]], X["count"]), X[["size"]], X["count"].astype(float))
    assert numbers.no_regression(np.full(60, 99.)).passed


def test_a_dozen_failures_are_summed_up(fitted: Any) -> None:
    X, y = table(60)
    tests = ModelTests(fitted, X, y)
    for i in range(12):
        report = tests.scenario(f"case {i}", X, "yes")
    assert len(report.findings) == 9
    assert "4 more tests do not hold" in report.findings[8].message
    assert len(repr(report).splitlines()) <= 40


def test_tensors_and_loaders(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.data import DataLoader, TensorDataset

    torch.manual_seed(0)
    X = torch.randn(120, 3)
    loader = DataLoader(TensorDataset(X, (X[:, 0] > 0).long()), batch_size=50)
    module = torch.nn.Linear(3, 2)
    with torch.no_grad():
        module.weight[:] = torch.tensor([[-9., 0, 0], [9., 0, 0]])
        module.bias[:] = 0
    tests = ModelTests(module, loader)
    assert tests.functionality().passed
    assert module.training
    write_rows(tmp_path / "r", X)
    assert torch.equal(read_rows(tmp_path / "r"), X)


# as a file for pytest

def steady(answers: Any) -> Any:
    return np.isin(answers, ["yes", "no"])


def run_pytest(file: Path) -> str:
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(file)],
                          capture_output=True, text=True, cwd=file.parent, timeout=120)
    return done.stdout + done.stderr


@pytest.mark.slow
def test_a_written_suite_is_green_for_a_good_model_and_red_for_a_broken_one(fitted: Any, tmp_path: Path) -> None:
    X, y = table(200, 2)
    tests = ModelTests(fitted, X, y, name="it's $x$ \"quoted\"", positive="yes", groups=np.arange(200) // 2)
    tests.functionality().scenario("big ones", lambda X: X[X["size"] > 1.8], "yes")
    tests.scenario("as said", X[:30], fitted.predict(X[:30])).scenario("labels", X, steady)
    tests.scenario("lambda", X, lambda a: a == a).invariance("a little", {"size": lambda s: s + 1e-9})
    tests.directional("more", {"size": lambda s: s + 1}).no_regression(fitted, name="big ones")
    tests.requirements(Requirements("roc_auc", {"size_mb": "<= 100"}))
    file = tests.to_pytest(tmp_path / "test_good.py")
    compile(file.read_text(), str(file), "exec")
    out = run_pytest(file)
    assert "failed" not in out, out
    assert "1 skipped" in out, out  # a lambda cannot be written down
    joblib.dump(DummyClassifier(strategy="constant", constant="no").fit(X, y), tmp_path / "test_good_data" / "model.joblib")
    out = run_pytest(file)
    assert "failed" in out
    assert "test_scenario_big_ones" in out
    assert "test_no_regression_big_ones" in out


@pytest.mark.parametrize("rows", [
    pd.DataFrame({"a": [1.5, np.nan], 3: ["x", None], "c": pd.Categorical(["u", "v"]),
                  "when": pd.to_datetime(["2024-01-01", None])}),
    np.arange(12, dtype=np.float32).reshape(2, 2, 3), np.array([1, 2]), pd.Series(["a", "b"], name="t"), ["one", "two"],
    sparse.csr_matrix(np.eye(2))], ids=["frame", "cube", "vector", "series", "list", "sparse"])
def test_rows_come_back_in_their_form(rows: Any, tmp_path: Path) -> None:
    write_rows(tmp_path / "r", rows)
    back = read_rows(tmp_path / "r")
    if isinstance(rows, pd.DataFrame):
        pd.testing.assert_frame_equal(back, rows)
    elif isinstance(rows, pd.Series):
        pd.testing.assert_series_equal(back, rows, check_names=False)
    elif sparse.issparse(rows):
        assert (back != rows).nnz == 0
    else:
        assert type(back) is type(rows)
        assert np.array_equal(np.asarray(back), np.asarray(rows))


def test_what_cannot_be_saved_is_said(fitted: Any, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="one kind each"):
        write_rows(tmp_path / "r", pd.DataFrame({"a": [1, "x", object()]}))
    with pytest.raises(BadInputError, match="names of text"):
        write_rows(tmp_path / "r", pd.DataFrame({("a", 1): [1]}))
    X, y = table(40)
    local = type("Local", (), {"predict": lambda self, X: np.array(["yes"] * len(X))})()
    text = ModelTests(local, X, y).functionality().to_pytest(tmp_path).read_text()
    assert "NotImplementedError" in text
    (tmp_path / "registry").mkdir()
    text = ModelTests(fitted, X, y).functionality().to_pytest(tmp_path, model=tmp_path / "registry").read_text()
    assert 'Registry(Path(__file__).parent / \'registry\').get("champion")' in text
