"""Rows dealt out to train, validation and test, or drawn for a sample: pure functions over arrays.

Parts are numbered 0 (train), 1 (validation), 2 (test); -1 is set aside.
"""

import numpy as np
import pandas as pd

from ml_lifecycle.foundation._words import count
from ml_lifecycle.foundation.errors import BadInputError

PARTS = ("train", "val", "test")
MOST_GROUPS = 20_000  # above it groups are dealt out by size alone: so many of them balance the classes by themselves


def check_fractions(test: float, val: float) -> np.ndarray:
    """The shares of train, validation and test; raises BadInputError when they are none."""
    for name, value, low in (("test", test, "above 0"), ("val", val, "from 0")):
        number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
        if not number or not 0 <= value < 1 or (name == "test" and value == 0):
            raise BadInputError(f"`{name}` must be a share of the rows {low} to below 1. Got {value!r}.")
    if test + val >= 1:
        raise BadInputError(f"`test` and `val` must leave rows to train on: their sum is below 1. Got {test} + {val}.")
    return np.array([1 - test - val, val, test], dtype=float)


def deal_rows(
    codes: np.ndarray,  # class of each row as 0, 1, …; all 0 where there are none
    times: np.ndarray | None,  # time of each row as a number, nan where unknown
    groups: np.ndarray | None,  # group of each row as 0, 1, …; -1 where unknown
    shares: np.ndarray,  # of train, validation and test
    seed: int,
) -> tuple[np.ndarray, list[str]]:
    """The part of each row, and what is to be said about it."""
    rng = generator(seed)
    usable = np.ones(len(codes), dtype=bool)
    notes = []
    for what, known in (("time", None if times is None else ~np.isnan(times)),
                        ("group", None if groups is None else groups >= 0)):
        if known is not None and not known.all():
            notes.append(f"Set aside: {count(int((~known).sum()), 'row')} without a {what}.")
            usable &= known
    kept = codes[usable]
    if times is not None and groups is not None:
        found, more = by_time_and_group(times[usable], pd.factorize(groups[usable])[0], shares, rng)
    elif times is not None:
        found, more = by_time(times[usable], shares, rng)
    elif groups is not None:
        found, more = by_group(pd.factorize(groups[usable])[0], kept, shares, rng), []
    else:
        found, more = by_class(kept, shares, rng), []
    parts = np.full(len(codes), -1, dtype=np.int8)
    parts[usable] = found
    empty = [PARTS[part] for part in np.flatnonzero(shares) if not (parts == part).any()]
    if empty:
        raise BadInputError(f"`data` must have rows for every part. Got {len(kept)} rows, which leave none for "
                            f"{' and '.join(empty)}. Bring more rows, or ask for larger shares.")
    return parts, notes + more + _odd_sizes(parts, shares)


def absent_classes(codes: np.ndarray, parts: np.ndarray, shares: np.ndarray, classes: tuple) -> list[str]:
    """Notes on classes that a part lacks altogether."""
    notes = []
    for part in np.flatnonzero(shares):
        held = np.bincount(codes[parts == part], minlength=len(classes))
        absent = [str(label) for label, rows in zip(classes, held) if not rows]
        if absent:
            notes.append(f"{PARTS[part]} has no row of {len(absent)} class{'es' * (len(absent) > 1)}: "
                         f"{', '.join(absent[:5])}{' …' if len(absent) > 5 else ''}.")
    return notes


def _odd_sizes(parts: np.ndarray, shares: np.ndarray) -> list[str]:
    """A note where a part is far from the size asked for: ties in time and large groups cannot be cut."""
    used = max(1, int((parts >= 0).sum()))
    real = np.array([(parts == part).sum() for part in range(3)]) / used
    odd = [f"{PARTS[p]} holds {real[p]:.0%} of the rows used, {shares[p]:.0%} were asked for"
           for p in np.flatnonzero(shares) if abs(real[p] - shares[p]) > max(0.05, 1.5 / used)]
    return [f"Whole times and groups cannot be cut: {'; '.join(odd)}."] if odd else []


def generator(seed: object) -> np.random.Generator:
    """Random numbers from a seed; raises BadInputError unless it is one."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise BadInputError(f"`seed` must be a whole number from 0. Got {seed!r}. Try seed=0.")
    return np.random.default_rng(int(seed))


def allocate(counts: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """How many rows of each class go to each part (classes x 3).

    Each number is within one of its share, and no class is without train rows. Rounding is cumulative over the
    classes, so that parts have the sizes asked for and rare classes are not all lost.
    """
    given = np.zeros((len(counts), 3), dtype=int)
    order = np.argsort(-counts, kind="stable")
    for part in (1, 2):
        ends = np.floor(np.cumsum(counts[order]) * shares[part] + 0.5 + 1e-9).astype(int)
        given[order, part] = np.diff(ends, prepend=0)
    for row in np.flatnonzero(given[:, 1:].sum(axis=1) >= np.maximum(counts, 1)):
        while given[row, 1:].sum() >= max(counts[row], 1) and given[row, 1:].sum() > 0:
            part = 1 if given[row, 1] >= given[row, 2] and given[row, 1] else 2
            given[row, part] -= 1
    given[:, 0] = counts - given[:, 1] - given[:, 2]
    return given


def by_class(codes: np.ndarray, shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Parts at random, each class dealt out by its share. One class over all rows: a plain shuffle."""
    counts = np.bincount(codes)
    given = allocate(counts, shares)
    parts = np.zeros(len(codes), dtype=np.int8)
    shuffled = rng.permutation(len(codes))
    for label in np.flatnonzero(counts):
        rows = shuffled[codes[shuffled] == label]
        parts[rows] = np.repeat(np.arange(3), given[label])
    return parts


def draw(codes: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Sorted positions of `n` rows, each class by its share, none that has two rows with fewer than two."""
    counts = np.bincount(codes)
    least = np.minimum(counts, 2)
    if n < least.sum():
        raise BadInputError(f"`n` must leave two rows of each class: at least {least.sum()}. Got {n}.")
    ends = np.floor(np.cumsum(counts) * (n / counts.sum()) + 0.5 + 1e-9).astype(int)
    take = np.maximum(np.diff(ends, prepend=0), least)
    while take.sum() > n:  # what rare classes were given is taken from the largest
        room = take - least
        take[np.argmax(room)] -= min(int(take.sum() - n), max(1, int(room.max()) // 2))
    shuffled = rng.permutation(len(codes))
    rows = [shuffled[codes[shuffled] == label][:most] for label, most in enumerate(take) if most]
    return np.sort(np.concatenate(rows))


def _cuts(times: np.ndarray, shares: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """Distinct times in order, and after how many of them validation and test begin."""
    values, counts = np.unique(times, return_counts=True)
    ends = np.cumsum(counts)
    need = 3 if shares[1] else 2
    if len(values) < need:
        return values, []
    test = _nearest(ends, len(times) * (1 - shares[2]), need - 1, len(values) - 1)
    val = _nearest(ends, len(times) * shares[0], 1, test - 1) if shares[1] else test
    return values, [val, test]


def _nearest(ends: np.ndarray, wanted: float, low: int, high: int) -> int:
    """The number of distinct times, from `low` to `high`, that hold the number of rows nearest to `wanted`."""
    return low + int(np.argmin(np.abs(ends[low - 1: high] - wanted)))


def by_time(times: np.ndarray, shares: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, list[str]]:
    """Parts in the order of time, cut between distinct times."""
    values, cuts = _cuts(times, shares)
    if cuts:
        return np.searchsorted(values[cuts], times, side="right").astype(np.int8), []  # without val both cuts are one
    order = np.lexsort((rng.random(len(times)), times))
    given = allocate(np.array([len(times)]), shares)[0]
    parts = np.empty(len(times), dtype=np.int8)
    parts[order] = np.repeat(np.arange(3), given)
    return parts, [f"There are only {len(values)} distinct times: rows of one time stand in more than one part."]


def _group_table(groups: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Rows of each class in each group (groups x classes)."""
    width = int(classes.max()) + 1
    flat = np.bincount(groups * width + classes, minlength=(int(groups.max()) + 1) * width)
    return flat.reshape(-1, width).astype(float)


def by_group(groups: np.ndarray, classes: np.ndarray, shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Parts of whole groups, near the shares asked for in rows and, as far as groups allow, in each class.

    Large groups are placed first, each where the counts of rows by class are furthest below their share (a greedy
    minimum of the chi-square distance).
    """
    many = int(groups.max()) + 1
    active = np.flatnonzero(shares)
    if many < len(active):
        raise BadInputError(f"`group` must have at least {len(active)} groups, one for each part. Got {many}. "
                            "Name another column, or split without a group.")
    if many > MOST_GROUPS:
        return _by_many_groups(np.bincount(groups), shares, rng)[groups]
    table = _group_table(groups, classes)
    place = _place(table, shares, active, rng)
    for part in active:
        if not (place == part).any():  # a part without a group gets the smallest one of a part that can spare it
            spare = [g for g in np.argsort(table.sum(axis=1)) if (place == place[g]).sum() > 1]
            place[spare[0]] = part
    return place[groups]


def _by_many_groups(sizes: np.ndarray, shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    order = rng.permutation(len(sizes))
    middle = np.cumsum(sizes[order]) - sizes[order] / 2
    place = np.empty(len(sizes), dtype=np.int8)
    place[order] = np.searchsorted(np.cumsum(shares[:2]) * sizes.sum(), middle, side="right")
    return place


def _place(table: np.ndarray, shares: np.ndarray, active: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    wanted = np.outer(shares[active], table.sum(axis=0))
    order = rng.permutation(len(table))
    order = order[np.argsort(-table[order].sum(axis=1), kind="stable")]
    place = np.empty(len(table), dtype=np.int8)
    held = np.zeros_like(wanted)
    scale = 1 / (wanted + 1e-9) / np.maximum(table.sum(axis=0) > 0, 1)
    for group in order:
        rows = table[group]
        part = int(np.argmin((rows * (2 * (held - wanted) + rows) * scale).sum(axis=1)))
        held[part] += rows
        place[group] = active[part]
    return place


def by_time_and_group(times: np.ndarray, groups: np.ndarray, shares: np.ndarray,
                      rng: np.random.Generator) -> tuple[np.ndarray, list[str]]:
    """Parts that follow each other in time and share no group; what would break either rule is set aside.

    First each group goes to the part in which it first appears. Where that leaves a part with less than half of
    its rows, groups are dealt out at random instead. Either way rows outside of their part's window are set aside.
    """
    values, cuts = _cuts(times, shares)
    if not cuts:
        raise BadInputError(f"`time` must have at least {3 if shares[1] else 2} distinct values to split by time and "
                            f"group. Got {len(values)}. Name another column, or split without a time.")
    window = np.searchsorted(values[cuts], times, side="right")  # without validation both cuts are one
    first = pd.Series(window).groupby(groups).min().to_numpy()
    parts = np.where(first[groups] == window, window, -1).astype(np.int8)
    how = "each group belongs to the part in which it first appears"
    if _short(parts, shares):
        place = _deal(_group_table(groups, window), shares, rng)
        parts = np.where(place[groups] == window, window, -1).astype(np.int8)
        how = "groups come back over time, so they are dealt out to the parts at random"
    lost = int((parts < 0).sum())
    empty = [PARTS[part] for part in np.flatnonzero(shares) if not (parts == part).any()]
    if empty:
        raise BadInputError("`time` and `group` must leave rows for every part. Got none for "
                            f"{' and '.join(empty)}. Split by one of the two.")
    note = f"By time and by group: {how}; {lost:,} of {len(parts):,} rows outside of their part's time are set aside."
    return parts, [note] if lost else []


def _short(parts: np.ndarray, shares: np.ndarray) -> bool:
    return any((parts == part).sum() < 0.5 * shares[part] * len(parts) for part in np.flatnonzero(shares))


def _deal(table: np.ndarray, shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Groups (rows: how many rows each has in each window) in random order, each to the part that it serves best."""
    wanted = shares * table.sum()
    held = np.zeros(3)
    place = np.zeros(len(table), dtype=np.int8)
    scale = np.where(shares > 0, 1 / np.maximum(wanted, 1e-9), 0)
    for group in rng.permutation(len(table)):
        gain = table[group] * scale * np.maximum(1e-3, 1 - held * scale)
        best = int(np.argmax(gain))
        held[best] += table[group, best]
        place[group] = best
    return place
