"""What a search says, as coded findings."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..foundation._render import number
from ..foundation.intervals import holm, paired_difference
from ..foundation.report import Finding, NextStep
from ._search_run import Gain, Search, Trial, ranked_of
from ._search_space import at_edges

ALPHA = 0.05
POINT = 0.01  # of a score that is bounded by 1; else one percent of the score


class WithParameters(dict[str, str]):
    """What columns hold: those that are named, and every other one, which is a parameter."""

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str)

    def __missing__(self, name: str) -> str:
        return f"the value of the parameter {name}"


def span(low: float, high: float) -> str:
    """Two bounds in words."""
    return f"{number(low)} to {number(high)}" if np.isfinite(low) and np.isfinite(high) else "no interval"


def point_of(search: Search, score: float) -> float:
    """What counts as a point."""
    return POINT if search.problem.metric.high == 1 else POINT * abs(score)


def named(params: dict[str, Any]) -> str:
    """Parameters in words."""
    values = [(name, number(v) if isinstance(v, float) else str(v)[:40]) for name, v in params.items()]
    return ", ".join(f"{name} = {value}" for name, value in values[:6]) + (", …" if len(values) > 6 else "")


def better(search: Search, trials: Sequence[Trial], gain: Gain | None) -> Finding:
    """SEA001: is the best candidate better than the estimator as given?"""
    metric = search.problem.metric
    default, best = trials[0], ranked_of(trials, metric.sign)[0]
    count, tried = len(trials) - 1, sum(not trial.error for trial in trials[1:])
    if best is default:
        return Finding("SEA001", "passed", f"The estimator as given is as good as any of {tried} candidates: {metric.label} "
                       f"{number(best.score)} (n = {search.folds.n:,}, {search.folds.how}). Keep it.",
                       {"default": best.score, "trials": count, "n": search.folds.n})
    if gain is None:
        gain = _corrected(search, default, best, count)
    said = f"{number(gain.best)} against {number(gain.default)}, a gain of {number(gain.value)} " \
           f"({span(gain.low, gain.high)}; n = {gain.n:,}, {gain.how})"
    numbers = {"best": gain.best, "default": gain.default, "difference": gain.value, "low": gain.low, "high": gain.high,
               "p": gain.p, "n": gain.n, "trials": count, "searched_best": best.score, "searched_default": default.score}
    why = f"; in the search itself it was {number(best.score)}, which being the best of {len(trials)} flatters"
    if default.error:
        return Finding("SEA001", "passed", f"The estimator as given fails ({default.error}); {named(best.params)} does not: "
                       f"{metric.label} {number(best.score)} (n = {search.folds.n:,}, {search.folds.how}).", numbers)
    if gain.p < ALPHA and gain.low > 0:
        return Finding("SEA001", "passed", f"The search beats the estimator as given: {metric.label} {said}{why}.", numbers)
    if gain.high < point_of(search, gain.default):
        return Finding("SEA001", "passed", f"Keep the estimator as given: the search gains less than a point: {metric.label} "
                       f"{said}{why}.", {**numbers, "keep": True},
                       NextStep("keep the defaults, and look at the errors instead", "refinement", "error_clusters(X, y, proba)"))
    told = gain.error or f"{metric.label} {said}"
    return Finding("SEA001", "tip", f"Cannot tell whether the search beats the estimator as given: {told}{why}. Keep the defaults "
                   "until it can be told.", numbers,
                   NextStep("confirm it on rows that were held out, or bring more rows", "refinement",
                            "coarse_to_fine(model, space, X, y, confirm=(X_val, y_val))"), undecided=True)


def _corrected(search: Search, default: Trial, best: Trial, count: int) -> Gain:
    """On the folds of the search itself: the level is divided by the number of candidates (Bonferroni)."""
    sign, folds = search.problem.metric.sign, search.folds
    if default.error:
        return Gain(best.score, default.score)
    pair = sign * np.array(best.scores), sign * np.array(default.scores)
    found = paired_difference(*pair, test_ratio=folds.test_ratio, level=1 - ALPHA / max(1, count))
    how = f"{folds.how}, those of the search, corrected for {count} candidates"
    return Gain(best.score, default.score, found.value, found.low, found.high, min(1.0, found.p * count), folds.n, how)


def noise(search: Search, trials: Sequence[Trial]) -> list[Finding]:
    """SEA002: how many candidates cannot be told from the best."""
    ranked = ranked_of(trials, search.problem.metric.sign)
    if len(ranked) < 3 or len(search.folds.pairs) < 2:
        return []
    sign, best = search.problem.metric.sign, np.array(ranked[0].scores)
    compared = [paired_difference(sign * best, sign * np.array(t.scores), test_ratio=search.folds.test_ratio) for t in ranked[1:]]
    adjusted = holm([found.p for found in compared])
    inside = int(sum(not p < ALPHA for p in adjusted))
    spread = abs(ranked[0].score - ranked[-1].score)
    numbers = {"inside": inside, "compared": len(compared), "spread": spread, "n": search.folds.n}
    worst = f"from {number(ranked[-1].score)} to {number(ranked[0].score)}"
    if inside == len(compared):
        return [Finding("SEA002", "tip", f"The noise is larger than the differences: none of {len(compared)} other candidates can "
                        f"be told from the best ({worst}; n = {search.folds.n:,}).", numbers,
                        NextStep("more folds, or more rows, before more candidates", "refinement",
                                 "coarse_to_fine(model, space, X, y, cv=10)"))]
    return [Finding("SEA002", "passed", f"{len(compared) - inside} of {len(compared)} other candidates are told from the best, "
                    f"{inside} are within the noise ({worst}; n = {search.folds.n:,}).", numbers)]


def edges(search: Search, trials: Sequence[Trial]) -> list[Finding]:
    """SEA003: does the best stand on the edge of the space?"""
    best = ranked_of(trials, search.problem.metric.sign)[0]
    found = at_edges(search.axes, best.params) if best is not trials[0] else []
    if not found:
        return []
    told = ", ".join(f"{name} = {number(float(best.params[name]))} on the {side} one" for name, side in found)
    return [Finding("SEA003", "tip", f"The best stands on an edge of the space: {told}. Better values may lie beyond.",
                    {"edges": dict(found), "best_params": best.params},
                    NextStep("widen the space there, and search again", "refinement", "coarse_to_fine(model, wider_space, X, y)"))]


def failures(trials: Sequence[Trial]) -> list[Finding]:
    """SEA004: what failed."""
    failed = [t for t in trials if t.error]
    if not failed:
        return []
    severity: Any = "issue" if len(failed) > len(trials) / 2 else "tip"
    first = failed[0]
    return [Finding("SEA004", severity, f"{len(failed)} of {len(trials)} candidates failed, the first with {named(first.params)}: "
                    f"{first.error}.", {"failed": len(failed), "trials": len(trials), "error": first.error},
                    NextStep("take those values out of the space", "refinement", "coarse_to_fine(model, smaller_space, X, y)"))]


def about_the_folds(search: Search, trials: Sequence[Trial], budget: int) -> list[Finding]:
    """SEA005: what about the folds is not as asked for. SEA006: a space with fewer candidates than the budget."""
    found = [Finding("SEA005", "tip", note, {"n": search.folds.n, "folds": len(search.folds.pairs)},
                     NextStep("see that the folds are what is meant", "refinement", "coarse_to_fine(model, space, X, y, cv=3)"))
             for note in search.folds.notes]
    if len(trials) < budget:
        found.append(Finding("SEA006", "passed", f"Every combination was tried: {len(trials)} candidates of a budget of {budget}.",
                             {"trials": len(trials), "budget": budget}))
    return found


def all_findings(search: Search, trials: Sequence[Trial], gain: Gain | None, budget: int) -> tuple[Finding, ...]:
    """Every finding, the most important first within its severity."""
    return (better(search, trials, gain), *edges(search, trials), *noise(search, trials), *failures(trials),
            *about_the_folds(search, trials, budget))
