"""Which columns say the same: the strength of the association of two columns, from 0 to 1."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

ALIKE = 0.8  # association from which two columns count as saying the same
ROWS = 2_000  # that are looked at
LEVELS = 60  # of a category; columns with more are compared by their codes only when they are numbers
COLUMNS = 60  # whose pairs are looked at


def pairs_alike(X: Any, names: Sequence[Any], seed: int = 0, least: float = ALIKE) -> dict[tuple[Any, Any], float]:
    """Pairs of columns that say (nearly) the same, the strongest first: rank correlation, or Cramér's V of categories."""
    names = list(names)[:COLUMNS]
    rows = np.arange(X.shape[0])
    if len(rows) > ROWS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, ROWS, replace=False))
    columns = [_readable(_column(X, name, rows)) for name in names]
    found: dict[tuple[Any, Any], float] = {}
    for i, first in enumerate(columns):
        for j in range(i + 1, len(columns)):
            strength = _strength(first, columns[j])
            if strength >= least:
                found[names[i], names[j]] = strength
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _column(X: Any, name: Any, rows: np.ndarray) -> pd.Series:
    if isinstance(X, pd.DataFrame):
        return X[name].iloc[rows].reset_index(drop=True)
    part = X[rows][:, [name]]
    return pd.Series((part.toarray() if sparse.issparse(part) else np.asarray(part)).ravel())


def _readable(column: pd.Series) -> tuple[np.ndarray | None, np.ndarray | None]:
    """(ranks of numbers or times, codes of a few levels); each None where the column has none."""
    codes = pd.factorize(column.astype(str).where(column.notna()))[0]
    few = codes if len(set(codes.tolist()) - {-1}) <= LEVELS else None
    kind = column.dtype
    ordered = pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_datetime64_any_dtype(kind) \
        or pd.api.types.is_timedelta64_dtype(kind)
    if not ordered or pd.api.types.is_complex_dtype(kind):
        return None, few
    return column.rank().to_numpy(dtype=float), few


def _strength(first: Any, second: Any) -> float:
    ranks, others = first[0], second[0]
    if ranks is not None and others is not None:
        known = np.isfinite(ranks) & np.isfinite(others)
        a, b = ranks[known], others[known]
        if len(a) < 3 or a.std() == 0 or b.std() == 0:
            return 0.0
        return float(abs(np.corrcoef(a, b)[0, 1]))
    if first[1] is None or second[1] is None:
        return 0.0
    return _cramer(first[1], second[1])


def _cramer(a: np.ndarray, b: np.ndarray) -> float:
    """Cramér's V with the bias correction of Bergsma (2013, Journal of the Korean Statistical Society 42)."""
    known = (a >= 0) & (b >= 0)
    a, b = np.unique(a[known], return_inverse=True)[1], np.unique(b[known], return_inverse=True)[1]
    n = len(a)
    if n < 3 or a.max() == 0 or b.max() == 0:
        return 0.0
    table = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(table, (a, b), 1)
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / n
    phi = float(((table - expected) ** 2 / expected).sum()) / n
    r, k = table.shape
    phi = max(0.0, phi - (k - 1) * (r - 1) / (n - 1))
    least = min(k - (k - 1) ** 2 / (n - 1), r - (r - 1) ** 2 / (n - 1)) - 1
    return float(np.sqrt(phi / least)) if least > 0 else 0.0


def one_of_each(names: Sequence[Any], pairs: dict[tuple[Any, Any], float], worth: dict[Any, float]) -> tuple[list[Any], list[Any]]:
    """(names that can leave while one of each kin stays, those that stay): of columns that say the same the best stays."""
    stay: list[Any] = []
    for name in sorted(names, key=lambda one: (-worth.get(one, 0.0), str(one))):
        kin = {other for pair in pairs for other in pair if name in pair and other != name} & set(names)
        if kin and not kin & set(stay):
            stay.append(name)
    return [name for name in names if name not in stay], stay
