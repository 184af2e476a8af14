"""A learning curve at other sizes, with a band: over a vector of targets, with optional standard errors of the scores.

    band(sizes, scores, targets, *, errors=None, greater_is_better=True, bound=inf, level=0.8) -> Band
    Band(targets, value, low, high, behaviour, why): arrays of the targets' length; "well-behaved" | "ill-behaved"; a sentence each

`sizes` (k,) and `scores` (k,) in any order, finite, sizes above 0; `errors` (k,) standard errors, any of them may be 0 or nan
(then unknown): they tell a dip from noise and a bend from jitter and bound a flat curve, and do not weight the fit; targets (t,)
any sizes above 0, within the measured ones too; `bound` the best possible score, which neither value nor band passes. Nothing is
checked here: `extrapolate_curve` does.
For a drawing ask for all targets at once: one target costs about 5 ms of processor time, 200 of them some 90.

The median of the mixture is the value, never worse than the last score. A mixture over forms is too sure of itself: the truth may
follow none of them, the more so the farther off it is. Noise it knows: where that outweighs what forms may miss, its band needs
no widening. `WIDEN`, `CALM` and `ILL` set the 10 and 90 % quantiles to hold four in five final scores of the same half of LCDB 1.0
that the constants of the mixture were chosen on; Student's t widens the band for few sizes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ml_lifecycle.exploration._curve_posterior import expected
from ml_lifecycle.exploration._curve_shape import FEWEST, noise, trouble

Array = NDArray[np.float64]

MOST = 60  # sizes: neighbours are merged beyond
SAME = 1e-3  # sizes that differ by a smaller share are one size
WIDEN = 0.5  # by which the upper half of a band widens for each e-fold of n beyond the largest size, where there is no noise
CALM = 0.05  # noise, in ranges of the scores, at which a band widens by a factor of e less
ILL = 1.5  # by which the band of an ill-behaved curve is wider still
LEAST = 0.1  # of the range of the scores, which either half of it holds at least
FAR = 16.0  # times the largest size: as far as bands were compared with measured scores


@dataclass(frozen=True)
class Band:
    """What to expect at each target."""

    targets: Array
    value: Array
    low: Array
    high: Array
    behaviour: str  # "well-behaved" or "ill-behaved"
    why: tuple[str, ...]  # one sentence a target


def band(
    sizes: Array,  # (k,) rows trained on, above 0, in any order
    scores: Array,  # (k,) mean score at each size
    targets: Array,  # (t,) sizes asked about
    *,
    errors: Array | None = None,  # (k,) standard errors of the scores; 0 or nan: unknown
    greater_is_better: bool = True,  # direction of the scores
    bound: float = np.inf,  # the best possible score; without end: none
    level: float = 0.8,  # how often the band is to hold a score measured there
) -> Band:
    """Value and band at each target."""
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        return _band(sizes, scores, targets, errors, greater_is_better, bound, level)


def _band(sizes: Array, scores: Array, targets: Array, errors: Array | None, greater_is_better: bool, bound: float,
          level: float) -> Band:
    sign = 1.0 if greater_is_better else -1.0
    targets = np.asarray(targets, dtype=float)
    at, mean, error = _merged(np.asarray(sizes, dtype=float), sign * np.asarray(scores, dtype=float), _usable(errors))
    why = trouble(at, mean, error)
    width = float(np.ptp(mean))
    best = max(sign * bound, float(mean.max())) if np.isfinite(bound) else np.inf
    if width <= 1e-12 * np.abs(mean).max() or len(at) < 2:
        value, low, high = _still(mean[-1], None if error is None else error[-1], targets, level)
    else:
        errors = None if error is None else error / width
        value, low, high = _moving(at, (mean - mean[-1]) / width, errors, targets, level, (best - mean[-1]) / width, why != "")
        value, low, high = (mean[-1] + width * part for part in (value, low, high))
    value, low, high = (np.minimum(part, best) for part in (value, low, high))
    if sign < 0:
        value, low, high = -value, -high, -low
    return Band(targets, value, low, high, "ill-behaved" if why else "well-behaved", _sentences(why, at, targets))


def _usable(errors: Array | None) -> Array | None:
    if errors is None:
        return None
    given = np.asarray(errors, dtype=float)
    known = np.isfinite(given) & (given > 0)
    return np.where(known, given, np.median(given[known])) if known.any() else None


def _merged(sizes: Array, scores: Array, errors: Array | None) -> tuple[Array, Array, Array | None]:
    """Increasing sizes, each once, at most `MOST`: the mean of what was measured at (nearly) the same size."""
    at, where = np.unique(sizes, return_inverse=True)
    where = np.concatenate([[0], np.cumsum(np.diff(np.log(at)) > SAME)])[where]
    if where.max() >= MOST:
        place = np.log(at / at[0]) / np.log(at[-1] / at[0]) * (MOST - 1)
        where = np.unique(np.round(place), return_inverse=True)[1][where]
    count = np.bincount(where)
    error = None if errors is None else np.sqrt(np.bincount(where, errors**2)) / count
    return np.exp(np.bincount(where, np.log(sizes)) / count), np.bincount(where, scores) / count, error


def _still(last: float, error: float | None, targets: Array, level: float) -> tuple[Array, Array, Array]:
    """One size, or scores that are all the same: the last value, with bounds where an error tells them."""
    value = np.full(targets.shape, last)
    half = np.inf if error is None else ILL * np.sqrt(2) * error * stats.norm.ppf((1 + level) / 2)
    return value, value - half, value + half


def _calm(at: Array, scores: Array, errors: Array | None) -> float:
    """From 0, all noise, to 1, none. Jitter of few sizes is as much bend as noise, unless errors are as large."""
    jitter = noise(np.log(at), scores, None)[-1]
    known = jitter * (1 - FEWEST / len(at)) if errors is None else min(jitter, noise(np.log(at), scores, errors)[-1])
    return float(np.exp(-known / CALM))


def _moving(at: Array, scores: Array, errors: Array | None, targets: Array, level: float, best: float,
            ill: bool) -> tuple[Array, Array, Array]:
    """Scores in units of their range, the last of them 0."""
    ahead = np.maximum(np.log(targets / at[-1]), 0.0)
    wide = stats.t.ppf((1 + level) / 2, max(len(at) - 2, 1)) / stats.norm.ppf((1 + level) / 2)
    calm = _calm(at, scores, errors) if len(at) >= FEWEST else 1.0
    down = (1 + (wide - 1) * calm) * (ILL if ill else 1.0)
    up = down * (1 + WIDEN * calm * ahead)
    if len(at) < FEWEST:
        half = stats.norm.ppf((1 + level) / 2) * 0.3
        return np.zeros(targets.shape), np.full(targets.shape, -down * half), up * half
    mixture = expected(at, scores, targets, best)
    middle, low, high = (mixture.quantile(share) for share in (0.5, (1 - level) / 2, (1 + level) / 2))
    low, high = middle + down * (low - middle), middle + up * (high - middle)
    if ill:
        low, high = np.minimum(low, -LEAST * down), np.maximum(high, LEAST * up)
    beyond = targets > at[-1]
    value = np.where(beyond, 0.0 if ill else np.maximum(middle, 0.0), middle)
    return value, np.minimum(low, value), np.maximum(high, value)


def _sentences(why: str, at: Array, targets: Array) -> tuple[str, ...]:
    if why:
        said = f"No form is forced on the curve: {why}. The value is the last one measured, and the interval is wide"
    else:
        said = "The score gets better with more rows, or stays, as far as its noise lets one tell"
    far = f"; more than {FAR:.0f} times the largest size, the interval is a guess."
    return tuple(said + (far if target > FAR * at[-1] else ".") for target in targets)
