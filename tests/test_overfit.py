"""overfit_batch on networks: verdicts, causes, what is put back, and what is refused."""

import copy
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from ml_lifecycle.exploration import OverfitReport, overfit_batch
from ml_lifecycle.foundation.errors import BadInputError

torch.set_num_threads(1)
CE = nn.CrossEntropyLoss()


def blobs(n: int = 48, classes: int = 4, seed: int = 0) -> tuple[Any, Any]:
    draw = np.random.default_rng(seed)
    y = draw.permutation(np.arange(n) % classes)
    x = 2 * draw.normal(size=(classes, 8))[y] + 0.5 * draw.normal(size=(n, 8))
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y)


def net(*last: Any, hidden: int = 32, classes: int = 4, act: Any = nn.ReLU, seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(8, hidden), act(), nn.Linear(hidden, classes), *last)


def adam(model: Any, lr: float = 1e-2, **more: Any) -> Any:
    return torch.optim.Adam(model.parameters(), lr=lr, **more)


def causes(report: OverfitReport, *severities: str) -> list[str]:
    return [f.evidence["cause"] for f in report.findings if f.severity in (severities or ("issue", "tip"))]


def plain(model: Any, batch: Any, optimizer: Any) -> Any:
    optimizer.zero_grad()
    loss = F.cross_entropy(model(batch[0]), batch[1])
    loss.backward()
    optimizer.step()
    return loss


# sound models

@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("optimizer", [adam, lambda m: torch.optim.SGD(m.parameters(), lr=0.3)])
def test_a_sound_model_passes(own: bool, optimizer: Callable[[Any], Any]) -> None:
    model = net()
    report = overfit_batch(model, blobs(), CE, optimizer=optimizer(model), train_step=plain if own else None)
    assert report.passed is True
    assert causes(report) == []
    assert report.losses[0] == pytest.approx(report.first)
    assert report.frame["loss"].tolist() == list(report.losses)
    assert report.last < 0.1 < report.first
    assert "near zero" in report.answer


def test_without_an_optimizer_learning_rates_are_tried() -> None:
    report = overfit_batch(net(), blobs(), CE)
    assert report.passed is True
    assert report.learning_rate == pytest.approx(3e-3)


@pytest.mark.parametrize("lr", [1e-4, 1e-3])
def test_a_slow_loss_is_no_bug(lr: float) -> None:
    model = net()
    report = overfit_batch(model, blobs(), CE, optimizer=torch.optim.SGD(model.parameters(), lr=lr))
    assert report.passed is None
    assert "issue" not in {f.severity for f in report.findings}


def padded() -> tuple[Any, Any, Any]:
    draw = torch.Generator().manual_seed(0)
    x = torch.randint(1, 12, (16, 6), generator=draw)
    y = (x + x.roll(1, 1)) % 3
    y[:, 0] = x[:, 0] % 3
    x[:, 4:][::2], y[:, 4:][::2] = 0, -100

    class Tagger(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.rnn, self.head = nn.Embedding(12, 16), nn.GRU(16, 32, batch_first=True), nn.Linear(32, 3)

        def forward(self, x: Any) -> Any:
            return self.head(self.rnn(self.embed(x))[0])

    torch.manual_seed(0)
    return Tagger(), x, y


def losses() -> dict[str, Callable[[], tuple[Any, Any, Any]]]:
    x, y = blobs()
    several = torch.stack([y % 2, (y > 1).long(), (y == 0).long(), (y == 3).long()], 1).float()
    values = torch.stack([x[:, 0] + x[:, 1], x[:, 2]], 1)
    tagger, tokens, tags = padded()
    return {
        "nll": lambda: (net(nn.LogSoftmax(1)), (x, y), nn.NLLLoss()),
        "several labels": lambda: (net(), (x, several), nn.BCEWithLogitsLoss()),
        "probabilities": lambda: (net(nn.Sigmoid()), (x, several), nn.BCELoss()),
        "numbers": lambda: (net(classes=2), (x, values), nn.MSELoss()),
        "huber": lambda: (net(classes=2), (x, values), nn.HuberLoss()),
        "smoothed": lambda: (net(), (x, y), nn.CrossEntropyLoss(label_smoothing=0.1)),
        "padded sequence": lambda: (tagger, (tokens, tags), lambda o, t: F.cross_entropy(o.transpose(1, 2), t)),
        "flat sequence": lambda: (tagger, (tokens, tags), lambda o, t: F.cross_entropy(o.reshape(-1, 3), t.reshape(-1))),
    }


@pytest.mark.parametrize("kind", list(losses()))
def test_no_false_alarm_for_any_usual_loss(kind: str) -> None:
    model, batch, loss = losses()[kind]()
    report = overfit_batch(model, batch, loss, optimizer=adam(model))
    assert causes(report, "issue") == []
    assert report.passed is True


# what a batch may be

class Named(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = net()

    def forward(self, features: Any = None, mask: Any = None) -> Any:
        return {"logits": self.inner(features * mask)}


def test_batches_of_many_forms() -> None:
    x, y = blobs()
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=24, shuffle=True)
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    assert overfit_batch(net(), loader, CE).n == 24
    torch.manual_seed(5)
    assert torch.equal(torch.rand(1), expected)
    assert overfit_batch(net(), (x.numpy().astype(float), y.numpy()), CE).passed
    named = {"features": x, "mask": torch.ones(48, 1), "labels": y}
    assert overfit_batch(Named(), named, lambda o, t: CE(o["logits"], t)).passed
    assert overfit_batch(Named(), (x, torch.ones(48, 1), y), lambda o, t: CE(o["logits"], t)).passed


@pytest.mark.parametrize("step", [lambda batch: None, lambda model, batch: None, lambda model, batch, optimizer: None,
    lambda model, batch, loss_fn, optimizer: None, lambda model, optimizer, x, y: None, lambda a, b, c: None])
def test_steps_of_many_forms(step: Callable[..., Any]) -> None:
    model = net()
    report = overfit_batch(model, blobs(), CE, optimizer=adam(model), train_step=step, steps=5)
    assert {"no_backward", "no_step"} & set(causes(report, "issue"))


def test_a_step_with_an_optimizer_of_its_own() -> None:
    model = net()
    optimizer = adam(model, weight_decay=0.1)
    report = overfit_batch(model, blobs(), CE, train_step=lambda model, batch: plain(model, batch, optimizer))
    assert report.passed
    assert not optimizer.state
    assert optimizer.param_groups[0]["weight_decay"] == 0.1


# causes, each from the property that it breaks

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


# everything is as before

class Stateful(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.norm, self.drop, self.b = nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Dropout(0.4), nn.Linear(16, 4)
        self.calls, self.seen, self.memory = 0, [], torch.zeros(2)

    def forward(self, x: Any) -> Any:
        self.calls += 1
        self.seen.append(len(x))
        self.memory += 1
        self.extra = x
        return self.b(self.drop(torch.relu(self.norm(self.a(x)))))


def state_of(model: Any, optimizer: Any) -> dict[str, Any]:
    return {"model": copy.deepcopy(model.state_dict()), "optimizer": copy.deepcopy(optimizer.state_dict()), "calls": model.calls,
        "seen": list(model.seen), "memory": model.memory.clone(), "modes": [m.training for m in model.modules()],
        "p": model.drop.p, "grads": [None if p.grad is None else p.grad.clone() for p in model.parameters()],
        "names": sorted(vars(model)), "asked": [p.requires_grad for p in model.parameters()], "ids": [id(p)
        for p in model.parameters()], "torch": torch.get_rng_state(), "python": random.getstate(),
        "numpy": np.random.get_state()[1].copy()}  # type: ignore[index]


def assert_same(a: Any, b: Any) -> None:
    if isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for one, other in zip(a, b):
            assert_same(one, other)
    elif torch.is_tensor(a) or isinstance(a, np.ndarray):
        assert (a == b).all()
    else:
        assert a == b


def failing(model: Any, batch: Any, optimizer: Any) -> None:
    model.eval()
    model.a.requires_grad_(False)
    plain(model, batch, optimizer)
    optimizer.param_groups[0]["lr"] = 9.0
    optimizer.add_param_group({"params": [torch.zeros(1, requires_grad=True)]})
    model.added = nn.Linear(2, 2)
    raise RuntimeError("no further")


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.booleans(), st.sampled_from([None, plain, failing]), st.booleans())
def test_model_optimizer_and_random_states_come_back(trained: bool, step: Any, copyable: bool) -> None:
    torch.manual_seed(1)
    model = Stateful()
    if not copyable:
        model.__deepcopy__ = None  # type: ignore[assignment]
    optimizer = adam(model, weight_decay=0.01)
    if trained:
        plain(model, blobs(), optimizer)
    model.norm.eval()
    x, y = blobs()
    kept, before = (x.clone(), y.clone()), state_of(model, optimizer)
    overfit_batch(model, (x, y), CE, optimizer=optimizer, train_step=step, steps=15, seconds=1)
    assert_same(before, state_of(model, optimizer))
    assert_same(kept, (x, y))


def test_an_interruption_puts_everything_back() -> None:
    model = Stateful()
    optimizer = adam(model)
    before = state_of(model, optimizer)

    def stop(model: Any, batch: Any, optimizer: Any) -> None:
        plain(model, batch, optimizer)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        overfit_batch(model, blobs(), CE, optimizer=optimizer, train_step=stop)
    assert_same(before, state_of(model, optimizer))


def test_it_works_where_gradients_are_off() -> None:
    with torch.no_grad():
        assert overfit_batch(net(), blobs(), CE).passed
        assert not torch.is_grad_enabled()
    with torch.inference_mode():
        made = blobs()
    assert overfit_batch(net(), made, CE).passed


def test_the_same_seed_gives_the_same_losses() -> None:
    torch.manual_seed(3)
    first = overfit_batch(net(), blobs(), CE, seed=4)
    torch.manual_seed(5)
    assert overfit_batch(net(), blobs(), CE, seed=4).losses == first.losses


# bad input

@pytest.mark.parametrize(("change", "said"), [({"model": nn.ReLU()}, "`model` must have parameters"), ({"model": "x"},
    "`model` must be a torch.nn.Module"), ({"model": nn.LazyLinear(3)}, "lazy"),
    ({"loss_fn": nn.CrossEntropyLoss(reduction="none")}, "`loss_fn` must return one number"), ({"loss_fn": 3},
    "`loss_fn` must be a function"), ({"loss_fn": lambda o, t: None}, "`loss_fn` must return one number"), ({"batch": blobs()[0]},
    "`batch` must be a pair"), ({"batch": (blobs()[0], blobs()[1][:5])}, "one target for each row"), ({"batch": (blobs()[0],
    torch.full((48, 4), float("nan")))}, "targets that are finite"), ({"batch": {"x": blobs()[0]}}, "Name the targets"),
    ({"batch": (blobs()[0], ["a"] * 48)}, "targets that hold no tensor"), ({"batch": (np.array(["a"] * 48), blobs()[1])},
    "must hold numbers"), ({"batch": (blobs()[0][:0], blobs()[1][:0])}, "must hold rows"), ({"batch": (blobs()[0].to("meta"),
    blobs()[1])}, "on the device of the model"), ({"steps": 0}, "`steps` must be"), ({"seed": -1}, "`seed` must be"),
    ({"seconds": 0}, "`seconds` must be"), ({"optimizer": 3}, "`optimizer` must be"), ({"train_step": 3}, "`train_step` must be"),
    ({"train_step": lambda a, b, c, d, e, f: None}, "`train_step` must take"),])
def test_what_is_refused(change: dict[str, Any], said: str) -> None:
    asked = {"model": net(), "batch": blobs(), "loss_fn": CE, "optimizer": None, **change}
    with pytest.raises(BadInputError, match=said) as caught:
        overfit_batch(asked.pop("model"), asked.pop("batch"), asked.pop("loss_fn"), **asked)
    assert "\n" not in str(caught.value)
