"""The points of all models side by side: means over folds with intervals, and paired differences between sizes and models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ml_lifecycle.exploration import _judge
from ml_lifecycle.exploration._learning.fit import Point
from ml_lifecycle.exploration._learning.order import Nests
from ml_lifecycle.exploration._measure import NAN, Candidate, Problem
from ml_lifecycle.foundation.intervals import Difference, fold_interval, paired_difference
from ml_lifecycle.foundation.metrics import Metric

SPLITS = ("train", "validation")


@dataclass(frozen=True)
class Curve:
    """One model over all sizes and folds."""

    name: str
    train: np.ndarray  # (sizes, folds), nan where there is none
    validation: np.ndarray
    seconds: np.ndarray  # to fit
    bounds: np.ndarray  # (sizes, 2): from the test rows, where there is a single fold
    errors: tuple[tuple[int, int, str], ...] = ()  # (size by number, fold, what it said)
    warned: tuple[str, ...] = ()
    score: np.ndarray = field(default_factory=lambda: np.empty(0))  # (sizes,) validation
    low: np.ndarray = field(default_factory=lambda: np.empty(0))
    high: np.ndarray = field(default_factory=lambda: np.empty(0))

    @property
    def known(self) -> np.ndarray:
        """The sizes, by number, that have a score."""
        return np.flatnonzero(np.isfinite(self.score))


@dataclass(frozen=True)
class Table:
    """All curves, with what they share."""

    metric: Metric
    nests: Nests
    sizes: tuple[int, ...]
    curves: tuple[Curve, ...]  # in the order of the models
    left_out: Mapping[tuple[int, int], tuple[int, int]]  # (fold, size) -> (classes there, classes at most)
    thin: bool = False  # so few rows of a class that folds cannot tell anything apart
    rows: int = 0  # at hand

    @cached_property
    def ratios(self) -> tuple[float, ...]:
        """For each size the test rows for each training row, as far as folds share what they learn from."""
        return tuple(self.nests.ratio(size) for size in self.sizes)

    @property
    def best(self) -> Curve | None:
        """The curve that is highest where the most models are measured at their largest size."""
        ends = [curve for curve in self.curves if len(curve.known)]
        last = max((curve.known[-1] for curve in ends), default=0)
        there = [curve for curve in ends if curve.known[-1] == last]
        return max(there, key=lambda curve: self.metric.sign * curve.score[last], default=None)

    def interval(self, scores: np.ndarray, size: int) -> tuple[float, float, float]:
        """Mean and 95 % interval of one score a fold, at a size by number."""
        value, low, high = fold_interval(scores, test_ratio=self.ratios[size], bounds=(self.metric.low, self.metric.high))
        if self.thin:
            low = high = NAN
        return value, float(np.minimum(low, value)), float(np.maximum(high, value))

    def gained(self, first: np.ndarray, second: np.ndarray, size: int) -> Difference:
        """How much better the second is than the first, fold by fold, at a size by number (the larger of two)."""
        sign = self.metric.sign
        found = paired_difference(sign * np.asarray(second), sign * np.asarray(first), test_ratio=self.ratios[size])
        return Difference(found.value, NAN, NAN, NAN) if self.thin else found

    def points(self, score: float) -> float:
        """One point: 0.01 of a score that is bounded by 1, else one percent of the score."""
        return 0.01 if self.metric.high == 1 else 0.01 * abs(score)

    @property
    def size(self) -> str:
        """How much was measured, in words."""
        count = len(self.nests.each)
        return f"n = {self.nests.folds.n:,} test rows in {count} fold{'s' * (count != 1)}"


def table_of(
    problem: Problem, candidates: Sequence[Candidate], nests: Nests, sizes: tuple[int, ...],
    points: Mapping[tuple[int, int, int], Point], left_out: Mapping[tuple[int, int], tuple[int, int]]
) -> Table:
    """All points brought together."""
    thin = _judge.rarest(problem) < _judge.FEWEST_OF_CLASS
    table = Table(problem.metric, nests, sizes, (), left_out, thin, len(problem.y))
    curves = tuple(_curve(table, candidate, number, points) for number, candidate in enumerate(candidates))
    return Table(problem.metric, nests, sizes, curves, left_out, thin, len(problem.y))


def _curve(table: Table, candidate: Candidate, number: int, points: Mapping[tuple[int, int, int], Point]) -> Curve:
    shape = len(table.sizes), len(table.nests.each)
    found = [[points.get((number, fold, size), Point()) for fold in range(shape[1])] for size in range(shape[0])]
    train, validation, seconds, low, high = (
        np.array([[getattr(point, name) for point in row] for row in found], dtype=float).reshape(shape)
        for name in ("train", "validation", "fit_seconds", "low", "high"))
    errors = tuple((i, j, point.error) for i, row in enumerate(found) for j, point in enumerate(row) if point.error)
    failed = sorted({i for i, _, _ in errors})  # a mean over the folds that happened to work would flatter
    train[failed], validation[failed] = NAN, NAN
    warned = tuple(dict.fromkeys(text for row in found for point in row for text in point.warned))
    bounds = np.column_stack([low[:, 0], high[:, 0]])
    curve = Curve(candidate.name, train, validation, seconds, bounds, errors, warned)
    score, lows, highs = np.array([_validated(table, curve, i) for i in range(shape[0])]).T
    return Curve(candidate.name, train, validation, seconds, bounds, errors, warned, score, lows, highs)


def _validated(table: Table, curve: Curve, size: int) -> tuple[float, float, float]:
    scores = curve.validation[size]
    value, low, high = table.interval(scores, size)
    if len(scores) == 1 and not table.thin:
        low, high = curve.bounds[size]
    n = tested(table, scores)
    low, high = _judge._unless_perfect(value, low, high, n, table.metric) if n else (low, high)
    return value, float(np.minimum(low, value)), float(np.maximum(high, value))


def tested(table: Table, scores: np.ndarray) -> int:
    """Different rows that a score rests on."""
    rows = [nest.test for nest, score in zip(table.nests.each, scores) if np.isfinite(score)]
    return len(np.unique(np.concatenate(rows))) if rows else 0


def frame_of(table: Table) -> pd.DataFrame:
    """A row for each model, size and split."""
    rows: list[dict[str, Any]] = []
    for curve in table.curves:
        for i, n in enumerate(table.sizes):
            for split in SPLITS:
                scores = (curve.train if split == "train" else curve.validation)[i]
                value, low, high = table.interval(scores, i) if split == "train" else (curve.score[i], curve.low[i], curve.high[i])
                known = np.isfinite(scores)
                took = curve.seconds[i][np.isfinite(curve.seconds[i])]
                rows.append({"model": curve.name, "n": n, "split": split, "score": value, "low": low, "high": high,
                             "folds": int(known.sum()), "scored": n if split == "train" else tested(table, scores),
                             "fit_seconds": float(np.median(took)) if len(took) else NAN})
    return pd.DataFrame(rows)
