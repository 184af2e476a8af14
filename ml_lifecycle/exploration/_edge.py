"""Arguments of `baselines` that would only fail deep inside: each is refused in one line, before any work."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ml_lifecycle.foundation import _scores
from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.errors import BadInputError, UnknownNameError, did_you_mean, one_of

_POINTS_IN_TIME = ("datetime", "datetime64", "date", "timedelta", "timedelta64", "period", "time")


def seed_of(seed: Any) -> int:
    """A seed that numpy and scikit-learn take."""
    if isinstance(seed, (bool, np.bool_)) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**32:
        raise BadInputError(f"`seed` must be an int in the range [0, 2**32). Got {seed!r}. Try seed=0.")
    return int(seed)


def jobs_of(n_jobs: Any) -> int | None:
    """A number of processes that joblib takes."""
    if n_jobs is None:
        return None
    if isinstance(n_jobs, (bool, np.bool_)) or not isinstance(n_jobs, (int, np.integer)) or n_jobs == 0:
        raise BadInputError(f"`n_jobs` must be a whole number other than 0, or None. Got {n_jobs!r}. "
                            "Write n_jobs=-1 for all cores.")
    return int(n_jobs)


def limit_of(seconds: Any) -> float | None:
    """A time limit in seconds."""
    if seconds is None:
        return None
    number = isinstance(seconds, (int, float, np.integer, np.floating)) and not isinstance(seconds, bool)
    if not number or not 0 < seconds < 1e9:
        raise BadInputError(f"`seconds` must be a positive number, or None for no limit. Got {shown(seconds)}. Try seconds=60.")
    return float(seconds)


def several(value: Any, argument: str, rule: str, remedy: str) -> list[Any]:
    """The items of a sequence; None holds none."""
    if value is None:
        return []
    if not isinstance(value, Iterable):
        raise BadInputError(f"`{argument}` must be {rule}. Got {value!r:.80}. {remedy}")
    return list(value)


def aligned(values: Any, X: Any, argument: str) -> np.ndarray | None:
    """One value a row, from a column's name or from the values themselves."""
    if values is None or (isinstance(values, str) and not values):
        return None
    if isinstance(values, str):
        known = X.columns if isinstance(X, pd.DataFrame) else ()
        if values not in known:
            raise UnknownNameError(f"`{argument}` must be a column of the data, or one value for each row. Got {values!r}. "
                                   + did_you_mean(values, known, noun="Columns"))
        values = X[values]
    column = _one_a_row(values, argument)
    if len(column) != X.shape[0]:
        raise BadInputError(f"`{argument}` must have one value for each row. Got {len(column)} for {X.shape[0]} rows.")
    if getattr(column.dtype, "tz", None) is not None:
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    if isinstance(column.dtype, pd.PeriodDtype):
        column = column.dt.to_timestamp()
    found = column.to_numpy() if column.dtype.kind in "biufM" else column.to_numpy(dtype=object)
    if argument == "time":
        try:
            pd.factorize(found, sort=True)
        except TypeError:
            raise BadInputError("`time` must hold times that can be put in order. Got values of several types. "
                                "Bring them into one form with pd.to_datetime.") from None
    return found


def _one_a_row(values: Any, argument: str) -> pd.Series:
    """A column of single values."""
    if isinstance(values, pd.Series):
        column = values
    else:
        try:
            array = np.asarray(values)
        except ValueError:  # lists of several lengths
            array = np.empty((0, 0))
        array = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
        if array.ndim != 1:
            got = f"shape {array.shape}" if array.size else f"{type(values).__name__}, not one value a row"
            raise BadInputError(f"`{argument}` must have one value for each row, in one column. Got {got}. "
                                "Pass one column, or its name.")
        column = pd.Series(array)
    _no_lists(column, argument)
    return column


def _no_lists(column: Any, argument: str) -> None:
    if not pd.api.types.is_object_dtype(column):
        return
    for row, value in enumerate(column):
        if pd.api.types.is_list_like(value):
            raise BadInputError(f"`{argument}` must have one value for each row. Got a {type(value).__name__} in row {row}. "
                                "Put one number or one label there.")


def target_of(y: Any, rows: int, fewest: int) -> tuple[Any, list[Any]]:
    """The target as one column without surprises, and its distinct values."""
    column = _scores.one_column(y, "y")
    if len(column) != rows:
        raise BadInputError(f"`y` must have one value for each row of X. Got {len(column)} for {rows} rows.")
    if len(column) < fewest:
        raise BadInputError(f"`y` must have at least {fewest} rows. Got {len(column)}. Bring more rows.")
    _no_lists(column, "y")
    absent = int(pd.isna(column).sum())
    if absent:
        raise BadInputError(f"`y` must have no missing values. Got {absent} of {len(column)}. Leave those rows out.")
    _no_times(column)
    found = _scores.distinct(column)[1]
    if any(isinstance(value, (complex, np.complexfloating)) for value in found):
        raise BadInputError("`y` must hold labels or real numbers. Got complex numbers. "
                            "Predict their real part, y.real, or their size, abs(y).")
    if any(isinstance(value, bytes) for value in found):
        raise BadInputError("`y` must hold labels or numbers. Got bytes. Decode them: np.char.decode(y).")
    if len(found) < 2:
        raise BadInputError(f"`y` must have at least two different values. Got {found[0]!r} in every row.")
    return column, found


def _no_times(column: Any) -> None:
    dtype = column.dtype.categories.dtype if isinstance(column.dtype, pd.CategoricalDtype) else column.dtype
    kind = pd.api.types.infer_dtype(column) if pd.api.types.is_object_dtype(dtype) else str(dtype).split("[")[0]
    if kind not in _POINTS_IN_TIME and not isinstance(dtype, (pd.PeriodDtype, pd.DatetimeTZDtype)):
        return
    spans = kind.startswith("timedelta")
    remedy = "y / pd.Timedelta(days=1)" if spans else "days since the first one, (y - y.min()) / pd.Timedelta(days=1)"
    raise BadInputError(f"`y` must hold labels or numbers. Got {'time spans' if spans else 'dates'}. "
                        f"Predict a number: {remedy}; or make labels of them, y.astype(str).")


def numbers_of(column: Any, found: Sequence[Any], repeated: bool) -> np.ndarray:
    """The target of a regression as finite numbers."""
    try:
        values = np.asarray(column, dtype=float)
    except (TypeError, ValueError):
        other = next((value for value in found if not _reads_as_number(value)), found[0])
        remedy = "Did you mean task='classification'?" if repeated else "Make sure that `y` is what is to be predicted."
        raise BadInputError(f"`y` must hold numbers for a regression. Got {str(other)!r:.80}. {remedy}") from None
    if not np.isfinite(values).all():
        raise BadInputError(f"`y` must hold finite numbers. Got {int((~np.isfinite(values)).sum())} infinite ones. "
                            "Leave those rows out.")
    return values


def _reads_as_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def classes_come_back(found: Sequence[Any], rows: int) -> None:
    """Refuse names and ids as labels."""
    if not too_many(found, rows):
        return
    numeric = all(isinstance(value, (int, float)) for value in found)
    remedy = "Did you mean task='regression'?" if numeric else \
        "Numbers written as text? Then pd.to_numeric(y)." if all(map(_reads_as_number, found)) else \
        "Make sure that `y` is what is to be predicted, and not a name or an id."
    raise BadInputError(f"`y` must hold classes that come back. Got {len(found)} classes in {rows} rows. {remedy}")


def too_many(found: Sequence[Any], rows: int) -> bool:
    """Whether there are so many different labels that they are none."""
    return len(found) > max(50, rows / 2)


def label_of(positive: Any, classes: Sequence[Any]) -> Any:
    """The class that `positive` names; "1" names the label 1 where no other one reads like it."""
    if positive is None:
        return None
    if np.ndim(positive):
        raise BadInputError(f"`positive` must be one label. Got {positive!r:.80}. Labels: {', '.join(map(str, classes[:12]))}.")
    if positive not in classes:
        alike = [label for label in classes if str(label).strip() == str(positive).strip()]
        if len(alike) == 1:
            return alike[0]
    one_of(positive, classes, "positive", noun="Labels")
    return positive
