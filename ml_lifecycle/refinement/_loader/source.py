"""What is profiled: a torch DataLoader of any kind, or batches of any other iterable; the loader itself is only read."""

import contextlib
import itertools
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.errors import BadInputError
from ml_lifecycle.refinement._loader.watch import Watch

MOST_BATCHES = 512  # indices that are drawn ahead
DRAW_SECONDS = 0.3


@dataclass
class Source:
    """A loader taken apart."""

    kind: str  # "map", "iterable" or "batches"
    loader: Any
    once: bool = False  # an iterator: what was read is gone
    indices: list[Any] = field(default_factory=list)  # of batches of a map-style dataset, as the sampler drew them
    drawn: list[float] = field(default_factory=list)  # seconds that drawing them took
    workers: int = 0

    @property
    def dataset(self) -> Any:
        """The dataset; None where batches come ready."""
        return self.loader.dataset if self.kind != "batches" else None

    def fetcher(self) -> "Fetch":
        """Fetches batch after batch in this process, without an end."""
        return Fetch(self)

    def again(self, workers: int, *, dataset: Any = None, indices: list[Any] | None = None, timeout: float = 0) -> Any:
        """A loader like the given one with other workers, over the same indices."""
        from torch.utils.data import DataLoader

        old = self.loader
        data = old.dataset if dataset is None else dataset
        asked: dict[str, Any] = {"num_workers": workers, "collate_fn": old.collate_fn, "pin_memory": pins(old)}
        if workers:
            asked |= {"worker_init_fn": old.worker_init_fn, "prefetch_factor": old.prefetch_factor or 2, "timeout": timeout,
                      "multiprocessing_context": old.multiprocessing_context}
        if self.kind == "iterable":
            asked |= {"batch_size": old.batch_size, "drop_last": bool(old.drop_last) and old.batch_size is not None}
        elif old._auto_collation:
            asked["batch_sampler"] = self.indices if indices is None else indices
        else:
            asked |= {"sampler": self.indices if indices is None else indices, "batch_size": None}
        return DataLoader(data, **asked)


def pins(loader: Any) -> bool:
    """Whether batches are pinned; asking for it without an accelerator does nothing but warn."""
    import torch

    return bool(loader.pin_memory) and torch.accelerator.is_available() if hasattr(torch, "accelerator") else \
        bool(loader.pin_memory) and torch.cuda.is_available()


def source_of(loader: Any) -> Source:
    """Take a loader apart; raises BadInputError when no batches can come from it."""
    torch = sys.modules.get("torch")
    data = sys.modules.get("torch.utils.data")
    if torch is not None and data is not None and isinstance(loader, data.DataLoader):
        if type(loader).__iter__ is not data.DataLoader.__iter__:
            return Source("batches", loader, workers=loader.num_workers)
        if isinstance(loader.dataset, data.IterableDataset):
            return Source("iterable", loader, once=_is_iterator(loader.dataset), workers=loader.num_workers)
        source = Source("map", loader, workers=loader.num_workers)
        _draw(source)
        return source
    if data is not None and isinstance(loader, data.Dataset) and not isinstance(loader, data.IterableDataset):
        raise BadInputError(f"`loader` must give batches. Got a dataset, {type(loader).__name__}. Wrap it: DataLoader(dataset, "
                            "batch_size=32).")
    if isinstance(loader, (str, bytes, dict)) or not hasattr(loader, "__iter__") and not hasattr(loader, "__getitem__"):
        raise BadInputError(f"`loader` must be a DataLoader or another iterable of batches. Got {shown(loader)}. Wrap a dataset: "
                            "DataLoader(dataset, batch_size=32).")
    return Source("batches", loader, once=_is_iterator(loader))


def _is_iterator(given: Any) -> bool:
    return hasattr(given, "__next__")


def _draw(source: Source) -> None:
    """Draw indices of batches as an epoch does: once, so that a sampler with a state of its own moves as in any epoch."""
    loader = source.loader
    end = time.perf_counter() + DRAW_SECONDS
    start = time.perf_counter()
    for index in itertools.islice(loader.batch_sampler if loader._auto_collation else loader.sampler, MOST_BATCHES):
        now = time.perf_counter()
        source.indices.append(index)
        source.drawn.append(now - start)
        if now > end and len(source.indices) >= 8:
            break
        start = time.perf_counter()
    if not source.indices:
        raise BadInputError("`loader` must give at least one batch. Got an empty one. Look at the length of the dataset, and at "
                            "drop_last.")


class Fetch:
    """Batches of a loader one after the other, with the seconds of each part; begins again at the end."""

    def __init__(self, source: Source) -> None:
        self.source, self.count, self.passes, self.ended = source, 0, 0, False
        self.items: list[float] = []  # seconds of single items, where they are fetched one by one
        self.watch: Watch | None = None
        self._iterator: Iterator[Any] | None = None

    def __call__(self) -> dict[str, Any] | None:
        """Parts of the next batch: {"item", "collate", "batch", "n"}; None where nothing is left."""
        data, seconds = self._of_map() if self.source.kind == "map" else self._of_iterator()
        if data is None:
            return None
        loader, ready = self.source.loader, self.source.kind == "batches"
        rows = _rows(data[0]) if ready else len(data) if loader._auto_collation and hasattr(data, "__len__") else 1
        self.count += 1
        if ready:
            return {"item": seconds, "collate": 0.0, "batch": data[0], "n": rows}
        self._mark("collate")
        start = time.perf_counter()
        batch = collated(loader.collate_fn, data)
        taken = time.perf_counter() - start
        self._mark(None)
        return {"item": seconds, "collate": taken, "batch": batch, "n": rows}

    def _mark(self, part: str | None) -> None:
        if self.watch is not None:
            self.watch.since, self.watch.part = time.perf_counter(), part

    def _of_map(self) -> tuple[Any, float]:
        source, dataset = self.source, self.source.loader.dataset
        index = source.indices[self.count % len(source.indices)]
        self.passes = self.count // len(source.indices)
        self._mark("item")
        start = time.perf_counter()
        data = get_items(dataset, index, self.items) if source.loader._auto_collation else get_one(dataset, index)
        taken = time.perf_counter() - start
        self._mark(None)
        return data, taken

    def _of_iterator(self) -> tuple[Any, float]:
        """The next items of an iterator; another pass begins at its end."""
        source, taken = self.source, 0.0
        size = 1 if source.kind == "batches" else source.loader.batch_size
        for _ in range(2):
            self._mark("item")
            start = time.perf_counter()
            if self._iterator is None:
                self._iterator = begun(source.loader if source.kind == "batches" else source.dataset)
            data = take(self._iterator, size)
            taken += time.perf_counter() - start
            self._mark(None)
            if data:
                return (data if source.kind == "batches" or source.loader._auto_collation else data[0]), taken
            if source.once:
                break
            self._iterator, self.passes = None, self.passes + 1
        self.ended = True
        return None, taken


def get_items(dataset: Any, index: Any, seconds: list[float]) -> Any:
    """The items of a batch, as torch fetches them."""
    if getattr(dataset, "__getitems__", None):
        return dataset.__getitems__(index)
    found, last = [], time.perf_counter()
    for i in index:
        found.append(dataset[i])
        now = time.perf_counter()
        seconds.append(now - last)
        last = now
    return found


def get_one(dataset: Any, index: Any) -> Any:
    """What stands at an index of a dataset that makes its batches itself."""
    return dataset[index]


def begun(iterable: Any) -> Iterator[Any]:
    """An iterator, from its beginning."""
    return iter(iterable)


def take(iterator: Iterator[Any], size: int | None) -> list[Any]:
    """The next items: `size` of them, or one."""
    return list(itertools.islice(iterator, size or 1))


def collated(collate: Callable[[Any], Any], data: Any) -> Any:
    """A batch of items."""
    return collate(data)


ANCHORS = frozenset(f.__code__ for f in (get_items, get_one, begun, take, collated))


def _rows(batch: Any) -> int:
    while isinstance(batch, (tuple, list, dict)) and batch:
        batch = next(iter(batch.values())) if isinstance(batch, dict) else batch[0]
    with contextlib.suppress(TypeError, IndexError):
        return int(batch.shape[0]) if hasattr(batch, "shape") else len(batch)
    return 1
