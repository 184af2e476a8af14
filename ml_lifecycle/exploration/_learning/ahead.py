"""Beyond the measured sizes: what to expect there, and how many rows a score needs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ml_lifecycle.exploration._curve_band import FAR, Band, band
from ml_lifecycle.exploration._curve_shape import FEWEST
from ml_lifecycle.foundation._render import number
from ml_lifecycle.foundation._words import count
from ml_lifecycle.foundation.metrics import Metric

LEVEL = 0.8  # of every band ahead
HORIZON = 100  # times the largest size: as far as rows are looked for
OFF = 3.0  # times the distance of the last score from a perfect one: what is further off is no part of the tail
STEPS = 80  # sizes that are looked at on the way


@dataclass(frozen=True)
class Measured:
    """One measured curve: sizes, scores, and what is known of their noise."""

    sizes: np.ndarray
    scores: np.ndarray
    errors: np.ndarray | None
    metric: Metric

    def ahead(self, targets: np.ndarray, level: float = LEVEL) -> Band:
        """Value and band at each target."""
        bound = self.metric.high if self.metric.greater_is_better else self.metric.low
        found = band(self.sizes, self.scores, np.asarray(targets, dtype=float), errors=self.errors,
                     greater_is_better=self.metric.greater_is_better, bound=bound, level=level)
        value, low, high = (np.clip(part, self.metric.low, self.metric.high) for part in (found.value, found.low, found.high))
        return replace(found, value=value, low=low, high=high)


def measured(sizes: Sequence[int], folds: np.ndarray, ratios: Sequence[float], metric: Metric) -> Measured | None:
    """A curve from one score for each size and fold; None when there is no score at all.

    Noise is what is left after each fold's own level is taken off: it alone bends the curve.
    """
    known = np.isfinite(folds).any(axis=1)
    if not known.any():
        return None
    at, folds = np.asarray(sizes, dtype=float)[known], folds[known]
    scores = np.array([row[np.isfinite(row)].mean() for row in folds])
    errors = None
    if np.isfinite(folds).all() and folds.shape[1] > 1:
        own = folds - folds.mean(axis=0) if len(at) > 2 else folds
        errors = np.sqrt((1 / folds.shape[1] + np.asarray(ratios)[known]) * own.var(axis=1, ddof=1))
    start = _start(scores, metric)
    return Measured(at[start:], scores[start:], None if errors is None else errors[start:], metric)


def _start(scores: np.ndarray, metric: Metric) -> int:
    """From where on a curve tells of its end: a loss without an upper bound may begin anywhere, and then sets the scale."""
    perfect, other = (metric.high, metric.low)[::metric.sign]
    if np.isfinite(other) or not np.isfinite(perfect):
        return 0
    away = np.flatnonzero(np.abs(scores - perfect) > OFF * abs(scores[-1] - perfect))
    start = int(away[-1]) + 1 if len(away) else 0
    return start if len(scores) - start >= FEWEST else max(0, len(scores) - FEWEST)


@dataclass(frozen=True)
class RowsNeeded:
    """How many rows a score needs, and what the ones that are not there yet cost."""

    score: float  # what is to be reached
    model: str
    n: float  # rows to learn from; inf: never, as far as the curve tells
    low: float  # the same for the upper end of the band: with luck
    high: float  # the same for its lower end: to be sure; often inf
    at_hand: int  # rows there are
    more: float  # rows to add to them, for n, low and high
    more_low: float
    more_high: float
    level: float  # of the band
    cost: float | None  # of the rows to add; None when no price was given
    cost_low: float | None
    cost_high: float | None
    sentence: str  # all of it in words

    def __str__(self) -> str:
        return self.sentence


def rows_needed(curve: Measured, model: str, score: float, at_hand: int, price: float | None, level: float) -> RowsNeeded:
    """Where the curve, and the two ends of its band, reach a score."""
    sign = curve.metric.sign
    last = float(curve.sizes[-1])
    targets = np.unique(np.concatenate([curve.sizes, np.geomspace(last, HORIZON * last, STEPS)]))
    found = curve.ahead(targets, level)
    best, worst = (found.high, found.low) if sign > 0 else (found.low, found.high)
    now = sign * curve.scores[-1] >= sign * score
    if now:
        n = low = high = _first(curve.sizes, sign * curve.scores, sign * score)
    else:
        ahead = targets >= last
        n, low, high = (_first(targets[ahead], sign * part[ahead], sign * score) for part in (found.value, best, worst))
        low, high = min(low, n), max(high, n)
    more, more_low, more_high = (max(0.0, value - at_hand) for value in (n, low, high))
    cost, cost_low, cost_high = (None if price is None else rows * price if rows else 0.0
                                 for rows in (more, more_low, more_high))
    said = _sentence(score, model, (n, low, high), (more, more_low, more_high), at_hand,
                     (cost, cost_low, cost_high), level, last, now)
    return RowsNeeded(score, model, n, low, high, at_hand, more, more_low, more_high, level, cost, cost_low, cost_high,
                      said)


def _first(at: np.ndarray, reached: np.ndarray, wanted: float) -> float:
    """The size from which on the wanted score is reached, between two sizes on a line in log n; inf when it never is."""
    below = np.flatnonzero(reached < wanted)
    start = int(below[-1]) + 1 if len(below) else 0
    if start >= len(at):
        return math.inf
    if start == 0:
        return float(at[0])
    rise = reached[start] - reached[start - 1]
    share = (wanted - reached[start - 1]) / rise if np.isfinite(rise) and rise > 0 else 1.0
    return float(np.ceil(at[start - 1] * (at[start] / at[start - 1]) ** share - 1e-9))


def _sentence(score: float, model: str, rows: tuple[float, float, float], more: tuple[float, float, float], at_hand: int,
              costs: tuple[float | None, ...], level: float, last: float, now: bool) -> str:
    n, low, high = rows
    share = f"{level:.0%}".replace("%", " %")
    if now:
        return f"{model} reaches {number(score)} with {number(n)} of the {count(at_hand, 'row')} at hand: no more are needed."
    if math.isinf(low):
        return (f"{model} does not reach {number(score)} with {HORIZON} times the {number(last)} rows it was measured with: the "
                f"{share} band stays short of it. More rows alone will not do.")
    if math.isinf(n):
        return (f"{model} is not expected to reach {number(score)} by more rows alone; the upper end of the {share} band does "
                f"from {_rounded(low)} rows to learn from on.")
    need = f"about {_rounded(n)} rows to learn from ({share}: {_span(low, high)})"
    extra = "no more than are at hand" if not more[0] else \
        f"{_rounded(more[0])} more than the {at_hand:,} at hand ({_span(more[1], more[2])})"
    if not more[0] and more[2]:
        extra += f", though the unlucky end of the band needs {_rounded(more[2])} more" if math.isfinite(more[2]) else \
            ", though the unlucky end of the band never gets there"
    priced = f"; labelling them costs about {_rounded(costs[0])} ({_span(costs[1], costs[2])})" \
        if costs[0] is not None and costs[1] is not None and costs[2] is not None and more[0] else ""
    guess = f" Beyond {number(FAR * last)} rows this is a guess." if n > FAR * last else ""
    return f"{model} needs {need} to reach {number(score)}: {extra}{priced}.{guess}"


def _rounded(value: float) -> str:
    """A figure to two digits: none of the others is known."""
    if not math.isfinite(value) or value < 100:
        return number(round(value) if math.isfinite(value) and value >= 10 else value)
    digits = int(math.floor(math.log10(value))) - 1
    return f"{round(value / 10**digits) * 10**digits:,}"


def _span(low: float, high: float) -> str:
    return f"{_rounded(low)} or more" if math.isinf(high) else f"{_rounded(low)} to {_rounded(high)}"
