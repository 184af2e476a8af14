"""A watched loop trains as it would without the watch, and what is wrong with it is named."""

import copy
import math
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, TensorDataset

from ml_lifecycle.foundation.errors import BadInputError
from ml_lifecycle.refinement import TrainingDiagnosis, diagnose_training, watch_training

def net(seed=0, out=2):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, out))


def data(n=96, seed=0):
    made = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 6, generator=made)
    return x, (x[:, 0] + 0.3 * torch.randn(n, generator=made) > 0).long()


def loaders(n=96, batch=16, **options):
    return DataLoader(TensorDataset(*data(n)), batch, shuffle=True, **options), DataLoader(TensorDataset(*data(64, 1)), 32)


def train(model, loader, loss_fn, optimizer, val_loader, epochs=3, eval_mode=True):
    for _ in range(epochs):
        model.train()
        for x, y in loader:
            optimizer.zero_grad()
            loss_fn(model(x), y).backward()
            optimizer.step()
        if eval_mode:
            model.eval()
        with torch.no_grad():
            for x, y in val_loader:
                loss_fn(model(x), y)


def found(report, severity="issue"):
    return [f.evidence["cause"] for f in report.findings if f.severity == severity]


def state_of(model, optimizer):
    return [*model.state_dict().values(), *(p.grad for p in model.parameters()), *(v for s in optimizer.state.values()
                                                                                   for v in s.values())]


def run(watched, make_optimizer, loop=train, **options):
    model = net()
    optimizer = make_optimizer(model.parameters())
    torch.manual_seed(1)
    np.random.seed(1)
    train_loader, val_loader = loaders(**options)
    hooks = len(model._forward_hooks), len(model._forward_pre_hooks)
    if watched:
        with watch_training(model, loader=train_loader, val_loader=val_loader) as watch:
            loop(model, train_loader, nn.CrossEntropyLoss(), optimizer, val_loader)
        assert watch._watch.record.trouble is None
        watch.report()
        assert watch._watch.record.trouble is None
    else:
        loop(model, train_loader, nn.CrossEntropyLoss(), optimizer, val_loader)
    assert hooks == (len(model._forward_hooks), len(model._forward_pre_hooks))
    return state_of(model, optimizer), [m.training for m in model.modules()], torch.rand(3), np.random.rand()


OPTIMIZERS = [lambda p: torch.optim.SGD(p, 0.1, momentum=0.9), lambda p: torch.optim.AdamW(p, 1e-2)]


@pytest.mark.parametrize("make", OPTIMIZERS)
def test_training_is_the_same_bit_for_bit(make):
    (mine, modes, chance, legacy), (plain, plain_modes, plain_chance, plain_legacy) = run(True, make), run(False, make)
    assert all(torch.equal(a, b) for a, b in zip(mine, plain, strict=True))
    assert modes == plain_modes
    assert torch.equal(chance, plain_chance)
    assert legacy == plain_legacy


def test_functions_of_torch_are_put_back():
    names = [(F, "cross_entropy"), (F, "relu"), (torch.autograd, "backward"), (torch.optim.Optimizer, "zero_grad"), (nn.Module,
                                                                                                                     "zero_grad"),
             (DataLoader, "__iter__"), (torch.utils.data.dataloader._BaseDataLoaderIter, "__next__"), (nn.utils,
                                                                                                       "clip_grad_norm_"),
             (torch.amp.GradScaler, "step")]
    before = [getattr(owner, name) for owner, name in names]
    model = net()
    with pytest.raises(ZeroDivisionError), watch_training(model):  # noqa: PT012
        assert torch.autograd.backward is not before[2]
        raise ZeroDivisionError
    assert [getattr(owner, name) for owner, name in names] == before
    assert not model._forward_hooks
    assert not model._forward_pre_hooks


def test_a_plain_loop_is_undone():
    model = net().eval()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    model(data()[0]).sum().backward()
    before = copy.deepcopy(state_of(model, optimizer))
    train_loader, val_loader = loaders(generator=torch.Generator().manual_seed(3))
    chance, drawn = torch.get_rng_state(), train_loader.generator.get_state()
    report = diagnose_training(model, train_loader, nn.CrossEntropyLoss(), optimizer, val_loader=val_loader)
    assert all(torch.equal(a, b) for a, b in zip(before, state_of(model, optimizer), strict=True))
    assert torch.equal(chance, torch.get_rng_state())
    assert torch.equal(drawn, train_loader.generator.get_state())
    assert not model.training
    assert report.epochs == 3
    assert report.steps == 18
    assert len(report.losses) == 18
    assert found(report) == []
    assert report.frame["val_loss"].notna().all()


def test_a_sound_loop_passes():
    model = net()
    train_loader, val_loader = loaders(320, 16)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = diagnose_training(model, train_loader, nn.CrossEntropyLoss(), torch.optim.Adam(model.parameters(), 1e-2),
                                   val_loader=val_loader, loop=train)
    assert report.passed
    assert "falls" in report.answer
    assert {"eval_at_validation", "zeroed", "no_overlap", "fixed_validation", "shuffled"} <= set(found(report, "passed"))
    assert report.overhead < 0.5
    assert isinstance(report, TrainingDiagnosis)
    assert TrainingDiagnosis.from_json(report.to_json()).losses == report.losses
    assert report.plot().get_xlabel() == "training batch (count)"


@pytest.mark.parametrize("loop", [
    lambda m, dl, criterion, opt: train(m, dl, criterion, opt, ()), lambda net, train_loader, loss, optim, val_loader: train(net,
            train_loader, loss, optim, val_loader),
    lambda model, loader, loss_fn, optimizer, val_loader=None, epochs=1: train(model, loader, loss_fn, optimizer, val_loader,
                                                                               epochs),
])
def test_a_loop_gets_what_it_asks_for(loop):
    model = net()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    train_loader, val_loader = loaders()
    report = diagnose_training(model, train_loader, nn.CrossEntropyLoss(), optimizer, val_loader=val_loader, loop=loop,
                               probe=False)
    assert report.steps == 18
    assert optimizer.state


def test_a_loop_without_arguments_and_lists_of_batches():
    model = net()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    batches = [tuple(b) for b in loaders()[0]]
    report = diagnose_training(model, batches, nn.CrossEntropyLoss(), optimizer, probe=False, loop=lambda: train(model, batches,
            nn.CrossEntropyLoss(), optimizer, ()))
    assert report.epochs == 3
    assert "not_shuffled" in found(report, "tip")
    report = diagnose_training(model, batches, lambda z, y: (z[:, 0] - y).abs().mean(), optimizer, val_loader=batches[:2],
                               probe=False)
    assert report.epochs == 3
    assert math.isfinite(report.val_losses[0])


def test_a_loop_that_raises_is_told():
    model = net()
    train_loader, val_loader = loaders(97)  # a last batch of one row, with BatchNorm
    report = diagnose_training(model, train_loader, nn.CrossEntropyLoss(), torch.optim.Adam(model.parameters()),
                               val_loader=val_loader, loop=train, probe=False)
    assert found(report)[0] == "last_batch_of_one"

    def broken():
        raise KeyError("lost")
    report = diagnose_training(model, train_loader, nn.CrossEntropyLoss(), torch.optim.Adam(model.parameters()), loop=broken,
                               probe=False)
    assert "KeyError" in report.findings[0].message
    assert report.passed is False


def test_what_overfit_batch_is_sure_of_is_told():
    model = nn.Sequential(net(), nn.Softmax(1))
    train_loader, val_loader = loaders()
    report = diagnose_training(model, train_loader, nn.CrossEntropyLoss(), torch.optim.Adam(model.parameters(), 1e-2),
                               val_loader=val_loader)
    assert "double_softmax" in found(report)


@pytest.mark.parametrize(("change", "said"), [
    ({"model": 3}, "`model` must be a torch.nn.Module"), ({"model": nn.ReLU()}, "`model` must have parameters"),
    ({"loader": 3}, "`loader` must be a DataLoader"), ({"loader": None}, "`loader` must be given"), ({"loss_fn": "mse"},
            "`loss_fn` must be a function"),
    ({"optimizer": "adam"}, "`optimizer` must be a torch Optimizer"), ({"optimizer": None}, "`optimizer` must be given"),
    ({"val_loader": 1}, "`val_loader` must be a DataLoader"), ({"epochs": 0}, "`epochs` must be"), ({"epochs": True}, "`epochs` "
                                                                                                    "must be"),
    ({"seconds": 0}, "`seconds` must be"), ({"loop": 3}, "`loop` must be a function"), ({"loader": [1, 2]}, "`loader` must give "
                                                                                        "batches"),
    ({"loop": lambda a, b, c, d, e, f, g: None}, "`loop` must take"),
])
def test_bad_input_is_told(change, said):
    model = net()
    given = {"model": model, "loader": loaders()[0], "loss_fn": nn.CrossEntropyLoss(),
             "optimizer": torch.optim.Adam(model.parameters()), **change}
    positional = [given.pop(k) for k in ("model", "loader", "loss_fn", "optimizer")]
    with pytest.raises(BadInputError, match=said):
        diagnose_training(*positional, **given)


def test_a_watch_is_made_once():
    watch = watch_training(net())
    with watch:
        assert watch.report().passes == 0
    with pytest.raises(BadInputError, match="made anew"), watch:
        pass
    assert watch.report().passed is None


class Noisy(Dataset):
    def __init__(self, x, y):
        self.x, self.y = x, y

    def __len__(self):
        return len(self.y)

    def __getitem__(self, at):
        return self.x[at] + 0.1 * torch.randn(6), self.y[at]


def test_random_validation_rows_are_seen():
    model = net()
    noisy = DataLoader(Noisy(*data(64, 1)), 32)
    report = diagnose_training(model, loaders()[0], nn.CrossEntropyLoss(), torch.optim.Adam(model.parameters()), val_loader=noisy,
                               loop=train, probe=False)
    assert found(report) == ["augmented_validation"]


def test_a_custom_loader_is_seen():
    class Mine:
        def __init__(self, inner):
            self.inner = inner

        def __iter__(self):
            return iter(self.inner)

        def __len__(self):
            return len(self.inner)
    model = net()
    mine = [Mine(part) for part in loaders()]
    report = diagnose_training(model, mine[0], nn.CrossEntropyLoss(), torch.optim.Adam(model.parameters()), val_loader=mine[1],
                               probe=False,
                               loop=lambda m, loader, f, o, val_loader: train(m, loader, f, o, val_loader, eval_mode=False))
    assert found(report) == ["eval_missing"]
    assert report.epochs == 3
    assert Mine.__iter__.__name__ == "__iter__"
    assert not hasattr(Mine.__iter__, "__wrapped__")
