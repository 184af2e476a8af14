"""Data sets whose cost is known, for the profile of loaders."""

import time
from typing import Any

import torch
from torch.utils.data import Dataset, IterableDataset, get_worker_info

def burn(seconds: float) -> None:
    """Compute for some seconds."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


class Planted(Dataset):
    """Items that cost what is asked, waiting or computing."""

    def __init__(self, read: float = 0.0, decode: float = 0.0, transform: float = 0.0, n: int = 64, waits: bool = True) -> None:
        self.cost, self.n, self.waits = (read, decode, transform), n, waits
        self.transform = self.enlarge

    def __len__(self) -> int:
        return self.n

    def enlarge(self, x: Any) -> Any:
        burn(self.cost[2])
        return x

    def read(self, at: int) -> Any:
        if self.cost[0]:  # also a sleep of 0 seconds waits for its turn
            time.sleep(self.cost[0]) if self.waits else burn(self.cost[0])
        return torch.full((16,), float(at))

    def decode(self, x: Any) -> Any:
        burn(self.cost[1])
        return x

    def __getitem__(self, at: int) -> Any:
        return self.transform(self.decode(self.read(at)))


class Stream(IterableDataset):
    """Rows one after the other; each worker gives its own when it is told to share."""

    def __init__(self, n: int = 200, share: bool = True) -> None:
        self.n, self.share = n, share

    def __iter__(self) -> Any:
        info = get_worker_info()
        start, step = (info.id, info.num_workers) if info is not None and self.share else (0, 1)
        for at in range(start, self.n, step):
            yield torch.tensor([float(at)])
