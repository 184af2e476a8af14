"""What a profile of a loader says: the bound, what takes the time, what can be spared."""

import math
from collections.abc import Iterator

import numpy as np

from ml_lifecycle.foundation._render import number
from ml_lifecycle.foundation.report import Finding, NextStep
from ml_lifecycle.refinement._loader.draw import place
from ml_lifecycle.refinement._loader.findings_workers import worker_rules
from ml_lifecycle.refinement._loader.profile import Facts
from ml_lifecycle.refinement._loader.source import pins
from ml_lifecycle.refinement._loader.time import PARTS, bounds

LOOKS = 20  # fewer looks do not tell parts apart
DOES = {
    "sample": "Drawing the indices of a batch", "read": "Reading (waiting for files, disk or network)",
    "decode": "Decoding (making an item from what was read)", "transform": "Transforming items",
    "other": "Making batches (code without a telling name)", "collate": "Collating items into a batch",
    "copy": "Copying to the device",
}
REMEDY = {
    "sample": "draw indices with numpy or torch at once, not one by one", "read": "keep what is read in memory, or in fewer and "
    "larger files", "decode": "decode once and keep the result (.npy, a memory map, a cache)", "transform": "transform whole "
    "batches (tensors instead of single items), and keep what is not random", "other": "look at the line named",
    "collate": "let the dataset give tensors or arrays, and stack them", "copy": "copy with pin_memory=True and non_blocking=True"}


def ms(triple: tuple[float, float, float]) -> str:
    """Seconds as milliseconds with their interval."""
    value, low, high = (1e3 * t for t in triple)
    return f"{number(value)} ms" + (f" ({number(low)} to {number(high)})" if math.isfinite(low) else "")


def percent(triple: tuple[float, float, float]) -> str:
    """A share with its interval."""
    value, low, high = triple
    return f"{value:.0%}" + (f" ({low:.0%} to {high:.0%})" if math.isfinite(low) else "")


def bound_of(facts: Facts) -> str | None:
    """The part that takes most; None where two cannot be told apart."""
    if not facts.parts:
        return None
    order = sorted(facts.parts, key=lambda p: -facts.parts[p][0])
    if len(order) < 2 or facts.rounds < 3:
        return order[0] if facts.shares[order[0]][0] > 0.5 else None
    first, second = (facts.draws[:, PARTS.index(p)] for p in order[:2])
    return order[0] if bounds(first - second, facts.rounds)[0] > 0 else None


def limit_of(facts: Facts) -> str | None:
    """Whether the loader or the model takes longer; None where no step was given, or it cannot be told."""
    (_, low, high), (_, least, most) = facts.given, facts.step
    if low > most:
        return "loader"
    return "model" if high < least else None


def findings(facts: Facts, overhead: float) -> tuple[Finding, ...]:
    """Everything that is said, most important first."""
    matters = limit_of(facts) != "model"
    found = [*_limit(facts), *_largest(facts, matters, overhead)]
    if facts.source.kind == "batches":
        found.append(_ready(facts))
    else:
        found += [*_again(facts, matters), *_files(facts, matters), *_collate(facts, matters), *_small(facts, matters)]
        found += [*_pinned(facts), *worker_rules(facts)]
    return (*found, *_uneven(facts, matters))


def _limit(facts: Facts) -> Iterator[Finding]:
    """LDR001."""
    step, given = facts.step, facts.given
    if math.isnan(step[0]):
        yield Finding("LDR001", "tip", f"Whether the loader ({ms(given)} a batch) or the model is the bound cannot be told: no "
            "training step was given.", {"loader_seconds": given[0]}, NextStep("pass what the model does with a batch",
            "refinement", "profile_loader(loader, train_step=step)"), undecided=True)
        return
    inside = facts.source.workers == 0
    wait = given[0] if inside else max(0.0, given[0] - step[0])
    share = wait / (wait + step[0])
    numbers = {"loader_seconds": given[0], "step_seconds": step[0], "waiting_share": share, "n": len(facts.times.plain)}
    limit = limit_of(facts)
    pair = f"a batch takes {ms(given)} to load and {ms(step)} to train on"
    if limit == "loader":
        yield Finding("LDR001", "issue", f"The loader is the bound: {pair}, so that the model waits {share:.0%} of the time.",
            numbers, NextStep("make the largest part below cheaper, or share it among workers", "refinement"))
    elif limit == "model":
        hidden = inside and share > 0.1
        yield Finding("LDR001", "passed", f"The model is the bound: {pair}" + (f"; {share:.0%} of the time goes to loading, which "
            "workers would hide" if hidden else "") + ".", numbers, NextStep("load the next batch while the model "
            "works: num_workers=1 or more", "refinement") if hidden else None)
    else:
        alike = all(map(math.isfinite, (given[1], step[1]))) and 0.5 < given[0] / step[0] < 2
        said = "Loader and model take about as long" if alike else "Cannot tell yet whether the loader or the model is the bound"
        yield Finding("LDR001", "tip", f"{said}: {pair}.", numbers, undecided=True)


def _largest(facts: Facts, matters: bool, overhead: float) -> Iterator[Finding]:
    """LDR002."""
    bound, n, looks = bound_of(facts), len(facts.times.plain), facts.times.looks
    if not facts.parts or facts.total[0] < 0.02 * facts.step[0] or looks < LOOKS and facts.total[0] < 1e-3:
        return
    order = sorted(facts.parts, key=lambda p: -facts.parts[p][0])
    if bound is None:
        pair = " and ".join(f"{p} {percent(facts.shares[p])}" for p in order[:2] if facts.shares[p][0] > 0)
        yield Finding("LDR002", "tip", f"No part alone takes most of the {ms(facts.total)} of a batch ({pair}; n = {n}).",
                      {"n": n, "looks": looks}, undecided=True)
        return
    where, text = place(facts.times.lines, bound)
    at = f", most of it at {where} `{text}`" if where and text else ""
    numbers = {"part": bound, "share": facts.shares[bound][0], "seconds": facts.parts[bound][0], "where": where, "n": n,
               "looks": looks, "overhead": overhead}
    yield Finding("LDR002", "tip" if matters else "passed", f"{DOES[bound]} takes {percent(facts.shares[bound])} of the "
        f"{ms(facts.total)} of a batch (n = {n}){at}.", numbers, NextStep(REMEDY[bound], "refinement") if matters else None)


def _share(facts: Facts, *parts: str) -> float:
    return sum(facts.shares[p][0] for p in parts if p in facts.shares)


def _again(facts: Facts, matters: bool) -> Iterator[Finding]:
    """LDR003: work that is repeated in every epoch."""
    made = _share(facts, "read", "decode", "transform")
    each = made * facts.total[0] / max(facts.rows, 1)
    if facts.checks.same is None or not matters or made < 0.25 or each < 5e-5:
        return
    if facts.checks.same:
        yield Finding("LDR003", "tip", f"Items are the same each time they are fetched: {made:.0%} of the time "
            f"({number(each * 1e3)} ms an item) is spent again in every epoch, and can be kept in a cache.",
            {"share": made, "seconds_an_item": each}, NextStep("keep finished items in memory or on disk (a dict, .npy, a "
            "memory map)", "refinement"))
    elif _share(facts, "read", "decode") >= 0.25:
        part = _share(facts, "read", "decode")
        yield Finding("LDR003", "tip", f"Reading and decoding take {part:.0%} of the time in every epoch; items differ each "
            "time (random transforms), but what comes before the transforms can be kept in a cache if it is not random.",
            {"share": part, "seconds_an_item": each}, NextStep("keep items as they are before random transforms", "refinement"))


def _files(facts: Facts, matters: bool) -> Iterator[Finding]:
    """LDR004 and LDR005: files opened for each item."""
    opened = [paths for paths in facts.checks.opened if paths]
    taken = _share(facts, "read", "decode")
    if len(opened) < 2 or not matters or taken < 0.15:
        return
    common = set(opened[0]).intersection(*opened[1:])
    if common:
        name = sorted(common)[0].replace("\\", "/").rsplit("/", 1)[-1]
        yield Finding("LDR004", "tip", f"The dataset opens the same file ({name}) for each item; reading and decoding take "
            f"{taken:.0%} of the time.", {"file": name, "share": taken, "items": len(opened)}, NextStep("open the file once in "
            "each process, at the first item, and keep it open", "refinement"))
    elif facts.checks.sizes and np.median(facts.checks.sizes) < 256 * 1024 and facts.shares.get("read", (0.0,))[0] > 0.25:
        size = float(np.median(facts.checks.sizes))
        yield Finding("LDR005", "tip", f"Reading many small files (about {number(size / 1024)} kB, {len(opened[0])} an item) "
            f"takes {percent(facts.shares['read'])} of the time.", {"bytes": size, "share": facts.shares["read"][0]},
            NextStep("pack items into a few large files (.npy, Parquet, tar), in the order in which they are read", "refinement"))


def _collate(facts: Facts, matters: bool) -> Iterator[Finding]:
    """LDR006."""
    share = facts.shares.get("collate", (0.0, 0.0, 0.0))
    if not matters or bound_of(facts) != "collate" or share[0] < 0.4:
        return
    where, text = place(facts.times.lines, "collate")
    own = "default_collate" not in getattr(facts.source.loader.collate_fn, "__name__", "")
    why = f"its own collate_fn ({where} `{text}`)" if own and where else "many small values are joined one by one"
    each = facts.parts["collate"][0] / max(facts.rows, 1)
    yield Finding("LDR006", "tip", f"Collating takes {percent(share)} of the time, {number(each * 1e6)} µs a row: {why}.",
        {"share": share[0], "seconds_a_row": each}, NextStep("give tensors instead of Python lists and numbers, and stack them at "
        "once", "refinement"))


def _small(facts: Facts, matters: bool) -> Iterator[Finding]:
    """LDR015: Python's own cost of many small items."""
    items, each = facts.times.items, facts.total[0] / max(facts.rows, 1)
    if not matters or facts.checks.own_batches or len(items) < 50 or each > 4e-5 or facts.rows < 8 or facts.source.kind != "map":
        return
    yield Finding("LDR015", "tip", f"Items are small: {number(each * 1e6)} µs each, most of it Python's cost of fetching one by "
        "one; indexing a whole batch at once avoids it.", {"seconds_an_item": each},
        NextStep("give the dataset __getitems__(indices), or index tensors with a whole batch", "refinement"))


def _pinned(facts: Facts) -> Iterator[Finding]:
    """LDR008."""
    if facts.source.loader.pin_memory and not pins(facts.source.loader):
        yield Finding("LDR008", "tip", "pin_memory=True does nothing here: there is no graphics card to copy to.", {},
                      NextStep("leave pin_memory out where there is no graphics card", "refinement"))


def _ready(facts: Facts) -> Finding:
    """LDR014."""
    gone = f"; {len(facts.times.plain) + len(facts.times.traced) + 1:,} batches of this iterator were used up" \
        if facts.source.once else ""
    name = type(facts.source.loader).__name__
    why = f"batches of a {name} come ready"
    if facts.only_workers:
        why = f"the dataset fails outside of a worker ({facts.only_workers})"
    return Finding("LDR014", "not applicable", f"Items, collating and workers cannot be told apart: {why}{gone}.",
                   {"type": name, "once": facts.source.once})


def _uneven(facts: Facts, matters: bool) -> Iterator[Finding]:
    """LDR009: some batches take much longer than others."""
    taken = np.array([b["item"] + b["collate"] for b in facts.times.plain])
    if len(taken) < 20 or not matters or facts.source.workers > 0 and facts.source.kind == "batches":
        return
    middle, top = np.quantile(taken, [0.5, 0.95])
    late = taken > 3 * middle
    share = float(taken[late].sum() / taken.sum())
    if top > 3 * middle and share > 0.25 and middle > 1e-4:
        yield Finding("LDR009", "tip", f"Batches are uneven: one in twenty takes {number(top * 1e3)} ms or longer, the middle one "
            f"{number(middle * 1e3)} ms; the slow ones carry {share:.0%} of the time (n = {len(taken)}).", {"median": middle,
            "p95": top, "share": share, "n": len(taken)}, NextStep("look at items that are larger than others, or prefetch more "
            "batches (prefetch_factor)", "refinement"))

