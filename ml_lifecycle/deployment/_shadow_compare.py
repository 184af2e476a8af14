"""From the log of requests to what is compared: which pair of versions, which rows, which metric."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ml_lifecycle.deployment import _shadow_stats as stats
from ml_lifecycle.deployment._log import NOT_RUN, RequestLog
from ml_lifecycle.deployment._shadow_findings import Seen, all_findings
from ml_lifecycle.deployment._shadow_stats import NONE, Compared
from ml_lifecycle.foundation.errors import BadInputError
from ml_lifecycle.foundation.intervals import wilson
from ml_lifecycle.foundation.metrics import METRICS, Metric, get_metric, positive_label
from ml_lifecycle.foundation.report import Finding

@dataclass(frozen=True)
class Question:
    """What was asked of the log."""

    metric: str | None
    most_disagree: float
    tolerance: float | None
    margin: float | None
    positive: Any
    level: float
    n_boot: int
    seed: int


@dataclass(frozen=True)
class Found:
    """What the log answers."""

    seen: Seen
    findings: tuple[Finding, ...]
    rows: list[dict[str, Any]]
    champion: int | None
    shadow: int | None
    canary: int | None


def compare(log: RequestLog, asked: Question) -> Found:
    """Compare the last pair of versions in the log."""
    frame = log.frame()
    classes = {int(n): log.classes(int(n)) for n in set(frame["number"]) | set(frame["shadow"].dropna())}
    champions = frame[frame["arm"] == "champion"]
    shadowed = champions[champions["shadow"].notna()]
    champion = _last(shadowed["number"]) or _last(champions["number"])
    shadow = _last(shadowed["shadow"])
    mine = champions[champions["number"] == champion]
    pair = mine[mine["shadow"] == shadow] if shadow is not None else mine.iloc[:0]
    canary = _last(frame.loc[frame["arm"] == "canary", "number"])
    other = frame[(frame["arm"] == "canary") & (frame["number"] == canary)] if canary is not None else frame.iloc[:0]
    regression = all(classes.get(int(n)) is None for n in (champion, canary) if n is not None)
    seen = _seen(_Logged(mine, pair, other, regression, classes), asked)
    left = int((champions["shadow"].notna() & ~champions.index.isin(pair.index)).sum())
    extra = (Finding("SHA008", "tip", f"{left:,} rows of other pairs of versions were left out; version {champion} and "
                     f"version {shadow} in the shadow were compared.", {"rows": left}),) if left else ()
    return Found(seen, (*all_findings(seen), *extra), _rows(seen, _Logged(mine, pair, other, regression, classes), asked),
                 champion, shadow, canary)


@dataclass(frozen=True)
class _Logged:
    champion: pd.DataFrame  # every row that the champion answered
    pair: pd.DataFrame  # those that the shadow was asked too
    canary: pd.DataFrame
    regression: bool
    classes: dict[int, tuple[Any, ...] | None]


def _last(numbers: pd.Series) -> int | None:
    known = numbers.dropna()
    return int(known.iloc[-1]) if len(known) else None


def _both(logged: _Logged) -> pd.DataFrame:
    return logged.pair[logged.pair["shadow_error"].isna()]


def _seen(logged: _Logged, asked: Question) -> Seen:
    both = _both(logged)
    requests = logged.pair.drop_duplicates("request_id")
    errors = requests["shadow_error"].dropna()
    out = errors.str.startswith(NOT_RUN) if len(errors) else errors.astype(bool)
    units = stats.units_of(both) if len(both) else np.array([], dtype=int)
    same = stats.same_outputs(both["output"], both["shadow_output"], logged.regression, asked.tolerance)
    answered = requests[requests["shadow_error"].isna()]
    metric, pairs, tests = _scores(logged, asked)
    margin = _margin(metric, pairs, asked)
    failed = list(dict.fromkeys(errors[~out]))
    return Seen(
        n=len(both), units=len(set(units)), agreement=stats.share(same, units, asked.level), most_disagree=asked.most_disagree,
        latency=stats.latency_ratio(answered["ms"].to_numpy(), answered["shadow_ms"].to_numpy(), asked.level),
        asked=len(requests) - int(out.sum()), failed=int((~out).sum()), left_out=int(out.sum()), errors=tuple(failed[:3]),
        known=int(both["outcome"].notna().sum()), metric=metric, shadow=pairs[0], canary=pairs[1],
        canary_rows=len(logged.canary), margin=margin, tests=tests)


def _margin(metric: Metric | None, pairs: tuple[Compared | None, Compared | None], asked: Question) -> float:
    if asked.margin is not None or metric is None:
        return asked.margin or 0.0
    if np.isfinite(metric.high - metric.low):
        return 0.01 * (metric.high - metric.low)
    known = [pair.a.value for pair in pairs if pair is not None]
    return 0.01 * abs(known[0]) if known and np.isfinite(known[0]) else 0.0


def _scores(logged: _Logged, asked: Question) -> tuple[Metric | None, tuple[Compared | None, Compared | None], int]:
    """The metric, the shadow and the canary against the champion, and how many comparisons there are."""
    known = logged.champion[logged.champion["outcome"].notna()]
    both = _both(logged)
    both = both[both["outcome"].notna()]
    other = logged.canary[logged.canary["outcome"].notna()]
    if not len(known) or (not len(both) and not len(other)):
        return (_metric(asked, logged, []) if asked.metric else None), (None, None), 0
    every = pd.concat([known, other])
    labels = _outcomes(every, logged)
    metric = _metric(asked, logged, labels)
    positive = asked.positive
    if not logged.regression and positive is None:
        positive = positive_label(labels) if len(set(map(str, labels))) <= 2 else None
    tests = (len(both) > 0) + (len(other) > 0)
    asked = replace(asked, positive=positive, level=1 - (1 - asked.level) / max(1, tests))
    pair = _paired(both, metric, logged, asked) if len(both) else None
    apart = _unpaired(known, other, metric, logged, asked) if len(other) else None
    return metric, (pair, apart), tests


def _metric(asked: Question, logged: _Logged, labels: Any) -> Metric:
    if isinstance(asked.metric, Metric):
        raise BadInputError("`metric` must be the name of a metric. Got a Metric object. Pass one of "
                            f"{', '.join(METRICS)}.")
    metric = get_metric(asked.metric, task="regression" if logged.regression else "classification",
                        y=labels if len(labels) else None)
    with_proba = bool(len(logged.champion)) and logged.champion["proba"].notna().all()
    if metric.needs == "scores" and not with_proba and not asked.metric:
        return METRICS["balanced_accuracy"]
    return metric


def _outcomes(frame: pd.DataFrame, logged: _Logged) -> Any:
    """What turned out, as numbers, or as labels: one that reads like a known class is that class."""
    if logged.regression:
        return stats.as_values(frame["outcome"])
    known: dict[str, Any] = {str(c): c for classes in logged.classes.values() for c in classes or ()}
    every = {c for classes in logged.classes.values() for c in classes or ()}
    labels = np.empty(len(frame), dtype=object)
    labels[:] = [v if v in every else known.get(str(v), v) for v in frame["outcome"]]
    return labels


def _said(frame: pd.DataFrame, logged: _Logged, asked: Question, shadow: bool = False) -> Any:
    before, number = ("shadow_", "shadow") if shadow else ("", "number")
    return stats.predictions(frame[f"{before}output"], frame[f"{before}proba"], logged.classes.get(int(frame[number].iloc[0])),
                             logged.regression, asked.positive)


def _paired(both: pd.DataFrame, metric: Metric, logged: _Logged, asked: Question) -> Compared | None:
    a, b = _said(both, logged, asked), _said(both, logged, asked, shadow=True)
    return _usable(lambda: stats.paired(metric, _outcomes(both, logged), a, b, stats.units_of(both), level=asked.level,
                                        n_boot=asked.n_boot, seed=asked.seed), metric, (a, b))


def _unpaired(known: pd.DataFrame, other: pd.DataFrame, metric: Metric, logged: _Logged, asked: Question) -> Compared | None:
    if not len(known):
        return None
    a, b = _said(known, logged, asked), _said(other, logged, asked)
    sides = [(_outcomes(frame, logged), said, stats.units_of(frame)) for frame, said in ((known, a), (other, b))]
    return _usable(lambda: stats.unpaired(metric, sides[0], sides[1], level=asked.level, n_boot=asked.n_boot, seed=asked.seed),
                   metric, (a, b))


def _usable(make: Any, metric: Metric, said: tuple[Any, Any]) -> Compared | None:
    """None where a score is undefined, or a model gives less than the metric needs."""
    try:
        for one in said:
            metric.check(one)
    except BadInputError:
        return None
    compared: Compared = make()
    return compared if np.isfinite(compared.difference.value) else None


def _rows(seen: Seen, logged: _Logged, asked: Question) -> list[dict[str, Any]]:
    """The measures as rows of the frame."""
    rows: list[dict[str, Any]] = []

    def add(measure: str, interval: Any, n: int, unit: str) -> None:
        if interval is not NONE and interval.value == interval.value:
            rows.append(dict(zip(("measure", "value", "low", "high", "n", "unit"), (measure, *interval, n, unit))))

    both = _both(logged)
    if len(both):
        gap, unit = stats.output_difference(both, logged.regression, stats.units_of(both), asked.level)
        add("same answer", seen.agreement, seen.n, "share of rows")
        add("difference of outputs", gap, seen.n, unit)
    add("latency ratio", seen.latency, seen.asked - seen.failed, "times the champion's")
    if seen.asked:
        add("failures of the shadow", wilson(seen.failed, seen.asked, asked.level), seen.asked, "share of requests")
    if seen.metric is not None:
        for who, pair in (("shadow", seen.shadow), ("canary", seen.canary)):
            if pair is not None:
                other = "champion" if who == "shadow" else "champion, other users"
                unit = f"{seen.metric.label} ({seen.metric.unit})"
                add(other, pair.a, pair.n_a, unit)
                add(who, pair.b, pair.n, unit)
                add(f"{who} - {other}", pair.difference, pair.n, unit)
    return rows
