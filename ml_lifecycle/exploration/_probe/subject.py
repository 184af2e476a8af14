"""The three things that are looked at together: a model, a batch and a loss; and a bench to try things on."""

import contextlib
import copy
import inspect
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from ml_lifecycle.exploration._probe.batch import Batch, as_batch, mapped, tensors_in
from ml_lifecycle.exploration._probe.clock import Clock
from ml_lifecycle.exploration._probe.state import Snapshot, regularization_off
from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.errors import BadInputError

LAZY = "`model` must have initialised parameters. Got lazy ones. Run model(inputs) once first."


@dataclass
class Subject:
    """Model, batch and loss as given; `bench` hands out a model in the first state for anything that may spoil it."""

    model: Any
    batch: Batch
    loss_fn: Any
    clock: Clock
    start: Snapshot = field(init=False)
    spare: Any = field(init=False, default=None)  # the copy to work on; the model itself where it cannot be copied
    switched_off: list[str] = field(init=False, default_factory=list)
    reorders: bool = field(init=False, default=False)  # the step feeds other inputs than those of the batch, or in another order
    touches: bool = field(init=False, default=False)  # the model or the step changes its inputs in place: they get copies

    def __post_init__(self) -> None:
        self.start = Snapshot(self.model)
        try:
            self.spare = copy.deepcopy(self.model)
            _hooks_too(self.model, self.spare)
        except Exception:  # noqa: BLE001 - whatever a model cannot do, it is then worked on in place and restored
            self.spare = self.model
        self.first = Snapshot(self.spare)
        probe = self.spare
        self.switched_off = regularization_off(probe)
        self.first.restore()

    @contextlib.contextmanager
    def bench(self, *, training: bool | None = None) -> Iterator[Any]:
        """The model in its first state, dropout off, all of it yours until the end of the block."""
        self.first.restore()
        try:
            regularization_off(self.spare)
            if training is not None:
                self.spare.train(training)
            yield self.spare
        finally:
            self.first.restore()

    @property
    def late(self) -> bool:
        """Whether the time for probes is over."""
        return self.over(1.0)

    def over(self, share: float) -> bool:
        """Whether so much of the time is over."""
        return self.clock.over(share)

    def forward(self, model: Any, inputs: Any = None) -> Any:
        """The output of a model for inputs as a person would call it."""
        inputs = self.batch.inputs if inputs is None else inputs
        if self.touches:
            inputs = mapped(lambda value: value.clone() if torch.is_tensor(value) else value, inputs)
        if isinstance(inputs, Mapping):
            return model(**inputs) if _takes(model, inputs) else model(inputs)
        return model(*inputs) if isinstance(inputs, tuple) else model(inputs)

    def look_at_inputs(self, model: Any) -> None:
        """Find out whether a forward pass changes the inputs, and put them back."""
        before = [t.clone() for t in self.batch.tensors()]
        try:
            self.forward(model)
        finally:
            for t, content in zip(self.batch.tensors(), before):
                if not torch.equal(torch.nan_to_num(t), torch.nan_to_num(content)):
                    self.touches = True
                    t.copy_(content)

    def loss(self, output: Any, targets: Any = None) -> Any:
        """The loss as one number (a tensor)."""
        return scalar(self.loss_fn(output, self.batch.targets if targets is None else targets))

    @property
    def device(self) -> Any:
        """Where the model lives."""
        return next(self.model.parameters()).device


def _hooks_too(model: Any, twin: Any) -> None:
    """Hooks on the gradients of parameters, which deepcopy leaves behind."""
    for p, q in zip(model.parameters(), twin.parameters()):
        for hook in (p._backward_hooks or {}).values():
            q.register_hook(hook)


def scalar(value: Any) -> Any:
    """A loss of shape () or (1,), else a BadInputError."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return torch.tensor(float(value))
    if not torch.is_tensor(value):
        raise BadInputError(f"`loss_fn` must return one number as a tensor. Got {type(value).__name__}: {shown(value, 40)}.")
    if value.numel() != 1:
        raise BadInputError(f"`loss_fn` must return one number. Got a tensor of shape {tuple(value.shape)}. Average it: "
                            "reduction='mean', or loss.mean().")
    return value.reshape(())


def _takes(model: Any, inputs: Mapping[str, Any]) -> bool:
    parameters = inspect.signature(model.forward).parameters.values()
    names = {p.name for p in parameters}
    return set(map(str, inputs)) <= names or any(p.kind is p.VAR_KEYWORD for p in parameters)


def as_subject(model: Any, batch: Any, loss_fn: Any, seconds: float) -> Subject:
    """Checked at the edge; raises BadInputError in one line before any work."""
    if not isinstance(model, nn.Module):
        raise BadInputError(f"`model` must be a torch.nn.Module, or have fit or partial_fit. Got {type(model).__name__}.")
    if any(isinstance(p, (nn.parameter.UninitializedParameter, nn.parameter.UninitializedBuffer)) for p in (*model.parameters(),
            *model.buffers())):
        raise BadInputError(LAZY)
    first = next(model.parameters(), None)
    if first is None:
        raise BadInputError(f"`model` must have parameters to fit. Got {type(model).__name__} without any. Register its layers as "
                            "attributes or in nn.ModuleList, not in a plain list.")
    if not callable(loss_fn):
        raise BadInputError(f"`loss_fn` must be a function of (output, targets). Got {shown(loss_fn)}. Try nn.CrossEntropyLoss().")
    taken = as_batch(batch, first.device)
    looked_up = any(isinstance(m, (nn.Embedding, nn.EmbeddingBag)) for m in model.modules())
    if looked_up and all(t.is_floating_point() and bool((t == t.round()).all()) for t in taken.tensors()):
        taken = replace(taken, indices=True)  # the model makes whole numbers of them itself
    return Subject(model, taken, loss_fn, Clock(seconds, processor=first.device.type == "cpu"))


# the tensor in an output that may be a structure

def main_tensor(output: Any) -> Any:
    """The tensor of scores in an output; None where there is none."""
    if torch.is_tensor(output):
        return output
    logits = getattr(output, "logits", None)
    if logits is None and isinstance(output, Mapping):
        logits = output.get("logits", next((v for v in output.values() if torch.is_tensor(v)), None))
    if logits is None and isinstance(output, (tuple, list)):
        logits = next((v for v in output if torch.is_tensor(v)), None)
    return logits if torch.is_tensor(logits) else None


def detached(output: Any) -> Any:
    """The same structure without its graph."""
    if torch.is_tensor(output):
        return output.detach()
    if isinstance(output, (tuple, list)):
        parts = [detached(v) for v in output]
        return type(output)(*parts) if hasattr(output, "_fields") else type(output)(parts)
    if isinstance(output, Mapping):
        made = copy.copy(output)
        for key, value in output.items():
            made[key] = detached(value)  # type: ignore[index]
        return made
    return output


def with_tensor(output: Any, tensor: Any) -> Any:
    """The same structure with another tensor of scores."""
    if torch.is_tensor(output):
        return tensor
    old = main_tensor(output)
    if isinstance(output, (tuple, list)):
        parts = [tensor if v is old else v for v in output]
        return type(output)(*parts) if hasattr(output, "_fields") else type(output)(parts)
    made = copy.copy(output)
    if isinstance(made, Mapping):
        key = next(k for k in made if made[k] is old)
        made[key] = tensor  # type: ignore[index]
    else:
        made.logits = tensor
    return made


def float_tensors(output: Any) -> list[Any]:
    """Every tensor of real numbers in an output, the scores first."""
    main = main_tensor(output)
    found = [t for t in tensors_in(output) if t.is_floating_point()]
    return [main, *(t for t in found if t is not main)] if any(t is main for t in found) else [main]


def with_tensors(output: Any, tensors: list[Any]) -> Any:
    """The same structure with others in the place of `float_tensors` of it."""
    new = dict(zip(map(id, float_tensors(output)), tensors))

    def part(value: Any) -> Any:
        if isinstance(value, (tuple, list)):
            parts = [part(v) for v in value]
            return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
        if isinstance(value, Mapping):
            made = copy.copy(value)
            for key in value:
                made[key] = part(value[key])  # type: ignore[index]
            return made
        return new.get(id(value), value)
    return part(output)


@contextlib.contextmanager
def quiet() -> Iterator[list[Any]]:
    """Warnings are kept, not shown; gradients are on whatever the caller has set."""
    with warnings.catch_warnings(record=True) as caught, torch.inference_mode(False), torch.enable_grad():
        warnings.simplefilter("always")
        yield caught
