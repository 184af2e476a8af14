"""What limits a model: cases whose Bayes error is known, each cause dominant once, and few rows that cannot tell."""

import json
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from ml_lifecycle.foundation import METRICS, BadInputError, Metric, Report, UnknownNameError, load_dataset
from ml_lifecycle.foundation.intervals import wilson
from ml_lifecycle.foundation.report import NextStep
from ml_lifecycle.refinement import ErrorBreakdown, error_breakdown
from ml_lifecycle.refinement._breakdown.actions import ACTIONS
from ml_lifecycle.refinement._breakdown.parts import Part, judge, read_parts

CAUSES = ("irreducible", "avoidable_bias", "variance", "distribution_shift", "validation_overfitting")


def codes(report: Report) -> list[str]:
    return [f.code for f in report.findings]


def found(report: Report, code: str) -> Any:
    return next(f for f in report.findings if f.code == code)


# from errors

@pytest.mark.parametrize(("errors", "dominant"), [
    ({"irreducible": .20, "train": .21, "val": .22, "test": .22}, "irreducible"),
    ({"irreducible": .01, "train": .15, "val": .16, "test": .16}, "avoidable_bias"),
    ({"irreducible": .01, "train": .02, "val": .15, "test": .155}, "variance"),
    ({"irreducible": .01, "train": .02, "val_train": .04, "val_test": .20, "test": .205}, "distribution_shift"),
    ({"irreducible": .01, "train": .02, "val": .04, "test": .20}, "validation_overfitting"),
])
def test_each_cause_dominates_once(errors: dict[str, float], dominant: str) -> None:
    report = error_breakdown(**errors, n=4_000)
    assert report.dominant == report.largest == dominant
    assert report.rivals == (dominant,)
    assert set(report.components) == set(CAUSES)
    assert report.frame.loc[report.frame["dominant"], "component"].tolist() == [dominant]
    last = errors["test"]
    assert sum(c[0] for c in report.components.values() if c is not None) == pytest.approx(last)
    assert report.actions == tuple(str(step) for step in ACTIONS[dominant])
    told = [f for f in report.findings if f.code.startswith("ERR01")]
    assert [f.next for f in told] == [ACTIONS[dominant][0]], "one finding lists the actions, and sends to the first"
    assert Report.from_json(report.to_json()).actions == report.actions
    assert error_breakdown(**errors, n=20).dominant is None
    assert found(error_breakdown(**errors, n=20), "ERR001").undecided


def test_few_rows_cannot_tell_and_say_what_they_cannot_tell_apart() -> None:
    report = error_breakdown(irreducible=.05, train=.1, val=.16, n=150)
    assert report.dominant is None
    assert report.passed is None
    assert {"variance", "avoidable_bias"} <= set(report.rivals)
    assert "n is too small" in report.answer


def test_the_difference_of_two_shares_is_newcombes() -> None:
    report = error_breakdown(train=56 / 70, val=48 / 80, n={"train": 70, "val": 80})
    value = report.components["variance"]
    assert value is not None
    assert np.round(value, 4).tolist() == [-.2, -.3339, -.0524]  # Newcombe 1998, table II, example (a), method 10


def test_n_by_part_and_triples() -> None:
    report = error_breakdown(train=(.05, .04, .06), val=.2, n={"val": 400})
    assert report.errors["train"] == (.05, .04, .06)
    assert report.errors["val"] == pytest.approx(tuple(wilson(80, 400)))
    assert report.n == {"train": None, "val": 400}


def test_without_n_nothing_is_settled() -> None:
    report = error_breakdown(train=.01, val=.2)
    assert report.dominant is None
    assert report.largest == "variance"
    assert np.isnan(report.components["variance"][1])
    assert "without intervals" in report.answer


def test_an_irreducible_error_that_was_measured_has_an_interval() -> None:
    exact = error_breakdown(irreducible=.05, train=.2, val=.22, n=1_000).components["avoidable_bias"]
    measured = error_breakdown(irreducible=.05, train=.2, val=.22, n={"irreducible": 50, "train": 1_000, "val": 1_000})
    wider = measured.components["avoidable_bias"]
    assert wider[2] - wider[1] > 1.5 * (exact[2] - exact[1])


class TestUnknownFloor:
    def test_bias_is_bounded_from_above_only_and_never_dominates(self) -> None:
        report = error_breakdown(train=.3, val=.31, n=100_000)
        assert report.components["irreducible"] is None
        assert report.components["avoidable_bias"][:2] == (.3, 0)
        assert report.dominant is None
        assert "can be avoided" in report.answer
        assert "ERR002" not in codes(report), "the first finding has said it"
        assert report.actions == (), "no remedy is listed for a cause that is not decided"
        assert not any(code.startswith("ERR01") for code in codes(report))

    def test_variance_may_dominate_whatever_the_floor_is(self) -> None:
        assert error_breakdown(train=.02, val=.2, n=2_000).dominant == "variance"

    def test_variance_that_is_not_larger_than_the_training_error_does_not(self) -> None:
        assert error_breakdown(train=.1, val=.18, n=100_000).dominant is None


@pytest.mark.parametrize(("metric", "scores", "errors"), [
    ("accuracy", {"irreducible": .99, "train": .98, "val": .85}, (.01, .02, .15)),
    ("rmse", {"irreducible": 1, "train": 2, "val": 5}, (1, 2, 5)),
    ("r2", {"irreducible": .9, "train": .8, "val": -.5}, (.1, .2, 1.5)),
    ("Log loss", {"irreducible": .1, "train": .3, "val": 2.5}, (.1, .3, 2.5)),
])
def test_metrics_of_any_direction(metric: str, scores: dict[str, float], errors: tuple[float, ...]) -> None:
    report = error_breakdown(**scores, metric=metric)
    assert [e[0] for e in report.errors.values()] == pytest.approx(errors)
    assert report.largest == "variance"


@pytest.mark.parametrize("irreducible", [.05, .95, (.05, .04, .06), (.95, .94, .96)])
def test_an_error_given_for_a_score_is_told_by_what_it_would_mean(irreducible: Any) -> None:
    report = error_breakdown(train=.93, val=.8, metric="accuracy", irreducible=irreducible, n=1_000)
    assert report.components["irreducible"][0] == pytest.approx(.05)
    assert report.dominant == "variance"
    assert ("ERR006" in codes(report)) == (np.mean(irreducible) < .5)


def test_a_best_score_just_below_the_models_is_left_as_it_is() -> None:
    report = error_breakdown(train=.55, val=.54, metric="accuracy", irreducible=.5, n=100)
    assert report.components["irreducible"][0] == .5
    assert error_breakdown(train=.1, val=.1, irreducible=.9, n=1_000).components["irreducible"][0] == .9
    assert error_breakdown(train=-3, val=-4, metric="r2", irreducible=.1).components["irreducible"][0] == .9


def test_own_metrics() -> None:
    def profit(y: Any, said: Any, weight: Any) -> float:
        return 0.0

    gain = Metric("profit", "Profit", True, -np.inf, np.inf, "euro", ("classification",), "labels", function=profit)
    report = error_breakdown(train=(500, 480, 520), val=(300, 280, 320), metric=gain)
    assert report.components["variance"][0] == 200


def test_a_score_that_is_no_share_of_rows_gets_an_interval_by_a_rule_of_thumb() -> None:
    report = error_breakdown(train=.99, val=.8, n=10_000, metric="roc_auc")
    share = error_breakdown(train=.99, val=.8, n=10_000, metric="accuracy")
    assert report.dominant == "variance"
    assert report.components["variance"][2] - report.components["variance"][1] > \
        1.9 * (share.components["variance"][2] - share.components["variance"][1])
    assert "a quarter of the rows" in found(report, "ERR007").message
    assert "ERR007" not in codes(share)
    told = error_breakdown(train=(.99, .985, .995), val=(.8, .79, .81), metric="roc_auc")
    assert told.dominant == "variance"


@pytest.mark.parametrize("metric", ["rmse", "mae", "median_ae", "r2", "mape", "log_loss"])
def test_intervals_by_a_rule_of_thumb_hold_for_errors_with_long_tails(metric: str) -> None:
    known, rows, held = METRICS[metric], 300, 0
    rng = np.random.default_rng(0)

    def score(n: int) -> float:
        if metric == "log_loss":
            p = rng.beta(.5, .5, n)
            y = rng.random(n) < p
            return float(-np.log(np.clip(np.where(y, p, 1 - p), 1e-9, 1)).mean())
        y, off = 3 * rng.normal(size=n) + 20, rng.laplace(size=n)
        size = np.abs(off)
        return float({"rmse": np.sqrt((off**2).mean()), "mae": size.mean(), "median_ae": np.median(size),
                      "mape": (size / np.abs(y)).mean(), "r2": 1 - (off**2).mean() / y.var()}[metric])

    truth = score(2_000_000)
    for _ in range(150):
        part = read_parts({"val": score(rows)}, rows, known)["val"]
        held += part.low <= (1 - truth if known.greater_is_better else truth) <= part.high
    assert held >= 138


def test_no_error_at_all_leaves_nothing_to_explain() -> None:
    report = error_breakdown(train=0, val=0, test=0, irreducible=0, n=1_000)
    assert report.dominant is None
    assert report.answer.startswith("There is no error to explain: 0 (0 to 0.0038")
    assert error_breakdown(train=1, val=1, metric="accuracy").answer.startswith("There is no error")


@pytest.mark.parametrize("errors", [
    {"train": .1, "val": .1, "test": .1, "irreducible": .1}, {"train": .3, "val": .1}, {"train": .3, "val": .1, "test": .05},
    {"train": 0, "val": .4}, {"train": 1, "val": 1, "irreducible": 1}, {"train": .2, "val": .2, "irreducible": .9},
])
@pytest.mark.parametrize("n", [None, 1, 10**9])
def test_odd_errors_have_an_answer_a_table_and_a_picture(errors: dict[str, float], n: int | None) -> None:
    report = error_breakdown(**errors, n=n)
    assert "\n" not in report.answer
    assert report.plot() is not None
    assert report._repr_html_()
    assert report.dominant in (None, report.largest)


def test_negative_terms_are_said() -> None:
    report = error_breakdown(irreducible=.2, train=.0, val=.35, n=2_000)
    assert report.dominant == "variance"
    assert "by heart" in found(report, "ERR005").message


def test_shift_and_validation_overfitting_are_issues_only_when_sure_and_large() -> None:
    assert found(error_breakdown(train=.1, val=.1, test=.2, n=2_000), "ERR004").severity == "issue"
    assert found(error_breakdown(train=.1, val=.1, test=.102, n=50_000), "ERR004").severity == "passed"
    assert found(error_breakdown(train=.1, val=.1, test=.13, n=100), "ERR004").undecided
    assert found(error_breakdown(train=.1, val_train=.1, val_test=.2, n=2_000), "ERR003").severity == "issue"
    assert found(error_breakdown(train=.1, val_train=.1, val_test=.07, n=9_000), "ERR003").severity == "passed"


def test_one_validation_part_of_either_kind() -> None:
    lone = error_breakdown(train=.1, val_test=.2, test=.2, n=100).frame.set_index("component")
    assert lone["is"]["variance"] == "val_test − train"
    mixed = error_breakdown(train=.1, val_train=.12, val=.2, n=1_000)
    assert mixed.components["distribution_shift"][0] == pytest.approx(.08)
    other = error_breakdown(train=.1, val=.12, val_test=.2, n=1_000)
    assert other.components["distribution_shift"][0] == pytest.approx(.08)
    only = error_breakdown(train=.1, val_train=.12, test=.2, n=1_000)
    assert only.components["validation_overfitting"][0] == pytest.approx(.08)
    three = error_breakdown(train=.1, val=.9, val_train=.12, val_test=.2, n=1_000)
    assert "val" not in three.errors


@settings(max_examples=60)
@given(st.lists(st.floats(0, 1), min_size=5, max_size=5), st.integers(1, 10**6))
def test_the_terms_add_up_and_hold_their_bounds(errors: list[float], n: int) -> None:
    names = ("irreducible", "train", "val_train", "val_test", "test")
    report = error_breakdown(**dict(zip(names, errors)), n=n)
    terms = [report.components[name] for name in CAUSES]
    assert sum(t[0] for t in terms) == pytest.approx(errors[-1], abs=1e-9)
    assert all(t[1] <= t[0] <= t[2] for t in terms)
    assert report.dominant in (None, report.largest)
    assert "\n" not in report.answer


def test_a_dominant_cause_is_rarely_wrong() -> None:
    """Two terms of one size: which of them is larger is luck, and may hardly ever be told."""
    rng, wrong = np.random.default_rng(0), 0
    for _ in range(300):
        errors = {"train": rng.binomial(400, .1) / 400, "val": rng.binomial(400, .19) / 400}  # bias 0.09, variance 0.09
        wrong += judge(read_parts(errors, 400, None) | {"irreducible": Part(.01, .01, .01)}).dominant is not None
    assert wrong <= 300 * .06


@pytest.mark.parametrize(("arguments", "error", "text"), [
    ({"train": None, "val": .1}, BadInputError, "`train` and `val` must be errors"),
    ({"train": .1}, BadInputError, "`train` and `val`"),
    ({"train": "a", "val": .1}, BadInputError, "`train` must be a number"),
    ({"train": .1, "val": True}, BadInputError, "`val` must be a number"),
    ({"train": .1, "val": np.nan}, BadInputError, "`val` must be a finite number"),
    ({"train": -.1, "val": .1}, BadInputError, "`train` must lie from 0"),
    ({"train": 1.2, "val": .1, "metric": "accuracy"}, BadInputError, "`train` must lie from 0 to 1, being accuracy"),
    ({"train": (.1, .2), "val": .1}, BadInputError, "`train` must be a number, or"),
    ({"train": (.1, .2, .3), "val": .1}, BadInputError, "in this order"),
    ({"train": [object()] * 3, "val": .1}, BadInputError, "`train` must be a finite number"),
    ({"train": .1, "val": .1, "n": 0}, BadInputError, "`n` must be a number of rows"),
    ({"train": .1, "val": .1, "n": "many"}, BadInputError, "`n` must be a number of rows"),
    ({"train": .1, "val": .1, "n": {"tset": 3}}, UnknownNameError, "Did you mean 'test'"),
    ({"train": .1, "val": .1, "metric": "acuracy"}, UnknownNameError, "Did you mean 'accuracy'"),
])
def test_nonsense_is_refused_in_one_line(arguments: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text) as caught:
        error_breakdown(**arguments)
    assert "\n" not in str(caught.value)


def test_every_action_has_a_call_that_its_step_has() -> None:
    assert set(ACTIONS) == set(CAUSES)
    for step in (step for steps in ACTIONS.values() for step in steps):
        assert isinstance(step, NextStep)
        name = str(step.call).split("(")[0]
        place = import_module(f"ml_lifecycle.{step.step}")
        assert hasattr(place, name) or name in ("load_dataset", "data.split"), step.call


def test_the_lists_stand_in_the_order_of_the_guide() -> None:
    wanted = {
        "avoidable_bias": ("bigger", "regularization", "errors have in common", "advanced", "hyperparameters", "features"),
        "variance": ("more training rows", "normalization", "augment", "regularization", "errors have in common", "another kind",
                     "hyperparameters", "earlier", "remove features", "smaller"),
        "distribution_shift": ("differ", "errors on them", "collect", "synthesize", "domain adaptation"),
    }
    for cause, words in wanted.items():
        assert len(ACTIONS[cause]) == len(words)
        assert all(word in step.action for word, step in zip(words, ACTIONS[cause]))


def test_reads_back() -> None:
    report = error_breakdown(irreducible=.01, train=.02, val=.11, n=500)
    back = Report.from_json(report.to_json())
    assert isinstance(back, ErrorBreakdown)
    assert back.components == report.components
    assert back.answer == report.answer
    assert json.loads(report.to_json())["step"] == "refinement"
    assert back.label == "Error"


# from models, on cases whose Bayes error is known

def noisy(rows: int, flip: float, seed: int, wiggle: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """The sign of a wave over two features, flipped for a share of the rows: that share is the Bayes error."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-3, 3, size=(rows, 2))
    y = np.sin(wiggle * X[:, 0]) + .3 * X[:, 1] > 0
    return X, np.where(rng.random(rows) < flip, ~y, y).astype(int)


class TestFromModel:
    def test_noise(self) -> None:
        splits = [noisy(4_000, .3, seed) for seed in range(3)]
        model = DecisionTreeClassifier(min_samples_leaf=100)
        report = error_breakdown.from_model(model, splits, metric="accuracy", irreducible=.7)
        assert report.dominant == "irreducible"
        assert report.passed is not False

    def test_underfitting(self) -> None:
        splits = [noisy(3_000, .02, seed, wiggle=4) for seed in range(3)]
        report = error_breakdown.from_model(LogisticRegression(), splits, metric="accuracy", irreducible=.98)
        assert report.dominant == "avoidable_bias"

    def test_overfitting(self) -> None:
        splits = [noisy(rows, .15, seed) for seed, rows in enumerate((300, 3_000, 3_000))]
        report = error_breakdown.from_model(KNeighborsClassifier(1), splits, metric="accuracy", irreducible=.85)
        assert report.dominant == "variance"
        assert report.components["avoidable_bias"][0] < 0

    def test_shift_with_two_validation_parts(self) -> None:
        X, y = noisy(3_000, .05, 4)
        splits = {"train": noisy(3_000, .05, 0), "val_train": noisy(3_000, .05, 1), "val_test": (X, 1 - y)}
        model = DecisionTreeClassifier(min_samples_leaf=30)
        report = error_breakdown.from_model(model, splits, metric="accuracy", irreducible=.95)
        assert report.dominant == "distribution_shift"
        assert report.passed is False

    def test_overfitting_to_the_validation_rows(self) -> None:
        X, y = noisy(200, .5, 1)
        test = noisy(4_000, .5, 2)
        models = [DummyClassifier(strategy="uniform", random_state=s).fit(X, y) for s in range(400)]
        best = max(models, key=lambda m: m.score(X, y))
        gap = best.score(X, y) - best.score(*test)
        assert gap > .05
        report = error_breakdown.from_model(best, {"train": test, "val": (X, y), "test": noisy(4_000, .5, 3)}, metric="accuracy")
        assert report.components["validation_overfitting"][0] > .05

    def test_a_split_by_time_shows_drift_as_a_term_of_its_own(self) -> None:
        rng, rows = np.random.default_rng(0), 1_500
        frame = pd.DataFrame({"when": np.arange(rows), "a": rng.normal(size=rows)})
        frame["y"] = np.where(frame["when"] < 900, frame["a"], -frame["a"]) + .3 * rng.normal(size=rows)
        splits = load_dataset(frame, target="y", time="when").split()
        report = error_breakdown.from_model(Ridge(), splits)
        assert report.dominant == "distribution_shift"
        assert set(report.errors) == {"train", "val_train", "val", "test"}
        assert report.params["hold_out"] == .2
        assert set(error_breakdown.from_model(Ridge(), splits, hold_out=0).errors) == {"train", "val", "test"}

    def test_no_drift_is_no_issue(self) -> None:
        rng, rows = np.random.default_rng(1), 2_000
        frame = pd.DataFrame({"when": np.arange(rows), "a": rng.normal(size=rows)})
        frame["y"] = frame["a"] + rng.normal(size=rows)
        report = error_breakdown.from_model(LinearRegression(), load_dataset(frame, target="y", time="when").split())
        assert report.passed is not False
        assert report.dominant is None

    def test_a_fitted_model_is_used_as_it_is_and_stays_so(self) -> None:
        splits = [noisy(300, .1, seed) for seed in range(2)]
        model = DecisionTreeClassifier(max_depth=3, random_state=0).fit(*splits[0])
        before = model.tree_
        report = error_breakdown.from_model(model, splits, metric="accuracy")
        assert model.tree_ is before
        assert report.errors["train"][0] == pytest.approx(1 - model.score(*splits[0]))
        assert "validation_overfitting" not in [c for c, v in report.components.items() if v is not None]

    def test_no_random_state_is_disturbed_and_the_seed_decides(self) -> None:
        splits = [noisy(200, .1, seed) for seed in range(2)]
        np.random.seed(3)
        before = np.random.get_state()[1].copy()
        forest = RandomForestClassifier(10)
        first, second = (error_breakdown.from_model(forest, splits, seed=5, n_boot=50) for _ in range(2))
        assert (np.random.get_state()[1] == before).all()
        assert first.components == second.components

    def test_groups_are_held_out_whole_and_widen_the_intervals(self) -> None:
        rng = np.random.default_rng(0)
        group = np.repeat(np.arange(60), 20)
        effect = rng.normal(size=60)[group]
        frame = pd.DataFrame({"group": group, "a": rng.normal(size=1_200), "y": effect + .1 * rng.normal(size=1_200)})
        data = load_dataset(frame, target="y", group="group")
        splits = data.split()
        grouped = error_breakdown.from_model(Ridge(), splits, hold_out=.2)
        plain = error_breakdown.from_model(Ridge(), [(p.X, p.y) for p in splits], hold_out=.2)
        width = [r.errors["val"][2] - r.errors["val"][1] for r in (grouped, plain)]
        assert width[0] > 1.5 * width[1]
        assert grouped.n["val_train"] % 20 == 0

    def test_a_model_without_a_clone_says_that_nothing_was_held_out(self) -> None:
        class Fixed:
            def predict(self, X: Any) -> np.ndarray:
                return np.zeros(len(X), dtype=int)

        splits = [noisy(200, .1, seed) for seed in range(2)]
        assert "ERR006" in codes(error_breakdown.from_model(Fixed(), splits, metric="accuracy", hold_out=.2))

    def test_columns_of_one_and_labels_of_words(self) -> None:
        X, y = noisy(300, .1, 0)
        words = np.where(y == 1, "yes", "no")
        frame = pd.DataFrame(X, columns=["a", "b"], index=np.arange(300)[::-1])
        target = pd.Series(words, index=frame.index, dtype="category")
        report = error_breakdown.from_model(LogisticRegression(), [(frame, target), (frame, target.to_frame())])
        assert report.metric == "roc_auc"
        assert report.components["variance"][0] == pytest.approx(0)
        assert report.label == "Error (1 − ROC AUC)"

    @pytest.mark.parametrize(("splits", "more", "text"), [
        (3, {}, "`splits` must be Splits"),
        ([noisy(9, 0, 0)], {}, "two or three pairs"),
        ({"train": noisy(50, 0, 0), "vla": noisy(50, 0, 0)}, {}, "`splits` must name parts"),
        ({"train": noisy(50, 0, 0)}, {}, "a training and a validation part"),
        ([noisy(50, 0, 0), 3], {}, "`splits` must hold pairs"),
        ([noisy(50, 0, 0), (np.ones((3, 2)), [1, 0])], {}, "one value of y for each row"),
        ([noisy(50, 0, 0), (np.ones((2, 2)), [1, None])], {}, "no missing values in y"),
        ([noisy(50, 0, 0)] * 2, {"hold_out": 2}, "`hold_out` must be a share"),
        ([noisy(50, 0, 0)] * 2, {"seed": -1}, "`seed` must be"),
        ([noisy(50, 0, 0)] * 2, {"metric": "rmse"}, "`metric` must be one for classification"),
        ([noisy(50, 0, 0)] * 2, {"irreducible": 3}, "`irreducible` must lie"),
        ([(np.array([["a"], ["b"]] * 20), [0, 1] * 20)] * 2, {}, "`model` must be one that fits"),
    ])
    def test_nonsense_is_refused_in_one_line(self, splits: Any, more: dict[str, Any], text: str) -> None:
        with pytest.raises((BadInputError, UnknownNameError), match=text) as caught:
            error_breakdown.from_model(LogisticRegression(), splits, **more)
        assert "\n" not in str(caught.value)

    def test_a_part_on_which_the_metric_is_undefined_is_left_out(self) -> None:
        one_class = (np.ones((5, 2)), np.ones(5, dtype=int))
        report = error_breakdown.from_model(LogisticRegression(), [noisy(50, 0, 0), one_class])
        assert report.passed is None
        assert report.components["variance"] is None
        assert "no error on validation rows" in report.answer
        assert "undefined on the 5 rows of 'val'" in found(report, "ERR006").message
        assert report.plot() is not None
        some = error_breakdown.from_model(LogisticRegression(), [noisy(50, 0, 0), noisy(50, 0, 1), one_class])
        assert set(some.errors) == {"train", "val"}
        with pytest.raises(BadInputError, match="must be defined on the training part"):
            error_breakdown.from_model(DummyClassifier().fit(*one_class), [one_class, noisy(50, 0, 1)], metric="roc_auc")

    @pytest.mark.parametrize("dtype", ["Int64", "boolean", "category", "object", "string", "float64"])
    def test_labels_of_every_type(self, dtype: str) -> None:
        X, y = noisy(200, .1, 0)
        target = pd.Series(y).astype(str if dtype == "string" else dtype).astype(dtype)
        report = error_breakdown.from_model(LogisticRegression(), [(X, target), (X, target)], metric="accuracy")
        assert report.components["variance"][0] == pytest.approx(0)
        mixed = np.array([1 if label else "no" for label in y], dtype=object)
        report = error_breakdown.from_model(LogisticRegression(), [(X, mixed), (X, mixed)], metric="accuracy")
        assert report.errors["train"][0] < .5

    def test_a_data_set_without_a_target_is_refused(self) -> None:
        data = load_dataset(pd.DataFrame({"a": np.arange(30.), "b": np.arange(30.)}), target=False)
        with pytest.raises(BadInputError, match="must have a target in every part"):
            error_breakdown.from_model(Ridge(), [data, data])
