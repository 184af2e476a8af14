"""What the rows with the highest losses say, as coded findings, and how they are drawn."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from ml_lifecycle.exploration._columns import texts
from ml_lifecycle.foundation._render import PALETTE, number
from ml_lifecycle.foundation._words import count
from ml_lifecycle.foundation.report import Finding, NextStep
from ml_lifecycle.refinement._loss_answers import Answers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LABELS = {"log_loss": "log loss (nats)", "zero_one": "wrong (1) or right (0)", "squared_error": "squared error",
          "absolute_error": "absolute error"}
SURE = 0.95  # probability from which a prediction is called sure
TOP = 0.05  # share of the rows whose part in the total loss is told
HEAVY = 0.5  # of the total loss, from which it is called concentrated
DRAWN = 400  # points of the curve that are kept


class WithFeatures(dict[str, str]):
    """What columns hold: those that are named, and every other one, which is a feature."""

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str)

    def __missing__(self, name: str) -> str:
        return f"the feature {name} of the row"


def shown_values(column: pd.Series) -> pd.Series:
    """A feature as a report can hold it: numbers as numbers, all else as text."""
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_complex_dtype(column.dtype):
        kind = "int64" if pd.api.types.is_integer_dtype(column.dtype) and column.notna().all() else "float64"
        kind = "bool" if pd.api.types.is_bool_dtype(column.dtype) and column.notna().all() else kind
        if kind != "int64" or float(column.abs().max()) < 2**63:
            return pd.Series(column.to_numpy(dtype=kind, na_value=np.nan) if kind == "float64" else column.to_numpy(dtype=kind))
    return pd.Series([None if gone else text for text, gone in zip(texts(column), column.isna())], dtype=object)


def top_share(losses: np.ndarray, part: float, seed: int) -> tuple[float, float, float]:
    """The share of the total loss in the `part` of the rows with the highest, with a bootstrap interval."""
    rng = np.random.default_rng(seed)

    def share(values: np.ndarray) -> float:
        kept = max(1, round(part * len(values)))
        total = values.sum()
        return float(np.partition(values, len(values) - kept)[len(values) - kept:].sum() / total) if total > 0 else np.nan

    value, n = share(losses), len(losses)
    m = min(n, 5_000)
    drawn = np.array([share(losses[rng.integers(0, n, m)]) for _ in range(200)])
    gap = (drawn - np.nanmean(drawn)) * np.sqrt(m / n)
    low, high = np.nanquantile(gap, [0.025, 0.975])
    return value, max(0.0, value + float(low)), min(1.0, value + float(high))


def curve(losses: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """(share of the rows, share of the total loss that they carry), the worst first; at most a few hundred points."""
    ordered = np.sort(losses)[::-1]
    at = np.unique(np.geomspace(1, len(ordered), min(DRAWN, len(ordered))).round().astype(int))
    total = ordered.sum() or 1.0
    return tuple((at / len(ordered)).tolist()), tuple((np.cumsum(ordered)[at - 1] / total).tolist())


def concentration(losses: np.ndarray, name: str, seed: int) -> Finding:
    """TOP001: is the loss in a few rows?"""
    n, wrong = len(losses), int((losses > 0).sum())
    if not wrong:
        return Finding("TOP001", "not applicable", f"There are no errors among {count(n, 'row')}: no loss to look into.", {"n": n})
    if name == "zero_one":
        said = f"{wrong:,} of {count(n, 'row')} are wrong, and labels alone do not say how much: every error has the same loss. "
        return Finding("TOP001", "not applicable", said + "Probabilities would rank them.", {"n": n, "errors": wrong})
    share, low, high = top_share(losses, TOP, seed)
    rows = max(1, round(TOP * n))
    numbers = {"share": share, "low": low, "high": high, "rows": rows, "n": n, "part": TOP}
    text = f"the {count(rows, 'row')} with the highest ({TOP:.0%} of {n:,}) carry {share:.0%} ({low:.0%} to {high:.0%}) of it."
    if low > HEAVY:
        look = "look at these rows one by one: wrong labels and broken values gather here"
        step = NextStep(look, "data", "label_issues(y, proba)") if name == "log_loss" else NextStep(look, "data")
        return Finding("TOP001", "tip", f"The loss is in few rows: {text}", numbers, step)
    return Finding("TOP001", "passed", f"The loss is not in a few rows alone: {text}", numbers, NextStep(
        "ask what the errors have in common", "refinement", "error_clusters(X, y, proba)"))


def sure_and_wrong(answers: Answers) -> list[Finding]:
    """TOP002: are there more confident errors than the model itself expects?"""
    proba = answers.predictions.proba
    if answers.task == "regression":
        return []
    if proba is None:
        return [Finding("TOP002", "not applicable", "Whether the model is wrong where it is sure was not asked: there are labels, "
                                                    "no probabilities.")]
    best = np.asarray(proba, dtype=float).max(axis=1)
    sure = best >= SURE
    found, expected = int(answers.wrong[sure].sum()), float((1 - np.minimum(best[sure], 1.0)).sum())
    numbers: dict[str, Any] = {"errors": found, "expected": expected, "n": int(sure.sum()), "from": SURE}
    if not sure.any():
        return [Finding("TOP002", "not applicable", f"No prediction is as sure as {SURE:.0%}.", numbers)]
    p = float(stats.poisson.sf(found - 1, max(expected, 1e-9))) if found else 1.0
    numbers["p"] = p
    said = (f"{count(found, 'error')} among {count(int(sure.sum()), 'prediction')} that are at least {SURE:.0%} sure; by its own "
            f"probabilities the model expects about {number(expected)}")
    if p < 0.01 and found > 1.5 * expected:
        return [Finding("TOP002", "tip", f"The model is wrong where it is sure: {said} (p = {number(p)}).", numbers, NextStep(
            "check these labels by hand; if they are right, calibrate the probabilities", "data", "label_issues(y, proba)"))]
    return [Finding("TOP002", "passed", f"No more confident errors than the model expects: {said}.", numbers)]


def twins(answers: Answers, worst: np.ndarray) -> list[Finding]:
    """TOP003: which of the worst rows have a twin, with the same features and another answer?"""
    if answers.task == "regression" or answers.table.shape[1] < 2 or not len(worst):
        return []
    plain = answers.table.apply(lambda column: shown_values(column).astype(str).where(column.notna(), "")) \
        if len(answers) <= 20_000 else None
    if plain is None:
        return []
    keys = pd.util.hash_pandas_object(plain, index=False).to_numpy()
    labels = pd.Series(pd.factorize(pd.Series(answers.y, dtype=object))[0])
    several = labels.groupby(keys).transform("nunique").to_numpy() > 1
    found = int(several[worst].sum())
    if not found:
        return []
    every = int(several.sum())
    said = (f"{found} of the {count(len(worst), 'row')} shown have a twin with the same features and another answer ({every:,} of "
            f"{len(several):,} rows have one): no model of these features can be right on both.")
    return [Finding("TOP003", "tip", said, {"rows": found, "of": len(worst), "all": every, "n": len(several)}, NextStep(
        "check the labels of twins, or add a feature that tells them apart", "data", "label_issues(y, proba)"))]


def draw(ax: "Axes", rows: tuple[float, ...], share: tuple[float, ...], name: str, n: int) -> None:
    """The share of the total loss against the share of the rows that carry it."""
    ax.set_xlabel(f"share of the {n:,} rows, highest loss first (%, log scale)")
    ax.set_ylabel("share of all loss (%)")
    if not rows or share[-1] <= 0:
        ax.text(0.5, 0.5, "no errors", transform=ax.transAxes, ha="center", va="center")
        return
    x, y = 100 * np.array(rows), 100 * np.array(share)
    ax.plot(x, y, color=PALETTE["vermillion"], linewidth=2)
    ax.plot(x, x, color=PALETTE["grey"], linewidth=1, linestyle=":")
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.set_ylim(0, 103)
    ax.text(0.02, 0.97, f"{LABELS[name]} (line); the same loss in every row (dots)", transform=ax.transAxes, va="top", fontsize=8,
            color=PALETTE["grey"])
    at = int(np.searchsorted(x, 100 * TOP))
    if at < len(x):
        ax.plot([x[at]], [y[at]], "o", color=PALETTE["blue"])
        ax.annotate(f"{x[at]:.2g} % of the rows: {y[at]:.0f} %", (x[at], y[at]), xytext=(8, -12), textcoords="offset points",
                    fontsize=8, color=PALETTE["blue"])
