"""JSON for results: frames, missing and infinite numbers, times and tuples survive the way to a file and back."""

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.errors import BadInputError

SCHEMA = 1  # raised when a file written before can no longer be read as it is


def check_frame(frame: Any) -> None:
    """Raise one clear line unless a report can hold and write the frame."""
    if not isinstance(frame, pd.DataFrame):
        raise BadInputError(f"`frame` must be a pandas DataFrame. Got {shown(frame)}. Wrap it: pandas.DataFrame(...).")
    twice = list(dict.fromkeys(frame.columns[frame.columns.duplicated()]))
    if twice:
        raise BadInputError(f"`frame` must have distinct column names. Got {', '.join(map(shown, twice[:5]))} more than "
                            "once. Rename the copies.")


def plain(value: Any) -> Any:
    """The value with numpy and pandas scalars as Python's own, tuples and arrays as lists, keys as text."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in (sorted(value, key=str) if isinstance(value, (set, frozenset)) else value)]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if value is pd.NaT or value is pd.NA:
        return None
    if value is None or isinstance(value, (bool, int, float, str, pd.Timestamp)):
        return value
    return str(value)


def _tagged(value: Any) -> Any:
    """The value in JSON's own types; what JSON lacks is tagged with a key that starts with a dollar sign."""
    if isinstance(value, pd.DataFrame):
        check_frame(value)
        return {"$frame": [{"name": _tagged(plain(n)), "dtype": str(value[n].dtype), "values": _tagged(list(value[n]))}
                           for n in value.columns], "rows": len(value)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _tagged(getattr(value, f.name)) for f in dataclasses.fields(value)}
    value = value if isinstance(value, Mapping) else plain_one(value)
    if isinstance(value, Mapping):
        return {_escaped(str(key)): _tagged(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_tagged(item) for item in value]
    if isinstance(value, pd.Timestamp):
        return {"$time": value.isoformat()}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$number": str(value)}
    return value


def plain_one(value: Any) -> Any:
    """One level of `plain`: containers keep their items as they are."""
    return list(value) if isinstance(value, (list, tuple)) else plain(value)


def _untagged(value: Any) -> Any:
    if isinstance(value, list):
        return [_untagged(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "$time" in value:
        return pd.Timestamp(value["$time"])
    if "$number" in value:
        return float(value["$number"])
    if "$frame" in value:
        columns = {tuples(_untagged(c["name"])): _column(c["dtype"], _untagged(c["values"])) for c in value["$frame"]}
        return pd.DataFrame(columns, index=pd.RangeIndex(value["rows"]))
    return {key.removeprefix("$"): _untagged(item) for key, item in value.items()}


def _escaped(key: str) -> str:
    """A key of the data that starts with a dollar sign is no tag."""
    return f"${key}" if key.startswith("$") else key


def _column(dtype: str, values: list[Any]) -> pd.Series:
    if dtype == "object":
        return pd.Series([tuples(v) for v in values], dtype=object)
    return pd.Series(values).astype(dtype) if values else pd.Series(values, dtype=dtype)


def tuples(value: Any) -> Any:
    """The value with every list as a tuple: typed fields of a report hold tuples only."""
    if isinstance(value, list):
        return tuple(tuples(item) for item in value)
    if isinstance(value, dict):
        return {key: tuples(item) for key, item in value.items()}
    return value


def dump(value: Any) -> str:
    """Text that a person can read and diff."""
    return json.dumps(_tagged(value), indent=1, ensure_ascii=False, allow_nan=False)


def load(text: str) -> Any:
    """The value of such a text; raises ValueError when it is not JSON."""
    return _untagged(json.loads(text))


def digest(text: str) -> str:
    """A short, stable name for a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]
