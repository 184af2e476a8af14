"""overfit_batch: causes that finite differences, hooks, perturbed weights and watched steps tell; and how often it waits."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from overfit_toys import CE, TOKENS, X, Y, causes, net, plain, probe
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from ml_lifecycle.exploration._probe import runs as _probe_runs
from ml_lifecycle.exploration._probe.step import Stepper
from ml_lifecycle.exploration._probe.subject import as_subject

class Body(nn.Module):
    """Layers put together by a function that a test brings."""

    def __init__(self, forward: Callable[[Any, Any], Any], **parts: Any) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b, self.c = nn.Linear(8, 32), nn.Linear(32, 4), nn.Linear(32, 32)
        self.how = forward
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Any) -> Any:
        return self.how(self, x)


class Turn(torch.autograd.Function):
    """Gives its input, and its gradient with the sign flipped."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return -g


# gradients

@pytest.mark.parametrize(("change", "cause"), [(lambda g: -g, "gradient_reversed"), (lambda g: g * 0, "gradient_stopped"),
                                               (lambda g: g.clamp(-1, 1), None)])
def test_hooks_on_parameters(change: Callable[[Any], Any], cause: str | None) -> None:
    model = net()
    for p in model[0].parameters() if cause == "gradient_stopped" else model.parameters():
        p.register_hook(change)
    report = probe(model)
    assert cause in causes(report)[:1] if cause else report.passed
    assert all(len(p._backward_hooks or {}) == (1 if cause != "gradient_stopped" else p in set(model[0].parameters()))
               for p in model.parameters())


def test_a_backward_that_turns_the_sign() -> None:
    report = probe(Body(lambda m, x: m.b(torch.relu(Turn.apply(m.a(x))))))
    assert "gradient_reversed" in causes(report)
    assert report.passed is not True or "gradient_reversed" in causes(report, "tip")


@pytest.mark.parametrize("forward", [lambda m, x: (m.c(torch.relu(m.a(x))), m.b(torch.relu(m.a(x))))[1],
                                     lambda m, x: m.b(torch.relu(m.a(x)))])
def test_layers_without_effect_are_not_called_detached(forward: Any) -> None:
    report = probe(Body(forward, raw=nn.Parameter(torch.zeros(3))))
    found = next(f for f in report.findings if f.evidence["cause"] == "unused")
    assert set(found.evidence["layers"]) == {"raw", "c"}
    assert "detached" not in causes(report)


# outputs and losses

def test_tiny_scores_are_not_confined() -> None:
    assert causes(probe(Body(lambda m, x: 1e-5 * m.b(torch.relu(m.a(x))))))[0] == "tiny_scores"
    assert causes(probe(Body(lambda m, x: F.normalize(m.b(torch.relu(m.a(x))), dim=1))))[0] == "bounded_scores"


def test_a_mask_that_hides_everything_in_eval_mode() -> None:
    body = Body(lambda m, x: m.b(torch.relu(m.a(x))) * (1.0 if m.training else float("nan")))
    assert causes(probe(body))[0] == "nan_in_eval"


ONE_HOT = F.one_hot(Y, 4).float()
SEVERAL = torch.stack([Y % 2, (Y > 1).long(), (Y == 0).long(), (Y < 3).long()], 1).float()


@pytest.mark.parametrize(("cause", "last", "targets", "loss"), [
    ("softmax_axis", nn.Identity(), Y, lambda o, t: F.mse_loss(F.one_hot(t, 4).float(), o.softmax(0))),
    ("softmax_axis", nn.Identity(), Y, lambda o, t: (o.softmax(0) - F.one_hot(t, 4)).abs().mean()),
    ("random_loss", nn.Identity(), Y, lambda o, t: F.cross_entropy(o + 5 * torch.randn_like(o), t)),
    ("nll_on_probabilities", nn.Softmax(1), 0.9 * ONE_HOT + 0.025, nn.KLDivLoss(reduction="batchmean")),
    ("nll_on_logits", nn.Identity(), 0.9 * ONE_HOT + 0.025, nn.KLDivLoss(reduction="batchmean")),
    ("bce_targets", nn.Identity(), 255 * ONE_HOT, nn.BCEWithLogitsLoss()),
    ("softmax_competes", nn.Softmax(1), SEVERAL, nn.BCELoss()),
    ("clamped_output", nn.Hardtanh(0, 1), ONE_HOT, nn.BCELoss()),
    ("bounded_scores", nn.LogSigmoid(), ONE_HOT, nn.BCEWithLogitsLoss()),
])
def test_outputs_that_the_loss_does_not_expect(cause: str, last: Any, targets: Any, loss: Any) -> None:
    assert cause in causes(probe(net(last), (X, targets), loss, steps=100))[:2]


def triplet(o: Any, t: Any) -> Any:
    a, b, c = o.chunk(3)
    return F.triplet_margin_loss(a, b, c)


def contrast(o: Any, t: Any) -> Any:
    near = F.normalize(o, dim=1) @ F.normalize(o, dim=1).T
    return F.binary_cross_entropy_with_logits(5 * near, (t[:, None] == t).float())


@pytest.mark.parametrize(("model", "batch", "loss"), [
    (lambda: net(nn.LogSoftmax(1)), (X, 0.9 * ONE_HOT + 0.025), nn.KLDivLoss(reduction="batchmean")),
    (net, (X, Y), triplet), (lambda: net(classes=8), (X, Y), contrast),
    (lambda: net(classes=3), (X, Y), lambda o, t: F.binary_cross_entropy_with_logits(o, (t[:, None] > torch.arange(3)).float())),
    (lambda: Body(lambda m, x: (m.b(torch.relu(m.a(x))), m.c(torch.relu(m.a(x))).mean(1))), (X, Y),
     lambda o, t: F.cross_entropy(o[0], t) + o[1].pow(2).mean()),
    (lambda: nn.Sequential(nn.Embedding(12, 16), nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 8)), (TOKENS, TOKENS % 8),
     lambda o, t: F.cross_entropy(o.transpose(1, 2), t)),
    (net, (100 * X / X.std() * 0.08, Y), CE),
])
def test_sound_losses_that_look_odd(model: Any, batch: Any, loss: Any) -> None:
    assert causes(probe(model(), batch, loss, steps=100), "issue") == []


# steps and optimizers

def other_model(model: Any, batch: Any, optimizer: Any) -> None:
    stranger = net(nn.Identity())
    plain(stranger, batch, torch.optim.Adam(stranger.parameters()))


def part(model: Any, batch: Any, optimizer: Any) -> None:
    optimizer.zero_grad()
    F.cross_entropy(model(batch[0])[:6], batch[1][:6]).backward()
    optimizer.step()


def smaller(model: Any, batch: Any, optimizer: Any) -> None:
    plain(model, (batch[0][:6], batch[1][:6]), optimizer)


def stored(model: Any, batch: Any, optimizer: Any) -> None:
    plain(model, (batch[0][:6] + 9, batch[1][:6]), optimizer)


@pytest.mark.parametrize(("step", "cause"), [(other_model, "not_called"), (part, "part_of_batch"), (smaller, "part_of_batch"),
                                             (stored, "other_inputs")])
def test_steps_that_leave_something_out(step: Any, cause: str) -> None:
    report = probe(net(), step=step)
    assert causes(report)[0] == cause
    assert all(loss == loss for loss in report.losses)


def reorder(model: Any, batch: Any, optimizer: Any) -> None:
    order = torch.randperm(len(batch[1]))
    plain(model, (batch[0][order], batch[1][order]), optimizer)


def with_metrics(model: Any, batch: Any, optimizer: Any) -> None:
    plain(model, batch, optimizer)
    model.eval()
    with torch.no_grad():
        model(batch[0])
    model.train()


def micro(model: Any, batch: Any, optimizer: Any) -> None:
    optimizer.zero_grad()
    for x, y in zip(batch[0].chunk(4), batch[1].chunk(4)):
        (F.cross_entropy(model(x), y) / 4).backward()
    optimizer.step()


@pytest.mark.parametrize("step", [reorder, with_metrics, micro])
def test_sound_steps(step: Any) -> None:
    report = probe(net(), step=step, steps=100)
    assert causes(report, "issue") == []
    assert report.passed


def test_the_model_of_a_step_that_trains_another_one_comes_back() -> None:
    stranger = net()
    optimizer, before = torch.optim.Adam(stranger.parameters()), copy.deepcopy(stranger.state_dict())
    probe(net(), step=lambda model, batch: plain(stranger, batch, optimizer), steps=5)
    assert all(torch.equal(before[k], v) for k, v in stranger.state_dict().items())
    assert not optimizer.state


def halved(model: Any, batch: Any, optimizer: Any) -> None:
    plain(model, batch, optimizer)
    optimizer.param_groups[0]["lr"] *= 0.01


def sgd(model: Any, **more: Any) -> Any:
    return torch.optim.SGD(model.parameters(), **{"lr": 0.05, **more})


@pytest.mark.parametrize(("cause", "optimizer", "step"), [
    ("never_forgets", lambda m: sgd(m, momentum=1.0), None), ("decay_outweighs", lambda m: sgd(m, weight_decay=2.0), None),
    ("decay_outweighs", lambda m: torch.optim.AdamW(m.parameters(), 1e-3, weight_decay=50.0), None),
    ("group_rate_zero", lambda m: torch.optim.SGD([{"params": m[0].parameters()}, {"params": m[2].parameters(), "lr": 0.0}], 0.05),
     None), ("rate_changes", sgd, halved)])
def test_numbers_of_an_optimizer(cause: str, optimizer: Any, step: Any) -> None:
    model = net()
    assert cause in causes(probe(model, optimizer=optimizer(model), step=step, steps=20))[:2]


# how often a run waits for the device

class Waits(TorchDispatchMode):
    """Counts what makes the host wait for a device: single numbers that are read, and copies from one to the other."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name, kwargs = str(func), kwargs or {}
        self.count += name.startswith(("aten._local_scalar_dense", "aten.item", "aten.nonzero", "aten.equal"))
        self.count += name.startswith("aten._to_copy") and "device" in kwargs
        return func(*args, **kwargs)


def waits(steps: int, step: Any, monkeypatch: Any) -> tuple[int, int]:
    """What is counted in a run, and how often losses are taken over from the device."""
    subject = as_subject(net(), (X, Y), CE, 60.0)
    taken = []
    collect = _probe_runs._collect
    monkeypatch.setattr(_probe_runs, "_collect", lambda *a: (taken.append(1), collect(*a)))
    stepper = Stepper(subject, subject.model, sgd(subject.model, lr=1e-5), step)
    with Waits() as seen:
        run = _probe_runs.train(subject, stepper, steps, _probe_runs.Goal(0.0, 1.4, 1.4, (48, 4)))
    monkeypatch.undo()
    assert len(run.losses) == steps
    return seen.count, len(taken)


@pytest.mark.parametrize("step", [None, plain, part, other_model, smaller])
def test_a_run_waits_for_the_device_once_a_block(step: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    own = 0 if step is not other_model else 4  # Adam of the step itself reads its number of steps, on the host, once a parameter
    (few, some), (twice, more) = (waits(n, step, monkeypatch) for n in (40, 80))
    assert twice - few == own * 40
    assert some == 40 / _probe_runs.CHECK + 1
    assert more == 80 / _probe_runs.CHECK + 1
