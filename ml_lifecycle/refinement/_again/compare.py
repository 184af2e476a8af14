"""Two runs side by side: what differed first, and by how much."""

import math
from dataclasses import dataclass, field

from ml_lifecycle.refinement._again.record import Event, Run
from ml_lifecycle.refinement._again.values import Gap, first_gap

STAGES = ("start", "seed", "data order", "initial weights", "inputs", "loss", "gradients", "weights", "result")
CLOCKS = ("time", "second", "duration", "elapsed", "timestamp", "date", "_ms", "runtime", "started")
NAMES = ("id", "uuid", "guid", "run_id", "run")


@dataclass
class Stage:
    """How far two runs agree in one kind of event."""

    name: str
    compared: int = 0
    different: int = 0
    size: float = math.nan  # of the first difference, relative
    first: str = ""  # where it is, and the values


@dataclass
class Comparison:
    """What differs between two runs."""

    stages: dict[str, Stage] = field(default_factory=dict)
    event: Event | None = None  # the first one that differs
    at: int = -1
    gap: Gap | None = None
    generators: tuple[str, ...] = ()  # global generators whose state differed first, before any value did
    before: str = ""  # the event before which they did
    path: str = ""  # where runs take different ways
    clocks: tuple[str, ...] = ()  # parts of the result that hold times and differ
    values: int = 0  # leaves that were compared

    @property
    def same(self) -> bool:
        """Whether no value differs, clocks aside."""
        return self.event is None and not self.path


def is_clock(path: str) -> bool:
    """Whether a part of a result is named as a time, or as the name of the run."""
    last = path.replace("(keys)", "").replace("]", "").replace("'", "").split("[")[-1].split(".")[-1].lower()
    return last in NAMES or any(word in last for word in CLOCKS)


def compare(a: Run, b: Run) -> Comparison:
    """Walk along both runs."""
    found = Comparison()
    for at, (one, two) in enumerate(zip(a.events, b.events)):
        if (one.stage, one.name) != (two.stage, two.name):
            if found.event is None and not found.path:
                found.path, found.at = f"{one.name} in the first run, {two.name} in the second", at
            break
        _states(found, one, two)
        _event(found, one, two, at)
    else:
        if len(a.events) != len(b.events) and found.event is None:
            longer = a if len(a.events) > len(b.events) else b
            found.path = f"only the {'first' if longer is a else 'second'} run goes on to " \
                f"{longer.events[min(len(a.events), len(b.events))].name}"
    if a.error != b.error and not found.path:
        found.path = f"the {'first' if a.error else 'second'} run raises {a.error or b.error}"
    if not found.path and all(not s.different for s in found.stages.values() if s.name not in ("start", "seed")):
        found.event, found.at, found.gap = None, -1, None  # what differed at the start had no effect
    if found.event is None and not found.generators and a.end != b.end:
        found.generators, found.before = _moved(a.end, b.end), "the end"
    return found


def _moved(a: tuple[tuple[str, str], ...], b: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    other = dict(b)
    return tuple(name for name, digest in a if other.get(name, digest) != digest)


def _states(found: Comparison, one: Event, two: Event) -> None:
    if found.event is None and not found.generators and one.states != two.states:
        found.generators, found.before = _moved(one.states, two.states), one.name


def _event(found: Comparison, one: Event, two: Event, at: int) -> None:
    stage = found.stages.setdefault(one.stage, Stage(one.stage))
    stage.compared += 1
    parts, others = list(one.parts), list(two.parts)
    if one.stage == "result":
        digests = {leaf.path: leaf.digest for leaf in others}
        clocks = [p.path for p in parts if is_clock(p.path) and digests.get(p.path, p.digest) != p.digest]
        found.clocks = tuple(clocks)
        parts, others = ([p for p in some if p.path not in clocks] for some in (parts, others))
    found.values += len(parts)
    gap, _ = first_gap(parts, others)
    if gap is None:
        return
    stage.different += 1
    if stage.different == 1:
        stage.size = gap.size
        stage.first = f"{one.name}{' ' + gap.path if gap.path else ''}: {gap.first} / {gap.second}"
    if found.event is None:
        found.event, found.at, found.gap = one, at, gap
