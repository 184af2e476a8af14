"""Which rows belong to which slice: those that a person names, and the automatic ones of every column."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ml_lifecycle.exploration import _columns
from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.errors import BadInputError, UnknownNameError, did_you_mean

PARTS = 4  # quantile parts of a column of numbers or dates
LEVELS = 20  # categories of a column that get a slice, the most frequent ones
FEW_VALUES = 8  # distinct numbers up to which every value is a slice
Masks = dict[str, np.ndarray]


def named_slices(slices: Any, table: pd.DataFrame, own: pd.DataFrame | None = None) -> Masks:
    """Masks of the slices that a person gives: a dict, or a list of columns, functions and masks."""
    if isinstance(slices, str) or callable(slices) or not isinstance(slices, (Mapping, Sequence)):
        slices = [slices]
    items = list(slices.items()) if isinstance(slices, Mapping) else [(None, item) for item in slices]
    found: Masks = {}
    for number, (name, item) in enumerate(items, 1):
        if isinstance(item, str) and not isinstance(slices, Mapping) or _is_column(item, table):
            _known(item, table)
            found.update(of_column(table, item))
            continue
        label = str(name) if name is not None else getattr(item, "__name__", f"slice {number}")
        label = f"slice {number}" if label == "<lambda>" else label
        found[label] = _mask(item, table, label)
    return found


def _is_column(item: Any, table: pd.DataFrame) -> bool:
    return isinstance(item, (str, int, tuple)) and not isinstance(item, bool) and item in table.columns


def _known(name: Any, table: pd.DataFrame) -> None:
    if name not in table.columns:
        raise UnknownNameError(f"`slices` must name columns, or hold masks or functions of X. Got {shown(name)}. "
                               + did_you_mean(name, table.columns, noun="Columns"))


def _mask(item: Any, table: pd.DataFrame, label: str) -> np.ndarray:
    what = item
    if isinstance(item, Callable):  # type: ignore[arg-type]
        try:
            what = item(table)
        except Exception as error:
            raise BadInputError(f"`slices` must hold functions of X that give one bool a row. {shown(label)} raised "
                                f"{type(error).__name__}: {error}.".replace("\n", " ")) from error
    values = what.to_numpy(dtype=object) if isinstance(what, pd.Series) else np.asarray(what)
    if values.shape != (len(table),):
        raise BadInputError(f"`slices` must give one bool for each of the {len(table):,} rows. Got shape {values.shape} for "
                            f"{shown(label)}.")
    values = np.where(pd.isna(values), False, values)
    if not all(isinstance(v, (bool, np.bool_)) or v in (0, 1) for v in set(values.tolist())):
        raise BadInputError(f"`slices` must give one bool for each row. Got {shown(values[:3].tolist())} … for {shown(label)}.")
    return values.astype(bool)


def automatic(table: pd.DataFrame, by: Any, most: int) -> Masks:
    """Slices of every column, or of the columns in `by`: levels, quantile parts, and rows without a value."""
    if by is not None:
        wanted = [by] if isinstance(by, (str, int)) else list(by)
        for name in wanted:
            if name not in table.columns:
                raise UnknownNameError(f"`by` must name columns of X. Got {shown(name)}. "
                                       + did_you_mean(name, table.columns, noun="Columns"))
    else:
        wanted = list(table.columns)
    found: Masks = {}
    for name in wanted[:most]:
        found.update(of_column(table, name))
    return found


def ranges(table: pd.DataFrame, by: Any, most: int) -> set[str]:
    """Names of the automatic slices that are ranges of numbers, dates or lengths."""
    wanted = [by] if isinstance(by, (str, int)) else list(table.columns if by is None else by)
    kept = [name for name in wanted[:most] if _columns.kind_of(table[name]) in ("number", "date", "text")]
    return {label for name in kept for label in of_column(table, name) if label != f"{name} is missing"}


def of_column(table: pd.DataFrame, name: Any) -> Masks:
    """The slices of one column."""
    column = table[name]
    kind, gone = _columns.kind_of(column), column.isna().to_numpy()
    found: Masks = {}
    if kind in ("number", "date"):
        found = _parts(column, str(name), kind)
    elif kind == "category":
        codes, levels = pd.factorize(np.array([None if g else str(v) for v, g in zip(column, gone)], dtype=object))
        counts = np.bincount(codes[codes >= 0], minlength=len(levels))
        for code in np.argsort(-counts, kind="stable")[:LEVELS]:
            found[f"{name} = {levels[code]}"] = codes == code
    elif kind == "text":
        sizes = column.where(~gone, "").astype(str).str.len().to_numpy(dtype=float)
        sizes[gone] = np.nan
        found = _parts(pd.Series(sizes), f"letters of {name}", "number")
    if gone.any() and not gone.all():
        found[f"{name} is missing"] = gone
    return {label: mask for label, mask in found.items() if mask.any() and not mask.all()}


def _parts(column: pd.Series, name: str, kind: str) -> Masks:
    """Quantile parts of numbers or dates; every value by itself where there are few."""
    if kind == "date":
        index = _columns.dates(column)
        values = np.where(index.isna(), np.nan, index.asi8.astype(float))
    else:
        values = _columns.numbers(column)
    known = np.unique(values[~np.isnan(values)])
    if kind == "number" and len(known) <= FEW_VALUES:
        flag = pd.api.types.is_bool_dtype(column.dtype)
        return {f"{name} = {bool(v) if flag else _plain(v)}": values == v for v in known}
    edges = np.unique(np.quantile(values[~np.isnan(values)], np.linspace(0, 1, PARTS + 1)[1:-1]))
    if kind == "number":
        edges = np.unique([_round(edge, known) for edge in edges])
    else:
        unit = np.unique(index.normalize().asi8)
        edges = np.unique(np.floor(edges / _day(unit)) * _day(unit))
    told = [_date(e, column) if kind == "date" else _plain(e) for e in edges]
    found, place = {}, np.searchsorted(edges, values, side="right")
    place[np.isnan(values)] = -1
    for part in range(len(edges) + 1):
        below = f"{name} < {told[part]}" if part < len(edges) else ""
        label = below if part == 0 else f"{name} >= {told[part - 1]}" if part == len(edges) else \
            f"{told[part - 1]} <= {below}"
        found[label] = place == part
    return found


def _day(units: np.ndarray) -> float:
    """The ticks of a day in the resolution of these dates."""
    steps = np.diff(units)
    return float(np.gcd.reduce(steps[steps > 0])) if (steps > 0).any() else 1.0


def _date(tick: float, column: pd.Series) -> str:
    index = _columns.dates(column)
    return str(pd.Timestamp(int(tick), unit=index.unit).date())


def _round(edge: float, known: np.ndarray) -> float:
    """The shortest number that cuts the values where `edge` does, give or take a hundredth of them."""
    place = np.searchsorted(known, edge)
    for digits in range(1, 15):
        short = float(f"{edge:.{digits}g}")
        if abs(np.searchsorted(known, short) - place) <= 0.01 * len(known):
            return short
    return edge


def _plain(value: float) -> str:
    return f"{value:.6g}" if abs(value) < 1e6 and value != int(value) else f"{value:.0f}" if abs(value) < 1e15 else f"{value:.3g}"


def without_copies(masks: Masks) -> tuple[Masks, dict[str, str]]:
    """Slices of the same rows once, under the first name; and which name stands for which."""
    seen: dict[bytes, str] = {}
    kept, same = {}, {}
    for label, mask in masks.items():
        key = np.packbits(mask).tobytes()
        if key in seen:
            same[label] = seen[key]
        else:
            seen[key] = label
            kept[label] = mask
    return kept, same
