"""The two runs, and the trials that tell causes apart."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from ml_lifecycle.refinement._again.compare import compare
from ml_lifecycle.refinement._again.findings import Facts
from ml_lifecycle.refinement._again.fresh import in_processes
from ml_lifecycle.refinement._again.record import recorded
from ml_lifecycle.refinement._held import keeper

PATIENCE = 30.0  # seconds of a run beyond which no further ones are made to find a cause


def tried(train: Callable[[], Any], seed: int, loader: Any, fresh: bool) -> Facts:
    """Run twice and compare; random states, and models and optimizers that train finds outside, come back afterwards."""
    from tqdm import tqdm

    restore = keeper(train, loader)
    with tqdm(total=5 if fresh else 2, desc="reproducible", delay=2, leave=False) as bar:
        try:
            first = recorded(train, seed, loader)
            bar.update()
            second = recorded(train, seed, loader)
            bar.update()
            facts = Facts(first, second, compare(first, second), seed, asked_fresh=fresh)
            c = facts.compared
            if c.event is not None and c.event.stage not in ("start", "seed") and first.seconds < PATIENCE and not second.notes[
                    "unseeded"] and not c.generators:
                restore()
                with one_thread():
                    facts.threads = _agree(train, seed, loader, restore)
        finally:
            restore()
        if fresh:
            _fresh(facts, train, loader)
            bar.update(3)
    return facts


def _agree(train: Callable[[], Any], seed: int, loader: Any, restore: Callable[[], None]) -> bool:
    """Whether three runs agree, each from the same beginning."""
    runs = []
    for _ in range(3):
        restore()
        runs.append(recorded(train, seed, loader))
    return all(compare(runs[0], other).same for other in runs[1:])


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Numerical libraries compute with one thread meanwhile."""
    import sys

    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch is not None else 0
    with threadpool_limits(1):
        if torch is not None:
            torch.set_num_threads(1)
        try:
            yield
        finally:
            if torch is not None:
                torch.set_num_threads(threads)


def _fresh(facts: Facts, train: Callable[[], Any], loader: Any) -> None:
    runs = in_processes(train, facts.seed, loader, ["1", "1", "2"])
    if isinstance(runs, str):
        facts.fresh_failed = runs
    else:
        facts.fresh = compare(runs[0], runs[1]), compare(runs[0], runs[2])
