"""What slices are cut along: columns as levels and as values, and conditions on them that hold for any table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from ml_lifecycle.exploration import _columns

FEW = 20  # distinct whole numbers that are also read as levels
LEVELS = 60  # levels of a column that are told apart, the most frequent ones
MOST = 300  # columns that are looked at
PARTS = ("month", "day", "day_of_week", "hour")  # of dates
Condition = dict[str, Any]  # column, part, text, and levels, or low and high


@dataclass(frozen=True)
class Axis:
    """One way to cut rows: by the levels of a column or by its values."""

    column: Any  # its own name
    part: str  # of a date, such as "hour"; "" for the column itself
    codes: np.ndarray | None = None  # level of each row, -1 for none that counts
    levels: tuple[str | None, ...] = ()  # None: missing
    values: np.ndarray | None = None  # numbers, nan where missing
    whole: bool = False  # numbers without fractions
    date: bool = False  # values are seconds since 1970

    @property
    def label(self) -> str:
        """The column in words."""
        name = f"column {self.column}" if isinstance(self.column, int) else str(self.column)
        return f"{name}: {self.part.replace('_', ' ')}" if self.part else name


def axes_of(table: pd.DataFrame, rows: np.ndarray, least: int) -> list[Axis]:
    """Every way to cut; a level needs `least` of `rows`."""
    found: list[Axis] = []
    for name in table.columns[:MOST]:
        column = table[name]
        kind = _columns.kind_of(column)
        if kind == "date":
            seconds = _seconds(column)
            found.append(Axis(name, "", values=seconds, date=True))
            found += [_valued(name, part, read(column, part)) for part in PARTS]
        elif kind == "number" and not _boolean(column):
            found.append(_valued(name, "", read(column, "")))
        if kind is not None:
            found.append(_levelled(name, column, kind))
    return [axis for axis in (_common(axis, rows, least) for axis in found) if axis is not None]


def read(column: pd.Series, part: str) -> np.ndarray:
    """A column, or a part of its dates, as numbers."""
    if not part:
        return _columns.numbers(column)
    return np.asarray(getattr(_columns.dates(column), part), dtype=float)


def _seconds(column: pd.Series) -> np.ndarray:
    index = _columns.dates(column)
    return np.where(index.isna(), np.nan, index.as_unit("ns").asi8 / 1e9)


def _boolean(column: pd.Series) -> bool:
    return pd.api.types.is_bool_dtype(column.dtype) or pd.api.types.infer_dtype(column, skipna=True) == "boolean"


def _valued(name: Any, part: str, values: np.ndarray) -> Axis:
    known = values[~np.isnan(values)]
    return Axis(name, part, values=values, whole=bool((known == np.round(known)).all()))


def _levelled(name: Any, column: pd.Series, kind: str) -> Axis:
    """Levels of a category, a boolean or a few whole numbers; of any other column only that it is missing."""
    gone = column.isna().to_numpy()
    if kind == "number" and not _boolean(column):
        values = _columns.numbers(column)
        gone = np.isnan(values)
        known = np.unique(values[~gone])
        told = len(known) <= FEW and bool((known == np.round(known)).all())
        codes = np.searchsorted(known, values) if told else np.full(len(values), -1)
        names = [f"{value:.0f}" for value in known] if told else []
    elif kind in ("date", "text"):
        codes, names = np.full(len(column), -1), []
    else:
        names, codes = _names(column)
    return Axis(name, "", codes=np.where(gone, len(names), codes), levels=(*names, None))


def _names(column: pd.Series) -> tuple[list[str], np.ndarray]:
    """Different values as strings, and which of them each row holds."""
    try:
        codes, values = pd.factorize(column)
    except TypeError:
        codes, values = pd.factorize(column.astype(str))
    again, names = pd.factorize(np.array([str(value) for value in values], dtype=object))
    return [str(name) for name in names], np.where(codes < 0, -1, again[codes] if len(again) else -1)


def _common(axis: Axis, rows: np.ndarray, least: int) -> Axis | None:
    """The axis with the levels that are common enough to be judged; None when it cannot cut the rows in two."""
    if axis.values is not None:
        known = axis.values[rows]
        known = known[~np.isnan(known)]
        return axis if len(known) >= least and known.min() < known.max() else None
    assert axis.codes is not None
    counts = np.bincount(axis.codes[rows][axis.codes[rows] >= 0], minlength=len(axis.levels))
    order = np.argsort(-counts, kind="stable")[:LEVELS]
    kept = order[(counts[order] >= least) & (counts[order] <= len(rows) - least)]
    if not len(kept):
        return None
    place = np.full(len(axis.levels) + 1, -1)
    place[kept] = np.arange(len(kept))
    return Axis(axis.column, "", codes=place[axis.codes], levels=tuple(axis.levels[i] for i in kept))


def by_levels(axis: Axis, codes: Sequence[int]) -> Condition:
    """A condition that asks for some levels."""
    levels = tuple(axis.levels[code] for code in codes)
    said = ["missing" if level is None else level for level in levels]
    text = f"{axis.label} is missing" if levels == (None,) else f"{axis.label} = {said[0]}" if len(said) == 1 else \
        f"{axis.label} in ({', '.join(said)})"
    return {"column": _plain(axis.column), "part": "", "levels": levels, "text": text}


def by_values(axis: Axis, low: float | None, high: float | None) -> Condition:
    """A condition that asks for values from `low` to `high`, either of them None for no bound."""
    a, b = (None if bound is None else _shown(axis, bound) for bound in (low, high))
    text = f"{axis.label} = {a}" if a is not None and a == b else f"{axis.label} <= {b}" if a is None else \
        f"{axis.label} >= {a}" if b is None else f"{a} <= {axis.label} <= {b}"
    return {"column": _plain(axis.column), "part": axis.part, "date": axis.date, "low": low, "high": high, "text": text}


def holds(condition: Condition, table: pd.DataFrame) -> np.ndarray:
    """Which rows of a table meet a condition; levels that are not known, and missing values, meet none that names others."""
    column = _column(table, condition["column"])
    assert column is not None
    if "levels" in condition:
        gone = column.isna().to_numpy()
        names, codes = _names(column)
        if pd.api.types.is_numeric_dtype(column.dtype) and not _boolean(column):
            names = [_whole(name) for name in names]
        known = np.array([name in condition["levels"] for name in names] + [False], dtype=bool)
        return np.where(gone, None in condition["levels"], known[codes])
    values = _seconds(column) if condition["date"] else read(column, condition["part"])
    low, high = condition["low"], condition["high"]
    with np.errstate(invalid="ignore"):
        return (values >= (-np.inf if low is None else low)) & (values <= (np.inf if high is None else high))


def _column(table: pd.DataFrame, wanted: Any) -> pd.Series | None:
    return next((table[name] for name in table.columns if _plain(name) == wanted), None)


def absent(conditions: Sequence[Condition], table: pd.DataFrame) -> list[Any]:
    """Columns of conditions that a table lacks."""
    return [condition["column"] for condition in conditions if _column(table, condition["column"]) is None]


def framed(X: Any) -> pd.DataFrame:
    """Rows in any form as a frame."""
    found = _columns.as_table(X)
    return found if isinstance(found, pd.DataFrame) else pd.DataFrame(found.toarray() if sparse.issparse(found) else found)


def met(conditions: Sequence[Condition], table: pd.DataFrame) -> np.ndarray:
    """Rows that meet all conditions."""
    rows = np.ones(len(table), dtype=bool)
    for condition in conditions:
        rows &= holds(condition, table)
    return rows


def _whole(name: str) -> str:
    try:
        number = float(name)
    except ValueError:
        return name
    return f"{number:.0f}" if number.is_integer() else name


def between(axis: Axis, outside: float | None, inside: float, side: int) -> float | None:
    """A short bound in the gap between the last value outside and the first one inside; side -1: the lower bound."""
    if outside is None or axis.whole:
        return None if outside is None else inside
    middle = (outside + inside) / 2
    if axis.date:
        for unit in (86_400, 3_600, 60, 1):
            short = float(np.round(middle / unit) * unit)
            if (short - outside) * -side > 0 and (inside - short) * -side >= 0:
                return short
        return inside
    for digits in range(1, 17):
        short = float(f"{middle:.{digits}g}")
        if (short - outside) * -side > 0 and (inside - short) * -side >= 0:
            return short
    return inside


def _shown(axis: Axis, value: float) -> str:
    if axis.date:
        stamp = pd.Timestamp(value, unit="s").round("s")
        return str(stamp.date()) if stamp == stamp.normalize() else f"{stamp:%Y-%m-%d %H:%M:%S}"
    return f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:.12g}"


def _plain(name: Any) -> Any:
    """A column name that survives JSON."""
    name = name.item() if isinstance(name, np.generic) else name
    return name if isinstance(name, (str, int)) else str(name)
