"""Ideas side by side: differences to the baseline corrected for their number, ties with the best, and the winner's curse."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ml_lifecycle.exploration._judge import ALPHA, NAN, Row, Table
from ml_lifecycle.foundation.intervals import Difference, fold_interval

FEWEST_FOLDS = 3  # folds below which nothing can be chosen on some and scored on another
NONE = Difference(NAN, NAN, NAN, NAN)


@dataclass(frozen=True)
class Honest:
    """What the choice of the best is worth on rows that it was not chosen on."""

    score: float = NAN
    low: float = NAN
    high: float = NAN
    optimism: float = NAN  # how much better the best looks than this; at least 0

    @property
    def known(self) -> bool:
        """Whether it can be told."""
        return bool(np.isfinite(self.score))


@dataclass(frozen=True)
class Leaderboard:
    """All ideas with what the baseline and the best of them say about each."""

    table: Table
    baseline: Row
    against: dict[str, tuple[Difference, float]]  # idea -> (difference to the baseline, p corrected by Holm)
    ties: tuple[Row, ...]  # ideas, or the baseline, that may be the best one, best first
    honest: Honest

    @property
    def ideas(self) -> tuple[Row, ...]:
        """All but the baseline, best first."""
        return tuple(row for row in self.table.rows if row is not self.baseline)

    @property
    def best(self) -> Row | None:
        """The row with the best score, be it the baseline."""
        return next((row for row in self.table.rows if row.measured), None)

    def verdict(self, row: Row) -> str:
        """What can be said of one row beside the baseline."""
        if row is self.baseline:
            return "baseline"
        if row.name not in self.against:
            return "no score" if not row.measured else "cannot tell"
        difference, p = self.against[row.name]
        return "cannot tell" if not p < ALPHA else "better" if difference.value > 0 else "worse"

    def of(self, verdict: str) -> list[Row]:
        """The ideas with this verdict, best first."""
        return [row for row in self.ideas if self.verdict(row) == verdict]


def leaderboard(table: Table, baseline: Row) -> Leaderboard:
    """The rows judged."""
    scored = [row for row in table.rows if row.measured]
    ideas = [row for row in scored if row is not baseline]
    against = table.compared(ideas, baseline) if baseline.measured else {}
    return Leaderboard(table, baseline, against, _ties(table, scored), honest(table, scored))


def _ties(table: Table, scored: Sequence[Row]) -> tuple[Row, ...]:
    """The rows that are not shown to be worse than the best one.

    A row leaves when the one-sided p value of its distance to the best, times the number of others, is below 5 %: then
    the truly best one stays with 95 % confidence (subset selection: Gupta 1965; Hsu 1981), although the best was picked.
    """
    if not scored:
        return ()
    best, others = scored[0], len(scored) - 1
    kept = [best]
    for row in scored[1:]:
        found = table.better(best, row)
        if not (found.value > 0 and found.p / 2 * others < ALPHA):
            kept.append(row)
    return tuple(kept)


def honest(table: Table, scored: Sequence[Row]) -> Honest:
    """The best is chosen without one fold and scored on it, for every fold in turn.

    The mean of the best of k is optimistic (Varma & Simon 2006; Tibshirani & Tibshirani 2009 estimate by how much, from the
    fold where each is best; that overshoots the more, the more folds there are). Folds that share test rows with the one
    left out, as repeated ones do, have no say in the choice.
    """
    folds = table.folds
    if len(scored) < 2 or len(folds.pairs) < FEWEST_FOLDS or table.thin:
        return Honest()
    scores = table.metric.sign * np.array([row.scores for row in scored])
    tests = [np.unique(test) for _, test in folds.pairs]
    chosen = np.full(len(tests), NAN)
    for left, rows in enumerate(tests):
        others = [i for i, test in enumerate(tests) if i != left and not len(np.intersect1d(rows, test, assume_unique=True))]
        means = _means(scores[:, others])
        if len(others) >= FEWEST_FOLDS - 1 and np.isfinite(means).any():
            chosen[left] = scores[int(np.nanargmax(means)), left]
    if not np.isfinite(chosen).all():
        return Honest()
    bounds = (table.metric.low, table.metric.high)
    value, low, high = fold_interval(table.metric.sign * chosen, test_ratio=folds.test_ratio, bounds=bounds)
    optimism = max(0.0, table.metric.sign * (scored[0].score - value))
    return Honest(value, min(low, value), max(high, value), optimism if optimism > 1e-12 else 0.0)


def _means(scores: np.ndarray) -> np.ndarray:
    """Mean of each row over the folds where it is defined; nan where it never is."""
    known = np.isfinite(scores)
    with np.errstate(invalid="ignore"):
        return np.where(known, scores, 0).sum(axis=1) / known.sum(axis=1)


def frame_of(board: Leaderboard) -> pd.DataFrame:
    """The leaderboard as the frame of the report."""
    rows = board.table.rows
    found = [board.against.get(row.name, (NONE, NAN)) for row in rows]
    tied = {row.name for row in board.ties}
    return pd.DataFrame({
        "name": [row.name for row in rows], "score": [row.score for row in rows], "low": [row.low for row in rows],
        "high": [row.high for row in rows], "difference": [d.value for d, _ in found],
        "difference_low": [d.low for d, _ in found], "difference_high": [d.high for d, _ in found],
        "p": [d.p for d, _ in found], "p_corrected": [p for _, p in found],
        "fit_seconds": [row.fit_seconds for row in rows], "kind": [row.kind for row in rows],
        "verdict": [board.verdict(row) for row in rows], "tied": [row.name in tied for row in rows],
        "note": [row.note for row in rows]})
