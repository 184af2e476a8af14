"""What happens inside a model on its first batch: gradients layer by layer, dead units, the first NaN, modes, initial weights."""

import contextlib
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ml_lifecycle.exploration._probe.batch import tensors_in
from ml_lifecycle.exploration._probe.gradient import by_layer, without_effect
from ml_lifecycle.exploration._probe.state import still_random
from ml_lifecycle.exploration._probe.step import clean_gradients
from ml_lifecycle.exploration._probe.subject import Subject
from ml_lifecycle.exploration._probe.trace import CURVED, CUTS, Trace

MODAL = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)


@dataclass
class InsideFacts:
    """Layers are named by their path in the model; in the order in which they run."""

    total: int = 0  # parameters (numbers, not tensors)
    frozen: tuple[str, ...] = ()  # layers that have parameters with requires_grad=False
    frozen_share: float = 0.0
    detached: tuple[str, ...] = ()  # layers that run, and whose parameters get no gradient
    unused: tuple[str, ...] = ()  # layers that have no effect on the loss
    relative: tuple[tuple[str, float], ...] = ()  # size of the gradient over the size of the weights, layer by layer
    norm: float = math.nan  # of the whole gradient
    bad_gradients: tuple[str, ...] = ()  # layers whose gradient is NaN or infinite
    dead: tuple[tuple[str, float], ...] = ()  # share of units that are zero for every row, ReLU by ReLU
    nan_at: str = ""  # the first module, and function, that makes NaN of finite numbers
    nan_weights: tuple[str, ...] = ()
    constant: tuple[tuple[str, float], ...] = ()  # weights that are all the same number
    same_rows: tuple[str, ...] = ()  # weights whose units are all the same
    large: tuple[tuple[str, float], ...] = ()  # weights many times as large as 1 / sqrt(inputs)
    small: tuple[tuple[str, float], ...] = ()
    # spread of the weights times the root of the inputs, weight by weight: usually 0.3 to 2
    sizes: tuple[tuple[str, float], ...] = ()
    in_eval: tuple[str, ...] = ()  # layers that depend on the mode and are in eval mode though they were not told to be
    modal: int = 0  # layers that depend on the mode
    training: bool = True  # mode of the model as given
    cuts: tuple[str, ...] = ()  # functions that end the gradient
    curves: int = 0  # functions that are no straight line
    functional_dropout: float = 0.0  # its p outside training
    loss: float = math.nan  # at the start


def layers(model: Any) -> list[tuple[str, Any]]:
    """Modules that hold parameters themselves."""
    return [(name or type(model).__name__, m) for name, m in model.named_modules() if any(True
        for _ in m.parameters(recurse=False))]


def inside_facts(subject: Subject) -> InsideFacts:
    """Look inside a model in its first state."""
    facts = InsideFacts()
    with still_random(subject.model):
        _weights(subject.model, facts)
        _modes(subject.model, facts)
        _pass(subject, facts)
        _gradients(subject, facts)
    return facts


def _weights(model: Any, facts: InsideFacts) -> None:
    constant, same, large, small, nan, sizes = [], [], [], [], [], []
    for name, p in model.named_parameters():
        value = p.detach()
        if not value.is_floating_point() or value.numel() < 2:
            continue
        if not bool(torch.isfinite(value).all()):
            nan.append(name)
            continue
        if value.ndim < 2 or value.shape[0] < 2:
            continue
        if float(value.max() - value.min()) == 0:
            constant.append((name, float(value.flatten()[0])))
        if bool((value - value[:1] == 0).all()):
            same.append(name)
        elif not isinstance(_owner(model, name), nn.Embedding) and "pos" not in name:
            size = float(value.std()) * math.sqrt(value[0].numel())
            sizes.append((name, size))
            if size > 8:
                large.append((name, size))
            elif size < 0.02:
                small.append((name, size))
    facts.constant, facts.same_rows, facts.nan_weights = tuple(constant), tuple(same), tuple(nan)
    facts.large, facts.small, facts.sizes = tuple(large), tuple(small), tuple(sizes)


def _owner(model: Any, name: str) -> Any:
    return model.get_submodule(name.rpartition(".")[0])


def _modes(model: Any, facts: InsideFacts) -> None:
    facts.training = bool(model.training)
    modal = [(name, m) for name, m in model.named_modules() if isinstance(m, MODAL) and not _harmless(m) and not _meant(m)]
    facts.modal, facts.in_eval = len(modal), tuple(name or type(m).__name__ for name, m in modal if not m.training)


def _meant(module: Any) -> bool:
    """Whether a layer is in eval mode on purpose: its parameters are not to be trained either."""
    held = list(module.parameters(recurse=False))
    return not module.training and bool(held) and not any(p.requires_grad for p in held)


def _harmless(module: Any) -> bool:
    return (isinstance(module, nn.modules.dropout._DropoutNd) and module.p == 0) or \
        (isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is None)


def _pass(subject: Subject, facts: InsideFacts) -> None:
    """One pass in training mode, function by function; one in eval mode for dropout that ignores it."""
    with subject.bench() as model, Trace(model, subject.batch.n) as trace, contextlib.suppress(Exception):
        subject.forward(model)  # what it raises is said elsewhere; what ran until then is still told
    facts.dead = tuple((e.module or e.name, e.dead) for e in trace.events if e.units > 1)
    facts.curves = sum(e.name in CURVED for e in trace.events)
    facts.cuts = tuple(dict.fromkeys(CUTS[e.name] for e in trace.events if e.name in CUTS))
    bad = next((e for e in trace.events if not e.finite and e.inputs_finite), None)
    facts.nan_at = f"{bad.module or 'forward'} ({bad.name})" if bad else ""
    with subject.bench(training=False) as model, Trace(model, subject.batch.n) as trace, contextlib.suppress(Exception):
        subject.forward(model)
    modules = dict(subject.model.named_modules())
    facts.functional_dropout = max([e.p for e in trace.events if e.name == "dropout" and
                                    not isinstance(modules.get(e.module), MODAL)], default=0.0)


def _gradients(subject: Subject, facts: InsideFacts) -> None:
    facts.total = sum(p.numel() for p in subject.model.parameters())
    frozen = [(n, p) for n, p in subject.model.named_parameters() if not p.requires_grad]
    facts.frozen = tuple(dict.fromkeys(n.rpartition(".")[0] or n for n, _ in frozen))
    facts.frozen_share = sum(p.numel() for _, p in frozen) / max(1, facts.total)
    with subject.bench() as model, torch.no_grad():
        facts.loss = float(subject.loss(subject.forward(model)))
    with subject.bench() as model:
        found = clean_gradients(subject, model)
        if found is None:
            return
        named = dict(zip([n for n, _ in model.named_parameters()], found))
        weights = {n: float(p.detach().norm()) for n, p in model.named_parameters()}
        gradients = dict(zip(map(id, model.parameters()), found))
        held = {layer: [gradients[id(p)] for p in owned] for layer, owned in by_layer(model).items()}
    none = [layer for layer, owned in held.items() if all(g is None for g in owned)]
    facts.unused = without_effect(subject, none) if none else ()
    facts.detached = tuple(layer for layer in none if layer not in facts.unused)
    there = {n: g for n, g in named.items() if g is not None}
    facts.bad_gradients = tuple(n for n, g in there.items() if not bool(torch.isfinite(g).all()))
    facts.relative = tuple((n, float(g.norm()) / (weights[n] + 1e-12)) for n, g in there.items() if g.ndim > 1)
    facts.norm = math.sqrt(sum(float(g.norm()) ** 2 for g in there.values()))


def still_the_same(facts: InsideFacts, model: Any, after: list[Any]) -> tuple[str, ...]:
    """Weights whose units were all the same at the start and are so after training."""
    ended = dict(zip([n for n, _ in model.named_parameters()], after))
    return tuple(n for n in facts.same_rows if n in ended
                 and float((ended[n] - ended[n][:1]).abs().max()) <= 1e-4 * (float(ended[n].abs().max()) + 1e-12))


def batch_is_finite(subject: Subject) -> bool:
    """Whether every number of the inputs is finite."""
    return all(bool(torch.isfinite(t).all()) for t in tensors_in(subject.batch.inputs) if t.is_floating_point())
