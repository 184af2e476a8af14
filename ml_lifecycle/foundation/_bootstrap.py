"""The bootstrap itself: resamples as weights, quantiles widened for few rows, and bounds where no resample differs."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ._scores import Array, Rows

CELLS = 2_000_000  # weights held in memory at once


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


def unseen(rows: Rows, level: float) -> float:
    """The largest share of rows that may go wrong although none of those seen did (the rule of three, made exact)."""
    return (1 - ((1 - level) / 2) ** (1 / rows.support)) / rows.parts if rows.support > 0 else float("nan")


def at_the_edge(value: float, best: float, rows: Rows, level: float) -> tuple[float, float] | None:
    """Bounds of a perfect score, or of the worst there is; None for any other score."""
    near = 1e-12 * max(1.0, abs(best))
    if not (np.isfinite(best) and np.isfinite(rows.worst)):
        return None
    share = unseen(rows, level) ** (1 / rows.root)
    if abs(value - best) <= near:
        other = best + share * (rows.worst - best)
    elif abs(value - rows.worst) <= near and {best, rows.worst} == {0.0, 1.0}:
        other = rows.worst + share * (best - rows.worst)
    else:
        return None
    return min(value, other), max(value, other)
