"""What a measured learning curve lets one expect at other sizes: a mixture over saturating forms, each with its own deviations.

A curve is taken as level + gain · shape(n) + slow deviation + noise. The shape is one of a grid of MMF curves
1 / (1 + (n / s)^d) (Morgan-Mercer-Flodin; Gu et al. 2001, "Modelling classification performance for large data sets"), with s
up to the largest size seen, or of power laws n^-c. Level and gain are linear, and so are solved for in closed form
(variable projection, Golub & Pereyra 1973): no optimiser, no starting values. The deviation is an Ornstein-Uhlenbeck process in
log n, because curves differ from any form by bends, not by white noise (kriging with a trend; Rasmussen & Williams 2006, ch. 2.7).
Each pair of form and covariance is weighted by its marginal likelihood; scale and level are integrated out, so that the answer
moves with a shift or a stretch of the scores and with the unit of the sizes. A prior over curves in place of one best fit is the
idea of Domhan et al. (2015) and of LC-PFN (Adriaensen et al. 2023).

The constants below were chosen by the mean absolute error on half of the data sets and half of the learners of LCDB 1.0 (Mohr et
al. 2022): accuracy as the mean of all runs, of five and of one, F1, and log loss, a tenth to a half of the final size seen.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

Array = NDArray[np.float64]

SCALES = np.geomspace(0.01, 1.0, 8)  # of MMF's turning point, in units of the largest size seen
BENDS = (0.5, 0.8, 1.2, 2.0)  # of MMF's exponent
POWERS = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0])  # of a power law
NOISE = (0.05, 0.2, 0.5, 0.9)  # share of white noise in what no form explains
MEMORY = (5.0,)  # over how many e-folds of n a deviation is remembered
FADING = 1.3  # noise variance falls with n to this power
TEMPER = 0.7  # power of the likelihood: a form is never quite right, so that evidence counts for less (Grünwald & van Ommen 2017)
FLOOR = 1e-3  # of the range of the scores: what no fit explains, however smooth the curve
ROUNDS = 30  # of bisection and Newton's method in turn, for a quantile


@dataclass(frozen=True)
class Mixture:
    """Normal components, one row a target size: what a score measured there is expected to be."""

    mean: Array  # (targets, components)
    sd: Array  # (targets, components)
    weight: Array  # (components,), sums to 1

    def quantile(self, share: float) -> Array:  # (targets,)
        """The value that a share of the mixture lies below."""
        at = self.mean + ndtri(share) * self.sd
        low, high = at.min(axis=1), at.max(axis=1)  # each component's own quantile: the mixture's lies between
        found = at @ self.weight
        for turn in range(ROUNDS):
            z = (found[:, None] - self.mean) / self.sd
            excess = ndtr(z) @ self.weight - share
            low, high = np.where(excess < 0, found, low), np.where(excess < 0, high, found)
            density = (np.exp(-z * z / 2) / self.sd) @ self.weight / np.sqrt(2 * np.pi)
            step = found - excess / np.maximum(density, 1e-300)
            newton = (step > low) & (step < high) & (turn % 2 == 1)
            found = np.where(newton, step, (low + high) / 2)
        return found


@lru_cache(maxsize=1)
def forms() -> tuple[Array, Array]:  # turning points and exponents
    """The grid of MMF shapes."""
    scale, bend = np.meshgrid(SCALES, BENDS, indexing="ij")
    return scale.ravel()[:, None], bend.ravel()[:, None]


def shapes(at: Array) -> Array:  # sizes over the largest one seen -> (forms, sizes)
    """What is still to be gained at each size, by form: falls towards 0."""
    scale, bend = forms()
    return np.vstack([1 / (1 + (at / scale) ** bend), at ** -POWERS[:, None]])


def expected(
    sizes: Array,  # (k,), increasing, k >= 3
    scores: Array,  # (k,), higher is better, range of about 1
    targets: Array,  # (t,) sizes asked about
) -> Mixture:
    """The mixture over forms and covariances at each target."""
    at, asked = sizes / sizes[-1], targets / sizes[-1]
    seen, ahead = shapes(at), shapes(asked)
    fall = seen[:, :1] - seen[:, -1:]
    seen, ahead = (seen - seen[:, -1:]) / fall, (ahead - shapes(np.ones(1))) / fall
    centre = float(np.exp(-FADING * np.log(at).mean()))
    noise, later = at**-FADING / centre, asked**-FADING / centre
    parts = [_part(np.log(at), np.log(asked), scores, seen, ahead, noise, later, share, memory)
             for share in NOISE for memory in MEMORY]
    mean, sd, log_weight = (np.concatenate([part[i] for part in parts], axis=-1) for i in range(3))
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    return Mixture(mean, sd, weight)


def _part(at: Array, asked: Array, scores: Array, seen: Array, ahead: Array, noise: Array, later: Array,
          share: float, memory: float) -> tuple[Array, Array, Array]:
    """Means and deviations (targets, forms) and log weights (forms,) under one covariance."""
    k = len(at)
    near: Any = (1 - share) * np.exp(-np.abs(at[:, None] - at) / memory)
    root = np.linalg.cholesky(near + share * np.diag(noise))
    link = np.linalg.solve(root, (1 - share) * np.exp(-np.abs(asked[:, None] - at).T / memory))  # (k, t)
    one, y, shape = np.linalg.solve(root, np.ones(k)), np.linalg.solve(root, scores), np.linalg.solve(root, seen.T).T
    ones = float(one @ one)
    tilt, level = shape @ one / ones, float(y @ one) / ones
    bare, rest = shape - tilt[:, None] * one, y - level * one
    spread = (bare * bare).sum(axis=1)
    gain = np.minimum(bare @ rest / spread, 0.0)  # a form never gets worse with more rows
    total = float(rest @ rest)
    left = np.maximum(total - 2 * gain * (bare @ rest) + gain**2 * spread, 0.0) + FLOOR**2
    slope = ahead - shape @ link - tilt[:, None] * (1 - link.T @ one)  # (forms, t)
    free = 1 - share + share * later - (link * link).sum(axis=0) + (1 - link.T @ one) ** 2 / ones  # (t,)
    mean = level + (link.T @ rest)[:, None] + gain * slope.T
    variance = left / (k - 2) * (free[:, None] + np.where(gain < 0, slope.T**2 / spread, 0.0))
    shared = -np.log(np.diag(root)).sum() - np.log(ones) / 2
    log_weight = shared - np.log(spread) / 2 - (k - 2) / 2 * np.log(left) - np.log(len(seen))
    return mean, np.sqrt(np.maximum(variance, FLOOR**4)), TEMPER * log_weight
