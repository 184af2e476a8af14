"""What has been measured about one probe, and the form in which rules say what it means."""

import math
from dataclasses import dataclass, field
from typing import Any

import torch

from ml_lifecycle.exploration._probe.gradient import GradientFacts
from ml_lifecycle.exploration._probe.input import InputFacts
from ml_lifecycle.exploration._probe.inside import InsideFacts
from ml_lifecycle.exploration._probe.loss import LossFacts
from ml_lifecycle.exploration._probe.output import OutputFacts
from ml_lifecycle.exploration._probe.paths import PathFacts
from ml_lifecycle.exploration._probe.runs import NEAR, Goal, Run
from ml_lifecycle.exploration._probe.subject import Subject
from ml_lifecycle.foundation.report import Finding, NextStep, Severity

@dataclass
class OptimizerFacts:
    """What an optimizer holds."""

    name: str = ""
    rates: tuple[float, ...] = ()
    missing: tuple[str, ...] = ()  # layers with parameters to train that it does not hold
    missing_share: float = 0.0
    holds_any: bool = True
    maximize: bool = False
    idle: tuple[str, ...] = ()  # layers whose learning rate is 0 where that of others is not
    holds_frozen: bool = False  # it was given parameters that are not to be trained
    decay: float = 0.0
    decoupled: bool = False  # decay acts on the weights, not through the gradient (AdamW)
    memory: tuple[str, float] | None = None  # a share of what was that is kept at each step, where it is 1 or more


@dataclass
class Facts:
    """Everything measured; what was not measured is None or empty."""

    subject: Subject
    steps: int
    own_step: bool  # the person's own training step ran
    loss: LossFacts = field(default_factory=LossFacts)
    out: OutputFacts = field(default_factory=OutputFacts)
    inside: InsideFacts = field(default_factory=InsideFacts)
    inputs: InputFacts = field(default_factory=InputFacts)
    optimizer: OptimizerFacts | None = None  # None: the probe chose one itself
    goal: Goal = field(default_factory=Goal)
    given: Run = field(default_factory=Run)
    own: Run | None = None  # Adam and a plain step, where the given run did not get there
    own_rate: float = math.nan
    rates: dict[float, Run] = field(default_factory=dict)  # factor on the given learning rate -> run
    tried: dict[str, Run] = field(default_factory=dict)  # repair -> run with it
    regularized: Run | None = None
    symmetric: tuple[str, ...] = ()  # weights whose units stay the same in training
    failed: tuple[str, Exception] | None = None  # "forward" or "loss", and what it raised
    standard_loss: float = math.nan  # first loss with inputs of mean 0 and spread 1
    fresh_loss: float = math.nan  # first loss with weights initialised anew
    switched_off: tuple[str, ...] = ()
    paths: PathFacts = field(default_factory=PathFacts)
    gradient: GradientFacts = field(default_factory=GradientFacts)
    step: Any = None  # the person's own training step
    needed: float = math.nan  # steps to near the end at the pace of the given run

    @property
    def near(self) -> bool:
        """Whether the run as asked for came near the lowest loss."""
        return self.given.error is None and not math.isnan(self.given.best) and -1 < self.goal.share(self.given.best) < NEAR

    @property
    def plain(self) -> float:
        """Where a plain run came to with everything as it is; the given one where no other was done."""
        return self.own.best if self.own is not None else self.given.best

    @property
    def rose(self) -> bool:
        """Whether the loss of the given run rose, or jumps about above where it began."""
        run, goal = self.given, self.goal
        if run.broken:
            return True
        shares = [goal.share(x) for x in run.losses]
        if len(shares) < 5:
            return False
        late = sorted(shares[len(shares) // 2:])
        steps = [b - a for a, b in zip(shares, shares[1:])]
        jumps = sum(d > 0.02 for d in steps) / len(steps)
        higher = max(late[len(late) // 2], goal.share(run.best))
        peak = max(x for x in shares if math.isfinite(x))
        if peak > 3 * max(1.0, shares[0]) and higher > 0.25:
            return True
        return higher > shares[0] + 0.02 or (jumps > 0.15 and higher > 0.25)

    @property
    def own_near(self) -> bool:
        """Whether any run with a plain step came near."""
        runs = [*self.rates.values(), *([self.own] if self.own is not None else [])]
        return self.near or any(self.goal.share(run.best) < NEAR for run in runs)

    @property
    def tried_plainly(self) -> bool:
        """Whether a plain run with Adam was done to its end, and did not come near."""
        run = self.own if self.optimizer is not None else self.given
        return run is not None and not run.cut and not self.own_near and not self.subject.over(0.9)

    @property
    def stuck(self) -> bool:
        """Whether even a plain run stays at what a constant answer reaches."""
        run = self.own or self.given
        return not self.own_near and not self.goal.share(run.best) < 0.85


@dataclass
class Cause:
    """A finding before it is one: `rank` orders those of the same severity, the surest first."""

    code: str
    slug: str
    severity: Severity
    rank: float
    message: str
    evidence: dict[str, Any]
    next: NextStep | None = None
    undecided: bool = False

    def finding(self) -> Finding:
        """The finding, with the cause in its evidence."""
        return Finding(self.code, self.severity, self.message, {"cause": self.slug, **self.evidence}, self.next,
                       undecided=self.undecided)


def advice(action: str, step: str = "exploration") -> NextStep:
    """What to do, and to ask again afterwards."""
    return NextStep(action, step, "overfit_batch(model, batch, loss_fn)")


def few(names: Any, most: int = 3) -> str:
    """The first names of several, quoted."""
    listed = [repr(str(n)) for n in names]
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")


def flat(values: list[Any], like: list[Any]) -> Any:
    """Tensors, some None, as one vector."""
    return torch.cat([(torch.zeros_like(p) if v is None else v).detach().reshape(-1).float() for v, p in zip(values, like)])


def cosine(a: Any, b: Any) -> float:
    """The cosine of the angle between two vectors; 0 where one has no length."""
    size = float(a.norm()) * float(b.norm())
    return float(a @ b) / size if size > 0 else 0.0
