"""Rules about the loss, the outputs and the labels: whether they fit each other."""

import math
from collections.abc import Iterator
from typing import Any

from ml_lifecycle.exploration._probe.facts import Cause, Facts, advice
from ml_lifecycle.exploration._probe.runs import NEAR
from ml_lifecycle.foundation._render import number

LINEAR = {"nll": "NLLLoss", "nll of softmax": "NLLLoss", "kl": "KLDivLoss"}  # losses that take log-probabilities
RAW = advice("return raw scores from the model, without an activation at the end; this loss applies it itself")


def class_dim(facts: Facts) -> int:
    """The dimension in which the scores of the classes stand."""
    shape = facts.out.shape
    if facts.loss.shift_free is not None:
        return facts.loss.shift_free
    t = facts.subject.batch.targets
    channels = hasattr(t, "ndim") and len(shape) == t.ndim + 1 and len(shape) > 2 and tuple(shape[2:]) == tuple(t.shape[1:])
    return 1 if channels or len(shape) < 3 else len(shape) - 1


def _connected(facts: Facts) -> Iterator[Cause]:
    if facts.loss.cut:
        yield Cause("OVR021", "loss_cut", "issue", 1, "The loss is detached from the outputs: loss_fn gives a number without a "
            "gradient (argmax, rounding, detach(), .item() or numpy in it).", {}, advice("compute the loss from the scores "
            "with torch functions that have a gradient"))
    if facts.loss.random > 1e-4:
        serious = facts.loss.random > 0.02 and not facts.near
        yield Cause("OVR021", "random_loss", "issue" if serious else "tip", 1.4 if serious else 5, "The loss is random: the same "
            f"outputs and targets give another loss each time (it varies by {number(facts.loss.random)} of its size).",
            {"spread": facts.loss.random}, advice("remove the noise from loss_fn, or switch it off for the probe"))
    if facts.loss.same_for_any_target:
        itself = facts.loss.rows_matter and facts.loss.random == 0  # it knows by itself what it asks of which row
        yield Cause("OVR021", "targets_ignored", "tip" if itself else "issue", 2, "The loss does not depend on the "
            "targets: it is the same when rows get the targets of other rows.", {}, advice(
            "pass the targets to the loss, row by row"))


def _fits(facts: Facts) -> Iterator[Cause]:
    """Whether the end of the model is what the loss expects; where it is, whether the answer lies within its range."""
    yield from list(_activation(facts)) or _reach(facts)


def _activation(facts: Facts) -> Iterator[Cause]:
    """A softmax, sigmoid or ReLU at the end that the loss does not expect, or one too few."""
    out, loss, dim = facts.out, facts.loss, class_dim(facts)
    shares = [d for d in (*out.sums, *out.log_sums) if d != dim]
    numbers: dict[str, Any] = {"loss": loss.kind, "output": out.last.split("Backward")[0], "lowest_possible": _floor(facts)}
    if (shares and dim not in out.sums and dim not in out.log_sums) or "over rows" in loss.kind or \
            (loss.shift_rows and facts.inputs.classes and loss.shift_free is None and not loss.same_for_any_target):
        d = shares[0] if shares else 0
        over = "the rows of the batch" if d == 0 else f"dimension {d}"
        yield Cause("OVR020", "softmax_axis", "issue", 1, f"The softmax runs over the wrong axis: outputs sum to one over {over}, "
            f"not over the classes (dimension {dim}).", {**numbers, "dimension": d}, advice(f"use softmax(dim={dim}), or no "
            "softmax at all with a loss that has its own"))
    elif _doubled(facts, dim):
        yield Cause("OVR020", "double_softmax", "issue", 1, "Softmax is applied twice: the outputs are already probabilities "
            "(rows sum to one), and the cross-entropy loss applies a softmax again, so it cannot fall below "
            f"{number(_floor(facts))}.", numbers, RAW)
    elif loss.kind in ("cross_entropy of sigmoid", "cross_entropy of softmax", "cross_entropy of relu"):
        sigmoid = not loss.kind.endswith("relu")
        yield Cause("OVR022", "bounded_scores" if sigmoid else "relu_on_logits", "issue", 1.5,
            f"A {'sigmoid' if sigmoid else 'ReLU'} is applied to the scores (logits) before the cross-entropy, which applies a "
            "softmax itself: scores cannot go where they should.", numbers, RAW)
    elif loss.competes and loss.kind.startswith(("bce", "mse", "l1", "huber")):
        yield Cause("OVR022", "softmax_competes", "issue", 1.2, "The outputs are shares that sum to one (softmax), but "
            "the targets of a row do not: labels compete with one another where several are right.", numbers, advice(
            "use a sigmoid for each label, or raw scores with BCEWithLogitsLoss"))
    elif loss.kind.startswith("bce_with_logits") and (out.low >= 0 and out.high <= 1 or "of sigmoid" in loss.kind):
        yield Cause("OVR020", "double_sigmoid", "issue", 1, "Sigmoid is applied twice: the outputs are already probabilities "
            "between 0 and 1, and BCEWithLogitsLoss applies a sigmoid again.", numbers, RAW)
    else:
        yield from _logarithms(facts, dim, numbers)


def _floor(facts: Facts) -> float:
    """What the cross-entropy of a softmax of a softmax reaches at best."""
    classes = facts.inputs.outputs
    return math.log(1 + (classes - 1) / math.e) if classes > 1 else math.nan


def _doubled(facts: Facts, dim: int) -> bool:
    """Whether a softmax of the model or of loss_fn stands before that of the loss."""
    loss, bound = facts.loss, _floor(facts)
    ce = loss.kind.startswith("cross_entropy") or (loss.shift_free is not None and loss.shift_free == dim)
    inner = loss.kind in ("", "cross_entropy of sigmoid") and loss.shift_free is not None and bound > 0 and \
        abs(loss.lowest - bound) < 0.01 * bound and not loss.unbounded
    return (ce and dim in facts.out.sums) or (loss.kind == "cross_entropy of softmax" and loss.shift_free is not None) or inner


def _logarithms(facts: Facts, dim: int, numbers: dict[str, Any]) -> Iterator[Cause]:
    """A loss that takes log-probabilities and is given something else."""
    out, kind = facts.out, facts.loss.kind
    if kind in LINEAR and (dim in out.sums or kind == "nll of softmax"):
        yield Cause("OVR020", "nll_on_probabilities", "issue", 1, f"{LINEAR[kind]} is given probabilities "
            "(softmax) where it expects log-probabilities.", numbers, advice("use log_softmax instead of softmax, or raw scores "
            "with CrossEntropyLoss"))
    elif kind in ("nll", "kl") and dim not in out.log_sums:
        yield Cause("OVR020", "nll_on_logits", "issue", 1, f"{LINEAR[kind]} is given raw scores (logits) where it expects "
            "log-probabilities: it falls below zero without end.", numbers, advice("put log_softmax(dim=1) at the end, or use "
            "CrossEntropyLoss"))


def scores(facts: Facts) -> bool:
    """Whether the loss takes outputs as scores without bounds."""
    loss = facts.loss
    return loss.kind.startswith(("cross_entropy", "bce_with_logits")) or bool(loss.shift_free is not None and
                                                                             facts.inputs.classes)


def _reach(facts: Facts) -> Iterator[Cause]:
    """Outputs that are confined to a range in which the answer does not lie."""
    out, loss, inputs = facts.out, facts.loss, facts.inputs
    low, high = out.low, out.high
    name = out.last.split("Backward")[0] or "the last layer"
    cut = out.at_ends if name.startswith(("Clamp", "Hard")) else out.outside if loss.kind == "bce" else 0.0
    if cut > 0.1:
        yield Cause("OVR022", "clamped_output", "tip" if facts.near else "issue", 1.6, f"The outputs are cut off (a clamp): "
            f"{cut:.0%} of them lie at an end or beyond it and get no gradient.", {"share": cut, "output": name}, advice(
            "use a sigmoid in the place of a clamp, or raw scores with a loss that takes them"))
        return
    numbers = {"low": low, "high": high, "output": name, "loss": loss.kind}
    if scores(facts) and class_dim(facts) not in out.log_sums:
        if low >= 0 and math.isinf(high) and name in ("Relu", "Threshold", "Clamp", "ClampMin", "Softplus", "Abs", "Pow", "Exp"):
            yield Cause("OVR022", "relu_on_logits", "issue", 1.5, f"The scores (logits) are never negative: there is a {name} "
                f"(ReLU) on the output layer, and {out.zeros:.0%} of the scores are exactly 0 and get no gradient.", numbers,
                RAW)
        elif math.isfinite(high) and _out_of_reach(facts):
            bound = loss.confined
            what = "a log-sigmoid" if math.isinf(low) else "a sigmoid" if low >= 0 else "a tanh"
            ends = f"{number(low)} … {number(high)}" if math.isfinite(low) else f"{number(high)} and below"
            yield Cause("OVR022", "bounded_scores", "issue", 1.5, f"The scores (logits) are confined to {ends} by "
                f"{what} or another bounded activation at the end: the loss cannot fall below {number(bound)}.",
                {**numbers, "lowest_possible": bound}, RAW)
    elif loss.kind.startswith(("mse", "l1", "huber")) or not inputs.classes:
        lowest, highest = inputs.target_range
        margin = 0.02 * (highest - lowest)
        if (lowest < low - margin or highest > high + margin) and not inputs.classes and _out_of_reach(facts):
            ends = f"{number(low)} … {number(high)}" if math.isfinite(low) and math.isfinite(high) else \
                f"{number(low)} and above" if math.isfinite(low) else f"{number(high)} and below"
            yield Cause("OVR022", "bounded_output", "issue", 1.5, "The outputs cannot reach the targets: they are confined to "
                f"{ends} by the activation at the end ({name}: sigmoid, tanh or ReLU), and targets run from {number(lowest)} "
                f"to {number(highest)}.", numbers, advice("leave the output layer without an activation, or scale the targets"))


def _out_of_reach(facts: Facts) -> bool:
    """Whether the loss cannot go to its minimum within the range of the outputs."""
    return not facts.near and math.isfinite(facts.loss.confined) and facts.goal.share(facts.loss.confined) > NEAR


def _asks(facts: Facts) -> Iterator[Cause]:
    """Whether a low loss means the right answer."""
    loss, inputs, out = facts.loss, facts.inputs, facts.out
    numbers = {"loss": loss.kind, "factor": loss.factor, "agreement": loss.agreement}
    if loss.kind and loss.factor < 0 and not loss.kind.startswith("nll"):
        yield Cause("OVR012", "flipped_sign", "issue", 1, f"The sign of the loss is flipped: loss_fn gives {number(loss.factor)} "
            f"times {loss.kind.split(' of ')[0]}, so minimising it drives the outputs away from the targets.", numbers,
            advice("remove the minus sign"))
    elif loss.kind == "nll" and loss.factor < 0:
        yield Cause("OVR012", "flipped_sign", "issue", 1, "The sign of the loss is flipped: loss_fn is the negative of NLLLoss, "
            "so minimising it drives the outputs away from the targets.", numbers, advice("remove the minus sign"))
    elif loss.pairs:
        yield Cause("OVR021", "broadcast", "issue", 1, f"Outputs of shape {out.shape} and targets of shape "
            f"{tuple(facts.subject.batch.targets.shape)} are broadcast in the loss: every output is compared with every target, "
            "so all rows are drawn to the mean.", numbers, advice("give both the same shape: output.squeeze(-1), or "
            "targets.unsqueeze(-1)"))
    elif not loss.kind and loss.agreement is not None and loss.agreement < 0.5 and not loss.cut and not loss.same_for_any_target \
            and inputs.classes and len(inputs.classes) > 1 and (loss.shift_free is not None or loss.unbounded) \
            and not loss.columns_alike:
        sign = loss.unbounded
        yield Cause("OVR012" if sign else "OVR021", "flipped_sign" if sign else "wrong_aim", "issue", 1.8, (
                    "The loss falls without end while outputs move away from the targets, so its sign is flipped: there "
                    if sign else "The loss does not ask for the targets: at its minimum ") +
                    f"{loss.agreement:.0%} of the rows have their target as the largest score.", numbers,
                    advice("check the sign, the axis, the order of the arguments in loss_fn, and that outputs and targets are "
                    "flattened in the same order"))
    yield from _index(facts, numbers)


def _index(facts: Facts, numbers: dict[str, Any]) -> Iterator[Cause]:
    loss, inputs = facts.loss, facts.inputs
    if loss.kind in ("mse", "l1", "huber", "mse of all pairs", "l1 of all pairs", "huber of all pairs") and inputs.counts_up:
        classes = int(inputs.target_range[1] - inputs.target_range[0]) + 1
        sure = inputs.whole or inputs.outputs == classes
        yield Cause("OVR021", "regression_on_class_index", "issue" if sure else "tip", 0.9 if sure else 3,
            f"{loss.kind.split()[0].upper()} is computed on the class index (the {classes} whole numbers "
            f"{inputs.target_range[0]:g} … {inputs.target_range[1]:g}): that treats classes as an amount, with class 8 near 9 and "
            "far from 1.", {**numbers, "classes": classes}, advice("use CrossEntropyLoss with one score a class, unless the "
            "target is an amount"))


def _labels(facts: Facts) -> Iterator[Cause]:
    inputs, loss = facts.inputs, facts.loss
    outputs = inputs.outputs
    classes = inputs.classes
    scores = loss.kind.startswith(("cross_entropy", "nll")) or loss.shift_free is not None or facts.failed is not None
    if classes and outputs > 1 and scores and inputs.whole:
        low, high = classes[0], classes[-1]
        wide = {"lowest": low, "highest": high, "outputs": outputs}
        if (high >= outputs or low < 0) and facts.failed is not None:
            off = low >= 1 and high == outputs or low == -1
            what = f"Labels are off by one: they run from {low} to {high}, but must be 0 … {outputs - 1} for {outputs} outputs"
            if not off:
                what = f"Labels are out of range: they run from {low} to {high}, but the model has {outputs} outputs " \
                    f"(0 … {outputs - 1})"
            yield Cause("OVR023", "off_by_one" if off else "labels_out_of_range", "issue", 0.5, what + ".", wide,
                        advice("encode the labels as 0 … C-1, and give the model one output a class", "data"))
        elif low == 1 and high == outputs - 1 == len(classes) and inputs.n >= 5 * outputs and facts.goal.share(0) <= 1:
            yield Cause("OVR023", "labels_from_one", "tip", 3, f"No row has label 0: labels run from 1 to {high} for {outputs} "
                "outputs. They may be off by one.", wide, advice("encode the labels as 0 … C-1", "data"))
    if loss.kind == "always zero" and len(facts.out.shape) > 1 and facts.out.shape[1] == 1:
        yield Cause("OVR020", "one_score", "issue", 0.85, "Cross-entropy is given one score a row: a softmax over one class is "
            "always 1, so the loss is always 0.", {"outputs": outputs}, advice("use BCEWithLogitsLoss for one score, or two "
            "outputs"))
    least, most = inputs.target_range
    if loss.kind == "bce_with_logits" and not inputs.classes and (least < -1e-6 or most > 1 + 1e-6):
        yield Cause("OVR023", "bce_targets", "issue", 1.2, "Binary cross-entropy is given targets that are no shares between 0 "
            f"and 1: they run from {number(least)} to {number(most)}, so the loss falls without end.", {"lowest": least,
            "highest": most}, advice("bring the targets to 0 … 1, such as masks of 0 and 255 by a division by 255", "data"))
    if loss.kind == "cross_entropy of shares" and inputs.share_rows > 0.01:
        yield Cause("OVR020", "ce_on_many_labels", "issue", 1.5, "Cross-entropy is given targets that do not sum to one a row "
            f"(several labels a row; largest gap {number(inputs.share_rows)}).", {"gap": inputs.share_rows}, advice(
            "use BCEWithLogitsLoss for several labels a row"))


def _scale(facts: Facts) -> Iterator[Cause]:
    """Sums instead of means, and factors."""
    loss, n = facts.loss, facts.inputs.n
    if 1.95 < loss.doubled < 2.05 and n >= 4:
        bad = not facts.near and facts.own_near
        yield Cause("OVR024", "sum_reduction", "issue" if bad else "tip", 2.5, "The loss is a sum over the rows, not a mean "
                    f"(reduction='sum'): its gradient grows with the batch ({n} rows), and so does the step.",
                    {"ratio": loss.doubled, "n": n}, advice("use reduction='mean', or divide the learning rate by the batch size"))
    elif loss.kind and (0 < loss.factor < 0.02 or loss.factor > 50) and not loss.kind.startswith("mse") and \
            not 0.9 < loss.factor * n / math.prod(facts.out.shape) < 1.1:  # a sum over the numbers of a row, a mean over rows
        per = f", about 1/n for n = {n}" if abs(loss.factor * n - 1) < 0.05 else ""
        yield Cause("OVR024", "scaled_loss", "tip" if facts.near else "issue", 3, f"The loss is {number(loss.factor)} times "
                    f"{loss.kind}{per}: gradients and steps are scaled with it.", {"factor": loss.factor},
                    advice("leave the loss at its mean over the rows"))


def explained(facts: Facts) -> Iterator[Cause]:
    """OVR090: what a forward pass, a loss or a step raised, in the words of its cause."""
    for stage, error in [facts.failed] if facts.failed else [("training step", facts.given.error)] if facts.given.error else []:
        text = " ".join(str(error).split())
        slug, cause, action = next(((s, c, a) for s, keys, c, a in RAISED if any(k in text for k in keys)),
                                   ("error", "", "run it by itself on this batch"))
        said = cause or "It cannot run on this batch"
        yield Cause("OVR090", slug, "issue", 0.8, f"{said}: the {stage} raised {type(error).__name__}: {text[:160]}.",
                    {"stage": stage, "error": type(error).__name__, "shape": facts.out.shape}, advice(action))


RAISED = (("labels_out_of_range", ("out of bounds", "t >= 0 && t < n_classes", "index out of range"),
    "An index is out of range (labels that are not 0 … C-1, or tokens beyond the embedding)", "encode labels as 0 … C-1; make the "
    "embedding as large as the vocabulary"), ("batch_of_one", ("more than 1 value per channel",), "BatchNorm cannot train on a "
    "batch of one row", "use a batch of at least two rows"), ("bce_on_logits", ("between 0 and 1",),
    "BCELoss is given raw scores (logits) where it expects probabilities between 0 and 1", "use BCEWithLogitsLoss, or a sigmoid "
    "at the end"), ("detached", ("does not require grad", "does not have a grad_fn"), "The loss is detached from the parameters: "
    "nothing in it has a gradient (detach, no_grad, argmax, .item() or all parameters frozen)", "look for detach(), no_grad(), "
    "argmax or .item()"), ("graph_kept", ("second time",), "A part of the graph is carried over from the step before (a hidden "
    "state or a stored tensor that is not detached)", "detach the state between steps, or set it anew in each forward pass"),
    ("in_place", ("inplace operation",), "A tensor that the gradient needs is changed in place", "use x = x + y instead of x += "
    "y"), ("shape", ("shapes cannot be multiplied", "size mismatch", "must match the size", "Expected input batch_size",
    "expected input", "Expected target size", "shape", "input.size(-1) must be equal"), "Shapes do not fit",
    "print the shapes layer by layer; check flatten, permute and batch_first"), ("dtype", ("expected scalar type",
    "must have the same dtype", "Found dtype", "not implemented for", "dtype"), "Types do not fit", "labels of CrossEntropyLoss "
    "are whole numbers (long), those of MSE and BCE are floats, inputs are floats"), ("device", ("same device",
    "Expected all tensors to be on"), "Tensors are on different devices", "move model, batch and loss weights to "
    "the same device"),)
RULES = (explained, _connected, _fits, _asks, _labels, _scale)  # OVR012, OVR020 to OVR024, OVR090
