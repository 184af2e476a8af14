"""The space of a search: every parameter is a line from 0 to 1, or a list of choices, that later rounds look at more closely."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import qmc

from ..foundation.errors import BadInputError, UnknownNameError, did_you_mean

EDGE = 0.05  # share of a range within which a value counts as standing on its edge
MARGIN = 0.25  # by which the range around the best candidates is widened on each side, in shares of its width
NARROWEST = 0.04  # width of a range, in shares of the whole, below which nothing is told apart


@dataclass(frozen=True)
class Line:
    """A parameter with an order: numbers from low to high, or the quantiles of a distribution."""

    name: str
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    whole: bool = False
    law: Any = None  # a frozen distribution of scipy

    def value(self, place: float) -> Any:
        """The value at a place from 0 to 1."""
        if self.law is not None:
            found = self.law.ppf(min(max(place, 1e-9), 1 - 1e-9))
            return int(found) if self.whole else float(found)
        if self.whole:
            low, high = (self.low - 0.5, self.high + 0.5)  # every whole number has its share of the line
            found = low * (high / low) ** place if self.log else low + place * (high - low)
            return int(min(max(round(found), self.low), self.high))
        if self.log:
            found = float(np.exp(np.log(self.low) + place * np.log(self.high / self.low)))
            return min(max(found, self.low), self.high)
        return float(self.low + place * (self.high - self.low))

    def place(self, value: Any) -> float:
        """Where a value lies; nan for what is no number, or outside."""
        if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
            return float("nan")
        if self.law is not None:
            found = float(self.law.cdf(value))
            return found if 0 < found < 1 else float("nan")
        if not self.low <= value <= self.high:
            return float("nan")
        low, high = (self.low - 0.5, self.high + 0.5) if self.whole else (self.low, self.high)
        return float(np.log(value / low) / np.log(high / low)) if self.log else float((value - low) / (high - low))


@dataclass(frozen=True)
class Choice:
    """A parameter without an order."""

    name: str
    options: tuple[Any, ...]


Axis = Line | Choice


@dataclass(frozen=True)
class Region:
    """Where a round looks: a range of each line, and how often each option is drawn."""

    ranges: tuple[tuple[float, float], ...]  # one for each axis; (0, 1) for a choice
    weights: tuple[tuple[float, ...], ...]  # one for each axis; empty for a line


def read_space(space: Any, known: Mapping[str, Any]) -> tuple[Axis, ...]:
    """The axes of a space, checked against the parameters that the estimator has."""
    if not isinstance(space, Mapping) or not space:
        raise BadInputError(f"`space` must name at least one parameter. Got {space!r:.60}. Write "
                            "space={'C': (0.01, 100, 'log')}, or default_space(model).")
    for name in space:
        if name not in known:
            near = [k for k in known if k.rpartition("__")[2] == name]
            hint = f"Did you mean {near[0]!r}? " if near else ""
            raise UnknownNameError(f"`space` must name parameters of the estimator. Got {name!r}. "
                                   + (hint or did_you_mean(name, sorted(known), noun="Parameters")))
    return tuple(_axis(name, given) for name, given in space.items())


def _axis(name: str, given: Any) -> Axis:
    if hasattr(given, "rvs") and hasattr(given, "ppf"):
        return Line(name, law=given, whole=hasattr(getattr(given, "dist", None), "pmf"))
    if isinstance(given, (list, set, np.ndarray)) or (isinstance(given, tuple) and any(isinstance(v, str) for v in given[:2])):
        options = list(given.tolist() if isinstance(given, np.ndarray) else given)
        if not options:
            raise BadInputError(f"`space` must give at least one option for {name!r}. Got none. Write a list, such as [1, 10].")
        return Choice(name, tuple(option.item() if isinstance(option, np.generic) else option for option in options))
    numbers = isinstance(given, tuple) and len(given) in (2, 3) and all(
        isinstance(v, (int, float, np.integer, np.floating)) and not isinstance(v, (bool, np.bool_)) for v in given[:2])
    if not numbers or (len(given) == 3 and given[2] not in ("log", "linear")):
        raise BadInputError(f"`space` must give (low, high), (low, high, 'log'), a list of options, or a distribution of "
                            f"scipy.stats for {name!r}. Got {given!r:.60}. Write (0.01, 100, 'log').")
    low, high, log = given[0], given[1], given[-1] == "log"
    if not (np.isfinite([low, high]).all() and low < high and (low > 0 or not log)):
        raise BadInputError(f"`space` must give finite bounds with low < high{', both above 0,' if log else ''} for {name!r}. "
                            f"Got {given!r}. A single value is a list: [{low!r}].")
    whole = all(isinstance(v, (int, np.integer)) for v in (low, high))
    return Line(name, float(low), float(high), log=log, whole=whole)


def everywhere(axes: Sequence[Axis]) -> Region:
    """The whole space."""
    return Region(tuple((0.0, 1.0) for _ in axes),
                  tuple((1.0,) * len(a.options) if isinstance(a, Choice) else () for a in axes))


def draw(axes: Sequence[Axis], region: Region, count: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Candidates from a region, spread evenly over each axis (Latin hypercube: McKay, Beckman & Conover 1979)."""
    if count < 1:
        return []
    cube = qmc.LatinHypercube(len(axes), rng=rng) if "rng" in _HYPERCUBE else qmc.LatinHypercube(len(axes), seed=rng)
    found = []
    for row in cube.random(count):
        params: dict[str, Any] = {}
        for axis, place, (low, high), weights in zip(axes, row, region.ranges, region.weights):
            if isinstance(axis, Choice):
                ends = np.cumsum(weights) / sum(weights)
                params[axis.name] = axis.options[min(int(np.searchsorted(ends, place, side="right")), len(ends) - 1)]
            else:
                params[axis.name] = axis.value(low + place * (high - low))
        found.append(params)
    return found


_HYPERCUBE = qmc.LatinHypercube.__init__.__code__.co_varnames


def closer(axes: Sequence[Axis], region: Region, elite: Sequence[Mapping[str, Any]]) -> Region:
    """The region around the best candidates, the best of them first.

    A range holds all of them and a margin; where the best stands on the edge of its range, it moves that way by half its
    width. A parameter that does not matter keeps a wide range, since good candidates have any value of it.
    """
    ranges, weights = [], []
    for axis, before, weight in zip(axes, region.ranges, region.weights):
        if isinstance(axis, Choice):
            counts = [sum(_same(params[axis.name], option) for params in elite) for option in axis.options]
            ranges.append((0.0, 1.0))
            weights.append(tuple(count + 0.5 for count in counts))
            continue
        places = np.array([axis.place(params[axis.name]) for params in elite])
        known = places[np.isfinite(places)]
        ranges.append(_around(known, before) if len(known) and np.isfinite(places[0]) else before)
        weights.append(weight)
    return Region(tuple(ranges), tuple(weights))


def _around(places: np.ndarray, before: tuple[float, float]) -> tuple[float, float]:
    best, wide = places[0], before[1] - before[0]
    low, high = float(places.min()), float(places.max())
    reach = max(MARGIN * (high - low), NARROWEST, 0.1 * wide) if high > low else max(NARROWEST, 0.2 * wide)
    low, high = low - reach, high + reach
    if best <= before[0] + EDGE * wide:
        low = min(low, before[0] - 0.5 * wide)
    if best >= before[1] - EDGE * wide:
        high = max(high, before[1] + 0.5 * wide)
    return max(0.0, low), min(1.0, high)


def _same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and bool(np.all(a == b)) if not isinstance(a, (int, float)) else a == b


def key_of(params: Mapping[str, Any]) -> str:
    """What tells candidates apart."""
    return repr([(name, value) for name, value in sorted(params.items())])


def at_edges(axes: Sequence[Axis], params: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(parameter, "lower" or "upper") for values on the edge of the space as it was given."""
    found = []
    for axis in axes:
        if isinstance(axis, Line) and axis.law is None:
            place = axis.place(params.get(axis.name))
            value = params.get(axis.name)
            if place <= EDGE or (axis.whole and value == axis.low):
                found.append((axis.name, "lower"))
            elif place >= 1 - EDGE or (axis.whole and value == axis.high):
                found.append((axis.name, "upper"))
    return found


def combinations(axes: Sequence[Axis]) -> float:
    """How many different candidates there are; inf with a parameter of any value."""
    sizes = [len(a.options) if isinstance(a, Choice) else
             a.high - a.low + 1 if a.whole and a.law is None else np.inf for a in axes]
    return float(np.prod(sizes))


def shrunk(region: Region, axes: Sequence[Axis]) -> dict[str, tuple[Any, Any]]:
    """The range of each ordered parameter in its own unit."""
    return {a.name: (a.value(low), a.value(high)) for a, (low, high) in zip(axes, region.ranges) if isinstance(a, Line)}
