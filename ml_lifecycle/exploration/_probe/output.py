"""What a model does with its input, seen from its outputs: ranges, rows that touch each other, straight lines."""

import math
import random
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.overrides import TorchFunctionMode

from ml_lifecycle.exploration._probe.batch import Batch
from ml_lifecycle.exploration._probe.state import reset, still_random, wake
from ml_lifecycle.exploration._probe.subject import Subject, main_tensor

TOLERANCE = 1e-3  # of the spread of the outputs, above which a change is no rounding
EARLY = 0.2  # share of the time after which the model is looked at no more: the runs need the rest
SMALL = 1e-2  # outputs below which scores say nothing


@dataclass
class OutputFacts:
    """How outputs depend on inputs, before any training."""

    shape: tuple[int, ...] = ()
    last: str = ""  # what made the output last, such as "SoftmaxBackward0"
    low: float = -math.inf  # range that the output keeps to, whatever the input
    high: float = math.inf
    zeros: float = 0.0  # share of exact zeros
    outside: float = 0.0  # share of outputs below 0 or above 1
    at_ends: float = 0.0  # share of outputs that are exactly the lowest or the highest one
    sums: tuple[int, ...] = ()  # dimensions along which outputs are shares that sum to one
    log_sums: tuple[int, ...] = ()  # the same for exponentials of outputs
    mixes: float = 0.0  # how far outputs of rows change when OTHER rows change, in spreads of the output
    mixes_dim1: float = math.nan  # the same when rows stand in the second dimension
    own: float = math.nan  # how far outputs change when their own row changes
    own_fresh: float = math.nan  # the same with weights initialised anew, where they hardly change as they are
    between: float = math.nan  # spread of outputs over different rows, relative to their size
    affine: bool = False
    affine_but_pooling: bool = False
    random_eval: bool = False  # two passes in eval mode differ
    keeps: bool = False  # two passes in eval mode differ by what the first one left behind, not by chance
    random_train: bool = False  # two passes in training mode differ though dropout is off
    eval_finite: bool = True  # outputs in eval mode, where those in training mode are
    tiny: float = math.nan  # largest output with weights initialised anew, where outputs are far below 1
    track_free: tuple[str, ...] = ()  # batch norms that use the batch even in eval mode
    grad: bool = True  # whether the output has a gradient at all
    errors: list[str] = field(default_factory=list)


class _Average(TorchFunctionMode):
    """Max-pooling becomes average pooling."""

    SWAP: ClassVar[dict[Any, Any]] = {torch.max_pool1d: F.avg_pool1d, torch.max_pool2d: F.avg_pool2d,
        F.adaptive_max_pool1d: F.adaptive_avg_pool1d, F.adaptive_max_pool2d: F.adaptive_avg_pool2d, F.max_pool1d: F.avg_pool1d,
        F.max_pool2d: F.avg_pool2d}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in self.SWAP:
            take = {"kernel_size", "stride", "padding", "ceil_mode", "output_size"}
            return self.SWAP[func](*args[:4], **{k: v for k, v in kwargs.items() if k in take})
        return func(*args, **kwargs)


def output_facts(subject: Subject) -> OutputFacts:
    """Look at a model in its first state; every part may fail alone."""
    facts = OutputFacts()
    facts.track_free = tuple(name for name, m in subject.model.named_modules()
                             if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.running_mean is None)
    with still_random(subject.model):
        for part in (_first, _randomness, _mixing, _ranges, _fresh, _size, _straight):
            if subject.over(EARLY):
                break
            try:
                part(subject, facts)
            except Exception as error:  # noqa: BLE001 - a model may not take what is tried
                facts.errors.append(f"{part.__name__}: {type(error).__name__}")
    return facts


def _out(subject: Subject, model: Any, inputs: Any = None) -> Any:
    with torch.no_grad():
        return main_tensor(subject.forward(model, inputs))


def _drawn(subject: Subject, model: Any, inputs: Any = None) -> Any:
    """The output where whatever is drawn with torch, numpy or Python is the same each time."""
    torch.manual_seed(0)
    np.random.seed(0)
    random.seed(0)
    return _out(subject, model, inputs)


def _first(subject: Subject, facts: OutputFacts) -> None:
    with subject.bench() as model:
        z = main_tensor(subject.forward(model))
        facts.shape, facts.grad = tuple(z.shape), bool(z.requires_grad)
        node = z.grad_fn
        while node is not None and node.name().split("Backward")[0] in ("View", "UnsafeView", "Squeeze", "Unsqueeze", "Transpose",
                                                                       "Permute", "Clone", "Alias", "Slice", "ToCopy", "Select"):
            node = node.next_functions[0][0] if node.next_functions else None
        facts.last = node.name() if node is not None else ""
        value = z.detach()
        facts.zeros = float((value == 0).float().mean())
        facts.at_ends = float(((value == value.min()) | (value == value.max())).float().mean())
        facts.outside = float(((value < 0) | (value > 1)).float().mean())
        spread = float(value.std(dim=0).mean()) if value.shape[0] > 1 else 0.0
        facts.between = spread / (float(value.abs().mean()) + 1e-12)


def _ranges(subject: Subject, facts: OutputFacts) -> None:
    """Ranges and sums that hold for the batch, for inputs many times as large, and for noise."""
    found = []
    with subject.bench() as model:
        for factor in (1.0, -1.0, 30.0, -30.0, 1e3):
            found.append(_out(subject, model, subject.batch.with_inputs(partial(torch.mul, other=factor), only_float=True).inputs))
        for shift in (-1.0, 1.0):  # weights of the last layers pushed to both sides
            moved = list(model.parameters())[-4:]
            with torch.no_grad():
                for p in moved:
                    p.add_(shift * 10 * (p.abs().mean() + 0.1))
            found.append(_out(subject, model))
    with subject.bench() as model:
        with torch.no_grad():
            for p in model.parameters():
                p.mul_(10 if p.ndim > 1 else 1)
        found.append(_out(subject, model))
    free = bool(subject.batch.floats())  # inputs that could be made larger
    found = [z for z in found if bool(torch.isfinite(z).all())]
    if not found:
        return
    low, high = min(float(z.min()) for z in found), max(float(z.max()) for z in found)
    name = facts.last.split("Backward")[0]
    if name in ("Relu", "Sigmoid", "Softmax", "Threshold", "Softplus", "Abs", "Clamp", "ClampMin", "Exp", "Pow",
            "Hardsigmoid") or (free and low >= 0 and (high <= 1 or facts.zeros > 0.05)):
        facts.low = max(low, 0.0) if low >= 0 else -math.inf
    if facts.low >= 0 and high <= 1:
        facts.low, facts.high = 0.0, 1.0
    elif name == "Tanh" or (free and low >= -1 and high <= 1 and len(found) > 5 and
                             (max(-low, high) > 0.9 or float(found[4].abs().max()) < 10 * float(found[0].abs().max()))):
        facts.low, facts.high = (max(facts.low, -1.0) if low >= -1 else facts.low), (1.0 if high <= 1 else math.inf)
    if high <= 0 and low < 0 and name in ("LogSoftmax", "LogSigmoid", "Neg", "Log"):
        facts.high = 0.0
    z = found[0]
    dims = [d for d in range(z.ndim) if z.shape[d] > 1]
    facts.sums = tuple(d for d in dims if all(_ones(v.sum(d)) and float(v.min()) >= -1e-6 for v in found))
    facts.log_sums = tuple(d for d in dims if all(_ones(v.double().exp().sum(d)) for v in found))


def _ones(value: Any) -> bool:
    return bool(((value - 1).abs() < 1e-3).all())


def _changed(batch: Batch, rows: Any, factor: float = 1.0) -> Any:
    """The rows replaced: by noisy ones for numbers, by other rows of the batch where numbers stand for something."""
    if not batch.plain:
        return batch.other_rows(rows, _others(batch, rows)).inputs

    def change(x: Any) -> Any:
        made = x.clone()
        spread = x.std() if x.numel() > 1 else torch.ones_like(x).mean()
        made[rows] = factor * x[rows].flip(0) + torch.randn_like(x[rows]) * (spread + 1e-3)
        return made
    return batch.with_inputs(change).inputs


def _others(batch: Batch, rows: Any) -> Any:
    """A row of the batch, drawn at random with repeats, in the place of each of some rows."""
    return (rows + torch.randint(1, max(2, batch.n), rows.shape, device=rows.device)) % batch.n


def _mixing(subject: Subject, facts: OutputFacts) -> None:
    """Change the second half of the rows: outputs of the first half must stay, those of the second must not."""
    n = subject.batch.n
    if n < 2 or facts.keeps:
        return
    with subject.bench(training=False) as model:
        wake(model)
        z = _drawn(subject, model)
        if z.shape[0] != n or not bool(torch.isfinite(z).all()):
            return
        size = float(z.abs().mean()) + 1e-12
        spread = max(float(z.std()), 1e-3 * size) if z.numel() > 1 else size
        half = torch.arange(n, device=z.device) < (n + 1) // 2
        mixes = own = 0.0
        for some, size_of in ((half, 1.0), (~half, 1.0), (~half, 10.0)):
            inputs = _changed(subject.batch, torch.nonzero(some).flatten(), size_of)
            moved = (_drawn(subject, model, inputs) - z).abs()
            mixes, own = max(mixes, float(moved[~some].max()) / spread), max(own, float(moved[some].max()) / max(size, spread))
        facts.mixes, facts.own = mixes, own  # only where every pass ran
        x = subject.batch.inputs
        if facts.mixes > TOLERANCE and torch.is_tensor(x) and x.ndim > 1 and z.ndim > 2 and x.shape[1] == z.shape[1] > 1:
            early = torch.arange(x.shape[1], device=z.device) < (x.shape[1] + 1) // 2
            facts.mixes_dim1 = 0.0
            for some in (early, ~early):
                turned = Batch(x.transpose(0, 1), None, int(x.shape[1]), indices=subject.batch.indices)
                other = _changed(turned, torch.nonzero(some).flatten()).transpose(0, 1)
                moved = (_drawn(subject, model, other) - z).abs()[:, ~some]
                facts.mixes_dim1 = max(facts.mixes_dim1, float(moved.max()) / spread)


def _size(subject: Subject, facts: OutputFacts) -> None:
    """How large outputs are with weights as their classes draw them, where they are tiny as they are."""
    with subject.bench() as model:
        if float(_out(subject, model).abs().max()) < SMALL:
            reset(model)
            facts.tiny = float(_out(subject, model).abs().max())


def _fresh(subject: Subject, facts: OutputFacts) -> None:
    """Whether weights as their classes draw them would let the input through."""
    if not facts.own < 1e-4 or facts.random_eval:
        return
    with subject.bench(training=False) as model:
        reset(model)
        wake(model)
        z = _out(subject, model)
        rows = torch.arange(z.shape[0], device=z.device)
        facts.own_fresh = float((_out(subject, model, _changed(subject.batch, rows)) - z).abs().max()) / (float(z.abs().mean())
            + 1e-12)


def _straight(subject: Subject, facts: OutputFacts) -> None:
    """Whether outputs between two inputs lie between the outputs: no curve anywhere."""
    floats = subject.batch.floats()
    weighted = [m for m in subject.model.modules() if isinstance(getattr(m, "weight", None), nn.Parameter) and m.weight.ndim > 1]
    if not floats or len(weighted) < 2 or subject.batch.n < 2 or not torch.is_tensor(subject.batch.inputs):
        return
    if facts.random_eval:
        return
    with subject.bench(training=False) as model:
        wake(model)
        first = _is_affine(subject, model)
        with _Average():
            pooled = first or _is_affine(subject, model)
        if pooled:  # units that are never off look straight: with other weights they need not be
            reset(model)
            wake(model)
            facts.affine = first and _is_affine(subject, model)
            with _Average():
                facts.affine_but_pooling = not facts.affine and _is_affine(subject, model)


def _is_affine(subject: Subject, model: Any) -> bool:
    x = subject.batch.inputs
    other, share = x.flip(0), 0.3
    for size in (1.0, 8.0):
        a, b = size * x, size * (other + torch.randn_like(x) * (x.std() + 1e-3))
        za, zb, zc = (_centred(subject, _out(subject, model, v)) for v in (a, b, share * a + (1 - share) * b))
        gap = (zc - (share * za + (1 - share) * zb)).abs().max()
        if not float(gap) <= 1e-3 * float((za - zb).abs().max()) or float((za - zb).abs().max()) < 1e-9:
            return False
    return True


def _centred(subject: Subject, z: Any) -> Any:
    """Scores up to a constant a row, with a softmax at the end undone."""
    z = z.double()
    if z.ndim == 2 and z.shape[1] > 1:
        if _ones(z.sum(1)) and float(z.min()) >= 0:
            z = z.clamp_min(1e-300).log()
        elif not _ones(z.exp().sum(1)):
            return z
        return z - z.mean(1, keepdim=True)
    return z


def _same_again(subject: Subject) -> bool:
    """Whether a second pass in eval mode gives the same where it draws the same random numbers."""
    found = []
    with subject.bench(training=False) as model:
        for _ in range(2):
            found.append(_drawn(subject, model))
    return bool(torch.allclose(found[0], found[1], rtol=1e-4, atol=1e-6))


def _randomness(subject: Subject, facts: OutputFacts) -> None:
    for training in (False, True):
        with subject.bench(training=training) as model:
            first, second = _out(subject, model), _out(subject, model)
            finite = bool(torch.isfinite(first).all())
        differs = float((first - second).abs().max()) > 1e-5 * (float(first.abs().mean()) + 1e-12)
        if training:
            facts.random_train, facts.eval_finite = differs, facts.eval_finite or not finite
        else:
            facts.random_eval, facts.eval_finite = differs, finite
            facts.keeps = differs and not _same_again(subject)
