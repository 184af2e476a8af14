"""What is said about a column after looking at it: wide enough that the same source passes, narrow enough to notice."""

import math
import re
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from ml_lifecycle.data._schema.read import given_values, labels_of, no_zone
from ml_lifecycle.data._schema.rule import ColumnRule
from ml_lifecycle.foundation import _dates
from ml_lifecycle.foundation.intervals import wilson

EXCESS = 8.0  # mean excesses of the outermost values that a new value may lie beyond them
HILL = 6.0  # Hill's indices that it may lie beyond them on the logarithmic scale, where the tail is long
LONG = 1.6  # times the index of a normal distribution from which a tail is long
OPEN = ("id", "group")  # roles whose new values are no news: another part holds other groups by construction
RARE = 0.05  # upper bound of the share of unseen categories up to which a list of the seen ones is closed
SEEN_OFTEN = 5  # rows of each label from which no further one is expected
DISTINCT = 1 / 3  # share of distinct labels from which the list is open
WHOLE_FROM = 20  # whole values from which a column with gaps counts as one of whole numbers
DECADES = pd.Timedelta(days=20 * 365)


def infer_column(name: str, values: pd.Series, kind: str, role: str, raw: pd.Series | None, *, slack: float,
                 max_categories: int) -> ColumnRule:
    """The rule that one column suggests."""
    n = len(values)
    absent = int(values.isna().sum())
    given: dict[str, Any] = {"role": role, "required": role != "target"}
    if raw is not None:
        given |= _from_raw(name, raw, values, kind)
    unread = round(given.get("unreadable", 0.0) * n)
    given["missing"] = share(absent - unread, n)
    given["unique"] = role == "id" and n > 1 and absent == 0 and bool(values.is_unique)
    if kind == "number":
        kind, limits = _number_rule(values.dropna().to_numpy(dtype="float64"), values.dtype, role, absent, slack)
        given |= limits
    elif kind == "datetime":
        given |= _time_rule(no_zone(values.dropna()), slack)
    elif kind == "category" and role not in OPEN:
        given |= _categories(labels_of(values).dropna(), max_categories)
    return ColumnRule(name, kind, **given)


def share(count: int, n: int) -> float:
    """A share with four significant digits, so that a person can read it; never rounded to none."""
    if not count or not n:
        return 0.0
    return min(1.0, float(f"{count / n:.4g}"))


def _from_raw(name: str, raw: pd.Series, values: pd.Series, kind: str) -> dict[str, Any]:
    there = given_values(raw.reset_index(drop=True))
    unread = int((there & values.isna().to_numpy()).sum())
    found: dict[str, Any] = {"unreadable": share(unread, len(raw))} if unread else {}
    if kind == "datetime" and not pd.api.types.is_datetime64_any_dtype(raw.dtype):
        texts = [str(v).strip() for v in pd.unique(raw.dropna()) if isinstance(v, str)]
        parts = [match for text in texts if (match := re.match(_dates.PARTS, text))]
        if parts and len(parts) >= _dates.ENOUGH * len(texts):
            first = any(int(match[1]) > 12 for match in parts)
            second = any(int(match[3]) > 12 for match in parts)
            found["day_first"] = first or (not second and parts[0][2] == ".")
    return found


def _number_rule(values: np.ndarray, dtype: Any, role: str, absent: int, slack: float) -> tuple[str, dict[str, Any]]:
    whole_type = getattr(dtype, "kind", "f") in "iu"
    values = values[np.isfinite(values)]
    whole = whole_type or bool(absent and len(values) >= WHOLE_FROM and (values % 1 == 0).all())
    kind = "integer" if whole else "number"
    if role in OPEN or not len(values):
        return kind, {}
    low, high = number_limits(values, slack, whole)
    if role == "time":  # what is new lies later
        high = math.inf
    low, high = (_whole(low, math.floor), _whole(high, math.ceil)) if whole else (low, high)
    return kind, {key: value for key, value in (("min", low), ("max", high)) if math.isfinite(value)}


def _whole(value: float, direction: Any) -> float:
    return direction(value) if math.isfinite(value) else value


def number_limits(values: np.ndarray, slack: float, whole: bool = False) -> tuple[float, float]:
    """Limits with slack: a share of the range, and more where the tail is long; a seen sign is kept."""
    low, high = float(values.min()), float(values.max())
    width = high - low
    if not math.isfinite(width):
        return -math.inf, math.inf
    if slack == 0:
        return low, high
    size = slack * (width or abs(high))
    size = round(size) if whole else size  # one of a few ranks: no slack, none needed
    under, over = max(size, _tail(-values)), max(size, _tail(values))
    below, above = low - under, high + over
    below = max(0.0, below) if low >= 0 else below
    above = min(0.0, above) if high <= 0 else above
    return min(low, outward(below, width or abs(high), math.floor)), max(high, outward(above, width or abs(high), math.ceil))


def _tail(values: np.ndarray) -> float:
    """How far beyond the highest of n values n new ones rarely go: by their mean excess, and by Hill's index (1975)."""
    top = min(max(5, int(np.sqrt(len(values)))), len(values) // 4)
    if top < 5:
        return 0.0
    highest = np.sort(np.partition(values, -top - 1)[-top - 1:])
    excess = EXCESS * float(np.mean(highest[1:] - highest[0]))
    above = highest - np.median(values)
    if above[0] <= 0:
        return excess
    index = float(np.mean(np.log(above[1:] / above[0])))
    usual = 1 / (1 + stats.norm.isf(top / len(values)) ** 2)  # of a normal distribution, about
    return max(excess, float(above[-1]) * math.expm1(min(HILL * index, 20.0))) if index > LONG * usual else excess


def outward(value: float, width: float, direction: Any) -> float:
    """A limit with few digits, further out than the exact one by less than a hundredth of the range."""
    if not math.isfinite(value) or width <= 0:
        return value
    digits = 2 - math.floor(math.log10(width))
    if abs(digits) > 300:
        return value
    scale = 10.0 ** digits
    rounded = direction(value * scale) / scale if math.isfinite(value * scale) else value
    return round(rounded, max(0, digits)) + 0.0


def _time_rule(times: pd.Series, slack: float) -> dict[str, Any]:
    """Earlier than ever seen is suspicious, later is what time does: the upper limit is there for wrong centuries."""
    if times.empty:
        return {}
    low, high = times.min(), times.max()
    below, above = low - slack * (high - low), high + max(DECADES, high - low)
    return {"min": below.floor("D").isoformat()[:10], "max": above.ceil("D").isoformat()[:10]}


def _categories(labels: pd.Series, most: int) -> dict[str, Any]:
    """A closed list, unless so many labels came only once that new ones must come (Good 1953)."""
    counts = labels.value_counts()
    n, single = int(counts.sum()), int((counts == 1).sum())
    if not n or len(counts) > min(most, n * DISTINCT) or (single and wilson(single, n).high > RARE):
        return {}
    rare = int(counts.min()) < SEEN_OFTEN  # there are rare ones, so there may be one that was not seen
    return {"values": tuple(sorted(map(str, counts.index))), "other": share(max(single, int(rare)), n)}
