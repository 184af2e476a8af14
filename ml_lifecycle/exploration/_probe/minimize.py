"""The lowest loss that outputs reach when no model stands behind them."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

STEPS = 150  # of Adam (Kingma & Ba 2015) at most
BLOCK = 10  # steps from one look at the losses to the next
RATES = (0.15, 0.045, 0.0135)  # the next one where a block gains too little
GAIN = 3e-4  # of what was gained so far; less is too little
LAST = 0.02  # rate of the last third at most
MEAN, SQUARE = 0.9, 0.95  # shares of the old that the estimates of Adam keep


@dataclass
class Free:
    """Outputs that are free to move: one tensor, or several of one structure."""

    start: Any  # a tensor, or a list of them
    scale: float = 1.0  # how far they move at a step
    probability: bool = False  # they stay between 0 and 1
    rows: int = 0  # all rows the same: so many; 0: each row by itself

    def __post_init__(self) -> None:
        parts = self.start if isinstance(self.start, list) else [self.start]
        alike = [bool(self.rows and p.ndim and p.shape[0] == self.rows) for p in parts]
        base = [p.mean(dim=0, keepdim=True) if same else p for p, same in zip(parts, alike)]
        self.base = [p.clamp(1e-4, 1 - 1e-4).logit() if self.probability else p for p in base]
        self.alike = alike

    def at(self, u: Any) -> Any:
        """The outputs at a vector of moves."""
        made, begin = [], 0
        for base, same in zip(self.base, self.alike):
            z = base + self.scale * u[begin:begin + base.numel()].view(base.shape)
            z = z.sigmoid() if self.probability else z
            made.append(z.expand(self.rows, *z.shape[1:]) if same else z)
            begin += base.numel()
        return made if isinstance(self.start, list) else made[0]


def minimize(loss: Callable[[Any], Any], free: Free, late: Callable[[], bool] = bool) -> tuple[float, Any, bool]:
    """(lowest loss, outputs, whether it falls without end); the lowest is NaN where it got `late` on the way."""
    u = torch.zeros(sum(p.numel() for p in free.base), dtype=free.base[0].dtype, device=free.base[0].device, requires_grad=True)
    mean, square, stalls = torch.zeros_like(u), torch.zeros_like(u), 0
    seen: list[float] = []
    kept: list[Any] = []
    for i in range(1, STEPS + 1):
        value = loss(free.at(u))
        kept.append(value.detach())
        gradient = torch.autograd.grad(value, u, allow_unused=True)[0]
        if gradient is not None:
            mean.mul_(MEAN).add_(gradient, alpha=1 - MEAN)
            square.mul_(SQUARE).addcmul_(gradient, gradient, value=1 - SQUARE)
            rate = RATES[stalls] if i <= STEPS * 2 // 3 else min(RATES[stalls], LAST)
            with torch.no_grad():
                u.addcdiv_(mean, (square / (1 - SQUARE**i)).sqrt_().add_(1e-8), value=-rate / (1 - MEAN**i))
        if i % BLOCK == 0:
            before = _low(seen)
            seen += torch.stack(kept).tolist()
            kept.clear()
            if late():
                return math.nan, free.at(u.detach()), False
            stalls += before - _low(seen) <= GAIN * (seen[0] - _low(seen)) or gradient is None
            if stalls == len(RATES):
                break
    return _low(seen), free.at(u.detach()), _endless(seen)


def _low(seen: list[float]) -> float:
    return min((x for x in seen if math.isfinite(x)), default=math.inf)


def _endless(seen: list[float]) -> bool:
    """Whether a loss fell as fast in the second third as in the first, and below zero."""
    third = STEPS // 3
    if len(seen) < STEPS:
        return False
    steady = seen[third] - seen[2 * third - 1] > 0.8 * (seen[0] - seen[third]) > 0
    return bool(steady and seen[-1] < min(0.0, seen[0]) - 1)
