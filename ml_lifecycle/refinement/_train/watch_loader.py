"""The loaders of a watched loop: which gave a batch when, and how long that took."""

import contextlib
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import torch

from ml_lifecycle.refinement._train.patch import Timed
from ml_lifecycle.refinement._train.record import Record, Source, Visit

class Loaders:
    """Rounds over loaders, as they are seen from their iterators."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.record = Record()
        self.sources: dict[int, Source] = {}
        roles = {"loader": "train", "val_loader": "val"}
        self.loaders = [loader for loader in given.values() if loader is not None]
        self.given = {id(loader): roles[name] for name, loader in given.items() if loader is not None}
        self.iterators: weakref.WeakKeyDictionary[Any, Visit] = weakref.WeakKeyDictionary()
        self.visit: Visit | None = None
        self.batch: Any = None  # what the visit gave last
        self.used = True  # whether a pass has used it

    @contextlib.contextmanager
    def _own(self) -> Iterator[None]:
        began = time.perf_counter()
        try:
            with torch.no_grad():
                yield
        except Exception as error:  # noqa: BLE001 - what watching runs into is never the loop's problem
            self.record.trouble = self.record.trouble or error
        finally:
            self.record.own += time.perf_counter() - began

    def _source(self, loader: Any) -> Source:
        if id(loader) not in self.sources:
            self.sources[id(loader)] = Source(loader, self.given.get(id(loader), ""))
            self.record.sources.append(self.sources[id(loader)])
        return self.sources[id(loader)]

    def _begin(self, source: Source) -> Visit:
        visit = Visit(source, time.perf_counter())
        self.record.visits.append(visit)
        return visit

    def _iterating(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def iterate(loader: Any) -> Any:
            made = call(loader)
            with self._own():
                self.iterators[made] = self._begin(self._source(loader))
            return made
        return iterate

    def _iterating_other(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def iterate(loader: Any) -> Any:
            made = call(loader)
            return self.wrapped(loader, made) if id(loader) in self.given else made
        return iterate

    def _giving(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def give(iterator: Any) -> Any:
            visit = self.iterators.get(iterator)
            if visit is None:
                return call(iterator)
            began = time.perf_counter()
            try:
                batch = call(iterator)
            except StopIteration:
                self._gave(visit, began, None)
                raise
            self._gave(visit, began, batch)
            return batch
        return give

    def _gave(self, visit: Visit, began: float, batch: Any) -> None:
        now = time.perf_counter()
        if batch is None:
            visit.ended = now
            self.visit = None if self.visit is visit else self.visit
            return
        visit.waits.append(now - began)
        self.visit, self.batch, self.used = visit, batch, False

    def wrapped(self, loader: Any, iterator: Any) -> Any:
        """An iterator over a loader that is no DataLoader, watched."""
        visit, began = self._begin(self._source(loader)), [0.0]

        def asked() -> None:
            began[0] = time.perf_counter()

        def gave(more: bool, batch: Any) -> None:
            self._gave(visit, began[0], batch if more else None)
        return Timed(iterator, asked, gave)


def written_in_python(kind: type) -> bool:
    """Whether attributes of a type can be set, as those of lists and generators cannot."""
    return bool(kind.__flags__ & 1 << 9) and hasattr(kind, "__iter__")
