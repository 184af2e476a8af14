"""Networks, data sets and one training loop with switches, from which sound loops and loops with a bug are made."""

import contextlib
import dataclasses
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from _bugs_kit import digits, signals, stand_in
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, TensorDataset

from ml_lifecycle.refinement import watch_training

SETTINGS = (("MLP", "digits"), ("CNN", "digits"), ("MLP", "breast cancer"), ("GRU", "signals"), ("transformer", "signals"),
            ("MLP", "wine"), ("CNN", "signals"), ("MLP", "diabetes"), ("GRU", "digits"))
SEEN = SETTINGS[:1]  # rules were set on this one; the others judge


def table(name: str) -> tuple[np.ndarray, np.ndarray]:
    """All rows and targets of a data set."""
    if name == "signals":
        return signals()
    if name == "digits":
        return digits()
    made = {"breast cancer": load_breast_cancer, "wine": load_wine, "diabetes": load_diabetes}[name]()
    x, y = made.data, made.target
    return (x, y) if name != "diabetes" else (x * 20, (y - y.mean()) / y.std())


class Recurrent(nn.Module):
    """A GRU over the rows of an image or the steps of a signal."""

    def __init__(self, n_in: int, out: int):
        super().__init__()
        self.gru, self.drop, self.head = nn.GRU(n_in, 32, batch_first=True), nn.Dropout(0.2), nn.Linear(32, out)

    def forward(self, x):
        return self.head(self.drop(self.gru(x)[0][:, -1]))


class Attention(nn.Module):
    """One encoder layer over the steps, then their mean."""

    def __init__(self, n_in: int, out: int):
        super().__init__()
        self.embed, self.head = nn.Linear(n_in, 32), nn.Linear(32, out)
        self.block = nn.TransformerEncoderLayer(32, 4, 64, 0.1, batch_first=True)

    def forward(self, x):
        return self.head(self.block(self.embed(x)).mean(1))


def network(net: str, columns: int, out: int) -> tuple[nn.Module, tuple[int, ...]]:
    """A sound network, and the shape that it takes rows in."""
    side = 8 if columns == 64 else columns
    if net == "MLP":
        return nn.Sequential(nn.Linear(columns, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 32), nn.ReLU(),
                             nn.Linear(32, out)), (columns,)
    if net == "CNN" and columns == 64:
        return nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 3), nn.ReLU(), nn.Flatten(),
                             nn.Dropout(0.2), nn.Linear(256, out)), (1, 8, 8)
    if net == "CNN":
        return nn.Sequential(nn.Conv1d(1, 8, 5), nn.BatchNorm1d(8), nn.ReLU(), nn.Conv1d(8, 16, 5, 2), nn.ReLU(), nn.Flatten(),
                             nn.LazyLinear(out)), (1, columns)
    shape = (8, 8) if side == 8 else (columns, 1)
    return (Recurrent(shape[1], out) if net == "GRU" else Attention(shape[1], out)), shape


class Changed(Dataset):
    """Rows that are changed when they are read."""

    def __init__(self, x, y, change):
        self.x, self.y, self.change = x, y, change

    def __len__(self):
        return len(self.y)

    def __getitem__(self, at):
        return self.change(self.x[at]), self.y[at]


@dataclasses.dataclass
class Kit:
    """Everything that a loop is made of."""

    net: str
    data: str
    seed: int
    model: nn.Module = None  # type: ignore[assignment]
    x: Any = None
    y: Any = None
    x_val: Any = None
    y_val: Any = None
    loss: Any = None
    classes: int = 0

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.model.parameters(), 3e-3)


def kit(net: str, data: str, seed: int, *, rows: int = 600, scale: str = "train", split: str = "random") -> Kit:
    """A sound setting: shuffled rows, a scaler of the training rows, a validation part."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    x, y = table(data)
    at = rng.permutation(len(y))[:rows]
    if split == "sorted":
        at = at[np.argsort(y[at], kind="stable")]
    x, y = x[at], y[at]
    cut = int(0.75 * len(y)) // 32 * 32 + 5
    train, val = slice(0, cut), slice(cut, None)
    x = scaled(x, train, val, scale)
    classes = 0 if data == "diabetes" else int(y.max()) + 1
    model, shape = network(net, x.shape[1], classes or 1)
    x = torch.tensor(x, dtype=torch.float32).reshape(len(y), *shape)
    model(x[:4])
    y = torch.tensor(y).long() if classes else torch.tensor(y, dtype=torch.float32).unsqueeze(1)
    return Kit(net, data, seed, model, x[train], y[train], x[val], y[val], nn.CrossEntropyLoss() if classes else nn.MSELoss(),
               classes)


def scaled(x, train, val, scale):
    """Columns standardised by the training rows, or wrongly."""
    fit, x = (slice(None) if scale in ("all", "range of all") else train), np.array(x, dtype=float)
    if scale.startswith("range"):
        low, high = x[fit].min(0), x[fit].max(0)
        return (x - low) / np.where(high > low, high - low, 1)
    if scale == "apart":
        return np.concatenate([scaled(x[part], slice(None), None, "train") for part in (train, val)])
    if scale == "none at validation":
        return np.concatenate([scaled(x[train], slice(None), None, "train"), 50 + 30 * x[val]])
    spread = x[fit].std(0)
    return (x - x[fit].mean(0)) / np.where(spread > 1e-9, spread, 1)


def nothing(*args: Any) -> None:
    """Does nothing."""


@dataclasses.dataclass
class Loop:
    """A loop; each switch is off in a sound one."""

    batch: int = 32
    epochs: int = 4
    shuffle: bool = True
    drop_last: bool = False
    train_change: Callable[[Any], Any] | None = None
    val_change: Callable[[Any], Any] | None = None
    optimizer: Callable[[Any], Any] | None = None
    scheduler: Callable[[Any, int], Any] | None = None  # (optimizer, batches of an epoch)
    per_batch: bool = False  # the scheduler steps with each batch
    stepped: bool = True
    accumulate: int = 1
    divide: bool = True
    clip: Callable[[Any], Any] = nothing
    zero: str = "before"  # "before", "never", "between", "each"
    eval_mode: bool = True
    back: bool = True
    no_grad: bool = True
    val_trains: bool = False
    val_on: str = "val"  # "val", "train", "stale", "none"
    epoch_start: Callable[..., Any] = nothing  # (kit, optimizer, epoch) -> an optimizer or None
    amp: str = ""  # "bfloat16", "float16"
    leave: int = 0  # batches after which an epoch is left
    loader: Callable[[Any], Any] | None = None  # (data set) -> loader
    loss: Any = None

    def loaders(self, k: Kit) -> tuple[Any, Any]:
        train = Changed(k.x, k.y, self.train_change) if self.train_change else TensorDataset(k.x, k.y)
        val = Changed(k.x_val, k.y_val, self.val_change) if self.val_change else TensorDataset(k.x_val, k.y_val)
        made = self.loader(train) if self.loader else DataLoader(train, self.batch, shuffle=self.shuffle, drop_last=self.drop_last)
        return made, DataLoader(val, 64)

    def run(self, k: Kit, train: Any, val: Any) -> None:
        """Train."""
        model, loss_fn = k.model, self.loss or k.loss
        optimizer = self.optimizer(k.model) if self.optimizer else k.optimizer
        scheduler = self.scheduler(optimizer, len(train)) if self.scheduler else None
        model.train()
        for epoch in range(self.epochs):
            optimizer = self.epoch_start(k, optimizer, epoch) or optimizer
            if self.back:
                model.train()
            for turn, (x, y) in enumerate(train, 1):
                self.step(model, optimizer, loss_fn, x, y, turn)
                if scheduler is not None and self.per_batch and self.stepped:
                    scheduler.step()
                if turn == self.leave:
                    break
            self.validate(model, optimizer, loss_fn, train, val, (x, y))
            if scheduler is not None and not self.per_batch and self.stepped:
                scheduler.step()

    def step(self, model, optimizer, loss_fn, x, y, turn):
        if self.zero == "each" or self.zero == "before" and (turn - 1) % self.accumulate == 0:
            optimizer.zero_grad()
        with torch.autocast("cpu", getattr(torch, self.amp)) if self.amp else contextlib.nullcontext():
            loss = loss_fn(model(x), y)
        (loss / self.accumulate if self.divide else loss).backward()
        if self.zero == "between":
            optimizer.zero_grad()
        if turn % self.accumulate == 0:
            self.clip(model)
            optimizer.step()

    def validate(self, model, optimizer, loss_fn, train, val, last):
        if self.val_on == "none":
            return
        if self.eval_mode:
            model.eval()
        with torch.no_grad() if self.no_grad and not self.val_trains else contextlib.nullcontext():
            for x, y in train if self.val_on == "train" else val:
                x, y = last if self.val_on == "stale" else (x, y)
                loss = loss_fn(model(x), y)
                if self.val_trains:
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()


def watched(loop: Loop, k: Kit, *, known: bool = True) -> Any:
    """The report about a loop; `known`: the validation loader is handed in."""
    train, val = loop.loaders(k)
    watch = watch_training(k.model, val_loader=val if known else None)
    with contextlib.suppress(ValueError, RuntimeError), watch:
        loop.run(k, train, val)
    return watch.report()


def waits(seconds: float) -> Callable[[Any], Any]:
    """A change of a row that takes its time."""
    def change(x):
        time.sleep(seconds)
        return x
    return change


__all__ = ["F", "SEEN", "SETTINGS", "Kit", "Loop", "kit", "stand_in", "waits", "watched"]
