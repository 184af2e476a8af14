"""What workers would bring: predicted from the work of a batch, what it costs to send, and the cores; then measured."""

import contextlib
import itertools
import math
import os
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml_lifecycle.refinement._loader.source import Source
from ml_lifecycle.refinement._loader.time import BOOT, Times, bounds

Gain = tuple[float, float, float]
SENT = 40  # batches that are sent to see what sending costs


@dataclass
class Sending:
    """What it costs to get a batch from a worker."""

    send: float  # seconds from worker to this process, as batches follow each other
    receive: float  # seconds of computing in this process
    start: float  # seconds until the first batch of one worker is there


class Same:
    """A dataset that gives the same batch again and again, as new memory."""

    def __init__(self, batch: Any, n: int) -> None:
        self.batch, self.n = batch, n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, at: int) -> Any:
        return fresh(self.batch)


def fresh(value: Any) -> Any:
    """A copy of the tensors and arrays of a batch."""
    if hasattr(value, "clone"):
        return value.clone()
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, dict):
        return {k: fresh(v) for k, v in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(fresh, value))
    return value


def cores() -> int:
    """Cores that this process may use (affinity and container limits counted)."""
    from joblib import cpu_count

    return int(cpu_count())


class Others:
    """How many cores other programs keep busy meanwhile; 0 where the system does not tell."""

    def __init__(self) -> None:
        self.at, self.busy, self.own = time.perf_counter(), _busy(), time.process_time()

    def now(self) -> float:
        """Cores busy with something else since the start, on average."""
        busy, taken = _busy(), time.perf_counter() - self.at
        if busy is None or self.busy is None or taken < 0.3:
            return 0.0
        return max(0.0, (busy - self.busy - (time.process_time() - self.own)) / taken)


def _busy() -> float | None:
    """Seconds of all cores spent working, where every core that the system counts is ours too."""
    try:
        with open("/proc/stat") as file:
            lines = file.read().splitlines()
        count = sum(line.startswith("cpu") for line in lines) - 1
        user, nice, system, _, _, irq, soft, *_ = map(int, lines[0].split()[1:])
        return (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK") if count == cores() else None
    except (OSError, ValueError, AttributeError):
        return None


def sending(source: Source, batch: Any, seconds: float) -> Sending:
    """Send one batch many times through a worker that has nothing else to do; copying it there is taken off again."""
    n, copy = SENT, math.inf
    for _ in range(3):
        start = time.perf_counter()
        fresh(batch)
        copy = min(copy, time.perf_counter() - start)
    loader = source_like(source, Same(batch, n), list(range(n)))
    with quiet():
        began = time.perf_counter()
        iterator = iter(loader)
        next(iterator)
        first = time.perf_counter() - began
        cpu, got = time.process_time(), 1
        for _ in iterator:
            got += 1
            if time.perf_counter() - began > seconds:
                break
        mine, taken = time.process_time() - cpu, time.perf_counter() - began - first
        del iterator, loader
    return Sending(max(0.0, taken / max(got - 1, 1) - copy), mine / max(got - 1, 1), first)


def source_like(source: Source, dataset: Any, indices: list[Any]) -> Any:
    """A loader of ready batches with one worker, started as the given loader starts its own."""
    from torch.utils.data import DataLoader

    return DataLoader(dataset, sampler=indices, batch_size=None, num_workers=1, collate_fn=whole, timeout=20,
                      multiprocessing_context=source.loader.multiprocessing_context)


def whole(batch: Any) -> Any:
    """A batch as it is."""
    return batch


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Warnings of loaders that are ours do not reach the person."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@dataclass
class Work:
    """Seconds of a batch in this process, and how many of them are computing; with resamples."""

    wall: float
    cpu: float
    walls: Any  # resamples
    cpus: Any
    n: int  # batches


def work_of(times: Times, seed: int) -> Work:
    """The work that a worker would take over."""
    wall = np.array([b["item"] + b["collate"] for b in times.plain])
    cpu = np.array([min(b["cpu"], 64 * (b["item"] + b["collate"])) for b in times.plain])
    which = np.random.default_rng(seed).integers(0, len(wall), (BOOT, len(wall)))
    return Work(float(wall.mean()), float(cpu.mean()), wall[which].mean(1), cpu[which].mean(1), len(wall))


def batch_seconds(wall: Any, cpu: Any, sent: Sending, workers: int, free: float, step: tuple[float, float] = (0.0, 0.0)) -> Any:
    """Seconds between two batches, by the slowest station (the bottleneck law, Denning & Buzen 1978, ACM Comp. Surveys 10).

    Workers share the fetching and the sending; this process receives every batch by itself (what Amdahl's law calls
    serial) and takes the model's step (seconds, and of computing); all computing shares the cores that are free.
    """
    alone = np.maximum(wall, cpu)  # a worker computes with one thread
    stations = [(alone + sent.send) / workers, np.full_like(alone, sent.receive + step[0]),
                (cpu + sent.send + sent.receive + step[1]) / free]
    return np.max(stations, axis=0)


def free_cores(count: int, others: float, workers: int) -> tuple[float, float, float]:
    """How many cores are left: about, at least, at most.

    Where other programs compute too, a scheduler gives equal shares to programs, or to groups of them (containers): then
    more workers get no more. So what is left lies between what others leave and an equal share for each worker.
    """
    left = max(count - others, 0.25)
    return max(left, count / (1 + others)), left, max(left, count * workers / (workers + others))


def predicted(work: Work, sent: Sending, workers: int, count: int, others: float, step: tuple[float, float]) -> Gain:
    """How many times as many batches a second come with so many workers, with its interval."""
    about, least, most = free_cores(count, others, workers)
    at = (work.wall + step[0]) / float(batch_seconds(np.array(work.wall), np.array(work.cpu), sent, workers, about, step))
    low, _ = bounds((work.walls + step[0]) / batch_seconds(work.walls, work.cpus, sent, workers, least, step), work.n)
    _, high = bounds((work.walls + step[0]) / batch_seconds(work.walls, work.cpus, sent, workers, most, step), work.n)
    return at, low, high


def timed(loader: Any, workers: int, seconds: float, step: Callable[[Any], Any] | None) -> dict[str, Any]:
    """Batches of a loader with workers: seconds until the first, and between later ones in steady state; a step after each."""
    with quiet():
        began = time.perf_counter()
        iterator = iter(loader)
        arrivals: list[float] = []
        kept: list[Any] = []
        for batch in iterator:
            arrivals.append(time.perf_counter())
            if len(kept) < 2:
                kept.append(fresh(batch))
            if step is not None:
                step(batch)
            del batch
            if arrivals[-1] - began > seconds and len(arrivals) > 4 * workers + 2 or arrivals[-1] - began > 3 * seconds:
                break
        del iterator
    skip = 2 * workers  # these were fetched while the workers started
    ends = np.array(arrivals[skip::max(workers, 1)])
    gaps = np.diff(ends) / max(workers, 1)
    return {"first": arrivals[0] - began if arrivals else float("nan"), "gaps": gaps, "n": len(arrivals), "head": kept}


def measured(source: Source, workers: int, expected: float, seconds: float, step: Any = None) -> dict[str, Any]:
    """Measure with so many workers: {"first", "gaps", "n", "head"}, or {"error": why}."""
    indices = None
    if source.kind == "map":
        wanted = int(min(max(8 * workers + 8, 1.5 * seconds / max(expected, 1e-6)), 5000))
        indices = list(itertools.islice(itertools.cycle(source.indices), wanted))
    try:
        return timed(source.again(workers, indices=indices, timeout=10 + 20 * expected * workers), workers, seconds, step)
    except Exception as error:  # noqa: BLE001 - whatever a worker raises is an answer: with workers it does not run
        return {"error": str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__}


def gain(plain: Any, gaps: Any, seed: int) -> tuple[float, float, float]:
    """Ratio of two mean times with its bootstrap interval."""
    a, b = np.asarray(plain, dtype=float), np.asarray(gaps, dtype=float)
    if not len(a) or not len(b):
        return float("nan"), float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    draws = [a[rng.integers(0, len(a), len(a))].mean() / b[rng.integers(0, len(b), len(b))].mean() for _ in range(BOOT)]
    return float(a.mean() / b.mean()), *bounds(draws, min(len(a), len(b)))
