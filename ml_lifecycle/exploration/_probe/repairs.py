"""Runs that tell why the given one did not get there: the same with another rate, other inputs, other weights, other targets."""

import contextlib
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from ml_lifecycle.exploration._probe.batch import Batch, mapped
from ml_lifecycle.exploration._probe.facts import Facts
from ml_lifecycle.exploration._probe.input import standardised
from ml_lifecycle.exploration._probe.inside import still_the_same
from ml_lifecycle.exploration._probe.runs import NEAR, Run, best_plain_run, given_run, steps_needed
from ml_lifecycle.exploration._probe.state import reset
from ml_lifecycle.exploration._probe.subject import Subject

DOWN, UP = (0.1, 0.01, 1e-3, 1e-4), (10.0, 100.0, 1e3, 1e5)  # factors on the learning rate: after a rise, after a fall
USUAL = (0.99e-4, 0.101)  # learning rates that nobody calls a mistake
SHORT = 80  # steps of a run that only tells whether something helps
SOON = 25  # times the steps asked for, within which a run that goes on as it does counts as on its way


def repairs(facts: Facts, optimizer: Any, train_step: Any, drop: bool, sure: bool) -> None:
    """The likeliest first, while there is time; hardly any where the cause is known already."""
    first_losses(facts)
    if facts.near:
        _regularized(facts, optimizer)
    elif not sure and facts.given.error is None:
        _reasons(facts, optimizer, train_step, drop)
    _symmetry(facts, drop)


def _reasons(facts: Facts, optimizer: Any, train_step: Any, drop: bool) -> None:
    subject, goal = facts.subject, facts.goal
    if facts.loss.unbounded or not facts.inputs.finite or facts.loss.factor < 0:
        return
    if far(facts) and not subject.late:
        facts.tried["standardised inputs"] = _with(facts, None, drop)
        if facts.optimizer is not None and not subject.late:
            with _batch_of(subject, standardised(subject.batch)):
                facts.tried["given with standardised inputs"] = given_run(subject, optimizer, train_step, SHORT, goal, drop=drop)
    rose = facts.rose
    if rose and facts.optimizer is not None:
        other_rates(facts, optimizer, train_step, drop, DOWN)
    if facts.optimizer is not None and not facts.own_near and not subject.late:
        facts.own, facts.own_rate = best_plain_run(subject, facts.steps, goal, drop=drop, until=0.9)
    facts.needed = steps_needed(facts.given, goal)
    if facts.optimizer is not None and not rose and facts.own_near and goal.share(facts.given.best) > 0.85 and \
            max(facts.optimizer.rates, default=0.0) > USUAL[1]:
        other_rates(facts, optimizer, train_step, drop, DOWN)
    if facts.optimizer is not None and not rose and not facts.rates and facts.needed > SOON * facts.steps:
        other_rates(facts, optimizer, train_step, drop, UP)
    if not facts.own_near and not subject.late and wide(facts) and "targets" not in facts.tried:
        with _batch_of(subject, replace(subject.batch, targets=scaled(subject.batch.targets))):
            facts.tried["targets"] = best_plain_run(subject, 2 * SHORT, _free(facts), drop=drop, rates=(3e-3,))[0]
    if not subject.late and (not facts.own_near or odd(facts)):
        facts.tried["fresh weights"] = _with(facts, reset, drop)
        if facts.optimizer is not None and not subject.late and odd(facts):
            facts.tried["given with fresh weights"] = given_run(subject, optimizer, train_step, 2 * SHORT, goal, drop=drop,
                prepare=reset)
    if not facts.own_near and not subject.late and subject.batch.floats() and "standardised inputs" not in facts.tried:
        facts.tried["standardised inputs"] = _with(facts, None, drop)


def _free(facts: Facts) -> Any:
    """A goal for targets of spread 1: from their spread to nothing."""
    return replace(facts.goal, lowest=0.0, constant=1.0, first=1.0)


def wide(facts: Facts) -> bool:
    """Whether targets are amounts that are far from mean 0 and spread 1."""
    i = facts.inputs
    low, high = i.target_range
    return not i.classes and not i.whole and math.isfinite(high) and max(abs(low), abs(high)) > 30


def scaled(targets: Any) -> Any:
    """Targets of mean 0 and spread 1."""
    return mapped(lambda t: (t - t.mean()) / (t.std() + 1e-12) if torch.is_tensor(t) and t.is_floating_point() else t, targets)


def far(facts: Facts) -> bool:
    """Whether inputs are so far from mean 0 and spread 1 that this is the first suspect."""
    i = facts.inputs
    return bool(facts.subject.batch.floats()) and math.isfinite(i.spread) and not i.same and \
        (i.spread > 30 or i.spread < 1e-2 or abs(i.mean) > 30 or i.offset > 30)


def odd(facts: Facts) -> bool:
    """Whether initial weights are of an unusual size, or let nothing through."""
    i, out = facts.inside, facts.out
    sizes = [size for _, size in i.sizes]
    return bool(i.large or i.small or i.same_rows or out.own < 1e-4 or any(s < 0.12 or s > 5 for s in sizes)
                or (out.between < 1e-3 and facts.inputs.distinct > 1))


def _with(facts: Facts, change: Callable[[Any], None] | None, drop: bool) -> Run:
    subject = facts.subject
    rates = (3e-3,) if math.isnan(facts.own_rate) else tuple(dict.fromkeys((3e-3, facts.own_rate)))
    with _batch_of(subject, subject.batch if change else standardised(subject.batch)):
        return best_plain_run(subject, min(facts.steps, 2 * SHORT), facts.goal, prepare=change, drop=drop, rates=rates)[0]


class _batch_of:  # noqa: N801 - reads as a statement
    """Another batch in the place of the given one."""

    def __init__(self, subject: Subject, batch: Batch) -> None:
        self.subject, self.old, self.new = subject, subject.batch, batch

    def __enter__(self) -> None:
        self.subject.batch = self.new

    def __exit__(self, *exc: Any) -> None:
        self.subject.batch = self.old


def _symmetry(facts: Facts, drop: bool) -> None:
    """Whether units that are alike at the start are so after a run."""
    if not facts.inside.same_rows:
        return
    run = facts.own if facts.own is not None and facts.own.after else facts.given
    if run.after:
        facts.symmetric = still_the_same(facts.inside, facts.subject.model, run.after)


def first_losses(facts: Facts) -> None:
    """The first loss with standardised inputs, and with weights initialised anew."""
    subject = facts.subject
    known = [v for v in (facts.goal.constant, facts.loss.zeros) if math.isfinite(v)]
    if subject.batch.floats() and facts.inputs.finite:
        with subject.bench() as model, torch.no_grad(), contextlib.suppress(Exception):
            facts.standard_loss = float(subject.loss(subject.forward(model, standardised(subject.batch).inputs)))
    if facts.inside.large and known and facts.goal.first > 2 * max(known):
        with subject.bench() as model, torch.no_grad(), contextlib.suppress(Exception):
            reset(model)
            facts.fresh_loss = float(subject.loss(subject.forward(model)))


def other_rates(facts: Facts, optimizer: Any, train_step: Any, drop: bool, factors: tuple[float, ...]) -> None:
    """The given run again with other learning rates, until one gets near the end."""
    subject, goal = facts.subject, facts.goal
    if facts.optimizer is None or not any(facts.optimizer.rates):
        return
    for factor in factors:
        if subject.late:
            return
        run = given_run(subject, optimizer, train_step, min(facts.steps, SHORT), goal, factor=factor, drop=drop)
        facts.rates[factor] = run
        share = goal.share(run.best)
        if share < NEAR or (factor < 1 and share < 0.8 and steps_needed(run, goal) < 2 * facts.steps):
            return
        if factor > 1 and (run.broken or run.best > 2 * abs(goal.first)):
            return


def _regularized(facts: Facts, optimizer: Any) -> None:
    if not facts.switched_off or facts.subject.late:
        return
    subject, rate, steps = facts.subject, facts.own_rate, len(facts.given.losses) + 20
    made = optimizer if facts.optimizer is not None else lambda p: torch.optim.Adam(p, lr=rate)
    facts.regularized = given_run(subject, made, facts.step if facts.optimizer is not None else None, steps, facts.goal,
                                  regularized=True)
