"""The watch over a loop: hooks on model, loss, gradients, optimizer and loader that read and never write."""

import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import lr_scheduler
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from ml_lifecycle.exploration._probe.batch import TARGET_KEYS
from ml_lifecycle.exploration._probe.subject import main_tensor
from ml_lifecycle.refinement._train.look import Looks
from ml_lifecycle.refinement._train.patch import LOSSES, Patches
from ml_lifecycle.refinement._train.record import Backward, LossCall, Pass, Seen, Step, Visit
from ml_lifecycle.refinement._train.rows import hashes, numbers, rows_in, tensors
from ml_lifecycle.refinement._train.watch_loader import Loaders, written_in_python

FIRST, ALWAYS = 40, 400  # passes, and steps, that are looked at in any case; passes whose units are, now and then
ROWS = 3000  # of a source of which numbers are kept
LARGE, NUMBERS = 65_536, 5_000_000  # targets of a batch that are kept; targets, and rows, in all


class Watch(Loaders):
    """Records a loop between `start` and `stop`."""

    def __init__(self, model: Any, given: dict[str, Any]) -> None:
        super().__init__(given)
        self.model, self.patches = model, Patches()
        self.looks = Looks(model)
        self.current: Pass | None = None
        self.unfollowed: list[Pass] = []  # passes whose output holds no tensor that is known of
        self.numbers_kept = self.rows = 0
        self.roots: list[Any] = []  # losses before they were scaled
        self.depth = self.inner = self.lost = 0
        self.since: list[Backward] = []
        self.unscaled = False
        self.in_step = False
        self.numbers: dict[int, tuple[Any, int]] = {}  # id of an optimizer -> it, its number
        self.mark: tuple[Any, int] | None = None  # a gradient, and its version, after a step
        self.weight_version: int | None = None

    def start(self) -> None:
        """Begin to watch."""
        patches = self.patches
        patches.hook(self.model.register_forward_pre_hook(self._before, with_kwargs=True, prepend=True))
        patches.hook(self.model.register_forward_hook(self._after, with_kwargs=True))
        patches.hook(register_optimizer_step_pre_hook(self._stepping))
        patches.hook(register_optimizer_step_post_hook(self._stepped))
        patches.around(torch.autograd, "backward", self._backward)
        patches.around(torch.optim.Optimizer, "zero_grad", self._zeroing)
        patches.around(nn.Module, "zero_grad", self._zeroing)
        patches.around(F, "relu", self._relu)
        for name in LOSSES:
            patches.around(F, name, partial(self._loss, name))
        for owner in (nn.utils, nn.utils.clip_grad):
            patches.around(owner, "clip_grad_norm_", self._clipping)
        patches.around(torch.utils.data.DataLoader, "__iter__", self._iterating)
        patches.around(torch.utils.data.dataloader._BaseDataLoaderIter, "__next__", self._giving)
        for kind in {type(loader) for loader in self.loaders}:  # others than those of torch
            if not issubclass(kind, torch.utils.data.DataLoader) and written_in_python(kind):
                patches.around(kind, "__iter__", self._iterating_other)
        for kind in schedules(lr_scheduler.LRScheduler):
            patches.around(kind, "step", self._scheduling)
        for name in ("scale", "step", "unscale_", "update"):
            patches.around(torch.amp.GradScaler, name, partial(self._scaler, name))

    def stop(self) -> None:
        """Watch no more; everything that was replaced is put back."""
        self.patches.undo()
        self.record.pending = len(self.since)
        self.record.ended, self.record.closed = time.perf_counter(), True

    # the model

    def _before(self, model: Any, args: Any, kwargs: Any) -> None:
        if self.depth or len(self.record.passes) >= self.looks.most:
            return
        grad = torch.is_grad_enabled()
        with self._own():
            visit = self.visit or self._unseen(grad)
            live, still = self.looks.modes()
            fresh, self.used = not self.used, True
            one = Pass(len(self.record.passes), visit, fresh, time.perf_counter(), bool(model.training), live, still,
                       grad)
            if fresh and self.visit is not None:
                one.target = self._kept(target_of(self.batch))
            self.record.passes.append(one)
            self.current = one
            found = tensors((args, kwargs))
            one.n = rows_in(found)
            if self.rows < NUMBERS and (one.number < FIRST or len(visit.waits) <= 8 or self.record.affords()):
                self.rows += one.n
                one.rows, one.slice = hashes(found, one.n), self.looks.slice()
                self._keep(visit, found, one)
            self.looks.tokens = found[0].detach() if one.number < FIRST and found and found[0].ndim == 2 else None
        self.looks.on = self._looks_at_units(self.current)
        self.looks.turn = 0

    def _looks_at_units(self, one: Pass | None) -> bool:
        due = one is not None and one.grad and one.training and (one.number < 8 or one.number % 16 == 0)
        return due and one is not None and (one.number < ALWAYS or self.record.affords())

    def _unseen(self, grad: bool) -> Visit:
        """The visit of a pass whose batch came from nowhere that was seen: a new one where the mode changes."""
        last, key = self.current, (self.model.training, grad)
        if last is not None and last.visit.source.loader is None and (last.training, last.grad) == key:
            return last.visit
        return self._begin(self._source(None))

    def _keep(self, visit: Visit, found: list[Any], one: Pass) -> None:
        earlier = sum(v.source is visit.source for v in self.record.visits) if visit.source.loader is not None else 1
        if earlier > 2 or not one.fresh and visit.source.loader is not None:
            return
        visit.moments.add(found, one.n)
        if visit.kept < ROWS and earlier == 1:
            some = numbers(found, one.n, ROWS - visit.kept)
            if some is not None:
                visit.values.append(some)
                visit.kept += len(some)

    def _after(self, model: Any, args: Any, kwargs: Any, output: Any) -> None:
        self.looks.on = False
        one = self.current
        if self.depth or one is None or one.ended:
            return
        with self._own():
            one.ended = time.perf_counter()
            main = main_tensor(output)
            found = tensors(output) or tensors(dict(getattr(output, "__dict__", {}))) if main is None else [main, *tensors(output)]
            found = [t for t in found if t.requires_grad][:4]
            if found:
                self.looks.follow(found, one, self.looks.tokens if one.number < FIRST else None)
            elif one.grad and not torch.is_tensor(output):
                self.unfollowed.append(one)

    def _relu(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def relu(input: Any, inplace: bool = False) -> Any:  # noqa: A002 - the name that torch gives it
            out = call(input, inplace)
            if self.looks.on and not torch.compiler.is_compiling():
                with self._own():
                    self.looks.units(out, self.current, self.record.alive)
            return out
        return relu

    # the loss

    def _loss(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def loss(*args: Any, **kwargs: Any) -> Any:
            value = call(*args, **kwargs)
            one = self.current
            if one is not None and not self.depth and len(one.losses) < 8 and not torch.compiler.is_compiling():
                with self._own():
                    one.losses.append(self._called(name, value, args, kwargs))
            return value
        return loss

    def _called(self, name: str, value: Any, args: Any, kwargs: Any) -> LossCall:
        target = kwargs.get("target", args[1] if len(args) > 1 else None)
        weight = kwargs.get("weight", args[2] if len(args) > 2 and torch.is_tensor(args[2]) else None)
        number = value.detach().clone() if torch.is_tensor(value) and value.numel() == 1 else None
        return LossCall(name, number, self._kept(target), weight, kwargs.get("pos_weight"),
                        kwargs.get("ignore_index"), kwargs.get("reduction", "mean"))

    def _kept(self, target: Any) -> Any:
        """A copy of targets, as far as there is room."""
        if not torch.is_tensor(target) or target.numel() > LARGE or self.numbers_kept > NUMBERS:
            return None
        self.numbers_kept += target.numel()
        return target.detach().clone()

    # gradients

    def _backward(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def backward(*args: Any, **kwargs: Any) -> Any:
            if self.depth:
                return call(*args, **kwargs)
            stale = False
            with self._own():
                stale = self.mark is not None and self.looks.unchanged(self.mark)
                self.looks.reached = []
            self.depth += 1
            try:
                return call(*args, **kwargs)
            finally:
                self.depth -= 1
                with self._own():
                    self._ended(args[0] if args else kwargs.get("tensors"), stale)
        return backward

    def _ended(self, given: Any, stale: bool) -> None:
        roots, self.roots = self.roots, []
        self.mark = None
        if not self.looks.reached:
            self.looks.reached = self.unfollowed  # outputs in which no tensor was found
        self.unfollowed = []
        if not self.looks.reached:
            return
        root = roots[-1] if roots else given
        root = root.detach().clone() if torch.is_tensor(root) and root.numel() == 1 else None
        one = Backward(self.looks.reached, root, stale=stale)
        for reached in one.passes:
            reached.trained = True
        self.weight_version = self.looks.version()
        if self.in_step:
            self.inner += 1
        else:
            self.since.append(one)
        if len(self.record.steps) < FIRST or self.record.affords():
            one.norm = self.looks.norm()
            one.scaled = self.looks.scale.clone() if torch.is_tensor(self.looks.scale) else None
        self.record.backwards.append(one)

    def _zeroing(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def zero_grad(owner: Any, *args: Any, **kwargs: Any) -> Any:
            if self.since and not self.in_step and not self.depth and self.looks.concerns(owner):
                with self._own():
                    if self.weight_version == self.looks.version():
                        self.lost += len(self.since)
                    self.since = []
            self.mark = None if self.looks.concerns(owner) else self.mark
            return call(owner, *args, **kwargs)
        return zero_grad

    def _clipping(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def clip_grad_norm_(parameters: Any, max_norm: float, *args: Any, **kwargs: Any) -> Any:
            norm = call(parameters, max_norm, *args, **kwargs)
            scaling = self.record.scaling
            scaling.clipped_unscaled += bool(scaling.scaled and scaling.enabled and not self.unscaled)
            if len(self.record.clips) < self.looks.most:
                self.record.clips.append((norm, float(max_norm)))
            return norm
        return clip_grad_norm_

    # steps

    def _stepping(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        self.in_step, self.inner = True, 0
        if len(self.record.steps) >= self.looks.most:
            return
        with self._own():
            number = self._number(optimizer)
            one = Step(number, time.perf_counter(), len(self.record.passes),
                       tuple(float(g["lr"]) for g in optimizer.param_groups if "lr" in g), self.since, self.lost)
            self.since, self.lost = [], 0
            if number is not None and (len(self.record.steps) < FIRST or self.record.affords()):
                one.norm = self.looks.norm()
                one.none = all(p.grad is None for g in optimizer.param_groups for p in g["params"])
            one.age, one.empty = self.looks.age(optimizer), not optimizer.state
            self.record.steps.append(one)

    def _stepped(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        self.in_step = False
        with self._own():
            self.record.steps[-1].inner = self.inner
            self.mark = self.looks.gradient_mark()

    def _number(self, optimizer: Any) -> int:
        known = self.numbers.get(id(optimizer))
        if known is None or known[0]() is not optimizer:
            self.numbers[id(optimizer)] = (weakref.ref(optimizer), len(self.record.optimizers))
            held = [p for g in optimizer.param_groups for p in g["params"]]
            self.record.optimizers.append(Seen(type(optimizer).__name__, *self.looks.held(held), tuple(
                sorted((k, str(v)) for k, v in optimizer.param_groups[0].items() if k not in ("params", "lr", "initial_lr"))),
                str(optimizer.param_groups[0].get("lr")),
                any("initial_lr" in g for g in optimizer.param_groups), self.looks.missing(held)))
        return self.numbers[id(optimizer)][1]

    def _scheduling(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def step(scheduler: Any, *args: Any, **kwargs: Any) -> Any:
            if not any(scheduler is known for known in self.record.schedulers):
                self.record.schedulers.append(scheduler)
            return call(scheduler, *args, **kwargs)
        return step

    def _scaler(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def scaler(owner: Any, *args: Any, **kwargs: Any) -> Any:
            scaling = self.record.scaling
            steps = len(self.record.steps)
            if name == "scale" and args and torch.is_tensor(args[0]) and owner.is_enabled():
                self.roots.append(args[0])
                scaling.scaled += 1
                self.unscaled = False
            self.unscaled = self.unscaled or name == "unscale_"
            result = call(owner, *args, **kwargs)
            scaling.enabled = owner.is_enabled()
            if name == "scale":
                self.looks.scale = owner._scale
            scaling.updates += name == "update"
            if name == "step":
                scaling.asked, scaling.done = scaling.asked + 1, scaling.done + len(self.record.steps) - steps
                if len(self.record.steps) == steps:
                    self.since, self.lost = [], 0
            return result
        return scaler


def target_of(batch: Any) -> Any:
    """What a batch holds beside its inputs; None where that is not plain."""
    if isinstance(batch, Mapping):
        return next((batch[k] for k in TARGET_KEYS if k in batch), None)
    return batch[-1] if isinstance(batch, (tuple, list)) and len(batch) > 1 else None


def schedules(kind: type[Any]) -> Iterator[type[Any]]:
    """A class of learning-rate schedules and those made from it, where they have a step of their own."""
    if "step" in vars(kind):
        yield kind
    for made in kind.__subclasses__():
        yield from schedules(made)
