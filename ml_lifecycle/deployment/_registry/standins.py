"""What skops cannot store as it is (times, dicts with keys other than text) goes through a stand-in that turns back by itself."""

import copy
import datetime
import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

class _StandIn:
    """Stored as the call of its class with `args`; the call gives back the object itself."""

    args: tuple[Any, ...]

    @classmethod
    def holding(cls, *args: Any) -> "_StandIn":
        made = object.__new__(cls)
        made.args = args
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.args


class Pairs(_StandIn):
    """A dict whose keys or values JSON would change."""

    def __new__(cls, keys: Any, values: Any) -> Any:
        """The dict again; keys come as a list, or as JSON text when all of them are text."""
        return dict(zip(json.loads(keys) if isinstance(keys, str) else keys, values))


class Stamp(_StandIn):
    """A pandas Timestamp: whole units since 1970, the unit and the time zone."""

    def __new__(cls, value: int, unit: str, zone: Any) -> Any:
        """The time again, to the same resolution."""
        stamp = pd.Timestamp(value, unit=unit).as_unit(unit)
        return stamp if zone is None else stamp.tz_localize("UTC").tz_convert(zone)


class Span(_StandIn):
    """A pandas Timedelta."""

    def __new__(cls, value: int, unit: str) -> Any:
        """The span again, to the same resolution."""
        return pd.Timedelta(value, unit=unit).as_unit(unit)


class Range(_StandIn):
    """A pandas Interval."""

    def __new__(cls, left: Any, right: Any, closed: str) -> Any:
        """The interval again."""
        return pd.Interval(left, right, closed=closed)


class Zone(_StandIn):
    """A time zone that is known by its name."""

    def __new__(cls, name: str) -> Any:
        """The time zone as pandas gives it."""
        return pd.DatetimeTZDtype(tz=name).tz


class Gone(_StandIn):
    """One of pandas' values for what is missing."""

    def __new__(cls, name: str) -> Any:
        """The one of that name."""
        return {"NaT": pd.NaT, "NA": pd.NA}[name]


STAND_INS = (Pairs, Stamp, Span, Range, Zone, Gone)


def storable(root: Any) -> Any:
    """The object itself, or a copy of it with stand-ins where they are needed; the object is never changed."""
    memo: dict[int, Any] = {}
    begun: set[int] = set()

    def replace(item: Any) -> None:
        begun.add(id(item))
        for inner in walk(item):  # what lies inside comes first
            if id(inner) not in begun and _needs_one(inner):
                replace(inner)
        memo[id(item)] = _stand_in(item, lambda value: copy.deepcopy(value, memo))

    odd = [item for item in walk(root) if _needs_one(item)]
    for item in odd:
        if id(item) not in begun:
            replace(item)
    return copy.deepcopy(root, memo) if odd else root


def walk(root: Any) -> Iterator[Any]:
    """Every object that can be reached through attributes, containers and arrays of objects, each once, from the top."""
    seen: set[int] = set()
    todo = [root]
    while todo:
        item = todo.pop()
        if isinstance(item, (str, bytes, int, float, type, type(None))) or id(item) in seen:
            continue
        seen.add(id(item))
        yield item
        if isinstance(item, dict):
            todo += [*item.keys(), *item.values()]
        elif isinstance(item, (list, tuple, set, frozenset)):
            todo += list(item)
        elif isinstance(item, np.ndarray):
            todo += list(item.ravel()) if item.dtype == object else []
        elif not isinstance(item, (np.generic, pd.Timestamp, pd.Timedelta, pd.Interval)) and hasattr(item, "__dict__"):
            todo += list(vars(item).values())


def _needs_one(item: Any) -> bool:
    if isinstance(item, dict):
        return type(item) is dict and not _plain_dict(item)
    kinds = (pd.Timestamp, pd.Timedelta, pd.Interval, np.memmap)
    return item is pd.NaT or item is pd.NA or isinstance(item, kinds) or _named_zone(item)


def _plain_dict(item: dict[Any, Any]) -> bool:
    """Keys are texts or whole numbers of one kind; values that are numpy numbers would take a file each."""
    kinds = {type(key) for key in item}
    return kinds <= {str} and not (len(item) > 50 and _one_number_type(item)) or kinds == {int}


def _one_number_type(item: dict[Any, Any]) -> bool:
    kinds = {type(value) for value in item.values()}
    return len(kinds) == 1 and issubclass(next(iter(kinds)), (np.integer, np.floating))


def _named_zone(item: Any) -> bool:
    return isinstance(item, datetime.tzinfo) and type(item).__module__.split(".")[0] == "pytz"


def _stand_in(item: Any, copied: Callable[[Any], Any]) -> Any:
    if isinstance(item, dict):
        text = all(type(key) is str for key in item)
        values = list(item.values())
        return Pairs.holding(json.dumps(list(item)) if text else copied(list(item)),
                             np.array(values) if _one_number_type(item) else copied(values))
    if item is pd.NaT or item is pd.NA:
        return Gone.holding("NaT" if item is pd.NaT else "NA")
    if isinstance(item, pd.Timestamp):
        return Stamp.holding(_units(item), item.unit, _alone(item.tz))
    if isinstance(item, pd.Timedelta):
        return Span.holding(_units(item), item.unit)
    if isinstance(item, pd.Interval):
        return Range.holding(_alone(item.left), _alone(item.right), item.closed)
    return Zone.holding(str(item)) if _named_zone(item) else np.array(item)


def _alone(item: Any) -> Any:
    """A single value, or its stand-in."""
    return _stand_in(item, copy.deepcopy) if _needs_one(item) else item


def _units(item: Any) -> int:
    """Whole units of the resolution that the value has."""
    return int(np.asarray(item.asm8).astype("int64"))
