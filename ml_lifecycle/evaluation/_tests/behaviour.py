"""What the model must answer: rows with a known answer, changes that must not matter, changes that must move it one way."""

# The three kinds are those of Ribeiro, Wu, Guestrin & Singh, Beyond Accuracy: Behavioral Testing of NLP Models with CheckList
# (ACL 2020): minimum functionality, invariance and directional expectation tests.

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from ml_lifecycle.evaluation._tests.functionality import reason
from ml_lifecycle.evaluation._tests.result import Result, of_rows
from ml_lifecycle.evaluation._tests.subject import CLOSE, Subject, copied, same_answers
from ml_lifecycle.foundation._render import number
from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.errors import BadInputError, did_you_mean, one_of
from ml_lifecycle.foundation.metrics import Predictions
from ml_lifecycle.planning._costs import rows_of

WAYS = {"up": 1, "down": -1}

def share_of(at_least: Any) -> float:
    """A share of rows, above 0 and up to 1."""
    if isinstance(at_least, bool) or not isinstance(at_least, (int, float, np.number)) or not 0 < at_least <= 1:
        raise BadInputError(f"`at_least` must be a share of rows above 0 and up to 1. Got {at_least!r}. 1.0 asks for every row.")
    return float(at_least)


def amount_of(tolerance: Any, argument: str = "tolerance") -> float:
    """A number that is not negative."""
    odd = isinstance(tolerance, bool) or not isinstance(tolerance, (int, float, np.number))
    if odd or not 0 <= float(tolerance) < np.inf:
        raise BadInputError(f"`{argument}` must be a number of at least 0. Got {tolerance!r}. 0 allows no loss at all.")
    return float(tolerance)


def name_of(name: Any) -> str:
    """The name of a test."""
    if not isinstance(name, str) or not name.strip():
        raise BadInputError(f"`name` must be a short text that names the test. Got {shown(name)}. Say what must hold.")
    return " ".join(name.split())


def rows_for(subject: Subject, X: Any) -> Any:
    """Rows as a model takes them: a record or records become a frame, a function picks from the rows under test."""
    if X is None:
        return subject.X
    if callable(X) and not hasattr(X, "shape"):
        X = X(copied(subject.X))
    if isinstance(X, Mapping):
        X = [X]
    if isinstance(X, (list, tuple)) and X and all(isinstance(row, Mapping) for row in X):
        X = pd.DataFrame(list(X))
    if isinstance(X, pd.Series) and isinstance(subject.X, pd.DataFrame) and set(subject.X.columns) <= set(X.index):
        X = X.to_frame().T.infer_objects()
    if isinstance(X, pd.DataFrame) and isinstance(subject.X, pd.DataFrame):
        absent = [c for c in subject.X.columns if c not in X.columns]
        if absent:
            raise BadInputError(f"`X` must have the columns of the rows under test. Missing: {absent[:5]}. Fill them in.")
        X = X[list(subject.X.columns)]
    if rows_of(X) == 0:
        raise BadInputError("`X` must hold at least one row. Got none. Pass the rows of the scenario.")
    return X


def answers(said: Predictions) -> np.ndarray:
    """The labels or the values."""
    return np.asarray(said.values if said.values is not None else said.labels)


# ---- scenarios

def expected(subject: Subject, expect: Any, n: int) -> Any:
    """What is expected, after a check of its form: a function, a range, or one answer a row."""
    if callable(expect):
        return expect
    if subject.task == "regression" and isinstance(expect, tuple) and len(expect) == 2:
        low, high = (float(v) for v in expect)
        if low > high:
            raise BadInputError(f"`expect` must be a range (low, high). Got {expect!r}. Put the smaller number first.")
        return (low, high)
    if isinstance(expect, (list, tuple, np.ndarray, pd.Series, pd.Index)):
        if len(expect) != n:
            raise BadInputError(f"`expect` must have one answer for each of the {n} rows. Got {len(expect)}.")
        values = list(expect)
    else:
        values = [expect] * n
    if subject.task == "classification" and subject.classes:
        for value in values:
            if value not in subject.classes:
                raise BadInputError(f"`expect` must be a label of the model, labels, or a function of the answers. Got {value!r}. "
                                    + did_you_mean(value, subject.classes, noun="Labels"))
    return values


def holds(subject: Subject, X: Any, said: Predictions, expect: Any, tolerance: float) -> np.ndarray:
    """For each row whether the answer is what is expected."""
    given = answers(said)
    if callable(expect):
        return judged_by(expect, X, given)
    if isinstance(expect, tuple):
        return (given >= expect[0] - tolerance) & (given <= expect[1] + tolerance)
    if subject.task == "regression":
        wanted = np.asarray(expect, dtype=float)
        return np.asarray(np.abs(given - wanted) <= tolerance + 1e-9 * np.maximum(1.0, np.abs(wanted)))
    return np.array([answer == wanted for answer, wanted in zip(given.tolist(), expect)], dtype=bool)


def judged_by(expect: Callable[..., Any], X: Any, given: np.ndarray) -> np.ndarray:
    """What a function says of the answers, all at once or, where it takes one only, row by row."""
    if _arguments(expect) >= 2:
        found = np.asarray(expect(X, given))
    else:
        try:
            found = np.asarray(expect(given))
        except (ValueError, TypeError):
            found = np.empty(0)
        if found.shape not in ((len(given),), (len(given), 1)):
            found = np.array([bool(expect(one)) for one in given])
    if found.shape == ():
        found = np.repeat(found, len(given))
    if len(found) != len(given):
        raise BadInputError(f"`expect` must say True or False for each of the {len(given)} rows. Got {len(found)} values.")
    return found.reshape(-1).astype(bool)


def _arguments(function: Callable[..., Any]) -> int:
    try:
        kinds = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 1
    return sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is p.empty for p in kinds)


def scenario(subject: Subject, name: str, X: Any, expect: Any, at_least: float, tolerance: float) -> Result:
    """Rows whose answer is known."""
    try:
        said = subject.said(X)
    except Exception as error:  # noqa: BLE001 - a model may raise anything
        return Result(name, "scenario", "issue", f"'{name}': the model raised {reason(error)}.", rows_of(X), code="MTE007",
                      threshold=at_least)
    found = holds(subject, X, said, expect, tolerance)
    return of_rows(name, "scenario", found, code="MTE007", at_least=at_least, good=f"'{name}' holds",
                   bad=f"'{name}' does not hold")


# ---- changes

def changed(X: Any, change: Any) -> Any:
    """The rows after a change: a function of the rows, a dict {column: value or function}, or the changed rows themselves."""
    if isinstance(change, Mapping):
        if not isinstance(X, pd.DataFrame):
            raise BadInputError(f"`change` must be a function of the rows unless they are a frame. Got {shown(change)}.")
        after = X.copy()
        for column, value in change.items():
            one_of(column, X.columns, "change", noun="Columns")
            given = value(after[column]) if callable(value) else value
            old = after[column]
            known = isinstance(old.dtype, pd.CategoricalDtype) and not callable(value)
            if known and given not in old.cat.categories:
                old = old.cat.add_categories([given])
            after[column] = pd.Series([given] * len(X), index=X.index).astype(old.dtype) if known else given
        return after
    after = change(copied(X)) if callable(change) and not hasattr(change, "shape") else change
    if rows_of(after) != rows_of(X):
        raise BadInputError(f"`change` must keep the rows. Got {rows_of(after)} for {rows_of(X)}.")
    return after


def touched(before: Any, after: Any) -> np.ndarray:
    """Which rows the change changed; all of them where that cannot be compared."""
    if isinstance(before, pd.DataFrame) and isinstance(after, pd.DataFrame) and list(before.columns) == list(after.columns):
        left, right = before.reset_index(drop=True).astype(object), after.reset_index(drop=True).astype(object)
        return np.asarray(((left != right) & ~(left.isna() & right.isna())).any(axis=1))
    if isinstance(before, np.ndarray) and isinstance(after, np.ndarray) and before.shape == after.shape and before.ndim > 1:
        same = before == after
        if before.dtype.kind == "f" and after.dtype.kind == "f":
            same |= np.isnan(before) & np.isnan(after)
        return np.asarray(~same.reshape(len(before), -1).all(axis=1))
    return np.ones(rows_of(before), dtype=bool)


def _asked(
    subject: Subject, name: str, kind: str, before: Any, after: Any
) -> Result | tuple[Predictions, Predictions, np.ndarray]:
    """Both answers and which rows changed; a result where that cannot be had."""
    rows = touched(before, after)
    if not rows.any():
        return Result(name, kind, "cannot tell", f"'{name}' could not be tried: the change leaves every row as it is.",
                      rows_of(before), code="MTE008")
    try:
        return subject.said(before), subject.said(after), rows
    except Exception as error:  # noqa: BLE001 - a model may raise anything
        return Result(name, kind, "issue", f"'{name}': the model raised {reason(error)}.", rows_of(before), code="MTE008")


def invariance(subject: Subject, name: str, before: Any, after: Any, at_least: float, tolerance: float | None) -> Result:
    """A change that must not change the answer."""
    asked = _asked(subject, name, "invariance", before, after)
    if isinstance(asked, Result):
        return asked
    first, second, rows = asked
    if tolerance is None:
        same = same_answers(Predictions(labels=first.labels), Predictions(labels=second.labels)) if first.values is None \
            else same_answers(first, second)
    else:
        same = np.array([_apart(first, second) <= tolerance + 1e-12]).reshape(-1)
    return of_rows(name, "invariance", same[rows], code="MTE008", at_least=at_least,
                   good=f"'{name}' does not change the answer", bad=f"'{name}' changes the answer")


def _apart(first: Predictions, second: Predictions) -> np.ndarray:
    """How far two answers are apart: values, or the probability that moves most."""
    if first.values is not None and second.values is not None:
        return np.asarray(np.abs(first.values - second.values))
    if first.proba is None or second.proba is None:
        raise BadInputError("`tolerance` must be left out when the model gives no probabilities. Labels are the same or not.")
    return np.asarray(np.abs(first.proba - second.proba).max(axis=1))


def level_of(subject: Subject, said: Predictions, label: Any) -> np.ndarray:
    """The number that must move: the value, or how likely the label is."""
    if said.values is not None:
        return np.asarray(said.values, dtype=float)
    known = list(said.classes or subject.classes or ())
    if label is None:
        label = subject.positive if subject.positive is not None else known[-1] if len(known) == 2 else None
    if label is None or (known and label not in known):
        raise BadInputError(f"`label` must be the label whose probability moves. Got {label!r}. "
                            + did_you_mean(label, known, noun="Labels"))
    for table in (said.proba, said.scores):
        if table is not None:
            return np.asarray(table[:, known.index(label)])
    return np.asarray(np.asarray(said.labels) == label, dtype=float)


def directional(
    subject: Subject, name: str, before: Any, after: Any, way: int, label: Any, at_least: float, tolerance: float
) -> Result:
    """A change that must move the answer one way, or leave it."""
    asked = _asked(subject, name, "directional", before, after)
    if isinstance(asked, Result):
        return asked
    first, second, rows = asked
    old, new = (level_of(subject, said, label) for said in (first, second))
    moved = way * (new - old)[rows]
    small = tolerance + CLOSE * 1e-2 * (float(np.ptp(old)) or 1.0)
    where = "up" if way > 0 else "down"
    return of_rows(name, "directional", moved >= -small, code="MTE008", at_least=at_least,
                   good=f"'{name}' moves the answer {where} or leaves it (mean {number(float(moved.mean() * way))})",
                   bad=f"'{name}' does not move the answer {where} (mean {number(float(moved.mean() * way))})")


def way_of(expect: Any) -> int:
    """1 or -1."""
    if expect in (1, -1) and not isinstance(expect, bool):
        return int(expect)
    one_of(expect, WAYS, "expect", noun="Ways")
    return WAYS[expect]
