"""The trials of a search: every candidate on the same folds, round by round, and a look at fresh folds at the end."""

import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.utils import _safe_indexing
from tqdm import tqdm

from ..exploration._entries import Asked
from ..exploration._folds import Folds, Pair, make_folds
from ..exploration._measure import Problem, _threads, seeded
from ..foundation._bootstrap import quantiles, resampled
from ..foundation.errors import BadInputError
from ..foundation.intervals import paired_difference
from ..foundation.metrics import predict_with
from ._breakdown_model import Side
from ._search_space import Axis, Region, closer, draw, everywhere, key_of

NAN = float("nan")
FIRST = 0.5  # share of the trials that the first round has, which looks everywhere
ELITE = 0.15  # share of the trials so far around which the next round looks
KEPT = 0.2  # share of the trials of a later round that are drawn from the whole space
DRAWS = 1_000  # resamples of rows that were held out


@dataclass(frozen=True)
class Fit:
    """One candidate on one fold."""

    score: float = NAN
    seconds: float = 0.0
    error: str = ""


@dataclass(frozen=True)
class Trial:
    """One candidate on all folds."""

    round: int
    params: dict[str, Any]
    scores: tuple[float, ...]
    seconds: float
    error: str = ""

    @property
    def score(self) -> float:
        """Mean over the folds where it is defined; nan when one of them failed."""
        return float(np.nanmean(self.scores)) if not self.error else NAN


@dataclass(frozen=True)
class Search:
    """What is searched, and on which folds."""

    estimator: Any
    axes: tuple[Axis, ...]
    asked: Asked
    folds: Folds
    seed: int
    n_jobs: int | None
    regions: list[Region] = field(default_factory=list)  # of each round

    @property
    def problem(self) -> Problem:
        """What is to be predicted from what."""
        return self.asked.problem


def fit_once(X: Any, y: Any, problem: Problem, model: Any, params: Mapping[str, Any], fold: Pair, seed: int) -> Fit:
    """Fit on the one side and score on the other, on one thread; whatever goes wrong becomes part of the outcome."""
    start, (train, test) = time.perf_counter(), fold
    with warnings.catch_warnings(), _threads().limit(limits=1), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            model = clone(model, safe=False)
            if params:
                model.set_params(**{name: clone(value, safe=False) for name, value in params.items()})
            fitted = seeded(model, seed).fit(_safe_indexing(X, train), y[train])
            model = fitted if hasattr(fitted, "predict") else model
            said = predict_with(model, _safe_indexing(X, test), task=problem.task, classes=problem.classes or None,
                                positive=problem.positive)
            score, error = problem.metric.score(y[test], said), ""
        except Exception as caught:  # noqa: BLE001 - one that fails must not take the others with it
            text = " ".join(str(caught).split()).rstrip(".")[:160] or "no message"
            score, error = NAN, f"{type(caught).__name__}: {text}"
    return Fit(float(score), time.perf_counter() - start, error)


def try_all(search: Search, many: Sequence[Mapping[str, Any]], folds: Folds, number: int, bar: Any) -> list[Trial]:
    """Several candidates on all folds."""
    problem = search.problem
    plain = replace(problem, X=None, y=None)

    def sent() -> Iterator[Any]:
        for params in many:
            for fold in folds.pairs:
                yield delayed(fit_once)(problem.X, problem.y, plain, search.estimator, params, fold, search.seed)
                bar.update()

    done, count = list(Parallel(n_jobs=search.n_jobs)(sent())), len(folds.pairs)
    found = []
    for i, params in enumerate(many):
        fits = done[i * count: (i + 1) * count]
        errors = [fit.error for fit in fits if fit.error]
        told = f"{errors[0]} (in {len(errors)} of {count} folds)" if errors else ""
        if not np.isfinite([fit.score for fit in fits]).any():
            told = told or f"{problem.metric.label} is undefined in every fold"
        found.append(Trial(number, dict(params), tuple(fit.score for fit in fits), sum(fit.seconds for fit in fits), told))
    return found


def shares_of(budget: int, rounds: int) -> list[int]:
    """How many trials each round has, beside the estimator as given."""
    trials = budget - 1
    rounds = max(1, min(rounds, trials))
    if rounds == 1:
        return [trials]
    first = min(max(1, round(FIRST * trials)), trials - (rounds - 1))
    later = [len(part) for part in np.array_split(np.arange(trials - first), rounds - 1)]
    return [first, *later]


def run(search: Search, budget: int, rounds: int) -> list[Trial]:
    """All trials: the estimator as given first, then round by round."""
    rng, region = np.random.default_rng(search.seed), everywhere(search.axes)
    sizes = shares_of(budget, rounds)
    bar = tqdm(total=budget * len(search.folds.pairs), desc="coarse_to_fine", unit="fit", delay=2, leave=False)
    with bar:
        own = {axis.name: search.estimator.get_params().get(axis.name) for axis in search.axes}
        trials = [replace(trial, params=own) for trial in try_all(search, [{}], search.folds, 0, bar)]
        for number, size in enumerate(sizes, 1):
            if number > 1:
                region = closer(search.axes, region, [t.params for t in _elite(trials, search)])
            search.regions.append(region)
            fresh = _fresh(search, region, size, number, trials, rng)
            if not fresh:  # every combination was tried
                break
            trials += try_all(search, fresh, search.folds, number, bar)
            if all(trial.error for trial in trials):
                raise BadInputError(f"`estimator` must fit with at least one candidate. Got {len(trials)} that failed, the first "
                                    f"with {trials[0].error}. For tables that are not all numbers put prepare(X) before it.")
    return trials


def _elite(trials: Sequence[Trial], search: Search) -> list[Trial]:
    """The best candidates; of a plateau that most of them stand on all or none, so that no direction is chosen by chance."""
    sign = search.problem.metric.sign
    ranked = ranked_of(trials, sign)
    wanted = max(2, round(ELITE * len(trials)))
    last = ranked[:wanted][-1].score
    above, alike = ([t for t in ranked if sign * (t.score - last) > 0], [t for t in ranked if t.score == last])
    return above if above and len(above) + len(alike) > 2 * wanted else [*above, *alike]


def ranked_of(trials: Sequence[Trial], sign: int) -> list[Trial]:
    """Those that have a score, the best first; of equals the one that came first."""
    return sorted((t for t in trials if not t.error), key=lambda t: -sign * t.score)


def _fresh(search: Search, region: Region, size: int, number: int, trials: Sequence[Trial],
           rng: np.random.Generator) -> list[dict[str, Any]]:
    """Candidates of one round that were not tried before."""
    seen, found = {key_of(trial.params) for trial in trials}, list[dict[str, Any]]()
    wide = everywhere(search.axes)
    far = round(KEPT * size) if number > 1 and size > 2 else 0
    for where, wanted in ((region, size - far), (wide, size)):
        for _ in range(20):
            for params in draw(search.axes, where, (wanted if where is region else size) - len(found), rng):
                if key_of(params) not in seen:
                    seen.add(key_of(params))
                    found.append(params)
            if len(found) >= wanted:
                break
    return found


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
    bar = tqdm(total=2 * len(folds.pairs), desc="confirmation", unit="fit", delay=2, leave=False)
    with bar:
        default, best = try_all(search, [{}, params], folds, -1, bar)
    sign, error = search.problem.metric.sign, best.error or default.error
    if error:
        return Gain(best.score, default.score, n=folds.n, how=folds.how, error=error)
    found = paired_difference(sign * np.array(best.scores), sign * np.array(default.scores), test_ratio=folds.test_ratio)
    return Gain(best.score, default.score, *found, n=folds.n, how=folds.how)


def on_rows(search: Search, params: Mapping[str, Any], side: Side) -> Gain:
    """The best against the estimator as given, both fitted on all rows of the search, on rows that were held out."""
    problem, how = search.problem, "rows that were held out"
    X, y = problem.X, problem.y
    answers, metric = [], problem.metric
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for chosen in ({}, params):
            model = clone(search.estimator, safe=False)
            if chosen:
                model.set_params(**{name: clone(value, safe=False) for name, value in chosen.items()})
            fitted = seeded(model, search.seed).fit(X, y)
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
