"""What a rerun says about a published figure: the verdict, the rows of the report, and its findings."""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import stats

from ml_lifecycle.exploration._known.data import Sample
from ml_lifecycle.exploration._known.models import FEW_STEPS
from ml_lifecycle.exploration._known.results import KNOWN, Gap, Known
from ml_lifecycle.exploration._known.run import STEPS, Outcome, difference
from ml_lifecycle.foundation._render import number
from ml_lifecycle.foundation.report import Finding, NextStep

ALPHA = 0.05
NAN = math.nan
SLACK = 1e-9  # of floating point, when a difference is compared with a tolerance
LABELS = {"accuracy": "accuracy", "roc_auc": "ROC AUC", "order": "steps in the published order"}
SAYS = {"reproduced": "is reproduced", "not reproduced": "is not reproduced", "explained gap": "is missed by an explained gap",
        "cannot tell": "can be neither confirmed nor refuted"}


@dataclasses.dataclass(frozen=True)
class Found:
    """Everything that was measured for one published result."""

    known: Known
    rows: int  # rows of the data, as they were found here
    ours: Outcome | None  # of the published model; None: nothing was run
    mine: Outcome | None = None  # of the person's own model
    named: str = ""  # what it is called
    trivial: Outcome | None = None  # always the commonest class
    order: tuple[str, ...] = ()  # steps that were found
    columns: tuple[str, ...] = ()  # names of the columns, to number them
    budget: str = "quick"
    chosen: str = ""  # what was tuned, in words

    @property
    def short(self) -> bool:
        """Whether the training was cut short for time."""
        return self.budget == "quick" and self.known.name in FEW_STEPS

    @property
    def gap(self) -> Gap | None:
        """What was known beforehand to differ from the published protocol."""
        gap = self.known.gap
        return gap if gap is not None and (gap.always or self.short) else None

    @property
    def human(self) -> Known | None:
        """What people reach on the same data, where it was published."""
        return next((k for k in KNOWN.values() if k.scheme == "quoted" and k.data == self.known.data), None)

    @property
    def outcome(self) -> str:
        """The verdict on the published figure."""
        known = self.known
        if known.scheme == "order":
            return "reproduced" if self.order == known.order else "not reproduced"
        if self.ours is None:
            return "cannot tell"
        gap = self.ours.score - known.published
        if abs(gap) <= known.tolerance + SLACK:
            return "reproduced"
        told = self.gap
        if told is not None and told.low - known.tolerance - SLACK <= gap <= told.high + known.tolerance + SLACK:
            return "explained gap"
        return "cannot tell" if self.short else "not reproduced"


def commonest(known: Known, sample: Sample, ours: Outcome) -> Outcome | None:
    """Always the commonest class of the training rows, on the rows that were scored; None for an area."""
    if known.metric != "accuracy":
        return None
    seen = sample.y if sample.test is None else sample.y[~sample.test]
    labels, sizes = np.unique(seen, return_counts=True)
    marks = np.asarray(ours.truth == labels[sizes.argmax()])
    share = float(marks.mean())
    return Outcome(share, NAN, NAN, len(marks), 0.0, (share,), marks, ours.truth)


# the rows of the report

def rows_of(found: Found) -> Iterator[dict[str, Any]]:
    """One row for each figure, the published one first."""
    known, ours = found.known, found.ours
    base = {"published": NAN, "tolerance": NAN, "ours": NAN, "low": NAN, "high": NAN, "n": 0, "seconds": NAN, "note": ""}
    if known.scheme == "order":
        yield from _steps(found, base)
        return
    kind = "human" if known.scheme == "quoted" else "published"
    told = {} if ours is None else {"ours": ours.score, "low": ours.low, "high": ours.high, "seconds": ours.seconds}
    yield {**base, "what": known.name, "kind": kind, "published": known.published, "tolerance": known.tolerance,
           "n": known.n if ours is None else ours.n, "verdict": found.outcome, "note": known.model, **told}
    if found.mine is not None:
        mine = found.mine
        yield {**base, "what": found.named, "kind": "yours", "ours": mine.score, "low": mine.low, "high": mine.high, "n": mine.n,
               "seconds": mine.seconds, "verdict": _against(found), "note": "your model under the same protocol"}
    if found.human is not None and kind != "human":
        human = found.human
        yield {**base, "what": human.name, "kind": "human", "published": human.published, "tolerance": human.tolerance,
               "n": human.n, "verdict": "quoted", "note": human.protocol}
    if found.trivial is not None:
        yield {**base, "what": "always the commonest class", "kind": "trivial", "ours": found.trivial.score,
               "n": found.trivial.n, "verdict": "for comparison", "note": "no column is used"}
    if ours is not None and len(ours.runs) > 1:
        for i, score in enumerate(ours.runs):
            yield {**base, "what": f"run {i + 1}", "kind": "run", "ours": score, "n": ours.n, "verdict": "one of several",
                   "note": f"{known.name}, another shuffling or start"}


def _steps(found: Found, base: dict[str, Any]) -> Iterator[dict[str, Any]]:
    numbers = {name: i + 1 for i, name in enumerate(found.columns)}

    def code(step: str) -> float:
        return -numbers[step[1:]] if step.startswith("-") else numbers[step]

    for i in range(max(len(found.order), len(found.known.order))):
        told = found.known.order[i] if i < len(found.known.order) else ""
        seen = found.order[i] if i < len(found.order) else ""
        yield {**base, "what": f"step {i + 1}: {told or seen}", "kind": "step", "published": code(told) if told else NAN,
               "ours": code(seen) if seen else NAN, "n": found.rows, "verdict": "reproduced" if told == seen else "not reproduced",
               "note": f"{told or 'none'} is published, {seen or 'none'} is found"}


def _against(found: Found) -> str:
    if found.mine is None or found.ours is None:
        return "cannot tell"
    value, _, _, p = difference(found.mine, found.ours, found.known.metric == "roc_auc")
    return "cannot tell" if p >= ALPHA else ("better" if value > 0 else "worse")


# the findings

def _figure(found: Found) -> str:
    known, ours = found.known, found.ours
    if ours is None:
        return ""
    label = LABELS[known.metric]
    return (f"{label} {number(ours.score)} ({number(ours.low)} to {number(ours.high)}, n = {ours.n:,}) where "
            f"{number(known.published)} ± {known.tolerance:.2g} is published")


def said(found: Found) -> str:
    """The verdict in one sentence."""
    known = found.known
    if known.scheme == "order":
        same = sum(a == b for a, b in zip(found.order, known.order))
        return f"{known.name} {SAYS[found.outcome]}: {same} of {len(known.order)} steps are the published ones."
    if found.ours is None:
        return (f"{known.name} is quoted, not run: {known.model} reached {LABELS[known.metric]} {number(known.published)} "
                f"(n = {known.n:,}).")
    return f"{known.name} {SAYS[found.outcome]}: {_figure(found)}."


def _reproduced(found: Found) -> Finding:
    """REP001: is the figure reproduced?"""
    known, ours = found.known, found.ours
    numbers: dict[str, Any] = {"published": known.published, "tolerance": known.tolerance, "rounding": known.rounding,
                               "spread": known.spread, "outcome": found.outcome}
    if ours is not None:
        numbers |= {"ours": ours.score, "difference": ours.score - known.published, "low": ours.low, "high": ours.high,
                    "n": ours.n, "runs": ours.runs, "rows": round((ours.score - known.published) * ours.n, 1)}
    own = NextStep("apply it to your own data as a second baseline", "exploration",
                   f"baselines(data, models={{{known.name!r}: published_model({known.name!r}, X=data.X)}})")
    look = NextStep("read the protocol in the source, and compare the data, the columns and the preprocessing", "exploration",
                    "known_results()")
    again = NextStep("run the whole protocol", "exploration", f"reproduce({known.name!r}, budget='full')")
    message = said(found)
    if known.scheme == "quoted":
        return Finding("REP001", "not applicable", message, numbers)
    if found.outcome == "reproduced":
        return Finding("REP001", "passed", message, numbers, own)
    if found.outcome == "not reproduced":
        if ours is not None and known.metric == "accuracy":
            rows = abs(numbers["rows"])
            message = f"{message[:-1]}, a difference of {rows:.0f} row{'s' * (round(rows) != 1)}."
        return Finding("REP001", "issue", message, numbers, look)
    if found.outcome == "explained gap":
        return Finding("REP001", "tip", message, numbers, again if found.short else look)
    return Finding("REP001", "tip", message, numbers, again, undecided=True)


def _gap(found: Found) -> Finding:
    """REP002: is the protocol run as published?"""
    known, gap = found.known, found.gap
    if known.scheme == "quoted":
        return Finding("REP002", "not applicable", "Nothing was run, so no protocol was shortened.")
    if gap is None:
        return Finding("REP002", "passed", f"The protocol was run as published. {known.protocol}")
    numbers: dict[str, Any] = {"low": gap.low, "high": gap.high}
    expected = f"{number(known.published + gap.low)} to {number(known.published + gap.high)}"
    if not found.short:
        message = f"The protocol is not quite the published one: {gap.why}; {expected} was expected."
        return Finding("REP002", "tip", message, numbers)
    numbers |= {"steps": FEW_STEPS[known.name], "published_steps": STEPS}
    return Finding("REP002", "tip", f"The protocol was shortened: {gap.why}; {expected} was expected.", numbers,
                   NextStep("run the whole protocol", "exploration", f"reproduce({known.name!r}, budget='full')"))


def _flattered(found: Found) -> Finding:
    """REP003: does the protocol itself flatter?"""
    known = found.known
    if known.scheme in ("order", "quoted"):
        return Finding("REP003", "not applicable", "No score of a model is claimed, so the protocol flatters none.")
    if not known.caution:
        return Finding("REP003", "passed", "The model is scored on rows that it was not fitted to.")
    tuned = f" ({found.chosen})" if found.chosen else ""
    return Finding("REP003", "tip", f"The published protocol flatters: {known.caution}{tuned}. Expect less on new rows.", {},
                   NextStep("score it on folds of your own", "exploration",
                            f"baselines(data, models={{{known.name!r}: published_model({known.name!r}, X=data.X)}})"))


def _p_value(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _yours(found: Found) -> Finding:
    """REP004: is the person's own model better than the published one?"""
    if found.mine is None:
        return Finding("REP004", "not applicable", "No model of your own was run: pass model= to run it under the same protocol.")
    if found.ours is None:
        return Finding("REP004", "not applicable", f"{found.named} was not compared with a published model: none was run.")
    value, low, high, p = difference(found.mine, found.ours, found.known.metric == "roc_auc")
    numbers = {"difference": value, "low": low, "high": high, "p": p, "n": found.mine.n, "yours": found.mine.score,
               "published_model": found.ours.score}
    how = f"{number(value)} ({number(low)} to {number(high)}, {_p_value(p)}, n = {found.mine.n:,})"
    verdict = _against(found)
    if verdict == "better":
        return Finding("REP004", "passed", f"{found.named} beats {found.known.name} by {how}.", numbers)
    if verdict == "worse":
        return Finding("REP004", "issue", f"{found.named} is worse than {found.known.name}: the difference is {how}.", numbers,
                       NextStep("start from the published model", "exploration", f"published_model({found.known.name!r})"))
    return Finding("REP004", "tip", f"Cannot tell whether {found.named} differs from {found.known.name}: {how}.", numbers,
                   NextStep("compare them on more rows", "exploration", "baselines(data, models=[...])"), undecided=True)


def _people(found: Found) -> Finding:
    """REP005: where does the best model stand against people?"""
    human = found.human
    outcome = found.mine or found.ours
    if human is None or outcome is None:
        why = "no human figure is published for these data" if human is None else "no model was run"
        return Finding("REP005", "not applicable", f"No comparison with people: {why}.")
    right, total = round(outcome.score * outcome.n), outcome.n
    theirs = round(human.published * human.n)
    p = float(stats.fisher_exact([[right, total - right], [theirs, human.n - theirs]]).pvalue)
    name = found.named if found.mine is not None else found.known.name
    numbers = {"score": outcome.score, "human": human.published, "p": p, "n": total, "n_human": human.n}
    gap = f"{number(outcome.score)} (n = {total:,}) against {number(human.published)} (n = {human.n:,}), {_p_value(p)}"
    if p >= ALPHA:
        return Finding("REP005", "tip", f"It cannot be told whether {name} differs from a person: {gap}.", numbers,
                       NextStep("score both on more rows", "evaluation", "known_results()"))
    if outcome.score > human.published:
        return Finding("REP005", "passed", f"{name} is better than a person: {gap}.", numbers)
    return Finding("REP005", "tip", f"{name} is worse than a person: {gap}. There is room above it.", numbers,
                   NextStep("look at errors that people do not make", "refinement", "top_losses(...)"))


def _trivial(found: Found) -> Finding:
    """REP006: does the published model beat the answer that needs no columns?"""
    ours, known = found.ours, found.known
    if ours is None or known.scheme == "order":
        return Finding("REP006", "not applicable", "No score of a published model was measured.")
    if known.metric == "roc_auc":
        value, low, high, p, room = ours.score - 0.5, ours.low - 0.5, ours.high - 0.5, NAN, "drawing lots (0.5)"
        clear = low > 0
    else:
        assert found.trivial is not None
        value, low, high, p = difference(ours, found.trivial, False)
        room, clear = f"always the commonest class ({number(found.trivial.score)})", p < ALPHA and value > 0
    numbers = {"difference": value, "low": low, "high": high, "p": p, "n": ours.n}
    how = f"{number(value)} ({number(low)} to {number(high)}, n = {ours.n:,})"
    if clear:
        return Finding("REP006", "passed", f"{known.name} beats {room} by {how}.", numbers)
    return Finding("REP006", "tip", f"It is not shown that {known.name} beats {room}: the difference is {how}.", numbers,
                   NextStep("compare with trivial answers first", "exploration", "baselines(data)"))


def _data(found: Found) -> Finding:
    """REP007: are these the rows that were published?"""
    known = found.known
    if known.scheme == "quoted" and found.mine is None:
        return Finding("REP007", "not applicable", "No data were loaded.")
    numbers = {"rows": found.rows, "published_rows": known.rows}
    if found.rows == known.rows:
        return Finding("REP007", "passed", f"The data have the {known.rows:,} rows that the source says.", numbers)
    return Finding("REP007", "issue", f"The data have {found.rows:,} rows where the source has {known.rows:,}: the package that "
                                      "holds them has changed.", numbers,
                   NextStep("install the version that the constraints name", "data", "known_results()"))


def all_findings(found: Found) -> tuple[Finding, ...]:
    """REP001 to REP007."""
    return tuple(check(found) for check in (_reproduced, _gap, _flattered, _yours, _people, _trivial, _data))
