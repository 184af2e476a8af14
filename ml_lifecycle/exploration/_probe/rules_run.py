"""Rules about the runs and the batch: the verdict, the first loss, learning rates, scale of inputs, labels, regularization."""

import math
from collections.abc import Iterator

from ml_lifecycle.exploration._probe.facts import Cause, Facts, advice
from ml_lifecycle.exploration._probe.repairs import USUAL
from ml_lifecycle.exploration._probe.runs import NEAR, steps_needed
from ml_lifecycle.foundation._render import number
from ml_lifecycle.foundation.report import NextStep

MANY = 150  # rows from which labels that go with the inputs show almost surely
LONG = 100  # steps below which a loss that does not fall says nothing
ENDLESS = 1e6  # steps from which a learning rate is no learning


def verdict(facts: Facts, named: bool) -> Cause:
    """OVR001: was the loss driven to near zero, and if not, what is known?"""
    run, goal = facts.given, facts.goal
    steps = len(run.losses)
    numbers = {"first": goal.first, "last": run.best, "lowest": goal.lowest, "constant": goal.constant, "steps": steps,
               "n": facts.inputs.n, "left": goal.share(run.best), "best_learning_rate": facts.own_rate,
               "best_loss": facts.own.best if facts.own else run.best}
    if facts.failed is not None or run.error is not None:
        return Cause("OVR001", "not_run", "issue" if not named else "tip", 99, "The batch could not be trained on.", numbers, None,
            True)
    span = f"from {number(goal.first)} to {number(run.best)} in {steps} steps on {facts.inputs.n} rows"
    if facts.near:
        return Cause("OVR001", "overfit", "passed", 99, f"The loss is driven near zero: {span}.", numbers)
    low = f" (a constant answer reaches {number(goal.constant)})" if math.isfinite(goal.constant) else ""
    text = f"The loss goes {span}{low}"
    if named:
        return Cause("OVR001", "not_overfit", "tip", 98, f"{text}: it is not driven near zero.", numbers, None, True)
    above = facts.rose or run.best > goal.first + 1e-3 * abs(goal.first)
    if facts.own_near and not above:
        return Cause("OVR001", "slow", "tip", 98, f"{text}: not there yet. Adam with learning rate {number(facts.own_rate)} and a "
            f"plain step drives it to {number(facts.own.best if facts.own else run.best)}, so model, loss and data are able "
            "to.", numbers, advice("give it more steps, or another learning rate"), True)
    if above:
        but = f" (Adam with learning rate {number(facts.own_rate)} and a plain step does get there)" if facts.own_near else ""
        return Cause("OVR001", "rises", "tip", 98, f"{text}: it rises or jumps about instead of falling, and no run told why "
            f"within the time{but}.", numbers, advice("try learning rates that are ten and a hundred times lower"), True)
    best = min(goal.share(run.best), goal.share(facts.own.best) if facts.own else math.inf)
    if not facts.tried_plainly or facts.steps < LONG:
        return Cause("OVR001", "no_time", "tip", 98, f"{text}: not near zero. There was not enough time, or too few steps, to "
            "tell whether it is able to.", numbers, NextStep("give it more time and steps", "exploration",
            "overfit_batch(model, batch, loss_fn, seconds=60)"), True)
    if best < 0.85:
        falls = facts.needed < math.inf or (facts.own is not None and steps_needed(facts.own, goal) < math.inf)
        how = "still falling" if falls else "further than a constant answer"
        return Cause("OVR001", "falling", "tip", 98, f"{text}: not near zero, but {how}, for no cause that is known. The model "
            "may be too small for the batch, or need more steps.", numbers, advice("try fewer rows, more units, or more steps"),
            True)
    return Cause("OVR001", "stuck", "issue", 98, f"{text}: it does not fall, and no known cause was found. Other learning rates, "
        "standardised inputs and fresh weights were tried where that applies.", numbers, advice("halve the model until it "
        "overfits two rows, then put parts back one by one"))


def _expected(facts: Facts) -> float:
    known = [v for v in (facts.goal.constant, facts.loss.zeros) if math.isfinite(v) and v > 0]
    return max(known) if known else math.nan


def _first_loss(facts: Facts) -> Iterator[Cause]:
    """OVR002: the loss before training beside that of knowing nothing (Karpathy 2019)."""
    first, expected = facts.goal.first, _expected(facts)
    if not (math.isfinite(first) and math.isfinite(expected)) or first < 0:
        return
    classes = facts.inputs.outputs if facts.inputs.classes else 0
    uniform = facts.loss.kind == "cross_entropy" and classes > 1
    knows = f"−log(1/{classes}) = {number(math.log(classes))}" if uniform else number(expected)
    numbers = {"first": first, "expected": expected, "ratio": first / expected, "classes": classes}
    if first > 3 * expected + 0.1 * (facts.loss.kind == "cross_entropy"):
        sure = first > 10 * expected and not facts.near
        yield Cause("OVR002", "initial_loss", "issue" if sure else "tip", 6, f"The first loss is {number(first)}, "
            f"{number(first / expected)} times that of knowing nothing ({knows}): outputs are far too sure, or on another "
            "scale than the targets, before any training.", numbers, advice("check the scale of the inputs, of the targets, "
            "and of the last layer's weights"))
    else:
        yield Cause("OVR002", "initial_loss", "passed", 97, f"The first loss, {number(first)}, is about that of knowing nothing "
            f"({knows}).", numbers)


def _learning_rate(facts: Facts) -> Iterator[Cause]:
    if facts.near and facts.optimizer is not None and facts.optimizer.rates:
        top = max((x for x in facts.given.losses if math.isfinite(x)), default=0.0)
        if top > 30 * abs(facts.goal.first) > 0:
            yield Cause("OVR015", "rate_too_high", "tip", 4, f"The loss first jumps to {number(top)}, from "
                f"{number(facts.goal.first)}: the learning rate {number(max(facts.optimizer.rates))} is high for this model.",
                {"highest": top}, advice("try a learning rate that is ten times lower"))
    start, end = facts.given.rates
    if start > 0 and len(facts.given.losses) >= 10 and not facts.near and not 1e-3 < end / start < 1e3:
        way = "falls" if end < start else "grows"
        yield Cause("OVR015", "rate_changes", "issue", 1.75, f"The learning rate {way} from {number(start)} to {number(end)} "
            f"within {len(facts.given.losses)} steps: a schedule is called too often, or with the wrong factor.",
            {"first": start, "last": end}, advice("step the schedule once an epoch, not once a batch, or make it slower"))
        return
    if facts.optimizer is None or facts.near or not facts.rates or not facts.optimizer.rates:
        return
    rate = max(facts.optimizer.rates, key=abs)
    shares = {f: facts.goal.share(r.best) for f, r in facts.rates.items()}
    mine = min(facts.goal.share(facts.given.best), 1e9)
    factor = min(shares, key=lambda f: (shares[f] > 0.2, abs(math.log10(f)) if shares[f] <= 0.2 else shares[f]))
    first = facts.goal.share(facts.goal.first)
    idle = first - mine < 1e-3 * first and first - shares[factor] > 0.05 * first and factor > 100
    barely = facts.own_near and first - mine < 0.02 * first and first - shares[factor] > max(0.02 * first, 5 * (first - mine))
    if rate <= 0 or not (shares[factor] < 0.5 * mine or idle or barely):
        return
    run, better = facts.rates[factor], rate * factor
    numbers = {"learning_rate": rate, "better": better, "loss": facts.given.best, "better_loss": run.best,
        "steps": len(run.losses)}
    does = f"{number(better)} brings the loss to {number(run.best)} in {len(run.losses)} steps, {number(rate)} to " \
        f"{number(facts.given.best)} in {len(facts.given.losses)}"
    usual = USUAL[0] <= rate <= USUAL[1] and not facts.given.broken
    if factor < 1 and shares[factor] < 0.9:
        yield Cause("OVR015", "rate_too_high", "tip" if usual else "issue", 1.8, f"The learning rate {number(rate)} is too high "
            f"for this model: {does}.", numbers, advice(f"use a learning rate of about {number(better)}"), usual)
    elif factor > 1 and not facts.given.cut and (shares[factor] < 0.25 or barely or (idle and shares[factor] < 0.9)):
        slow = (facts.needed > ENDLESS or rate < 0.99e-6) and not usual
        yield Cause("OVR015", "rate_too_low", "issue" if slow else "tip", 2.4, f"The learning rate {number(rate)} is too low to "
            f"overfit a batch in {facts.steps} steps: {does}.", {**numbers, "steps_needed": facts.needed}, advice(
            f"use a learning rate of about {number(better)}, or far more steps"), not slow)


def _scale(facts: Facts) -> Iterator[Cause]:
    """OVR050: inputs that are constant, or far from mean 0 and spread 1."""
    i = facts.inputs
    if i.same and i.n > 1:
        yield Cause("OVR050", "constant_input", "issue", 0.8, f"All {i.n} rows of the input are the same (constant): no model can "
            "tell them apart.", {"n": i.n, "mean": i.mean}, advice("look at how the batch is loaded", "data"))
        return
    if not math.isfinite(i.spread):
        return
    numbers = {"mean": i.mean, "spread": i.spread, "offset": i.offset, "columns_ratio": i.columns_ratio, "first": facts.goal.first,
               "first_standardised": facts.standard_loss}
    run = facts.tried.get("standardised inputs")
    how = f"mean {number(i.mean)}, spread {number(i.spread)}"
    solved = run is not None and facts.tried_plainly and facts.goal.share(run.best) < 0.3 * min(1.0,
        facts.goal.share(facts.plain))
    faster = run is not None and not facts.near and facts.goal.share(run.best) < 0.3 * facts.goal.share(facts.given.best) and \
        "given with standardised inputs" in facts.tried and \
        facts.goal.share(facts.tried["given with standardised inputs"].best) < 0.3 * facts.goal.share(facts.given.best)
    tamed = facts.goal.first > 3 * _expected(facts) and facts.standard_loss < 0.5 * facts.goal.first
    far = i.spread > 30 or i.offset > 30 or abs(i.mean) > 30 or i.spread < 1e-3 or i.columns_ratio > 300
    off = far or i.spread > 10 or i.offset > 10 or abs(i.mean) > 10 or i.spread < 0.03 or i.columns_ratio > 100
    if (solved and off) or (far and (tamed or faster)):
        why = f"with inputs of mean 0 and spread 1 the loss falls to {number(run.best)}" if solved and run is not None else \
            f"with inputs of mean 0 and spread 1 the first loss is {number(facts.standard_loss)}, not {number(facts.goal.first)}"
        yield Cause("OVR050", "unnormalised_input", "issue", 1.5, f"The inputs are not normalised ({how}): {why}.", numbers,
                    advice("standardise the inputs (mean 0, spread 1) with the figures of the training rows", "data"))
    elif solved or (far and not _indifferent(facts)):
        helps = "; standardised ones are learned faster" if solved else ""
        yield Cause("OVR050", "unnormalised_input", "tip", 3.5, f"The inputs are not normalised ({how}){helps}.", numbers,
                    advice("standardise the inputs (mean 0, spread 1) with the figures of the training rows", "data"))


def _targets(facts: Facts) -> Iterator[Cause]:
    """OVR054: targets that are amounts on a scale that outputs do not reach in so many steps."""
    i, run = facts.inputs, facts.tried.get("targets")
    low, high = i.target_range
    size = max(abs(low), abs(high))
    if i.classes or i.whole or not math.isfinite(size) or size <= 30 or facts.near:
        return
    solved = run is not None and run.best < 0.3
    sure = solved and size > 1000 and facts.goal.share(facts.given.best) > 0.5
    numbers = {"lowest": low, "highest": high, "spread": i.target_spread, "loss": run.best if run else math.nan}
    after = f": with targets of mean 0 and spread 1 a run comes to {number(run.best)}" if solved and run is not None else ""
    yield Cause("OVR054", "unscaled_targets", "issue" if sure else "tip", 1.7 if sure else 3, "The targets are not scaled "
        f"({number(low)} … {number(high)}, spread {number(i.target_spread)}){after}.", numbers, advice(
        "standardise the targets with the figures of the training rows, and turn predictions back", "data"))


def _indifferent(facts: Facts) -> bool:
    """Whether the model normalises its inputs itself."""
    gap = abs(facts.standard_loss - facts.goal.first)
    return math.isfinite(gap) and gap < 0.02 * abs(facts.goal.first)


def _regularization(facts: Facts) -> Iterator[Cause]:
    run = facts.regularized
    if run is None or not facts.near or facts.given.error is not None:
        return
    left = facts.goal.share(run.eval_loss if math.isfinite(run.eval_loss) else run.best)
    both = facts.goal.share(run.best)
    if min(left, both) > 0.4 and min(left, both) > 8 * max(NEAR / 5, facts.goal.share(facts.given.best)):
        off = ", ".join(facts.switched_off[:3])
        yield Cause("OVR060", "over_regularised", "issue", 1.9, f"The model is over-regularised: without {off} the loss falls to "
                    f"{number(facts.given.best)}, with it only to {number(run.best)}.",
                    {"with": run.best, "without": facts.given.best, "off": facts.switched_off},
                    advice("lower dropout and weight decay; regularise only once the model overfits"))


def _batch(facts: Facts) -> Iterator[Cause]:
    """OVR051 to OVR053: what the rows and labels of the batch allow."""
    i = facts.inputs
    if i.constant_target and i.n > 1 and facts.failed is None:
        what = "All rows have the same label: a batch of one class" if (i.classes
            or i.positive) else "All rows have the same target"
        yield Cause("OVR051", "one_class", "issue", 0.9, f"{what} teaches nothing but a constant answer.", {"n": i.n,
            "value": i.target_range[0]}, advice("draw the batch at random (shuffle=True), or stratified", "data"))
    if i.conflicts > 1:
        serious = i.conflicts > 0.1 * i.n
        yield Cause("OVR052", "conflicting_rows", "issue" if serious and not facts.near else "tip", 1.7 if serious else 5,
            f"{i.conflicts} of {i.n} rows have the same input as another row but another target: the loss cannot reach zero.",
            {"rows": i.conflicts, "n": i.n}, advice("look for features that were lost, and at the labels of these rows", "data"))
    if i.shift:
        yield Cause("OVR053", "shifted_labels", "issue", 1.5, f"Labels are shifted against the rows by {abs(i.shift)}: rows that "
            "are alike have the same label only when labels are moved back (labels do not belong to their rows).",
            {"shift": i.shift, "z": i.shift_p, "accuracy": i.accuracy}, advice("check the order in which inputs and labels are "
            "read", "data"))
    elif math.isfinite(i.p) and i.p > 0.05 and i.sorted_labels:
        yield Cause("OVR053", "sorted_labels", "tip", 2.4, "Labels are sorted, but rows are not: labels seem shuffled against the "
            f"rows (alike rows share a label in {i.accuracy:.0%} of cases, {i.chance:.0%} by chance; n = {i.n}).",
            {"accuracy": i.accuracy, "chance": i.chance, "p": i.p}, advice("check the order in which inputs and labels are read",
            "data"))
    elif math.isfinite(i.p) and i.p > (0.3 if i.n < MANY else 0.05):
        yield Cause("OVR053", "labels_and_rows", "tip", 2.6, "No sign that labels go with the inputs: rows that are alike share "
            f"a label in {i.accuracy:.0%} of cases, {i.chance:.0%} by chance (p = {number(i.p)}, n = {i.n}). If the task is "
            "easy, labels are shuffled against the rows.", {"accuracy": i.accuracy, "chance": i.chance, "p": i.p, "n": i.n},
            advice("look at some rows with their labels", "data"))
    if i.equal_input and i.whole:  # the same numbers are what an autoencoder should give; the same tokens are a leak
        yield Cause("OVR053", "target_is_input", "tip", 6, "The targets are the inputs themselves, at the same places.", {},
                    advice("shift the targets by one step if the next one is to be predicted", "data"))


RULES = (_first_loss, _learning_rate, _scale, _targets, _regularization)  # OVR002, OVR015, OVR050, OVR054, OVR060
OF_THE_BATCH = (_batch,)  # OVR051 to OVR053
