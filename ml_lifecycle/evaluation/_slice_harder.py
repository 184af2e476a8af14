"""A slice that is worse than the rest: is it harder by nature, as the model's own probabilities say, or let down?"""

from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize, stats

from ..foundation._render import number
from ..foundation.metrics import METRICS, Metric, Predictions
from ..refinement._loss_answers import Answers
from ._slice_scores import FEWEST, _coded, _error, _scores, _support

SIMULATED = 120  # draws of the labels that the probabilities lead to expect
ROWS = 1500  # of a slice, in a draw
LOOKED_AT = 40  # failing slices that are looked into, the worst first
EPS = 1e-6


def settle(frame: pd.DataFrame, answers: Answers, masks: dict[str, np.ndarray], ranges: set[str], metric: Metric, *,
           alpha: float, seed: int) -> pd.DataFrame:
    """Tell the slices that fail from those that are merely harder; `note` says why a slice fails."""
    failing = frame.index[frame["verdict"] == "fails"][:LOOKED_AT]
    if not len(failing) or metric.function is not None:
        return frame
    frame, coded = frame.copy(), _coded(answers)
    level = alpha / len(failing)
    for place in failing:
        row = frame.loc[place]
        name, rng = str(row["slice"]), np.random.default_rng([seed, int(place)])
        if answers.task == "regression":
            why = _numbers(answers, masks[name], level)
        elif coded.predictions.proba is None:
            why = "the labels alone do not say whether it is harder by nature"
        else:
            why = _beyond(coded, masks[name], metric, row, level, rng)
            if not why and name not in ranges:  # within a range of numbers, scores lie close together by construction
                why = _blind(coded, masks[name], rng)
        frame.loc[place, ["verdict", "note"]] = ["fails" if why else "harder", why]
    rank = frame["verdict"].map({"fails": 0, "harder": 1}).fillna(2)
    return frame.iloc[np.argsort(rank.to_numpy(), kind="stable")].reset_index(drop=True)


def _beyond(answers: Answers, mask: np.ndarray, metric: Metric, row: Any, level: float, rng: np.random.Generator) -> str:
    """Worse than labels drawn from the model's probabilities, calibrated on the other rows, lead to expect."""
    take = np.flatnonzero(mask)
    drawn = take if len(take) <= ROWS else rng.choice(take, ROWS, replace=False)
    said = answers.predictions
    assert said.proba is not None
    p = _calibrated(said.proba[~mask], answers.y[~mask], said.proba[drawn])
    part = Predictions(labels=np.asarray(said.labels)[drawn], proba=said.proba[drawn], classes=said.classes,
                       positive=said.positive)
    labels = np.asarray(said.classes)[(p.cumsum(axis=1)[None] < rng.random((SIMULATED, len(drawn), 1))).sum(axis=2).clip(
        0, p.shape[1] - 1)]
    values = np.array([metric.score(y, part) for y in labels])
    values = values[np.isfinite(values)]
    if len(values) < SIMULATED // 2:
        return ""
    expected, spread = float(values.mean()), float(values.std(ddof=1) * np.sqrt(len(drawn) / len(take)))
    gap = metric.sign * (expected - row["score"])
    if gap < row["counts"] / 2 or not stats.norm.sf(gap / max(spread, EPS)) < level:
        return ""
    return f"its own probabilities lead to expect {number(expected)}: the model is surer there than it is right"


def _calibrated(known: np.ndarray, y: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Probabilities with the temperature, and for two classes the shift, that fit the known rows best."""
    logs, fresh = (np.log(np.clip(part, EPS, 1)) for part in (known, new))
    two = known.shape[1] == 2

    def spread(values: np.ndarray, at: np.ndarray) -> np.ndarray:
        moved = values * np.exp(at[0]) + (np.array([0.0, at[1]]) if two else 0.0)
        moved = np.exp(moved - moved.max(axis=1, keepdims=True))
        return np.asarray(moved / moved.sum(axis=1, keepdims=True))

    def loss(at: np.ndarray) -> float:
        return float(-np.log(spread(logs, at)[np.arange(len(y)), y] + 1e-12).mean() + 1e-4 * (at**2).sum())

    found = optimize.minimize(loss, np.zeros(2 if two else 1), method="Nelder-Mead", options={"maxiter": 80, "xatol": 1e-3})
    return spread(fresh, found.x)


def _blind(answers: Answers, mask: np.ndarray, rng: np.random.Generator) -> str:
    """The scores order the rows of the slice no better than chance, and have lost half of what they know elsewhere."""
    rank = METRICS["roc_auc"]
    if len(answers.predictions.classes or ()) != 2 or _support(answers, mask) < FEWEST:
        return ""
    inside, rest = _scores(answers, [mask, ~mask], rank)
    error = _error(answers, mask, rank, None, rng)
    lost = inside - 1.96 * error <= 0.5 and inside + 1.96 * error < 0.5 + (rest - 0.5) / 2
    return f"the model knows next to nothing there ({rank.label} {number(inside)}, {number(rest)} elsewhere)" if lost else ""


def _numbers(answers: Answers, mask: np.ndarray, level: float) -> str:
    """Numbers: off in one direction, or no better than the mean of all rows."""
    truth, said = (np.asarray(part, dtype=float) for part in (answers.y, answers.said))
    off, size = said - truth, int(mask.sum())
    error = off[mask].std(ddof=1) / np.sqrt(size)
    bias, usual = float(off[mask].mean()), float(np.sqrt((off[~mask] ** 2).mean()))
    if abs(bias) >= usual / 2 and 2 * stats.t.sf(abs(bias) / max(error, EPS * usual, 1e-300), size - 1) < level:
        return f"the answers there are {number(abs(bias))} too {'high' if bias > 0 else 'low'} on average"
    gain = (truth - truth.mean())[mask] ** 2 - off[mask] ** 2
    if gain.mean() <= stats.t.ppf(0.95, size - 1) * gain.std(ddof=1) / np.sqrt(size):
        return "the model is not shown to be better there than the mean of all rows"
    return ""
