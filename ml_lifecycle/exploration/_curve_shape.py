"""Whether a learning curve has the shape that forms can follow: enough sizes, rising with more rows, no peak and no dip."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ml_lifecycle.exploration._curve_posterior import shapes

Array = NDArray[np.float64]

FEWEST = 4  # sizes below which no form can be told from another
NARROWEST = 1.25  # largest over smallest size below which all of the curve is one point
DEPTH = 0.2  # of the range of the scores: a fall that is less deep does not make a curve ill-behaved
TREND = 0.05  # chance of Kendall's tau below which a curve that falls on the whole gets worse
CLEAR = 6.0  # standard errors; noise on a flat curve makes a fall that deep in about 2 % of curves (simulated)
FADES = (0.0, 0.65, 1.0)  # noise may fall with n to any of these powers: the largest of what they say counts at each size
ASIDE = 10.0  # deviations from the best form through all other sizes; noise reaches them in about 2 % of curves (simulated)
MANY = 20  # sizes beyond which falls alone are looked at: a dip then has several


def trouble(sizes: Array, scores: Array, errors: Array | None) -> str:
    """Why the curve is ill-behaved, as a clause; empty when it is well-behaved. Scores: higher is better."""
    k = len(sizes)
    if k < FEWEST:
        return f"{k} size{'s' if k != 1 else ''} measured, and fewer than {FEWEST} cannot tell one form from another"
    if sizes[-1] < NARROWEST * sizes[0]:
        return f"the sizes span less than a factor of {NARROWEST}, which cannot tell one form from another"
    if np.ptp(scores) <= 1e-12 * np.abs(scores).max():
        return "all scores are the same, so that nothing tells how they will move"
    trend = stats.kendalltau(sizes, scores, alternative="less").pvalue
    if trend < TREND and scores[0] - scores[-1] >= DEPTH * np.ptp(scores):
        return "the score gets worse with more rows"
    return _fallen(sizes, scores, errors) or _set_aside(sizes, scores, errors)


def _fallen(sizes: Array, scores: Array, errors: Array | None) -> str:
    before, after, deep = _deepest(scores, noise(np.log(sizes), scores, errors))
    fall = scores[before] - scores[after]
    if fall < DEPTH * np.ptp(scores) or deep < CLEAR:
        return ""
    recovers = scores[after:].max() - scores[after] > 0.5 * fall
    return f"the score gets worse between {_size(sizes[before])} and {_size(sizes[after])} rows" + (
        " and recovers, as in a dip or in double descent" if recovers else "")


def _set_aside(sizes: Array, scores: Array, errors: Array | None) -> str:
    """One to three neighbouring sizes that lie far below the best form through all the others: a dip with few sizes in it."""
    k = len(sizes)
    out = _windows(k) if k <= MANY else np.zeros((0, k), dtype=bool)
    below, error = _below_the_rest(shapes(sizes / sizes[-1]), scores - scores.mean(), out)
    if errors is not None:
        error = np.maximum(error, float(np.median(errors)) * CLEAR / ASIDE)
    for window, deep in zip(out, below > np.maximum(ASIDE * error, DEPTH * np.ptp(scores)), strict=True):
        if deep:
            lowest = int(np.argmin(np.where(window, scores, np.inf)))
            if scores[lowest] < scores[: int(np.argmax(window))].max() - DEPTH / 4 * np.ptp(scores):
                return f"the score dips near {_size(sizes[lowest])} rows, as in double descent"
    return ""


def _windows(k: int) -> NDArray[np.bool_]:  # (windows, k)
    """Neighbours that leave the first and the last size, and at least 4 more than they are."""
    places = [range(start, start + width) for width in (1, 2, 3) if k - width >= 4 + width for start in range(1, k - width)]
    return np.array([[i in place for i in range(k)] for place in places], dtype=bool).reshape(len(places), k)


def _below_the_rest(seen: Array, scores: Array, out: NDArray[np.bool_]) -> tuple[Array, Array]:  # one a window
    """How far scores lie below the best form through the others, and the standard error of those around it."""
    rest = (~out).astype(float)
    n = rest.sum(axis=1)[:, None]
    middle, level = rest @ seen.T / n, rest @ scores[:, None] / n  # (windows, forms), (windows, 1)
    spread = rest @ (seen**2).T - n * middle**2
    joint, total = rest @ (seen * scores).T - n * middle * level, rest @ (scores**2)[:, None] - n * level**2
    gain = np.minimum(joint / spread, 0.0)
    left = np.maximum(total - 2 * gain * joint + gain**2 * spread, 0.0)
    best = np.arange(len(out)), np.argmin(left, axis=1)
    fitted = level + gain[best][:, None] * (seen[best[1]] - middle[best][:, None])
    below = np.where(out, fitted - scores, -np.inf).max(axis=1)
    return below, np.sqrt(left[best] / np.maximum(n[:, 0] - 3, 1)) + 1e-6 * np.ptp(scores)


def _size(size: float) -> str:
    return f"{size:,.0f}" if size >= 10 else f"{size:.3g}"


def noise(at: Array, scores: Array, errors: Array | None) -> Array:
    """Standard error of each score: as given, else from how far each lies off the line through its neighbours.

    A lone large error is not believed: at a peak the runs themselves scatter.
    """
    if errors is not None:
        wide = np.concatenate([errors[:1], errors, errors[-1:]])
        around: Any = np.median(np.stack([wide[:-2], wide[1:-1], wide[2:]]), axis=0)
        return np.maximum(around, 1e-9 * np.ptp(scores))
    levels = [_jitter(at, scores, order) for order in ((2, 4) if len(scores) >= 8 else (2,))]
    return np.maximum(np.min(levels, axis=0), 1e-9 * np.ptp(scores))


def _jitter(at: Array, scores: Array, order: int) -> Array:
    """Noise by how far scores lie off the polynomial through their neighbours (divided differences of an order)."""
    weights = np.zeros((len(at) - order, len(at)))
    for row in range(len(weights)):
        near = at[row:row + order + 1]
        weights[row, row:row + order + 1] = 1 / (near[:, None] - near + np.eye(order + 1)).prod(axis=1)
    weights /= np.sqrt((weights**2).sum(axis=1, keepdims=True))
    off, rough = np.abs(weights @ scores), np.zeros(len(at))
    for power in FADES:
        fade = np.exp(-power * (at - at[-1]))
        rough = np.maximum(rough, np.median(off / np.sqrt(weights**2 @ fade**2)) / 0.6745 * fade)
    return rough


def _deepest(scores: Array, noise: Array) -> tuple[int, int, float]:
    """The fall between any two sizes that is hardest to explain by noise: from where, to where, and how many errors deep."""
    k = len(scores)
    fall = scores[:, None] - scores[None, :]
    error = np.sqrt(noise[:, None] ** 2 + noise[None, :] ** 2)
    deep = np.where(np.triu(np.ones((k, k), dtype=bool), 1), fall / error, -np.inf)
    before, after = (int(i) for i in np.unravel_index(np.argmax(deep), deep.shape))
    return before, after, float(deep[before, after])
