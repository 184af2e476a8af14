"""Whether the metric that is optimized tells a candidate that knows nothing from one that knows something."""

import math
from typing import TYPE_CHECKING, Any

import pandas as pd

from ml_lifecycle.foundation._render import number
from ml_lifecycle.foundation.errors import one_of
from ml_lifecycle.foundation.intervals import Interval
from ml_lifecycle.foundation.metrics import METRICS
from ml_lifecycle.foundation.report import Finding, NextStep
from ml_lifecycle.planning import _judge, _table

if TYPE_CHECKING:
    from ml_lifecycle.planning.requirements import Requirements

FULL = 0.9  # share of a perfect score from which a score that takes no knowledge flatters


def findings(
    requirements: "Requirements",
    candidates: Any,  # the table
    constant: str,  # name of the candidate that knows nothing
) -> list[Finding]:
    """REQ011 when the metric flatters the constant answer and another one does not, REQ012 when it does not flatter."""
    frame = _table.table(candidates)
    one_of(constant, list(frame.index), "constant", noun="Candidates")
    name = requirements.optimize
    if not isinstance(name, str) or name not in METRICS or len(frame) < 2:
        return []
    others = [m for m in METRICS if m != name and _table.spelling(frame, m) in frame.columns]
    known, rival, lead = _best(frame, name, constant, len(others) + 1)
    told, n = lead is not None and lead[1] > 0, _table.column(frame, "n").min()
    rows = f"; n = {int(n):,}" if n > 0 else ""
    full = METRICS[name].high == 1 and METRICS[name].greater_is_better and known.value >= FULL
    label = METRICS[name].label
    if told and not full:
        assert lead is not None
        return [Finding("REQ012", "passed", f"{label} tells {rival} from {constant}, by {number(lead[0])} "
                        f"({number(lead[1])} to {number(lead[2])}{rows}).", _evidence(name, known, lead, rival))]
    for other in others:
        beside, better, gap = _best(frame, other, constant, len(others) + 1)
        if gap is None or not gap[1] > 0 or (METRICS[other].high == 1 and beside.value >= FULL):
            continue
        why = f"is already at {number(known.value)}" if full else f"cannot be told from {rival}"
        return [Finding(
            "REQ011", "issue", f"{label} misleads here: by it {constant}, which knows nothing, {why}, while by "
            f"{METRICS[other].label} {better} is better than it by {number(gap[0])} ({number(gap[1])} to {number(gap[2])}{rows}).",
            {**_evidence(name, known, lead, rival), "metric": name, "instead": other}, _instead(METRICS[other].label, other))]
    if full and not told:
        other = next(m for m in ("balanced_accuracy", "rmse") if METRICS[name].tasks[0] in METRICS[m].tasks)
        return [Finding(
            "REQ011", "issue", f"{label} misleads here: by it {constant}, which knows nothing, is already at "
            f"{number(known.value)}, and {rival} cannot be told from it.",
            {**_evidence(name, known, lead, rival), "metric": name}, _instead(METRICS[other].label, other))]
    return []


def _instead(label: str, other: str) -> NextStep:
    return NextStep(f"optimize {label}, or another metric that the constant answer does badly by", "planning",
                    f"ml-lifecycle run --metric {other}")


def _evidence(name: str, known: Interval, lead: tuple[float, float, float] | None, rival: str) -> dict[str, Any]:
    bounds = dict(zip(("lead", "lead_low", "lead_high"), lead)) if lead else {}
    return {"constant": known.value, "best": rival, **bounds}


def _best(frame: pd.DataFrame, name: str, constant: str, comparisons: int,
          ) -> tuple[Interval, str, tuple[float, float, float] | None]:
    """The constant answer's reading, the best other candidate, and its lead; None when a reading or its bounds are missing."""
    sign = 1 if METRICS[name].greater_is_better else -1
    told = {str(n): _judge.Candidate(str(n), score, (), {}) for n, score in zip(frame.index, _table.readings(frame, name))}
    known = told.pop(constant)
    able = [c for c in told.values() if not math.isnan(c.score.value)]
    if not able:
        return known.score, "the others", None
    best = max(able, key=lambda c: sign * c.score.value)
    lead = _judge.lead(best, known, sign, comparisons * len(told))
    return known.score, best.name, None if any(math.isnan(part) for part in lead) else lead
