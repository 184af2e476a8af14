"""What the graph says: layers that nobody trains, places that nobody hears, softmaxes over the wrong axis, rows left out."""

import math
from collections.abc import Iterator

import torch

from ml_lifecycle.exploration._probe.facts import Cause, Facts, advice, few
from ml_lifecycle.exploration._probe.paths import unregistered
from ml_lifecycle.foundation._render import number

def _unregistered(facts: Facts) -> Iterator[Cause]:
    p = facts.paths
    held = {id(t) for o in facts.given.optimizers for g in o.param_groups for t in g["params"]}
    if p.hidden and not held & unregistered(facts.subject.model):
        yield Cause("OVR017", "unregistered", "issue", 1.1, f"{few(p.hidden)} holds layers or weights that are no parameters of "
            f"the model ({p.hidden_size:,} numbers, not registered): model.parameters() does not give them, so no optimizer "
            "trains them.", {"attributes": p.hidden, "numbers": p.hidden_size}, advice("keep layers in nn.ModuleList, "
            "nn.ModuleDict or nn.Sequential and weights in nn.Parameter, not in a plain list"))
    if p.fresh:
        yield Cause("OVR017", "made_anew", "issue", 1.05, f"Layers are made anew in each forward pass ({p.fresh:,} numbers to "
            "train that the model does not keep): they are random every time, and never trained.", {"numbers": p.fresh},
            advice("make all layers once, in __init__"))


def _inputs(facts: Facts) -> Iterator[Cause]:
    unheard = facts.paths.unheard
    if unheard and facts.out.own > 0:
        several = ", ".join(f"number {i}" for i in unheard)
        yield Cause("OVR041", "one_input_ignored", "tip" if facts.near else "issue", 1.6, f"Of the inputs, {several} does not "
            "reach the output: it stays the same whatever that input is.", {"inputs": unheard}, advice(
            "follow this input through forward; look for a wrong variable"))


def _places(facts: Facts) -> Iterator[Cause]:
    p = facts.paths
    if not p.places:
        return
    numbers = {"places": p.places, "heard": p.heard}
    if p.ahead:
        yield Cause("OVR046", "sees_target", "issue", 1.5, "The output at a place depends on the next one, which is its "
            "target: the "
            "model sees what it is to predict (no causal mask, or a network that runs both ways).", numbers, advice(
            "mask what comes later: is_causal=True, or a mask that is True above the diagonal"))
    if p.swapped:
        yield Cause("OVR046", "swapped_axes", "tip" if facts.near else "issue", 1.2, "Classes and places are mixed: the scores of "
            "one place come from different places of the input (view or reshape where transpose is meant).", numbers, advice(
            "use transpose(1, 2) or permute to change the order of dimensions; view only cuts the same numbers anew"))
    if p.mask_turned:
        yield Cause("OVR046", "mask_turned", "issue", 1.15, "The mask is the wrong way round: padding reaches the output, and "
            "real tokens do not.", numbers, advice("key_padding_mask is True where a token is padding; a mask to multiply with is "
            "1 where it is real"))
    elif p.padding_heard > 0.3:
        yield Cause("OVR046", "padding_heard", "tip", 3, "Padding reaches the output: a place of padding moves it "
            f"{number(p.padding_heard)} times as much as a real one (no mask, a mask that is turned round, or what is taken "
            "stands behind the end of the sequence).", {"ratio": p.padding_heard}, advice("mask the padding in "
            "attention and means, and "
            "take the output at the last real place"))
    if p.cut:
        yield Cause("OVR031", "cut_between_places", "tip" if facts.near else "issue", 1.6, f"The output depends on more than "
            f"{len(p.heard)} of {p.places} {p.what}, but only these get a gradient: the graph is cut between them (a state that "
            "is detached at each step).", numbers, advice("detach the state between batches, not within a sequence"))
    elif len(p.heard) == 1:
        which = {0: "first", p.places - 1: "last"}.get(p.heard[0], f"number {p.heard[0]}")
        yield Cause("OVR046", "one_place", "tip" if facts.near else "issue", 1.6, f"Only one of {p.places} {p.what} reaches the "
            f"output (the {which}): the output does not depend on the others.", numbers, advice("look at which axis is time "
            "(batch_first), at the mask, and at what is taken from the sequence, such as out[:, -1]"))
    elif 0 < len(p.heard) <= p.places / 2:
        yield Cause("OVR046", "few_places", "tip", 4, f"Only {len(p.heard)} of {p.places} {p.what} reach the output.", numbers,
                    advice("look at the mask, and at what is taken from the sequence"))


def _softmaxes(facts: Facts) -> Iterator[Cause]:
    p = facts.paths
    if p.single:
        yield Cause("OVR045", "softmax_of_one", "issue", 1.6, f"A softmax runs over an axis of one number in {p.single!r}: it "
            "gives 1 whatever the scores are, and they get no gradient.", {"where": p.single}, advice(
            "use the axis of the time steps or classes"))
    if p.across:
        yield Cause("OVR045", "attention_axis", "tip" if facts.near else "issue", 1.7, "The softmax of an attention in "
            f"{p.across!r} runs over the queries, not over the keys (the last axis): weights of a query do not sum to one.",
            {"where": p.across}, advice("use softmax(dim=-1) for scores of shape (..., queries, keys)"))


def _counted(facts: Facts) -> Iterator[Cause]:
    """Rows that the loss leaves out."""
    rows, i, t = facts.loss.rows_counted, facts.inputs, facts.subject.batch.targets
    if facts.failed is None and torch.is_tensor(t) and not t.is_floating_point() and not math.isfinite(facts.inside.loss) \
            and i.finite and not i.classes_counted:
        yield Cause("OVR025", "nothing_counted", "issue", 0.5, f"No target counts: all {t.numel():,} are {i.target_range[0]:g} … "
                    f"{i.target_range[1]:g}, which the loss ignores (ignore_index), so it averages nothing and is NaN.",
                    {"targets": int(t.numel())}, advice("look at the targets, and at ignore_index", "data"))
        return
    if not rows or all(rows) or facts.loss.cut or facts.loss.same_for_any_target:
        return
    if not torch.is_tensor(t) or t.shape[0] != len(rows):
        return
    out = [k for k, on in enumerate(rows) if not on]
    marked = not t.is_floating_point() and bool((t[torch.tensor(out, device=t.device)] < 0).all())
    if marked:
        return
    dropped = sorted({float(v) for k in out for v in t[k].reshape(-1)[:1]})
    whole = not t.is_floating_point() and t.ndim == 1 and len(dropped) == 1 and \
        all(not rows[k] for k in range(len(rows)) if float(t[k]) == dropped[0])
    share = len(out) / len(rows)
    why = f": those with label {dropped[0]:g} (ignore_index or a weight of 0)" if whole else ""
    yield Cause("OVR025", "class_ignored" if whole else "rows_not_counted", "issue" if share > 0.3 and not whole else "tip", 1.5,
                f"The loss leaves out {len(out)} of {len(rows)} rows of the batch{why}.", {"rows": len(out), "n": len(rows)},
                advice("look at the indexing, the weights and ignore_index in loss_fn"))


RULES = (_unregistered, _inputs, _places, _softmaxes, _counted)  # OVR017, OVR025, OVR045 and OVR046
