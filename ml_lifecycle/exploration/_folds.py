"""The folds that every row of a comparison shares: by time, by group, by class, or as the person gives them."""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from ml_lifecycle.foundation.errors import BadInputError

Rows = np.ndarray
Pair = tuple[Rows, Rows]
KEPT = 0.2  # share of the training rows that must stay when the groups of the test rows leave


@dataclass(frozen=True)
class Folds:
    """Pairs of training and test rows, by position."""

    pairs: tuple[Pair, ...]
    how: str  # in words, for the reader
    notes: tuple[str, ...] = ()  # what is not as it was asked for

    @property
    def test_ratio(self) -> float:
        """Test rows for each training row, over all folds."""
        return sum(len(test) for _, test in self.pairs) / sum(len(train) for train, _ in self.pairs)

    @property
    def n(self) -> int:
        """How many different rows are tested on."""
        return len(np.unique(np.concatenate([test for _, test in self.pairs])))


def make_folds(
    X: Any,  # the features; only a splitter of the person's own looks at them
    y: np.ndarray,  # the target
    *,
    task: str,
    cv: Any = 5,  # number of folds, a splitter, or pairs of positions
    groups: np.ndarray | None = None,  # rows of one group never stand on both sides
    times: np.ndarray | None = None,  # training rows lie strictly before test rows
    seed: int = 0,
) -> Folds:  # raises BadInputError when no fold is possible
    """The folds for these rows."""
    usable = isinstance(cv, (int, np.integer, Iterable)) or hasattr(cv, "split")
    if isinstance(cv, (bool, np.bool_, str)) or not usable:
        raise BadInputError(f"`cv` must be a number of folds, a splitter or pairs of positions. Got {cv!r}. Try cv=5.")
    if not isinstance(cv, (int, np.integer)):
        return _given(cv, X, y, groups, task)
    if cv < 2:
        raise BadInputError(f"`cv` must be at least 2 folds. Got {cv}. Try cv=5.")
    codes = pd.factorize(groups)[0] if groups is not None else None
    if times is not None:
        return _forward(int(cv), y, times, codes, task, seed)
    return _shuffled(int(cv), y, task, seed) if codes is None else _grouped(int(cv), y, codes, task, seed)


def _given(cv: Any, X: Any, y: np.ndarray, groups: Any, task: str) -> Folds:
    own = _pairs_of(cv, X, y, groups)
    pairs = []
    for number, pair in enumerate(own, 1):
        sides = [_side(side) for side in pair] if isinstance(pair, (tuple, list)) else []
        if len(sides) != 2 or any(side.ndim != 1 for side in sides):
            raise BadInputError(f"`cv` must give pairs (training, test) of arrays of positions. Got {pair!r:.80} as fold "
                                f"{number}. Write cv=[(train, test), ...] with an array of row positions on each side.")
        train, test = (np.flatnonzero(side) if side.dtype == bool else side for side in sides)
        for side in (train, test):
            if not len(side) or side.dtype.kind not in "iu" or side.min() < 0 or side.max() >= len(y):
                raise BadInputError(f"`cv` must give positions from 0 to {len(y) - 1}, at least one on each side. "
                                    f"Got others in fold {number}.")
        shared = len(np.intersect1d(train, test))
        if shared:
            raise BadInputError(f"`cv` must keep training and test rows apart. Got {shared} rows on both sides of fold {number}.")
        pairs.append((train, test))
    pairs, notes = _different(pairs)
    how = f"{len(pairs)} fold{'s' * (len(pairs) != 1)} of {type(cv).__name__ if hasattr(cv, 'split') else 'your own'}"
    return _usable(pairs, y, task, how, notes)


def _different(pairs: list[Pair]) -> tuple[list[Pair], list[str]]:
    """Each fold once: a copy would make a score look surer than it is."""
    found = {(np.sort(train).tobytes(), np.sort(test).tobytes()): (train, test) for train, test in pairs}
    copies = len(pairs) - len(found)
    return list(found.values()), [f"{copies} of {len(pairs)} folds {'are copies' if copies > 1 else 'is a copy'} of another, and "
                                  "left out."] if copies else []


def _pairs_of(cv: Any, X: Any, y: np.ndarray, groups: Any) -> list[Any]:
    """What a splitter or an iterable gives; whatever it raises becomes one line."""
    if isinstance(cv, type):
        raise BadInputError(f"`cv` must be a splitter, not its class. Got {cv.__name__}. Write {cv.__name__}().")
    try:
        return list(cv.split(X, y, groups)) if hasattr(cv, "split") else list(cv)
    except Exception as error:  # noqa: BLE001 - a splitter of the person's own may raise anything
        said = " ".join(str(error).split()).rstrip(".")[:200]
        remedy = "Say which rows belong together: groups=..." if groups is None and "group" in said.lower() else "Try cv=5."
        raise BadInputError(f"`cv` must be able to split these rows. Got {type(cv).__name__}, which says: {said}. "
                            f"{remedy}") from None


def _side(side: Any) -> Rows:
    try:
        return np.asarray(side)
    except ValueError:  # lists of several lengths
        return np.empty((0, 0))


def _usable(pairs: list[Pair], y: np.ndarray, task: str, how: str, notes: list[str]) -> Folds:
    """The folds from which something can be learned: those with two classes (or two rows) to train on."""
    kept = [(train, test) for train, test in pairs if len(test) and len(train) > 1
            and (task == "regression" or (y[train] != y[train[0]]).any())]
    if not kept:
        raise BadInputError("`cv` must leave training rows of two classes, and test rows, in at least one fold. "
                            "Got none. Check the order of the rows, `time` and `groups`.")
    if len(kept) < len(pairs):
        notes = [*notes, f"{len(pairs) - len(kept)} of {len(pairs)} folds are left out: nothing to train on, or one class only."]
    return Folds(tuple(kept), how, tuple(notes))


def _shuffled(cv: int, y: np.ndarray, task: str, seed: int) -> Folds:
    notes: list[str] = []
    if task == "regression":
        pairs = list(KFold(min(cv, len(y)), shuffle=True, random_state=seed).split(np.zeros(len(y))))
        return _usable(pairs, y, task, f"{len(pairs)} folds, shuffled", notes)
    codes = pd.factorize(y)[0]
    counts = np.bincount(codes)
    rarest = int(counts.min())
    folds = min(cv, max(2, rarest))
    label = y[np.flatnonzero(codes == counts.argmin())[0]]
    if folds < cv:
        notes.append(f"{folds} folds instead of {cv}: class {str(label)!r} has {rarest} row{'s' * (rarest != 1)}.")
    if rarest < 2:
        notes.append(f"Class {str(label)!r} has one row, which cannot be both learned from and tested on.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class of one row: said above
        pairs = list(StratifiedKFold(folds, shuffle=True, random_state=seed).split(np.zeros(len(y)), codes))
    return _usable(pairs, y, task, f"{folds} folds, shuffled, each class by its share", notes)


def _grouped(cv: int, y: np.ndarray, codes: np.ndarray, task: str, seed: int) -> Folds:
    known, notes = np.flatnonzero(codes >= 0), _set_aside(codes >= 0, "group")
    count = len(np.unique(codes[known]))
    if count < 2:
        raise BadInputError(f"`groups` must hold at least two groups. Got {count}. Leave `groups` out.")
    folds = min(cv, count)
    if folds < cv:
        notes.append(f"{folds} folds instead of {cv}: there are {count} groups.")
    order = np.random.default_rng(seed).permutation(codes.max() + 1)[codes[known]]  # groups of one size fall by the seed
    if task == "regression":
        found = GroupKFold(folds).split(known, groups=order)
    else:
        labels = pd.factorize(y)[0][known]
        folds = min(folds, max(2, int(np.bincount(labels).max())))
        found = StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(known, labels, groups=order)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class rarer than the folds: groups decide here
        pairs = [(known[train], known[test]) for train, test in found]
    return _usable(pairs, y, task, f"{len(pairs)} folds, whole groups", notes)


def _forward(cv: int, y: np.ndarray, times: np.ndarray, codes: np.ndarray | None, task: str, seed: int) -> Folds:
    known = ~pd.isna(times)
    notes = _set_aside(known, "time")
    if codes is not None:
        notes += _set_aside(codes[known] >= 0, "group")
        known = known & (codes >= 0)
    places, distinct = pd.factorize(times[known], sort=True)
    if len(distinct) < 2:
        raise BadInputError(f"`time` must hold at least two different times. Got {len(distinct)}. Leave `time` out.")
    folds = min(cv, len(distinct) - 1)
    if folds < cv:
        notes.append(f"{folds} fold{'s' * (folds != 1)} instead of {cv}: there are {len(distinct)} different times.")
    block = np.full(len(times), -1)
    block[known] = _blocks(np.bincount(places), folds + 1)[places]
    how = f"{folds} fold{'s' * (folds != 1)} forward in time: trained on what is strictly earlier"
    pairs = [(np.flatnonzero((block >= 0) & (block < i)), np.flatnonzero(block == i)) for i in range(1, folds + 1)]
    if codes is not None:
        pairs, more = _without_groups(pairs, codes, seed)
        how, notes = f"{how}, and on other groups", notes + more
    return _usable(pairs, y, task, how, notes)


def _blocks(counts: np.ndarray, blocks: int) -> np.ndarray:
    """The block of each distinct time: whole times, none empty, as equal in rows as they can be."""
    ends, start = np.cumsum(counts), 0
    found = np.full(len(counts), blocks - 1)
    for block in range(blocks - 1):
        wanted = ends[-1] * (block + 1) / blocks
        last = len(counts) - (blocks - block)  # leave one time for each block to come
        stop = start + int(np.argmin(np.abs(ends[start: last + 1] - wanted)))
        found[start: stop + 1] = block
        start = stop + 1
    return found


def _without_groups(pairs: list[Pair], codes: np.ndarray, seed: int) -> tuple[list[Pair], list[str]]:
    """Training rows without the groups of the test rows; where groups come back over time, each fold tests on some."""
    apart = [(train[~np.isin(codes[train], codes[test])], test) for train, test in pairs]
    if all(len(a) >= KEPT * len(b) for (a, _), (b, _) in zip(apart, pairs)):
        lost = sum(len(b) - len(a) for (a, _), (b, _) in zip(apart, pairs))
        return apart, [f"{lost:,} training rows of groups that are tested on are left out."] if lost else []
    part = np.random.default_rng(seed).permutation(codes.max() + 1)[codes] % max(2, len(pairs))
    dealt = [(train[part[train] != i], test[part[test] == i]) for i, (train, test) in enumerate(pairs)]
    return dealt, [f"Groups come back over time: each fold is tested on one in {max(2, len(pairs))} of them."]


def _set_aside(known: np.ndarray, what: str) -> list[str]:
    absent = int((~known).sum())
    return [f"{absent:,} row{'s' * (absent != 1)} without a {what} {'are' if absent != 1 else 'is'} set aside."] if absent else []
