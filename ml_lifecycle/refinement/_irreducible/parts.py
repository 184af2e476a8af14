"""What a way to the irreducible error found, and the interval of a mean over items."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_lifecycle.foundation import _bootstrap
from ml_lifecycle.foundation.intervals import Interval, wilson
from ml_lifecycle.foundation.report import Finding

Array = NDArray[Any]
NAN = float("nan")
LEVEL = 0.95
ESTIMATE, AT_LEAST, AT_MOST, PERSON = "estimate", "at least", "at most", "one person"


@dataclass(frozen=True)
class Line:
    """One figure on the way to the answer."""

    name: str
    value: float
    low: float
    high: float
    n: int  # items or rows that it rests on
    reads: str  # how it bounds the irreducible error
    note: str = ""


@dataclass(frozen=True)
class Found:
    """The irreducible error by one way, with the figures behind it."""

    value: float
    low: float
    high: float
    n: int  # items or rows
    metric: str  # the metric that the error belongs to
    partial: bool  # True: only bounds are known, and the truth may lie anywhere between them
    lines: tuple[Line, ...]
    findings: tuple[Finding, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)  # numbers for the evidence of the answer


def mean_interval(terms: Array, n_boot: int, seed: int, level: float = LEVEL) -> Interval:
    """The mean of one error >= 0 an item, with its bootstrap-t interval over items; Wilson's where no item errs."""
    n, mean = len(terms), float(terms.mean())
    if n < 2 or not terms.any():
        return wilson(min(1.0, mean) * n, n, level)
    if np.ptp(terms) <= 1e-12 * float(terms.max()):
        return Interval(mean, mean, mean)
    low, high = _bootstrap.studentized(terms, 1, n_boot, seed, level)
    return Interval(mean, min(low, mean), max(high, mean))


def share(found: Interval) -> Interval:
    """Bounds of a share: no larger than 1."""
    return Interval(*(float(min(1.0, v)) for v in found))


def lowest_of(values: Sequence[Interval]) -> tuple[int, float]:
    """Which error is the lowest, and the lowest of the upper bounds, each of which holds for all of them together."""
    return int(np.argmin([v.value for v in values])), float(np.nanmin([v.high for v in values]))
