"""Whether the parts of a split keep apart: rows, times and groups on both sides."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ml_lifecycle.data._quality.rows import feature_names, hashes, with_twin
from ml_lifecycle.data._store.rows import combined
from ml_lifecycle.foundation._render import number
from ml_lifecycle.foundation._words import count, shown
from ml_lifecycle.foundation.dataset import Dataset, Splits
from ml_lifecycle.foundation.errors import BadInputError
from ml_lifecycle.foundation.intervals import wilson
from ml_lifecycle.foundation.report import Finding, NextStep

NAMES = ("train", "val", "test")
SPLIT = NextStep("split again: by time where there is one, with whole groups, after copies are removed", "data",
                 "load_dataset(data, time=..., group=...)")


def parts_of(splits: Any) -> dict[str, Dataset]:
    """The parts by name, the one to train on first; parts without rows are left out."""
    if isinstance(splits, Splits):
        splits = dict(zip(NAMES, splits))
    elif isinstance(splits, (tuple, list)) and 2 <= len(splits) <= 3:
        splits = dict(zip(NAMES if len(splits) == 3 else ("train", "test"), splits))
    if not isinstance(splits, Mapping) or len(splits) < 2 or not all(isinstance(part, Dataset) for part in splits.values()):
        raise BadInputError("`splits` must be what data.split() gives, or two or three Datasets, the one to train on first. Got "
                            f"{type(splits).__name__}. Pass splits=data.split().")
    parts = {str(name): part for name, part in splits.items() if len(part)}
    names = [set(part.frame.columns) for part in parts.values()]
    if any(one != names[0] for one in names):
        odd = sorted(set.union(*names) - set.intersection(*names))
        raise BadInputError(f"`splits` must have the same columns in every part. Got {', '.join(map(shown, odd[:5]))} in "
                            "some only. "
                            "Split one Dataset: data.split().")
    return parts


def compare_parts(splits: Any) -> tuple[list[dict[str, Any]], list[Finding]]:
    """(rows of the frame, findings) of the first part against each of the others."""
    parts = parts_of(splits)
    (first, train), *rest = parts.items()
    lines, found = [], []
    for check in (_rows, _times, _groups):
        of_check = [check(first, train, name, part) for name, part in rest]
        lines += [line for line, _ in of_check if line]
        problems = [f for _, f in of_check if f.severity in ("issue", "tip")]
        found += problems or [f for _, f in of_check][:1]
    return lines, found


def _line(check: str, name: str, share: Any, n: int, verdict: str) -> dict[str, Any]:
    return {"check": check, "column": name, "value": share.value, "low": share.low, "high": share.high, "n": n, "verdict": verdict,
            "unit": "share of rows"}


def _interval(share: Any) -> str:
    return f"{share.value:.1%}, 95 % interval {share.low:.1%} to {share.high:.1%}"


def _rows(first: str, train: Dataset, name: str, part: Dataset) -> tuple[dict[str, Any] | None, Finding]:
    """QUA007: rows that are in both, beyond what equal rows within the training part explain."""
    names = feature_names(train) + ([train.roles["target"]] if train.roles["target"] else [])
    old, new = (combined(hashes(data, names)) for data in (train, part))
    shared = np.isin(new, old)
    share = wilson(int(shared.sum()), len(new))
    usual = wilson(int(with_twin(old).sum()), len(old))
    size = f"{int(shared.sum()):,} of {len(new):,} rows of {name} ({_interval(share)})"
    evidence = {"part": name, "rows": int(shared.sum()), "share": share.value, "low": share.low, "high": share.high, "n": len(new),
                "within": usual.value}
    if not shared.any():
        return _line("row overlap", name, share, len(new), "passed"), \
            Finding("QUA007", "passed", f"No row of {first} is in another part.", {**evidence, "train": len(old)})
    if share.low > max(0.005, 1.5 * usual.high):
        return _line("row overlap", name, share, len(new), "issue"), \
            Finding("QUA007", "issue", f"{size} are in {first}, too: what is measured there is memory; within {first} only "
                    f"{usual.value:.1%} have a copy.", evidence, SPLIT)
    return _line("row overlap", name, share, len(new), "tip"), \
        Finding("QUA007", "tip", f"{size} equal one of {first}, as is to be expected: within {first}, {usual.value:.1%} "
                                 "have a copy.",
                evidence)


def _times(first: str, train: Dataset, name: str, part: Dataset) -> tuple[dict[str, Any] | None, Finding]:
    """QUA008: rows that are earlier than the last one trained on."""
    if train.time is None or part.time is None:
        return None, Finding("QUA008", "not applicable", "Whether the parts overlap in time was not tested: no column "
                                                         "orders the rows.")
    last, times = train.time.max(), part.time
    early = int((times < last).sum())
    share = wilson(early, len(times))
    if not early:
        return _line("time overlap", name, share, len(times), "passed"), \
            Finding("QUA008", "passed", f"Every row of {name} is at least as late as the last of {first} ({shown(str(last))}; "
                    f"n = {len(times):,}).", {"last": str(last), "n": len(times)})
    return _line("time overlap", name, share, len(times), "issue"), \
        Finding("QUA008", "issue", f"{early:,} of {len(times):,} rows of {name} ({share.value:.1%}, 95 % interval "
                                   f"{share.low:.1%} to "
                f"{share.high:.1%}) are earlier than the last of {first}: the model is trained on what comes after.",
                {"part": name, "rows": early, "share": share.value, "low": share.low, "high": share.high, "n": len(times),
                 "last": str(last)}, SPLIT)


def _groups(first: str, train: Dataset, name: str, part: Dataset) -> tuple[dict[str, Any] | None, Finding]:
    """QUA009: groups that are on both sides."""
    if train.groups is None or part.groups is None:
        return None, Finding("QUA009", "not applicable", "Whether groups are on both sides was not tested: no column says "
                                                         "which rows "
                                                         "belong together.")
    groups = part.groups.astype(object)
    known = groups.isin(set(train.groups.dropna().astype(object))) & groups.notna()
    share, both = wilson(int(known.sum()), len(groups)), int(groups[known].nunique())
    if not both:
        return _line("group overlap", name, share, len(groups), "passed"), \
            Finding("QUA009", "passed", f"No group of {first} is in another part.",
                    {"n": len(groups), "groups": int(groups.nunique())})
    return _line("group overlap", name, share, len(groups), "issue"), \
        Finding("QUA009", "issue", f"{count(both, 'group')} of {name} are in {first}, too, with {int(known.sum()):,} of "
                                   f"{len(groups):,} "
                f"rows ({number(100 * share.value)} %, 95 % interval {share.low:.1%} to {share.high:.1%}): the model may "
                "know them by "
                "heart.", {"part": name, "groups": both, "share": share.value, "low": share.low, "high": share.high,
                           "n": len(groups)}, SPLIT)
