"""overfit_batch on networks: causes, each from the property that it breaks."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from overfit_toys import CE, adam, blobs, causes, net, padded
from torch import nn

from ml_lifecycle.exploration import overfit_batch

def step_of(text: str) -> Callable[..., Any]:
    """A training step written as words."""
    def step(model: Any, batch: Any, optimizer: Any) -> None:
        x, y = batch
        for word in text.split():
            if word == "zero":
                optimizer.zero_grad()
            elif word == "loss":
                loss = F.cross_entropy(model(x), y)
            elif word == "minus":
                loss = -F.cross_entropy(model(x), y)
            elif word == "eval":
                model.eval()
            elif word == "shuffle":
                y = y[torch.randperm(len(y))]
            elif word == "others":
                y = torch.zeros_like(y)
            elif word == "noise":
                x = x + 3 * torch.randn_like(x)
            elif word == "detached":
                loss = F.cross_entropy(model(x).detach(), y)
            elif word == "penalty":
                loss = F.cross_entropy(model(x), y) + 50 * sum((p**2).sum() for p in model.parameters())
            elif word == "clip":
                nn.utils.clip_grad_norm_(model.parameters(), 1e-6)
            elif word == "nothing":
                with torch.no_grad():
                    loss = F.cross_entropy(model(x), y)
            elif word == "new":
                optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
            elif word == "backward":
                loss.backward()
            elif word == "headless":
                model[0].weight.grad = model[0].bias.grad = None
            elif word == "step":
                optimizer.step()
    return step


@pytest.mark.parametrize(("text", "cause"), [("loss backward step", "no_zero_grad"), ("zero loss backward", "no_step"),
    ("zero loss step", "no_backward"), ("loss backward zero step", "zeroed_before_step"), ("loss step zero backward",
    "step_before_backward"), ("zero minus backward step", "flipped_sign"), ("shuffle zero loss backward step", "shuffled_targets"),
    ("others zero loss backward step", "other_targets"), ("noise zero loss backward step", "other_inputs"),
    ("detached backward step", "detached"), ("zero penalty backward step", "l2_penalty"), ("zero loss backward clip step",
    "clipped"), ("zero nothing backward step", "detached"), ("zero loss backward headless step", "detached_in_step"),
    ("new zero loss backward step", "new_optimizer"),])
def test_a_step_that_is_wrong(text: str, cause: str) -> None:
    model = net()
    sgd = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.5)
    report = overfit_batch(model, blobs(), CE, optimizer=sgd, train_step=step_of(text), steps=60)
    assert cause in causes(report)[:2]
    assert model.training
    assert all(p.grad is None for p in model.parameters())


def changed(change: Callable[[Any], Any], **more: Any) -> Callable[[], Any]:
    def make() -> Any:
        model = net(**more)
        with torch.no_grad():
            change(model)
        return model
    return make


class Rows(nn.Module):
    """Does something to hidden units that it should not."""

    def __init__(self, change: Callable[[Any], Any]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last, self.change = nn.Linear(8, 32), nn.Linear(32, 4), change

    def forward(self, x: Any) -> Any:
        return self.last(self.change(torch.relu(self.first(x))))


def init(value: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda model: [value(p) for p in model.parameters()]


MODELS = {"all_frozen": changed(lambda m: m.requires_grad_(False)), "frozen": changed(lambda m: m[0].requires_grad_(False),
    hidden=2), "zero_init": changed(init(nn.init.zeros_)), "constant_init": changed(init(lambda p: nn.init.constant_(p, 0.1))),
    "dead_relu": changed(lambda m: m[0].bias.fill_(-99)), "nan_weights": changed(lambda m: m[0].weight[0].fill_(float("nan"))),
    "large_init": changed(lambda m: [p.mul_(99) for p in m.parameters()]), "no_nonlinearity": lambda: net(act=nn.Identity),
    "double_softmax": lambda: net(nn.Softmax(1)), "softmax_axis": lambda: net(nn.Softmax(0)),
    "relu_on_logits": lambda: net(nn.ReLU()), "bounded_scores": lambda: net(nn.Tanh()), "batch_mixing": lambda: Rows(lambda h: h
    + h.flip(0)), "detached": lambda: Rows(lambda h: h.detach()), "input_ignored": lambda: Rows(torch.zeros_like),
    "nan_forward": lambda: Rows(torch.log), "dropout_in_eval": lambda: Rows(lambda h: F.dropout(h, 0.5)),
    "shape": lambda: nn.Linear(7, 4), "labels_out_of_range": lambda: net(classes=2),
    "eval_mode": lambda: nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Linear(8, 4)).eval(),
    "random_in_eval": lambda: Rows(lambda h: h + 0.1 * torch.randn_like(h)),
    "in_place": lambda: nn.Sequential(nn.ReLU(inplace=True), *net()), "vanishing_gradients": lambda: nn.Sequential(nn.Linear(8, 8),
    *[m for _ in range(12) for m in (nn.Sigmoid(), nn.Linear(8, 8))][:-1], nn.Linear(8, 4)),}


@pytest.mark.parametrize("cause", list(MODELS))
def test_a_model_that_is_wrong(cause: str) -> None:
    torch.manual_seed(0)
    model = MODELS[cause]()
    report = overfit_batch(model, blobs(), CE, optimizer=adam(model), steps=100)
    assert cause in causes(report)[:2]
    assert report.passed is not True or cause in causes(report, "tip")


def one_hot() -> tuple[Any, Any]:
    x, y = blobs()
    return x, F.one_hot(y, 4).float()


def with_x(change: Callable[[Any], Any]) -> tuple[Any, Any]:
    return change(blobs()[0].clone()), blobs()[1]


def with_y(change: Callable[[Any], Any]) -> tuple[Any, Any]:
    return blobs()[0], change(blobs()[1])


def hole(x: Any) -> Any:
    x[0, 0] = float("nan")
    return x


PAIRS: list[tuple[str, Any, Any, Any]] = [("nll_on_logits", net, blobs, nn.NLLLoss()), ("nll_on_probabilities",
    lambda: net(nn.Softmax(1)), blobs, nn.NLLLoss()), ("double_sigmoid", lambda: net(nn.Sigmoid()), one_hot,
    nn.BCEWithLogitsLoss()), ("bce_on_logits", net, one_hot, nn.BCELoss()), ("flipped_sign", net, blobs, lambda o,
    t: -F.cross_entropy(o, t)), ("flipped_sign", lambda: net(nn.LogSoftmax(1)), blobs, lambda o, t: -F.nll_loss(o, t)),
    ("wrong_aim", net, blobs, lambda o, t: F.cross_entropy(o, (t + 1) % 4) + 0.0 * F.mse_loss(o, o)), ("loss_cut", net, blobs,
    lambda o, t: F.mse_loss(o.argmax(1).float(), t.float())), ("targets_ignored", net, blobs, lambda o, t: (o**2).mean()),
    ("regression_on_class_index", lambda: net(classes=1), blobs, lambda o, t: F.mse_loss(o[:, 0], t.float())), ("broadcast",
    lambda: net(classes=1), lambda: (blobs()[0], blobs()[0][:, 0]), nn.MSELoss()), ("bounded_output", lambda: net(nn.Sigmoid(),
    classes=1), lambda: (blobs()[0], 9 * blobs()[0][:, :1]), nn.MSELoss()), ("sum_reduction", net, blobs,
    nn.CrossEntropyLoss(reduction="sum")), ("scaled_loss", net, blobs, lambda o, t: F.cross_entropy(o, t) / 999), ("one_score",
    lambda: net(classes=1), lambda: with_y(torch.zeros_like), CE), ("ce_on_many_labels", net, lambda: (blobs()[0], (one_hot()[1]
    + one_hot()[1].roll(1, 1)).clamp(max=1)), CE), ("off_by_one", net, lambda: with_y(lambda y: y + 1), CE), ("labels_from_one",
    lambda: net(classes=5), lambda: with_y(lambda y: y + 1), CE), ("dtype", net, lambda: (blobs()[0].double(), blobs()[1]), CE),
    ("one_class", net, lambda: with_y(torch.zeros_like), CE), ("constant_input", net, lambda: with_x(torch.ones_like), CE),
    ("nan_input", net, lambda: with_x(hole), CE), ("unnormalised_input", net, lambda: with_x(lambda x: 999 * x + 9999), CE),
    ("conflicting_rows", net, lambda: with_x(lambda x: x[:24].repeat(2, 1)), CE), ("shifted_labels", net,
    lambda: with_y(lambda y: y.roll(1)), CE), ("labels_and_rows", net, lambda: with_y(lambda y: y[torch.randperm(48,
    generator=torch.Generator().manual_seed(4))]), CE), ("sorted_labels", net, lambda: with_y(lambda y: y.sort().values), CE),
    ("target_is_input", lambda: nn.Sequential(nn.Embedding(12, 16), nn.Linear(16, 12)), lambda: (padded()[1],) * 2,
     lambda o, t: CE(o.transpose(1, 2), t)), ("batch_of_one",
    lambda: nn.Sequential(nn.Linear(8, 4), nn.BatchNorm1d(4)), lambda: tuple(v[:1] for v in blobs()), CE), ("nan_loss", net, blobs,
    lambda o, t: F.cross_entropy(o, t) + torch.log(o.mean() * 0)),]


@pytest.mark.parametrize(("cause", "model", "batch", "loss"), PAIRS, ids=[f"{i}-{p[0]}" for i, p in enumerate(PAIRS)])
def test_a_batch_or_loss_that_does_not_fit(cause: str, model: Any, batch: Any, loss: Any) -> None:
    made = model()
    report = overfit_batch(made, batch(), loss, optimizer=adam(made), steps=60)
    assert cause in causes(report)[:2]
    for found in report.findings:
        assert "\n" not in found.message


@pytest.mark.parametrize(("cause", "optimizer"), [
    ("missing_parameters", lambda m: torch.optim.Adam(m[2].parameters(), lr=1e-2)), ("no_parameters", lambda m: adam(net())),
    ("zero_rate", lambda m: torch.optim.SGD(m.parameters(), lr=0.0)), ("rate_too_high", lambda m: adam(m, 50.0)),
    ("rate_too_low", lambda m: adam(m, 1e-7)), ("ascends", lambda m: torch.optim.SGD(m.parameters(), lr=0.1, maximize=True)),
    ("over_regularised", lambda m: adam(m, weight_decay=30.0)),
])
def test_an_optimizer_that_is_wrong(cause: str, optimizer: Callable[[Any], Any]) -> None:
    model = net()
    assert cause in causes(overfit_batch(model, blobs(), CE, optimizer=optimizer(model)))[:2]
