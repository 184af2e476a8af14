"""Rules about the learning rate over the steps of a loop."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from torch.optim import lr_scheduler

from ml_lifecycle.foundation._render import number
from ml_lifecycle.refinement._train.facts import Cause, Facts, advice, plural

DEAD, ENOUGH = 0.005, 12  # share of the highest rate; steps below which a schedule cannot be judged


def rates(facts: Facts) -> np.ndarray:
    """The highest learning rate of each step."""
    return np.array([max(s.rates) for s in facts.steps if s.rates], dtype=float)


def schedule(facts: Facts) -> Iterator[Cause]:
    """TRN040: a schedule that dies, never moves, warms up for ever, or is stepped at the wrong place."""
    found = rates(facts)
    if len(found) == 0:
        return
    if not found.any():
        yield Cause("TRN040", "zero_rate", "issue", 1, f"The learning rate is 0 in all {plural(len(found), 'step')}: nothing is "
                    f"learned.",
                    {"steps": len(found)}, advice("set a learning rate above 0"))
        return
    if len(found) < ENOUGH:
        return
    yield from _never(facts, found) if len(np.unique(found)) == 1 else _moved(facts, found)


def _never(facts: Facts, found: np.ndarray) -> Iterator[Cause]:
    attached = any(facts.record.optimizers[s.optimizer].scheduled for s in facts.steps)
    if len(facts.epochs) >= 2 and attached and not any(_count(s) for s in facts.record.schedulers):
        yield Cause("TRN040", "never_stepped", "issue", 1.2, f"The learning-rate schedule is never stepped: a scheduler is "
                    f"attached to the optimizer, but the rate stays "
                    f"at {number(found[0])} over {plural(len(found), 'step')} and {len(facts.epochs)} epochs (scheduler.step() is "
                    f"missing).",
                    {"rate": float(found[0]), "steps": len(found)}, advice("call scheduler.step() once an epoch, or once a step "
                                                                           "where it counts steps"))


def _count(scheduler: Any) -> int:
    """How often a scheduler has been stepped since it was made."""
    return int(getattr(scheduler, "last_epoch", 0) or 0)


def _moved(facts: Facts, found: np.ndarray) -> Iterator[Cause]:
    top, n = float(found.max()), len(found)
    at = int(found.argmax())
    low = np.flatnonzero(found[at:] < DEAD * top)
    per_epoch = len(found) / max(1, len(facts.epochs))
    inside = np.flatnonzero(np.diff(found) != 0) + 1
    each = len(inside) > 2 * len(facts.epochs) + 2  # it moves within epochs
    said = _horizon(facts, n, per_epoch)
    if said is not None:
        yield said
        return
    numbers = {"highest": top, "last": float(found[-1]), "steps": n, "epochs": len(facts.epochs)}
    dead = float(np.mean(found[at:] < DEAD * top)) * (n - at) / n
    if len(low) and dead > 0.4:
        why = ": the scheduler is stepped per batch instead of per epoch" if each and len(facts.epochs) > 1 else ""
        yield Cause("TRN040", "dies", "issue", 1.2, f"The learning rate dies{why}: from {number(top)} it is below {DEAD:.1%} of "
                    f"that after step {at + int(low[0]):,} of "
                    f"{n:,}, and {number(float(found[-1]))} at the end.", {**numbers, "share": dead},
                    advice("step the scheduler once an epoch, or make its horizon as long as the training"))
    elif (np.diff(found) >= 0).all() and found[-1] > found[0]:
        aim = max((float(g.get("initial_lr", 0)) for s in facts.record.schedulers[:4] for g in s.optimizer.param_groups),
                  default=0.0)
        part = top / aim if aim > 0 else 1.0
        if part < 0.95 or found[-1] > found[max(0, n - 1 - max(3, n // 10))] and len(facts.epochs) >= 2 and part <= 1:
            yield Cause("TRN040", "warms_up", "issue" if n >= 50 else "tip", 1.4, f"The warm-up is too long: the learning rate "
                        f"still rises at the last "
                        f"of {plural(n, 'step')}, from "
                        f"{number(float(found[0]))} to {number(float(found[-1]))}" + (f", {part:.0%} of its aim."
                                if part < 0.95 else "."), {**numbers, "share": part},
                        advice("warm up over a few per cent of the steps"))


def _horizon(facts: Facts, n: int, per_epoch: float) -> Cause | None:
    """Schedulers that were told how long they last, and were stepped at another pace."""
    for scheduler in facts.record.schedulers:
        length = next((int(v) for k in ("T_max", "total_steps", "total_iters") if isinstance(v := getattr(scheduler, k, None),
                                                                                             int)), 0)
        stepped, name = _count(scheduler), type(scheduler).__name__
        if not length or isinstance(scheduler, (lr_scheduler.ConstantLR, lr_scheduler.SequentialLR)):
            continue
        numbers = {"length": length, "stepped": stepped, "steps": n, "epochs": len(facts.epochs)}
        often = stepped > 0.9 * n and per_epoch >= 2
        if often and isinstance(scheduler, (lr_scheduler.CosineAnnealingLR, lr_scheduler.PolynomialLR)) and stepped > 1.5 * length:
            return Cause("TRN040", "stepped_per_batch", "issue", 1.1, f"The scheduler is stepped per batch instead of per epoch: "
                         f"{name} was made for {length:,} steps and "
                         f"took {stepped:,}, {number(per_epoch)} in each epoch.", numbers, advice("call scheduler.step() once an "
                                 "epoch, outside the loop over batches"))
        if stepped <= len(facts.epochs) + 1 and per_epoch >= 4 and len(facts.epochs) >= 2 and isinstance(scheduler,
                                                                                                         lr_scheduler.OneCycleLR) \
                and stepped < 0.5 * length:
            return Cause("TRN040", "stepped_per_epoch", "issue", 1.1, f"The scheduler is stepped per epoch instead of per batch: "
                         f"{name} was made for {length:,} steps and took "
                         f"{stepped:,}, so that it never leaves its warm-up.", numbers, advice("call scheduler.step() after each "
                                                                                               "optimizer.step()"))
    return None


RULES = (schedule,)
