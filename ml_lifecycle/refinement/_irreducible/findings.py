"""What the irreducible error says, as coded findings."""

from typing import Any

import numpy as np

from ml_lifecycle.foundation._render import number
from ml_lifecycle.foundation.report import Finding, NextStep
from ml_lifecycle.refinement._irreducible.near import PEOPLE
from ml_lifecycle.refinement._irreducible.parts import Found

USE = NextStep("pass it on: how much of the error can be avoided?", "refinement",
               "error_breakdown(train=..., val=..., irreducible=report)")
WIDE = 0.05  # an interval wider than this, and than the value, tells too little
WAYS = {"ratings": "by the labels that people gave", "counts": "by the labels that people gave",
        "probabilities": "by the probabilities given", "annotators": "as what one person gets wrong",
        "models": "as what the best model gets wrong", "neighbours": "by the labels of nearest neighbours"}


def the_answer(found: Found, method: str, unit: str) -> Finding:
    """IRR001: how large is it?"""
    rest = f"{WAYS[method]}, {unit}"
    numbers: dict[str, Any] = {"value": found.value, "low": found.low, "high": found.high, "n": found.n, **found.facts}
    told = number(found.value)
    if np.isfinite([found.low, found.high]).all():
        told += f" ({number(found.low)} to {number(found.high)})"
    if found.partial:
        known = f"and at least {number(found.low)}" if found.low > 0 else "and may be nothing"
        most = f", {number(found.high)} with 95 % certainty" if np.isfinite(found.high) else ""
        return Finding("IRR001", "tip", f"The irreducible error is at most {number(found.value)}{most}, {known}, {rest}.",
                       numbers, USE if found.low > 0 else PEOPLE)
    if not found.high - found.low <= max(WIDE, abs(found.value)):
        return Finding("IRR001", "tip", f"Cannot tell the irreducible error yet: {told} {rest}.", numbers, NextStep(
            "have more items labelled, by more people", "data", "agreement(labels)"), undecided=True)
    return Finding("IRR001", "passed", f"The irreducible error is {told} {rest}.", numbers)
