"""What each column is worth: known truths come out, and what cannot be told is said."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from ml_lifecycle.exploration import default_models
from ml_lifecycle.foundation import METRICS, BadInputError, UnknownNameError, load_dataset
from ml_lifecycle.foundation.metrics import Metric
from ml_lifecycle.maintenance import _pairs, _value, _value_findings, _without, feature_value
from ml_lifecycle.maintenance.features import FeatureValue

VERDICTS = {"keep", "remove", "cannot tell"}


def table(rows: int = 400, seed: int = 0, noise: int = 3) -> tuple[pd.DataFrame, np.ndarray]:
    """`useful` decides, `twin` is its copy, the others know nothing."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(rows, noise)), columns=[f"noise_{i}" for i in range(noise)])
    X.insert(0, "useful", rng.normal(size=rows))
    return X, np.where(rng.logistic(size=rows) < 2.5 * X["useful"], "yes", "no")


def verdicts(report: FeatureValue) -> dict[Any, str]:
    return dict(zip(report.frame["feature"], report.frame["verdict"]))


@pytest.mark.parametrize("method", ["drop", "permute"])
def test_the_useful_stays_and_dice_are_never_kept(method: Any) -> None:
    X, y = table()
    report = feature_value(LogisticRegression(), X, y, method=method)
    found = verdicts(report)
    assert found["useful"] == "keep"
    assert all(found[name] != "keep" for name in X if name != "useful")
    assert "useful" not in report.safe
    assert report.frame["value"].iloc[0] == report.frame["value"].max() > 0.1
    assert report.passed is not False
    assert set(found.values()) <= VERDICTS


@pytest.mark.slow
def test_dice_are_hardly_ever_kept() -> None:
    wrong = 0
    for seed in range(10):
        X, y = table(150, seed, noise=4)
        found = verdicts(feature_value(LogisticRegression(), X, y, method="permute", seed=seed, cv=3, n_repeats=1))
        wrong += any(found[name] == "keep" for name in X if name != "useful")
    assert wrong <= 1


@pytest.mark.parametrize("method", ["drop", "permute"])
def test_copies_are_never_taken_out_together(method: Any) -> None:
    X, y = table(600)
    X["twin"] = X["useful"] * 3
    report = feature_value(LogisticRegression(), X, y, method=method)
    found = verdicts(report)
    assert not {"useful", "twin"} <= set(report.safe)
    assert not found["useful"] == found["twin"] == "remove"
    if method == "drop":
        assert any(f.code == "FEA003" for f in report.findings)
    else:
        assert any(f.code == "FEA005" for f in report.findings)


def test_the_sign_follows_the_metric() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=200), "dice": rng.normal(size=200)})
    y = 3 * X["a"] + rng.normal(size=200)
    for metric in ("rmse", "mae", "r2"):
        report = feature_value(Ridge(), X, y, metric=metric)
        assert verdicts(report)["a"] == "keep"
        assert report.frame.set_index("feature").loc["a", "value"] > 0


def test_what_can_go_is_what_was_left_out_at_once() -> None:
    X, y = table(1500, noise=2)
    X["unused"] = 1.0
    report = feature_value(LogisticRegression(), X, y)
    assert "unused" in report.safe
    assert set(report.safe) == {name for name, verdict in verdicts(report).items() if verdict == "remove"}
    assert report.joint is not None
    assert report.joint[2] < report.matters or report.joint[0] == 0
    assert next(f for f in report.findings if f.code == "FEA002").next is not None


def test_a_model_keeps_a_column_even_when_there_is_nothing_to_learn() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": np.zeros(200), "b": np.ones(200)})
    report = feature_value(DecisionTreeClassifier(), X, rng.choice(["x", "y"], 200))
    assert len(report.safe) == 1
    assert "a model needs a column" in " ".join(report.frame["note"])


def test_one_column_against_none() -> None:
    X, y = table(300)
    report = feature_value(LogisticRegression(), X[["useful"]], y)
    assert verdicts(report) == {"useful": "keep"}
    regression = feature_value(Ridge(), X[["useful"]], X["useful"] * 2 + 1)
    assert verdicts(regression) == {"useful": "keep"}


class TestForms:
    """Tables and models of every form."""

    def test_pipelines_of_the_library_with_every_kind_of_column(self, mixed_csv: Any) -> None:
        data = load_dataset(mixed_csv(240), target="y", time="when")
        model = default_models("classification", data.X, time="when", text=data.roles["text"])["logistic regression"]
        before = repr(model)
        report = feature_value(model, data, cv=3)
        assert set(report.frame["feature"]) == set(data.X.columns)
        assert not report.frame["note"].str.contains("constant|failed").any()
        assert repr(model) == before
        assert "forward in time" in report.how

    def test_arrays_and_sparse_matrices(self) -> None:
        X, y = table(300)
        for form in (X.to_numpy(), sparse.csr_matrix(X.to_numpy()), X.to_numpy().tolist()):
            for method in ("drop", "permute"):
                report = feature_value(LogisticRegression(), form, y, method=method, cv=3, n_repeats=1)  # type: ignore[arg-type]
                assert verdicts(report)[0] == "keep"

    def test_odd_indexes_and_types(self) -> None:
        X, y = table(200)
        X["flag"] = X["noise_0"] > 0
        X["kind"] = pd.Categorical(np.where(X["noise_1"] > 0, "a", "b"))
        X["name"] = pd.array(np.where(X["noise_2"] > 0, "p", "q"), dtype="string")
        X["gap"] = np.nan
        X.index = pd.Index(np.arange(len(X))[::-1] * 7)
        copy = X.copy(deep=True)
        model = default_models("classification", X)["gradient boosting"].set_params(model__max_iter=10)
        for method in ("drop", "permute"):
            report = feature_value(model, X, pd.Series(y, index=X.index), method=method, cv=3, n_repeats=1)  # type: ignore[arg-type]
            assert verdicts(report)["useful"] == "keep"
        pd.testing.assert_frame_equal(X, copy)

    def test_a_model_that_names_its_columns_gets_constants(self) -> None:
        X, y = table(300)
        X["kind"] = np.where(X["useful"] > 0, "up", "down")
        model = make_pipeline(make_column_transformer((OneHotEncoder(), ["kind"]), (StandardScaler(), ["useful", "noise_0"])),
                              LogisticRegression())
        report = feature_value(model, X, y, features=["useful", "noise_0", "kind"], cv=3)
        assert (report.frame["note"].str.contains("held constant")).all()
        assert any(f.code == "FEA006" for f in report.findings)
        assert verdicts(report)["noise_0"] != "keep"

    @pytest.mark.parametrize("model", [
        HistGradientBoostingClassifier(max_iter=5, categorical_features=[1]),
        make_pipeline(FunctionTransformer(lambda X: X[:, [0, 1]]), LogisticRegression())])
    def test_models_that_know_places_are_not_fooled(self, model: Any) -> None:
        X, y = table(200)
        array = X.to_numpy()
        array[:, 1] = array[:, 1] > 0
        report = feature_value(model, array, y, cv=3)
        assert verdicts(report)[0] == "keep"
        assert report.frame["note"].str.contains("held constant").all()

    def test_a_column_that_a_function_asks_for(self) -> None:
        X, y = table(200)

        class Asks(LogisticRegression):
            def fit(self, X: Any, y: Any) -> Any:
                return super().fit(X[["useful", "noise_0"]], y)

            def predict(self, X: Any) -> Any:
                return super().predict(X[["useful", "noise_0"]])

            def predict_proba(self, X: Any) -> Any:
                return super().predict_proba(X[["useful", "noise_0"]])

        report = feature_value(Asks(), X, y, features=["useful", "noise_1"], cv=3)
        rows = report.frame.set_index("feature")
        assert rows.loc["useful", "note"].startswith("held constant")
        assert "not used" in rows.loc["noise_1", "note"]

    def test_many_classes_groups_and_time(self) -> None:
        rng = np.random.default_rng(0)
        kind = rng.integers(0, 4, 400)
        X = pd.DataFrame({"a": kind + 0.3 * rng.normal(size=400), "dice": rng.normal(size=400), "who": rng.integers(0, 40, 400)})
        report = feature_value(DecisionTreeClassifier(max_depth=4), X, kind, groups="who", cv=4)
        assert "whole groups" in report.how
        assert verdicts(report)["a"] == "keep"
        assert set(verdicts(report)) == {"a", "dice"}
        forward = feature_value(DecisionTreeClassifier(max_depth=4), X[["a", "dice"]], kind, time=np.arange(400), cv=4)
        assert "4 folds forward in time" in forward.how

    def test_a_splitter_and_a_metric_of_ones_own(self) -> None:
        X, y = table(200)
        own = Metric("mine", "Mine", True, 0, 1, "share", ("classification",), "labels",
                     function=lambda y, p, weight: float(np.average(np.asarray(y) == p.labels, weights=weight)))
        report = feature_value(LogisticRegression(), X, y, metric=own, cv=KFold(3, shuffle=True, random_state=0))
        assert report.metric == report.label == "mine"
        fitted = LogisticRegression().fit(X, y)
        assert verdicts(feature_value(fitted, X, y, metric=own, method="permute", cv="prefit"))["useful"] == "keep"

    def test_the_same_seed_gives_the_same_values(self) -> None:
        X, y = table(150)
        state = np.random.get_state()[1].copy()  # type: ignore[index,union-attr]
        one, two = (feature_value(DecisionTreeClassifier(), X, y, method="permute", seed=3, cv=3) for _ in range(2))
        assert one.frame.drop(columns="seconds").equals(two.frame.drop(columns="seconds"))
        assert (np.random.get_state()[1] == state).all()  # type: ignore[index]

    @pytest.mark.slow
    def test_several_processes_give_the_same(self) -> None:
        X, y = table(150)
        one = feature_value(LogisticRegression(), X, y, cv=3)
        two = feature_value(LogisticRegression(), X, y, cv=3, n_jobs=2)
        assert one.frame.drop(columns="seconds").equals(two.frame.drop(columns="seconds"))


class TestFitted:
    """A model that is fitted already."""

    def test_its_columns(self) -> None:
        X, y = table(600)
        model = LogisticRegression().fit(X.iloc[:300], y[:300])
        report = feature_value(model, X.iloc[300:], y[300:], method="permute", cv="prefit")
        assert verdicts(report)["useful"] == "keep"
        assert all(verdicts(report)[name] != "keep" for name in X if name != "useful")
        assert "has not seen" in report.how

    def test_an_interval_over_groups_is_wider(self) -> None:
        X, y = table(300)
        X, y = pd.concat([X] * 4, ignore_index=True), np.tile(y, 4)
        model = LogisticRegression().fit(X, y)
        asked = {"method": "permute", "cv": "prefit", "features": "useful"}
        free = feature_value(model, X, y, **asked).frame.iloc[0]
        bound = feature_value(model, X, y, groups=np.tile(np.arange(300), 4), **asked).frame.iloc[0]
        assert bound["high"] - bound["low"] > 1.3 * (free["high"] - free["low"])

    def test_a_column_that_is_not_used(self) -> None:
        X, y = table(200)
        model = DecisionTreeClassifier(max_depth=1).fit(X, y)
        report = feature_value(model, X, y, method="permute", cv="prefit")
        assert set(report.safe) == set(X) - {"useful"}
        assert report.answer.startswith("1 of 4 columns is shown to be useful")
        assert "are hardly used" in report.answer
        assert report.plot().get_xlabel().startswith("ROC AUC lost")
        assert "None of 1 column asked about is shown" in feature_value(
            model, X, y, method="permute", cv="prefit", features="noise_0").answer
        assert "Fit again without" in next(f for f in report.findings if f.code == "FEA002").message

    def test_what_cannot_be_fitted_before(self) -> None:
        X, y = table(100)
        with pytest.raises(BadInputError, match="`method` must be \"permute\" when cv=\"prefit\""):
            feature_value(LogisticRegression().fit(X, y), X, y, cv="prefit")
        with pytest.raises(BadInputError, match="`model` must predict these rows when cv=\"prefit\""):
            feature_value(LogisticRegression(), X, y, method="permute", cv="prefit")


class TestTooLittle:
    """Where nothing can be told, nothing is."""

    def test_a_rare_class(self) -> None:
        X, _ = table(200)
        y = np.where(np.arange(200) < 4, "rare", "usual")
        report = feature_value(LogisticRegression(), X, y)
        assert set(verdicts(report).values()) <= {"cannot tell", "remove"}
        assert report.frame.loc[report.frame["verdict"] == "cannot tell", "low"].isna().all()
        assert report.passed is None

    def test_no_change_in_a_few_rows_is_no_proof(self) -> None:
        problem = type("P", (), {"metric": METRICS["accuracy"], "task": "classification", "y": np.repeat([0, 1], 50)})
        folds = type("F", (), {"n": 100, "test_ratio": 0.25, "pairs": [(np.arange(80), np.arange(20))] * 5})
        same = _value.worth(problem, [0.8] * 5, _value.Without(("a",), (0.8,) * 5), folds)  # type: ignore[arg-type]
        assert same.difference.high == pytest.approx(0.03)
        few = _value.worth(problem, [0.85] * 5, _value.Without(("a",), (0.8,) * 5), folds)  # type: ignore[arg-type]
        assert np.isnan(few.difference.low)
        assert _value.verdict(few, 0.005) == "cannot tell"

    @settings(max_examples=5)
    @given(st.integers(10, 40), st.integers(0, 1000))
    def test_any_small_table_gives_a_verdict_or_one_line(self, rows: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        X = pd.DataFrame({"a": rng.normal(size=rows), "b": rng.integers(0, 2, rows)})
        report = feature_value(DecisionTreeClassifier(max_depth=2), X, np.arange(rows) % 2, cv=2)
        assert set(verdicts(report).values()) <= VERDICTS


@pytest.mark.parametrize(("wrong", "said"), [
    ({"method": "shap"}, "`method` must be one of"), ({"n_repeats": 0}, "`n_repeats` must be a whole number from 1"),
    ({"matters": -1}, "`matters` must be a loss"), ({"seed": -1}, "`seed` must be"), ({"n_jobs": 0}, "`n_jobs` must be"),
    ({"features": ["usefull"]}, "Did you mean 'useful'"), ({"features": []}, "`features` must name at least one"),
    ({"features": 3.5}, "`features` must be names"), ({"cv": 1}, "`cv` must be"), ({"metric": "mae"}, "metric"),
    ({"time": "when"}, "`time` must be a column"),
])
def test_wrong_arguments_are_one_line(wrong: dict[str, Any], said: str) -> None:
    X, y = table(60)
    with pytest.raises((BadInputError, UnknownNameError), match=said) as caught:
        feature_value(LogisticRegression(), X, y, **wrong)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("model", "said"), [
    (LogisticRegression, "not its class"), ("tree", "an estimator with `fit` and `predict`"),
    (LogisticRegression(C=-1), "`model` must fit on these rows")])
@pytest.mark.parametrize("method", ["drop", "permute"])
def test_what_is_no_model(model: Any, said: str, method: Any) -> None:
    X, y = table(60)
    with pytest.raises(BadInputError, match=said):
        feature_value(model, X, y, method=method, cv=3)


def test_columns_of_one_name_are_refused() -> None:
    X, y = table(60)
    X.columns = ["a", "a", "b", "c"]
    with pytest.raises(BadInputError, match="distinct column names"):
        feature_value(LogisticRegression(), X, y)


def test_a_column_whose_absence_breaks_the_model() -> None:
    X, y = table(100)

    class Proud(LogisticRegression):
        def fit(self, X: Any, y: Any) -> Any:
            if X.iloc[:, 0].nunique() < 2 or X.shape[1] < 4:
                raise ValueError("not without it")
            return super().fit(X, y)

    report = feature_value(Proud(), X, y, cv=3, features=["useful"])
    assert verdicts(report) == {"useful": "cannot tell"}
    assert "not without it" in next(f.message for f in report.findings if f.code == "FEA006")


class TestPairs:
    """Columns that say the same."""

    def test_numbers_categories_and_times(self) -> None:
        rng = np.random.default_rng(0)
        day = pd.Series(pd.date_range("2024-01-01", periods=300))
        X = pd.DataFrame({"a": rng.normal(size=300), "day": day, "month": day.dt.month, "kind": rng.choice(list("xyz"), 300)})
        X["cubed"], X["code"], X["name"] = X["a"] ** 3, X["kind"].map({"x": 1, "y": 2, "z": 3}), [f"n{i}" for i in range(300)]
        found = {frozenset(pair) for pair in _pairs.pairs_alike(X, list(X))}
        assert {frozenset(p) for p in (("a", "cubed"), ("day", "month"), ("kind", "code"))} <= found
        assert not any("name" in pair for pair in found)

    def test_nothing_alike(self) -> None:
        X = pd.DataFrame(np.random.default_rng(0).normal(size=(50, 4))).assign(flat=1.0)
        assert _pairs.pairs_alike(X, list(X)) == {}
        assert _pairs.pairs_alike(pd.DataFrame({"a": ["x"] * 5, "b": ["p", "q"] * 2 + ["p"]}), ["a", "b"]) == {}

    def test_one_of_each_kin_stays(self) -> None:
        pairs = {("a", "b"): 1.0, ("b", "c"): 0.9}
        gone, stay = _pairs.one_of_each(["a", "b", "c", "d"], pairs, {"b": 0.1})
        assert stay == ["b"]
        assert gone == ["a", "c", "d"]


def test_columns_can_be_left_out_of_nested_models() -> None:
    from sklearn.calibration import CalibratedClassifierCV

    X, y = table(120)
    X["kind"] = np.where(X["useful"] > 0, "up", "down")
    nested = CalibratedClassifierCV(default_models("classification", X)["logistic regression"], cv=2)
    assert _without.can_leave_out(nested)
    less = _without.model_without(nested, {"kind"})
    assert less.fit(X.drop(columns="kind"), y).predict(X.drop(columns="kind")).shape == (120,)
    assert _without.model_without(nested, set(X.columns)) is None


def test_a_plot_of_many_columns_says_what_it_leaves_out() -> None:
    rows = 60
    frame = pd.DataFrame({"feature": [f"a column with a very long name, number {i}" for i in range(rows)],
                          "value": np.linspace(1, -1, rows), "low": np.nan, "high": np.nan, "verdict": "cannot tell"})
    from matplotlib.figure import Figure

    ax = Figure().add_subplot()
    _value_findings.draw(ax, frame, "Score", 0.005)
    assert len(ax.get_yticks()) == _value_findings.MOST
    assert "40 more" in ax.get_title(loc="left")
    _value_findings.draw(Figure().add_subplot(), frame.assign(value=np.nan), "Score", np.nan)
