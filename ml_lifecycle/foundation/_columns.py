"""How raw columns become typed ones: numbers, booleans, datetimes, categories and text, by the type they came in."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from ml_lifecycle.foundation import _dates, _version
from ml_lifecycle.foundation._notes import Ask, Log, Note
from ml_lifecycle.foundation._strings import boolean, from_strings, number, timed
from ml_lifecycle.foundation._tables import Coded, Raw
from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.errors import BadInputError

_STRINGS = pd.Series(["a"]).dtype  # what this pandas holds strings in


@dataclass(frozen=True)
class Typed:
    """Columns of known kinds."""

    frame: pd.DataFrame
    kinds: dict[str, str]  # "number", "boolean", "datetime", "category" or "text"
    notes: list[Note]


def type_columns(
    raw: Raw,
    *,
    text: Collection[str] = (),  # columns that hold text, whatever they look like
    time: str | None = None,  # a column that holds times, even as 20240131 or 2024-01
    target: str | None = None,  # a column that may be empty: its roles are checked later
    drop: Collection[str] = (),  # columns left out unread
) -> Typed:
    """Type every column; raises BadInputError for one that holds no value, or no single values."""
    log = Log()
    for note in raw.notes:
        log.add("DSC011", note)
    done: dict[str, pd.Series] = {}
    kinds: dict[str, str] = {}
    empty = []
    for name, column in raw.columns.items():
        if name in drop:
            continue
        values, kinds[name] = _typed(column, Ask(name, log, raw.decimal, name in text, name == time, name == target))
        done[name] = values
        if name != target and not values.notna().any():
            empty.append(name)
    if empty:
        check_not_empty(empty)
    return Typed(pd.DataFrame(done, index=pd.RangeIndex(raw.rows)), kinds, log.all())


def retyped(frame: pd.DataFrame, text: Collection[str], time: str | None) -> Typed:
    """Typed columns whose roles change: categories that are to be text, numbers that are to be times."""
    log, kinds, columns = Log(), {}, {}
    for name in frame.columns:
        values = frame[name]
        kind = _version.kind_of(values)
        if kind == "string":
            category = isinstance(values.dtype, pd.CategoricalDtype)
            kinds[name] = "text" if name in text or not category else "category"
            values = values.astype(object).astype(_STRINGS) if category and name in text else values
        else:
            ask = Ask(name, log, time=name == time)
            values, kinds[name] = timed(values, ask) if kind == "number" else (values, kind)
        columns[name] = values
    return Typed(pd.DataFrame(columns, index=frame.index), kinds, log.all())


def check_not_empty(names: list[str], where: str = "") -> None:
    """Raise the one line about columns without any value."""
    quoted = ", ".join(f'"{name}"' for name in names) + ("," if len(names) == 1 else "")
    raise BadInputError(f"`data` must have at least one value in every column{where}. Got only missing values in "
                        f"{', '.join(map(shown, names[:6]))}{' …' if len(names) > 6 else ''}. Leave "
                        f"{'it' if len(names) == 1 else 'them'} out: drop=({quoted}) or --drop {','.join(names)}")


def _typed(column: Any, ask: Ask) -> tuple[pd.Series, str]:
    if isinstance(column, Coded):
        return from_strings(column, ask)
    if isinstance(column.dtype, pd.ArrowDtype):  # held as Arrow does: what the same column of a Parquet file becomes
        column = pa.chunked_array(pa.array(column)).to_pandas(date_as_object=False)
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _from_category(column, ask)
    if pd.api.types.is_bool_dtype(dtype):
        return boolean(column), "boolean"
    if pd.api.types.is_datetime64_any_dtype(dtype) or isinstance(dtype, pd.PeriodDtype):
        column = column.dt.to_timestamp() if isinstance(dtype, pd.PeriodDtype) else column
        return _dates.nanoseconds(column), "datetime"
    if pd.api.types.is_timedelta64_dtype(dtype):
        ask.log.add("DSC011", f"`{ask.name}` holds durations; they are read as seconds.")
        return column.dt.total_seconds(), "number"
    if pd.api.types.is_complex_dtype(dtype):
        raise BadInputError(f"`data` must hold real numbers. Got complex ones in {ask.name!r}. "
                            f'Leave it out: drop=("{ask.name}",) or --drop {ask.name}')
    if getattr(dtype, "kind", "") == "u" and bool((column.dropna() >= 2**63).any()):
        return _from_objects(column.astype(object), ask)
    if pd.api.types.is_numeric_dtype(dtype):
        return timed(number(column, ask), ask)
    return _from_objects(column, ask)


def _from_objects(column: pd.Series, ask: Ask) -> tuple[pd.Series, str]:
    """A column of Python objects, by what they are."""
    found = pd.api.types.infer_dtype(column, skipna=True)
    if found == "empty":
        return pd.Series(np.nan, index=column.index), "number"
    if found == "boolean":
        return boolean(column), "boolean"
    if found in ("integer", "mixed-integer") and _too_long(column):
        found = "mixed"
    if found in ("integer", "floating", "mixed-integer-float", "decimal"):
        return timed(number(pd.to_numeric(column.astype("float64") if found == "decimal" else column), ask), ask)
    if found in ("datetime", "datetime64", "date"):
        mixed = pd.to_datetime(column, errors="coerce", utc=any(getattr(v, "tzinfo", None) for v in column))
        return _dates.nanoseconds(mixed), "datetime"
    single = column.map(lambda v: v is None or isinstance(v, np.generic) or pd.api.types.is_scalar(v))
    if found == "bytes" or not single.all():
        value = column[~single].iloc[0] if not single.all() else column.dropna().iloc[0]
        raise BadInputError(
            f"`data` must hold one value in every cell. Got {type(value).__name__} in {ask.name!r} "
            f"({shown(value, 40)}). "
            f'Leave it out, or make columns of it: drop=("{ask.name}",) or --drop {ask.name}')
    strings = column if found == "string" else column.map(lambda v: v if pd.isna(v) else str(v))
    codes, uniques = pd.factorize(strings)
    return from_strings(Coded(codes, pa.array(_clean_text(uniques), pa.string())), ask)


def _too_long(column: pd.Series) -> bool:
    """Whether there are whole numbers that an int64 does not hold: labels, as they are in a file."""
    return any(isinstance(v, int) and not -2**63 <= v < 2**63 for v in column)


def _clean_text(values: Any) -> list[str]:
    """Strings that can be written as UTF-8: halves of surrogate pairs become question marks."""
    return [str(v).encode("utf-8", "replace").decode() for v in values]


def _from_category(column: pd.Series, ask: Ask) -> tuple[pd.Series, str]:
    plain = _version.uncategorised(column)
    if not isinstance(plain.dtype, pd.CategoricalDtype):  # of numbers, booleans or dates: as from a file
        if ask.target:
            return column, "category"
        values, kind = _typed(plain, ask)
        ask.log.add("DSC011", f"`{ask.name}` came as a category and is read as {kind}, as from a file. Make its values "
                              "text to keep them labels.")
        return values, kind
    known = pd.Index([str(label) for label in column.cat.categories], dtype=object)
    column = column.cat.rename_categories(known) if known.is_unique else column
    used = np.unique(column.cat.codes.to_numpy())
    coded = Coded(column.cat.codes.to_numpy().astype(np.int64), pa.array(_clean_text(known), pa.string()))
    values, kind = from_strings(coded, ask)
    if kind == "category" and list(values.cat.categories) == sorted(known[used[used >= 0]]):
        same = column.cat.remove_unused_categories()  # nothing changed: an order that was given stays
        return same, "category"
    return values, kind


