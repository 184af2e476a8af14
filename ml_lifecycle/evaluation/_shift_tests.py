"""Two samples of one column: is the difference more than chance, and how large is it?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from ml_lifecycle.exploration import _columns

BINS = 10  # quantile bins of the reference in which numbers are compared
LEVELS = 50  # categories of a column that are told apart, the most frequent ones; the others are taken together
WORDS = 200  # words of a column of text that are compared, the most frequent ones
RARE = 5.0  # expected rows below which levels are taken together (Cochran 1954)
UNIQUE = 0.9  # share of values that come once, from which a category is a name of the row


@dataclass(frozen=True)
class Compared:
    """What one column says."""

    kind: str  # "number", "category", "date", "text" or "empty"
    n: tuple[int, int]  # rows with a value
    statistic: float = np.nan
    effect: float = np.nan  # share of the rows that would have to change to make both alike, in [0, 1]
    p: float = np.nan
    missing: tuple[float, float] = (0.0, 0.0)
    note: str = ""  # what differs, in words
    skipped: str = ""  # why it was not compared
    fresh: tuple[str, ...] = ()  # categories that only the current rows have, the most frequent first
    fresh_rows: int = 0  # rows that hold one of them
    detectable: float = np.nan  # effect that whole units show in four of five cases; nan where rows count by themselves


def total_variation(a: np.ndarray, b: np.ndarray) -> float:
    """Half the sum of the differences of shares, less what chance alone would give (in squares); in [0, 1]."""
    n, m = a.sum(), b.sum()
    if not n or not m:
        return float("nan")
    p, q, both = a / n, b / m, (a + b) / (n + m)
    found = np.abs(p - q).sum() / 2
    chance = (np.sqrt(2 / np.pi * both * (1 - both) * (1 / n + 1 / m))).sum() / 2
    return float(np.sqrt(max(0.0, found**2 - chance**2)))


def pooled(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counts with the levels that are too rare for a chi-square test taken together."""
    total = a + b
    low = total * min(a.sum(), b.sum()) / max(1, total.sum()) < RARE
    if low.sum() > 1:
        a, b = np.append(a[~low], a[low].sum()), np.append(b[~low], b[low].sum())
    return a, b


def chi_square(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """(statistic, p) of two rows of counts: Pearson's chi-square, Fisher's exact test for a 2 x 2 table."""
    used = a + b > 0
    a, b = pooled(a[used], b[used])
    if len(a) < 2 or not a.sum() or not b.sum():
        return 0.0, 1.0
    table = np.array([a, b])
    chi = stats.chi2_contingency(table, correction=False)
    if table.shape == (2, 2) and float(chi.expected_freq.min()) < 50:
        return float(chi.statistic), float(stats.fisher_exact(table)[1])
    return float(chi.statistic), float(chi.pvalue)


def compare_column(a: pd.Series, b: pd.Series, text: bool = False) -> Compared:
    """Compare the values of one column, and the share of rows without one."""
    kinds = {kind for kind in (_columns.kind_of(a), _columns.kind_of(b)) if kind}
    gone = (a.isna().to_numpy(), b.isna().to_numpy())
    n = (int((~gone[0]).sum()), int((~gone[1]).sum()))
    missing = (float(gone[0].mean()), float(gone[1].mean()))
    if not kinds:
        return Compared("empty", n, missing=missing, skipped="it holds no value")
    kind = "text" if text or (kinds == {"text", "category"} or kinds == {"text"}) else \
        kinds.pop() if len(kinds) == 1 else "category"
    if min(n) and kind == "number":
        found = numbers(_columns.numbers(a), _columns.numbers(b))
    elif min(n) and kind == "date":
        found = dates(a, b)
    elif min(n) and kind == "text":
        found = words(a.dropna().astype(str), b.dropna().astype(str))
    elif min(n):
        found = categories(a.dropna(), b.dropna())
    else:
        found = Compared(kind, n, effect=0.0, p=1.0, statistic=0.0)
    found = Compared(**{**vars(found), "kind": kind, "n": n, "missing": missing})
    return found if found.skipped else with_missing(found, gone)


def with_missing(found: Compared, gone: tuple[np.ndarray, np.ndarray]) -> Compared:
    """The same with the share of missing values as a second question about the column (Bonferroni for the two)."""
    holes = (int(gone[0].sum()), int(gone[1].sum()))
    if not any(holes):
        return found
    rows = (len(gone[0]), len(gone[1]))
    _, p = chi_square(np.array([holes[0], rows[0] - holes[0]]), np.array([holes[1], rows[1] - holes[1]]))
    moved = abs(found.missing[1] - found.missing[0])
    said = f"missing in {found.missing[0]:.1%} before, {found.missing[1]:.1%} now"
    more = p < found.p
    note = (said if more and moved >= (found.effect if found.effect == found.effect else 0) else
            f"{found.note}; {said}" if p < 0.01 and found.note else said if p < 0.01 else found.note)
    return Compared(**{**vars(found), "p": min(1.0, 2 * min(found.p, p)), "note": note,
                       "effect": float(np.nanmax([found.effect, moved]))})


def edges_of(values: np.ndarray) -> np.ndarray:
    """Inner edges of the quantile bins of the reference; a value that many rows share gets a bin of its own."""
    cuts = np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1]))
    found, counts = np.unique(values, return_counts=True)
    heavy = found[counts >= len(values) / BINS]
    return np.unique(np.concatenate([cuts, heavy, np.nextafter(heavy, -np.inf)]))


def binned(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The bin of each value: 0 to len(edges); a value on an edge belongs below it."""
    return np.searchsorted(edges, values, side="left")


def numbers(a: np.ndarray, b: np.ndarray) -> Compared:
    """Kolmogorov-Smirnov test (ties make it cautious), and the rows that would have to move between quantile bins."""
    a, b = a[~np.isnan(a)], b[~np.isnan(b)]
    if not len(a) or not len(b):
        return Compared("number", (len(a), len(b)), effect=0.0, p=1.0, statistic=0.0)
    if is_counter(a, b):
        return Compared("number", (len(a), len(b)), skipped="it numbers the rows")
    test = stats.ks_2samp(a, b, method="exact" if len(a) * len(b) <= 10_000 else "asymp")
    edges = edges_of(a)
    width = len(edges) + 1
    counts = [np.bincount(binned(values, edges), minlength=width).astype(float) for values in (a, b)]
    p = float(test.pvalue)
    if len(np.unique(np.concatenate([a, b]))) <= BINS:  # few values: a test of counts sees more than one of ranks
        p = chi_square(*counts)[1]
    note = f"median {_short(np.median(a))} before, {_short(np.median(b))} now"
    if np.median(a) == np.median(b) or width <= 3:
        note = f"mean {_short(a.mean())} before, {_short(b.mean())} now"
    # a shift of the whole that no bin shows, or spread over bins: the larger of the two is the effect
    return Compared("number", (len(a), len(b)), float(test.statistic), total_variation(*counts), p, note=note)


def _short(value: float) -> str:
    return f"{value:,.4g}"


def is_counter(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether the values are row numbers: whole, each once, with hardly a gap."""
    every = np.concatenate([a, b])
    if len(every) < 20 or (every != np.round(every)).any() or len(np.unique(every)) < len(every):
        return False
    return any(np.ptp(part) <= 2 * len(part) for part in (a, b, every)) and _in_order(a) and _in_order(b)


def _in_order(values: np.ndarray) -> bool:
    step = np.diff(values)
    return bool((step > 0).all() or (step < 0).all() or np.ptp(values) < 1.1 * len(values))


def dates(a: pd.Series, b: pd.Series) -> Compared:
    """Times that do not overlap were split by time; others are compared as numbers."""
    first, second = _columns.dates(a), _columns.dates(b)
    x, y = first[first.notna()], second[second.notna()]
    n = (len(x), len(y))
    if not min(n):
        return Compared("date", n, effect=0.0, p=1.0, statistic=0.0)
    if x.max() <= y.min() or y.max() <= x.min():
        return Compared("date", n, skipped="the two lie one after the other in time, so it differs by construction")
    start = min(x.min(), y.min())
    found = numbers(*((part - start).total_seconds().to_numpy(dtype=float) for part in (x, y)))
    note = f"median {x[np.argsort(x)[len(x) // 2]]:%Y-%m-%d} before, {y[np.argsort(y)[len(y) // 2]]:%Y-%m-%d} now"
    return Compared(**{**vars(found), "kind": "date", "skipped": "", "note": note}) if not found.skipped else \
        Compared("date", n, effect=0.0, p=1.0, statistic=0.0)


def codes_of(a: pd.Series, b: pd.Series) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Codes of the levels in both, by their text, and the levels."""
    both = [str(value) for value in [*a.tolist(), *b.tolist()]]
    codes, levels = pd.factorize(np.array(both, dtype=object))
    return codes[: len(a)], codes[len(a):], [str(level) for level in levels]


def categories(a: pd.Series, b: pd.Series) -> Compared:
    """Chi-square over the levels, and the rows that would have to change their level."""
    x, y, levels = codes_of(a, b)
    n, size = (len(a), len(b)), len(levels)
    if size >= UNIQUE * (n[0] + n[1]) and size > 20:
        return Compared("category", n, skipped="hardly any value comes back, it names the rows")
    before, now = (np.bincount(part, minlength=size).astype(float) for part in (x, y))
    fresh = np.flatnonzero((before == 0) & (now > 0))
    fresh = fresh[np.argsort(-now[fresh], kind="stable")]
    statistic, p = chi_square(before, now)
    share, part = before / n[0], now / n[1]
    moved = np.argsort(-np.abs(part - share), kind="stable")[:2]
    note = "; ".join(f"{levels[i]!r:.40} {share[i]:.1%} before, {part[i]:.1%} now" for i in moved)
    a_few, b_few = _most(before, now)
    return Compared("category", n, statistic, total_variation(a_few, b_few), p, note=note,
                    fresh=tuple(levels[i] for i in fresh), fresh_rows=int(now[fresh].sum()))


def _most(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(-(a + b), kind="stable")
    head, tail = order[:LEVELS], order[LEVELS:]
    return pooled(np.append(a[head], a[tail].sum()), np.append(b[head], b[tail].sum()))


def words(a: pd.Series, b: pd.Series) -> Compared:
    """The frequent words and the length of texts, each compared by itself; p is corrected for their number."""
    from sklearn.feature_extraction.text import CountVectorizer

    n = (len(a), len(b))
    lengths = [part.str.len().to_numpy(dtype=float) for part in (a, b)]
    longer = numbers(*lengths)
    longer = longer if not longer.skipped else Compared("text", n, statistic=0.0, effect=0.0, p=1.0)
    try:
        there = CountVectorizer(binary=True, max_features=WORDS, min_df=min(5, max(1, min(n) // 4)))
        counts = there.fit_transform([*a, *b])
    except ValueError:  # no words
        return Compared(**{**vars(longer), "kind": "text"})
    before = np.asarray(counts[: n[0]].sum(axis=0)).ravel()
    now = np.asarray(counts[n[0]:].sum(axis=0)).ravel()
    tests = [chi_square(np.array([x, n[0] - x]), np.array([y, n[1] - y]))[1] for x, y in zip(before, now)]
    most, gap = int(np.argmin(tests)), np.abs(now / n[1] - before / n[0])
    p_words = min(1.0, len(tests) * min(tests))
    word = there.get_feature_names_out()[most]
    note = f"the word {word!r} in {before[most] / n[0]:.1%} before, {now[most] / n[1]:.1%} now"
    by_length = longer.p < p_words
    note = f"letters a text: {longer.note}" if by_length else note
    effect = longer.effect if by_length else float(gap[most])
    return Compared("text", n, float(longer.statistic if by_length else gap[most]), float(effect),
                    min(1.0, 2 * min(longer.p, p_words)), note=note)


def block_test(units: Sequence[np.ndarray], codes: Sequence[np.ndarray], width: int, draws: int, level: float,
               rng: Any) -> tuple[float, float]:
    """(p, detectable effect) of the total variation when whole units change sides, not single rows."""
    sizes = [int(u.max()) + 1 if len(u) else 0 for u in units]
    total = sum(sizes)
    tables = [np.bincount(u * width + c, minlength=s * width).reshape(s, width) for u, c, s in zip(units, codes, sizes)]
    counts = np.vstack(tables).astype(float)
    right = np.array([rng.permutation(total)[: sizes[1]] for _ in range(draws)])
    side = np.zeros((draws + 1, total))
    np.put_along_axis(side[1:], right, 1.0, axis=1)
    side[0, sizes[0]:] = 1.0
    now = side @ counts
    before = counts.sum(axis=0) - now
    with np.errstate(invalid="ignore", divide="ignore"):
        moved = np.abs(now / now.sum(1, keepdims=True) - before / before.sum(1, keepdims=True)).sum(1) / 2
    moved = np.nan_to_num(moved)
    chance = moved[1:]
    seen = float(np.quantile(chance, 1 - level) + 0.84 * chance.std())
    p = float((1 + (chance >= moved[0] - 1e-12).sum()) / (draws + 1))
    return p, min(1.0, float(np.sqrt(max(0.0, seen**2 - chance.mean() ** 2))))
