"""What a Dataset is besides its frame, as JSON and back."""

from typing import Any

import numpy as np
import pandas as pd

from ml_lifecycle.foundation import _notes, _version
from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.dataset import Dataset
from ml_lifecycle.foundation.errors import BadInputError

def describe(data: Dataset) -> dict[str, Any]:
    """Task, roles, classes and notes as plain values."""
    return {
        "task": data.task, "name": data.name, "source": data.source, "roles": _pack(dict(data.roles)),
        "classes": _pack(tuple(data.classes)), "positive": _pack(data.positive),
        "notes": [[getattr(note, "code", None), str(note)] for note in data.notes],
    }


def restore(frame: pd.DataFrame, about: dict[str, Any]) -> Dataset:
    """The Dataset that was described."""
    notes = tuple(_notes.Note(code, text) if code else text for code, text in about["notes"])
    return Dataset(frame=frame, task=about["task"], roles=_unpack(about["roles"]), name=about["name"], source=about["source"],
                   notes=notes, classes=_unpack(about["classes"]), positive=_unpack(about["positive"]))


def version_of(frame: pd.DataFrame) -> str:
    """A hash of the content, as `Dataset.version`: names, kinds and values in the order of the rows."""
    names = [str(name) for name in frame.columns]
    twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if twice is not None:
        raise BadInputError(f"`data` must have distinct column names. Got {shown(twice)} more than once. Rename the copies.")
    return _version.content_hash(_hashable(frame.set_axis(names, axis=1)))[:16]


def _hashable(frame: pd.DataFrame) -> pd.DataFrame:
    """Durations, periods and intervals as text: the hash knows numbers, booleans, times and strings."""
    odd = [i for i, dtype in enumerate(frame.dtypes) if getattr(dtype, "kind", "O") == "m"
           or isinstance(dtype, (pd.PeriodDtype, pd.IntervalDtype)) or pd.api.types.is_complex_dtype(dtype)]
    if not odd:
        return frame
    return pd.DataFrame({name: frame.iloc[:, i].astype(str) if i in odd else frame.iloc[:, i]
                         for i, name in enumerate(frame.columns)}, index=frame.index)


def _pack(value: Any) -> Any:
    if isinstance(value, dict):
        return {"dict": {str(key): _pack(item) for key, item in value.items()}}
    if isinstance(value, (tuple, list)):
        return {"tuple" if isinstance(value, tuple) else "list": [_pack(item) for item in value]}
    value = value.item() if isinstance(value, np.generic) and not isinstance(value, (np.datetime64, np.timedelta64)) else value
    if isinstance(value, (pd.Timestamp, np.datetime64)):
        return {"time": pd.Timestamp(value).isoformat()}
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    raise BadInputError(f"`data` must have roles and classes of plain values. Got {shown(value)}. Load it with load_dataset.")


def _unpack(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    kind, held = next(iter(value.items()))
    if kind == "dict":
        return {key: _unpack(item) for key, item in held.items()}
    if kind == "time":
        return pd.Timestamp(held)
    items = [_unpack(item) for item in held]
    return tuple(items) if kind == "tuple" else items
