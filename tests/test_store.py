"""The dataset store: exact round trips, atomic commits, tampering, and what changed."""

import datetime
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_iris

from ml_lifecycle.data import DatasetStore
from ml_lifecycle.data._store.encode import decode, encode
from ml_lifecycle.foundation import BadInputError, ProjectError, UnknownNameError, load_dataset

def iris() -> Any:
    return load_dataset(load_iris(as_frame=True).frame, target="target")


@pytest.fixture
def store(tmp_path: Path) -> DatasetStore:
    return DatasetStore(tmp_path / "store")


# round trips

def same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(one, other, check_exact=True, check_column_type=True, check_index_type=True)
    assert list(map(str, one.dtypes)) == list(map(str, other.dtypes))


FRAMES = {
    "numbers": pd.DataFrame({"i": np.array([1, -2], "int8"), "u": np.array([1, 2**64 - 1], "uint64"),
                             "f": np.array([0.1, np.nan], "f4"),
                             "h": np.array([0.5, np.nan], "f2"), "inf": [np.inf, -np.inf]}),
    "nullable": pd.DataFrame({"i": pd.array([1, None], "Int16"), "b": pd.array([True, None], "boolean"),
                              "f": pd.array([0.5, None], "Float32")}),
    "bools": pd.DataFrame({"b": [True, False], "o": pd.Series([True, None], dtype=object)}),
    "strings": pd.DataFrame({"s": pd.array(["a", None], "string"), "o": pd.Series(["a", None], dtype=object),
                             "n": pd.Series(["a", np.nan], dtype=object), "e": ["", "é\n\"'"]}),
    "categories": pd.DataFrame({
        "c": pd.Categorical(["b", None], categories=["b", "unused", "a"]),
        "o": pd.Categorical(["lo", "hi"], ["lo", "hi"], ordered=True),
        "i": pd.Categorical([3, 1], categories=[3, 2, 1]), "b": pd.Categorical([True, False]), "f": pd.Categorical([0.5, np.nan]),
        "t": pd.Categorical(pd.to_datetime(["2024-01-01", "2024-01-02"]))}),
    "times": pd.DataFrame({
        "n": pd.to_datetime(["2024-01-01 00:00:00.000000001", None]).astype("datetime64[ns]"),
        "s": pd.to_datetime(["2024-01-01", None]).astype("datetime64[s]"),
        "z": pd.to_datetime(["2024-01-01", None]).tz_localize("Europe/Berlin"),
        "u": pd.to_datetime(["2024-01-01", None], utc=True),
        "d": pd.to_timedelta(["1 days", None]), "p": pd.PeriodIndex(["2024-01", "NaT"], freq="M"),
        "o": pd.Series([datetime.date(2024, 1, 1), None], dtype=object)}),
    "odd index": pd.DataFrame({"x": [1.0, 2.0]}, index=pd.Index(["b", "b"], name="key")),
    "range": pd.DataFrame({"x": [1, 2]}, index=pd.RangeIndex(10, 30, 10, name="n")),
    "time index": pd.DataFrame({"x": [1, 2]}, index=pd.date_range("2024", periods=2, tz="UTC")),
    "levels": pd.DataFrame({"x": [1, 2]}, index=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["l", None])),
    "names": pd.DataFrame([[1, 2, 3]], columns=pd.Index([0, "0", ("a", 1)], tupleize_cols=False)),
    "column levels": pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", 1), ("a", 2)], names=["k", "n"])),
    "no rows": pd.DataFrame({"x": pd.Series([], dtype="float64"), "c": pd.Categorical([], categories=["a"])}),
    "intervals": pd.DataFrame({"i": pd.arrays.IntervalArray.from_breaks([0, 1, 2])}),
    "arrow": pd.DataFrame({"a": pd.array([1, None], "int64[pyarrow]")}),
}


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_comes_back_exactly(name: str, store: DatasetStore) -> None:
    frame = FRAMES[name]
    same(decode(*encode(frame)), frame)
    if name not in ("column levels", "names"):
        same(store.load(store.commit(frame)), frame)


def threes(values: Any) -> Any:
    return st.lists(values, min_size=3, max_size=3)


times = st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1))
cells = st.one_of(
    threes(st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]), max_size=6))).map(
        lambda v: pd.Series(v, dtype=object)),
    threes(st.floats(allow_nan=True)).map(pd.Series),
    threes(st.integers(-2**63, 2**63 - 1)).map(pd.Series),
    threes(st.one_of(st.none(), st.booleans())).map(lambda v: pd.Series(pd.array(v, "boolean"))),
    threes(st.one_of(st.none(), st.text("abc", max_size=2))).map(lambda v: pd.Series(v, dtype="category")),
    threes(st.one_of(st.none(), times)).map(lambda v: pd.Series(v, dtype="datetime64[us]")),
)


@given(st.lists(cells, min_size=1, max_size=4))
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_any_frame_comes_back_exactly(columns: list[pd.Series]) -> None:
    frame = pd.DataFrame(dict(enumerate(columns)))
    same(decode(*encode(frame)), frame)


@pytest.mark.parametrize(("column", "said"), [
    (pd.Series([1, "a"], dtype=object), "objects of type int, str"), (pd.Series([[1], [2]]), "objects of type list"),
    (pd.Series([None, np.nan, "a"], dtype=object), "None and nan for missing"), (pd.Series([1j, 2j]), "type complex128"),
    (pd.Series(["\ud800", "b"], dtype=object), "no Unicode"), (pd.Series(pd.arrays.SparseArray([0, 1])), "Sparse"),
])
def test_what_parquet_cannot_hold_is_said_before_anything_is_written(column: pd.Series, said: str, store: DatasetStore) -> None:
    with pytest.raises(BadInputError, match=said) as caught:
        store.commit(pd.DataFrame({"odd": column}))
    assert "\n" not in str(caught.value)
    assert "'odd'" in str(caught.value)
    assert not store.path.exists()


def test_a_dataset_comes_back_with_its_roles(store: DatasetStore, mixed_csv: Any) -> None:
    timed, part = load_dataset(mixed_csv(), target="y", time="when"), load_dataset(mixed_csv(), target="y").take(range(5, 90))
    numbers = load_dataset(mixed_csv(task="regression"), target="y", group="colour")
    for data in (iris(), timed, part, numbers, load_dataset(mixed_csv())):
        version = store.commit(data)
        back = store.load(version)
        assert version == data.version == back.version
        same(back.frame, data.frame)
        for part in ("task", "roles", "name", "source", "notes", "classes", "positive"):
            assert getattr(back, part) == getattr(data, part), part
        assert [getattr(n, "code", None) for n in back.notes] == [getattr(n, "code", None) for n in data.notes]
        assert list(map(type, back.classes)) == list(map(type, data.classes))


def test_the_same_content_is_kept_once(store: DatasetStore) -> None:
    data = iris()
    first = store.commit(data, "one")
    assert store.commit(data.frame, "two") == first
    assert store.commit(data, "three") == first
    assert len(store) == 1
    assert [c["note"] for c in store.manifest(first)["commits"]] == ["one", "two", "three"]
    assert len(list((store.path / "blobs").glob("*.parquet"))) == 1
    assert store.versions()["note"].tolist() == ["three"]
    assert store.load(first).task == "classification"


def test_versions_are_found_by_their_beginning(store: DatasetStore) -> None:
    data = iris()
    version = store.commit(data)
    store.commit(data.take(range(100)))
    assert len(store.load(version[:8])) == 150
    for bad, kind, said in ((version[:2], BadInputError, "at least 4"), ("zzzzzz", UnknownNameError, "must be in the store"),
                            ("", BadInputError, "must be a version"), (3, BadInputError, "must be a version")):
        with pytest.raises(kind, match=said) as caught:
            store.load(bad)  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)
    (store.path / "versions" / f"{version[:15]}{'0' if version[15] != '0' else '1'}.json").write_text("{}")
    with pytest.raises(BadInputError, match="must mean one version"):
        store.load(version[:6])


def test_nonsense_is_said(tmp_path: Path) -> None:
    store = DatasetStore(tmp_path / "s")
    with pytest.raises(BadInputError, match="`note` must be text"):
        store.commit(iris(), note=3)  # type: ignore[arg-type]
    with pytest.raises(BadInputError, match="`path` must be a directory"):
        DatasetStore("")
    (tmp_path / "file").write_text("x")
    with pytest.raises(ProjectError, match="Got the file"):
        DatasetStore(tmp_path / "file")
    with pytest.raises(BadInputError, match="must have columns"):
        store.commit(pd.DataFrame())
    with pytest.raises(BadInputError, match="more than once"):
        store.commit(pd.DataFrame([[1, 2]], columns=["a", "a"]))
    with pytest.raises(UnknownNameError, match="The store is empty"):
        store.load("abcdef")
    assert store.versions().empty
    assert list(store.versions().columns) == ["version", "at", "note", "name", "rows", "columns", "target", "task", "bytes"]


# tampering

def test_a_changed_file_is_noticed_and_can_be_committed_again(store: DatasetStore) -> None:
    data = iris()
    version = store.commit(data)
    blob = next((store.path / "blobs").glob("*.parquet"))
    whole = blob.read_bytes()
    for damaged in (whole[:-1], whole[:200] + bytes([whole[200] ^ 1]) + whole[201:], b""):
        blob.write_bytes(damaged)
        with pytest.raises(ProjectError, match="was changed since") as caught:
            store.load(version)
        assert "\n" not in str(caught.value)
    blob.unlink()
    with pytest.raises(ProjectError, match="is gone"):
        store.load(version)
    blob.write_bytes(b"x")
    assert store.commit(data) == version
    assert len(store.load(version)) == 150


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 1}'])
def test_a_changed_manifest_is_noticed(store: DatasetStore, text: str) -> None:
    version = store.commit(iris())
    path = store.path / "versions" / f"{version}.json"
    whole = json.loads(path.read_text())
    path.write_text(text)
    with pytest.raises(ProjectError, match="manifest as it was written"):
        store.load(version)
    path.write_text(json.dumps({**whole, "rows": 151}))
    with pytest.raises(ProjectError, match="manifest as it was written"):
        store.versions()
    assert store.commit(iris()) == version
    assert store.load(version).task == "classification"


def test_a_manifest_of_another_schema_is_said(store: DatasetStore) -> None:
    from ml_lifecycle.data._store import files as _store_files

    version = store.commit(iris())
    _store_files.write_manifest(store.path, version, {**store.manifest(version), "schema": 2})
    with pytest.raises(ProjectError, match="Read it with the ml_lifecycle that wrote it"):
        store.load(version)


# killed at any moment

CHILD = """
import sys
import numpy as np, pandas as pd
from ml_lifecycle.data import DatasetStore
store = DatasetStore(sys.argv[1])
print("ready", flush=True)
seed = int(sys.argv[2])
while True:
    seed += 1
    frame = pd.DataFrame(np.random.default_rng(seed).normal(size=(4000, 6)), columns=list("abcdef"))
    print(seed, store.commit(frame, str(seed)), flush=True)
"""


def kill_often(path: Path, kills: int, seed: int = 0) -> int:
    """Kill a process that commits without end, at random moments; how many versions there are in the end."""
    draw = random.Random(seed)
    store = DatasetStore(path)
    for number in range(kills):
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(path), str(1000 * number)], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(draw.uniform(0.0, 0.12))
        child.send_signal(signal.SIGKILL)
        said = [line.split() for line in child.stdout.read().splitlines() if len(line.split()) == 2]
        child.wait()
        listed = set(store.versions()["version"])
        assert all(version in listed for _, version in said)
        for version in listed:
            assert len(store.manifest(version)["layout"]["columns"]) == 6
        for version in list(listed)[-3:]:
            assert store.load(version).shape == (4000, 6)
        frame = pd.DataFrame(np.random.default_rng(1000 * number + len(said) + 1).normal(size=(4000, 6)), columns=list("abcdef"))
        pd.testing.assert_frame_equal(store.load(store.commit(frame, "again")), frame)  # the one that was cut short
    return len(store)


@pytest.mark.slow
def test_a_process_killed_at_any_moment_leaves_no_half_version(tmp_path: Path) -> None:
    assert kill_often(tmp_path / "store", 12) >= 12


@pytest.mark.parametrize("stage", ["blob", "manifest"])
def test_a_commit_that_fails_leaves_the_store_as_it_was(store: DatasetStore, stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from ml_lifecycle.data._store import files as _store_files

    first = store.commit(iris())
    monkeypatch.setattr(_store_files, f"write_{stage}", lambda *args: (_ for _ in ()).throw(OSError("no space")))
    with pytest.raises(OSError, match="no space"):
        store.commit(iris().take(range(60)))
    monkeypatch.undo()
    assert store.versions()["version"].tolist() == [first]
    assert len(store.load(store.commit(iris().take(range(60))))) == 60


@pytest.mark.parametrize("call", ["open", "fsync"])
def test_a_folder_that_cannot_be_synced_does_not_stop_a_commit(tmp_path: Path, call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    whole = getattr(os, call)

    def refuse(what: Any, *rest: Any, **named: Any) -> Any:
        if os.path.isdir(what):  # a path, or the number of a file that is open
            raise OSError(22, "Invalid argument")
        return whole(what, *rest, **named)

    monkeypatch.setattr(os, call, refuse)
    store = DatasetStore(tmp_path / "store")
    assert len(store.load(store.commit(iris()))) == 150


def test_parts_that_killed_processes_left_are_removed(store: DatasetStore) -> None:
    import os

    store.commit(iris())
    old, new = store.path / "blobs" / ".a.parquet.x.part", store.path / "versions" / ".b.json.y.part"
    old.write_text("x")
    new.write_text("x")
    os.utime(old, (1, 1))
    assert len(store.versions()) == 1
    store.commit(iris())
    assert not old.exists()
    assert new.exists()


@pytest.mark.slow
def test_two_processes_may_commit_the_same_at_once(tmp_path: Path) -> None:
    code = CHILD.replace("while True:", "for _ in range(15):")
    both = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "s"), "0"], stdout=subprocess.PIPE) for _ in range(2)]
    assert [child.wait() for child in both] == [0, 0]
    store = DatasetStore(tmp_path / "s")
    assert len(store) == 15
    assert all(len(store.load(version)) == 4000 for version in store.versions()["version"])


# what changed

def test_nothing_changed(store: DatasetStore) -> None:
    version = store.commit(iris())
    report = store.diff(version, version)
    assert report.passed
    assert (report.added, report.removed) == (0, 0)
    assert set(report.frame["change"]) == {"same"}


def test_rows_by_id(store: DatasetStore, mixed_csv: Any) -> None:
    frame = pd.read_csv(mixed_csv())
    other = frame.iloc[5:].copy()
    other.loc[other.index[:7], "size"] = 99.5
    a, b = (store.commit(load_dataset(f, target="y")) for f in (frame, other.sample(frac=1, random_state=0)))
    report = store.diff(a, b)
    assert (report.added, report.removed, report.changed, report.matched) == (0, 5, 7, "by 'order_id'")
    line = report.frame.set_index("column").loc["size"]
    assert (line["change"], line["rows_changed"]) == ("values", 7)
    assert report.frame.set_index("column").loc["colour", "change"] == "rows"
    assert [f.code for f in report.findings] == ["DIF001", "DIF004"]


def test_rows_by_content_by_index_and_by_request(store: DatasetStore) -> None:
    frame = pd.DataFrame({"k": range(20), "x": np.arange(20.0), "c": pd.Categorical(["a", "b"] * 10)})
    other = frame.iloc[2:].copy()
    other.loc[4, "x"] = -1
    a, b = store.commit(frame), store.commit(other.astype({"c": object}).reset_index(drop=True))
    report = store.diff(a, b)
    assert (report.added, report.removed, report.changed) == (1, 3, None)
    assert report.frame.set_index("column").loc["c", "change"].startswith("dtype")
    report = store.diff(a, b, on="k")
    assert (report.added, report.removed, report.changed, report.matched) == (0, 2, 1, "by 'k'")
    c, d = (store.commit(f.set_index("k").rename_axis("key")) for f in (frame, other))
    assert store.diff(c, d).matched == "by the index"
    assert store.diff(c, d).changed == 1
    with pytest.raises(UnknownNameError, match="`on` must name columns of both versions"):
        store.diff(a, b, on=["kk"])


def test_columns_and_roles(store: DatasetStore) -> None:
    data = iris()
    more = load_dataset(data.frame.rename(columns={"sepal length (cm)": "sepal"}), target="petal width (cm)")
    report = store.diff(store.commit(data), store.commit(more))
    found = {f.code: f for f in report.findings}
    assert {"DIF002", "DIF005"} <= set(found)
    assert found["DIF005"].evidence["after"] == "petal width (cm)"
    assert sorted(report.frame["change"].head(2)) == ["added", "removed"]
    assert "differ" in report.answer
    assert "rows" in report.plot().get_xlabel()


if __name__ == "__main__":  # python tests/test_store.py DIRECTORY 100
    print(kill_often(Path(sys.argv[1]), int(sys.argv[2])), "versions")
