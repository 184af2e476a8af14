"""Where errors are denser than the correct answers around them, and which of those errors belong together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats
from sklearn.neighbors import NearestNeighbors

from ml_lifecycle.foundation.intervals import holm
from ml_lifecycle.refinement._cluster.groups import FEWEST, grouped, radii
from ml_lifecycle.refinement._cluster.pairs import crossing_columns
from ml_lifecycle.refinement._cluster.space import Feature, separation

MOST_ERRORS, MOST_RIGHT = 1_500, 2_500  # rows that are compared with each other
MOST_CROSSED = 2_500  # rows of which parts of columns are crossed
ALPHA = 0.0125  # of each way to be wrong: choosing columns, or pairs of them, by chance, and finding dense places by chance
DRAWS = 99  # permutations
SIZES = (6, 12, 24, 48, 96, 160)  # rows of the neighbourhoods that are looked at
LOW = 8  # columns up to which a tree of places is faster than all distances
ALIKE = 0.98  # of the strongest, from which two spaces are taken as equally good
SAME = 0.75  # of the columns of two spaces
FAINT = 0.25  # columns apart by less than this share of the farthest do not count


@dataclass(frozen=True)
class Space:
    """The columns that span what is searched."""

    features: tuple[Feature, ...]
    weights: tuple[float, ...]
    told: bool  # the columns were chosen because errors differ in them; False: all columns

    def points(self, rows: np.ndarray) -> np.ndarray:
        """Coordinates of some rows, each column with its weight."""
        return np.hstack([feature.points(rows) * weight for feature, weight in zip(self.features, self.weights)])


@dataclass(frozen=True)
class Found:
    """Clusters of errors among the rows that were compared."""

    labels: np.ndarray  # of each of these rows: cluster number, -1 for none (and for every correct row)
    core: np.ndarray  # the same of the errors in dense places only
    points: np.ndarray  # where they are
    strongest: float  # the densest place, as a log likelihood ratio
    threshold: float  # what chance alone reaches in one of eighty draws
    eps: float = float("nan")
    near: float = 0.0  # distance up to which a further error belongs to the cluster of its nearest
    min_samples: int = 0

    def label(self, points: np.ndarray) -> np.ndarray:
        """The cluster of further errors: that of the nearest one, when it is near."""
        inside = self.core >= 0
        if not inside.any():
            return np.full(len(points), -1)
        how = "kd_tree" if points.shape[1] <= LOW else "brute"
        gap, nearest = NearestNeighbors(n_neighbors=1, algorithm=how).fit(self.points[inside]).kneighbors(points)
        return np.where(gap[:, 0] <= self.near, self.core[inside][nearest[:, 0]], -1)


def sample_of(wrong: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows that are compared, in random order: errors and correct rows, each up to its limit."""
    parts = []
    for rows, most in ((np.flatnonzero(wrong), MOST_ERRORS), (np.flatnonzero(~wrong), MOST_RIGHT)):
        parts.append(rng.choice(rows, most, replace=False) if len(rows) > most else rows)
    return rng.permutation(np.concatenate(parts))


def spaces_of(features: Sequence[Feature], wrong: np.ndarray, rows: np.ndarray, rng: np.random.Generator) -> list[Space]:
    """What to search in: the columns in which errors differ from correct rows, alone or in pairs, and then all columns."""
    tests = [separation(feature, wrong, rows) for feature in features]
    p, far = holm([t[0] for t in tests]), np.array([t[1] for t in tests])
    single = np.flatnonzero(p < ALPHA)
    single = single[far[single] >= FAINT * far[single].max()] if len(single) else single
    some = rows[:MOST_CROSSED]
    paired = crossing_columns(features, wrong[some], some, ALPHA, rng)
    chosen = sorted({*single.tolist(), *paired})
    every = [i for i, feature in enumerate(features) if not chosen or i in chosen or feature.kind != "category"]
    tried: list[list[int]] = []  # a category in which errors do not differ splits every cluster, and tells nothing
    for places in (chosen, paired, every):
        if places and not any(_alike(places, before) for before in tried):
            tried.append(places)
    most = max(far.max(), 1e-9)
    weights = np.sqrt(np.maximum(far / most, FAINT)) if chosen else np.ones(len(features))
    return [_spanned(features, places, weights[places], set(places) <= set(chosen)) for places in tried]


def _alike(some: Sequence[int], others: Sequence[int]) -> bool:
    """Whether two spaces have most columns in common, so that both hold the same clusters."""
    return len({*some} & {*others}) >= SAME * len({*some} | {*others})


def _spanned(features: Sequence[Feature], places: Sequence[int], weights: np.ndarray, told: bool) -> Space:
    kept = [features[i] for i in places]
    return Space(tuple(kept), tuple(weights.tolist()), told)


def _neighbours(points: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """(distances to, numbers of) the nearest rows of each row, itself first."""
    how = "kd_tree" if points.shape[1] <= LOW else "brute"
    far, near = NearestNeighbors(n_neighbors=size, algorithm=how).fit(points).kneighbors(points)
    return far, near


def _ratios(sizes: Sequence[int], share: float) -> np.ndarray:
    """Log likelihood ratio of a higher error rate, for each size and number of errors; 0 where it is not higher."""
    found = np.zeros((len(sizes), sizes[-1] + 1))
    for row, k in zip(found, sizes):
        inside = np.arange(k + 1)
        rate = inside / k
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = inside * np.log(rate / share) + np.where(inside < k, (k - inside) * np.log((1 - rate) / (1 - share)), 0.0)
        row[: k + 1] = np.where(rate > share, ratio, 0.0)
    return found


def _errors_near(bad: np.ndarray, near: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """How many of the nearest rows are errors, shape (rows, sizes)."""
    return np.asarray(np.add.reduceat(bad[near], [0, *sizes[:-1]], axis=1).cumsum(axis=1))


@dataclass(frozen=True)
class Dense:
    """Errors in places that are denser than chance."""

    hot: np.ndarray  # of each row
    strongest: float
    threshold: float
    reach: float  # typical distance over which such a place is dense


def dense(points: np.ndarray, bad: np.ndarray, rng: np.random.Generator) -> Dense:
    """Errors in places denser than chance, by a permutation scan (Kulldorff 1997).

    The maximum over all neighbourhoods is compared with that of errors put on rows at random; a Gumbel distribution of
    the permuted maxima gives the threshold (Abrams, Kulldorff & Kleinman 2010).
    """
    n, share = len(bad), float(bad.mean())
    sizes = [k for k in SIZES if k <= max(6, n // 3)] if n > 6 else [n]
    far, near = _neighbours(points + 1e-6 * rng.normal(size=points.shape), sizes[-1])
    flags, ratios, each = bad.astype(np.int16), _ratios(sizes, share), np.arange(len(sizes))
    inside = _errors_near(flags, near, sizes)
    ratio, rate = ratios[each, inside], inside / np.array(sizes)
    highest = []
    for _ in range(DRAWS):
        drawn = rng.permutation(flags)
        highest.append(ratios[each, _errors_near(drawn, near[drawn == 1], sizes)].max())
    shape = np.std(highest, ddof=1) * np.sqrt(6) / np.pi
    threshold = float(np.mean(highest) - 0.5772 * shape - shape * np.log(-np.log(1 - ALPHA)))
    best = ratio.max(axis=1)
    peak = np.take_along_axis(rate, ratio.argmax(axis=1)[:, None], axis=1)[:, 0]
    local = rate[:, min(1, len(sizes) - 1)]
    hot = bad & (best > threshold) & (local >= (share + peak) / 2)
    inner = far[:, np.array(sizes) - 1][np.arange(n), (ratio >= best[:, None] / 2).argmax(axis=1)]
    return Dense(hot, float(best[bad].max()), threshold, float(np.median(inner[hot])) if hot.any() else 0.0)


def _step(space: Space, rows: np.ndarray) -> float:
    """The distance of neighbouring values of numbers that take few: gaps between them are no gaps between clusters."""
    steps = [0.0]
    for feature, weight in zip(space.features, space.weights):
        if feature.kind == "number":
            values = np.unique(feature.points(rows)[:, 0])
            if 5 <= len(values) <= 60:
                steps.append(float(np.median(np.diff(values))) * weight)
    return min(1.0, max(steps))


def best_of(strengths: Sequence[float], clusters: Sequence[int]) -> int:
    """Which space to take: the one whose described places hold errors most densely.

    Where two are as good, the one that tells more clusters apart: then the other laid some together.
    """
    highest = max(strengths)
    alike = [i for i, strength in enumerate(strengths) if strength >= ALIKE * highest]
    return max(alike, key=lambda i: (clusters[i], -i)) if highest > 0 else len(strengths) - 1


def density(rows: np.ndarray, wrong: np.ndarray) -> float:
    """Log likelihood ratio of a higher error rate among some rows than overall; 0 where it is not higher."""
    n, errors, share = int(rows.sum()), int((rows & wrong).sum()), float(wrong.mean())
    if not n or errors / n <= share:
        return 0.0
    rest = (n - errors) * np.log((1 - errors / n) / (1 - share)) if errors < n else 0.0
    return float(errors * np.log(errors / n / share) + rest)


def clusters_of(space: Space, wrong: np.ndarray, rows: np.ndarray, rng: np.random.Generator, *, method: str = "dbscan",
                wanted: int | None = None, seed: int = 0) -> Found:
    """Number the errors among `rows` that stand in dense places; -1 for all others."""
    points, bad = space.points(rows), wrong[rows]
    scan = dense(points, bad, rng)
    labels, places = np.full(len(rows), -1), points[scan.hot]
    least = int(np.clip(min(2 * len(space.features), 1.5 * np.log(max(len(places), 2))), 4, 12))
    if len(places) < max(FEWEST, least):
        return Found(labels, labels, points, scan.strongest, scan.threshold)
    step = _step(space, rows)
    eps, near = radii(places, least, scan.reach, step)
    labels[scan.hot] = grouped(places, method, least, eps, step, wanted, seed)
    found = Found(labels.copy(), labels, points, scan.strongest, scan.threshold, eps, near, least)
    found.labels[bad] = found.label(points[bad])
    return found


def surprise(errors: int, n: int, share: float) -> float:
    """p of so many errors among n rows when they come at the overall rate."""
    return float(stats.binom.sf(errors - 1, n, share)) if errors else 1.0
