"""Are these the columns and values that a version takes? Then as a frame of the types that it was trained on."""

import datetime
import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..foundation._words import shown
from ..foundation.errors import did_you_mean
from ._serve_body import Refused, shortened

_WHAT = {"number": "a number", "integer": "a whole number", "boolean": "true or false", "category": "a text, a number or true or "
         "false", "string": "a text", "date": 'a date such as "2024-05-31"', "text": "a text"}


class Contract:
    """What a version takes: columns by name, each of a kind; and the schema when it was registered with one."""

    def __init__(self, kinds: Mapping[Any, str], schema: Any = None, *, beside: Sequence[str] = (),
                 day_first: frozenset[str] = frozenset()) -> None:
        self.names = {str(name): name for name in kinds}  # JSON knows names that are text only
        self.kinds = {str(name): kind for name, kind in kinds.items()}
        self.schema, self.day_first = schema, day_first
        self.beside = frozenset(beside)  # columns of the schema that the model does not look at: they may come, and are left out

    def frame(self, records: Sequence[Mapping[str, Any]], also: frozenset[str] = frozenset()) -> pd.DataFrame:
        """The records as a frame; raises Refused with one message for each broken rule. `also` are other columns that may come."""
        also = also - self.kinds.keys() - self.beside if self.kinds else frozenset()
        if also:
            records = [{name: value for name, value in record.items() if name not in also} for record in records]
        wrong: list[str] = []
        for position, record in enumerate(records):
            wrong += [f"Record {position}: {message}" for message in self._problems(record)]
            if len(wrong) > 100:
                break
        if wrong:
            raise Refused(422, *shortened(wrong))
        if not self.kinds:
            return pd.DataFrame(list(records))
        columns: dict[Any, Any] = {}
        for name, kind in self.kinds.items():
            try:
                columns[self.names[name]] = cast([record[name] for record in records], kind,
                                                 name in self.day_first)
            except (ValueError, TypeError, OverflowError) as error:
                raise Refused(422, f"`{name}` must be {_WHAT.get(kind, 'a value')}. Got one that is not: "
                                   f"{str(error).splitlines()[0][:120]}") from None
        return pd.DataFrame(columns, index=pd.RangeIndex(len(records)))

    def _problems(self, record: Mapping[str, Any]) -> list[str]:
        """Broken rules of one record: names first, then types, then what the schema says."""
        if not self.kinds:
            return []
        missing = [name for name in self.kinds if name not in record]
        found = [f"`{name}` must be given. Got nothing. Send null if it is not known." for name in missing]
        found += [f"`{name[:60]}` must be a column of the model. Got a name that is not. {did_you_mean(name, self.kinds)}"
                  for name in record if name not in self.kinds and name not in self.beside]
        found += [message for name, value in record.items() if name in self.kinds
                  for message in _type_problem(name, value, self.kinds[name], name in self.day_first)]
        if self.schema is not None and not found:
            found += [" ".join(str(m).split()) for m in self.schema.validate_record(dict(record))]
        return found


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
