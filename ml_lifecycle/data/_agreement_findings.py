"""What the labels of several annotators say, as coded findings."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from ml_lifecycle.data._agreement_measures import Against
from ml_lifecycle.foundation._render import number
from ml_lifecycle.foundation._words import count, shown
from ml_lifecycle.foundation.intervals import Interval, holm
from ml_lifecycle.foundation.report import Finding, NextStep

ENOUGH = 0.667  # alpha from which labels allow tentative conclusions (Krippendorff 2019)
RELIABLE = 0.8  # and from which they are reliable
APART = 0.1  # of the chance distance: an annotator whose excess surely exceeds it is out of line
FEWEST = 10  # items on which somebody, or a class, is judged
MOST = 5  # findings of one code

GUIDE = NextStep("write down in the labelling guide how the items that people disagree on are to be labelled, and label them "
                 "again", "data", "agreement(labels)")


def span(found: Interval) -> str:
    """A value with its interval, for a sentence."""
    if found.low != found.low:
        return number(found.value)
    return f"{number(found.value)} ({number(found.low)} to {number(found.high)})"


def of_all(alpha: Interval, items: int, level: str) -> Finding:
    """AGR001: do people agree enough for the labels to be learned from?"""
    numbers = {"alpha": alpha.value, "low": alpha.low, "high": alpha.high, "items": items, "level": level}
    if items == 0:
        return Finding("AGR001", "not applicable", "Agreement was not judged: no item has two labels. Let two people label some "
                                                   "of the same items.", numbers)
    if np.isnan(alpha.value):
        return Finding("AGR001", "tip", f"Cannot tell whether people agree: all labels of {count(items, 'item')} are the same.",
                       numbers, NextStep("let people label items of every class", "data"), undecided=True)
    said = f"Krippendorff's alpha {span(alpha)} over {count(items, 'item')}"
    if alpha.low >= ENOUGH:
        grade = "reliable" if alpha.low >= RELIABLE else f"enough for tentative conclusions; {RELIABLE:g} is called reliable"
        return Finding("AGR001", "passed", f"People agree: {said}, {grade}.", numbers)
    if alpha.high < ENOUGH:
        return Finding("AGR001", "issue", f"People do not agree on the labels: {said}, below {ENOUGH:g}.", numbers, GUIDE)
    more = NextStep("let the same people label more of the same items", "data", "agreement(labels)")
    return Finding("AGR001", "tip", f"Cannot tell whether people agree enough: {said}, and {ENOUGH:g} lies within.", numbers, more,
                   undecided=True)


def of_annotators(names: Sequence[str], against: Sequence[Against]) -> list[Finding]:
    """AGR002: is somebody further from the others than they are from each other?"""
    judged = [i for i, one in enumerate(against) if one.of >= FEWEST]
    if len(names) < 3 or not judged:
        why = "that takes three annotators" if len(names) < 3 else \
            f"nobody has {FEWEST} items that two others have labelled, too"
        return [Finding("AGR002", "not applicable", f"Whether somebody is out of line was not judged: {why}.")]
    p_values = holm([_p_above(against[i].gap) for i in judged])
    out = []
    for i, p in zip(judged, p_values):
        if p >= 0.05:
            continue
        gap = against[i].gap
        half = float(stats.t.ppf(0.975, len(gap) - 1) * gap.std(ddof=1) / np.sqrt(len(gap)))
        mean = Interval(float(gap.mean()), float(gap.mean() - half), float(gap.mean() + half))
        out.append(Finding(
            "AGR002", "issue", f"{shown(names[i])} is out of line: further from the others than they are from each other by "
            f"{span(mean)} of the distance that chance gives, on {count(len(gap), 'item')} (p {number(float(p))}, corrected for "
            f"{count(len(judged), 'annotator')}).", {"annotator": names[i], "excess": mean.value, "low": mean.low,
                                                     "high": mean.high, "p": float(p), "n": len(gap)},
            NextStep("go through some of these items with the annotator, and leave the labels out until that is done", "data")))
    out.sort(key=lambda f: f.evidence["p"])
    return _first(out) or [Finding("AGR002", "passed", f"Nobody of {count(len(judged), 'annotator')} is shown to be out of line.",
                           {"annotators": len(judged)})]


def _p_above(gap: Any) -> float:
    """One-sided p value of a mean gap of at most APART."""
    spread = gap.std(ddof=1)
    if spread <= 1e-12:
        return 0.0 if gap.mean() > APART else 1.0
    return float(stats.t.sf((gap.mean() - APART) / (spread / np.sqrt(len(gap))), len(gap) - 1))


def of_classes(classes: Sequence[Any], kappas: Sequence[Interval], items: Sequence[int], mixed: Sequence[str]) -> list[Finding]:
    """AGR003: is there a class that people cannot tell from the others?"""
    judged = [i for i, one in enumerate(kappas) if items[i] >= FEWEST and one.high == one.high]
    if len(classes) < 3 or not judged:
        why = "with two classes it is the agreement itself" if len(classes) == 2 else \
            "there is one class" if len(classes) < 2 else f"no class has {FEWEST} items"
        return [Finding("AGR003", "not applicable", f"Whether a class is confused was not judged: {why}.")]
    low = [i for i in judged if kappas[i].high < ENOUGH]
    if not low:
        return [Finding("AGR003", "passed", f"No class of {len(judged)} is shown to be confused with others.",
                        {"classes": len(judged)})]
    return _first([Finding("AGR003", "issue", f"Class {shown(classes[i])} is confused{mixed[i]}: kappa of the class "
                                              f"{span(kappas[i])}, on {count(items[i], 'item')} that somebody has called so.",
                    {"class": classes[i], "kappa": kappas[i].value, "low": kappas[i].low, "high": kappas[i].high,
                     "n": items[i]}, GUIDE) for i in sorted(low, key=lambda i: kappas[i].value)])


def _first(findings: list[Finding]) -> list[Finding]:
    """The first findings; the last of them says how many there are more."""
    if len(findings) <= MOST:
        return findings
    last = findings[MOST - 1]
    more = f"{last.message[:-1]}; the same holds for {len(findings) - MOST} more."
    return [*findings[: MOST - 1], dataclasses.replace(last, message=more)]


def of_repeats(repeated: int) -> list[Finding]:
    """AGR004: were items labelled twice by the same person?"""
    if not repeated:
        return []
    said = f"{count(repeated, 'label')} came again for the same item from the same annotator; the last one counts."
    return [Finding("AGR004", "tip", said, {"repeated": repeated},
                    NextStep("keep each annotator's last label of an item, or tell the rounds apart by annotator names", "data"))]
