"""Training loops without a bug: other networks, optimizers, schedules, precisions, styles of loop, and sizes of data."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from _loops_bugs import imbalanced, noise, sgd, tagging
from _loops_kit import F, Kit, Loop, kit, watched
from torch import nn
from torch.optim import lr_scheduler as schedule
from torch.utils.data import DataLoader, IterableDataset, TensorDataset, WeightedRandomSampler

from ml_lifecycle.refinement import diagnose_training, watch_training

CLEAN: list[tuple[str, Callable[[int], Any]]] = []


def clean(name: str) -> Callable[[Any], Any]:
    """Put a sound loop on the list."""
    def add(run: Any) -> Any:
        CLEAN.append((name, run))
        return run
    return add


def sound(name: str, net: str, data: str, rows: int = 600, **options: Any) -> None:
    """A sound loop that is a choice of switches."""
    CLEAN.append((name, lambda seed: watched(Loop(**options), kit(net, data, seed, rows=rows), known=seed % 2 == 0)))


sound("Adam", "MLP", "digits")
sound("SGD with momentum, step schedule per epoch", "CNN", "digits", optimizer=sgd, scheduler=lambda o, n: schedule.StepLR(o, 2,
        0.1), epochs=5)
sound("AdamW, cosine per batch", "transformer", "signals", optimizer=lambda m: torch.optim.AdamW(m.parameters(), 2e-3),
      per_batch=True,
      scheduler=lambda o, n: schedule.CosineAnnealingLR(o, 4 * n))
sound("one-cycle per batch, clipping at 1", "GRU", "signals", per_batch=True,
      scheduler=lambda o, n: schedule.OneCycleLR(o, 1e-2, 4 * n), clip=lambda m: nn.utils.clip_grad_norm_(m.parameters(), 1.0))
sound("cosine per epoch", "MLP", "breast cancer", scheduler=lambda o, n: schedule.CosineAnnealingLR(o, 4))
sound("warm-up, then constant", "transformer", "digits", per_batch=True, scheduler=lambda o, n: schedule.LinearLR(o, 0.1, 1.0, n))
sound("bfloat16", "CNN", "signals", amp="bfloat16")
sound("accumulation, divided", "MLP", "digits", accumulate=3)
sound("augmented in training", "CNN", "digits", train_change=noise)
sound("tiny data", "MLP", "wine", rows=70, batch=16)
sound("tiny data, whole batches", "MLP", "diabetes", rows=60, batch=1000, epochs=30)
sound("regression", "MLP", "diabetes")
sound("no validation", "GRU", "digits", val_on="none")
sound("last batch dropped", "MLP", "breast cancer", drop_last=True, batch=50)
sound("min-max by training rows, many epochs", "MLP", "wine", epochs=12)
sound("one epoch", "transformer", "signals", epochs=1)
sound("no clipping but a wide one", "GRU", "digits", clip=lambda m: nn.utils.clip_grad_norm_(m.parameters(), 100.0))
sound("exponential schedule per epoch", "CNN", "digits", epochs=8, scheduler=lambda o, n: schedule.ExponentialLR(o, 0.8))


@clean("class weights, imbalance")
def weighted(seed):
    k, counts = imbalanced("MLP", "digits", seed)
    return watched(Loop(loss=nn.CrossEntropyLoss(weight=counts.mean() / counts)), k)


@clean("weighted sampler")
def sampler(seed):
    k, counts = imbalanced("MLP", "signals", seed)
    return watched(Loop(loader=lambda rows: DataLoader(rows, 32, sampler=WeightedRandomSampler(1 / counts[k.y], len(k.y)))), k)


@clean("plain loop of diagnose_training")
def plain(seed):
    k = kit("CNN", "digits", seed)
    train, val = Loop().loaders(k)
    return diagnose_training(k.model, train, k.loss, k.optimizer, val_loader=val, probe=False)


@clean("loop handed in as a function, own loss")
def handed(seed):
    k = kit("MLP", "diabetes", seed)
    train, val = Loop().loaders(k)

    def loop(net, train_loader, criterion, optim, val_loader):
        Loop(loss=criterion, optimizer=lambda m: optim).run(k, train_loader, val_loader)
    return diagnose_training(k.model, train, lambda z, y: ((z - y)**2).mean(), k.optimizer, val_loader=val, loop=loop, probe=False)


@clean("tensors in place of loaders")
def tensors(seed):
    k = kit("MLP", "breast cancer", seed)
    optimizer = k.optimizer
    with watch_training(k.model) as watch:
        for _ in range(40):
            k.model.train()
            optimizer.zero_grad()
            k.loss(k.model(k.x), k.y).backward()
            optimizer.step()
            k.model.eval()
            with torch.no_grad():
                k.loss(k.model(k.x_val), k.y_val)
    return watch.report()


@clean("batches in a list, shuffled each epoch")
def batches(seed):
    k = kit("CNN", "signals", seed)
    optimizer, rng = k.optimizer, np.random.default_rng(seed)
    with watch_training(k.model, val_loader=[(k.x_val, k.y_val)]) as watch:
        for _ in range(4):
            k.model.train()
            for at in np.array_split(rng.permutation(len(k.y)), 14):
                k.model.zero_grad()
                k.loss(k.model(k.x[at]), k.y[at]).backward()
                optimizer.step()
            k.model.eval()
            with torch.inference_mode():
                k.model(k.x_val)
    return watch.report()


class Stream(IterableDataset):
    """Rows in an order of their own in each round."""

    def __init__(self, k: Kit):
        self.k = k

    def __iter__(self):
        return iter([(self.k.x[i], self.k.y[i]) for i in torch.randperm(len(self.k.y)).tolist()])


@clean("iterable data set")
def stream(seed):
    k = kit("MLP", "digits", seed)
    return watched(Loop(loader=lambda rows: DataLoader(Stream(k), 32)), k)


@clean("metric on training rows as well, weights of the best epoch kept")
def both(seed):
    k = kit("MLP", "digits", seed)
    train, val = Loop().loaders(k)
    optimizer, loop, best = k.optimizer, Loop(), None
    with watch_training(k.model, val_loader=val) as watch:
        for _ in range(4):
            k.model.train()
            for x, y in train:
                loop.step(k.model, optimizer, k.loss, x, y, 1)
            k.model.eval()
            with torch.no_grad():
                for x, y in (*train, *val):
                    k.loss(k.model(x), y)
            best = copy.deepcopy(k.model.state_dict())
        k.model.load_state_dict(best)
    return watch.report()


@clean("gradient scaler, unscaled before clipping")
def scaler(seed):
    k = kit("CNN", "digits", seed)
    train, val = Loop().loaders(k)
    optimizer, scaling = k.optimizer, torch.amp.GradScaler("cpu")
    with watch_training(k.model) as watch:
        for _ in range(4):
            k.model.train()
            for x, y in train:
                optimizer.zero_grad(set_to_none=False)
                with torch.autocast("cpu", torch.float16):
                    loss = k.loss(k.model(x), y)
                scaling.scale(loss).backward()
                scaling.unscale_(optimizer)
                nn.utils.clip_grad_norm_(k.model.parameters(), 5.0)
                scaling.step(optimizer)
                scaling.update()
            Loop().validate(k.model, optimizer, k.loss, train, val, (x, y))
    return watch.report()


@clean("adversarial pair")
def adversarial(seed):
    k = kit("MLP", "digits", seed)
    judge, maker = nn.Sequential(nn.Linear(64, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1)), nn.Linear(8, 64)
    a, b = torch.optim.Adam(judge.parameters(), 1e-3), torch.optim.Adam(maker.parameters(), 1e-3)
    with watch_training(judge) as watch:
        for _ in range(4):
            for x, _y in DataLoader(TensorDataset(k.x, k.y), 32, shuffle=True):
                made = maker(torch.randn(len(x), 8))
                a.zero_grad()
                (F.softplus(-judge(x)).mean() + F.softplus(judge(made.detach())).mean()).backward()
                a.step()
                b.zero_grad()
                F.softplus(-judge(made)).mean().backward()
                b.step()
    return watch.report()


@clean("two phases with two optimizers, frozen first")
def phases(seed):
    k = kit("MLP", "digits", seed)
    train, val = Loop().loaders(k)
    with watch_training(k.model, val_loader=val) as watch:
        k.model[0].requires_grad_(False)
        Loop(epochs=2, optimizer=lambda m: torch.optim.Adam([p for p in m.parameters() if p.requires_grad], 3e-3)).run(k, train,
                                                                                                                       val)
        k.model[0].requires_grad_(True)
        Loop(epochs=2, optimizer=lambda m: torch.optim.Adam(m.parameters(), 1e-3)).run(k, train, val)
    return watch.report()


@clean("LBFGS")
def lbfgs(seed):
    k = kit("MLP", "wine", seed)
    optimizer = torch.optim.LBFGS(k.model.parameters(), 0.1, max_iter=4)

    def closure():
        optimizer.zero_grad()
        loss = k.loss(k.model(k.x), k.y)
        loss.backward()
        return loss
    with watch_training(k.model) as watch:
        for _ in range(15):
            optimizer.step(closure)
    return watch.report()


@clean("padding ignored")
def masked(seed):
    return tagging("GRU", seed, False)


@clean("equal rows: categories only")
def categories(seed):
    rng = np.random.default_rng(seed)
    raw = rng.integers(0, 3, (500, 4))
    x, y = torch.tensor(np.eye(3)[raw].reshape(500, 12), dtype=torch.float32), torch.tensor((raw.sum(1) + rng.integers(0, 3,
            500) > 5).astype(int))
    model = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 2))
    return watched(Loop(), Kit("MLP", "categories", seed, model, x[:350], y[:350], x[350:], y[350:], nn.CrossEntropyLoss(), 2))
