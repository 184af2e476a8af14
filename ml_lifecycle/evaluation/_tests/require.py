"""The thresholds of step 1 as tests: each is measured on these rows, and met, missed, or cannot be told."""

import math
from typing import Any

from ml_lifecycle.evaluation._tests.result import Result, span
from ml_lifecycle.evaluation._tests.subject import Subject
from ml_lifecycle.foundation._render import number
from ml_lifecycle.foundation.errors import BadInputError
from ml_lifecycle.foundation.intervals import Interval
from ml_lifecycle.planning._quantities import Threshold
from ml_lifecycle.planning.measure import measure_model
from ml_lifecycle.planning.requirements import Requirements

KIND = "requirement"
VERDICT = {"yes": "passed", "no": "issue", "cannot tell": "cannot tell"}

def wish_of(requirements: Any) -> Requirements:
    """Requirements, or the dict of them that stands in project.yaml; there must be a threshold to test."""
    wish = requirements if isinstance(requirements, Requirements) else Requirements.from_dict(requirements)
    if not wish.thresholds:
        raise BadInputError("`requirements` must have thresholds to test. Got none. "
                            "Add some: Requirements('f1', {'latency_ms': '<= 10'}).")
    return wish


def thresholds(subject: Subject, wish: Requirements) -> list[Result]:
    """One test a threshold."""
    measured = measure_model(subject.model, subject.X, subject.y, requirements=wish, task=subject.task, positive=subject.positive,
                             name=subject.name, seed=subject.seed)
    found = []
    for limit in wish.thresholds:
        nothing = float("nan")
        bounds = [measured.get(f"{limit.quantity}{end}", nothing) for end in ("", "_low", "_high")]
        found.append(_result(limit, Interval(*map(float, bounds)), len(subject), str(measured.get(f"{limit.quantity}_note", ""))))
    return found


def _result(limit: Threshold, measured: Interval, n: int, note: str) -> Result:
    verdict = VERDICT[limit.verdict(measured)]
    where = f"{number(measured.value)} ({span(measured.low, measured.high)}; n = {n:,})"
    if math.isnan(measured.value):
        told = f"Whether {limit.quantity} is {limit.condition} cannot be told: {note or 'it could not be measured'}."
    elif verdict == "passed":
        told = f"{limit.quantity} is {limit.condition}: {where}."
    elif verdict == "issue":
        told = f"{limit.quantity} is not {limit.condition}: {where}."
    else:
        told = f"Cannot tell whether {limit.quantity} is {limit.condition}: {where}."
    return Result(f"{limit.quantity} {limit.condition}", KIND, verdict, told, n, measured.value, measured.low, measured.high,
                  limit.value, code="MTE012")
