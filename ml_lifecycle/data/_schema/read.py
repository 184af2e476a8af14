"""Columns as a schema reads them: each value as the type that is expected, or as one that cannot be read so."""

import datetime
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ml_lifecycle.data._schema.rule import ColumnRule
from ml_lifecycle.foundation import _columns, _roles, _strings, _tables, _version
from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.dataset import Dataset, load_dataset
from ml_lifecycle.foundation.errors import BadInputError
from ml_lifecycle.foundation.loading import open_raw

KIND_OF_ROLE = {"numeric": "number", "categorical": "category", "boolean": "boolean", "datetime": "datetime", "text": "text"}


@dataclass(frozen=True)
class Read:
    """One column, read."""

    values: pd.Series  # positional; numbers as float64, times without zone, categories and text as strings
    absent: np.ndarray  # no value
    unreadable: np.ndarray  # a value that is not of the type


def raw_columns(data: Any) -> tuple[dict[str, pd.Series], pd.Index]:
    """The columns as they came, by name, and the rows' labels."""
    if isinstance(data, Dataset):
        return {str(name): data.frame[name] for name in data.frame.columns}, data.frame.index
    if not isinstance(data, pd.DataFrame):
        raw = open_raw(data)[0]
        columns = {name: _plain(column) for name, column in raw.columns.items()}
        if raw.decimal == ",":  # as numbers, before the mark is forgotten
            typed = _columns.type_columns(raw, drop=[name for name, column in columns.items() if column.isna().all()])
            columns |= {name: typed.frame[name] for name, kind in typed.kinds.items() if kind == "number"}
        return columns, pd.RangeIndex(raw.rows)
    if not data.shape[1]:
        raise BadInputError("`data` must have columns. Got a DataFrame without any. Bring the columns of the schema.")
    names = _tables.check_names(data.columns, "the DataFrame") if not isinstance(data.columns, pd.MultiIndex) else None
    if names is None:
        _tables.from_frame(data)  # raises its line
    return {name: data.iloc[:, i] for i, name in enumerate(names or ())}, data.index


def _plain(column: Any) -> pd.Series:
    """A raw column of a file as a Series of strings."""
    return _strings.objects(column) if isinstance(column, _tables.Coded) else column


def typed_columns(data: Any, target: str | None) -> tuple[pd.DataFrame, dict[str, str], dict[str, str], dict[str, pd.Series]]:
    """(typed columns, kind of each, role of each, columns as they came) of whatever `infer_schema` takes."""
    if not isinstance(data, (pd.DataFrame, Dataset)) or target is not None:
        data = load_dataset(data, target=target)
    if isinstance(data, Dataset):
        kinds = {name: _kind(data.frame[name]) for name in data.frame.columns}
        kinds |= {name: kind for role, kind in KIND_OF_ROLE.items() for name in data.roles[role]}
        roles = {data.roles[role]: role for role in ("group", "time", "target") if data.roles[role]}
        return data.frame.reset_index(drop=True), kinds, {**dict.fromkeys(data.roles["id"], "id"), **roles}, {}
    raw, _ = raw_columns(data)
    if not len(data):
        raise BadInputError("`data` must have rows to infer a schema from. Got none. Bring rows.")
    frame, kinds = _typed(raw, len(data))
    known = {name: kind for name, kind in kinds.items() if frame[name].notna().any()}
    ids = _roles.find_ids(frame[list(known)], known, set()) if len(data) >= _roles.FEWEST_ROWS else {}
    return frame, kinds, dict.fromkeys(ids, "id"), raw


def _typed(raw: dict[str, pd.Series], rows: int) -> tuple[pd.DataFrame, dict[str, str]]:
    """Every column typed by itself, as `load_dataset` does; empty ones are text that is never there."""
    columns, kinds = {}, {}
    for name, column in raw.items():
        _one_value(name, column)
        typed = type_one(name, column)
        columns[name], kinds[name] = typed if typed[0].notna().any() else (typed[0].astype(object), "text")
    return pd.DataFrame(columns, index=pd.RangeIndex(rows)), kinds


def _one_value(name: str, column: pd.Series) -> None:
    """Raise for a column of lists, dicts and the like."""
    if pd.api.types.is_object_dtype(column.dtype):
        odd = next((v for v in column if not pd.api.types.is_hashable(v)), None)
        if odd is not None:
            raise BadInputError(f"`data` must hold one value in every cell. Got {type(odd).__name__} in {name!r} "
                                f"({shown(odd, 40)}). Leave it out, or make columns of it.")


def type_one(name: str, column: pd.Series, time: bool = False) -> tuple[pd.Series, str]:
    """One column typed as `load_dataset` types it; one without any value is allowed."""
    raw = _tables.Raw({name: column.reset_index(drop=True)}, len(column))
    typed = _columns.type_columns(raw, time=name if time else None, target=None if given_values(column).any() else name)
    return typed.frame[name], typed.kinds[name]


def _kind(values: pd.Series) -> str:
    kind = _version.kind_of(values)
    return ("category" if isinstance(values.dtype, pd.CategoricalDtype) else "text") if kind == "string" else kind


def labels_of(values: pd.Series) -> pd.Series:
    """Values as the text of labels: 3, not 3.0; missing ones stay missing."""
    absent = values.isna().to_numpy()
    codes, uniques = pd.factorize(values.to_numpy(dtype=object), use_na_sentinel=True)
    texts = np.array([*map(_label, uniques), None], dtype=object)
    return pd.Series(texts[np.where(absent, -1, codes)], dtype=object)


def _label(value: Any) -> str:
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value).encode("utf-8", "replace").decode().strip()


def read_as(raw: pd.Series, rule: ColumnRule) -> Read:
    """A column read as the type of its rule."""
    raw = _hashable(raw.reset_index(drop=True))
    given = given_values(raw)
    if rule.type in ("text", "category"):
        values = labels_of(raw)
    else:
        values = {"datetime": _times, "boolean": _booleans}.get(rule.type, _numbers)(raw, rule)
    found = values.notna().to_numpy()
    if rule.type == "integer":
        with np.errstate(invalid="ignore"):
            found = found & ~(values.to_numpy() % 1 != 0)
    return Read(values, ~given, given & ~found)


def _hashable(raw: pd.Series) -> pd.Series:
    """The column with lists and the like as their text: they are told apart by it, and no type reads them."""
    if not pd.api.types.is_object_dtype(raw.dtype):
        return raw
    try:
        pd.factorize(raw)
    except TypeError:
        known = (str, int, float, bool, datetime.date, type(None))
        return raw.map(lambda v: v if isinstance(v, known) else str(v)).astype(object)
    return raw


def given_values(raw: pd.Series) -> np.ndarray:
    """Which rows hold a value: not missing, and not one of the strings that stand for missing."""
    there = raw.notna().to_numpy()
    if _is_numeric(raw) or pd.api.types.is_datetime64_any_dtype(raw.dtype) or pd.api.types.is_bool_dtype(raw.dtype):
        return there
    codes, uniques = pd.factorize(raw.astype(object))
    stands = np.array([isinstance(v, str) and (v.strip().lower() in _strings.MISSING or v.strip() == "None")
                       for v in uniques] + [False], dtype=bool)
    if any(isinstance(v, str) and v.strip() == "+" for v in uniques):  # then - is its counterpart
        stands &= ~np.array([isinstance(v, str) and v.strip() in ("-", "--") for v in uniques] + [False], dtype=bool)
    return there & ~stands[codes]


def _is_numeric(raw: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(raw.dtype) and not pd.api.types.is_complex_dtype(raw.dtype) \
        and not pd.api.types.is_bool_dtype(raw.dtype)


def _typed_or_none(raw: pd.Series, rule: ColumnRule, kind: str) -> pd.Series | None:
    """The column as `load_dataset` reads it, where that gives the kind."""
    if raw.isna().all():
        return None
    try:
        typed, found = type_one(rule.name, raw, time=rule.role == "time" and kind == "datetime")
    except BadInputError:
        return None
    return typed.reset_index(drop=True) if found == kind else None


def _numbers(raw: pd.Series, rule: ColumnRule) -> pd.Series:
    if _is_numeric(raw) or pd.api.types.is_timedelta64_dtype(raw.dtype):
        values = raw.dt.total_seconds() if pd.api.types.is_timedelta64_dtype(raw.dtype) else raw
        array = values.to_numpy(dtype="float64", na_value=np.nan)
        return pd.Series(np.where(np.isinf(array), np.nan, array))
    if pd.api.types.is_bool_dtype(raw.dtype) or pd.api.types.is_datetime64_any_dtype(raw.dtype):
        return pd.Series(np.nan, index=raw.index)
    typed = _typed_or_none(raw, rule, "number")
    if typed is not None:
        return typed.astype("float64")
    array = np.array([_number(v) for v in raw], dtype="float64")
    return pd.Series(np.where(np.isinf(array), np.nan, array))


def _number(value: Any) -> float:
    if isinstance(value, (bool, np.bool_)):
        return np.nan
    try:
        return float(value.strip() if isinstance(value, str) else value)
    except (TypeError, ValueError, OverflowError):
        return np.nan


def _times(raw: pd.Series, rule: ColumnRule) -> pd.Series:
    if pd.api.types.is_datetime64_any_dtype(raw.dtype):
        return no_zone(raw)
    if rule.day_first is not None:
        return no_zone(_parsed(raw, rule.day_first))
    typed = _typed_or_none(raw, rule, "datetime")
    if typed is not None:
        return no_zone(typed)
    if _is_numeric(raw):
        return pd.Series(pd.NaT, index=raw.index)
    return no_zone(_parsed(raw, False))


def _parsed(raw: pd.Series, day_first: bool) -> pd.Series:
    codes, uniques = pd.factorize(raw.astype(object))
    texts = [str(v) if isinstance(v, (str, datetime.date, np.datetime64)) else None for v in uniques]
    times = pd.to_datetime(pd.Series([*texts, None], dtype=object), errors="coerce", dayfirst=day_first, format="mixed", utc=True)
    return times.iloc[codes].reset_index(drop=True)


def no_zone(times: pd.Series) -> pd.Series:
    plain = times.dt.tz_convert("UTC").dt.tz_localize(None) if getattr(times.dtype, "tz", None) is not None else times
    return plain.astype("datetime64[us]")


def _booleans(raw: pd.Series, rule: ColumnRule) -> pd.Series:
    known = {True: 1.0, False: 0.0, "true": 1.0, "false": 0.0}
    codes, uniques = pd.factorize(raw.astype(object))
    values = [known.get(v.strip().lower() if isinstance(v, str) else v, np.nan) if not isinstance(v, (list, dict)) else np.nan
              for v in uniques]
    return pd.Series(np.array([*values, np.nan])[codes])

