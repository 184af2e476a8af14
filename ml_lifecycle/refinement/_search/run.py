"""The trials of a search, batch by batch; a candidate that can no longer become the best is not tried to its end."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from scipy import stats
from tqdm import tqdm

from ml_lifecycle.foundation.errors import BadInputError
from ml_lifecycle.refinement._search.log import Log
from ml_lifecycle.refinement._search.rounds import BATCH, Planner, shares_of, time_of
from ml_lifecycle.refinement._search.space import Space, keys_of
from ml_lifecycle.refinement._search.subject import NAN, Fit, Folded, Function

SURE = 0.995  # probability that a candidate which is stopped would not have become the best
FINISHED = 4  # trials that must have been tried to their end before any is stopped


@dataclass(frozen=True)
class Trial:
    """One candidate."""

    number: int
    round: int  # 0: the estimator as given
    params: dict[str, Any]
    point: tuple[float, ...] | None  # where it lies in the space; None outside
    scores: tuple[float, ...] = ()  # of the folds that it was tried on, or what the function gave last
    path: tuple[float, ...] = ()  # its value after each stage
    score: float = NAN  # the last one; of a stopped candidate what it would probably have become
    seconds: float = 0.0
    error: str = ""
    stopped: str = ""  # why it was not tried to its end

    @property
    def whole(self) -> bool:
        """Whether it was tried to its end, and has a score."""
        return not self.error and not self.stopped


@dataclass
class Search:
    """What is searched, and how far it has come."""

    subject: Folded | Function
    space: Space
    seed: int
    n_jobs: int | None
    budget: int
    rounds: int
    until: float = np.inf  # by time.perf_counter
    log: Log | None = None
    trials: list[Trial] = field(default_factory=list)
    taken: int = 0  # trials that came from the log
    late: bool = False  # whether the time was up first

    @property
    def sign(self) -> int:
        """1 where higher is better, else -1."""
        return self.subject.sign

    @property
    def folded(self) -> Folded:
        """The estimator and its folds."""
        assert isinstance(self.subject, Folded)
        return self.subject


def ranked_of(trials: Sequence[Trial], sign: int) -> list[Trial]:
    """Those that were tried to their end, the best first; of equals the one that came first."""
    return sorted((t for t in trials if t.whole), key=lambda t: -sign * t.score)


def run(search: Search) -> Planner:
    """All trials: the estimator as given first, then round by round."""
    axes, given = len(search.space.axes), isinstance(search.subject, Folded)
    planner = Planner(search.space, search.seed, search.budget)
    with tqdm(total=search.budget, desc="coarse_to_fine", unit="trial", delay=2, leave=False) as bar:
        if given:
            own = search.folded.estimator.get_params()
            params = {name: own.get(name) for name in search.space.names}
            search.trials += _batch(search, [Trial(0, 0, params, _tuple(search.space.point(params)))], bar)
        sizes, start, left = shares_of(search.budget - given, search.rounds, axes), time.perf_counter(), 0
        for number, size in enumerate(sizes, 1):
            planner.open_round(*seen_of(search))
            left += size
            until = start + time_of(number, len(sizes)) * (search.until - start)
            while left > 0 and not search.late:
                new = _next(search, planner, number, min(BATCH, left))
                search.trials += _batch(search, new, bar)
                left -= len(new) if new else left
                if time.perf_counter() > until:
                    break  # what is left goes to the next round
            if search.late:
                break
    if not ranked_of(search.trials, search.sign):
        raise _nothing(search)
    return planner


def seen_of(search: Search) -> tuple[np.ndarray, list[float]]:
    """Where the trials lie in the space, and their scores, higher is better; nan for a failure."""
    inside = [t for t in search.trials if t.point is not None]
    points = np.array([t.point for t in inside]).reshape(len(inside), len(search.space.axes))
    return points, [search.sign * t.score for t in inside]


def _tuple(point: np.ndarray | None) -> tuple[float, ...] | None:
    return None if point is None else tuple(float(at) for at in point)


def _next(search: Search, planner: Planner, number: int, count: int) -> list[Trial]:
    """The candidates of a batch; what the log holds under their numbers comes before what was drawn."""
    points, scores = seen_of(search)
    drawn = planner.next(points, scores, count, set(keys_of(points)))
    first = len(search.trials)
    found = [Trial(first + i, number, search.space.params(point), _tuple(point)) for i, point in enumerate(drawn)]
    if search.log is None:
        return found
    for i, line in ((i, search.log.trials.get(first + i)) for i in range(len(found))):
        if line is not None and line["point"] is not None:
            point = np.array(line["point"])
            found[i] = replace(found[i], params=search.space.params(point), point=_tuple(point), round=line["round"])
    return found


def _batch(search: Search, batch: Sequence[Trial], bar: Any) -> list[Trial]:
    """Try candidates side by side, stage by stage; those that the log holds are not tried again."""
    done: dict[int, Trial] = {}
    for trial in batch:
        line = search.log.trials.get(trial.number) if search.log else None
        if line is not None:
            done[trial.number] = _read(trial, line)
            search.taken += 1
    open_ = [trial for trial in batch if trial.number not in done]
    stages = search.subject.stages
    for place, parts in enumerate(stages):
        first, last = place == 0, place == len(stages) - 1
        going = []
        for trial in tried(search, open_, parts, first):
            trial = _judged(search, trial, last)
            if last or not trial.whole:
                done[trial.number] = trial
                _keep(search, trial)
            else:
                going.append(trial)
        open_ = sorted(going, key=lambda t: t.number)
    found = [done[trial.number] for trial in batch if trial.number in done]
    search.late = search.late or len(found) < len(batch)
    bar.update(len(found))
    return [replace(trial, number=len(search.trials) + i) for i, trial in enumerate(found)]


def tried(search: Search, batch: Sequence[Trial], parts: Sequence[int], timed: bool) -> Iterator[Trial]:
    """Candidates with what these parts gave them, each as soon as it is there; with the time up none is begun."""
    begun: set[int] = set()

    def sent() -> Iterator[Any]:
        for at, trial in enumerate(batch):
            if timed and time.perf_counter() > search.until and (search.trials or at):
                search.late = True
                return
            begun.add(at)
            for part in parts:
                yield delayed(_tagged)(at, part, *search.subject.task(trial.params if trial.round else {}, part))

    fits: dict[int, dict[int, Fit]] = {}
    for at, part, fit in parallel(search.n_jobs)(sent()):
        fits.setdefault(at, {})[part] = fit
        if len(fits[at]) == len(parts):
            yield _with(search, batch[at], [fits[at][p] for p in parts])


def parallel(n_jobs: int | None) -> Any:
    """joblib, giving back what is done as it is done, where its version and its backend can."""
    try:
        return Parallel(n_jobs=n_jobs, return_as="generator_unordered")
    except (TypeError, ValueError):
        return Parallel(n_jobs=n_jobs)


def _tagged(at: int, part: int, work: Any, *arguments: Any) -> tuple[int, int, Fit]:
    return at, part, work(*arguments)


def _with(search: Search, trial: Trial, fits: Sequence[Fit]) -> Trial:
    """A candidate with the outcome of one stage."""
    errors = [fit.error for fit in fits if fit.error]
    new = tuple(score for fit in fits for score in fit.scores)
    scores = (*trial.scores, *new) if isinstance(search.subject, Folded) else new
    value = search.subject.value(scores)
    told = f"{errors[0]} (in {len(errors)} of {len(fits)} folds)" if errors and len(fits) > 1 else errors[0] if errors else ""
    return replace(trial, scores=scores, path=(*trial.path, value), score=NAN if told else value, error=told,
                   seconds=trial.seconds + sum(fit.seconds for fit in fits))


def _judged(search: Search, trial: Trial, last: bool) -> Trial:
    """Stopped, where its outcome so far leaves no hope; failed, where no part has a score."""
    if trial.error:
        return trial
    if last:
        undefined = f"{search.subject.label} is undefined in every fold"
        return trial if np.isfinite(trial.score) else replace(trial, error=undefined)
    ahead = prospect(search, trial)
    if ahead is None or trial.round == 0:
        return trial
    likely, high, best = ahead
    if high >= best:
        return trial
    stage, count = len(trial.path), len(search.subject.stages)
    after = f"{len(trial.scores)} folds" if isinstance(search.subject, Folded) else f"stage {stage} of {count}"
    return replace(trial, score=search.sign * likely, stopped=f"stopped after {after}: {SURE:.1%} sure not to be the best")


def prospect(search: Search, trial: Trial) -> tuple[float, float, float] | None:
    """(likely final score, its upper bound, the best so far), higher is better; None where too little is known.

    From the trials that went to their end, the better half: what such trials still gained after this stage. One more of their
    kind lies below the upper bound of the prediction interval (t) with the probability that `SURE` says. Races of this kind:
    Maron & Moore (1994), Birattari et al. (2002).
    """
    stage, parts = len(trial.path) - 1, len(search.subject.stages)
    whole = ranked_of([t for t in search.trials if len(t.path) == parts], search.sign)
    half = whole[:max(FINISHED, len(whole) // 2)]
    if len(half) < FINISHED or not np.isfinite(trial.path[stage]):
        return None
    if isinstance(search.subject, Folded):
        gain, apart, free = _gain_of_folds(np.array([t.scores for t in half]), len(trial.scores))
    else:
        later = np.array([t.path[-1] - t.path[stage] for t in half])
        gain, apart, free = float(later.mean()), float(later.std(ddof=1)), len(later) - 1
    if not np.isfinite(gain + apart):
        return None
    apart = max(apart, 0.25 * float(np.std([t.score for t in half])))  # a few that agree prove little
    likely = search.sign * (trial.path[stage] + gain)
    reach = float(stats.t.ppf(SURE, free)) * apart * np.sqrt(1 + 1 / len(half))
    return likely, likely + reach, search.sign * whole[0].score


def _gain_of_folds(scores: np.ndarray, first: int) -> tuple[float, float, int]:
    """How much the mean over all folds lies above that over the first ones, its spread, and the degrees of freedom.

    Scores are taken as candidate + fold + chance, of which the last is what another candidate may differ by.
    """
    trials, folds = scores.shape
    chance = scores - scores.mean(axis=1, keepdims=True) - scores.mean(axis=0) + scores.mean()
    free = (trials - 1) * (folds - 1)
    variance = float((chance ** 2).sum()) / free * (1 / first - 1 / folds)
    return float(scores.mean() - scores[:, :first].mean()), float(np.sqrt(variance)), free


def _keep(search: Search, trial: Trial) -> None:
    if search.log is not None:
        search.log.add({"trial": trial.number, "round": trial.round, "params": described(trial.params), "point": trial.point,
                        "scores": _null(trial.scores), "path": _null(trial.path), "score": _null((trial.score,))[0],
                        "seconds": round(trial.seconds, 6), "error": trial.error, "stopped": trial.stopped})


def _null(values: Sequence[float]) -> list[float | None]:
    """JSON knows finite numbers only."""
    return [float(value) if np.isfinite(value) else None for value in values]


def _read(trial: Trial, line: Mapping[str, Any]) -> Trial:
    """A trial with the outcome that the log holds."""
    scores, path, (score,) = (tuple(NAN if v is None else float(v) for v in values)
                              for values in (line["scores"], line["path"], [line["score"]]))
    return replace(trial, scores=scores, path=path, score=score, seconds=float(line["seconds"]), error=str(line["error"]),
                   stopped=str(line["stopped"]))


def _nothing(search: Search) -> BadInputError:
    first = next((trial.error for trial in search.trials if trial.error), "no time to try any")
    told = f"Got {len(search.trials)} that failed, the first with {first}."
    if isinstance(search.subject, Folded):
        return BadInputError(f"`estimator` must fit with at least one candidate. {told} For tables that are not all numbers put "
                             "prepare(X) before it.")
    return BadInputError(f"`estimator` must give a score with at least one candidate. {told} Call the function once by hand.")


def described(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as a report can hold them."""
    return {name: value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
            for name, value in params.items()}
