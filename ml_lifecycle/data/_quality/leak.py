"""Whether one column gives the target away: nearly certain by itself, and out of line with what all the others tell."""

from typing import Any

import numpy as np

from ml_lifecycle.data._quality.alone import Alone, Problem, better, together, try_columns, where_filled
from ml_lifecycle.foundation._render import number
from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.dataset import Dataset
from ml_lifecycle.foundation.report import Finding, NextStep

CERTAIN = 0.03  # balanced error up to which a number tells the classes too well by itself
CERTAIN_LABELS = 0.07  # the same for a column of labels, and for whether a column is filled in
UNSURE = 0.15  # upper bound of that error from which it may be chance
STRAIGHT = 0.95  # R² of a straight line from which a column is a copy of the target in other units
CURVED = 0.98  # R² of a small tree from which a column nearly determines the target
HALF = 0.5  # of what all the others leave unexplained, that the column may leave at most
PERFECT = 0.995  # balanced accuracy of labels that stand for classes, whatever the others tell
NEARLY = 0.95  # lower end of its interval
SURE = 2.58  # standard errors by which it must be better than all the others
ASK = NextStep("ask when and by whom this column is filled in: what is known only after the outcome must not be a "
               "feature", "data",
               "load_dataset(data, drop=...)")


def find_leaks(problem: Problem, data: Dataset) -> tuple[list[Alone], Alone | None, list[Finding]]:
    """(every column alone, all columns together, findings that name what leaks)."""
    alone = try_columns(problem, set(data.roles["text"]))
    every = together(problem, set(data.roles["id"]))
    suspects = [one for one in alone if _certain(problem, one)]
    copies = {one.column for one in suspects if one.copy or 1 - one.score <= 0.005} if problem.classes else \
        {one.column for one in suspects if one.straight >= 0.99}
    if not problem.classes and len(suspects) > 2:  # many that are so strong are the way of these data
        copies = set()
    found = []
    for one in suspects:
        peers = [other for other in alone if other.column not in copies and other is not one]
        second = max((other.score if problem.classes else _reached(other) for other in peers), default=0.0)
        if (finding := _judged(problem, data, one, copies, second)) is not None:
            found.append(finding)
    named = {finding.evidence["column"] for finding in found}
    for i, one in enumerate(alone):
        if one.column in named or one.column in {*data.roles["text"], *problem.ids}:
            continue
        part = where_filled(problem, one.column)
        if part is not None and _certain(*part) and (finding := _judged(part[0], data, part[1], set(), 1.0)) is not None:
            alone[i] = part[1]
            found.append(finding)
    return alone, every, found or [_nothing(problem, data, alone)]


def _certain(problem: Problem, one: Alone) -> bool:
    if problem.classes:
        if one.only is not None:
            return True
        if one.column in problem.ids:
            return 1 - one.score <= CERTAIN_LABELS
        few = problem.discrete[one.column] or one.filled or one.copy
        return 1 - one.score <= (CERTAIN_LABELS if few else CERTAIN)
    return one.straight >= STRAIGHT or one.score >= CURVED


def _judged(problem: Problem, data: Dataset, one: Alone, copies: set[str], second: float) -> Finding | None:
    """An issue, a tip, or None for a column that is strong and in line with the others."""
    rest = together(problem, {one.column, *copies, *data.roles["id"]})
    missed = 1 - (one.score if problem.classes else _reached(one))
    others = 1.0 if rest is None else 1 - (rest.score if problem.classes else max(rest.score, second))
    out_of_line = rest is None or (missed <= HALF * others and _sure(problem, one, rest))
    named = one.only is not None or one.copy or one.column in problem.ids
    named = named or (problem.discrete[one.column] and one.score >= PERFECT and one.low >= NEARLY)
    if not out_of_line and not (named and problem.classes):
        return _perfect_tip(problem, one, second) if problem.classes else None
    evidence = {"column": one.column, "score": one.score, "low": one.low, "high": one.high, "n": one.n,
                "metric": "balanced accuracy" if problem.classes else "R²", "others": None if rest is None else rest.score,
                "filled_in": one.filled, "straight": one.straight}
    name = shown(one.column)
    what = f"Whether {name} is filled in" if one.filled else f"{'Where it is filled in, ' if one.part else ''}{name} alone"
    against = "" if rest is None else f"; all other columns together reach {number(rest.score)}"
    level = f"({_label(problem)} {number(one.score)}, 95 % interval {number(one.low)} to {number(one.high)}, " \
            f"n = {one.n:,} rows{against})"
    if one.column in data.roles["id"]:
        return Finding("QUA001", "issue" if problem.classes else "tip", f"The id {name} tells the target {level}: the rows were "
                       "collected or numbered by the target; keep it out, and ask whether time or place tells it, "
                       "too.", evidence, ASK)
    if problem.classes and 1 - one.low > UNSURE and one.only is None:
        return Finding("QUA001", "tip", f"Cannot tell whether {name} leaks the target: it nearly determines it {level}, but "
                                        "the rows "
                       "are few; when is it filled in?", evidence, ASK, undecided=True)
    if one.only is not None:
        label = shown(data.classes[one.only])
        return Finding("QUA001", "issue", f"{name} is filled in by the target: whether it has a value tells rows of {label} "
                                          "from the "
                       f"others {level}; when is it filled in?", evidence, ASK)
    if rest is None:
        return Finding("QUA001", "tip", f"{what} nearly determines the target {level}, and there is no other column to "
                                        "compare with: "
                       "when is it filled in?", evidence, ASK, undecided=True)
    if not problem.classes and not one.straight >= STRAIGHT:
        return Finding("QUA001", "tip", f"{what} nearly determines the target {level}: a law of nature, or a leak? Ask when "
                                        "it is "
                       "filled in.", evidence, ASK)
    return Finding("QUA001", "issue", f"{what} gives the target away {level}: when is it filled in, before the outcome is "
                                      "known or "
                   "after?", evidence, ASK)


def _perfect_tip(problem: Problem, one: Alone, second: float) -> Finding | None:
    """A number that tells the classes apart perfectly where no other column alone comes near: worth the question."""
    if one.score < PERFECT or one.low < NEARLY or 1 - second < CERTAIN_LABELS:
        return None
    return Finding("QUA001", "tip", f"{shown(one.column)} alone tells the classes apart perfectly (balanced accuracy "
                   f"{number(one.score)}, 95 % interval {number(one.low)} to {number(one.high)}, n = {one.n:,} rows), and "
                   "so do the others together: ask when it is filled in.",
                   {"column": one.column, "score": one.score, "low": one.low, "high": one.high, "n": one.n}, ASK)


def _reached(one: Alone) -> float:
    """R² of the better of a small tree and a straight line."""
    return max(one.score, one.straight) if one.straight >= -np.inf else one.score


def _sure(problem: Problem, one: Alone, rest: Alone) -> bool:
    """Whether chance does not explain that it is better; a straight line is judged by how far it is."""
    return better(problem, one, rest) > SURE or (not problem.classes and one.straight >= STRAIGHT and rest.high < one.straight)


def _label(problem: Problem) -> str:
    return "balanced accuracy" if problem.classes else "R²"


def _nothing(problem: Problem, data: Dataset, alone: list[Alone]) -> Finding:
    first = alone[0] if alone else None
    evidence: dict[str, Any] = {"columns": len(alone), "n": len(problem.y)}
    if first is None:
        return Finding("QUA001", "not applicable", "Whether a column leaks the target was not tested: no column can be "
                                                   "tried alone.")
    of = f"{len(problem.y):,} of {len(data):,} rows" if len(problem.y) < len(data) else f"{len(problem.y):,} rows"
    return Finding("QUA001", "passed", f"No column alone gives the target away: the best, {shown(first.column)}, reaches "
                   f"{_label(problem)} {number(first.score)} (95 % interval {number(first.low)} to {number(first.high)}; "
                   f"tried on {of}).",
                   {**evidence, "best": first.column, "score": first.score, "low": first.low, "high": first.high})
