"""Missing values, equal rows, conflicting labels, constant columns and isolated values of one table."""

from typing import Any

import numpy as np
import pandas as pd

from ml_lifecycle.data._quality.rows import Twins, conflicts, find_twins, with_twin
from ml_lifecycle.foundation._render import number
from ml_lifecycle.foundation._words import count, shown
from ml_lifecycle.foundation.dataset import Dataset
from ml_lifecycle.foundation.intervals import wilson
from ml_lifecycle.foundation.report import Finding, NextStep

Line = dict[str, Any]
MANY_MISSING = 0.05  # share of missing values from which a column is named
NEARLY_CONSTANT = 0.99  # share of the most frequent value
COPIES = 0.01  # share of rows with a copy that is worth a correction
GAP = 2.0  # widths of all the others that an isolated value lies away from them
FEWEST = 30  # rows from which a share of copies or a constant says something


def _line(check: str, column: str, share: Any, n: int, verdict: str, unit: str = "share of rows") -> Line:
    return {"check": check, "column": column, "value": share.value, "low": share.low, "high": share.high, "n": n,
            "verdict": verdict, "unit": unit}


def _interval(share: Any) -> str:
    return f"{share.value:.1%}, 95 % interval {share.low:.1%} to {share.high:.1%}"


def missing(data: Dataset) -> tuple[list[Line], list[Finding]]:
    """QUA002: the share of missing values in each column."""
    n = len(data)
    gone = {str(name): int(data.frame[name].isna().sum()) for name in data.frame.columns}
    lines = [_line("missing", name, share := wilson(rows, n), n, "tip" if share.low > MANY_MISSING else "passed")
             for name, rows in gone.items()]
    many = sorted((line for line in lines if line["verdict"] == "tip"), key=lambda line: -line["value"])
    if not many:
        some = sum(rows > 0 for rows in gone.values())
        said = "No value is missing" if not some else \
            f"{count(some, 'column')} lack{'s' if some == 1 else ''} values, none clearly more than {MANY_MISSING:.0%} of them"
        return lines, [Finding("QUA002", "passed", f"{said} ({n:,} rows).", {"n": n, "columns": some})]
    named = ", ".join(f"{shown(m['column'])} {m['value']:.1%} ({m['low']:.1%} to {m['high']:.1%})" for m in many[:5])
    return lines, [Finding("QUA002", "tip", f"{count(len(many), 'column')} lack{'s' if len(many) == 1 else ''} many values: "
                                            f"{named}"
                           f"{' …' if len(many) > 5 else ''}; 95 % intervals, n = {n:,}.",
                           {"columns": [m["column"] for m in many], "shares": [m["value"] for m in many], "n": n},
                           NextStep("ask why they are missing: that they are may itself tell something", "data",
                                    "infer_schema(data)"))]


def copies(data: Dataset, seed: int) -> tuple[list[Line], list[Finding]]:
    """QUA003 and QUA004: equal rows, and equal features with other labels."""
    n, twins = len(data), find_twins(data, seed)
    twin = with_twin(twins.whole)
    extra = int(pd.Series(twins.whole).duplicated().sum())
    share, alike = wilson(int(twin.sum()), n), wilson(int(with_twin(twins.features).sum()), n)
    chance = not twins.continuous or twins.expected > share.value / 10
    severity: Any = "passed" if not extra else "issue" if share.low > COPIES and not chance and n >= FEWEST else "tip"
    lines = [_line("duplicates", "(all columns)", share, n, severity), _line("duplicates", "(features)", alike, n, "passed")]
    evidence = {"rows": int(twin.sum()), "extra": extra, "share": share.value, "low": share.low, "high": share.high, "n": n,
                "features_only": alike.value, "by_chance": twins.expected}
    if not extra:
        found = [Finding("QUA003", "passed", f"No row comes twice ({n:,} rows; ids left aside).", evidence)]
    else:
        size = f"{count(int(twin.sum()), 'row')} of {n:,} ({_interval(share)}) have a copy"
        usual = f", as is to be expected of columns with few values (independent ones would give {twins.expected:.1%})"
        why = "" if severity == "issue" else usual if chance else ": few enough to be chance, or a mistake"
        then = NextStep("remove the copies before splitting, or a copy in the test set is remembered rather than "
                        "predicted", "data")
        found = [Finding("QUA003", severity, f"{size}, ids left aside{why}.", evidence, None if chance else then)]
    if data.roles["target"]:
        line, finding = _conflicting(data, twins, chance)
        lines, found = [*lines, line], [*found, finding]
    return lines, found


def _conflicting(data: Dataset, twins: Twins, chance: bool) -> tuple[Line, Finding]:
    n = len(data)
    mixed, lost = conflicts(data, twins.features)
    share = wilson(int(mixed.sum()), n)
    regression = data.task == "regression"
    severity: Any = "passed" if not mixed.any() else \
        "issue" if not regression and n >= FEWEST and wilson(lost, n).low > COPIES \
        and twins.continuous and not chance_of(twins) else "tip"
    evidence = {"rows": int(mixed.sum()), "share": share.value, "low": share.low, "high": share.high, "n": n, "lost": lost}
    line = _line("conflicting labels", str(data.roles["target"]), share, n, severity)
    if not mixed.any():
        return line, Finding("QUA004", "passed", f"No two rows have the same features and another target ({n:,} rows).", evidence)
    size = f"{count(int(mixed.sum()), 'row')} of {n:,} ({_interval(share)})"
    bound = "" if regression else f": on at least {lost:,} of these rows any model is wrong"
    return line, Finding("QUA004", severity, f"{size} have the features of another row, but not its target{bound}.", evidence,
                         NextStep("look at them: labels to correct, or a column that is missing to tell them apart", "data"))


def chance_of(twins: Twins) -> bool:
    """Whether independent columns would give a good part of the equal features."""
    return twins.expected > float(with_twin(twins.features).mean()) / 10


def constant(data: Dataset) -> tuple[list[Line], list[Finding]]:
    """QUA005: columns that hold one value, or nearly so."""
    lines, named, n = [], [], len(data)
    for name in data.X.columns:
        counts = data.frame[name].value_counts()
        known = int(counts.sum())
        if not known:
            continue
        share = wilson(int(counts.iloc[0]), known)
        steady = n >= FEWEST and (len(counts[counts > 0]) == 1 or share.low > NEARLY_CONSTANT)
        lines.append(_line("most frequent value", str(name), share, known, "tip" if steady else "passed"))
        if steady:
            named.append((str(name), share.value, len(counts[counts > 0]) == 1))
    if not named:
        return lines, [Finding("QUA005", "passed", f"No feature is constant, or nearly so ({n:,} rows).", {"n": n})]
    said = ", ".join(f"{shown(name)} ({'always the same' if one else f'{value:.2%} the same'})" for name, value, one in named[:6])
    return lines, [Finding("QUA005", "tip", f"{count(len(named), 'feature')} hardly ever "
                                            f"var{'ies' if len(named) == 1 else 'y'}: {said}"
                           f"{' …' if len(named) > 6 else ''}; n = {n:,}.", {"columns": [name for name, _, _ in named], "n": n},
                           NextStep("leave out what never changes, after asking whether it should", "data",
                                    "load_dataset(data, drop=...)"))]


def isolated(data: Dataset) -> tuple[list[Line], list[Finding]]:
    """QUA006: numbers that lie far away from all the others, such as 999 or −1 for "unknown"."""
    lines, named, n = [], [], len(data)
    for name in data.roles["numeric"]:
        values = data.frame[name].dropna().to_numpy(dtype="float64")
        values = values[np.isfinite(values)]
        if len(values) < FEWEST or name == data.roles["time"]:
            continue
        far = _far(values)
        share = wilson(int(far.sum()), len(values))
        lines.append(_line("isolated values", str(name), share, len(values), "tip" if far.any() else "passed"))
        if far.any():
            seen = ", ".join(number(float(v)) for v in np.unique(values[far])[:3])
            named.append((str(name), int(far.sum()), seen))
    if not named:
        why = "" if lines else " to look at"
        return lines, [Finding("QUA006", "passed" if lines else "not applicable", f"No number lies far away from all the "
                            f"others{why} "
                               f"({count(len(lines), 'column')} of numbers).", {"columns": len(lines), "n": n})]
    said = "; ".join(f"{shown(name)} holds {seen} ({count(rows, 'row')})" for name, rows, seen in named[:5])
    return lines, [Finding("QUA006", "tip", f"{count(len(named), 'column')} hold{'s' if len(named) == 1 else ''} numbers "
                                            "far away from "
                           f"all the others: {said}; n = {n:,}.", {"columns": [name for name, _, _ in named],
                                                                   "rows": [rows for _, rows, _ in named], "n": n},
                           NextStep("find out whether they are mistakes, or stand for a missing value", "data"))]


def _far(values: np.ndarray) -> np.ndarray:
    """Values beyond a gap that is twice as wide as all the others lie apart; at most one in twenty on each side."""
    ordered = np.sort(values)
    edge = max(1, int(0.05 * len(ordered)))
    far = np.zeros(len(values), dtype=bool)
    for sign in (1.0, -1.0):
        line = ordered if sign > 0 else -ordered[::-1]
        inner, gaps = line[-edge - 1:-1] - line[edge], np.diff(line[-edge - 1:])
        wide = np.flatnonzero((gaps > GAP * inner) & (inner > 0))
        if len(wide):
            far |= sign * values >= line[-edge:][wide[0]]
    return far
