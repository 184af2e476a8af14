"""What a breakdown of the error says, as coded findings, and what is done about each cause, in order."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ml_lifecycle.foundation._render import number
from ml_lifecycle.foundation.intervals import Interval
from ml_lifecycle.foundation.report import Finding, NextStep
from ml_lifecycle.refinement._breakdown.actions import ACTIONS, AGAINST, CODES
from ml_lifecycle.refinement._breakdown.parts import UNKNOWN, Judged, Part, chain, combined

SURE = 0.99  # level from which a shift, or a validation score that is too good, is called an issue
MATTERS = 0.05  # share of the error that such a part must have

WORDS = {
    "irreducible": "the irreducible error", "avoidable_bias": "avoidable bias (underfitting)",
    "variance": "variance (overfitting)", "distribution_shift": "distribution shift",
    "validation_overfitting": "overfitting to the validation rows",
    UNKNOWN: "the error on the training rows, irreducible and avoidable together",
}


USUAL = {True: "as if a quarter of the rows were of the rarer class",
         False: "as if errors had the tails of a Laplace distribution"}
PEOPLE = NextStep("measure what people reach on some rows, and pass irreducible=...", "refinement", "irreducible_error(labels)")


def bounds(value: Interval | tuple[float, float, float]) -> str:
    """A value with its bounds in words."""
    low, high = value[1], value[2]
    told = f"{number(low)} to {number(high)}" if np.isfinite(low) and np.isfinite(high) else "no interval"
    return f"{number(value[0])} ({told})"


def rows_of(parts: Mapping[str, Part]) -> str:
    """How many rows each part has, in words."""
    known = [f"{part.n:,} {name}" for name, part in parts.items() if part.n is not None]
    return f"n = {', '.join(known)}" if known else "n not said"


def is_partial(parts: Mapping[str, Part]) -> bool:
    """Whether the irreducible error is known by its bounds alone."""
    return "irreducible" in parts and parts["irreducible"].partial


def said(parts: Mapping[str, Part], judged: Judged, name: str) -> str:
    """A component with its bounds, in words."""
    part = parts["train"]
    value = Interval(part.value, part.low, part.high) if name == UNKNOWN else judged.components[name]
    assert value is not None
    most = {"irreducible": "at most ", "avoidable_bias": "at least "}.get(name, "") if is_partial(parts) else ""
    return f"{WORDS[name]}, {most}{bounds(value)}"


def what_dominates(parts: Mapping[str, Part], judged: Judged) -> list[Finding]:
    """ERR001 and the actions: which cause is larger than all others, and what is done about it."""
    last = parts[list(parts)[-1]]
    numbers: dict[str, Any] = {name: value for name, value in judged.components.items() if value is not None}
    numbers |= {"largest": judged.largest, "n": {name: part.n for name, part in parts.items()}}
    end = f"of an error of {number(last.value)} ({rows_of(parts)})"
    if all(part.value == 0 for part in parts.values()):
        return [Finding("ERR001", "passed", f"There is no error to explain: {bounds((last.value, last.low, last.high))} "
                        f"({rows_of(parts)}).", numbers)]
    if judged.dominant is not None:
        actions = ACTIONS[judged.dominant]
        text = f"What limits the model most is {said(parts, judged, judged.dominant)}, {end}."
        severity: Any = "passed" if judged.dominant == "irreducible" else "tip"
        return [Finding("ERR001", severity, text, numbers, actions[0]), *_ordered(judged.dominant)]
    if judged.components["variance"] is None:
        return [Finding("ERR001", "tip", "Cannot tell yet what limits the model: there is no error on validation rows, only "
                        f"{said(parts, judged, 'avoidable_bias')} at most, on the training rows ({rows_of(parts)}).", numbers,
                        NextStep("score the model on more validation rows", "data", "data.split(val=0.3)"), undecided=True)]
    if any(np.isnan([part.low, part.high]).any() for part in parts.values()):
        return [Finding("ERR001", "tip", f"Cannot tell yet what limits the model: the largest part is {_largest(parts, judged)}, "
                        f"{end}, but without intervals it may be luck.", numbers, NextStep(
                            "say how many rows each error rests on (n=...), or (value, low, high), or let it be measured",
                            "refinement", "error_breakdown.from_model(model, splits)"), undecided=True)]
    if len(judged.rivals) == 1 and judged.largest == UNKNOWN:
        return [Finding("ERR001", "tip", f"What limits the model most is {said(parts, judged, UNKNOWN)}, {end}: cannot tell yet "
                        "how much of it can be avoided.", numbers, NextStep(
                            "measure what people, or the best model there is, reach on some rows", "refinement",
                            "irreducible_error(labels)"), undecided=True)]
    if judged.blurred:
        others = "; ".join(said(parts, judged, name) for name in judged.rivals)
        return [Finding("ERR001", "tip", "Cannot tell yet what limits the model: the irreducible error is not known well enough "
                        f"to tell these apart: {others} ({rows_of(parts)}).", {**numbers, "rivals": judged.rivals}, PEOPLE,
                        undecided=True)]
    if len(judged.rivals) == 1:
        text = f"Cannot tell yet what limits the model: n is too small to tell {_largest(parts, judged)} from nothing"
    else:
        others = "; ".join(said(parts, judged, name) for name in judged.rivals)
        text = f"Cannot tell yet what limits the model: n is too small to tell these apart: {others}"
    return [Finding("ERR001", "tip", f"{text} ({rows_of(parts)}).", {**numbers, "rivals": judged.rivals},
                    NextStep("score the model on more rows", "data", "error_breakdown.from_model(model, splits)"), undecided=True)]


def _largest(parts: Mapping[str, Part], judged: Judged) -> str:
    return said(parts, judged, str(judged.largest))


def _ordered(cause: str) -> list[Finding]:
    """The actions of the guide against one cause, first things first."""
    steps = ACTIONS[cause]
    return [Finding(CODES[cause], "tip", f"{AGAINST[cause]}, first things first: {'; '.join(step.action for step in steps)}.",
                    {"cause": cause, "actions": tuple(str(step) for step in steps)}, steps[0])]


def unknown_floor(parts: Mapping[str, Part]) -> list[Finding]:
    """ERR002: without the irreducible error, bias has an upper bound only."""
    train = parts["train"]
    if is_partial(parts):
        bias = combined(parts, chain(parts)["avoidable_bias"])
        return [Finding("ERR002", "tip", f"Of the irreducible error bounds alone are known: avoidable bias lies between "
                        f"{number(bias.low)} and {number(bias.high)}.", {"low": bias.low, "high": bias.high}, PEOPLE)]
    if "irreducible" in parts:
        return []
    return [Finding("ERR002", "tip", "The irreducible error is not known: avoidable bias is at most the whole error on the "
                    f"training rows, {bounds((train.value, train.low, train.high))}, and may be nothing.",
                    {"at_most": train.value}, PEOPLE)]


def between_parts(parts: Mapping[str, Part], by_time: bool = False) -> list[Finding]:
    """ERR003 and ERR004: is there a shift, and is the validation score too good?"""
    found, known = [], chain(parts)
    texts = {"distribution_shift": (
                 "ERR003", "The rows to come differ from the training rows: the error is higher there by {}",
                 "The error is no higher on the rows to come than on rows like the training rows: {}",
                 "Cannot tell yet whether the rows to come differ from the training rows: the error differs by {}"),
             "validation_overfitting": (
                 "ERR004", "The validation score is too good: the error on the test rows is higher by {}",
                 "The error on the test rows is that on the validation rows: the difference is {}",
                 "Cannot tell yet whether the validation score is too good: the error on the test rows differs by {}")}
    if by_time:
        more = "; the test rows are later, so that it may be further shift"
        code, bad, good, open_ = texts["validation_overfitting"]
        texts["validation_overfitting"] = (code, bad + more, good, open_ + more)
    for name, (code, bad, good, open_) in texts.items():
        if name in known:
            found.append(_compared(parts, known[name], name, code, (bad, good, open_)))
    return found


def _compared(parts: Mapping[str, Part], weights: Any, name: str, code: str, texts: tuple[str, str, str]) -> Finding:
    value, sure = combined(parts, weights), combined(parts, weights, SURE)
    bigger, smaller = (next(part for part, w in weights.items() if w == sign) for sign in (1, -1))
    matters = MATTERS * abs(parts[bigger].value)
    rows = f"{bounds(value)}; {rows_of({p: parts[p] for p in (smaller, bigger)})}"
    numbers = {"difference": value.value, "low": value.low, "high": value.high, "n": {p: parts[p].n for p in weights}}
    if sure.low > 0 and value.value > matters:
        return Finding(code, "issue", texts[0].format(rows) + ".", numbers, ACTIONS[name][0])
    if value.high < max(2 * matters, 0.0) or value.high <= 0:
        return Finding(code, "passed", texts[1].format(rows) + ".", numbers)
    return Finding(code, "tip", texts[2].format(rows) + ".", numbers,
                   NextStep("score the model on more rows", "data", "error_breakdown.from_model(model, splits)"), undecided=True)


def below_zero(judged: Judged) -> list[Finding]:
    """ERR005: parts that are shown to be negative, which no cause explains."""
    reasons = {
        "avoidable_bias": "the model knows noise of the training rows by heart, or the irreducible error is set too high",
        "variance": "the validation rows are easier than the training rows, or training is regularized where scoring is not",
        "distribution_shift": "the rows to come are easier than those like the training rows",
        "validation_overfitting": "the test rows are easier than the validation rows",
    }
    found = []
    for name, why in reasons.items():
        value = judged.components[name]
        if value is not None and value.high < 0:
            found.append(Finding("ERR005", "tip", f"Less than nothing: {WORDS[name]} is {bounds(value)}; {why}.",
                                 {"component": name, "value": value.value, "low": value.low, "high": value.high},
                                 NextStep("see that the parts were drawn and scored alike", "data", "data.split()")))
    return found


def all_findings(parts: Mapping[str, Part], judged: Judged, by_time: bool = False) -> tuple[Finding, ...]:
    """Every finding, the most important first within its severity."""
    first, *actions = what_dominates(parts, judged)
    floor = [] if judged.rivals == (UNKNOWN,) else unknown_floor(parts)  # else the first has said it
    return (first, *between_parts(parts, by_time), *floor, *below_zero(judged), *actions)


def rough(metric: Any, parts: Mapping[str, Part]) -> tuple[Finding, ...]:
    """ERR007: intervals from `n` of a metric that is no share of rows rest on what is usual."""
    told = [name for name, part in parts.items() if part.rough]
    if not told:
        return ()
    return (Finding("ERR007", "tip", f"Intervals of {metric.label} from n are a rule of thumb: {USUAL[bool(metric.high == 1)]}.",
                    {"parts": told}, NextStep("have them measured", "refinement", "error_breakdown.from_model(model, splits)")),)


def undefined(parts: Mapping[str, Part], sides: Any, metric: Any) -> tuple[Finding, ...]:
    """ERR006: parts on which the metric is undefined."""
    step = NextStep("take a larger part, or a metric that is defined on it", "data", "data.split(val=0.3)")
    gone = {name: side.n for name, side in sides.parts.items() if name not in parts}
    return tuple(Finding("ERR006", "tip", f"{metric.label} is undefined on the {n:,} rows of {name!r}: they are left out.",
                         {"part": name, "n": n}, step, undecided=True) for name, n in gone.items())


def not_apart(share: float, sides: Any) -> tuple[Finding, ...]:
    """ERR006: rows that were to be held out could not be."""
    if "val_train" in sides.parts:
        return ()
    return (Finding("ERR006", "tip", f"No {share:.0%} of the training rows could be held out and the model fitted again: "
                    "variance and shift are not told apart.", {"share": share},
                    NextStep("pass the scores on both kinds of validation rows", "refinement",
                             "error_breakdown(train=..., val_train=..., val_test=...)")),)
