"""What a profile of a loader says about worker processes."""

import math
import multiprocessing
from collections.abc import Iterator
from typing import Any

from ml_lifecycle.foundation._render import number
from ml_lifecycle.foundation._words import count
from ml_lifecycle.foundation.report import Finding, NextStep
from ml_lifecycle.refinement._loader.profile import Facts

WORTH = 1.15  # times as fast: less is not worth another process


def worker_rules(facts: Facts) -> Iterator[Finding]:
    """LDR007 and LDR010 to LDR013."""
    if facts.source.once:
        yield Finding("LDR007", "not applicable", "What workers would bring was not tried: the dataset is an iterator that can be "
                      "read only once.", {})
        return
    yield from _sent(facts)
    if facts.failed:
        yield Finding("LDR013", "issue" if facts.source.workers else "tip", f"With workers the loader fails: {facts.failed}.",
            {"error": facts.failed}, NextStep("open files and connections at the first item in each worker, not in __init__",
            "refinement"))
    if facts.doubled:
        yield Finding("LDR012", "issue" if facts.source.workers > 1 else "tip", "Each worker of this iterable dataset gives the "
            "same rows: with 2 workers every row comes twice.", {"workers": facts.source.workers}, NextStep("split the rows "
            "by torch.utils.data.get_worker_info() in __iter__", "refinement"))
    yield from _gain(facts)
    yield from _start(facts)


def _text(row: dict[str, Any], kind: str) -> str:
    value, low, high = (row["measured"], row["low"], row["high"]) if kind == "measured" else \
        (row["predicted"], row["predicted_low"], row["predicted_high"])
    return f"{number(value)} times" + (f" ({number(low)} to {number(high)})" if math.isfinite(low) else "")


def _gain(facts: Facts) -> Iterator[Finding]:
    """LDR007: what workers would bring."""
    if not facts.workers:
        return
    rows = facts.workers
    tried = [r for r in rows if math.isfinite(r["measured"])]
    evidence = {f"{key}_{r['workers']}": r[key] for r in rows for key in ("predicted", "measured")}
    evidence |= {"cores": facts.cores, "cores_of_others": facts.others}
    busy = f"; other programs keep {number(facts.others)} of {count(facts.cores, 'core')} busy" if facts.others > 0.3 else ""
    if not tried:
        best = max(rows, key=lambda r: r["predicted"])
        why = "only 1 core is there" if facts.cores < 2 else "they do not run" if facts.failed else "batches take too long to try"
        yield Finding("LDR007", "tip", f"{count(best['workers'], 'worker')} would load {_text(best, 'predicted')} as fast by "
            f"prediction, but whether they do cannot be told: {why}{busy}.", evidence, undecided=True)
        return
    best = max(tried, key=lambda r: (r["measured"] > WORTH, r["measured"] if math.isfinite(r["measured"]) else 0))
    what = "as many batches a second" if math.isnan(facts.step[0]) else "as many steps of the model a second"
    said = f"predicted {_text(best, 'predicted')}, measured {_text(best, 'measured')} {what} (n = {best['n']}){busy}"
    helps = best["low"] > WORTH
    now, number_of = facts.source.workers, count(best["workers"], "worker")
    if helps and now >= best["workers"]:
        yield Finding("LDR007", "passed", f"Its {count(now, 'worker')} pay: {said}.", evidence)
    elif helps:
        yield Finding("LDR007", "tip", f"{number_of} would help: {said}.", evidence, NextStep(
            f"load in other processes: DataLoader(..., num_workers={best['workers']}, persistent_workers=True)", "refinement"))
    elif best["high"] < WORTH or best["measured"] < 1 and best["predicted"] < WORTH:
        slow = best["high"] < 1 and now > 0
        yield Finding("LDR007", "tip" if slow else "passed", f"Workers would not help: {said}." if not now else
            f"Its {count(now, 'worker')} do not pay: {said}.", evidence, NextStep("load in this process: num_workers=0",
            "refinement") if slow else None)
    else:
        yield Finding("LDR007", "tip", f"Whether workers help cannot be told: {said}.", evidence, undecided=True)


def _sent(facts: Facts) -> Iterator[Finding]:
    """LDR011: what is sent to workers that start afresh."""
    context = facts.source.loader.multiprocessing_context
    method = context.get_start_method() if context is not None else multiprocessing.get_start_method()
    spawned = method != "fork"
    if facts.checks.pickled:
        now = spawned and facts.source.workers > 0
        yield Finding("LDR011", "issue" if now else "tip", "The dataset or collate_fn cannot be sent to workers that start afresh "
            f"(spawn: macOS, Windows; forkserver: Python 3.14): {facts.checks.pickled}.", {"error": facts.checks.pickled,
            "start_method": method}, NextStep("name functions at the top of a module, and open files in the worker", "refinement"))
    elif facts.checks.large and spawned:
        yield Finding("LDR011", "tip", "The dataset holds more than 64 MB, which each worker gets as a copy of its own (start "
            f"method {method}).", {"start_method": method}, NextStep("keep rows in a file that workers map (numpy.memmap)",
            "refinement"))


def _start(facts: Facts) -> Iterator[Finding]:
    """LDR010: the start of workers at each epoch."""
    first, each, loader = facts.given_first, facts.given[0], facts.source.loader
    if not facts.source.workers or not math.isfinite(first) or loader.persistent_workers:
        return
    try:
        batches = len(loader)
    except TypeError:
        return
    start = first - each
    share = start / (start + batches * max(each, facts.step[0] if math.isfinite(facts.step[0]) else 0.0))
    if share > 0.1:
        yield Finding("LDR010", "tip", f"Starting workers takes {number(first)} s before the first batch of each epoch, "
            f"{share:.0%} of an epoch of {batches:,} {'batch' if batches == 1 else 'batches'}.", {
            "first_seconds": first, "share": share, "batches": batches}, NextStep(
            "keep workers from epoch to epoch: persistent_workers=True", "refinement"))
