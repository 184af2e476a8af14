"""One training step, the person's own or a plain one, watched from outside through hooks."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from ml_lifecycle.exploration._probe.batch import tensors_in
from ml_lifecycle.exploration._probe.state import OptimizerSnapshot, decay_off
from ml_lifecycle.exploration._probe.subject import Subject, main_tensor
from ml_lifecycle.foundation.errors import BadInputError

NAMES = {"model": "model", "net": "model", "network": "model", "module": "model", "batch": "batch", "data": "batch", "xy": "batch",
    "optimizer": "optimizer", "optim": "optimizer", "opt": "optimizer", "optimiser": "optimizer", "loss_fn": "loss_fn",
    "criterion": "loss_fn", "loss_function": "loss_fn", "loss_func": "loss_fn", "objective": "loss_fn", "x": "inputs",
    "xb": "inputs", "inputs": "inputs", "X": "inputs", "y": "targets", "yb": "targets", "targets": "targets", "target": "targets",
    "labels": "targets",}
BY_COUNT = {0: (), 1: ("batch",), 2: ("model", "batch"), 3: ("model", "batch", "optimizer"),
            4: ("model", "batch", "loss_fn", "optimizer")}
LOSSES = {getattr(F, n) for n in (
    "cross_entropy", "nll_loss", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy",
    "binary_cross_entropy_with_logits", "kl_div", "gaussian_nll_loss", "poisson_nll_loss", "multilabel_soft_margin_loss",
    "soft_margin_loss", "multi_margin_loss")}


def roles_of(train_step: Callable[..., Any]) -> tuple[str, ...]:
    """Which arguments a training step takes, from their names, else from how many there are."""
    try:
        given = inspect.signature(train_step).parameters.values()
    except (TypeError, ValueError):
        return BY_COUNT[3]
    asked = [p.name for p in given if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and
             (p.default is p.empty or p.name in NAMES)]
    named = [NAMES.get(name.lstrip("_").lower(), NAMES.get(name, "")) for name in asked]
    if all(named) and len(set(named)) == len(named):
        return tuple(named)
    if len(asked) not in BY_COUNT:
        raise BadInputError("`train_step` must take (model, batch), (model, batch, optimizer) or (model, batch, loss_fn, "
            f"optimizer). Got ({', '.join(asked)}). Wrap it in a function of these.")
    return BY_COUNT[len(asked)]


def _needs_closure(optimizer: Any) -> bool:
    """Whether a step of an optimizer asks for a function that computes the loss."""
    closure = inspect.signature(type(optimizer).step).parameters.get("closure")
    return closure is not None and closure.default is closure.empty


@dataclass
class Look:
    """What one watched step did."""

    events: list[str] = field(default_factory=list)  # "forward", "backward" and "step" in the order they came
    calls_step_with_closure: bool = False
    training: dict[str, bool] = field(default_factory=dict)  # mode of each module at the forward pass
    grad_mode: bool = False  # some forward pass ran with gradients on
    seen_inputs: list[Any] = field(default_factory=list)
    seen_targets: list[Any] = field(default_factory=list)
    before: list[Any] = field(default_factory=list)  # parameters
    left_over: list[Any] = field(default_factory=list)  # gradients from earlier
    at_step: list[Any] | None = None  # gradients when the optimizer steps
    move: list[Any] = field(default_factory=list)  # how the parameters changed
    at_start: list[Any] | None = None  # parameters when the optimizer is about to step
    at_end: list[Any] | None = None  # parameters when it has stepped last
    clean: list[Any] | None = None  # gradients of loss_fn on the batch at the same parameters
    touched: bool = False  # the batch was changed in place
    used: list[Any] = field(default_factory=list)  # rows of each output that got a gradient
    others: bool = False  # an optimizer stepped that holds nothing of the model


    @property
    def rows(self) -> int | None:
        """Rows that got a gradient, over all forward passes of the step; None where no output was heard of."""
        return sum(int(u) for u in self.used) if self.used else None


class _Ear(TorchFunctionMode):
    """Hears which targets the losses of a step are given."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self.look = look

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in LOSSES:
            target = kwargs.get("target", args[1] if len(args) > 1 else None)
            if torch.is_tensor(target):
                self.look.seen_targets.append(target.detach().clone())
        return func(*args, **kwargs)


class Stepper:
    """Does steps on a model with an optimizer; knows every optimizer that was seen to step."""

    def __init__(self, subject: Subject, model: Any, optimizer: Any, train_step: Any = None, *, decay: bool = False,
                 factor: float = 1.0) -> None:
        self.subject, self.model, self.optimizer, self.train_step = subject, model, optimizer, train_step
        self.roles = roles_of(train_step) if train_step is not None else ()
        self.decay, self.factor = decay, factor
        self.closure = optimizer is not None and _needs_closure(optimizer)
        self.look: Look | None = None
        self.decay_was: list[str] = []
        self.optimizers: dict[int, OptimizerSnapshot] = {}
        self.output: Any = None
        self.norm: Any = None
        self.strangers: dict[int, OptimizerSnapshot] = {}  # optimizers of other models, which come back as they were too
        self.handles: list[Any] = []
        self.parameters = list(model.parameters())
        if optimizer is not None:
            self._meet(optimizer)

    def __enter__(self) -> "Stepper":
        from torch.optim import optimizer as module

        self.handles = [self.model.register_forward_pre_hook(self._enters, with_kwargs=True),
            self.model.register_forward_hook(self._leaves), module.register_optimizer_step_pre_hook(self._steps),
            module.register_optimizer_step_post_hook(self._stepped)]
        for p in self.parameters:
            if p.requires_grad and p.is_leaf:
                self.handles.append(p.register_post_accumulate_grad_hook(self._backward))
        return self

    def __exit__(self, *exc: Any) -> None:
        for handle in self.handles:
            handle.remove()
        for snapshot in (*self.optimizers.values(), *self.strangers.values()):
            snapshot.restore()

    def _meet(self, optimizer: Any) -> None:
        """Keep what an optimizer is like, then set it up for the probe."""
        if id(optimizer) not in self.optimizers:
            self.optimizers[id(optimizer)] = OptimizerSnapshot(optimizer)
            self.decay_was += [] if self.decay else decay_off(optimizer)
            for group in optimizer.param_groups:
                group["lr"] = group["lr"] * self.factor if "lr" in group else 0.0

    def _enters(self, module: Any, args: Any, kwargs: Any) -> None:
        if self.look is not None:
            self.look.events.append("forward")
            self.look.grad_mode |= torch.is_grad_enabled()
            if len(self.look.events) == 1:
                self.look.training = {name: m.training for name, m in module.named_modules()}
                self.look.seen_inputs = [t.detach().clone() for t in tensors_in([list(args), dict(kwargs)])]

    def _leaves(self, module: Any, args: Any, output: Any) -> None:
        if self.output is None:
            self.output = output
        look, z = self.look, main_tensor(output)
        if look is not None and z is not None and z.ndim and z.requires_grad:
            z.register_hook(lambda g: look.used.append((g.detach().reshape(g.shape[0], -1) != 0).any(1).sum()))

    def _backward(self, parameter: Any) -> None:
        if self.look is not None and self.look.events[-1:] != ["backward"]:
            self.look.events.append("backward")

    def _steps(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        mine = {id(p) for p in self.parameters}
        if not any(id(p) in mine for g in optimizer.param_groups for p in g["params"]) and optimizer is not self.optimizer:
            if id(optimizer) not in self.strangers:
                self.strangers[id(optimizer)] = OptimizerSnapshot(optimizer)
            if self.look is not None:
                self.look.others = True
            return
        self._meet(optimizer)
        grads = [p.grad for p in self.parameters if p.grad is not None]
        if grads and all(g.layout == torch.strided for g in grads):
            self.norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm([g.detach() for g in grads])))
        if self.look is not None:
            self.look.events.append("step")
            self.look.calls_step_with_closure |= bool(args[1:] or kwargs)
            if self.look.at_start is None:
                self.look.at_start = _copies(self.parameters)
            if self.look.at_step is None:
                self.look.at_step = _copies(p.grad for p in self.parameters)

    def _stepped(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if self.look is not None and self.look.at_start is not None:
            self.look.at_end = _copies(self.parameters)

    def step(self) -> None:
        """One step."""
        self.output = self.norm = None
        if self.train_step is None:
            self._plain()
            return
        batch = self.subject.batch
        if self.subject.touches:
            batch = batch.copy()
        parts = {"model": self.model, "batch": batch.pair, "optimizer": self.optimizer, "loss_fn": self.subject.loss_fn,
                 "inputs": batch.inputs, "targets": batch.targets}
        self.train_step(*(parts[role] for role in self.roles))

    def _plain(self) -> None:
        def evaluate() -> Any:
            self.optimizer.zero_grad()
            loss = self.subject.loss(self.subject.forward(self.model))
            loss.backward()
            return loss
        if self.closure:
            self.optimizer.step(evaluate)
        else:
            evaluate()
            self.optimizer.step()

    def watched(self) -> Look:
        """One step that is looked at: what it did to gradients and parameters, beside what the loss alone asks for."""
        look = self.look = Look()
        batch = [*tensors_in(self.subject.batch.inputs), *tensors_in(self.subject.batch.targets)]
        versions, contents = [t._version for t in batch], _copies(batch)
        look.before, look.left_over = _copies(self.parameters), _copies(p.grad for p in self.parameters)
        state = torch.get_rng_state()
        try:
            with _Ear(look):
                self.step()
        finally:
            self.look = None
        if any(t._version != v for t, v in zip(batch, versions)):
            look.touched = any(not torch.equal(t, c) for t, c in zip(batch, contents))
            self.subject.touches |= look.touched
            for t, c in zip(batch, contents):
                t.copy_(c)
        self.subject.reorders |= bool(look.seen_inputs) and look.seen_inputs[0].shape == batch[0].shape and \
            not torch.equal(torch.nan_to_num(look.seen_inputs[0]), torch.nan_to_num(batch[0]))
        look.move = [p.detach() - b for p, b in zip(self.parameters, look.before)]
        self._compare(look, state)
        return look

    def _compare(self, look: Look, state: Any) -> None:
        """The gradient of the loss itself, at the parameters and in the mode of the step that has just been done."""
        after, later = _copies(self.parameters), torch.get_rng_state()
        buffers = [(b, b.detach().clone()) for b in self.model.buffers()]
        modes = {name: m.training for name, m in self.model.named_modules()}
        try:
            self._put(look.before)
            for name, module in self.model.named_modules():
                module.training = look.training.get(name, module.training)
            torch.set_rng_state(state)
            look.clean = clean_gradients(self.subject, self.model)
        finally:
            self._put(after)
            torch.set_rng_state(later)
            with torch.no_grad():
                for b, content in buffers:
                    b.copy_(content)
            for name, module in self.model.named_modules():
                module.training = modes[name]

    def _put(self, values: list[Any]) -> None:
        with torch.no_grad():
            for p, value in zip(self.parameters, values):
                p.copy_(value)


def _copies(values: Any) -> list[Any]:
    return [None if v is None else v.detach().clone() for v in values]


def clean_gradients(subject: Subject, model: Any) -> list[Any] | None:
    """Gradients of the loss on the batch for every parameter, None where there is none; None when there is no graph."""
    loss = subject.loss(subject.forward(model))
    if not loss.requires_grad:
        return None
    wanted = [p for p in model.parameters() if p.requires_grad]
    found = dict(zip(map(id, wanted), torch.autograd.grad(loss, wanted, allow_unused=True)))
    return [found.get(id(p)) for p in model.parameters()]
