"""Which candidates come next: the whole space first, then a region around the best that narrows as far as the noise lets it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.stats import qmc

from ml_lifecycle.refinement._search.model import Surface, surface_of
from ml_lifecycle.refinement._search.space import Choice, Line, Space, keys_of

FIRST = 0.25  # share of the trials that the first round has, which looks everywhere
ENOUGH = 30  # trials of the first round, and ten more for each parameter, whatever the budget
SPARSE = 2  # trials of the first round for each parameter, where the budget has them
KEPT = 0.15  # share of the trials of a later round that are drawn from the whole space, whatever was seen
ELITE = 0.2  # share of the trials around which the next round looks, at least
MARGIN = 0.25  # by which the range around the best is widened on each side, in shares of its width
NARROWEST = 0.1  # width of a range, in shares of the whole
EDGE = 0.1  # share of a range within which the best stands on its edge
DRAWN = 200  # points that a batch is chosen from
PATIENCE = 60  # draws after which a space has no more candidates
BATCH = 4  # candidates that are tried side by side; the same whatever the number of processes


@dataclass(frozen=True)
class Region:
    """Where a round looks: a range of each line, and how often each option is drawn."""

    ranges: tuple[tuple[float, float], ...]  # one for each axis; (0, 1) for a choice
    weights: tuple[tuple[float, ...], ...]  # one for each axis; empty for a line


def everywhere(space: Space) -> Region:
    """The whole space."""
    return Region(tuple((0.0, 1.0) for _ in space.axes),
                  tuple((1.0,) * len(a.options) if isinstance(a, Choice) else () for a in space.axes))


def shares_of(budget: int, rounds: int, axes: int) -> list[int]:
    """How many trials each round has."""
    rounds = max(1, min(rounds, budget))
    if rounds == 1:
        return [budget]
    first = max(round(FIRST * budget), min(SPARSE * axes + 1, budget // 2), 2)
    first = min(first, budget - (rounds - 1), ENOUGH + 10 * axes)
    later = [len(part) for part in np.array_split(np.arange(budget - first), rounds - 1)]
    return [first, *later]


def spread(axes: int, count: int, seed: int) -> np.ndarray:
    """Points that cover the unit cube evenly (scrambled Sobol: Owen 1998); the first ones are the same for any count."""
    maker = qmc.Sobol(axes, rng=np.random.default_rng(seed)) if _NEW else qmc.Sobol(axes, seed=np.random.default_rng(seed))
    found: np.ndarray = maker.random_base2(max(1, int(np.ceil(np.log2(max(2, count))))))[:count]
    return found


_NEW = "rng" in qmc.Sobol.__init__.__code__.co_varnames


@dataclass
class Planner:
    """The draws of a search; equal seeds and equal scores draw alike, whatever runs beside."""

    space: Space
    seed: int
    budget: int
    region: Region = field(init=False)
    regions: list[Region] = field(default_factory=list)  # of each round
    surface: Surface | None = None

    def __post_init__(self) -> None:
        self.region = everywhere(self.space)
        self.even = spread(len(self.space.axes), max(64, self.budget), self.seed)
        self.used = 0

    def open_round(self, points: np.ndarray, scores: Sequence[float]) -> None:
        """Move the region to where the best candidates stand; the first round looks everywhere."""
        if self.regions:
            self.region = closer(self.space, self.region, points, self._smoothed(points, scores))
        self.regions.append(self.region)

    def _smoothed(self, points: np.ndarray, scores: Sequence[float]) -> tuple[np.ndarray, float]:
        """Scores drawn to those of their neighbours, and the standard deviation of what is left to chance."""
        self.surface = surface_of(self.space, points, scores, self.surface)
        if self.surface is None:
            known = np.asarray(scores, dtype=float)
            return np.where(np.isfinite(known), known, -np.inf), 0.0
        mean, variance, _ = self.surface.look(points)
        return mean, float(np.sqrt(np.median(variance)))

    def next(self, points: np.ndarray, scores: Sequence[float], count: int, seen: set[bytes]) -> np.ndarray:
        """New points, of shape (at most `count`, axes); fewer where the space has no more."""
        rng = np.random.default_rng([self.seed, len(points)])
        if len(self.regions) <= 1:
            return self._even(count, seen, rng)
        before = len(points)
        far = int((before + count) * KEPT) - int(before * KEPT)
        self.surface = surface_of(self.space, points, scores, self.surface)
        if self.surface is None:
            return self._even(count, seen, rng)
        chosen = self._chosen(count - far, seen, rng)
        return np.concatenate([chosen, self._even(count - len(chosen), seen | set(keys_of(chosen)), rng)])

    def _even(self, count: int, seen: set[bytes], rng: np.random.Generator) -> np.ndarray:
        """The next points of the even cover that stand for values not tried yet."""
        found: list[np.ndarray] = []
        known = set(seen)
        for _ in range(PATIENCE):
            raw = self.even[self.used:self.used + count]
            self.used += len(raw)
            raw = raw if len(raw) else rng.random((8 * count, len(self.space.axes)))
            for point in self.space.settled(raw):
                (key,) = keys_of(point[None])
                if key not in known and len(found) < count:
                    known.add(key)
                    found.append(point)
            if len(found) == count:
                break
        return np.array(found).reshape(len(found), len(self.space.axes))

    def _chosen(self, count: int, seen: set[bytes], rng: np.random.Generator) -> np.ndarray:
        """Of many points drawn in the region, near the best and anywhere, those that promise most."""
        assert self.surface is not None
        mean = self.surface.look(self.surface.points)[0]
        best = self.surface.points[int(mean.argmax())]
        drawn = np.concatenate([inside(self.space, self.region, DRAWN // 2, rng),
                                around(self.space, best, self.surface, DRAWN // 4, rng),
                                rng.random((DRAWN // 4, len(self.space.axes)))])
        drawn = self.space.settled(drawn)
        known, taken = set(seen), np.zeros(len(drawn), dtype=bool)
        for i, key in enumerate(keys_of(drawn)):
            taken[i] = key in known
            known.add(key)
        return drawn[self.surface.choose(drawn, count, taken)]


def inside(space: Space, region: Region, count: int, rng: np.random.Generator) -> np.ndarray:
    """Points of a region, at random."""
    found = rng.random((count, len(space.axes)))
    for i, (axis, (low, high), weights) in enumerate(zip(space.axes, region.ranges, region.weights)):
        if isinstance(axis, Choice):
            ends = np.cumsum(weights) / sum(weights)
            found[:, i] = (np.minimum(np.searchsorted(ends, found[:, i], side="right"), len(weights) - 1) + 0.5) / len(weights)
        else:
            found[:, i] = low + found[:, i] * (high - low)
    return found


def around(space: Space, best: np.ndarray, surface: Surface, count: int, rng: np.random.Generator) -> np.ndarray:
    """Points near the best one, at several distances, in some of their parameters (Regis & Shoemaker 2013)."""
    axes = len(space.axes)
    lengths = np.minimum(np.exp(surface.lengths), 1.0)
    steps = rng.normal(size=(count, axes)) * lengths * rng.choice([0.05, 0.15, 0.4], (count, 1))
    lines = np.array([isinstance(axis, Line) for axis in space.axes])
    moved = rng.random((count, axes)) < max(0.5, min(1.0, 3 / axes))
    moved[np.arange(count), rng.integers(axes, size=count)] = True
    found = np.where(moved & lines, best + steps, best)
    found = np.where(found < 0, -found, np.where(found > 1, 2 - found, found))
    other = moved & ~lines & (rng.random((count, axes)) < 0.3)
    clipped: np.ndarray = np.clip(np.where(other, rng.random((count, axes)), found), 0.0, 1.0)
    return clipped


def closer(space: Space, before: Region, points: np.ndarray, smoothed: tuple[np.ndarray, float]) -> Region:
    """The region around the best candidates by their smoothed score.

    A range holds all of them and a margin; where the best stands on the edge of its range, it moves that way by half its
    width. Candidates that cannot be told from the best widen it, and so does noise.
    """
    mean, noise = smoothed
    top = float(mean.max())
    if not np.isfinite(top):
        return everywhere(space)
    ranked = np.argsort(-mean, kind="stable")
    wanted = max(3, round(ELITE * len(points)))
    last = mean[ranked[:wanted]].min()
    level = [i for i in ranked if mean[i] == last]
    elite = [i for i in ranked if mean[i] > last or mean[i] >= top - noise]
    if len(elite) + len(level) <= 2 * wanted:
        elite = sorted({*elite, *level}, key=lambda i: -mean[i])
    if not elite:
        return everywhere(space)  # a plateau that most stand on: no direction is chosen by chance
    ranges, weights = [], []
    for i, axis in enumerate(space.axes):
        holding = [j for j in elite if space.holds(axis, points[j])]
        places = points[holding, i]
        if isinstance(axis, Choice):
            counts = [sum(axis.option(at) == k for at in places) for k in range(len(axis.options))]
            ranges.append((0.0, 1.0))
            weights.append(tuple(n + 0.5 for n in counts))
        else:
            ranges.append(_around(places, before.ranges[i]) if len(places) > 1 else (0.0, 1.0))
            weights.append(())
    return Region(tuple(ranges), tuple(weights))


def _around(places: np.ndarray, before: tuple[float, float]) -> tuple[float, float]:
    best, wide = places[0], before[1] - before[0]
    low, high = float(places.min()), float(places.max())
    reach = max(MARGIN * (high - low), NARROWEST / 2, 0.05 * wide)
    low, high = low - reach, high + reach
    if best <= before[0] + EDGE * wide:
        low = min(low, before[0] - 0.5 * wide)
    if best >= before[1] - EDGE * wide:
        high = max(high, before[1] + 0.5 * wide)
    return max(0.0, low), min(1.0, high)


def shrunk(region: Region, space: Space) -> dict[str, tuple[object, object]]:
    """The range of each ordered parameter in its own unit."""
    return {a.name: (a.value(low), a.value(high)) for a, (low, high) in zip(space.axes, region.ranges) if isinstance(a, Line)}


def time_of(number: int, rounds: int) -> float:
    """The share of the time by whose end a round ends, where there is a limit of time."""
    return 1.0 if number == rounds else FIRST + (1 - FIRST) * (number - 1) / (rounds - 1)
