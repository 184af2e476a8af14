"""Rows and columns by what they hold, whatever type holds it: for comparing tables."""

import numpy as np
import pandas as pd

from ml_lifecycle.foundation import _version

MIX = np.uint64(0x9E3779B97F4A7C15)  # the golden ratio, as a multiplier that spreads bits
GONE = np.uint64(0x5851F42D4C957F2D)  # stands for a missing value


def plain(values: pd.Series) -> pd.Series:
    """A column as floats, times without zone, or text, so that equal values are equal in both tables."""
    values = _version.uncategorised(values).reset_index(drop=True)
    if pd.api.types.is_bool_dtype(values.dtype) and not isinstance(values.dtype, pd.CategoricalDtype):
        return values.astype("boolean").astype(object).map({True: "True", False: "False"}).astype(object)
    if pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_complex_dtype(values.dtype):
        return pd.Series(values.to_numpy(dtype="float64", na_value=np.nan) + 0.0)
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        times = values.dt.tz_convert("UTC").dt.tz_localize(None) if getattr(values.dtype, "tz", None) is not None else values
        return times.astype("datetime64[us]")
    codes, uniques = pd.factorize(values)
    texts = np.array([*map(str, uniques), None], dtype=object)
    return pd.Series(texts[codes], dtype=object)


def column_hash(values: pd.Series) -> np.ndarray:
    """One hash for each value of a column; equal values have equal ones in every table."""
    values = _version.uncategorised(values)
    if isinstance(values.dtype, pd.CategoricalDtype):
        labels = pd.util.hash_array(np.array([*map(str, values.cat.categories), ""], dtype=object), categorize=False)
        labels[-1] = GONE
        return labels[values.cat.codes.to_numpy()]
    one = plain(values)
    if one.dtype == object:
        codes, uniques = pd.factorize(one)
        labels = pd.util.hash_array(np.array([*uniques, ""], dtype=object), categorize=False)
        labels[-1] = GONE
        return labels[codes]
    numbers = one.to_numpy()
    absent = np.isnan(numbers) if numbers.dtype.kind == "f" else np.isnat(numbers)
    return np.where(absent, GONE, pd.util.hash_array(numbers.astype("int64") if numbers.dtype.kind == "M" else numbers))


def combined(table: np.ndarray) -> np.ndarray:
    """One hash for each row of hashes, shape (rows, columns)."""
    total = np.zeros(len(table), dtype="uint64")
    with np.errstate(over="ignore"):
        for column in table.T:
            total = (total ^ column) * MIX + (total >> np.uint64(29))
    return total


def row_hashes(frame: pd.DataFrame) -> pd.Series:
    """One hash for each row, whatever the order of the columns."""
    if not frame.shape[1]:
        return pd.Series(np.zeros(len(frame), dtype="uint64"))
    return pd.Series(combined(np.column_stack([column_hash(frame[name]) for name in sorted(frame.columns)])))
