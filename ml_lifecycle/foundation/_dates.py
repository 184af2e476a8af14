"""Dates told from strings, with care not to take numbers, codes and seasons for dates."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

ENOUGH = 0.95
CLOCK = r"(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?: ?[AaPp][Mm])?)?"
ZONE = r" ?(?:Z|[+-]\d{2}:?\d{2})?"
ISO = rf"^\d{{4}}[-/.]\d{{1,2}}[-/.]\d{{1,2}}{CLOCK}{ZONE}$"
PARTS = rf"^(\d{{1,2}})([-/.])(\d{{1,2}})([-/.])(\d{{4}}|\d{{2}}){CLOCK}$"
MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
NAMED = (rf"(?i)^(?:\d{{1,2}}[ -]{MONTH}[ -]\d{{4}}|{MONTH} \d{{1,2}},? \d{{4}}){CLOCK}$|^\d{{1,2}}-{MONTH}-\d{{2}}$|"
         rf"^{MONTH}[ -]\d{{4}}$|^\d{{4}}[ -]{MONTH}$")
QUARTER = r"^\d{4}[ -]?Q[1-4]$"
SPAN = r"^-?\d+ days [+-]?\d{2}:\d{2}:\d{2}(?:\.\d+)?$"  # as pandas writes a duration
LOOSE = r"^\d{4}-\d{2}$"  # a month, or a season such as 2011-12: only where times are asked for


@dataclass(frozen=True)
class Dates:
    """The times that distinct strings spell."""

    values: pd.Series  # datetime64[ns], missing where a string spells none
    remark: str = ""  # how they were read, where that is not plain


def nanoseconds(values: pd.Series) -> pd.Series:
    """Times in one unit, whatever unit they came in; what lies outside of the years 1678 to 2261 is missing."""
    aware = getattr(values.dt, "tz", None)
    unit = f"datetime64[ns, {aware}]" if aware is not None else "datetime64[ns]"
    try:
        return values.astype(unit)
    except (pd.errors.OutOfBoundsDatetime, OverflowError):
        year = values.dt.year
        return values.where((year > 1677) & (year < 2262)).astype(unit)


def spread(values: pd.Series, codes: np.ndarray) -> pd.Series:
    """The times of distinct values put back on their rows; code -1 is missing."""
    return values.take(np.where(codes < 0, 0, codes)).reset_index(drop=True).where(pd.Series(codes >= 0))


def durations(values: pa.Array) -> np.ndarray | None:
    """The seconds of durations that pandas wrote, such as `1 days 02:30:00`; None unless every string is one."""
    if not pc.all(pc.match_substring_regex(values, SPAN)).as_py():
        return None
    try:
        return pd.to_timedelta(pd.Series(values.to_pylist())).dt.total_seconds().to_numpy()
    except (ValueError, OverflowError):
        return None


def from_numbers(numbers: pd.Series) -> pd.Series | None:
    """Times that whole numbers stand for: 20240131, or (milli)seconds since 1970. None: they are just numbers."""
    known = numbers.dropna()
    if known.empty or not bool((known == known.round()).all()):
        return None
    if known.between(19000101, 22001231).all():
        dates = pd.to_datetime(numbers.astype("Int64").astype("string"), format="%Y%m%d", errors="coerce")
        return nanoseconds(dates) if dates.notna().sum() == len(known) else None
    for unit, scale in (("s", 1), ("ms", 1000)):
        if known.between(5e8 * scale, 4.2e9 * scale).all():  # 1985 to 2103
            return nanoseconds(pd.to_datetime(numbers, unit=unit))
    return None


def from_strings(values: pa.Array, counts: np.ndarray, *, asked: bool = False) -> Dates | None:
    """The dates that strings spell, or None when fewer than 95 % of the rows hold one."""
    total = counts.sum()
    readers = [(ISO, _iso), (PARTS, _parts), (NAMED, _named), (QUARTER, _quarter)] + [(LOOSE, _month)] * asked
    for pattern, read in readers:
        fits = np.asarray(pc.match_substring_regex(values, pattern), dtype=bool)
        if counts[fits].sum() < ENOUGH * total:
            continue
        strings = pd.Series(values.filter(pa.array(fits)).to_pylist(), index=np.flatnonzero(fits), dtype=object)
        found = read(strings)
        if found is None:
            continue
        dates = nanoseconds(found.values).reindex(range(len(values)))
        if counts[dates.notna().to_numpy()].sum() >= ENOUGH * total:
            return Dates(dates, found.remark)
    return None


def _iso(strings: pd.Series) -> Dates | None:
    aware = bool(strings.str.contains(r"(?:Z|[+-]\d{2}:?\d{2})$", regex=True).any()) and bool(
        strings.str.contains(r":\d{2}(?:[.,]\d+)? ?(?:Z|[+-]\d{2}:?\d{2})$", regex=True).any())
    if strings.str.fullmatch(r"\d{4}-\d{2}-\d{2}.*").all() and not strings.str.contains("[mM]$", regex=True).any():
        plain = strings.str.replace(",", ".", regex=False)
        return Dates(pd.to_datetime(plain, format="ISO8601", errors="coerce", utc=aware))
    if aware:
        return None
    return Dates(_by_clock(strings.str.replace(r"^(\d+)[-/.](\d+)[-/.](\d+)", r"\1/\2/\3", regex=True), "%Y/%m/%d"))


def _parts(strings: pd.Series) -> Dates | None:
    parts = strings.str.extract(PARTS)
    if (parts[1] != parts[3]).any() or ((parts[4].str.len() == 2) & (parts[1] == "-")).any():
        return None
    first, second = parts[0].astype(int), parts[2].astype(int)
    years = parts[4].str.len().unique()
    if len(years) > 1 or ((first > 12).any() and (second > 12).any()):
        return None
    remark = ""
    day_first = bool((first > 12).any())
    if not day_first and not (second > 12).any():
        day_first = parts[1].iloc[0] == "."
        order = "day.month.year" if day_first else "month/day/year"
        remark = f"is read as {order} (no value tells; {strings.iloc[0]!r}): write dates as 2024-01-31 to be sure."
    order = "%d/%m/" if day_first else "%m/%d/"
    plain = strings.str.replace(r"^(\d+)[-/.](\d+)[-/.](\d+)", r"\1/\2/\3", regex=True)
    return Dates(_by_clock(plain, order + ("%Y" if years[0] == 4 else "%y")), remark)


def _named(strings: pd.Series) -> Dates | None:
    """Dates with the month as a word, brought into one form: 5 Jan 2024, then the clock."""
    tidy = strings.str.replace(rf"(?i)({MONTH})", lambda m: m.group(0)[:3].title(), regex=True)
    for pattern, form in ((r"^(\w{3})[ -](\d{4})$", r"1 \1 \2"), (r"^(\d{4})[ -](\w{3})$", r"1 \2 \1"),
                          (r"^(\w{3}) (\d{1,2}),? ", r"\2 \1 "), (r"^(\d+)[ -](\w{3})[ -]", r"\1 \2 ")):
        tidy = tidy.str.replace(pattern, form, regex=True)
    short = tidy.str.fullmatch(r"\d+ \w{3} \d\d")
    if short.any() and not short.all():
        return None
    return Dates(_by_clock(tidy, "%d %b %y" if short.all() else "%d %b %Y"))


def _quarter(strings: pd.Series) -> Dates:
    """Quarters as the day on which they begin."""
    month = (strings.str[-1].astype(int) * 3 - 2).astype(str)
    days = pd.to_datetime(strings.str[:4] + "-" + month, format="%Y-%m")
    return Dates(days, "holds quarters; each is read as its first day.")


def _month(strings: pd.Series) -> Dates:
    return Dates(pd.to_datetime(strings, format="%Y-%m", errors="coerce"))


def _by_clock(strings: pd.Series, day: str) -> pd.Series:
    """Parse strings that share the form of the day, by the form of what follows it."""
    rest = strings.str.replace(r"^(?:\d+/\d+/\d+|\d+ \w{3} \d+)", "", regex=True)
    form = rest.map(_clock_form)
    plain = strings.str.replace(r"(\d)T(\d)", r"\1 \2", regex=True)
    plain = plain.str.replace(r"(\d)([AaPp][Mm])$", r"\1 \2", regex=True)
    pieces: list[Any] = [pd.to_datetime(plain[form == f], format=day + f, errors="coerce") for f in form.unique()]
    return pd.concat([nanoseconds(p) for p in pieces]).reindex(strings.index)


def _clock_form(rest: str) -> str:
    if not rest:
        return ""
    half = bool(re.search("[mM]$", rest))
    form = " %I:%M" if half else " %H:%M"
    form += ":%S" if rest.count(":") == 2 else ""
    form += ".%f" if "." in rest else ""
    return form + (" %p" if half else "")
