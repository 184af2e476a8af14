"""From a watched loop to the fields of its report."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import torch

from ml_lifecycle.exploration._probe.engine import SURE
from ml_lifecycle.exploration.overfit import overfit_batch
from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.errors import BadInputError
from ml_lifecycle.foundation.report import Finding
from ml_lifecycle.refinement._train import rules_data as _train_rules_data
from ml_lifecycle.refinement._train import rules_loss as _train_rules_loss
from ml_lifecycle.refinement._train import rules_mode as _train_rules_mode
from ml_lifecycle.refinement._train import rules_order as _train_rules_order
from ml_lifecycle.refinement._train import rules_rate as _train_rules_rate
from ml_lifecycle.refinement._train import rules_step as _train_rules_step
from ml_lifecycle.refinement._train.facts import Cause, Facts, advice
from ml_lifecycle.refinement._train.loop import split
from ml_lifecycle.refinement._train.watch import Watch

RULES = (*_train_rules_mode.RULES, *_train_rules_data.RULES, *_train_rules_order.RULES, *_train_rules_step.RULES,
         *_train_rules_rate.RULES, *_train_rules_loss.RULES)
ECHOES = {  # a cause -> what it brings about by itself
    "trains_on_validation": ("overlap", "no_grad_missing", "not_validated", "metric_on_train"),
    "metric_on_train": ("overlap", "not_validated", "fixed_validation"),
    "same_batch": ("overlap", "fixed_validation", "classes_apart"),
    "not_called": ("no_backward", "no_step", "no_parameters", "not_validated"),
    "no_parameters": ("not_moving", "not_zeroed", "missing_parameters", "accumulation_lost", "no_step"),
    "no_backward": ("no_step", "not_moving", "steps_without_backward"),
    "zero_rate": ("not_moving",), "sorted": ("not_shuffled", "seeded_each_epoch"),
    "seeded_each_epoch": ("not_shuffled",),
    "scaled_apart": ("other_scale",), "nan_loss": ("steps_skipped",), "not_zeroed": ("not_divided",),
    "weights_reset": ("state_reset", "new_optimizer", "not_moving"),
    "zeroed_before_step": ("not_moving",),
}


def check(model: Any, loaders: dict[str, Any], loss_fn: Any, optimizer: Any) -> None:
    """Raise BadInputError in one line unless a loop could be run with these."""
    if not isinstance(model, torch.nn.Module):
        raise BadInputError(f"`model` must be a torch.nn.Module. Got {type(model).__name__}. For estimators of scikit-learn see "
                            "overfit_batch and error_breakdown.")
    if next(model.parameters(), None) is None:
        raise BadInputError(f"`model` must have parameters to train. Got {type(model).__name__} without any.")
    for name, loader in loaders.items():
        if loader is not None and not hasattr(loader, "__iter__"):
            raise BadInputError(f"`{name}` must be a DataLoader or another iterable of batches. Got {shown(loader)}. Wrap your "
                                f"data: "
                                "DataLoader(dataset, batch_size=32, shuffle=True).")
    if loss_fn is not None and not callable(loss_fn):
        raise BadInputError(f"`loss_fn` must be a function of (output, targets). Got {shown(loss_fn)}. Try nn.CrossEntropyLoss().")
    if optimizer is not None and not isinstance(optimizer, torch.optim.Optimizer):
        raise BadInputError(f"`optimizer` must be a torch Optimizer. Got {shown(optimizer)}. Try "
                            "torch.optim.Adam(model.parameters()).")


def facts_of(watch: Watch, loaders: dict[str, Any]) -> Facts:
    """What was seen, ready for the rules."""
    return Facts(watch.record, watch.model, tuple(watch.looks.modal), loaders)


def causes(facts: Facts) -> list[Cause]:
    """What the rules make of the facts, the surest first, with the verdict."""
    with torch.no_grad():
        found = [cause for rule in RULES for cause in _applied(rule, facts)]
    error = facts.record.error
    if error is not None and not any(c.slug == "last_batch_of_one" and c.rank < 1 for c in found):
        found.append(Cause("TRN099", "raised", "issue", 0.7, f"The loop stopped with {type(error).__name__}: "
                           f"{' '.join(str(error).split())[:160]}.", {"passes": len(facts.record.passes)},
                           advice("mend what raised, and watch again")))
    if facts.record.trouble is not None:
        found.append(Cause("TRN098", "not_seen", "tip", 50, "A part of the loop could not be looked at: "
                           f"{type(facts.record.trouble).__name__}: {' '.join(str(facts.record.trouble).split())[:120]}.", {},
                           None, True))
    there = {c.slug for c in found}
    gone = {echo for slug in there for echo in ECHOES.get(slug, ())}
    found = [c for c in found if c.slug not in gone]
    named = any(c.severity == "issue" for c in found)
    found.append(_train_rules_loss.verdict(facts, named))
    return sorted(found, key=lambda c: (c.severity != "issue", c.rank))


def _applied(rule: Callable[[Facts], Iterator[Cause]], facts: Facts) -> list[Cause]:
    """What a rule makes of the facts; of facts that no rule foresees, nothing, which is told."""
    try:
        return list(rule(facts))
    except Exception as error:  # noqa: BLE001 - one rule must not keep the others from being told
        facts.record.trouble = facts.record.trouble or error
        return []


def probed(model: Any, loss_fn: Any, batch: Any, seconds: float) -> list[Finding]:
    """What overfit_batch is sure of about a batch."""
    try:
        report = overfit_batch(model, split(batch, next(model.parameters()).device), loss_fn, steps=60, seconds=seconds)
    except Exception:  # noqa: BLE001 - what cannot be probed alone has been watched already
        return []
    return [f for f in report.findings if f.severity == "issue" and f.evidence.get("cause") in SURE]


def frame_of(facts: Facts) -> pd.DataFrame:
    """One row an epoch."""
    rates = _train_rules_rate.rates(facts)
    rows = []
    losses = iter(facts.losses)
    by_pass = {b.passes[0].number: next(losses) for b in facts.record.backwards if b.root is not None}
    for at, epoch in enumerate(facts.epochs):
        own = [by_pass[p.number] for p in epoch if p.number in by_pass]
        after = next((r for r in facts.rounds if r[0].number > epoch[-1].number), None)
        if at + 1 < len(facts.epochs) and after is not None and after[0].number > facts.epochs[at + 1][0].number:
            after = None
        loss, n = facts.loss_of(after or [])
        stepped = [r for s, r in zip([s for s in facts.steps if s.rates], rates) if s.number <= epoch[-1].number + 1]
        seconds = epoch[-1].ended - epoch[0].began
        waits = sum(epoch[0].visit.waits)
        rows.append({"epoch": at + 1, "batches": len(epoch), "rows": sum(p.n for p in epoch),
                     "loss": float(np.mean(own)) if own else math.nan,
                     "val_loss": float(np.average(loss, weights=n)) if len(loss) and n.sum() else math.nan,
                     "rate": float(stepped[-1]) if stepped else math.nan, "seconds": max(0.0, seconds), "waiting": waits})
    return pd.DataFrame(rows, columns=["epoch", "batches", "rows", "loss", "val_loss", "rate", "seconds", "waiting"])


def fields(facts: Facts, extra: list[Finding]) -> dict[str, Any]:
    """The fields of the report."""
    frame, found = frame_of(facts), [c.finding() for c in causes(facts)]
    at = sum(f.severity == "issue" for f in found[:2])
    record = facts.record
    return {"frame": frame, "findings": (*found[:at], *extra, *found[at:]), "losses": tuple(facts.losses),
            "val_losses": tuple(frame["val_loss"].tolist()), "epochs": len(facts.epochs), "steps": len(record.steps),
            "passes": len(record.passes), "seconds": record.seconds, "overhead": record.own / max(record.seconds, 1e-9)}
