"""The probe itself: measures what there is to measure, repairs on trial what seems broken, and asks the rules."""

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import torch

from ml_lifecycle.exploration._probe import rules_gradient as _probe_rules_gradient
from ml_lifecycle.exploration._probe import rules_loss as _probe_rules_loss
from ml_lifecycle.exploration._probe import rules_model as _probe_rules_model
from ml_lifecycle.exploration._probe import rules_paths as _probe_rules_paths
from ml_lifecycle.exploration._probe import rules_run as _probe_rules_run
from ml_lifecycle.exploration._probe import rules_step as _probe_rules_step
from ml_lifecycle.exploration._probe.facts import Cause, Facts, OptimizerFacts
from ml_lifecycle.exploration._probe.gradient import gradient_facts
from ml_lifecycle.exploration._probe.input import input_facts
from ml_lifecycle.exploration._probe.inside import inside_facts, layers
from ml_lifecycle.exploration._probe.loss import confined, loss_facts
from ml_lifecycle.exploration._probe.minimize import Free, minimize
from ml_lifecycle.exploration._probe.output import output_facts
from ml_lifecycle.exploration._probe.paths import path_facts
from ml_lifecycle.exploration._probe.repairs import repairs
from ml_lifecycle.exploration._probe.runs import DONE, Run, best_plain_run, given_run
from ml_lifecycle.exploration._probe.state import still_random
from ml_lifecycle.exploration._probe.subject import Subject, as_subject, detached, main_tensor, quiet, with_tensor
from ml_lifecycle.foundation.errors import BadInputError

OWN_TIME = 0.4  # share of the time that the run that was asked for has in any case

def probe(model: Any, batch: Any, loss_fn: Any, *, optimizer: Any, train_step: Any, steps: int, seed: int,
        seconds: float) -> Facts:
    """All facts about one batch; model, optimizer and random states are as before afterwards."""
    with quiet(), _seeded_later():
        _load()
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


def _load() -> None:
    """What torch imports when an optimizer is first used is no part of the time for the probe."""
    torch.optim.Adam([torch.zeros(1, requires_grad=True)]).zero_grad()


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
        facts.goal.shape = facts.out.shape
    if facts.failed is not None:
        facts.inside.frozen_share = 0.0
        return
    facts.loss = loss_facts(subject, output, facts.out.sums, facts.out.log_sums)
    facts.inside = inside_facts(subject)
    facts.paths = path_facts(subject, facts.loss.shift_free)
    facts.gradient = gradient_facts(subject)
    if facts.out.shape and (math.isfinite(facts.out.low) or math.isfinite(facts.out.high)) and not facts.loss.cut:
        with contextlib.suppress(Exception):  # a loss may not take what is tried
            facts.loss.confined = confined(subject, output, facts.out.low, facts.out.high)
    facts.goal.first = facts.inside.loss
    if math.isfinite(facts.loss.lowest) and not facts.loss.unbounded:
        facts.goal.lowest, facts.goal.constant = facts.loss.lowest, facts.loss.constant
        with contextlib.suppress(Exception):
            _conflicts(facts, output)
    _run(facts, optimizer, train_step)


def _first_pass(facts: Facts) -> Any:
    """One forward pass and one loss; what they raise becomes a finding, what is no number a BadInputError."""
    subject, output = facts.subject, None
    for stage in ("forward pass", "loss"):
        try:
            with subject.bench() as model, still_random(model):
                if stage == "forward pass":
                    with torch.no_grad():
                        subject.look_at_inputs(model)
            with subject.bench() as model, still_random(model):
                output = subject.forward(model)
                if stage == "loss":
                    subject.loss(output)
        except BadInputError:
            raise
        except Exception as error:  # noqa: BLE001 - said as OVR090
            facts.failed = (stage, error)
            return detached(output) if stage == "loss" else None
    return detached(output)


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
    low = minimize(lambda u: facts.subject.loss(with_tensor(output, u[which])),
                   Free(start, max(1.0, float(z0.std())), facts.loss.kind == "bce"))[0]
    facts.goal.lowest = max(facts.goal.lowest, low)


def _run(facts: Facts, optimizer: Any, train_step: Any) -> None:
    subject, goal, drop = facts.subject, facts.goal, facts.inside.functional_dropout > 0
    facts.step = train_step
    trainable = any(p.requires_grad for p in subject.model.parameters())
    if optimizer is None and train_step is None:
        if trainable and facts.out.grad:
            facts.given, facts.own_rate = best_plain_run(subject, facts.steps, goal, drop=drop,
                                                           until=max(0.7, subject.clock.spent + OWN_TIME))
    else:
        facts.given = given_run(subject, optimizer, train_step, facts.steps, goal, watch=True, drop=drop,
                                until=max(0.5, subject.clock.spent + OWN_TIME))
        facts.optimizer = _optimizer_facts(subject, optimizer, facts.given)
        facts.switched_off = (*facts.switched_off, *facts.given.decay_was)
    if facts.given.losses and not math.isfinite(facts.given.losses[0]) and math.isfinite(goal.first) and facts.given.error is None:
        facts.given.losses[0] = goal.first
    if trainable and facts.out.grad and not facts.loss.cut:
        repairs(facts, optimizer, train_step, drop, _sure(facts))


def _sure(facts: Facts) -> bool:
    """Whether a cause is known that needs no further run to be sure of."""
    return any(c.severity == "issue" and c.slug in SURE for c in _found(facts))


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
    facts.decoupled = any(g.get("decoupled_weight_decay") for g in groups) or facts.name == "AdamW"
    still = {id(p) for g in groups if g.get("lr") == 0 for p in g["params"]} if any(facts.rates) else set()
    facts.idle = tuple(name for name, m in layers(subject.model) if any(id(p) in still for p in m.parameters(recurse=False)))
    facts.holds_frozen = any(id(p) in held for p in subject.model.parameters() if not p.requires_grad)
    facts.memory = next((m for g in groups for m in _kept(g) if m[1] >= 1), None)
    facts.decay = max([float(g.get("weight_decay") or 0) for g in groups], default=0.0)
    return facts


def _kept(group: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Shares of what was that an optimizer keeps at each step."""
    for name in ("momentum", "betas", "alpha", "rho"):
        value = group.get(name) or ()
        yield from ((name, float(v)) for v in (value if isinstance(value, (tuple, list)) else (value,)))


def subject_unused(subject: Subject, run: Run) -> Iterator[str]:
    """Layers that no step gave a gradient: leaving them out of the optimizer does no harm."""
    looks = [k for k in run.looks if k.clean is not None]
    ids = {id(p): i for i, p in enumerate(subject.model.parameters())}
    for name, m in layers(subject.model):
        if looks and all((looks[0].clean or [])[ids[id(p)]] is None for p in m.parameters(recurse=False)):
            yield name


def _found(facts: Facts) -> list[Cause]:
    rules = [_probe_rules_loss.RULES, _probe_rules_run.OF_THE_BATCH]
    if facts.failed is None:
        rules += [_probe_rules_run.RULES, _probe_rules_step.RULES, _probe_rules_model.RULES, _probe_rules_paths.RULES,
                  _probe_rules_gradient.RULES]
    return without_echoes([cause for several in rules for rule in several for cause in rule(facts)])


def causes(facts: Facts) -> list[Cause]:
    """What the rules make of the facts, the surest first, with the verdict."""
    found = _found(facts)
    named = any(c.severity == "issue" or c.slug.startswith("rate_") for c in found)
    found.append(_probe_rules_run.verdict(facts, named))
    return sorted(found, key=lambda c: (c.rank, c.severity != "issue"))


SURE = {  # causes that follow from what was seen, and explain a loss that does not fall
    "double_softmax", "softmax_axis", "nll_on_probabilities", "nll_on_logits", "double_sigmoid", "relu_on_logits",
    "bounded_scores", "bounded_output", "flipped_sign", "broadcast", "regression_on_class_index", "wrong_aim", "loss_cut",
    "targets_ignored", "one_score", "no_zero_grad", "no_grad", "no_backward", "no_step", "step_before_backward",
    "zeroed_before_step", "shuffled_targets", "other_targets", "l2_penalty", "l1_penalty", "detached", "detached_in_step",
    "all_frozen", "no_parameters", "missing_parameters", "ascends", "rate_changes", "zero_rate", "not_moving", "overwritten",
    "put_back", "nan_input", "nan_weights",
    "nan_forward", "nan_gradient", "nan_loss", "batch_mixing", "input_ignored", "dead_relu",
    "constant_input", "unregistered", "made_anew", "mask_turned", "softmax_of_one", "attention_axis", "rows_not_counted",
    "nothing_counted", "graph_kept", "one_place", "gradient_reversed", "gradient_stopped", "not_called",
}
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
    "unregistered": ("unused", "frozen", "missing_parameters", "random_in_eval", "detached"),
    "made_anew": ("unused", "random_in_eval", "batch_mixing", "eval_differs", "input_ignored", "other_inputs"),
    "batch_mixing": ("mode_differs", "eval_differs"), "overwritten": ("other_loss", "not_moving"), "put_back": ("not_moving",),
    "bad_init": ("input_ignored", "outputs_alike", "vanishing_gradients", "rate_too_low", "zero_gradients"),
    "nothing_counted": ("nan_loss", "nan_later", "nan_gradient", "one_class", "zero_gradients", "nan_forward"),
    "unscaled_targets": ("initial_loss", "exploding_gradients", "rate_too_high", "rate_too_low"),
    "mask_turned": ("one_place", "few_places", "input_ignored"), "one_place": ("few_places",),
    "stale_statistics": ("eval_differs",),
    "gradient_reversed": ("flipped_sign", "ascends", "rate_too_high"),
    "not_called": ("no_parameters", "missing_parameters"),
    "part_of_batch": ("other_loss", "rows_not_counted"),
    "random_loss": ("wrong_aim", "targets_ignored", "bounded_scores"),
    "tiny_scores": ("outputs_alike", "vanishing_gradients", "rate_too_low"),
    "nan_in_eval": ("eval_differs", "mode_differs"),
    "softmax_of_one": ("detached", "zero_gradients"),
    "sum_reduction": ("exploding_gradients", "scaled_loss"),
}


def without_echoes(found: list[Cause]) -> list[Cause]:
    """Leave out what another finding already explains."""
    there = {c.slug for c in found}
    if there & {"off_by_one", "labels_out_of_range"}:
        found = [c for c in found if c.code != "OVR090" or not c.slug.startswith("labels")]
    gone = {echo for slug in there for echo in ECHOES.get(slug, ())}
    return [c for c in found if c.slug not in gone or c.severity == "passed"]


def _lowest(facts: Facts) -> float:
    """What free outputs reach; NaN where it falls without end, was not found, or lies well above where the run has come to."""
    goal, run = facts.goal, facts.given
    if facts.loss.unbounded or not math.isfinite(facts.loss.lowest):
        return math.nan
    if not run.losses or not run.best < goal.lowest:
        return goal.lowest
    return run.best if goal.share(run.best) > -DONE else math.nan


def fields(facts: Facts) -> dict[str, Any]:
    """The fields of the report."""
    run, goal, lowest = facts.given, facts.goal, _lowest(facts)
    shares = [goal.share(x) if math.isfinite(lowest) else math.nan for x in run.losses]
    frame = pd.DataFrame({"step": np.arange(len(run.losses)), "loss": np.array(run.losses, dtype=float),
                          "gradient": np.array(run.norms, dtype=float), "left": np.array(shares, dtype=float)})
    own = facts.optimizer is None and math.isfinite(facts.own_rate)
    return {"frame": frame, "findings": tuple(c.finding() for c in causes(facts)), "losses": tuple(run.losses),
        "first": goal.first, "last": run.best if run.losses else math.nan, "constant": goal.constant, "lowest": lowest,
        "n": facts.subject.batch.n, "switched_off": tuple(facts.switched_off), "learning_rate": facts.own_rate if own else None}
