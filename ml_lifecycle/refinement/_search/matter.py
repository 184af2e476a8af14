"""Which parameters matter, as far as the trials can tell."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotrs

from ml_lifecycle.refinement._search.model import Embedding, squashed
from ml_lifecycle.refinement._search.rounds import spread
from ml_lifecycle.refinement._search.space import Space

LENGTH = 0.5  # of every parameter alike, so that none is favoured beforehand
NOISES = (0.01, 0.1, 1.0)
PLACES = 96  # points of the space that the surface is read at
PERMUTED = 199
RESAMPLED = 20
KEPT = 0.5  # share of the trials in each part: half-samples spread as the whole does (Politis, Romano & Wolf 1999)
FEWEST = 12  # trials, and 4 more for each parameter
MOST = 120  # trials: of more, an even choice


@dataclass(frozen=True)
class Share:
    """How much of the differences between candidates one parameter brings, alone and together with others."""

    name: str
    share: float  # total effect: the variance that is left when all others stand still, in shares of the whole
    low: float
    high: float
    p: float  # of no effect


def shares(space: Space, points: np.ndarray, scores: Sequence[float], seed: int) -> tuple[Share, ...]:
    """The total effect (Sobol; Jansen 1999) of each parameter on a smooth surface through the trials, the largest first.

    The null: residuals of a surface that does not know the parameter, permuted (Freedman & Lane 1983). Bounds: the
    5 and 95 % quantiles over half-samples. Empty where there are too few trials.
    """
    if len(points) < FEWEST + 4 * len(space.axes) or not np.isfinite(scores).any():
        return ()
    known = squashed(np.asarray(scores, dtype=float))
    if known.std() == 0:
        return ()
    rng = np.random.default_rng(seed)
    if len(points) > MOST:
        rows = np.linspace(0, len(points) - 1, MOST).astype(int)
        points, known = points[rows], known[rows]
    y = (known - known.mean()) / known.std()
    names = dict.fromkeys(axis.name or "which space" for axis in space.axes)
    groups = {name: [i for i, a in enumerate(space.axes) if (a.name or "which space") == name] for name in names}
    gaps = Embedding(space).gaps(points, points)
    noise = _noise(gaps, y)
    found = [_share(name, axes, space, points, y, gaps, noise, rng) for name, axes in groups.items()]
    return tuple(sorted(found, key=lambda share: -share.share))


def _kernel(gaps: np.ndarray) -> np.ndarray:
    far = np.sqrt(5.0 * gaps.sum(axis=0)) / LENGTH
    found: np.ndarray = (1.0 + far + far * far / 3.0) * np.exp(-far)
    return found


def _solver(K: np.ndarray, noise: float) -> np.ndarray:
    held = K.copy()
    held[np.diag_indices_from(held)] += noise
    factor: np.ndarray = dpotrf(held, lower=1, clean=1)[0]
    return factor


def _noise(gaps: np.ndarray, y: np.ndarray) -> float:
    """The noise with the highest marginal likelihood."""
    K, best, chosen = _kernel(gaps), -np.inf, NOISES[-1]
    for noise in NOISES:
        factor = _solver(K, noise)
        density = -0.5 * len(y) * np.log(y @ dpotrs(factor, y, lower=1)[0]) - np.log(np.diag(factor)).sum()
        if density > best:
            best, chosen = density, noise
    return chosen


def _places(space: Space, axes: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Points of the space, and the same with one parameter drawn anew."""
    even = spread(2 * len(space.axes), PLACES, 0)
    first, other = even[:, :len(space.axes)], even[:, len(space.axes):]
    moved = first.copy()
    moved[:, axes] = other[:, axes]
    return space.settled(first), space.settled(moved)


def _share(name: str, axes: Sequence[int], space: Space, points: np.ndarray, y: np.ndarray, gaps: np.ndarray, noise: float,
           rng: np.random.Generator) -> Share:
    first, moved = _places(space, axes)
    embedding = Embedding(space)
    K, at, after = _kernel(gaps), _kernel(embedding.gaps(first, points)), _kernel(embedding.gaps(moved, points))

    def share(rows: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        weights = dpotrs(_solver(K[np.ix_(rows, rows)], noise), values, lower=1)[0]
        here = at[:, rows] @ weights
        left = 0.5 * ((here - after[:, rows] @ weights) ** 2).mean(axis=0)
        return left / np.maximum(here.var(axis=0), 1e-12), left

    everyone = np.arange(len(y))
    own, effect = share(everyone, y)
    others = [i for i in range(len(gaps)) if i not in axes]
    smooth = np.zeros_like(y)
    free = float(len(y))
    if others:
        without = _kernel(gaps[others])
        factor = _solver(without, _noise(gaps[others], y))
        smooth = without @ dpotrs(factor, y, lower=1)[0]
        free -= float(np.trace(dpotrs(factor, without, lower=1)[0]))
    residual = (y - smooth) * np.sqrt(len(y) / max(free, 1.0))
    null = smooth[:, None] + rng.permuted(np.tile(residual[:, None], PERMUTED), axis=0)
    p = (1 + int((share(everyone, null)[1] >= effect).sum())) / (1 + PERMUTED)
    parts = [rng.permutation(len(y))[:int(KEPT * len(y))] for _ in range(RESAMPLED)]
    drawn = [float(share(rows, y[rows])[0]) for rows in parts]
    low, high = np.quantile(drawn, [0.05, 0.95])
    value = min(float(own), 1.0)
    return Share(name, value, float(min(low, value)), float(min(max(high, value), 1.0)), float(p))
