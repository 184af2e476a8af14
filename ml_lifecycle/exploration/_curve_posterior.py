"""What a measured learning curve lets one expect at other sizes: a mixture over saturating forms, each with its own deviations.

A curve is taken as level + gain · shape(n) + slow deviation + noise. The shape is one of a grid of MMF curves
1 / (1 + (n / s)^d) (Morgan-Mercer-Flodin; Gu et al. 2001, "Modelling classification performance for large data sets"), with s
up to the largest size seen, or of power laws n^-c. Level and gain are linear, and so are solved for in closed form
(variable projection, Golub & Pereyra 1973): no optimiser, no starting values. The deviation is an Ornstein-Uhlenbeck process in
log n, because curves differ from any form by bends, not by white noise (kriging with a trend; Rasmussen & Williams 2006, ch. 2.7).
Noise is mostly what falls with n; some of it may stay, as of learners that a new shuffle moves at any size. Beside the forms
stands that nothing is to be gained: where noise drowns a curve, that draws the answer towards a mean of what was measured.
Where the best possible score is known, a form that ends beyond it is refitted to end there (least squares under that bound), and
has to answer for what it then misses; what share of the room up to it a form gains has a beta distribution beforehand.
Each pair of form and covariance is weighted by its marginal likelihood; scale and level are integrated out, so that the answer
moves with a shift or a stretch of the scores and with the unit of the sizes. A prior over curves in place of one best fit is the
idea of Domhan et al. (2015) and of LC-PFN (Adriaensen et al. 2023); a null with odds of its own is that of Jeffreys (1961).

The constants below were chosen by the mean absolute error on half of the data sets and half of the learners of LCDB 1.0 (Mohr et
al. 2022): accuracy as the mean of all runs, of five and of one, F1, and log loss, a tenth to a half of the final size seen.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, ndtr, ndtri

Array = NDArray[np.float64]

SCALES = np.geomspace(0.01, 1.0, 8)  # of MMF's turning point, in units of the largest size seen
BENDS = (0.5, 0.8, 1.2, 2.0)  # of MMF's exponent
POWERS = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0])  # of a power law
NOISE = (0.05, 0.2, 0.5, 0.9)  # share of white noise in what no form explains
MEMORY = (5.0,)  # over how many e-folds of n a deviation is remembered
FADING = 1.3  # noise variance falls with n to this power
STAYS = (0.0, 0.3)  # share of the noise variance that does not fall
STILL = 0.1  # odds, before a score is seen, that nothing is to be gained against all forms
ROOM = (1.5, 0.9)  # of a beta distribution: share of the room, from the last score to the best possible one, that a form gains
LEAST_ROOM = 0.02  # share of the room that any form is taken to gain, and to leave, at least
MOST_GAIN = 2.0  # ranges of the scores: a gain of up to so much is as likely, before a score is seen, as any other
TEMPER = 0.55  # power of the likelihood: a form is never quite right, so that evidence counts for less (Grünwald & van Ommen 2017)
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
    best: float = np.inf,  # the best possible score, in the unit of the scores
) -> Mixture:
    """The mixture over forms and covariances at each target."""
    at, asked = sizes / sizes[-1], targets / sizes[-1]
    seen, ahead = shapes(at), shapes(asked)
    fall = seen[:, :1] - seen[:, -1:]
    end = -seen[:, -1] / fall[:, 0]
    seen, ahead = (seen - seen[:, -1:]) / fall, (ahead - shapes(np.ones(1))) / fall
    centre = float(np.exp(-FADING * np.log(at).mean()))
    parts = [_part(np.log(at), np.log(asked), scores, (seen, ahead, end), _noise(at, asked, centre, stays), share,
                   memory, best)
             for stays in STAYS for share in NOISE for memory in MEMORY]
    mean, sd, log_weight = (np.concatenate([part[i] for part in parts], axis=-1) for i in range(3))
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    return Mixture(mean, sd, weight)


def _noise(at: Array, asked: Array, centre: float, stays: float) -> tuple[Array, Array]:
    """Noise variance at the sizes measured and asked about, about 1 in the middle of the former."""
    return (1 - stays) * at**-FADING / centre + stays, (1 - stays) * asked**-FADING / centre + stays


def _part(at: Array, asked: Array, scores: Array, forms: tuple[Array, Array, Array], noise: tuple[Array, Array], share: float,
          memory: float, best: float) -> tuple[Array, Array, Array]:
    """Means and deviations (targets, forms + 1) and log weights (forms + 1,) under one covariance; the last: nothing to gain.

    Forms: what is still to be gained where measured (forms, k), where asked (forms, t), and without end (forms,).
    """
    k, (seen, ahead, end) = len(at), forms
    root, link = _covariance(at, asked, noise[0], share, memory)
    one, y, shape = np.linalg.solve(root, np.ones(k)), np.linalg.solve(root, scores), np.linalg.solve(root, seen.T).T
    ones = float(one @ one)
    tilt, level = shape @ one / ones, float(y @ one) / ones
    bare, rest = shape - tilt[:, None] * one, y - level * one
    alone = 1 - link.T @ one  # (t,)
    spread, slope = (bare * bare).sum(axis=1), (ahead - shape @ link - tilt[:, None] * alone).T  # (forms,), (t, forms)
    gain = np.minimum(bare @ rest / spread, 0.0)  # a form never gets worse with more rows
    total = float(rest @ rest) + FLOOR**2
    left = np.maximum(total - FLOOR**2 - 2 * gain * (bare @ rest) + gain**2 * spread, 0.0) + FLOOR**2
    free = 1 - share + share * noise[1] - (link * link).sum(axis=0) + alone**2 / ones  # (t,)
    moves = gain < 0
    loose = 1 / ones + np.where(moves, (end - tilt) ** 2 / spread, 0.0)  # of the asymptote, as `free` is of a score
    pull = (alone[:, None] / ones + np.where(moves, slope * (end - tilt) / spread, 0.0)) / loose  # of the asymptote on a score
    asymptote = level + gain * (end - tilt)
    over = np.maximum(asymptote - best, 0.0)
    left = left + over**2 / loose
    mean = level + (link.T @ rest)[:, None] + gain * slope - pull * over
    held = np.where(over > 0, pull**2 * loose, 0.0)
    variance = left / (k - 2) * (free[:, None] + np.where(moves, slope**2 / spread, 0.0) - held)
    evidence = -np.log(spread) / 2 - (k - 2) / 2 * np.log(left) - np.log(MOST_GAIN)
    evidence = evidence + _prior(asymptote - scores[-1], best - scores[-1])
    still = gammaln((k - 1) / 2) - gammaln((k - 2) / 2) - np.log(np.pi) / 2 - (k - 1) / 2 * np.log(total)
    log_weight = TEMPER * (np.append(evidence, still) - np.log(np.diag(root)).sum() - np.log(ones) / 2)
    log_weight[-1] += np.log(STILL * len(seen))
    mean = np.column_stack([mean, level + link.T @ rest])
    variance = np.column_stack([variance, total / (k - 1) * free])
    return mean, np.sqrt(np.maximum(variance, FLOOR**4)), log_weight


def _covariance(at: Array, asked: Array, noise: Array, share: float, memory: float) -> tuple[Array, Array]:
    """Root (k, k) of the covariance where measured, and what it takes of that with the sizes asked about (k, t)."""
    near: Any = (1 - share) * np.exp(-np.abs(at[:, None] - at) / memory)
    root: Any = np.linalg.cholesky(near + share * np.diag(noise))
    return root, np.linalg.solve(root, (1 - share) * np.exp(-np.abs(asked[:, None] - at).T / memory))


def _prior(gains: Array, room: float) -> Array:
    """Log density, up to a constant, of the share of the room that each form gains; 0 where the room has no end."""
    if not np.isfinite(room):
        return np.zeros(gains.shape)
    share = np.clip(gains / max(room, FLOOR), LEAST_ROOM, 1 - LEAST_ROOM)
    return (ROOM[0] - 1) * np.log(share) + (ROOM[1] - 1) * np.log(1 - share)
