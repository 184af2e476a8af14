"""Comparing two models on logged requests: rows of one user belong together, and so do both answers to one row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from ml_lifecycle.foundation import _bootstrap
from ml_lifecycle.foundation.intervals import Interval, wilson
from ml_lifecycle.foundation.metrics import Metric, Predictions

CELLS = 2_000_000  # weights held in memory at once
NONE = Interval(np.nan, np.nan, np.nan)
FEWEST = 10  # requests or users below which no interval is formed
BY_ROW = ("accuracy", "log_loss", "brier")  # means over rows, which need no row of each class
EQUAL = 0.1  # standard deviations of the champion's values within which two values count as the same


@dataclass(frozen=True)
class Compared:
    """The scores of two models and their difference, b - a, each with its interval."""

    a: Interval
    b: Interval
    difference: Interval
    n: int  # rows of b, the one that is judged
    n_a: int  # rows of a
    units: int  # users, or rows without a user, of both


def units_of(frame: pd.DataFrame) -> NDArray[Any]:
    """A number for each row, the same for the rows of one user; a row without a user stands alone."""
    alone = [f"\0{request}/{position}" for request, position in zip(frame["request_id"], frame["position"])]
    names = [user if isinstance(user, str) else own for user, own in zip(frame["user"], alone)]
    return pd.factorize(np.array(names, dtype=object))[0]


def share(hits: NDArray[Any], units: NDArray[Any], level: float) -> Interval:
    """A share of rows with Wilson's interval; rows that come in clusters count for fewer (design effect, Kish 1965)."""
    n = len(hits)
    if n == 0:
        return NONE
    p, clusters = float(np.mean(hits)), int(units.max()) + 1
    effect = 1.0
    if clusters < n:
        if 0 < p < 1 and clusters > 1:
            off = np.bincount(units, weights=hits - p, minlength=clusters)
            effect = max(1.0, clusters / (clusters - 1) * float((off**2).sum()) / (n * p * (1 - p)))
        else:
            effect = n / clusters
    worth = n / effect
    return wilson(p * worth, worth, level)


def same_outputs(a: Sequence[Any], b: Sequence[Any], regression: bool, tolerance: float | None) -> NDArray[Any]:
    """Where two models say the same: equal labels, or values that are `tolerance` apart at most."""
    if not regression:
        return np.array([one == other for one, other in zip(a, b)], dtype=float)
    first, second = as_values(a), as_values(b)
    room = tolerance if tolerance is not None else EQUAL * float(np.nanstd(first)) if len(first) else 0.0
    gone = np.isnan(first) | np.isnan(second)
    with np.errstate(invalid="ignore"):
        near = np.abs(first - second) <= room
    return np.where(gone, np.isnan(first) & np.isnan(second), near).astype(float)


def as_values(values: Sequence[Any]) -> NDArray[np.float64]:
    """Numbers, nan where there is none."""
    return np.array([np.nan if v is None else float(v) for v in values], dtype=float)


def output_difference(frame: pd.DataFrame, regression: bool, units: NDArray[Any], level: float) -> tuple[Interval, str]:
    """How far the two outputs lie apart on average, and what that number is."""
    if regression:
        gaps, unit = as_values(frame["shadow_output"]) - as_values(frame["output"]), "units of the target, shadow - champion"
    else:
        pairs = [(p, q) for p, q in zip(frame["proba"], frame["shadow_proba"])]
        if not pairs or any(p is None or q is None or len(p) != len(q) for p, q in pairs):
            return NONE, "no probabilities to compare"
        gaps, unit = np.array([np.abs(np.subtract(p, q)).sum() / 2 for p, q in pairs]), "probability that moves to another class"
    kept = ~np.isnan(gaps)
    return cluster_mean(gaps[kept], units[kept], level), unit


def cluster_mean(values: NDArray[Any], units: NDArray[Any], level: float) -> Interval:
    """A mean with a t interval whose error is that of the clusters (ratio estimator, Cochran 1977)."""
    if not len(values):
        return NONE
    mean, codes = float(values.mean()), np.unique(units, return_inverse=True)[1]
    clusters = int(codes.max()) + 1
    if clusters < FEWEST:
        return Interval(mean, np.nan, np.nan)
    off = np.bincount(codes, weights=values - mean)
    error = np.sqrt(clusters / (clusters - 1) * float((off**2).sum())) / len(values)
    half = float(error * stats.t.ppf((1 + level) / 2, clusters - 1))
    return Interval(mean, mean - half, mean + half)


def latency_ratio(ms: NDArray[Any], shadow_ms: NDArray[Any], level: float) -> Interval:
    """Time of the shadow over that of the champion on the same requests: geometric mean with its t interval."""
    kept = (ms > 0) & (shadow_ms > 0)
    logs = np.log(shadow_ms[kept] / ms[kept])
    if not len(logs):
        return NONE
    middle = float(logs.mean())
    if len(logs) < FEWEST:
        return Interval(float(np.exp(middle)), np.nan, np.nan)
    half = float(stats.t.ppf((1 + level) / 2, len(logs) - 1) * logs.std(ddof=1) / np.sqrt(len(logs)))
    return Interval(*(float(np.exp(v)) for v in (middle, middle - half, middle + half)))


def predictions(outputs: Sequence[Any], proba: Sequence[Any], classes: tuple[Any, ...] | None,
                regression: bool, positive: Any) -> Predictions:
    """Logged outputs in the form that metrics take."""
    if regression:
        return Predictions(values=as_values(outputs))
    labels = np.empty(len(outputs), dtype=object)
    labels[:] = list(outputs)
    complete = classes is not None and all(p is not None and len(p) == len(classes) for p in proba)
    table = np.array([list(p) for p in proba], dtype=float) if complete and len(outputs) else None
    return Predictions(labels=labels, proba=table, classes=classes, positive=positive)


def paired(metric: Metric, y: Any, a: Predictions, b: Predictions, units: NDArray[Any], *,
           level: float, n_boot: int, seed: int) -> Compared:
    """Two models on the same rows: whole users are drawn with replacement, the same ones for both models."""
    first, second = metric.rows(y, a), metric.rows(y, b)
    clusters, n = int(units.max()) + 1, len(units)
    drawn = np.concatenate([np.column_stack([_scored(first, w), _scored(second, w)])
                            for w in _weights(units, clusters, n, n_boot, seed)])
    values = metric.score(y, a), metric.score(y, b)
    ends = [_interval(v, d, clusters, level, metric) for v, d in zip(values, drawn.T)]
    enough = clusters if told(metric, y) else 0
    gap = _interval(values[1] - values[0], drawn[:, 1] - drawn[:, 0], enough, level, metric, cut=False)
    return Compared(ends[0], ends[1], gap, n, n, clusters)


def unpaired(metric: Metric, a: tuple[Any, Predictions, NDArray[Any]], b: tuple[Any, Predictions, NDArray[Any]], *,
             level: float, n_boot: int, seed: int) -> Compared:
    """Two models on rows of different users."""
    drawn, values, sizes = [], [], []
    for offset, (y, said, units) in enumerate((a, b)):
        rows, clusters = metric.rows(y, said), int(units.max()) + 1
        drawn.append(np.concatenate([_scored(rows, w) for w in _weights(units, clusters, len(units), n_boot, seed + offset)]))
        values.append(metric.score(y, said))
        sizes.append(clusters)
    ends = [_interval(v, d, c, level, metric) for v, d, c in zip(values, drawn, sizes)]
    enough = min(sizes) if told(metric, a[0]) and told(metric, b[0]) else 0
    gap = _interval(values[1] - values[0], drawn[1] - drawn[0], enough, level, metric, cut=False)
    return Compared(ends[0], ends[1], gap, len(b[2]), len(a[2]), sum(sizes))


def told(metric: Metric, y: Any) -> bool:
    """Whether there are enough rows of the rarer class: with fewer, a bootstrap finds differences twice as often as it says."""
    if metric.needs == "values" or metric.name in BY_ROW:
        return True
    counts = pd.Series(y, dtype=object).value_counts()
    return len(counts) != 2 or int(counts.min()) >= FEWEST


def _weights(units: NDArray[Any], clusters: int, n: int, n_boot: int, seed: int) -> Any:
    rng, batch = np.random.default_rng(seed), max(1, CELLS // max(1, n))
    for start in range(0, n_boot, batch):
        counts = np.array([np.bincount(rng.integers(0, clusters, clusters), minlength=clusters)
                           for _ in range(min(batch, n_boot - start))], dtype=float)
        yield counts[:, units]


def _scored(rows: Any, weights: NDArray[Any]) -> NDArray[Any]:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(rows.compute(weights[:, rows.order]), dtype=float)


def _interval(value: float, drawn: NDArray[Any], clusters: int, level: float, metric: Metric, cut: bool = True) -> Interval:
    """Percentiles, widened for few units; where no resample differs, what so many units cannot rule out."""
    if np.isnan(value) or clusters < FEWEST:
        return Interval(float(value), np.nan, np.nan)
    low, high = _bootstrap.quantiles(drawn, clusters, level)
    low, high = min(low, value), max(high, value)
    if high - low < 1e-12 and np.isfinite(metric.high - metric.low):
        room = (1 - ((1 - level) / 2) ** (1 / clusters)) * (metric.high - metric.low)
        low, high = value - room, value + room
    if cut:
        low, high = max(low, metric.low), min(high, metric.high)
    return Interval(float(value), float(low), float(high))


def needed(n: int, difference: Interval, margin: float) -> int | None:
    """Rows at which the interval would be as narrow as the difference that was seen, or as the margin, whichever is wider."""
    half = (difference.high - difference.low) / 2
    target = max(abs(difference.value), margin)
    if not np.isfinite(half) or target <= 0:
        return None
    return int(np.ceil(n * max(1.0, half / target) ** 2))
