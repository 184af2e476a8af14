"""Slices that one half of the rows proposes, judged on the other half: nothing is told by the rows that it was chosen on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from ml_lifecycle.foundation.intervals import Interval, holm, wilson
from ml_lifecycle.refinement._slice.axes import Condition, met
from ml_lifecycle.refinement._slice.find import SAME, Offer

FEWEST = 5  # groups that a slice needs


@dataclass(frozen=True)
class Judged:
    """A slice with what the rows that it was not chosen on say."""

    conditions: tuple[Condition, ...]
    mask: np.ndarray  # of all rows
    inside: np.ndarray  # which of those rows are in the slice
    outside: np.ndarray  # and which are not
    rate: Interval
    rest: Interval
    uplift: Interval
    p: float  # one-sided; not yet corrected
    score: float  # of the search

    @property
    def text(self) -> str:
        """The predicate in words."""
        return " and ".join(str(condition["text"]) for condition in self.conditions)


def judge(table: pd.DataFrame, loss: np.ndarray, rows: np.ndarray, offered: Sequence[Offer],
          groups: np.ndarray | None) -> list[Judged]:
    """Every proposal on rows that it was not chosen on."""
    found = []
    for score, conditions in offered:
        mask = met(conditions, table)
        inside, outside = rows[mask[rows]], rows[~mask[rows]]
        if not len(inside) or not len(outside):
            continue
        p = surprise(loss, inside, outside, groups)
        rate, rest = (level_of(loss[part], None if groups is None else groups[part]) for part in (inside, outside))
        found.append(Judged(conditions, mask, inside, outside, rate, rest, apart(rate, rest), p, score))
    return found


def surprise(loss: np.ndarray, inside: np.ndarray, outside: np.ndarray, groups: np.ndarray | None) -> float:
    """One-sided p of so much loss in the rows `inside`, were they drawn at random from these and those `outside`.

    Fisher's exact test for errors. For a loss the permutation distribution of its mean, by its first three moments
    (Pearson type III, Mielke & Berry 2007). Rows that come in groups count as fewer (`crowding`).
    """
    size, n = len(inside), len(inside) + len(outside)
    if not size or not len(outside):
        return 1.0
    crowd, crowd_out = (1.0 if groups is None else crowding(loss[part], groups[part]) for part in (inside, outside))
    if crowd == size:
        return 1.0
    between = 0.0 if groups is None else _between(loss, inside, outside, groups)
    if loss.dtype == bool:
        bad, few = int(np.floor(loss[inside].sum() / crowd)), int(np.ceil(size / crowd))
        worse, many = int(np.ceil(loss[outside].sum() / crowd_out)), int(np.ceil(len(outside) / crowd_out))
        return max(between, float(stats.hypergeom.sf(bad - 1, few + many, bad + worse, few)))
    every = np.append(loss[inside], loss[outside])
    off = every - every.mean()
    spread = (off**2).mean()
    if n < 4 or spread <= 0:
        return 1.0
    variance = size * (n - size) / (n - 1) * spread * crowd
    third = size * (n - size) * (n - 2 * size) / ((n - 1) * (n - 2)) * (off**3).mean()
    return max(between, float(stats.pearson3.sf(off[:size].sum() / np.sqrt(variance), third / variance**1.5)))


def _between(loss: np.ndarray, inside: np.ndarray, outside: np.ndarray, groups: np.ndarray) -> float:
    """One-sided p of the same by Welch's test of the groups, which holds for few of them."""
    means, errors, many = [], [], []
    for part in (inside, outside):
        place = np.unique(groups[part], return_inverse=True)[1]
        k, mean = int(place.max()) + 1, loss[part].mean()
        sums = np.bincount(place, weights=loss[part] - mean)
        means.append(float(mean))
        errors.append(float((sums**2).sum()) / len(part)**2 * k / max(1, k - 1))
        many.append(k)
    if min(many) < FEWEST or sum(errors) <= 0:
        return 1.0
    freedom = sum(errors)**2 / sum(e**2 / (k - 1) for e, k in zip(errors, many))
    return float(stats.t.sf((means[0] - means[1]) / np.sqrt(sum(errors)), freedom))


def crowding(loss: np.ndarray, groups: np.ndarray) -> float:
    """How many rows count as one because those of a group go together; at least 1.

    The design effect of Rao & Scott (1992), for few groups corrected as by Korn & Graubard (1998).
    """
    n, mean = len(loss), float(loss.mean())
    _, place = np.unique(groups, return_inverse=True)
    many = int(place.max()) + 1
    if many == n:
        return 1.0
    if many < 2:
        return float(n)
    plain = float(loss.astype(float).var())
    whole = np.bincount(place, weights=loss - mean)
    crowd = max(1.0, many / (many - 1) * (whole**2).sum() / n / plain) if plain > 0 else n / many
    return float(min(n, crowd * (stats.t.ppf(0.975, many - 1) / stats.norm.ppf(0.975))**2))


def level_of(loss: np.ndarray, groups: np.ndarray | None) -> Interval:
    """The rate of errors (Wilson 1927), or the mean loss (t interval corrected for skewness, Johnson 1978)."""
    crowd = 1.0 if groups is None else crowding(loss, groups)
    mean, n = float(loss.mean()), len(loss) / crowd
    if loss.dtype == bool:
        return wilson(min(n, mean * n), n)
    spread = float(loss.std(ddof=1)) if n > 1 else 0.0
    if spread <= 0:
        return Interval(mean, mean if n > 1 else -np.inf, mean if n > 1 else np.inf)
    shift = float(((loss - mean)**3).mean()) / spread**2 / (6 * n)
    half = float(stats.t.ppf(0.975, n - 1)) * spread / np.sqrt(n)
    return Interval(mean, min(mean, mean + shift - half), max(mean, mean + shift + half))


def apart(inside: Interval, outside: Interval) -> Interval:
    """The difference of two rates from the interval of each (Newcombe 1998, method 10)."""
    gap = inside.value - outside.value
    low = gap - np.hypot(inside.value - inside.low, outside.high - outside.value)
    high = gap + np.hypot(inside.high - inside.value, outside.value - outside.low)
    return Interval(float(gap), float(low), float(high))


def difference(bad: float, rows: float, other_bad: float, other_rows: float) -> tuple[float, float]:
    """Bounds of the 95 % interval of one share less another (Newcombe 1998, method 10)."""
    gap = apart(wilson(bad, rows), wilson(other_bad, other_rows))
    return gap.low, gap.high


def settled(judged: Sequence[Judged], loss: np.ndarray, groups: np.ndarray | None, alpha: float) -> list[tuple[Judged, float]]:
    """(slice, p corrected by Holm) of those that hold, the surest first.

    A slice has to hold without the rows of the surer ones, too: else it is their shadow.
    """
    corrected = holm([one.p for one in judged])
    order = sorted(range(len(judged)), key=lambda i: (judged[i].p, -judged[i].score))
    kept: list[tuple[Judged, float]] = []
    gone = np.zeros(len(loss), dtype=bool)
    for i in order:
        one = judged[i]
        if corrected[i] >= alpha or one.uplift.value <= 0 or any(_twice(one.mask, other.mask) for other, _ in kept):
            continue
        inside, outside = (part[~gone[part]] for part in (one.inside, one.outside))
        if not kept or len(judged) * surprise(loss, inside, outside, groups) < alpha:
            kept.append((one, float(corrected[i])))
            gone |= one.mask
    return kept


def _twice(mask: np.ndarray, other: np.ndarray) -> bool:
    """Whether most rows of a slice are in another one, or the other way round."""
    both = int((mask & other).sum())
    return both > SAME * max(1, min(int(mask.sum()), int(other.sum())))
