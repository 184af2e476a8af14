"""Clusters with their conditions, examples and rates: in which space they stand out most, and which of them hold."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ml_lifecycle.foundation.intervals import Interval, wilson
from ml_lifecycle.refinement._cluster import rules as _cluster_rules
from ml_lifecycle.refinement._cluster import scan as _cluster_scan
from ml_lifecycle.refinement._cluster.scan import Found, Space
from ml_lifecycle.refinement._cluster.space import Feature

EXAMPLES = 5  # rows that stand for a cluster
UNCLEAR = 0.5  # F1 below which words do not tell: rows like the examples are meant
CHUNK = 50_000  # rows whose places are computed at once
RIM = 0.9  # share of the members that a ball around the middle holds
RARE = 0.01  # p above which so many errors may be chance


@dataclass(frozen=True)
class Cluster:
    """One group of errors, described on the rows that were compared."""

    member: np.ndarray  # of these rows
    rules: tuple[_cluster_rules.Rule, ...]  # conditions; none: near the examples
    examples: tuple[int, ...]  # places among these rows, the one in the middle first
    radius: float  # around it
    inside: np.ndarray  # of these rows: meets the conditions, or is near the example


@dataclass(frozen=True)
class Judged:
    """What is said about one cluster, on all rows."""

    member: np.ndarray
    text: str
    examples: tuple[int, ...]  # positions in X
    rows: int
    rate: Interval
    p: float


def lifts(inside: np.ndarray, wrong: np.ndarray) -> tuple[Interval, float] | None:
    """(error rate, p) of some rows, when it is above that of all rows by more than chance."""
    overall, rows, bad = float(wrong.mean()), int(inside.sum()), int((inside & wrong).sum())
    if not rows:
        return None
    rate, p = wilson(bad, rows), _cluster_scan.surprise(bad, rows, overall)
    return (rate, p) if rate.low > overall and p < RARE else None


def described(found: Found, told: Sequence[Feature], bad: np.ndarray, words_tell: bool) -> list[Cluster]:
    """Clusters whose description lifts the error rate; `words_tell`: words are preferred to examples whatever they miss."""
    kept = []
    for number in range(int(found.labels.max()) + 1):
        member = found.labels == number
        if not member.any():
            continue
        middle = found.points[member].mean(axis=0)
        near = np.argsort(((found.points[member] - middle) ** 2).sum(axis=1), kind="stable")[:EXAMPLES]
        examples = tuple(int(i) for i in np.flatnonzero(member)[near])
        far = np.linalg.norm(found.points - found.points[examples[0]], axis=1)
        radius = float(np.quantile(far[member], RIM))
        rules, clear = _cluster_rules.describe(told, member, ~bad)
        words = _cluster_rules.met(rules, told) if rules else np.zeros(len(bad), dtype=bool)
        ways: list[tuple[tuple[_cluster_rules.Rule, ...], np.ndarray]] = [(tuple(rules), words), ((), far <= radius)]
        if not rules or (clear < UNCLEAR and not words_tell):
            ways = [*ways[1:], *ways[:1]]
        way = next((one for one in ways if lifts(one[1], bad)), None)
        if way is not None:
            kept.append(Cluster(member, way[0], examples, radius, way[1]))
    return sorted(kept, key=lambda one: -one.member.sum())


def strongest(looked: Sequence[Sequence[Cluster]], bad: np.ndarray) -> int:
    """In which of the spaces the described places hold errors most densely."""
    places = [np.logical_or.reduce([np.zeros(len(bad), dtype=bool), *(one.inside for one in clusters)]) for clusters in looked]
    return _cluster_scan.best_of([_cluster_scan.density(place, bad) for place in places], [len(one) for one in looked])


def judge(clusters: Sequence[Cluster], found: Found, space: Space, told: Sequence[Feature], wrong: np.ndarray,
          rows: np.ndarray) -> list[Judged]:
    """The same clusters with the errors and the rates of all rows, the largest first."""
    every = np.flatnonzero(wrong)
    labels = np.concatenate([found.label(space.points(part)) for part in _parts(every)]) if clusters else np.zeros(0, dtype=int)
    kept = []
    for one in clusters:
        member = np.zeros(len(wrong), dtype=bool)
        member[every[labels == found.labels[one.examples[0]]]] = True
        names = tuple(int(rows[i]) for i in one.examples)
        inside = _cluster_rules.met(one.rules, told) if one.rules else \
            np.concatenate([np.linalg.norm(space.points(part) - found.points[one.examples[0]], axis=1) <= one.radius
                            for part in _parts(np.arange(len(wrong)))])
        text = " and ".join(rule.text for rule in one.rules) or f"rows are like {', '.join(map(str, names[:3]))}"
        said = lifts(inside, wrong)
        if said is not None:
            kept.append(Judged(member, text, names, int(inside.sum()), *said))
    return sorted(kept, key=lambda one: -one.member.sum())


def _parts(rows: np.ndarray) -> list[np.ndarray]:
    return np.array_split(rows, max(1, -(-len(rows) // CHUNK)))
