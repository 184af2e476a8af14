"""The content of a frame as one hash: the same wherever and however the same values are held."""

import hashlib
from typing import Any

import numpy as np
import pandas as pd

EXACT = 2.0 ** 63  # whole numbers below it are hashed as whole numbers, whatever type holds them


def uncategorised(values: pd.Series) -> pd.Series:
    """Categories that are numbers, booleans or dates as such; other columns as they are."""
    if not isinstance(values.dtype, pd.CategoricalDtype):
        return values
    dtype: Any = values.cat.categories.dtype
    if isinstance(dtype, pd.ArrowDtype) or pd.api.types.is_bool_dtype(dtype) or getattr(dtype, "kind", "O") in "iufmM":
        missing = bool(values.isna().any())
        if missing and pd.api.types.is_bool_dtype(dtype):
            dtype = "boolean"
        elif missing and isinstance(dtype, np.dtype) and dtype.kind in "iu":
            dtype = "float64"
        return values.astype(dtype)
    if pd.api.types.infer_dtype(values.cat.categories) == "boolean":
        return values.astype("boolean")
    return values


def kind_of(values: pd.Series) -> str:
    """What a column holds: "number", "boolean", "datetime" or "string"."""
    dtype = values.dtype
    if pd.api.types.is_bool_dtype(dtype) and not isinstance(dtype, pd.CategoricalDtype):
        return "boolean"
    if pd.api.types.is_numeric_dtype(dtype):
        return "number"
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return "datetime"
    return "string"


def content_hash(
    frame: pd.DataFrame,  # numbers, booleans, datetimes, strings and categories
) -> str:  # 64 hexadecimal digits
    """SHA-256 over the columns in the order of their names: name, kind, and values in the order of the rows."""
    total = hashlib.sha256(f"rows {len(frame)}\n".encode())
    for name in sorted(map(str, frame.columns)):
        total.update(f"{len(name)} {name} ".encode("utf-8", "surrogatepass"))
        total.update(column_hash(frame[name]))
    return total.hexdigest()


def column_hash(values: pd.Series) -> bytes:
    """SHA-256 of one column's kind and values."""
    values = uncategorised(values)
    kind = kind_of(values)
    digest = hashlib.sha256(kind.encode())
    for part in {"number": _number, "boolean": _boolean, "datetime": _datetime, "string": _string}[kind](values):
        digest.update(part)
    return digest.digest()


def _number(values: pd.Series) -> list[bytes]:
    if pd.api.types.is_extension_array_dtype(values.dtype):
        values = values.astype("int64" if values.dtype.kind in "i" and not values.isna().any() else "float64")
    array = values.to_numpy()
    if array.dtype.kind in "iu" and array.dtype != np.uint64:
        return [b"i", bytes(len(array) // 8 + 1), array.astype("<i8").tobytes()]
    array = array.astype("float64")
    missing = np.isnan(array)
    filled = np.where(missing, 0.0, array) + 0.0  # + 0.0 makes one zero of the two
    mask = np.packbits(missing, bitorder="little").tobytes().ljust(len(array) // 8 + 1, b"\0")
    if bool(np.all(np.abs(filled) < EXACT)) and bool(np.all(filled == np.floor(filled))):
        return [b"i", mask, filled.astype("<i8").tobytes()]
    return [b"f", mask, filled.astype("<f8").tobytes()]


def _boolean(values: pd.Series) -> list[bytes]:
    if values.dtype == bool:
        return [values.to_numpy().astype("i1").tobytes()]
    return [values.astype("boolean").to_numpy(dtype="i1", na_value=-1).tobytes()]


def _datetime(values: pd.Series) -> list[bytes]:
    aware = values.dt.tz is not None
    plain = values.dt.tz_convert("UTC").dt.tz_localize(None) if aware else values
    return [b"utc" if aware else b"naive", plain.astype("datetime64[ns]").to_numpy().astype("<i8").tobytes()]


def _string(values: pd.Series) -> list[bytes]:
    """The distinct strings in the order in which they first come, and for every row which of them it holds."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        codes, seen = pd.factorize(values.cat.codes.to_numpy().astype("int64"), use_na_sentinel=False)
        known = values.cat.categories
        codes, distinct = _without_missing(codes, seen), [known[i] for i in seen if i >= 0]
    else:
        codes, uniques = pd.factorize(values)
        distinct = list(uniques)
    texts = [(v if isinstance(v, str) else str(v)).encode("utf-8", "surrogatepass") for v in distinct]
    return [codes.astype("<i8").tobytes(), str([len(t) for t in texts]).encode(), *texts]


def _without_missing(codes: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Codes of distinct values with the missing one (-1 in `seen`) as -1 and the others numbered without it."""
    place = np.full(len(seen), -1, dtype="int64")
    place[seen >= 0] = np.arange(int((seen >= 0).sum()))
    return place[codes]
