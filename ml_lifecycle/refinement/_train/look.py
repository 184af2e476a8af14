"""Looks at a model and its optimizer from inside a hook: cheap, without waiting for a device, and without a trace."""

import contextlib
from typing import Any

import torch
from torch import nn

from ml_lifecycle.exploration._probe.inside import MODAL
from ml_lifecycle.refinement._train.record import MOST, Pass

SAMPLED, FEW = 4, 64  # tensors whose gradient is measured; weights that are compared
UNITS, WIDE = 12, 65_536  # looks at units, each end; numbers of each look, about
PAD_SHARE = 0.02  # of the places of padding at least


class Looks:
    """What can be seen of a model at one moment."""

    def __init__(self, model: Any) -> None:
        self.model, self.most = model, MOST
        self.on = False  # whether units of ReLU are looked at in the pass under way
        self.turn = 0
        self.tokens: Any = None
        self.reached: list[Pass] = []  # passes that the backward call under way has come to
        self.scale: Any = None
        self.known_padding = {int(m.padding_idx) for m in model.modules() if isinstance(m,
                nn.Embedding) and m.padding_idx is not None}
        self.modal = [(name or type(m).__name__, m) for name, m in model.named_modules() if depends_on_mode(m)]
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.ids = {id(p) for p in model.parameters()}
        self.inside = {id(m) for m in model.modules()}
        some = [p for p in self.parameters if p.numel() <= 4_000_000 and p.ndim > 1] or self.parameters
        self.sampled = [some[i * (len(some) - 1) // max(1, SAMPLED - 1)] for i in range(min(SAMPLED, len(some)))]
        self.weight = max(some, key=lambda p: min(p.numel(), FEW), default=None)

    def modes(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Layers that depend on the mode: those in training, those in evaluation."""
        live = tuple(name for name, m in self.modal if m.training)
        return live, tuple(name for name, m in self.modal if not m.training) if len(live) < len(self.modal) else ()

    def slice(self) -> Any:
        """A few weights."""
        return None if self.weight is None else self.weight.detach().reshape(-1)[:FEW].clone()

    def version(self) -> int:
        """How often a weight has been written to."""
        return -1 if self.weight is None else self.weight._version

    def norm(self) -> Any:
        """Length of the gradient of a few tensors; None where none has one."""
        found = [p.grad for p in self.sampled if p.grad is not None and p.grad.layout is torch.strided]
        if not found:
            return None
        return torch.stack([torch.linalg.vector_norm(g, dtype=torch.float32) for g in found]).norm()

    def concerns(self, owner: Any) -> bool:
        """Whether gradients of this model are among those that a module or an optimizer zeroes."""
        if isinstance(owner, nn.Module):
            return owner is self.model or id(owner) in self.inside or any(m is self.model for m in owner.modules())
        return any(id(p) in self.ids for g in owner.param_groups for p in g["params"])

    def gradient_mark(self) -> tuple[Any, int] | None:
        """A gradient and its version, to see later whether it was zeroed."""
        found = [p.grad for p in self.sampled if p.grad is not None]
        return (found[0], found[0]._version) if found else None

    def unchanged(self, mark: tuple[Any, int]) -> bool:
        """Whether a gradient is there as it was."""
        return mark[0]._version == mark[1] and any(p.grad is mark[0] for p in self.sampled)

    def held(self, parameters: list[Any]) -> tuple[float, frozenset[int]]:
        """The share of the model's parameters to train that an optimizer holds, and what it holds."""
        ids = {id(p) for p in parameters}
        total = sum(p.numel() for p in self.parameters)
        return sum(p.numel() for p in self.parameters if id(p) in ids) / max(1, total), frozenset(ids)

    def missing(self, parameters: list[Any]) -> tuple[str, ...]:
        """Parameters that have a gradient, and are not held."""
        ids = {id(p) for p in parameters}
        return tuple(n for n, p in self.model.named_parameters() if p.requires_grad and p.grad is not None and id(p) not in ids)

    def age(self, optimizer: Any) -> Any:
        """How many steps an optimizer remembers, of one parameter."""
        first = next((s for s in optimizer.state.values() if isinstance(s, dict) and "step" in s), None)
        step = None if first is None else first["step"]
        return step.detach().clone() if torch.is_tensor(step) else step

    def follow(self, outputs: list[Any], one: Pass, tokens: Any) -> None:
        """Know of the gradient that comes back to outputs, and look at it where there is something to see."""
        padding = None
        if tokens is not None and not tokens.is_floating_point() and tokens.dtype is not torch.bool:
            padding = padding_of(tokens.cpu(), self.known_padding)

        def back(gradient: Any) -> None:
            with torch.no_grad(), contextlib.suppress(Exception):
                if not any(known is one for known in self.reached):
                    self.reached.append(one)
                if gradient.dtype is torch.float16 and one.half is None:
                    one.half = (gradient == 0).float().mean()
                if padding is not None and one.padding is None:
                    one.padding = counted(gradient, padding)
        for output in {id(t): t for t in outputs}.values():
            output.register_hook(back)

    def units(self, out: Any, one: Pass | None, alive: dict[int, list[tuple[int, Any]]]) -> None:
        """Which units of a ReLU are above zero for some row."""
        if one is None or not torch.is_tensor(out) or out.ndim < 2 or out.shape[0] < 8:
            return
        looks = alive.setdefault(self.turn, [])
        self.turn += 1
        axis = 1 if out.ndim in (2, 4) or out.ndim == 3 and out.shape[1] != out.shape[2] else -1
        flat = out.detach().movedim(axis, -1).flatten(0, -2)
        looks.append((one.number, (flat[::1 + flat.numel() // WIDE] > 0).any(0)))
        if len(looks) > 2 * UNITS:
            del looks[UNITS]


def depends_on_mode(module: Any) -> bool:
    """Whether a layer does something else in training: BatchNorm with running statistics, dropout above 0."""
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        return module.running_mean is not None
    p: Any = getattr(module, "p" if isinstance(module, MODAL) else "dropout", 0)
    return isinstance(module, (*MODAL, nn.RNNBase, nn.MultiheadAttention)) and isinstance(p, (int, float)) and p > 0


def padding_of(tokens: Any, known: set[int]) -> Any:
    """Which places of (rows, places) hold padding; None where there is none, or none that is sure."""
    if len(tokens) < 2 or tokens.shape[1] < 3:
        return None
    for value in known:
        mask = tokens == value
        if PAD_SHARE <= float(mask.float().mean()) < 1:
            return mask
    for ends in (tokens, tokens.flip(1)):
        value = int(ends[:, -1].mode().values)
        run = (ends == value).flip(1).long().cumprod(1).flip(1).bool()
        lengths = run.sum(1)
        inside = int(((ends == value) & ~run).sum())
        several = int((lengths >= 2).sum())
        if several >= max(2, len(tokens) // 5) and inside == 0 and int(lengths.max()) > int(lengths.min()):
            return run if ends is tokens else run.flip(1)
    return None


def counted(gradient: Any, padding: Any) -> tuple[int, Any] | None:
    """How many places of padding there are, and how many of them the loss counts."""
    rows, places = padding.shape
    size = gradient.abs()
    if size.ndim == 3 and size.shape[:2] == (rows, places):
        size = size.sum(2)
    elif size.ndim == 3 and (size.shape[0], size.shape[2]) == (rows, places):
        size = size.sum(1)
    elif size.ndim == 2 and len(size) == rows * places:
        size = size.sum(1).reshape(rows, places)
    elif size.shape != padding.shape or size.ndim != 2:
        return None
    mask = padding.to(size.device)
    return int(padding.sum()), (mask & (size > 0)).sum()
