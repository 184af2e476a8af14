"""Rules about gradients that are not those of the loss, and about optimizers whose numbers cannot work."""

import math
from collections.abc import Iterator
from typing import Any

import torch

from ml_lifecycle.exploration._probe.facts import Cause, Facts, advice, few, flat
from ml_lifecycle.foundation._render import number
from ml_lifecycle.foundation.report import Severity

FADES = 0.01  # share of the weights that decay may take in one step


def _turned(facts: Facts) -> Iterator[Cause]:
    g = facts.gradient
    severity: Severity = "tip" if facts.near else "issue"
    if g.uphill:
        how = "a hook on the gradient (register_hook) turns it" if g.hooked else \
            "a custom backward or a gradient reversal turns it"
        yield Cause("OVR018", "gradient_reversed", severity, 1.1, f"The gradient of {few(g.uphill)} points the wrong way: "
            f"along it the loss falls where it should rise, so each step has the sign flipped; {how}.",
            {"layers": g.uphill[:8], "hooks": g.hooked[:8]}, advice(
            "remove what changes the gradient on its way back"))
    if g.stopped:
        yield Cause("OVR018", "gradient_stopped", severity, 1.2, f"A hook on the gradient (register_hook) makes that of "
            f"{few(g.stopped)} zero: nothing trains these parameters.", {"parameters": g.stopped[:8]}, advice(
            "remove the hook"))


def _memory(facts: Facts) -> Iterator[Cause]:
    held = facts.optimizer
    if held is not None and held.memory:
        name, value = held.memory
        yield Cause("OVR015", "never_forgets", "issue", 1.3, f"The optimizer has {name} = {number(value)}: it never forgets, so "
            "the sum of all gradients so far drives each step, and the loss swings without end.", {name: value},
            advice("use a value below 1, such as 0.9"))


def _decay(facts: Facts) -> Iterator[Cause]:
    """Decay that is off in the probe, but would outweigh the loss by its size alone."""
    held, looks = facts.optimizer, facts.given.looks
    if held is None or facts.near or not held.decay:
        return
    rate = max(held.rates, default=0.0)
    lost = rate * held.decay if held.decoupled or held.name == "SGD" else 0.0
    pull = max((held.decay * float(flat(k.before, k.before).norm()) / size for k in looks[:1] if k.clean is not None
                and (size := float(flat(k.clean, k.before).norm())) > 0), default=0.0)
    outweighs = not held.decoupled and math.isfinite(pull) and pull > 10
    if lost > FADES or outweighs:
        what = f"each step takes {lost:.0%} of the weights away" if lost > FADES else \
            f"it pulls {number(pull)} times as hard at the weights as the loss does at the start"
        yield Cause("OVR060", "decay_outweighs", "issue", 1.9, f"The weight decay of {number(held.decay)} is too high: {what}, so "
            "the model is over-regularised (the probe runs without it).", {"decay": held.decay, "per_step": lost, "pull": pull},
            advice("use a weight decay of 1e-2 or less; regularise only once the model overfits"))


def _foreign(facts: Facts, given: list[Any]) -> bool:
    """Whether a step fed rows to the model that the batch does not have."""
    x = facts.subject.batch.tensors()[0]
    if not given or given[0].shape[1:] != x.shape[1:] or x.ndim < 2:
        return False
    gaps = torch.cdist(given[0].reshape(len(given[0]), -1).double(), x.reshape(len(x), -1).double())
    return bool((gaps.min(1).values > 1e-5 * (1 + x.double().abs().max())).float().mean() > 0.5)


def part_of_batch(facts: Facts) -> Iterator[Cause]:
    """OVR013: rows of the batch that a step does not train on, though loss_fn counts them."""
    t, n = facts.subject.batch.targets, facts.inputs.n
    seen = [k.rows for k in facts.given.looks if k.rows is not None]
    if not facts.own_step or not seen or not torch.is_tensor(t) or not facts.out.shape or facts.out.shape[0] != n:
        return
    counted = sum(facts.loss.rows_counted) if facts.loss.rows_counted else n
    most = max(seen)
    if 0 < most < 0.95 * counted and any(_foreign(facts, k.seen_inputs) for k in facts.given.looks):
        yield Cause("OVR013", "other_inputs", "tip" if facts.near else "issue", 1.4, f"The training step feeds other rows to the "
            f"model than those of the batch ({most} of them).", {"rows": most, "n": counted}, advice(
            "train on the batch that the step is handed"))
    elif 0 < most < 0.95 * counted:
        yield Cause("OVR013", "part_of_batch", "tip" if facts.near else "issue", 1.4, f"The training step uses only a part of the "
            f"batch: {most} of {counted} rows get a gradient; the others are never trained on in a step.", {"rows": most,
            "n": counted}, advice("look for slices such as [:8], masks, and drop_last in the training step"))


RULES = (_turned, _memory, _decay)  # OVR018, and what OVR015 and OVR060 say of numbers that are wrong by themselves
