"""The table of candidates as a person hands it in: its names, its numbers and their bounds, checked."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from ml_lifecycle.foundation._render import number
from ml_lifecycle.foundation.errors import BadInputError
from ml_lifecycle.foundation.intervals import Interval, wilson
from ml_lifecycle.planning._quantities import QUANTITIES, spelled

UNKNOWN = float("nan")


def table(candidates: Any) -> pd.DataFrame:
    """A table with the names as its index; raises when there is none, or when two have the same name."""
    if isinstance(candidates, pd.DataFrame):
        frame = candidates
    elif isinstance(candidates, Iterable) and not isinstance(candidates, (str, Mapping)):
        rows = list(candidates)
        if not all(isinstance(row, Mapping) for row in rows):
            raise BadInputError("`candidates` must be a DataFrame or dicts as measure_model gives them. "
                                f"Got a list with {next(type(r).__name__ for r in rows if not isinstance(r, Mapping))}.")
        frame = pd.DataFrame([dict(row) for row in rows])
    else:
        raise BadInputError("`candidates` must be a DataFrame with one row a candidate, or a list of dicts as "
                            f"measure_model gives them. Got {type(candidates).__name__}.")
    if not len(frame):
        raise BadInputError("`candidates` must hold at least one candidate. Got an empty table. "
                            "Measure one with measure_model(model, X, y, requirements=...).")
    names = [str(name) for name in (frame["name"] if "name" in frame.columns else frame.index)]
    again = sorted({name for name in names if names.count(name) > 1})
    if again:
        raise BadInputError(f"`candidates` must have a different name for each row. Got {again[:5]} more than once. "
                            "Put the names in a column `name` or in the index.")
    return frame.set_axis(names, axis=0)


def spelling(frame: pd.DataFrame, name: str) -> str:
    """The column that holds `name`: "F1" does for f1, and "F1_low" for f1_low, where there is no other."""
    for end in ("_low", "_high", ""):
        if name not in frame.columns and name.endswith(end):
            stem = name.removesuffix(end)
            others = [c for c in frame.columns if isinstance(c, str) and c.endswith(end)]
            name = next((c for c in others if spelled(c.removesuffix(end)) == stem), name)
    return name


def column(frame: pd.DataFrame, name: str) -> np.ndarray:
    """One column as floats; all nan when there is none."""
    name = spelling(frame, name)
    if name not in frame.columns:
        return np.full(len(frame), UNKNOWN)
    try:
        return np.asarray(pd.to_numeric(frame[name]).astype("Float64").to_numpy(dtype=float, na_value=UNKNOWN))
    except (TypeError, ValueError):
        strange = next(v for v in frame[name] if not _is_number(v))
        raise BadInputError(f"`candidates[{name!r}]` must hold numbers. Got {strange!r}. "
                            "Leave a cell empty where nothing was measured.") from None


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def readings(frame: pd.DataFrame, quantity: str) -> list[Interval]:
    """Value and bounds of a quantity for each candidate; bounds that are not known are nan."""
    known = QUANTITIES.get(quantity)
    found = []
    columns = [column(frame, c) for c in (quantity, f"{quantity}_low", f"{quantity}_high", "n")]
    for name, value, low, high, n in zip(frame.index, *columns):
        _consistent(str(name), quantity, value, low, high)
        if math.isnan(value) or np.isnan([low, high]).any():
            low = high = UNKNOWN
            if known is not None and known.is_share and n > 0 and 0 <= value <= 1:
                low, high = wilson(value * n, n)[1:]
        found.append(Interval(float(value), float(low), float(high)))
    return found


def _consistent(name: str, quantity: str, value: float, low: float, high: float) -> None:
    """Raise when a value lies outside of its own interval, or outside of what the quantity can be."""
    known, where = QUANTITIES.get(quantity), f"`candidates[{quantity!r}]`"
    if known is not None and (value < known.low or value > known.high):
        percent = known.is_fraction and 1 < value <= 100
        hint = f"If it is in per cent, write {value / 100:g}." if percent else "Measure it again, or leave it empty."
        what = f"between {number(known.low)} and {number(known.high)}" if math.isfinite(known.low + known.high) else (
            f"at least {number(known.low)}" if math.isfinite(known.low) else f"at most {number(known.high)}")
        raise BadInputError(f"{where} must be {what}. Got {value:g} for {name!r}. {hint}")
    if low > high:
        raise BadInputError(f"`candidates[{quantity + '_low'!r}]` must not lie above {quantity + '_high'!r}. "
                            f"Got {low:g} and {high:g} for {name!r}. Exchange the two bounds.")
    near = 1e-9 * max(1.0, abs(value))
    if value < low - near or value > high + near:
        raise BadInputError(f"{where} must lie within its own interval. Got {value:g} for {name!r}, whose interval is "
                            f"{low:g} to {high:g}. Take the value and its bounds from the same measurement, or leave "
                            "the bounds empty.")
