"""What a new user does wrong, or brings along, in step 3: refused in one line, or told in a row, and never a traceback."""

import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from ml_lifecycle.exploration import baselines, compare_ideas, extrapolate_curve, learning_curve, reproduce
from ml_lifecycle.exploration._measure import LONGEST, what_failed
from ml_lifecycle.foundation.errors import BadInputError, LifecycleError, UnknownNameError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 3))
Y = (X[:, 0] + RNG.normal(size=120) > 0).astype(int)
MANY = RNG.integers(0, 26, 600)
WIDE = RNG.normal(size=(600, 2))


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
    plt.close("all")


def refused(call: Callable[..., Any], *args: Any, **more: Any) -> str:
    with pytest.raises((BadInputError, UnknownNameError)) as caught:
        call(*args, **more)
    said = str(caught.value)
    assert "\n" not in said
    assert said.startswith("`")
    assert " must " in said
    assert "Got " in said
    return said


class Leaves(LogisticRegression):
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "Leaves":
        sys.exit("bye")


def leaves(X_train: Any, y_train: Any) -> None:
    sys.exit(3)


def test_a_model_that_ends_the_process_takes_nothing_with_it() -> None:
    report = baselines(X, Y, models={"e": Leaves(), "l": LogisticRegression()}, heuristics=lambda rows: sys.exit(), cv=3)
    notes = report.frame.set_index("name")["note"]
    assert notes["e"] == "failed in 3 of 3 folds: SystemExit: bye"
    assert "SystemExit" in notes["rule 1"]
    assert report.best == "l"
    curve = learning_curve({"e": Leaves(), "l": LogisticRegression()}, X, Y, cv=3, sizes=[20, 40])
    assert curve.best == "l"
    assert "SystemExit: bye" in next(f.message for f in curve.findings if f.code == "LRN006")
    ideas = compare_ideas({"e": leaves, "c": {"C": 0.1}}, X, Y, cv=3)
    assert "SystemExit: 3" in ideas.frame.set_index("name")["note"]["e"]


@pytest.mark.parametrize(("given", "said"), [
    ({"human": 95}, "Write a percentage as a share"), ({"human": -1}, "from 0 to 1"), ({"human": True}, "Got True"),
    ({"human": "x"}, "Got 'x'"), ({"human": {"score": 0.9, "n": 0}}, "number of rows above 0"),
    ({"published": [{"name": "a", "score": 90, "source": "s"}]}, "roc_auc can take"),
    ({"published": "a paper"}, "Got 'a paper'"), ({"heuristics": "rule"}, "Got 'rule'"),
])
def test_a_quoted_score_has_the_unit_of_the_metric(given: dict[str, Any], said: str) -> None:
    assert said in refused(baselines, X, Y, models=(), **given)


def test_a_quoted_error_has_no_upper_bound_and_no_folds() -> None:
    report = baselines(X, X[:, 0] * 100, models=["ridge regression"], human=150, cv=3)
    row = report.frame.set_index("name").loc["human"]
    assert row["score"] == 150
    assert np.isnan(row["folds"])
    assert (report.frame.loc[report.frame["kind"] != "human", "folds"] == 3).all()


@pytest.mark.parametrize("given", [np.zeros((0, 3)), pd.DataFrame(), X[:, 0], 3, {"a": [1, 2]}, "nofile.csv"])
def test_the_argument_has_the_name_it_is_called_by(given: Any) -> None:
    y = None if isinstance(given, str) else Y
    assert refused(learning_curve, LogisticRegression(), given, y).startswith("`X`")
    assert refused(baselines, given, y).startswith("`data`")
    assert refused(compare_ideas, [{"C": 1}], given, y).startswith("`data`")


def test_remedies_fit_the_argument() -> None:
    assert "worth=0.01" in refused(learning_curve, LogisticRegression(), X, Y, worth=-1)
    curve = learning_curve(LogisticRegression(), X, Y, cv=3, sizes=[20, 40, 60, 80])
    assert "cost_per_label=0.5" in refused(curve.rows_for, 0.9, cost_per_label=0)
    assert "n=1000" in refused(curve.extrapolate, "1000")
    assert "pandas.DataFrame" in refused(baselines, {"a": [1, 2]}, Y)
    assert "Got a DataFrame" in refused(reproduce, pd.DataFrame({"name": ["wine-lda"]}))


@pytest.mark.parametrize("ask", [
    lambda model: baselines(WIDE, MANY, models=[model], cv=2),
    lambda model: baselines(pd.DataFrame(WIDE, columns=["a", "b"]).assign(y=MANY), target="y", models={"m": model}, cv=2),
    lambda model: learning_curve(model, WIDE, MANY, cv=2, sizes=[100, 200]),
    lambda model: compare_ideas([("m", model)], WIDE, MANY, cv=2, base=model),
])
def test_classifiers_tell_that_many_whole_numbers_are_classes(ask: Callable[[Any], Any]) -> None:
    assert ask(KNeighborsClassifier(1)).metric == "balanced_accuracy"
    assert ask(DecisionTreeRegressor()).metric == "rmse"


def test_models_do_not_overrule_the_task_or_what_cannot_be_classes() -> None:
    tree = DecisionTreeClassifier()
    assert baselines(WIDE, MANY, models=[tree], task="regression", cv=2).metric == "rmse"
    assert baselines(WIDE, WIDE[:, 0], models=[tree], cv=2).metric == "rmse"
    assert baselines(WIDE, np.arange(600), models=[tree], cv=2).metric == "rmse"
    assert baselines(WIDE, MANY, models=[tree, DecisionTreeRegressor()], cv=2).metric == "rmse"


def test_the_baseline_of_ideas_is_what_parameters_change() -> None:
    trees = compare_ideas({"mine": DecisionTreeClassifier(), "small": {"max_depth": 2}}, X, Y, baseline="mine", cv=3)
    assert trees.frame.set_index("name")["score"].notna().all()
    listed = compare_ideas([("a", LogisticRegression()), ("b", {"C": 3})], X, Y, baseline="a", cv=3)
    assert listed.baseline == "a"
    assert listed.tried == 1
    assert refused(compare_ideas, [{"C": 1}], X, Y, baseline="nope").startswith("`baseline`")
    assert "Parameters: C, class_weight" in refused(compare_ideas, [{"Q": 1}], X, Y)


def test_one_row_of_a_class_is_one() -> None:
    rare = baselines(np.tile(X, (2, 1)), np.arange(240) < 1, models=(), metric="accuracy")
    assert "There is only 1 row of class 'True'" in next(f.message for f in rare.findings if f.code == "BAS011")


@pytest.mark.parametrize(("sizes", "scores", "n"), [
    ([10, 20, 40, 80], [0.5, 0.6, 0.7, 0.75], 1e300), ([10, 20, 40, 80], [0.5, 0.6, 0.7, 0.75], 1e-300),
    ([1e-300, 1, 2, 3], [0.5, 0.6, 0.7, 0.75], 4), ([10, 20, 40, 80], [1e308, -1e308, 0, 1], 100),
])
def test_sizes_and_scores_beyond_reason_are_refused(sizes: list[float], scores: list[float], n: float) -> None:
    refused(extrapolate_curve, sizes, scores, n)


@pytest.mark.parametrize("scores", [[1e-300] * 4 + [0], [1e-320, 2e-320, 3e-320, 4e-320, 5e-320], [1e99, 1e50, 1, 2, 3]])
def test_scores_of_any_scale_stay_quiet(scores: list[float]) -> None:
    value, low, high = extrapolate_curve([10, 20, 40, 80, 160], scores, 1000)
    assert low <= value <= high


def test_a_level_is_shown_as_it_is() -> None:
    assert "99.9999% interval" in repr(extrapolate_curve([10, 20, 40, 80], [0.5, 0.6, 0.7, 0.75], 200, level=0.999999))


def test_what_failed_is_one_line_of_whole_words() -> None:
    assert what_failed(ValueError("a\n  b.")) == "ValueError: a b"
    assert what_failed(BadInputError("`y` must be one. Got two.")) == "`y` must be one. Got two"
    long = what_failed(ValueError("word " * 200))
    assert long.endswith("word …")
    assert len(long) <= LONGEST + 20
    assert issubclass(BadInputError, LifecycleError)
    found = baselines(X, Y, models=[LinearSVC()], metric="log_loss", cv=2).findings
    assert "BadInputError" not in next(f.message for f in found if f.code == "BAS005")


def test_bars_of_a_curve_are_in_the_picture() -> None:
    curve = learning_curve(LogisticRegression(), X, Y, cv=5, sizes=[20, 40, 60, 90])
    ax = curve.plot()
    bottom, top = ax.get_ylim()
    last = curve.frame.query("split == 'validation'").iloc[-1]
    assert bottom < last["low"]
    assert last["high"] < top


def test_many_rows_are_cut_and_counted() -> None:
    report = baselines(X, Y, models={f"m{i}": LogisticRegression(C=10.0 ** -i) for i in range(24)}, cv=2)
    ax = report.plot()
    assert len(ax.get_yticks()) == 20
    assert ax.get_title(loc="left") == "the first 20; 6 more in the table"


def test_a_fold_counts_once() -> None:
    pair = (np.arange(60), np.arange(60, 120))
    for ask in (lambda cv: baselines(X, Y, models=[LogisticRegression()], cv=cv),
                lambda cv: learning_curve(LogisticRegression(), X, Y, cv=cv, sizes=[20, 40]),
                lambda cv: compare_ideas([{"C": 1}], X, Y, cv=cv)):
        one, three = ask([pair]), ask([pair, (pair[0][::-1], pair[1]), pair])
        pd.testing.assert_series_equal(one.frame["low"], three.frame["low"])
        assert "2 of 3 folds are copies of another, and left out." in [f.message for f in three.findings]


def test_rows_are_not_looked_for_beyond_the_metric() -> None:
    curve = learning_curve(LogisticRegression(), X, Y, cv=3, sizes=[20, 40, 60, 80])
    for score in (1.5, -1, 90):
        assert "roc_auc can take" in refused(curve.rows_for, score)
    assert curve.rows_for(1.0).sentence
    assert curve.extrapolate(200, level=np.float32(0.9)).level == pytest.approx(0.9)
