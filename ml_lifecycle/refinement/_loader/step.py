"""How long the model takes for a batch, so that the loader can be held against it; what the step changes is put back."""

import sys
import time
from collections.abc import Callable
from typing import Any

from ml_lifecycle.foundation.errors import BadInputError
from ml_lifecycle.refinement._held import keeper
from ml_lifecycle.refinement._loader.source import Source

LEAST = 5
MOST = 200


def step_seconds(train_step: Any, source: Source, seconds: float) -> tuple[list[float], float]:
    """Seconds of single training steps, and how many of them are computing; the first ones, which warm up, are left out."""
    if isinstance(train_step, (int, float)):
        return [float(train_step)] * 3, 0.0
    fetch = source.fetcher()
    found: list[float] = []
    batches: list[Any] = []
    restore = keeper(train_step)
    try:
        end = time.perf_counter() + seconds
        while len(batches) < LEAST and (given := fetch()) is not None:
            batches.append(given["batch"])
        cpu = time.process_time()
        while batches and len(found) < MOST:
            start = time.perf_counter()
            train_step(batches[len(found) % len(batches)])
            _wait()
            found.append(time.perf_counter() - start)
            late = time.perf_counter() - end
            if late > 0 and len(found) > LEAST or late > 2 * seconds and len(found) >= LEAST or late > 9 * seconds:
                break
        cpu = time.process_time() - cpu
    except Exception as error:
        raise BadInputError(f"`train_step` must take a batch as the loader gives it. Got {type(error).__name__}: {error}. Write "
                            "train_step=lambda batch: step(*batch).".replace("\n", " ")) from error
    finally:
        restore()
    return (found[2:] if len(found) > 4 else found[1:] if len(found) > 1 else found), cpu / max(len(found), 1)


def as_step(train_step: Any) -> Callable[[Any], Any] | None:
    """What stands for the model between two batches; seconds are slept."""
    if isinstance(train_step, (int, float)):
        return lambda batch: time.sleep(train_step)
    return train_step


def _wait() -> None:
    """A graphics card works on after a call returns."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.synchronize()
