"""Runs with nothing wrong: each of them can be trained to near zero on its batch by a plain loop."""

import dataclasses
import itertools
from collections.abc import Callable

import torch
from _bugs_kit import DATA, DIGITS, NETS, Bench, Net, Setup, setup
from torch import nn
from torch.nn import functional as F

@dataclasses.dataclass(frozen=True)
class Healthy:
    """One sound setup."""

    name: str
    data: str
    net: str
    seed: int
    rows: int
    make: Callable[[Bench], Setup]

    def made(self, device: str) -> Setup:
        """The setup, the same at each call."""
        return self.make(Bench(self.data, self.net, self.seed, self.rows, device))


def adam(lr: float, kind=torch.optim.Adam, **options):
    return lambda m: kind(m.parameters(), lr=lr, **options)


def sgd(lr: float, momentum: float = 0.9, **options):
    return lambda m: torch.optim.SGD(m.parameters(), lr=lr, momentum=momentum, **options)


OPTIMIZERS = {  # what each kind of network trains with, from slow to fast
    "MLP": [adam(1e-4), adam(3e-3), adam(1e-2), sgd(0.01), sgd(0.1), sgd(0.1, 0.0), adam(1e-3, torch.optim.AdamW)],
    "CNN": [adam(3e-4), adam(1e-3), adam(1e-2), sgd(0.01), sgd(0.05), adam(1e-3, weight_decay=1e-4), adam(3e-3)],
    "GRU": [adam(1e-3), adam(3e-3), adam(1e-2), sgd(0.1), adam(3e-3, torch.optim.AdamW), sgd(0.05), adam(5e-4)],
    "transformer": [adam(1e-4), adam(3e-4), adam(1e-3), sgd(0.01), adam(1e-3, torch.optim.AdamW), adam(5e-4), sgd(0.003)],
}


class LogProbabilities(Net):
    def forward(self, x):
        return F.log_softmax(super().forward(x), dim=1)


class Binary(Net):
    def forward(self, x):
        return torch.sigmoid(super().forward(x))


def by_step(model, batch, optimizer):
    """A step of one's own that is right, with clipping."""
    x, y = batch
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 5.0)
    optimizer.step()
    return loss.item()


def by_step_with_loss(model, batch, criterion, optimizer):
    """A step of one's own that is right and calls train itself."""
    model.train()
    loss = criterion(model(batch[0]), batch[1])
    optimizer.zero_grad(set_to_none=False)
    loss.backward()
    optimizer.step()
    return loss


def padded_tags(bench: Bench) -> torch.Tensor:
    """A label per step, the last two steps of every second row being padding."""
    tags = bench.tags.clone()
    tags[::2, -2:] = -100
    return tags


def tagged(output, tags):
    return F.cross_entropy(output.transpose(1, 2), tags, ignore_index=-100)


LOSSES = {  # name -> (bench, optimizer, options of the network) -> Setup
    "cross entropy": lambda b, o, k: setup(b, Net(b, **k), optimizer=o),
    "cross entropy, module": lambda b, o, k: setup(b, Net(b, **k), loss=nn.CrossEntropyLoss(), optimizer=o),
    "NLL of log_softmax": lambda b, o, k: setup(b, LogProbabilities(b, **k), loss=nn.NLLLoss(), optimizer=o),
    "several labels": lambda b, o, k: setup(b, Net(b, out=4, **k), y=b.bits, loss=nn.BCEWithLogitsLoss(), optimizer=o),
    "two classes, BCE": lambda b, o, k: setup(b, Binary(b, out=1, **k), y=(b.y >= 5).float().unsqueeze(1), loss=nn.BCELoss(),
                                              optimizer=o),
    "MSE": lambda b, o, k: setup(b, Net(b, out=1, **k), y=b.value, loss=nn.MSELoss(), optimizer=o),
    "Huber": lambda b, o, k: setup(b, Net(b, out=1, **k), y=b.value, loss=nn.HuberLoss(), optimizer=o),
    "own step": lambda b, o, k: setup(b, Net(b, **k), optimizer=o, step=by_step),
    "own step with the loss": lambda b, o, k: setup(b, Net(b, **k), optimizer=o, step=by_step_with_loss),
}
WIDTHS, ROWS = (32, 64, 128, 256), (8, 16, 32, 64, 128)
OPTIONS: list[dict[str, object]] = [{}, {"norm": True}, {"dropout": 0.1}, {"act": nn.GELU},
                                    {"norm": True, "dropout": 0.3}, {"act": nn.Tanh}]


def healthy() -> list[Healthy]:
    """All healthy runs: every kind of network with every loss, the rest by turns, and some that stand alone."""
    runs = []
    for turn, (net, (name, make)) in enumerate(itertools.product(NETS, LOSSES.items())):
        for data in DATA:
            at = turn + (3 if data == DIGITS else 0)
            width, rows, options = WIDTHS[at % 4], ROWS[at % 5], dict(OPTIONS[at % 6])
            if net in ("GRU", "transformer"):
                width, rows = min(width, 64), min(rows, 32)
                options.pop("act", None)
            optimizer = OPTIMIZERS[net][at % 7]
            runs.append(Healthy(f"{name}, {rows} rows, width {width}", data, net, 500 + at, rows,
                                lambda b, make=make, o=optimizer, k={"width": width, **options}: make(b, o, k)))
    for net, data in itertools.product(("GRU", "transformer"), DATA):
        runs.append(Healthy("labels per step", data, net, 7, 16, lambda b: setup(
            b, Net(b, out=b.shape[1], every=True), y=padded_tags(b), loss=tagged, lr=3e-3)))
    for seed, kind in enumerate((nn.MSELoss(), nn.HuberLoss(), nn.L1Loss())):
        runs.append(Healthy("diabetes", "diabetes", "MLP", seed, 32, lambda b, kind=kind: setup(
            b, Net(b, out=1, width=128), loss=kind, lr=3e-3)))
    runs.append(Healthy("logistic regression", DIGITS, "MLP", 1, 16, lambda b: setup(
        b, nn.Linear(64, 10), lr=3e-2)))
    return runs
