"""Training runs on one batch: the one that was asked for, and others that tell what is wrong with it."""

import math
from dataclasses import dataclass, field
from typing import Any

import torch

from ml_lifecycle.exploration._probe.state import OptimizerSnapshot, Snapshot, regularization_off, still_random
from ml_lifecycle.exploration._probe.step import Look, Stepper, roles_of
from ml_lifecycle.exploration._probe.subject import Subject, main_tensor
from ml_lifecycle.exploration._probe.trace import functional_dropout_off

WATCHED = (0, 1, 2, 3, 12, 30)  # steps that are looked at closely
AT_MOST = 1.15  # share of the time at which even the first block of steps is cut short
CHECK = 20  # losses stay on the device until so many are there
OWN_RATES = (3e-3, 3e-2, 3e-4)  # of Adam, where no optimizer is given or the given one is in doubt


@dataclass
class Goal:
    """Between which losses a run stands."""

    lowest: float = 0.0  # what free outputs can reach
    constant: float = math.nan  # what the best single answer for all rows reaches
    first: float = math.nan  # before the first step
    shape: tuple[int, ...] = ()  # of the outputs for the batch

    @property
    def room(self) -> float:
        """What there is to gain."""
        top = self.constant if math.isfinite(self.constant) and self.constant > self.lowest + 1e-6 else self.first
        return max(top - self.lowest, 1e-12) if math.isfinite(top) else math.nan

    def share(self, loss: float) -> float:
        """How much of the room is left: 1 for a constant answer, 0 at the end."""
        return (loss - self.lowest) / self.room if math.isfinite(loss) and math.isfinite(self.room) else math.inf


NEAR = 0.05  # share of the room that may be left when a loss counts as near zero
DONE = 0.01  # share from which a run need not go on


@dataclass
class Run:
    """Losses of a run and how it ended."""

    losses: list[float] = field(default_factory=list)  # before each step
    norms: list[float] = field(default_factory=list)  # of the gradient at each step
    looks: list[Look] = field(default_factory=list)
    last: float = math.nan  # loss after the last step
    error: Exception | None = None
    after: list[Any] = field(default_factory=list)  # parameters at the end
    optimizers: list[Any] = field(default_factory=list)
    decay_was: list[str] = field(default_factory=list)
    eval_loss: float = math.nan  # in eval mode, at the end
    cut: bool = False  # ended because time was over
    rates: tuple[float, float] = (0.0, 0.0)  # learning rate of the first optimizer at the first and at the last step

    @property
    def best(self) -> float:
        """The median of the last five losses: where the run has come to."""
        tail = sorted(x if math.isfinite(x) else math.inf for x in [*self.losses[-4:], self.last][-5:])
        return tail[len(tail) // 2] if tail else math.inf

    @property
    def low(self) -> float:
        """The lowest loss that was seen."""
        return min((x for x in self.losses if math.isfinite(x)), default=math.inf)

    @property
    def broken(self) -> bool:
        """Whether a loss was NaN or infinite."""
        return bool(self.losses) and any(not math.isfinite(x) for x in [*self.losses, self.last])


def steps_needed(run: Run, goal: Goal) -> float:
    """Steps until near the end, at the pace of the second half of a run, as what is left shrinks by a share each step."""
    shares = [goal.share(x) for x in run.losses if math.isfinite(x)]
    if len(shares) < 10:
        return math.inf
    fifth = max(3, len(shares) // 5)
    middle, end = (sorted(shares[k - fifth:k])[fifth // 2] for k in (len(shares) // 2, len(shares)))
    if end <= NEAR:
        return float(len(shares))
    if not 0 < end < middle:
        return math.inf
    return len(shares) + math.log(end / NEAR) / math.log(middle / end) * (len(shares) - len(shares) // 2)


def train(subject: Subject, stepper: Stepper, steps: int, goal: Goal, *, watch: bool = False, drop: bool = False,
          until: float = 1.0) -> Run:
    """So many steps, or fewer: until the loss is near enough to its end, is not finite, or time is over."""
    run = Run()
    losses: list[Any] = []
    norms: list[Any] = []
    with stepper, functional_dropout_off(stepper.model, drop):
        try:
            for i in range(steps):
                if watch and i in WATCHED and not (i > 1 and subject.over(until)):
                    run.looks.append(stepper.watched())
                else:
                    stepper.step()
                losses.append(_loss_now(subject, stepper, goal.shape))
                norms.append(stepper.norm)
                run.cut = subject.over(AT_MOST) and i + 1 < steps
                if (i + 1) % CHECK == 0 or run.cut:
                    _collect(run, losses, norms)
                    run.cut |= subject.over(until) and i + 1 < steps
                    if goal.share(run.best) < DONE or not math.isfinite(run.losses[-1]) or run.cut or _hopeless(run):
                        break
        except Exception as error:  # noqa: BLE001 - whatever a step raises becomes a finding
            run.error = error
        _collect(run, losses, norms)
        if run.error is None:
            run.last, run.eval_loss = (float(_after(subject, stepper.model, mode)) for mode in (True, False))
            run.after = [p.detach().clone() for p in stepper.parameters]
        if stepper.optimizers:
            first = next(iter(stepper.optimizers.values()))
            run.rates = (float(first.groups[0].get("lr", 0)) * stepper.factor, float(first.optimizer.param_groups[0].get("lr", 0)))
        run.optimizers = [s.optimizer for s in stepper.optimizers.values()]
        run.decay_was = list(dict.fromkeys(stepper.decay_was))
    return run


def _hopeless(run: Run) -> bool:
    """Whether a run has been far above its first loss for long, and does not come back."""
    losses = run.losses
    return len(losses) >= 100 and losses[0] > 0 and min(losses[-60:]) > 2 * losses[0] and run.best > 0.7 * losses[-60]


def _loss_now(subject: Subject, stepper: Stepper, shape: tuple[int, ...]) -> Any:
    """The loss of the output that the step saw, before it changed the parameters; else that of the batch after it.

    The output tells nothing of the batch where the step fed a part of it, other rows, or the rows in another order.
    """
    seen = main_tensor(stepper.output)
    if stepper.output is None or subject.reorders or (shape and (seen is None or tuple(seen.shape) != shape)):
        return _after(subject, stepper.model, True)
    with torch.no_grad():
        return subject.loss(stepper.output).detach()


def _after(subject: Subject, model: Any, training: bool) -> Any:
    """The loss of the batch at the parameters as they are, as a tensor on its device."""
    modes = [(m, m.training) for m in model.modules()]
    buffers = [(b, b.detach().clone()) for b in model.buffers()]
    try:
        with torch.no_grad():
            if not training:
                model.eval()
            return subject.loss(subject.forward(model)).detach()
    except Exception:  # noqa: BLE001 - a model may not run in this mode
        return torch.tensor(math.nan)
    finally:
        for m, mode in modes:
            m.training = mode
        with torch.no_grad():
            for b, content in buffers:
                b.copy_(content)


def _collect(run: Run, losses: list[Any], norms: list[Any]) -> None:
    """Take over what lies on the device, in one copy."""
    if losses:
        device = losses[0].device
        there = [v.to(device).float() for v in (*losses, *norms) if v is not None]
        numbers = iter(torch.stack(there).tolist())
        run.losses += [next(numbers) for _ in losses]
        run.norms += [math.nan if n is None else next(numbers) for n in norms]
        losses.clear()
        norms.clear()


def make_optimizer(optimizer: Any, model: Any) -> Any:
    """The optimizer of a run: as given, or made from a class or factory."""
    if optimizer is None or isinstance(optimizer, torch.optim.Optimizer):
        return optimizer
    return optimizer(model.parameters())


def given_run(subject: Subject, optimizer: Any, train_step: Any, steps: int, goal: Goal, *, factor: float = 1.0,
        watch: bool = False, regularized: bool = False, drop: bool = False, prepare: Any = None, until: float = 1.0) -> Run:
    """The run as asked for, on the model itself, which is put back afterwards."""
    start = Snapshot(subject.model)
    kept = [OptimizerSnapshot(o) for o in _known(optimizer)]
    try:
        with still_random(subject.model):
            for p in subject.model.parameters():
                p.grad = None
            if not regularized:
                regularization_off(subject.model)
            if prepare is not None:
                prepare(subject.model)
            made = make_optimizer(optimizer, subject.model)
            if made is None and (train_step is None or "optimizer" in roles_of(train_step)):
                made = torch.optim.Adam(subject.model.parameters(), lr=1e-3)
            stepper = Stepper(subject, subject.model, made, train_step, decay=regularized, factor=factor)
            return train(subject, stepper, steps, goal, watch=watch, drop=drop and not regularized, until=until)
    finally:
        for snapshot in kept:
            snapshot.restore()
        start.restore()


def _known(optimizer: Any) -> list[Any]:
    return [optimizer] if isinstance(optimizer, torch.optim.Optimizer) else []


def plain_run(subject: Subject, model: Any, steps: int, goal: Goal, *, rate: float = 3e-3, drop: bool = False,
              until: float = 1.0, watch: bool = False) -> Run:
    """A run with Adam and a plain step on a model of the bench."""
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=rate)
    with still_random(model):
        return train(subject, Stepper(subject, model, optimizer), steps, goal, drop=drop, until=until, watch=watch)


def best_plain_run(subject: Subject, steps: int, goal: Goal, *, prepare: Any = None, drop: bool = False, until: float = 1.0,
                   rates: tuple[float, ...] = OWN_RATES) -> tuple[Run, float]:
    """The best of a few learning rates, from the same start; stops at the first that gets near the end."""
    found: list[tuple[Run, float]] = []
    for rate in rates:
        with subject.bench() as model:
            if prepare is not None:
                prepare(model)
            run = plain_run(subject, model, steps, goal, rate=rate, drop=drop, until=until)
        found.append((run, rate))
        if goal.share(run.best) < NEAR or subject.over(until):
            break
    return min(found, key=lambda item: item[0].best if math.isfinite(item[0].best) else math.inf)
