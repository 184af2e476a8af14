"""What a record says: which passes trained, which validated, in which epochs, on which rows and labels."""

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ml_lifecycle.exploration._probe.facts import Cause
from ml_lifecycle.foundation.report import NextStep
from ml_lifecycle.refinement._train.record import LossCall, Pass, Record, Source, Step

CALL = "diagnose_training(model, loader, loss_fn, optimizer)"
__all__ = ["CALL", "Cause", "Facts", "advice", "plural"]


def advice(action: str, step: str = "refinement", call: str = CALL) -> NextStep:
    """What to do, and to ask again afterwards."""
    return NextStep(action, step, call)


def plural(n: int, noun: str) -> str:
    """A number with its noun."""
    several = noun + ("es" if noun.endswith(("tch", "s")) else "s")
    return f"{n:,} {noun if n == 1 else several}"


def value(tensor: Any) -> float:
    """A number from a tensor or None."""
    if tensor is None:
        return math.nan
    return float(tensor) if not torch.is_tensor(tensor) or tensor.numel() == 1 else math.nan


@dataclass
class Facts:
    """A record, and what follows from it."""

    record: Record
    model: Any
    modal: tuple[tuple[str, Any], ...] = ()  # layers that depend on the mode
    loaders: dict[str, Any] = field(default_factory=dict)  # "train" and "val", where they were handed in

    def __post_init__(self) -> None:
        """A source that gives gradients in eval mode only, beside one in training mode, is meant for validation."""
        modes: dict[int, tuple[Source, set[bool]]] = {id(p.visit.source): (p.visit.source,
                set()) for p in self.trained if p.visit.source.loader is not None}
        for one in self.trained:
            if id(one.visit.source) in modes:
                modes[id(one.visit.source)][1].add(one.training)
        if any(found == {True} for _, found in modes.values()):
            for source, found in modes.values():
                source.given = source.given or ("val" if found == {False} else "")

    @cached_property
    def hashes(self) -> dict[int, NDArray[Any]]:
        """Hashes of the rows of each pass that was looked at: its number -> hashes."""
        return {one.number: one.rows.cpu().numpy() for one in self.record.passes if one.rows is not None}

    @cached_property
    def trained(self) -> list[Pass]:
        """Passes that a gradient came back to."""
        return [one for one in self.record.passes if one.trained]

    @cached_property
    def train_sources(self) -> list[Source]:
        """Loaders that training batches come from."""
        found: list[Source] = []
        meant = self.trained or [p for p in self.record.passes if p.training and p.grad]
        for one in meant:
            source = one.visit.source
            if source.loader is not None and source.given != "val" and not any(source is s for s in found):
                found.append(source)
        return found

    @cached_property
    def trained_rows(self) -> NDArray[Any]:
        """Hashes of all rows that were trained on, each once."""
        found = [self.hashes[p.number] for p in self.trained if p.number in self.hashes and p.visit.source.given != "val"]
        return np.unique(np.concatenate(found)) if found else np.zeros(0, dtype=np.int64)

    def seen_share(self, one: Pass) -> float:
        """The share of the rows of a pass that were trained on; NaN where it was not looked at."""
        rows = self.hashes.get(one.number)
        return float(np.isin(rows, self.trained_rows).mean()) if rows is not None and len(rows) else math.nan

    def _validates(self, one: Pass) -> bool:
        source = one.visit.source
        if one.trained or source.given == "train" and one.fresh:
            return False
        if source.given == "val":
            return True
        if source.loader is None:
            return (not one.grad or not one.training) and not self.seen_share(one) > 0.9
        if not any(source is s for s in self.train_sources):
            return bool(self.trained)
        return not one.fresh and self.seen_share(one) < 0.5

    @cached_property
    def val(self) -> list[Pass]:
        """Passes that validate."""
        return [one for one in self.record.passes if self._validates(one)]

    @cached_property
    def other(self) -> list[Pass]:
        """Passes over training batches that did not train."""
        known = {one.number for one in (*self.val, *self.trained)}
        return [one for one in self.record.passes if one.number not in known]

    @cached_property
    def rounds(self) -> list[list[Pass]]:
        """Validation passes, round by round."""
        found: list[list[Pass]] = []
        for one in self.val:
            if found and (found[-1][-1].visit is one.visit):
                found[-1].append(one)
            else:
                found.append([one])
        return found

    @cached_property
    def epochs(self) -> list[list[Pass]]:
        """Training passes, epoch by epoch."""
        found: list[list[Pass]] = []
        first: NDArray[Any] | None = None
        for one in self.trained:
            rows = self.hashes.get(one.number)
            seen = one.visit.source.loader is not None
            again = not seen and first is not None and rows is not None and len(found[-1]) > 1 and np.array_equal(rows, first)
            new = not found or again or seen and found[-1][-1].visit is not one.visit
            if new:
                found.append([one])
                first = rows
            else:
                found[-1].append(one)
        return found

    @cached_property
    def losses(self) -> list[float]:
        """The loss of each backward call."""
        kept = [b.root for b in self.record.backwards if b.root is not None]
        found: list[float] = []
        for at in range(0, len(kept), 4096):
            found += torch.stack([t.reshape(()).float().to(kept[at].device) for t in kept[at:at + 4096]]).tolist()
        return found

    def loss_of(self, passes: list[Pass]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Losses of passes in which one loss was computed, and their rows."""
        found = [(value(p.losses[0].value), p.n) for p in passes if p.losses and p.losses[0].value is not None]
        return np.array([f[0] for f in found]), np.array([f[1] for f in found], dtype=float)

    @cached_property
    def classes(self) -> bool:
        """Whether targets are classes."""
        calls = [c for p in self.trained[:8] for c in p.losses]
        if calls:
            return any(c.name in ("cross_entropy", "nll_loss") or c.name.startswith("binary") for c in calls)
        return any(p.target is not None and not p.target.is_floating_point() for p in self.trained[:8])

    def labels(self, one: Pass) -> NDArray[Any] | None:
        """One target a row, where there is one."""
        for target in (*(c.target for c in one.losses), one.target):
            if target is not None and target.numel() == one.n and one.n:
                return np.asarray(target.detach().float().cpu().numpy().ravel())
        return None

    @cached_property
    def calls(self) -> list[LossCall]:
        """Calls of loss functions of torch in training."""
        return [c for p in self.trained for c in p.losses]

    @cached_property
    def steps(self) -> list[Step]:
        """Steps of optimizers that hold parameters of the model."""
        return [s for s in self.record.steps if self.record.optimizers[s.optimizer].share > 0]

    @cached_property
    def several(self) -> bool:
        """Whether optimizers with different parameters take turns, as in adversarial training."""
        held = [o.same for o in self.record.optimizers]
        return any(a != b for a in held for b in held)

    @cached_property
    def plain_steps(self) -> list[Step]:
        """Steps without a closure."""
        return [s for s in self.steps if not s.inner]

    @property
    def n_val(self) -> int:
        """Validation rows in a round, at most."""
        return max((sum(p.n for p in r) for r in self.rounds), default=0)

    def loader(self, role: str) -> Any:
        """The loader of a role, as far as it is known."""
        if role in self.loaders and self.loaders[role] is not None:
            return self.loaders[role]
        if role == "train":
            return self.train_sources[0].loader if self.train_sources else None
        return next((p.visit.source.loader for p in self.val if p.visit.source.loader is not None), None)
