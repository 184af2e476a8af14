"""Labels that several people gave, in whatever form they come, as counts of each label for each item."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ml_lifecycle.data._agreement_table import Labels, read_labels
from ml_lifecycle.foundation._roles import MOST_CLASSES
from ml_lifecycle.foundation._words import count, shown
from ml_lifecycle.foundation.errors import BadInputError
from ml_lifecycle.refinement._irreducible.parts import Array

@dataclass(frozen=True)
class Ratings:
    """How often each item was given each label."""

    counts: Array  # (items, classes), items with two labels or more
    left_out: int  # items with one label or none


def _told(data: Any) -> str:
    """What was handed in, on one line."""
    return " ".join(shown(data).split())


def _listed(data: Any) -> bool:
    """Whether each element is a collection of labels of one item."""
    values = data.tolist() if isinstance(data, (pd.Series, np.ndarray)) and data.ndim == 1 else data
    return isinstance(values, (list, tuple)) and len(values) > 0 and all(
        isinstance(v, (list, tuple, set, frozenset, np.ndarray, pd.Series)) for v in values)


def _as_table(data: Any) -> Any:
    """Lists of labels of several lengths as a frame with a column for the first label, the second one, and so on."""
    if not _listed(data):
        return data
    rows = [list(v) for v in (data.tolist() if isinstance(data, (pd.Series, np.ndarray)) else data)]
    width = max(2, max(map(len, rows)))
    return pd.DataFrame([[*row, *[None] * (width - len(row))] for row in rows], dtype=object,
                        columns=[f"rating {i + 1}" for i in range(width)])


def read_people(data: Any, names: Mapping[str, str | None]) -> Labels:
    """Who gave which label, from a table of items and annotators, a long table, or lists of the labels of each item."""
    if isinstance(data, (str, bytes)) or not hasattr(data, "__len__"):
        raise BadInputError(f"`data` must be labels that several people gave. Got {_told(data)}. Pass a table of items and "
                            "annotators, a list of the labels of each item, or X and y.")
    try:
        return read_labels(_as_table(data), names, "nominal", None)
    except BadInputError as error:
        raise BadInputError(str(error).replace("`labels`", "`data`")) from None


def read_counts(data: Any) -> Ratings:
    """Counts as they are given, (items, classes)."""
    try:
        counts = np.asarray(data, dtype=float)
    except (TypeError, ValueError):
        counts = np.empty(0)
    if counts.ndim != 2 or counts.shape[1] < 2 or not np.isfinite(counts).all() or (counts < 0).any() \
            or (counts != counts.round()).any():
        raise BadInputError("`data` must be whole numbers of at least 0, a row for each item and a column for each label, "
                            f"with method='counts'. Got {_told(data)}. Count how often each item was given each label.")
    return of_counts(counts)


def of_counts(counts: Array) -> Ratings:
    """Items with two labels or more; raises BadInputError when there are none."""
    enough = counts.sum(1) >= 2
    if not enough.any():
        raise BadInputError(f"`data` must hold two labels of the same item. Got one or none for each of "
                            f"{count(len(counts), 'item')}. Let several people label the same items.")
    kept = counts[enough]
    return Ratings(kept[:, kept.any(0)], int((~enough).sum()))


def read_probabilities(data: Any) -> Array:
    """The probability of each label for each item, (items, classes)."""
    try:
        p = np.asarray(data, dtype=float)
    except (TypeError, ValueError):
        p = np.empty(0)
    p = p[:, 0] if p.ndim == 2 and p.shape[1] == 1 else p
    p = np.column_stack([1 - p, p]) if p.ndim == 1 and len(p) else p
    if p.ndim != 2 or not len(p) or not (np.isfinite(p).all() and (p >= 0).all() and np.allclose(p.sum(1), 1, atol=1e-3)):
        raise BadInputError("`data` must be probabilities from 0 to 1: one for each item, or a row that sums to 1 for each. "
                            f"Got {_told(data)}. With numbers of labels say method='counts'.")
    return p


def numbers_of(data: Any) -> list[Array]:
    """The ratings of each item as numbers, those with two or more."""
    table = _as_table(data)
    frame = table if isinstance(table, pd.DataFrame) else pd.DataFrame(np.asarray(table))
    try:
        values = frame.to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError):
        raise BadInputError("`data` must be numbers when task='regression'. Got others. Leave `task` out for labels.") from None
    rows = [row[np.isfinite(row)] for row in values]
    kept = [row for row in rows if len(row) > 1]
    if not kept:
        raise BadInputError(f"`data` must hold two ratings of the same item. Got one or none for each of "
                            f"{count(len(rows), 'item')}. Let several people rate the same items.")
    return kept


def looks_like_numbers(data: Any) -> bool:
    """Ratings on a scale without steps: many different numbers, not all of them whole."""
    table = _as_table(data)
    try:
        values = np.asarray(table, dtype=float) if not isinstance(table, Mapping) else np.empty(0)
    except (TypeError, ValueError):
        return False
    values = values[np.isfinite(values)]
    return bool(len(values) and (values != values.round()).any()) and len(np.unique(values)) > MOST_CLASSES


def looks_like_probabilities(data: Any) -> bool:
    """Floats between 0 and 1, not all of them whole, one for each item or rows that sum to 1."""
    try:
        p = np.asarray(data, dtype=float)
    except (TypeError, ValueError):
        return False
    if p.ndim not in (1, 2) or not p.size or not (np.isfinite(p).all() and (p >= 0).all() and (p <= 1).all()):
        return False
    return bool((p != p.round()).any()) and (p.ndim == 1 or p.shape[1] == 1 or np.allclose(p.sum(1), 1, atol=1e-3))
