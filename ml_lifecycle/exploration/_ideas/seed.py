"""Seeds that a function sets for itself are mixed with that of the fold: an idea is judged, and not one draw of it."""

import contextlib
import random
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any
from unittest.mock import patch

import numpy as np

_FOLD: ContextVar[int | None] = ContextVar("fold", default=None)  # the seed of the fold; None: seeds stay what they are
_RandomState: Any = np.random.RandomState


def drawn(seed: Any, fold: int) -> int:
    """A whole number from 0 to 2**32 - 1 that is the same for every idea with this seed on this fold, and on no other."""
    return int(np.random.SeedSequence([abs(int(seed)), fold]).generate_state(1)[0])


def _heard(seed: Any) -> Any:
    """A seed as it is used within a fold; what is not one number stays."""
    fold = _FOLD.get()
    return seed if fold is None or isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) else drawn(seed, fold)


def _listening(real: Any) -> Any:
    if hasattr(real, "listens"):  # put there by another thread
        return real

    def call(*given: Any, **named: Any) -> Any:
        return real(*map(_heard, given), **{name: _heard(value) for name, value in named.items()})

    call.listens = True  # type: ignore[attr-defined]
    return call


class _Kind(type):
    """What `isinstance` takes for a random state stays what it was."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, _RandomState)


class _Listening(_RandomState, metaclass=_Kind):
    def __new__(cls, seed: Any = None) -> Any:
        return _RandomState(_heard(seed))


@contextlib.contextmanager
def mixed_seeds(fold: int) -> Iterator[None]:
    """Within it, whole numbers that seed Python's, numpy's, scikit-learn's or torch's random states are mixed with `fold`."""
    places: list[tuple[Any, str]] = [(random, "seed"), (np.random, "seed"), (np.random, "default_rng")]
    torch = sys.modules.get("torch")
    places += [(module, "manual_seed") for module in (torch, getattr(torch, "random", None)) if module is not None]
    with contextlib.ExitStack() as stack:
        stack.enter_context(patch.object(np.random, "RandomState", _Listening))
        for module, name in places:
            stack.enter_context(patch.object(module, name, _listening(getattr(module, name))))
        token = _FOLD.set(fold)
        stack.callback(_FOLD.reset, token)
        yield
