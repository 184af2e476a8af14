"""A frame against the rules of its columns: which rule fails, in which rows, and whether that can be chance."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from ml_lifecycle.data._schema.read import Read, read_as
from ml_lifecycle.data._schema.rule import ColumnRule
from ml_lifecycle.foundation._render import number
from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.intervals import holm, wilson

ALPHA = 0.01  # of the shares that a few rows may exceed by chance, corrected for all columns
MUCH = 1.5  # how many times the share seen, and
MORE = 0.005  # how many points above it, a share must lie to matter
ROWS_OF_A_RULE = 100  # failing rows that are kept for one rule of one column
ROWS_IN_ALL = 1000


@dataclass
class Checked:
    """One rule of one column on some rows."""

    column: str
    rule: str  # "required", "type", "min", "max", "values", "missing", "unique" or "unexpected"
    expected: str
    failing: int
    n: int
    rows: np.ndarray  # positions of failing rows
    shown: list[Any]  # what stands in the first of them
    verdict: str = "passed"
    p: float = np.nan  # of no more failures than were seen when the schema was made; shares only
    allowed: float = np.nan  # share seen when the schema was made; shares only

    @property
    def line(self) -> dict[str, Any]:
        """Its row of the report's frame."""
        share = wilson(self.failing, self.n)
        return {"column": self.column, "rule": self.rule, "expected": self.expected, "failing": self.failing,
                "share": share.value, "low": share.low, "high": share.high, "n": self.n, "verdict": self.verdict}


def check_all(rules: tuple[ColumnRule, ...], seen: int, columns: dict[str, pd.Series], n: int) -> list[Checked]:
    """Every rule of every column; the shares judged together."""
    checked: list[Checked] = []
    for rule in rules:
        if rule.name not in columns:
            verdict = "issue" if rule.required else "absent"
            checked.append(Checked(rule.name, "required", "must be there" if rule.required else "may be absent",
                                   n, n, np.arange(0), [], verdict))
        else:
            checked += _column(rule, columns[rule.name], n)
    names = {rule.name for rule in rules}
    checked += [Checked(name, "unexpected", "not in the schema", 0, n, np.arange(0), [], "tip")
                for name in columns if name not in names]
    _judge_shares(checked, seen)
    return checked


def _column(rule: ColumnRule, raw: pd.Series, n: int) -> Iterator[Checked]:
    read = read_as(raw, rule)

    def found(name: str, expected: str, failing: np.ndarray, allowed: float = np.nan) -> Checked:
        rows = np.flatnonzero(failing)
        values = [_plain(raw.iloc[i]) for i in rows[:ROWS_OF_A_RULE]]
        verdict = "issue" if len(rows) and np.isnan(allowed) else "passed"
        return Checked(rule.name, name, expected, len(rows), n, rows, values, verdict, allowed=allowed)

    yield found("missing", _up_to(rule.missing, "without a value"), read.absent, rule.missing)
    if rule.type not in ("text", "category"):
        what = {"integer": "a whole number", "number": "a number", "boolean": "true or false", "datetime": "a date"}[rule.type]
        yield found("type", what, read.unreadable, rule.unreadable if rule.unreadable else np.nan)
    yield from _limits(rule, read, found)
    if rule.values is not None:
        absent = read.values.isna() | read.absent
        other = ~(read.values.isin(set(rule.values)) | absent).to_numpy()
        yield found("values", _listed(rule.values), other, rule.other if rule.other else np.nan)
    if rule.unique:
        there = ~(read.absent | read.unreadable)
        yield found("unique", "no value twice", (read.values.duplicated() & there).to_numpy())


def _limits(rule: ColumnRule, read: Read, found: Any) -> Iterator[Checked]:
    values = read.values.where(~pd.Series(read.unreadable))
    for key, below in (("min", True), ("max", False)):
        limit = getattr(rule, key)
        if limit is None:
            continue
        edge = pd.Timestamp(limit).tz_localize(None) if isinstance(limit, str) else float(limit)
        outside = (values < edge) if below else (values > edge)
        text = limit if isinstance(limit, str) else number(float(limit), 6)
        yield found(key, f"{'at least' if below else 'at most'} {text}", outside.to_numpy(dtype=bool))


def _judge_shares(checked: list[Checked], seen: int) -> None:
    """Fisher's exact test (1922), one-sided, for shares that were seen on some rows; corrected by Holm."""
    shares = [c for c in checked if not np.isnan(c.allowed)]
    for one in shares:
        before = int(round(one.allowed * seen))
        if one.failing and one.n:
            one.p = float(stats.hypergeom.sf(one.failing - 1, seen + one.n, before + one.failing, one.n))
    for one, p in zip(shares, holm([one.p for one in shares]) if shares else []):
        share = one.failing / max(1, one.n)
        matters = one.allowed == 0 or share > max(MUCH * one.allowed, one.allowed + MORE)
        if p < ALPHA and matters:
            one.verdict = "issue"
        elif one.failing and one.allowed == 0:
            one.verdict = "cannot tell"


def failing_rows(checked: list[Checked], labels: pd.Index) -> tuple[tuple[tuple[Any, str, str, Any], ...], int]:
    """(row, column, rule, value) of rules that fail, at most so many; and how many there are in all."""
    broken = [c for c in checked if c.verdict in ("issue", "cannot tell") and len(c.rows)]
    kept = [(_label(labels[i]), c.column, c.rule, value) for c in broken for i, value in zip(c.rows, c.shown)]
    return tuple(kept[:ROWS_IN_ALL]), sum(len(c.rows) for c in broken)


def _label(label: Any) -> Any:
    return tuple(map(_plain, label)) if isinstance(label, tuple) else _plain(label)


def _plain(value: Any) -> Any:
    """A value as a report holds it."""
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    value = value.item() if isinstance(value, np.generic) and not isinstance(value, (np.datetime64, np.timedelta64)) else value
    if isinstance(value, (bool, int, str)):
        return value if not isinstance(value, str) or len(value) <= 200 else value[:199] + "…"
    if isinstance(value, float):
        return None if np.isnan(value) else value
    return str(value)


def _up_to(share: float, what: str) -> str:
    return f"none {what}" if not share else f"about {share:.3g} {what}"


def listed(values: tuple[str, ...]) -> str:
    """The first of some categories, and how many there are."""
    more = f", … ({len(values)} in all)" if len(values) > 6 else ""
    return ", ".join(shown(v, 24) for v in values[:6]) + more


def _listed(values: tuple[str, ...]) -> str:
    return f"one of {listed(values)}" if values else "no value at all"
