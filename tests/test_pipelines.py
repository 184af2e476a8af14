import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from ml_lifecycle.exploration import _columns
from ml_lifecycle.exploration._text import Dense, Words
from ml_lifecycle.exploration.pipelines import (
    FOREST_ROWS,
    Columns,
    DateParts,
    column_kinds,
    default_models,
    prepare,
)
from ml_lifecycle.foundation.errors import BadInputError, UnknownNameError

pytestmark = pytest.mark.filterwarnings("error")
N = 120


def mixed(n: int = N, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    days = pd.to_timedelta(rng.integers(0, 900, n), unit="D")
    frame = pd.DataFrame({
        "number": rng.normal(size=n), "whole": rng.integers(0, 9, n), "constant": np.ones(n),
        "flag": rng.random(n) < 0.5, "flag or not": pd.array(rng.choice([True, False, None], n), dtype="boolean"),
        "nullable": pd.array(rng.choice([1, 2, None], n), dtype="Int64"),
        "nullable float": pd.array(rng.choice([0.5, 2, None], n), dtype="Float64"),
        "word": rng.choice(["a", "b", "c"], n), "word or not": rng.choice(np.array(["a", "b", None], dtype=object), n),
        "category": pd.Categorical(rng.choice(["x", "y", None], n), categories=["x", "y", "never"]),
        "coded": pd.Categorical(rng.integers(0, 4, n)),
        "many": [f"name {i}" for i in rng.integers(0, 90, n)],
        "day": pd.Timestamp("2022-01-01") + days,
        "moment": (pd.Timestamp("2022-01-01") + days).tz_localize("UTC").tz_convert("Europe/Berlin"),
        "span": days, "text": [f"the quick brown fox jumps over {i} lazy dogs" for i in range(n)],
        "nothing": [None] * n, "all missing": np.full(n, np.nan),
    })
    for name in ("number", "day", "moment", "text"):
        frame.loc[rng.random(n) < 0.1, name] = None
    return frame


def target(frame: pd.DataFrame, task: str) -> np.ndarray:
    rng = np.random.default_rng(1)
    value = frame.iloc[:, 0].notna().to_numpy() + rng.normal(size=len(frame))
    return np.where(value > value.mean(), "yes", "no") if task == "classification" else value


def quick(models):
    """The same models with few trees: what is tested is the step before them."""
    models["random forest"].set_params(model__n_estimators=4)
    models["gradient boosting"].set_params(model__max_iter=4)
    return models


def fit_all(X, task, **options):
    """Fit, clone, pickle and ask every default model; return what each says about the rows."""
    y = target(pd.DataFrame(np.zeros((_columns.as_table(X).shape[0], 1))), task)
    said = {}
    for name, model in quick(default_models(task, X, **options)).items():
        fitted = clone(model).fit(X, y)
        again = pickle.loads(pickle.dumps(fitted))
        said[name] = again.predict(X)
        assert np.array_equal(said[name], fitted.predict(X)), name
        assert len(said[name]) == len(y)
    assert len(said) == 4
    return said


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_frame_of_everything_works_without_a_warning(task):
    X = mixed()
    before = X.copy(deep=True)
    fit_all(X, task, time="day")
    pd.testing.assert_frame_equal(X, before)


@pytest.mark.parametrize("make", [
    lambda X: X[["word", "category", "many"]], lambda X: X[["number"]], lambda X: X[["constant"]], lambda X: X[["text"]],
    lambda X: X[["day"]], lambda X: X[["flag or not"]], lambda X: X["text"], lambda X: X[["number", "text"]],
    lambda X: X[["category"]].astype(object), lambda X: X[["coded"]],
    lambda X: X[["number", "whole"]].to_numpy(), lambda X: X[["number", "word"]].to_numpy(dtype=object),
    lambda X: X[["whole", "constant"]].to_numpy().reshape(-1, 1, 2), lambda X: X[["number", "whole"]].set_axis([3, "b"], axis=1),
    lambda X: X[["number", "whole"]].set_axis([0, 1], axis=1), lambda X: list(X["word"] + " and something"),
    lambda X: X.iloc[:, :3].to_records(index=False),
    lambda X: X[["whole"]].astype(pd.SparseDtype("int64", 0)),
    lambda X: pd.DataFrame({"day": [pd.Timestamp("2024-01-01")] * len(X)}),
    lambda X: pd.DataFrame({"period": pd.period_range("2020-01", periods=len(X), freq="M")}),
    lambda X: pd.DataFrame({"date": pd.date_range("2020-01-01", periods=len(X)).date}),
    lambda X: pd.DataFrame({"words": ["", " ", "a"] * (len(X) // 3)}),
])
def test_every_kind_of_table_works_alone(make):
    fit_all(make(mixed(60)), "regression")


@pytest.mark.parametrize("width", [8, 400])
@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.coo_matrix, sparse.csc_array])
def test_sparse_matrices_work_and_stay_sparse_where_the_model_allows(form, width):
    X = sparse.random(80, width, density=0.05, random_state=0, format="csr")
    fit_all(sparse.csr_matrix(form(X)), "classification")
    assert sparse.issparse(_columns.as_table(form(X)))


def test_an_empty_sparse_matrix_gives_one_column():
    assert Dense(3).fit_transform(sparse.csr_matrix((5, 9))).shape == (5, 1)


def test_what_was_not_seen_in_training_is_no_surprise():
    X, rng = mixed(), np.random.default_rng(2)
    later = mixed(40, seed=3)
    later["number"] = np.inf
    later.loc[later.index[:5], "number"] = 1e300
    later["word"] = "not seen"
    later["category"] = pd.Categorical(["also not seen"] * 40)
    later["day"] = pd.NaT
    later["moment"] = later["moment"].dt.tz_convert("UTC")
    later["flag"] = pd.array(rng.choice([True, None], 40), dtype="boolean")
    later["whole"] = [None] * 40
    later["text"] = None
    for model in quick(default_models("classification", X)).values():
        model.fit(X, target(X, "classification"))
        shuffled = later[list(reversed(later.columns))].assign(one_more=1)
        assert len(model.predict(shuffled)) == 40
        assert np.isfinite(model.predict_proba(shuffled)).all()


def test_a_fold_whose_training_part_lacks_a_column_altogether_works():
    X = mixed()
    X.loc[: N // 2, ["number", "word", "text", "day", "moment", "category", "nullable"]] = None
    for model in quick(default_models("regression", X, time="day")).values():
        part = X.iloc[: N // 2]
        model.fit(part, target(part, "regression"))
        assert np.isfinite(model.predict(X)).all()


def test_columns_without_a_value_are_left_out_and_named():
    kinds = column_kinds(mixed())
    assert kinds["empty"] == ("nothing", "all missing")
    assert kinds["text"] == ("text",)
    assert kinds["date"] == ("day", "moment")
    assert set(kinds["category"]) == {"word", "word or not", "category", "coded", "many"}
    assert {"span", "flag", "flag or not", "nullable"} <= set(kinds["number"])
    assert column_kinds(mixed(), text="word")["text"] == ("word", "text")
    assert column_kinds(np.zeros((3, 2)))["number"] == (0, 1)
    with pytest.raises(BadInputError, match="Got only empty ones: .'nothing'"):
        prepare(mixed()[["nothing", "all missing"]])


@pytest.mark.parametrize(("values", "kind"), [
    ([True, None, False], "number"), ([1, 2.5, None], "number"), ([1, "a", None], "category"),
    ([pd.Timestamp("2024-01-01"), None], "date"), ([pd.Timedelta("1D"), None], "number"),
    ([["a"], ["b"]], "category"), (["12", "13"], "category"), ([b"a", b"b"], "category"),
])
def test_columns_of_objects_are_told_by_what_they_hold(values, kind):
    X = pd.DataFrame({"x": pd.Series(values * 10, dtype=object)})
    assert _columns.kind_of(X["x"]) == kind
    fit_all(X, "classification")


@pytest.mark.parametrize(("X", "says"), [
    (np.zeros((0, 3)), "rows and columns"), (np.zeros(4), "X.reshape"),
    (pd.DataFrame([[1, 2]], columns=["a", "a"]), r"distinct column names. Got \['a'\]"),
    (pd.DataFrame({"z": [1 + 2j]}), "complex"),
])
def test_tables_that_cannot_be_used_say_why(X, says):
    with pytest.raises(BadInputError, match=says):
        default_models("classification", X)


def test_other_arguments_are_checked():
    with pytest.raises(UnknownNameError, match="regression"):
        default_models("regresion", mixed())
    with pytest.raises(UnknownNameError, match="Styles"):
        prepare(mixed(), style="forest")
    with pytest.raises(UnknownNameError, match="Did you mean 'text'"):
        default_models("classification", mixed(), text=["texts"])
    model = default_models("classification", mixed())["small tree"].fit(mixed(), target(mixed(), "classification"))
    with pytest.raises(BadInputError, match="Missing: .'number'"):
        model.predict(mixed().drop(columns="number"))
    step = Columns().fit(np.zeros((4, 2)))
    with pytest.raises(BadInputError, match="must have 2 columns"):
        step.transform(np.zeros((4, 3)))


def test_dates_keep_the_parts_that_vary_and_no_absolute_time_when_split_by_it():
    days = pd.Series(pd.date_range("2024-01-01", periods=60))
    assert DateParts().fit(days).parts_ == ("month", "day", "day_of_week", "days")
    assert "year" in DateParts().fit(days + pd.to_timedelta(np.arange(60) * 30, unit="D")).parts_
    assert DateParts(elapsed=False).fit(days).parts_ == ("month", "day", "day_of_week")
    assert DateParts().fit(pd.Series(pd.date_range("2024-01-01", periods=9, freq="h"))).parts_ == ("hour", "days")
    step = DateParts().fit(days)
    assert step.transform(pd.Series(["2024-03-01", "nonsense", None])).tolist()[0] == [3, 1, 4, 60]
    assert np.isnan(step.transform(pd.Series(["nonsense", None]))).all()
    assert step.transform(days.to_frame()).shape == (60, 4)
    assert list(step.get_feature_names_out()) == ["month", "day", "day_of_week", "days"]


def test_dates_are_read_on_the_clock_they_were_learned_on():
    there = pd.Series(pd.date_range("2024-07-01", periods=48, freq="h", tz="Europe/Berlin"))
    step = DateParts().fit(there)
    assert np.array_equal(step.transform(there), step.transform(there.dt.tz_convert("UTC")))
    assert np.array_equal(step.transform(there.dt.tz_convert("UTC").dt.tz_localize(None)), step.transform(there))
    both = pd.Series([there[0], there[1].tz_convert("Asia/Tokyo"), None], dtype=object)
    assert step.transform(both)[0, -1] == 0
    naive = DateParts().fit(there.dt.tz_localize(None))
    assert np.isfinite(naive.transform(there)).all()


def test_the_split_time_gives_calendar_parts_only():
    X = mixed()[["number", "day", "moment"]]
    step = prepare(X, time="day").fit(X)
    names = set(step.get_feature_names_out())
    assert "moment: days" in names
    assert "day: month" in names
    assert not {"day: days", "day: year"} & names


def test_names_belong_to_the_features():
    X = mixed()
    for style in ("linear", "tree", "boosting"):
        step = prepare(X, style=style).fit(X)
        assert step.transform(X).shape[1] == len(step.get_feature_names_out())
    step = Columns(style="tree").fit(np.array([[1, np.nan], [2, 3]]))
    assert list(step.get_feature_names_out()) == ["0", "1", "1: missing"]
    assert step.transform(np.array([[np.nan, 5.0]])).tolist() == [[1.5, 5.0, 0.0]]
    words = pd.DataFrame({"t": ["one two three", "two three four", "five"]})
    for width in (None, 2, 32):
        made = Words("t", width=width).fit(words)
        assert made.transform(words).shape == (3, len(made.get_feature_names_out()))
    none = Words("t").fit(words.assign(t=""))
    assert none.get_feature_names_out().tolist() == ["t: no words"]
    assert none.transform(words).tolist() == [[0], [0], [0]]


def test_categories_beyond_the_most_frequent_are_taken_together():
    values = pd.Series(["a"] * 5 + ["b"] * 4 + ["c", "d", None])
    codes = _columns.Codes(values, most=3)
    assert codes.names == ["a", "b", "(other)", "(missing)"]
    assert codes.transform(pd.Series(["a", "c", "new", None])).tolist() == [0, 2, 2, 3]
    few = _columns.Codes(pd.Series(["a", "b"]), most=3)
    assert few.transform(pd.Series(["b", "new", None])).tolist() == [1, -1, -1]
    assert few.transform(pd.Series(pd.Categorical(["b", "new", None, "a"] * 2))).tolist() == [1, -1, -1, 0] * 2


def test_many_categories_of_many_rows_stay_sparse_for_linear_models(monkeypatch):
    X = mixed()[["number", "many", "word"]]
    dense = prepare(X).fit(X).transform(X)
    monkeypatch.setattr("ml_lifecycle.exploration.pipelines.WIDE", 10)
    thin = prepare(X).fit(X).transform(X)
    assert sparse.issparse(thin)
    assert np.allclose(thin.toarray(), dense)


def test_a_model_of_your_own_takes_the_prepared_table():
    X = mixed()
    model = make_pipeline(prepare(X), SVC()).fit(X, target(X, "classification"))
    assert set(model.predict(X)) <= {"yes", "no"}


def test_a_forest_on_many_rows_samples_them():
    model = default_models("classification", np.zeros((2 * FOREST_ROWS, 1)))["random forest"]
    assert model[-1].max_samples == 0.5


def test_the_models_learn_what_there_is_to_learn():
    X, y = load_iris(return_X_y=True)
    for name, model in default_models("classification", X).items():
        assert model.fit(X[::2], y[::2]).score(X[1::2], y[1::2]) > 0.85, name


def test_the_seed_decides_what_is_random():
    X = mixed()
    y = target(X, "regression")
    first, again, other = (default_models("regression", X, seed=s)["random forest"].fit(X, y).predict(X) for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_what_has_a_frame_or_a_tensor_inside_is_taken():
    class Frame:
        def to_pandas(self):
            return pd.DataFrame({"a": [1.0, 2.0]})

    class Tensor:
        def detach(self):
            return self

        def cpu(self):
            return self

        def numpy(self):
            return np.ones((2, 3))

    assert _columns.as_table(Frame()).shape == (2, 1)
    assert _columns.as_table(Tensor()).shape == (2, 3)
    assert isinstance(_columns.as_table(np.array(["a b", "c"])), pd.DataFrame)


values = st.one_of(st.none(), st.booleans(), st.integers(-2**70, 2**70), st.floats(allow_nan=True), st.text(max_size=5),
                   st.datetimes(min_value=pd.Timestamp("1700-01-01").to_pydatetime(),
                                max_value=pd.Timestamp("2200-01-01").to_pydatetime()))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(values, min_size=6, max_size=6), min_size=1, max_size=4), st.sampled_from(["linear", "tree", "boosting"]))
def test_whatever_a_frame_of_objects_holds_becomes_numbers(columns, style):
    X = pd.DataFrame({f"c{i}": pd.Series(column, dtype=object) for i, column in enumerate(columns)})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if not any(names for kind, names in column_kinds(X).items() if kind != "empty"):
            return
        step = prepare(X, style=style).fit(X.iloc[:3])
        made = step.transform(X)
    made = made.toarray() if sparse.issparse(made) else made
    assert made.shape[0] == 6
    assert made.dtype.kind == "f"
    assert style == "boosting" or np.isfinite(made).all()
