"""The bootstrap itself: resamples as weights, quantiles widened for few rows, and bounds where no resample differs."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ml_lifecycle.foundation._scores import Array, Rows
from ml_lifecycle.foundation.errors import BadInputError

CELLS = 2_000_000  # weights held in memory at once
CUT = 5  # times the quantile of Student's t: no resample counts as further away


def resampled(
    compute: Callable[[Array], Array],  # weights of shape (b, n) -> (b,)
    n: int,  # rows
    n_boot: int,  # resamples
    seed: int,  # of the resamples
) -> NDArray[np.float64]:  # n_boot scores
    """Scores of resamples with replacement, each a row of counts that sum to n."""
    rng, found = np.random.default_rng(seed), []
    batch = max(1, CELLS // max(1, n))
    for start in range(0, n_boot, batch):
        size = min(batch, n_boot - start)
        weights = np.empty((size, n))
        for row in weights:
            row[:] = np.bincount(rng.integers(0, n, n), minlength=n)
        found.append(compute(weights))
    return np.concatenate(found)


def quantiles(scores: Array, n: int, level: float) -> tuple[float, float]:
    """The percentile interval, expanded for few rows (Hesterberg 2015, section 5.1)."""
    finite = scores[np.isfinite(scores)]
    if len(finite) < 2 or n < 2:
        return float("nan"), float("nan")
    tail = stats.norm.cdf(np.sqrt(n / (n - 1)) * stats.t.ppf((1 - level) / 2, n - 1))
    low, high = np.quantile(finite, [tail, 1 - tail])
    return float(low), float(high)


def studentized(losses: Array, root: int, n_boot: int, seed: int, level: float) -> tuple[float, float]:
    """The bootstrap-t interval of a mean of losses >= 0 (Efron & Tibshirani 1993, chapter 12), or of its square root.

    Each resample is measured in its own standard errors, so that a long tail of errors moves the upper bound out. Few rows
    can make a resample without any spread: t values are cut at CUT times the quantile of Student's t.
    """
    n, scale = len(losses), float(losses.max())
    loss = losses / scale
    mean, off = float(loss.mean()), loss - loss.mean()
    floor = 1e-12 * float((off**2).mean())

    def distance(weights: Array) -> Array:
        shift = weights @ off / n
        spread = weights @ off**2 / n - shift**2
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(shift / np.sqrt(np.where(spread > floor, spread, 0.0) / n))

    found = resampled(distance, n, n_boot, seed)
    cut, tail = CUT * stats.t.ppf((1 + level) / 2, n - 1), (1 - level) / 2
    lower, upper = np.quantile(np.clip(found[~np.isnan(found)], -cut, cut), [tail, 1 - tail])
    error = float(off.std()) / np.sqrt(n)
    ends = scale * np.maximum(0.0, [mean - upper * error, mean - lower * error])
    low, high = np.sqrt(ends) if root == 2 else ends
    return float(low), float(high)


def whole(value: Any, argument: str, least: int, usual: str) -> int:
    """`value` as a whole number; raises BadInputError when it is none, or less than `least`."""
    number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not number or not np.isfinite(value) or int(value) != value or value < least:
        raise BadInputError(f"`{argument}` must be a whole number of at least {least}. Got {value!r}. {usual}")
    return int(value)


def unseen(rows: Rows, level: float) -> float:
    """The largest share of rows that may go wrong although none of those seen did (the rule of three, made exact)."""
    return (1 - ((1 - level) / 2) ** (1 / rows.support)) / rows.parts if rows.support > 0 else float("nan")


def at_the_edge(value: float, best: float, rows: Rows, level: float) -> tuple[float, float] | None:
    """Bounds of a perfect score, or of the worst there is; None for any other score."""
    if not (np.isfinite(best) and np.isfinite(rows.worst)):
        return None
    near = 1e-12 * abs(rows.worst - best)
    share = unseen(rows, level) ** (1 / rows.root)
    if abs(value - best) <= near:
        other = best + share * (rows.worst - best)
    elif abs(value - rows.worst) <= near and {best, rows.worst} == {0.0, 1.0}:
        other = rows.worst + share * (best - rows.worst)
    else:
        return None
    return min(value, other), max(value, other)
