"""Nested subsets: in each fold one order of the training rows, whose first n rows are the subset of size n."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ml_lifecycle.exploration._folds import Folds, make_folds
from ml_lifecycle.exploration._measure import Problem

@dataclass(frozen=True)
class Nest:
    """The rows of one fold by position, the training rows in the order in which they are learned from."""

    train: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class Nests:
    """All folds, with what they share."""

    each: tuple[Nest, ...]
    folds: Folds
    how: str  # how subsets grow, in words
    known: tuple[np.ndarray, ...] = ()  # for each fold and n: how many classes the first n rows hold; empty without classes

    @property
    def limit(self) -> int:
        """The largest size that every fold has."""
        return min(len(nest.train) for nest in self.each)

    @property
    def least(self) -> int:
        """The smallest size at which no fold misses a class that it has later."""
        return max((int(np.argmax(seen == seen[self.limit - 1])) + 1 for seen in self.known), default=1)

    def ratio(self, size: int) -> float:
        """Test rows for each training row, as far as folds share what they learn from.

        The correction of Nadeau & Bengio (2003) is for folds that share nearly all of their training rows. Small subsets share
        few; what one learner's scores have in common grows with the share (the first term of Hoeffding's decomposition, 1948).
        """
        whole, limit = self.folds.test_ratio, self.limit
        if len(self.each) < 2 or len(np.concatenate([nest.test for nest in self.each])) > self.folds.n:
            return whole  # test rows that come back are shared at any size
        full = self._shared(limit)
        return whole * min(1.0, self._shared(size) / full) if full > 0 else whole

    def _shared(self, size: int) -> float:
        """The share of rows that two subsets have in common, in the mean over pairs of folds."""
        counts = np.bincount(np.concatenate([nest.train[:size] for nest in self.each]))
        return float((counts * (counts - 1.0)).sum()) / (size * len(self.each) * (len(self.each) - 1))

    def classes(self, fold: int, size: int) -> tuple[int, int]:
        """(classes among the first `size` rows, classes among all training rows) of a fold."""
        return int(self.known[fold][size - 1]), int(self.known[fold][-1])


def make_nests(problem: Problem, *, cv: Any, groups: np.ndarray | None, times: np.ndarray | None, seed: int) -> Nests:
    """The folds of a problem and the order of their training rows; raises BadInputError when no fold is possible."""
    whole = isinstance(cv, (int, np.integer)) and not isinstance(cv, (bool, np.bool_)) and cv >= 2
    forward = times is not None and whole
    folds = make_folds(problem.X, problem.y, task=problem.task, cv=2 * cv if forward else cv, groups=groups, times=times,
                       seed=seed)
    if forward:
        folds = _later_half(folds, int(cv))
    codes = pd.factorize(problem.y)[0] if problem.task == "classification" else None
    each = []
    for number, (train, test) in enumerate(folds.pairs):
        rng = np.random.default_rng([seed, number])
        each.append(Nest(train[_order(train, test, codes, groups, times, rng)], test))
    known = () if codes is None else tuple(_seen(codes[nest.train]) for nest in each)
    return Nests(tuple(each), folds, _words(codes, groups, times), known)


def _later_half(folds: Folds, cv: int) -> Folds:
    """The last `cv` of twice as many folds forward in time: all of them have half of the rows, or more, to learn from."""
    found = len(folds.pairs)
    kept = folds.pairs[-cv:] if found >= 2 * cv else folds.pairs[found // 2:]
    notes = tuple(note for note in folds.notes if f" instead of {2 * cv}" not in note)
    if len(kept) < cv:
        notes += (f"{len(kept)} fold{'s' * (len(kept) != 1)} instead of {cv}: there are too few different times.",)
    how = folds.how.replace(f"{found} fold{'s' * (found != 1)}", f"{len(kept)} fold{'s' * (len(kept) != 1)}", 1)
    return replace(folds, pairs=kept, how=how, notes=notes)


def _order(train: np.ndarray, test: np.ndarray, codes: Any, groups: Any, times: Any, rng: np.random.Generator) -> np.ndarray:
    chance = rng.permutation(len(train))
    if times is not None:
        places = pd.factorize(times, sort=True)[0]
        first, last = places[test].min(), places[test].max()
        here = places[train]
        away = np.where(here < 0, len(times), np.maximum(np.maximum(first - here, here - last), 0))
        return np.lexsort((chance, away))
    if groups is not None:
        group = pd.factorize(groups[train])[0]
        return np.lexsort((chance, rng.permutation(group.max() + 2)[group]))
    return chance if codes is None else _by_share(codes[train], chance)


def _by_share(codes: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """An order of which every beginning holds each class by its share, to the nearest row."""
    drawn = codes[chance]
    counts = np.bincount(drawn)
    by_class = np.argsort(drawn, kind="stable")  # the rows of a class in the order in which they were drawn
    rank = np.empty(len(drawn), dtype=np.int64)
    rank[by_class] = np.arange(len(drawn)) - np.repeat(np.cumsum(counts) - counts, counts)
    return chance[np.argsort((rank + 0.5) / counts[drawn], kind="stable")]  # classes of one size by chance


def _seen(codes: np.ndarray) -> np.ndarray:
    """How many different values the first 1, 2, ... rows hold."""
    first = np.zeros(len(codes), dtype=np.int64)
    first[np.unique(codes, return_index=True)[1]] = 1
    return np.cumsum(first)


def _words(codes: Any, groups: Any, times: Any) -> str:
    if times is not None:
        return "subsets grow backwards in time from the test rows"
    if groups is not None:
        return "subsets grow by whole groups in random order, the last of them in part"
    return "subsets grow at random" + ("" if codes is None else ", each class by its share")
