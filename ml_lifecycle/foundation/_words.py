"""Words for messages: values on one line, and numbers of things."""

from pathlib import Path

import numpy as np

def shown(value: object, most: int = 60) -> str:
    """A value for a message: on one line and not longer than `most` characters."""
    value = str(value) if isinstance(value, Path) else value.item() if isinstance(value, np.generic) else value
    text = repr(value)
    return text if len(text) <= most else text[: most - 1] + "…"


def count(number: int, noun: str) -> str:
    """A number of things, such as `1 row` or `2,000 rows`."""
    return f"{number:,} {noun}" + ("s" if number != 1 else "")
