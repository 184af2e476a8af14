"""One form of message, one small tree of exceptions."""

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_lifecycle.foundation import errors
from ml_lifecycle.foundation._words import count, shown
from ml_lifecycle.foundation.errors import (
    BadInputError,
    LifecycleError,
    MissingPackageError,
    ProjectError,
    UnknownNameError,
    did_you_mean,
    one_of,
    require,
)

@pytest.mark.parametrize(("error", "kin"), [
    (BadInputError, ValueError), (UnknownNameError, KeyError), (ProjectError, RuntimeError), (MissingPackageError, RuntimeError),
])
def test_every_error_has_a_built_in_kin(error: type[LifecycleError], kin: type[Exception]) -> None:
    assert issubclass(error, LifecycleError)
    assert issubclass(error, kin)
    assert str(error("`target` must be a column.")) == "`target` must be a column."  # KeyError alone would quote it
    assert str(error()) == ""


def test_every_error_of_the_module_belongs_to_the_tree() -> None:
    raised = [v for v in vars(errors).values() if isinstance(v, type) and issubclass(v, Exception)]
    assert len(raised) == 5
    assert all(issubclass(error, LifecycleError) for error in raised)


@pytest.mark.parametrize(("name", "known", "said"), [
    ("pric", ["price", "size"], "Did you mean 'price'? Known: price, size."),
    ("PRICE", ["price"], "Did you mean 'price'? Known: price."),
    ("zzz", ["price"], "Known: price."),
    ("zzz", [], ""),
    (3, [1, 2], "Known: 1, 2."),
    (None, ["none"], "Did you mean 'none'? Known: none."),
])
def test_did_you_mean(name: object, known: list[object], said: str) -> None:
    assert did_you_mean(name, known) == said


def test_a_long_list_is_cut_and_counted() -> None:
    said = did_you_mean("x", [f"column_{i}" for i in range(30)], noun="Columns")
    assert said.endswith("column_11, … (30 in all).")
    assert did_you_mean("x", (str(i) for i in range(3)), most=3) == "Known: 0, 1, 2."


@given(st.text(), st.lists(st.text()))
def test_did_you_mean_takes_any_name(name: str, known: list[str]) -> None:
    said = did_you_mean(name, known)
    assert (said == "") == (not known)


def test_one_of() -> None:
    one_of("a", iter(["a", "b"]), "strategy")
    with pytest.raises(UnknownNameError, match=r"`strategy` must be one of the known names. Got 'c'. Strategies: a, b."):
        one_of("c", iter(["a", "b"]), "strategy", noun="Strategies")


def test_require_gives_the_module_or_the_command() -> None:
    assert require("json", "torch", "Reading") is sys.modules["json"]
    with pytest.raises(MissingPackageError, match=r'Training needs `no_such_package`.*pip install "ml-lifecycle\[torch\]"$'):
        require("no_such_package", "torch", "Training")


def test_require_does_not_hide_what_an_installed_package_lacks(tmp_path, monkeypatch) -> None:
    (tmp_path / "half_installed.py").write_text("import no_such_dependency\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency"):
        require("half_installed", "torch", "Training")


@pytest.mark.parametrize(("value", "text"), [
    ("a\nb", "'a\\nb'"), (np.int64(3), "3"), (Path("x/y.csv"), "'x/y.csv'"), ("a" * 99, "'" + "a" * 58 + "…")])
def test_values_in_a_message_are_short_and_on_one_line(value: object, text: str) -> None:
    assert shown(value) == text


def test_things_are_counted() -> None:
    assert [count(n, "row") for n in (0, 1, 2000)] == ["0 rows", "1 row", "2,000 rows"]
