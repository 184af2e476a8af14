"""How long the parts of a batch take: rounds with and without a look inside in turn, so that looking has a price tag."""

import contextlib
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_lifecycle.foundation._bootstrap import quantiles
from ml_lifecycle.refinement._loader.source import ANCHORS, Fetch, Source, pins
from ml_lifecycle.refinement._loader.watch import Watch

ROUND = 0.05  # seconds of a round at least, where there is time for SOME of each kind
SOME = 8
ENOUGH = 150  # batches of either kind of round, beyond which the time may end early
PARTS = ("sample", "read", "decode", "transform", "other", "collate", "copy")
BOOT = 400


@dataclass
class Times:
    """Seconds of batches. One entry a batch; `plain` ones were not looked into."""

    first: float = float("nan")  # the first batch, in this process
    plain: list[dict[str, float]] = field(default_factory=list)  # item, collate, copy, cpu, n
    traced: list[dict[str, float]] = field(default_factory=list)  # item, collate, copy, and what the looks found
    rounds: int = 0
    drawn: list[float] = field(default_factory=list)
    items: list[float] = field(default_factory=list)
    lines: dict[tuple[str, str, int], float] = field(default_factory=dict)
    looks: int = 0
    passes: int = 0
    ended: bool = False
    batch: Any = None  # the last one, to copy and compare


def measured(source: Source, seconds: float, device: Any, bar: Any) -> Times:
    """Fetch batches in this process for some seconds."""
    times, fetch = Times(drawn=source.drawn), source.fetcher()
    begin = time.perf_counter()
    start = fetch()
    if start is None:
        return times
    times.first = time.perf_counter() - begin
    fetch.items.clear()
    with Watch(ANCHORS, rest="other" if source.kind == "batches" else "decode") as watch:
        while not fetch.ended:
            for traced in (False, True):
                _round(fetch, times, watch if traced else None, device, source, min(ROUND, seconds / SOME / 2))
            spent = time.perf_counter() - begin
            bar.update(max(0, min(int(100 * spent / seconds), 100) - bar.n))
            enough = len(times.plain) >= ENOUGH and len(times.traced) >= ENOUGH and spent > 0.4 * seconds
            if (spent >= seconds or enough) and (times.rounds >= SOME or spent > 2 * seconds):
                break
    times.items, times.passes, times.ended = fetch.items, fetch.passes, fetch.ended
    times.lines, times.looks = dict(watch.lines), watch.looks
    return times


def _round(fetch: Fetch, times: Times, watch: Watch | None, device: Any, source: Source, length: float) -> None:
    """Some batches, looked into or not."""
    fetch.watch = watch
    if watch is not None:
        watch.begin()
    times.rounds += 1
    end, known = time.perf_counter() + length, len(fetch.items)
    while True:
        if watch is not None:
            watch.unit = len(times.traced)
        cpu = time.process_time()
        found = fetch()
        if found is None:
            break
        times.batch = found.pop("batch")
        found |= {"copy": copied(times.batch, device, source), "round": times.rounds}
        if watch is None:
            times.plain.append(found | {"cpu": time.process_time() - cpu})
        else:
            times.traced.append(found | {f"look {label}": s for label, s in watch.time.get(watch.unit, {}).items()})
        if time.perf_counter() > end:
            break
    if watch is not None:
        watch.off()
        del fetch.items[known:]
    fetch.watch = None


def copied(batch: Any, device: Any, source: Source) -> float:
    """Seconds that pinning a batch and copying it to the device take; 0 where neither is asked for."""
    pinned = source.kind != "batches" and pins(source.loader)
    if device is None and not pinned:
        return 0.0
    start = time.perf_counter()
    move(batch, device, pinned)
    return time.perf_counter() - start


def move(batch: Any, device: Any, pinned: bool = False) -> Any:
    """A batch on the device; waits until it is there."""
    import torch

    def moved(value: Any) -> Any:
        if torch.is_tensor(value):
            value = value.pin_memory() if pinned else value
            return value.to(device, non_blocking=pinned) if device is not None else value
        if isinstance(value, dict):
            return {k: moved(v) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(*map(moved, value)) if hasattr(value, "_fields") else type(value)(map(moved, value))
        return value

    found = moved(batch)
    if device is not None and torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)
    return found


LOOKED = ("read", "decode", "transform", "other")


def by_round(batches: list[dict[str, float]], names: tuple[str, ...]) -> NDArray[np.float64]:
    """Sums over the batches of each round, and in the last column how many there are."""
    rounds = {number: at for at, number in enumerate(dict.fromkeys(b["round"] for b in batches))}
    found = np.zeros((len(rounds), len(names) + 1))
    for batch in batches:
        found[rounds[batch["round"]]] += [*(batch.get(name, 0.0) for name in names), 1.0]
    return found


def estimate(times: Times, seed: int, rest: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Seconds of a batch by part, and BOOT resamples of them.

    Whole rounds are drawn again, since batches that follow each other share what else the machine does (the bootstrap of
    clusters, Davison & Hinkley 1997, section 3.8).
    """
    plain = by_round(times.plain, ("item", "collate", "copy"))
    looks = by_round(times.traced, tuple(f"look {name}" for name in LOOKED))
    drawn, rng = np.array(times.drawn or [0.0]), np.random.default_rng(seed)

    def once(some: Any, other: Any, third: Any) -> NDArray[np.float64]:
        sums, share = plain[some].sum(0), looks[other].sum(0)[:-1]
        share = share / share.sum() if share.sum() > 0 else np.array([name == rest for name in LOOKED], dtype=float)
        item, collate, copy = sums[:-1] / sums[-1]
        out = dict(zip(LOOKED, item * share)) | {"collate": collate, "copy": copy, "sample": drawn[third].mean()}
        return np.array([out[part] for part in PARTS])

    sizes = len(plain), len(looks), len(drawn)
    whole = once(*map(np.arange, sizes))
    return whole, np.array([once(*(rng.integers(0, n, n) for n in sizes)) for _ in range(BOOT)])


def bounds(draws: Any, rounds: int, level: float = 0.95) -> tuple[float, float]:
    """Percentiles of resamples, widened for few rounds; nan for fewer than 3."""
    return quantiles(np.asarray(draws, dtype=float), rounds, level) if rounds > 2 else (float("nan"), float("nan"))


def overhead(times: Times) -> float:
    """What looking costs: how much longer a batch takes, as a share."""
    a, b = ([x["item"] + x["collate"] for x in some] for some in (times.plain, times.traced))
    return float(np.median(b) / np.median(a) - 1) if a and b and np.median(a) > 0 else float("nan")


def interval(values: Any, seed: int = 0, level: float = 0.95) -> tuple[float, float, float]:
    """Mean with its bootstrap interval; nan bounds for fewer than 3 values."""
    given = np.asarray(values, dtype=float)
    if len(given) == 0:
        return float("nan"), float("nan"), float("nan")
    mean = float(given.mean())
    if len(given) < 3:
        return mean, float("nan"), float("nan")
    draws = given[np.random.default_rng(seed).integers(0, len(given), (BOOT, len(given)))].mean(1)
    return mean, *bounds(draws, len(given), level)


@contextlib.contextmanager
def one_bar(desc: str) -> Any:
    """Progress in percent, from 2 seconds on."""
    from tqdm import tqdm

    with tqdm(total=100, desc=desc, delay=2, leave=False, bar_format="{desc}: {percentage:3.0f}%|{bar}|") as bar:
        yield bar
