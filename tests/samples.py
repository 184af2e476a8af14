"""What makes a sample of every report class; a step's samples stand in `samples_<step>.py`."""

import functools
from collections.abc import Callable
from typing import Any

# one sample of every report class, with markup (of HTML, and of formulas) in its data wherever data can hold it

EVIL = "<script>alert('&')</script>"
SAMPLES: dict[str, Callable[[], Any]] = {}


def sample(make: Callable[[], Any]) -> Callable[[], Any]:
    """Register what makes a sample; the function is named after the report class, and is called once."""
    SAMPLES[make.__name__] = functools.cache(make)
    return make


def evil_frame(rows: int = 120) -> Any:
    """A small frame with markup in the names of columns, in categories and in a label."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(0)
    size = rng.normal(size=rows)
    return pd.DataFrame({
        EVIL: size, "$gap_{$": np.where(rng.random(rows) < 0.6, np.nan, size), "colour": rng.choice([EVIL, "$red$"], rows),
        "word": rng.choice(["a_b", "$x_{$"], rows), "y": np.where(size + 0.3 * rng.normal(size=rows) > 0, EVIL, "no")})
