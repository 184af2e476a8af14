"""Where errors are denser than the correct answers around them, and which of those errors belong together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats
from sklearn.cluster import DBSCAN
from sklearn.neighbors import NearestNeighbors

from ..foundation.intervals import holm
from ._cluster_pairs import crossing_columns
from ._cluster_space import Feature, separation, stacked

MOST_ERRORS, MOST_RIGHT = 2_000, 3_000  # rows that are compared with each other
ALPHA = 0.0125  # of each way to be wrong: choosing columns, or pairs of them, by chance, and finding dense places by chance
DRAWS = 99  # permutations
SIZES = (6, 12, 24, 48, 96, 160)  # rows of the neighbourhoods that are looked at
FEWEST = 5  # errors of a cluster
WIDER = 20.0  # times the volume that the knee gives, up to where places are still joined that are dense as a whole
ALIKE = 0.98  # of the strongest, from which two spaces are taken as equally good
FAINT = 0.25  # columns apart by less than this share of the farthest do not count


@dataclass(frozen=True)
class Space:
    """The points that are searched, and the columns that span them."""

    points: np.ndarray  # of all rows
    features: tuple[Feature, ...]
    weights: tuple[float, ...]
    told: bool  # the columns were chosen because errors differ in them; False: all columns


@dataclass(frozen=True)
class Found:
    """Clusters of errors."""

    labels: np.ndarray  # of every row: cluster number, -1 for none (and for every correct row)
    strongest: float  # the densest place, as a log likelihood ratio
    threshold: float  # what chance alone reaches in one of forty draws
    eps: float = float("nan")
    min_samples: int = 0


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
    paired = crossing_columns(features, wrong[rows], rows, ALPHA, rng)
    chosen = sorted({*single.tolist(), *paired})
    every = [i for i, feature in enumerate(features) if not chosen or i in chosen or feature.kind != "category"]
    tried: list[list[int]] = []  # a category in which errors do not differ splits every cluster, and tells nothing
    for places in (chosen, paired, every):
        if places and places not in tried:
            tried.append(places)
    most = max(far.max(), 1e-9)
    weights = np.sqrt(np.maximum(far / most, FAINT)) if chosen else np.ones(len(features))
    return [_spanned(features, places, weights[places], set(places) <= set(chosen)) for places in tried]


def _spanned(features: Sequence[Feature], places: Sequence[int], weights: np.ndarray, told: bool) -> Space:
    kept = [features[i] for i in places]
    return Space(stacked(kept, weights.tolist()), tuple(kept), tuple(weights.tolist()), told)


def _neighbours(points: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """(distances to, numbers of) the nearest rows of each row, itself first."""
    how = "kd_tree" if points.shape[1] <= 8 else "brute"
    far, near = NearestNeighbors(n_neighbors=size, algorithm=how).fit(points).kneighbors(points)
    return far, near


def _strength(bad: np.ndarray, near: np.ndarray, sizes: Sequence[int], share: float) -> tuple[np.ndarray, np.ndarray]:
    """(log likelihood ratio, rate of errors) of the neighbourhoods of each row, shape (rows, sizes); 0 where not denser."""
    inside = np.add.reduceat(bad[near], [0, *sizes[:-1]], axis=1).cumsum(axis=1).astype(float)
    k = np.array(sizes, dtype=float)
    rate = inside / k
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = inside * np.log(rate / share) + np.where(inside < k, (k - inside) * np.log((1 - rate) / (1 - share)), 0.0)
    return np.where(rate > share, ratio, 0.0), rate


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
    flags = bad.astype(np.int16)
    ratio, rate = _strength(flags, near, sizes, share)
    highest = []
    for _ in range(DRAWS):
        drawn = rng.permutation(flags)
        highest.append(_strength(drawn, near, sizes, share)[0][drawn == 1].max())
    shape = np.std(highest, ddof=1) * np.sqrt(6) / np.pi
    threshold = float(np.mean(highest) - 0.5772 * shape - shape * np.log(-np.log(1 - ALPHA)))
    best = ratio.max(axis=1)
    peak = np.take_along_axis(rate, ratio.argmax(axis=1)[:, None], axis=1)[:, 0]
    local = rate[:, min(1, len(sizes) - 1)]
    hot = bad & (best > threshold) & (local >= (share + peak) / 2)
    inner = far[:, np.array(sizes) - 1][np.arange(n), (ratio >= best[:, None] / 2).argmax(axis=1)]
    return Dense(hot, float(best[bad].max()), threshold, float(np.median(inner[hot])) if hot.any() else 0.0)


def knee(distances: np.ndarray) -> float:
    """Where the sorted distances bend upwards (Satopää et al. 2011); the 90 % quantile where that is larger."""
    ordered = np.sort(distances)
    span = ordered[-1] - ordered[0]
    if len(ordered) < 3 or span <= 0:
        return float(ordered[-1])
    x, y = np.linspace(0, 1, len(ordered)), (ordered - ordered[0]) / span
    return float(max(ordered[int(np.argmax(x - y))], np.quantile(ordered, 0.9)))


def dimension(far: np.ndarray) -> float:
    """In how many directions points spread, from the distances to their neighbours (Levina & Bickel 2004); at least 1."""
    inner, outer = far[:, 1:-1], far[:, -1:]
    ratios = np.log(outer / inner, where=(inner > 0) & (outer > 0), out=np.zeros_like(inner))
    mean = float(ratios[ratios > 0].mean()) if (ratios > 0).any() else 1.0
    return max(1.0, 1 / mean)


def _step(space: Space) -> float:
    """The distance of neighbouring values of numbers that take few: gaps between them are no gaps between clusters."""
    steps = [0.0]
    for feature, weight in zip(space.features, space.weights):
        if feature.kind == "number":
            values = np.unique(feature.points()[:, 0])
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


def clusters_of(space: Space, wrong: np.ndarray, rows: np.ndarray, rng: np.random.Generator) -> Found:
    """Number the errors that stand in dense places; -1 for all others."""
    points, bad = space.points[rows], wrong[rows]
    scan = dense(points, bad, rng)
    strongest, threshold = scan.strongest, scan.threshold
    labels = np.full(len(wrong), -1)
    places = points[scan.hot]
    width = len(space.features)
    least = int(np.clip(min(2 * width, 1.5 * np.log(max(len(places), 2))), 4, 12))
    if len(places) < max(FEWEST, least):
        return Found(labels, strongest, threshold)
    far = NearestNeighbors(n_neighbors=least).fit(places).kneighbors(places)[0]
    bend = knee(far[:, -1])
    eps = max(bend, min(scan.reach, bend * WIDER ** (1 / dimension(far))), 1.05 * _step(space), 1e-6)
    groups = DBSCAN(eps=eps, min_samples=least).fit_predict(places)
    sizes = np.bincount(groups[groups >= 0], minlength=1)
    order = [g for g in np.argsort(-sizes, kind="stable") if sizes[g] >= FEWEST]
    place = {int(g): i for i, g in enumerate(order)}
    kept = np.array([place.get(int(g), -1) for g in groups])
    if not (kept >= 0).any():
        return Found(labels, strongest, threshold, float(eps), least)
    every = np.flatnonzero(wrong)
    gap, nearest = NearestNeighbors(n_neighbors=1).fit(places[kept >= 0]).kneighbors(space.points[every])
    labels[every] = np.where(gap[:, 0] <= max(bend, 1.05 * _step(space), 1e-6), kept[kept >= 0][nearest[:, 0]], -1)
    return Found(labels, strongest, threshold, float(eps), least)


def surprise(errors: int, n: int, share: float) -> float:
    """p of so many errors among n rows when they come at the overall rate."""
    return float(stats.binom.sf(errors - 1, n, share)) if errors else 1.0
