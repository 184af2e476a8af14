"""What a search says, as coded findings."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from ml_lifecycle.foundation._render import number
from ml_lifecycle.foundation.intervals import holm, paired_difference
from ml_lifecycle.foundation.report import Finding, NextStep
from ml_lifecycle.refinement._search.confirm import Gain
from ml_lifecycle.refinement._search.matter import FEWEST, Share
from ml_lifecycle.refinement._search.run import Search, Trial, described, ranked_of
from ml_lifecycle.refinement._search.subject import Folded

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
    return POINT if search.folded.asked.problem.metric.high == 1 else POINT * abs(score)


def named(params: dict[str, Any]) -> str:
    """Parameters in words."""
    values = [(name, number(v) if isinstance(v, float) else str(v)[:40]) for name, v in params.items()]
    return ", ".join(f"{name} = {value}" for name, value in values[:6]) + (", …" if len(values) > 6 else "")


def better(search: Search, gain: Gain | None) -> Finding:
    """SEA001: is the best candidate better than the estimator as given?"""
    trials, best = search.trials, ranked_of(search.trials, search.sign)[0]
    if not isinstance(search.subject, Folded):
        return Finding("SEA001", "not applicable", f"The best of {len(trials)} candidates: {search.subject.label} "
                       f"{number(best.score)}, which being the best flatters. A function has no parameters as given to compare "
                       "with.", {"best": best.score, "trials": len(trials)})
    metric, default, folds = search.folded.asked.problem.metric, trials[0], search.folded.folds
    count, tried = len(trials) - 1, sum(not trial.error for trial in trials[1:])
    if best is default:
        return Finding("SEA001", "passed", f"The estimator as given is as good as any of {tried} candidates: {metric.label} "
                       f"{number(best.score)} (n = {folds.n:,}, {folds.how}). Keep it.",
                       {"default": best.score, "trials": count, "n": folds.n})
    if gain is None:
        gain = _corrected(search, default, best, count)
    said = f"{number(gain.best)} against {number(gain.default)}, a gain of {number(gain.value)} " \
           f"({span(gain.low, gain.high)}; n = {gain.n:,}, {gain.how})"
    numbers = {"best": gain.best, "default": gain.default, "difference": gain.value, "low": gain.low, "high": gain.high,
               "p": gain.p, "n": gain.n, "trials": count, "searched_best": best.score, "searched_default": default.score}
    why = f"; in the search itself it was {number(best.score)}, which being the best of {len(trials)} flatters"
    if default.error:
        return Finding("SEA001", "passed", f"The estimator as given fails ({default.error}); {named(best.params)} does not: "
                       f"{metric.label} {number(best.score)} (n = {folds.n:,}, {folds.how}).", numbers)
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
    sign, folds = search.sign, search.folded.folds
    if default.error:
        return Gain(best.score, default.score)
    pair = sign * np.array(best.scores), sign * np.array(default.scores)
    found = paired_difference(*pair, test_ratio=folds.test_ratio, level=1 - ALPHA / max(1, count))
    how = f"{folds.how}, those of the search, corrected for {count} candidates"
    return Gain(best.score, default.score, found.value, found.low, found.high, min(1.0, found.p * count), folds.n, how)


def noise(search: Search, shares: Sequence[Share]) -> list[Finding]:
    """SEA002: how many candidates cannot be told from the best."""
    ranked = ranked_of(search.trials, search.sign)
    scores = [search.sign * np.array(trial.scores) for trial in ranked]
    if len(ranked) < 3:
        return []
    folds = len(scores[0])
    if len({len(values) for values in scores}) > 1 or folds < 2:
        return _of_single_scores(search, shares)
    ratio = search.folded.folds.test_ratio if isinstance(search.subject, Folded) else 1 / (folds - 1)
    compared = [paired_difference(scores[0], other, test_ratio=ratio).p for other in scores[1:]]
    short = [search.sign * np.array(t.scores) for t in search.trials if t.stopped and isinstance(search.subject, Folded)]
    adjusted = holm([*compared, *_of_stopped(scores, short, ratio)])
    inside, spread = int(sum(not p < ALPHA for p in adjusted)), abs(ranked[0].score - ranked[-1].score)
    numbers = {"inside": inside, "compared": len(adjusted), "spread": spread, "folds": folds}
    worst = f"from {number(ranked[-1].score)} to {number(ranked[0].score)}, over {_many(folds, 'fold')}"
    if inside == len(adjusted):
        return [_larger(f"none of {len(adjusted)} other candidates can be told from the best ({worst})", numbers)]
    return [Finding("SEA002", "passed", f"{len(adjusted) - inside} of {len(adjusted)} other candidates are told from the best, "
                    f"{inside} are within the noise ({worst}).", numbers)]


def _of_stopped(whole: Sequence[np.ndarray], short: Sequence[np.ndarray], ratio: float) -> list[float]:
    """p of candidates with fewer folds than the best, by the variance that the others show (median), as in the paired test."""
    apart = np.array([np.nanvar(whole[0] - other, ddof=1) for other in whole[1:]])
    variance = max(float(np.nanmedian(apart)), 1e-24)
    gaps = [float(np.nanmean(whole[0][:len(other)] - other)) / np.sqrt(variance * (1 / len(other) + ratio)) for other in short]
    return [float(2 * stats.t.sf(abs(gap), len(whole[0]) - 1)) for gap in gaps]


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _larger(told: str, numbers: dict[str, Any]) -> Finding:
    return Finding("SEA002", "tip", f"The noise is larger than the differences: {told}.", numbers,
                   NextStep("more folds, or more rows, before more candidates", "refinement",
                            "coarse_to_fine(model, space, X, y, cv=10)"))


def _of_single_scores(search: Search, shares: Sequence[Share]) -> list[Finding]:
    """One score says nothing about its noise; but where no parameter explains the scores, noise does."""
    if not shares:
        return []
    p = holm([share.p for share in shares])
    numbers = {"p": min(p), "trials": len(search.trials)}
    if min(p) >= ALPHA:
        return [_larger(f"no parameter explains the scores of {len(search.trials)} candidates (p = {number(min(p))})", numbers)]
    return [Finding("SEA002", "passed", f"The scores follow the parameters, not noise alone (p = {number(min(p))}, "
                    f"{len(search.trials)} candidates).", numbers)]


def edges(search: Search) -> list[Finding]:
    """SEA003: does the best stand on the edge of the space?"""
    best = ranked_of(search.trials, search.sign)[0]
    found = search.space.edges(best.params, np.array(best.point)) if best.round and best.point else []
    if not found:
        return []
    told = ", ".join(f"{name} = {number(float(best.params[name]))} on the {side} one" for name, side in found)
    return [Finding("SEA003", "tip", f"The best stands on an edge of the space: {told}. Better values may lie beyond.",
                    {"edges": dict(found), "best_params": described(best.params)},
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


def matter(search: Search, shares: Sequence[Share]) -> Finding:
    """SEA007: which parameters matter."""
    count = len(search.trials)
    if not shares:
        wanted = FEWEST + 4 * len(search.space.axes)
        why = f"{count} candidates are too few, {wanted} would do" if count < wanted else "all scores are alike"
        return Finding("SEA007", "not applicable", f"Which parameters matter cannot be told: {why}.", {"trials": count})
    adjusted = holm([share.p for share in shares])
    shown = [(share, p) for share, p in zip(shares, adjusted) if p < ALPHA]
    numbers = {"shares": {s.name: s.share for s in shares}, "p": {s.name: p for s, p in zip(shares, adjusted)}, "trials": count}
    rest = [share.name for share, p in zip(shares, adjusted) if p >= ALPHA]
    if not shown:
        return Finding("SEA007", "passed", f"No parameter is shown to matter by {count} candidates.", numbers)
    told = ", ".join(f"{s.name} {s.share:.0%} ({s.low:.0%} to {s.high:.0%})" for s, _ in shown[:5])
    tail = f"; not shown to matter: {', '.join(rest[:5])}" if rest else ""
    return Finding("SEA007", "passed", f"Of the differences between {count} candidates depend on {told}{tail}.", numbers)


def course(search: Search) -> list[Finding]:
    """SEA008: what was stopped early. SEA009: what the log and the clock have done."""
    found, trials = list[Finding](), search.trials
    stopped = [t for t in trials if t.stopped]
    if stopped:
        parts = sum(len(stage) for stage in search.subject.stages)
        spent = sum(sum(len(stage) for stage in search.subject.stages[:len(t.path)]) for t in stopped)
        saved = len(stopped) * parts - spent
        found.append(Finding("SEA008", "passed", f"{len(stopped)} of {_many(len(trials), 'candidate')} were stopped early, which "
                             f"saved {saved} of {len(trials) * parts} fits.", {"stopped": len(stopped), "saved": saved}))
    if search.late:
        found.append(Finding("SEA009", "tip", f"The time was up after {len(trials)} of {search.budget} candidates.",
                             {"trials": len(trials), "budget": search.budget},
                             NextStep("go on from the log with more time", "refinement",
                                      "coarse_to_fine(model, space, X, y, log='search.jsonl', seconds=600)")))
    elif search.taken:
        found.append(Finding("SEA009", "passed", f"{search.taken} of {len(trials)} candidates came from the log.",
                             {"taken": search.taken, "trials": len(trials)}))
    return found


def about_the_folds(search: Search) -> list[Finding]:
    """SEA005: what about the folds is not as asked for. SEA006: a space with fewer candidates than the budget."""
    found, trials, budget = list[Finding](), search.trials, search.budget
    if isinstance(search.subject, Folded):
        folds = search.subject.folds
        found = [Finding("SEA005", "tip", note, {"n": folds.n, "folds": len(folds.pairs)},
                         NextStep("see that the folds are what is meant", "refinement",
                                  "coarse_to_fine(model, space, X, y, cv=3)"))
                 for note in folds.notes]
    if len(trials) < budget and not search.late:
        found.append(Finding("SEA006", "passed", f"Every combination was tried: {len(trials)} candidates of a budget of {budget}.",
                             {"trials": len(trials), "budget": budget}))
    return found


def all_findings(search: Search, gain: Gain | None, shares: Sequence[Share]) -> tuple[Finding, ...]:
    """Every finding, the most important first within its severity."""
    return (better(search, gain), *edges(search), *noise(search, shares), *failures(search.trials), matter(search, shares),
            *course(search), *about_the_folds(search))
