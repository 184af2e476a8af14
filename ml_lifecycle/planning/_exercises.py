"""The checks of lesson 1. Each tests what must be true of a right attempt, on whatever data is loaded."""

import numpy as np
import pandas as pd

from ml_lifecycle.foundation.exercises import exercise
from ml_lifecycle.foundation.intervals import Interval
from ml_lifecycle.foundation.metrics import Metric
from ml_lifecycle.planning.requirements import Requirements

@exercise("1.1",
          "Every candidate got this score or a better one without looking at a single column.",
          "The candidate that always answers the same is in the table: read its row and the metric's column.",
          "It is the value in candidates, in the row of the constant model, in the column named like the metric.")
def no_skill(attempt: float, *, candidates: pd.DataFrame, metric: Metric, constant: str) -> str | None:
    """The attempt is the constant model's measured score."""
    measured = float(candidates.set_index("name").loc[constant, metric.name])
    given = float(attempt)
    if np.isclose(given, measured, rtol=5e-3, atol=5e-3 if metric.high == 1 else 0):
        return None
    side = "above" if given > measured else "below"
    return f"{given:.3g} lies {side} what a model without knowledge gets on these rows"


@exercise("1.2",
          "A threshold that everybody meets decides nothing, and one that nobody meets decides too much.",
          "Look at one measured quantity that differs between the candidates, and put the threshold between two of them.",
          'Requirements(optimize=lesson.metric.name, satisfice={"latency_ms": "<= a number between two of the latencies"})')
def separating(attempt: Requirements, *, candidates: pd.DataFrame) -> str | None:
    """The attempt's thresholds let some candidates through, and not all."""
    if not isinstance(attempt, Requirements):
        return f"the attempt is a {type(attempt).__name__}, not a Requirements"
    if not attempt.satisfice:
        return "there is no threshold in it"
    report = attempt.judge(candidates)
    through = list(report.frame["qualifies"]).count("yes")
    if 0 < through < len(candidates):
        return None
    return f"{through} of {len(candidates)} candidates qualify for certain"


@exercise("1.3",
          "An interval of a share shrinks with the square root of the number of rows.",
          "Half the width needs four times the rows.",
          "n × (width now ÷ width wanted)², rounded up.")
def rows_for_width(attempt: float, *, interval: Interval, n: int, width: float) -> str | None:
    """The attempt is the number of rows at which the interval has the wanted width."""
    wanted = n * ((interval.high - interval.low) / width) ** 2
    if 0.9 * wanted <= float(attempt) <= 1.25 * wanted:
        return None
    return "with that many rows the interval would be " + ("wider than" if float(attempt) < wanted else "much narrower than"
                                                            ) + " wanted"
