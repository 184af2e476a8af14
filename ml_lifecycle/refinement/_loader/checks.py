"""Small trials beside the clock: is an item the same each time, which files does it open, can the dataset be sent to a worker?"""

import builtins
import contextlib
import io
import os
import pickle
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ml_lifecycle.refinement._again.values import digest
from ml_lifecycle.refinement._loader.source import Source

ITEMS = 4
MOST_BYTES = 64 * 2**20


@dataclass
class Checks:
    """What was tried."""

    same: bool | None = None  # whether items are equal when fetched again; None: not tried
    opened: tuple[tuple[str, ...], ...] = ()  # files that each of some items opened
    sizes: tuple[int, ...] = ()  # bytes of the distinct files
    pickled: str = ""  # why the dataset cannot be sent to a worker; "" when it can
    large: bool = False  # whether sending it means more than MOST_BYTES
    own_batches: bool = False  # whether the dataset fetches a whole batch at once


def tried(source: Source) -> Checks:
    """Try what can be tried on a few items."""
    checks = Checks()
    if source.kind == "batches":
        return checks
    checks.pickled, checks.large = _pickled((source.dataset, source.loader.collate_fn, source.loader.worker_init_fn))
    if source.kind == "map":
        checks.own_batches = bool(getattr(source.dataset, "__getitems__", None)) or not source.loader._auto_collation
        with contextlib.suppress(Exception):  # the loader itself says what fails
            _items(source, checks)
    return checks


def _items(source: Source, checks: Checks) -> None:
    dataset = source.dataset
    ids = [i for index in source.indices[:ITEMS] for i in (list(index) if source.loader._auto_collation else [index])][:ITEMS]
    opened = []
    with files() as seen:
        for i in ids:
            seen.clear()
            dataset[i]
            opened.append(tuple(seen))
    checks.opened = tuple(opened)
    distinct = {path for paths in opened for path in paths}
    checks.sizes = tuple(os.path.getsize(p) for p in sorted(distinct) if os.path.isfile(p))
    checks.same = all(digest(dataset[i]) == digest(dataset[i]) for i in ids[:2])


@contextlib.contextmanager
def files() -> Iterator[list[str]]:
    """Names of the files that are opened meanwhile (by Python's own open, sqlite3 and h5py)."""
    seen: list[str] = []
    places: list[tuple[Any, str]] = [(builtins, "open"), (io, "open"), (sqlite3, "connect")]
    if "h5py" in sys.modules:
        places.append((sys.modules["h5py"].File, "__init__"))
    kept = [(place, name, getattr(place, name)) for place, name in places]

    def noting(original: Any) -> Any:
        def opens(*args: Any, **named: Any) -> Any:
            names = [a for a in (*args[:2], *named.values()) if isinstance(a, (str, bytes, os.PathLike))]
            seen.extend(os.path.abspath(os.fsdecode(name)) for name in names[:1])
            return original(*args, **named)

        return opens

    try:
        for place, name, original in kept:
            setattr(place, name, noting(original))
        yield seen
    finally:
        for place, name, original in kept:
            setattr(place, name, original)


class _Sink:
    """Takes bytes and only counts them."""

    size = 0

    def write(self, data: Any) -> int:
        """Count; more than MOST_BYTES are not asked for."""
        size = len(data) if isinstance(data, bytes) else memoryview(data).nbytes
        self.size += size
        if self.size > MOST_BYTES:
            raise OverflowError
        return size


class _Pickler(pickle.Pickler):
    """Pickles all but the numbers of arrays and tensors, which can be sent and are only counted."""

    def __init__(self, sink: _Sink) -> None:
        super().__init__(sink, protocol=5)
        self.sink = sink

    def reducer_override(self, value: Any) -> Any:
        """What stands for an array or a tensor."""
        size = getattr(value, "nbytes", None)
        if isinstance(size, int) and type(value).__module__.split(".")[0] in ("numpy", "torch"):
            self.sink.size += size
            return str, ()
        return NotImplemented


def _pickled(things: Any) -> tuple[str, bool]:
    """(why things cannot be pickled, whether they are large)."""
    sink = _Sink()
    try:
        _Pickler(sink).dump(things)
    except OverflowError:
        return "", True
    except Exception as error:  # noqa: BLE001 - any object may refuse, with any error
        return (str(error).strip().splitlines() or [type(error).__name__])[0][:100], False
    return "", sink.size > MOST_BYTES


def same_rows(head: list[Any]) -> bool:
    """Whether the first batches of two workers are equal."""
    return len(head) == 2 and digest(head[0]) == digest(head[1])
