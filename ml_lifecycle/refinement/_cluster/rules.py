"""What sets the errors of a cluster apart from the correct rows, as conditions that a person can read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from scipy import stats

from ml_lifecycle.refinement._cluster.space import Feature

MOST = 3  # conditions
GAIN = 0.02  # of F1 that a further condition must bring
SIDE = 0.03  # of F1 that a second bound must bring
CHANCE = 0.001  # p from which a condition tells members from correct rows by luck
TAILS = (0.0, 0.025, 0.05, 0.1)  # of the members that a bound may leave outside
TRIED = 30  # columns


@dataclass(frozen=True)
class Rule:
    """One condition on one column."""

    text: str
    mask: np.ndarray  # of the rows that rules are chosen on
    column: str
    meets: Callable[[Feature], np.ndarray]  # the same of other rows
    price: float = 0.0  # of F1


def describe(features: Sequence[Feature], member: np.ndarray, right: np.ndarray) -> tuple[list[Rule], float]:
    """(conditions, how well they tell): the few that best tell members from correct rows (F1, greedily)."""
    rows = np.ones(len(member), dtype=bool)
    chosen: list[Rule] = []
    best = _f1(rows, member, right)
    offered = _offered(features, member, right)
    while len(chosen) < MOST:
        taken = {rule.column for rule in chosen}
        scored = [(_f1(rows & rule.mask, member, right) - rule.price, i) for i, rule in enumerate(offered)
                  if rule.column not in taken]
        if not scored:
            break
        score, i = max(scored, key=lambda pair: (pair[0], -pair[1]))
        if score < best + GAIN or (chosen and not _tells(rows, offered[i].mask, member, right)):
            break
        chosen.append(offered[i])
        rows, best = rows & offered[i].mask, score
    return chosen, _f1(rows, member, right) if chosen else 0.0


def met(rules: Sequence[Rule], features: Sequence[Feature]) -> np.ndarray:
    """Which rows meet all conditions."""
    by_name = {feature.name: feature for feature in features}
    return np.logical_and.reduce([rule.meets(by_name[rule.column]) for rule in rules])


def _tells(rows: np.ndarray, mask: np.ndarray, member: np.ndarray, right: np.ndarray) -> bool:
    """Whether a further condition keeps members rather than correct rows by more than luck (Fisher's exact test)."""
    inside, errors = int((rows & right).sum()), int((rows & member).sum())
    kept, hit = int((rows & right & mask).sum()), int((rows & member & mask).sum())
    return float(stats.hypergeom.sf(hit - 1, inside + errors, errors, kept + hit)) < CHANCE


def _f1(rows: np.ndarray, member: np.ndarray, right: np.ndarray) -> float:
    hit, wrong, all_of = (rows & member).sum(), (rows & right).sum(), member.sum()
    return float(2 * hit / max(1, hit + wrong + all_of))


def _offered(features: Sequence[Feature], member: np.ndarray, right: np.ndarray) -> list[Rule]:
    """Every condition that might be used: those of the columns that tell best alone."""
    by_column = [(max((_f1(r.mask, member, right) for r in rules), default=0.0), rules)
                 for rules in (_rules(feature, member) for feature in features)]
    by_column.sort(key=lambda pair: -pair[0])
    return [rule for _, rules in by_column[:TRIED] for rule in rules]


def _rules(feature: Feature, member: np.ndarray) -> list[Rule]:
    if feature.kind == "category":
        return _levels(feature, member)
    if feature.kind == "text":
        share = feature.values[member].mean(axis=0) - feature.values.mean(axis=0)
        return [_rule(feature, f"{feature.name} mentions {feature.levels[i]!r}", partial(_mentions, i))
                for i in np.argsort(-share, kind="stable")[:8]]
    return _intervals(feature, member)


def _rule(feature: Feature, text: str, meets: Callable[[Feature], np.ndarray], price: float = 0.0) -> Rule:
    return Rule(text, meets(feature), feature.name, meets, price)


def _mentions(word: int, feature: Feature) -> np.ndarray:
    return np.asarray(feature.values[:, word] > 0)


def _among(levels: Sequence[int], feature: Feature) -> np.ndarray:
    return np.isin(feature.values, levels)


def _absent(feature: Feature) -> np.ndarray:
    return np.isnan(feature.values)


def _between(low: float | None, high: float | None, feature: Feature) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.asarray((feature.values >= (-np.inf if low is None else low)) &
                          (feature.values <= (np.inf if high is None else high)))


def _levels(feature: Feature, member: np.ndarray) -> list[Rule]:
    """The most frequent levels of the members, one to three of them."""
    counts = np.bincount(feature.values[member], minlength=len(feature.levels))
    order = [i for i in np.argsort(-counts, kind="stable") if counts[i] and feature.levels[i] != ""][:3]
    found = []
    for many in range(1, len(order) + 1):
        names = ["missing" if feature.levels[i] is None else feature.levels[i] for i in order[:many]]
        only_missing = many == 1 and feature.levels[order[0]] is None
        text = f"{feature.name} is missing" if only_missing else f"{feature.name} = {names[0]}" if many == 1 else \
            f"{feature.name} in ({', '.join(names)})"
        found.append(_rule(feature, text, partial(_among, order[:many])))
    return found


def _intervals(feature: Feature, member: np.ndarray) -> list[Rule]:
    values = feature.values
    gone = np.isnan(values)
    found = [_rule(feature, f"{feature.name} is missing", _absent)] if gone[member].mean() > 0.5 else []
    inside = values[member & ~gone]
    if len(inside) < 2:
        return found
    lows = [None, *dict.fromkeys(_bound(feature, float(v), inside, -1) for v in np.quantile(inside, TAILS))]
    highs = [None, *dict.fromkeys(_bound(feature, float(v), inside, 1) for v in np.quantile(inside, 1 - np.array(TAILS)))]
    for low in lows:
        for high in highs:
            if low is not None or high is not None:
                price = SIDE * (low is not None and high is not None and low != high)
                found.append(_rule(feature, _text(feature, low, high), partial(_between, low, high), price))
    return found


def _bound(feature: Feature, value: float, inside: np.ndarray, side: int) -> float:
    """A short number beyond `value` on the outer side, not further than a fiftieth of the members' spread."""
    if feature.kind == "date":
        return value
    slack = 0.02 * (np.ptp(inside) or abs(value) or 1.0)
    if feature.whole:
        return float(np.floor(value) if side < 0 else np.ceil(value))
    for digits in range(1, 15):
        short = float(f"{value:.{digits}g}")
        if 0 <= side * (short - value) <= slack:
            return short
        step = 10.0 ** (np.floor(np.log10(abs(value))) - digits + 1) if value else 0.0
        further = float(f"{short + side * step:.{digits}g}")
        if 0 <= side * (further - value) <= slack:
            return further
    return value


def _text(feature: Feature, low: float | None, high: float | None) -> str:
    if low is not None and low == high:
        return f"{feature.name} = {_plain(feature, low)}"
    if low is None and high is not None:
        return f"{feature.name} <= {_plain(feature, high)}"
    if high is None and low is not None:
        return f"{feature.name} >= {_plain(feature, low)}"
    return f"{_plain(feature, low)} <= {feature.name} <= {_plain(feature, high)}"  # type: ignore[arg-type]


def _plain(feature: Feature, value: float) -> str:
    if feature.kind == "date":
        stamp = pd.Timestamp(int(value), unit=feature.unit)
        return str(stamp.date()) if stamp == stamp.normalize() else f"{stamp:%Y-%m-%d %H:%M}"
    return f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:.12g}"
