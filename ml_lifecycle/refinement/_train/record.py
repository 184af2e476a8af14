"""What is kept of a training loop while it runs; tensors stay on their device, and are read only afterwards."""

import time
from dataclasses import dataclass, field
from typing import Any

from ml_lifecycle.refinement._train.rows import Moments

MOST = 20_000  # passes of which details are kept
FREE, SHARE = 0.1, 0.02  # seconds, and share of the time of the loop, that looks which may be left out can take


@dataclass(slots=True, eq=False)
class Source:
    """Something that batches come from."""

    loader: Any  # None: passes came from nowhere that was seen
    given: str = ""  # "train" or "val" where the person said so


@dataclass(slots=True, eq=False)
class Visit:
    """One round over a source."""

    source: Source
    began: float
    waits: list[float] = field(default_factory=list)  # seconds until each batch came
    ended: float = 0.0  # when it had no more batches; 0: it was left before its end
    moments: Moments = field(default_factory=Moments)
    values: list[Any] = field(default_factory=list)  # numbers of some of its rows
    kept: int = 0  # rows in values


@dataclass(slots=True, eq=False)
class LossCall:
    """A call of a loss function of torch."""

    name: str
    value: Any  # a number as a tensor, or None
    target: Any  # a copy; None where it was too large
    weight: Any
    pos_weight: Any
    ignore: int | None
    reduction: str


@dataclass(slots=True, eq=False)
class Pass:
    """One call of the model."""

    number: int
    visit: Visit
    fresh: bool  # the first pass since its source gave a batch
    began: float
    training: bool  # mode of the model
    live: tuple[str, ...]  # layers that did what they do in training only
    still: tuple[str, ...]  # layers that did what they do in evaluation only
    grad: bool
    n: int = 0
    ended: float = 0.0
    rows: Any = None  # a hash of each row
    trained: bool = False  # a gradient came back
    losses: list[LossCall] = field(default_factory=list)
    slice: Any = None  # a few weights before it
    padding: tuple[int, Any] | None = None  # places of padding, and how many of them had a gradient
    half: Any = None  # share of zeros in a gradient of 16 bits
    target: Any = None  # targets of the batch, as its source gave them


@dataclass(slots=True, eq=False)
class Backward:
    """One call of backward that reached the model."""

    passes: list[Pass]
    root: Any  # the loss, before it was scaled for half precision
    norm: Any = None  # of some gradients afterwards
    scaled: Any = None  # factor of a gradient scaler
    stale: bool = False  # gradients were still those of the step before


@dataclass(slots=True, eq=False)
class Step:
    """One step of an optimizer."""

    optimizer: int  # number of the optimizer, in order of appearance
    at: float
    number: int  # passes before it
    rates: tuple[float, ...]
    backwards: list[Backward]
    lost: int  # backward calls whose gradients were zeroed before any step
    norm: Any = None  # of some gradients
    age: Any = None  # steps that the optimizer remembers
    empty: bool = False  # it remembers nothing
    inner: int = 0  # backward calls inside the step
    none: bool = False  # there was no gradient at all


@dataclass(slots=True)
class Seen:
    """An optimizer that stepped."""

    name: str
    share: float  # of the model's parameters to train that it holds
    same: frozenset[int]  # ids of its parameters
    settings: tuple[Any, ...]
    rate: str  # at its first step
    scheduled: bool  # a scheduler has been attached to it
    missing: tuple[str, ...]


@dataclass(slots=True)
class Scaling:
    """What a gradient scaler did."""

    scaled: int = 0
    asked: int = 0  # steps
    done: int = 0
    clipped_unscaled: int = 0
    updates: int = 0
    enabled: bool = True


@dataclass
class Record:
    """Everything that was seen."""

    began: float = field(default_factory=time.perf_counter)
    ended: float = 0.0
    own: float = 0.0  # seconds that watching took
    sources: list[Source] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)
    passes: list[Pass] = field(default_factory=list)
    backwards: list[Backward] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    optimizers: list[Seen] = field(default_factory=list)
    schedulers: list[Any] = field(default_factory=list)
    scaling: Scaling = field(default_factory=Scaling)
    clips: list[tuple[Any, float]] = field(default_factory=list)  # norm before, and the most allowed
    alive: dict[int, list[tuple[int, Any]]] = field(default_factory=dict)  # ReLU -> (pass, which units were not zero)
    pending: int = 0  # backward calls after the last step
    error: BaseException | None = None
    trouble: Exception | None = None  # that the watch itself ran into
    closed: bool = False

    @property
    def seconds(self) -> float:
        """How long it was watched."""
        return (self.ended or time.perf_counter()) - self.began

    def affords(self) -> bool:
        """Whether another look that may be left out fits into what watching may take."""
        return self.own < FREE + SHARE * (time.perf_counter() - self.began) and len(self.passes) < MOST
