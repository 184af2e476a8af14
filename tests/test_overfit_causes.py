"""overfit_batch: causes that the graph, the weights and the run tell, and designs that look odd but are sound."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from overfit_toys import CE, X, Y, causes, net, probe
from torch import nn

from ml_lifecycle.exploration import overfit_batch

class Layers(nn.Module):
    """Hidden layers kept, or not kept, in one way or another."""

    def __init__(self, how: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last, self.how = nn.Linear(8, 16), nn.Linear(16, 4), how
        self.kept: Any = {"list": [nn.Linear(16, 16)], "dict": {"a": nn.Linear(16, 16)}, "tensor": torch.randn(16,
            16).requires_grad_(), "anew": None}[how]

    def forward(self, x: Any) -> Any:
        h = torch.relu(self.first(x))
        if self.how == "tensor":
            return self.last(torch.relu(h @ self.kept))
        inner = {"list": lambda: self.kept[0], "dict": lambda: self.kept["a"], "anew": lambda: nn.Linear(16, 16)}[self.how]()
        return self.last(torch.relu(inner(h)))


@pytest.mark.parametrize(("how", "cause"), [("list", "unregistered"), ("dict", "unregistered"), ("tensor", "unregistered"),
                                            ("anew", "made_anew")])
def test_layers_that_nobody_trains(how: str, cause: str) -> None:
    assert causes(probe(Layers(how)))[0] == cause
    if how == "list":
        assert causes(overfit_batch(Layers(how), (X, Y), CE, steps=30))[0] == cause
        model = Layers(how)
        held = torch.optim.Adam([*model.parameters(), *model.kept[0].parameters()], lr=1e-2)
        assert cause not in causes(overfit_batch(model, (X, Y), CE, optimizer=held))


def training(change: Callable[[Any], None] | None = None, *, after: bool = False, power: int = 0, micro: int = 1,
             noise: float = 0.0, zero: bool = True) -> Callable[..., Any]:
    def step(model: Any, batch: Any, optimizer: Any) -> None:
        if change and not after:
            change(model)
        if zero:
            optimizer.zero_grad()
        for x, y in zip(batch[0].chunk(micro), batch[1].chunk(micro)):
            loss = F.cross_entropy(model(x + noise * torch.randn_like(x)), y) / micro
            (loss + (0.3 * sum((p**2).sum() for p in model.parameters()) if power else 0)).backward()
        optimizer.step()
        if change and after:
            change(model)
    return step


def begin_again(model: Any) -> None:
    for layer in (model[0], model[2]):
        layer.reset_parameters()


def cap(model: Any) -> None:
    for p in model.parameters():
        p.data.clamp_(-3, 3)


def test_parameters_that_are_written_over() -> None:
    assert causes(probe(net(), step=training(begin_again)))[0] == "overwritten"
    model = net()
    kept = copy.deepcopy(model.state_dict())
    assert causes(probe(model, step=training(lambda m: m.load_state_dict(kept), after=True)))[0] == "put_back"


@pytest.mark.parametrize("step", [training(cap, after=True), training(micro=4), training(noise=0.05)])
def test_steps_that_look_odd_but_are_sound(step: Any) -> None:
    assert causes(probe(net(), step=step, steps=200), "issue") == []


def test_a_penalty_is_not_taken_for_gradients_that_are_kept() -> None:
    assert "no_zero_grad" not in causes(probe(net(), step=training(power=2), sgd=True, lr=0.05))
    assert "no_zero_grad" in causes(probe(net(), step=training(zero=False), sgd=True, lr=0.05))


def clipped(model: Any, batch: Any, optimizer: Any) -> None:
    optimizer.zero_grad()
    F.cross_entropy(model(batch[0]), batch[1]).backward()
    nn.utils.clip_grad_value_(model.parameters(), 1e-6)
    optimizer.step()


def fading(model: Any, batch: Any, optimizer: Any) -> None:
    optimizer.param_groups[0]["lr"] *= 0.5
    training()(model, batch, optimizer)


def test_gradients_and_rates_that_fade() -> None:
    assert "clipped" in causes(probe(net(), step=clipped, sgd=True, lr=0.1))
    assert "rate_changes" in causes(probe(net(), step=fading, sgd=True, lr=0.05))


@pytest.mark.parametrize("lr", [1.0, 30.0])
def test_a_loss_that_diverges_is_not_called_falling(lr: float) -> None:
    report = probe(net(classes=1), (X, X[:, :1]), nn.MSELoss(), lr=lr, sgd=True)
    assert "rate_too_high" in causes(report)[:2]
    assert "falling" not in causes(report)


def test_a_high_rate_that_gets_there_is_a_tip() -> None:
    assert causes(probe(net(), lr=50.0, steps=200)) in (["rate_too_high"], ["rate_too_high", "not_overfit"])


def equal(model: Any) -> Any:
    for p in model.parameters():
        if p.ndim > 1:
            nn.init.constant_(p, 0.02)
    return model


def tiny(model: Any) -> Any:
    for p in model.parameters():
        if p.ndim > 1:
            nn.init.normal_(p, 0, 1e-7)
    return model


def zero_head(model: Any) -> Any:
    nn.init.zeros_(model[2].weight)
    return model


def test_initial_weights() -> None:
    assert "constant_init" in causes(probe(equal(net()), sgd=True, lr=0.02))
    assert "bad_init" in causes(probe(tiny(net()), sgd=True, lr=0.02))
    assert causes(probe(zero_head(net()), steps=200)) == []


@pytest.mark.parametrize(("cause", "batch", "loss"), [("nothing_counted", (X, Y * 0 - 100), CE), ("rows_not_counted", (X, Y),
    lambda o, t: CE(o[:2], t[:2])), ("class_ignored", (X, Y), nn.CrossEntropyLoss(ignore_index=0)), ("double_softmax", (X, Y),
    lambda o, t: CE(F.softmax(3 * o, 1), t)),])
def test_targets_that_do_not_count(cause: str, batch: Any, loss: Any) -> None:
    assert cause in causes(probe(net(), batch, loss))[:2]


@pytest.mark.parametrize("size", [1e5, 100.0])
def test_targets_on_another_scale(size: float) -> None:
    report = probe(net(classes=1), (X, size * (5 + X[:, :1])), nn.MSELoss())
    assert "unscaled_targets" in causes(report)
    assert "targets_ignored" not in causes(report)


class Modes(nn.Module):
    def __init__(self, momentum: float | None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inner, self.norm, self.last = nn.Linear(8, 32), nn.Identity() if momentum is None else nn.BatchNorm1d(32,
            momentum=momentum), nn.Linear(32, 4)
        self.other = momentum is None

    def forward(self, x: Any) -> Any:
        if self.other:
            return self.last(torch.relu(self.inner(x if self.training else -x)))
        return self.last(torch.relu(self.norm(self.inner(x))))


def test_modes_that_differ() -> None:
    assert "stale_statistics" in causes(probe(Modes(0.0)))
    assert "mode_differs" in causes(probe(Modes(None)))
    assert "eval_differs" in causes(probe(Modes(1e-4), lr=3e-3, steps=200)) or probe(Modes(1e-4)).passed


@pytest.mark.parametrize(("last", "batch", "loss"), [(nn.Sigmoid(), (X, F.one_hot(Y, 4).float()), nn.BCELoss()), (nn.Softmax(1),
    (X, Y), lambda o, t: F.nll_loss(torch.log(o + 1e-9), t)), (nn.Sigmoid(), (X, 0.1 + 0.2 * F.one_hot(Y, 4).float()),
    nn.MSELoss()), (nn.Softplus(), (X, F.one_hot(Y, 4) + 0.5), nn.MSELoss()), (nn.Sigmoid(), (X, X.sigmoid()[:, :4]),
    nn.BCELoss())])
def test_outputs_within_a_range_in_which_the_answer_lies(last: Any, batch: Any, loss: Any) -> None:
    assert causes(probe(net(last), batch, loss, steps=200), "issue") == []


def test_time_that_is_over_is_never_an_issue() -> None:
    model = nn.Sequential(*[nn.Sequential(nn.Linear(8, 8), nn.Tanh()) for _ in range(8)], nn.Linear(8, 4))
    report = overfit_batch(model, (X, Y), CE, optimizer=torch.optim.SGD(model.parameters(), lr=1e-3), seconds=0.05)
    assert "stuck" not in causes(report)
    assert report.passed is not True


@pytest.mark.parametrize(("cause", "change"), [("bounded_scores", torch.sigmoid), ("relu_on_logits", torch.relu)])
def test_an_activation_inside_the_loss(cause: str, change: Callable[[Any], Any]) -> None:
    assert causes(probe(net(), (X, Y), lambda o, t: CE(change(o), t)))[0] == cause


def test_statistics_of_the_batch_in_eval_mode() -> None:
    model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16, track_running_stats=False), nn.ReLU(), nn.Linear(16, 4))
    assert causes(probe(model)) == ["batch_statistics"]


def test_a_layer_that_is_not_used_and_a_part_that_is_detached() -> None:
    class Part(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.spare = nn.Linear(8, 16), nn.Linear(16, 4), nn.Linear(3, 3)

        def forward(self, x: Any) -> Any:
            return self.b(torch.relu(self.a(x)).detach())

    assert {"detached", "unused"} <= set(causes(probe(Part())))

    class Whole(Part):
        def forward(self, x: Any) -> Any:
            return super().forward(x).detach()

    assert causes(probe(Whole()))[0] == "detached"
