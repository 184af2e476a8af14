"""Random states that are not ours: whatever draws from them, they come back as they were."""

import contextlib
import random
from collections.abc import Iterator

import numpy as np

@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Python's and numpy's random state come back afterwards, whatever a model draws."""
    python, legacy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)
