"""Small networks and batches for the tests of overfit_batch."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ml_lifecycle.exploration import OverfitReport, overfit_batch

torch.set_num_threads(1)
CE = nn.CrossEntropyLoss()


def blobs(n: int = 48, classes: int = 4, seed: int = 0) -> tuple[Any, Any]:
    draw = np.random.default_rng(seed)
    y = draw.permutation(np.arange(n) % classes)
    x = 2 * draw.normal(size=(classes, 8))[y] + 0.5 * draw.normal(size=(n, 8))
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y)


def net(*last: Any, hidden: int = 32, classes: int = 4, act: Any = nn.ReLU, seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(8, hidden), act(), nn.Linear(hidden, classes), *last)


def adam(model: Any, lr: float = 1e-2, **more: Any) -> Any:
    return torch.optim.Adam(model.parameters(), lr=lr, **more)


def causes(report: OverfitReport, *severities: str) -> list[str]:
    return [f.evidence["cause"] for f in report.findings if f.severity in (severities or ("issue", "tip"))]


def plain(model: Any, batch: Any, optimizer: Any) -> Any:
    optimizer.zero_grad()
    loss = F.cross_entropy(model(batch[0]), batch[1])
    loss.backward()
    optimizer.step()
    return loss


def padded() -> tuple[Any, Any, Any]:
    draw = torch.Generator().manual_seed(0)
    x = torch.randint(1, 12, (16, 6), generator=draw)
    y = (x + x.roll(1, 1)) % 3
    y[:, 0] = x[:, 0] % 3
    x[:, 4:][::2], y[:, 4:][::2] = 0, -100

    class Tagger(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.rnn, self.head = nn.Embedding(12, 16), nn.GRU(16, 32, batch_first=True), nn.Linear(32, 3)

        def forward(self, x: Any) -> Any:
            return self.head(self.rnn(self.embed(x))[0])

    torch.manual_seed(0)
    return Tagger(), x, y


DRAW = torch.Generator().manual_seed(0)
Y = torch.arange(48) % 4
X = 2 * torch.randn(4, 8, generator=DRAW)[Y] + 0.5 * torch.randn(48, 8, generator=DRAW)
TOKENS = torch.randint(1, 12, (24, 8), generator=DRAW)  # 0 is padding
TOKENS[torch.arange(8)[None] >= torch.randint(3, 8, (24, 1), generator=DRAW)] = 0
KINDS = TOKENS[:, :3].sum(1) % 3


def probe(model: Any, batch: Any = (X, Y), loss: Any = CE, *, lr: float = 1e-2, sgd: bool = False, optimizer: Any = None,
          step: Any = None, steps: int = 100) -> OverfitReport:
    made = optimizer or (torch.optim.SGD if sgd else torch.optim.Adam)(model.parameters(), lr=lr)
    return overfit_batch(model, batch, loss, optimizer=made, train_step=step, steps=steps)
