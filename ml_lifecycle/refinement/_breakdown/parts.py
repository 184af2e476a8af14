"""Errors on several parts of the data, what their differences say, and how sure that is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from ml_lifecycle.foundation.errors import BadInputError, UnknownNameError, did_you_mean
from ml_lifecycle.foundation.intervals import Interval, wilson
from ml_lifecycle.foundation.metrics import METRICS, Metric

COMPONENTS = ("irreducible", "avoidable_bias", "variance", "distribution_shift", "validation_overfitting")
PARTS = ("irreducible", "train", "val_train", "val", "val_test", "test")  # in the order of the sum
SHARES = ("accuracy", "brier")  # metrics that are a mean over rows of something between 0 and 1
RARER = 0.25  # share of the rarer class that intervals of other metrics between 0 and 1 take for granted
# standard error of an error relative to itself, times the root of n, for errors with the tails of a Laplace distribution
RELATIVE = {"rmse": 1.35, "mae": 1.0, "median_ae": 1.5, "mape": 2.0, "log_loss": 2.0, "r2": 2.65}
LEVEL = 0.95
UNKNOWN = "irreducible + avoidable_bias"  # what the training error is when the irreducible part is not known
NAN = float("nan")

Weights = Mapping[str, int]  # part -> 1 or -1


@dataclass(frozen=True)
class Part:
    """The error on one part of the data, with its bounds; nan bounds where they cannot be told."""

    value: float
    low: float = NAN
    high: float = NAN
    n: int | None = None  # rows; None: not said
    partial: bool = False  # True: the bounds are no interval of an estimate, the truth may lie anywhere between them
    rough: bool = False  # True: the bounds follow from `n` and what is usual for the metric


def as_error(metric: Metric | None, value: float) -> float:
    """A score as an error: how far it is from the best there is, or the loss itself."""
    if metric is None:
        return value
    best = metric.high if metric.greater_is_better else metric.low
    return -metric.sign * (value - best) if np.isfinite(best) else -metric.sign * value


def _number(value: Any, name: str) -> float:
    if isinstance(value, (bool, np.bool_, str)) or np.ndim(value) != 0:
        raise BadInputError(f"`{name}` must be a number, or (value, low, high). Got {value!r:.80}.")
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = NAN
    if not np.isfinite(number):
        raise BadInputError(f"`{name}` must be a finite number, or (value, low, high). Got {value!r:.80}. "
                            "Leave out what was not measured.")
    return number


def _rows(n: Any, name: str) -> int | None:
    """How many rows a part has; what is irreducible is taken as known unless its rows are said."""
    if isinstance(n, Mapping):
        n = n.get(name)
    elif name == "irreducible":
        n = None
    if n is None:
        return None
    whole = isinstance(n, (int, np.integer, float, np.floating)) and not isinstance(n, bool) and float(n).is_integer()
    if not whole or n < 1:
        raise BadInputError(f"`n` must be a number of rows from 1, or a dict of them by part. Got {n!r}.")
    return int(n)


def read_parts(values: Mapping[str, Any], n: Any, metric: Metric | None) -> dict[str, Part]:
    """The errors that were handed in, checked, each with its interval where one can be told."""
    if isinstance(n, Mapping):
        for key in n:
            if key not in PARTS:
                raise UnknownNameError(f"`n` must name parts of the data. Got {key!r}. " + did_you_mean(key, PARTS, noun="Parts"))
    given = {name: value for name, value in values.items() if value is not None}
    triples: dict[str, tuple[float, ...]] = {}
    for name, value in given.items():
        several = value if isinstance(value, (tuple, list, np.ndarray)) and np.ndim(value) == 1 else (value,)
        if len(several) not in (1, 3):
            raise BadInputError(f"`{name}` must be a number, or (value, low, high). Got {value!r:.80}.")
        triples[name] = tuple(_number(v, name) for v in several)
        _in_bounds(triples[name], name, metric)
    share = metric.name in SHARES if metric is not None else all(0 <= v <= 1 for t in triples.values() for v in t)
    found = {name: _part(t, _rows(n, name), metric, share, name) for name, t in triples.items()}
    _order(found, triples)
    return found


def _in_bounds(values: Sequence[float], name: str, metric: Metric | None) -> None:
    low, high, what = (metric.low, metric.high, metric.name) if metric is not None else (0.0, np.inf, "an error")
    if min(values) < low or max(values) > high:
        raise BadInputError(f"`{name}` must lie from {low:g} to {high:g}, being {what}. Got {values[0]:g}. "
                            + ("Say which metric it is: metric='r2'." if metric is None else "Check the metric."))


def _order(found: Mapping[str, Part], given: Mapping[str, tuple[float, ...]]) -> None:
    for name, part in found.items():
        if len(given[name]) == 3 and not part.low <= part.value <= part.high:
            raise BadInputError(f"`{name}` must be (value, low, high) in this order. Got {given[name]}.")


def _part(values: tuple[float, ...], rows: int | None, metric: Metric | None, share: bool, name: str) -> Part:
    errors = [as_error(metric, v) for v in values]
    if len(errors) == 3:
        return Part(errors[0], min(errors[1:]), max(errors[1:]), rows)
    if rows is not None and share:
        return Part(*wilson(errors[0] * rows, rows), n=rows)
    if rows is not None and metric is not None and (metric.name in RELATIVE or (metric.low, metric.high) == (0, 1)):
        return Part(*_usual(metric, errors[0], rows), n=rows, rough=True)
    if name == "irreducible" and rows is None:
        return Part(errors[0], errors[0], errors[0])
    return Part(errors[0], n=rows)


def _usual(metric: Metric, error: float, rows: int) -> Interval:
    """Bounds of an error that is no share of rows: relative to itself, or as that of the rarer class."""
    if metric.name not in RELATIVE:
        few = RARER * rows
        return wilson(error * few, few)
    wide = float(np.exp(stats.norm.ppf((1 + LEVEL) / 2) * RELATIVE[metric.name] / np.sqrt(rows)))
    return Interval(error, error / wide, error * wide)


def chain(parts: Mapping[str, Part]) -> dict[str, Weights]:
    """Which difference of parts each component is (Ng 2018, chapters 40 to 43); only those that are there."""
    first = "val_train" if "val_train" in parts else "val"
    second = "val_test" if "val_test" in parts else "val"
    if first == "val" and second == "val_test" and "val" not in parts:
        first = "val_test"
    found: dict[str, Weights] = {}
    if "irreducible" in parts:
        found = {"irreducible": {"irreducible": 1}, "avoidable_bias": {"train": 1, "irreducible": -1}}
    if first in parts:
        found["variance"] = {first: 1, "train": -1}
    if second in parts and first in parts and second != first:
        found["distribution_shift"] = {second: 1, first: -1}
    last = second if second in parts else first
    if "test" in parts and last in parts:
        found["validation_overfitting"] = {"test": 1, last: -1}
    return found


def combined(parts: Mapping[str, Part], weights: Weights, level: float = LEVEL) -> Interval:
    """A sum or difference of parts with the interval of Zou & Donner (2008, Statistics in Medicine 27).

    The parts hold different rows, so that luck on one of them is not luck on another; what is known by bounds alone (partial)
    counts in full (Imbens & Manski 2004, Econometrica 72). For the difference of two shares it is Newcombe's method 10
    (1998, Statistics in Medicine 17).
    """
    value = sum(w * parts[name].value for name, w in weights.items())
    wider = stats.norm.ppf((1 + level) / 2) / stats.norm.ppf((1 + LEVEL) / 2)
    down, up, sunk, risen = 0.0, 0.0, 0.0, 0.0
    for name, weight in weights.items():
        part = parts[name]
        below, above = part.value - part.low, part.high - part.value
        below, above = (abs(weight) * side for side in ((below, above) if weight > 0 else (above, below)))
        if part.partial:  # not luck that may cancel out
            sunk, risen = sunk + below, risen + above
        else:
            down, up = down + below**2, up + above**2
    return Interval(float(value), float(value - sunk - wider * np.sqrt(down)), float(value + risen + wider * np.sqrt(up)))


def minus(a: Weights, b: Weights) -> Weights:
    """The weights of a - b; parts that cancel out are gone."""
    names = dict.fromkeys([*a, *b])
    found = {name: a.get(name, 0) - b.get(name, 0) for name in names}
    return {name: weight for name, weight in found.items() if weight}


@dataclass(frozen=True)
class Judged:
    """Which component is the largest, and whether that can be told."""

    components: dict[str, Interval | None]
    largest: str | None  # by value alone
    dominant: str | None  # shown to be larger than each of the others
    rivals: tuple[str, ...]  # what is not shown to be smaller than the largest, which is the first of them
    blurred: bool = False  # True: it is the bounds of the irreducible error that leave it open, not too few rows


def judge(parts: Mapping[str, Part]) -> Judged:
    """The components, and which of them is shown to be larger than all others.

    The largest of several is taken for the largest when it beats each other one in a test of the two: that needs no correction
    for how many there are, as the hardest case is a tie of two (Gutmann & Maymin 1987, Annals of Statistics 15).
    """
    known = chain(parts)
    components: dict[str, Interval | None] = dict.fromkeys(COMPONENTS)
    components |= {name: combined(parts, weights) for name, weights in known.items()}
    if "irreducible" not in parts:
        train = parts["train"]
        components["avoidable_bias"] = Interval(train.value, min(0.0, train.value), train.high)
    if "irreducible" in parts and parts["irreducible"].partial:
        return _within_bounds(components, parts)
    largest, rivals, clear = _ranked(parts)
    return Judged(components, largest, largest if clear else None, (largest, *rivals))


def _ranked(parts: Mapping[str, Part]) -> tuple[str, list[str], bool]:
    """(the largest, what may be larger, whether the largest is shown to be so)."""
    rank: dict[str, Weights] = dict(chain(parts))
    if "irreducible" not in parts:
        rank[UNKNOWN] = {"train": 1}
    found = {name: combined(parts, weights).value for name, weights in rank.items()}
    largest = max(found, key=lambda name: found[name])
    rivals = [name for name in found if name != largest
              and not combined(parts, minus(rank[largest], rank[name])).low > 0]
    return largest, rivals, not rivals and combined(parts, rank[largest]).low > 0 and largest != UNKNOWN


def _within_bounds(components: dict[str, Interval | None], parts: Mapping[str, Part]) -> Judged:
    """What is the largest wherever the irreducible error lies within its bounds: at both ends, and where bias equals it."""
    floor, train = parts["irreducible"], parts["train"].value
    values = {name: value.value for name, value in components.items() if value is not None}
    largest = max(values, key=lambda name: values[name])
    if not np.isfinite([floor.low, floor.high]).all():
        return Judged(components, largest, None, tuple(values))
    places = [floor.low, floor.high, float(np.clip(train / 2, floor.low, floor.high))]
    told = [_ranked({**parts, "irreducible": Part(place, place, place)}) for place in places]
    possible = dict.fromkeys(name for first, rivals, _ in told for name in (first, *rivals))
    clear = len(possible) == 1 and all(clear for _, _, clear in told)
    first = largest if largest in possible else next(iter(possible))
    rivals = tuple(name for name in possible if name != first)
    return Judged(components, first, first if clear else None, (first, *rivals), blurred=all(c for _, _, c in told[:2]))


def metric_named(name: Any) -> Metric | None:
    """The metric of that name, whatever its task; None for plain errors."""
    if name is None or name == "" or isinstance(name, Metric):
        return name or None
    wanted = str(name).strip().lower().replace(" ", "_").replace("-", "_")
    if wanted not in METRICS:
        raise UnknownNameError(f"`metric` must be one of the known metrics. Got {name!r}. "
                               + did_you_mean(wanted, METRICS, noun="Metrics", most=20))
    return METRICS[wanted]


def error_label(name: str) -> str:
    """What errors of a metric are called in headings."""
    found = METRICS.get(name)
    if found is None:
        return "Error"
    return f"Error (1 − {found.label})" if found.greater_is_better and found.high == 1 else found.label
