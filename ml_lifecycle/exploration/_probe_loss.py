"""What a loss asks for, found by trying it on outputs that no model stands behind."""

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from ._probe_batch import tensors_in
from ._probe_subject import Subject, main_tensor, with_tensor

STEPS = 150  # of Adam on free outputs
NEEDS_PROBABILITY = ("bce", "nll of log")


@dataclass
class LossFacts:
    """How a loss behaves."""

    kind: str = ""  # a known loss that gives the same values, such as "cross_entropy"; "" when none does
    factor: float = 1.0  # how many times that loss
    pairs: bool = False  # every output is compared with every target (broadcasting)
    cut: bool = False  # no gradient reaches the outputs
    same_for_any_target: bool = False
    shift_free: int | None = None  # dimension along which a constant changes nothing: a softmax is inside
    lowest: float = math.nan  # what free outputs reach
    constant: float = math.nan  # what one answer for all rows reaches
    unbounded: bool = False  # falls without end
    agreement: float | None = None  # share of targets that the best free outputs hit
    doubled: float = math.nan  # loss of the batch twice over the loss of the batch: 2 for a sum
    zeros: float = math.nan  # loss of outputs that are all 0 (a uniform answer, for scores)
    outside: float = math.nan  # change of the loss when a target of another row changes


def class_view(z: Any, t: Any) -> tuple[Any, Any] | None:
    """Scores as (rows, classes) with labels (rows,), for targets that are classes; None when they are not."""
    if t.is_floating_point() or t.dtype == torch.bool or z.ndim < 2:
        return None
    if z.ndim == t.ndim + 1 and z.shape[:-1] == t.shape and not (z.ndim > 2 and z.shape[0] == t.shape[0]
                                                                and z.shape[2:] == t.shape[1:] and z.shape[1] != z.shape[-1]):
        return z.reshape(-1, z.shape[-1]), t.reshape(-1)
    if z.ndim == t.ndim + 1 and z.shape[0] == t.shape[0] and z.shape[2:] == t.shape[1:]:
        return z.movedim(1, -1).reshape(-1, z.shape[1]), t.reshape(-1)
    if z.shape[0] * (z.numel() // z.shape[0] // z.shape[-1]) == t.numel():
        return z.reshape(-1, z.shape[-1]), t.reshape(-1)
    return None


def _known(z: Any, t: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Known losses as functions of scores and targets of these shapes."""
    seen = class_view(z, t)
    if seen is not None:
        scores, labels = seen
        labels = labels.long()
        for ignored in (-100, 0, -1):
            if ignored == -100 or bool((labels == ignored).any()):
                keep = {"ignore_index": ignored}
                yield "cross_entropy", lambda keep=keep: F.cross_entropy(scores, labels, **keep)
                yield "nll", lambda keep=keep: F.nll_loss(scores, labels, **keep)
                yield "nll of log", lambda keep=keep: F.nll_loss(scores.log(), labels, **keep)
                yield "cross_entropy of softmax", lambda keep=keep: F.cross_entropy(scores.softmax(-1), labels, **keep)
                yield "nll of softmax", lambda keep=keep: F.nll_loss(scores.softmax(-1), labels, **keep)
                yield "cross_entropy of softmax over rows", lambda keep=keep: F.cross_entropy(scores.softmax(0), labels, **keep)
                yield "nll of log_softmax over rows", lambda keep=keep: F.nll_loss(scores.log_softmax(0), labels, **keep)
                yield "cross_entropy of sigmoid", lambda keep=keep: F.cross_entropy(scores.sigmoid(), labels, **keep)
                yield "cross_entropy of relu", lambda keep=keep: F.cross_entropy(scores.relu() - 0.0, labels, **keep)
        one = F.one_hot(labels.clamp(0, scores.shape[-1] - 1), scores.shape[-1]).to(scores)
        yield "mse of one-hot", lambda: F.mse_loss(scores, one)
        yield "mse of softmax and one-hot", lambda: F.mse_loss(scores.softmax(-1), one)
        yield "bce_with_logits", lambda: F.binary_cross_entropy_with_logits(scores, one)
    yield from _known_numbers(z, t)


def _known_numbers(z: Any, t: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Known losses of targets that are numbers."""
    y = t.to(z.dtype)
    same = y.reshape(z.shape) if y.numel() == z.numel() else None
    crossed = z.shape != y.shape and same is not None
    pairs = [("", z if same is not None else None, same)]
    if crossed or same is None:
        with contextlib.suppress(RuntimeError):
            pairs.append((" of all pairs", *torch.broadcast_tensors(z, y)))
    for ending, a, b in pairs:
        if a is None or b is None:
            continue
        yield "mse" + ending, lambda a=a, b=b: F.mse_loss(a, b)
        yield "l1" + ending, lambda a=a, b=b: F.l1_loss(a, b)
        yield "huber" + ending, lambda a=a, b=b: F.huber_loss(a, b)
        if float(b.min()) >= 0 and float(b.max()) <= 1:
            yield "bce_with_logits" + ending, lambda a=a, b=b: F.binary_cross_entropy_with_logits(a, b)
            yield "bce" + ending, lambda a=a, b=b: F.binary_cross_entropy(a.clamp(0, 1), b)
            yield "bce_with_logits of sigmoid" + ending, lambda a=a, b=b: F.binary_cross_entropy_with_logits(a.sigmoid(), b)
            if a.ndim == 2 and a.shape[1] > 1 and not ending:
                yield "cross_entropy of shares", lambda a=a, b=b: F.cross_entropy(a, b)


def identify(loss: Callable[[Any], Any], z: Any, t: Any, facts: LossFacts) -> None:
    """Which known loss gives the same values on random outputs in (0, 1), up to a factor."""
    draws = [torch.empty_like(z).uniform_(0.05, 0.95) for _ in range(3)]
    try:
        values = [float(loss(d)) for d in draws]
    except Exception:  # noqa: BLE001 - a loss may refuse such outputs
        return
    if not any(values):
        facts.kind = "always zero"
        return
    names = [name for name, _ in _known(draws[0], t)]
    ratios: dict[int, list[float]] = {}
    for d, value in zip(draws, values):
        for i, (_, known) in enumerate(_known(d, t)):
            try:
                ratios.setdefault(i, []).append(value / float(known()))
            except (RuntimeError, IndexError, ValueError, ZeroDivisionError):
                ratios.setdefault(i, []).append(math.nan)
    for i, found in ratios.items():
        middle = sorted(found)[1]
        if middle and all(math.isfinite(r) and abs(r / middle - 1) < 1e-3 for r in found):
            facts.kind, facts.factor = names[i], middle
            facts.pairs = "all pairs" in names[i]
            return


def minimize(loss: Callable[[Any], Any], start: Any, scale: float, probability: bool, rows: int = 0) -> tuple[float, Any, bool]:
    """The lowest loss that outputs reach when they are free to move: (loss, outputs, still falling without end)."""
    base = start.mean(dim=0, keepdim=True) if rows else start
    base = base.clamp(1e-4, 1 - 1e-4).logit() if probability else base
    u = torch.zeros_like(base, requires_grad=True)
    optimizer = torch.optim.Adam([u], lr=0.15)
    trace: list[Any] = []

    def outputs() -> Any:
        z = base + scale * u
        z = z.sigmoid() if probability else z
        return z.expand(rows, *z.shape[1:]) if rows else z

    for i in range(STEPS):
        if i == STEPS * 2 // 3:
            optimizer.param_groups[0]["lr"] = 0.02
        value = loss(outputs())
        trace.append(value.detach())
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    seen = torch.stack(trace).tolist()
    third = STEPS // 3
    steady = seen[third] - seen[2 * third - 1] > 0.8 * (seen[0] - seen[third]) > 0
    endless = bool(steady and seen[-1] < min(0.0, seen[0]) - 1)
    with torch.no_grad():
        return min(x if math.isfinite(x) else math.inf for x in seen), outputs(), endless


def loss_facts(subject: Subject, output: Any) -> LossFacts:
    """Everything about a loss that its values on free outputs tell; `output` is what the model gives at first."""
    facts, z0 = LossFacts(), main_tensor(output)
    targets = tensors_in(subject.batch.targets)
    if z0 is None or not z0.is_floating_point():
        return facts
    z0 = z0.detach().clone()
    structure = with_tensor(output, z0)

    def loss(z: Any, t: Any = None) -> Any:
        return subject.loss(with_tensor(structure, z), t)

    free = z0.clone().requires_grad_()
    facts.cut = not loss(free).requires_grad
    if facts.cut:
        return facts
    t = targets[0] if torch.is_tensor(subject.batch.targets) else None
    if t is not None:
        identify(loss, z0, t, facts)
        _dependence(loss, z0, t, facts)
    probability = facts.kind.split(" of all")[0] in NEEDS_PROBABILITY
    spread = max(float(z0.std()) if z0.numel() > 1 else 0.0,
                 float(t.float().std()) if t is not None and t.is_floating_point() and t.numel() > 1 else 0.0)
    scale = spread if math.isfinite(spread) and spread > 1 else 1.0
    wrap = _normalised if facts.kind == "nll" and facts.factor > 0 else (lambda z: z)
    z0 = torch.nan_to_num(z0, nan=0.0, posinf=0.0, neginf=0.0)
    with torch.no_grad():
        facts.zeros = float(loss(torch.zeros_like(z0))) if not probability and facts.kind != "nll" else math.nan
    _, _, facts.unbounded = minimize(loss, z0, scale, probability)
    facts.lowest, best, _ = minimize(lambda z: loss(wrap(z)), z0, scale, probability)
    facts.constant, _, _ = minimize(lambda z: loss(wrap(z)), z0, scale, probability, rows=int(z0.shape[0]) if z0.ndim else 0)
    if t is not None:
        facts.agreement = _agreement(best, t, probability)
    return facts


def _normalised(z: Any) -> Any:
    return z.log_softmax(1)


def _dependence(loss: Callable[..., Any], z: Any, t: Any, facts: LossFacts) -> None:
    """How the loss changes with targets, with shifted scores, and with more rows."""
    draw = torch.empty_like(z).uniform_(0.05, 0.95)
    with torch.no_grad():
        value = float(loss(draw))
        order = torch.argsort(t.reshape(t.shape[0], -1)[:, 0].float(), stable=True)
        other = t.clone()
        other[order] = t[order.roll(max(1, t.shape[0] // 2))]
        if not torch.equal(other, t):
            facts.same_for_any_target = abs(float(loss(draw, other)) - value) <= 1e-7 * max(1, abs(value))
        try:
            twice = float(loss(torch.cat([draw, draw]), torch.cat([t, t])))
            facts.doubled = twice / value if value else math.nan
        except Exception:  # noqa: BLE001 - a loss may be bound to the number of rows
            facts.doubled = math.nan
        for dim in range(1, z.ndim):
            shift = torch.empty_like(z.select(dim, 0)).uniform_(0.5, 2).unsqueeze(dim)
            try:
                if z.shape[dim] > 1 and abs(float(loss(draw + shift)) - value) <= 1e-5 * max(1, abs(value)):
                    facts.shift_free = dim
            except Exception:  # noqa: BLE001 - a loss may refuse values above 1
                break


def _agreement(z: Any, t: Any, probability: bool) -> float | None:
    seen = class_view(z, t)
    if seen is not None and seen[0].shape[-1] > 1:
        scores, labels = seen
        counted = (labels >= 0) & (labels < scores.shape[-1])
        return float((scores.argmax(-1) == labels)[counted].float().mean()) if bool(counted.any()) else None
    if t.numel() == z.numel() and bool(((t == 0) | (t == 1)).all()):
        return float(((z.reshape(t.shape) > (0.5 if probability else 0.0)) == (t > 0.5)).float().mean())
    return None
