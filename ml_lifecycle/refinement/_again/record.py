"""What one run of a training function does, step by step: random states, batches, weights, losses, gradients, the result."""

import contextlib
import functools
import hashlib
import linecache
import os
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ml_lifecycle.foundation.seed import set_seed
from ml_lifecycle.refinement._again.values import Leaf, leaves
from ml_lifecycle.refinement._held import generators, held, modules, state_of

MOST_BYTES = 50 * 2**20


@dataclass(frozen=True)
class Event:
    """One thing that a run did."""

    stage: str  # "start", "seed", "data order", "initial weights", "loss", "gradients", "weights" or "result"
    name: str  # such as "loss 3"
    parts: tuple[Leaf, ...]
    states: tuple[tuple[str, str], ...]  # digests of the global generators at that moment


@dataclass
class Run:
    """A whole run."""

    events: list[Event] = field(default_factory=list)
    notes: dict[str, dict[str, int]] = field(default_factory=dict)  # "unseeded", "clock" -> where -> how often
    end: tuple[tuple[str, str], ...] = ()  # digests of the global generators after it
    outside: dict[str, str] = field(default_factory=dict)  # plain values that train holds -> digest at the start
    seconds: float = 0.0
    cuda: bool = False
    error: str = ""


def states() -> tuple[tuple[str, str], ...]:
    """Digests of the states of the global generators."""
    found = {"Python's": repr(random.getstate()).encode(), "numpy's": b"".join(
        p.tobytes() if isinstance(p, np.ndarray) else repr(p).encode() for p in np.random.get_state(legacy=True))}
    torch = sys.modules.get("torch")
    if torch is not None:
        found["torch's"] = torch.get_rng_state().numpy().tobytes()
    return tuple((name, hashlib.blake2b(state, digest_size=8).hexdigest()) for name, state in found.items())


def due(at: int) -> bool:
    """Which of many steps are kept: the first eight, then every power of two."""
    return at < 8 or at & (at - 1) == 0


SEEDED = re.compile(r"RandomState\(\s*(?!None|seed=None)[^\s)]")  # with an argument


def _file(frame: Any) -> str:
    return "" if frame is None else str(frame.f_code.co_filename)


def where(depth: int = 2) -> str:
    """File and line of the person's own code that is running."""
    frame = sys._getframe(depth)
    while frame is not None:
        file = _file(frame)
        if file.endswith("tempfile.py") or file.endswith("uuid.py") and "site-packages" in _file(frame.f_back):
            return ""  # a name for a file, or for a run inside a library, decides nothing
        if SEEDED.search(linecache.getline(file, frame.f_lineno)):  # RandomState(seed) makes one without a seed, then seeds it
            return ""
        if "site-packages" not in file and not file.startswith((sys.base_prefix, "<frozen")) and "_again_" not in file:
            text = " ".join(linecache.getline(file, frame.f_lineno).split())[:70]
            name = "a cell" if "ipykernel" in file or file.startswith("<") else Path(file).name
            return f"{name}, line {frame.f_lineno}" + (f" `{text}`" if text else "")
        frame = frame.f_back  # type: ignore[assignment]
    return ""


class Recorder:
    """Notes what a run does while it is entered; everything that it hooks into is put back."""

    def __init__(self) -> None:
        self.run = Run(notes={"unseeded": {}, "clock": {}})
        self._count: Counter[str] = Counter()
        self._depth, self._known, self._busy = 0, set[int](), False
        self._undo: list[Callable[[], None]] = []

    def event(self, stage: str, value: Callable[[], Any], name: str = "") -> None:
        """Note a value, if it is due; `value` is only asked for when it is."""
        at = self._count[stage]
        self._count[stage] += 1
        if self._busy or not (due(at) or stage in ("loss", "start", "seed", "result")):
            return
        self._busy = True
        try:
            self.run.events.append(Event(stage, name or f"{stage} {at + 1}", tuple(leaves(value())), states()))
        finally:
            self._busy = False

    def note(self, kind: str) -> None:
        """Note the line that does something of a kind."""
        place = "" if self._busy else where(3)
        if place:
            found = self.run.notes[kind]
            found[place] = found.get(place, 0) + 1

    def __enter__(self) -> "Recorder":
        self._plain()
        if "torch" in sys.modules:
            self._torch()
        return self

    def __exit__(self, *args: object) -> None:
        for undo in reversed(self._undo):
            undo()

    def _replace(self, place: Any, name: str, make: Callable[[Any], Any]) -> None:
        original = vars(place).get(name, getattr(place, name))
        self._undo.append(functools.partial(setattr, place, name, original))
        setattr(place, name, make(original))

    def _noting(self, kind: str, when: Callable[..., bool] = lambda *a, **k: True) -> Callable[[Any], Any]:
        def make(original: Any) -> Any:
            @functools.wraps(original, assigned=("__name__", "__doc__"))
            def noted(*args: Any, **named: Any) -> Any:
                if when(*args, **named):
                    self.note(kind)
                return original(*args, **named)

            return noted

        return make

    def _seeding(self, generator: str) -> Callable[[Any], Any]:
        def make(original: Any) -> Any:
            @functools.wraps(original, assigned=("__name__", "__doc__"))
            def seeded(*args: Any, **named: Any) -> Any:
                given = [*args, *named.values()]
                self.event("seed", lambda: given[:1], f"seed of {generator} generator ({where(1)})")
                return original(*args, **named)

            return seeded

        return make

    def _plain(self) -> None:
        import numpy.random.bit_generator as bits

        if hasattr(bits, "randbits"):
            self._replace(bits, "randbits", self._noting("unseeded"))
        self._replace(random.Random, "seed", self._noting("unseeded", lambda self, a=None, *more, **named: a is None))
        self._replace(os, "urandom", self._noting("unseeded"))
        for name in ("time", "time_ns", "perf_counter", "monotonic"):
            self._replace(time, name, self._noting("clock"))
        self._replace(np.random, "seed", self._seeding("numpy's"))
        self._replace(random, "seed", self._seeding("Python's"))

    def _torch(self) -> None:
        import torch
        from torch.nn.modules import module as hooks
        from torch.optim import optimizer as steps
        from torch.utils.data import dataloader

        self._replace(torch, "manual_seed", self._seeding("torch's"))
        self._replace(torch, "seed", self._noting("unseeded"))
        self._undo += [hooks.register_module_forward_pre_hook(self._before).remove,
                       hooks.register_module_forward_hook(self._after, always_call=True).remove,
                       steps.register_optimizer_step_pre_hook(self._gradients).remove,
                       steps.register_optimizer_step_post_hook(self._weights).remove]
        self._replace(torch.Tensor, "backward", self._loss)
        self._replace(dataloader._BaseDataLoaderIter, "__next__", self._batch)

    def _before(self, module: Any, inputs: Any) -> None:
        self._depth += 1
        if self._depth > 1:
            return
        if id(module) not in self._known:
            self._known.add(id(module))
            self.event("initial weights", lambda: module)
        self.run.cuda = self.run.cuda or any(getattr(x, "is_cuda", False) for x in inputs)
        self.event("inputs", lambda: inputs, f"inputs of the model, call {self._count['inputs'] + 1}")

    def _after(self, module: Any, inputs: Any, output: Any) -> None:
        self._depth -= 1

    def _loss(self, original: Any) -> Any:
        @functools.wraps(original)
        def backward(tensor: Any, *args: Any, **named: Any) -> Any:
            self.event("loss", lambda: tensor)
            return original(tensor, *args, **named)

        return backward

    def _batch(self, original: Any) -> Any:
        @functools.wraps(original)
        def drawn(iterator: Any) -> Any:
            batch = original(iterator)
            self.event("data order", lambda: batch, f"batch {self._count['data order'] + 1}")
            return batch

        return drawn

    def _gradients(self, optimizer: Any, args: Any, named: Any) -> None:
        self.event("gradients", lambda: [p.grad for g in optimizer.param_groups for p in g["params"]])

    def _weights(self, optimizer: Any, args: Any, named: Any) -> None:
        self.event("weights", lambda: [p for g in optimizer.param_groups for p in g["params"]])


def recorded(train: Callable[[], Any], seed: int, loader: Any = None) -> Run:
    """Seed everything, run once, and give back what happened."""
    set_seed(seed)
    recorder = Recorder()
    found = held(train)
    for path, generator in generators(found).items():
        recorder.event("start", functools.partial(state_of, generator), f"generator `{path}`")
    for path, module in modules(found).items():
        recorder.event("start", functools.partial(_itself, module), f"model `{path}`")
    recorder.run.outside = dict(_plain_values(found))
    if loader is not None:
        for at, batch in zip(range(4), loader):
            recorder.event("data order", functools.partial(_itself, batch), f"batch {at + 1} of `loader`")
        set_seed(seed)
    begin = time.perf_counter()
    with recorder:
        try:
            result = train()
        except Exception as error:  # noqa: BLE001 - what it raises is part of what is compared
            result, recorder.run.error = None, f"{type(error).__name__}: {error}".replace("\n", " ")[:200]
    recorder.run.seconds = time.perf_counter() - begin
    recorder.event("result", lambda: result, "what train returns")
    recorder.run.end = states()
    return recorder.run


def _itself(value: Any) -> Any:
    return value


def _plain_values(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Values from outside that a run may change: lists, dicts and arrays of moderate size."""
    for path, value in found.items():
        if isinstance(value, (list, dict, np.ndarray)) and "." not in path and getattr(value, "nbytes", 0) < MOST_BYTES:
            with contextlib.suppress(Exception):
                yield path, hashlib.blake2b(repr([leaf.digest for leaf in leaves(value)]).encode(), digest_size=8).hexdigest()
