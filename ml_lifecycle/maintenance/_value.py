"""What each column is worth: the score with it less the score without it, over the same rows."""

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy import stats
from sklearn.base import clone
from sklearn.dummy import DummyClassifier, DummyRegressor
from tqdm import tqdm

from ml_lifecycle.exploration import _columns, _measure
from ml_lifecycle.exploration._folds import Folds, Pair
from ml_lifecycle.exploration._judge import ALPHA, FEWEST_CHANGED
from ml_lifecycle.exploration._measure import Problem
from ml_lifecycle.foundation.errors import BadInputError
from ml_lifecycle.foundation.intervals import Difference, holm, paired_difference
from ml_lifecycle.foundation.metrics import Predictions
from ml_lifecycle.maintenance import _without

NAN = float("nan")
ATTEMPTS = 2  # sets of columns that are tried together at most
N_BOOT = 100  # resamples of the rows for a model that is fitted already
FEWEST_OF_CLASS = 10  # rows of the rarest class below which nothing is told apart
Names = tuple[Any, ...]


@dataclass(frozen=True)
class Without:
    """The scores of the folds without some columns."""

    names: Names
    scores: tuple[float, ...] = ()  # one a fold
    same: bool = False  # True: not one prediction is another
    seconds: float = NAN
    note: str = ""
    rows: Any = None  # for a fitted model: the score under each resampling of the rows


@dataclass(frozen=True)
class Worth:
    """What a column, or a set of them, is worth."""

    names: Names
    difference: Difference
    same: bool
    seconds: float
    note: str
    p: float = NAN  # corrected for the number of columns


def answers(said: Predictions) -> np.ndarray:
    """What can be compared of two answers, as one array."""
    for part in (said.values, said.proba, said.scores, said.labels):
        if part is not None:
            return np.asarray(part)
    return np.empty(0)


def alike(a: Predictions, b: Predictions) -> bool:
    """Whether two answers are the same."""
    first, second = answers(a), answers(b)
    if first.dtype.kind == "f" and second.dtype.kind == "f":
        return first.shape == second.shape and bool(np.allclose(first, second, rtol=1e-9, atol=1e-12))
    return bool(np.array_equal(first, second))


def fitted(problem: Problem, model: Any, X: Any, fold: Pair, seed: int) -> Any:
    """A copy of the model, fitted on the training rows of a fold."""
    copy = _measure.seeded(clone(model, safe=False), seed)
    done = copy.fit(_columns.take(X, fold[0]), problem.truth(fold[0]))
    return done if hasattr(done, "predict") else copy


def scored(problem: Problem, model: Any, X: Any, rows: np.ndarray) -> tuple[float, Predictions]:
    """The score of a fitted model on some rows, and what it said."""
    said = _measure._asked(problem, model, _columns.take(X, rows))
    return problem.metric.score(problem.truth(rows), said), said


def quietly(work: Callable[..., Any], *given: Any) -> Any:
    """What a task gives, on one thread and without the warnings of a model."""
    with warnings.catch_warnings(), _measure._threads().limit(limits=1):
        warnings.simplefilter("ignore")
        return work(*given)


def _fold_with(problem: Problem, model: Any, fold: Pair, seed: int) -> tuple[float, Predictions]:
    return scored(problem, fitted(problem, model, problem.X, fold, seed), problem.X, fold[1])


def with_all(problem: Problem, model: Any, folds: Folds, seed: int, n_jobs: int | None) -> list[tuple[float, Predictions]]:
    """Score and answers of the whole model on each fold; raises BadInputError when it cannot be fitted."""
    try:
        return list(Parallel(n_jobs=n_jobs)(
            delayed(quietly)(_fold_with, problem, model, fold, seed) for fold in folds.pairs))
    except Exception as error:  # noqa: BLE001 - a model of the person's own may raise anything
        said = _measure._one_line(error)
        remedy = "Put prepare(X) before it." if "could not convert" in said or "string" in said else "Fit it on X by itself."
        raise BadInputError(f"`model` must fit on these rows and predict. Got {type(model).__name__}, which says: "
                            f"{said}. {remedy}") from None


def _fold_without(problem: Problem, model: Any, names: Names, fold: Pair, full: Predictions, seed: int) -> Without:
    start, note = time.perf_counter(), ""
    try:
        if _without.can_leave_out(model):
            try:
                score, said = _left_out(problem, model, names, fold, seed)
            except Exception:  # noqa: BLE001 - it names the column somewhere: held constant it is still there
                score, said = _held(problem, model, names, fold, seed)
                note = "held constant"
        else:
            score, said = _held(problem, model, names, fold, seed)
            note = "held constant"
    except Exception as error:  # noqa: BLE001 - one column that fails must not take the others with it
        failed = f"failed without it: {type(error).__name__}: {_measure._one_line(error)}"
        return Without(names, (NAN,), seconds=time.perf_counter() - start, note=failed)
    return Without(names, (score,), alike(said, full), time.perf_counter() - start, note)


def _left_out(problem: Problem, model: Any, names: Names, fold: Pair, seed: int) -> tuple[float, Predictions]:
    X, less = _without.table_without(problem.X, names), None
    if X.shape[1]:
        less = _without.model_without(model, set(names))
    if less is None:  # nothing is left to look at
        X = np.zeros((problem.X.shape[0], 1))
        less = DummyRegressor() if problem.task == "regression" else DummyClassifier(strategy="prior")
    return scored(problem, fitted(problem, less, X, fold, seed), X, fold[1])


def _held(problem: Problem, model: Any, names: Names, fold: Pair, seed: int) -> tuple[float, Predictions]:
    X = _without.held_constant(problem.X, names)
    return scored(problem, fitted(problem, model, X, fold, seed), X, fold[1])


def dropped(problem: Problem, model: Any, sets: Sequence[Names], folds: Folds, full: Sequence[tuple[float, Predictions]],
            seed: int, n_jobs: int | None) -> list[Without]:
    """Each set of columns left out and the model fitted again, on the same folds."""
    tasks = [(names, number) for names in sets for number in range(len(folds.pairs))]
    bar = tqdm(tasks, desc="columns", unit="fit", delay=2, leave=False)
    done = list(Parallel(n_jobs=n_jobs)(
        delayed(quietly)(_fold_without, problem, model, names, folds.pairs[i], full[i][1], seed) for names, i in bar))
    each = len(folds.pairs)
    return [_joined(done[i * each:(i + 1) * each]) for i in range(len(sets))]


def _joined(parts: Sequence[Without]) -> Without:
    notes = list(dict.fromkeys(part.note for part in parts if part.note))
    return Without(parts[0].names, tuple(part.scores[0] for part in parts), all(part.same for part in parts),
                   float(np.sum([part.seconds for part in parts])), notes[0] if notes else "")


def _fold_shuffled(problem: Problem, model: Any, sets: Sequence[Names], fold: Pair, number: int, repeats: int,
                   seed: int) -> tuple[tuple[float, Predictions], list[Without]]:
    ready = fitted(problem, model, problem.X, fold, seed)
    table, rows = _columns.take(problem.X, fold[1]), np.arange(len(fold[1]))
    part = replace(problem, X=table, y=problem.truth(fold[1]))
    full = scored(part, ready, table, rows)
    return full, [_one_shuffled(part, ready, names, place, full, number, repeats, seed) for place, names in enumerate(sets)]


def _one_shuffled(part: Problem, ready: Any, names: Names, place: int, full: tuple[float, Predictions], number: int,
                  repeats: int, seed: int) -> Without:
    start, found, same = time.perf_counter(), [], True
    for repeat in range(repeats):
        rng = np.random.default_rng([seed, number, place, repeat])
        score, said = scored(part, ready, _without.shuffled(part.X, names, rng), np.arange(len(part.y)))
        found.append(score)
        same = same and alike(said, full[1])
    return Without(names, (float(np.mean(found)),), same, time.perf_counter() - start)


def permuted(problem: Problem, model: Any, sets: Sequence[Names], folds: Folds, repeats: int, seed: int,
             n_jobs: int | None) -> tuple[list[tuple[float, Predictions]], list[Without]]:
    """Fitted once a fold; each set of columns is then shuffled in the rows that the model has not seen."""
    bar = tqdm(list(enumerate(folds.pairs)), desc="columns", unit="fold", delay=2, leave=False)
    try:
        done = list(Parallel(n_jobs=n_jobs)(
            delayed(quietly)(_fold_shuffled, problem, model, sets, fold, i, repeats, seed) for i, fold in bar))
    except Exception as error:  # noqa: BLE001 - a model of the person's own may raise anything
        raise BadInputError(f"`model` must fit on these rows and predict. Got {type(model).__name__}, which says: "
                            f"{_measure._one_line(error)}. Fit it on X by itself; tables that are not all numbers need "
                            "prepare(X) before it.") from None
    return [full for full, _ in done], [_joined([parts[i] for _, parts in done]) for i in range(len(sets))]


def worth(problem: Problem, full: Sequence[float], without: Without, folds: Folds, *, level: float = 0.95) -> Worth:
    """The paired difference over the folds, positive when the columns are useful."""
    sign, n = problem.metric.sign, folds.n
    d = paired_difference(sign * np.asarray(full), sign * np.asarray(without.scores), test_ratio=folds.test_ratio, level=level)
    if rarest(problem) < FEWEST_OF_CLASS:
        d = Difference(d.value, NAN, NAN, NAN)
    elif d.low == d.high and not without.same and np.isfinite([problem.metric.low, problem.metric.high]).all():
        rows = min(len(test) for _, test in folds.pairs)
        if d.value and abs(d.value) * rows < FEWEST_CHANGED:  # the same few rows in every fold
            d = Difference(d.value, NAN, NAN, NAN)
        elif not d.value:  # no row in n tells only that it is fewer than three in n
            d = Difference(0.0, -3 / n, 3 / n, 1.0)
    return Worth(without.names, d, without.same, without.seconds, without.note)


def rarest(problem: Problem) -> float:
    """How many rows the rarest class has; inf without classes."""
    return float(pd.Series(problem.y).value_counts().min()) if problem.task == "classification" else np.inf


def corrected(found: Sequence[Worth]) -> list[Worth]:
    """The same with p values corrected for how many columns are judged (Holm)."""
    return [replace(one, p=float(p)) for one, p in zip(found, holm([one.difference.p for one in found]))]


def verdict(one: Worth, matters: float) -> str:
    """`keep`, `remove` or `cannot tell`, of one column by itself."""
    if one.p < ALPHA and one.difference.value > 0:
        return "keep"
    if one.same and np.isfinite(one.difference.value):  # whatever the rows are, the model gives the same answer
        return "remove"
    return "remove" if one.difference.high < matters else "cannot tell"


# a model that is fitted already -----------------------------------------------------------------------------------------

def of_fitted(problem: Problem, model: Any, sets: Sequence[Names], repeats: int, groups: np.ndarray | None,
              seed: int, level: float = 0.95) -> tuple[float, list[Worth]]:
    """The score of a fitted model and what each set of columns is worth to it, with a paired bootstrap over the rows."""
    rows = np.arange(len(problem.y))
    try:
        score, full = quietly(scored, problem, model, problem.X, rows)
    except Exception as error:  # noqa: BLE001 - a model of the person's own may raise anything
        raise BadInputError(f"`model` must predict these rows when cv=\"prefit\". Got {type(model).__name__}, which says: "
                            f"{_measure._one_line(error)}. Fit it first, or give a number of folds.") from None
    weights = _weights(len(rows), groups, seed)
    base = _resampled(problem, full, weights)
    bar = tqdm(list(enumerate(sets)), desc="columns", unit="column", delay=2, leave=False)
    found = [quietly(_worth_to, problem, model, names, place, full, score, base, weights, repeats, seed, level, groups)
             for place, names in bar]
    return score, found


def _worth_to(problem: Problem, model: Any, names: Names, place: int, full: Predictions, score: float, base: np.ndarray,
              weights: np.ndarray, repeats: int, seed: int, level: float, groups: np.ndarray | None) -> Worth:
    start, lost, resampled, same, sign = time.perf_counter(), [], [], True, problem.metric.sign
    for repeat in range(repeats):
        rng = np.random.default_rng([seed, 0, place, repeat])
        now, said = scored(problem, model, _without.shuffled(problem.X, names, rng), np.arange(len(problem.y)))
        lost.append(sign * (score - now))
        if not alike(said, full):
            same = False
            resampled.append(sign * (base - _resampled(problem, said, weights)))
        else:
            resampled.append(np.zeros(len(weights)))
    value = float(np.mean(lost))
    spread = float(np.nanstd(np.mean(resampled, axis=0), ddof=1)) if np.isfinite(resampled).any() else NAN
    units = len(problem.y) if groups is None else len(set(groups.tolist()))
    difference = _normal(value, spread, units, level, same, problem)
    return Worth(names, difference, same, time.perf_counter() - start, "")


def _normal(value: float, spread: float, units: int, level: float, same: bool, problem: Problem) -> Difference:
    if same:
        return Difference(0.0, 0.0, 0.0, 1.0)
    if not spread > 0 or units < 2 or rarest(problem) < FEWEST_OF_CLASS:
        return Difference(value, NAN, NAN, NAN)
    half = spread * float(stats.t.ppf((1 + level) / 2, units - 1))
    return Difference(value, value - half, value + half, float(2 * stats.t.sf(abs(value) / spread, units - 1)))


def _weights(n: int, groups: np.ndarray | None, seed: int) -> np.ndarray:
    """How often each row is drawn in each resample; whole groups where there are."""
    rng = np.random.default_rng(seed)
    codes = np.arange(n) if groups is None else pd.factorize(groups)[0]
    units = int(codes.max()) + 1
    drawn = rng.multinomial(units, np.full(units, 1 / units), size=N_BOOT)
    return np.where(codes < 0, 0, drawn[:, codes]).astype(float)


def _resampled(problem: Problem, said: Predictions, weights: np.ndarray) -> np.ndarray:
    if problem.metric.function is not None:
        return np.array([problem.metric.score(problem.y, said, weight) for weight in weights])
    rows = problem.metric.rows(problem.y, said)
    with np.errstate(all="ignore"):
        return np.asarray(rows.compute(weights[:, rows.order]), dtype=float)
