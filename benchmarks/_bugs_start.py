"""Bugs in the start, in the layers and in the data."""

import torch
from _bugs_kit import DIGITS, Bench, Net, Setup, bug, setup
from torch import nn
from torch.nn import functional as F

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d)


def layers(model: nn.Module):
    return [module for module in model.modules() if isinstance(module, LAYERS)]


@bug("dead ReLU", "MLP CNN transformer")
def dead_relu(bench: Bench) -> Setup:
    """Biases start at -100: no ReLU ever fires."""
    model = Net(bench)
    before_relu = [block.linear1 for block in model.body.blocks] if bench.net == "transformer" else layers(model.body)
    for layer in before_relu:
        nn.init.constant_(layer.bias, -100.0)
    return setup(bench, model)


@bug("dead ReLU", "MLP CNN GRU")
def dead_head(bench: Bench) -> Setup:
    """A hidden ReLU layer before the head has weights that are all negative, and its input is positive."""
    class Dead(Net):
        def __init__(self, bench):
            super().__init__(bench)
            self.hidden = nn.Linear(self.body.width, self.body.width)
            with torch.no_grad():
                self.hidden.weight.copy_(-self.hidden.weight.abs())
                self.hidden.bias.fill_(-0.5)

        def forward(self, x):
            return self.head(F.relu(self.hidden(F.relu(self.body(x)))))

    return setup(bench, Dead(bench))


class Deep(Net):
    """Many layers of one kind behind the body."""

    def __init__(self, bench: Bench, depth: int, act: nn.Module):
        super().__init__(bench)
        width = self.body.width
        self.deep = nn.Sequential(*(part for _ in range(depth) for part in (nn.Linear(width, width), act)))

    def forward(self, x):
        return self.head(self.deep(self.body(x)))


@bug("vanishing gradients", "MLP CNN GRU")
def deep_sigmoid(bench: Bench) -> Setup:
    """Twelve sigmoid layers."""
    return setup(bench, Deep(bench, 12, nn.Sigmoid()))


@bug("vanishing gradients", "MLP CNN GRU transformer")
def tiny_start(bench: Bench) -> Setup:
    """All weights are drawn with a standard deviation of 1e-4, in six more layers."""
    model = Deep(bench, 6, nn.ReLU())
    for layer in layers(model):
        nn.init.normal_(layer.weight, std=1e-4)
        nn.init.zeros_(layer.bias)
    return setup(bench, model)


@bug("exploding start", "MLP CNN")
def huge_start(bench: Bench) -> Setup:
    """All weights are drawn with a standard deviation of 5."""
    model = Deep(bench, 3, nn.ReLU())
    for layer in layers(model):
        nn.init.normal_(layer.weight, std=5.0)
    return setup(bench, model)


@bug("exploding start", "MLP GRU transformer")
def normal_start(bench: Bench) -> Setup:
    """Weights are made by torch.randn, without a scale; SGD."""
    model = Deep(bench, 4, nn.ReLU())
    for layer in layers(model):
        layer.weight = nn.Parameter(torch.randn(layer.weight.shape))
    return setup(bench, model, optimizer=lambda m: torch.optim.SGD(m.parameters(), lr=0.01))


@bug("all weights start equal", "MLP CNN")
def zero_start(bench: Bench) -> Setup:
    """All weights and biases start at zero."""
    model = Net(bench)
    for layer in layers(model):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    return setup(bench, model)


@bug("all weights start equal", "MLP CNN GRU")
def equal_start(bench: Bench) -> Setup:
    """All weights start at 0.01."""
    model = Net(bench)
    for parameter in model.parameters():
        nn.init.constant_(parameter, 0.01)
    return setup(bench, model)


@bug("no non-linearity", "MLP CNN")
def no_activation(bench: Bench) -> Setup:
    """Several layers and no activation between them."""
    return setup(bench, Net(bench, act=nn.Identity))


@bug("over-regularised")
def dropped(bench: Bench) -> Setup:
    """Dropout of 0.97, taken for the share that is kept."""
    model = nn.Sequential(bench.body(), nn.Dropout(0.97), nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.97), nn.Linear(64, 10))
    return setup(bench, model)


@bug("dropout cannot be switched off", "MLP CNN GRU")
def dropped_always(bench: Bench) -> Setup:
    """F.dropout without training=self.training."""
    class Always(Net):
        def forward(self, x):
            return self.head(F.dropout(self.body(x), 0.6))

    return setup(bench, Always(bench))


@bug("dropout cannot be switched off", "MLP transformer")
def dropped_logits(bench: Bench) -> Setup:
    """F.dropout on the logits, always on."""
    class Always(Net):
        def forward(self, x):
            return F.dropout(self.head(self.body(x)), 0.5)

    return setup(bench, Always(bench))


@bug("running statistics never learned", "MLP CNN")
def momentum_zero(bench: Bench) -> Setup:
    """BatchNorm with a momentum of 0: eval mode works with the statistics of the start."""
    model = Net(bench, norm=True)
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            module.momentum = 0.0
    return setup(bench, model, x=3 * bench.x + 5)


@bug("BatchNorm on one row", "MLP", rows=1)
def one_row(bench: Bench) -> Setup:
    """A batch of one row in a network with BatchNorm."""
    return setup(bench, Net(bench, norm=True))


def pixels(bench: Bench) -> torch.Tensor:
    """The input on the scale of bytes, 0 to 255."""
    low, high = bench.x.min(), bench.x.max()
    return (bench.x - low) / (high - low) * 255


@bug("input not normalised")
def bytes_in(bench: Bench) -> Setup:
    """Input from 0 to 255."""
    return setup(bench, x=pixels(bench), optimizer=lambda m: torch.optim.SGD(m.parameters(), lr=0.1, momentum=0.9))


@bug("input not normalised", "MLP CNN GRU")
def far_away(bench: Bench) -> Setup:
    """Input around 1000, like a sensor without its offset taken away."""
    return setup(bench, x=bench.x + 1000)


@bug("input not normalised", "MLP")
def scales_differ(bench: Bench) -> Setup:
    """Two columns run in the hundred thousands, the rest around 1."""
    x = bench.x.clone()
    x[:, :2] = 1e5 * x[:, 20:22] + 3e5
    return setup(bench, x=x)


@bug("targets not scaled", "MLP GRU")
def targets_in_thousands(bench: Bench) -> Setup:
    """Regression on targets around 250,000."""
    return setup(bench, Net(bench, out=1), y=250_000 + 60_000 * bench.value, loss=nn.MSELoss())


@bug("constant input")
def constant(bench: Bench) -> Setup:
    """Every row is the first one."""
    return setup(bench, x=bench.x[:1].expand_as(bench.x).clone())


@bug("constant input", "MLP CNN GRU")
def blank(bench: Bench) -> Setup:
    """The loader fills the batch with zeros."""
    return setup(bench, x=torch.zeros_like(bench.x))


@bug("labels off by one", "MLP CNN GRU")
def from_one(bench: Bench) -> Setup:
    """Labels run from 1 to 10 where the network has ten outputs."""
    return setup(bench, y=bench.y + 1)


@bug("labels off by one", "MLP transformer", rows=96)
def from_one_wide(bench: Bench) -> Setup:
    """Labels run from 1 to 10, and the network was given an eleventh output to stop the error."""
    return setup(bench, Net(bench, out=11), y=bench.y + 1)


@bug("labels off by one", "MLP CNN", rows=96)
def minus_one(bench: Bench) -> Setup:
    """One is taken from labels that began at zero, and the loss ignores -1."""
    return setup(bench, y=bench.y - 1, loss=nn.CrossEntropyLoss(ignore_index=-1))


@bug("rows and labels shuffled apart", "MLP CNN", data=(DIGITS,), rows=128)
def shuffled_labels(bench: Bench) -> Setup:
    """The labels were shuffled apart from the rows before the batch was made."""
    return setup(bench, y=bench.y[torch.randperm(len(bench.y), device=bench.device)])


@bug("batch of one class")
def one_class(bench: Bench) -> Setup:
    """The data are sorted: the batch holds one class."""
    return setup(bench.only(3))


@bug("NaN in the input", "MLP CNN GRU transformer")
def missing_value(bench: Bench) -> Setup:
    """One value of the input is missing."""
    x = bench.x.clone()
    x.view(-1)[len(x)] = float("nan")
    return setup(bench, x=x)
