"""Does it work at all? One row and many, in any order, twice, alone and together, with gaps and with surprises."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ml_lifecycle.evaluation._tests.result import Result, of_rows
from ml_lifecycle.evaluation._tests.subject import Subject, copied, same_answers, unchanged
from ml_lifecycle.foundation.errors import LifecycleError
from ml_lifecycle.foundation.metrics import Predictions
from ml_lifecycle.planning._costs import rows_of, some_rows

MOST = 200  # rows that are tried
ALONE = 12  # rows that are also tried one by one
COLUMNS = 40  # columns that are tried with a gap or a surprise
UNSEEN = "a value that was never seen"
WHERE = "functionality"

def checks(subject: Subject) -> Iterator[Callable[[], Result]]:
    """The checks, each to be called; when the first ones fail the rest says so."""
    few = subject.some(MOST)
    for check in (many_rows, one_row, valid_answers, same_input, row_order, alone_or_together, input_untouched, missing_values,
                  unseen_categories, column_order):
        yield lambda check=check: check(subject, few)  # type: ignore[misc]


def run(subject: Subject) -> tuple[Result, ...]:
    """Every check with its time."""
    found: list[Result] = []
    for check in checks(subject):
        started = time.perf_counter()
        broken = bool(found) and found[0].verdict == "issue"
        name = NAMES[len(found)]
        if broken:
            found.append(Result(name, WHERE, "not applicable", "Not tried: the model does not predict (see 'many rows')."))
            continue
        try:
            result = check()
        except Exception as error:  # noqa: BLE001 - a model may raise anything
            result = Result(name, WHERE, "issue", f"{name.capitalize()}: the model raised {reason(error)}.", code=CODES[name])
        found.append(replace(result, seconds=time.perf_counter() - started))
    return tuple(found)


CODES = {"many rows": "MTE001", "one row": "MTE001", "valid answers": "MTE003", "same input, same answer": "MTE002",
         "order of rows": "MTE002", "alone or together": "MTE002", "input untouched": "MTE004", "missing values": "MTE005",
         "unseen categories": "MTE005", "order of columns": "MTE005"}
NAMES = tuple(CODES)


def reason(error: BaseException) -> str:
    """What was raised, in short."""
    inner = error.__cause__ if isinstance(error, LifecycleError) and error.__cause__ is not None else error
    said = " ".join(str(inner).split()).rstrip(".")
    return f"{type(inner).__name__}: {said[:140]}" if said else type(inner).__name__


def _absent(test: str, why: str) -> Result:
    return Result(test, WHERE, "not applicable", why)


def _rows(test: str, holds: Any, good: str, bad: str) -> Result:
    return of_rows(test, WHERE, np.asarray(holds, dtype=bool), code=CODES[test], good=good, bad=bad)


def many_rows(subject: Subject, few: Any) -> Result:
    """The model answers a batch, one answer a row."""
    said = subject.said(few)
    told = f"It answers a batch of {len(said):,}, one answer a row."
    return Result("many rows", WHERE, "passed", told, len(said), 1.0, threshold=1.0)


def one_row(subject: Subject, few: Any) -> Result:
    """The model answers a single row."""
    subject.said(some_rows(few, [0]))
    return Result("one row", WHERE, "passed", "It answers a row alone.", 1, 1.0, threshold=1.0)


def valid(subject: Subject, said: Predictions) -> np.ndarray:
    """For each row whether the answer is one that can be: a known label, probabilities that sum to 1, a finite number."""
    if said.values is not None:
        return np.isfinite(said.values)
    known = [*(subject.classes or ()), *(subject.y.unique() if subject.y is not None else ())]
    fine = np.array([not known or label in known for label in np.asarray(said.labels).tolist()], dtype=bool)
    if said.proba is not None:
        with np.errstate(invalid="ignore"):
            total = np.abs(said.proba.sum(axis=1) - 1) <= 1e-3
            fine &= np.isfinite(said.proba).all(axis=1) & (said.proba >= -1e-6).all(axis=1) & total
    if said.scores is not None:
        fine &= ~np.isnan(said.scores).any(axis=1)
    return fine


def valid_answers(subject: Subject, few: Any) -> Result:
    """Answers are of the right kind and in range."""
    what = "finite numbers" if subject.task == "regression" else "known labels, and probabilities between 0 and 1 that sum to 1"
    return _rows("valid answers", valid(subject, subject.said(few)), f"The answers are {what}", f"The answers are not {what}")


def same_input(subject: Subject, few: Any) -> Result:
    """The same rows twice give the same answers."""
    first, second = subject.said(few), subject.said(few)
    return _rows("same input, same answer", same_answers(first, second), "Asked twice, it answers the same",
                 "Asked twice, it answers differently: something random is left in the prediction")


def row_order(subject: Subject, few: Any) -> Result:
    """The order of the rows in a batch does not matter."""
    n = rows_of(few)
    if n < 2:
        return _absent("order of rows", "The order of rows was not tried: there is one row.")
    mixed = np.random.default_rng(subject.seed).permutation(n)
    mixed = mixed if (mixed != np.arange(n)).any() else mixed[::-1]
    back = np.argsort(mixed)
    other = _taken(subject.said(some_rows(few, mixed)), back)
    return _rows("order of rows", same_answers(subject.said(few), other), "The order of the rows does not matter",
                 "An answer changes with the place of the row in its batch")


def alone_or_together(subject: Subject, few: Any) -> Result:
    """A row gets the same answer alone as in a batch."""
    n = min(ALONE, rows_of(few))
    together = _taken(subject.said(few), np.arange(n))
    single = [subject.said(some_rows(few, [i])) for i in range(n)]
    same = [bool(same_answers(_taken(together, np.array([i])), one)[0]) for i, one in enumerate(single)]
    return _rows("alone or together", same, "A row gets the same answer alone as in a batch",
                 "A row gets another answer alone than in a batch: something is computed over the batch")


def _taken(said: Predictions, rows: np.ndarray) -> Predictions:
    parts = {name: None if getattr(said, name) is None else np.asarray(getattr(said, name))[rows]
             for name in ("labels", "proba", "values", "scores")}
    return replace(said, **parts)


def input_untouched(subject: Subject, few: Any) -> Result:
    """Predicting does not change the rows that were handed in."""
    mine = copied(few)
    asked = replace_model(subject)
    for method in asked:
        method(mine)
    kept = unchanged(few, mine)
    told = "Predicting leaves the rows as they are" if kept else "Predicting changes the rows that were handed in: copy them first"
    return Result("input untouched", WHERE, "passed" if kept else "issue", f"{told}.", rows_of(few), float(kept),
                  threshold=1.0, code=CODES["input untouched"])


def replace_model(subject: Subject) -> list[Callable[[Any], Any]]:
    """The ways in which the model is asked."""
    from ml_lifecycle.foundation import _torch

    model = _torch.TorchPredictor(subject.model, task=subject.task) if _torch.is_module(subject.model) else subject.model
    return [getattr(model, way) for way in ("predict", "predict_proba")
            if hasattr(model, way) and (way == "predict" or subject.task == "classification")]


# ---- surprises

def _tried(
    subject: Subject, few: Any, columns: list[int], change: Callable[[Any, int, int], Any]
) -> tuple[list[int], list[int], str]:
    """(columns whose change is refused, columns whose change gives an answer that cannot be, what was raised first)."""
    base = some_rows(few, np.arange(len(columns)) % rows_of(few))
    base = base.reset_index(drop=True) if isinstance(base, pd.DataFrame) else copied(base)
    together = base
    for row, column in enumerate(columns):
        together = change(together, row, column)
    try:
        fine = valid(subject, subject.said(together))
        return [], [column for column, good in zip(columns, fine) if not good], ""
    except Exception:  # noqa: BLE001 - a model may raise anything; which column it was is asked next
        refused, odd, said = [], [], ""
        for row, column in enumerate(columns):
            try:
                fine = valid(subject, subject.said(some_rows(change(base, row, column), [row])))
                odd += [] if fine.all() else [column]
            except Exception as error:  # noqa: BLE001
                refused.append(column)
                said = said or reason(error)
        return refused, odd, said


def _names(few: Any, columns: list[int]) -> str:
    names = [str(few.columns[c]) if isinstance(few, pd.DataFrame) else f"column {c}" for c in columns]
    return ", ".join(repr(n) for n in names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _surprised(test: str, few: Any, columns: list[int], outcome: tuple[list[int], list[int], str], what: str,
               mild: bool) -> Result:
    refused, odd, said = outcome
    n, fine = len(columns), len(columns) - len(refused) - len(odd)
    numbers: dict[str, Any] = {"n": n, "value": fine / n, "threshold": 1.0, "code": CODES[test]}
    if odd:
        told = f"{what} in {_names(few, odd)} gives an answer that cannot be, without a word."
        return Result(test, WHERE, "tip" if mild else "issue", told, **numbers)
    if refused:
        told = f"{what} in {_names(few, refused)} is refused ({said})."
        return Result(test, WHERE, "tip" if mild else "issue", told, **numbers)
    tried = f"{n} column{'s' * (n != 1)}"
    return Result(test, WHERE, "passed", f"{what} gets an answer, tried in {tried}.", **numbers)


def missing_values(subject: Subject, few: Any) -> Result:
    """A gap in a column does not break the prediction."""
    if not (isinstance(few, pd.DataFrame) or _plain_numbers(few)):
        return _absent("missing values", "Missing values were not tried: the rows cannot hold any.")
    columns = list(range(min(few.shape[1], COLUMNS)))
    outcome = _tried(subject, few, columns, _with_gap)
    gaps = [c for c in (*outcome[0], *outcome[1]) if isinstance(subject.X, pd.DataFrame) and subject.X.iloc[:, c].isna().any()]
    crashed = bool(outcome[2]) and outcome[2].split(":")[0] not in ("ValueError", "BadInputError")
    return _surprised("missing values", few, columns, outcome, "A missing value", mild=not gaps and not crashed)


def _plain_numbers(few: Any) -> bool:
    return isinstance(few, np.ndarray) and few.ndim == 2 and few.dtype.kind == "f"


def _with_gap(rows: Any, row: int, column: int) -> Any:
    if isinstance(rows, np.ndarray):
        changed = rows.copy()
        changed[row, column] = np.nan
        return changed
    values = rows.iloc[:, column]
    if isinstance(values.dtype, np.dtype) and values.dtype.kind in "biu":
        values = values.astype("float64")
    return _put(rows, column, values.mask(np.arange(len(values)) == row))


def _put(rows: pd.DataFrame, column: int, values: pd.Series) -> pd.DataFrame:
    parts = [values if place == column else rows.iloc[:, place] for place in range(rows.shape[1])]
    changed = pd.concat(parts, axis=1)
    changed.columns = rows.columns
    return changed


def unseen_categories(subject: Subject, few: Any) -> Result:
    """A category that training never saw does not break the prediction."""
    known = isinstance(few, pd.DataFrame)
    columns = [c for c in range(few.shape[1]) if _is_words(few.iloc[:, c])][:COLUMNS] if known else []
    if not columns:
        return _absent("unseen categories", "Unseen categories were not tried: no column holds words.")
    outcome = _tried(subject, few, columns, _with_surprise)
    return _surprised("unseen categories", few, columns, outcome, "A category that was never seen", mild=False)


def _is_words(column: pd.Series) -> bool:
    values = pd.Series(column.cat.categories) if isinstance(column.dtype, pd.CategoricalDtype) else column
    return pd.api.types.infer_dtype(values, skipna=True) == "string"


def _with_surprise(rows: pd.DataFrame, row: int, column: int) -> pd.DataFrame:
    values = rows.iloc[:, column]
    if isinstance(values.dtype, pd.CategoricalDtype) and UNSEEN not in values.cat.categories:
        values = values.cat.add_categories([UNSEEN])
    return _put(rows, column, values.mask(np.arange(len(values)) == row, UNSEEN))


def column_order(subject: Subject, few: Any) -> Result:
    """Columns in another order give the same answers, or are refused; never other answers."""
    test = "order of columns"
    if not isinstance(few, pd.DataFrame) or few.shape[1] < 2:
        return _absent(test, "The order of columns was not tried: the rows have no named columns, or only one.")
    if not few.columns.is_unique:
        return _absent(test, "The order of columns was not tried: two have the same name.")
    try:
        other = subject.said(few.iloc[:, ::-1])
    except Exception as error:  # noqa: BLE001 - a model may raise anything
        mild = isinstance(error, ValueError) or isinstance(error.__cause__, ValueError)
        return Result(test, WHERE, "tip" if mild else "issue", f"Columns in another order are refused ({reason(error)}).",
                      rows_of(few), 0.0, threshold=1.0, code=CODES[test])
    return _rows(test, same_answers(subject.said(few), other), "The order of the columns does not matter",
                 "Columns in another order give other answers without a word: the model goes by place, not by name")
