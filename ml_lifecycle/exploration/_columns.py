"""What a column is, and how its values become numbers: the mechanism behind `pipelines`."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from ml_lifecycle.foundation.errors import BadInputError

LARGEST = float(np.finfo(np.float32).max)  # what does not fit counts as missing: trees compute in 32 bits
_INFERRED = {
    "boolean": "number", "integer": "number", "floating": "number", "mixed-integer-float": "number", "decimal": "number",
    "timedelta": "number", "timedelta64": "number", "datetime": "date", "datetime64": "date", "date": "date",
}


def as_table(X: Any, argument: str = "X") -> Any:
    """The features as a frame, a 2-D array of numbers or a CSR matrix; the caller's object is not changed."""
    if isinstance(X, pd.DataFrame):
        return X
    if isinstance(X, pd.Series):
        return X.to_frame(X.name if X.name is not None else "text")
    if sparse.issparse(X):
        return sparse.csr_matrix(X)
    if hasattr(X, "to_pandas"):
        return as_table(X.to_pandas(), argument)
    if hasattr(X, "detach"):
        X = X.detach().cpu().numpy()
    if isinstance(X, np.ndarray) and X.dtype.names:
        return pd.DataFrame.from_records(X)
    if isinstance(X, (list, tuple)) and X and all(isinstance(text, str) for text in X):
        return pd.DataFrame({"text": list(X)})
    try:
        values = np.asarray(X)
    except ValueError:
        raise BadInputError(f"`{argument}` must have the same number of columns in every row. Got rows of several lengths. "
                            "Fill the short ones up.") from None
    if values.ndim == 1 and values.dtype.kind in "OUST":
        return pd.DataFrame({"text": values})
    if values.ndim < 2:
        got, remedy = (f"an array of shape {values.shape}", "Hand one column over as X.reshape(-1, 1).") if values.ndim else \
            (f"{type(X).__name__}", "Pass columns as pandas.DataFrame(...).") if isinstance(X, Mapping) else \
            ("None" if X is None else type(X).__name__, "Pass a frame or an array of the features.")
        raise BadInputError(f"`{argument}` must have rows and columns. Got {got}. {remedy}")
    values = values.reshape(len(values), int(np.prod(values.shape[1:])))
    return pd.DataFrame(values).infer_objects() if values.dtype.kind not in "buif" else values


def row_shape(X: Any) -> tuple[int, ...]:
    """The shape of one row where rows are arrays of several axes, such as images; () for rows of columns."""
    if isinstance(X, (list, tuple)) and len(X) and np.ndim(X[0]) < 2:
        return ()
    shape = tuple(map(int, getattr(X, "shape", None) or np.shape(X)))
    return shape[1:] if len(shape) > 2 else ()


def take(table: Any, rows: Any) -> Any:
    """Some rows of what `as_table` gave, by position."""
    return table.iloc[rows] if isinstance(table, pd.DataFrame) else table[rows]


def kind_of(column: pd.Series) -> str | None:
    """`number`, `category`, `date` or `text`; None when the column holds no value at all."""
    if not column.notna().any():
        return None
    dtype, is_ = column.dtype, pd.api.types
    if is_.is_complex_dtype(dtype):
        raise BadInputError(f"`X` must have no complex numbers. Got them in {column.name!r}. "
                            "Split the column into its real and its imaginary part.")
    if isinstance(dtype, pd.CategoricalDtype):
        return "category"
    if is_.is_datetime64_any_dtype(dtype) or isinstance(dtype, pd.PeriodDtype):
        return "date"
    if is_.is_bool_dtype(dtype) or is_.is_numeric_dtype(dtype) or is_.is_timedelta64_dtype(dtype):
        return "number"
    inferred = pd.api.types.infer_dtype(column, skipna=True)
    if inferred == "string":
        return "text" if reads_as_text(column) else "category"
    return _INFERRED.get(inferred, "category")


def date_names(X: Any) -> tuple[str, ...]:
    """Names of the columns of dates; an array has none."""
    return tuple(str(name) for name in X.columns if kind_of(X[name]) == "date") if isinstance(X, pd.DataFrame) else ()


def reads_as_text(column: pd.Series, sample: int = 2000) -> bool:
    """True when the strings are sentences rather than names: many words (or letters), and most of them once."""
    values = column.dropna().head(sample).astype(str)
    words = values.str.count(r"\S+").mean()
    return bool((words >= 5 or values.str.len().mean() >= 60) and values.nunique() >= 0.5 * len(values))


def numbers(column: pd.Series) -> np.ndarray:
    """The column as 64-bit floats; whatever is no number is missing, time spans are days."""
    if pd.api.types.is_timedelta64_dtype(column.dtype):
        column = column.dt.total_seconds() / 86_400
    try:
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        values = pd.to_numeric(pd.Series(list(column), dtype=object), errors="coerce").to_numpy(dtype=np.float64)
    return within_range(values)


def within_range(values: np.ndarray) -> np.ndarray:
    """The same array, or a copy in which infinite and far too large numbers are missing."""
    bad = np.abs(values) > LARGEST
    return np.where(bad, np.nan, values) if bad.any() else values


def number_block(X: Any, columns: Sequence[Any] | None) -> np.ndarray:
    """The number columns side by side; `columns` None: all columns of an array."""
    if columns is None:
        return within_range(np.array(X.toarray() if sparse.issparse(X) else X, dtype=np.float64))
    block = np.empty((len(X), len(columns)))
    for position, name in enumerate(columns):
        block[:, position] = numbers(X[name])
    return block


def patterns(gone: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Of `columns`, the first one of each pattern of missing values: parts of one date need one flag."""
    first: dict[bytes, int] = {}
    for position in columns:
        first.setdefault(np.packbits(gone[:, position]).tobytes(), int(position))
    return np.array(list(first.values()), dtype=int)


def dates(column: pd.Series, timezone: Any = None) -> pd.DatetimeIndex:
    """The column as points in time, read on the clock of `timezone` (None: on the clock that they show)."""
    if isinstance(column.dtype, pd.PeriodDtype):
        column = column.dt.to_timestamp()
    if not pd.api.types.is_datetime64_any_dtype(column.dtype):
        shown = pd.Series(list(column), dtype=object)
        mixed = len({getattr(value, "tzinfo", None) for value in shown.dropna()}) > 1
        column = pd.to_datetime(shown, errors="coerce", utc=True if mixed or timezone is not None else None)
    index = pd.DatetimeIndex(column)
    if timezone is not None:
        return index.tz_localize("UTC").tz_convert(timezone) if index.tz is None else index.tz_convert(timezone)
    return index.tz_localize(None) if index.tz is not None else index


def texts(column: pd.Series) -> list[str]:
    """The column as strings; a missing one is empty."""
    return ["" if gone else str(value) for value, gone in zip(column, column.isna())]


def pick(X: Any, columns: Iterable[Any]) -> pd.DataFrame:
    """The frame behind `X`, after a check that it has the columns."""
    frame = as_table(X)
    known = frame.columns if isinstance(frame, pd.DataFrame) else ()
    absent = [name for name in columns if name not in known]
    if absent:
        raise BadInputError(f"`X` must have the columns that the model was made for. Missing: {absent}.")
    return frame


class Codes:
    """The categories of one column as codes: most frequent first, then one for the rest, then one for missing."""

    def __init__(self, column: pd.Series, most: int) -> None:
        values, gone = _values(column)
        ordered = [value for value, _ in Counter(v for v, g in zip(values, gone) if not g).most_common()]
        kept = ordered if len(ordered) <= most else ordered[: most - 1]
        self.known = {value: code for code, value in enumerate(kept)}
        self.names = [str(value) for value in kept]
        self.other = self.missing = -1
        if len(ordered) > len(kept):
            self.other = len(self.names)
            self.names.append("(other)")
        if gone.any():
            self.missing = len(self.names)
            self.names.append("(missing)")

    def transform(self, column: pd.Series) -> np.ndarray:
        """One code per row; -1 for a category that was not seen, unless there is a code for the rest."""
        if isinstance(column.dtype, pd.CategoricalDtype) and len(column) > len(column.cat.categories):
            levels, _ = _values(column.cat.categories.to_series())
            lookup = np.array([*(self.known.get(level, self.other) for level in levels), self.missing])
            return lookup[column.cat.codes.to_numpy()]
        values, gone = _values(column)
        return np.array([self.missing if g else self.known.get(v, self.other) for v, g in zip(values, gone)], dtype=int)


def _values(column: pd.Series) -> tuple[list[Any], np.ndarray]:
    """The values as objects that can be looked up, and which of them are missing."""
    values, gone = column.tolist(), column.isna().to_numpy()
    try:
        set(values)
    except TypeError:
        values = [str(value) for value in values]
    return values, gone


def one_hot(codes: np.ndarray, widths: Sequence[int], dense: bool, dtype: Any) -> Any:
    """Columns of zeros and ones for columns of codes; a code of -1 gives zeros."""
    n = len(codes)
    starts = np.concatenate([[0], np.cumsum(widths)[:-1]]).astype(np.int64)
    seen = codes >= 0
    rows, positions = np.nonzero(seen)[0], (codes + starts)[seen]
    if dense:
        block = np.zeros((n, int(sum(widths))), dtype=dtype)
        block[rows, positions] = 1
        return block
    ends = np.concatenate([[0], np.cumsum(seen.sum(axis=1))])
    return sparse.csr_matrix((np.ones(len(positions), dtype=dtype), positions, ends), shape=(n, int(sum(widths))))
