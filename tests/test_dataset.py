"""Roles, tasks, versions and representations of a data set."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml_lifecycle.foundation.dataset import Dataset, Splits, load_dataset
from ml_lifecycle.foundation.errors import BadInputError, UnknownNameError

SLOW_START = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def table(n=40, **more):
    rng = np.random.default_rng(0)
    return pd.DataFrame({"size": rng.normal(size=n), "count": rng.integers(0, 5, n), "colour": rng.choice(list("rgb"), n),
                         "y": np.arange(n) % 2 * 1, **more})


def refused(data, *parts, kind=BadInputError, **options):
    with pytest.raises(kind) as caught:
        load_dataset(data, **options)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message


# roles

def test_roles_and_features():
    n = 40
    frame = table(n, when=pd.date_range("2024-01-01", periods=n), who=np.arange(n) // 4, flag=[True, False] * 20,
                  said=[f"this is remark number {i} of many" for i in range(n)], key=[f"k{i}" for i in range(n)], junk=1.5)
    data = load_dataset(frame, target="y", time="when", group="who", drop="junk")
    assert data.roles == {"target": "y", "time": "when", "group": "who", "numeric": ("size", "count"),
                          "categorical": ("colour",), "boolean": ("flag",), "datetime": ("when",), "text": ("said",),
                          "id": ("key",), "set_aside": (), "dropped": ("junk",)}
    assert list(data.X.columns) == ["size", "count", "colour", "when", "flag", "said"]
    assert "junk" not in data.frame
    assert "key" in data.frame
    assert len(data) == len(data.y) == len(data.time) == len(data.groups) == n
    assert (data.name, data.source) == ("frame", "")
    assert any("`key` (every row its own)" in note for note in data.notes)
    assert any("Read as text: `said`" in note for note in data.notes)


def test_empty_strings_are_none_and_names_come_in_many_forms():
    frame = table()
    plain = load_dataset(frame, target="", time="", group="", text="", task="", drop="", encoding="")
    assert plain.task is None
    assert plain.y is None
    assert plain.time is None
    assert plain.groups is None
    for drop in ("size, count", ["size", "count"], ("size", "count", "count", ""), pd.Index(["size", "count"])):
        assert load_dataset(frame, target="y", drop=drop).roles["dropped"] == ("size", "count")
    comma = frame.rename(columns={"size": "a, b"})
    assert load_dataset(comma, drop="a, b").roles["dropped"] == ("a, b",)
    assert load_dataset(pd.DataFrame(np.arange(40).reshape(20, 2) % 3), target=1).roles["target"] == "1"


def test_inputs_stay_as_they_are():
    frame = table(words=[" a ", "?"] * 20)
    before = frame.copy(deep=True)
    data = load_dataset(frame, target="y")
    features, target = data.X, data.y
    features.iloc[0, 0] = 99.0
    target.iloc[0] = 99
    pd.testing.assert_frame_equal(frame, before)
    assert data.frame["y"].iloc[0] == 0
    assert data.frame["words"].isna().sum() == 20


@pytest.mark.parametrize(("name", "values", "is_id"), [
    ("id", range(100, 140), True), ("customer_id", range(100, 140), True), ("customerID", range(100, 140), True),
    ("PassengerId", range(100, 140), True), ("Unnamed: 0", range(100, 140), True), ("rownames", range(100, 140), True),
    ("uuid", range(100, 140), True), ("anything", range(40), True), ("anything", range(1, 41), True),
    ("anything", [*range(20, 40), *range(20)], True), ("anything", range(100, 140), False), ("paid", range(100, 140), False),
    ("humid", range(100, 140), False), ("id", [1, 2] * 20, False), ("id", [i + 0.5 for i in range(40)], False),
    ("anything", [f"x{i}" for i in range(40)], True), ("anything", [f"x{i // 2}" for i in range(40)], False),
    ("session_id", [f"x{i // 3 * 2}{i % 2}" for i in range(40)], True), ("id", [float(i) for i in range(100, 140)], True),
])
def test_ids_are_set_aside(name, values, is_id):
    frame = table(**{name: list(values)})
    data = load_dataset(frame, target="y")
    assert (name in data.roles["id"]) is is_id
    assert (name not in data.X) is is_id


def test_a_column_with_a_role_is_no_id():
    frame = table(key=[f"k{i}" for i in range(40)], t=range(40))
    assert load_dataset(frame, target="y", group="key", time="t").roles["id"] == ()
    assert load_dataset(frame, target="y", text="key").roles["text"] == ("key",)


@pytest.mark.parametrize(("options", "parts", "kind"), [
    ({"target": "sise"}, ["`target` must be a column", "Did you mean 'size'", "Columns: size, count"], UnknownNameError),
    ({"group": "who"}, ["`group` must be a column"], UnknownNameError),
    ({"target": "y", "time": "y"}, ["`time`", "no other role", "`target` too"], BadInputError),
    ({"target": "y", "drop": "y"}, ["`drop`", "`target` too"], BadInputError),
    ({"target": "y", "text": "y"}, ["`text`", "`target` too"], BadInputError),
    ({"target": "y", "task": "clasification"}, ["Did you mean 'classification'"], UnknownNameError),
    ({"task": "regression"}, ["`task` must come with a `target`"], BadInputError),
    ({"target": "colour", "task": "regression"}, ["must be 'classification'", "'colour'"], BadInputError),
    ({"target": "size", "task": "classification"}, ["must be 'regression'", "bin the column"], BadInputError),
    ({"target": "y", "time": "colour"}, ["dates or numbers", "2024-01-31"], BadInputError),
    ({"target": "y", "text": "size"}, ["columns of text", "number"], BadInputError),
    ({"target": "y", "n_rows": 5}, ["`n_rows`", "from 10"], BadInputError),
    ({"target": "y", "n_rows": "many"}, ["`n_rows`"], BadInputError),
    ({"target": "y", "n_rows": True}, ["`n_rows`"], BadInputError),
    ({"target": "y", "n_rows": 20, "seed": -1}, ["`seed`"], BadInputError),
    ({"target": "y", "drop": "size,count,colour"}, ["at least one feature"], BadInputError),
    ({"target": 2.5}, ["`target` must be the name of one column"], BadInputError),
])
def test_roles_that_cannot_be(options, parts, kind):
    refused(table(), *parts, kind=kind, **options)


def test_columns_can_be_numbered():
    frame = pd.DataFrame({0: np.arange(12) * 1.5, 1: np.arange(12) % 5 / 2, 3: np.arange(12) % 2})
    for drop in (0, np.int64(0), (0,), "0", [0], pd.Index([0])):
        data = load_dataset(frame, target=3, drop=drop)
        assert list(data.X.columns) == ["1"]
        assert data.roles["dropped"] == ("0",)
        assert load_dataset(load_dataset(frame, target=3), drop=drop).roles["dropped"] == ("0",)
    refused(frame, "`drop` must name columns", "'7'", kind=UnknownNameError, drop=7)
    for wrong in (True, 1.5):
        refused(frame, "`drop` must be column names", drop=wrong)


# targets and tasks

@pytest.mark.parametrize(("values", "task", "classes"), [
    ([0, 1] * 20, "classification", (0, 1)), ([1.0, 2.0] * 20, "classification", (1, 2)),
    ([3, None, 4, 5] * 10, "classification", (3, 4, 5)), (["b ", "a"] * 20, "classification", ("a", "b")),
    ([True, False] * 20, "classification", (False, True)), ([True, None, False, True] * 10, "classification", (False, True)),
    (["True", "False"] * 20, "classification", (False, True)), (["1", "2"] * 20, "classification", (1, 2)),
    (list(range(10)) * 4, "classification", tuple(range(10))), ([*range(11), 3] * 3 + [1] * 4, "regression", ()),
    ([0.5, 1.5] * 20, "regression", ()), (pd.Categorical([2, 1] * 20), "classification", (1, 2)),
    (["1", "2", "1", "2+"] * 10, "classification", ("1", "2", "2+")),
    (["1"] * 19 + ["2"] * 19 + ["3+"] * 2, "classification", ("1", "2", "3+")),
])
def test_tasks_follow_from_the_target(values, task, classes):
    data = load_dataset(table(y=values), target="y")
    assert data.task == task
    assert data.classes == classes
    assert all(type(a) is type(b) for a, b in zip(data.classes, classes))
    assert data.y.notna().all()
    assert not isinstance(data.y.dtype, pd.CategoricalDtype)
    if classes:
        assert set(data.y) == set(classes)


def test_an_inferred_task_is_noted_and_can_be_overridden():
    frame = table(y=[1, 2, 3, 4] * 10)
    assert any("taken as classification" in note for note in load_dataset(frame, target="y").notes)
    other = load_dataset(frame, target="y", task="regression")
    assert (other.task, other.classes, other.positive) == ("regression", (), None)
    assert not any("taken as" in note for note in other.notes)
    assert load_dataset(table(y=[0.5, 1.5] * 20), target="y", task="classification").classes == (0.5, 1.5)


def test_any_name_can_be_a_target():
    for name in ("self", "index", "target", "a b", "y.z", "é"):
        assert load_dataset(table().rename(columns={"y": name}), target=name).classes == (0, 1)


def test_rows_without_a_target_are_set_aside():
    data = load_dataset(table(y=[0, 1, None, 1] * 10), target="y")
    assert len(data) == 30
    assert data.frame.index.tolist() == [i for i in range(40) if i % 4 != 2]
    assert any("10 of 40 rows have no `y`" in note for note in data.notes)
    assert str(data.y.dtype) == "int64"


@pytest.mark.parametrize(("values", "parts"), [
    ([None] * 40, ["must have values", "missing in every row"]), ([7] * 40, ["at least two values", "holds 7"]),
    ([1] * 20 + [2] * 19 + [3], ["two rows of each class", "one row of 3", "task='regression'"]),
    (["a"] * 20 + ["b"] * 19 + ["c"], ["two rows of each class", "'c'", "Merge such classes or remove"]),
    ([f"name{i}" for i in range(40)], ["classes that come back", "40 distinct values"]),
    ([f"these are the words of remark {i}" for i in range(40)], ["free text"]),
    (pd.date_range("2024-01-01", periods=40), ["times"]), (range(40), ["numbers the rows from 0 to 39"]),
    ([None] * 31 + [0, 1] * 4 + [1], ["at least 10 rows with a target", "Got 9"]),
])
def test_targets_that_cannot_be_learned(values, parts):
    refused(table(y=values), *parts, target="y")


def test_too_few_rows():
    refused(table(9), "at least 10 rows", target="y")
    assert len(load_dataset(table(10), target="y")) == 10


def test_columns_without_a_value():
    refused(table(gone=np.nan), "'gone'", 'drop=("gone",)', "--drop gone", target="y")
    refused(table(y=[0, 1, None, None] * 10, gone=[None, None, 1.5, 2.5] * 10), "in the rows with a target", target="y")
    assert "gone" not in load_dataset(table(gone=np.nan), target="y", drop=("gone",)).frame


def test_notes_on_features():
    data = load_dataset(table(same=1.5, one="x", many=[f"v{i // 2 * 2}{i % 2 * (i < 30)}" for i in range(40)]), target="y")
    assert any("Constant" in note and "`same`, `one`" in note for note in data.notes)
    assert any("More than half" in note and "`many`" in note for note in data.notes)


@pytest.mark.parametrize(("values", "positive"), [
    (["yes", "no"] * 20, "yes"), (["No", "Yes"] * 20, "Yes"), ([True, False] * 20, True), ([0, 1] * 20, 1),
    ([1, 2, 2, 2] * 10, 1), ([1, 1, 1, 2] * 10, 2), (["good", "bad", "good"] * 13 + ["good"], "bad"),
    (["a", "b", "c", "a"] * 10, None), ([0.5, 1.5] * 20, None),
])
def test_the_positive_label(values, positive):
    assert load_dataset(table(y=values), target="y").positive == positive


# other roles for the same data

def test_a_data_set_can_change_its_roles():
    frame = table(t=range(100, 140), key=[f"k{i}" for i in range(40)], said=[f"remark {i // 2}" for i in range(40)])
    data = load_dataset(frame, target="y")
    assert load_dataset(data) is data
    assert load_dataset(data, target="", drop=()) is data
    assert load_dataset(data, time="t").roles["time"] == "t"
    assert load_dataset(data, time="t").roles["id"] == ("key",)
    assert load_dataset(load_dataset(data, time="t"), time=False).time is None
    assert load_dataset(data, text="said").roles["text"] == ("said",)
    assert load_dataset(load_dataset(data, text="said"), group="t").roles["text"] == ("said",)
    other = load_dataset(data, target="size", drop="colour")
    assert (other.task, other.roles["dropped"]) == ("regression", ("colour",))
    assert "y" in other.X
    assert load_dataset(data, target=False).task is None
    assert load_dataset(data, drop="y").task is None
    assert load_dataset(data, n_rows=20).frame.index.isin(data.frame.index).all()
    refused(data, "Did you mean 'size'", kind=UnknownNameError, target="sise")


def test_changed_roles_keep_what_was_decided():
    frame = table(y=[1, 2, 3, None] * 10, key=range(40), odd=["1", "?"] * 20)
    small = load_dataset(frame, target="y", task="regression").sample(12)
    again = load_dataset(small, group="colour")
    assert again.task == "regression"
    assert again.roles["id"] == ("key",)
    for part in ("have no `y`", "'?' counts as missing", "12 of 30 rows were drawn"):
        assert sum(part in note for note in again.notes) == 1
    dated = load_dataset(load_dataset(table(day=[20240101 + i % 9 for i in range(40)]), target="y"), time="day")
    assert dated.time.iloc[0] == pd.Timestamp("2024-01-01")


# rows

def test_take():
    data = load_dataset(table(y=[0, 1, None, 1] * 10), target="y")
    assert data.take([4, 1]).frame.index.tolist() == [4, 1]
    assert data.take(np.arange(30) < 3).frame.index.tolist() == [0, 1, 3]
    assert len(data.take([])) == 0
    with pytest.raises(BadInputError, match="2 that are not, such as 2"):
        data.take([0, 2, 99])
    with pytest.raises(BadInputError, match="one bool for each of the 30 rows"):
        data.take([True, False])


def test_sample():
    data = load_dataset(table(400, y=[0] * 390 + [1] * 7 + [2] * 3), target="y")
    some = data.sample(40, seed=3)
    assert len(some) == 40
    assert some.frame.index.is_monotonic_increasing
    assert some.y.value_counts().min() >= 2
    assert some.frame.equals(data.sample(40, seed=3).frame)
    assert not some.frame.index.equals(data.sample(40, seed=4).frame.index)
    assert any("40 of 400 rows were drawn" in note for note in some.notes)
    assert data.sample(400) is data
    assert len(load_dataset(table(40), target="size").sample(3)) == 3
    with pytest.raises(BadInputError, match="at least 6"):
        data.sample(5)
    for wrong in (0, 2.5, True, "all"):
        with pytest.raises(BadInputError, match="`n` must be a number of rows"):
            data.sample(wrong)


def test_a_frame_and_its_parquet_and_its_csv_load_alike(tmp_path):
    frame = table(when=pd.date_range("2024-01-01", periods=40, freq="7h"), flag=[True, False] * 20,
                  gap=[1.5, np.nan] * 20, said=[f'this, "is" remark; number {i} é' for i in range(40)])
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_csv(tmp_path / "b.csv.gz", index=False, sep=";", decimal=",")
    frame.to_csv(tmp_path / "c.tsv", index=False, sep="\t", encoding="utf-16")
    frame.to_parquet(tmp_path / "d.parquet")
    loaded = [load_dataset(d, target="y") for d in (frame, *sorted(tmp_path.iterdir()))]
    assert len({d.version for d in loaded}) == 1
    for data in loaded[1:]:
        pd.testing.assert_frame_equal(data.frame, loaded[0].frame)


# the version

@pytest.mark.parametrize("column", [
    [2**60 + i for i in range(12)], [-2**63 + i for i in range(12)],
    pd.array([2**60 + i for i in range(11)] + [None], dtype="Int64"),
    np.array([2**63 + i // 2 for i in range(12)], dtype="uint64"), pd.Categorical([1, 2, 3] * 4), pd.Categorical([1, 2, None] * 4),
    pd.Categorical([1.5, 2, 3] * 4), pd.Categorical([3, 1, 2] * 4, categories=[3, 2, 1], ordered=True),
    pd.Categorical([True, False] * 6), pd.Categorical([True, False, None] * 4), pd.Categorical(["1", "2"] * 6),
    pd.Categorical(list(pd.date_range("2024-01-01", periods=3)) * 4),
    np.linspace(0, 1, 12, dtype="float32"), np.array([0.1, np.nan, 1e-30] * 4, dtype="float32"),
    np.array([0.1, np.nan, 3e4] * 4, dtype="float16"), pd.array([0.1, None, 0.3] * 4, dtype="Float32"),
    pd.to_timedelta(np.arange(12) * 1.25, unit="h"), pd.Series([*pd.to_timedelta(range(11), unit="min"), pd.NaT]),
    pd.Series(pd.date_range("2024-01-01", periods=12).date, dtype="date32[pyarrow]"),
], ids=lambda column: str(getattr(column, "dtype", "int")))
def test_a_column_has_one_version_in_a_frame_in_parquet_and_in_csv(tmp_path, column):
    frame = pd.DataFrame({"a": column, "b": np.arange(12) % 5 / 2})
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_parquet(tmp_path / "b.parquet", index=False)
    loaded = [load_dataset(d) for d in (frame, tmp_path / "a.csv", tmp_path / "b.parquet")]
    assert len({d.version for d in loaded}) == 1
    assert len({str(d.frame["a"].dtype) for d in loaded}) == 1


@SLOW_START
@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=12, max_size=12))
def test_single_precision_is_read_as_it_is_written(items):
    single = np.array(items, dtype="float32")
    data = load_dataset(pd.DataFrame({"a": single, "b": [0.5, 1.5] * 6}), drop=()).frame["a"].to_numpy()
    assert (data.astype("float32") == single).all()
    assert [str(np.float32(v)) for v in data] == [str(v) for v in single]


def test_labels_that_are_numbers_stay_labels_in_a_target():
    labels = [i % 12 for i in range(60)]
    data = load_dataset(pd.DataFrame({"a": np.arange(60) % 7 / 2, "y": pd.Categorical(labels)}), target="y")
    assert data.task == "classification"
    assert len(data.classes) == 12
    assert data.frame["y"].dtype == "int64"


values = st.one_of(
    st.lists(st.one_of(st.none(), st.integers(-2**53, 2**53)), min_size=4, max_size=12),
    st.lists(st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)), min_size=4, max_size=12),
    st.lists(st.one_of(st.none(), st.booleans()), min_size=4, max_size=12),
    st.lists(st.one_of(st.none(), st.text(max_size=5)), min_size=4, max_size=12),
    st.lists(st.datetimes(min_value=pd.Timestamp("1700-01-01"), max_value=pd.Timestamp("2200-01-01")), min_size=4, max_size=12))


def version_of(frame):
    roles = dict.fromkeys(("target", "time", "group"))
    return Dataset(frame=frame, task=None, roles=roles, name="x").version


def column(items):
    if all(i is None or isinstance(i, bool) for i in items):
        return pd.Series(items, dtype="boolean")
    if all(i is None or isinstance(i, (int, float)) for i in items):
        return pd.Series([np.nan if i is None else float(i) for i in items])
    return pd.Series(items, dtype=object) if isinstance(items[0] or "", str) else pd.Series(items)


@SLOW_START
@given(st.lists(values, min_size=1, max_size=4), st.randoms())
def test_versions_do_not_depend_on_how_values_are_held(columns, random):
    n = min(map(len, columns))
    frame = pd.DataFrame({f"c{i}": column(items[:n]) for i, items in enumerate(columns)})
    names = list(frame.columns)
    random.shuffle(names)
    other = frame[names].copy()
    other.index = range(7, 7 + n)
    for name in names:
        if other[name].dtype == object:
            other[name] = other[name].astype("category")
        elif other[name].dtype == "float64" and other[name].notna().all() and (other[name] == other[name].round()).all() \
                and (other[name].abs() < 2**53).all():
            other[name] = other[name].astype("int64")
        elif other[name].dtype == "boolean" and other[name].notna().all():
            other[name] = other[name].astype(bool)
        elif other[name].dtype.kind == "M":
            other[name] = other[name].astype("datetime64[us]")
    assert version_of(other) == version_of(frame)
    assert version_of(pickle.loads(pickle.dumps(frame))) == version_of(frame)


@SLOW_START
@given(st.lists(st.integers(-5, 5), min_size=3, max_size=8), st.data())
def test_versions_tell_one_changed_value(items, data):
    place = data.draw(st.integers(0, len(items) - 1))
    for kind in (float, str, bool):
        frame = pd.DataFrame({"a": [kind(i) for i in items], "b": 1})
        changed = frame.copy()
        changed["a"] = [kind(i) if p != place else (not kind(i) if kind is bool else kind(i + 1)) for p, i in enumerate(items)]
        missing = pd.DataFrame({"a": [kind(i) if p != place else None for p, i in enumerate(items)], "b": 1})
        assert len({version_of(frame), version_of(changed), version_of(missing)}) == 3
        assert version_of(frame.rename(columns={"b": "c"})) != version_of(frame)
        if list(frame["a"]) != list(frame["a"][::-1]):
            assert version_of(frame[::-1]) != version_of(frame)


def test_versions_tell_kinds_apart():
    kinds = [pd.Series([1, 0, 1]), pd.Series(["1", "0", "1"]), pd.Series([True, False, True]),
             pd.to_datetime(pd.Series([1, 0, 1])), pd.to_datetime(pd.Series([1, 0, 1]), utc=True)]
    assert len({version_of(pd.DataFrame({"a": s})) for s in kinds}) == 5
    assert version_of(pd.DataFrame({"a": [0.0]})) == version_of(pd.DataFrame({"a": [-0.0]}))
    assert version_of(pd.DataFrame({"a": ["x", "yz"]})) != version_of(pd.DataFrame({"a": ["xy", "z"]}))
    assert version_of(pd.DataFrame({"ab": ["x"]})) != version_of(pd.DataFrame({"a": ["bx"]}))
    assert version_of(pd.DataFrame({"a": [2**53 + 1]})) != version_of(pd.DataFrame({"a": [2**53]}))
    assert version_of(pd.DataFrame({"a": np.array([2**63], dtype="uint64")})) == version_of(pd.DataFrame({"a": [2.0**63]}))
    assert version_of(pd.DataFrame({"a": pd.array([1, None], dtype="Int64")})) == version_of(pd.DataFrame({"a": [1.0, None]}))
    for same in (pd.Categorical([1, 2, 1]), pd.Categorical([1, 2, 1], [2, 1]), pd.array([1, 2, 1], dtype="Int64")):
        assert version_of(pd.DataFrame({"a": same})) == version_of(pd.DataFrame({"a": [1, 2, 1]}))
    truth = pd.Categorical(pd.Series([True, None, False], dtype=object))
    plain = pd.array([True, None, False], dtype="boolean")
    assert version_of(pd.DataFrame({"a": truth})) == version_of(pd.DataFrame({"a": plain}))
    assert version_of(pd.DataFrame({"a": pd.Categorical(["1", "2"])})) != version_of(pd.DataFrame({"a": [1, 2]}))
    big = pd.array([2**60, 2**60 + 1], dtype="Int64")
    assert version_of(pd.DataFrame({"a": big})) == version_of(pd.DataFrame({"a": [2**60, 2**60 + 1]}))
    one, two = pd.Categorical([1, 2], [1, 2]), pd.Categorical([1, 2], [2, 1])
    assert version_of(pd.DataFrame({"a": one})) == version_of(pd.DataFrame({"a": two}))


def test_the_version_is_the_same_in_another_process():
    code = ("import pandas as pd; from ml_lifecycle.foundation.dataset import load_dataset;"
            "print(load_dataset(pd.DataFrame({'a': list('xyzxyzxyzx'), 'b': [.1, 2, None, 4, 5] * 2})).version)")
    here = load_dataset(pd.DataFrame({"a": list("xyzxyzxyzx"), "b": [.1, 2, None, 4, 5] * 2})).version
    for seed in ("1", "2"):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                              env={**os.environ, "PYTHONHASHSEED": seed})
        assert done.stdout.strip() == here
    assert len(here) == 16


# representations

EVIL = "<script>alert('&')</script>"


def test_representations_tell_the_roles_and_escape():
    n = 40
    frame = table(n, **{EVIL: range(100, 140)}, y=[EVIL, "b"] * 20, when=pd.date_range("2024-01-01", periods=n),
                  who=np.arange(n) // 4)
    data = load_dataset(frame, target="y", time="when", group="who")
    text, html = repr(data), data._repr_html_()
    for part in ("40 rows × 5 features", "classification of `y`", "(10 groups)", "2024-01-01", data.version, "positive"):
        assert part in text
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    splits = data.split()
    assert "<script>" not in splits._repr_html_()
    assert "train" in repr(splits)
    assert repr(load_dataset(frame, target="size"))
    assert repr(load_dataset(frame))
    assert load_dataset(frame).split()._repr_html_()


def test_representations_never_raise():
    data = load_dataset(table(), target="y")
    for part in (data.take([]), data.split(val=0).val):
        assert "0 rows" in repr(part)
        assert "0 rows" in part._repr_html_()
    broken = Dataset(frame=data.frame, task="classification", roles={}, name="x")
    assert "cannot be shown" in repr(broken)
    assert "cannot be shown" in broken._repr_html_()


def test_a_data_set_travels():
    data = load_dataset(table(odd=["1", "?"] * 20, said=[f"this is remark number {i} of many" for i in range(40)]), target="y")
    again = pickle.loads(pickle.dumps(data))
    assert again.version == data.version
    assert again.notes == data.notes
    assert [note.code for note in again.notes] == [note.code for note in data.notes]
    assert isinstance(again.split(), Splits)
