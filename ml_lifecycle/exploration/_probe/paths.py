"""Which numbers take part: parameters behind the output, places of the input in front of it, axes of softmaxes between."""

import contextlib
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from ml_lifecycle.exploration._probe.batch import mapped, tensors_in
from ml_lifecycle.exploration._probe.state import still_random
from ml_lifecycle.exploration._probe.subject import Subject, main_tensor
from ml_lifecycle.exploration._probe.trace import Trace

EARLY = 0.5  # share of the time after which the graph is looked at no more
LONG = 4  # places from which a row is looked at as a sequence


@dataclass
class PathFacts:
    """What the graph of one forward pass holds and what it lacks."""

    hidden: tuple[str, ...] = ()  # attributes that hold layers or weights which are no parameters of the model
    hidden_size: int = 0  # numbers in them
    fresh: int = 0  # numbers to train that are made anew in each forward pass
    places: int = 0  # places (time steps, tokens) of a row that were looked at; 0: no sequence
    what: str = "time steps"  # what a place is
    cut: bool = False  # other places move the output too, but no gradient comes back from there
    heard: tuple[int, ...] = ()  # places that the output depends on, in any row
    mask_turned: bool = False  # padding reaches the output, real tokens do not
    padding_heard: float = 0.0  # how much a place of padding moves the output, over how much a real one does
    ahead: bool = False  # the output at a place depends on the place after it, which is its target
    unheard: tuple[int, ...] = ()  # numbers of the inputs, from 1, that do not reach the output at all
    single: str = ""  # module with a softmax over one number
    across: str = ""  # module with an attention whose weights sum to one over the wrong axis
    over_rows: str = ""  # module with a softmax over the rows of the batch
    swapped: bool = False  # scores of the same place come from different places: classes and places are mixed
    kept: tuple[str, ...] = ()  # attributes that hold what depends on the rows of the last call, and act on the next one


def path_facts(subject: Subject, classes: int | None = None) -> PathFacts:
    """Look at the graph of a model in its first state; `classes` is the dimension in which they stand, where that is known."""
    facts = PathFacts()
    with still_random(subject.model):
        for part in (_parameters, partial(_places, classes=classes), _inputs, _memory, _softmaxes):
            if subject.over(EARLY):
                break
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


def _places(subject: Subject, facts: PathFacts, classes: int | None) -> None:
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
            if not (torch.is_tensor(inputs) and inputs.is_floating_point() and inputs.ndim in (2, 3) and inputs.shape[1] >= LONG):
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
        if tokens is not None:
            facts.ahead = _ahead(tokens, batch.targets, z, kept)
        facts.swapped = classes == 1 and _swapped(batch.targets, z, kept)
        weights = torch.rand_like(z) + 0.5
        grads = torch.autograd.grad((z * z.detach().sign().where(z.detach() != 0, torch.ones_like(z)) * weights).sum(), kept,
                                    allow_unused=True)
    size = sum(g.detach().reshape(*g.shape[:2], -1).norm(dim=2) for g in grads if g is not None)
    if not torch.is_tensor(size) or not bool(torch.isfinite(size).all()):
        return
    facts.places = int(size.shape[1])
    facts.what = "time steps" if tokens is not None or inputs.ndim > 2 else "numbers of a row"
    facts.heard = tuple(i for i, on in enumerate((size > 0).any(0).tolist()) if on)
    deaf = [i for i in range(facts.places) if i not in facts.heard]
    facts.cut = 0 < len(deaf) < facts.places and _depends(subject, deaf)
    if tokens is not None:
        _padding(tokens, size, facts, one_answer=z.ndim == 2)


def _inputs(subject: Subject, facts: PathFacts) -> None:
    """Inputs of several that no output depends on."""
    given = subject.batch.tensors()
    asked = [i for i, t in enumerate(given) if t.is_floating_point() and t.ndim and t.shape[0] == subject.batch.n
             and float(t.std()) > 0]
    if len(given) < 2 or not asked:
        return
    unheard = []
    for i in asked:
        def other(x: Any, mine: Any = given[i]) -> Any:
            return x.flip(0) + x.std() * torch.randn_like(x) if x is mine else x
        with subject.bench(training=False) as model, torch.no_grad():
            found = []
            for inputs in (None, subject.batch.with_inputs(other).inputs):
                torch.manual_seed(0)
                found.append(main_tensor(subject.forward(model, inputs)))
        if bool((found[0] == found[1]).all()):
            unheard.append(i + 1)
    facts.unheard = tuple(unheard)


def _depends(subject: Subject, places: list[int]) -> bool:
    """Whether outputs change when these places are taken from the row before."""
    def other(x: Any) -> Any:
        made = x.clone()
        if x.ndim > 1 and x.shape[1] > max(places):
            made[:, places] = x.roll(1, 0)[:, places]
        return made
    found = []
    with subject.bench(training=False) as model, torch.no_grad():
        for inputs in (None, subject.batch.with_inputs(other).inputs):
            torch.manual_seed(0)
            found.append(main_tensor(subject.forward(model, inputs)))
    return float((found[1] - found[0]).abs().max()) > 1e-3 * float(found[0].abs().mean())


def _ahead(tokens: Any, targets: Any, z: Any, kept: list[Any]) -> bool:
    """Whether outputs depend on the next place where that is their target."""
    if not torch.is_tensor(targets) or targets.shape != tokens.shape or z.shape[:2] != tokens.shape or \
            float((targets[:, :-1] == tokens[:, 1:]).float().mean()) < 0.9:
        return False
    half = int(tokens.shape[1]) // 2
    early = z[:, :half]
    grads = torch.autograd.grad((early * (torch.rand_like(early) + 0.5)).sum(), kept, allow_unused=True, retain_graph=True)
    return any(bool(g[:, half:].any()) for g in grads if g is not None)


def _swapped(targets: Any, z: Any, kept: list[Any]) -> bool:
    """Whether the first and the last class of the same place depend on different places of the input."""
    n, places = kept[0].shape[:2]
    if not torch.is_tensor(targets) or targets.shape != (n, places) or z.ndim != 3 or (z.shape[0], z.shape[2]) != (n, places):
        return False
    found = []
    for column in (0, -1):
        grads = torch.autograd.grad(z[:, column, places // 2].sum(), kept, allow_unused=True, retain_graph=True)
        found.append(torch.stack([(g != 0).reshape(n, places, -1).any(2).any(0) for g in grads if g is not None]).any(0))
    return int((found[0] != found[1]).sum()) > 1


def _memory(subject: Subject, facts: PathFacts) -> None:
    """What a call leaves behind in attributes, differs with the rows, and has a gradient in the next call."""
    batch = subject.batch
    turned = batch.other_rows(torch.arange(batch.n), torch.arange(batch.n).flip(0))
    left = []
    for inputs in (batch.inputs, turned.inputs):
        with subject.bench(training=True) as model, torch.no_grad():
            before = _attributes(model)
            torch.manual_seed(0)
            subject.forward(model, inputs)
            left.append({at: held for at, held in _attributes(model).items() if before.get(at) is not held})
    known = [at for at in left[0] if at in left[1] and not _equal(left[0][at], left[1][at])]
    with subject.bench(training=True) as model:
        modules, asked = dict(model.named_modules()), []
        for path, key in known:
            value = mapped(lambda t: t.detach().clone().requires_grad_() if torch.is_tensor(t) else t, left[0][path, key])
            setattr(modules[path], key, value)
            asked += [((path, key), t) for t in tensors_in(value)]
        if asked:
            z = main_tensor(subject.forward(model))
            grads = torch.autograd.grad((z * (torch.rand_like(z) + 0.5)).sum(), [t for _, t in asked], allow_unused=True)
            facts.kept = tuple(dict.fromkeys(f"{path}.{key}".lstrip(".") for ((path, key), _), g in zip(asked, grads)
                                             if g is not None and bool(g.any())))


def _attributes(model: Any) -> dict[tuple[str, str], Any]:
    """Real numbers that modules hold as plain attributes, tensors or tuples and lists of them."""
    return {(path, key): value for path, module in model.named_modules() for key, value in vars(module).items()
            if torch.is_tensor(value) or isinstance(value, (tuple, list))
            if (held := tensors_in(value)) and all(t.is_floating_point() for t in held)}


def _equal(a: Any, b: Any) -> bool:
    first, second = tensors_in(a), tensors_in(b)
    return len(first) == len(second) and all(s.shape == t.shape and torch.equal(s, t) for s, t in zip(first, second))


def _padding(tokens: Any, size: Any, facts: PathFacts, one_answer: bool) -> None:
    """Runs of one token at the end of rows are padding."""
    ends, counts = torch.unique(tokens[:, -1], return_counts=True)
    pad = ends[counts.argmax()]
    real = torch.flip(torch.cumsum(torch.flip(tokens != pad, (1,)).long(), 1), (1,)) > 0
    if not 0.02 < float((~real).float().mean()) < 0.9 or int((~real).any(1).sum()) < 2:
        return
    some = real.any(1) & (~real).any(1)
    inside, outside = (size * real)[some].sum(), (size * ~real)[some].sum()
    facts.mask_turned = bool(outside > 0) and bool(inside <= 1e-6 * outside)
    if not one_answer or bool(((tokens == pad) & real).any()) or int(((~real).sum(1) > 1).sum()) < 3:
        return  # the token stands for something, or each place has an answer of its own
    mean = [(size * on)[some].sum() / on[some].sum() for on in (real, ~real)]
    facts.padding_heard = float(mean[1] / mean[0]) if float(mean[0]) > 0 else 0.0


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
