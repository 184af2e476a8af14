"""How many rows the models learn from at each point of a learning curve."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from ml_lifecycle.foundation._words import count
from ml_lifecycle.foundation.errors import BadInputError

POINTS = 7  # default sizes
REACH = 64  # the largest default size is so many times the smallest, where there are enough rows
FEWEST = 20  # rows of the smallest default size, where there are enough
LEAST = 2  # rows from which anything can be learned


def usual_sizes(limit: int, least: int = FEWEST) -> tuple[int, ...]:
    """Sizes of equal ratio up to `limit`, from where the curve begins to mean something."""
    low = min(max(limit / REACH, FEWEST, least), limit / 4 if limit >= 16 else limit / 2)
    return tuple(sorted({int(n) for n in np.geomspace(max(low, LEAST), limit, POINTS).round()}))


def asked_sizes(sizes: Any, limit: int) -> tuple[int, ...]:
    """The sizes that a person asks for, in rows and ascending; the same size twice counts once."""
    given = sizes if isinstance(sizes, Iterable) and not isinstance(sizes, (str, bytes)) else [sizes]
    found = sorted({_rows(size, limit) for size in given})
    if not found:
        raise BadInputError(f"`sizes` must hold at least one number of rows. Got none. Leave it out, or write sizes=[{limit}].")
    return tuple(found)


def _rows(size: Any, limit: int) -> int:
    remedy = f"Write numbers of rows up to {limit}, or shares of them such as 0.5."
    if isinstance(size, (bool, np.bool_)) or not isinstance(size, (int, float, np.integer, np.floating)):
        raise BadInputError(f"`sizes` must be numbers of rows, or shares in the range (0, 1]. Got {size!r:.40}. {remedy}")
    share = isinstance(size, (float, np.floating)) and size <= 1
    if not np.isfinite(size) or size <= 0 or not (share or size == round(size)):
        raise BadInputError(f"`sizes` must be whole numbers of rows, or shares in the range (0, 1]. Got {size}. {remedy}")
    rows = int(size * limit + 1e-9) if share else int(size)
    if rows < LEAST:
        raise BadInputError(f"`sizes` must be at least {LEAST} rows. Got {size}, which is {count(rows, 'row')}. {remedy}")
    if rows > limit:
        raise BadInputError(f"`sizes` must be at most {limit} rows: as many as every fold has to learn from. Got {rows}. "
                            f"The largest possible is {limit}; 1.0 stands for it.")
    return rows
