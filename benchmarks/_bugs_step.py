"""Bugs in the training step and in the optimizer, written as people write them."""

import copy

import torch
from _bugs_kit import Bench, Net, Setup, bug, setup
from torch import nn
from torch.nn import functional as F

@bug("no zero_grad")
def forgotten_zero_grad(bench: Bench) -> Setup:
    """zero_grad is forgotten."""
    def step(model, batch, optimizer):
        x, y = batch
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return setup(bench, step=step)


@bug("no zero_grad", "MLP GRU")
def zero_grad_of_the_epoch(bench: Bench) -> Setup:
    """zero_grad is called once, before the first step; plain SGD."""
    begun = []

    def step(model, batch, criterion, optimizer):
        if not begun:
            optimizer.zero_grad()
            begun.append(True)
        loss = criterion(model(batch[0]), batch[1])
        loss.backward()
        optimizer.step()
        return loss.item()

    return setup(bench, step=step, optimizer=lambda m: torch.optim.SGD(m.parameters(), lr=0.05))


@bug("gradients cleared before the step")
def zero_grad_too_late(bench: Bench) -> Setup:
    """zero_grad stands between backward and step."""
    def step(model, batch, criterion, optimizer):
        x, y = batch
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.zero_grad()
        optimizer.step()
        return loss

    return setup(bench, step=step)


@bug("step never called")
def no_step(bench: Bench) -> Setup:
    """optimizer.step is never called."""
    def step(model, batch, optimizer):
        x, y = batch
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        return loss

    return setup(bench, step=step)


@bug("backward never called", "MLP transformer")
def no_backward(bench: Bench) -> Setup:
    """loss.backward is never called."""
    def step(model, batch, optimizer):
        x, y = batch
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        optimizer.step()
        return loss

    return setup(bench, step=step)


@bug("gradients clipped to nothing", "MLP CNN GRU")
def clipped(bench: Bench) -> Setup:
    """Gradients are clipped to a norm of 1e-6."""
    def step(model, batch, criterion, optimizer):
        optimizer.zero_grad()
        loss = criterion(model(batch[0]), batch[1])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1e-6)
        optimizer.step()
        return loss

    return setup(bench, step=step, optimizer=lambda m: torch.optim.SGD(m.parameters(), lr=0.1, momentum=0.9))


@bug("sign flipped", "MLP GRU")
def ascent(bench: Bench) -> Setup:
    """The step goes up: the loss is negated before backward."""
    def step(model, batch, criterion, optimizer):
        optimizer.zero_grad()
        loss = criterion(model(batch[0]), batch[1])
        (-loss).backward()
        optimizer.step()
        return loss

    return setup(bench, step=step)


@bug("sign flipped", "CNN transformer")
def maximised(bench: Bench) -> Setup:
    """The optimizer maximizes."""
    return setup(bench, optimizer=lambda m: torch.optim.Adam(m.parameters(), lr=1e-3, maximize=True))


@bug("sign flipped", "MLP CNN")
def likelihood(bench: Bench) -> Setup:
    """The loss is the log likelihood, without its minus."""
    def loss(output, y):
        return F.log_softmax(output, dim=1).gather(1, y[:, None]).mean()

    return setup(bench, loss=loss)


@bug("parameters not in the optimizer")
def head_replaced(bench: Bench) -> Setup:
    """The optimizer is made before the head is replaced for ten classes."""
    model = Net(bench, out=1000)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    model.head = nn.Linear(model.body.width, 10)
    return setup(bench, model, optimizer=lambda m: optimizer)


@bug("parameters not in the optimizer", "MLP GRU transformer")
def of_a_copy(bench: Bench) -> Setup:
    """The optimizer holds the parameters of a copy."""
    return setup(bench, optimizer=lambda m: torch.optim.Adam(copy.deepcopy(m).parameters(), lr=1e-3))


@bug("parameters not in the optimizer", "MLP CNN transformer")
def head_only(bench: Bench) -> Setup:
    """The optimizer is given the head alone, and the body was never trained."""
    return setup(bench, optimizer=lambda m: torch.optim.SGD(m.head.parameters(), lr=0.05, momentum=0.9))


@bug("learning rate too high", "MLP CNN GRU")
def high_sgd(bench: Bench) -> Setup:
    """SGD with momentum at a learning rate of 10."""
    return setup(bench, optimizer=lambda m: torch.optim.SGD(m.parameters(), lr=10.0, momentum=0.9))


@bug("learning rate too high")
def high_adam(bench: Bench) -> Setup:
    """Adam at a learning rate of 1."""
    return setup(bench, lr=1.0)


@bug("learning rate too low")
def low_adam(bench: Bench) -> Setup:
    """Adam at a learning rate of 1e-8."""
    return setup(bench, lr=1e-8)


@bug("learning rate too low", "MLP GRU")
def low_sgd(bench: Bench) -> Setup:
    """SGD at a learning rate of 1e-6."""
    return setup(bench, optimizer=lambda m: torch.optim.SGD(m.parameters(), lr=1e-6))


@bug("schedule kills the learning rate", "MLP GRU transformer")
def dying_schedule(bench: Bench) -> Setup:
    """A scheduler meant for epochs is stepped at every batch."""
    made = setup(bench)
    scheduler = torch.optim.lr_scheduler.StepLR(made.optimizer, step_size=1, gamma=0.3)

    def step(model, batch, criterion, optimizer):
        optimizer.zero_grad()
        loss = criterion(model(batch[0]), batch[1])
        loss.backward()
        optimizer.step()
        scheduler.step()
        return loss

    made.step = step
    return made


@bug("left in eval mode", "MLP CNN")
def eval_in_step(bench: Bench) -> Setup:
    """The step evaluates at its end and never calls train again; the network has BatchNorm."""
    model = Net(bench, norm=True, dropout=0.2)

    def step(model, batch, optimizer):
        x, y = batch
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        model.eval()
        with torch.no_grad():
            (model(x).argmax(1) == y).float().mean()
        return loss.item()

    return setup(bench, model, step=step)


@bug("left in eval mode", "MLP CNN")
def eval_before(bench: Bench) -> Setup:
    """The model comes from an evaluation and is still in eval mode; it has BatchNorm."""
    made = setup(bench, Net(bench, norm=True))
    made.model.eval()
    return made


@bug("over-regularised", "MLP CNN GRU")
def decay_adam(bench: Bench) -> Setup:
    """Adam with a weight decay of 1."""
    return setup(bench, optimizer=lambda m: torch.optim.Adam(m.parameters(), lr=1e-3, weight_decay=1.0))


@bug("over-regularised", "MLP transformer")
def decay_sgd(bench: Bench) -> Setup:
    """SGD with a weight decay of 1."""
    return setup(bench, optimizer=lambda m: torch.optim.SGD(m.parameters(), lr=0.1, momentum=0.9, weight_decay=1.0))


@bug("over-regularised", "MLP CNN")
def penalty(bench: Bench) -> Setup:
    """The step adds an L1 penalty with a factor of 1."""
    def step(model, batch, criterion, optimizer):
        optimizer.zero_grad()
        loss = criterion(model(batch[0]), batch[1]) + sum(p.abs().sum() for p in model.parameters())
        loss.backward()
        optimizer.step()
        return loss

    return setup(bench, step=step)


@bug("rows and labels shuffled apart", "MLP CNN transformer")
def shuffled_in_step(bench: Bench) -> Setup:
    """The step shuffles the rows and forgets the labels."""
    def step(model, batch, criterion, optimizer):
        x, y = batch
        x = x[torch.randperm(len(x), device=x.device)]
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return setup(bench, step=step)


@bug("batch changed in place", "MLP CNN GRU")
def in_place(bench: Bench) -> Setup:
    """The step scales the batch in place, at every call."""
    def step(model, batch, criterion, optimizer):
        x, y = batch
        x /= 16
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return setup(bench, step=step)


@bug("weights set back at every step", "MLP CNN")
def set_back(bench: Bench) -> Setup:
    """The step initialises the weights again."""
    def start(module):
        if isinstance(module, (nn.Linear, nn.Conv1d, nn.Conv2d)):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)

    def step(model, batch, criterion, optimizer):
        model.apply(start)
        model.train()
        optimizer.zero_grad()
        loss = criterion(model(batch[0]), batch[1])
        loss.backward()
        optimizer.step()
        return loss

    return setup(bench, step=step)


@bug("activations detached", "MLP GRU transformer")
def wrapped_loss(bench: Bench) -> Setup:
    """The loss is made into a new tensor that requires a gradient, to silence an error."""
    def step(model, batch, criterion, optimizer):
        optimizer.zero_grad()
        loss = criterion(model(batch[0]), batch[1]).item()
        loss = torch.tensor(loss, requires_grad=True)
        loss.backward()
        optimizer.step()
        return loss

    return setup(bench, step=step)
