"""Where are errors more frequent? Every level, interval, and pair of them on a grid, by the scan statistic of Kulldorff."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from ml_lifecycle.refinement._slice.axes import Axis

WORK = 700_000  # cells of a grid that are scored in one look at pairs of one kind
WIDE = 30  # columns of levels, and of values, that are looked at in pairs: those that tell most alone
BINS = (64, 48, 32, 24, 16, 12, 8, 6, 4)  # of a column, on the grid
WEAK = 2.0  # nats below which nothing is worth its words
SIDE = 3.0  # nats that a bound of an interval must bring: about the logarithm of the places where it could lie


@dataclass(frozen=True)
class Part:
    """One condition in the making: levels of an axis, or values from low to high (both taken in)."""

    axis: int
    codes: tuple[int, ...] = ()
    low: float = -np.inf
    high: float = np.inf


Parts = tuple[Part, ...]


class Gain:
    """Log-likelihood ratio of one rate within and another outside against one rate for all; 0 where it is not higher within.

    For errors the Bernoulli model of Kulldorff (1997, Communications in Statistics 26); for a loss the normal model.
    """

    def __init__(self, loss: np.ndarray, least: int) -> None:
        self.counts = bool(loss.dtype == bool)
        self.loss = loss.astype(np.int64) if self.counts else loss
        self.n, self.least, self.total = len(loss), least, self.loss.sum()
        steps = np.arange(self.n + 1, dtype=float)
        self.table = steps * np.log(np.maximum(steps, 1.0)) if self.counts else np.empty(0)
        self.spread = float(loss.var()) if not self.counts else 0.0

    def __call__(self, n: np.ndarray, s: np.ndarray) -> np.ndarray:
        """Of groups of `n` rows with losses that sum up to `s`; what is below `WEAK` counts as nothing."""
        rest, more = self.n - n, (s * self.n - n * self.total).astype(float)
        gain = np.where((more > 0) & (n >= self.least) & (rest >= self.least), more**2, 0.0) / np.maximum(n * rest, 1)
        if not self.counts:
            return gain / (2 * max(self.spread, 1e-300) * self.n)
        # the likelihood ratio is never above chi-square (Gibbs & Su 2002), so that only the strong ones are computed
        strong = np.nonzero(gain >= WEAK * self.total * (self.n - self.total) / self.n)
        n, s, rest, t = n[strong], s[strong], rest[strong], self.table
        left, whole = self.total - s, t[self.total] + t[self.n - self.total] - t[self.n]
        exact = np.zeros(gain.shape)
        exact[strong] = t[s] + t[n - s] - t[n] + t[left] + t[rest - left] - t[rest] - whole
        return exact


@cache
def _runs(bins: int) -> tuple[np.ndarray, np.ndarray]:
    """First and last bin of every run."""
    first, last = np.triu_indices(bins)
    return first, last


class Grid:
    """The rows of one look: levels as they are, values in bins of equal numbers of rows."""

    def __init__(self, axes: Sequence[Axis], rows: np.ndarray, loss: np.ndarray, least: int) -> None:
        self.axes, self.rows, self.gain = axes, rows, Gain(loss, least)
        self.level = [i for i, axis in enumerate(axes) if axis.codes is not None]
        self.value = [i for i, axis in enumerate(axes) if axis.values is not None]
        self.codes = {i: axes[i].codes[rows] for i in self.level}  # type: ignore[index]
        self.values = {i: axes[i].values[rows] for i in self.value}  # type: ignore[index]
        self.levels = sum(len(axes[i].levels) for i in self.level)
        self.orders: dict[int, np.ndarray] = {}

    def order(self, axis: int) -> np.ndarray:
        """Rows by their value, those without one left out."""
        if axis not in self.orders:
            order = np.argsort(self.values[axis], kind="stable")
            self.orders[axis] = order[: len(order) - int(np.isnan(self.values[axis]).sum())]
        return self.orders[axis]

    def price(self, parts: Parts) -> float:
        """What conditions must bring to be worth their words: the logarithm of how many there are to choose from."""
        cost = 0.0
        for part in parts:
            if part.codes:
                cost += np.log(self.levels) + (len(part.codes) - 1) * np.log(len(self.axes[part.axis].levels) + 1)
            else:
                cost += np.log(len(self.value)) + SIDE * int(np.isfinite((part.low, part.high)).sum())
        return float(cost)

    def meets(self, part: Part) -> np.ndarray:
        """Rows that meet a condition."""
        if part.codes:
            codes = self.codes[part.axis]
            return codes == part.codes[0] if len(part.codes) == 1 else np.isin(codes, part.codes)
        values = self.values[part.axis]
        return (values >= part.low) & (values <= part.high)

    def all_of(self, parts: Parts) -> np.ndarray:
        """Rows that meet all conditions."""
        met = np.ones(len(self.rows), dtype=bool)
        for part in parts:
            met &= self.meets(part)
        return met

    def score(self, parts: Parts) -> float:
        """Gain less price."""
        met = self.all_of(parts)
        n, s = int(met.sum()), self.gain.loss[met].sum()
        return float(self.gain(np.array([n]), np.array([s]))[0]) - self.price(parts)

    def binned(self, axis: int, bins: int) -> tuple[np.ndarray, np.ndarray]:
        """(bin of each row, -1 for none; least and largest value of each bin as two rows)."""
        order = self.order(axis)
        values = self.values[axis][order]
        cuts = values[(np.arange(1, bins) * len(values)) // bins]
        edges = np.unique(cuts[cuts > values[0]])
        found = np.full(len(self.rows), -1)
        place = np.searchsorted(edges, values, side="right")
        found[order] = place
        starts = np.searchsorted(place, np.arange(len(edges) + 1))
        ends = np.append(starts[1:], len(values)) - 1
        return found, np.array([values[starts], values[ends]])


def proposals(grid: Grid, within: np.ndarray | None = None, taken: Sequence[int] = ()) -> list[tuple[float, Parts]]:
    """The best of every level, interval and pair, best first; within some rows only single ones."""
    found: list[tuple[float, Parts]] = []
    free = [i for i in range(len(grid.axes)) if i not in taken]
    pairs = max(1, (min(grid.levels, 5 * WIDE) + 1) * min(len(grid.value), WIDE))
    bins = BINS[3] if within is not None else next((b for b in BINS if pairs * b * (b + 1) // 2 <= WORK), BINS[-1])
    cells = {i: grid.binned(i, bins) for i in grid.value if i in free}
    found += _levels(grid, within, free)
    found += _intervals(grid, within, cells)
    found.sort(key=lambda pair: -pair[0])
    if within is None:
        order = list(dict.fromkeys([*(parts[0].axis for _, parts in found), *free]))
        level = [i for i in order if i in grid.codes][:WIDE]
        value = [i for i in order if i in grid.values][:WIDE]
        found += _two_levels(grid, level)
        found += _level_and_interval(grid, level, {i: cells[i] for i in value})
        found += _two_intervals(grid, value)
        found.sort(key=lambda pair: -pair[0])
    return found


def sums_of(grid: Grid, place: np.ndarray, size: int, within: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Rows and losses of each place; rows at -1 count nowhere."""
    place = place + 1
    loss = grid.gain.loss
    if within is not None:
        place, loss = place[within], loss[within]
    n = np.bincount(place, minlength=size + 1)[1:]
    if grid.gain.counts:
        return n, np.bincount(place[loss > 0], minlength=size + 1)[1:]
    return n, np.bincount(place, weights=loss, minlength=size + 1)[1:]


def _levels(grid: Grid, within: np.ndarray | None, free: Sequence[int]) -> Iterator[tuple[float, Parts]]:
    for i in grid.level:
        if i in free:
            gains = grid.gain(*sums_of(grid, grid.codes[i], len(grid.axes[i].levels), within))
            for code in np.flatnonzero(gains > 0):
                parts = (Part(i, (int(code),)),)
                yield float(gains[code]) - grid.price(parts), parts


def _best_intervals(grid: Grid, n: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(gain less the price of bounds, first bin, last bin) of the best run of bins in each row of two tables."""
    zero = np.zeros((len(n), 1), dtype=n.dtype)
    rows, sums = np.hstack([zero, n.cumsum(axis=1)]), np.hstack([zero.astype(s.dtype), s.cumsum(axis=1)])
    first, last = _runs(n.shape[1])
    gains = grid.gain(rows[:, last + 1] - rows[:, first], sums[:, last + 1] - sums[:, first])
    gains = gains - SIDE * ((first > 0) * 1.0 + (last < n.shape[1] - 1))
    best = gains.argmax(axis=1)
    return gains[np.arange(len(n)), best], first[best], last[best]


def _span(i: int, bounds: np.ndarray, first: int, last: int) -> Part:
    low = -np.inf if first == 0 else float(bounds[0, first])
    high = np.inf if last == bounds.shape[1] - 1 else float(bounds[1, last])
    return Part(i, (), low, high)


def _intervals(grid: Grid, within: np.ndarray | None, cells: dict) -> Iterator[tuple[float, Parts]]:
    for i, (place, bounds) in cells.items():
        n, s = sums_of(grid, place, bounds.shape[1], within)
        gains, first, last = _best_intervals(grid, n[None], s[None])
        if gains[0] > 0 and (first[0] > 0 or last[0] < bounds.shape[1] - 1):
            yield float(gains[0] - np.log(len(grid.value))), (_span(i, bounds, int(first[0]), int(last[0])),)


def _apart(grid: Grid, i: int, j: int) -> bool:
    return grid.axes[i].column != grid.axes[j].column or (grid.axes[i].part != grid.axes[j].part and i in grid.value)


def _two_levels(grid: Grid, level: Sequence[int]) -> Iterator[tuple[float, Parts]]:
    for a, i in enumerate(level):
        for j in level[a + 1:]:
            if _apart(grid, i, j):
                wide = len(grid.axes[j].levels)
                both = np.where((grid.codes[i] < 0) | (grid.codes[j] < 0), -1, grid.codes[i] * wide + grid.codes[j])
                gains = grid.gain(*sums_of(grid, both, len(grid.axes[i].levels) * wide))
                best = int(gains.argmax())
                if gains[best] > 0:
                    parts = (Part(i, (best // wide,)), Part(j, (best % wide,)))
                    yield float(gains[best]) - grid.price(parts), parts


def _level_and_interval(grid: Grid, level: Sequence[int], cells: dict) -> Iterator[tuple[float, Parts]]:
    for i in level:
        size = len(grid.axes[i].levels)
        for j, (place, bounds) in cells.items():
            if not _apart(grid, i, j):
                continue
            wide = bounds.shape[1]
            both = np.where((grid.codes[i] < 0) | (place < 0), -1, grid.codes[i] * wide + place)
            n, s = sums_of(grid, both, size * wide)
            gains, first, last = _best_intervals(grid, n.reshape(size, wide), s.reshape(size, wide))
            code = int(gains.argmax())
            if gains[code] > 0:
                span = _span(j, bounds, int(first[code]), int(last[code]))
                yield float(gains[code] - np.log(grid.levels) - np.log(len(grid.value))), (Part(i, (code,)), span)


def _two_intervals(grid: Grid, value: Sequence[int]) -> Iterator[tuple[float, Parts]]:
    pairs = [(i, j) for a, i in enumerate(value) for j in value[a + 1:] if _apart(grid, i, j)]
    bins = next((b for b in BINS[4:] if len(pairs) * (b * (b + 1) // 2)**2 <= WORK), BINS[-1])
    cells = {i: grid.binned(i, bins) for i in value}
    for i, j in pairs:
        (a, of_a), (b, of_b) = cells[i], cells[j]
        tall, wide = of_a.shape[1], of_b.shape[1]
        n, s = sums_of(grid, np.where((a < 0) | (b < 0), -1, a * wide + b), tall * wide)
        first, last = _runs(tall)
        n, s = (np.vstack([np.zeros((1, wide), dtype=t.dtype), t.reshape(tall, wide).cumsum(axis=0)]) for t in (n, s))
        gains, left, right = _best_intervals(grid, n[last + 1] - n[first], s[last + 1] - s[first])
        gains = gains - SIDE * ((first > 0) * 1.0 + (last < tall - 1))
        best = int(gains.argmax())
        if gains[best] > 0:
            parts = (_span(i, of_a, int(first[best]), int(last[best])), _span(j, of_b, int(left[best]), int(right[best])))
            yield float(gains[best] - 2 * np.log(len(grid.value))), parts
