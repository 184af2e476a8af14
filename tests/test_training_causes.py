"""Causes that a watched loop shows are named, and what is alike but sound is not."""

import math

import numpy as np
import pytest
import torch
from test_training import data, found, loaders, net, train
from torch import nn
from torch.nn import functional as F
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, Subset, TensorDataset, WeightedRandomSampler

from ml_lifecycle.refinement import watch_training

def adam(model, rate=1e-2):
    return torch.optim.Adam(model.parameters(), rate)


def seen(loop, model=None, **options):
    """Issues and tips of a loop(model, loader, val_loader)."""
    model = model or net()
    train_loader, val_loader = loaders(**options)
    with watch_training(model, val_loader=val_loader) as watch:
        loop(model, train_loader, val_loader)
    assert watch._watch.record.trouble is None
    return named_in(watch.report())


def named_in(report):
    return [cause for cause in found(report) + found(report, "tip") if cause not in ("unclear", "too_short", "falls")]


def steps(model, loader, optimizer, *, epochs=3, loss_fn=F.cross_entropy, before=None, after=None, each=1, zero=True, divide=1):
    for epoch in range(epochs):
        model.train()
        for turn, (x, y) in enumerate(loader):
            if zero and turn % each == 0:
                optimizer.zero_grad()
            (loss_fn(model(x), y) / divide).backward()
            if before:
                before(model)
            if turn % each == each - 1:
                optimizer.step()
            if after:
                after(epoch, turn)


def cut(model):
    nn.utils.clip_grad_norm_(model.parameters(), 1e-5)


def sgd(model):
    return torch.optim.SGD(model.parameters(), 0.05)


@pytest.mark.parametrize(("cause", "loop"), [
    ("not_zeroed", lambda m, t, v: steps(m, t, adam(m), zero=False)),
    ("clipped_away", lambda m, t, v: steps(m, t, adam(m), before=cut)),
    ("zeroed_before_step", lambda m, t, v: steps(m, t, adam(m), before=lambda model: model.zero_grad())),
    ("not_divided", lambda m, t, v: steps(m, t, sgd(m), each=2, loss_fn=nn.CrossEntropyLoss())),
    ("no_step", lambda m, t, v: steps(m, t, adam(m), each=100)),
    ("zero_rate", lambda m, t, v: steps(m, t, adam(m, 0.0))),
    ("summed", lambda m, t, v: steps(m, t, adam(m), loss_fn=nn.CrossEntropyLoss(reduction="sum"))),
    ("no_parameters", lambda m, t, v: steps(m, t, adam(net()))),
    ("missing_parameters", lambda m, t, v: steps(m, t, adam(m[0]))),
    ("no_grad_missing", lambda m, t, v: (steps(m, t, adam(m)), [m.eval()(x) for x, _ in v])),
    ("train_missing", lambda m, t, v: [(train(m, t, F.cross_entropy, adam(m), v, 1), m.eval(), steps(m.requires_grad_(), t,
                                                                                                     Frozen(m)))]),
    ("trains_on_validation", lambda m, t, v: (steps(m, t, adam(m)), steps(m, v, adam(m)))),
    ("metric_on_train", lambda m, t, v: train(m, t, F.cross_entropy, adam(m), t)),
    ("not_called", lambda m, t, v: steps(m.forward, t, adam(m)) if False else [adam(m).step() for _ in t]),
    ("no_backward", lambda m, t, v: [m(x) for x, _ in t]),
    ("left_early", lambda m, t, v: [(steps(m, [next(iter(t))], adam(m), epochs=1), [m.eval()(x) for x,
                                                                                    _ in v]) for _ in range(4)]),
])
def test_the_cause_is_named(cause, loop):
    assert cause in seen(loop)


class Frozen:
    """An optimizer whose loop has put the model in eval mode for good."""

    def __init__(self, model):
        self.inner, self.model = adam(model), model

    def zero_grad(self):
        self.model.eval()
        self.inner.zero_grad()

    def step(self):
        self.inner.step()


def scheduled(model, loader, make, *, each_batch, epochs=3):
    optimizer = adam(model)
    schedule = make(optimizer)
    steps(model, loader, optimizer, epochs=epochs, after=lambda epoch, turn: schedule.step() if each_batch or turn == 5 else None)


@pytest.mark.parametrize(("cause", "make", "each_batch"), [
    ("dies", lambda o: lr_scheduler.ExponentialLR(o, 0.3), True), ("stepped_per_batch", lambda o: lr_scheduler.CosineAnnealingLR(o,
            3), True),
    ("stepped_per_epoch", lambda o: lr_scheduler.OneCycleLR(o, 1e-2, 18), False),
    ("warms_up", lambda o: lr_scheduler.LambdaLR(o, lambda s: (s + 1) / 900), True),
    (None, lambda o: lr_scheduler.CosineAnnealingLR(o, 3), False), (None, lambda o: lr_scheduler.OneCycleLR(o, 1e-2, 18), True),
    (None, lambda o: lr_scheduler.StepLR(o, 1, 0.5), False), (None, lambda o: lr_scheduler.LinearLR(o, 0.1, 1.0, 4), True),
])
def test_schedules(cause, make, each_batch):
    named = seen(lambda m, t, v: scheduled(m, t, make, each_batch=each_batch))
    assert cause in named if cause else not {"dies", "stepped_per_batch", "stepped_per_epoch", "warms_up",
                                             "never_stepped"} & set(named)


def test_a_schedule_that_is_never_stepped():
    def loop(model, loader, val_loader):
        optimizer = adam(model)
        lr_scheduler.StepLR(optimizer, 2)
        steps(model, loader, optimizer)
    assert "never_stepped" in seen(loop)


def test_optimizers_made_anew_and_emptied():
    def anew(model, loader, val_loader):
        for _ in range(3):
            steps(model, loader, adam(model), epochs=1)

    def emptied(model, loader, val_loader):
        optimizer = adam(model)
        for _ in range(3):
            steps(model, loader, optimizer, epochs=1)
            optimizer.state.clear()

    def phases(model, loader, val_loader):
        steps(model, loader, adam(model))
        steps(model, loader, adam(model, 1e-3))
    assert "new_optimizer" in seen(anew)
    assert "state_reset" in seen(emptied)
    assert not {"new_optimizer", "state_reset"} & set(seen(phases))


def test_weights_that_go_back_or_stay():
    def back(model, loader, val_loader):
        first = {k: v.clone() for k, v in model.state_dict().items()}
        for _ in range(3):
            model.load_state_dict(first)
            steps(model, loader, adam(model), epochs=1)
    assert "weights_reset" in seen(back)
    assert "not_moving" in seen(lambda m, t, v: steps(m, t, adam(m, 1e-30)))


def over(rows, held_out, model=None, loss_fn=F.cross_entropy, **options):
    """A sound loop over given rows."""
    model = model or net()
    optimizer = adam(model)
    train_loader, val_loader = DataLoader(rows, 16, **({"shuffle": True} | options)), DataLoader(held_out, 32)
    with watch_training(model) as watch:
        for _ in range(2):
            train(model, train_loader, loss_fn, optimizer, val_loader, 1)
    assert watch._watch.record.trouble is None
    return named_in(watch.report())


def test_rows_that_are_shared_or_scaled_together():
    (x, y), (xv, yv) = data(160), data(80, 1)
    held_out = TensorDataset(xv, yv)
    assert over(TensorDataset(x, y), held_out) == []
    assert "overlap" in over(TensorDataset(torch.cat([x, xv[:10]]), torch.cat([y, yv[:10]])), held_out)
    assert "overlap" in over(TensorDataset(torch.cat([x, xv[:20] + 1e-4]), torch.cat([y, yv[:20]])), held_out)
    whole = TensorDataset(torch.cat([x, xv]), torch.cat([y, yv]))
    assert "overlap" in over(Subset(whole, range(150)), Subset(whole, range(140, 240)))
    both = torch.cat([x, xv])
    both = (both - both.mean(0)) / both.std(0, unbiased=False)
    assert "scaled_together" in over(TensorDataset(both[:160], y), TensorDataset(both[160:], yv))
    low, high = both.amin(0), both.amax(0)
    both = (both - low) / (high - low)
    assert "scaled_together" in over(TensorDataset(both[:160], y), TensorDataset(both[160:], yv))
    mine, yours = ((t - t.mean(0)) / t.std(0) for t in (x, xv))
    assert "scaled_apart" in over(TensorDataset(mine, y), TensorDataset(yours, yv))
    assert "other_scale" in over(TensorDataset(x, y), TensorDataset(50 + 20 * xv, yv))
    assert "classes_apart" in over(TensorDataset(x, y), TensorDataset(xv, yv + 2), net(out=4))
    assert "one_class_at_validation" in over(TensorDataset(x, y), TensorDataset(xv, torch.zeros(80, dtype=torch.long)))


def test_orders():
    x, y = data(160)
    order = y.argsort()
    held_out = TensorDataset(*data(80, 1))
    assert "sorted" in over(TensorDataset(x[order], y[order]), held_out, shuffle=False)
    assert "not_shuffled" in over(TensorDataset(x, y), held_out, shuffle=False)
    by_size = x[:, 0].argsort()
    assert "sorted" in over(TensorDataset(x[by_size], x[by_size, :1]), TensorDataset(x, x[:, :1]), net(out=1), F.mse_loss,
                            shuffle=False)

    def seeded(model, loader, val_loader):
        optimizer = adam(model)
        for _ in range(3):
            torch.manual_seed(0)
            steps(model, loader, optimizer, epochs=1)
    assert "seeded_each_epoch" in seen(seeded)


def test_weights_of_classes():
    x, y = data(320)
    keep = (y == 0) | (torch.arange(320) % 6 == 0)
    x, y, held_out = x[keep], y[keep], TensorDataset(*data(80, 1))
    counts = torch.bincount(y).float()
    weigh = [lambda z, t, w=w: F.cross_entropy(z, t, weight=w) for w in (counts / counts.mean(), counts.mean() / counts)]
    assert "weights_inverted" in over(TensorDataset(x, y), held_out, loss_fn=weigh[0])
    assert over(TensorDataset(x, y), held_out, loss_fn=weigh[1]) == []
    for weights, wrong in ((counts, True), (1 / counts, False)):
        sampler = WeightedRandomSampler(weights[y], len(y), generator=torch.Generator().manual_seed(0))
        named = over(TensorDataset(x, y), held_out, sampler=sampler, shuffle=False)
        assert ("weights_inverted" in named) == wrong
    share = counts[1] / counts[0]
    binary = [lambda z, t, s=s: F.binary_cross_entropy_with_logits(z[:, 1], t.float(), pos_weight=s) for s in (share, 1 / share)]
    assert "weights_inverted" in over(TensorDataset(x, y), held_out, loss_fn=binary[0])
    assert over(TensorDataset(x, y), held_out, loss_fn=binary[1]) == []


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("ignored", [True, False])
def test_padding(side, ignored):
    rng = np.random.default_rng(0)
    tokens = torch.zeros(64, 9, dtype=torch.long)
    for row in tokens:
        n = int(rng.integers(3, 10))
        row[slice(0, n) if side == "right" else slice(9 - n, 9)] = torch.tensor(rng.integers(1, 20, n))
    model = nn.Sequential(nn.Embedding(20, 8), nn.Linear(8, 4))
    named = over(TensorDataset(tokens, tokens % 4), TensorDataset(tokens[:8].flip(0), tokens[:8] % 4), model, lambda z,
                 t: F.cross_entropy(
        z.transpose(1, 2), t, ignore_index=0 if ignored else -100))
    assert ("padding_counted" in named) == (not ignored)


def test_losses_that_break_or_rise():
    x, y = data(160)
    broken = x.clone()
    broken[3] = math.nan
    held_out = TensorDataset(*data(80, 1))
    assert "nan_loss" in over(TensorDataset(broken, y), held_out)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 256), nn.ReLU(), nn.Linear(256, 2))
    optimizer, noise = adam(model, 1e-2), torch.randint(0, 2, (240,), generator=torch.Generator().manual_seed(0))
    train_loader = DataLoader(TensorDataset(x[:64], noise[:64]), 16, shuffle=True)
    val_loader = DataLoader(TensorDataset(data(160, 1)[0], noise[80:]), 16)
    with watch_training(model) as watch:
        train(model, train_loader, F.cross_entropy, optimizer, val_loader, 25)
    assert "overfits" in found(watch.report(), "tip")


def test_units_that_die():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 2))
    loader = DataLoader(TensorDataset(*data(160)), 16, shuffle=True)
    with watch_training(model) as watch:
        steps(model, loader, adam(model, 1e-3), epochs=1)
        with torch.no_grad():
            model[0].bias.sub_(100)
        steps(model, loader, adam(model, 1e-3), epochs=12)
    assert "units_die" in found(watch.report())


def test_scaled_gradients():
    def loop(model, loader, unscale, factor=1.0):
        optimizer, scaler = adam(model), torch.amp.GradScaler("cpu", init_scale=1024.0)
        with watch_training(model) as watch:
            for x, y in loader:
                optimizer.zero_grad()
                scaler.scale(F.cross_entropy(model(x), y) * factor).backward()
                if unscale:
                    scaler.unscale_(optimizer)
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                scaler.step(optimizer)
                scaler.update()
        assert watch._watch.record.trouble is None
        return found(watch.report())
    loader = loaders(160)[0]
    assert "clipped_unscaled" in loop(net(), loader, False)
    assert loop(net(), loader, True) == []
    assert "steps_skipped" in loop(net(), loader, True, 1e38)


def test_outputs_of_any_form():
    class Odd:
        def __init__(self, score):
            self.score = score

    class Model(nn.Module):
        def __init__(self, form):
            super().__init__()
            self.layer, self.form = nn.Linear(6, 2), form

        def forward(self, x):
            return self.form(self.layer(x))
    for form, back in ((Odd, lambda o: o.score), (lambda z: [Odd(z)], lambda o: o[0].score), (lambda z: {"a": z},
                                                                                              lambda o: o["a"])):
        assert seen(lambda m, t, v, back=back: steps(m, t, adam(m), loss_fn=lambda o, y: F.cross_entropy(back(o), y)),
                    Model(form)) in (
            ["not_validated"], [])


def test_a_closure_and_whole_tensors():
    model = net()
    x, y = data(160)
    optimizer = torch.optim.LBFGS(model.parameters(), 0.1, max_iter=3)

    def closure():
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        return loss
    with watch_training(model) as watch:
        for _ in range(12):
            optimizer.step(closure)
    assert found(watch.report()) == []


class Jittered(torch.utils.data.Dataset):
    """Rows with noise from a generator of its own, or in half precision."""

    def __init__(self):
        self.rows, self.chances = data(96), [np.random.default_rng(0)]

    def __len__(self):
        return 96

    def __getitem__(self, at):
        return self.rows[0][at] + float(self.chances[0].normal()), self.rows[1][at]


def test_workers_and_half_precision():
    model = net()
    with watch_training(model) as watch:
        steps(model, DataLoader(Jittered(), 16, shuffle=True, num_workers=1), adam(model), epochs=1)
    assert "workers_alike" in found(watch.report())

    def half(model, loader, val_loader):
        with torch.autocast("cpu", torch.float16):
            steps(model, loader, adam(model))
    assert "underflow" in seen(half)
