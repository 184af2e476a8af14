"""Two versions side by side: rows matched by ids, index or content; columns by name."""

from typing import Any

import numpy as np
import pandas as pd

from ml_lifecycle.data._store.rows import plain, row_hashes
from ml_lifecycle.foundation import _version
from ml_lifecycle.foundation._render import number
from ml_lifecycle.foundation._words import count, shown
from ml_lifecycle.foundation.dataset import Dataset
from ml_lifecycle.foundation.errors import UnknownNameError, did_you_mean
from ml_lifecycle.foundation.report import Finding, NextStep

MOST = 12  # columns that get a finding of their own


def frame_of(data: Any) -> pd.DataFrame:
    """The frame with names that are text."""
    frame = data.frame if isinstance(data, Dataset) else data
    return frame.set_axis([str(name) for name in frame.columns], axis=1)


def compare(a: Any, b: Any, on: tuple[str, ...]) -> dict[str, Any]:
    """Everything that differs, as plain parts of the report."""
    left, right = frame_of(a), frame_of(b)
    both = [name for name in left.columns if name in right.columns]
    key, how = _keys(a, b, left, right, on)
    if key is None:
        old, new = row_hashes(left[both]), row_hashes(right[both])
        added, removed, pairs = *_multiset(old, new), None
    else:
        old, new = key
        added, removed = int((~new.isin(old)).sum()), int((~old.isin(new)).sum())
        places = pd.Series(np.arange(len(new)), index=new)
        shared = old[old.isin(new)]
        pairs = (np.flatnonzero(old.isin(new)), places.loc[shared].to_numpy())
    lines, changed_rows = [], np.zeros(len(pairs[0]) if pairs else 0, dtype=bool)
    for name in [*both, *(n for n in left.columns if n not in both), *(n for n in right.columns if n not in both)]:
        line, differs = _column(name, left.get(name), right.get(name), pairs)
        if pairs is None and not (added and removed) and "values" in line["change"]:  # the rows that are left are as they were
            line["change"] = "dtype" if line["change"].startswith("dtype") else "rows"
        lines.append(line)
        changed_rows |= differs if differs is not None else False
    return {"lines": lines, "how": how, "added": added, "removed": removed,
            "changed": int(changed_rows.sum()) if pairs else None, "rows": (len(left), len(right))}


def _keys(a: Any, b: Any, left: pd.DataFrame, right: pd.DataFrame, on: tuple[str, ...]) -> tuple[Any, str]:
    """What names the rows in both: columns asked for, ids, or an index that is more than a number."""
    for name in on:
        if name not in left.columns or name not in right.columns:
            known = [n for n in left.columns if n in right.columns]
            raise UnknownNameError(f"`on` must name columns of both versions. Got {shown(name)}. "
                                   + did_you_mean(name, known, noun="Columns"))
    ids = [name for data in (a, b) if isinstance(data, Dataset) for name in data.roles["id"]]
    shared = [name for name in dict.fromkeys(ids) if name in left.columns and name in right.columns]
    for names in ([list(on)] if on else [[name] for name in shared]):
        old, new = (pd.Index(pd.util.hash_pandas_object(f[names].astype(object).astype(str), index=False)) for f in (left, right))
        if old.is_unique and new.is_unique:
            return (old, new), "by " + ", ".join(map(shown, names))
    plain = isinstance(left.index, pd.RangeIndex) and isinstance(right.index, pd.RangeIndex)
    source = isinstance(a, Dataset) and isinstance(b, Dataset) and a.source and a.source == b.source and not plain
    named = left.index.name is not None and left.index.name == right.index.name
    if not on and (named or source) and left.index.is_unique and right.index.is_unique \
            and left.index.nlevels == right.index.nlevels == 1:
        return (left.index, right.index), "by the index"
    return None, "by their content"


def _multiset(old: pd.Series, new: pd.Series) -> tuple[int, int]:
    both = pd.concat([new.value_counts(), old.value_counts()], axis=1).fillna(0)
    gap = both.iloc[:, 0] - both.iloc[:, 1]
    return int(gap.clip(lower=0).sum()), int((-gap).clip(lower=0).sum())


def _column(name: str, old: pd.Series | None, new: pd.Series | None, pairs: Any) -> tuple[dict[str, Any], Any]:
    before, after = (None if v is None else summary(v) for v in (old, new))
    line = {"column": name, "change": "", "rows_changed": np.nan, "dtype_before": None if old is None else str(old.dtype),
            "dtype_after": None if new is None else str(new.dtype), "before": before or "", "after": after or ""}
    if old is None or new is None:
        return {**line, "change": "added" if old is None else "removed"}, None
    differs = None
    one, other = plain(old), plain(new)
    if pairs is not None:
        first, second = one.iloc[pairs[0]].reset_index(drop=True), other.iloc[pairs[1]].reset_index(drop=True)
        differs = ~((first == second).fillna(False).to_numpy(dtype=bool) | (first.isna() & second.isna()).to_numpy()) \
            if first.dtype == second.dtype else (first.astype(str) != second.astype(str)).to_numpy()
        line["rows_changed"] = float(differs.sum())
        values = bool(differs.any())
    else:
        values = not (len(one) == len(other) and one.equals(other))
    dtype = line["dtype_before"] != line["dtype_after"]
    change = "dtype and values" if values and dtype else "values" if values else "dtype" if dtype else "same"
    if pairs is not None and not values and not one.equals(other):
        change = "dtype" if dtype else "rows"
    return {**line, "change": change}, differs


def summary(values: pd.Series) -> str:
    """The distribution in a few words."""
    values = _version.uncategorised(values)
    gone, n = int(values.isna().sum()), len(values)
    tail = f", {gone / n:.1%} missing" if gone else ""
    if gone == n:
        return "no value"
    if pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype) \
            and not pd.api.types.is_complex_dtype(values.dtype):
        array = values.dropna().to_numpy(dtype="float64")
        return f"mean {number(float(array.mean()))}, {number(float(array.min()))} to {number(float(array.max()))}{tail}"
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return f"{values.min():%Y-%m-%d} to {values.max():%Y-%m-%d}{tail}"
    counts = values.astype(object).map(str, na_action="ignore").value_counts()
    shares = ", ".join(f"{str(label)[:20]} {share / n:.1%}" for label, share in counts.head(3).items())
    return f"{len(counts):,} distinct: {shares}{tail}"


def diff_findings(parts: dict[str, Any], versions: tuple[str, str], a: Any, b: Any) -> tuple[Finding, ...]:
    """What differs, as coded findings."""
    old, new = parts["rows"]
    by = {change: [line for line in parts["lines"] if change in line["change"]]
          for change in ("added", "removed", "dtype", "values")}
    found = []
    if parts["added"] or parts["removed"] or parts["changed"]:
        changed = f", {parts['changed']:,} changed" if parts["changed"] is not None else ""
        found.append(Finding("DIF001", "tip", f"{count(parts['added'], 'row')} added, {parts['removed']:,} removed{changed} "
                             f"(matched {parts['how']}; {old:,} rows before, {new:,} after).",
                             {"added": parts["added"], "removed": parts["removed"], "changed": parts["changed"], "before": old,
                              "after": new, "matched": parts["how"]}))
    for change in ("added", "removed"):
        if by[change]:
            names = [line["column"] for line in by[change]]
            found.append(Finding("DIF002", "tip", f"{count(len(names), 'column')} {change}: {', '.join(map(shown, names[:6]))}"
                                 f"{' …' if len(names) > 6 else ''}.", {"change": change, "columns": names},
                                 NextStep("check what reads these data against the new columns", "data", "infer_schema(data)")))
    found += [Finding("DIF003", "tip", f"{shown(line['column'])} is of type {line['dtype_after']}, and was "
                                       f"{line['dtype_before']}.",
                      {"column": line["column"], "before": line["dtype_before"], "after": line["dtype_after"]})
              for line in by["dtype"][:MOST]]
    moved = [line for line in by["values"] if line["rows_changed"] > 0]
    found += [Finding("DIF004", "tip", f"{shown(line['column'])} has other values in {count(int(line['rows_changed']), 'row')}: "
                      f"{line['after']}; before: {line['before']}.", {"column": line["column"], "rows": line["rows_changed"]})
              for line in moved[:MOST]]
    found += _roles(a, b)
    if not found:
        found.append(Finding("DIF006", "passed", f"{versions[0][:8]} and {versions[1][:8]} hold the same {count(new, 'row')}.",
                             {"before": versions[0], "after": versions[1]}))
    return tuple(found)


def _roles(a: Any, b: Any) -> list[Finding]:
    if not (isinstance(a, Dataset) and isinstance(b, Dataset)):
        return []
    changed = [role for role in ("target", "time", "group") if a.roles[role] != b.roles[role]]
    return [Finding("DIF005", "tip", f"The {role} is {shown(b.roles[role])}, and was {shown(a.roles[role])}.",
                    {"role": role, "before": a.roles[role], "after": b.roles[role]}) for role in changed]
