"""The loops that are watched: a plain one, and the person's own, called with what it asks for."""

import contextlib
import inspect
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from ml_lifecycle.exploration._probe.batch import TARGET_KEYS, mapped
from ml_lifecycle.exploration._probe.state import OptimizerSnapshot, Snapshot, still_random
from ml_lifecycle.exploration._probe.step import NAMES
from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.errors import BadInputError
from ml_lifecycle.refinement._train.patch import LOSSES, Wrapped
from ml_lifecycle.refinement._train.record import LossCall
from ml_lifecycle.refinement._train.watch import Watch
from ml_lifecycle.refinement._train.watch_loader import written_in_python

ROLES = {**{k: v for k, v in NAMES.items() if v in ("model", "optimizer", "loss_fn")}, "loader": "loader",
         "train_loader": "loader",
         "trainloader": "loader", "train_dl": "loader", "train": "loader", "dataloader": "loader", "train_dataloader": "loader",
         "data_loader": "loader", "val_loader": "val_loader", "valid_loader": "val_loader", "validation_loader": "val_loader",
         "valloader": "val_loader", "val_dl": "val_loader", "val": "val_loader", "test_loader": "val_loader", "epochs": "epochs",
         "n_epochs": "epochs", "num_epochs": "epochs", "val_dataloader": "val_loader", "eval_loader": "val_loader"}
ORDER = ("model", "loader", "loss_fn", "optimizer", "val_loader", "epochs")


def heard(watch: Watch, loss_fn: Any) -> Any:
    """A loss function whose value is seen even if it is made of no loss of torch."""
    if isinstance(loss_fn, torch.nn.Module) or loss_fn is None:
        return loss_fn

    name = str(getattr(loss_fn, "__name__", "own"))

    def loss(*args: Any, **kwargs: Any) -> Any:
        one = watch.current
        before = len(one.losses) if one is not None else 0
        found = loss_fn(*args, **kwargs)
        if one is not None and len(one.losses) == before and torch.is_tensor(found) and found.numel() == 1:
            target = args[1].detach().clone() if len(args) > 1 and torch.is_tensor(args[1]) and args[1].numel() < 65_536 else None
            one.losses.append(LossCall(name, found.detach().clone(), target, kwargs.get("weight"), kwargs.get("pos_weight"), None,
                                       kwargs.get("reduction", "mean") if name in LOSSES else "own"))
        return found
    return loss


def call(loop: Callable[..., Any], given: dict[str, Any]) -> Any:
    """Run a loop with what its parameters ask for, by name or else by place."""
    try:
        parameters = list(inspect.signature(loop).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    asked = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is p.empty]
    roles = [ROLES.get(p.name) for p in asked]
    if None in roles or len(set(roles)) < len(roles):
        if len(asked) > len(ORDER):
            raise BadInputError(f"`loop` must take what it is given: {', '.join(ORDER)}. Got parameters "
                                f"{[p.name for p in asked]}. Wrap it: loop=lambda: train(...).")
        roles = list(ORDER[:len(asked)])
    named = {p.name: given[ROLES[p.name]] for p in parameters if p.default is not p.empty and p.kind is not p.VAR_KEYWORD
             and ROLES.get(p.name) in ("val_loader", "epochs") and given[ROLES[p.name]] is not None}
    return loop(*(given[str(role)] for role in roles), **named)


def wrapped(watch: Watch, loader: Any) -> Any:
    """A loader whose rounds are seen; most are seen as they are."""
    return loader if loader is None or written_in_python(type(loader)) else Wrapped(loader, watch.wrapped)


def split(batch: Any, device: Any) -> tuple[Any, Any]:
    """Inputs and targets of a batch, on a device."""
    batch = mapped(lambda v: v.to(device) if torch.is_tensor(v) else v, batch)
    if isinstance(batch, Mapping):
        key = next((k for k in TARGET_KEYS if k in batch), None)
        if key is not None:
            return {k: v for k, v in batch.items() if k != key}, batch[key]
    elif isinstance(batch, tuple) and len(batch) >= 2:
        return batch[0] if len(batch) == 2 else batch[:-1], batch[-1]
    raise BadInputError("`loader` must give batches of (inputs, targets), or mappings with 'labels'. Got "
                        f"{type(batch).__name__}: {shown(batch, 30)}. Watch a loop of your own: loop=train.")


def forward(model: Any, inputs: Any) -> Any:
    """The output for the inputs of a batch."""
    if isinstance(inputs, Mapping):
        return model(**inputs)
    return model(*inputs) if isinstance(inputs, tuple) else model(inputs)


def plain_loop(model: Any, loader: Any, loss_fn: Any, optimizer: Any, val_loader: Any, *, epochs: int, seconds: float,
               scheduler: Any = None) -> Any:
    """A loop as in the tutorials, which ends where the time is over; returns its first batch."""
    device, until = next(model.parameters()).device, time.monotonic() + seconds
    first: Any = None
    for _ in range(epochs):
        model.train()
        for batch in loader:
            first = batch if first is None else first
            inputs, targets = split(batch, device)
            optimizer.zero_grad()
            loss_fn(forward(model, inputs), targets).backward()
            optimizer.step()
            if time.monotonic() > until:
                break
        model.eval()
        with torch.no_grad():
            for batch in val_loader if val_loader is not None else ():
                inputs, targets = split(batch, device)
                loss_fn(forward(model, inputs), targets)
                if time.monotonic() > 1.5 * until:
                    break
        if scheduler is not None:
            scheduler.step()
        if time.monotonic() > until:
            break
    return first


@contextlib.contextmanager
def put_back(model: Any, optimizer: Any, scheduler: Any, loaders: tuple[Any, ...]) -> Iterator[None]:
    """Everything that a plain loop changes comes back afterwards."""
    modes = [(m, m.training) for m in model.modules()]
    start, held = Snapshot(model), OptimizerSnapshot(optimizer)
    schedule = dict(vars(scheduler)) if scheduler is not None else {}
    generators = [g for loader in loaders for owner in (loader, getattr(loader, "sampler", None))
                  if isinstance(g := getattr(owner, "generator", None), torch.Generator)]
    states = [g.get_state() for g in generators]
    try:
        with still_random(model):
            yield
    finally:
        start.restore()
        held.restore()
        if scheduler is not None:
            vars(scheduler).update(schedule)
        for module, mode in modes:
            module.training = mode
        for generator, state in zip(generators, states):
            generator.set_state(state)
