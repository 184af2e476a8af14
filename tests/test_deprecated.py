"""The list of columns that were taken out: loud, append-only, readable."""

import datetime as dt
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_lifecycle.foundation import BadInputError, ProjectError, UnknownNameError, load_dataset
from ml_lifecycle.maintenance import DeprecatedFeatureError, DeprecatedFeatures

EVIL = "<script>alert('&')</script>: # [x]\n- y"


@pytest.fixture(params=["deprecated.yaml", "deprecated.json"])
def out(request: pytest.FixtureRequest, tmp_path: Path) -> DeprecatedFeatures:
    return DeprecatedFeatures(tmp_path / "some" / request.param)


def test_out_and_back(out: DeprecatedFeatures) -> None:
    assert out.names == () == out.history
    assert out.frame.empty
    assert out.check(["a"]) == ["a"]
    assert not out.path.exists()
    out.deprecate("a", by="Ada", why="a leak", replaced_by="b", when="2026-01-31")
    with pytest.raises(DeprecatedFeatureError) as caught:
        out.check(pd.DataFrame({"a": [1], "c": [2]}))
    message = str(caught.value)
    assert "\n" not in message
    for part in ("'a'", "2026-01-31", "Ada", "a leak", "'b'"):
        assert part in message
    out.restore("a", by="Grace", why="mended")
    assert out.names == ()
    assert [entry["event"] for entry in out.history] == ["deprecated", "restored"]
    assert list(out.frame["status"]) == ["restored"]
    out.deprecate("a", by="Ada", why="a leak after all")
    assert out.names == ("a",)
    assert len(out.history) == 3
    assert DeprecatedFeatures(out.path).history == out.history


def test_the_same_entry_twice_is_one(out: DeprecatedFeatures) -> None:
    for _ in range(2):
        out.deprecate("a", by="Ada", why="a leak")
    assert len(out.history) == 1
    with pytest.raises(BadInputError, match="`name` must be a column that is not out yet"):
        out.deprecate("a", by="Ada", why="something else")


@pytest.mark.parametrize("given_", [["a"], "a", pd.Index(["b", "a"]), pd.Series(["a"]), ("a",), {"a": 1}])
def test_columns_in_any_form(out: DeprecatedFeatures, given_: Any) -> None:
    out.deprecate("a", by="Ada", why="a leak")
    with pytest.raises(DeprecatedFeatureError):
        out.check(given_)


def test_a_dataset_is_checked_by_its_features(out: DeprecatedFeatures) -> None:
    data = load_dataset(pd.DataFrame({"a": [0.5, 1.25, 2.75] * 20, "b": [1, 2] * 30, "y": ["p", "q", "q"] * 20}), target="y")
    out.deprecate("y", by="Ada", why="is the target")
    assert out.check(data) is data
    out.deprecate("a", by="Ada", why="a leak")
    with pytest.raises(DeprecatedFeatureError):
        out.check(data)
    assert len(out.check(data.without(["a"]))) == len(data)


def test_all_that_came_back_are_named(out: DeprecatedFeatures) -> None:
    for name in "abcdefghijkl":
        out.deprecate(name, by="Ada", why="a leak")
    with pytest.raises(DeprecatedFeatureError, match=r"Also back: 'b', 'c'.* …"):
        out.check(list("abcdefghijkl"))


@settings(max_examples=25)
@given(name=st.text(min_size=1).filter(str.strip), why=st.text(min_size=1).filter(str.strip))
def test_any_name_and_reason_comes_back(tmp_path_factory: pytest.TempPathFactory, name: str, why: str) -> None:
    for ending in ("yaml", "json"):
        out = DeprecatedFeatures(tmp_path_factory.mktemp("x") / f"d.{ending}")
        out.deprecate(name, by="Ada", why=why)
        assert out.names == (name,)
        assert out.history[0]["why"] == why
        with pytest.raises(DeprecatedFeatureError) as caught:
            out.check([name])
        assert "\n" not in str(caught.value)


def test_hostile_names(out: DeprecatedFeatures) -> None:
    out.deprecate(EVIL, by=EVIL, why=EVIL)
    out.deprecate(3, by="Ada", why="a number")
    assert out.names == (EVIL, "3")
    assert "<script>" not in out._repr_html_()
    assert "2 out" in repr(out)
    with pytest.raises(DeprecatedFeatureError) as caught:
        out.check([3])
    assert "'3'" in str(caught.value)


def test_a_person_may_edit_the_file(tmp_path: Path) -> None:
    path = tmp_path / "deprecated.yml"
    entry = "{feature: a, event: deprecated, by: Ada, why: law, when: 2026-01-31}"
    path.write_text(f"# by hand\nhistory:\n- {entry}\n", encoding="utf-8")
    out = DeprecatedFeatures(path)
    assert out.names == ("a",)
    assert out.history[0]["when"] == "2026-01-31"
    path.write_text("", encoding="utf-8")
    assert out.names == ()


@pytest.mark.parametrize("text", [
    "history: 3", "- a", "history:\n- {feature: a}", "history:\n- {feature: a, event: x, by: b, why: c}", "a: [", "history: null"])
def test_a_file_that_cannot_be_used_is_one_line_and_stays(tmp_path: Path, text: str) -> None:
    path = tmp_path / "deprecated.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ProjectError) as caught:
        DeprecatedFeatures(path).deprecate("a", by="Ada", why="a leak")
    assert "\n" not in str(caught.value)
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(("wrong", "said"), [
    ({"name": " "}, "`name`"), ({"name": None}, "`name`"), ({"by": ""}, "`by`"), ({"why": None}, "`why`"),
    ({"when": "yesterday"}, "`when`"), ({"when": 3}, "`when`"), ({"replaced_by": "a"}, "`replaced_by`")])
def test_what_an_entry_must_have(out: DeprecatedFeatures, wrong: dict[str, Any], said: str) -> None:
    entry: dict[str, Any] = {"name": "a", "by": "Ada", "why": "a leak", **wrong}
    with pytest.raises(BadInputError, match=said):
        out.deprecate(entry.pop("name"), **entry)
    assert not out.path.exists()


def test_other_misuse(out: DeprecatedFeatures, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="None is out"):
        out.restore("a", by="Ada", why="why not")
    out.deprecate("age", by="Ada", why="law", when=dt.date(2026, 1, 31))
    assert out.history[0]["when"] == "2026-01-31"
    with pytest.raises(UnknownNameError, match="Did you mean 'age'"):
        out.restore("agee", by="Ada", why="why not")
    for wrong in (3, pd.DataFrame({"a": [1]}).to_numpy()):
        with pytest.raises(BadInputError, match="`columns` must be"):
            out.check(wrong)
    for path in ("list.txt", 3):
        with pytest.raises(BadInputError, match="`path` must be"):
            DeprecatedFeatures(path)  # type: ignore[arg-type]
    (tmp_path / "dir.yaml").mkdir()
    with pytest.raises(ProjectError, match="must be a file"):
        DeprecatedFeatures(tmp_path / "dir.yaml")
