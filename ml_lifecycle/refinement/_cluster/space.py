"""A table as points: every column as numbers in which it counts once, and what rules can be said about it."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from ml_lifecycle.exploration import _columns
from ml_lifecycle.exploration.pipelines import DateParts

LEVELS = 30  # categories of a column that are told apart, the most frequent ones
WIDTH = 16  # directions that a column of text is brought down to
WORDS = 60  # words that a rule may ask for
MOST = 300  # columns that are looked at
APART = float(np.sqrt(2))  # distance of two different categories: that of two typical numbers


@dataclass(frozen=True)
class Feature:
    """One column, or one part of a date."""

    name: str
    kind: str  # "number", "category", "date" or "text"
    values: np.ndarray  # numbers (nan where missing), or codes of levels, or (rows, words) of 0 and 1
    levels: tuple[str, ...] = ()  # of a category, or the words of a text
    block: np.ndarray | None = None  # points of a text
    whole: bool = False  # numbers without fractions
    unit: str = "ns"  # of dates
    scale: tuple[float, float, float] = (0.0, 1.0, 1.0)  # middle, spread, and size of what they make of numbers

    def points(self, rows: np.ndarray) -> np.ndarray:
        """Coordinates of shape (rows, d) in which two typical rows are about sqrt(2) apart."""
        if self.kind == "category":
            used = np.zeros((len(rows), max(1, len(self.levels))))
            used[np.arange(len(used)), self.values[rows]] = 1.0
            return used * APART / np.sqrt(2)
        if self.block is not None:
            return np.asarray(self.block[rows])
        gone = np.isnan(self.values[rows])
        z = np.where(gone, 0.0, _drawn_in(self.values[rows], self.scale)) / self.scale[2]
        return np.column_stack([z, gone * 1.0]) if np.isnan(self.values).any() else z[:, None]

    def at(self, rows: np.ndarray) -> "Feature":
        """The same column of some rows."""
        return replace(self, values=self.values[rows], block=None if self.block is None else self.block[rows])


def _drawn_in(values: np.ndarray, scale: tuple[float, float, float]) -> np.ndarray:
    return np.asarray(2 * np.arcsinh((values - scale[0]) / scale[1] / 2))


def _scale(values: np.ndarray) -> tuple[float, float, float]:
    """Numbers around their median in units of their spread, long tails drawn in."""
    known = values[~np.isnan(values)]
    if not len(known):
        return 0.0, 1.0, 1.0
    low, middle, high = np.quantile(known, [0.25, 0.5, 0.75])
    spread = float((high - low) / 1.349 or known.std() or 1.0)
    z = np.zeros(len(values))
    z[: len(known)] = _drawn_in(known, (float(middle), spread, 1.0))
    return float(middle), spread, float(z.std()) or 1.0


def features_of(table: pd.DataFrame, fit_rows: np.ndarray, seed: int) -> list[Feature]:
    """Every column that varies; scales, words and directions are those of `fit_rows`."""
    found: list[Feature] = []
    for name in table.columns[:MOST]:
        column = table[name]
        kind = _columns.kind_of(column)
        if kind == "number":
            found.append(number(str(name), _columns.numbers(column), fit_rows))
        elif kind == "date":
            found += _dates(name, column, fit_rows)
        elif kind == "category":
            found.append(category(str(name), column))
        elif kind == "text":
            found.append(_text(str(name), column, fit_rows, seed))
    return [feature for feature in _apart(found) if _varies(feature)]


def _apart(features: list[Feature]) -> list[Feature]:
    """The same with distinct names: a column 1 and a column "1" are two."""
    taken: dict[str, int] = {}
    for i, feature in enumerate(features):
        taken[feature.name] = taken.get(feature.name, 0) + 1
        if taken[feature.name] > 1:
            features[i] = replace(feature, name=f"{feature.name} ({taken[feature.name]})")
    return features


def _varies(feature: Feature) -> bool:
    if feature.kind == "text":
        return len(feature.levels) > 0
    known = feature.values[~np.isnan(feature.values)] if feature.kind != "category" else feature.values
    return len(known) > 0 and (known.min() < known.max() or len(known) < len(feature.values))


def number(name: str, values: np.ndarray, fit_rows: np.ndarray) -> Feature:
    """A column of numbers."""
    known = values[~np.isnan(values)]
    return Feature(name, "number", values, whole=bool(len(known)) and bool((known == np.round(known)).all()),
                   scale=_scale(values[fit_rows]))


def category(name: str, column: pd.Series) -> Feature:
    """A column of categories, the rare ones taken together."""
    gone = column.isna().to_numpy()
    texts = np.array(["" if g else str(v) for v, g in zip(column, gone)], dtype=object)
    texts[gone] = None
    codes, levels = pd.factorize(texts)
    order = np.argsort(-np.bincount(codes[codes >= 0], minlength=len(levels)), kind="stable")
    place = np.full(len(levels), LEVELS)
    place[order[:LEVELS]] = np.arange(min(LEVELS, len(order)))
    kept = [str(levels[i]) for i in order[:LEVELS]]
    if len(levels) > LEVELS:
        kept.append("")  # all others: no rule names them
    found = np.where(codes < 0, len(kept), place[codes]) if len(levels) else np.zeros(len(codes), dtype=int)
    return Feature(name, "category", found.astype(int), (*kept, None) if gone.any() else tuple(kept))  # type: ignore[arg-type]


def _dates(name: Any, column: pd.Series, fit_rows: np.ndarray) -> list[Feature]:
    index = _columns.dates(column)
    stamps = np.where(index.isna(), np.nan, index.asi8.astype(float))
    found = [Feature(str(name), "date", stamps, unit=index.unit, scale=_scale(stamps[fit_rows]))]
    parts = DateParts(elapsed=False).fit(column)
    values = parts.transform(column)
    return found + [number(f"{name}: {part.replace('_', ' ')}", values[:, i], fit_rows) for i, part in enumerate(parts.parts_)]


def _text(name: str, column: pd.Series, fit_rows: np.ndarray, seed: int) -> Feature:
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = _columns.texts(column)
    few = max(2, len(fit_rows) // 100)
    try:
        words = TfidfVectorizer(sublinear_tf=True, max_features=2_000, min_df=few, stop_words="english")
        words.fit([texts[i] for i in fit_rows])
        weights = words.transform(texts)
    except ValueError:  # no word comes often enough
        return Feature(name, "text", np.zeros((len(texts), 0)))
    width = min(WIDTH, weights.shape[1] - 1)
    block = TruncatedSVD(width, n_iter=3, random_state=seed).fit(weights[fit_rows]).transform(weights) if width > 1 else \
        weights.toarray()
    common = np.argsort(-np.asarray((weights[fit_rows] > 0).sum(axis=0)).ravel(), kind="stable")[:WORDS * 3]
    there = np.asarray((weights[:, common] > 0).todense())
    block = block / (np.sqrt(block[fit_rows].var(axis=0).sum()) or 1.0)
    return Feature(name, "text", there, tuple(str(w) for w in words.get_feature_names_out()[common]), block)


def separation(feature: Feature, wrong: np.ndarray, rows: np.ndarray) -> tuple[float, float]:
    """(p of "errors are like the correct rows in this column", how far apart they are in [0, 1])."""
    values, bad = feature.values[rows], wrong[rows]
    if feature.kind == "category":
        return _counts(values, bad, len(feature.levels))
    if feature.kind == "text":
        return _words(values, bad)
    gone = np.isnan(values)
    p, far = 1.0, 0.0
    if (bad & ~gone).any() and (~bad & ~gone).any():
        test = stats.ks_2samp(values[bad & ~gone], values[~bad & ~gone], method="asymp")
        p, far = float(test.pvalue), float(test.statistic)
    if gone.any() and not gone.all():
        p_gone, far_gone = _counts(gone.astype(int), bad, 2)
        p, far = min(1.0, 2 * min(p, p_gone)), max(far, far_gone)
    return p, far


def _counts(codes: np.ndarray, bad: np.ndarray, size: int) -> tuple[float, float]:
    """Chi-square of levels, the rare ones taken together, and the total variation."""
    a, b = (np.bincount(codes[part], minlength=size).astype(float) for part in (bad, ~bad))
    if not a.sum() or not b.sum():
        return 1.0, 0.0
    rare = (a + b) * min(a.sum(), b.sum()) / (a.sum() + b.sum()) < 5
    if rare.sum() > 1:
        a, b = np.append(a[~rare], a[rare].sum()), np.append(b[~rare], b[rare].sum())
    keep = a + b > 0
    if keep.sum() < 2:
        return 1.0, 0.0
    table = np.array([a[keep], b[keep]])
    chi = stats.chi2_contingency(table, correction=False)
    p = float(stats.fisher_exact(table)[1]) if table.shape == (2, 2) and chi.expected_freq.min() < 5 else float(chi.pvalue)
    return p, float(np.abs(a / a.sum() - b / b.sum()).sum() / 2)


def _words(there: np.ndarray, bad: np.ndarray) -> tuple[float, float]:
    best, far = 1.0, 0.0
    for word in range(there.shape[1]):
        p, apart = _counts(there[:, word].astype(int), bad, 2)
        best, far = (p, apart) if p < best else (best, far)
    return min(1.0, best * max(1, there.shape[1])), far
