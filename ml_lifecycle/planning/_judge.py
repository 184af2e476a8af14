"""How candidates are judged: reading the table, who qualifies, who wins, and whether the lead is more than noise."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from ml_lifecycle.foundation._render import number
from ml_lifecycle.foundation.errors import BadInputError, did_you_mean
from ml_lifecycle.foundation.intervals import Interval
from ml_lifecycle.foundation.report import Finding, NextStep
from ml_lifecycle.planning import _table
from ml_lifecycle.planning._quantities import QUANTITIES, Threshold

if TYPE_CHECKING:
    from ml_lifecycle.planning.requirements import Requirements

LEVEL = 0.95  # of every interval, and of all comparisons with the best together
WIDTH = 2 * float(stats.norm.ppf((1 + LEVEL) / 2))  # standard errors that a 95 % interval is wide
UNKNOWN = float("nan")
COSTS = ("latency_ms", "size_mb", "memory_mb")
ORDER = ("yes", "cannot tell", "no")


@dataclass(frozen=True)
class Candidate:
    """One row of the table, judged."""

    name: str
    score: Interval
    verdicts: tuple[tuple[Threshold, Interval, str], ...]  # threshold, measured, "yes" | "no" | "cannot tell"
    costs: Mapping[str, float]
    n: int | None = None  # rows that it was measured on

    @property
    def qualifies(self) -> str:
        """The worst of the verdicts."""
        return max((verdict for _, _, verdict in self.verdicts), key=ORDER.index, default="yes")

    @property
    def fails(self) -> str:
        """Which thresholds are missed or undecided, and by how much."""
        return "; ".join(limit.said_of(measured) for limit, measured, verdict in self.verdicts if verdict != "yes")

    @property
    def error(self) -> float:
        """Standard error of the score; nan when it is not known."""
        return (self.score.high - self.score.low) / WIDTH

    @property
    def miss(self) -> float:
        """The largest miss, as a share of its threshold."""
        return max((abs(m.value - t.value) / (abs(t.value) or 1.0) for t, m, v in self.verdicts if v == "no"), default=0.0)


@dataclass(frozen=True)
class Verdict:
    """Who wins, and how sure that is."""

    candidates: tuple[Candidate, ...]  # the qualified first, then by score
    winner: str | None
    tied: tuple[str, ...]
    lead: tuple[float, float, float] | None
    unsure: tuple[str, ...]  # rivals of the best of which it is not known whether the lead is noise

    def are(self, verdict: str) -> list[Candidate]:
        """The candidates of one verdict."""
        return [c for c in self.candidates if c.qualifies == verdict]


# ---- from the table

def judged(requirements: "Requirements", candidates: Any) -> list[Candidate]:
    """Every candidate with its score and its verdicts, in the order of the table."""
    frame = _table.table(candidates)
    for name in requirements.weights:
        if _table.spelling(frame, name) not in frame.columns:
            raise BadInputError(f"`candidates` must have a column {name!r}, which is optimized. "
                                + did_you_mean(name, (c for c in frame.columns if c != "name"), noun="Columns"))
    weighted = [(weight, _table.readings(frame, name)) for name, weight in requirements.weights.items()]
    limits = [(limit, _table.readings(frame, limit.quantity)) for limit in requirements.thresholds]
    costs, rows = {name: _table.column(frame, name) for name in COSTS}, _table.column(frame, "n")
    return [Candidate(
        name=str(name),
        score=Interval(*(sum(weight * part[i][end] for weight, part in weighted) for end in range(3))),
        verdicts=tuple((limit, part[i], limit.verdict(part[i])) for limit, part in limits),
        costs={key: float(values[i]) for key, values in costs.items()},
        n=int(rows[i]) if np.isfinite(rows[i]) else None,
    ) for i, name in enumerate(frame.index)]


# ---- who wins

def decide(candidates: list[Candidate], sign: int) -> Verdict:
    """Order the candidates and compare the best of the qualified with every other qualified one."""
    def place(c: Candidate) -> tuple[int, bool, float, str]:
        missing = math.isnan(c.score.value)
        return ORDER.index(c.qualifies), missing, 0.0 if missing else -sign * c.score.value, c.name

    ordered = tuple(sorted(candidates, key=place))
    able = [c for c in ordered if c.qualifies == "yes" and not math.isnan(c.score.value)]
    if not able:
        return Verdict(ordered, None, (), None, ())
    best, rivals = able[0], able[1:]
    leads = [lead(best, rival, sign, len(rivals)) for rival in rivals]
    tied = [rival.name for rival, (value, low, _) in zip(rivals, leads) if value == 0 or low <= 0]
    unsure = [rival.name for rival, (value, low, _) in zip(rivals, leads) if value > 0 and math.isnan(low)]
    return Verdict(ordered, None if tied else best.name, (best.name, *tied) if tied else (),
                   leads[0] if leads else None, tuple(unsure))


def lead(best: Candidate, rival: Candidate, sign: int, rivals: int) -> tuple[float, float, float]:
    """By how much `best` is better, with bounds that hold for all rivals together (Bonferroni)."""
    value = sign * (best.score.value - rival.score.value)
    half = float(stats.norm.ppf(1 - (1 - LEVEL) / 2 / max(1, rivals))) * math.hypot(best.error, rival.error)
    return value, value - half, value + half


def contenders(verdict: Verdict, sign: int) -> list[Candidate]:
    """Candidates that may qualify and are not clearly worse than the best that does."""
    maybe = [c for c in verdict.are("cannot tell") if not math.isnan(c.score.value)]
    best = next((c for c in verdict.are("yes") if not math.isnan(c.score.value)), None)
    return [c for c in maybe if best is not None and not lead(best, c, sign, len(maybe))[1] > 0]


# ---- findings

def findings(requirements: "Requirements", verdict: Verdict, sign: int) -> tuple[Finding, ...]:
    """What is to be said about the verdict, with what to do next."""
    able = verdict.are("yes")
    found = [_outcome(requirements, verdict) if able else _nobody(verdict)]
    maybe = contenders(verdict, sign)
    if maybe:
        found.append(Finding(
            "REQ006", "tip", f"{_names(maybe)} may score as well or better, and it cannot be told whether "
            f"{'it qualifies' if len(maybe) == 1 else 'they qualify'}: {maybe[0].fails}.",
            {c.name: c.score.value for c in maybe}, NextStep("measure what is missing before you choose", "planning"),
            undecided=True))
    found += _open(verdict)
    lost = [c for c in verdict.candidates if math.isnan(c.score.value)]
    if lost:
        found.append(Finding(
            "REQ008", "tip", f"{_names(lost)} has no score and cannot be ranked.", {"names": [c.name for c in lost]},
            NextStep("look why the metric is undefined there: one class alone, or a failed fit", "planning"),
            undecided=any(c.qualifies != "no" for c in lost)))
    return (*found, *_backward(requirements))


def _names(candidates: Iterable[Candidate | str]) -> str:
    names = [c if isinstance(c, str) else c.name for c in candidates]
    shown = names if len(names) <= 4 else [*names[:3], f"{len(names) - 3} more"]
    return shown[0] if len(shown) == 1 else ", ".join(shown[:-1]) + " and " + shown[-1]


def _outcome(requirements: "Requirements", verdict: Verdict) -> Finding:
    """The finding when somebody qualifies: a winner, a tie, or a lead that may be noise."""
    able = [c for c in verdict.are("yes") if not math.isnan(c.score.value)]
    what = requirements.score_label
    if not able:
        return Finding("REQ002", "tip", "No candidate that qualifies has a score.", {},
                       NextStep("measure the score of those that qualify", "planning"), undecided=True)
    best = able[0]
    evidence = {"score": best.score.value, "low": best.score.low, "high": best.score.high, "qualified": len(able)}
    if verdict.lead is None:
        return Finding("REQ003", "passed", f"{best.name} wins: it alone qualifies ({what} {number(best.score.value)}"
                       f"{_known(best.score.low, best.score.high, best)}).", evidence)
    evidence |= dict(zip(("lead", "lead_low", "lead_high"), verdict.lead))
    value, low, high = (number(part) for part in verdict.lead)
    if verdict.tied:
        cheap, why = _cheapest([c for c in able if c.name in verdict.tied])
        return Finding("REQ004", "tip", f"{_names(verdict.tied)} are tied: their differences in {what} lie within the noise "
                       f"({best.name} leads by {value}{_known(*verdict.lead[1:], best)}){why}.", evidence,
                       NextStep(f"take the cheapest of the tied{cheap}", "planning"), undecided=True)
    if verdict.unsure:
        return Finding("REQ005", "tip", f"{best.name} leads by {value} in {what}; whether that is more than noise cannot be "
                       "told, for there are no intervals.", evidence,
                       NextStep("give the intervals too", "planning", "measure_model(model, X, y, requirements=...)"),
                       undecided=True)
    return Finding("REQ003", "passed", f"{best.name} wins: {what} {number(best.score.value)}, {value} better than {able[1].name} "
                   f"({low} to {high}{_rows(best)}).", evidence)


def _rows(candidate: Candidate) -> str:
    return f"; n = {candidate.n:,}" if candidate.n else ""


def _known(low: float, high: float, candidate: Candidate) -> str:
    """An interval and the number of rows, as far as they are known."""
    return ("" if math.isnan(low) else f", {number(low)} to {number(high)}") + _rows(candidate)


def _cheapest(tied: list[Candidate]) -> tuple[str, str]:
    """(": NAME", "; NAME has the least ...") by the first cost that all of them have; empty texts when there is none."""
    for cost in COSTS:
        values = [c.costs[cost] for c in tied]
        if np.isfinite(values).all() and min(values) < max(values):
            cheap = min(tied, key=lambda c: (c.costs[cost], c.name)).name
            return f": {cheap}", f"; {cheap} has the least {cost}, {number(min(values))}"
    return "", ""


def _nobody(verdict: Verdict) -> Finding:
    """The finding when no candidate qualifies for certain."""
    maybe = verdict.are("cannot tell")
    if maybe:
        return Finding("REQ002", "tip", f"No candidate qualifies for certain; {_names(maybe)} may: {maybe[0].fails}.",
                       {"may": [c.name for c in maybe]}, NextStep("measure what is missing, on more rows", "planning"),
                       undecided=True)
    near = min(verdict.candidates, key=lambda c: c.miss)
    limit, measured, _ = max((v for v in near.verdicts if v[2] == "no"),
                             key=lambda v: abs(v[1].value - v[0].value) / (abs(v[0].value) or 1.0))
    gap = abs(measured.value - limit.value)
    return Finding("REQ001", "issue", f"No candidate qualifies. The nearest is {near.name}: {near.fails}.",
                   {"nearest": near.name, "quantity": limit.quantity, "measured": measured.value, "threshold": limit.value},
                   NextStep(f"bring {limit.quantity} of {near.name} {'up' if limit.upward else 'down'} by {number(gap)}, "
                            "or ask whether the threshold is needed", "planning"))


def _open(verdict: Verdict) -> list[Finding]:
    """What was not measured, and what lies on both sides of its threshold."""
    missing: dict[str, list[str]] = {}
    astride: dict[str, list[str]] = {}
    for c in verdict.candidates:
        for limit, measured, said in c.verdicts:
            if said == "cannot tell":
                (missing if math.isnan(measured.value) else astride).setdefault(limit.quantity, []).append(c.name)
    found = []
    for quantity, names in missing.items():
        found.append(Finding(
            "REQ007", "tip", f"{quantity} is not measured for {_names(names)}.", {"quantity": quantity, "names": names},
            NextStep(f"measure {quantity}, or fill the column yourself", "planning")))
    for quantity, names in astride.items():
        found.append(Finding(
            "REQ010", "tip", f"The interval of {quantity} of {_names(names)} lies on both sides of the threshold.",
            {"quantity": quantity, "names": names}, NextStep(f"measure {quantity} on more rows or calls", "planning")))
    return found


def _backward(requirements: "Requirements") -> list[Finding]:
    """Thresholds that ask for more of what should be small, or for less of what should be large."""
    found = []
    for limit in requirements.thresholds:
        known = QUANTITIES.get(limit.quantity)
        if known is not None and known.greater_is_better != limit.upward:
            other = ("<=" if limit.upward else ">=")
            found.append(Finding(
                "REQ009", "tip", f"The threshold {limit.quantity} {limit.condition} keeps the worse candidates: "
                f"{'more' if known.greater_is_better else 'less'} {limit.quantity} is better.", {"threshold": limit.value},
                NextStep(f"did you mean {limit.quantity} {other} {limit.value:g}?", "planning")))
    return found
