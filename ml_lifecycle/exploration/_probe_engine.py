"""The probe itself: measures what there is to measure, repairs on trial what seems broken, and asks the rules."""

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import torch

from ..foundation.errors import BadInputError
from . import _probe_rules_loss, _probe_rules_model, _probe_rules_run, _probe_rules_step
from ._probe_batch import Batch
from ._probe_facts import Cause, Facts, OptimizerFacts
from ._probe_input import input_facts, standardised
from ._probe_inside import inside_facts, layers, still_the_same
from ._probe_loss import loss_facts, minimize
from ._probe_output import output_facts
from ._probe_runs import NEAR, Run, best_plain_run, given_run
from ._probe_state import still_random
from ._probe_subject import Subject, as_subject, main_tensor, quiet, with_tensor

# of the learning rate: after a rise, after a fall
FACTORS = {True: (0.1, 0.01, 1e-3, 1e-4, 10.0), False: (10.0, 100.0, 1e3, 1e5, 0.1, 0.01)}
SHORT = 80  # steps of a run that only tells whether something helps


def probe(model: Any, batch: Any, loss_fn: Any, *, optimizer: Any, train_step: Any, steps: int, seed: int,
        seconds: float) -> Facts:
    """All facts about one batch; model, optimizer and random states are as before afterwards."""
    with quiet(), _seeded_later():
        subject = as_subject(model, batch, loss_fn, seconds)
        _check_optimizer(optimizer)
        facts = Facts(subject, steps, train_step is not None)
        with still_random(model):
            torch.manual_seed(seed)
            np.random.seed(seed)
            try:
                _measure(facts, optimizer, train_step, seed)
            finally:
                subject.start.restore()
    return facts


class _seeded_later:  # noqa: N801 - reads as a statement
    """Python's and numpy's random states as before, also for what is drawn from a DataLoader."""

    def __enter__(self) -> None:
        import random

        self.state = (random.getstate(), np.random.get_state(), torch.get_rng_state())

    def __exit__(self, *exc: Any) -> None:
        import random

        random.setstate(self.state[0])
        np.random.set_state(self.state[1])
        torch.set_rng_state(self.state[2])


def _check_optimizer(optimizer: Any) -> None:
    if optimizer is not None and not callable(optimizer) and not isinstance(optimizer, torch.optim.Optimizer):
        raise BadInputError(f"`optimizer` must be a torch Optimizer, its class, or a function of parameters. Got "
                            f"{type(optimizer).__name__}. Try torch.optim.Adam(model.parameters()).")


def _measure(facts: Facts, optimizer: Any, train_step: Any, seed: int) -> None:
    subject = facts.subject
    facts.switched_off = tuple(subject.switched_off)
    output = _first_pass(facts)
    z = main_tensor(output)
    facts.inputs = input_facts(subject.batch, z, seed)
    if z is not None:
        facts.out = output_facts(subject)
    if facts.failed is not None:
        facts.inside.frozen_share = 0.0
        return
    facts.loss = loss_facts(subject, output)
    if facts.loss.kind == "nll" and _probe_rules_loss.class_dim(facts) in facts.out.log_sums:
        facts.loss.unbounded = False  # the outputs are log-probabilities: never above 0
    facts.inside = inside_facts(subject)
    facts.goal.first = facts.inside.loss
    if math.isfinite(facts.loss.lowest) and not facts.loss.unbounded:
        facts.goal.lowest, facts.goal.constant = facts.loss.lowest, facts.loss.constant
        _conflicts(facts, output)
    _run(facts, optimizer, train_step)


def _first_pass(facts: Facts) -> Any:
    """One forward pass and one loss; what they raise becomes a finding, what is no number a BadInputError."""
    subject, output = facts.subject, None
    for stage in ("forward pass", "loss"):
        try:
            with subject.bench() as model, still_random(model):
                output = subject.forward(model)
                if stage == "loss":
                    subject.loss(output)
        except BadInputError:
            raise
        except Exception as error:  # noqa: BLE001 - said as OVR090
            facts.failed = (stage, error)
            return output if stage == "loss" else None
    return output


def _conflicts(facts: Facts, output: Any) -> None:
    """Rows with the same input must share an answer: that bounds the loss from below."""
    groups = facts.inputs.groups
    if facts.inputs.conflicts < 2 or groups is None:
        return
    z0 = main_tensor(output).detach()
    if z0.shape[0] != len(groups):
        return
    which = torch.as_tensor(groups, device=z0.device)
    start = torch.stack([z0[which == g].mean(0) for g in range(int(which.max()) + 1)])
    low = minimize(lambda u: facts.subject.loss(with_tensor(output, u[which])), start, max(1.0, float(z0.std())),
        facts.loss.kind == "bce")[0]
    facts.goal.lowest = max(facts.goal.lowest, low)


def _run(facts: Facts, optimizer: Any, train_step: Any) -> None:
    subject, goal, drop = facts.subject, facts.goal, facts.inside.functional_dropout > 0
    trainable = any(p.requires_grad for p in subject.model.parameters())
    if optimizer is None and train_step is None:
        if trainable and facts.out.grad:
            facts.given, facts.own_rate = best_plain_run(subject, facts.steps, goal, drop=drop, until=subject.until - 2)
    else:
        facts.given = given_run(subject, optimizer, train_step, facts.steps, goal, watch=True, drop=drop,
                                until=time.monotonic() + 0.6 * max(0.5, subject.until - time.monotonic()))
        facts.optimizer = _optimizer_facts(subject, optimizer, facts.given)
        facts.switched_off = (*facts.switched_off, *facts.given.decay_was)
    if facts.given.losses and not math.isfinite(facts.given.losses[0]) and math.isfinite(goal.first) and facts.given.error is None:
        facts.given.losses[0] = goal.first
    if trainable and facts.out.grad and not facts.loss.cut:
        _repairs(facts, optimizer, train_step, drop)


def _repairs(facts: Facts, optimizer: Any, train_step: Any, drop: bool) -> None:
    """Runs that tell why the given one did not get there, the likeliest first, while there is time."""
    subject, goal = facts.subject, facts.goal
    _first_losses(facts)
    healthy = not facts.loss.unbounded and facts.inputs.finite and facts.loss.factor > 0
    if healthy and not facts.near and _far(facts) and not subject.late:
        facts.tried["standardised inputs"] = _with_repair(facts, None, drop)
    if healthy and not facts.near and facts.optimizer is not None and not subject.late:
        _other_rates(facts, optimizer, train_step, drop)
    if facts.optimizer is not None and not facts.own_near and not subject.late:
        facts.own, facts.own_rate = best_plain_run(subject, facts.steps, goal, drop=drop, until=subject.until - 1)
    _look_at_symmetry(facts)
    if healthy and not facts.own_near:
        for name, change in (("standardised inputs", None), ("fresh weights", reset)):
            if not subject.late and name not in facts.tried and (change is not None or subject.batch.floats()):
                facts.tried[name] = _with_repair(facts, change, drop)
    elif healthy and not facts.near and facts.optimizer is not None and subject.batch.floats() and not subject.late:
        with _batch_of(subject, standardised(subject.batch)):
            run = given_run(subject, optimizer, train_step, SHORT, goal, drop=drop, until=subject.until)
        facts.tried |= {"standardised inputs": run, "given with standardised inputs": run}
    if facts.near and facts.optimizer is not None and facts.switched_off and not subject.late:
        facts.regularized = given_run(subject, optimizer, train_step, len(facts.given.losses) + 20, goal, regularized=True,
                                      until=subject.until)
    elif facts.near and facts.switched_off and not subject.late:
        facts.regularized = given_run(subject, lambda p: torch.optim.Adam(p, lr=facts.own_rate), None, len(facts.given.losses)
            + 20, goal, regularized=True, until=subject.until)


def _far(facts: Facts) -> bool:
    """Whether inputs are so far from mean 0 and spread 1 that this is the first suspect."""
    i = facts.inputs
    return bool(facts.subject.batch.floats()) and math.isfinite(i.spread) and not i.same and \
        (i.spread > 30 or i.spread < 1e-2 or abs(i.mean) > 30 or i.offset > 30)


def _with_repair(facts: Facts, change: Callable[[Any], None] | None, drop: bool) -> Run:
    subject = facts.subject
    rates = (3e-3,) if math.isnan(facts.own_rate) else tuple(dict.fromkeys((3e-3, facts.own_rate)))
    with _batch_of(subject, subject.batch if change else standardised(subject.batch)):
        return best_plain_run(subject, min(facts.steps, 2 * SHORT), facts.goal, prepare=change, drop=drop, until=subject.until,
                              rates=rates)[0]


class _batch_of:  # noqa: N801 - reads as a statement
    """Another batch in the place of the given one."""

    def __init__(self, subject: Subject, batch: Batch) -> None:
        self.subject, self.old, self.new = subject, subject.batch, batch

    def __enter__(self) -> None:
        self.subject.batch = self.new

    def __exit__(self, *exc: Any) -> None:
        self.subject.batch = self.old


def reset(model: Any) -> None:
    """Every layer initialised anew, as its class does it; everything trainable."""
    for module in model.modules():
        if callable(getattr(module, "reset_parameters", None)):
            module.reset_parameters()
        elif callable(getattr(module, "_reset_parameters", None)):
            module._reset_parameters()


def _look_at_symmetry(facts: Facts) -> None:
    run = facts.own if facts.own is not None and facts.own.after else facts.given
    if facts.inside.same_rows and run.after:
        facts.symmetric = still_the_same(facts.inside, facts.subject.model, run.after)


def _first_losses(facts: Facts) -> None:
    """The first loss with standardised inputs, and with weights initialised anew."""
    subject = facts.subject
    known = [v for v in (facts.goal.constant, facts.loss.zeros) if math.isfinite(v)]
    if subject.batch.floats() and facts.inputs.finite:
        with subject.bench() as model, torch.no_grad():
            facts.standard_loss = float(subject.loss(subject.forward(model, standardised(subject.batch).inputs)))
    if facts.inside.large and known and facts.goal.first > 2 * max(known):
        with subject.bench() as model, torch.no_grad():
            reset(model)
            facts.fresh_loss = float(subject.loss(subject.forward(model)))


def _other_rates(facts: Facts, optimizer: Any, train_step: Any, drop: bool) -> None:
    """The given run again with other learning rates, until one gets far further."""
    subject, goal, mine = facts.subject, facts.goal, facts.given
    if mine.error is not None or facts.optimizer is None or not any(facts.optimizer.rates):
        return
    rose = mine.broken or mine.best > 0.9 * goal.first or _jumps(mine)
    slow = not mine.broken and abs(mine.best - goal.first) < 0.1 * abs(goal.first) and not _jumps(mine)
    for factor in FACTORS[rose and not slow]:
        if subject.late:
            return
        run = given_run(subject, optimizer, train_step, min(facts.steps, SHORT), goal, factor=factor, drop=drop,
                        until=subject.until)
        facts.rates[factor] = run
        if goal.share(run.best) < NEAR:
            return


def _jumps(run: Run) -> bool:
    """Whether a loss goes up in many steps."""
    pairs = list(zip(run.losses, run.losses[1:]))
    return sum(b > a for a, b in pairs) > 0.2 * len(pairs)


def _optimizer_facts(subject: Subject, optimizer: Any, run: Run) -> OptimizerFacts | None:
    found = run.optimizers or ([optimizer] if isinstance(optimizer, torch.optim.Optimizer) else [])
    if not found:
        return None
    groups = [g for o in found for g in o.param_groups]
    held = {id(p) for g in groups for p in g["params"]}
    asked = [p for p in subject.model.parameters() if p.requires_grad]
    missing = [p for p in asked if id(p) not in held]
    unused = set(subject_unused(subject, run))
    layer_names = [name for name, m in layers(subject.model) if name not in unused
                   and any(id(p) not in held and p.requires_grad for p in m.parameters(recurse=False))]
    facts = OptimizerFacts(type(found[0]).__name__, tuple(float(g["lr"]) for g in groups if "lr" in g), tuple(layer_names),
                           sum(p.numel() for p in missing) / max(1, sum(p.numel() for p in asked)), len(missing) < len(asked))
    facts.maximize = any(g.get("maximize") for g in groups)
    facts.decay = max([float(g.get("weight_decay") or 0) for g in groups], default=0.0)
    return facts


def subject_unused(subject: Subject, run: Run) -> Iterator[str]:
    """Layers that no step gave a gradient: leaving them out of the optimizer does no harm."""
    looks = [k for k in run.looks if k.clean is not None]
    ids = {id(p): i for i, p in enumerate(subject.model.parameters())}
    for name, m in layers(subject.model):
        if looks and all((looks[0].clean or [])[ids[id(p)]] is None for p in m.parameters(recurse=False)):
            yield name


def causes(facts: Facts) -> list[Cause]:
    """What the rules make of the facts, the surest first, with the verdict."""
    found: list[Cause] = [*_probe_rules_loss.explained(facts), *_probe_rules_loss.loss_rules(facts),
        *_probe_rules_run.run_rules(facts)]
    if facts.failed is None:
        found += [*_probe_rules_step.step_rules(facts), *_probe_rules_model.model_rules(facts)]
    found = without_echoes(found)
    named = any(c.severity == "issue" or c.slug.startswith("rate_") for c in found)
    found.append(_probe_rules_run.verdict(facts, named))
    return sorted(found, key=lambda c: c.rank)


ECHOES = {  # a cause -> what it brings about by itself
    "nan_input": ("nan_later", "nan_loss", "nan_forward", "rate_too_high"),
    "nll_on_logits": ("initial_loss", "scaled_loss"),
    "one_class": ("labels_and_rows", "input_ignored"),
    "constant_input": ("labels_and_rows", "input_ignored", "outputs_alike", "conflicting_rows", "unnormalised_input"),
    "dead_relu": ("zero_gradients", "vanishing_gradients", "outputs_alike", "input_ignored"),
    "zero_init": ("input_ignored", "outputs_alike", "zero_gradients", "vanishing_gradients", "bad_init"),
    "constant_init": ("outputs_alike", "vanishing_gradients", "bad_init"),
    "large_init": ("initial_loss", "exploding_gradients", "rate_too_high"),
    "unnormalised_input": ("initial_loss", "exploding_gradients", "large_init"),
    "softmax_axis": ("batch_mixing", "double_softmax", "nll_on_logits"),
    "labels_out_of_range": ("error",), "off_by_one": ("error", "labels_out_of_range_raised"),
    "detached": ("zero_gradients", "no_backward"), "all_frozen": ("detached", "error", "no_backward"),
    "sum_reduction": ("exploding_gradients", "scaled_loss"),
}


def without_echoes(found: list[Cause]) -> list[Cause]:
    """Leave out what another finding already explains."""
    there = {c.slug for c in found}
    if there & {"off_by_one", "labels_out_of_range"}:
        found = [c for c in found if c.code != "OVR090" or not c.slug.startswith("labels")]
    gone = {echo for slug in there for echo in ECHOES.get(slug, ())}
    return [c for c in found if c.slug not in gone or c.severity == "passed"]


def fields(facts: Facts) -> dict[str, Any]:
    """The fields of the report."""
    run, goal = facts.given, facts.goal
    shares = [goal.share(x) for x in run.losses]
    frame = pd.DataFrame({"step": np.arange(len(run.losses)), "loss": np.array(run.losses, dtype=float),
                          "gradient": np.array(run.norms, dtype=float), "left": np.array(shares, dtype=float)})
    own = facts.optimizer is None and math.isfinite(facts.own_rate)
    return {"frame": frame, "findings": tuple(c.finding() for c in causes(facts)), "losses": tuple(run.losses),
        "first": goal.first, "last": run.best if run.losses else math.nan, "constant": goal.constant, "lowest": goal.lowest,
        "n": facts.subject.batch.n, "switched_off": tuple(facts.switched_off), "learning_rate": facts.own_rate if own else None}
