"""Which numbers take part: parameters behind the output, places of the input in front of it, axes of softmaxes between."""

import contextlib
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ._probe_state import still_random
from ._probe_subject import Subject, main_tensor
from ._probe_trace import Trace

LONG = 4  # places from which a row is looked at as a sequence


@dataclass
class PathFacts:
    """What the graph of one forward pass holds and what it lacks."""

    hidden: tuple[str, ...] = ()  # attributes that hold layers or weights which are no parameters of the model
    hidden_size: int = 0  # numbers in them
    fresh: int = 0  # numbers to train that are made anew in each forward pass
    places: int = 0  # places (time steps, tokens) of a row that were looked at; 0: no sequence
    heard: tuple[int, ...] = ()  # places that the output depends on, in any row
    mask_turned: bool = False  # padding reaches the output, real tokens do not
    padding_heard: bool = False  # padding and real tokens reach it alike
    single: str = ""  # module with a softmax over one number
    across: str = ""  # module with an attention whose weights sum to one over the wrong axis
    over_rows: str = ""  # module with a softmax over the rows of the batch


def path_facts(subject: Subject) -> PathFacts:
    """Look at the graph of a model in its first state; every part may fail alone."""
    facts = PathFacts()
    with still_random(subject.model):
        for part in (_parameters, _places, _softmaxes):
            with contextlib.suppress(Exception):  # a model may not take what is tried
                part(subject, facts)
    return facts


def leaves(output: Any) -> dict[int, Any]:
    """Every tensor to train that a result depends on, by identity."""
    found: dict[int, Any] = {}
    seen, todo = set(), [output.grad_fn]
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        variable = getattr(node, "variable", None)
        if variable is not None:
            found[id(variable)] = variable
        todo += [following for following, _ in node.next_functions]
    return found


def _parameters(subject: Subject, facts: PathFacts) -> None:
    with subject.bench() as model:
        known = {id(p) for p in model.parameters()}
        names: dict[int, str] = {}
        for path, module in model.named_modules():
            for key, value in vars(module).items():
                if key not in ("_parameters", "_modules", "_buffers"):
                    for tensor in _trainable_in(value):
                        if id(tensor) not in known:
                            names.setdefault(id(tensor), f"{path}.{key}" if path else key)
        kept = [{i: v for i, v in leaves(main_tensor(subject.forward(model))).items() if i not in known} for _ in range(2)]
    hidden = {i: v for i, v in kept[1].items() if i in kept[0]}
    facts.hidden = tuple(dict.fromkeys(names.get(i, "a tensor outside the model") for i in hidden))
    facts.hidden_size = sum(v.numel() for v in hidden.values())
    facts.fresh = sum(v.numel() for i, v in kept[1].items() if i not in kept[0])


def unregistered(model: Any) -> set[int]:
    """Identities of tensors to train that modules hold without having them as parameters."""
    known = {id(p) for p in model.parameters()}
    found = [t for m in model.modules() for key, value in vars(m).items() if key not in ("_parameters", "_modules", "_buffers")
             for t in _trainable_in(value)]
    return {id(t) for t in found} - known


def _trainable_in(value: Any, depth: int = 0) -> list[Any]:
    if isinstance(value, nn.Module):
        return [p for p in value.parameters() if p.requires_grad]
    if torch.is_tensor(value):
        return [value] if value.requires_grad and value.is_leaf else []
    inner = list(value.values()) if isinstance(value, dict) else list(value) if isinstance(value, (list, tuple)) else []
    return [tensor for item in inner if depth < 3 for tensor in _trainable_in(item, depth + 1)]


def _places(subject: Subject, facts: PathFacts) -> None:
    """The gradient of the outputs to each place of each row: of the numbers themselves, or of their embedding."""
    batch = subject.batch
    tokens = next((t for t in batch.tensors() if not t.is_floating_point() and t.dtype != torch.bool and t.ndim == 2
                   and t.shape[0] == batch.n and t.shape[1] >= LONG), None)
    kept: list[Any] = []
    with subject.bench() as model:
        handles = [m.register_forward_hook(lambda module, args, out: kept.append(out)) for m in model.modules()
                   if isinstance(m, nn.Embedding)] if tokens is not None else []
        inputs = batch.inputs
        if tokens is None:
            if not (torch.is_tensor(inputs) and inputs.is_floating_point() and inputs.ndim == 3 and inputs.shape[1] >= LONG):
                return
            inputs = inputs.clone().requires_grad_()
            kept.append(inputs)
        try:
            z = main_tensor(subject.forward(model, inputs))
        finally:
            for handle in handles:
                handle.remove()
        kept = [k for k in kept if k.requires_grad and tuple(k.shape[:2]) == tuple((tokens if tokens is not None
            else inputs).shape[:2])]
        if not kept or z.shape[0] != batch.n:
            return
        weights = torch.rand_like(z) + 0.5
        grads = torch.autograd.grad((z * z.detach().sign().where(z.detach() != 0, torch.ones_like(z)) * weights).sum(), kept,
                                    allow_unused=True)
    size = sum(g.detach().flatten(2).norm(dim=2) for g in grads if g is not None)
    if not torch.is_tensor(size) or not bool(torch.isfinite(size).all()):
        return
    facts.places = int(size.shape[1])
    facts.heard = tuple(i for i, on in enumerate((size > 0).any(0).tolist()) if on)
    if tokens is not None:
        _padding(tokens, size, facts)


def _padding(tokens: Any, size: Any, facts: PathFacts) -> None:
    """Runs of one token at the end of rows are padding."""
    ends, counts = torch.unique(tokens[:, -1], return_counts=True)
    pad = ends[counts.argmax()]
    real = torch.flip(torch.cumsum(torch.flip(tokens != pad, (1,)).long(), 1), (1,)) > 0
    if not 0.02 < float((~real).float().mean()) < 0.9 or int((~real).any(1).sum()) < 2:
        return
    some = real.any(1) & (~real).any(1)
    inside, outside = (size * real)[some].sum(), (size * ~real)[some].sum()
    facts.mask_turned = bool(outside > 0) and bool(inside <= 1e-6 * outside)


def _softmaxes(subject: Subject, facts: PathFacts) -> None:
    with subject.bench() as model, Trace(model, subject.batch.n) as trace:
        subject.forward(model)
    for event in trace.events:
        if not event.shape or event.name not in ("softmax", "log_softmax"):
            continue
        where, dim, shape = event.module or "forward", event.dim % len(event.shape), event.shape
        if shape[dim] == 1 and len(shape) > 1 and max(shape[1:]) > 1:
            facts.single = facts.single or where
        elif len(shape) >= 3 and dim == len(shape) - 2 and shape[-1] == shape[-2]:
            facts.across = facts.across or where
        elif len(shape) >= 2 and dim == 0 and shape[0] == subject.batch.n > 1:
            facts.over_rows = facts.over_rows or where
