"""Which known loss a loss is, told by its values on random outputs."""

import contextlib
import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any

import torch
import torch.nn.functional as F

def class_view(z: Any, t: Any, dim: int | None = None) -> tuple[Any, Any] | None:
    """Scores as (rows, classes) with labels (rows,), for targets that are classes; None when they are not.

    `dim` is where the classes stand, when that is known; the shapes alone may leave it open.
    """
    if t.is_floating_point() or t.dtype == torch.bool or z.ndim < 2:
        return None
    if dim is not None and z.movedim(dim, -1).shape[:-1] == t.shape:
        return z.movedim(dim, -1).reshape(-1, z.shape[dim]), t.reshape(-1)
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
    for dim in (None, 1) if z.ndim > 2 and z.shape[1] == z.shape[-1] else (None,):
        seen = class_view(z, t, dim)
        if seen is not None:
            yield from _known_classes(seen[0], seen[1].long())
    yield from _known_numbers(z, t)


def _known_classes(scores: Any, labels: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Known losses of targets that are classes."""
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
    yield "mse of softmax over rows", lambda: F.mse_loss(scores.softmax(0), one)
    yield "bce_with_logits", lambda: F.binary_cross_entropy_with_logits(scores, one)


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
        yield "bce_with_logits" + ending, partial(F.binary_cross_entropy_with_logits, a, b)
        if float(b.min()) >= 0 and float(b.max()) <= 1:
            yield "bce" + ending, partial(F.binary_cross_entropy, a.clamp(0, 1), b)
            yield "bce_with_logits of sigmoid" + ending, partial(F.binary_cross_entropy_with_logits, a.sigmoid(), b)
            if a.ndim == 2 and a.shape[1] > 1 and not ending:
                yield "cross_entropy of shares", partial(F.cross_entropy, a, b)
                yield "kl", partial(F.kl_div, a, b, reduction="batchmean")


def identify(loss: Callable[[Any], Any], z: Any, t: Any) -> tuple[str, float]:
    """Which known loss gives the same values on random outputs in (0, 1), and how many times it; "" when none does."""
    draws = [torch.empty_like(z).uniform_(0.05, 0.95) for _ in range(3)]
    try:
        values = [float(loss(d)) for d in draws]
    except Exception:  # noqa: BLE001 - a loss may refuse such outputs
        return "", 1.0
    if not any(values):
        return "always zero", 1.0
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
            return names[i], middle
    return "", 1.0


def _holds_wide(loss: Callable[[Any], Any], z: Any, t: Any, i: int, factor: float) -> bool:
    """Whether a known loss gives the same values also for outputs far below 0 and above 1, where the loss takes those."""
    wide = torch.where(torch.rand_like(z) < 0.5, -3 * torch.rand_like(z), 3 * torch.rand_like(z))
    try:
        value, known = float(loss(wide)), float(next(islice(_known(wide, t), i, None))[1]())
    except Exception:  # noqa: BLE001 - a loss may refuse such outputs
        return True
    return not (math.isfinite(value) and math.isfinite(known)) or abs(value - factor * known) < 2e-3 * abs(value)
