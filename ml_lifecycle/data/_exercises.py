"""The checks of lesson 2. Each tests what must be true of a right attempt, on whatever data is loaded."""

from typing import Any

import pandas as pd

from ml_lifecycle.data._schema.rule import ColumnRule
from ml_lifecycle.data.annotators import agreement
from ml_lifecycle.data.schema import Schema
from ml_lifecycle.foundation.dataset import Dataset
from ml_lifecycle.foundation.exercises import exercise

@exercise("2.1",
          "A rule that is too wide refuses nothing. Which limit do you know better than the data do?",
          "Limits that were inferred are a little wider than what was seen; categories may have a few strangers.",
          "Infer the schema again with less slack, or change one line of its YAML and read it back.")
def stricter_schema(attempt: Schema, *, inferred: Schema, train: Dataset) -> str | None:
    """The attempt accepts the training rows, and is stricter than what was inferred in some column and looser in none."""
    if not isinstance(attempt, Schema):
        return f"{type(attempt).__name__} is not a schema"
    names = [rule.name for rule in inferred.columns]
    lacking = [name for name in names if name not in [rule.name for rule in attempt.columns]]
    if lacking:
        return f"{len(lacking)} columns are no longer checked, such as {lacking[0]!r}"
    looser = [name for name in names if _stricter(inferred[name], attempt[name])]
    if looser:
        return f"{looser[0]!r} is checked less strictly than before"
    if not any(_stricter(attempt[name], inferred[name]) for name in names):
        return "no column is checked more strictly than before"
    report = attempt.validate(train)
    return f"it refuses rows of the training part: {report.answer}" if report.passed is False else None


def _stricter(one: ColumnRule, other: ColumnRule) -> bool:
    """Whether a rule refuses something that the other one accepts."""
    allowed = None if one.values is None else set(one.values)
    before = None if other.values is None else set(other.values)
    return any([
        one.min is not None and (other.min is None or one.min > other.min),
        one.max is not None and (other.max is None or one.max < other.max),
        allowed is not None and (before is None or bool(before - allowed)),
        one.missing < other.missing, one.unreadable < other.unreadable, one.other < other.other,
        one.unique and not other.unique, one.required and not other.required,
    ])


@exercise("2.2",
          "A few rows bear most of the loss. How many must somebody read?",
          "The table is sorted by loss: add it up from the top.",
          "The first place where the running sum of the loss reaches half of its total.")
def half_of_the_loss(attempt: int, *, ranked: pd.DataFrame) -> str | None:
    """The attempt is the smallest number of rows that bear half of the loss."""
    total = float(ranked["loss"].sum())
    held = float(ranked["loss"].nlargest(int(attempt)).sum())
    if held < total / 2:
        return f"{attempt:,} rows bear {held / total:.0%} of the loss: too few"
    less = float(ranked["loss"].nlargest(int(attempt) - 1).sum()) if attempt > 1 else 0.0
    return f"{attempt - 1:,} rows bear half of it, too" if less >= total / 2 and attempt > 1 else None


@exercise("2.3",
          "When would two people agree on most items without looking at them?",
          "Make one label so common that both can always give it.",
          "Nine items in ten alike for both, and the few others never on the same item.")
def agree_without_looking(attempt: Any) -> str | None:
    """The attempt is labels of two people who agree on four items in five, and no more than chance would make them."""
    report = agreement(attempt)
    if report.annotators != 2:
        return f"{report.annotators} annotators instead of two"
    if report.items < 10:
        return f"{report.items} items with two labels; make it ten or more"
    percent = float(report.frame.loc[report.frame["measure"] == "percent agreement", "value"].iloc[0])
    if percent < 0.8:
        return f"they agree on {percent:.0%} of the items; it should be 80 % or more"
    if report.alpha != report.alpha:
        return "there is only one label, so that nothing can be told"
    return f"alpha is {report.alpha:.2f}; it should be 0.1 or less" if report.alpha > 0.1 else None
