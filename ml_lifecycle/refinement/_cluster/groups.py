"""Which errors in dense places belong together: DBSCAN with a radius from the data, HDBSCAN, or k-means."""

import numpy as np
from sklearn.cluster import DBSCAN, HDBSCAN, KMeans
from sklearn.neighbors import NearestNeighbors

METHODS = ("dbscan", "hdbscan", "kmeans")
WIDER = 20.0  # times the volume that the knee gives, up to where places are still joined that are dense as a whole
MOST_MEANS = 10  # clusters that k-means looks for by itself
REFERENCES = 10  # draws that a number of means is compared with
FEWEST = 5  # errors of a cluster
APART = 5.0  # Ashman's D from which two groups are two: halves of one even place have 3.5, those of a normal one 2.7
FINER = (0.9, 0.75, 0.5)  # quantiles of the k-distances with which a group is looked at again
PART = 0.1  # of the errors of a group that a part of it holds at least


def knee(distances: np.ndarray, most: float = np.inf) -> float:
    """Where the sorted distances bend upwards (Satopää et al. 2011); the 90 % quantile where that is larger by `most` or less.

    A quantile further off than that belongs to errors that stand alone, not to the rim of a group.
    """
    ordered = np.sort(distances)
    span = ordered[-1] - ordered[0]
    if len(ordered) < 3 or span <= 0:
        return float(ordered[-1])
    x, y = np.linspace(0, 1, len(ordered)), (ordered - ordered[0]) / span
    bend, rim = float(ordered[int(np.argmax(x - y))]), float(np.quantile(ordered, 0.9))
    return rim if bend < rim <= bend * most else bend


def dimension(far: np.ndarray) -> float:
    """In how many directions points spread, from the distances to their neighbours (Levina & Bickel 2004); at least 1."""
    inner, outer = far[:, 1:-1], far[:, -1:]
    ratios = np.log(outer / inner, where=(inner > 0) & (outer > 0), out=np.zeros_like(inner))
    mean = float(ratios[ratios > 0].mean()) if (ratios > 0).any() else 1.0
    return max(1.0, 1 / mean)


def radii(places: np.ndarray, least: int, reach: float, step: float) -> tuple[float, float]:
    """(radius of DBSCAN, distance from which a further error is no longer a member) from the k-distances."""
    far = NearestNeighbors(n_neighbors=least).fit(places).kneighbors(places)[0]
    wider = float(WIDER ** (1 / dimension(far)))
    bend = knee(far[:, -1], wider)
    near = max(bend, 1.05 * step, 1e-6)
    return max(near, min(reach, bend * wider)), near


def grouped(places: np.ndarray, method: str, least: int, eps: float, step: float, wanted: int | None, seed: int) -> np.ndarray:
    """Number of the group of each place, the largest 0; -1 for none, and for groups that are too small."""
    if method == "dbscan":
        groups = _split(places, DBSCAN(eps=eps, min_samples=least).fit_predict(places), least, 1.05 * step)
    elif method == "hdbscan":
        size = max(FEWEST, least, len(places) // 50)
        groups = HDBSCAN(min_cluster_size=size, min_samples=min(least, len(places)), allow_single_cluster=True,
                         cluster_selection_epsilon=eps / 2, copy=True).fit_predict(places)
    else:
        groups = _means(places, wanted or means_of(places, seed), seed).labels_
    sizes = np.bincount(groups[groups >= 0], minlength=1)
    order = [g for g in np.argsort(-sizes, kind="stable") if sizes[g] >= FEWEST]
    place = {int(g): i for i, g in enumerate(order)}
    return np.array([place.get(int(g), -1) for g in groups])


def _split(places: np.ndarray, groups: np.ndarray, least: int, smallest: float) -> np.ndarray:
    """The same groups, where one was laid together out of several that stand apart each by itself."""
    found, free = groups.copy(), int(groups.max()) + 1
    for group in range(free):
        rows = np.flatnonzero(groups == group)
        for part in _parts(places[rows], least, smallest)[1:]:
            found[rows[part]] = free
            free += 1
    return found


def _parts(points: np.ndarray, least: int, smallest: float) -> list[np.ndarray]:
    """Rows of one group, in as many parts as stand apart when its radius shrinks, not below `smallest`."""
    if len(points) < 4 * least:
        return [np.arange(len(points))]
    far = NearestNeighbors(n_neighbors=least).fit(points).kneighbors(points)[0][:, -1]
    for radius in np.quantile(far, FINER):
        fine = DBSCAN(eps=max(radius, smallest, 1e-9), min_samples=least).fit_predict(points)
        sizes = np.bincount(fine[fine >= 0], minlength=1)
        large = np.flatnonzero(sizes >= max(2 * least, PART * len(points)))
        if len(large) > 1:
            core = np.isin(fine, large)
            nearest = NearestNeighbors(n_neighbors=1).fit(points[core]).kneighbors(points)[1][:, 0]
            parts = _joined(points, [np.flatnonzero(fine[core][nearest] == number) for number in large])
            if len(parts) > 1:
                return [part[inner] for part in parts for inner in _parts(points[part], least, smallest)]
    return [np.arange(len(points))]


def _joined(points: np.ndarray, parts: list[np.ndarray]) -> list[np.ndarray]:
    """The same parts, those laid together that do not stand apart."""
    found = list(parts)
    pairs = [(i, j) for j in range(len(found)) for i in range(j)]
    while pairs:
        i, j = pairs.pop()
        if distance(points[found[i]], points[found[j]]) < APART:
            found[i] = np.concatenate([found[i], found.pop(j)])
            pairs = [(a, b) for b in range(len(found)) for a in range(b)]
    return found


def distance(some: np.ndarray, others: np.ndarray) -> float:
    """How far two groups stand apart on the line between their middles, in units of their spread (Ashman, Bird & Zepf 1994)."""
    line = some.mean(axis=0) - others.mean(axis=0)
    gap = float(np.linalg.norm(line))
    spread = np.hypot((some @ line).std(), (others @ line).std()) / max(gap, 1e-12)
    return float(np.sqrt(2) * gap / max(spread, 1e-12))


def _means(places: np.ndarray, k: int, seed: int) -> KMeans:
    distinct = len(np.unique(places, axis=0))
    return KMeans(min(k, distinct), n_init=5, random_state=seed).fit(places)


def means_of(places: np.ndarray, seed: int) -> int:
    """How many means: the gap statistic over a box along the principal directions (Tibshirani, Walther & Hastie 2001)."""
    rng = np.random.default_rng(seed)
    here = places[rng.choice(len(places), 600, replace=False)] if len(places) > 600 else places
    here = here - here.mean(axis=0)
    turned = here @ np.linalg.svd(here, full_matrices=False)[2].T
    low, high = turned.min(axis=0), turned.max(axis=0)
    boxes = [rng.uniform(low, high, turned.shape) for _ in range(REFERENCES)]
    most = min(MOST_MEANS, len(np.unique(here, axis=0)) - 1, len(here) // FEWEST)
    before: tuple[float, float] | None = None
    for k in range(1, most + 1):
        inside = np.log(max(_means(turned, k, seed).inertia_, 1e-12))
        drawn = np.log([max(_means(box, k, seed).inertia_, 1e-12) for box in boxes])
        gap, error = float(drawn.mean() - inside), float(drawn.std() * np.sqrt(1 + 1 / REFERENCES))
        if before is not None and before[0] >= gap - error:
            return k - 1
        before = gap, error
    return max(1, most)
