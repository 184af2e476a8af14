"""What a schema says about one column, checked as it is made: by inference, by hand, or from YAML."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.errors import BadInputError, did_you_mean

TYPES = ("number", "integer", "boolean", "datetime", "category", "text")
ROLES = ("feature", "target", "id", "time", "group")
RANGED = ("number", "integer", "datetime")


@dataclass(frozen=True)
class ColumnRule:
    """One column of a schema."""

    name: str  # of the column
    type: str  # "number", "integer", "boolean", "datetime", "category" or "text"
    role: str = "feature"  # "feature", "target", "id", "time" or "group"
    required: bool = True  # the column must be there
    unique: bool = False  # no value may come twice
    missing: float = 0.0  # share of rows without a value, as seen
    unreadable: float = 0.0  # share of rows whose value is not of the type, as seen
    min: Any = None  # lowest value allowed; a number, or a date as ISO text; None: no limit
    max: Any = None  # highest value allowed; None: no limit
    values: tuple[str, ...] | None = None  # the categories, as text; None: any
    other: float = 0.0  # share of rows that may hold another category, as estimated
    day_first: bool | None = None  # how dates such as 03/04/2024 are read; None: they are not written so

    def __post_init__(self) -> None:
        _one_of(self, "type", TYPES)
        _one_of(self, "role", ROLES)
        for key in ("required", "unique"):
            if not isinstance(getattr(self, key), bool):
                _refuse(self, key, "true or false")
        if self.day_first not in (None, True, False):
            _refuse(self, "day_first", "true, false or left out")
        for key in ("missing", "unreadable", "other"):
            value = getattr(self, key)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
                _refuse(self, key, "a share from 0 to 1")
        self._check_range()
        self._check_values()

    def _check_range(self) -> None:
        for key in ("min", "max"):
            value = getattr(self, key)
            if value is None:
                continue
            if self.type not in RANGED:
                raise BadInputError(f"`{key}` of column {shown(self.name)} must stand with a type that has an order. Got type "
                                    f"{self.type!r}. Remove it, or change the type.")
            if self.type == "datetime":
                if not isinstance(value, str) or _time(value) is None:
                    _refuse(self, key, "a date such as 2024-01-31")
            elif isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
                _refuse(self, key, "a number")
        if self.min is not None and self.max is not None and _ordered(self.min) > _ordered(self.max):
            raise BadInputError(f"`min` of column {shown(self.name)} must not lie above `max`. Got {shown(self.min)} and "
                                f"{shown(self.max)}. Swap them.")

    def _check_values(self) -> None:
        if self.values is None:
            return
        if self.type != "category":
            raise BadInputError(f"`values` of column {shown(self.name)} must stand with type 'category'. Got type {self.type!r}. "
                                "Remove them, or change the type.")
        if not isinstance(self.values, tuple) or not all(isinstance(value, str) for value in self.values):
            _refuse(self, "values", "a list of texts (quote numbers, yes and no)")
        if len(set(self.values)) < len(self.values):
            twice = next(v for v in self.values if self.values.count(v) > 1)
            raise BadInputError(f"`values` of column {shown(self.name)} must be distinct. Got {shown(twice)} twice. Remove one.")

    def to_dict(self) -> dict[str, Any]:
        """What is not as usual, in plain values; type and range first."""
        usual = {f.name: f.default for f in dataclasses.fields(self)}
        first = ("type", "role", "min", "max", "values")
        order = [*first, *(name for name in usual if name not in (*first, "name"))]
        kept = {key: getattr(self, key) for key in order
                if key in ("type", "missing") or getattr(self, key) != usual[key]}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in kept.items()}


KEYS = tuple(f.name for f in dataclasses.fields(ColumnRule) if f.name != "name")


def rule_from(name: str, given: Any) -> ColumnRule:
    """The rule that plain values describe; raises one line that names the column, the key and the nearest known key."""
    if not isinstance(given, dict) or "type" not in given:
        raise BadInputError(f"`columns` must give each column keys, `type` among them. Got {shown(given)} for {shown(name)}. "
                            f"{did_you_mean('', TYPES, noun='Types')}")
    for key in given:
        if key not in KEYS:
            raise BadInputError(f"`columns` must describe {shown(name)} by known keys. Got {shown(key)}. "
                                + did_you_mean(key, KEYS, noun="Keys"))
    values = given.get("values")
    values = tuple(values) if isinstance(values, (list, tuple)) else values
    return ColumnRule(name, **{**given, "values": values})


def _one_of(rule: ColumnRule, key: str, known: tuple[str, ...]) -> None:
    value = getattr(rule, key)
    if value not in known:
        raise BadInputError(f"`{key}` of column {shown(rule.name)} must be a known one. Got {shown(value)}. "
                            + did_you_mean(value, known))


def _refuse(rule: ColumnRule, key: str, what: str) -> None:
    raise BadInputError(f"`{key}` of column {shown(rule.name)} must be {what}. Got {shown(getattr(rule, key))}. Correct it.")


def _time(text: str) -> pd.Timestamp | None:
    try:
        time = pd.Timestamp(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return None if time is pd.NaT else time


def _ordered(value: Any) -> Any:
    return utc(pd.Timestamp(value)) if isinstance(value, str) else value


def utc(time: pd.Timestamp) -> pd.Timestamp:
    """A time without zone, as it is in UTC where it had one, so that any two can be compared."""
    return time.tz_convert("UTC").tz_localize(None) if time.tzinfo is not None else time
