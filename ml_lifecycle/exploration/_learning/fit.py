"""Every model on every subset of every fold: fitted, asked, scored; whatever goes wrong stays at its point."""

import random
import sys
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd
from joblib import Parallel, delayed, effective_n_jobs
from scipy import sparse
from sklearn.base import clone
from tqdm import tqdm

from ml_lifecycle.exploration import _columns
from ml_lifecycle.exploration._learning.order import Nest, Nests
from ml_lifecycle.exploration._learning.score import Judge
from ml_lifecycle.exploration._measure import NAN, Candidate, Problem, _one_line, _threads, _travels, what_failed
from ml_lifecycle.foundation.intervals import bootstrap_interval

HOUSES = ("sklearn", "ml_lifecycle")  # whose models say so when they cannot write into their input
OWN_COPIES = int(pd.__version__.split(".")[0]) < 3  # before, writing into a slice of a frame wrote into the frame


@dataclass(frozen=True)
class Point:
    """One model on one subset."""

    train: float = NAN  # score on the rows that it learned from
    validation: float = NAN  # score on the test rows of the fold
    low: float = NAN  # bounds from the test rows, where there is a single fold
    high: float = NAN
    fit_seconds: float = NAN
    error: str = ""  # "ValueError: what it said"
    warned: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """The rows of one fold, sliced once: the test rows, then the training rows in the order in which they are learned from."""

    key: Any
    X: Any
    y: np.ndarray
    truth: np.ndarray
    tested: int

    def features(self, start: int, stop: int) -> Any:
        """Some rows of the features; they share the memory of the part, and cannot be written to."""
        if isinstance(self.X, pd.DataFrame):
            rows = self.X.iloc[start:stop]
            return rows.copy() if OWN_COPIES else rows
        return self.X[start:stop]


_last: list[Part] = []  # the part that this process worked on last: one at most, so that memory stays small


def part_for(X: Any, y: np.ndarray, judge: Judge, nest: Nest, key: Any) -> Part:
    """The rows of one fold; the same as before when this process had this fold last."""
    for part in tuple(_last):
        if part.key == key:
            return part
    rows = np.concatenate([nest.test, nest.train])
    features = _sealed(_columns.take(X, rows))
    target = _sealed(y[rows])
    part = Part(key, features, target, _sealed(judge.truth(target)), len(nest.test))
    _last[:] = [part]
    return part


def _sealed(taken: Any) -> Any:
    """The same object, which nobody can write to any more."""
    for array in (taken.data, taken.indices, taken.indptr) if sparse.issparse(taken) else (taken,):
        if isinstance(array, np.ndarray):
            array.flags.writeable = False
    return taken


def run_all(
    problem: Problem, candidates: Sequence[Candidate], nests: Nests, sizes: Sequence[int], *,
    wanted: Iterable[tuple[int, int]], n_jobs: int | None, seed: int
) -> dict[tuple[int, int, int], Point]:  # (model, fold, size) by number -> what it did
    """Every model on every wanted (fold, size), in processes; a model that cannot be sent to another stays in this one."""
    wanted = list(wanted)
    judge = Judge(problem.task, problem.metric, problem.classes, problem.positive)
    apart = effective_n_jobs(n_jobs) != 1
    stay = {i for i, candidate in enumerate(candidates) if apart and not _travels(candidate.what)}
    tasks = [(model, fold, size) for fold, size in wanted for model in range(len(candidates))]
    away = sorted((t for t in tasks if t[0] not in stay), key=lambda t: (-t[2], t[0], t[1]) if apart else (t[1], t[2], t[0]))
    here = sorted((t for t in tasks if t[0] in stay), key=lambda t: t[1])
    _threads.cache_clear()
    careful = [not _in_house(candidate.what) for candidate in candidates]
    token, alone = uuid4().hex, len(nests.each) == 1
    bar = tqdm(total=len(tasks), desc="learning curve", unit="fit", delay=2, leave=False)

    def arguments(task: tuple[int, int, int]) -> tuple[Any, ...]:
        model, fold, size = task
        own = (seed + 7919 * model + 104_729 * fold + 15_485_863 * size) % 2**32  # of what draws from the global state
        return (problem.X, problem.y, judge, candidates[model].what, nests.each[fold], (token, fold), sizes[size], own, alone,
                careful[model])

    def sent() -> Iterator[Any]:
        for task in away:
            yield delayed(point)(*arguments(task))
            bar.update()

    try:
        with bar:
            done = list(Parallel(n_jobs=n_jobs)(sent()))
            for task in here:
                done.append(point(*arguments(task)))
                bar.update()
    finally:
        _last.clear()
    return dict(zip([*away, *here], done))


def _in_house(model: Any) -> bool:
    """Whether all parts of a model are scikit-learn's or ours; others (tensors that share memory) get rows of their own."""
    parts = [model, *(model.get_params().values() if hasattr(model, "get_params") else ())]
    return all(type(part).__module__.split(".")[0] in HOUSES for part in parts if hasattr(part, "fit"))


def point(
    X: Any, y: np.ndarray, judge: Judge, model: Any, nest: Nest, key: Any, size: int, seed: int, alone: bool,
    careful: bool = False
) -> Point:
    """Fit on the first `size` rows, score on them and on the test rows; an exception becomes part of the point."""
    with warnings.catch_warnings(record=True) as caught, _threads().limit(limits=1):
        warnings.simplefilter("always")
        try:
            part = part_for(X, y, judge, nest, key)
            try:
                done = _done(part, judge, model, size, seed, alone, copied=careful)
            except ValueError as error:
                if careful or "read-only" not in str(error):
                    raise
                done = _done(part, judge, model, size, seed, alone, copied=True)  # it writes into its input
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a model that fails must not take the others with it
            done = {"error": what_failed(error)}
    said = dict.fromkeys(f"{w.category.__name__}: {_one_line(w.message)}" for w in caught)
    return Point(**done, warned=tuple(said))


def _done(part: Part, judge: Judge, model: Any, size: int, seed: int, alone: bool, *, copied: bool) -> dict[str, Any]:
    tested, stop = part.tested, part.tested + size
    learned, asked = part.features(tested, stop), part.features(0, tested)
    target = part.y[tested:stop]
    if copied:
        learned, asked, target = learned.copy(), asked.copy(), target.copy()
    fresh = clone(model, safe=False)
    with _drawing(seed):
        start = time.perf_counter()
        fitted = fresh.fit(learned, target)
        seconds = time.perf_counter() - start
        fitted = fitted if hasattr(fitted, "predict") else fresh
        outside, inside = judge.ask(fitted, asked), judge.ask(fitted, learned)
    truth = part.truth[:tested]
    done = {"validation": judge.score(truth, outside), "train": judge.score(part.truth[tested:stop], inside),
            "fit_seconds": seconds}
    if alone:
        _, done["low"], done["high"] = bootstrap_interval(judge.metric, truth, outside, seed=seed)
    return done


@contextmanager
def _drawing(seed: int) -> Iterator[None]:
    """Whatever draws from the global random states draws the same in any process and order."""
    random.seed(seed)
    np.random.seed(seed)
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "default_generator"):
        yield
        return
    before = torch.get_rng_state()
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(before)
