"""What a probe touches comes back as it was: parameters, buffers, modes, gradients, optimizers, random states."""

import contextlib
import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from ml_lifecycle.foundation._random import undisturbed

_INTERNAL = set(nn.Module().__dict__) - {"training"}
_DICTS = ("_parameters", "_buffers", "_modules")


class Content:
    """The content of tensors that may be written to."""

    def __init__(self) -> None:
        self.kept: dict[int, tuple[Any, Any, Any]] = {}

    def add(self, value: Any) -> None:
        """Keep a copy of a tensor; of one that is kept already nothing more."""
        if torch.is_tensor(value) and id(value) not in self.kept:
            self.kept[id(value)] = (value, value.data, value.detach().clone())

    def restore(self) -> None:
        """Write the content back where it differs in storage or value."""
        with torch.no_grad():
            for value, data, clone in self.kept.values():
                if value.data_ptr() != data.data_ptr() or value.shape != data.shape:
                    value.data = data
                value.data.copy_(clone)


class Snapshot:
    """A model as it is now: modules, tensors and their gradients, flags, and plain attributes."""

    def __init__(self, model: Any) -> None:
        self.content = Content()
        self.modules = [(m, {d: dict(getattr(m, d)) for d in _DICTS}, self._plain(m)) for m in model.modules()]
        self.flags: list[tuple[Any, bool, Any]] = []
        for p in model.parameters():
            self.flags.append((p, p.requires_grad, p.grad))
            self.content.add(p)
            self.content.add(p.grad)
        for b in model.buffers():
            self.content.add(b)

    def _plain(self, module: Any) -> dict[str, tuple[Any, Any]]:
        found = {}
        for key, value in module.__dict__.items():
            if key not in _INTERNAL:
                self.content.add(value)
                found[key] = (value, copy.copy(value) if type(value) in (list, dict, set) else None)
        return found

    def restore(self) -> None:
        """Everything as it was; what was added since is gone."""
        for module, dicts, plain in self.modules:
            for name, saved in dicts.items():
                current = getattr(module, name)
                if list(current) != list(saved) or any(current[k] is not saved[k] for k in saved):
                    current.clear()
                    current.update(saved)
            for key in [k for k in module.__dict__ if k not in _INTERNAL and k not in plain]:
                del module.__dict__[key]
            for key, (value, inner) in plain.items():
                module.__dict__[key] = value
                if inner is not None:
                    _refill(value, inner)
        self.content.restore()
        for p, requires_grad, grad in self.flags:
            if p.is_leaf:
                p.requires_grad_(requires_grad)
            p.grad = grad


def _refill(value: Any, inner: Any) -> None:
    value.clear()
    value.extend(inner) if isinstance(value, list) else value.update(inner)


class OptimizerSnapshot:
    """An optimizer as it is now, with every tensor that it may write to."""

    def __init__(self, optimizer: Any) -> None:
        self.optimizer, self.content = optimizer, Content()
        self.groups = [dict(g) for g in optimizer.param_groups]
        self.lists = [list(g["params"]) for g in optimizer.param_groups]
        self.grads = [(p, p.grad) for g in self.lists for p in g]
        for p, grad in self.grads:
            self.content.add(p)
            self.content.add(grad)
        self.state = {p: dict(s) if isinstance(s, dict) else s for p, s in optimizer.state.items()}
        for values in self.state.values():
            for value in values.values() if isinstance(values, dict) else ():
                self.content.add(value)
        self.scalars = {k: v for k, v in vars(optimizer).items() if isinstance(v, (int, float, bool, str, type(None)))}

    def restore(self) -> None:
        """State, settings and parameters as they were."""
        optimizer = self.optimizer
        del optimizer.param_groups[len(self.groups):]
        for group, saved, params in zip(optimizer.param_groups, self.groups, self.lists):
            group.clear()
            group.update(saved)
            group["params"] = params
        optimizer.state.clear()
        for p, values in self.state.items():
            optimizer.state[p] = dict(values) if isinstance(values, dict) else values
        vars(optimizer).update(self.scalars)
        self.content.restore()
        for p, grad in self.grads:
            p.grad = grad


@contextlib.contextmanager
def still_random(model: Any) -> Iterator[None]:
    """Python's, numpy's and torch's random states (of the devices of the model) come back afterwards."""
    devices = sorted({t.device.index or 0 for t in (*model.parameters(), *model.buffers()) if t.device.type == "cuda"})
    with undisturbed(), torch.random.fork_rng(devices=devices):
        yield


def regularization_off(model: Any) -> list[str]:
    """Dropout of modules set to 0 in place; says what was switched off."""
    off = []
    for name, module in model.named_modules():
        is_drop = isinstance(module, nn.modules.dropout._DropoutNd)
        key = "p" if is_drop else "dropout"
        value = module.__dict__.get(key)
        if isinstance(value, float) and not isinstance(value, bool) and 0 < value <= 1 and \
                (is_drop or isinstance(module, (nn.RNNBase, nn.MultiheadAttention)) or not list(module.children())):
            setattr(module, key, 0.0)
            off.append(f"{name or type(module).__name__} ({key}={value:g})")
    return off


def decay_off(optimizer: Any) -> list[str]:
    """Weight decay of an optimizer set to 0 in place; says what was switched off."""
    off = []
    for group in optimizer.param_groups:
        if group.get("weight_decay"):
            off.append(f"weight_decay={float(group['weight_decay']):g}")
            group["weight_decay"] = 0.0
    return off[:1]


def reset(model: Any) -> None:
    """Every layer initialised anew, as its class does it; everything trainable."""
    for module in model.modules():
        if callable(getattr(module, "reset_parameters", None)):
            module.reset_parameters()
        elif callable(getattr(module, "_reset_parameters", None)):
            module._reset_parameters()


def wake(model: Any) -> None:
    """Weights and gates that are all zero get small random numbers: zero is a usual start, and hides what stands before it."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "bias" not in name and p.is_floating_point() and not bool(p.any()):
                p.normal_(0, 0.1)
