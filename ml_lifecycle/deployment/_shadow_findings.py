"""What a shadow and a canary show, as coded findings."""

from dataclasses import dataclass
from typing import Any

from ml_lifecycle.deployment._shadow_stats import FEWEST, Compared, needed
from ml_lifecycle.foundation._render import number
from ml_lifecycle.foundation._words import count
from ml_lifecycle.foundation.intervals import Interval
from ml_lifecycle.foundation.metrics import Metric
from ml_lifecycle.foundation.report import Finding, NextStep

SLOWER = 2.0  # times as slow from which it is said
OUTCOMES = NextStep("add what turned out to the log", "deployment", "log.outcome(request_id, y)")
MORE = NextStep("let more users through before deciding", "deployment", "shadow_report(log)")


@dataclass(frozen=True)
class Seen:
    """What was compared."""

    n: int  # rows with both outputs
    units: int  # users, or rows without one
    agreement: Interval
    most_disagree: float  # share of rows from which disagreement is an issue
    latency: Interval
    asked: int  # requests that the shadow was asked
    failed: int  # of them, how many it failed on
    left_out: int  # requests that it was not asked, for lack of time
    errors: tuple[str, ...]  # what it said
    known: int  # rows with an outcome
    metric: Metric | None
    shadow: Compared | None
    canary: Compared | None
    canary_rows: int
    margin: float
    tests: int  # comparisons of scores that the level is corrected for


def span(interval: Interval) -> str:
    """The bounds, or that there are none."""
    if interval.low != interval.low:
        return "too few for an interval"
    return f"{number(interval.low)} to {number(interval.high)}"


def numbers(interval: Interval, **more: Any) -> dict[str, Any]:
    """An interval as evidence."""
    return {"value": interval.value, "low": interval.low, "high": interval.high, **more}


def all_findings(seen: Seen) -> tuple[Finding, ...]:
    """Every finding."""
    return (*_shadow(seen), _canary(seen))


def _shadow(seen: Seen) -> tuple[Finding, ...]:
    if not seen.asked:
        return (Finding("SHA001", "not applicable", "No shadow was asked: no request in the log has a second output."),)
    found = [_compared(seen)] if seen.n else []
    return (*found, *([_agreement(seen)] if seen.n else []), _speed(seen), _failures(seen), *_left_out(seen))


def _agreement(seen: Seen) -> Finding:
    apart = Interval(1 - seen.agreement.value, 1 - seen.agreement.high, 1 - seen.agreement.low)
    said = f"{apart.value:.1%} ({apart.low:.1%} to {apart.high:.1%}; {count(seen.n, 'row')} of {count(seen.units, 'user')})"
    facts = numbers(apart, n=seen.n, users=seen.units, most=seen.most_disagree)
    if seen.shadow is not None:
        return Finding("SHA002", "passed", f"The shadow answers otherwise in {said}; the outcomes judge it.", facts)
    if apart.high <= seen.most_disagree:
        return Finding("SHA002", "passed", f"The shadow answers otherwise in no more than {said}.", facts)
    if apart.low > seen.most_disagree:
        return Finding("SHA002", "issue", f"The shadow answers otherwise in {said}, more than {seen.most_disagree:.0%}, and no "
                                          "outcome tells who is right.", facts, OUTCOMES)
    return Finding("SHA002", "tip", f"Cannot tell whether the shadow answers otherwise in more than {seen.most_disagree:.0%} "
                                    f"of the rows: {said}.", facts, MORE, undecided=True)


def _compared(seen: Seen) -> Finding:
    if seen.shadow is None or seen.metric is None:
        return Finding("SHA003", "tip", f"Cannot tell whether the shadow is better: {count(seen.known, 'row')} of "
                       f"{seen.n:,} have an outcome from which a score follows.", {"n": seen.n, "known": seen.known}, OUTCOMES,
                       undecided=True)
    worse = NextStep("keep the champion, and take the shadow back to the evaluation", "evaluation", "evaluate_slices(...)")
    return _verdict("SHA003", "The shadow", seen.shadow, seen, worse, "champion on the same rows")


def _canary(seen: Seen) -> Finding:
    if not seen.canary_rows:
        return Finding("SHA007", "not applicable", "No user was given a canary.")
    if seen.canary is None:
        return Finding("SHA007", "tip", f"Cannot tell whether the canary is better: too few of its {seen.canary_rows:,} rows "
                       "and of the champion's have an outcome from which a score follows.", {"n": seen.canary_rows}, OUTCOMES,
                       undecided=True)
    back = NextStep("take the canary back", "deployment", "registry.rollback()")
    return _verdict("SHA007", "The canary", seen.canary, seen, back, "champion with other users")


def _verdict(code: str, who: str, what: Compared, seen: Seen, worse: NextStep, against: str) -> Finding:
    assert seen.metric is not None
    sign, d = seen.metric.sign, what.difference
    low, high = sorted((sign * d.low, sign * d.high)) if d.low == d.low else (d.low, d.high)
    facts = numbers(d, n=what.n, users=what.units, metric=seen.metric.name, champion=what.a.value, candidate=what.b.value,
                    margin=seen.margin, tests=seen.tests)
    rows = count(what.n, "row") if code == "SHA003" else f"{what.n:,} against {count(what.n_a, 'row')}"
    size = f"{rows} of {count(what.units, 'user')}"
    corrected = f", corrected for {seen.tests} comparisons" if seen.tests > 1 else ""
    said = (f"{seen.metric.label} {number(what.b.value)} against {number(what.a.value)} of the {against}, a difference of "
            f"{number(d.value)} ({span(d)}; {size}{corrected})")
    if low != low:
        facts["needed"] = FEWEST
        least = f"{FEWEST} users" + (f" and {FEWEST} rows of each class" if seen.metric.needs != "values" else "")
        return Finding(code, "tip", f"Cannot tell whether {who.lower()} is better: {said}; it takes {least} at the "
                                    "very least.", facts, MORE, undecided=True)
    if high < 0:
        return Finding(code, "issue", f"{who} is worse: {said}.", facts, worse)
    if low > 0:
        return Finding(code, "passed", f"{who} is better: {said}.", facts)
    if low >= -seen.margin:
        return Finding(code, "passed", f"{who} is not worse by more than {seen.margin:.3g}: {said}.", facts)
    more = facts["needed"] = needed(what.n, d, seen.margin)
    wanted = f"; about {int(float(f'{more:.2g}')):,} rows would tell" if more else ""
    return Finding(code, "tip", f"Cannot tell whether {who.lower()} is better or worse: {said}{wanted}.", facts, MORE,
                   undecided=True)


def _speed(seen: Seen) -> Finding:
    ratio = seen.latency
    facts = numbers(ratio, requests=seen.asked - seen.failed)
    said = f"{number(ratio.value)} times as long as the champion ({span(ratio)}; {count(seen.asked - seen.failed, 'request')})"
    if ratio.value != ratio.value:
        return Finding("SHA004", "not applicable", "The shadow was not timed: it answered no request.")
    if ratio.low > SLOWER:
        return Finding("SHA004", "tip", f"The shadow is slower: it takes {said}.", facts, NextStep(
            "hold its latency against what was asked for", "planning", "measure_model(model, X, y, requirements=...)"))
    if ratio.high <= SLOWER:
        return Finding("SHA004", "passed", f"The shadow is not much slower: it takes {said}.", facts)
    return Finding("SHA004", "tip", f"Cannot tell whether the shadow is more than {SLOWER:g} times as slow: it takes {said}.",
                   facts, MORE, undecided=True)


def _failures(seen: Seen) -> Finding:
    from ml_lifecycle.foundation.intervals import wilson

    rate = wilson(seen.failed, seen.asked)
    facts = numbers(rate, failed=seen.failed, requests=seen.asked, errors=list(seen.errors))
    said = f"{seen.failed:,} of {count(seen.asked, 'request')} ({rate.low:.1%} to {rate.high:.1%})"
    if seen.failed:
        first = f": {seen.errors[0]}" if seen.errors else ""
        return Finding("SHA005", "issue", f"The shadow failed on {said}{first.rstrip('.')}. No user saw it.", facts, NextStep(
            "find the records that it cannot take", "evaluation", "ModelTests(model)"))
    return Finding("SHA005", "passed", f"The shadow failed on {said}.", facts)


def _left_out(seen: Seen) -> tuple[Finding, ...]:
    if not seen.left_out:
        return ()
    return (Finding("SHA006", "tip", f"The shadow was not asked in {count(seen.left_out, 'request')}: it could not keep up.",
                    {"left_out": seen.left_out, "asked": seen.asked},
                    NextStep("make the shadow faster, or shadow at a quieter time", "deployment")),)
