"""Agreement as sums over items, so that one table of resampled sums serves every measure and its interval."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_lifecycle.data._agreement_table import Labels
from ml_lifecycle.foundation._bootstrap import CELLS, quantiles
from ml_lifecycle.foundation.intervals import Interval

Array = NDArray[Any]


@dataclass(frozen=True)
class Sums:
    """Per-item terms, their totals, and their totals over resamples of the items."""

    total: Array  # (terms,)
    drawn: Array  # (resamples, terms)
    n: int  # items

    def interval(self, measure: Callable[[Array], Array], columns: slice | list[int]) -> Interval:
        """A measure of some of the totals with its percentile interval over items.

        A resample in which the measure is undefined, because a rare label is not in it, could have any value from -1 to 1.
        """
        value = float(measure(self.total[None, columns])[0])
        if np.isnan(value) or self.n < 2:
            return Interval(value, np.nan, np.nan)
        drawn = measure(self.drawn[:, columns])
        low = quantiles(np.where(np.isnan(drawn), -1.0, drawn), self.n, 0.95)[0]
        high = quantiles(np.where(np.isnan(drawn), 1.0, drawn), self.n, 0.95)[1]
        return Interval(value, min(low, value), max(high, value))


def summed(terms: Array, n_boot: int, seed: int) -> Sums:
    """The totals of per-item terms, shape (items, terms), and those of resamples of whole items."""
    n, rng, drawn = len(terms), np.random.default_rng(seed), []
    batch = max(1, CELLS // max(1, n))
    for start in range(0, n_boot, batch):
        weights = rng.multinomial(n, np.full(n, 1 / n), size=min(batch, n_boot - start))
        drawn.append(weights @ terms)
    return Sums(terms.sum(0), np.concatenate(drawn), n)


# ---- Krippendorff's alpha (Krippendorff 2019, Content Analysis, chapter 12)

def scale_of(counts: Array, values: Array, level: str) -> Array:
    """Where each label lies: on an ordinal scale at the middle of its ranks among all labels given."""
    if level == "ordinal":
        given = counts[counts.sum(1) >= 2].sum(0)
        values = np.cumsum(given) - given / 2
    return values - values.mean()


def alpha_terms(counts: Array, values: Array, level: str) -> Array:
    """(observed disagreement, labels, then what the expected disagreement is made of) of each item with two labels."""
    paired = counts[counts.sum(1) >= 2]
    m = paired.sum(1)
    if level == "nominal":
        return np.column_stack([(m**2 - (paired**2).sum(1)) / (m - 1), m, paired])
    first, second = paired @ values, paired @ values**2
    return np.column_stack([2 * (m * second - first**2) / (m - 1), m, first, second])


def alpha(sums: Array, level: str) -> Array:
    """Alpha of totals of shape (b, terms); nan where only one label was given."""
    n = sums[:, 1]
    expected = n**2 - (sums[:, 2:] ** 2).sum(1) if level == "nominal" else 2 * (n * sums[:, 3] - sums[:, 2] ** 2)
    tiny = 1e-12 * np.maximum(1.0, n**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(expected > tiny, 1 - (n - 1) * sums[:, 0] / expected, np.nan)


def at_one(found: Interval, items: int, chance: float) -> Interval:
    """Where no item differs, no resample does: the share of items that may differ unseen gives the lower bound."""
    if not found.value >= 1 - 1e-12 or chance <= 0:
        return found
    unseen = 1 - 0.025 ** (1 / max(1, items))
    return Interval(1.0, max(-1.0, 1 - unseen / chance), 1.0)


# ---- pairs, classes, percent

def pair_terms(a: Array, b: Array, classes: int) -> Array:
    """(agree, item, labels of a, labels of b) of the items that both have labelled."""
    both = np.flatnonzero((a >= 0) & (b >= 0))
    eye = np.eye(classes)
    return np.column_stack([a[both] == b[both], np.ones(len(both)), eye[a[both]], eye[b[both]]])


def cohen(sums: Array) -> Array:
    """Cohen's kappa (1960) of totals of `pair_terms`; nan where chance alone would agree always."""
    n, classes = sums[:, 1], (sums.shape[1] - 2) // 2
    with np.errstate(divide="ignore", invalid="ignore"):
        chance = (sums[:, 2: 2 + classes] * sums[:, 2 + classes:]).sum(1) / n**2
        return np.where(chance < 1 - 1e-12, (sums[:, 0] / n - chance) / (1 - chance), np.nan)


def ratio(sums: Array) -> Array:
    """The first total as a share of the second."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(sums[:, 0] / sums[:, 1])


def percent_terms(counts: Array) -> Array:
    """(agreeing share of the pairs of labels, 1) of each item with two labels."""
    paired = counts[counts.sum(1) >= 2]
    m = paired.sum(1)
    return np.column_stack([(paired * (paired - 1)).sum(1) / (m * (m - 1)), np.ones(len(m))])


def class_terms(counts: Array, place: int) -> Array:
    """(agreeing, all) pairs that hold the class, each item's pairs weighted 1 / (labels - 1), with its labels."""
    paired = counts[counts.sum(1) >= 2]
    m, own = paired.sum(1), paired[:, place]
    return np.column_stack([own * (own - 1) / (m - 1), own, m])


def class_kappa(sums: Array) -> Array:
    """Kappa of one class (Fleiss 1971): how much oftener two agree on it than its share alone would make them."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = sums[:, 1] / sums[:, 2]
        return np.where((share > 0) & (share < 1), (sums[:, 0] / sums[:, 1] - share) / (1 - share), np.nan)


def fleiss(counts: Array) -> float:
    """Fleiss' kappa (1971); nan unless every item has the same number of labels, two or more."""
    m = counts.sum(1)
    if not len(m) or m[0] < 2 or (m != m[0]).any():
        return float("nan")
    observed = ((counts * (counts - 1)).sum(1) / (m * (m - 1))).mean()
    chance = float(((counts.sum(0) / counts.sum()) ** 2).sum())
    return float((observed - chance) / (1 - chance)) if chance < 1 - 1e-12 else float("nan")


def human_terms(counts: Array) -> Array:
    """(share of its labels that are the majority's of the others, 1) of each item with three labels; ties between k: 1 / k."""
    right = np.zeros(len(counts))
    for place in range(counts.shape[1]):
        others = counts.copy()
        others[:, place] -= 1
        top = others.max(1)
        hit = (others[:, place] == top) / np.maximum(1, (others == top[:, None]).sum(1))
        right += np.where(counts[:, place] > 0, counts[:, place] * hit, 0.0)
    return np.column_stack([right / np.maximum(1, counts.sum(1)), np.ones(len(counts))])


# ---- each annotator against the others

@dataclass(frozen=True)
class Against:
    """One annotator beside the others, on the items where there are two others."""

    right: float  # labels that are the majority's of the others; a tie between k counts 1 / k
    of: int  # such items
    gap: Array  # per item: distance to the others less their distance among themselves, in chance distances
    distance: float  # mean distance to the others, in chance distances


def against_others(labels: Labels, values: Array, level: str) -> list[Against]:
    """Every annotator against the others, one left out at a time."""
    counts, found = labels.counts, []
    scale = _distances(counts.sum(0), values, level)
    for column in labels.codes.T:
        rows = np.flatnonzero((column >= 0) & (counts.sum(1) >= 3))
        own, others = column[rows], counts[rows].copy()
        others[np.arange(len(rows)), own] -= 1
        top = others.max(1, keepdims=True) if len(rows) else others[:, :1]
        hit = others[np.arange(len(rows)), own] == top[:, 0]
        right = float((hit / (others == top).sum(1)).sum())
        to, among = _distance_to(own, others, values, level), _distance_among(others, values, level)
        gap = (to - among) / scale if scale > 0 else np.zeros(len(rows))
        distance = float(to.mean() / scale) if len(rows) and scale > 0 else float("nan")
        found.append(Against(right, len(rows), gap, distance))
    return found


def _distance_to(own: Array, others: Array, values: Array, level: str) -> Array:
    m = others.sum(1)
    if level == "nominal":
        return np.asarray(1 - others[np.arange(len(own)), own] / np.maximum(m, 1))
    mine = values[own]
    return np.asarray(mine**2 - 2 * mine * (others @ values) / m + others @ values**2 / m)


def _distance_among(others: Array, values: Array, level: str) -> Array:
    m = others.sum(1)
    if level == "nominal":
        return np.asarray(1 - (others * (others - 1)).sum(1) / (m * (m - 1)))
    return np.asarray(2 * (m * (others @ values**2) - (others @ values) ** 2) / (m * (m - 1)))


def _distances(total: Array, values: Array, level: str) -> float:
    """The mean distance of two labels drawn from all of them: what chance would give."""
    n = total.sum()
    if n < 2:
        return 0.0
    if level == "nominal":
        return float((n**2 - (total**2).sum()) / (n * (n - 1)))
    return float(2 * (n * (total @ values**2) - (total @ values) ** 2) / (n * (n - 1)))
