"""What a loss asks for, found by trying it on outputs that no model stands behind."""

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
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
    rows_counted: tuple[bool, ...] = ()  # whether the loss depends on the outputs of each row
    confined: float = math.nan  # what outputs reach that keep to the range of the last activation


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
                keep: dict[str, Any] = {"ignore_index": ignored}
                yield "cross_entropy", partial(F.cross_entropy, scores, labels, **keep)
                yield "nll", partial(F.nll_loss, scores, labels, **keep)
                yield "nll of log", partial(F.nll_loss, scores.log(), labels, **keep)
                yield "cross_entropy of softmax", partial(F.cross_entropy, scores.softmax(-1), labels, **keep)
                yield "nll of softmax", partial(F.nll_loss, scores.softmax(-1), labels, **keep)
                yield "cross_entropy of softmax over rows", partial(F.cross_entropy, scores.softmax(0), labels, **keep)
                yield "nll of log_softmax over rows", partial(F.nll_loss, scores.log_softmax(0), labels, **keep)
                yield "cross_entropy of relu", partial(F.cross_entropy, scores.relu(), labels, **keep)
                yield "cross_entropy of sigmoid", partial(F.cross_entropy, scores.sigmoid(), labels, **keep)
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
        yield "mse" + ending, partial(F.mse_loss, a, b)
        yield "l1" + ending, partial(F.l1_loss, a, b)
        yield "huber" + ending, partial(F.huber_loss, a, b)
        if float(b.min()) >= 0 and float(b.max()) <= 1:
            yield "bce_with_logits" + ending, partial(F.binary_cross_entropy_with_logits, a, b)
            yield "bce" + ending, partial(F.binary_cross_entropy, a.clamp(0, 1), b)
            yield "bce_with_logits of sigmoid" + ending, partial(F.binary_cross_entropy_with_logits, a.sigmoid(), b)
            if a.ndim == 2 and a.shape[1] > 1 and not ending:
                yield "cross_entropy of shares", partial(F.cross_entropy, a, b)


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
        if middle and all(math.isfinite(r) and abs(r / middle - 1) < 1e-3 for r in found) and _holds_wide(loss, z, t, i, middle):
            facts.kind, facts.factor = names[i], middle
            facts.pairs = "all pairs" in names[i]
            return


def _holds_wide(loss: Callable[[Any], Any], z: Any, t: Any, i: int, factor: float) -> bool:
    """Whether a known loss gives the same values also for outputs far below 0 and above 1, where the loss takes those."""
    wide = torch.where(torch.rand_like(z) < 0.5, -3 * torch.rand_like(z), 3 * torch.rand_like(z))
    try:
        value, known = float(loss(wide)), float(next(islice(_known(wide, t), i, None))[1]())
    except Exception:  # noqa: BLE001 - a loss may refuse such outputs
        return True
    return not (math.isfinite(value) and math.isfinite(known)) or abs(value - factor * known) < 2e-3 * abs(value)


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


def loss_facts(subject: Subject, output: Any, sums: tuple[int, ...] = ()) -> LossFacts:
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
        with contextlib.suppress(Exception):  # a loss may not take what is tried
            _dependence(loss, z0, t, facts)
        with contextlib.suppress(Exception):
            _counted(loss, z0, facts)
    probability = facts.kind.split(" of all")[0] in NEEDS_PROBABILITY
    spread = max(float(z0.std()) if z0.numel() > 1 else 0.0,
                 float(t.float().std()) if t is not None and t.is_floating_point() and t.numel() > 1 else 0.0)
    scale = spread if math.isfinite(spread) and spread > 1 else 1.0
    shares = [d for d in sums if d > 0 and facts.shift_free is None]
    if shares:  # outputs that sum to one stay so
        probability, scale, z0 = False, 1.0, z0.clamp_min(1e-6).log()
        free_loss = loss

        def loss(z: Any, t: Any = None) -> Any:
            return free_loss(z.softmax(shares[0]), t)
    wrap = _normalised if facts.kind == "nll" and facts.factor > 0 else (lambda z: z)
    z0 = torch.nan_to_num(z0, nan=0.0, posinf=0.0, neginf=0.0)
    try:
        _, _, facts.unbounded = minimize(loss, z0, scale, probability)
    except RuntimeError:  # a loss that takes outputs between 0 and 1 only
        probability = True
        _, _, facts.unbounded = minimize(loss, z0, scale, probability)
    with torch.no_grad():
        facts.zeros = float(loss(torch.zeros_like(z0))) if not probability and (shares or facts.kind != "nll") else math.nan
    facts.lowest, best, _ = minimize(lambda z: loss(wrap(z)), z0, scale, probability)
    facts.constant, _, _ = minimize(lambda z: loss(wrap(z)), z0, scale, probability, rows=int(z0.shape[0]) if z0.ndim else 0)
    if t is not None:
        facts.agreement = _agreement(best, t, probability)
    return facts


def _normalised(z: Any) -> Any:
    return z.log_softmax(1)


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
        try:
            twice = float(loss(torch.cat([draw, draw]), torch.cat([t, t])))
            facts.doubled = twice / value if value else math.nan
        except Exception:  # noqa: BLE001 - a loss may be bound to the number of rows
            facts.doubled = math.nan
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
    return minimize(lambda u: subject.loss(with_tensor(output, inside(u))), torch.zeros_like(z0), size, False)[0]


def _agreement(z: Any, t: Any, probability: bool) -> float | None:
    seen = class_view(z, t)
    if seen is not None and seen[0].shape[-1] > 1:
        scores, labels = seen
        counted = (labels >= 0) & (labels < scores.shape[-1])
        return float((scores.argmax(-1) == labels)[counted].float().mean()) if bool(counted.any()) else None
    if t.numel() == z.numel() and bool(((t == 0) | (t == 1)).all()):
        return float(((z.reshape(t.shape) > (0.5 if probability else 0.0)) == (t > 0.5)).float().mean())
    return None
