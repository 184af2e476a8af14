"""What a loss asks for, found by trying it on outputs that no model stands behind."""

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F

from ml_lifecycle.exploration._probe.batch import tensors_in
from ml_lifecycle.exploration._probe.loss_kind import class_view, identify
from ml_lifecycle.exploration._probe.minimize import Free, minimize
from ml_lifecycle.exploration._probe.subject import Subject, float_tensors, main_tensor, with_tensor, with_tensors

EARLY = 0.5  # share of the time after which the lowest loss is looked for no more
NEEDS_PROBABILITY = ("bce", "nll of log")


@dataclass
class LossFacts:
    """How a loss behaves."""

    kind: str = ""  # a known loss that gives the same values, such as "cross_entropy"; "" when none does
    factor: float = 1.0  # how many times that loss
    pairs: bool = False  # every output is compared with every target (broadcasting)
    cut: bool = False  # no gradient reaches the outputs
    same_for_any_target: bool = False
    rows_matter: bool = False  # another order of the outputs gives another loss
    shift_free: int | None = None  # dimension along which a constant changes nothing: a softmax is inside
    columns_alike: bool = False  # columns may change places: no scores of classes but distances between rows
    shift_rows: bool = False  # a constant for all rows changes nothing: a softmax over the rows is inside
    random: float = 0.0  # spread of the loss of the same outputs, over its size
    competes: bool = False  # outputs sum to one where targets do not
    lowest: float = math.nan  # what free outputs reach
    constant: float = math.nan  # what one answer for all rows reaches
    unbounded: bool = False  # falls without end
    agreement: float | None = None  # share of targets that the best free outputs hit
    doubled: float = math.nan  # loss of the batch twice over the loss of the batch: 2 for a sum
    zeros: float = math.nan  # loss of outputs that are all 0 (a uniform answer, for scores)
    rows_counted: tuple[bool, ...] = ()  # whether the loss depends on the outputs of each row
    confined: float = math.nan  # what outputs reach that keep to the range of the last activation


def loss_facts(subject: Subject, output: Any, sums: tuple[int, ...] = (), log_sums: tuple[int, ...] = ()) -> LossFacts:
    """Everything about a loss that its values on free outputs tell; `output` is what the model gives at first."""
    facts, z0 = LossFacts(), main_tensor(output)
    if z0 is None or not z0.is_floating_point():
        return facts
    z0 = z0.detach().clone()
    structure = with_tensor(output, z0)

    def loss(z: Any, t: Any = None) -> Any:
        return subject.loss(with_tensor(structure, z), t)

    facts.cut = not loss(z0.clone().requires_grad_()).requires_grad
    if facts.cut:
        return facts
    t = tensors_in(subject.batch.targets)[0] if torch.is_tensor(subject.batch.targets) else None
    _values(loss, z0, t, facts)
    facts.competes = t is not None and t.is_floating_point() and t.shape == z0.shape and any(
        float((t.sum(d) - 1).abs().max()) > 0.05 for d in sums if d > 0)
    shares = [d for d in sums if d > 0 and facts.shift_free is None and not facts.competes]
    logs = [d for d in log_sums if d > 0] if z0.ndim > 1 else []
    ends = _Ends(shares[0] if shares else None, logs[-1] if logs else None, partial(subject.over, EARLY))
    best = _levels(loss, z0, t, facts, ends)
    if t is not None:
        facts.agreement = _agreement(*best, t, facts.shift_free)
    with contextlib.suppress(Exception):  # a structure may not take other tensors
        _several(subject, structure, facts)
    return facts


def _values(loss: Callable[..., Any], z0: Any, t: Any, facts: LossFacts) -> None:
    """What values of a loss tell: whether they are random, which known loss gives the same, on what they depend."""
    with torch.no_grad():
        draws = torch.stack([loss(z0).float() for _ in range(4)])
        facts.random = float(draws.std() / (draws.abs().mean() + 1e-12)) if bool((draws != draws[0]).any()) else 0.0
    if t is None:
        return
    facts.kind, facts.factor = identify(loss, z0, t)
    facts.pairs = "all pairs" in facts.kind
    with contextlib.suppress(Exception):  # a loss may not take what is tried
        _dependence(loss, z0, t, facts)
    with contextlib.suppress(Exception):
        _counted(loss, z0, facts)


@dataclass
class _Ends:
    """What stays true of outputs that are free to move."""

    shares: int | None  # dimension along which they sum to one
    logs: int | None  # dimension along which their exponentials do
    late: Callable[[], bool]  # whether there is no time to look for the lowest loss


def _levels(loss: Callable[..., Any], z0: Any, t: Any, facts: LossFacts, ends: _Ends) -> tuple[Any, bool]:
    """The losses that free outputs and one answer for all rows reach; the best outputs, and whether they are probabilities."""
    probability, scale = facts.kind.split(" of all")[0] in NEEDS_PROBABILITY, _scale(z0, t)
    if ends.shares is not None:
        probability, scale, z0 = False, 1.0, z0.clamp_min(1e-6).log()
    linear = facts.kind in ("nll", "kl") and facts.factor > 0  # takes log-probabilities, whatever the model gives

    def wrapped(z: Any, free: bool = False) -> Any:
        if ends.shares is not None:
            z = z.softmax(ends.shares)
        return loss(z.log_softmax(ends.logs) if ends.logs is not None else z.log_softmax(1) if linear and not free else z)

    z0 = torch.nan_to_num(z0, nan=0.0, posinf=0.0, neginf=0.0)
    try:
        facts.lowest, best, facts.unbounded = minimize(lambda z: wrapped(z, True), Free(z0, scale, probability), ends.late)
    except RuntimeError:  # a loss that takes outputs between 0 and 1 only
        probability = True
        facts.lowest, best, facts.unbounded = minimize(wrapped, Free(z0, scale, True), ends.late)
    with torch.no_grad():
        if not probability and (ends.shares is not None or not linear):
            zeros = torch.zeros_like(z0)
            facts.zeros = float(loss(zeros if ends.shares is None else zeros.softmax(ends.shares)))
    if linear and ends.logs is None:
        facts.lowest, best, _ = minimize(wrapped, Free(z0, scale, probability), ends.late)
    facts.constant = minimize(wrapped, Free(z0, scale, probability, int(z0.shape[0]) if z0.ndim else 0), ends.late)[0]
    return best, probability


def _scale(z0: Any, t: Any) -> float:
    """The spread of outputs or of targets that are numbers, where it is more than 1."""
    spread = max(float(v.float().std()) if v is not None and v.is_floating_point() and v.numel() > 1 else 0.0 for v in (z0, t))
    return spread if math.isfinite(spread) and spread > 1 else 1.0


def _several(subject: Subject, output: Any, facts: LossFacts) -> None:
    """Where an output holds several tensors, all of them are free to move."""
    parts = float_tensors(output)
    if len(parts) < 2 or facts.unbounded:
        return
    inside = bool(((parts[0] >= 0) & (parts[0] <= 1)).all())
    both = inside and parts[0].device.type == "cpu"  # elsewhere a probability out of its range stops the device, not the loss
    for confined in (False, True) if both else (inside,):
        try:
            lowest, constant = _together(subject, output, confined)
        except RuntimeError:  # a loss that takes scores between 0 and 1 only
            continue
        facts.lowest, facts.constant = min(facts.lowest, lowest), min(facts.constant, constant)
        if not math.isfinite(lowest):
            facts.lowest = facts.constant = math.nan
        return


def _together(subject: Subject, output: Any, confined: bool) -> tuple[float, float]:
    """What all tensors of an output reach, each row by itself and all rows the same; NaN where that falls without end."""
    start = [torch.nan_to_num(p.detach()) for p in float_tensors(output)]
    if confined:
        start[0] = start[0].clamp(1e-4, 1 - 1e-4).logit()

    def loss(free: Any) -> Any:
        return subject.loss(with_tensors(output, [free[0].sigmoid() if confined else free[0], *free[1:]]))

    lowest, _, endless = minimize(loss, Free(start), partial(subject.over, EARLY))
    constant = minimize(loss, Free(start, rows=subject.batch.n), partial(subject.over, EARLY))[0]
    return (math.nan, math.nan) if endless else (lowest, constant)


def _dependence(loss: Callable[..., Any], z: Any, t: Any, facts: LossFacts) -> None:
    """How the loss changes with targets, with shifted scores, and with more rows."""
    draw = _like_targets(torch.empty_like(z).uniform_(0.05, 0.95), t)
    with torch.no_grad():
        value = float(loss(draw))
        order = torch.argsort(t.reshape(t.shape[0], -1)[:, 0].float(), stable=True)
        other = t.clone()
        other[order] = t[order.roll(max(1, t.shape[0] // 2))]
        if not torch.equal(other, t):
            facts.same_for_any_target = abs(float(loss(draw, other)) - value) <= 1e-7 * max(1, abs(value))
            facts.rows_matter = abs(float(loss(draw[order.roll(1)])) - value) > 1e-6 * max(1, abs(value))
        try:
            twice = float(loss(torch.cat([draw, draw]), torch.cat([t, t])))
            facts.doubled = twice / value if value else math.nan
        except Exception:  # noqa: BLE001 - a loss may be bound to the number of rows
            facts.doubled = math.nan
        if z.ndim == 2 and z.shape[0] > 1 < z.shape[1]:
            facts.columns_alike = abs(float(loss(draw.roll(1, 1))) - value) <= 1e-6 * max(1e-3, abs(value))
            up = torch.empty_like(draw[:1]).uniform_(0, 0.05)  # keeps numbers between 0 and 1
            facts.shift_rows = not facts.columns_alike and abs(float(loss(0.9 * draw + up)) - float(loss(0.9 * draw))) <= \
                1e-6 * max(1e-3, abs(value))
        for dim in range(1, z.ndim):
            shift = -torch.empty_like(z.select(dim, 0)).uniform_(1, 3).unsqueeze(dim)  # below 0, where a ReLU shows
            try:
                if z.shape[dim] > 1 and abs(float(loss(draw + shift)) - value) <= 1e-5 * max(1, abs(value)):
                    facts.shift_free = dim
            except Exception:  # noqa: BLE001 - a loss may refuse values below 0
                break


def _like_targets(draw: Any, t: Any) -> Any:
    """Numbers on the scale of the targets, where those are far from 0 to 1: a change of targets then shows in the loss."""
    if not t.is_floating_point() or (float(t.min()) > -3 and float(t.max()) < 3):
        return draw
    return float(t.mean()) + (draw - 0.5) * 2 * max(float(t.std()) if t.numel() > 1 else 0.0, 1e-3 * float(t.abs().max()))


def _counted(loss: Callable[..., Any], z: Any, facts: LossFacts) -> None:
    """Rows whose outputs the loss looks at."""
    seen = torch.zeros(z.shape[0], dtype=torch.bool, device=z.device)
    for _ in range(3):
        probability = facts.kind.startswith(NEEDS_PROBABILITY)
        free = (torch.empty_like(z).uniform_(0.05, 0.95) if probability else torch.randn_like(z)).requires_grad_()
        found, = torch.autograd.grad(loss(free), free)
        if not bool(torch.isfinite(found).all()):
            return
        seen |= found.detach().reshape(z.shape[0], -1).abs().sum(1) > 0
    facts.rows_counted = tuple(bool(v) for v in seen.tolist())


def confined(subject: Subject, output: Any, low: float, high: float) -> float:
    """The lowest loss that outputs between two ends reach."""
    z0 = main_tensor(output).detach()

    def inside(u: Any) -> Any:
        if math.isfinite(low) and math.isfinite(high):
            return low + (high - low) * u.sigmoid()
        return low + F.softplus(u) if math.isfinite(low) else high - F.softplus(u)

    size = max(1.0, float(z0.std()) if z0.numel() > 1 else 1.0)
    return minimize(lambda u: subject.loss(with_tensor(output, inside(u))), Free(torch.zeros_like(z0), size),
                    partial(subject.over, EARLY))[0]


def _agreement(z: Any, probability: bool, t: Any, dim: int | None) -> float | None:
    seen = class_view(z, t, dim)
    if seen is not None and seen[0].shape[-1] > 1:
        scores, labels = seen
        counted = (labels >= 0) & (labels < scores.shape[-1])
        return float((scores.argmax(-1) == labels)[counted].float().mean()) if bool(counted.any()) else None
    if t.numel() == z.numel() and bool(((t == 0) | (t == 1)).all()):
        return float(((z.reshape(t.shape) > (0.5 if probability else 0.0)) == (t > 0.5)).float().mean())
    return None
