"""One candidate on one fold: fitted, asked, scored and timed; whatever goes wrong stays here."""

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from ml_lifecycle.exploration import _columns
from ml_lifecycle.exploration._folds import Pair
from ml_lifecycle.foundation.errors import LifecycleError
from ml_lifecycle.foundation.intervals import Interval, bootstrap_interval
from ml_lifecycle.foundation.metrics import Metric, Predictions, predict_with

NAN = float("nan")
ROWS_TIMED = 5  # single rows that a candidate is timed on in each fold
PATIENCE = 0.5  # seconds after which no further row is timed
LONGEST = 300  # letters of what an exception or a warning says


@dataclass(frozen=True)
class Problem:
    """What is to be predicted from what, and how it is judged."""

    X: Any  # frame, array or CSR matrix
    y: Any  # array of labels or numbers
    task: str
    metric: Metric
    classes: tuple[Any, ...] = ()
    positive: Any = None
    shape: tuple[int, ...] = ()  # of one row where rows are images or other arrays; X holds them as columns

    def truth(self, rows: np.ndarray) -> np.ndarray:
        """The target of some rows."""
        taken: np.ndarray = self.y[rows]
        return taken


@dataclass(frozen=True)
class Candidate:
    """One row of the comparison that is measured on the folds."""

    name: str
    kind: str  # "trivial", "model" or "heuristic"; of ideas "baseline", "model", "parameters" or "function"
    what: Any  # an unfitted estimator, a function of the features, or an `_ideas_run.Function`
    draws: int = 1  # predictions that its score is the mean of, each with a random state of its own
    timed: bool = True  # whether single rows are timed


@dataclass(frozen=True)
class Outcome:
    """What one candidate did on one fold."""

    score: float = NAN
    low: float = NAN  # bounds from the rows of this fold, for a comparison on a single fold
    high: float = NAN
    fit_seconds: float = NAN
    predict_ms: float = NAN
    error: str = ""  # "ValueError: what it said"
    warned: tuple[str, ...] = field(default=())  # "ConvergenceWarning: what it said"
    late: float = NAN  # the limit in seconds that was over before this fold was done


@lru_cache(maxsize=1)
def _threads() -> ThreadpoolController:
    """The thread pools of this process; looking for them takes milliseconds, so that it is done once a comparison."""
    return ThreadpoolController()


def pickler() -> Any:
    """What turns functions into bytes as well."""
    try:
        return import_module("cloudpickle")  # joblib 1.6 requires it
    except ModuleNotFoundError:
        return import_module("joblib.externals.cloudpickle")  # before, it was a part of joblib


def _travels(what: Any) -> bool:
    """Whether an object can be sent to another process."""
    try:
        pickler().dumps(what)
    except Exception:  # noqa: BLE001 - whatever it raises, the object stays here
        return False
    return True


def measure(problem: Problem, candidate: Candidate, fold: Pair, seed: int, alone: bool) -> Outcome:
    """Fit on the one side, score on the other, on one thread; an exception becomes part of the outcome.

    One thread makes seconds comparable, and keeps threads that wait for each other from stalling on a busy machine.
    """
    with warnings.catch_warnings(record=True) as caught, _threads().limit(limits=1):
        warnings.simplefilter("always")
        try:
            done = _measured(problem, candidate, fold, seed, alone)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - one that fails must not take the others with it
            done = {"error": what_failed(error)}
    said = dict.fromkeys(f"{w.category.__name__}: {_one_line(w.message)}" for w in caught)
    return Outcome(**done, warned=tuple(said))


def what_failed(error: BaseException) -> str:
    """An exception in one line; the library's own errors say all by themselves."""
    said = _one_line(error)
    return said if isinstance(error, LifecycleError) else f"{type(error).__name__}: {said}"


def _one_line(error: object) -> str:
    text = " ".join(str(error).split()).rstrip(".") or "no message"
    return text if len(text) <= LONGEST else text[:LONGEST].rsplit(" ", 1)[0] + " …"


def _measured(problem: Problem, candidate: Candidate, fold: Pair, seed: int, alone: bool) -> dict[str, Any]:
    train, test = fold
    learned_from, features = (_rows(problem, rows, candidate) for rows in fold)
    truth = problem.truth(test)
    if candidate.kind == "heuristic":
        seconds, ask = 0.0, candidate.what
        said = understood(ask(features), len(test), problem)
    elif hasattr(candidate.what, "answer_on_fold"):
        start, ask = time.perf_counter(), None
        said = candidate.what.answer_on_fold(problem, learned_from, problem.truth(train), features, seed)
        seconds = time.perf_counter() - start
    else:
        model = seeded(clone(candidate.what, safe=False), seed)
        start = time.perf_counter()
        fitted = model.fit(learned_from, problem.truth(train))
        seconds = time.perf_counter() - start
        model = fitted if hasattr(fitted, "predict") else model
        said, ask = _asked(problem, model, features), model.predict
    answers = [said]
    for draw in range(1, candidate.draws):
        answers.append(_asked(problem, model.set_params(random_state=(seed + draw) % 2**32), features))
    done = {"score": float(np.mean([problem.metric.score(truth, answer) for answer in answers])),
            "fit_seconds": seconds, "predict_ms": one_row_ms(ask, features) if candidate.timed and ask is not None else NAN}
    if alone:
        resamples = 300 if len(answers) == 1 else 100  # of each answer
        found = [bootstrap_interval(problem.metric, truth, answer, n_boot=resamples, seed=seed) for answer in answers]
        done["score"], done["low"], done["high"] = mean_interval(found)
    return done


def _rows(problem: Problem, rows: np.ndarray, candidate: Candidate) -> Any:
    """Some rows of the features; an answer that needs no features is not shown any, so that no name of theirs matters.

    Functions of the person see images in their shape, estimators as columns.
    """
    if candidate.kind == "trivial":
        return np.zeros((len(rows), 1))
    taken = _columns.take(problem.X, rows)
    function = candidate.kind == "heuristic" or hasattr(candidate.what, "answer_on_fold")
    return taken.reshape(len(rows), *problem.shape) if function and problem.shape else taken


def mean_interval(found: Sequence[Interval]) -> tuple[float, float, float]:
    """(score, low, high): means of several intervals, as if all erred on the same rows, which is cautious."""
    score, low, high = np.mean(np.array(found, dtype=float), axis=0)
    return float(score), float(np.minimum(low, score)), float(np.maximum(high, score))


def _asked(problem: Problem, model: Any, features: Any) -> Predictions:
    """What a fitted model says about some rows; raises ValueError when it is not finite."""
    said = predict_with(model, features, task=problem.task, classes=problem.classes or None, positive=problem.positive)
    for part in (said.values, said.proba):
        if part is not None and not np.isfinite(part).all():
            raise ValueError(f"{int((~np.isfinite(part)).sum())} predictions are missing or infinite")
    return said


def seeded(model: Any, seed: int) -> Any:
    """The same model with every random state that was left open set, so that the result can be repeated."""
    if hasattr(model, "get_params"):
        names = [name for name, value in model.get_params().items()
                 if value is None and (name == "random_state" or name.endswith("__random_state"))]
        if names:
            model.set_params(**dict.fromkeys(names, seed))
    return model


def one_row_ms(ask: Callable[[Any], Any], features: Any) -> float:
    """Median milliseconds for one row alone, over a few rows after a first one that does not count."""
    rows = [_columns.take(features, slice(i, i + 1)) for i in range(min(ROWS_TIMED, features.shape[0]))]
    seconds: list[float] = []
    try:
        ask(rows[0])
        for row in rows:
            start = time.perf_counter()
            ask(row)
            seconds.append(time.perf_counter() - start)
            if sum(seconds) > PATIENCE:
                break
    except Exception:  # noqa: BLE001 - a rule that needs many rows at once cannot be timed on one
        return NAN
    return float(np.median(seconds)) * 1000


def understood(output: Any, n: int, problem: Problem) -> Predictions:
    """The predictions behind what a function (or a person) said: labels, scores, probabilities or values."""
    given = np.asarray(output)
    given = given[:, 0] if given.ndim == 2 and given.shape[1] == 1 else given
    if given.ndim == 0 or len(given) != n:
        raise ValueError(f"gave {'one value' if given.ndim == 0 else f'{len(given)} values'} for {n} rows")
    if pd.isna(given).any():
        raise ValueError(f"{int(pd.isna(given).sum())} predictions are missing")
    if problem.task == "regression":
        return Predictions(values=_finite(given.astype(float)))
    if given.ndim == 2:
        if given.shape[1] != len(problem.classes):
            raise ValueError(f"gave {given.shape[1]} columns for {len(problem.classes)} classes")
        return _said(problem, given.argmax(axis=1), _finite(given.astype(float)))
    place = {label: i for i, label in enumerate(problem.classes)}
    values = given.tolist()
    if all(value in place for value in values):
        return _said(problem, np.array([place[value] for value in values]))
    return _scored(given, problem)


def _finite(values: np.ndarray) -> np.ndarray:
    if not np.isfinite(values).all():
        raise ValueError(f"{int((~np.isfinite(values)).sum())} predictions are infinite")
    return values


def _scored(given: np.ndarray, problem: Problem) -> Predictions:
    """Numbers that are no labels: how likely the positive one of two classes is."""
    if len(problem.classes) != 2 or given.dtype.kind not in "biuf":
        unknown = [value for value in dict.fromkeys(given.tolist()) if value not in problem.classes]
        raise ValueError(f"gave {unknown[0]!r}, which is none of the classes {list(problem.classes)[:5]}")
    yes = list(problem.classes).index(problem.positive)
    if given.dtype.kind == "b":
        return _said(problem, np.where(given, yes, 1 - yes))
    score = _finite(given.astype(float))
    if score.min() >= 0 and score.max() <= 1:
        return _said(problem, np.where(score >= 0.5, yes, 1 - yes), _columns_for(yes, 1 - score, score))
    if problem.metric.needs == "labels" or problem.metric.probabilities:
        needs = "probabilities from 0 to 1" if problem.metric.probabilities else "labels, or probabilities from 0 to 1"
        raise ValueError(f"gave scores from {score.min():.3g} to {score.max():.3g}; {problem.metric.name} needs {needs}")
    codes = np.where(score >= np.median(score), yes, 1 - yes)
    return Predictions(labels=_labels(problem, codes), classes=problem.classes, positive=problem.positive,
                       scores=_columns_for(yes, -score, score))


def _columns_for(yes: int, other: np.ndarray, positive: np.ndarray) -> np.ndarray:
    return np.column_stack([other, positive] if yes == 1 else [positive, other])


def _labels(problem: Problem, codes: np.ndarray) -> np.ndarray:
    return np.array(problem.classes)[codes]


def _said(problem: Problem, codes: np.ndarray, proba: np.ndarray | None = None) -> Predictions:
    sure = np.eye(len(problem.classes))[codes]
    return Predictions(labels=_labels(problem, codes), proba=sure if proba is None else proba, classes=problem.classes,
                       positive=problem.positive)
