"""Labels and probabilities of the same rows, checked and brought into one order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ml_lifecycle.foundation import _scores
from ml_lifecycle.foundation._words import count, shown
from ml_lifecycle.foundation.errors import BadInputError

Array = NDArray[Any]
SUM = 0.01  # how far the probabilities of a row may add up to something else than 1


@dataclass(frozen=True)
class Judged:
    """The rows that have probabilities."""

    rows: Array  # what each row is called: its label in the index of y, its position where that does not name it
    codes: Array  # the place of each given label in `classes`
    proba: Array  # (rows, classes), each row adding up to 1
    classes: tuple[Any, ...]
    absent: int  # rows without probabilities

    @property
    def given(self) -> Array:
        """The probability of each given label."""
        return np.asarray(self.proba[np.arange(len(self.codes)), self.codes])

    @property
    def suggested(self) -> Array:
        """The place of the most likely class."""
        return np.asarray(self.proba.argmax(1))

    @property
    def skill(self) -> float:
        """The share of the errors of always suggesting the commonest label that the suggestions spare."""
        missed = 1 - np.bincount(self.codes).max() / len(self.codes)
        return float(1 - (self.suggested != self.codes).mean() / missed) if missed > 0 else 0.0

    def labels(self, places: Array) -> pd.Series:
        """Classes by their place."""
        known = pd.Series(list(self.classes), dtype=object).infer_objects()
        return known.iloc[places].reset_index(drop=True)


def names_of(y: Any, n: int) -> Array:
    """What the rows are called: the labels of the index where they are distinct, positions otherwise."""
    if isinstance(y, (pd.Series, pd.DataFrame)) and y.index.is_unique and y.index.nlevels == 1:
        return np.asarray(y.index)
    return np.arange(n)


def values_only(y: Any, proba: Any) -> bool:
    """Whether these are numbers and predicted numbers, not labels and probabilities."""
    column, other = pd.Series(_column(y)).infer_objects(), np.asarray(proba)
    one = other.ndim == 1 or (other.ndim == 2 and other.shape[1] == 1)
    if not one or not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return False
    return len(_scores.distinct(column)[1]) > 2


def judge(y: Any, proba: Any, classes: Sequence[Any] | None) -> Judged:
    """Check labels and probabilities; raises BadInputError in one line."""
    column = _column(y)
    table = _table(proba, column)
    if len(table) != len(column):
        raise BadInputError(f"`proba` must have one row for each label of `y`. Got {len(table)} for {len(column)}.")
    known = _classes(column, proba, table.shape[1], classes)
    codes = _scores.encode(column, known, "y")
    if (codes < 0).any():
        stranger = pd.Series(column).iloc[int(np.flatnonzero(codes < 0)[0])]
        raise BadInputError(f"`classes` must name every label of `y`. Got none for {shown(stranger)}. "
                            "Pass the model's classes: classes=model.classes_.")
    absent = np.isnan(table).all(1)
    kept = ~absent
    _check(table[kept])
    return Judged(names_of(y, len(column))[kept], codes[kept], table[kept] / table[kept].sum(1, keepdims=True), tuple(known),
                  int(absent.sum()))


def _column(y: Any) -> Any:
    if isinstance(y, pd.DataFrame) and y.shape[1] == 1:
        y = y.iloc[:, 0]
    column = _scores.one_column(y, "y")
    if not len(column):
        raise BadInputError("`y` must have rows. Got none.")
    if isinstance(column, pd.Series) and isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    if pd.isna(column).any():
        raise BadInputError(f"`y` must have no missing labels. Got {count(int(pd.isna(column).sum()), 'row')} without one. "
                            "Leave those rows out.")
    return column


def _table(proba: Any, column: Any) -> Array:
    if isinstance(proba, (pd.DataFrame, pd.Series)) and isinstance(column, pd.Series) and not proba.index.equals(column.index) \
            and proba.index.is_unique and column.index.is_unique and set(proba.index) == set(column.index):
        proba = proba.loc[column.index]
    try:
        table = np.asarray(proba, dtype=float)
    except (TypeError, ValueError):
        raise BadInputError("`proba` must hold probabilities, a row for each label and a column for each class. "
                            f"Got {shown(proba)}. Pass what predict_proba gives.") from None
    if table.ndim == 2 and table.shape[1] == 1:
        table = table[:, 0]
    if table.ndim == 1:
        table = np.column_stack([1 - table, table])
    if table.ndim != 2:
        raise BadInputError(f"`proba` must have a row for each label and a column for each class. Got shape {table.shape}.")
    return table


def _classes(column: Any, proba: Any, width: int, classes: Sequence[Any] | None) -> list[Any]:
    """The labels that the columns belong to."""
    found = _scores.in_order(_scores.distinct(column)[1])
    if classes is not None:
        known = [v.item() if isinstance(v, np.generic) else v for v in classes]
        if len(known) != width or len(set(map(repr, known))) != len(known):
            raise BadInputError(f"`classes` must name each column of `proba` once. Got {len(known)} names for {width} columns. "
                                "Pass the model's classes: classes=model.classes_.")
        return known
    if isinstance(proba, pd.DataFrame) and set(found) <= set(proba.columns):
        return [v.item() if isinstance(v, np.generic) else v for v in proba.columns]
    if len(found) != width:
        hint = " For numbers, rank_by_loss(y, predictions) ranks the rows." if len(found) > max(20, len(column) / 2) else ""
        raise BadInputError(f"`classes` must be given when `y` does not hold every class. Got {count(width, 'column')} for "
                            f"{len(found)} different labels. Pass the model's classes: classes=model.classes_.{hint}")
    return found


def _check(table: Array) -> None:
    if not len(table):
        raise BadInputError("`proba` must have probabilities. Got missing values in every row. Pass what predict_proba gives.")
    if not np.isfinite(table).all():
        other = count(int((~np.isfinite(table)).any(1).sum()), "row")
        raise BadInputError(f"`proba` must hold finite numbers, or nothing in a whole row. Got others in {other}. "
                            "Leave those rows out.")
    if table.min() < -1e-6 or table.max() > 1 + 1e-6:
        raise BadInputError(f"`proba` must lie between 0 and 1. Got {table.min():.4g} to {table.max():.4g}. "
                            "Pass what predict_proba gives, not scores.")
    off = np.abs(table.sum(1) - 1)
    if off.max() > SUM:
        raise BadInputError(f"`proba` must add up to 1 in every row. Got {table.sum(1)[off.argmax()]:.4g} in one. "
                            "Pass what predict_proba gives.")
