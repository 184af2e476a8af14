"""A slice that is worse than the rest: is it harder by nature, as the model's own probabilities say, or let down?"""

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from ml_lifecycle.evaluation._slice_scores import FEWEST, _coded, _error, _scores, _support
from ml_lifecycle.foundation._render import number
from ml_lifecycle.foundation.metrics import METRICS, Metric, Predictions
from ml_lifecycle.refinement._loss_answers import Answers

SIMULATED = 120  # draws of the labels that the probabilities lead to expect
ROWS = 1500  # of a slice, in a draw
LOOKED_AT = 40  # failing slices that are looked into, the worst first
KNOWN = 4000  # rows that the calibration is fitted on
CLIP = 1e-3  # of probabilities, for their logarithms
EPS = 1e-6


def settle(frame: pd.DataFrame, answers: Answers, masks: dict[str, np.ndarray], ranges: set[str], metric: Metric, *,
           alpha: float, seed: int) -> pd.DataFrame:
    """Tell the slices that fail from those that are merely harder; `note` says why a slice fails."""
    failing = frame.index[frame["verdict"] == "fails"][:LOOKED_AT]
    if not len(failing) or metric.function is not None:
        return frame
    frame, coded = frame.copy(), _coded(answers)
    level = alpha / max(1, int(frame["p"].notna().sum()))  # those that fail were chosen among all
    for place in failing:
        row = frame.loc[place]
        name, rng = str(row["slice"]), np.random.default_rng([seed, int(place)])
        if answers.task == "regression":
            why = _numbers(answers, masks[name], level)
        elif coded.predictions.proba is None:
            why = "the labels alone do not say whether it is harder by nature"
        else:
            within = name in ranges  # there scores lie close together by construction
            why = _beyond(coded, masks[name], metric, row, level, rng, within) or _blind(coded, name, masks, rng, within)
        frame.loc[place, ["verdict", "note"]] = ["fails" if why else "harder", why]
    rank = frame["verdict"].map({"fails": 0, "harder": 1}).fillna(2)
    return frame.iloc[np.argsort(rank.to_numpy(), kind="stable")].reset_index(drop=True)


def _beyond(answers: Answers, mask: np.ndarray, metric: Metric, row: Any, level: float, rng: np.random.Generator,
            within: bool) -> str:
    """Most of what it lacks is beyond what labels drawn from the model's probabilities, once calibrated, lead to expect."""
    take = np.flatnonzero(mask)
    drawn = take if len(take) <= ROWS else rng.choice(take, ROWS, replace=False)
    said = answers.predictions
    assert said.proba is not None
    known = np.arange(len(mask)) if within else np.flatnonzero(~mask)  # a range has scores that the other rows lack
    known = known if len(known) <= KNOWN else rng.choice(known, KNOWN, replace=False)
    p = _calibrated(said.proba[known], answers.y[known], said.proba[drawn])
    part = Predictions(labels=np.asarray(said.labels)[drawn], proba=said.proba[drawn], classes=said.classes,
                       positive=said.positive)
    labels = np.asarray(said.classes)[(p.cumsum(axis=1)[None] < rng.random((SIMULATED, len(drawn), 1))).sum(axis=2).clip(
        0, p.shape[1] - 1)]
    values = np.array([metric.score(y, part) for y in labels])
    values = values[np.isfinite(values)]
    if len(values) < SIMULATED // 2:
        return ""
    expected, spread = float(values.mean()), float(values.std(ddof=1) * np.sqrt(len(drawn) / len(take)))
    gap, lacks = metric.sign * (expected - row["score"]), abs(row["rest"] - row["score"])
    sure, most = (float(stats.norm.sf(value / max(spread, EPS))) for value in (gap, gap - lacks / 2))
    if not (sure < level and most < 0.05):
        return ""
    return f"its own probabilities lead to expect {number(expected)}: the model is surer there than it is right"


def _calibrated(known: np.ndarray, y: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Each class's probability against the others, by the beta calibration that fits the known rows (Kull et al. 2017)."""
    from sklearn.linear_model import LogisticRegression

    def bent(p: np.ndarray) -> np.ndarray:
        p = np.clip(p, CLIP, 1 - CLIP)
        return np.column_stack([np.log(p), -np.log1p(-p)])

    every = range(1, 2) if known.shape[1] == 2 else range(known.shape[1])
    found = new.copy()
    for one in every:
        hit = y == one
        if 0 < hit.sum() < len(hit):
            found[:, one] = LogisticRegression(C=100.0, max_iter=300).fit(bent(known[:, one]), hit).predict_proba(
                bent(new[:, one]))[:, 1]
    if known.shape[1] == 2:
        found[:, 0] = 1 - found[:, 1]
    return np.asarray(found / np.maximum(found.sum(axis=1, keepdims=True), EPS))


def _blind(answers: Answers, name: str, masks: dict[str, np.ndarray], rng: np.random.Generator, within: bool) -> str:
    """The scores order the rows of the slice no better than chance, and have lost half of what they know elsewhere."""
    rank, mask = METRICS["roc_auc"], masks[name]
    if _support(answers, mask) < FEWEST:
        return ""
    inside, rest = float(_scores(answers, [mask], rank)[0]), _elsewhere(answers, name, masks)
    if not np.isfinite([inside, rest]).all():
        return ""
    error = _error(answers, mask, rank, None, rng)
    top = inside + 1.96 * error
    lost = top < 0.5 if within else inside - 1.96 * error <= 0.5 and top < 0.5 + (rest - 0.5) / 2
    what = "the model orders the rows the wrong way there" if top < 0.5 else "the model knows next to nothing there"
    return f"{what} ({rank.label} {number(inside)}, {number(rest)} elsewhere)" if lost else ""


def _elsewhere(answers: Answers, name: str, masks: dict[str, np.ndarray]) -> float:
    """How well the scores order the other rows: within the other values of the same column, where it has some."""
    start, mask = name.rsplit(" = ", 1)[0] + " = ", masks[name]
    like = [m for other, m in masks.items() if other.startswith(start) and not (m & mask).any()]
    like = [m for m in like if _support(answers, m) >= FEWEST]
    if not like or sum(m.sum() for m in like) < (~mask).sum() / 2:
        return float(_scores(answers, [~mask], METRICS["roc_auc"])[0])
    values, sizes = _scores(answers, like, METRICS["roc_auc"]), np.array([m.sum() for m in like], dtype=float)
    there = np.isfinite(values)
    return float(np.average(values[there], weights=sizes[there])) if there.any() else float("nan")


def _numbers(answers: Answers, mask: np.ndarray, level: float) -> str:
    """Numbers: off in one direction, or no better than the mean of all rows and surely less than half as good as elsewhere."""
    truth, said = (np.asarray(part, dtype=float) for part in (answers.y, answers.said))
    off, size = said - truth, int(mask.sum())
    error = off[mask].std(ddof=1) / np.sqrt(size)
    bias, usual = float(off[mask].mean()), float(np.sqrt((off[~mask] ** 2).mean()))
    if abs(bias) >= usual / 2 and 2 * stats.t.sf(abs(bias) / max(error, EPS * usual, 1e-300), size - 1) < level:
        return f"the answers there are {number(abs(bias))} too {'high' if bias > 0 else 'low'} on average"
    base = (truth - truth.mean()) ** 2
    gain, elsewhere = (base - off**2)[mask], 1 - float((off[~mask] ** 2).mean() / max(base[~mask].mean(), 1e-300))
    half = float(base[mask].mean()) * elsewhere / 2
    error = float(gain.std(ddof=1) / np.sqrt(size))
    low, high = gain.mean() - stats.t.ppf(0.95, size - 1) * error, gain.mean() + stats.t.ppf(1 - level, size - 1) * error
    if low <= 0 and high < max(half, 0.0):
        return "the model is not shown to be better there than the mean of all rows"
    return ""
