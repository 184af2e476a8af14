"""Classifiers of the nineties on a table of numbers and categories: one rule, and naive Bayes on bins."""

from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

SMALL = 6  # rows of the commonest class that a bin of one rule needs, as in Holte (1993)


def _entropy(counts: NDArray[Any]) -> NDArray[Any]:
    """Entropy in bits of rows of class counts."""
    total = counts.sum(axis=-1, keepdims=True)
    share = counts / np.maximum(total, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return -np.where(share > 0, share * np.log2(share), 0.0).sum(axis=-1)


def description_length_cuts(values: NDArray[Any], which: NDArray[Any], classes: int) -> list[float]:
    """Cut points by least description length (Fayyad & Irani 1993)."""
    found, place = np.unique(values, return_inverse=True)
    table = np.zeros((len(found), classes))
    np.add.at(table, (place, which), 1)
    cuts: list[float] = []
    todo = [(0, len(found))]
    while todo:
        first, last = todo.pop()
        left = np.cumsum(table[first:last], axis=0)
        if len(left) < 2:
            continue
        whole, left = left[-1], left[:-1]
        right, n = whole - left, whole.sum()
        h, h_left, h_right = float(_entropy(whole)), _entropy(left), _entropy(right)
        gain = h - (left.sum(1) * h_left + right.sum(1) * h_right) / n
        at = int(np.argmax(gain))
        k, k_left, k_right = ((c > 0).sum() for c in (whole, left[at], right[at]))
        delta = np.log2(3.0**k - 2) - (k * h - k_left * h_left[at] - k_right * h_right[at])
        if gain[at] > (np.log2(n - 1) + delta) / n:
            cuts.append(float((found[first + at] + found[first + at + 1]) / 2))
            todo += [(first, first + at + 1), (first + at + 1, last)]
    return sorted(cuts)


def rule_cuts(values: NDArray[Any], which: NDArray[Any], classes: int) -> list[float]:
    """Cut points of one rule: each bin holds `SMALL` rows of its commonest class (Holte 1993)."""
    found, place = np.unique(values, return_inverse=True)
    table = np.zeros((len(found), classes))
    np.add.at(table, (place, which), 1)
    bins: list[tuple[int, int]] = []  # (last place, commonest class)
    held = np.zeros(classes)
    for i, row in enumerate(table):
        if held.max() >= SMALL and row.argmax() != held.argmax():
            bins.append((i - 1, int(held.argmax())))
            held = np.zeros(classes)
        held = held + row
    bins.append((len(found) - 1, int(held.argmax())))
    ends = [end for (end, label), (_, after) in zip(bins, bins[1:]) if label != after]
    return [float((found[end] + found[end + 1]) / 2) for end in ends]


class _Coded(ClassifierMixin, BaseEstimator):
    """A classifier that looks at every column as a small number of codes."""

    cutter = staticmethod(description_length_cuts)

    def fit(self, X: Any, y: Any) -> Self:
        """Find the codes of each column, then learn from them."""
        table = pd.DataFrame(X)
        self.classes_, which = np.unique(np.asarray(y), return_inverse=True)
        self.columns_ = list(table.columns)
        self.codes_: list[Any] = []
        for name in self.columns_:
            if pd.api.types.is_numeric_dtype(table[name]):
                self.codes_.append(np.array(self.cutter(table[name].to_numpy(dtype=float), which, len(self.classes_))))
            else:
                self.codes_.append({value: i + 1 for i, value in enumerate(pd.unique(table[name].dropna()))})
        self._learn(self._coded(table), which)
        return self

    def _coded(self, X: Any) -> NDArray[np.intp]:
        """Codes of shape (n, columns); 0 stands for what was not seen, or is missing."""
        table = pd.DataFrame(X)
        coded = np.zeros(table.shape, dtype=np.intp)
        for j, (name, codes) in enumerate(zip(table.columns, self.codes_)):
            if isinstance(codes, dict):
                coded[:, j] = table[name].map(codes).astype(float).fillna(0).to_numpy(dtype=np.intp)
            else:
                values = table[name].to_numpy(dtype=float)
                coded[:, j] = np.where(np.isnan(values), 0, np.searchsorted(codes, values) + 1)
        return coded

    def _counts(self, codes: NDArray[np.intp], which: NDArray[Any]) -> NDArray[Any]:
        counts = np.zeros((int(codes.max()) + 2, len(self.classes_)))
        np.add.at(counts, (codes, which), 1)
        return counts

    def _learn(self, coded: NDArray[np.intp], which: NDArray[Any]) -> None:
        raise NotImplementedError


class DiscreteBayes(_Coded):
    """Naive Bayes with numbers cut into bins of least description length."""

    def _learn(self, coded: NDArray[np.intp], which: NDArray[Any]) -> None:
        self.prior_ = np.log(np.bincount(which) / len(which))
        tables = [self._counts(column, which) for column in coded.T]
        self.logs_ = [np.log((t + 1) / (t + 1).sum(axis=0)) for t in tables]

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Probability of each class, shape (n, classes)."""
        coded = self._coded(X)
        total = self.prior_ + sum(log[np.minimum(column, len(log) - 1)] for log, column in zip(self.logs_, coded.T))
        total = np.exp(total - total.max(axis=1, keepdims=True))
        return np.asarray(total / total.sum(axis=1, keepdims=True))

    def predict(self, X: Any) -> NDArray[Any]:
        """The class of each row."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])


class OneRule(_Coded):
    """The one column whose values, or bins, tell the most rows apart (Holte 1993, Machine Learning 11)."""

    cutter = staticmethod(rule_cuts)

    def _learn(self, coded: NDArray[np.intp], which: NDArray[Any]) -> None:
        tables = [self._counts(column, which) for column in coded.T]
        right = [table.max(axis=1).sum() for table in tables]
        self.best_ = int(np.argmax(right))
        self.column_ = self.columns_[self.best_]
        answers = tables[self.best_].argmax(axis=1)
        self.answers_ = np.where(tables[self.best_].sum(axis=1) > 0, answers, np.bincount(which).argmax())

    def predict(self, X: Any) -> NDArray[Any]:
        """The class of each row."""
        column = self._coded(X)[:, self.best_]
        return np.asarray(self.classes_[self.answers_[np.minimum(column, len(self.answers_) - 1)]])
