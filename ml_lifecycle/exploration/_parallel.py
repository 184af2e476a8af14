"""Every candidate on the very same folds: in turn, in parallel, or in processes that are stopped when their time is over."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from joblib import Parallel, delayed, effective_n_jobs
from tqdm import tqdm

from ml_lifecycle.exploration import _killable
from ml_lifecycle.exploration._folds import Folds, Pair
from ml_lifecycle.exploration._measure import Candidate, Outcome, Problem, _threads, _travels, measure, pickler

Work = Callable[[Problem, Candidate, Pair, int, bool], Outcome]  # a function of a module, so that it can be sent


def measure_all(
    problem: Problem, candidates: Iterable[Candidate], folds: Folds, *, n_jobs: int | None = None, seed: int = 0,
    seconds: float | None = None, work: Work = measure, label: str = "baselines"
) -> list[list[Outcome]]:  # for each candidate one outcome a fold
    """Measure every candidate on the very same folds; models in parallel, functions of the person in this process.

    With `seconds` each candidate gets so much time for all its folds, in a process that is ended when they are over.
    """
    candidates, alone = list(candidates), len(folds.pairs) == 1
    _threads.cache_clear()
    limited = [c for c in candidates if seconds is not None and c.kind != "trivial" and _travels(c.what)]
    found: dict[tuple[str, int], Outcome] = {}
    with tqdm(total=len(candidates) * len(folds.pairs), desc=label, unit="fit", delay=2, leave=False) as bar:
        if seconds is not None and limited:
            found |= _limited(problem, limited, folds, n_jobs, seed, seconds, work, alone, bar)
        names = {c.name for c in limited}
        found |= _in_parallel(problem, [c for c in candidates if c.name not in names], folds, n_jobs, seed, work, alone, bar)
    return [[found[candidate.name, number] for number in range(len(folds.pairs))] for candidate in candidates]


def _in_parallel(problem: Problem, candidates: Sequence[Candidate], folds: Folds, n_jobs: int | None, seed: int, work: Work,
                 alone: bool, bar: Any) -> dict[tuple[str, int], Outcome]:
    apart = effective_n_jobs(n_jobs) != 1
    stay = {c.name for c in candidates if apart and (c.kind == "heuristic" or not _travels(c.what))}
    tasks = [(candidate, number) for candidate in candidates for number in range(len(folds.pairs))]
    away, here = ([t for t in tasks if (t[0].name in stay) is home] for home in (False, True))
    asked = replace(problem, X=None, y=None)  # table and target travel by themselves, so that a cluster gets them once

    def sent() -> Iterable[Any]:
        for candidate, number in away:
            yield delayed(_task)(work, problem.X, problem.y, asked, candidate, folds.pairs[number], seed, alone)
            bar.update()

    done = list(Parallel(n_jobs=n_jobs)(sent()))
    for candidate, number in here:
        done.append(work(problem, candidate, folds.pairs[number], seed, alone))
        bar.update()
    return {(candidate.name, number): outcome for (candidate, number), outcome in zip([*away, *here], done)}


def _task(work: Work, X: Any, y: Any, asked: Problem, candidate: Candidate, fold: Pair, seed: int, alone: bool) -> Outcome:
    return work(replace(asked, X=X, y=y), candidate, fold, seed, alone)


def _limited(problem: Problem, candidates: Sequence[Candidate], folds: Folds, n_jobs: int | None, seed: int, seconds: float,
             work: Work, alone: bool, bar: Any) -> dict[tuple[str, int], Outcome]:
    shared = pickler().dumps((_folds_of, (work, problem, folds.pairs, seed, alone)))
    sent = [pickler().dumps(candidate) for candidate in candidates]
    workers = max(1, min(len(candidates), effective_n_jobs(n_jobs)))
    found = {}
    for place, outcomes, why in _killable.run(shared, sent, seconds=seconds, workers=workers):
        missing = Outcome(late=seconds) if why == _killable.LATE else Outcome(error=why)
        for number in range(len(folds.pairs)):
            found[candidates[place].name, number] = outcomes[number] if number < len(outcomes) else missing
        bar.update(len(folds.pairs))
    return found


def _folds_of(shared: Any, candidate: Candidate) -> Iterable[Outcome]:
    """The outcomes of one candidate, one after the other: what a process of its own does."""
    work, problem, pairs, seed, alone = shared
    for pair in pairs:
        yield work(problem, candidate, pair, seed, alone)


def unlimited(candidates: Iterable[Candidate]) -> list[str]:
    """Names of those that cannot be stopped, because they cannot be sent to another process."""
    return [c.name for c in candidates if c.kind != "trivial" and not _travels(c.what)]
