"""Are these the columns and values that a version takes? Then as a frame of the types that it was trained on."""

import datetime
import difflib
import numbers
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ml_lifecycle.deployment._serve.body import Refused, shortened
from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.errors import did_you_mean

ALIKE = 0.75  # likeness of two names, 0 to 1, from which on one is taken for a slip of the other
_WHAT = {"number": "a number", "integer": "a whole number", "boolean": "true or false", "category": "a text, a number or true or "
         "false", "string": "a text", "date": 'a date such as "2024-05-31"', "text": "a text"}


class Contract:
    """What a version takes: columns by name, each of a kind; and the schema when it was registered with one.

    Columns in another order and columns that it does not know are fine. A column that may have no value need not come; but
    when a name comes that looks like one that is absent, it is a slip of the pen, and refused.
    """

    def __init__(self, kinds: Mapping[Any, str], schema: Any = None, *, beside: Sequence[str] = (),
                 optional: Collection[str] = (), day_first: frozenset[str] = frozenset()) -> None:
        self.names = {str(name): name for name in kinds}  # JSON knows names that are text only
        self.kinds = {str(name): kind for name, kind in kinds.items()}
        self.schema, self.day_first = schema, day_first
        self.optional = frozenset(optional)  # columns that need not come: they may have no value
        self.beside = frozenset(beside)  # columns of the schema that the model does not look at: they may come, and are left out

    def frame(self, records: Sequence[Mapping[str, Any]], also: frozenset[str] = frozenset()) -> pd.DataFrame:
        """The records as a frame; raises Refused with one message for each broken rule. `also` are names of other columns."""
        wrong: list[str] = []
        for position, record in enumerate(records):
            wrong += [f"Record {position}: {message}" for message in self._problems(record, also)]
            if len(wrong) > 100:
                break
        if wrong:
            raise Refused(422, *shortened(wrong))
        if not self.kinds:
            return pd.DataFrame(list(records))
        columns: dict[Any, Any] = {}
        for name, kind in self.kinds.items():
            try:
                columns[self.names[name]] = cast([record.get(name) for record in records], kind,
                                                 name in self.day_first)
            except (ValueError, TypeError, OverflowError) as error:
                raise Refused(422, f"`{name}` must be {_WHAT.get(kind, 'a value')}. Got one that is not: "
                                   f"{str(error).splitlines()[0][:120]}") from None
        return pd.DataFrame(columns, index=pd.RangeIndex(len(records)))

    def _problems(self, record: Mapping[str, Any], also: frozenset[str]) -> list[str]:
        """Broken rules of one record: names first, then types, then what the schema says."""
        if not self.kinds:
            return []
        absent = [name for name in self.kinds if name not in record]
        needed = absent if len(absent) == len(self.kinds) else [name for name in absent if name not in self.optional]
        found = [f"`{name}` must be given. Got nothing. Send null if it is not known." for name in needed]
        known = self.kinds.keys() | self.beside | also
        found += [f"`{name[:60]}` must be a column of the model. Got a name that is not. {did_you_mean(name, self.kinds)}"
                  for name in record if absent and name not in known and _alike(name, absent)]
        found += [message for name, value in record.items() if name in self.kinds
                  for message in _type_problem(name, value, self.kinds[name], name in self.day_first)]
        if self.schema is not None and not found:
            looked = {name: value for name, value in record.items() if name in self.kinds or name in self.beside}
            found += [" ".join(str(m).split()) for m in self.schema.validate_record(looked)]
        return found


def _alike(name: str, absent: Sequence[str]) -> bool:
    """Whether a name that nobody knows is likely meant to be one that is absent."""
    return bool(difflib.get_close_matches(name[:60].casefold(), [other.casefold() for other in absent], n=1, cutoff=ALIKE))


def _type_problem(name: str, value: Any, kind: str, day_first: bool) -> list[str]:
    if value is None or kind == "any":
        return []
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if isinstance(value, int) and abs(value) >= 2**63:
        return [f"`{name}` must be a number below 2**63. Got {shown(value, 30)}."]
    fits = {
        "number": number or isinstance(value, bool), "integer": number and float(value).is_integer(),
        "boolean": isinstance(value, bool) or (number and value in (0, 1)),
        "date": isinstance(value, str) and _is_date(value, day_first),
        "text": isinstance(value, str), "string": isinstance(value, str),
    }.get(kind, True)
    if fits:
        return []
    return [f"`{name}` must be {_WHAT.get(kind, 'a value')}. Got {shown(value)}. Send null if it is not known."]


def _is_date(text: str, day_first: bool) -> bool:
    if not text[:1].isdigit():  # "now" and "today" are dates to pandas, and none to anybody else
        return False
    try:
        return as_time(text, day_first).as_unit("ns") is not pd.NaT
    except (ValueError, TypeError, OverflowError):
        return False


def as_time(text: str, day_first: bool = False) -> pd.Timestamp:
    """A date or a time, in ISO form or as people write it."""
    try:
        return pd.Timestamp(datetime.datetime.fromisoformat(text))
    except ValueError:
        return pd.to_datetime(text, dayfirst=day_first)


def cast(values: Sequence[Any], kind: str, day_first: bool = False) -> Any:
    """JSON values as an array of the type that such columns have in training."""
    gone = any(v is None for v in values)
    if kind == "number" and all(isinstance(v, bool) for v in values):
        return np.array(values, dtype=bool)
    if kind in ("number", "integer"):
        dtype = "int64" if kind == "integer" and not gone else "float64"
        return np.array([np.nan if v is None else v for v in values], dtype=dtype)
    if kind == "boolean":
        known = [None if v is None else bool(v) for v in values]
        return pd.array(known, dtype="boolean") if gone else np.array(known, dtype=bool)
    if kind == "date":
        stamps = [pd.NaT if v is None else as_time(v, day_first) for v in values]
        aware = any(getattr(s, "tzinfo", None) is not None for s in stamps)
        return pd.Series(stamps, dtype=object if aware else "datetime64[ns]").array
    if kind in ("text", "string"):
        return pd.array(list(values), dtype=pd.Series(["a"]).dtype)
    column = np.empty(len(values), dtype=object)
    column[:] = list(values)
    return column
