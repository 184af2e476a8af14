"""The space of a search: every parameter is a line from 0 to 1 or a choice, and some exist only where a choice has fallen so."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ml_lifecycle.foundation.errors import BadInputError, UnknownNameError, did_you_mean

EDGE = 0.05  # share of a range within which a value counts as standing on its edge
MIDDLE = 0.5  # where a parameter stands that does not exist beside the others (Lévesque et al. 2017)
ORDERED = 3  # numbers of a list in rising order, from which their order is used

When = tuple[tuple[int, int], ...]  # (position of a choice, option): all must hold


@dataclass(frozen=True)
class Line:
    """A parameter with an order: numbers from low to high, the quantiles of a distribution, or steps."""

    name: str
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    whole: bool = False
    law: Any = None  # a frozen distribution of scipy
    steps: tuple[Any, ...] = ()  # values in rising order; low and high are then their first and last position
    when: When = ()

    def value(self, place: float) -> Any:
        """The value at a place from 0 to 1."""
        if self.law is not None:
            found = self.law.ppf(min(max(place, 1e-9), 1 - 1e-9))
            return int(found) if self.whole else float(found)
        if self.whole:
            low, high = (self.low - 0.5, self.high + 0.5)  # every whole number has its share of the line
            found = low * (high / low) ** place if self.log else low + place * (high - low)
            number = int(min(max(round(found), self.low), self.high))
            return self.steps[number] if self.steps else number
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
            return found - 0.5 * float(self.law.pmf(value)) if self.whole else found if 0 < found < 1 else float("nan")
        if self.steps:
            return (self.steps.index(value) + 0.5) / len(self.steps) if value in self.steps else float("nan")
        if not self.low <= value <= self.high:
            return float("nan")
        low, high = (self.low - 0.5, self.high + 0.5) if self.whole else (self.low, self.high)
        return float(np.log(value / low) / np.log(high / low)) if self.log else float((value - low) / (high - low))

    def settled(self, places: np.ndarray) -> np.ndarray:
        """The places of the values that places stand for."""
        if not self.whole:
            return places
        if self.law is not None:
            values = self.law.ppf(np.clip(places, 1e-9, 1 - 1e-9))
            middle: np.ndarray = self.law.cdf(values) - 0.5 * self.law.pmf(values)
            return middle
        low, high = self.low - 0.5, self.high + 0.5
        found = low * (high / low) ** places if self.log else low + places * (high - low)
        found = np.clip(np.round(found), self.low, self.high)
        back: np.ndarray = np.log(found / low) / np.log(high / low) if self.log else (found - low) / (high - low)
        return back

    @property
    def count(self) -> float:
        """How many values there are."""
        return self.high - self.low + 1 if self.whole and self.law is None else np.inf


@dataclass(frozen=True)
class Choice:
    """A parameter without an order; one without a name chooses between spaces."""

    name: str
    options: tuple[Any, ...]
    when: When = ()

    def option(self, place: float) -> int:
        """The position of the option at a place from 0 to 1."""
        return min(int(place * len(self.options)), len(self.options) - 1)

    def settled(self, places: np.ndarray) -> np.ndarray:
        """The middles of the options that places stand for."""
        count = len(self.options)
        found: np.ndarray = (np.minimum((places * count).astype(int), count - 1) + 0.5) / count
        return found

    def place(self, value: Any) -> float:
        """Where an option lies; nan for what is none."""
        for i, option in enumerate(self.options):
            if _same(option, value):
                return (i + 0.5) / len(self.options)
        return float("nan")

    @property
    def count(self) -> float:
        """How many options there are."""
        return len(self.options)


Axis = Line | Choice


@dataclass(frozen=True)
class Space:
    """The axes of a search; a candidate is a point of the unit cube over them."""

    axes: tuple[Axis, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The parameters, each once."""
        return tuple(dict.fromkeys(axis.name for axis in self.axes if axis.name))

    def holds(self, axis: Axis, point: np.ndarray) -> bool:
        """Whether a parameter exists beside the others of a point."""
        return all(self.axes[i].option(point[i]) == option for i, option in axis.when)  # type: ignore[union-attr]

    def settled(self, points: np.ndarray) -> np.ndarray:
        """The points (n, axes) that stand for all points of the same values: what does not exist stands in the middle."""
        found = np.clip(points, 0.0, 1.0)
        for i, axis in enumerate(self.axes):
            found[:, i] = axis.settled(found[:, i])
            for other, option in axis.when:
                count = len(self.axes[other].options)  # type: ignore[union-attr]
                absent = np.minimum((found[:, other] * count).astype(int), count - 1) != option
                found[absent, i] = MIDDLE
        return found

    def params(self, point: np.ndarray) -> dict[str, Any]:
        """The values at a point."""
        found = {}
        for axis, at in zip(self.axes, point):
            if axis.name and self.holds(axis, point):
                found[axis.name] = axis.options[axis.option(at)] if isinstance(axis, Choice) else axis.value(float(at))
        return found

    def point(self, params: Mapping[str, Any]) -> np.ndarray | None:
        """Where values lie; None where they lie outside of the space."""
        found = np.full(len(self.axes), MIDDLE)
        for i, axis in enumerate(self.axes):
            if not axis.name:
                return None
            if self.holds(axis, found):
                found[i] = axis.place(params.get(axis.name))
                if not np.isfinite(found[i]):
                    return None
        return found

    def size(self) -> float:
        """How many different candidates there are; inf with a parameter of any value."""
        def under(when: When) -> float:
            total = 1.0
            for i, axis in enumerate(self.axes):
                if axis.when == when:
                    total *= sum(under((*when, (i, k))) for k in range(len(axis.options))) if isinstance(axis, Choice) \
                        else axis.count
            return total
        return under(())

    def edges(self, params: Mapping[str, Any], point: np.ndarray) -> list[tuple[str, str]]:
        """(parameter, "lower" or "upper") for values on the edge of the space as it was given."""
        found = []
        for axis, at in zip(self.axes, point):
            if isinstance(axis, Line) and axis.law is None and self.holds(axis, point):
                ends = (axis.steps[0], axis.steps[-1]) if axis.steps else (axis.low, axis.high)
                if (at <= EDGE and not axis.steps) or (axis.whole and params.get(axis.name) == ends[0]):
                    found.append((axis.name, "lower"))
                elif (at >= 1 - EDGE and not axis.steps) or (axis.whole and params.get(axis.name) == ends[1]):
                    found.append((axis.name, "upper"))
        return found


def read_space(space: Any, known: Collection[str] | None) -> Space:
    """A space as it was written, checked against the parameters that there are; None: any name will do."""
    if isinstance(space, (list, tuple)) and space and all(isinstance(part, Mapping) for part in space):
        axes: list[Axis] = [Choice("", tuple(range(len(space))))] if len(space) > 1 else []
        for i, part in enumerate(space):
            _read(part, axes, ((0, i),) if len(space) > 1 else (), known)
        return Space(tuple(axes))
    if not isinstance(space, Mapping) or not space:
        raise BadInputError(f"`space` must name at least one parameter. Got {space!r:.60}. Write "
                            "space={'C': (0.01, 100, 'log')}, or default_space(model).")
    axes = []
    _read(space, axes, (), known)
    return Space(tuple(axes))


def _read(space: Mapping[Any, Any], axes: list[Axis], when: When, known: Collection[str] | None) -> None:
    if not space and len(when) == 1 and axes[0].name == "":
        raise BadInputError("`space` must name at least one parameter in each of its spaces. Got {}. Leave the empty one out.")
    for name, given in space.items():
        if known is not None and name not in known:
            near = [k for k in known if k.rpartition("__")[2] == name]
            hint = f"Did you mean {near[0]!r}? " if near else ""
            raise UnknownNameError(f"`space` must name parameters of the estimator. Got {name!r}. "
                                   + (hint or did_you_mean(name, sorted(known), noun="Parameters")))
        if not isinstance(name, str) or not name:
            raise BadInputError(f"`space` must name its parameters by text. Got {name!r}. Write {{'C': (0.01, 100, 'log')}}.")
        if not isinstance(given, Mapping):
            axes.append(_axis(name, given, when))
            continue
        if not given or not all(isinstance(below, Mapping) for below in given.values()):
            raise BadInputError(f"`space` must give for each option of {name!r} what it brings with it. Got {given!r:.60}. "
                                "Write {'rbf': {'gamma': (0.01, 1, 'log')}, 'linear': {}}.")
        here = len(axes)
        axes.append(Choice(name, tuple(given), when))
        for i, below in enumerate(given.values()):
            _read(below, axes, (*when, (here, i)), known)


def _axis(name: str, given: Any, when: When) -> Axis:
    if hasattr(given, "rvs") and hasattr(given, "ppf"):
        return Line(name, law=given, whole=hasattr(getattr(given, "dist", None), "pmf"), when=when)
    if isinstance(given, (list, set, np.ndarray)) or (isinstance(given, tuple) and any(isinstance(v, str) for v in given[:2])):
        return _options(name, given, when)
    numbers = isinstance(given, tuple) and len(given) in (2, 3) and all(_number(v) for v in given[:2])
    if not numbers or (len(given) == 3 and given[2] not in ("log", "linear")):
        raise BadInputError(f"`space` must give (low, high), (low, high, 'log'), a list of options, or a distribution of "
                            f"scipy.stats for {name!r}. Got {given!r:.60}. Write (0.01, 100, 'log').")
    low, high, log = given[0], given[1], given[-1] == "log"
    if not (np.isfinite([low, high]).all() and low < high and (low > 0 or not log)):
        raise BadInputError(f"`space` must give finite bounds with low < high{', both above 0,' if log else ''} for {name!r}. "
                            f"Got {given!r}. A single value is a list: [{low!r}].")
    whole = all(isinstance(v, (int, np.integer)) for v in (low, high))
    return Line(name, float(low), float(high), log=log, whole=whole, when=when)


def _options(name: str, given: Any, when: When) -> Axis:
    listed = sorted(given, key=repr) if isinstance(given, set) else given.tolist() if isinstance(given, np.ndarray) else given
    options: list[Any] = []
    for option in listed:
        plain = option.item() if isinstance(option, np.generic) else option
        if not any(_same(plain, other) for other in options):
            options.append(plain)
    if not options:
        raise BadInputError(f"`space` must give at least one option for {name!r}. Got none. Write a list, such as [1, 10].")
    rising = len(options) >= ORDERED and all(_number(v) for v in options) and all(a < b for a, b in zip(options, options[1:]))
    if rising:
        return Line(name, 0.0, len(options) - 1.0, whole=True, steps=tuple(options), when=when)
    return Choice(name, tuple(options), when)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, (bool, np.bool_))


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, (int, float)) and not isinstance(a, bool):
        return _number(b) and a == b
    return a is b or (type(a) is type(b) and bool(np.all(np.asarray(a == b))))


def keys_of(points: np.ndarray) -> list[bytes]:
    """What tells settled points apart."""
    return [row.tobytes() for row in np.round(points, 12)]
