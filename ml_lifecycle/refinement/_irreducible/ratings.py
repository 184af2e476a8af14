"""The irreducible error from labels that several people gave: bounded on both sides, and estimated in between."""

from typing import Any

import numpy as np
from scipy import stats

from ml_lifecycle.data._agreement_findings import GUIDE
from ml_lifecycle.data._agreement_measures import human_terms
from ml_lifecycle.data._agreement_table import Labels
from ml_lifecycle.foundation._render import number
from ml_lifecycle.foundation._words import count
from ml_lifecycle.foundation.errors import BadInputError
from ml_lifecycle.foundation.intervals import Interval, holm, wilson
from ml_lifecycle.foundation.report import Finding, NextStep
from ml_lifecycle.refinement._irreducible.parts import (
    AT_LEAST,
    AT_MOST,
    ESTIMATE,
    LEVEL,
    NAN,
    PERSON,
    Array,
    Found,
    Line,
    mean_interval,
    share,
)
from ml_lifecycle.refinement._irreducible.read import Ratings

GRID = 201  # probabilities of the first of two labels, from 0 to 1
POINTS = 700  # of each kind, where there are more than two labels
MOST_ITEMS = 400  # items behind the estimate with more than two labels: enough, at a cost that does not grow
STEPS = 100  # of the EM algorithm
MORE = NextStep("let more people label the same items: 5 to 10 each", "data", "agreement(labels)")


def by_ratings(ratings: Ratings, n_boot: int, seed: int) -> Found:
    """The mean over items of 1 − the probability of their most likely label.

    The share of the labels that are not an item's most frequent one is too low on average, and the error of one rater
    against the majority of the others too high, whatever the probabilities are: the first follows from Jensen's inequality,
    the second because no answer errs less often than the most likely label.
    """
    counts = ratings.counts
    n, sizes = len(counts), counts.sum(1)
    least = mean_interval(1 - counts.max(1) / sizes, n_boot, seed)
    most = share(mean_interval(1 - human_terms(counts)[:, 0], n_boot, seed))
    value = float(np.clip(mixture(counts, seed), least.value, most.value))
    middle = f"{np.median(sizes):g} labels an item"
    lines = (Line("irreducible error", value, least.low, most.high, n, ESTIMATE, f"mixture of what the items may be; {middle}"),
             Line("labels that are not the item's most frequent one", *least, n, AT_LEAST, "too low with few labels an item"),
             Line("one rater against the majority of the others", *most, n, AT_MOST, "too high with few labels an item"))
    facts = {"items": n, "labels_an_item": float(np.median(sizes)), "at_least": least.value, "at_most": most.value}
    return Found(value, least.low, most.high, n, "accuracy", False, lines,
                 (*_few(least, most, sizes), *_left_out(ratings.left_out)), facts)


def _few(least: Interval, most: Interval, sizes: Array) -> tuple[Finding, ...]:
    """IRR002: do few labels an item blur the answer more than few items do?"""
    gap, luck = most.value - least.value, max(most.high - most.value, least.value - least.low)
    numbers = {"gap": gap, "labels_an_item": float(np.median(sizes)), "items": len(sizes)}
    told = f"{np.median(sizes):g} labels an item leave it between {number(least.value)} and {number(most.value)}"
    if gap > max(0.02, luck):
        return (Finding("IRR002", "tip", f"More labels an item would tell more than more items: {told}.", numbers, MORE),)
    return (Finding("IRR002", "passed", f"There are labels enough an item: {told}.", numbers),)


def _left_out(items: int) -> tuple[Finding, ...]:
    if not items:
        return ()
    return (Finding("IRR006", "not applicable", f"{count(items, 'item')} with fewer than two labels "
                    f"{'is' if items == 1 else 'are'} left out: one label says nothing about noise.", {"items": items}),)


# ---- the mixture: what the items may be, given how often they got each label

def _points(counts: Array, rng: np.random.Generator) -> Array:
    """Probabilities that an item may have, (points, classes): a grid for two labels, else near what was seen."""
    classes = counts.shape[1]
    if classes <= 2:
        p = np.linspace(0, 1, GRID)
        return np.column_stack([p, 1 - p])[:, :classes] if classes == 2 else np.ones((1, 1))
    base, corners, even = counts.sum(0) / counts.sum(), np.eye(classes), np.full(classes, 1 / classes)
    seen = counts[rng.choice(len(counts), POINTS)]
    wide, near = rng.gamma(seen + 0.5), rng.gamma(seen + 0.3 / classes) + 1e-12
    pull = rng.random((POINTS, 1))
    centre = np.where(rng.random((POINTS, 1)) < 0.5, base, even)
    blurred = pull * wide / wide.sum(1, keepdims=True) + (1 - pull) * centre
    return np.vstack([blurred, near / near.sum(1, keepdims=True), corners, even, base])


def mixture(counts: Array, seed: int) -> float:
    """Mean of 1 − max p under the distribution of p that makes the labels most likely (EM from an even start).

    The maximum-likelihood mixture learns a population of probabilities from few draws each (Vinayak et al. 2019, ICML);
    starting from even weights and stopping early keeps it smooth.
    """
    rng = np.random.default_rng(seed)
    if counts.shape[1] > 2 and len(counts) > MOST_ITEMS:
        counts = counts[rng.choice(len(counts), MOST_ITEMS, replace=False)]
    kinds, times = np.unique(counts, axis=0, return_counts=True)
    points = _points(counts, rng)
    logs = kinds @ np.log(np.maximum(points, 1e-12)).T
    likely = np.exp(logs - logs.max(1, keepdims=True))
    weights = np.full(len(points), 1 / len(points))
    for _ in range(STEPS):
        weights = weights * (likely.T @ (times / (likely @ weights))) / times.sum()
    return float(weights @ (1 - points.max(1)))


# ---- people

def by_annotators(table: Labels, truth: Any, n_boot: int, seed: int) -> Found:
    """What one person gets wrong: against the majority of the others, or against the truth where it is known."""
    right, of = _against_others(table.codes) if truth is None else _against_truth(table, truth)
    if not of.any():
        raise BadInputError("`data` must hold three labels of the same item, for one person to be held against a majority of "
                            "others. Got two at most. Let a third person label, or pass truth=.")
    items = of.any(1)
    terms = 1 - right[items].sum(1) / of[items].sum(1)
    one, n = share(mean_interval(terms, n_boot, seed)), int(items.sum())
    by_person = [(name, float(of[:, i].sum() - right[:, i].sum()), int(of[:, i].sum()))
                 for i, name in enumerate(table.annotators) if of[:, i].any()]
    against = "the majority of the others" if truth is None else "the truth"
    people = [Line(name, *wilson(wrong, m), m, PERSON, f"against {against}")
              for name, wrong, m in sorted(by_person, key=lambda p: p[1] / p[2])]
    lines = (Line("one person", *one, n, ESTIMATE, f"mean over items, against {against}"), *_team(table, truth, n), *people)
    return Found(*one, n, "accuracy", False, lines, _apart(by_person, against),
                 {"items": n, "annotators": len(by_person), "against": against})


def _against_others(codes: Array) -> tuple[Array, Array]:
    """(share of a hit, whether it was judged) of each label; a tie between k labels counts 1 / k."""
    right, of = np.zeros(codes.shape), np.zeros(codes.shape)
    for i in range(codes.shape[1]):
        others, rows = np.delete(codes, i, axis=1), np.arange(len(codes))
        votes = np.stack([(others == c).sum(1) for c in range(int(codes.max()) + 1)], axis=1)
        judged = (codes[:, i] >= 0) & (votes.sum(1) >= 2)
        top = votes.max(1)
        hit = (votes[rows, codes[:, i]] == top) / np.maximum(1, (votes == top[:, None]).sum(1))
        right[:, i], of[:, i] = np.where(judged, hit, 0.0), judged
    return right, of


def _truth_codes(table: Labels, truth: Any) -> Array:
    values = list(np.asarray(truth, dtype=object)) if np.ndim(truth) == 1 else []
    if len(values) != len(table.codes):
        raise BadInputError(f"`truth` must hold the right label of each item, in their order. Got {len(values)} for "
                            f"{count(len(table.codes), 'item')}.")
    place = {label: i for i, label in enumerate(table.classes)}
    return np.array([place.get(value, -2) for value in values])


def _against_truth(table: Labels, truth: Any) -> tuple[Array, Array]:
    answers = _truth_codes(table, truth)
    of = (table.codes >= 0).astype(float)
    return of * (table.codes == answers[:, None]), of


def _team(table: Labels, truth: Any, n: int) -> tuple[Line, ...]:
    """The majority of all people against the truth."""
    if truth is None:
        return ()
    answers, counts = _truth_codes(table, truth), table.counts
    judged = counts.sum(1) >= 1
    top = counts.max(1)
    at = np.where(answers >= 0, counts[np.arange(len(counts)), answers], -1)
    hit = (at == top) / np.maximum(1, (counts == top[:, None]).sum(1))
    return (Line("the majority of all", *wilson(float((1 - hit[judged]).sum()), int(judged.sum())), n, PERSON,
                 "against the truth"),)


def _apart(people: list[tuple[str, float, int]], against: str) -> tuple[Finding, ...]:
    """IRR003: is somebody surely worse than the others together?"""
    if len(people) < 2:
        return ()
    wrong, of = sum(p[1] for p in people), sum(p[2] for p in people)
    p_values = []
    for _, w, m in people:
        rest = (wrong - w) / max(1, of - m)
        pooled = wrong / of
        error = np.sqrt(max(1e-12, pooled * (1 - pooled)) * (1 / m + 1 / max(1, of - m)))
        p_values.append(float(stats.norm.sf((w / m - rest) / error)) if of > m else NAN)
    found = [(name, w / m) for (name, w, m), p in zip(people, holm(p_values)) if p < 1 - LEVEL]
    if not found:
        return (Finding("IRR003", "passed", f"No one of {len(people)} people is surely worse than the others, against "
                                            f"{against}.", {"people": len(people)}),)
    worst = max(found, key=lambda p: p[1])
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    return (Finding("IRR003", "tip", f"Not everybody labels alike: {worst[0]} errs on {number(worst[1])} of the items{more}; "
                    "the irreducible error may be that of the others.", {"names": [name for name, _ in found]}, GUIDE),)


def by_probabilities(p: Array, n_boot: int, seed: int) -> Found:
    """The mean over items of 1 − max p, where the probabilities are known (Ishida et al. 2023, ICLR)."""
    found = share(mean_interval(1 - p.max(1), n_boot, seed))
    line = Line("irreducible error", *found, len(p), ESTIMATE, "the probabilities are taken as true")
    return Found(*found, len(p), "accuracy", False, (line,), (), {"items": len(p)})


def by_numbers(rows: list[Array], n_boot: int, seed: int) -> Found:
    """The root of the mean variance among the ratings of an item, each unbiased: what one rating errs by."""
    spread = mean_interval(np.array([row.var(ddof=1) for row in rows]), n_boot, seed)
    if not spread.value:
        spread = Interval(0.0, 0.0, NAN)
    found = Interval(*np.sqrt(spread).tolist())
    line = Line("irreducible error", *found, len(rows), ESTIMATE, "root of the mean variance among the ratings of an item")
    return Found(*found, len(rows), "rmse", False, (line,), (), {"items": len(rows)})
