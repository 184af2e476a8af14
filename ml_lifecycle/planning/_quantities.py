"""What can be asked of a model: every metric, and what it costs to run, each with its direction, bounds and unit."""

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml_lifecycle.foundation._render import number
from ml_lifecycle.foundation.errors import BadInputError
from ml_lifecycle.foundation.intervals import Interval
from ml_lifecycle.foundation.metrics import METRICS

@dataclass(frozen=True)
class Quantity:
    """Something that is measured of a model."""

    name: str
    label: str
    greater_is_better: bool
    low: float
    high: float
    unit: str
    spellings: tuple[str, ...] = ()  # of the unit behind a threshold, small letters

    @property
    def is_fraction(self) -> bool:
        """Whether it lies between 0 and 1, so that a threshold may be written in per cent."""
        return (self.low, self.high) == (0, 1)

    @property
    def is_share(self) -> bool:
        """Whether it counts rows, so that the number of rows alone says how uncertain it is."""
        return self.unit == "share of rows"


_MS = ("ms", "milliseconds")
_MB = ("mb", "megabytes")
LATENCIES = {"latency_ms": 0.95, "latency_ms_p50": 0.50, "latency_ms_p95": 0.95, "latency_ms_p99": 0.99}
QUANTITIES: dict[str, Quantity] = {q.name: q for q in (
    *(Quantity(m.name, m.label, m.greater_is_better, m.low, m.high, m.unit) for m in METRICS.values()),
    *(Quantity(name, f"Time of one prediction, {part:.0%} are faster", False, 0, math.inf, "ms", _MS)
      for name, part in LATENCIES.items()),
    Quantity("throughput_rows_per_s", "Throughput of a batch", True, 0, math.inf, "rows per second", ("rows/s",)),
    Quantity("size_mb", "Size on disk", False, 0, math.inf, "MB", _MB),
    Quantity("memory_mb", "Peak memory", False, 0, math.inf, "MB", _MB),
    Quantity("coverage", "Rows answered with confidence", True, 0, 1, "share of rows"),
)}
FORM = "'<= 10', '>= 0.9', '< 5' or '> 1'"
_SIGNS = {"≤": "<=", "≥": ">=", "=<": "<=", "=>": ">="}
_PATTERN = re.compile(r"\s*(<=|>=|=<|=>|≤|≥|<|>)\s*([-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([^\d\s].*?)?\s*")


@dataclass(frozen=True)
class Threshold:
    """What a quantity must be to be good enough."""

    quantity: str
    sign: str  # "<=", ">=", "<" or ">"
    value: float

    @property
    def condition(self) -> str:
        """As it is written: "<= 10"."""
        return f"{self.sign} {self.value:.12g}"

    @property
    def upward(self) -> bool:
        """Whether more of it is what is asked for."""
        return self.sign[0] == ">"

    def holds(self, value: float) -> bool:
        """Whether one value is good enough."""
        if self.sign == "<=":
            return value <= self.value
        if self.sign == ">=":
            return value >= self.value
        return value < self.value if self.sign == "<" else value > self.value

    def verdict(self, measured: Interval) -> str:
        """"yes", "no" or "cannot tell" of a measured value and its bounds, where there are any."""
        if math.isnan(measured.value):
            return "cannot tell"
        ends = [measured.value] if np.isnan(measured[1:]).any() else measured[1:]
        found = {self.holds(end) for end in ends}
        return "cannot tell" if len(found) == 2 else "yes" if found.pop() else "no"

    def said_of(self, measured: Interval) -> str:
        """In words why a value fails, or why that cannot be told."""
        if math.isnan(measured.value):
            return f"{self.quantity} not measured"
        if self.verdict(measured) == "cannot tell":
            return (f"{self.quantity} {number(measured.value)} ({number(measured.low)} to {number(measured.high)}) "
                    f"may or may not be {self.condition}")
        gap = abs(measured.value - self.value)
        off = f" ({number(gap)} too {'little' if self.upward else 'much'})" if gap else ""
        return f"{self.quantity} {number(measured.value)}, not {self.condition}{off}"


def spelled(name: str) -> str:
    """The name of a known quantity, however it is spelled ("F1", "ROC AUC"); any other name as it is."""
    folded = name.strip().lower().replace(" ", "_").replace("-", "_")
    return folded if name not in QUANTITIES and folded in QUANTITIES else name


def threshold(quantity: str, condition: Any) -> Threshold:
    """Read a threshold such as "<= 10" or ">= 90 %"; raises BadInputError that shows the form."""
    where = f"`satisfice[{quantity!r}]`"
    found = _PATTERN.fullmatch(condition) if isinstance(condition, str) else None
    if isinstance(condition, str) and re.search(r"\d,\d", condition):
        point = re.sub(r",(?=\d{3}(\D|$))", "", condition).replace(",", ".")
        form = repr(point.strip()) if _PATTERN.fullmatch(point) and point.count(".") < 2 else FORM
        raise BadInputError(f"{where} must be a threshold with a decimal point and without commas. Got {condition!r}. "
                            f"Write {form}.")
    if found is None:
        raise BadInputError(f"{where} must be a threshold such as {FORM}. Got {condition!r}. "
                            "Put <=, >=, < or > before one number.")
    known, unit = QUANTITIES.get(quantity), (found[3] or "").strip()
    value = float(found[2])
    if unit == "%" and (known is None or known.is_fraction):
        value /= 100
    elif unit and known is not None and unit.casefold() not in known.spellings:
        raise BadInputError(f"{where} must be in {known.unit}. Got {condition!r}. Write the number in {known.unit}.")
    limit = Threshold(quantity, _SIGNS.get(found[1], found[1]), value)
    if known is not None and not (limit.holds(known.low) or limit.holds(known.high)):
        hint = f" Did you mean '{limit.sign} {value / 100:g}'?" if known.is_fraction and 1 < value <= 100 else ""
        raise BadInputError(f"{where} must be a threshold that can be met. Got {condition!r}, but {quantity} lies between "
                            f"{number(known.low)} and {number(known.high)}.{hint}")
    return limit
