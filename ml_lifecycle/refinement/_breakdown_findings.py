"""What a breakdown of the error says, as coded findings, and what is done about each cause, in order."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..foundation._render import number
from ..foundation.intervals import Interval
from ..foundation.report import Finding, NextStep
from ._breakdown_parts import UNKNOWN, Judged, Part, chain, combined

SURE = 0.99  # level from which a shift, or a validation score that is too good, is called an issue
MATTERS = 0.05  # share of the error that such a part must have

WORDS = {
    "irreducible": "the irreducible error", "avoidable_bias": "avoidable bias (underfitting)",
    "variance": "variance (overfitting)", "distribution_shift": "distribution shift",
    "validation_overfitting": "overfitting to the validation rows",
    UNKNOWN: "the error on the training rows, irreducible and avoidable together",
}

TUNE = NextStep("tune the hyperparameters", "refinement", "coarse_to_fine(model, default_space(model), X, y)")
ANALYSE = NextStep("see what the errors have in common", "refinement", "error_clusters(X, y, proba)")
ACTIONS: dict[str, tuple[NextStep, ...]] = {  # of the guide, in its order
    "irreducible": (
        NextStep("accept it, or get what the columns do not say: cleaner labels first", "data", "label_issues(y, proba)"),
        NextStep("then columns that carry what is missing", "data", "load_dataset(frame)"),
    ),
    "avoidable_bias": (
        NextStep("make the model bigger", "exploration", "baselines(data)"),
        NextStep("reduce regularization", "refinement", "coarse_to_fine(model, default_space(model), X, y)"),
        ANALYSE,
        NextStep("choose a more advanced kind of model", "exploration", "baselines(data, models={...})"),
        TUNE,
        NextStep("add features", "data", "load_dataset(frame)"),
    ),
    "variance": (
        NextStep("add more training rows", "data", "load_dataset(frame)"),
        NextStep("add regularization", "refinement", "coarse_to_fine(model, default_space(model), X, y)"),
        NextStep("augment the data with variants of rows that it gets wrong", "refinement", "top_losses(X, y, proba)"),
        ANALYSE,
        NextStep("choose a simpler kind of model", "exploration", "baselines(data)"),
        TUNE,
    ),
    "distribution_shift": (
        NextStep("find out which columns differ", "evaluation", "compare_distributions(train, val)"),
        NextStep("see what the errors on the shifted rows have in common", "refinement", "error_clusters(X, y, proba)"),
        NextStep("collect training rows that are like those that the model will meet", "data", "load_dataset(frame)"),
        NextStep("make training rows that are like them (synthesize, augment)", "data", "load_dataset(frame)"),
        NextStep("adapt the training rows to them (domain adaptation, weights)", "exploration", "baselines(data)"),
    ),
    "validation_overfitting": (
        NextStep("renew the validation rows, and take more of them", "data", "data.split(val=0.3, seed=1)"),
        NextStep("choose by folds, and look at fewer candidates", "refinement", "coarse_to_fine(model, space, X, y)"),
    ),
}
CODES = {"irreducible": "ERR010", "avoidable_bias": "ERR011", "variance": "ERR012", "distribution_shift": "ERR013",
         "validation_overfitting": "ERR014"}


def bounds(value: Interval | tuple[float, float, float]) -> str:
    """A value with its bounds in words."""
    low, high = value[1], value[2]
    told = f"{number(low)} to {number(high)}" if np.isfinite(low) and np.isfinite(high) else "no interval"
    return f"{number(value[0])} ({told})"


def rows_of(parts: Mapping[str, Part]) -> str:
    """How many rows each part has, in words."""
    known = [f"{part.n:,} {name}" for name, part in parts.items() if part.n is not None]
    return f"n = {', '.join(known)}" if known else "n not said"


def said(parts: Mapping[str, Part], judged: Judged, name: str) -> str:
    """A component with its bounds, in words."""
    part = parts["train"]
    value = Interval(part.value, part.low, part.high) if name == UNKNOWN else judged.components[name]
    assert value is not None
    return f"{WORDS[name]}, {bounds(value)}"


def what_dominates(parts: Mapping[str, Part], judged: Judged) -> list[Finding]:
    """ERR001 and the actions: which cause is larger than all others, and what is done about it."""
    last = parts[list(parts)[-1]]
    numbers: dict[str, Any] = {name: value for name, value in judged.components.items() if value is not None}
    numbers |= {"largest": judged.largest, "n": {name: part.n for name, part in parts.items()}}
    end = f"of an error of {number(last.value)} ({rows_of(parts)})"
    if judged.dominant is not None:
        actions = ACTIONS[judged.dominant]
        text = f"What limits the model most is {said(parts, judged, judged.dominant)}, {end}."
        severity: Any = "passed" if judged.dominant == "irreducible" else "tip"
        return [Finding("ERR001", severity, text, numbers, actions[0]), *_ordered(judged.dominant)]
    if judged.components["variance"] is None:
        return [Finding("ERR001", "tip", "Cannot tell yet what limits the model: there is no error on validation rows, only "
                        f"{said(parts, judged, 'avoidable_bias')} at most, on the training rows ({rows_of(parts)}).", numbers,
                        NextStep("score the model on more validation rows", "data", "data.split(val=0.3)"), undecided=True)]
    if any(np.isnan(part.low) for part in parts.values()):
        return [Finding("ERR001", "tip", f"Cannot tell yet what limits the model: the largest part is {_largest(parts, judged)}, "
                        f"{end}, but without intervals it may be luck.", numbers, NextStep(
                            "say how many rows each error rests on (n=...), or (value, low, high), or let it be measured",
                            "refinement", "error_breakdown.from_model(model, splits)"), undecided=True)]
    if len(judged.rivals) == 1 and judged.largest == UNKNOWN:
        return [Finding("ERR001", "tip", f"What limits the model most is {said(parts, judged, UNKNOWN)}, {end}: cannot tell yet "
                        "how much of it can be avoided.", numbers, NextStep(
                            "measure what people, or the best published model, reach on some rows", "data",
                            "baselines(data, human=...)"), undecided=True)]
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
    what = {"irreducible": "For what is left", "avoidable_bias": "Against underfitting", "variance": "Against overfitting",
            "distribution_shift": "Against distribution shift",
            "validation_overfitting": "Against overfitting to the validation rows"}[cause]
    steps = ACTIONS[cause]
    return [Finding(CODES[cause], "tip", f"{what}, first things first: {'; '.join(step.action for step in steps)}.",
                    {"cause": cause, "actions": tuple(str(step) for step in steps)}, steps[0])]


def unknown_floor(parts: Mapping[str, Part]) -> list[Finding]:
    """ERR002: without the irreducible error, bias has an upper bound only."""
    if "irreducible" in parts:
        return []
    train = parts["train"]
    return [Finding("ERR002", "tip", "The irreducible error is not known: avoidable bias is at most the whole error on the "
                    f"training rows, {bounds((train.value, train.low, train.high))}, and may be nothing.",
                    {"at_most": train.value}, NextStep(
                        "measure what people reach on some rows, and pass irreducible=...", "data", "baselines(data, human=...)"))]


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
