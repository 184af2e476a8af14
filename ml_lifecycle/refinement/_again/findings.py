"""What two runs say: the first difference, and what it likely comes from."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ml_lifecycle.foundation._render import number
from ml_lifecycle.foundation._words import count
from ml_lifecycle.foundation.report import Finding, NextStep
from ml_lifecycle.refinement._again.compare import Comparison
from ml_lifecycle.refinement._again.record import Run

SAID = {"start": "what train finds at its start", "seed": "a seed that train sets", "data order": "the data order",
        "initial weights": "the initial weights", "inputs": "the inputs of the model", "loss": "the loss", "gradients":
        "the gradients", "weights": "the weights after a step", "result": "what train returns"}


@dataclass
class Facts:
    """Two runs, and trials that were made after them."""

    first: Run
    second: Run
    compared: Comparison
    seed: int
    threads: bool | None = None  # whether two runs with one thread agree; None: not tried
    fresh: tuple[Comparison, Comparison] | None = None  # the same hash seed twice; another one
    fresh_failed: str = ""
    asked_fresh: bool = False


def findings(facts: Facts) -> tuple[Finding, ...]:
    """Everything that is said."""
    c = facts.compared
    if facts.first.error and facts.first.error == facts.second.error:
        return (Finding("RPR002", "tip", f"train raises in both runs: {facts.first.error}.", {},
                        NextStep("make train run by itself", "refinement"), undecided=True),)
    found = [_verdict(facts)]
    if not c.same:
        causes = list(_causes(facts))
        found += causes or [_unknown(facts)]
    return (*found, *_beside(facts), *_fresh(facts))


def _verdict(facts: Facts) -> Finding:
    """RPR001 and RPR002."""
    c, a = facts.compared, facts.first
    numbers: dict[str, Any] = {"values": c.values, "events": len(a.events), "seed": facts.seed, "seconds": a.seconds}
    if c.same and c.values <= 1 and all(leaf.told == "None" for e in a.events for leaf in e.parts):
        return Finding("RPR002", "tip", "Whether runs agree cannot be told: train returns nothing, and nothing of it was seen.",
            numbers, NextStep("let train return its losses or its model", "refinement"), undecided=True)
    if c.same:
        seen = ", ".join(f"{SAID[s.name]} ({s.compared})" for s in c.stages.values() if s.name not in ("seed", "start"))
        return Finding("RPR001", "passed", f"Two runs from seed {facts.seed} are equal bit for bit: {seen}; "
            f"{count(c.values, 'value')} compared.", numbers)
    if c.event is None:
        return Finding("RPR001", "issue", f"Two runs from seed {facts.seed} take different ways: {c.path}.", numbers)
    by = f" by {number(c.gap.size)} of its size" if c.gap and c.gap.size == c.gap.size else ""
    part = f", at {c.gap.path}" if c.gap and c.gap.path else ""
    values = f": {c.gap.first} and {c.gap.second}" if c.gap and c.gap.first != c.gap.second else ""
    stage = SAID[c.event.stage]
    named = "" if c.event.name == stage else f" ({c.event.name})"
    numbers |= {"stage": c.event.stage, "event": c.event.name, "difference": c.gap.size if c.gap else None,
                "rounding": bool(c.gap and c.gap.rounding)}
    return Finding("RPR001", "issue",
                   f"Two runs from seed {facts.seed} differ{by}, first in {stage}{named}{part}{values}.", numbers)


def _causes(facts: Facts) -> Iterator[Finding]:
    """RPR003 to RPR012: causes, by what the runs did."""
    c = facts.compared
    event = c.event
    if event is not None and event.stage == "start" and event.name.startswith("generator"):
        yield Finding("RPR004", "issue", f"The {event.name} is made outside of train, and set_seed does not reach it: the second "
            "run goes on where the first one ended.", {"generator": event.name},
            NextStep("make generators inside train, from a seed", "refinement", "set_seed(0)"))
        return
    if event is not None and event.stage == "start":
        yield Finding("RPR005", "issue", f"The {event.name} is made outside of train: the second run goes on with the weights "
            "that the first one left.", {"model": event.name},
            NextStep("make the model and its optimizer inside train", "refinement"))
        return
    if event is not None and event.stage == "seed":
        yield Finding("RPR006", "issue", f"train sets a seed itself, with another value in each run: the {event.name}.", {"where":
            event.name}, NextStep("seed from an argument, not from the clock", "refinement", "set_seed(0)"))
        return
    if c.gap is not None and c.gap.rounding:
        yield from _rounding(facts)
        return
    unseeded = list(facts.second.notes["unseeded"])
    if unseeded:
        yield Finding("RPR003", "issue", "A generator is made without a seed, so that set_seed does not reach it: "
            + "; ".join(unseeded[:3]) + ".", {"where": unseeded[:10]}, NextStep("give it a seed: np.random.default_rng(seed), "
            "random_state=seed", "refinement"))
    if c.gap is not None and c.gap.path.endswith("(keys)"):
        yield Finding("RPR008", "tip", f"The keys of {c.gap.path.removesuffix(' (keys)') or 'the result'} come in another order, "
            f"or are others: {c.gap.first} and {c.gap.second}.", {"path": c.gap.path}, NextStep("sort keys before they are used",
            "refinement"))
    yield from _kept(facts)


def _kept(facts: Facts) -> Iterator[Finding]:
    """RPR007: the second run draws less or more, or finds what the first one left."""
    c, a, b = facts.compared, facts.first, facts.second
    changed = [name for name, digest in a.outside.items() if b.outside.get(name, digest) != digest]
    if c.generators and not a.notes["unseeded"] and not b.notes["unseeded"]:
        names = " and ".join(c.generators)
        left = f" The first run changed {', '.join(f'`{n}`' for n in changed[:3])}, which train finds again." if changed else ""
        yield Finding("RPR007", "issue", f"The runs draw differently from {names} global generator before {c.before}: one of them "
            f"draws where the other does not (a cache, something made only once), or is seeded anew.{left}", {"generators":
            list(c.generators), "before": c.before, "changed": changed[:10]}, NextStep("make what train needs inside train",
            "refinement"))
    elif changed and not a.notes["unseeded"]:
        yield Finding("RPR007", "issue", f"The first run changed {', '.join(f'`{n}`' for n in changed[:3])}, which stands outside "
            "of train, and the second run goes on with it.", {"changed": changed[:10]},
            NextStep("make what train needs inside train", "refinement"))


def _rounding(facts: Facts) -> Iterator[Finding]:
    """RPR009: differences of the size of rounding."""
    c = facts.compared
    size = number(c.gap.size) if c.gap else "?"
    if facts.threads:
        why, then = "with one thread two runs are equal, so that it is the order in which threads add up", \
            NextStep("compute with one thread (torch.set_num_threads(1), OMP_NUM_THREADS=1), or accept differences of this size",
                     "refinement")
    elif facts.first.cuda:
        why, then = "the graphics card adds up in any order", NextStep("torch.use_deterministic_algorithms(True), "
            "torch.backends.cudnn.benchmark = False", "refinement")
    else:
        why, then = "the same numbers are added up in another order (threads, sets)", NextStep("compute with one thread, sort "
            "before adding up", "refinement")
    yield Finding("RPR009", "issue", f"The first difference is as small as rounding ({size} of the value): random numbers are the "
        f"same, but {why}.", {"difference": c.gap.size if c.gap else None, "one_thread_agrees": facts.threads}, then)


def _unknown(facts: Facts) -> Finding:
    """RPR010: no cause was seen."""
    c, a, b = facts.compared, facts.first, facts.second
    clocks = list(b.notes["clock"])
    numbers: dict[str, Any] = {"states_equal": a.end == b.end, "clocks": clocks[:5], "one_thread_agrees": facts.threads}
    then = NextStep("look at what train does before that point: the clock, id() and hash(), the order of files or threads",
                    "refinement", "reproducible(train, fresh=True)")
    if clocks:
        return Finding("RPR010", "issue", "No generator without a seed was seen; train reads the clock at " + "; ".join(clocks[:3])
                       + ", which gives other values in each run.", numbers, then)
    if facts.threads:
        return Finding("RPR010", "issue", "With one thread two runs are equal: what threads finish first decides.", numbers,
                       NextStep("take results in a fixed order, not as they come", "refinement"))
    where = "are equal after both runs" if a.end == b.end else f"differ after the runs ({', '.join(c.generators) or 'all'})"
    return Finding("RPR010", "issue", f"The global random states {where}: what differs comes from somewhere else, such as a "
                   "private generator, the operating system, or the order in which things finish.", numbers, then)


def _beside(facts: Facts) -> Iterator[Finding]:
    """RPR007 without an effect, RPR011 and RPR012."""
    c = facts.compared
    if c.same and c.generators:
        yield Finding("RPR007", "tip", f"The runs give the same, but leave {' and '.join(c.generators)} global generator in "
            "different states: what comes after them will differ.", {"generators": list(c.generators)},
            NextStep("call it again before what comes next", "refinement", "set_seed(0)"))
    if c.clocks:
        yield Finding("RPR011", "not applicable", f"{count(len(c.clocks), 'part')} of the result measure time or "
                      "name the run, and were left out: "
                      f"{', '.join(c.clocks[:4])}.", {"paths": list(c.clocks[:20])})
    if facts.first.cuda and c.same and "torch" in sys.modules and not sys.modules["torch"].are_deterministic_algorithms_enabled():
        yield Finding("RPR012", "tip", "The runs agree, but torch may use algorithms that add up in any order on the "
                      "graphics card.", {}, NextStep("torch.use_deterministic_algorithms(True)", "refinement"))


def _fresh(facts: Facts) -> Iterator[Finding]:
    """RPR013: other processes, other hashes."""
    if not facts.asked_fresh:
        return
    if facts.fresh is None:
        yield Finding("RPR013", "not applicable", f"Runs in fresh processes were not possible: {facts.fresh_failed}.", {})
        return
    alike, other = facts.fresh
    told = f": {other.event.name} differs first" if other.event else ""
    if alike.same and other.same:
        yield Finding("RPR013", "passed", "Fresh processes agree, also with another order of sets (PYTHONHASHSEED).", {})
    elif alike.same:
        yield Finding("RPR013", "issue", f"Fresh processes agree only with the same PYTHONHASHSEED{told}: something depends on "
            "the order of a set, or on hash().", {"event": other.event.name if other.event else ""},
            NextStep("sort sets before they are used: sorted(names)", "refinement"))
    elif facts.compared.same:
        name = alike.event.name if alike.event else alike.path
        yield Finding("RPR013", "issue", f"Runs in one process agree, fresh processes do not ({name} differs first): something "
            "depends on the process, its clock or its files.", {"event": name}, NextStep("look for what is made once at import",
            "refinement"))
