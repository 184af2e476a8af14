"""Two models, or a model and a constant, on the same rows: the paired bootstrap and what it says."""

import math
import time
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from ml_lifecycle.evaluation._tests.functionality import reason
from ml_lifecycle.evaluation._tests.result import ALPHA, NAN, Result, span
from ml_lifecycle.evaluation._tests.subject import Subject
from ml_lifecycle.foundation import _bootstrap, _scores
from ml_lifecycle.foundation._render import number
from ml_lifecycle.foundation._torch import is_module
from ml_lifecycle.foundation.errors import BadInputError
from ml_lifecycle.foundation.intervals import _own
from ml_lifecycle.foundation.metrics import Metric, Predictions

N_BOOT = (1000, 400)  # resamples up to so many rows, and above
MANY = 5000
FEWEST = 10  # rows, or groups of rows, below which nothing is told
POINT = 0.01

class Compared(NamedTuple):
    """How much better a is than b; positive is better whatever the direction of the metric."""

    a: float
    b: float
    gain: float
    low: float
    high: float
    error: float  # standard error of the gain
    n: int  # rows, or groups of rows, that were drawn


def compare(metric: Metric, y: Any, a: Predictions, b: Predictions, groups: Any, seed: int) -> Compared:
    """Score both on the same resamples of rows, or of whole groups (Efron & Tibshirani 1993, chapters 8 and 13)."""
    rows = [_own(metric, y, said) if metric.function is not None else metric.rows(y, said) for said in (a, b)]
    n = len(y) if groups is None else int(groups.max()) + 1
    first, second = (r.score(None) for r in rows)
    gain = metric.sign * (first - second)
    if not math.isfinite(gain) or n < 2:
        return Compared(first, second, gain, NAN, NAN, NAN, n)
    if _identical(a, b):
        return Compared(first, second, 0.0, 0.0, 0.0, 0.0, n)
    keys = _keys(y, a, b)
    unit = np.argsort(_scores.lexical(*keys), kind="stable") if groups is None else _in_order_of(groups, keys)

    def gains(weights: Any) -> Any:
        drawn = weights[:, unit]
        return metric.sign * (rows[0].compute(drawn[:, rows[0].order]) - rows[1].compute(drawn[:, rows[1].order]))

    with np.errstate(all="ignore"):
        found = _bootstrap.resampled(gains, n, N_BOOT[len(y) > MANY], seed)
    low, high = _bootstrap.quantiles(found, n, 1 - ALPHA)
    if metric.needs == "labels" and metric.function is None:  # rows that none has got wrong may still exist
        unseen = max(_bootstrap.unseen(r, 1 - ALPHA) for r in rows)
        low, high = (min(low, gain - unseen), max(high, gain + unseen)) if unseen == unseen else (low, high)
    finite = found[np.isfinite(found)]
    return Compared(first, second, gain, min(low, gain), max(high, gain), float(finite.std()) if len(finite) > 1 else NAN, n)


def _identical(a: Predictions, b: Predictions) -> bool:
    for part in ("labels", "values", "proba", "scores"):
        left, right = getattr(a, part), getattr(b, part)
        if (left is None) != (right is None) or (left is not None and not np.array_equal(left, right)):
            return False
    return True


def _keys(y: Any, a: Predictions, b: Predictions) -> list[Any]:
    """What orders the rows, whatever order the table is in."""
    keys = [_scores.distinct(y)[0] if a.values is None else np.asarray(y, dtype=float)]
    if a.values is None:  # codes depend on the order of the rows: number the labels by their own order
        codes, found = _scores.distinct(y)
        ranks = {label: rank for rank, label in enumerate(_scores.in_order(found))}
        keys = [np.array([ranks[found[code]] for code in codes])]
    for said in (a, b):
        for part in (said.values, said.proba, said.scores):
            keys += list(np.asarray(part, dtype=float).reshape(len(part), -1).T) if part is not None else []
        if said.labels is not None:
            keys.append(np.unique(np.asarray(said.labels).astype(str), return_inverse=True)[1])
    return keys


def _in_order_of(groups: Any, keys: list[Any]) -> Any:
    """Codes of the groups, numbered by what their rows hold."""
    held = np.unique(np.column_stack(keys), axis=0, return_inverse=True)[1].reshape(-1)
    inside: dict[int, list[int]] = {}
    for group, rank in zip(groups.tolist(), held.tolist()):
        inside.setdefault(group, []).append(rank)
    ranks = np.empty(len(inside), dtype=int)
    for position, group in enumerate(sorted(inside, key=lambda g: sorted(inside[g]))):
        ranks[group] = position
    return ranks[groups]


# ---- the best answer that needs no features

def best_constant(metric: Metric, y: Any, said: Predictions) -> tuple[str, Predictions]:
    """The best constant on the very rows, which favours the constant."""
    found: dict[str, Predictions] = {}
    n = len(y)
    if said.values is not None:
        truth = np.asarray(y, dtype=float)
        found = {"the mean": Predictions(values=np.full(n, truth.mean())),
                 "the median": Predictions(values=np.full(n, np.median(truth)))}
    else:
        codes, labels = _scores.distinct(y)
        counts = np.bincount(codes)
        classes = tuple(dict.fromkeys([*(said.classes or ()), *labels]))
        shares = np.array([counts[labels.index(label)] / n if label in labels else 0.0 for label in classes])
        proba = np.tile(shares, (n, 1))
        for code in np.argsort(-counts, kind="stable")[:20 if metric.needs == "labels" else 1]:
            answer = np.empty(n, dtype=object)
            answer[:] = labels[code]
            given = np.array(answer.tolist()) if not isinstance(labels[code], str) else answer
            found[f"always {str(labels[code])[:30]!r}"] = Predictions(
                labels=given, proba=proba, classes=classes, positive=said.positive)
    scored = {name: metric.sign * metric.score(y, constant) for name, constant in found.items()}
    best = max(scored, key=lambda name: scored[name] if scored[name] == scored[name] else -np.inf)
    return best, found[best]


def better_than_a_constant(subject: Subject) -> Result:
    """Is the score defined, and better than that of a constant answer?"""
    test, kind = "better than a constant", "functionality"
    if subject.y is None or subject.metric is None:
        return Result(test, kind, "not applicable", "Whether it beats a constant answer was not tried: there is no `y`.")
    said = subject.said(subject.X)
    subject.metric.check(said)
    name, constant = best_constant(subject.metric, subject.y, said)
    c = compare(subject.metric, subject.y, said, constant, subject.groups, subject.seed)
    if not math.isfinite(c.gain):
        why = f"{subject.metric.label} is not defined on these {len(subject):,} rows"
        return Result(test, kind, "not applicable", f"Whether it beats a constant answer cannot be scored: {why}.", len(subject))
    told = (f"{subject.metric.label} {number(c.a)}, {number(c.b)} for {name}: {'worse' if c.gain < 0 else 'better'} by "
            f"{number(abs(c.gain))} (gain, {span(c.low, c.high)}; {size(subject)})")
    numbers: dict[str, Any] = {"n": len(subject), "value": c.gain, "low": c.low, "high": c.high, "threshold": 0.0,
                               "code": "MTE006"}
    if c.n < FEWEST or not math.isfinite(c.low):
        return Result(test, kind, "cannot tell", f"Too few rows to tell whether it beats a constant answer: {told}.", **numbers)
    if c.low > 0:
        return Result(test, kind, "passed", f"It beats a constant answer: {told}.", **numbers)
    if c.high < 0:
        return Result(test, kind, "issue", f"It is worse than a constant answer: {told}.", p=_p(c, 0.0), **numbers)
    return Result(test, kind, "cannot tell", f"Cannot tell whether it beats a constant answer: {told}.", **numbers)


def size(subject: Subject) -> str:
    """On how many rows, and how they were drawn."""
    groups = "" if subject.groups is None else f" in {int(subject.groups.max()) + 1:,} groups"
    return f"n = {len(subject):,}{groups}"


def _p(c: Compared, limit: float) -> float:
    """One-sided p value of a gain of at least `limit`."""
    return float(stats.norm.cdf((c.gain - limit) / c.error)) if c.error > 0 else float(c.gain >= limit)


# ---- no worse than before

def answers_of(subject: Subject, baseline: Any, X: Any) -> Predictions:
    """What a baseline says about the rows: a model, its predictions, or one answer a row."""
    if isinstance(baseline, Predictions):
        said = baseline
    elif hasattr(baseline, "predict") or is_module(baseline):
        said = subject.said(subject.X if X is None else X, model=baseline)
    else:
        given = np.asarray(_scores.one_column(baseline, "baseline"))
        said = Predictions(values=given.astype(float)) if subject.task == "regression" else \
            Predictions(labels=given, classes=subject.classes, positive=subject.positive)
    if len(said) != len(subject):
        raise BadInputError(f"`baseline` must answer the same rows. Got {len(said)} answers for {len(subject)} rows.")
    return said


def usual_tolerance(metric: Metric, score: float) -> float:
    """A point: 0.01 of a metric that ends at 1, else 1 % of the baseline's score."""
    return POINT if metric.high == 1 else POINT * abs(score) if math.isfinite(score) else 0.0


def no_worse(subject: Subject, before: Predictions, tolerance: float | None, test: str) -> Result:
    """Non-inferiority (Wellek 2010, chapter 5): is the loss against the baseline shown to be at most the tolerance?"""
    metric = subject.metric
    if metric is None:
        raise BadInputError("`y` must be given to compare with a baseline. Got None. Pass ModelTests(model, X, y).")
    now = subject.said(subject.X)
    for said in (now, before):
        metric.check(said)
    c = compare(metric, subject.y, now, before, subject.groups, subject.seed)
    limit = usual_tolerance(metric, c.b) if tolerance is None else tolerance
    kind, code = "no regression", "MTE009"
    told = (f"{metric.label} {number(c.a)} against {number(c.b)} of {test}: "
            f"{'better' if c.gain > 0 else 'worse' if c.gain < 0 else 'a difference'} by {number(abs(c.gain))} "
            f"(gain, {span(c.low, c.high)}; {size(subject)}; tolerated loss {limit:.3g})")
    numbers: dict[str, Any] = {"n": len(subject), "value": c.gain, "low": c.low, "high": c.high, "threshold": -limit, "code": code}
    if not math.isfinite(c.gain):
        return Result(test, kind, "cannot tell", f"{metric.label} is not defined on these {len(subject):,} rows.", **numbers)
    if not math.isfinite(c.low) or (c.n < FEWEST and c.error):
        return Result(test, kind, "cannot tell", f"Too few rows to tell whether it is worse than before: {told}.", **numbers)
    if c.low >= -limit:
        return Result(test, kind, "passed", f"It is not worse than before: {told}.", **numbers)
    if c.high < -limit:
        return Result(test, kind, "issue", f"It is worse than before: {told}.", p=_p(c, -limit), **numbers)
    told += f".{_more(subject, c, limit)}"
    return Result(test, kind, "cannot tell", f"Cannot tell whether it is worse than before: {told}", **numbers)


def _more(subject: Subject, c: Compared, limit: float) -> str:
    """How many rows, or groups, would tell."""
    if c.gain + limit <= 0:
        return ""
    wanted = c.n * ((c.gain - c.low) / (c.gain + limit)) ** 2
    what = "rows" if subject.groups is None else "groups"
    return f" About {number(float(f'{wanted:.1g}'))} {what} would tell." if wanted < 1e7 else ""


def against_a_constant(subject: Subject) -> Result:
    """`better_than_a_constant` with its time; a model that gives too little for the metric says so."""
    started = time.perf_counter()
    try:
        found = better_than_a_constant(subject)
    except BadInputError as error:
        found = Result("better than a constant", "functionality", "not applicable",
                       f"Whether it beats a constant answer cannot be scored: {error}", len(subject))
    except Exception as error:  # noqa: BLE001 - a model may raise anything
        found = Result("better than a constant", "functionality", "issue", f"On all rows the model raised {reason(error)}.",
                       len(subject), code="MTE001")
    return replace(found, seconds=time.perf_counter() - started)
