"""Bugs of training loops, each with the words by which it counts as named."""

import dataclasses
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from _loops_kit import F, Kit, Loop, kit, waits, watched
from torch import nn
from torch.optim import lr_scheduler as schedule
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset, WeightedRandomSampler

from ml_lifecycle.refinement import watch_training

@dataclasses.dataclass
class Bug:
    """A bug, how it is planted, and the words that name it."""

    name: str
    words: str  # a regular expression
    planted: Callable[[str, str, int], Any]  # (network, data set, seed) -> report; None where it makes no sense


BUGS: list[Bug] = []


def bug(name: str, words: str) -> Callable[[Any], Any]:
    """Put a bug on the list."""
    def add(planted: Any) -> Any:
        BUGS.append(Bug(name, words, planted))
        return planted
    return add


def switch(name: str, words: str, **options: Any) -> None:
    """A bug that is a switch of the loop."""
    BUGS.append(Bug(name, words, lambda net, data, seed: watched(Loop(**options), kit(net, data, seed), known=seed % 2 == 0)))


def noise(x):
    return x + 0.2 * torch.randn_like(x)


def sgd(model):
    return torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)


def cut(size):
    return lambda model: nn.utils.clip_grad_norm_(model.parameters(), size)


def cut_by_hand(model):
    for p in model.parameters():
        if p.grad is not None:
            p.grad.clamp_(-1e-6, 1e-6)


switch("eval mode missing at validation", r"eval\(\) is missing|training mode", eval_mode=False)
switch("never back in training mode", r"train\(\) is missing", back=False)
switch("augmentation on validation", r"augment", val_change=noise)
switch("metric on training batches", r"metric is computed on|training rows", val_on="train")
switch("metric on the last training batch", r"train(ing)? batch", val_on="stale")
switch("training on validation batches", r"trains on validation", val_trains=True)
switch("gradients on at validation", r"gradients on|no_grad", no_grad=False)
switch("gradients never zeroed", r"not zeroed", zero="never")
switch("gradients zeroed before the step", r"zeroed between", zero="between")
switch("accumulation zeroed at each batch", r"accumulat", zero="each", accumulate=4)
switch("accumulation not divided", r"not divide", accumulate=4, divide=False, optimizer=sgd)
switch("accumulation longer than an epoch", r"step\(\) is never called", accumulate=1000)
switch("clipping to nothing", r"[Cc]lipping leaves", clip=cut(1e-4))
switch("clipping to nothing by hand", r"[Cc]lipping leaves", clip=cut_by_hand)
switch("rate dies", r"rate dies", scheduler=lambda o, n: schedule.ExponentialLR(o, 0.6), per_batch=True)
switch("step schedule per batch", r"per batch|rate dies", scheduler=lambda o, n: schedule.StepLR(o, 2, 0.3), per_batch=True,
       epochs=6)
switch("cosine stepped per batch", r"per batch", scheduler=lambda o, n: schedule.CosineAnnealingLR(o, 4), per_batch=True)
switch("one-cycle stepped per epoch", r"per epoch", scheduler=lambda o, n: schedule.OneCycleLR(o, 0.01, 4 * n))
switch("schedule never stepped", r"never stepped", scheduler=lambda o, n: schedule.StepLR(o, 2), stepped=False)
switch("warm-up longer than training", r"warm-up", per_batch=True,
       scheduler=lambda o, n: schedule.LambdaLR(o, lambda s: min(1.0, (s + 1) / 5000)))
switch("rows not shuffled", r"not shuffled|sorted", shuffle=False)
switch("loop left after the first batch", r"epoch ends after", leave=1)
switch("slow loader", r"slow|waiting for the loader", train_change=waits(0.001), epochs=2)
switch("seed set in each epoch", r"seed", epoch_start=lambda k, o, e: torch.manual_seed(0) and None)
switch("half precision without scaling", r"[Hh]alf precision|float16", amp="float16")


@bug("new optimizer in each epoch", r"optimizer is made anew|state of the optimizer")
def new_optimizer(net, data, seed):
    return watched(Loop(epoch_start=lambda k, o, e: k.optimizer), kit(net, data, seed))


@bug("state of the optimizer dropped", r"state of the optimizer is reset")
def state_dropped(net, data, seed):
    return watched(Loop(epoch_start=lambda k, o, e: o.state.clear()), kit(net, data, seed))


@bug("weights initialised in each epoch", r"weights are put back")
def weights_back(net, data, seed):
    k = kit(net, data, seed)
    first = {name: value.clone() for name, value in k.model.state_dict().items()}
    return watched(Loop(epoch_start=lambda k, o, e: k.model.load_state_dict(first) and None), k)


@bug("optimizer of another model", r"no parameter of this model|another model")
def other_model(net, data, seed):
    k, other = kit(net, data, seed), kit(net, data, seed)
    return watched(Loop(optimizer=lambda m: torch.optim.Adam(other.model.parameters(), 1e-3)), k)


@bug("layers missing in the optimizer", r"not have all parameters")
def missing(net, data, seed):
    return watched(Loop(optimizer=lambda m: torch.optim.Adam(list(m.parameters())[:2], 3e-3)), kit(net, data, seed))


for kind, way, said in (("all", "scaler of all rows", r"fitted on all rows"), ("apart", "scaler fitted again at validation",
                                                                               r"fitted again"),
                        ("range of all", "min-max scaler of all rows", r"fitted on all rows"),
                        ("none at validation", "validation rows not scaled", r"not prepared as")):
    BUGS.append(Bug(way, said, lambda net, data, seed, kind=kind: watched(Loop(), kit(net, data, seed, scale=kind))))


@bug("training rows in validation", r"overlap")
def overlap(net, data, seed):
    k = kit(net, data, seed)
    k.x_val, k.y_val = torch.cat([k.x_val, k.x[:20]]), torch.cat([k.y_val, k.y[:20]])
    return watched(Loop(), k)


@bug("almost equal rows in validation", r"overlap")
def near(net, data, seed):
    k = kit(net, data, seed)
    k.x_val = torch.cat([k.x_val, k.x[:30] + 1e-3 * torch.randn_like(k.x[:30])])
    k.y_val = torch.cat([k.y_val, k.y[:30]])
    return watched(Loop(), k)


@bug("two random subsets", r"overlap")
def subsets(net, data, seed):
    k = kit(net, data, seed)
    whole, rng = TensorDataset(k.x, k.y), np.random.default_rng(seed)
    k_loop = Loop(train_change=noise)
    parts = [Subset(whole, rng.permutation(len(k.y))[:size].tolist()) for size in (300, 100)]
    train, val = DataLoader(parts[0], 32, shuffle=True), DataLoader(parts[1], 32)
    with watch_training(k.model) as watch:
        k_loop.run(k, train, val)
    return watch.report()


@bug("classes apart", r"classes that training never sees|order of the data")
def classes_apart(net, data, seed):
    return watched(Loop(), kit(net, data, seed, split="sorted")) if data != "diabetes" else None


@bug("rows sorted", r"sorted")
def sorted_rows(net, data, seed):
    k = kit(net, data, seed)
    order = k.y.flatten().argsort()
    k.x, k.y = k.x[order], k.y[order]
    return watched(Loop(shuffle=False), k)


def imbalanced(net, data, seed) -> tuple[Kit, torch.Tensor] | None:
    """The first class kept at a fifth."""
    k = kit(net, data, seed)
    if not k.classes:
        return None
    keep = (k.y != 0) | (torch.arange(len(k.y)) % 5 == 0)
    k.x, k.y = k.x[keep], k.y[keep]
    return k, torch.bincount(k.y, minlength=k.classes).float()


@bug("class weights inverted", r"weights are inverted")
def weights(net, data, seed):
    made = imbalanced(net, data, seed)
    return watched(Loop(loss=nn.CrossEntropyLoss(weight=made[1] / made[1].mean())), made[0]) if made else None


@bug("sampler weights inverted", r"weights of the sampler are inverted|weights are inverted")
def sampler(net, data, seed):
    made = imbalanced(net, data, seed)
    if not made:
        return None
    k, counts = made
    return watched(Loop(loader=lambda rows: DataLoader(rows, 32, sampler=WeightedRandomSampler(counts[k.y], len(k.y)))), k)


@bug("pos_weight inverted", r"weights are inverted")
def pos_weight(net, data, seed):
    k = kit(net, data, seed)
    if not k.classes:
        return None
    k.y, k.y_val = (k.y == 1).float(), (k.y_val == 1).float()
    share = k.y.mean() / (1 - k.y.mean())
    if 0.6 < share < 1.7:
        return None
    return watched(Loop(loss=lambda z, y: F.binary_cross_entropy_with_logits(z[:, 1], y, pos_weight=share)), k)


@bug("a last batch of one row", r"last batch")
def last_of_one(net, data, seed):
    k = kit(net, data, seed)
    if not any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in k.model.modules()):
        return None
    at = (len(k.y) - 1) // 32 * 32 + 1
    k.x, k.y = k.x[:at], k.y[:at]
    return watched(Loop(), k)


@bug("a summed loss", r"summed")
def summed(net, data, seed):
    k = kit(net, data, seed)
    return watched(Loop(loss=type(k.loss)(reduction="sum")), k)


@bug("a loss that is not a number", r"NaN")
def not_a_number(net, data, seed):
    k = kit(net, data, seed)
    k.x[7] = float("nan")
    return watched(Loop(), k)


@bug("clipped before unscaling", r"unscale_")
def unscaled(net, data, seed):
    k, loop = kit(net, data, seed), Loop()
    train, val = loop.loaders(k)
    optimizer, scaler = k.optimizer, torch.amp.GradScaler("cpu")
    with watch_training(k.model, val_loader=val) as watch:
        for _ in range(3):
            k.model.train()
            for x, y in train:
                optimizer.zero_grad()
                scaler.scale(k.loss(k.model(x), y)).backward()
                nn.utils.clip_grad_norm_(k.model.parameters(), 1.0)
                scaler.step(optimizer)
                scaler.update()
            loop.validate(k.model, optimizer, k.loss, train, val, (x, y))
    return watch.report()


class Jittered(Dataset):
    """Rows with noise from a generator of the data set's own."""

    def __init__(self, x, y):
        self.x, self.y, self.rng = x, y, np.random.default_rng(0)

    def __len__(self):
        return len(self.y)

    def __getitem__(self, at):
        return self.x[at] + self.rng.normal(size=self.x[at].shape).astype("float32") * 0.1, self.y[at]


@bug("workers with the same random numbers", r"same random numbers")
def workers(net, data, seed):
    k = kit(net, data, seed)
    return watched(Loop(epochs=2, loader=lambda rows: DataLoader(Jittered(k.x, k.y), 32, shuffle=True, num_workers=2)), k)


class Tagger(nn.Module):
    """A label for each token."""

    def __init__(self, net: str, marked: bool):
        super().__init__()
        self.embed = nn.Embedding(30, 16, padding_idx=0 if marked else None)
        self.mix = nn.GRU(16, 16, batch_first=True) if net == "GRU" else nn.Identity()
        self.head = nn.Linear(16, 5)

    def forward(self, tokens):
        x = self.embed(tokens)
        return self.head(self.mix(x)[0] if isinstance(self.mix, nn.GRU) else x)


def tagged(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Sequences of 4 to 12 tokens, padded with 0, and their labels: 1 to 4, or 0 for padding."""
    rng = random.Random(seed)
    tokens = torch.zeros(300, 12, dtype=torch.long)
    for row in tokens:
        n = rng.randint(4, 12)
        row[:n] = torch.tensor([rng.randint(1, 29) for _ in range(n)])
    return tokens, torch.where(tokens > 0, tokens % 4 + 1, 0)


def tagging(net: str, seed: int, counted: bool) -> Any:
    tokens, labels = tagged(seed)
    torch.manual_seed(seed)
    k = Kit(net, "tokens", seed, Tagger(net, seed % 2 == 0), tokens[:200], labels[:200], tokens[200:], labels[200:])
    skip = -100 if counted else 0
    return watched(Loop(loss=lambda z, y: F.cross_entropy(z.flatten(0, 1), y.flatten(), ignore_index=skip)), k)


@bug("padding in the loss", r"[Pp]added|[Pp]adding")
def padding(net, data, seed):
    return tagging(net, seed, True)
