"""overfit_batch: what of a sequence, of several inputs and of earlier calls reaches the output."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from overfit_toys import CE, KINDS, TOKENS, X, Y, causes, net, probe
from torch import nn

class Words(nn.Module):
    """Tokens, put together in one way or another."""

    def __init__(self, how: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed, self.score, self.hidden, self.last, self.how = nn.Embedding(12, 16), nn.Linear(16, 1), nn.Linear(16, 16), \
            nn.Linear(16, 3), how

    def forward(self, x: Any) -> Any:
        h, real = torch.tanh(self.hidden(self.embed(x))) + 0 * self.score(self.embed(x)), (x != 0)[..., None]
        if self.how == "padding":
            return self.last((h * ~real).sum(1))
        if self.how == "first":
            return self.last(h[:, 0])
        if self.how == "two":
            return self.last(h[:, :2].mean(1))
        if self.how == "one number":
            return self.last((h * torch.softmax(self.score(h), -1)).mean(1))
        if self.how == "queries":
            return self.last((torch.softmax(h @ h.transpose(1, 2), 1) @ h).mean(1))
        if self.how == "rows":
            return self.last((torch.softmax(self.score(h), 0) * h).sum(1))
        return self.last((torch.softmax(self.score(h).masked_fill(~real, -1e9), 1) * h).sum(1))


@pytest.mark.parametrize(("how", "cause"), [
    ("padding", "mask_turned"), ("first", "one_place"), ("two", "few_places"), ("one number", "softmax_of_one"),
    ("queries", "attention_axis"), ("rows", "batch_mixing"), ("sound", None)])
def test_what_reaches_the_output_of_a_sequence(how: str, cause: str | None) -> None:
    report = probe(Words(how), (TOKENS, KINDS), lr=2e-2)
    assert cause in causes(report) if cause else causes(report, "issue") == []


def test_time_steps_that_nobody_hears() -> None:
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(2, 4)

        def forward(self, x: Any) -> Any:
            return self.inner(x[:, -1])

    assert "one_place" in causes(probe(Last(), (X.reshape(48, 4, 2), Y)))


class Sequence(nn.Module):
    def __init__(self, first: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.rnn, self.last = nn.GRU(2, 16, batch_first=first), nn.Linear(16, 3)

    def forward(self, x: Any) -> Any:
        return self.last(self.rnn(x)[0])


def test_sequences_whose_first_axis_is_time() -> None:
    x = torch.randn(12, 6, 2, generator=torch.Generator().manual_seed(0))
    batch = (x, (x.sum(2) > 0).long())

    def loss(output: Any, targets: Any) -> Any:
        return F.cross_entropy(output.reshape(-1, 3), targets.reshape(-1))

    assert "sequence_first" in causes(probe(Sequence(False), batch, loss))
    assert causes(probe(Sequence(True), batch, loss), "issue") == []


def test_pixels_with_a_class_each() -> None:
    torch.manual_seed(0)
    x = torch.randn(6, 1, 5, 5)
    model = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 3, 3, padding=1))
    assert causes(probe(model, (x, (x[:, 0] > 0).long() + (x[:, 0] > 1).long()), CE, steps=200), "issue") == []


def test_numbers_that_stand_for_something_are_only_moved_by_rows() -> None:
    class Float(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.embed, self.last = nn.Embedding(12, 16), nn.Linear(128, 3)

        def forward(self, x: Any) -> Any:
            return self.last(torch.relu(self.embed(x.long()).flatten(1)))

    assert causes(probe(Float(), (TOKENS.float(), KINDS))) == []
    assert causes(probe(nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8)), (X, X), nn.MSELoss()), "issue") == []


class Places(nn.Module):
    """A sequence of numbers or tokens, heard in one way or another."""

    def __init__(self, how: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.how, self.embed, self.last = how, nn.Embedding(12, 16), nn.Linear(16, 12)
        self.rnn = nn.GRU(16, 16, batch_first=True, bidirectional=how == "ahead")
        self.both, self.cell, self.few = nn.Linear(32, 12), nn.GRUCell(1, 16), nn.GRU(1, 16, batch_first=True)

    def forward(self, x: Any) -> Any:
        if self.how == "cut":
            h = torch.zeros(len(x), 16)
            for i in range(x.shape[1]):
                h = self.cell(x[:, i:i + 1], h.detach())
            return self.last(h)
        if self.how == "first number":
            return self.last(self.few(x[..., None])[0][:, 0])
        out = self.rnn(self.embed(x))[0]
        return self.both(out) if self.how == "ahead" else self.last(out if self.how == "causal" else out[:, -1])


def each(o: Any, t: Any) -> Any:
    return F.cross_entropy(o.reshape(-1, 12), t.reshape(-1))


@pytest.mark.parametrize(("how", "cause", "batch", "loss"), [
    ("cut", "cut_between_places", (X, Y), CE), ("first number", "one_place", (X, Y), CE),
    ("ahead", "sees_target", (TOKENS[:, :-1], TOKENS[:, 1:]), each), ("causal", "", (TOKENS[:, :-1], TOKENS[:, 1:]), each),
    ("padded", "padding_heard", (TOKENS, TOKENS[:, 0]), CE)])
def test_what_the_output_of_a_sequence_hears(how: str, cause: str, batch: Any, loss: Any) -> None:
    found = causes(probe(Places(how), batch, loss))
    assert cause in found if cause else "sees_target" not in found


def test_an_input_of_two_that_is_not_heard() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = net()

        def forward(self, x: Any, z: Any) -> Any:
            return self.inner(x)

    def step(model: Any, batch: Any, optimizer: Any) -> None:
        (x, z), y = batch
        optimizer.zero_grad()
        F.cross_entropy(model(x, z), y).backward()
        optimizer.step()

    assert "error" not in causes(probe(Two(), ((X, X.flip(0)), Y), step=step))
    found = next(f for f in probe(Two(), (X, X.flip(0), Y)).findings if f.evidence["cause"] == "one_input_ignored")
    assert found.evidence["inputs"] == [2]


class Seen(nn.Module):
    """Scores of each place; `order` is how classes come before places."""

    def __init__(self, order: Any) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.order, self.embed, self.last = order, nn.Embedding(12, 16), nn.Linear(24, 8)
        self.rnn = nn.GRU(16, 24, batch_first=True)

    def forward(self, x: Any) -> Any:
        return self.order(self.last(self.rnn(self.embed(x))[0]))


@pytest.mark.parametrize(("order", "mixed"), [(lambda z: z.view(len(z), 8, 8), True), (lambda z: z.transpose(1, 2), False)])
def test_a_view_in_the_place_of_a_transpose(order: Any, mixed: bool) -> None:
    assert ("swapped_axes" in causes(probe(Seen(order), (TOKENS, TOKENS % 8)))[:2]) == mixed


class Remembers(nn.Module):
    """What one call leaves behind: a state that acts on the next one, or numbers that nobody uses again, or that are the same."""

    def __init__(self, how: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.how, self.rnn, self.last, self.state = how, nn.GRU(1, 24, batch_first=True), nn.Linear(24, 4), None

    def forward(self, x: Any) -> Any:
        ramp = self.state if self.how == "constant" and self.state is not None else torch.linspace(0, 0.1, x.shape[1])
        out, state = self.rnn((x + ramp)[..., None], self.state if self.how == "state" else None)
        self.state = {"state": state.detach(), "looked at": out.detach(), "constant": ramp}[self.how]
        return self.last(out[:, -1])


@pytest.mark.parametrize("how", ["state", "looked at", "constant"])
def test_a_state_that_is_kept_between_calls(how: str) -> None:
    model = Remembers(how)
    assert ("state_kept" in causes(probe(model, (X, Y), steps=5))[:2]) == (how == "state")
    assert model.state is None


def test_noise_is_not_taken_for_rows_that_touch() -> None:
    class Noisy(nn.Module):
        def __init__(self, rows: bool) -> None:
            super().__init__()
            self.inner, self.rows = net(), rows

        def forward(self, x: Any) -> Any:
            z = self.inner(F.dropout(x, 0.5))
            return z + z.flip(0) if self.rows else z

    assert "batch_mixing" not in causes(probe(Noisy(False), steps=20))
    assert "batch_mixing" in causes(probe(Noisy(True), steps=20))
