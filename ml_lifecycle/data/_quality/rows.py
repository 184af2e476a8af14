"""Rows that come twice, in one table or on both sides of a split, and how many do so by chance."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ml_lifecycle.data._store.rows import column_hash, combined
from ml_lifecycle.foundation.dataset import Dataset

CONTINUOUS = 1 / 3  # share of distinct values from which a column hardly repeats by chance


@dataclass(frozen=True)
class Twins:
    """Rows whose features, or features and target, are those of another row."""

    whole: np.ndarray  # number of the group of equal rows, features and target
    features: np.ndarray  # the same for the features alone
    continuous: bool  # whether a column tells rows apart, so that equal rows are no chance
    expected: float  # share of rows with a twin if columns were independent


def hashes(data: Dataset, names: list[str]) -> np.ndarray:
    """One hash for each row and column, shape (rows, columns)."""
    if not names:
        return np.zeros((len(data), 0), dtype="uint64")
    return np.column_stack([column_hash(data.frame[name]) for name in names])


def feature_names(data: Dataset) -> list[str]:
    """What describes a row: no id, not the target."""
    return [name for name in data.frame.columns if name != data.roles["target"] and name not in data.roles["id"]]


def find_twins(data: Dataset, seed: int) -> Twins:
    """Equal rows, and what independent columns would give (mean of two shuffles)."""
    names = feature_names(data)
    table = hashes(data, names)
    alike = combined(table)
    target = data.roles["target"]
    whole = combined(np.column_stack([alike, hashes(data, [target])])) if target else alike
    rng = np.random.default_rng(seed)
    shuffled = [1.0] if not names else \
        [with_twin(combined(np.column_stack([rng.permutation(c) for c in table.T]))).mean() for _ in range(2)]
    distinct = [len(pd.unique(column)) for column in table.T]
    return Twins(whole, alike, any(d >= max(30, CONTINUOUS * len(data)) for d in distinct), float(np.mean(shuffled)))


def with_twin(numbers: np.ndarray) -> np.ndarray:
    """Which rows equal another row."""
    return pd.Series(numbers).duplicated(keep=False).to_numpy()


def conflicts(data: Dataset, alike: np.ndarray) -> tuple[np.ndarray, int]:
    """(rows whose features come with another label too, rows that no model can get right)."""
    target = data.roles["target"]
    codes = pd.factorize(data.frame[target])[0]
    twin = with_twin(alike)
    table = pd.DataFrame({"alike": alike[twin], "label": codes[twin]})
    groups = table.groupby("alike")["label"]
    mixed = np.zeros(len(data), dtype=bool)
    mixed[twin] = groups.transform("nunique").to_numpy() > 1
    sizes = table.groupby(["alike", "label"]).size()
    lost = int((sizes.groupby("alike").sum() - sizes.groupby("alike").max()).sum())
    return mixed, lost
