"""Small networks on one-dimensional signals, trained as the authors of MNIST-1D train them; torch is imported when they are."""

import copy
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from tqdm import tqdm

from ml_lifecycle.foundation.errors import one_of, require

KINDS = ("logistic", "mlp", "cnn", "gru")


def _layers(kind: str, length: int, classes: int) -> Any:
    """The layers of the four networks of Greydanus & Kobak (2024)."""
    from torch import nn

    if kind == "logistic":
        return nn.ModuleList([nn.Linear(length, classes)])
    if kind == "mlp":
        return nn.ModuleList([nn.Linear(length, 100), nn.Linear(100, 100), nn.Linear(100, classes)])
    if kind == "gru":
        return nn.ModuleList([nn.GRU(1, 6, batch_first=True, bidirectional=True), nn.Linear(12 * length, classes)])
    size, channels = length, 1
    layers: list[Any] = []
    for kernel in (5, 3, 3):
        layers.append(nn.Conv1d(channels, 25, kernel, stride=2, padding=1))
        size, channels = (size + 2 - kernel) // 2 + 1, 25
    return nn.ModuleList([*layers, nn.Linear(25 * size, classes)])


def _logits(kind: str, layers: Any, x: Any) -> Any:
    """What the layers make of signals of shape (n, length)."""
    if kind == "mlp":
        hidden = layers[0](x).relu()
        return layers[2](hidden + layers[1](hidden).relu())
    if kind == "gru":
        return layers[1](layers[0](x[..., None])[0].flatten(1))
    if kind == "cnn":
        x = x[:, None]
        for layer in layers[:-1]:
            x = layer(x).relu()
        x = x.flatten(1)
    return layers[-1](x)


class SignalNet(ClassifierMixin, BaseEstimator):
    """A network on rows of numbers in order, as an estimator: Adam on batches in the order of the rows."""

    def __init__(self, kind: str = "mlp", *, steps: int = 6000, learning_rate: float = 0.01, batch_size: int = 100,
                 random_state: int | None = 0, module: Any = None) -> None:
        self.kind = kind  # one of KINDS
        self.steps = steps  # batches
        self.learning_rate = learning_rate  # of Adam
        self.batch_size = batch_size  # rows
        self.random_state = random_state  # of the start
        self.module = module  # a torch.nn.Module from rows to logits in place of `kind`; it is copied

    def fit(self, X: Any, y: Any) -> Self:
        """Train a fresh network."""
        torch = require("torch", "torch", "Training a network")
        one_of(self.kind, KINDS, "kind", noun="Networks")
        signals = np.asarray(X, dtype=np.float32)
        self.classes_, which = np.unique(np.asarray(y), return_inverse=True)
        with torch.random.fork_rng():
            if self.random_state is not None:
                torch.manual_seed(self.random_state)
            self.module_ = _layers(self.kind, signals.shape[1], len(self.classes_)) if self.module is None \
                else copy.deepcopy(self.module)
            self._train(torch, signals, which)
        return self

    def _train(self, torch: Any, signals: Any, which: Any) -> None:
        device = next((p.device for p in self.module_.parameters()), torch.device("cpu"))
        x, target = torch.as_tensor(signals, device=device), torch.as_tensor(which, device=device)
        optimizer = torch.optim.Adam(self.module_.parameters(), self.learning_rate)
        self.module_.train()
        for step in tqdm(range(self.steps), desc=f"training {self.kind}", unit="batch", delay=2, leave=False):
            start = step * self.batch_size % len(x)
            rows = slice(start, start + self.batch_size)
            loss = torch.nn.functional.cross_entropy(self._ask(x[rows]), target[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    def _ask(self, x: Any) -> Any:
        return _logits(self.kind, self.module_, x) if self.module is None else self.module_(x)

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Probability of each class, shape (n, classes)."""
        import torch

        self.module_.eval()
        device = next((p.device for p in self.module_.parameters()), torch.device("cpu"))
        with torch.no_grad():
            logits = self._ask(torch.as_tensor(np.asarray(X, dtype=np.float32), device=device))
        return np.asarray(torch.softmax(logits, dim=1).cpu().numpy(), dtype=float)

    def predict(self, X: Any) -> NDArray[Any]:
        """The class of each row."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])
