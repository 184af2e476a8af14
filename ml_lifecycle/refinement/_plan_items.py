"""What rows could be collected: clusters or slices in one form, each with its error rate and that of the rest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.errors import BadInputError
from ml_lifecycle.foundation.intervals import wilson
from ml_lifecycle.refinement._slice.judge import apart
from ml_lifecycle.refinement.clusters import ErrorClusters
from ml_lifecycle.refinement.slices import ErrorSlices

COLUMNS = ("predicate", "size", "rate", "rest_rate")
MOST = 10_000_000  # rows that a plan asks for


@dataclass(frozen=True)
class Item:
    """One kind of row."""

    name: str
    like: str  # conditions in words
    rows: int  # that meet them, of `total`
    total: int
    rate: float  # share of errors, or mean loss, among them
    rest_rate: float  # among all others
    low: float  # interval of rate - rest_rate
    high: float
    spread: float | None = None  # standard deviation of a loss; None: errors are counted
    held_out: bool = False  # the rate is of rows that the conditions were not found on
    category: str = ""
    note: str = ""

    @property
    def share(self) -> float:
        """Of all rows."""
        return self.rows / self.total

    @property
    def gain(self) -> tuple[float, float, float]:
        """By how much the rate of all rows falls when that of these rows falls to the rest's: (value, low, high).

        The interval is put together from those of the share and of the difference (Zou & Donner 2008).
        """
        apart, share = self.rate - self.rest_rate, wilson(self.rows, self.total)
        less, more = share.value - share.low, share.high - share.value
        less, more = (less, more) if apart > 0 else (more, less)
        value = share.value * apart
        return (value, value - float(np.hypot(share.value * (apart - self.low), apart * less)),
                value + float(np.hypot(share.value * (self.high - apart), apart * more)))


def of_clusters(report: ErrorClusters, said: Mapping[int, tuple[str, str]]) -> list[Item]:
    """Clusters as kinds of rows, with the categories that a person gave them."""
    found = []
    for row in report.frame.itertuples(index=False):
        rows, rest = int(row.rows), report.n - int(row.rows)
        bad = round(row.rate * rows)
        if rest:
            low, high = apart(wilson(bad, rows), wilson(report.errors - bad, rest))[1:]
            category, note = said.get(int(row.cluster), ("", ""))
            found.append(Item(f"cluster {row.cluster}", row.description, rows, report.n, float(row.rate),
                              (report.errors - bad) / rest, low, high, category=category, note=note))
    return found


def of_slices(frame: pd.DataFrame, total: int, counts: bool) -> list[Item]:
    """Slices as kinds of rows; of a frame without intervals these are Newcombe's."""
    found = []
    for i, row in enumerate(frame.to_dict("records")):
        rows, rate, rest = int(row["size"]), float(row["rate"]), float(row["rest_rate"])
        if "low" in row and "high" in row:
            low, high = float(row["low"]), float(row["high"])
        else:
            low, high = apart(wilson(rate * rows, rows), wilson(rest * (total - rows), total - rows))[1:]
        judged = int(row.get("judged", rows))
        spread = None if counts else (high - low) / (2 * float(stats.norm.ppf(0.975))) * np.sqrt(judged)
        found.append(Item(f"slice {row.get('rank', i + 1)}", str(row["predicate"]), rows, total, rate, rest, low, high, spread,
                          held_out="judged" in row))
    return found


def checked_frame(frame: pd.DataFrame, total: Any) -> int:
    """How many rows a frame of slices is of; raises BadInputError when it is none."""
    absent = [name for name in COLUMNS if name not in frame.columns]
    if absent:
        raise BadInputError(f"`report` must have the columns {', '.join(COLUMNS)}. Missing: {shown(absent)}. Pass the report of "
                            "error_clusters or error_slices.")
    most = int(frame["size"].max()) if len(frame) else 0
    if isinstance(total, bool) or not isinstance(total, (int, np.integer)) or total <= most:
        raise BadInputError(f"`total` must say how many rows a frame of slices is of: more than {most:,}. Got {shown(total)}. "
                            "Pass total=len(X).")
    rates = frame[["rate", "rest_rate"]].to_numpy(dtype=float)
    if len(rates) and not ((rates >= 0) & (rates <= 1)).all():
        raise BadInputError(f"`report` must have rates between 0 and 1. Got {shown(float(rates.max()))}. Pass the report of "
                            "error_slices for a loss.")
    return int(total)


def slices_counted(report: ErrorSlices) -> list[Item]:
    """Slices of a report, whether of errors or of a loss."""
    return of_slices(report.frame, report.n, report.counts)


def rows_for_margin(rate: float, margin: float, level: float) -> int:
    """The fewest rows from which Wilson's interval (1927) of such a rate is at most 2 x `margin` wide."""
    low, high = 1, MOST
    while low < high:
        middle = (low + high) // 2
        interval = wilson(rate * middle, middle, level)
        low, high = (low, middle) if interval.high - interval.low <= 2 * margin else (middle + 1, high)
    return low


def rows_to_see(rate: float, rest: float, level: float, power: float) -> int | None:
    """Rows from which a fall from `rate` to `rest` is told from none (one-sided; Fleiss, Levin & Paik 2003); None: no fall."""
    if rate <= rest:
        return None
    a, b = stats.norm.ppf([level, power])
    need = ((a * np.sqrt(rate * (1 - rate)) + b * np.sqrt(rest * (1 - rest))) / (rate - rest)) ** 2
    return int(min(MOST, max(1, np.ceil(need))))


def needs(item: Item, margin: float, level: float, power: float) -> tuple[int, int | None]:
    """(rows to know the rate, rows to see its fall); of a loss within half of the difference."""
    if item.spread is None:
        return rows_for_margin(item.rate, margin, level), rows_to_see(item.rate, item.rest_rate, level, power)
    apart = max(item.rate - item.rest_rate, 1e-12)
    a, b, both = stats.norm.ppf([level, power, (1 + level) / 2])
    return (int(min(MOST, np.ceil((both * item.spread / (apart / 2)) ** 2) + 1)),
            int(min(MOST, np.ceil(((a + b) * item.spread / apart) ** 2) + 1)))


def table_of(items: Sequence[Item], margin: float, level: float, power: float, budget: int | None) -> pd.DataFrame:
    """One row for each kind, the highest expected gain per row first."""
    rows = []
    for item in items:
        know, fall = needs(item, margin, level, power)
        collect = max(know, fall or 0)
        gain, low, high = item.gain
        rows.append({"name": item.name, "like": item.like, "category": item.category, "collect": collect, "gain": gain,
                     "gain_low": low, "gain_high": high, "gain_per_row": gain / collect, "to_estimate": know,
                     "to_see_fall": pd.NA if fall is None else fall, "among": int(np.ceil(collect / item.share)),
                     "rows": item.rows, "share": item.share, "rate": item.rate, "rest_rate": item.rest_rate,
                     "reason": _reason(item, know, fall, margin, level, power), "note": item.note})
    frame = pd.DataFrame(rows).sort_values("gain_per_row", ascending=False, kind="stable", ignore_index=True)
    frame.insert(0, "rank", np.arange(1, len(frame) + 1))
    left = frame["collect"].sum() if budget is None else budget
    before = frame["collect"].cumsum() - frame["collect"]
    frame.insert(5, "planned", np.clip(left - before, 0, frame["collect"]).astype("int64"))
    return frame.astype({"to_see_fall": "Int64"})


def _reason(item: Item, know: int, fall: int | None, margin: float, level: float, power: float) -> str:
    if item.spread is not None:
        return f"{know:,} rows tell the mean loss within half of its difference to the rest ({level:.0%} interval)"
    text = f"{know:,} rows tell the error rate within ±{100 * margin:g} points ({level:.0%} interval)"
    if fall is None:
        return f"{text}; it is not above that of the rest"
    return f"{text}, {fall:,} show a fall from {item.rate:.0%} to {item.rest_rate:.0%} in {power:.0%} of cases"
