"""What a candidate is tried on: an estimator on folds, or a function of the parameters, whole or at growing effort."""

import inspect
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import _safe_indexing

from ml_lifecycle.exploration._entries import Asked
from ml_lifecycle.exploration._folds import Folds
from ml_lifecycle.exploration._measure import Problem, _threads, seeded
from ml_lifecycle.foundation.errors import BadInputError
from ml_lifecycle.foundation.metrics import METRICS, predict_with

NAN = float("nan")
FIRST_FOLDS = 0.35  # share of the folds that every candidate is tried on
LADDER = (1 / 9, 1 / 3, 1.0)  # efforts, as shares of the whole (Li et al. 2018, Hyperband, with a factor of 3)


@dataclass(frozen=True)
class Fit:
    """One candidate on one part: scores, usually one."""

    scores: tuple[float, ...] = (NAN,)
    seconds: float = 0.0
    error: str = ""


def what_failed(caught: BaseException) -> str:
    """An exception in one line."""
    text = " ".join(str(caught).split()).rstrip(".")[:160] or "no message"
    return f"{type(caught).__name__}: {text}"


@dataclass(frozen=True)
class Folded:
    """An estimator, fitted and scored on folds."""

    estimator: Any
    asked: Asked
    folds: Folds
    seed: int
    race: bool = True
    plain: Problem = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "plain", replace(self.asked.problem, X=None, y=None))

    @property
    def label(self) -> str:
        """Name of the metric for headings."""
        return self.asked.problem.metric.label

    @property
    def sign(self) -> int:
        """1 where higher is better, else -1."""
        return self.asked.problem.metric.sign

    @property
    def stages(self) -> tuple[tuple[int, ...], ...]:
        """Which folds come first, and which only for those that go on."""
        count = len(self.folds.pairs)
        first = max(1, round(FIRST_FOLDS * count))
        return (tuple(range(first)), tuple(range(first, count))) if self.race and count > 2 else (tuple(range(count)),)

    def value(self, scores: tuple[float, ...]) -> float:
        """The mean over the folds where it is defined."""
        known = [score for score in scores if np.isfinite(score)]
        return float(np.mean(known)) if known else NAN

    def task(self, params: Mapping[str, Any], part: int) -> tuple[Any, ...]:
        """A function and its arguments, for any process."""
        problem = self.asked.problem
        return fit_once, problem.X, problem.y, self.plain, self.estimator, params, self.folds.pairs[part], self.seed


def fit_once(X: Any, y: Any, problem: Problem, model: Any, params: Mapping[str, Any], fold: Any, seed: int) -> Fit:
    """Fit on the one side and score on the other, on one thread; whatever goes wrong becomes part of the outcome."""
    start, (train, test) = time.perf_counter(), fold
    with warnings.catch_warnings(), _threads().limit(limits=1), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            fitted = seeded(with_params(model, params), seed)
            after = fitted.fit(_safe_indexing(X, train), y[train])
            said = predict_with(after if hasattr(after, "predict") else fitted, _safe_indexing(X, test), task=problem.task,
                                classes=problem.classes or None, positive=problem.positive)
            score, error = problem.metric.score(y[test], said), ""
        except (Exception, SystemExit) as caught:  # noqa: BLE001 - one that fails must not take the others with it
            score, error = NAN, what_failed(caught)
    return Fit((float(score),), time.perf_counter() - start, error)


def with_params(model: Any, params: Mapping[str, Any]) -> Any:
    """A copy of an estimator with other parameters, which are copied as well."""
    found = clone(model, safe=False)
    if params:
        found.set_params(**{name: clone(value, safe=False) for name, value in params.items()})
    return found


@dataclass(frozen=True)
class Function:
    """A function of the parameters that trains and gives a score, or several of folds or seeds."""

    function: Any
    seed: int
    metric: str = "score"
    sign: int = 1
    ladder: tuple[float, ...] = ()  # efforts that the function takes as its second argument
    race: bool = True

    @property
    def label(self) -> str:
        """Name of the score for headings."""
        return METRICS[self.metric].label if self.metric in METRICS else self.metric.capitalize()

    @property
    def stages(self) -> tuple[tuple[int, ...], ...]:
        """One stage for each effort."""
        return tuple((i,) for i in range(len(self.ladder))) if self.race and self.ladder else ((max(0, len(self.ladder) - 1),),)

    def value(self, scores: tuple[float, ...]) -> float:
        """The mean of what the function gave last."""
        return float(np.mean(scores)) if scores else NAN

    def task(self, params: Mapping[str, Any], part: int) -> tuple[Any, ...]:
        """A function and its arguments, for any process."""
        return call_once, self.function, params, self.ladder[part] if self.ladder else None


def call_once(function: Any, params: Mapping[str, Any], effort: float | None) -> Fit:
    """Call the function; whatever it raises becomes part of the outcome."""
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            given = function(dict(params)) if effort is None else function(dict(params), effort)
            scores = tuple(float(score) for score in np.atleast_1d(np.asarray(_number(given), dtype=float)).ravel())
            error = "" if scores and np.isfinite(scores).all() else f"it gave {given!r:.60}, which is no finite number"
        except (Exception, SystemExit) as caught:  # noqa: BLE001 - one that fails must not take the others with it
            scores, error = (NAN,), what_failed(caught)
    return Fit(scores if not error else (NAN,), time.perf_counter() - start, error)


def _number(given: Any) -> Any:
    return given.detach().cpu().numpy() if hasattr(given, "detach") else given


def read_function(function: Any, seed: int, metric: Any, greater_is_better: bool | None, race: bool) -> Function:
    """A function as a subject: with one argument, or with two, of which the second is the effort."""
    known = METRICS.get(metric) if isinstance(metric, str) else None
    if metric is not None and not isinstance(metric, str):
        raise BadInputError(f"`metric` must be a name where the score comes from a function. Got {metric!r:.60}. "
                            "Write metric='accuracy'.")
    if greater_is_better is not None and not isinstance(greater_is_better, (bool, np.bool_)):
        raise BadInputError(f"`greater_is_better` must be True, False or None. Got {greater_is_better!r:.60}. "
                            "Write greater_is_better=False for a loss.")
    better = bool(greater_is_better) if greater_is_better is not None else known.greater_is_better if known else True
    return Function(function, seed, metric or "score", 1 if better else -1, LADDER if _takes_two(function) else (), race)


def _takes_two(function: Any) -> bool:
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    needed = [p for p in found if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is p.empty]
    return len(needed) == 2
