"""What one test found, and the sentences that say it."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ml_lifecycle.foundation._render import number
from ml_lifecycle.foundation._words import count
from ml_lifecycle.foundation.intervals import Interval, holm, wilson

ALPHA = 0.05
NAN = float("nan")
KINDS = ("functionality", "scenario", "invariance", "directional", "no regression", "requirement")
VERDICTS = ("issue", "cannot tell", "tip", "passed", "not applicable")  # the most important first

@dataclass(frozen=True)
class Result:
    """One test."""

    test: str
    kind: str
    verdict: str
    message: str
    n: int = 0
    value: float = NAN
    low: float = NAN
    high: float = NAN
    threshold: float = NAN
    seconds: float = NAN
    p: float = NAN  # how surprising it would be if the threshold were kept; nan where no chance is involved
    code: str = "MTE001"
    where: str = ""  # rows or columns that the test did not hold for

    @property
    def key(self) -> tuple[str, str]:
        """What the test is known by: a second one of the same name takes its place."""
        return self.kind, self.test


def span(low: float, high: float) -> str:
    """An interval in words."""
    return f"95 % interval {number(low)} to {number(high)}" if np.isfinite(low) and np.isfinite(high) else "no interval"


def of_rows(test: str, kind: str, holds: np.ndarray, *, code: str, at_least: float = 1.0, good: str, bad: str) -> Result:
    """A rule that must hold for a share of rows: decided on these rows, with Wilson's interval for others of the kind."""
    n, kept = len(holds), int(np.sum(holds))
    share: Interval = wilson(kept, n)
    enough = kept >= at_least * n - 1e-9
    verdict = "passed" if enough else "issue" if at_least >= 1 or share.high < at_least else "cannot tell"
    missed = ", ".join(map(str, np.flatnonzero(~np.asarray(holds, dtype=bool))[:10]))
    told = f"{good if enough else bad}: {kept:,} of {count(n, 'row')} ({number(share.value)}, {span(share.low, share.high)})"
    told += f", at least {number(at_least)} was asked." if at_least < 1 else "."
    if not enough:
        told += f" Rows {missed}{' …' if n - kept > 10 else ''}."
    return Result(test, kind, verdict, told, n, share.value, share.low, share.high, at_least, code=code, where=missed)


def corrected(results: tuple[Result, ...]) -> tuple[Result, ...]:
    """Holm's correction over the tests that chance plays a part in: what is no longer surprising cannot be told."""
    adjusted: Any = holm([r.p for r in results]) if results else []
    return tuple(
        replace(r, verdict="cannot tell", message=f"{r.message.rstrip('.')}; no longer surprising among several such tests.")
        if r.verdict == "issue" and p == p and p >= ALPHA else r for r, p in zip(results, adjusted))
