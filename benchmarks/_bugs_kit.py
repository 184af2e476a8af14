"""What every case of the planted bugs begins with: data, four kinds of network that are sound, and a setup to break."""

import dataclasses
import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_diabetes, load_digits
from torch import nn
from torch.nn import functional as F

NETS = ("MLP", "CNN", "GRU", "transformer")
DIGITS, SIGNALS = "digits", "MNIST-1D"
DATA = (DIGITS, SIGNALS)
CLASSES = 10
try:
    from mnist1d.data import get_dataset_args, make_dataset
except ImportError:
    make_dataset = None


def stand_in(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Ten smooth shapes, shifted and with noise, 40 steps long: for where mnist1d is not installed."""
    rng = np.random.default_rng(42)
    shapes = np.cumsum(rng.normal(size=(10, 24)), axis=1)
    y = rng.integers(0, 10, n)
    x = 0.3 * np.cumsum(rng.normal(size=(n, 40)), axis=1)
    for row, shift in zip(range(n), rng.integers(0, 16, n), strict=True):
        x[row, shift:shift + 24] += shapes[y[row]]
    return (x - x.mean()) / x.std(), y


@lru_cache
def signals() -> tuple[np.ndarray, np.ndarray]:
    """MNIST-1D, generated: rows of 40 steps and their labels."""
    if make_dataset is None:
        return stand_in(1000)
    args = get_dataset_args()
    args.num_samples = 1000
    made = make_dataset(args)
    return np.concatenate([made["x"], made["x_test"]]), np.concatenate([made["y"], made["y_test"]])


@lru_cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    """The digits of scikit-learn, standardised as a whole."""
    x, y = load_digits(return_X_y=True)
    return (x - x.mean()) / x.std(), y


@lru_cache
def diabetes() -> tuple[np.ndarray, np.ndarray]:
    """The diabetes data, columns and target standardised."""
    x, y = load_diabetes(return_X_y=True)
    return x / x.std(axis=0), (y - y.mean()) / y.std()


class MLP(nn.Module):
    """Two hidden layers."""

    def __init__(self, n_in: int, width: int, act: type[nn.Module], norm: bool, dropout: float):
        super().__init__()
        layers: list[nn.Module] = [nn.Flatten()]
        for size in (n_in, width):
            layers += [nn.Linear(size, width), *([nn.BatchNorm1d(width)] if norm else []), act(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers)
        self.width = width

    def forward(self, x):
        return self.layers(x)


class CNN(nn.Module):
    """Two convolutions, over images or over signals, and one hidden layer."""

    def __init__(self, shape: tuple[int, ...], width: int, act: type[nn.Module], norm: bool, dropout: float):
        super().__init__()
        flat = len(shape) == 2
        conv, batch_norm = (nn.Conv1d, nn.BatchNorm1d) if flat else (nn.Conv2d, nn.BatchNorm2d)
        self.conv1, self.conv2 = conv(1, 8, 3, padding=1), conv(8, 16, 3, stride=2, padding=1)
        self.norm1, self.norm2 = (batch_norm(8), batch_norm(16)) if norm else (nn.Identity(), nn.Identity())
        left = 16 * int(np.prod([(size + 1) // 2 for size in shape[1:]]))
        self.act1, self.act2, self.act3 = act(), act(), act()
        self.fc, self.dropout, self.width = nn.Linear(left, width), nn.Dropout(dropout), width

    def forward(self, x):
        x = self.act1(self.norm1(self.conv1(x)))
        x = self.act2(self.norm2(self.conv2(x)))
        return self.dropout(self.act3(self.fc(x.flatten(1))))


class GRU(nn.Module):
    """One recurrent layer: the last state, or all of them for a sequence of labels."""

    def __init__(self, n_in: int, width: int, norm: bool, dropout: float, every: bool, batch_first: bool):
        super().__init__()
        self.gru = nn.GRU(n_in, width, batch_first=batch_first)
        self.norm = nn.LayerNorm(width) if norm else nn.Identity()
        self.dropout, self.width, self.every = nn.Dropout(dropout), width, every

    def forward(self, x):
        states, _ = self.gru(x)
        return self.dropout(self.norm(states if self.every else states[:, -1]))


class Transformer(nn.Module):
    """Two encoder layers over the steps, then their mean, or all of them for a sequence of labels."""

    def __init__(self, steps: int, n_in: int, width: int, dropout: float, every: bool, batch_first: bool):
        super().__init__()
        self.embed = nn.Linear(n_in, width)
        self.position = nn.Parameter(0.02 * torch.randn(steps, width))
        self.blocks = nn.ModuleList(nn.TransformerEncoderLayer(width, 4, 2 * width, dropout, batch_first=batch_first)
                                    for _ in range(2))
        self.width, self.every = width, every

    def forward(self, x):
        x = self.embed(x) + self.position
        for block in self.blocks:
            x = block(x)
        return x if self.every else x.mean(1)


@dataclasses.dataclass
class Setup:
    """All that a person hands to a probe."""

    model: nn.Module
    batch: tuple[torch.Tensor, torch.Tensor]
    loss: Callable[..., torch.Tensor]
    optimizer: torch.optim.Optimizer | None
    step: Callable[..., Any] | None = None  # (model, batch, optimizer), or with the loss as the third


class Bench:
    """A batch of one data set in the shape that one kind of network takes, and that network, sound."""

    def __init__(self, data: str, net: str, seed: int, rows: int = 32, device: str = "cpu"):
        self.data, self.net, self.seed, self.device = data, net, seed, device
        x, y = {DIGITS: digits, SIGNALS: signals, "diabetes": diabetes}[data]()
        chosen = np.random.default_rng(seed).choice(len(y), rows, replace=False)
        self.flat = torch.tensor(x[chosen], dtype=torch.float32, device=device)
        self.y = torch.tensor(y[chosen], device=device)
        self.y = self.y.long() if data in DATA else self.y.float().unsqueeze(1)
        torch.manual_seed(seed)

    def only(self, label: int) -> "Bench":
        """The same with rows of one class alone."""
        x, y = digits() if self.data == DIGITS else signals()
        self.flat = torch.tensor(x[y == label][:len(self.y)], dtype=torch.float32, device=self.device)
        self.y = torch.full((len(self.flat),), label, device=self.device)
        return self

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one row."""
        if self.net == "MLP":
            return (self.flat.shape[1],)
        if self.net == "CNN":
            return (1, 8, 8) if self.data == DIGITS else (1, 40)
        return (8, 8) if self.data == DIGITS else (10, 4)

    @property
    def x(self) -> torch.Tensor:
        return self.flat.reshape(len(self.flat), *self.shape)

    @property
    def value(self) -> torch.Tensor:
        """A number per row to predict, standardised, shape (rows, 1): where the ink, or the signal, lies."""
        found = self.flat @ torch.linspace(-1, 1, self.flat.shape[1], device=self.device)
        return ((found - found.mean()) / found.std()).unsqueeze(1)

    @property
    def bits(self) -> torch.Tensor:
        """Several labels per row, shape (rows, 4): the class as a binary number."""
        return torch.stack([(self.y >> bit) & 1 for bit in range(4)], dim=1).float()

    @property
    def tags(self) -> torch.Tensor:
        """A label per step, shape (rows, steps): which column of the step is largest. Networks over sequences only."""
        return self.x.argmax(-1)

    def body(self, *, width=64, act=nn.ReLU, norm=False, dropout=0.0, every=False, batch_first=True) -> nn.Module:
        """The network up to its last layer: (rows, width), or (rows, steps, width) where `every`."""
        if self.net == "MLP":
            made = MLP(self.shape[0], width, act, norm, dropout)
        elif self.net == "CNN":
            made = CNN(self.shape, width, act, norm, dropout)
        elif self.net == "GRU":
            made = GRU(self.shape[1], width, norm, dropout, every, batch_first)
        else:
            made = Transformer(*self.shape, width, dropout, every, batch_first)
        return made


class Net(nn.Module):
    """A body and a linear head; the bugs are made in what derives from it."""

    def __init__(self, bench: Bench, out: int = CLASSES, **options):
        super().__init__()
        self.body = bench.body(**options)
        self.head = nn.Linear(self.body.width, out)

    def forward(self, x):
        return self.head(self.body(x))


def setup(bench: Bench, model=None, *, x=None, y=None, loss=F.cross_entropy, optimizer=None, lr=1e-3, step=None) -> Setup:
    """What a person would hand over; what is not said is sound."""
    model = (Net(bench) if model is None else model).to(bench.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr) if optimizer is None else optimizer(model)
    return Setup(model, (bench.x if x is None else x, bench.y if y is None else y), loss, optimizer, step)


@dataclasses.dataclass(frozen=True)
class Bug:
    """One way to break a setup."""

    name: str
    cause: str  # a key of _bugs_said.CAUSES
    make: Callable[[Bench], Setup]
    nets: tuple[str, ...]
    data: tuple[str, ...]
    rows: int

    def made(self, net: str, data: str, device: str) -> Setup:
        """The broken setup, the same at each call."""
        seed = zlib.crc32(f"{self.name} {net} {data}".encode()) % 10_000
        return self.make(Bench(data, net, seed, self.rows, device))


BUGS: list[Bug] = []


def bug(cause: str, nets: str = "MLP CNN GRU transformer", data: tuple[str, ...] = DATA, rows: int = 32):
    """Put a function `(bench) -> Setup` on the list; its first line of documentation is its name."""
    def put(make: Callable[[Bench], Setup]) -> Callable[[Bench], Setup]:
        BUGS.append(Bug(make.__doc__.splitlines()[0].rstrip("."), cause, make, tuple(nets.split()), data, rows))
        return make
    return put
