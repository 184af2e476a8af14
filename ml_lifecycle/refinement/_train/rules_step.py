"""Rules about gradients, optimizers, and half precision."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ml_lifecycle.exploration._probe.facts import few
from ml_lifecycle.foundation._render import number
from ml_lifecycle.refinement._train.facts import Cause, Facts, advice, plural, value

ADAPTIVE = ("Adam", "AdamW", "NAdam", "RAdam", "Adamax", "RMSprop", "Adagrad", "Adadelta", "Adafactor")  # indifferent to scale


def parts_missing(facts: Facts) -> Iterator[Cause]:
    """TRN054: loops in which a part of a step is missing, or stands elsewhere."""
    record = facts.record
    passes = [p for p in record.passes if p.grad and p.training]
    if not record.passes and (record.steps or record.visits):
        mine = any(o.share > 0 for o in record.optimizers)  # parts of the model are called by themselves
        yield Cause("TRN054", "not_called", "tip" if mine else "issue", 0.9, "The model that was given is never called in this "
                    "loop: another model "
                    "is trained, "
                    "or model.forward(x) is called in place of model(x).", {"steps": len(record.steps)},
                    advice("watch the model that the loop trains, and call model(x)"))
    elif passes and not facts.trained and record.error is None:
        off = [p for p in record.passes if p.training and not p.grad]
        why = " (it runs under torch.no_grad())" if len(off) > len(passes) else ""
        yield Cause("TRN054", "no_backward", "issue", 0.9, f"loss.backward() never reaches the model{why}: "
                    f"{plural(len(passes), 'pass')} in training mode, and no gradient came back.", {"passes": len(passes)},
                    advice("call loss.backward() on a loss that is computed from the outputs of the model"))
    elif facts.trained and not record.steps and not record.scaling.asked and len(record.backwards) >= 2:
        yield Cause("TRN054", "no_step", "issue", 0.9, f"optimizer.step() is never called: {len(record.backwards):,} backward "
                    f"passes, and no "
                    "step (with gradient accumulation: fewer batches than steps to accumulate).",
                    {"backwards": len(record.backwards)},
                    advice("call optimizer.step() after backward(), also for the last batches of an epoch"))
    elif facts.several or len(facts.plain_steps) < 3:
        return
    else:
        yield from _zeroed(facts)


def _zeroed(facts: Facts) -> Iterator[Cause]:
    steps = facts.plain_steps[1:]
    lost = sum(s.lost for s in steps)
    kept = sum(len(s.backwards) for s in steps)
    if lost and lost >= 0.5 * len(steps):
        if kept < 0.1 * len(steps):
            yield Cause("TRN054", "zeroed_before_step", "issue", 0.9, "Gradients are zeroed between loss.backward() and "
                        "optimizer.step(): "
                        f"{lost:,} backward passes had no effect.", {"lost": lost, "steps": len(steps)},
                        advice("call zero_grad() before backward(), or after step()"))
        elif lost >= len(steps) * 0.9:
            yield Cause("TRN051", "accumulation_lost", "issue", 1.1, "Gradient accumulation does not accumulate: zero_grad() is "
                        "called for "
                        f"each batch but step() only every {1 + round(lost / len(steps))}, so {lost:,} of {lost + kept:,} "
                        f"backward passes "
                        "had no effect.", {"lost": lost, "kept": kept}, advice("call zero_grad() only after optimizer.step()"))
    elif kept < 0.2 * len(steps) and not facts.record.optimizers[0].name.startswith("LBFGS"):
        yield Cause("TRN054", "steps_without_backward", "issue", 1.5, f"Most optimizer steps have no new gradient: {kept:,} "
                    f"backward passes for "
                    f"{len(steps):,} steps.", {"backwards": kept, "steps": len(steps)}, advice("step once after each backward()"))


def not_zeroed(facts: Facts) -> Iterator[Cause]:
    """TRN050: gradients of the step before are still there."""
    after = facts.record.backwards[1:]
    stale = sum(b.stale for b in after)
    follow = min(len(after), len(facts.steps))
    if follow >= 3 and stale > 0.5 * follow and not facts.several:
        yield Cause("TRN050", "not_zeroed", "issue", 1, "Gradients are not zeroed between steps: "
                    f"{stale:,} of {follow:,} backward passes add to the gradients of the step before (zero_grad() is missing).",
                    {"stale": stale, "of": follow}, advice("call optimizer.zero_grad() before each backward()"))
    elif follow >= 3 and stale == 0:
        yield Cause("TRN050", "zeroed", "passed", 94, f"Gradients are zeroed between steps ({follow:,} seen).", {"of": follow})


def accumulation(facts: Facts) -> Iterator[Cause]:
    """TRN051: gradients of several batches that are added, not averaged, or left over."""
    counts = [len(s.backwards) for s in facts.plain_steps if s.backwards]
    if len(counts) < 2 or facts.several or any(b.stale for b in facts.record.backwards):
        return
    k = int(np.median(counts))
    if k < 2 or np.mean(np.array(counts) == k) < 0.6:
        return
    ratios = []
    for step in facts.plain_steps[:50]:
        for back in step.backwards:
            calls = [c for p in back.passes for c in p.losses if c.value is not None and c.reduction == "mean"]
            if len(calls) == 1 and back.root is not None and value(calls[0].value) != 0:
                ratios.append(value(back.root) / value(calls[0].value))
    if ratios and abs(float(np.median(ratios)) - 1) < 0.02:
        name = facts.record.optimizers[facts.plain_steps[0].optimizer].name
        mild = name in ADAPTIVE and not facts.record.clips
        yield Cause("TRN051", "not_divided", "tip" if mild else "issue", 1.5, f"Gradient accumulation does not divide the loss: "
                    f"{k} batches are added "
                    f"up in each step, so gradients are {k} times as long as those of their mean.", {"batches": k,
                                                                                                     "n": len(ratios)},
                    advice(f"divide the loss by {k} before backward()"))
    per_epoch = [len(e) for e in facts.epochs]
    if per_epoch and per_epoch[0] % k and facts.record.pending + sum(c != k for c in counts) == facts.record.pending > 0:
        yield Cause("TRN051", "left_over", "tip", 10, f"The last {plural(facts.record.pending, 'batch')} had no step: "
                    f"{per_epoch[0]} batches of an epoch are no multiple of the {k} that a step accumulates.",
                    {"batches": per_epoch[0], "k": k}, advice("step at the end of each epoch too"))


def clipping(facts: Facts) -> Iterator[Cause]:
    """TRN052: gradients that are all but gone when the optimizer steps."""
    scaling = facts.record.scaling
    if scaling.clipped_unscaled > 0.5 * max(1, scaling.asked):
        yield Cause("TRN052", "clipped_unscaled", "issue", 1.2, f"Gradients are clipped while they are still scaled for half "
                    f"precision "
                    f"({scaling.clipped_unscaled:,} times): scaler.unscale_(optimizer) is missing before clipping.",
                    {"times": scaling.clipped_unscaled}, advice("call scaler.unscale_(optimizer) before clip_grad_norm_"))
        return
    left = []
    for step in facts.plain_steps:
        if step.norm is not None and len(step.backwards) >= 1 and step.backwards[-1].norm is not None:
            before, scale = value(step.backwards[-1].norm), value(step.backwards[-1].scaled)
            before = before / scale if scaling.enabled and scale > 0 else before
            if before > 0 and math.isfinite(before):
                left.append(value(step.norm) / before)
    if len(left) < 5:
        return
    typical, share = float(np.median(left)), float(np.mean(np.array(left) < 0.03))
    if share > 0.8:
        limits = sorted({limit for _, limit in facts.record.clips})
        most = f" (max_norm={number(limits[0])})" if limits else ""
        yield Cause("TRN052", "clipped_away", "issue", 1.1, f"Gradient clipping leaves next to nothing{most}: in {share:.0%} of "
                    f"{len(left):,} steps "
                    f"gradients are cut to {number(typical)} of their length.", {"left": typical, "share": share, "n": len(left)},
                    advice("clip at a length that most gradients do not reach: look at their usual norm first"))
    elif typical < 0.97:
        cut = float(np.mean(np.array(left) < 0.97))
        yield Cause("TRN052", "clipped", "passed", 96, f"Gradients are clipped in {cut:.0%} of {len(left):,} steps, to "
                    f"{number(typical)} of their length.",
                    {"left": typical, "share": cut, "n": len(left)})


def optimizer_anew(facts: Facts) -> Iterator[Cause]:
    """TRN053: an optimizer that forgets what it has learned of the gradients."""
    record = facts.record
    alike: dict[Any, list[int]] = {}
    for at, seen in enumerate(record.optimizers):
        if seen.share > 0:
            alike.setdefault((seen.name, seen.same, seen.settings), []).append(at)
    most = max(alike.values(), key=len, default=[])
    if len(most) == 2 and record.optimizers[most[0]].rate != record.optimizers[most[1]].rate:
        most = []  # a second phase with another learning rate
    order = [s.optimizer for s in facts.steps]
    turns = 1 + sum(a != b for a, b in zip(order, order[1:]))
    if len(most) >= 2 and turns <= len(record.optimizers):
        each = "step" if len(most) > 0.8 * len(order) else "epoch"
        yield Cause("TRN053", "new_optimizer", "issue", 1.2, f"The optimizer is made anew in each {each}: {len(most):,} "
                    f"{record.optimizers[most[0]].name} "
                    f"objects took {len(order):,} steps in turn, and the momentum and state of each were lost.",
                    {"optimizers": len(most), "steps": len(order)}, advice("make the optimizer once, before the loop"))
        return
    ages = [(s.optimizer, value(s.age) if s.age is not None else (0.0 if s.empty else math.nan)) for s in facts.steps]
    forgot = sum(a[0] == b[0] and a[1] > b[1] == 0 for a, b in zip(ages, ages[1:]))
    if forgot:
        yield Cause("TRN053", "state_reset", "issue", 1.2, f"The state of the optimizer is reset {plural(forgot, 'time')} during "
                    f"training: its momentum "
                    "starts from nothing again.", {"resets": forgot, "steps": len(ages)},
                    advice("keep the state of the optimizer between epochs"))


def other_parameters(facts: Facts) -> Iterator[Cause]:
    """TRN055: optimizers that do not hold what is trained."""
    record = facts.record
    held = [o for o in record.optimizers if o.share > 0]
    if record.steps and not held:
        yield Cause("TRN055", "no_parameters", "issue", 0.9, "The optimizer holds no parameter of this model: the model was made "
                    "anew or copied after "
                    "the optimizer, so that steps change another one.", {"optimizers": len(record.optimizers)},
                    advice("make the optimizer after the model has its final parameters"))
        return
    ids = frozenset().union(*(o.same for o in held)) if held else frozenset()
    total = {n: p for n, p in facts.model.named_parameters() if p.requires_grad and id(p) not in ids}
    lacking = [n for n in total if all(n in o.missing for o in held)]
    if held and lacking:
        share = sum(total[n].numel() for n in lacking) / max(1, sum(p.numel() for p in facts.model.parameters()
                                                                    if p.requires_grad))
        yield Cause("TRN055", "missing_parameters", "issue", 1.3, f"The optimizer does not have all parameters: {few(lacking)} "
                    f"get gradients and are never "
                    f"changed ({share:.0%} of the parameters to train).", {"share": share, "parameters": lacking[:8]},
                    advice("give the optimizer all of model.parameters()"))


def put_back(facts: Facts) -> Iterator[Cause]:
    """TRN056: weights that start from the beginning again, or that never move."""
    seen = [p for p in facts.trained if p.slice is not None]
    if len(seen) < 5:
        return
    weights = np.stack([p.slice.float().cpu().numpy() for p in seen])
    moved = np.abs(weights - weights[0]).max(1)
    back = [at for at in range(2, len(seen)) if moved[at] == 0 and moved[at - 1] > 0]
    if back:
        yield Cause("TRN056", "weights_reset", "issue", 1, f"The weights are put back to where they began "
                    f"{plural(len(back), 'time')} (at training pass "
                    f"{', '.join(str(b) for b in back[:4])}): what was learned is lost.", {"times": len(back)},
                    advice("initialise or load weights once, before the loop"))
    elif not moved.any() and len(facts.steps) >= 4 and not any(max(s.rates, default=1) == 0 for s in facts.steps):
        yield Cause("TRN056", "not_moving", "issue", 2.5, f"The weights do not move: {len(facts.steps):,} steps left them as they "
                    f"were.",
                    {"steps": len(facts.steps)}, advice("look at learning rate, gradients and optimizer"))


def half_precision(facts: Facts) -> Iterator[Cause]:
    """TRN060: gradients that vanish in 16 bits, and steps that a scaler leaves out."""
    scaling = facts.record.scaling
    skipped = scaling.asked - scaling.done
    if scaling.asked >= 5 and scaling.enabled and skipped > max(3, 0.2 * scaling.asked):
        yield Cause("TRN060", "steps_skipped", "issue", 1.3, f"The gradient scaler leaves out {skipped:,} of {scaling.asked:,} "
                    f"steps: gradients overflow in "
                    "half precision (NaN or infinite)" + (", and scaler.update() is never called."
                                                          if not scaling.updates else "."),
                    {"skipped": skipped, "of": scaling.asked}, advice("look for what overflows, or use bfloat16; call "
                                                                      "scaler.update()"))
    zeros = [value(p.half) for p in facts.trained if p.half is not None]
    if zeros and not scaling.scaled:
        share = float(np.median(zeros))
        yield Cause("TRN060", "underflow", "issue", 1.3, f"Half precision (float16) without loss scaling: {share:.0%} of the "
                    f"gradients of the outputs are exactly "
                    f"zero over {plural(len(zeros), 'batch')}, and small gradients underflow.", {"zeros": share, "n": len(zeros)},
                    advice("scale the loss with torch.amp.GradScaler, or use bfloat16"))


RULES = (parts_missing, not_zeroed, accumulation, clipping, optimizer_anew, other_parameters, put_back, half_precision)
