"""What a model answered, row by row: features, truth, predictions and losses, checked and in one form."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from ml_lifecycle.exploration._columns import as_table
from ml_lifecycle.exploration._edge import jobs_of, seed_of
from ml_lifecycle.exploration._entries import infer_task
from ml_lifecycle.foundation import _scores
from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.dataset import Dataset
from ml_lifecycle.foundation.errors import BadInputError, one_of
from ml_lifecycle.foundation.metrics import Predictions

__all__ = ["Answers", "answers_of", "jobs_of", "seed_of", "whole"]
TASKS = ("classification", "regression")
WIDEST = 2_000  # columns of a sparse matrix that are looked at
EPS = float(np.finfo(float).eps)


@dataclass(frozen=True)
class Answers:
    """n rows with what is true and what was predicted."""

    table: pd.DataFrame  # features; positions 0 to n - 1 as its index
    index: pd.Index | None  # the caller's own row names; None when they are the positions
    task: str
    y: np.ndarray  # labels (objects) or numbers
    predictions: Predictions
    wrong: np.ndarray  # predicted another label; all False in regression

    @property
    def said(self) -> np.ndarray:
        """The predicted label or value of each row."""
        given = self.predictions.values if self.task == "regression" else self.predictions.labels
        return np.asarray(given)

    def __len__(self) -> int:
        return len(self.table)

    def loss(self, name: str) -> np.ndarray:
        """The loss of each row: log_loss, zero_one, squared_error or absolute_error."""
        if name == "zero_one":
            return self.wrong.astype(float)
        if name == "log_loss":
            p = np.asarray(self.predictions.proba, dtype=float)
            p = p / np.maximum(p.sum(axis=1, keepdims=True), EPS)
            place = {label: i for i, label in enumerate(self.predictions.classes or ())}
            at = np.array([place.get(label, -1) for label in self.y])
            given = np.where(at >= 0, p[np.arange(len(p)), at], 0.0)
            return np.asarray(-np.log(np.clip(given, EPS, 1.0)) + 0.0)
        gap = np.abs(np.asarray(self.y, dtype=float) - np.asarray(self.said, dtype=float))
        return gap**2 if name == "squared_error" else gap


def answers_of(
    X: Any, y: Any, pred: Any, *, task: str | None = None, classes: Sequence[Any] | None = None, positive: Any = None
) -> Answers:
    """Bring features, truth and predictions into one form; raises BadInputError in one line."""
    if task is not None:
        one_of(task, TASKS, "task", noun="Tasks")
    if isinstance(X, Dataset):
        task, y = task or X.task, X.y if y is None else y
        positive = X.positive if positive is None else positive
        classes = classes if classes is not None else X.classes or None
        X = X.X
    table, index = _features(X)
    truth = _truth(y, len(table))
    task = task or _task(truth, pred)
    if task == "regression":
        numbers = _numbers(truth, "y")
        values = _numbers(_one_a_row(pred.values if isinstance(pred, Predictions) else pred, len(table)), "pred_or_proba")
        return Answers(table, index, task, numbers, Predictions(values=values), np.zeros(len(table), dtype=bool))
    labels = _labels(truth)
    said = _classified(labels, pred, len(table), classes, positive)
    wrong = np.array([bool(a != b) for a, b in zip(labels, np.asarray(said.labels))], dtype=bool)
    return Answers(table, index, task, labels, said, wrong)


def _features(X: Any) -> tuple[pd.DataFrame, pd.Index | None]:
    table = as_table(X)
    if 0 in table.shape:
        raise BadInputError(f"`X` must have rows and columns. Got shape {table.shape}.")
    if sparse.issparse(table):
        used = np.argsort(-np.asarray(abs(table).sum(axis=0)).ravel(), kind="stable")[:WIDEST]
        table = pd.DataFrame(table[:, np.sort(used)].toarray(), columns=np.sort(used))
    elif not isinstance(table, pd.DataFrame):
        table = pd.DataFrame(table)
    if not table.columns.is_unique:
        twice = list(dict.fromkeys(table.columns[table.columns.duplicated()]))
        raise BadInputError(f"`X` must have distinct column names. Got {shown(twice)} more than once. Rename or drop the copies.")
    own = table.index
    plain = isinstance(own, pd.RangeIndex) and own.start == 0 and own.step == 1
    return table.set_axis(pd.RangeIndex(len(table)), axis=0), None if plain else own


def _truth(y: Any, rows: int) -> pd.Series:
    if y is None:
        raise BadInputError("`y` must hold the true answer of each row. Got None. Pass the target, such as data.y.")
    column = pd.Series(_scores.one_column(y.detach().cpu().numpy() if hasattr(y, "detach") else y, "y"))
    if len(column) != rows:
        raise BadInputError(f"`y` must have one value for each row of X. Got {len(column):,} for {rows:,} rows.")
    absent = int(column.isna().sum())
    if absent:
        raise BadInputError(f"`y` must have no missing values. Got {absent:,} of {rows:,}. Leave those rows out.")
    return column.reset_index(drop=True)


def _task(truth: pd.Series, pred: Any) -> str:
    if isinstance(pred, Predictions):
        return "regression" if pred.values is not None else "classification"
    guess = infer_task(truth)
    shape = np.shape(pred)
    if guess == "classification" and pd.api.types.is_numeric_dtype(truth.dtype) and len(shape) == 1:
        said = pd.Series(np.asarray(pred)).infer_objects()
        if pd.api.types.is_float_dtype(said.dtype) and bool(((said < 0) | (said > 1)).any()):
            return "regression" if bool((said != said.round()).any()) else guess
        return guess
    whole = pd.api.types.is_integer_dtype(truth.dtype) and len(shape) == 2 and shape[1] > 1
    return "classification" if whole else guess


def _numbers(values: Any, name: str) -> np.ndarray:
    try:
        found = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        strange = next((v for v in list(values) if isinstance(v, str)), values)
        raise BadInputError(f"`{name}` must hold numbers for a regression. Got {shown(strange)}. "
                            "Did you mean task='classification'?") from None
    bad = int((~np.isfinite(found)).sum())
    if bad:
        raise BadInputError(f"`{name}` must hold finite numbers. Got {bad:,} of {len(found):,} that are missing or infinite. "
                            "Leave those rows out.")
    return found


def _one_a_row(pred: Any, rows: int) -> np.ndarray:
    if hasattr(pred, "predict"):
        raise BadInputError("`pred_or_proba` must hold what the model said. Got the model itself. Pass model.predict_proba(X) "
                            "or model.predict(X).")
    pred = pred.detach().cpu().numpy() if hasattr(pred, "detach") else pred
    values = np.asarray(pred if pred is not None else [], dtype=object if isinstance(pred, (list, tuple)) else None)
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if values.ndim != 1:
        raise BadInputError(f"`pred_or_proba` must have one prediction for each row. Got shape {values.shape}.")
    if len(values) != rows:
        raise BadInputError(f"`pred_or_proba` must have one prediction for each row of X. Got {len(values):,} for {rows:,} rows.")
    return values


def _labels(column: Any) -> np.ndarray:
    """Labels as Python's own objects, so that 1, 1.0, True and numpy's ones are the same label."""
    found = np.empty(len(column), dtype=object)
    found[:] = [v.item() if isinstance(v, np.generic) else v for v in list(column)]
    return found


def _classified(truth: np.ndarray, pred: Any, rows: int, classes: Any, positive: Any) -> Predictions:
    """Predictions of a classification, from probabilities of any form or from labels."""
    if isinstance(pred, Predictions):
        if len(pred) != rows:
            raise BadInputError(f"`pred_or_proba` must have one prediction for each row of X. Got {len(pred):,} for {rows:,}.")
        return Predictions(labels=_labels(pred.labels), proba=pred.proba, scores=pred.scores, positive=pred.positive,
                           classes=pred.classes)
    found = _scores.in_order(set(truth.tolist()))
    known = list(_labels(classes)) if classes is not None else None
    if isinstance(pred, (list, tuple)) and len(pred) and np.ndim(pred[0]) == 1:
        pred = np.asarray(pred)
    pred = pred.detach().cpu().numpy() if hasattr(pred, "detach") else pred
    if np.ndim(pred) == 2 and np.shape(pred)[1] > 1:
        return _from_proba(pred, rows, known or _column_labels(pred, found), found, positive)
    said = _one_a_row(pred, rows)
    if positive is None and len(known or found) <= 2:
        counts = [int((truth == label).sum()) for label in known or found]
        positive = _scores.positive_of(known or found, counts if len(counts) == 2 else None)
    chance = _as_chance(said, known or found)
    if chance is not None:
        pair = known or found
        pair = pair if len(pair) == 2 else [False, True] if isinstance(found[0], bool) else [0, 1]
        positive = positive if positive in pair else pair[1]
        columns = np.column_stack([chance if label == positive else 1 - chance for label in pair])
        return _from_proba(columns, rows, pair, found, positive)
    labels = _labels(said)
    gone = int(pd.isna(pd.Series(labels)).sum())
    if gone:
        raise BadInputError(f"`pred_or_proba` must have no missing predictions. Got {gone:,} of {rows:,}. Leave those rows out.")
    _alike(found if known is None else [*known, *found], labels)
    every = list(dict.fromkeys([*(known or found), *labels]))
    return Predictions(labels=labels, classes=tuple(known or _scores.in_order(every)), positive=positive)


def _as_chance(said: np.ndarray, classes: list[Any]) -> np.ndarray | None:
    """The probability of the positive label, when that is what one column of numbers holds; else None."""
    column = pd.Series(said).infer_objects()
    if len(classes) > 2 or not pd.api.types.is_float_dtype(column.dtype):
        return None
    values = column.to_numpy(dtype=float)
    if not (np.isfinite(values).all() and (values >= 0).all() and (values <= 1).all()):
        return None
    only_labels = set(values.tolist()) <= {0.0, 1.0} and any(label in (0, 1) for label in classes)
    if len(classes) == 1 and (isinstance(classes[0], str) or classes[0] not in (0, 1)):
        return None
    return None if only_labels else values


def _alike(known: list[Any], labels: np.ndarray) -> None:
    """Raise when no predicted label can be a label of `y`."""
    said = set(labels.tolist())
    text = {isinstance(label, str) for label in known}
    if not said & set(known) and text.isdisjoint({isinstance(label, str) for label in said}):
        raise BadInputError(f"`pred_or_proba` must hold labels in the form of `y`. Got {shown(_scores.in_order(said)[:5])}; `y` "
                            f"holds {shown(known[:5])}. Bring both into one form.")


def _column_labels(pred: Any, found: list[Any]) -> list[Any]:
    """Which label each column of probabilities belongs to, from the names of a frame or from the labels of `y`."""
    width = np.shape(pred)[1]
    if isinstance(pred, pd.DataFrame) and set(found) <= set(pred.columns):
        return list(_labels(pred.columns))
    if width == len(found):
        return found
    if all(isinstance(label, int) and not isinstance(label, bool) and 0 <= label < width for label in found):
        return list(range(width))
    if width == 2 and len(found) == 1 and isinstance(found[0], bool):
        return [False, True]
    raise BadInputError(f"`classes` must name the label of each of the {width} columns of probabilities, for `y` holds "
                        f"{len(found)} different labels. Got none. Pass classes=model.classes_.")


def _from_proba(pred: Any, rows: int, known: list[Any], found: list[Any], positive: Any) -> Predictions:
    proba = np.asarray(pred, dtype=float)
    if len(proba) != rows:
        raise BadInputError(f"`pred_or_proba` must have one prediction for each row of X. Got {len(proba):,} for {rows:,} rows.")
    if len(known) != proba.shape[1] or len(set(known)) != len(known):
        raise BadInputError(f"`classes` must name each column of probabilities once. Got {len(known)} names for "
                            f"{proba.shape[1]} columns. Pass classes=model.classes_.")
    if not np.isfinite(proba).all() or (proba < -1e-6).any() or (proba > 1 + 1e-6).any():
        raise BadInputError("`pred_or_proba` must hold probabilities between 0 and 1, or labels. Got "
                            f"{shown(float(np.nanmin(proba)))} to {shown(float(np.nanmax(proba)))}. Pass model.predict_proba(X).")
    if not set(found) & set(known):
        raise BadInputError(f"`classes` must hold labels of `y`. Got {shown(known[:5])}; `y` holds {shown(found[:5])}.")
    labels = np.empty(rows, dtype=object)
    labels[:] = [known[i] for i in proba.argmax(axis=1)]
    if positive is None and len(known) == 2:
        positive = _scores.positive_of(known)
    return Predictions(labels=labels, proba=proba, classes=tuple(known), positive=positive)


def whole(value: Any, name: str, least: int) -> int:
    """A whole number of at least `least`."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)) or value < least:
        raise BadInputError(f"`{name}` must be a whole number from {least}. Got {shown(value)}.")
    return int(value)
