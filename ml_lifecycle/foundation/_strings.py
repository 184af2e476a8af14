"""What a column of strings holds, decided on the distinct ones and weighted by how often each comes."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ml_lifecycle.foundation import _dates
from ml_lifecycle.foundation._notes import Ask
from ml_lifecycle.foundation._tables import Coded
from ml_lifecycle.foundation._words import count, shown

MISSING = ("", "?", "na", "n/a", "#n/a", "#na", "nan", "nat", "null", "<na>", "-", "--", ".")  # in lower case
MOST_LABELS = 10  # distinct numbers up to which those of a target are taken for labels
ENOUGH = 0.95  # share of values that must parse for a column to be one of numbers or dates
TEXT_WORDS = 5.0  # words of the average value from which a column is text
TEXT_DISTINCT = 0.5  # and the share of distinct values from which it is
NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
INFINITE = r"(?i)^[+-]?inf(inity)?$"


def from_strings(column: Coded, ask: Ask) -> tuple[pd.Series, str]:
    """The heart of it: decide on the distinct strings, weighted by how often each comes, what the column holds."""
    column = _without_missing(column, ask)
    counts = np.bincount(column.codes[column.codes >= 0], minlength=len(column.values))
    total = int(counts.sum())
    if total == 0:
        return pd.Series(np.nan, index=range(len(column.codes))), "number"
    if ask.text:
        return objects(column), "text"
    if len(column.values) <= 6 and set(truth := pc.utf8_lower(column.values).to_pylist()) <= {"true", "false"}:
        return boolean(_spread(np.array([v == "true" for v in truth], dtype=object), column.codes)), "boolean"
    numbers, parsed = _numbers(column.values, ask.decimal)
    labels = ask.target and not parsed.all() and parsed.sum() <= MOST_LABELS
    if counts[parsed].sum() >= ENOUGH * total and not labels and not _is_code(column.values):
        _say_left_out(column.values, counts, ~parsed, "numbers", "DSC004", ask)
        return timed(number(_spread(numbers, column.codes), ask), ask)
    spans = _dates.durations(column.values)
    if spans is not None:
        ask.log.add("DSC011", f"`{ask.name}` holds durations; they are read as seconds.")
        return _spread(spans, column.codes), "number"
    dates = _dates.from_strings(column.values, counts, asked=ask.time)
    if dates is not None:
        _say_left_out(column.values, counts, dates.values.isna().to_numpy(), "dates", "DSC007", ask)
        if dates.remark:
            ask.log.add("DSC007", f"`{ask.name}` {dates.remark}")
        return _dates.spread(dates.values, column.codes), "datetime"
    words = pc.list_value_length(pc.utf8_split_whitespace(column.values)).to_numpy(zero_copy_only=False)
    if float(words @ counts) / total >= TEXT_WORDS and len(counts) >= TEXT_DISTINCT * total:
        return objects(column), "text"
    return _category(column), "category"


def _without_missing(column: Coded, ask: Ask) -> Coded:
    """Strings stripped of whitespace, and what stands for a missing value taken out."""
    values = pc.utf8_trim_whitespace(column.values)
    lower = pc.utf8_lower(values)
    absent = np.asarray(pc.is_in(lower, pa.array(MISSING)).to_numpy(zero_copy_only=False), dtype=bool)
    absent |= np.asarray(pc.equal(values, "None").to_numpy(zero_copy_only=False), dtype=bool)
    if pc.index(values, "+").as_py() >= 0:
        absent &= ~np.asarray(pc.is_in(values, pa.array(["-", "--"])).to_numpy(zero_copy_only=False), dtype=bool)
    counts = np.bincount(column.codes[column.codes >= 0], minlength=len(values))
    for place in np.flatnonzero(absent):
        if counts[place] and (token := values[int(place)].as_py()):
            where = ask.log.tokens[token]
            where[ask.name] = where.get(ask.name, 0) + int(counts[place])
    keep = ~absent & (counts > 0)
    again = values.filter(pa.array(keep)).dictionary_encode()  # stripping can make two strings one
    place_of = np.full(len(values) + 1, -1, dtype=np.int64)  # the last place serves code -1
    place_of[:-1][keep] = again.indices.to_numpy(zero_copy_only=False)
    return Coded(place_of[column.codes], again.dictionary)


def _numbers(values: pa.Array, decimal: str) -> tuple[np.ndarray, np.ndarray]:
    """The numbers that strings spell, as int64 when all are whole, and which strings spell one."""
    if decimal == ",":
        grouped = r"^([+-]?\d{1,3})((?:\.\d{3})+)(,\d+)?$"
        values = _replace_dots(values, grouped)
        values = pc.replace_substring(values, ",", ".")
    else:
        values = _replace_commas(values)
    infinite = np.asarray(pc.match_substring_regex(values, INFINITE), dtype=bool)
    finite = np.asarray(pc.match_substring_regex(values, NUMBER), dtype=bool)
    out = np.full(len(values), np.nan)
    spelled = values.filter(pa.array(finite))
    if len(spelled):
        spelled = pc.replace_substring_regex(spelled, r"^\+", "")
        whole = finite.all() and bool(pc.all(pc.match_substring_regex(spelled, r"^-?\d{1,19}$")).as_py())
        if whole and all(_fits(text) for text in _long(spelled)):
            return pc.cast(spelled, pa.int64()).to_numpy(), finite
        out[finite] = pc.cast(spelled, pa.float64()).to_numpy()
    if infinite.any():
        minus = np.asarray(pc.starts_with(values, "-"), dtype=bool)
        out[infinite] = np.where(minus[infinite], -np.inf, np.inf)
    return out, finite | infinite


def _replace_dots(values: pa.Array, pattern: str) -> pa.Array:
    grouped = pc.match_substring_regex(values, pattern)
    return pc.if_else(grouped, pc.replace_substring(values, ".", ""), values)


def _replace_commas(values: pa.Array) -> pa.Array:
    grouped = pc.match_substring_regex(values, r"^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$")
    return pc.if_else(grouped, pc.replace_substring(values, ",", ""), values)


def _is_code(values: pa.Array) -> bool:
    """Digits that are no quantity: with leading zeros (postcodes), or too long for a number."""
    zeros = pc.match_substring_regex(values, r"^0\d+$")
    return bool(pc.any(zeros).as_py()) or not all(_fits(text) for text in _long(values))


def _long(values: pa.Array) -> list[str]:
    """The whole numbers of so many digits that an int64 may not hold them."""
    return values.filter(pc.match_substring_regex(values, r"^[+-]?\d{19,}$")).to_pylist()


def _fits(text: str) -> bool:
    """Whether an int64 holds the whole number that a string spells."""
    return len(text) <= 20 and -2**63 <= int(text) < 2**63


def _say_left_out(values: pa.Array, counts: np.ndarray, out: np.ndarray, what: str, code: str, ask: Ask) -> None:
    rows = int(counts[out].sum())
    if rows:
        examples = ", ".join(shown(values[int(i)].as_py(), 24) for i in np.flatnonzero(out)[:3])
        ask.log.add(code, f"{count(rows, 'value')} of `{ask.name}` read as no {what} and count as missing: {examples}.")


def _spread(values: np.ndarray, codes: np.ndarray) -> pd.Series:
    """The distinct values put back on their rows."""
    if (codes >= 0).all():
        return pd.Series(values[codes])
    if values.dtype == object:
        return pd.Series(np.array([*values, None], dtype=object)[codes])
    return pd.Series(np.append(values.astype("float64"), np.nan)[codes])


def objects(column: Coded) -> pd.Series:
    values = np.append(np.array(column.values.to_pylist(), dtype=object), [np.nan])
    return pd.Series(list(values[column.codes]))


def _category(column: Coded) -> pd.Series:
    labels = column.values.to_pylist()
    order = sorted(range(len(labels)), key=labels.__getitem__)
    place = np.full(len(labels) + 1, -1, dtype=np.int64)
    place[order] = np.arange(len(labels))
    return pd.Series(pd.Categorical.from_codes(place[column.codes], categories=[labels[i] for i in order]))


def timed(numbers: pd.Series, ask: Ask) -> tuple[pd.Series, str]:
    """Numbers, or the times that they stand for where times are asked for."""
    dates = _dates.from_numbers(numbers) if ask.time else None
    if dates is None:
        return numbers, "number"
    ask.log.add("DSC007", f"`{ask.name}` is read as times ({shown(numbers.dropna().iloc[0])} is "
                          f"{dates.dropna().iloc[0]}).")
    return dates, "datetime"


def boolean(column: pd.Series) -> pd.Series:
    """As bool, or as boolean where some are missing."""
    column = column.astype("boolean")
    return column if column.isna().any() else column.astype(bool)


def number(column: pd.Series, ask: Ask) -> pd.Series:
    """As int64 where every value is whole and none missing, as float64 otherwise; infinities are missing."""
    column = _shortest(column)
    kind = getattr(column.dtype, "kind", "O")
    if kind in "iu" and not column.isna().any():
        return column.astype("int64")
    array = column.to_numpy(dtype="float64", na_value=np.nan)
    infinite = np.isinf(array)
    if infinite.any():
        ask.log.add("DSC006", f"{count(int(infinite.sum()), 'infinite value')} of `{ask.name}` set to missing.")
        array = np.where(infinite, np.nan, array)
    return pd.Series(array, index=column.index)


def _shortest(column: pd.Series) -> pd.Series:
    """Single and half precision as the shortest decimals that tell them, as a file has them: 0.1, not 0.100000001."""
    if column.dtype.kind != "f" or column.dtype.itemsize >= 8:
        return column
    array = column.to_numpy(dtype=f"float{8 * column.dtype.itemsize}", na_value=np.nan)
    if array.itemsize == 2:
        distinct, place = np.unique(array, return_inverse=True)
        return pd.Series(distinct.astype(str).astype("float64")[place], index=column.index)
    return pd.Series(pc.cast(pc.cast(pa.array(array), pa.string()), pa.float64()).to_numpy(), index=column.index)
