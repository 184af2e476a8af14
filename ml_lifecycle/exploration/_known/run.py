"""Published protocols, run: which rows a model learns from, which rows it is asked about, and what comes out."""

import itertools
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy import stats
from sklearn.base import clone
from sklearn.linear_model import lars_path
from sklearn.model_selection import LeaveOneOut, StratifiedKFold
from tqdm import tqdm

from ml_lifecycle.exploration._known.data import Sample
from ml_lifecycle.exploration._known.models import AMOUNTS, FEW_STEPS, MODELS
from ml_lifecycle.exploration._known.results import Known, Z
from ml_lifecycle.foundation.errors import BadInputError, LifecycleError
from ml_lifecycle.foundation.intervals import wilson

FOLDS = 10
REPEATS = {"quick": 5, "full": 20}  # of repeated folds
STEPS, SEEDS = 6000, {"quick": 1, "full": 3}  # of the networks


@dataclass(frozen=True)
class Outcome:
    """What one model did under a protocol."""

    score: float  # mean over the runs
    low: float
    high: float
    n: int
    seconds: float
    runs: tuple[float, ...]  # score of each run
    marks: NDArray[Any]  # of the first run: whether each row was right, or the score of each row by which an area is made
    truth: NDArray[Any]  # of the rows of the first run


Fits = list[tuple[Any, NDArray[Any], NDArray[Any]]]  # (model, training rows, test rows)


def models_of(known: Known, mine: Any, seed: int, budget: str) -> list[Any]:
    """The estimators of the runs: the published model anew for each start, or the person's own."""
    starts = SEEDS[budget] if known.data == "mnist1d" else 1
    if mine is not None:
        return [with_seed(mine, (seed + i) % 2**32) for i in range(starts if _draws(mine) else 1)]
    steps = FEW_STEPS.get(known.name, STEPS) if budget == "quick" else STEPS
    return [MODELS[known.name]((seed + i) % 2**32, steps) for i in range(starts)]


def _draws(model: Any) -> bool:
    return any(key.split("__")[-1] == "random_state" for key in model.get_params())


def with_seed(model: Any, seed: int) -> Any:
    """A copy whose random states that were left open are set."""
    copy = clone(model)
    open_ones = [key for key, value in copy.get_params().items() if key.split("__")[-1] == "random_state" and value is None]
    return copy.set_params(**dict.fromkeys(open_ones, seed))


def _splits(known: Known, sample: Sample, seed: int, budget: str) -> Iterator[list[tuple[Any, Any]]]:
    """For each run, the pairs of (training rows, test rows) that together make its test rows."""
    rows = np.arange(len(sample.y))
    if known.scheme == "resubstitution":
        yield [(rows, rows)]
    elif known.scheme == "leave-one-out":
        yield list(LeaveOneOut().split(rows))
    elif known.scheme == "split":
        assert sample.test is not None
        yield [(rows[~sample.test], rows[sample.test])]
    else:
        for repeat in range(REPEATS[budget]):
            folds = StratifiedKFold(FOLDS, shuffle=True, random_state=(seed + repeat) % 2**32)
            yield list(folds.split(rows, sample.y))


def _take(X: Any, rows: Any) -> Any:
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def _said(model: Any, sample: Sample, train: Any, test: Any) -> NDArray[Any]:
    """Labels, or for an area the scores of the positive label, of the test rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = clone(model).fit(_take(sample.X, train), sample.y[train])
        if sample.positive is None:
            return _labels(fitted.predict(_take(sample.X, test)), sample)
        if hasattr(fitted, "predict_proba"):
            return np.asarray(fitted.predict_proba(_take(sample.X, test)))[:, list(fitted.classes_).index(sample.positive)]
        sign = 1 if list(fitted.classes_).index(sample.positive) else -1
        return np.asarray(sign * fitted.decision_function(_take(sample.X, test)), dtype=float)


def _first_line(error: Exception) -> str:
    said = str(error).splitlines()[0].rstrip(".") if str(error) else "no message"
    return said if isinstance(error, LifecycleError) else f"{type(error).__name__}: {said}"


def _labels(said: Any, sample: Sample) -> NDArray[Any]:
    labels = np.asarray(said).ravel()
    strange = [label for label in np.unique(labels) if label not in set(sample.y.tolist())]
    if strange:
        raise BadInputError(f"it must predict labels from 0 to {int(sample.y.max())}, but says {strange[0]}")
    return labels


def run(known: Known, sample: Sample, mine: Any, *, seed: int, n_jobs: int | None, budget: str) -> Outcome:
    """Fit and ask under the protocol; raises BadInputError when the person's own model cannot."""
    start = time.perf_counter()
    splits = list(_splits(known, sample, seed, budget))
    models = models_of(known, mine, seed, budget)
    jobs = [(model, pairs) for model in models for pairs in splits]
    todo = [(i, model, train, test) for i, (model, pairs) in enumerate(jobs) for train, test in pairs]
    work = tqdm(todo, desc=known.name, unit="fit", delay=2, leave=False)
    try:
        said = Parallel(n_jobs=n_jobs)(delayed(_said)(model, sample, train, test) for _, model, train, test in work)
    except Exception as error:
        if mine is None:
            raise
        raise BadInputError(f"`model` must fit and predict under the protocol of {known.name!r}. Got {_first_line(error)}. "
                            "Try it on a few rows first.") from error
    runs = []
    for i in range(len(jobs)):
        mine_of = [(test, answer) for (j, _, _, test), answer in zip(todo, said) if j == i]
        rows = np.concatenate([test for test, _ in mine_of])
        order = np.argsort(rows, kind="stable")
        runs.append((sample.y[rows][order], np.concatenate([answer for _, answer in mine_of])[order]))
    return _outcome(runs, sample, time.perf_counter() - start)


def _outcome(runs: list[Any], sample: Sample, seconds: float) -> Outcome:
    if sample.positive is None:
        marks = [np.asarray(truth == said) for truth, said in runs]
        scores = tuple(float(m.mean()) for m in marks)
        score, n = float(np.mean(scores)), len(marks[0])
        _, low, high = wilson(score * n, n)
        return Outcome(score, low, high, n, seconds, scores, marks[0], runs[0][0])
    truth, said = runs[0][0] == sample.positive, runs[0][1]
    score, half = area(truth, said)
    return Outcome(score, max(0.0, score - half), min(1.0, score + half), len(truth), seconds, (score,), said, truth)


def placements(truth: NDArray[Any], said: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """For each positive row the share of negative ones below it, and the reverse (DeLong et al. 1988, Biometrics 44)."""
    ranks = stats.rankdata(said)
    up, down = ranks[truth], ranks[~truth]
    above = (up - stats.rankdata(said[truth])) / len(down)
    below = 1 - (down - stats.rankdata(said[~truth])) / len(up)
    return above, below


def area(truth: NDArray[Any], said: NDArray[Any]) -> tuple[float, float]:
    """Area under the ROC curve, and half the width of its 95 % interval (DeLong)."""
    above, below = placements(truth, said)
    variance = above.var(ddof=1) / len(above) + below.var(ddof=1) / len(below)
    return float(above.mean()), float(Z * np.sqrt(variance))


def difference(mine: Outcome, ours: Outcome, areas: bool) -> tuple[float, float, float, float]:
    """(mine - ours, low, high, p) on the same rows of the first run.

    Shares: the exact test of McNemar, and the interval of Agresti & Min (2005). Areas: DeLong et al. (1988).
    """
    if areas:
        (a1, b1), (a2, b2) = placements(ours.truth, mine.marks), placements(ours.truth, ours.marks)
        value = float((a1 - a2).mean())
        error = float(np.sqrt((a1 - a2).var(ddof=1) / len(a1) + (b1 - b2).var(ddof=1) / len(b1)))
        return value, value - Z * error, value + Z * error, float(2 * stats.norm.sf(abs(value) / error)) if error else 1.0
    won, lost = int((mine.marks & ~ours.marks).sum()), int((~mine.marks & ours.marks).sum())
    n = len(mine.marks)
    p = float(stats.binomtest(won, won + lost).pvalue) if won + lost else 1.0
    centre = (won - lost) / (n + 2)
    half = Z * np.sqrt(max(0.0, won + lost + 1 - (won - lost) ** 2 / (n + 2))) / (n + 2)
    return (won - lost) / n, float(centre - half), float(centre + half), p


def best_amounts(evaluate: Callable[[Any], Outcome], seed: int) -> tuple[Outcome, dict[str, float]]:
    """The outcome of regularized discriminant analysis with the amounts that do best."""
    found = []
    grid = list(itertools.product(*AMOUNTS.values()))
    for values in tqdm(grid, desc="amounts of regularization", delay=2, leave=False):
        chosen = dict(zip(AMOUNTS, values))
        found.append((evaluate(MODELS["wine-rda"](seed, 0).set_params(**chosen)), chosen))
    return max(found, key=lambda pair: pair[0].score)


def entry_order(sample: Sample) -> tuple[str, ...]:
    """The steps of the lasso path: the column that enters, or with a minus the one that leaves."""
    X = np.asarray(sample.X, dtype=float)
    X = (X - X.mean(axis=0)) / np.linalg.norm(X - X.mean(axis=0), axis=0)
    held = lars_path(X, sample.y - sample.y.mean(), method="lasso")[2] != 0
    names, steps = list(sample.X.columns), []
    for knot, (before, after) in enumerate(zip(held.T, held.T[1:])):  # who enters is still 0 there, who leaves is 0 at the next
        steps += [(knot, names[j]) for j in np.flatnonzero(~before & after)]
        steps += [(knot + 1, f"-{names[j]}") for j in np.flatnonzero(before & ~after)]
    return tuple(name for _, name in sorted(steps, key=lambda step: step[0]))
