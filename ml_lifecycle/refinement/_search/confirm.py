"""The winner of a search against the estimator as given, on what neither was chosen by."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ml_lifecycle.exploration._entries import Asked
from ml_lifecycle.exploration._folds import Folds, make_folds
from ml_lifecycle.exploration._measure import seeded
from ml_lifecycle.foundation._bootstrap import quantiles, resampled
from ml_lifecycle.foundation.intervals import paired_difference
from ml_lifecycle.foundation.metrics import predict_with
from ml_lifecycle.refinement._breakdown.model import Side
from ml_lifecycle.refinement._search.run import Search, Trial, tried
from ml_lifecycle.refinement._search.subject import NAN, with_params

DRAWS = 1_000  # resamples of rows that were held out


def fresh_folds(asked: Asked, cv: Any, folds: Folds, seed: int) -> Folds | None:
    """Folds that the search has not seen: drawn anew, or with other borders in time; None when they were given."""
    if not isinstance(cv, (int, np.integer)):
        return None
    problem, count = asked.problem, 2 * int(cv) + (asked.times is not None)  # an odd number shares no border in time
    found = make_folds(problem.X, problem.y, task=problem.task, cv=count, groups=asked.groups, times=asked.times,
                       seed=(seed + 1) % 2**32)
    return replace(found, how=f"fresh: {found.how}") if len(found.pairs) > 1 else None


@dataclass(frozen=True)
class Gain:
    """How much better the best candidate is than the estimator as given, on what neither was chosen by."""

    best: float
    default: float
    value: float = NAN  # best - default, positive when the best is better
    low: float = NAN
    high: float = NAN
    p: float = NAN
    n: int = 0  # different rows
    how: str = ""
    error: str = ""


def on_folds(search: Search, params: Mapping[str, Any], folds: Folds) -> Gain:
    """The best against the estimator as given, fold by fold."""
    again = replace(search, subject=replace(search.folded, folds=folds, race=False), log=None, until=np.inf)
    both = [Trial(0, 0, {}, None), Trial(1, 1, dict(params), None)]
    default, best = sorted(tried(again, both, range(len(folds.pairs)), False), key=lambda trial: trial.number)
    sign, error = search.sign, best.error or default.error
    if error:
        return Gain(best.score, default.score, n=folds.n, how=folds.how, error=error)
    found = paired_difference(sign * np.array(best.scores), sign * np.array(default.scores), test_ratio=folds.test_ratio)
    value = found.value if abs(found.value) > 1e-12 else 0.0  # no gain but for rounding
    return Gain(best.score, default.score, value, found.low, found.high, found.p, folds.n, folds.how)


def on_rows(search: Search, params: Mapping[str, Any], side: Side) -> Gain:
    """The best against the estimator as given, both fitted on all rows of the search, on rows that were held out."""
    problem, how = search.folded.asked.problem, "rows that were held out"
    X, y = problem.X, problem.y
    answers, metric = [], problem.metric
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for chosen in ({}, params):
            model = seeded(with_params(search.folded.estimator, chosen), search.seed)
            fitted = model.fit(X, y)
            model = fitted if hasattr(fitted, "predict") else model
            answers.append(predict_with(model, side.X, task=problem.task, classes=problem.classes or None,
                                        positive=problem.positive))
    default, best = (metric.score(side.y, said) for said in answers)
    value = metric.sign * (best - default)
    if metric.function is not None or not np.isfinite(value):
        error = "" if np.isfinite(value) else f"{metric.label} is undefined on the {side.n:,} rows that were held out"
        return Gain(best, default, value, n=side.n, how=how, error=error)
    codes = np.arange(side.n) if side.groups is None else np.unique(pd.factorize(side.groups)[0], return_inverse=True)[1]
    first, second = (metric.rows(side.y, said) for said in answers)
    before, after = codes[first.order], codes[second.order]
    drawn = resampled(lambda w: metric.sign * (second.compute(w[:, after]) - first.compute(w[:, before])), int(codes.max()) + 1,
                      DRAWS, search.seed)
    drawn = drawn[np.isfinite(drawn)]
    if len(drawn) < DRAWS / 2:
        return Gain(best, default, value, n=side.n, how=how)
    low, high = quantiles(drawn, int(codes.max()) + 1, 0.95)
    p = min(1.0, 2 * (1 + min((drawn <= 0).sum(), (drawn >= 0).sum())) / (1 + len(drawn)))
    return Gain(best, default, value, min(low, value), max(high, value), float(p), side.n, how)
