"""What a person hands to `compare_distributions`, checked and brought into two frames of the same columns."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from ml_lifecycle.exploration._columns import as_table, dates, kind_of
from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.dataset import Dataset
from ml_lifecycle.foundation.errors import BadInputError, UnknownNameError, did_you_mean

MOST_UNITS = 500  # units of a side that change sides
BLOCKS = 10  # blocks of neighbouring rows that the smaller sample is cut into


@dataclass(frozen=True)
class Pair:
    """Two tables with the same columns, and which rows of each belong together."""

    reference: pd.DataFrame
    current: pd.DataFrame
    units: tuple[np.ndarray, np.ndarray] | None = None  # unit of each row (0, 1, ...); None: every row by itself
    unit: str = "row"  # what a unit is
    skipped: dict[Any, str] = field(default_factory=dict)  # column -> why it is not compared
    text: tuple[Any, ...] = ()


def pair_of(reference: Any, current: Any, *, columns: Any, time: Any, groups: Any) -> Pair:
    """Two frames; raises BadInputError when they have no column in common."""
    text: tuple[Any, ...] = ()
    role_time = role_group = None
    for given in (reference, current):
        if isinstance(given, Dataset):
            text, role_time, role_group = tuple(given.roles["text"]), given.roles["time"], given.roles["group"]
    a, b = _frame(reference, "reference"), _frame(current, "current")
    if a.shape[1] == b.shape[1] == 1:  # one column is one column, whatever it is called
        b = b.set_axis(a.columns, axis=1)
    if role_time is not None and time is None and {role_time} <= set(a.columns) & set(b.columns):
        time = role_time
    if role_group is not None and groups is None and {role_group} <= set(a.columns) & set(b.columns):
        groups = role_group
    for name, argument in ((time, "time"), (groups, "groups")):
        _known(name, a, b, argument)
    wanted = _columns(columns, a, b)
    skipped = {}
    for name, why in ((time, "it orders the rows, so it differs by construction"),
                      (groups, "it says which rows belong together")):
        if name is not None and name in wanted:
            skipped[name] = why
    for given in (reference, current):
        if isinstance(given, Dataset):
            skipped.update({name: "it names the rows" for name in given.roles["id"] if name in wanted})
    units, unit = None, "row"
    if groups is not None:
        units, unit = _by_group(a[groups], b[groups]), "group"
    elif time is not None:
        units, unit = _by_time(a[time], b[time]), "block of neighbouring rows"
    if units is not None:
        units = (_gathered(units[0]), _gathered(units[1]))
    return Pair(a[wanted], b[wanted], units, unit, skipped, text)


def _frame(data: Any, argument: str) -> pd.DataFrame:
    if isinstance(data, Dataset):
        ids = [name for name in data.roles["id"] if name in data.frame.columns]
        wanted = [*data.X.columns, *(n for n in (data.roles["group"], data.roles["time"]) if n and n not in data.X.columns), *ids]
        return data.frame[list(dict.fromkeys(wanted))]
    if isinstance(data, pd.Series):
        data = data.to_frame(data.name if data.name is not None else "value")
    elif not isinstance(data, pd.DataFrame) and not sparse.issparse(data) and np.ndim(data) == 1 and len(data):
        data = pd.DataFrame({"value": np.asarray(data)}).infer_objects()
    table = as_table(data, argument)
    if sparse.issparse(table):
        table = pd.DataFrame(table.toarray())
    table = table if isinstance(table, pd.DataFrame) else pd.DataFrame(table)
    if 0 in table.shape:
        raise BadInputError(f"`{argument}` must have rows and columns. Got shape {table.shape}.")
    if not table.columns.is_unique:
        twice = list(dict.fromkeys(table.columns[table.columns.duplicated()]))
        raise BadInputError(f"`{argument}` must have distinct column names. Got {shown(twice)} more than once. Rename the copies.")
    return table


def _known(name: Any, a: pd.DataFrame, b: pd.DataFrame, argument: str) -> None:
    if name is None:
        return
    for table in (a, b):
        if not pd.api.types.is_hashable(name) or name not in table.columns:
            raise UnknownNameError(f"`{argument}` must be a column of both tables. Got {shown(name)}. "
                                   + did_you_mean(name, table.columns, noun="Columns"))


def _columns(columns: Any, a: pd.DataFrame, b: pd.DataFrame) -> list[Any]:
    shared = [name for name in a.columns if name in set(b.columns)]
    if columns is not None:
        wanted = [columns] if isinstance(columns, str) else list(columns)
        for name in wanted:
            _known(name, a, b, "columns")
        if not wanted:
            raise BadInputError("`columns` must name at least one column. Got none. Leave it out to compare all.")
        return list(dict.fromkeys(wanted))
    if not shared:
        raise BadInputError("`current` must have columns of `reference`. Got none of them. "
                            f"`reference` has {shown(list(a.columns)[:8])}, `current` has {shown(list(b.columns)[:8])}.")
    return shared


def absent_columns(reference: Any, current: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Columns that only the first has, and columns that only the second has."""
    a, b = _frame(reference, "reference").columns, _frame(current, "current").columns
    if len(a) == len(b) == 1:
        return (), ()
    return tuple(str(n) for n in a if n not in set(b)), tuple(str(n) for n in b if n not in set(a))


def _gathered(units: np.ndarray) -> np.ndarray:
    """At most a few hundred units: many are taken together at random, which keeps what belongs together together."""
    size = int(units.max()) + 1
    return units if size <= MOST_UNITS else np.random.default_rng(0).permutation(size)[units] % MOST_UNITS


def _by_group(a: pd.Series, b: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    units = [pd.factorize(part.astype(object).where(part.notna(), None), use_na_sentinel=False)[0] for part in (a, b)]
    return (units[0], units[1])


def _by_time(a: pd.Series, b: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Blocks of as many neighbouring rows in both: a tenth of the smaller one."""
    size = max(1, min(len(a), len(b)) // BLOCKS)
    return (_blocks(a, size), _blocks(b, size))


def _blocks(times: pd.Series, size: int) -> np.ndarray:
    key: Sequence[Any] = dates(times).asi8 if kind_of(times) == "date" else pd.factorize(times, sort=True)[0]
    order = np.argsort(np.asarray(key), kind="stable")
    count = max(1, len(times) // size)
    units = np.empty(len(times), dtype=int)
    units[order] = np.minimum(np.arange(len(times)) // size, count - 1)
    return units
