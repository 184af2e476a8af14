"""Rows of batches: told apart by a hash, summed up column by column, and a few of them kept as numbers."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

PLACES, KEPT, WIDE, LARGE = 512, 256, 4096, 4_000_000  # numbers of a row that are hashed, kept, summed; of a batch


def tensors(value: Any) -> list[Any]:
    """Every tensor in the arguments of a model."""
    if torch.is_tensor(value):
        return [value]
    if isinstance(value, Mapping):
        value = list(value.values())
    return [t for item in value for t in tensors(item)] if isinstance(value, (tuple, list)) else []


def rows_in(found: list[Any]) -> int:
    """How many rows there are: the length of the first tensor."""
    return next((int(t.shape[0]) for t in found if t.ndim), 0)


@functools.lru_cache(64)
def _places(columns: int, most: int, device: str) -> Any:
    made = torch.Generator().manual_seed(columns)
    return torch.randperm(columns, generator=made)[:most].sort().values.to(device)


@functools.lru_cache(64)
def _factors(columns: int, device: str) -> Any:
    made = torch.Generator().manual_seed(columns + 1)
    return (torch.randint(-2**62, 2**62, (columns,), generator=made) * 2 + 1).to(device)


def _flat(t: Any, n: int, most: int) -> Any:
    flat = t.detach().reshape(n, -1)
    return flat if flat.shape[1] <= most else flat[:, _places(flat.shape[1], most, str(t.device))]


def hashes(found: list[Any], n: int) -> Any:
    """A whole number for each row, equal where the row is; None where there are no rows."""
    total = None
    for t in found:
        if t.ndim == 0 or t.shape[0] != n or t.layout is not torch.strided or t.is_complex():
            continue
        flat = _flat(t, n, PLACES)
        if flat.is_floating_point():
            wide = {2: torch.int16, 4: torch.int32, 8: torch.int64}.get(flat.element_size())
            if wide is None:
                continue
            flat = (flat + 0).contiguous().view(wide)
        one = (flat.to(torch.int64) * _factors(flat.shape[1], str(t.device))).sum(1)
        total = one if total is None else total * 1_000_003 + one
    return total


def main_input(found: list[Any], n: int) -> Any:
    """The largest tensor of real numbers with one entry a row; None where there is none."""
    fits = [t for t in found if t.ndim > 1 and t.shape[0] == n and t.is_floating_point() and t.layout is torch.strided]
    return max(fits, key=lambda t: t.numel(), default=None)


def numbers(found: list[Any], n: int, most: int) -> Any:
    """Some numbers of the first rows, as a copy; None where there are none."""
    t = main_input(found, n)
    return None if t is None else _flat(t[:most], min(n, most), KEPT).float().clone()


@dataclass
class Moments:
    """Sums over rows, column by column, or channel by channel where a row is large."""

    batches: int = 0
    count: int = 0  # numbers in each sum
    rows: int = 0
    total: Any = None
    squares: Any = None
    low: Any = None
    high: Any = None

    def add(self, found: list[Any], n: int) -> None:
        """Add the rows of a batch."""
        t = main_input(found, n)
        if t is None or t.numel() > LARGE or n == 0:
            return
        t = t.detach().float()
        flat = t.reshape(n, -1) if t[0].numel() <= WIDE else t.movedim(1, -1).reshape(-1, t.shape[1])
        if self.total is not None and len(self.total) != flat.shape[1]:
            return
        sums = flat.sum(0, dtype=torch.float64), (flat * flat).sum(0, dtype=torch.float64), flat.amin(0), flat.amax(0)
        self.batches, self.rows, self.count = self.batches + 1, self.rows + n, self.count + len(flat)
        if self.total is None:
            self.total, self.squares, self.low, self.high = sums
        else:
            self.total, self.squares = self.total + sums[0], self.squares + sums[1]
            self.low, self.high = torch.minimum(self.low, sums[2]), torch.maximum(self.high, sums[3])

    @classmethod
    def of(cls, t: Any) -> "Moments":
        """Of a tensor whose first dimension counts rows."""
        made = cls()
        for part in t.float().split(max(1, LARGE // max(1, t[0].numel()))):
            made.add([part.reshape(len(part), -1)], len(part))
        return made

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(self.batches + other.batches, self.count + other.count, self.rows + other.rows, self.total + other.total,
                       self.squares + other.squares, torch.minimum(self.low, other.low), torch.maximum(self.high, other.high))

    def overall(self) -> "Moments":
        """All columns as one."""
        return Moments(self.batches, self.count * len(self.total), self.rows, self.total.sum()[None], self.squares.sum()[None],
                       self.low.min()[None], self.high.max()[None])

    @property
    def mean(self) -> Any:
        """Of each column."""
        return (self.total / self.count).cpu()

    @property
    def spread(self) -> Any:
        """Standard deviation of each column, divided by the number of rows."""
        mean = self.total / self.count
        return (self.squares / self.count - mean**2).clamp(min=0).sqrt().cpu()
