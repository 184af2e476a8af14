"""One record, as it comes in a request, against the features of a schema: checks are made once and then only called."""

import datetime
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from ml_lifecycle.data._schema.rule import ColumnRule, utc
from ml_lifecycle.foundation._render import number
from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.errors import did_you_mean

Test = Callable[[Any], str]  # of a value that is there: "" or what it must be
CHECKED = ("feature", "time")


def record_tests(rules: tuple[ColumnRule, ...]) -> dict[str, tuple[Test, bool, bool]]:
    """Feature -> (test of its value, whether it must be a key, whether it may have no value)."""
    return {rule.name: (_test_of(rule), rule.required, rule.missing + rule.unreadable > 0)
            for rule in rules if rule.role in CHECKED}


def check_record(record: Any, tests: dict[str, tuple[Test, bool, bool]], known: frozenset[str]) -> tuple[str, ...]:
    """What is wrong with a record, one line each."""
    if not isinstance(record, dict):
        return (f"the record must be an object of columns and values. Got {shown(record)}.",)
    problems = []
    for name, (test, required, empty) in tests.items():
        if name not in record:
            if required:
                problems.append(f"{shown(name)} must be there. It is not.")
            continue
        value = record[name]
        if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, (float, np.floating)) and value != value):
            if not empty:
                problems.append(f"{shown(name)} must have a value. Got none.")
        elif must := test(value):
            problems.append(f"{shown(name)} must be {must}. Got {shown(value, 40)}.")
    extra = [name for name in record if name not in known]
    problems += [f"{shown(name)} must be a column of the schema. It is not. {did_you_mean(name, tests, noun='Columns', most=6)}"
                 for name in extra]
    return tuple(problems)


def _test_of(rule: ColumnRule) -> Test:
    return {"number": _number, "integer": _number, "boolean": _boolean, "datetime": _datetime,
            "category": _category, "text": _text}[rule.type](rule)


def _number(rule: ColumnRule) -> Test:
    whole, low, high = rule.type == "integer", rule.min, rule.max
    kind = "a whole number" if whole else "a number"
    edges = [f"at least {number(float(low), 6)}"] if low is not None else []
    edges += [f"at most {number(float(high), 6)}"] if high is not None else []
    inside = " and ".join(edges)

    def test(value: Any) -> str:
        if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
            return kind
        if isinstance(value, (float, np.floating)) and (not math.isfinite(value) or (whole and value % 1)):
            return kind
        return inside if (low is not None and value < low) or (high is not None and value > high) else ""

    return test


def _boolean(rule: ColumnRule) -> Test:
    return lambda value: "" if isinstance(value, (bool, np.bool_)) else "true or false"


def _category(rule: ColumnRule) -> Test:
    known = frozenset(rule.values) if rule.values is not None and not rule.other else None
    listed = ", ".join(shown(v, 24) for v in (rule.values or ())[:6]) + (", …" if len(rule.values or ()) > 6 else "")

    def test(value: Any) -> str:
        if not isinstance(value, str):
            return "a text"
        return f"one of {listed}" if known is not None and value not in known else ""

    return test


def _text(rule: ColumnRule) -> Test:
    return lambda value: "" if isinstance(value, str) else "a text"


def _datetime(rule: ColumnRule) -> Test:
    low, high = (utc(pd.Timestamp(v)).to_pydatetime() if v is not None else None for v in (rule.min, rule.max))
    edges = [f"at least {rule.min}"] if low is not None else []
    edges += [f"at most {rule.max}"] if high is not None else []
    inside = " and ".join(edges)

    def test(value: Any) -> str:
        time = _moment(value, rule.day_first)
        if time is None:
            return "a date such as 2024-01-31"
        return inside if (low is not None and time < low) or (high is not None and time > high) else ""

    return test


def _moment(value: Any, day_first: bool | None) -> datetime.datetime | None:
    """A time without zone (UTC where it had one), of a text or of a time; None when it is neither."""
    try:
        if isinstance(value, str):
            try:
                value = datetime.datetime.fromisoformat(value)
            except ValueError:
                value = pd.to_datetime(value, dayfirst=bool(day_first)).to_pydatetime()
        elif isinstance(value, np.datetime64):
            value = pd.Timestamp(value).to_pydatetime()
        elif isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
            value = datetime.datetime(value.year, value.month, value.day)
    except (ValueError, TypeError, OverflowError):
        return None
    if not isinstance(value, datetime.datetime):
        return None
    return value if value.tzinfo is None else value.astimezone(datetime.UTC).replace(tzinfo=None)
