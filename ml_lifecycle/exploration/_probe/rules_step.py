"""Rules about the training step and the optimizer: what they do to gradients and parameters."""

import math
from collections.abc import Iterator
from typing import Any

import torch

from ml_lifecycle.exploration._probe.batch import tensors_in
from ml_lifecycle.exploration._probe.facts import Cause, Facts, advice, cosine, few, flat
from ml_lifecycle.exploration._probe.rules_gradient import part_of_batch
from ml_lifecycle.exploration._probe.rules_optimizer import around, holds, movement
from ml_lifecycle.exploration._probe.step import Look
from ml_lifecycle.foundation._render import number

ZERO_GRAD = advice("call optimizer.zero_grad() before loss.backward()")


def _step(facts: Facts) -> Iterator[Cause]:
    """What a step does, the order of things first: what follows from it is not told beside it."""
    looks = facts.given.looks
    if looks:
        found = list(_order(facts, looks)) or list(part_of_batch(facts)) or list(_gradients(facts, looks))
        yield from found or movement(facts, looks)
        yield from around(facts, looks)


def _order(facts: Facts, looks: list[Look]) -> Iterator[Cause]:
    """Whether backward and step happen at all, and in which order."""
    if not facts.own_step or any(look.calls_step_with_closure for look in looks):
        return
    numbers = {"steps_seen": len(looks), "order": " > ".join(looks[-1].events)}
    moved = any(float(flat(k.move, k.before).norm()) > 0 for k in looks)
    steps, backs = (any(what in k.events for k in looks) for what in ("step", "backward"))
    wanted = any(k.clean is not None and float(flat(k.clean, k.before).norm()) > 0 for k in looks)
    if not moved and not backs and not any("forward" in k.events for k in looks):
        how = ": it trains another one (an optimizer steps that holds nothing of this model)" if any(k.others for k in looks) \
            else ", and none of its parameters gets a gradient"
        yield Cause("OVR011", "not_called", "issue", 0.9, f"The training step does not call the model that was given{how}.",
            numbers, advice("use the model that the step is handed, not a copy or a global one"))
    elif not backs and any("forward" in k.events for k in looks) and not any(k.grad_mode for k in looks):
        yield Cause("OVR011", "no_grad", "issue", 1, "The model runs under torch.no_grad() in the training step: no gradient can "
            "be computed.", numbers, advice("take the forward pass out of torch.no_grad()"))
    elif not backs and wanted and not moved:
        yield Cause("OVR011", "no_backward", "issue", 1, "loss.backward() is never called in the training step, or the loss is "
            "detached from the parameters: no parameter gets a gradient.", numbers, advice("call loss.backward() before "
            "optimizer.step()"))
    elif not steps and not moved:
        yield Cause("OVR011", "no_step", "issue", 1, "optimizer.step() is never called on the parameters of the model: gradients "
            "are computed, but no parameter moves.", numbers, advice("call optimizer.step() after loss.backward(), with an "
            "optimizer made from model.parameters()"))
    elif all("backward" in k.events and "step" in k.events and k.events.index("step") < k.events.index("backward")
             for k in looks if "step" in k.events) and steps and backs:
        yield Cause("OVR011", "step_before_backward", "issue", 1, "optimizer.step() is called before loss.backward(): each step "
            "uses no gradient, or that of the step before.", numbers, advice("call optimizer.step() after loss.backward()"))
    elif steps and backs and wanted and all(_empty(k) for k in looks if k.at_step is not None):
        yield Cause("OVR011", "zeroed_before_step", "issue", 1, "Gradients are zeroed between loss.backward() and "
            "optimizer.step() (zero_grad in the wrong place): the step uses none.", numbers, advice(
            "call optimizer.zero_grad() before loss.backward(), not after it"))


def _empty(look: Look) -> bool:
    return float(flat(look.at_step or [], look.before).norm()) == 0 if look.at_step else True


def _gradients(facts: Facts, looks: list[Look]) -> Iterator[Cause]:
    """Whether gradients at the step are those of the loss on the batch."""
    usable = [k for k in looks if k.at_step is not None and k.clean is not None and not k.calls_step_with_closure]
    if not facts.own_step or not usable:
        return
    names = [n for n, _ in facts.subject.model.named_parameters()]
    kept = _not_zeroed(usable, names)
    if kept:
        share = len(kept) / len(names)
        which = "" if share > 0.9 else f" (those of {few(kept)})"
        yield Cause("OVR010", "no_zero_grad", "issue", 1, f"Gradients are not zeroed between steps{which}: at each step they are "
            "the sum of this gradient and all earlier ones (optimizer.zero_grad() is missing).", {"parameters": kept[:8],
            "share": share, "ratio": _ratio(usable[-1])}, ZERO_GRAD)
        return
    angles = [cosine(flat(k.at_step or [], k.before), flat(k.clean or [], k.before)) for k in usable]
    typical = sorted(angles)[len(angles) // 2]
    numbers = {"cosine": typical, "ratio": _ratio(usable[0]), "steps_seen": len(usable)}
    if typical < -0.9:
        yield Cause("OVR012", "flipped_sign", "issue", 1, "The sign of the loss is flipped in the training step: its gradient "
            f"points the opposite way (cosine {number(typical)}), so the loss is maximised (gradient ascent).", numbers, advice(
            "minimise the loss itself, not its negative"))
    elif typical < 0.97 and all(_capped(k) for k in usable):
        yield from _size(facts, usable, numbers)
    elif typical < 0.97:
        yield _other(facts, usable, numbers)
    else:
        yield from _size(facts, usable, numbers)
    missing = [n for i, n in enumerate(names) if all(_lacks(k, i) for k in usable)]
    if missing and typical >= -0.9:
        yield Cause("OVR031", "detached_in_step", "issue", 2, f"In the training step no gradient reaches {few(missing)}, though "
            "the loss depends on them: something is detached there, or their gradients are removed.",
            {"parameters": missing[:8]}, advice("look for detach(), no_grad() or .data in the training step"))


def _lacks(look: Look, i: int) -> bool:
    g, c = (look.at_step or [])[i], (look.clean or [])[i]
    return c is not None and float(c.norm()) > 0 and (g is None or float(g.norm()) == 0)


def _ratio(look: Look) -> float:
    size = float(flat(look.clean or [], look.before).norm())
    return float(flat(look.at_step or [], look.before).norm()) / size if size > 0 else math.nan


def _not_zeroed(looks: list[Look], names: list[str]) -> list[str]:
    """Parameters whose gradient at the step is what was left over plus the new one."""
    votes = [0] * len(names)
    seen = 0
    for k, before in zip(looks[1:], looks):
        if "step" not in before.events:
            continue
        seen += 1
        for i in range(len(names)):
            g, c, left = (k.at_step or [])[i], (k.clean or [])[i], k.left_over[i]
            if g is None or c is None or left is None or float(left.norm()) == 0 or not _began_clean(looks[0], i):
                continue
            votes[i] += _is_sum(g.flatten(), c.flatten(), left.flatten())
    return [n for n, v in zip(names, votes) if seen and v >= max(1, seen // 2)]


def _began_clean(look: Look, i: int) -> bool:
    """Whether a gradient was the clean one at the first step, when nothing could be left over."""
    g, c = (look.at_step or [])[i], (look.clean or [])[i]
    return g is not None and c is not None and float(c.norm()) > 1e-9 and cosine(g.flatten(), c.flatten()) > 0.95


def _is_sum(g: Any, c: Any, left: Any) -> bool:
    """Whether a gradient is the clean one plus what was left over, up to one factor for both (clipping)."""
    exact = float((g - c - left).norm()) < 0.02 * float(g.norm()) and float((g - c).norm()) > 0.1 * float(c.norm())
    if exact:
        return True
    pair = torch.stack([c, left], 1).double()
    size = pair.norm(dim=0)
    if not bool((size > 0).all()) or abs(cosine(pair[:, 0], pair[:, 1])) > 0.99:
        return False
    found = torch.linalg.lstsq(pair / size, g.double()[:, None]).solution[:, 0] / size
    rest = float((pair @ found - g).norm()) / float(g.norm())
    return rest < 0.02 and bool((found > 0).all()) and abs(float(found[1] / found[0]) - 1) < 0.05


def _capped(look: Look) -> bool:
    """Whether gradients are cut off at one size, number by number (clipping by value)."""
    g, c = flat(look.at_step or [], look.before).abs(), flat(look.clean or [], look.before).abs()
    top = g.max()
    return bool(top > 0) and float((g == top).float().mean()) > 0.01 and bool(c.max() > 1.5 * top) and \
        bool(((g - c.clamp(max=float(top))).abs() <= 1e-3 * top).float().mean() > 0.99)


def _size(facts: Facts, looks: list[Look], numbers: dict[str, Any]) -> Iterator[Cause]:
    """The right direction, but another length."""
    ratios = [_ratio(k) for k in looks]
    low, high = min(ratios), max(ratios)
    if low > 1 / 50 and high < 50 or not all(map(math.isfinite, ratios)):
        return
    lengths = [float(flat(k.at_step or [], k.before).norm()) for k in looks]
    if high < 1 and (max(lengths) < 1.001 * min(lengths) or all(_capped(k) for k in looks)):
        slug, what = "clipped", f"Gradients are clipped or scaled to almost nothing (length {number(lengths[0])}, {number(low)} " \
            "of what they are)"
    else:
        slug, what = "scaled", f"The loss in the training step is scaled: gradients are {number(ratios[0])} times those of loss_fn"
    yield Cause("OVR014", slug, "tip" if facts.near else "issue", 8, what + ".", {**numbers, "lengths": lengths},
                advice("clip at about the usual length of the gradient, or not at all" if slug == "clipped" else
                       "leave the loss at its own scale, or adapt the learning rate"))


def _other(facts: Facts, looks: list[Look], numbers: dict[str, Any]) -> Cause:
    """Another direction: other targets, other inputs, a penalty, or another loss."""
    seen = [_pairing(facts, k) for k in looks]
    for slug, text in (("shuffled_targets", "The targets are shuffled against the rows in the training step: rows are trained on "
            "the labels of other rows"), ("other_targets", "The training step uses other targets than those of the batch"),
            ("other_inputs", "The training step feeds other inputs to the model than those of the batch (an augmentation, or "
            "a wrong tensor)")):
        if sum(s == slug for s in seen) > len(seen) / 2:
            plain = facts.own is not None and facts.own_near and facts.goal.share(facts.given.best) > 0.85 and not facts.given.cut
            mild = slug == "other_inputs" and not plain  # an augmentation is no mistake
            return Cause("OVR013", slug, "tip" if mild else "issue", 1.5, f"{text} (cosine with the gradient of the batch "
                f"{number(numbers['cosine'])}).", numbers, advice("train on the inputs and targets of the same rows, unchanged"))
    k = next((k for k in reversed(looks) if math.isfinite(_ratio(k)) and bool(torch.isfinite(flat(k.before, k.before)).all())),
        looks[0])
    rest, theta = flat(k.at_step or [], k.before) - flat(k.clean or [], k.before), flat(k.before, k.before)
    for slug, power, along in (("l2_penalty", "squared", theta), ("l1_penalty", "absolute", torch.sign(theta))):
        if cosine(rest, along) > 0.9:
            size = float(rest.norm()) / float(along.norm())
            return Cause("OVR060", slug, "tip" if facts.near else "issue", 1.5, f"The training step adds a penalty on the {power} "
                f"weights (strength {number(size)}) that outweighs the loss: the model is over-regularised.", {**numbers,
                "strength": size}, advice("lower the weight decay or penalty"))
    return Cause("OVR013", "other_loss", "tip" if facts.near else "issue", 4, "The gradient that the training step uses is not "
        f"that of loss_fn on this batch (cosine {number(numbers['cosine'])}): it minimises another loss, uses other data, or "
        "changes the gradient.", numbers, advice("compare the step's loss with loss_fn(model(inputs), targets)"))


def _pairing(facts: Facts, look: Look) -> str:
    """Whether inputs and targets that a step used are those of the batch, row by row."""
    batch = facts.subject.batch
    x = tensors_in(batch.inputs)[0]
    y = tensors_in(batch.targets)[0]
    if not look.seen_inputs:
        return ""
    given = look.seen_inputs[0]
    heard = [t for t in look.seen_targets if t.numel() == y.numel()]
    if given.shape != x.shape:
        return ""
    if torch.equal(given, x):
        if not heard:
            return ""
        t = heard[0].reshape(y.shape).to(y.dtype)
        if torch.equal(t, y):
            return ""
        same = torch.equal(t.flatten().sort().values, y.flatten().sort().values)
        return "shuffled_targets" if same else "other_targets"
    a, b = given.reshape(batch.n, -1).double(), x.reshape(batch.n, -1).double()
    where = torch.cdist(a, b).argmin(1) if b.shape[1] else torch.arange(batch.n)
    if not torch.equal(a, b[where]):
        return "other_inputs"
    if heard and torch.equal(heard[0].reshape(y.shape).to(y.dtype), y[where]):
        return ""
    return "shuffled_targets"


RULES = (_step, holds)  # OVR010 to OVR016
