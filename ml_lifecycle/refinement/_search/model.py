"""What the trials so far say about the whole space: a smooth surface through noisy scores, with its own uncertainty."""

# A Gaussian process with one length for each parameter (Rasmussen & Williams 2006, ch. 5); the noise of the folds is one of its
# parameters, so that a lucky candidate is drawn back to its neighbours.

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg.lapack import dpotrf, dtrtrs
from scipy.special import ndtr

from ml_lifecycle.refinement._search.space import Choice, Space

LENGTHS = (0.05, 8.0)  # of a parameter, in shares of its range; beyond the longest one it hardly matters
NOISES = (1e-4, 1.0)  # variance, in shares of that of all trials
USUAL_LENGTH, LENGTH_SPREAD = 0.5, 1.0  # prior: log-normal
USUAL_NOISE, NOISE_SPREAD = 1e-3, 1.5
STEP = 2.0  # factor by which lengths and noise are tried longer and shorter
MOST = 150  # trials that the surface goes through; of more, the best and the latest


def squashed(scores: np.ndarray) -> np.ndarray:
    """Scores (higher is better; nan is a failure) with the poor ones drawn together: where it is bad, how bad does not matter."""
    known = np.isfinite(scores)
    gaps = scores[known].max() - scores[known]
    scale = np.median(gaps[gaps <= np.median(gaps)])
    scale = scale if scale > 0 else gaps[gaps > 0].min() if (gaps > 0).any() else 1.0
    found = np.full(len(scores), -np.log1p(gaps.max() / scale + 1.0))
    found[known] = -np.log1p(gaps / scale)
    return found


class Embedding:
    """Points of the unit cube as columns between which a distance makes sense."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.starts = [i for i, axis in enumerate(space.axes) if isinstance(axis, Choice)]

    def gaps(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Squared distances along each axis, of shape (axes, len(a), len(b)); 1 between two options of a choice."""
        found: np.ndarray = (a.T[:, :, None] - b.T[:, None, :]) ** 2
        for i in self.starts:
            found[i] = found[i] > 1e-12
        return found


@dataclass
class Surface:
    """The surface through some trials."""

    embedding: Embedding
    points: np.ndarray
    values: np.ndarray  # squashed scores, standardised
    lengths: np.ndarray  # of each axis, log
    noise: float  # variance, log

    def kernel(self, gaps: np.ndarray) -> np.ndarray:
        """Matérn 5/2."""
        far = np.sqrt(5.0 * np.tensordot(np.exp(-2.0 * self.lengths), gaps, 1))
        found: np.ndarray = (1.0 + far + far * far / 3.0) * np.exp(-far)
        return found

    def fit(self, sweeps: int) -> "Surface":
        """Lengths and noise of the highest posterior density, one after the other, from where they stand."""
        gaps = self.embedding.gaps(self.points, self.points)
        best = self._density(gaps)
        step = np.log(STEP)
        for _ in range(sweeps):
            moved = False
            for i in range(len(self.lengths) + 1):
                for turn in (step, -step):
                    before = self._get(i)
                    bounds = np.log(NOISES if i == len(self.lengths) else LENGTHS)
                    self._set(i, float(np.clip(before + turn, *bounds)))
                    found = self._density(gaps) if self._get(i) != before else -np.inf
                    if found > best:
                        best, moved = found, True
                        break
                    self._set(i, before)
            if not moved:
                break
        self._settle(gaps)
        return self

    def _get(self, i: int) -> float:
        return self.noise if i == len(self.lengths) else float(self.lengths[i])

    def _set(self, i: int, value: float) -> None:
        if i == len(self.lengths):
            self.noise = value
        else:
            self.lengths[i] = value

    def _factor(self, gaps: np.ndarray) -> np.ndarray:
        K = self.kernel(gaps)
        K[np.diag_indices_from(K)] += np.exp(self.noise) + 1e-8
        factor, _ = dpotrf(K, lower=1, clean=1, overwrite_a=1)
        return factor

    def _density(self, gaps: np.ndarray) -> float:
        factor = self._factor(gaps)
        half, _ = dtrtrs(factor, self.values, lower=1)
        n = len(self.values)
        scale = float(half @ half) + 1.0  # the height of the surface is integrated out, with a weak prior
        prior = (((self.lengths - np.log(USUAL_LENGTH)) / LENGTH_SPREAD) ** 2).sum() \
            + ((self.noise - np.log(USUAL_NOISE)) / NOISE_SPREAD) ** 2
        return float(-0.5 * (n + 1) * np.log(scale) - np.log(np.diag(factor)).sum() - 0.5 * prior)

    def _settle(self, gaps: np.ndarray) -> None:
        self.factor = self._factor(gaps)
        self.half, _ = dtrtrs(self.factor, self.values, lower=1)
        self.height = (float(self.half @ self.half) + 1.0) / (len(self.values) + 1)

    def look(self, at: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(mean, variance, what later conditioning needs) at other points."""
        across, _ = dtrtrs(self.factor, self.kernel(self.embedding.gaps(self.points, at)), lower=1)
        variance = self.height * np.maximum(1.0 - (across * across).sum(axis=0), 1e-9)
        return across.T @ self.half, variance, across

    def choose(self, at: np.ndarray, count: int, taken: np.ndarray) -> list[int]:
        """The points with the highest expected improvement, each as if those before it had been tried (Ginsbourger 2010)."""
        mean, variance, across = self.look(at)
        own = self.look(self.points)[0]
        best = float(own.max())
        picked: list[int] = []
        open_ = ~taken
        for _ in range(min(count, int(open_.sum()))):
            gain = np.where(open_, improvement(mean, variance, best), -np.inf)
            pick = int(gain.argmax())
            picked.append(pick)
            open_[pick] = False
            near = self.kernel(self.embedding.gaps(at[pick:pick + 1], at))[0] - across[:, pick] @ across
            shared = self.height * near
            variance = np.maximum(variance - shared ** 2 / (variance[pick] + self.height * np.exp(self.noise)), 1e-9)
            best = max(best, float(mean[pick]))
        return picked


def improvement(mean: np.ndarray, variance: np.ndarray, best: float) -> np.ndarray:
    """Expected improvement upon a value (Jones, Schonlau & Welch 1998)."""
    spread = np.sqrt(variance)
    z = (mean - best) / spread
    found: np.ndarray = spread * (z * ndtr(z) + np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi))
    return found


def surface_of(space: Space, points: np.ndarray, scores: Sequence[float], start: Any = None) -> Surface | None:
    """The surface through all trials, or the best and latest of them; None where they say nothing yet."""
    known = np.asarray(scores, dtype=float)
    if len(known) < 3 or not np.isfinite(known).any():
        return None
    values = squashed(known)
    if len(values) > MOST:
        kept = np.union1d(np.argsort(-values, kind="stable")[:MOST // 2], np.arange(len(values) - MOST // 2, len(values)))
        points, values = points[kept], values[kept]
    if values.std() == 0:
        return None
    values = (values - values.mean()) / values.std()
    lengths = np.full(len(space.axes), np.log(USUAL_LENGTH)) if start is None else start.lengths.copy()
    noise = np.log(USUAL_NOISE) if start is None else start.noise
    return Surface(Embedding(space), points, values, lengths, noise).fit(4 if start is None else 1)
