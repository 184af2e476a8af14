"""Rules about losses: weights of classes, padding, sums, NaN, and where training and validation loss go."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import stats

from ml_lifecycle.foundation._render import number
from ml_lifecycle.refinement._train.facts import Cause, Facts, advice, plural, value
from ml_lifecycle.refinement._train.rules_data import origin

IMBALANCE = 1.5  # ratio of the most to the least frequent class from which weights have a direction


def _frequencies(facts: Facts) -> tuple[np.ndarray, np.ndarray]:
    """Classes in training, and how many targets each has."""
    found = [c.target.detach().cpu().numpy().ravel() for p in facts.trained for c in p.losses[:1]
             if c.target is not None and (c.target.ndim <= 1 or c.target.shape[-1] == 1 or not c.target.is_floating_point())]
    return np.unique(np.concatenate(found).astype(float), return_counts=True) if found else (np.zeros(0), np.zeros(0))


def class_weights(facts: Facts) -> Iterator[Cause]:
    """TRN070: weights that make frequent classes count more."""
    call = next((c for c in facts.calls if c.weight is not None and c.name in ("cross_entropy", "nll_loss")), None)
    labels, counts = _frequencies(facts)
    if call is not None and len(labels) >= 2:
        weights = call.weight.detach().float().cpu().numpy()
        fits = (labels >= 0) & (labels < len(weights)) & (labels == np.round(labels))
        if fits.sum() >= 2:
            yield from _inverted(weights[labels[fits].astype(int)], counts[fits])
    binary = next((c for c in facts.calls if c.pos_weight is not None and value(c.pos_weight) == value(c.pos_weight)), None)
    if binary is not None and len(labels) == 2 and set(labels) == {0.0, 1.0}:
        yield from _inverted(np.array([1.0, value(binary.pos_weight)]), counts)
    yield from _sampler(facts)


def _inverted(weights: np.ndarray, counts: np.ndarray) -> Iterator[Cause]:
    if counts.max() < IMBALANCE * counts.min() or (weights <= 0).any() or weights.max() < 1.2 * weights.min():
        return
    slope, low = _slope(weights, counts)
    if slope > 0.25 and low > 0:
        rare, common = int(counts.argmin()), int(counts.argmax())
        yield Cause("TRN070", "weights_inverted", "issue", 1.1, "Class weights are inverted: the most frequent class "
                    f"({counts[common]:,} targets) has weight {number(float(weights[common]))}, the rarest ({counts[rare]:,}) "
                    f"{number(float(weights[rare]))}.",
                    {"slope": slope, "n": int(counts.sum())}, advice("weight each class by one over its frequency"))


def _slope(weights: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    """How the logarithm of the weight rises with that of the frequency, and its lower bound where classes differ by chance."""
    x, y = np.log(counts), np.log(weights)
    slope = float(np.polyfit(x, y, 1)[0])
    apart = abs(x.max() - x.min()) / math.sqrt(1 / counts.min() + 1 / counts.max())
    return slope, slope if apart > 3 else 0.0


def _sampler(facts: Facts) -> Iterator[Cause]:
    loader = facts.loader("train")
    weights = getattr(getattr(loader, "sampler", None), "weights", None)
    data, rows = origin(loader)
    held = getattr(data, "tensors", None)
    targets = held[-1] if held else getattr(data, "targets", getattr(data, "labels", None))
    if weights is None or targets is None or rows is not None and len(rows) != len(weights):
        return
    labels = np.asarray(targets).ravel() if rows is None else np.asarray(targets).ravel()[rows]
    if len(labels) != len(weights):
        return
    names, counts = np.unique(labels, return_counts=True)
    if 2 <= len(names) <= 1000:
        mean = np.array([float(np.mean(np.asarray(weights)[labels == c])) for c in names])
        for cause in _inverted(mean, counts):
            cause.message = cause.message.replace("Class weights are inverted", "Class weights of the sampler are inverted")
            yield cause


def padding(facts: Facts) -> Iterator[Cause]:
    """TRN071: places of padding that the loss counts."""
    seen = [(p.padding[0], value(p.padding[1])) for p in facts.trained if p.padding is not None]
    places, counted = sum(s[0] for s in seen), sum(s[1] for s in seen)
    if len(seen) >= 2 and places >= 10 and counted > 0.5 * places:
        yield Cause("TRN071", "padding_counted", "issue", 1.1, f"Padded tokens count in the loss: {counted / places:.0%} of "
                    f"{places:,} places of padding have a gradient "
                    f"({plural(len(seen), 'batch')}).", {"share": counted / places, "n": places}, advice("give the loss "
                            "ignore_index, or mask padding before the mean"))
    elif len(seen) >= 2 and places >= 10:
        yield Cause("TRN071", "padding_masked", "passed", 93, f"Padding does not count in the loss ({places:,} places).",
                    {"n": places})


def summed(facts: Facts) -> Iterator[Cause]:
    """TRN072: a sum over rows where batches differ in size."""
    called = [(p, c) for p in facts.trained for c in p.losses if c.reduction == "sum"]
    if not called or not facts.record.backwards:
        return
    ratios = []
    for back in facts.record.backwards[:200]:
        calls = [c for p in back.passes for c in p.losses if c.value is not None]
        if len(calls) == 1 and calls[0].reduction == "sum" and back.root is not None and value(calls[0].value):
            ratios.append(value(back.root) / value(calls[0].value))
    sizes = sorted({p.n for p in facts.trained})
    if ratios and float(np.median(ratios)) > 0.99:
        differ = len(sizes) > 1 and sizes[-1] > 1.2 * sizes[0]
        more = f" and batches have {sizes[0]:,} to {sizes[-1]:,} rows" if differ else ""
        yield Cause("TRN072", "summed", "issue" if differ else "tip", 1.8, f"The loss is summed over the rows of a batch, not "
                    f"averaged{more}: the length of a step depends on "
                    "the size of the batch.", {"smallest": sizes[0], "largest": sizes[-1], "n": len(ratios)}, advice("use "
                            "reduction='mean'"))


def not_a_number(facts: Facts) -> Iterator[Cause]:
    """TRN073: losses that are NaN or infinite."""
    losses = np.array(facts.losses)
    bad = np.flatnonzero(~np.isfinite(losses))
    if len(bad):
        yield Cause("TRN073", "nan_loss", "issue", 1.4, f"The loss is NaN or infinite in {len(bad):,} of "
                    f"{plural(len(losses), 'backward pass')}, first at {bad[0]:,}.",
                    {"times": len(bad), "first": int(bad[0]), "n": len(losses)}, advice("find what is not finite first: inputs, a "
                            "log of zero, or a learning rate that is too high"))


def overfits(facts: Facts) -> Iterator[Cause]:
    """TRN080: validation loss that rises while training loss falls."""
    rounds = [facts.loss_of(r) for r in facts.rounds]
    if len(rounds) < 4 or any(len(r[0]) == 0 for r in rounds) or len({len(r[0]) for r in rounds}) > 1:
        return
    means = np.array([float(np.average(loss, weights=n)) for loss, n in rounds])
    best = int(means.argmin())
    if not np.isfinite(means).all() or best >= len(means) - 2:
        return
    change = np.concatenate([rounds[-1][0] - rounds[best][0], rounds[-2][0] - rounds[best][0]])
    sure = len(rounds[0][0]) >= 4 and change.std() > 0 and stats.ttest_1samp(change, 0).pvalue < 1e-3
    if sure and means[-1] > 1.05 * means[best]:
        yield Cause("TRN080", "overfits", "tip", 6, f"The model overfits: validation loss rises from {number(means[best])} after "
                    f"round {best + 1} to {number(means[-1])} after "
                    f"{len(means)}, on {plural(facts.n_val, 'row')}.", {"best": best, "lowest": float(means[best]),
                                                                        "last": float(means[-1]), "n": facts.n_val},
                    advice("stop at the best round and keep its weights, or regularise",
                           call="error_breakdown(train=..., val=...)"))


def dead_units(facts: Facts) -> Iterator[Cause]:
    """TRN081: units that stop doing anything in the course of training."""
    for layer, looks in facts.record.alive.items():
        if len(looks) < 8 or len({len(a) for _, a in looks}) > 1:
            continue
        early, late = (np.asarray(np.stack([a.cpu().numpy() for _, a in part]).any(0)) for part in (looks[:4], looks[-4:]))
        was, now = 1 - early.mean(), 1 - late.mean()
        if now > 0.5 and now - was > 0.3:
            yield Cause("TRN081", "units_die", "issue", 2, f"Units die during training: {now:.0%} of the {len(late):,} units of "
                        f"ReLU {layer + 1} give zero for every row of the last "
                        f"batches, {was:.0%} at the start (learning rate too high).", {"before": float(was), "after": float(now),
                                                                                       "n": len(looks)},
                        advice("lower the learning rate, or warm it up"))
            return


def verdict(facts: Facts, named: bool) -> Cause:
    """TRN001: does the training loss fall?"""
    losses: Any = np.array(facts.losses)
    n = len(losses)
    numbers: dict[str, Any] = {"steps": len(facts.record.steps), "epochs": len(facts.epochs), "batches": n}
    if n < 10 or not np.isfinite(losses).all():
        return Cause("TRN001", "too_short", "tip", 98, f"Whether training works cannot be told: {plural(n, 'training batch')} "
                     f"with a finite loss are too few or broken.", numbers,
                     advice("watch at least two epochs"), True)
    part = max(5, n // 4)
    first, last = losses[:part], losses[-part:]
    numbers |= {"first": float(first.mean()), "last": float(last.mean())}
    p = float(stats.mannwhitneyu(last, first, alternative="less").pvalue)
    seen = f"means of {part:,} batches; {n:,} in {plural(len(facts.epochs), 'epoch')}"
    span = f"from {number(float(first.mean()))} to {number(float(last.mean()))} ({seen})"
    if p < 0.01:
        return Cause("TRN001", "falls", "passed" if not named else "tip", 98, f"The training loss falls {span}.", numbers)
    return Cause("TRN001", "unclear", "tip", 98, f"The training loss does not clearly fall: it goes {span}.", numbers,
                 advice("look whether one batch can be learned", "exploration", "overfit_batch(model, batch, loss_fn)"), True)


RULES = (class_weights, padding, summed, not_a_number, overfits, dead_units)
