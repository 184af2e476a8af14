"""From a loader to the numbers of its profile: times, trials, workers and the model's step, within the seconds given."""

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ml_lifecycle.foundation.errors import BadInputError
from ml_lifecycle.refinement._held import keeper
from ml_lifecycle.refinement._loader import checks as _loader_checks
from ml_lifecycle.refinement._loader import step as _loader_step
from ml_lifecycle.refinement._loader import time as _loader_time
from ml_lifecycle.refinement._loader import workers as _loader_workers
from ml_lifecycle.refinement._loader.source import Source, source_of

NAN = float("nan")
Triple = tuple[float, float, float]


@dataclass
class Facts:
    """What is known of a loader."""

    source: Source
    times: _loader_time.Times
    checks: _loader_checks.Checks
    parts: dict[str, Triple] = field(default_factory=dict)  # seconds of a batch
    shares: dict[str, Triple] = field(default_factory=dict)
    draws: Any = None  # resamples of the seconds by part
    rounds: int = 0  # of batches that were not looked into
    total: Triple = (NAN, NAN, NAN)  # seconds of a batch in this process
    given: Triple = (NAN, NAN, NAN)  # seconds of a batch as the loader stands, with its workers
    given_first: float = NAN
    step: Triple = (NAN, NAN, NAN)
    step_cpu: float = 0.0  # seconds of it that are computing
    workers: list[dict[str, Any]] = field(default_factory=list)
    sent: _loader_workers.Sending | None = None
    cores: int = 1
    others: float = 0.0
    failed: str = ""  # why the loader fails with workers
    doubled: bool = False  # whether two workers give the same rows
    only_workers: str = ""  # why batches cannot be made in this process
    asked: tuple[int, ...] = (1, 2)

    @property
    def rows(self) -> float:
        """Rows of a batch."""
        return float(np.mean([b["n"] for b in self.times.plain])) if self.times.plain else NAN


def profiled(loader: Any, train_step: Any, *, device: Any, workers: tuple[int, ...], seconds: float, seed: int) -> Facts:
    """Measure; generators that hang on the loader, and the global ones, come back afterwards."""
    restore = keeper(loader, train_step)
    try:
        with _loader_workers.quiet(), _loader_time.one_bar("profile_loader") as bar:
            return _profiled(loader, train_step, device, workers, seconds, seed, bar)
    finally:
        restore()


def _profiled(loader: Any, train_step: Any, device: Any, workers: tuple[int, ...], seconds: float, seed: int, bar: Any) -> Facts:
    source, others = source_of(loader), _loader_workers.Others()
    alone = source.kind == "batches" or source.once or not workers and not source.workers
    part = seconds * (0.8 if alone else 0.4) * (0.7 if train_step is not None else 1)
    source, times, why = _timed(source, part, device, bar)
    if not times.plain:
        raise BadInputError("`loader` must give at least 3 batches to time. Got fewer. Use a smaller batch_size, or more data.")
    facts = Facts(source, times, _loader_checks.tried(source), cores=_loader_workers.cores(), asked=workers, only_workers=why)
    _parts(facts, seed)
    if train_step is not None:
        taken, facts.step_cpu = _loader_step.step_seconds(train_step, source, 0.15 * seconds)
        facts.step = _loader_time.interval(taken, seed)
    facts.others = others.now()
    facts.given = facts.total
    if source.kind != "batches" and not source.once:
        _workers(facts, workers, seconds, seed, _loader_step.as_step(train_step))
    bar.update(100 - bar.n)
    return facts


def _timed(source: Source, seconds: float, device: Any, bar: Any) -> tuple[Source, _loader_time.Times, str]:
    """Times in this process; of batches as workers give them where the dataset needs to be in a worker."""
    try:
        return source, _loader_time.measured(source, seconds, device, bar), ""
    except Exception as error:
        said = f"{type(error).__name__}: {error}".replace("\n", " ")[:160]
        if source.kind == "batches" or not source.workers:
            raise BadInputError(f"`loader` must give batches. Got {said}. Fetch one by hand: next(iter(loader)).") from error
    try:
        ready = Source("batches", source.again(source.workers, timeout=60), workers=source.workers)
        return ready, _loader_time.measured(ready, seconds, device, bar), said
    except Exception as error:
        raise BadInputError(f"`loader` must give batches. Got {said}. Fetch one by hand: next(iter(loader)).") from error


def _parts(facts: Facts, seed: int) -> None:
    rest, times = "other" if facts.source.kind == "batches" else "decode", facts.times
    whole, draws = _loader_time.estimate(times, seed, rest)
    facts.draws, facts.rounds = draws, len({b["round"] for b in times.plain})
    share, shares = whole / whole.sum(), draws / np.maximum(draws.sum(1, keepdims=True), 1e-12)
    for at, name in enumerate(_loader_time.PARTS):
        if whole[at] > 0 or name in ("read", "decode", "transform", "collate", "copy") and facts.source.kind != "batches":
            for into, value, drawn in ((facts.parts, whole, draws), (facts.shares, share, shares)):
                into[name] = float(value[at]), *_loader_time.bounds(drawn[:, at], facts.rounds)
    facts.total = float(whole.sum()), *_loader_time.bounds(draws.sum(1), facts.rounds)


def _workers(facts: Facts, asked: tuple[int, ...], seconds: float, seed: int, step: Any) -> None:
    """Predict for some numbers of workers; measure where cores are there, in turn with this process."""
    source, times = facts.source, facts.times
    every = sorted({*asked, source.workers} - {0})
    if not every:
        return
    work = _loader_workers.work_of(times, seed)
    spent = time.perf_counter()
    try:
        facts.sent = _loader_workers.sending(source, times.batch, 0.1 * seconds)
    except Exception as error:  # noqa: BLE001 - batches that cannot be sent are an answer
        facts.failed = (str(error).strip().splitlines() or [type(error).__name__])[-1][:160]
        return
    model = (facts.step[0], facts.step_cpu) if step is not None else (0.0, 0.0)
    plain = [b["item"] + b["collate"] + model[0] for b in times.plain]
    for number in every:
        value, low, high = _loader_workers.predicted(work, facts.sent, number, facts.cores, facts.others, model)
        row: dict[str, Any] = {"workers": number, "predicted": value, "predicted_low": low, "predicted_high": high,
                               "measured": NAN, "low": NAN, "high": NAN, "n": 0, "first": NAN}
        if number <= facts.cores or number == source.workers:
            found = _loader_workers.measured(source, number, (work.wall + model[0]) / value, 0.15 * seconds, step)
            facts.failed = facts.failed or found.get("error", "")
            if "error" not in found and len(found["gaps"]):
                row["measured"], row["low"], row["high"] = _loader_workers.gain(plain, found["gaps"], seed)
                row |= {"n": found["n"], "first": found["first"]}
                if number == source.workers:
                    facts.given_first = found["first"]
                    alone = _loader_workers.measured(source, number, work.wall, 0.1 * seconds) if step is not None else found
                    facts.given = _loader_time.interval(alone.get("gaps", found["gaps"]), seed)
            if number == 2 and source.kind == "iterable" and "error" not in found:
                facts.doubled = _loader_checks.same_rows(found["head"])
        facts.workers.append(row)
        if time.perf_counter() - spent > 1.5 * seconds:
            break
