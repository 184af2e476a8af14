"""overfit_batch: the lowest loss that free outputs reach, and the time that a probe takes."""

import math
import time
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from overfit_toys import CE, X, Y, adam, net, probe
from torch import nn

from ml_lifecycle.exploration import overfit_batch
from ml_lifecycle.exploration._probe import clock as _probe_clock
from ml_lifecycle.exploration._probe.minimize import Free, minimize

Z = torch.zeros(48, 4)
VALUES = X[:, :4] * 50


@pytest.mark.parametrize(("loss", "free", "lowest"), [
    (lambda z: F.cross_entropy(z, Y), Free(Z), 0.0), (lambda z: F.cross_entropy(z, Y), Free(Z, rows=48), math.log(4)),
    (lambda z: F.mse_loss(z, VALUES), Free(Z, 50.0), 0.0),
    (lambda z: F.mse_loss(z, VALUES), Free(Z, 50.0, rows=48), float(VALUES.var(0, correction=0).mean())),
    (lambda z: F.binary_cross_entropy(z, F.one_hot(Y, 4).float()), Free(Z + 0.5, probability=True), 0.0),
    (lambda z: (z[0] - 1).square().mean() + (z[1] + 1).square().mean(), Free([Z, Z[0]]), 0.0),
])
def test_the_lowest_loss_of_free_outputs(loss: Any, free: Free, lowest: float) -> None:
    first = float(loss(free.at(torch.zeros(sum(b.numel() for b in free.base)))))
    found, _, endless = minimize(loss, free)
    assert -1e-4 * first <= found - lowest <= 0.01 * first
    assert not endless


def test_a_loss_that_falls_without_end_and_time_that_is_over() -> None:
    assert minimize(lambda z: -F.cross_entropy(z, Y), Free(Z))[2]
    assert math.isnan(minimize(lambda z: F.cross_entropy(z, Y), Free(Z), lambda: True)[0])


class Two(nn.Module):
    """Scores, and an uncertainty of them."""

    def __init__(self) -> None:
        super().__init__()
        self.mean, self.spread = net(classes=1), net(classes=1)

    def forward(self, x: Any) -> Any:
        return {"mean": self.mean(x), "spread": self.spread(x)}


@pytest.mark.parametrize("loss", [
    lambda o, t: F.mse_loss(o["mean"], t) + F.mse_loss(o["spread"], 3 * t),
    lambda o, t: F.gaussian_nll_loss(o["mean"], t, o["spread"].exp(), eps=1e-9)])
def test_the_lowest_loss_is_never_above_the_last_one(loss: Any) -> None:
    report = probe(Two(), (X, X[:, :1]), loss)
    assert not report.lowest > report.last
    assert [f for f in report.findings if f.severity == "issue"] == []


def test_a_busy_machine_does_not_change_the_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting is no work: the verdict, and every loss, is that of a free machine."""
    model = net()
    free = overfit_batch(model, (X, Y), CE, optimizer=adam(model), seconds=2.0)
    real, began = time.monotonic, time.monotonic()
    monkeypatch.setattr(_probe_clock.time, "monotonic", lambda: began + 2.5 * (real() - began))
    assert overfit_batch(model, (X, Y), CE, optimizer=adam(model), seconds=2.0).losses == free.losses


def test_a_large_model_keeps_to_its_time() -> None:
    model = nn.Sequential(nn.Linear(8, 2000), nn.Tanh(), nn.Linear(2000, 2000), nn.Linear(2000, 4))
    began = time.thread_time()
    report = overfit_batch(model, (X, Y), CE, optimizer=torch.optim.SGD(model.parameters(), 1e-6), seconds=0.5)
    assert time.thread_time() - began < 1.5
    assert report.passed is not True
