"""Whether gradients are those of the loss: held against finite differences, without hooks, and against weights that do nothing."""

import contextlib
import math
from dataclasses import dataclass
from typing import Any

import torch

from ml_lifecycle.exploration._probe.state import still_random
from ml_lifecycle.exploration._probe.step import clean_gradients
from ml_lifecycle.exploration._probe.subject import Subject

EARLY = 0.3  # share of the time after which no further layer is looked at
MOST = 16  # layers that are held against finite differences


@dataclass
class GradientFacts:
    """What a gradient says and what the loss does."""

    uphill: tuple[str, ...] = ()  # layers along whose gradient the loss falls
    hooked: tuple[str, ...] = ()  # parameters with hooks on their gradient
    stopped: tuple[str, ...] = ()  # parameters whose gradient such a hook makes zero


def gradient_facts(subject: Subject) -> GradientFacts:
    """Look at the gradients of a model in its first state; every part may fail alone."""
    facts = GradientFacts()
    with still_random(subject.model):
        for part in (_slopes, _hooks):
            with contextlib.suppress(Exception):  # a model may not take what is tried
                part(subject, facts)
    return facts


def by_layer(model: Any) -> dict[str, list[Any]]:
    """Parameters to train, by the module that holds them."""
    found: dict[str, list[Any]] = {}
    for name, p in model.named_parameters():
        if p.requires_grad:
            found.setdefault(name.rpartition(".")[0] or name, []).append(p)
    return found


def _seeded(subject: Subject, model: Any) -> float:
    torch.manual_seed(0)
    with torch.no_grad():
        return float(subject.loss(subject.forward(model)))


def without_effect(subject: Subject, names: list[str]) -> tuple[str, ...]:
    """Layers whose weights may be anything: the loss stays as it is."""
    idle = []
    with subject.bench() as model, torch.no_grad():
        before, held = _seeded(subject, model), by_layer(model)
        for name in names:
            kept = [p.clone() for p in held[name]]
            for p in held[name]:
                p.add_(torch.randn_like(p) * (p.abs().mean() + 1))
            after = _seeded(subject, model)
            if abs(after - before) <= 1e-6 * abs(before):
                idle.append(name)
            for p, content in zip(held[name], kept):
                p.copy_(content)
    return tuple(idle)


def _slopes(subject: Subject, facts: GradientFacts) -> None:
    """The loss a little further along the gradient of each layer, and a little back."""
    uphill = []
    with subject.bench() as model:
        torch.manual_seed(0)
        gradients = dict(zip(map(id, model.parameters()), clean_gradients(subject, model) or []))
        before = _seeded(subject, model)
        for name, held in list(by_layer(model).items())[:MOST]:
            pairs = [(p, gradients[id(p)]) for p in held if gradients.get(id(p)) is not None]
            if pairs and not subject.over(EARLY) and all(-10 < _slope(subject, model, pairs, before, share) < -0.3
                                                         for share in (1.0, 0.5)):
                uphill.append(name)
    facts.uphill = tuple(uphill)


def _slope(subject: Subject, model: Any, pairs: list[tuple[Any, Any]], loss: float, share: float) -> float:
    """How fast the loss rises along a gradient, over how fast it should; NaN where that is too little to see."""
    square = sum(float((g * g).sum()) for _, g in pairs)
    size = math.sqrt(sum(float((p.detach() * p.detach()).sum()) for p, _ in pairs))
    if not 0 < square < math.inf or not math.isfinite(loss):
        return math.nan
    length = share * min(0.01 * abs(loss) / square, 0.03 * size / math.sqrt(square))
    if length * square < 3e-5 * abs(loss):
        return math.nan
    ends = []
    with torch.no_grad():
        kept = [p.clone() for p, _ in pairs]
        for side in (length, -length):
            for (p, g), content in zip(pairs, kept):
                p.copy_(content + side * g)
            ends.append(_seeded(subject, model))
        for (p, _), content in zip(pairs, kept):
            p.copy_(content)
    return (ends[0] - ends[1]) / (2 * length * square)


def _hooks(subject: Subject, facts: GradientFacts) -> None:
    """Gradients with and without the hooks on parameters."""
    with subject.bench() as model:
        hooked = [(name, p) for name, p in model.named_parameters() if p._backward_hooks]
        if not hooked:
            return
        facts.hooked = tuple(name for name, _ in hooked)
        places = [i for i, p in enumerate(model.parameters()) if p._backward_hooks]
        changed = clean_gradients(subject, model) or []
        kept = [dict(p._backward_hooks) for _, p in hooked]
        try:
            for _, p in hooked:
                p._backward_hooks.clear()
            free = clean_gradients(subject, model) or []
        finally:
            for (_, p), hooks in zip(hooked, kept):
                p._backward_hooks.update(hooks)
        facts.stopped = tuple(name for name, i in zip(facts.hooked, places) if changed and changed[i] is not None
                              and not bool(changed[i].any()) and bool(free[i].any()))
