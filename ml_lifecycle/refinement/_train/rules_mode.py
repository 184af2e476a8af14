"""Rules about modes, and about what validation looks at."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import nn

from ml_lifecycle.exploration._probe.facts import few
from ml_lifecycle.refinement._train.facts import Cause, Facts, advice, plural
from ml_lifecycle.refinement._train.watch_loader import written_in_python

def _kinds(facts: Facts, names: tuple[str, ...]) -> tuple[str, bool]:
    """What layers do in training, and whether BatchNorm is among them."""
    modules = dict(facts.modal)
    norm = any(isinstance(modules.get(n), nn.modules.batchnorm._BatchNorm) for n in names)
    drop = any(not isinstance(modules.get(n), nn.modules.batchnorm._BatchNorm) for n in names)
    moves = "BatchNorm uses the batch, and validation batches change its running statistics"
    does = ["dropout stays active"] * drop + [moves] * norm
    return " and ".join(does), norm


def eval_missing(facts: Facts) -> Iterator[Cause]:
    """TRN010: validation in training mode."""
    live = [p for p in facts.val if p.live]
    if not live:
        if facts.val and facts.modal:
            yield Cause("TRN010", "eval_at_validation", "passed", 90, f"The model is in eval mode in all {len(facts.val):,} "
                        "validation passes.", {"passes": len(facts.val)})
        return
    names = live[0].live
    does, norm = _kinds(facts, names)
    meant = not norm and not any(p.training for p in live)
    yield Cause("TRN010", "eval_missing", "tip" if meant else "issue", 1, f"model.eval() is missing at validation: {len(live):,} "
                f"of "
                f"{plural(len(facts.val), 'validation pass')} ran in training mode, so {does} ({few(names)}).",
                {"passes": len(live), "of": len(facts.val), "layers": list(names[:8])},
                advice("call model.eval() before validation, and model.train() before training goes on"))


def train_missing(facts: Facts) -> Iterator[Cause]:
    """TRN011: training in evaluation mode."""
    if not facts.modal or not facts.trained:
        return
    still = [p for p in facts.trained if not p.training and p.still and p.visit.source.given != "val"]
    if len(still) < max(1, 0.05 * len(facts.trained)):
        return
    after = facts.trained[0].training
    how = "model.train() is missing after validation" if after else "The model is trained in eval mode (model.train() is missing)"
    yield Cause("TRN011", "train_missing", "issue", 1.1, f"{how}: {len(still):,} of {plural(len(facts.trained), 'training pass')} "
                f"ran "
                f"in eval mode, so {few(still[0].still)} did not do what they do in training.",
                {"passes": len(still), "of": len(facts.trained), "first": still[0].number},
                advice("call model.train() at the start of each epoch"))


def gradients_on(facts: Facts) -> Iterator[Cause]:
    """TRN012: validation that keeps a graph."""
    on = [p for p in facts.val if p.grad and p.visit.source.loader is not None]
    if on and any(p.requires_grad for p in facts.model.parameters()):
        yield Cause("TRN012", "no_grad_missing", "tip", 20, f"Validation runs with gradients on ({len(on):,} of "
                    f"{len(facts.val):,} "
                    "passes): each keeps its graph in memory for nothing (torch.no_grad() is missing).",
                    {"passes": len(on), "of": len(facts.val)}, advice("put validation under torch.no_grad()"))


def trains_on_validation(facts: Facts) -> Iterator[Cause]:
    """TRN013: steps on validation batches."""
    passes = [p for p in facts.trained if p.visit.source.given == "val"]
    if passes:
        yield Cause("TRN013", "trains_on_validation", "issue", 0.9, f"The model trains on validation batches: backward() ran on "
                    f"{len(passes):,} of them, so validation rows are training rows (data leakage).", {"passes": len(passes)},
                    advice("leave backward() and optimizer.step() out of the validation loop"))


def validation_rows(facts: Facts) -> Iterator[Cause]:
    """TRN014: validation that does not look at the validation rows."""
    val_loader = facts.loaders.get("val")
    visited = val_loader is None or any(v.source.given == "val" for v in facts.record.visits)
    stale = _stale(facts)
    if stale is not None:
        yield stale
        return
    kind = [p for p in facts.other if not p.grad]
    if (not visited or not facts.val) and kind and facts.trained and (val_loader is not None or not kind[0].training):
        n = len(kind)
        yield Cause("TRN014", "metric_on_train", "issue" if val_loader is not None else "tip", 0.95, "The metric is computed on "
                    f"training batches: all {plural(n, 'pass')} without training are over batches of the training loader, and "
                    "validation rows are never looked at.", {"passes": n},
                    advice("iterate over the validation loader for the validation metric"))
    elif not visited and facts.trained and not facts.val and written_in_python(type(val_loader)):
        yield Cause("TRN014", "not_validated", "tip", 12, "The validation loader was never iterated over.", {},
                    advice("validate after each epoch"))


def _stale(facts: Facts) -> Cause | None:
    """Validation passes that all look at one batch: that of the last training step, or another."""
    looked = [p for p in facts.val if p.number in facts.hashes]
    before = [next((q for q in reversed(facts.trained) if q.number < p.number), None) for p in looked]
    last = [q is not None and q.number in facts.hashes
            and np.array_equal(facts.hashes[p.number], facts.hashes[q.number]) for p, q in zip(looked, before)]
    numbers = {"passes": len(looked)}
    after = advice("give the model the batch that the validation loader gives")
    if len(looked) >= 2 and np.mean(last) > 0.9 and len(facts.record.passes) > 2 * len(facts.epochs):
        return Cause("TRN014", "same_batch", "issue", 0.95, f"The metric is computed on the last training batch: {sum(last):,} of "
                     f"{plural(len(looked), 'validation pass')} are over the rows of the step before.", numbers, after)
    rows = [facts.hashes[p.number] for p in looked if p.visit is looked[0].visit]
    if len(rows) >= 3 and all(np.array_equal(rows[0], r) for r in rows):
        return Cause("TRN014", "same_batch", "issue", 0.95, f"All {len(rows):,} validation passes of a round look at the same "
                     f"batch.",
                     numbers, after)
    return None


def left_early(facts: Facts) -> Iterator[Cause]:
    """TRN033: rounds that end long before the loader does."""
    for role, passes in (("training", facts.trained), ("validation", facts.val)):
        by_visit: dict[int, Any] = {id(p.visit): p.visit for p in passes if p.visit.source.loader is not None}
        left = [v for v in by_visit.values() if not v.ended and _length(v.source.loader) > max(1, len(v.waits))]
        if facts.record.error is not None and left:
            left = left[:-1]
        if not left or len(left) < max(1, len(by_visit) - 1) or len(by_visit) < 2:
            continue
        used, length = max(len(v.waits) for v in left), _length(left[0].source.loader)
        validated = role == "validation" or len(facts.rounds) >= len(by_visit) - 1
        if used <= 0.6 * length:
            yield Cause("TRN033", "left_early", "issue" if used <= 2 and validated else "tip", 1.9, f"Each {role} epoch ends "
                        f"after "
                        f"{plural(used, 'batch')} of {length:,}: a break or return stands inside the loop, or rows are left out.",
                        {"used": used, "length": length}, advice("look for break or return inside the loop over the loader"))


def _length(loader: Any) -> float:
    try:
        return len(loader)
    except TypeError:
        return -math.inf


RULES = (eval_missing, train_missing, gradients_on, trains_on_validation, validation_rows, left_early)
