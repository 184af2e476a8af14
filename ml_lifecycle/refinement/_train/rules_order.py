"""Rules about the order of rows, and about what the loader costs."""

import itertools
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import DataLoader, RandomSampler, SequentialSampler

from ml_lifecycle.exploration._probe.facts import few
from ml_lifecycle.refinement._train.facts import Cause, Facts, advice, plural
from ml_lifecycle.refinement._train.record import Pass
from ml_lifecycle.refinement._train.rules_data import origin

DRAWS = 200  # orders drawn by chance


def sorted_rows(facts: Facts) -> Iterator[Cause]:
    """TRN030: batches that hold rows of one class, or of one size of target."""
    found = [x for p in (facts.epochs[0] if facts.epochs else []) if (x := facts.labels(p)) is not None]
    if len(found) < 4 or min(map(len, found[:-1])) < 2:
        return
    together, value = _share_between(found), np.concatenate(found)
    if len(np.unique(value)) < 2:
        return
    rng, sizes = np.random.default_rng(0), np.cumsum([len(x) for x in found])[:-1]
    chance = [_share_between(np.split(rng.permutation(value), sizes)) for _ in range(DRAWS)]
    by_chance = float(np.mean(chance))
    more = (together - by_chance) / max(1e-9, 1 - by_chance)
    numbers = {"share": together, "by_chance": by_chance, "batches": len(found), "n": len(value)}
    what = "sorted by class" if facts.classes else "sorted by the target"
    if together > max(chance) and more > 0.3:
        yield Cause("TRN030", "sorted", "issue", 1.3, f"The training rows are {what}: {together:.0%} of the variance of the "
                    f"targets lies "
                    f"between the {len(found):,} batches of an epoch ({by_chance:.0%} in a shuffled order), so that each batch "
                    f"pulls "
                    "to its own classes." if facts.classes else f"The training rows are {what}: {together:.0%} of its variance "
                    f"lies "
                    f"between the {len(found):,} batches of an epoch ({by_chance:.0%} in a shuffled order).",
                    numbers, advice("shuffle the training rows (shuffle=True)"))
    elif together > max(chance) and more > 0.1:
        yield Cause("TRN030", "partly_sorted", "tip", 11, f"Training rows that stand together have like targets: {together:.0%} "
                    f"of the "
                    f"variance lies between batches ({by_chance:.0%} in a shuffled order).", numbers, advice("shuffle the "
                                                                                                             "training rows"))


def _share_between(batches: list[NDArray[Any]]) -> float:
    """The share of the variance of targets that lies between batches; of classes, of all their indicators."""
    value = np.concatenate(batches)
    names = np.unique(value)
    columns = (value[:, None] == names).astype(float) if len(names) <= 50 else value[:, None]
    total = columns.var(0).sum()
    ends = np.cumsum([len(b) for b in batches])[:-1]
    parts = np.split(columns, ends)
    between = sum(len(p) * ((p.mean(0) - columns.mean(0))**2).sum() for p in parts) / len(columns)
    return float(between / total) if total > 0 else 0.0


def same_order(facts: Facts) -> Iterator[Cause]:
    """TRN031: every epoch goes through the rows in the same order."""
    starts = [_start(facts, epoch) for epoch in facts.epochs]
    starts = [s for s in starts if len(s) >= 3]
    if len(starts) < 2 or len(np.unique(np.concatenate(starts[0]))) < 4:
        return
    first = [np.sort(rows) for rows in starts[0]]
    pairs = [(a, np.sort(b)) for e in starts[1:] for a, b in zip(first, e)]
    same = sum(np.array_equal(a, b) for a, b in pairs) / len(pairs)
    numbers = {"epochs": len(starts), "batches": len(first), "same": same}
    if same < 0.8:
        yield Cause("TRN031", "shuffled", "passed", 93, f"Batches are made of other rows in each of {len(starts)} epochs.",
                    numbers)
        return
    loader = facts.loader("train")
    sampler = getattr(loader, "sampler", None)
    if isinstance(sampler, RandomSampler):
        yield Cause("TRN031", "seeded_each_epoch", "issue", 1.7, "The order of the rows is the same in each epoch though the "
                    "loader "
                    f"shuffles ({len(starts)} epochs, {plural(len(first), 'batch')}): a seed is set anew in each epoch, so "
                    f"shuffling and "
                    "augmentation repeat.", numbers, advice("set the seed once, before the loop"))
        return
    static = isinstance(loader, DataLoader) and isinstance(sampler, SequentialSampler)
    yield Cause("TRN031", "not_shuffled", "tip", 3 if static else 4, "The training rows are not shuffled: each of "
                f"{len(starts)} epochs has the same {plural(len(first), 'batch')} in the same order.", numbers,
                advice("give the training loader shuffle=True"))


def _start(facts: Facts, epoch: list[Pass]) -> list[NDArray[Any]]:
    """Hashes of the first batches of an epoch, as far as they were looked at without a gap."""
    return [facts.hashes[p.number] for p in itertools.takewhile(lambda p: p.number in facts.hashes, epoch)]


def last_batch(facts: Facts) -> Iterator[Cause]:
    """TRN032: a last batch of one row, which BatchNorm cannot take."""
    norm = [(name, m) for name, m in facts.modal if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    loader = facts.loader("train")
    size = getattr(loader, "batch_size", None)
    if not norm or not isinstance(loader, DataLoader) or loader.drop_last or not isinstance(size, int) or size < 2:
        return
    try:
        left = len(loader.sampler) % size  # type: ignore[arg-type]
    except TypeError:
        return
    if left == 1:
        raised = "more than 1 value" in str(facts.record.error)
        flat = any(isinstance(m, nn.BatchNorm1d) for _, m in norm)
        yield Cause("TRN032", "last_batch_of_one", "issue" if raised or flat else "tip", 0.8 if raised else 2.2, "The last batch "
                    "of each "
                    f"epoch has one row, and BatchNorm ({few([n for n, _ in norm])}) needs more than one in training: "
                    + ("it raised an error." if raised else "its statistics are those of a single row."),
                    {"left": left, "batch_size": size}, advice("give the training loader drop_last=True"))


def slow_loader(facts: Facts) -> Iterator[Cause]:
    """TRN090: the share of the time in which the model waits for data."""
    visits = [v for v in facts.record.visits if len(v.waits) > 1 and any(v.source is s for s in facts.train_sources)]
    waits = np.array([w for v in visits for w in v.waits[1:]])
    spans = [(v.ended or _last(facts, v)) - v.began - v.waits[0] for v in visits]
    total = sum(spans) - facts.record.own * sum(spans) / max(facts.record.seconds, 1e-9)
    if len(waits) < 8 or total <= 0:
        return
    share, typical = min(1.0, float(waits.sum()) / total), float(np.median(waits))
    numbers = {"share": share, "seconds": float(waits.sum()), "batch_seconds": typical, "n": len(waits)}
    rate = f"{share:.0%} of the time of {plural(len(waits), 'batch')} ({1000 * typical:.3g} ms each)"
    rate += " is spent waiting for the loader"
    after = advice("see where the time of a batch goes", call="profile_loader(loader)")
    if share > 0.5 and typical > 0.008:
        yield Cause("TRN090", "slow_loader", "issue", 3, f"The data loader is slow: {rate}.", numbers, after)
    elif share > 0.3 and typical > 0.004:
        yield Cause("TRN090", "slow_loader", "tip", 15, f"The data loader is the bound: {rate}.", numbers, after)
    else:
        yield Cause("TRN090", "loader", "passed", 95, f"{rate[0].upper()}{rate[1:]}.", numbers)


def _last(facts: Facts, visit: Any) -> float:
    return max([p.ended for p in facts.record.passes if p.visit is visit], default=visit.began)


def workers_alike(facts: Facts) -> Iterator[Cause]:
    """TRN091: workers whose random numbers are copies of each other."""
    for source in facts.train_sources:
        loader = source.loader
        if getattr(loader, "num_workers", 0) < 1 or getattr(loader, "worker_init_fn", None) is not None:
            continue
        held = sorted(set(_generators(origin(loader)[0])))
        if held:
            yield Cause("TRN091", "workers_alike", "issue", 1.6, f"The {plural(loader.num_workers, 'worker')} of the loader draw "
                        f"the same "
                        f"random numbers, and draw them again in each epoch: the data set holds a generator of its own "
                        f"({few(held)}), which "
                        "each worker copies as it is, so augmentation is identical.", {"workers": loader.num_workers},
                        advice("seed the generator in worker_init_fn with torch.initial_seed()"))


def _generators(thing: Any, depth: int = 3, path: str = "dataset") -> Iterator[str]:
    """Where random generators are held by an object."""
    if isinstance(thing, (np.random.Generator, np.random.RandomState, random.Random)):
        yield path
    elif depth and isinstance(thing, (list, tuple)) and len(thing) < 50:
        for at, item in enumerate(thing):
            yield from _generators(item, depth - 1, f"{path}[{at}]")
    elif depth and hasattr(thing, "__dict__") and not isinstance(thing, type):
        for name, item in list(vars(thing).items())[:100]:
            yield from _generators(item, depth - 1, f"{path}.{name}")


RULES = (sorted_rows, same_order, last_batch, slow_loader, workers_alike)
