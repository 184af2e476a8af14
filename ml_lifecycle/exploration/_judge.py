"""The measured rows side by side: intervals, paired differences corrected for their number, and what follows from them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from ml_lifecycle.exploration._entries import Quoted
from ml_lifecycle.exploration._folds import Folds
from ml_lifecycle.exploration._measure import NAN, Candidate, Outcome, Problem
from ml_lifecycle.foundation._render import number
from ml_lifecycle.foundation.intervals import Difference, fold_interval, holm, paired_difference, wilson
from ml_lifecycle.foundation.metrics import Metric

ALPHA = 0.05
QUOTED = ("published", "human")  # kinds of rows that were measured elsewhere
FEWEST_OF_CLASS = 10  # rows of the rarer of two classes below which no difference is judged: a fold holds one or two of them
FEWEST_CHANGED = 5  # rows by which folds must differ before a difference that is the same in all of them counts
SIMPLE = ("sklearn.linear_model", "sklearn.naive_bayes", "sklearn.discriminant_analysis", "sklearn.dummy")
MIDDLING = ("sklearn.tree", "sklearn.neighbors", "sklearn.svm")


@dataclass(frozen=True)
class Row:
    """One candidate over all folds."""

    name: str
    kind: str
    scores: tuple[float, ...] = ()  # one a fold
    score: float = NAN
    low: float = NAN
    high: float = NAN
    fit_seconds: float = NAN
    predict_ms: float = NAN
    n: float = NAN
    note: str = ""
    error: str = ""
    warned: tuple[str, ...] = ()
    late: float = NAN  # the limit in seconds that it overran
    complexity: int = 2  # 0: linear and the like, 1: one tree, neighbours, 2: everything else

    @property
    def measured(self) -> bool:
        """Whether there is a score."""
        return bool(np.isfinite(self.score))


@dataclass(frozen=True)
class Table:
    """All rows, with what they share."""

    metric: Metric
    folds: Folds
    rows: tuple[Row, ...]  # best first, without a score last
    simplest: Row | None = field(default=None)
    thin: bool = False  # so few rows of a class that folds cannot tell anything apart

    def of(self, *kinds: str) -> list[Row]:
        """The rows of these kinds that have a score, best first."""
        return [row for row in self.rows if row.kind in kinds and row.measured]

    def first(self, *kinds: str) -> Row | None:
        """The best row of these kinds."""
        return next(iter(self.of(*kinds)), None)

    @property
    def size(self) -> str:
        """How much the scores rest on, for the end of a sentence."""
        count = len(self.folds.pairs)
        return f"n = {self.folds.n:,}, {count} fold{'s' * (count != 1)}"

    def better(self, a: Row, b: Row, level: float = 0.95) -> Difference:
        """How much better `a` is than `b`, positive when it is better, over the same folds."""
        first, second = (self.metric.sign * np.asarray(row.scores) for row in (a, b))
        found = paired_difference(first, second, test_ratio=self.folds.test_ratio, level=level)
        if self.thin:
            return Difference(found.value, NAN, NAN, NAN)
        if not np.isfinite(found.p) or not found.value or not np.isfinite([self.metric.low, self.metric.high]).all():
            return found
        rows = min(len(test) for _, test in self.folds.pairs)
        if found.low == found.high and abs(found.value) * rows < FEWEST_CHANGED:  # every fold says exactly the same
            return Difference(found.value, NAN, NAN, NAN)
        counted = self.metric.needs == "labels"
        return _at_least_rounded(found, first - second, rows, self.folds.test_ratio, level) if counted else found

    def compared(self, rows: Sequence[Row], other: Row) -> dict[str, tuple[Difference, float]]:
        """Each row against `other`: the difference and its p value, corrected for how many are compared (Holm)."""
        found = [self.better(row, other) for row in rows]
        return {row.name: (d, float(p)) for row, d, p in zip(rows, found, holm([d.p for d in found]))}

    def points(self, other: Row) -> float:
        """One point: 0.01 of a score that is bounded by 1, else one percent of the other's score."""
        return 0.01 if self.metric.high == 1 else 0.01 * abs(other.score)

    def headroom(self, row: Row) -> float:
        """How far a row is from a perfect score; nan when there is none."""
        perfect = self.metric.high if self.metric.greater_is_better else self.metric.low
        return abs(perfect - row.score) if np.isfinite(perfect) and perfect != row.score else NAN


def _at_least_rounded(found: Difference, apart: NDArray[Any], rows: int, test_ratio: float, level: float) -> Difference:
    """The same difference, whose spread over the folds is at least that of rounding two scores to one row of a fold.

    Shares of few rows are often the same in two or three folds by chance; a spread of zero would then prove anything. A score
    rounded to 1 / rows has the variance 1 / (12 rows²) from that alone (Sheppard 1898), a difference of two twice that.
    """
    apart = apart[np.isfinite(apart)]
    least = 1 / (rows * np.sqrt(6))
    if apart.std(ddof=1) >= least:
        return found
    error, freedom = least * np.sqrt(1 / len(apart) + test_ratio), len(apart) - 1
    half, p = error * stats.t.ppf((1 + level) / 2, freedom), 2 * stats.t.sf(abs(found.value) / error, freedom)
    return Difference(found.value, found.value - half, found.value + half, float(p))


def row_of(candidate: Candidate, outcomes: Sequence[Outcome], folds: Folds, metric: Metric) -> Row:
    """One candidate's outcomes as a row."""
    failed = [outcome.error for outcome in outcomes if outcome.error]
    warned = tuple(dict.fromkeys(text for outcome in outcomes for text in outcome.warned))
    common: dict[str, Any] = {"name": candidate.name, "kind": candidate.kind, "warned": warned}
    if failed:
        note = f"failed in {len(failed)} of {len(outcomes)} folds: {failed[0]}"
        return Row(**common, scores=tuple(o.score for o in outcomes), error=failed[0], note=note)
    scores = np.array([outcome.score for outcome in outcomes])
    known = np.isfinite(scores)
    limits = [outcome.late for outcome in outcomes if np.isfinite(outcome.late)]
    if limits:
        part = f", {metric.label} {number(float(scores[known].mean()))} on them" if known.any() else ""
        note = f"stopped after {number(limits[0])} s: {len(scores) - len(limits)} of {len(scores)} folds done{part}"
        return Row(**common, scores=tuple(map(float, scores)), late=limits[0], note=note)
    if not known.any():
        return Row(**common, scores=tuple(scores), note=f"{metric.label} is undefined in every fold")
    n = len(np.unique(np.concatenate([test for (_, test), k in zip(folds.pairs, known) if k])))
    score, low, high = fold_interval(scores, test_ratio=folds.test_ratio, bounds=(metric.low, metric.high))
    if len(outcomes) == 1:
        low, high = outcomes[0].low, outcomes[0].high
    low, high = _unless_perfect(score, low, high, n, metric)
    low, high = float(np.minimum(low, score)), float(np.maximum(high, score))  # means of floats round
    return Row(**common, scores=tuple(map(float, scores)), score=score, low=low, high=high, n=n,
               fit_seconds=float(np.median([o.fit_seconds for o in outcomes])), complexity=_complexity(candidate.what),
               predict_ms=_median([o.predict_ms for o in outcomes]),
               note="" if known.all() else f"undefined in {int((~known).sum())} of {len(scores)} folds")


def _unless_perfect(score: float, low: float, high: float, n: int, metric: Metric) -> tuple[float, float]:
    """A perfect score in every fold still leaves room for what n rows did not show (Wilson's interval of n in n)."""
    if (metric.low, metric.high) == (0, 1) and low == high and score in (0, 1):
        room = 1 - wilson(n, n).low
        return (low, low + room) if score == 0 else (high - room, high)
    return low, high


def _median(values: Iterable[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.median(known)) if known else NAN


def _complexity(what: Any) -> int:
    module = type(what.steps[-1][1] if getattr(what, "steps", None) else what).__module__
    return 0 if module.startswith(SIMPLE) else 1 if module.startswith(MIDDLING) else 2


def quoted_row(quoted: Quoted) -> Row:
    """A score that was measured elsewhere as a row."""
    return Row(quoted.name, quoted.kind, score=quoted.score, low=quoted.low, high=quoted.high, n=quoted.n, note=quoted.source)


def table_of(rows: Sequence[Row], folds: Folds, metric: Metric, rarest: float = np.inf) -> Table:
    """The rows in order, best first; `rarest` is how many rows the rarer of the two largest classes has."""
    thin = rarest < FEWEST_OF_CLASS
    if thin:
        rows = [replace(row, low=NAN, high=NAN) if row.scores else row for row in rows]
    ordered = sorted(rows, key=lambda row: -metric.sign * row.score if row.measured else np.inf)
    trained = [row for row in rows if row.kind == "model" and row.measured]
    return Table(metric, folds, tuple(ordered), min(trained, key=lambda row: row.complexity, default=None), thin)


def rarest(problem: Problem) -> float:
    """How many rows the rarer of the two largest classes has; inf without classes."""
    return float(pd.Series(problem.y).value_counts().nlargest(2).min()) if problem.task == "classification" else np.inf


def frame_of(table: Table) -> pd.DataFrame:
    """The rows as the frame of the report."""
    count = len(table.folds.pairs)
    return pd.DataFrame({
        "name": [row.name for row in table.rows],
        "score": [row.score for row in table.rows], "low": [row.low for row in table.rows],
        "high": [row.high for row in table.rows],
        "fit_seconds": [row.fit_seconds for row in table.rows], "predict_ms": [row.predict_ms for row in table.rows],
        "kind": [row.kind for row in table.rows],
        "folds": [NAN if row.kind in QUOTED else float(count) if row.measured else
                  float(np.isfinite(row.scores).sum()) if row.scores else NAN for row in table.rows],
        "n": [row.n for row in table.rows],
        "note": [row.note for row in table.rows],
    })


def span(low: float, high: float) -> str:
    """Two bounds in words."""
    return f"{number(low)} to {number(high)}" if np.isfinite(low) and np.isfinite(high) else "no interval"


def by_how_much(difference: Difference, p: float) -> str:
    """A difference with its interval and its p value."""
    p_text = "" if not np.isfinite(p) else ", p < 0.001" if p < 0.001 else f", p = {p:.3f}"
    return f"{number(difference.value)} ({span(difference.low, difference.high)}{p_text})"
