"""Bugs where the output and the loss meet, written as people write them."""

import torch
from _bugs_kit import Bench, Net, Setup, bug, setup
from torch import nn
from torch.nn import functional as F

class Softmaxed(Net):
    def forward(self, x):
        return F.softmax(self.head(self.body(x)), dim=1)


@bug("softmax twice")
def softmax_twice(bench: Bench) -> Setup:
    """Softmax in forward, then cross entropy."""
    return setup(bench, Softmaxed(bench))


@bug("softmax twice", "MLP CNN GRU")
def softmax_layer(bench: Bench) -> Setup:
    """A Softmax layer ends the network, then CrossEntropyLoss; a high learning rate hides it."""
    model = nn.Sequential(Net(bench), nn.Softmax(dim=-1))
    return setup(bench, model, loss=nn.CrossEntropyLoss(), lr=1e-2)


@bug("softmax over the wrong axis")
def softmax_over_rows(bench: Bench) -> Setup:
    """log_softmax over the rows of the batch, then NLL."""
    class Mixed(Net):
        def forward(self, x):
            return F.log_softmax(self.head(self.body(x)), dim=0)

    return setup(bench, Mixed(bench), loss=F.nll_loss)


@bug("softmax over the wrong axis", "MLP GRU")
def softmax_over_rows_by_hand(bench: Bench) -> Setup:
    """A softmax by hand sums over the rows."""
    def loss(output, y):
        e = torch.exp(output - output.max())
        p = e / e.sum(0)
        return -torch.log(p[torch.arange(len(y)), y] + 1e-9).mean()

    return setup(bench, loss=loss)


@bug("softmax over the wrong axis", "GRU transformer")
def softmax_over_steps(bench: Bench) -> Setup:
    """Labels per step: log_softmax over the steps, not over the classes."""
    def loss(output, tags):
        logp = F.log_softmax(output, dim=1)
        return F.nll_loss(logp.transpose(1, 2), tags)

    return setup(bench, Net(bench, out=bench.shape[1], every=True), y=bench.tags, loss=loss)


@bug("MSE on a class index", "MLP CNN GRU")
def mse_on_index(bench: Bench) -> Setup:
    """One output, trained by MSE on the index of the class."""
    return setup(bench, Net(bench, out=1), y=bench.y.float().unsqueeze(1), loss=nn.MSELoss())


@bug("MSE on a class index", "MLP transformer")
def mse_on_index_wide(bench: Bench) -> Setup:
    """Ten outputs, all trained by MSE on the index of the class."""
    def loss(output, y):
        return ((output - y.float().unsqueeze(1)) ** 2).mean()

    return setup(bench, loss=loss)


class Sigmoid(Net):
    def forward(self, x):
        return torch.sigmoid(self.head(self.body(x)))


@bug("probabilities given to a loss for logits")
def sigmoid_twice(bench: Bench) -> Setup:
    """Several labels: sigmoid in forward, then BCEWithLogitsLoss."""
    return setup(bench, Sigmoid(bench, out=4), y=bench.bits, loss=nn.BCEWithLogitsLoss())


@bug("probabilities given to a loss for logits", "MLP CNN")
def sigmoid_twice_binary(bench: Bench) -> Setup:
    """Two classes: sigmoid in forward, then BCE with logits."""
    return setup(bench, Sigmoid(bench, out=1), y=(bench.y >= 5).float().unsqueeze(1), loss=F.binary_cross_entropy_with_logits)


@bug("logits given to a loss for probabilities", "MLP GRU")
def bce_on_logits(bench: Bench) -> Setup:
    """Several labels: BCELoss on raw outputs."""
    return setup(bench, Net(bench, out=4), y=bench.bits, loss=nn.BCELoss())


@bug("logits given to a loss for probabilities", "MLP CNN transformer")
def bce_on_logits_clamped(bench: Bench) -> Setup:
    """Several labels: BCE written by hand on raw outputs, clamped so that it does not raise."""
    def loss(output, y):
        p = output.clamp(1e-7, 1 - 1e-7)
        return -(y * p.log() + (1 - y) * (1 - p).log()).mean()

    return setup(bench, Net(bench, out=4), y=bench.bits, loss=loss)


@bug("NLL on raw scores")
def nll_on_raw(bench: Bench) -> Setup:
    """NLLLoss on raw scores."""
    return setup(bench, loss=nn.NLLLoss())


@bug("NLL on probabilities", "MLP CNN transformer")
def nll_on_probabilities(bench: Bench) -> Setup:
    """NLLLoss on probabilities: the log is missing."""
    return setup(bench, Softmaxed(bench), loss=nn.NLLLoss())


@bug("ReLU on the logits")
def relu_on_logits(bench: Bench) -> Setup:
    """A ReLU behind the last layer, then cross entropy."""
    class Cut(Net):
        def forward(self, x):
            return F.relu(self.head(self.body(x)))

    return setup(bench, Cut(bench))


@bug("ReLU on the logits", "MLP CNN")
def relu_on_value(bench: Bench) -> Setup:
    """Regression on a standardised target with a ReLU behind the last layer."""
    return setup(bench, nn.Sequential(Net(bench, out=1), nn.ReLU()), y=bench.value, loss=nn.MSELoss())


@bug("output cannot reach the targets", "MLP GRU")
def squashed_value(bench: Bench) -> Setup:
    """Regression on targets beyond 1 with a tanh behind the last layer."""
    return setup(bench, nn.Sequential(Net(bench, out=1), nn.Tanh()), y=3 * bench.value, loss=nn.MSELoss())


@bug("summed, not averaged", "MLP CNN GRU", rows=64)
def summed(bench: Bench) -> Setup:
    """Cross entropy with reduction="sum" and a learning rate that suits the mean."""
    return setup(bench, loss=nn.CrossEntropyLoss(reduction="sum"),
                 optimizer=lambda m: torch.optim.SGD(m.parameters(), lr=0.1, momentum=0.9))


@bug("summed, not averaged", "MLP transformer", rows=64)
def summed_squares(bench: Bench) -> Setup:
    """Squared errors summed over the batch."""
    def loss(output, y):
        return ((output - y) ** 2).sum()

    return setup(bench, Net(bench, out=1), y=bench.value, loss=loss,
                 optimizer=lambda m: torch.optim.SGD(m.parameters(), lr=0.05, momentum=0.9))


@bug("shapes broadcast", "MLP CNN GRU transformer")
def broadcast(bench: Bench) -> Setup:
    """Regression: output (n, 1) against a target (n,)."""
    def loss(output, y):
        return ((output - y) ** 2).mean()

    return setup(bench, Net(bench, out=1), y=bench.value.squeeze(1), loss=loss)


@bug("shapes broadcast", "MLP GRU")
def broadcast_huber(bench: Bench) -> Setup:
    """Regression: output (n,) against a target (n, 1), Huber loss."""
    class Squeezed(Net):
        def forward(self, x):
            return self.head(self.body(x)).squeeze(-1)

    return setup(bench, Squeezed(bench, out=1), loss=nn.HuberLoss(), y=bench.value)


@bug("classes and steps mixed by a reshape", "GRU transformer")
def reshaped_tags(bench: Bench) -> Setup:
    """Labels per step: the output is reshaped, not transposed, to (rows, classes, steps)."""
    classes = bench.shape[1]

    def loss(output, tags):
        rows, steps, _ = output.shape
        return F.cross_entropy(output.reshape(rows, classes, steps), tags)

    return setup(bench, Net(bench, out=classes, every=True), y=bench.tags, loss=loss)


@bug("targets are not one-hot per row", "MLP CNN GRU")
def wrong_one_hot(bench: Bench) -> Setup:
    """One-hot targets are made class by class and reshaped: a row holds several ones, or none."""
    by_class = torch.stack([(bench.y == c).float() for c in range(10)])
    return setup(bench, y=by_class.reshape(len(bench.y), 10), loss=nn.CrossEntropyLoss())


@bug("all targets are ignored", "GRU transformer")
def all_ignored(bench: Bench) -> Setup:
    """Labels per step: all of them are masked with the index that the loss ignores."""
    tags = torch.where(bench.x.abs().sum(-1) > -1, torch.full_like(bench.tags, -100), bench.tags)

    def loss(output, y):
        return F.cross_entropy(output.reshape(-1, output.shape[-1]), y.reshape(-1), ignore_index=-100)

    return setup(bench, Net(bench, out=bench.shape[1], every=True), y=tags, loss=loss)


@bug("NaN from the loss", "MLP CNN GRU")
def log_of_zero(bench: Bench) -> Setup:
    """The log of a probability that ReLU made zero."""
    def loss(output, y):
        p = F.relu(output) / F.relu(output).sum(1, keepdim=True)
        return -torch.log(p.gather(1, y[:, None])).mean()

    return setup(bench, loss=loss)


@bug("NaN from the loss", "MLP CNN transformer")
def root_at_zero(bench: Bench) -> Setup:
    """A contrastive loss takes the root of distances, and a row's distance to itself is zero."""
    def loss(output, y):
        distance = torch.sqrt(((output[:, None] - output[None]) ** 2).sum(-1))
        same = (y[:, None] == y[None]).float()
        return (same * distance + (1 - same) * F.relu(1 - distance)).mean()

    return setup(bench, Net(bench, out=8), loss=loss)
