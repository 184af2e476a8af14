"""overfit_batch on networks: verdicts, what a batch may be, what is put back, and what is refused."""

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
from overfit_toys import CE, adam, blobs, causes, net, padded, plain
from torch import nn

from ml_lifecycle.exploration import overfit_batch
from ml_lifecycle.foundation.errors import BadInputError

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
    report = overfit_batch(model, blobs(16), CE, optimizer=adam(model), train_step=step, steps=3, seconds=0.2)
    assert causes(report, "issue") == ["not_called"]


def test_a_step_with_an_optimizer_of_its_own() -> None:
    model = net()
    optimizer = adam(model, weight_decay=0.1)
    report = overfit_batch(model, blobs(), CE, train_step=lambda model, batch: plain(model, batch, optimizer))
    assert report.passed
    assert not optimizer.state
    assert optimizer.param_groups[0]["weight_decay"] == 0.1


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


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
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
    overfit_batch(model, (x, y), CE, optimizer=optimizer, train_step=step, steps=8, seconds=0.3)
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
