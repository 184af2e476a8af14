"""A metric on many slices of the same rows: score, standard error, and the score of the other rows."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import stats

from ml_lifecycle.foundation.metrics import Metric, Predictions, positive_label
from ml_lifecycle.refinement._loss_answers import Answers

BOOT = 160  # resamples of a slice
FEWEST = 10  # rows of a class that a score of classes rests on, for a verdict
CELLS = 2_000_000  # of weights at once
BINS = 60  # of scores, for the resamples only
ROWS = 400  # of a slice, for resamples of metrics that are no sums over cells
MEANS = {"accuracy": "zero_one", "mae": "absolute_error", "rmse": "squared_error", "log_loss": "log_loss"}


@dataclass(frozen=True)
class Score:
    """The metric on one slice and on the other rows."""

    value: float
    error: float  # standard error
    rest: float
    rest_error: float
    p: float  # one-sided: the slice is no worse than the other rows
    why: str = ""  # why there is no score


def losses_of(answers: Answers, metric: Metric) -> np.ndarray | None:
    """A loss for each row whose mean is the metric (or, for accuracy, what it lacks to 1; for rmse, its square)."""
    if metric.function is not None:
        return None
    if metric.name in MEANS:
        return answers.loss(MEANS[metric.name])
    if metric.name == "brier":
        proba = np.asarray(answers.predictions.proba, dtype=float)
        place = {label: i for i, label in enumerate(answers.predictions.classes or ())}
        hit = np.array([place.get(label, -1) for label in answers.y])[:, None] == np.arange(proba.shape[1])
        return np.asarray(((proba - hit) ** 2).sum(axis=1) / 2)
    return None


def by_means(losses: np.ndarray, masks: list[np.ndarray], metric: Metric) -> list[Score]:
    """Metrics that are means: exact tests of shares, Welch's t of the others."""
    n, total, squares = len(losses), losses.sum(), (losses**2).sum()
    found = []
    for mask in masks:
        part = losses[mask]
        size, rest = len(part), n - len(part)
        mean, other = part.sum() / max(size, 1), (total - part.sum()) / max(rest, 1)
        spread = [max(0.0, q / max(k, 1) - m**2) / max(k - 1, 1) for q, k, m in
                  (((part**2).sum(), size, mean), (squares - (part**2).sum(), rest, other))]
        if metric.name == "accuracy":
            p = float(stats.hypergeom.sf(round(part.sum()) - 1, n, round(total), size))
            spread = [max(m * (1 - m), 0.5 / max(k, 1)) / max(k, 1) for m, k in ((mean, size), (other, rest))]
        else:  # a few other rows without a wild one look surer than they are: they get the spread of all rows
            spread[1] = max(spread[1], float(losses.var()) / max(rest, 1))
            p = _welch(mean - other, spread, (size, rest))
        found.append(_as_metric(mean, other, spread, p, metric.name))
    return found


def _as_metric(mean: float, other: float, spread: list[float], p: float, name: str) -> Score:
    errors = [float(np.sqrt(s)) for s in spread]
    if name == "accuracy":
        return Score(1 - mean, errors[0], 1 - other, errors[1], p)
    if name == "rmse":
        roots = [float(np.sqrt(mean)), float(np.sqrt(other))]
        errors = [e / (2 * r) if r > 0 else 0.0 for e, r in zip(errors, roots)]
        return Score(roots[0], errors[0], roots[1], errors[1], p)
    return Score(float(mean), errors[0], float(other), errors[1], p)


def _welch(gap: float, spread: list[float], sizes: tuple[int, int]) -> float:
    """One-sided p of a mean that is no larger, by Welch's t."""
    both = sum(spread)
    if not both > 0:
        return float(gap <= 0)
    freedom = both**2 / sum(s**2 / max(k - 1, 1) for s, k in zip(spread, sizes))
    return float(stats.t.sf(gap / np.sqrt(both), max(freedom, 1.0)))


def by_resampling(answers: Answers, masks: list[np.ndarray], metric: Metric, seed: int) -> list[Score]:
    """Other metrics: the spread of each slice comes from resamples of its cells, or of its rows."""
    coded = _coded(answers)
    cells = _cells(coded, metric)
    whole = _error(coded, np.ones(len(coded), dtype=bool), metric, cells, np.random.default_rng([seed, 0]))
    values = _scores(coded, masks, metric)
    rests = _scores(coded, [~mask for mask in masks], metric)
    found = []
    for number, (mask, value, rest) in enumerate(zip(masks, values, rests), 1):
        if not (np.isfinite(value) and np.isfinite(rest)):
            why = _why(coded, mask, metric) if not np.isfinite(value) else f"of the other rows: {_why(coded, ~mask, metric)}"
            found.append(Score(value, np.nan, rest, np.nan, np.nan, why))
            continue
        error = _error(coded, mask, metric, cells, np.random.default_rng([seed, number]))
        rest_error = whole * np.sqrt(len(mask) / max(1, (~mask).sum()))
        both = float(np.hypot(error, rest_error))
        gap = metric.sign * (rest - value)
        support = _support(coded, mask)
        if support < FEWEST:
            found.append(Score(value, error, rest, rest_error, np.nan, f"only {support} rows of a class"))
            continue
        p = float(stats.t.sf(gap / both, support - 1)) if both > 0 else float(gap <= 0) if both == 0 else np.nan
        found.append(Score(value, error, rest, rest_error, p))
    return found


def _support(answers: Answers, mask: np.ndarray) -> int:
    """How many rows a score rests on: of two classes the rarer, of many the typical one, of numbers all."""
    if answers.task == "regression":
        return int(mask.sum())
    counts = np.bincount(answers.y[mask])
    counts = counts[counts > 0]
    return int(counts.min() if len(counts) <= 2 else mask.sum() // len(counts))


def _coded(answers: Answers) -> Answers:
    """The same answers with labels as whole numbers, which are quicker to count."""
    said = answers.predictions
    if answers.task == "regression":
        return answers
    place: dict[Any, int] = {}
    for label in [*(said.classes or ()), *sorted({*answers.y.tolist(), *np.asarray(said.labels).tolist()}, key=str)]:
        place.setdefault(label, len(place))
    classes = tuple(place.values()) if len(place) > 1 else (0, 1)
    positive = said.positive if said.positive is not None else positive_label(answers.y) if len(place) <= 2 else None
    labels = np.array([place[v] for v in np.asarray(said.labels).tolist()])
    coded = Predictions(labels=labels, proba=_wide(said.proba, len(classes), 0.0),
                        scores=_wide(said.scores, len(classes), -np.inf), classes=classes, positive=place.get(positive))
    return replace(answers, y=np.array([place[v] for v in answers.y.tolist()]), predictions=coded)


def _wide(table: Any, width: int, fill: float) -> np.ndarray | None:
    """One column for each class."""
    if table is None:
        return None
    table = np.asarray(table, dtype=float)
    return np.hstack([table, np.full((len(table), max(0, width - table.shape[1])), fill)])


def _part(answers: Answers, mask: np.ndarray) -> tuple[Any, Predictions]:
    said = answers.predictions

    def cut(values: Any) -> Any:
        return None if values is None else np.asarray(values)[mask]

    return answers.y[mask], Predictions(labels=cut(said.labels), proba=cut(said.proba), classes=said.classes,
                                        positive=said.positive, values=cut(said.values), scores=cut(said.scores))


def _scores(answers: Answers, masks: list[np.ndarray], metric: Metric) -> np.ndarray:
    """The metric on each part; nan where it is undefined."""
    if metric.function is not None:
        return np.array([_own(answers, mask, metric) for mask in masks])
    rows = metric.rows(answers.y, answers.predictions)
    size = max(1, CELLS // max(1, len(answers)))
    found = [rows.compute(np.array(masks[i:i + size], dtype=float)[:, rows.order]) for i in range(0, len(masks), size)]
    return np.concatenate(found) if found else np.zeros(0)


def _own(answers: Answers, mask: np.ndarray, metric: Metric) -> float:
    return _own_score(*_part(answers, mask), metric)


def _own_score(y: Any, said: Predictions, metric: Metric, weight: np.ndarray | None = None) -> float:
    """A metric of one's own, which may not take every slice; nan then."""
    try:
        return float(metric.score(y, said, weight))
    except Exception:  # noqa: BLE001
        return float("nan")


def _why(answers: Answers, mask: np.ndarray, metric: Metric) -> str:
    one = answers.task == "classification" and len(np.unique(answers.y[mask])) < 2
    return "it holds one class only" if one else f"{metric.label} is undefined there"


def _cells(answers: Answers, metric: Metric) -> tuple[np.ndarray, Any] | None:
    """(cell of each row, the metric on the cells), where rows of a cell count the same; None where they do not."""
    if metric.function is not None or answers.task == "regression":
        return None
    said = answers.predictions
    if metric.needs == "labels":
        keys = np.asarray(said.labels)
    elif len(said.classes or ()) == 2 and (said.proba is not None or said.scores is not None):
        score = np.asarray(said.proba if said.proba is not None else said.scores, dtype=float)[:, 1]
        keys = np.searchsorted(np.unique(np.quantile(score, np.linspace(0, 1, BINS + 1)[1:-1])), score, side="right")
    else:
        return None
    code = answers.y * (int(keys.max()) + 1) + keys
    first, cell = np.unique(code, return_index=True, return_inverse=True)[1:]
    some = Predictions(labels=np.asarray(said.labels)[first], classes=said.classes, positive=said.positive)
    if metric.needs == "scores":
        bins = keys[first] / max(1, int(keys.max()))
        some = replace(some, proba=np.column_stack([1 - bins, bins]))
    return cell.ravel(), metric.rows(answers.y[first], some)


def _error(answers: Answers, mask: np.ndarray, metric: Metric, cells: Any, rng: np.random.Generator) -> float:
    """Standard error of the metric on some rows."""
    n = int(mask.sum())
    if cells is not None:
        cell, rows = cells
        counts = np.bincount(cell[mask], minlength=len(rows.order))
        used = np.flatnonzero(counts)
        drawn = np.zeros((BOOT, len(counts)))
        drawn[:, used] = rng.multinomial(n, counts[used] / n, size=BOOT)
        return _spread(rows.compute(drawn[:, rows.order]), 1.0)
    take = np.flatnonzero(mask)
    m = min(n, ROWS)
    take = take if n <= m else rng.choice(take, m, replace=False)
    chosen = np.zeros(len(mask), dtype=bool)
    chosen[take] = True
    y, said = _part(answers, chosen)
    if metric.function is not None:
        weights = rng.multinomial(m, np.full(m, 1 / m), size=BOOT // 2).astype(float)
        values = np.array([_own_score(y, said, metric, weight) for weight in weights])
    else:
        rows = metric.rows(y, said)
        values = rows.compute(rng.multinomial(m, np.full(m, 1 / m), size=BOOT // 2).astype(float))
    return _spread(values, np.sqrt(m / n))


def _spread(values: np.ndarray, shrink: float) -> float:
    values = values[np.isfinite(values)]
    return float(values.std(ddof=1) * shrink) if len(values) > 20 else np.nan
