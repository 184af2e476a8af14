"""Bounds of the irreducible error from the data alone: what a row's nearest neighbours say about its label."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse, stats
from sklearn.neighbors import NearestNeighbors

from ml_lifecycle.exploration import _columns, _edge
from ml_lifecycle.exploration._entries import infer_task
from ml_lifecycle.exploration.pipelines import prepare
from ml_lifecycle.foundation import _scores
from ml_lifecycle.foundation._render import number
from ml_lifecycle.foundation._words import count
from ml_lifecycle.foundation.errors import BadInputError, one_of
from ml_lifecycle.foundation.intervals import Interval, wilson
from ml_lifecycle.foundation.report import Finding, NextStep
from ml_lifecycle.refinement._irreducible.parts import (
    AT_LEAST,
    AT_MOST,
    LEVEL,
    Array,
    Found,
    Line,
    lowest_of,
    mean_interval,
)

FEWEST = 30  # rows
MOST_ROWS = 10_000  # rows that are looked at: all distances between them are taken
SIZES = (1, 3, 5, 9, 17, 33, 65)  # neighbours that vote
FEW = 5  # rows of a class, on average, for neighbours to say anything of it
TIES = 4  # neighbours of Devijver's rule, which abstains from ties
ALIKE = 2.0  # rows that err together, being each other's neighbours: measured, the variance is 1.2 to 2.5 times that of lone rows
HALVES = 4  # random halves of the rows, to see whether the error still falls
PEOPLE = NextStep("have several people label some of the rows: that tells it without an assumption", "data",
                  "irreducible_error(labels)")


@dataclass(frozen=True)
class Near:
    """Rows with what their neighbours carry."""

    own: Array  # (n,) codes or numbers
    around: Array  # (n, k) those of the nearest neighbours, nearest first
    places: Array  # (n, k) which rows they are
    dimension: float  # how many directions the rows spread in (Levina & Bickel 2004)
    classes: int  # 0: numbers
    rows: int  # rows there were, drawn or not

    @property
    def n(self) -> int:
        """How many rows."""
        return len(self.own)


def neighbours_of(X: Any, y: Any, task: str | None, seed: int) -> Near:
    """The nearest rows of each row, on prepared columns of one scale; rows are drawn where there are many."""
    table = _columns.as_table(X)
    column, found = _edge.target_of(y, table.shape[0], FEWEST)
    if task is not None:
        one_of(task, ("classification", "regression"), "task", noun="Tasks")
    task = task or infer_task(column)
    if task == "regression":
        own, classes = _edge.numbers_of(column, found, not _edge.too_many(found, len(column))), 0
    else:
        own, labels = _scores.distinct(column)
        classes = len(labels)
    rows = np.random.default_rng(seed).permutation(table.shape[0])[:MOST_ROWS]
    part = table.iloc[rows] if isinstance(table, pd.DataFrame) else table[rows]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            points = prepare(part, seed=seed).fit_transform(part)
        except BadInputError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a column holds becomes one line
            raise BadInputError(f"`X` must be columns that can be made numbers. Got {type(error).__name__}: "
                                f"{' '.join(str(error).split())[:150]}. Pass a table of numbers and categories.") from None
        most = min(SIZES[-1], len(rows) // 5)
        points = points if sparse.issparse(points) else np.asarray(points, dtype=float)
        far, places = NearestNeighbors(n_neighbors=most).fit(points).kneighbors()
    values = np.asarray(own)[rows]
    return Near(values, values[places], places, _dimension(far), classes, table.shape[0])


def _dimension(far: Array) -> float:
    """The maximum-likelihood dimension of Levina & Bickel; 0 where most rows have copies of themselves."""
    reach = far[:, min(far.shape[1], 20) - 1]
    near = far[:, :min(far.shape[1], 20) - 1]
    spread = (reach > 0) & (near > 0).all(1)
    if spread.mean() < 0.5:
        return 0.0
    inverse = np.log(reach[spread, None] / near[spread]).mean(1)
    return float(1 / max(1e-9, inverse.mean()))


def _loss(near: Near, k: int) -> Array:
    """What the k nearest rows get wrong about each row: an error rate, or a squared error rid of its own noise."""
    around = near.around[:, :k]
    if not near.classes:
        return np.asarray((near.own - around.mean(1)) ** 2 / (1 + 1 / k))
    votes = np.stack([(around == c).sum(1) for c in range(near.classes)], axis=1)
    top = votes.max(1)
    hit = (votes[np.arange(near.n), near.own] == top) / (votes == top[:, None]).sum(1)
    return np.asarray(1 - hit)


def _left_out(near: Near, loss: Array, n_boot: int, seed: int, level: float) -> Interval:
    """The mean loss of rows that were left out in turn: each counts as one half, as they vote for each other."""
    if near.classes:
        return wilson(float(loss.sum()) / ALIKE, near.n / ALIKE, level)
    found, wider = mean_interval(loss, n_boot, seed, level), float(np.sqrt(ALIKE))
    return Interval(found.value, max(0.0, found.value - wider * (found.value - found.low)),
                    found.value + wider * (found.high - found.value))


def _fall(near: Near, seed: int) -> Interval:
    """By how much the loss of one neighbour falls when the rows double, with its 95 % interval (paired)."""
    rng, now, change = np.random.default_rng(seed), _loss(near, 1), np.zeros(near.n)
    for _ in range(HALVES):
        kept = rng.random(near.n) < 0.5
        inside = kept[near.places]
        first = near.around[np.arange(near.n), np.where(inside.any(1), inside.argmax(1), 0)]
        half = (near.own - first) ** 2 / 2 if not near.classes else (near.own != first).astype(float)
        change += (half - now) / HALVES
    mean, error = float(change.mean()), float(change.std()) * np.sqrt(ALIKE / near.n)
    z = float(stats.norm.ppf((1 + LEVEL) / 2))
    return Interval(mean, mean - z * error, mean + z * error)


def still_to_fall(near: Near, fall: Interval) -> float:
    """How much further the loss of one neighbour may fall with endless rows.

    What the distance to the neighbour adds shrinks like n^(−1/d) or faster (Snapp & Venkatesh 1998, Annals of Statistics 26,
    for smooth densities; a sharp border is the slow case), so that one doubling tells what the others can bring. A truth
    that changes faster than neighbours are apart looks like noise at every size: no rows of this number tell the two apart.
    """
    if near.dimension == 0:
        return 0.0
    return max(0.0, fall.high) / max(1e-9, 2 ** (1 / near.dimension) - 1)


def cover_hart(error: float, classes: int) -> float:
    """The lowest irreducible error that a nearest neighbour with such an error leaves possible (Cover & Hart 1967)."""
    most = (classes - 1) / classes
    return float(most * (1 - np.sqrt(max(0.0, 1 - error / most))))


def devijver(near: Near) -> Array:
    """Errors of a vote of an even number of neighbours that abstains from ties (Devijver 1979), with two classes."""
    ones = near.around[:, :TIES].sum(1)
    return np.where(near.own == 1, ones < TIES / 2, ones > TIES / 2).astype(float)


def by_neighbours(X: Any, y: Any, task: str | None, n_boot: int, seed: int) -> Found:
    """Between Cover & Hart's lower bound, as far as rows allow it, and the best vote of neighbours."""
    near = neighbours_of(X, y, task, seed)
    sizes = [k for k in SIZES if k <= near.around.shape[1]]
    level = 1 - (1 - LEVEL) / len(sizes)
    losses = [_loss(near, k) for k in sizes]
    voted = [_left_out(near, loss, n_boot, seed, level) for loss in losses]
    best, high = lowest_of(voted)
    fall, value = _fall(near, seed), voted[best].value
    left = still_to_fall(near, fall)
    base = max(0.0, voted[0].low - left) if near.classes * FEW <= near.n else 0.0
    low = min(value, cover_hart(base, near.classes) if near.classes else base)
    lines = _lines(near, sizes, voted, low)
    facts = {"rows": near.n, "neighbours": sizes[best], "falls_by": fall.value, "may_still_fall_by": left,
             "dimension": near.dimension}
    if not near.classes:
        value, low, high = (float(np.sqrt(v)) for v in (value, low, high))
    metric = "accuracy" if near.classes else "rmse"
    findings = (_known_faults(near, fall, left, low), *_drawn(near))
    return Found(value, low, high, near.n, metric, True, lines, findings, facts)


def _lines(near: Near, sizes: list[int], voted: list[Interval], low: float) -> tuple[Line, ...]:
    names = [count(k, "nearest neighbour") for k in sizes]
    if not near.classes:
        root, least = [Interval(*np.sqrt(found).tolist()) for found in voted], float(np.sqrt(low))
        return (*(Line(name, *found, near.n, AT_MOST, "less what its own noise adds") for name, found in zip(names, root)),
                Line("lowest possible", least, least, least, near.n, AT_LEAST, "less what more rows may still bring"))
    lines = [Line(name, *found, near.n, AT_MOST, "a real classifier's error, each row left out in turn")
             for name, found in zip(names, voted)]
    bound = Interval(*(cover_hart(v, near.classes) for v in voted[0]))
    lines.append(Line("Cover & Hart 1967", *bound, near.n, AT_LEAST, "true with endless rows; too high while the error falls"))
    if near.classes == 2:
        lines.append(Line("Devijver 1979", *wilson(float(devijver(near).sum()) / ALIKE, near.n / ALIKE), near.n, AT_LEAST,
                          f"{TIES} neighbours, ties left out; true with endless rows"))
    return (*lines, Line("lowest possible", low, low, low, near.n, AT_LEAST, "Cover & Hart, less what more rows may still bring"))


def _known_faults(near: Near, fall: Interval, left: float, low: float) -> Finding:
    """IRR004: which way neighbours are known to err, and whether it can be seen here."""
    numbers = {"fall": fall.value, "low": fall.low, "high": fall.high, "may_still_fall_by": left, "dimension": near.dimension}
    unit = "error" if near.classes else "squared error"
    said = (f"twice the rows lower the {unit} of one neighbour by {number(fall.value)} ({number(fall.low)} to "
            f"{number(fall.high)}; {count(near.n, 'row')}, about {near.dimension:.0f} directions)")
    if low > 0:
        return Finding("IRR004", "passed", "Neighbours are near enough for a lower bound, if the truth does not change between "
                       f"them: {said}.", numbers)
    return Finding("IRR004", "tip", "Neighbours are known to be pessimistic, all the more with many columns, so that they give "
                   f"an upper bound alone here, and no lower one: {said}.", numbers, PEOPLE)


def _drawn(near: Near) -> tuple[Finding, ...]:
    if near.n >= near.rows:
        return ()
    return (Finding("IRR006", "not applicable", f"{near.n:,} of {count(near.rows, 'row')} were drawn: all distances between "
                    "them are taken.", {"rows": near.rows, "used": near.n}),)
