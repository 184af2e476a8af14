"""What a model says in warnings while it is probed is not the person's business; the seed is."""

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from ml_lifecycle.foundation.errors import BadInputError

@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No warnings from inside."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def seed_of(seed: Any) -> int:
    """A seed that numpy takes."""
    if isinstance(seed, (bool, np.bool_)) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**32:
        raise BadInputError(f"`seed` must be an int in the range [0, 2**32). Got {seed!r}. Try seed=0.")
    return int(seed)
