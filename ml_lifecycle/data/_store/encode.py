"""Frames as Parquet and back, exact to the dtype: what Parquet cannot hold is refused before anything is written."""

import datetime
import io
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.errors import BadInputError

HELD = (str, bool, datetime.date)  # what the values of an object column may be, all of one kind


def encode(frame: pd.DataFrame) -> tuple[bytes, dict[str, Any]]:
    """(Parquet bytes, what brings the frame back exactly); raises BadInputError for what cannot be held."""
    columns = [_encode(frame.iloc[:, i], str(frame.columns[i])) for i in range(frame.shape[1])]
    levels = [] if _is_range(frame.index) else \
        [_encode(pd.Series(frame.index.get_level_values(i)), "the index") for i in range(frame.index.nlevels)]
    names = _field_names(frame)
    arrays = [*(array for array, _ in columns), *(array for array, _ in levels)]
    table = pa.table(arrays, names=[*names, *(f"__index_level_{i}__" for i in range(len(levels)))])
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    layout = {
        "columns": [{"name": _name(label), **kind} for label, (_, kind) in zip(frame.columns, columns)],
        "column_names": [_name(label) for label in frame.columns.names], "column_dtype": _index_dtype(frame.columns),
        "index": {"names": [_name(label) for label in frame.index.names], "levels": [kind for _, kind in levels],
                  "freq": getattr(frame.index, "freqstr", None) if isinstance(frame.index, pd.DatetimeIndex) else None,
                  "range": [frame.index.start, frame.index.stop, frame.index.step] if _is_range(frame.index) else None},
    }
    data = buffer.getvalue()
    _check_same(decode(data, layout), frame)
    return data, layout


def decode(data: bytes, layout: dict[str, Any]) -> pd.DataFrame:
    """The frame that was encoded."""
    table = pq.read_table(io.BytesIO(data), use_threads=False, pre_buffer=False)
    kinds, levels = layout["columns"], layout["index"]["levels"]
    series = [_decode(table.column(i), kind) for i, kind in enumerate(kinds)]
    if layout["index"]["range"] is not None:
        index: pd.Index = pd.RangeIndex(*layout["index"]["range"], name=_label(layout["index"]["names"][0]))
    else:
        parts = [pd.Index(_decode(table.column(len(kinds) + i), kind)) for i, kind in enumerate(levels)]
        names = [_label(name) for name in layout["index"]["names"]]
        index = parts[0].rename(names[0]) if len(parts) == 1 else pd.MultiIndex.from_arrays(parts, names=names)
        if layout["index"]["freq"] is not None and isinstance(index, pd.DatetimeIndex):
            index = pd.DatetimeIndex(index, freq=layout["index"]["freq"])
    frame = pd.DataFrame(dict(enumerate(s.set_axis(index) for s in series)), index=index)
    labels = [_label(kind["name"]) for kind in kinds]
    if layout["column_dtype"] == "multi":
        frame.columns = pd.MultiIndex.from_tuples(labels, names=[_label(name) for name in layout["column_names"]])
    elif layout["column_dtype"] == "range":
        step = labels[1] - labels[0] if len(labels) > 1 else 1
        frame.columns = pd.RangeIndex(labels[0], labels[-1] + step, step, name=_label(layout["column_names"][0]))
    else:
        frame.columns = pd.Index(labels, dtype=layout["column_dtype"], name=_label(layout["column_names"][0]), tupleize_cols=False)
    return frame


def _is_range(index: pd.Index) -> bool:
    return isinstance(index, pd.RangeIndex)


def _index_dtype(columns: pd.Index) -> str:
    if isinstance(columns, pd.MultiIndex):
        return "multi"
    if _is_range(columns):
        return "range"
    if isinstance(columns.dtype, pd.CategoricalDtype) or columns.dtype.kind in "mM":
        raise BadInputError(f"`data` must have column names that are texts or numbers. Got names of type {columns.dtype}. "
                            "Rename them: frame.columns = frame.columns.astype(str).")
    return str(columns.dtype)


def _field_names(frame: pd.DataFrame) -> list[str]:
    names = [str(name).encode("utf-8", "replace").decode() for name in frame.columns]
    return names if len(set(names)) == len(names) else [f"{i}: {name}" for i, name in enumerate(names)]


def _name(label: Any) -> Any:
    """A column name as JSON holds it."""
    if isinstance(label, tuple):
        return {"tuple": [_name(part) for part in label]}
    label = label.item() if isinstance(label, np.generic) else label
    if isinstance(label, float) and label != label:
        return {"nan": True}
    if label is None or isinstance(label, (str, bool, int, float)):
        return label
    raise BadInputError(f"`data` must have column names that are texts or numbers. Got {shown(label)}. Rename it: "
                        "frame.columns = frame.columns.astype(str).")


def _label(name: Any) -> Any:
    if isinstance(name, dict):
        return tuple(map(_label, name["tuple"])) if "tuple" in name else np.nan
    return name


def _encode(values: pd.Series, name: str) -> tuple[pa.Array, dict[str, Any]]:
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        labels, kind = _encode(pd.Series(dtype.categories), name)
        listed = [str(v) for v in labels.to_pylist()] if kind["dtype"] in ("object", "str", "string") else None
        held = {"dtype": "category", "ordered": bool(dtype.ordered), "of": kind, "labels": listed,
                "hex": None if listed is not None else _small(labels).hex()}
        return pa.array(values.cat.codes.to_numpy().astype("int32")), held
    if pd.api.types.is_object_dtype(dtype):
        return _encode_objects(values, name)
    if isinstance(dtype, pd.SparseDtype) or getattr(dtype, "kind", "") == "c":
        raise _refused(name, f"type {dtype}", "Make it plain: frame.astype({...: float}).")
    try:
        array = pa.array(values.to_numpy().astype("float32") if dtype == np.float16 else values, from_pandas=False) \
            if isinstance(dtype, np.dtype) and dtype.kind == "f" else pa.array(values)
        array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
        if pa.types.is_timestamp(array.type) and array.type.unit == "s":
            array = array.cast(pa.timestamp("ms", array.type.tz))
        if pa.types.is_duration(array.type):
            array = array.cast(pa.int64())
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise _refused(name, f"type {dtype} ({' '.join(str(error).split())[:80]})", "Make it text or numbers first.") from None
    return array, {"dtype": str(dtype)}


def _encode_objects(values: pd.Series, name: str) -> tuple[pa.Array, dict[str, Any]]:
    """An object column whose values are all texts, all booleans or all dates, and what stands for a missing one."""
    absent = values.isna().to_numpy()
    there = values[~absent]
    kinds = {type(v) for v in there}
    gaps = {_gap(v) for v in values[absent]}
    kind = next((k.__name__ for k in HELD if kinds == {k}), "str" if not kinds else None)
    if kind is None or len(gaps) > 1:
        found = sorted(k.__name__ for k in kinds) if kind is None else sorted(gaps)
        raise _refused(name, f"objects of type {', '.join(found[:4])}" if kind is None else f"{' and '.join(found)} for missing",
                       "Make them all text: frame[name].astype(str)." if kind is None else "Use one: frame[name].fillna(...).")
    listed = [None if gone else v for v, gone in zip(values, absent)]
    try:
        array = pa.array(listed, {"str": pa.large_string(), "bool": pa.bool_(), "date": pa.date32()}[kind])
    except (pa.ArrowException, UnicodeEncodeError) as error:
        raise _refused(name, f"text that is no Unicode ({type(error).__name__})", "Clean it: str.encode('utf-8', "
                            "'replace').") from None
    return array, {"dtype": "object", "gap": next(iter(gaps), "None")}


def _gap(value: Any) -> str:
    return "None" if value is None else "NaT" if value is pd.NaT else "NA" if value is pd.NA else "nan"


def _refused(name: str, what: str, remedy: str) -> BadInputError:
    return BadInputError(f"`data` must hold values that Parquet can hold. Got {what} in {shown(name)}. {remedy}")


def _small(array: pa.Array) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table([array], names=["labels"]), buffer)
    return buffer.getvalue()


def _decode(column: pa.ChunkedArray, kind: dict[str, Any]) -> pd.Series:
    if kind["dtype"] == "category":
        if kind["labels"] is not None:
            labels = pa.chunked_array([pa.array(kind["labels"], pa.large_string())])
        else:
            labels = pq.read_table(io.BytesIO(bytes.fromhex(kind["hex"])), use_threads=False, pre_buffer=False).column(0)
        categories = pd.Index(_decode(labels, kind["of"])).rename(None)
        return pd.Series(pd.Categorical.from_codes(column.to_numpy(), categories=categories, ordered=kind["ordered"]))
    if kind["dtype"] == "object":
        gap = {"None": None, "NaT": pd.NaT, "NA": pd.NA, "nan": np.nan}[kind["gap"]]
        listed = np.empty(len(column), dtype=object)
        listed[:] = [gap if v is None else v for v in column.to_pylist()]
        return pd.Series(listed, dtype=object)
    dtype = pd.api.types.pandas_dtype(kind["dtype"])
    if hasattr(dtype, "__from_arrow__") and not isinstance(dtype, pd.DatetimeTZDtype):
        return pd.Series(dtype.__from_arrow__(column))
    if dtype.kind == "m":
        return pd.Series(column.to_pandas(use_threads=False).to_numpy().astype("int64") if not column.null_count else
                         column.fill_null(np.iinfo("int64").min).to_numpy()).astype(dtype)
    if dtype.kind == "f":
        return pd.Series(column.to_numpy()).astype(dtype)
    return column.to_pandas(use_threads=False).astype(dtype)


def _check_same(back: pd.DataFrame, frame: pd.DataFrame) -> None:
    """Raise unless the frame that comes back is the one that was given: nothing is kept that would come back changed."""
    for i, name in enumerate(frame.columns):
        one, other = frame.iloc[:, i], back.iloc[:, i]
        if one.dtype != other.dtype or not one.reset_index(drop=True).equals(other.reset_index(drop=True)):
            raise _refused(str(name), f"type {one.dtype}, which comes back changed,", "Make it text, numbers or dates first.")
    same_names = list(map(repr, back.columns)) == list(map(repr, frame.columns))
    if not same_names or not back.index.equals(frame.index) or back.index.dtype != frame.index.dtype:
        raise BadInputError(f"`data` must have an index that Parquet can hold. Got one of type {frame.index.dtype}, which "
                            "comes back "
                            "changed. Make it a column: frame.reset_index().")
