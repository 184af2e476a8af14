"""The irreducible error as it comes: a report, an interval or a number."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ml_lifecycle.foundation._render import number
from ml_lifecycle.foundation.errors import BadInputError
from ml_lifecycle.foundation.metrics import Metric
from ml_lifecycle.foundation.report import Finding, NextStep
from ml_lifecycle.refinement._breakdown.parts import Part, read_parts
from ml_lifecycle.refinement.irreducible import IrreducibleError

def floor_of(irreducible: Any, n: Any, metric: Metric | None) -> dict[str, Part]:
    """The irreducible error as a part; empty when it is not known."""
    if not isinstance(irreducible, IrreducibleError):
        return read_parts({"irreducible": irreducible}, n, metric)
    if metric is not None and irreducible.metric not in (metric.name, "error"):
        raise BadInputError(f"`irreducible` must be in the metric of the breakdown, {metric.name!r}. Got one in "
                            f"{irreducible.metric!r}. Measure the model in that one: metric={irreducible.metric!r}.")
    rows = irreducible.n or None
    return {"irreducible": Part(irreducible.value, irreducible.low, irreducible.high, rows, partial=irreducible.partial)}


def meant(parts: Mapping[str, Part], irreducible: Any, metric: Metric | None) -> tuple[dict[str, Part], tuple[Finding, ...]]:
    """The parts, with the irreducible one turned where an error was given for a score, and ERR006 that says so.

    No predictor beats the best there is: a score that every part is surely better than cannot be the best one.
    """
    found, floor = dict(parts), parts.get("irreducible")
    both = metric is not None and metric.greater_is_better and (metric.low, metric.high) == (0, 1)
    others = [part for name, part in parts.items() if name not in ("irreducible", "train")]
    if floor is None or not both or isinstance(irreducible, IrreducibleError) or not others:
        return found, ()
    reached = max(part.high if np.isfinite(part.high) else part.value for part in others)
    turned = Part(1 - floor.value, 1 - floor.high, 1 - floor.low, floor.n)
    if not (floor.low > reached and turned.low <= reached):
        return found, ()
    assert metric is not None
    told = (f"The irreducible error was taken to be {number(turned.value)}: as a score in {metric.label} it would be worse than "
            f"that of the model, with an error of {number(reached)} at most.")
    step = NextStep("pass it in the metric, or as irreducible_error gives it", "refinement", "irreducible_error(labels)")
    return {**found, "irreducible": turned}, (Finding("ERR006", "tip", told, {"taken": turned.value}, step),)
