"""What a frame against its schema says, as coded findings."""

from collections.abc import Sequence

from ml_lifecycle.data._schema.check import ROWS_IN_ALL, ROWS_OF_A_RULE, Checked
from ml_lifecycle.foundation._render import number
from ml_lifecycle.foundation._words import count, shown
from ml_lifecycle.foundation.errors import did_you_mean
from ml_lifecycle.foundation.intervals import wilson
from ml_lifecycle.foundation.report import Finding, NextStep

CODE = {"required": "SCH001", "type": "SCH002", "min": "SCH003", "max": "SCH003", "values": "SCH004", "missing": "SCH005",
        "unique": "SCH006", "unexpected": "SCH007"}
MOST = 12  # columns that get a finding of their own for one rule
EDIT = "correct the rows, or, if they are right, widen the rule in the schema's YAML"


def all_findings(checked: Sequence[Checked], n: int, kept: int, failing: int, seen: int) -> tuple[Finding, ...]:
    """Every finding, the most important first within its severity."""
    found = _required(checked)
    for rule in ("type", "min", "max", "values", "missing", "unique"):
        broken = [c for c in checked if c.rule == rule and c.verdict in ("issue", "cannot tell")]
        broken.sort(key=lambda c: (c.verdict != "issue", -c.failing))
        found += [_of_column(c, seen) for c in broken[:MOST]]
        if len(broken) > MOST:
            found.append(Finding(CODE[rule], "issue" if any(c.verdict == "issue" for c in broken[MOST:]) else "tip",
                                 f"{len(broken) - MOST} more columns break the rule {rule!r}; all are in the frame.",
                                 {"columns": [c.column for c in broken[MOST:]][:50]}))
    found += _unexpected(checked)
    if not any(f.severity == "issue" or f.undecided for f in found):
        rules = [c for c in checked if c.verdict == "passed" and c.rule != "required"]
        columns = len({c.column for c in rules})
        found.append(Finding("SCH008", "passed", f"{count(n, 'row')} keep {count(len(rules), 'rule')} of "
                             f"{count(columns, 'column')}.",
                             {"n": n, "rules": len(rules), "columns": columns}))
    if failing > kept:
        found.append(Finding("SCH009", "tip", f"{kept:,} of {failing:,} failures are in `.rows`: at most {ROWS_OF_A_RULE} "
                                              "for one "
                             f"rule of one column, {ROWS_IN_ALL:,} in all.", {"kept": kept, "failures": failing}))
    return tuple(found)


def _required(checked: Sequence[Checked]) -> list[Finding]:
    gone = [c.column for c in checked if c.rule == "required" and c.verdict == "issue"]
    if not gone:
        return []
    extra = [c.column for c in checked if c.rule == "unexpected"]
    near = did_you_mean(gone[0], extra, noun="Columns that the schema does not know", most=6) if extra else ""
    names = ", ".join(map(shown, gone[:6])) + (" …" if len(gone) > 6 else "")
    return [Finding("SCH001", "issue", f"{count(len(gone), 'column')} that the schema requires "
                                       f"{'are' if len(gone) > 1 else 'is'} "
                    f"absent: {names}. {near}".rstrip(), {"columns": gone, "column": gone[0], "n": checked[0].n},
                    NextStep("bring the columns, or rename what carries them", "data"))]


def _of_column(one: Checked, seen: int) -> Finding:
    share = wilson(one.failing, one.n)
    values = list(dict.fromkeys(shown(v, 24) for v in one.shown if v is not None))
    examples = f", such as {', '.join(values[:3])}" if values else ""
    size = f"{one.failing:,} of {count(one.n, 'row')} ({share.value:.2%}, 95 % interval {share.low:.2%} to {share.high:.2%})"
    evidence = {"column": one.column, "rule": one.rule, "failing": one.failing, "share": share.value, "low": share.low,
                "high": share.high, "n": one.n, "examples": values[:5]}
    what = {"type": f"{shown(one.column)} must be {one.expected}", "unique": f"{shown(one.column)} must hold no value twice",
            "min": f"{shown(one.column)} must be {one.expected}", "max": f"{shown(one.column)} must be {one.expected}",
            "values": f"{shown(one.column)} must be {one.expected}",
            "missing": f"{shown(one.column)} must have a value"}[one.rule]
    if one.allowed == one.allowed:
        evidence |= {"allowed": one.allowed, "seen": seen, "p": one.p}
        before = f"where {number(100 * one.allowed)} % of {seen:,} did" if one.allowed else f"where none of {seen:,} did"
        fails = {"missing": "have no value in", "values": "hold another category in", "type": "cannot be read in"}[one.rule]
        if one.verdict == "cannot tell":
            return Finding(CODE[one.rule], "tip", f"Cannot tell whether more rows {fails} {shown(one.column)} than before: "
                           f"{size}, {before}{examples}.", evidence,
                           NextStep("look at the rows, and check again on more of them", "data"), undecided=True)
        return Finding(CODE[one.rule], "issue", f"More rows {fails} {shown(one.column)} than chance explains: {size}, {before}"
                       f"{examples}.", evidence, NextStep(EDIT, "data"))
    return Finding(CODE[one.rule], "issue", f"{what}: {size} fail{'s' if one.failing == 1 else ''}{examples}.", evidence,
                   NextStep(EDIT, "data"))


def _unexpected(checked: Sequence[Checked]) -> list[Finding]:
    extra = [c.column for c in checked if c.rule == "unexpected"]
    if not extra:
        return []
    names = ", ".join(map(shown, extra[:6])) + (" …" if len(extra) > 6 else "")
    return [Finding("SCH007", "tip", f"{count(len(extra), 'column')} {'are' if len(extra) > 1 else 'is'} not in the schema: "
                    f"{names}.",
                    {"columns": extra, "n": checked[0].n},
                    NextStep("infer the schema again if they are to be used", "data", "infer_schema(data)"))]
