"""What a function holds from outside of itself: models, optimizers and generators that it reads or changes."""

import functools
import random
import sys
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

MOST = 400  # objects that are looked at


def names_in(code: CodeType) -> set[str]:
    """The global names that a function uses, inner functions included."""
    inner = (c for c in code.co_consts if isinstance(c, CodeType))
    return set(code.co_names).union(*map(names_in, inner))


def held(thing: Any) -> dict[str, Any]:
    """What hangs on a function or an object: path -> object, near ones first; modules and classes are not entered."""
    found: dict[str, Any] = {}
    seen: set[int] = set()
    todo = [("", thing, 0)]
    while todo and len(found) < MOST:
        path, value, depth = todo.pop(0)
        if id(value) in seen or isinstance(value, (ModuleType, type, str, bytes, int, float, bool, type(None))):
            continue
        seen.add(id(value))
        found[path] = value
        if depth < 4 and not _leaf(value):
            todo += [(f"{path}.{name}" if path else name, inner, depth + 1) for name, inner in _inner(value)]
    found.pop("", None)
    return found


def _leaf(value: Any) -> bool:
    return is_generator(value) or isinstance(value, (np.ndarray,)) or _torch_kind(value) in ("module", "tensor", "optimizer") \
        or type(value).__module__.split(".")[0] in ("pandas", "threading", "logging", "polars", "pyarrow")


def _inner(value: Any) -> Iterator[tuple[str, Any]]:
    """Named parts of a function or an object."""
    if isinstance(value, functools.partial):
        yield from (("function", value.func), *((f"argument {i}", a) for i, a in enumerate(value.args)), *value.keywords.items())
    elif isinstance(value, MethodType):
        yield from (("self", value.__self__), ("function", value.__func__))
    elif isinstance(value, FunctionType):
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or ()):
            try:
                yield name, cell.cell_contents
            except ValueError:  # not filled yet
                continue
        yield from ((f"default {i}", d) for i, d in enumerate(value.__defaults__ or ()))
        for name in sorted(names_in(value.__code__) & set(value.__globals__)):
            yield name, value.__globals__[name]
    elif isinstance(value, dict):
        yield from ((str(k), v) for k, v in list(value.items())[:50])
    elif isinstance(value, (list, tuple)):
        yield from ((str(i), v) for i, v in enumerate(value[:50]))
    elif hasattr(value, "__dict__"):
        yield from list(vars(value).items())[:60]


def _torch_kind(value: Any) -> str | None:
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    for kind, cls in (("module", torch.nn.Module), ("tensor", torch.Tensor), ("optimizer", torch.optim.Optimizer),
                      ("generator", torch.Generator)):
        if isinstance(value, cls):
            return kind
    return None


def is_generator(value: Any) -> bool:
    """Whether an object draws random numbers and keeps its own state."""
    return isinstance(value, (np.random.Generator, np.random.RandomState, np.random.BitGenerator)) or _torch_kind(value) == \
        "generator" or isinstance(value, random.Random) and not isinstance(value, random.SystemRandom)


def generators(found: dict[str, Any]) -> dict[str, Any]:
    """The generators among what is held; numpy's and Python's global ones are not counted."""
    own = {id(np.random.mtrand._rand), id(getattr(random, "_inst", None))}
    torch = sys.modules.get("torch")
    if torch is not None:
        own.add(id(torch.default_generator))
    return {path: g for path, g in found.items() if is_generator(g) and id(g) not in own}


def state_of(generator: Any) -> Any:
    """The state of a generator, to compare and to set."""
    if isinstance(generator, np.random.Generator):
        return generator.bit_generator.state
    if isinstance(generator, np.random.BitGenerator):
        return generator.state
    if isinstance(generator, np.random.RandomState):
        return generator.get_state()
    if isinstance(generator, random.Random):
        return generator.getstate()
    return generator.get_state().clone()


def set_state(generator: Any, state: Any) -> None:
    """Put a generator back to where it was."""
    if isinstance(generator, np.random.Generator):
        generator.bit_generator.state = state
    elif isinstance(generator, np.random.BitGenerator):
        generator.state = state
    elif isinstance(generator, random.Random):
        generator.setstate(state)
    else:
        generator.set_state(state)


def modules(found: dict[str, Any]) -> dict[str, Any]:
    """The torch modules among what is held."""
    return {path: m for path, m in found.items() if _torch_kind(m) == "module"}


def optimizers(found: dict[str, Any]) -> dict[str, Any]:
    """The torch optimizers among what is held."""
    return {path: o for path, o in found.items() if _torch_kind(o) == "optimizer"}


def keeper(*things: Any) -> Callable[[], None]:
    """Remember random states, generators, modules and optimizers that hang on things; the result puts all of them back."""
    found = {f"{i}.{path}": value for i, thing in enumerate(things) for path, value in held(thing).items()}
    for i, thing in enumerate(things):
        found[str(i)] = thing
    states = [(g, state_of(g)) for g in generators(found).values()]
    python, legacy, torch = random.getstate(), np.random.get_state(), sys.modules.get("torch")
    kept: list[Any] = []
    if torch is not None:
        from ml_lifecycle.exploration._probe import state as _probe_state

        kept += [_probe_state.Snapshot(m) for m in modules(found).values()]
        kept += [_probe_state.OptimizerSnapshot(o) for o in optimizers(found).values()]
    cpu = torch.get_rng_state() if torch is not None else None
    cuda = torch.cuda.get_rng_state_all() if torch is not None and torch.cuda.is_initialized() else None

    def restore() -> None:
        for snapshot in kept:
            snapshot.restore()
        for generator, state in states:
            set_state(generator, state)
        random.setstate(python)
        np.random.set_state(legacy)
        if torch is not None:
            torch.set_rng_state(cpu)
            if cuda is not None:
                torch.cuda.set_rng_state_all(cuda)

    return restore
