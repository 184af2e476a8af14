"""Which slices fail, what is said about them, and how they are drawn."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from ml_lifecycle.evaluation._slice_scores import Score
from ml_lifecycle.foundation._render import PALETTE, number
from ml_lifecycle.foundation._words import count
from ml_lifecycle.foundation.intervals import holm, wilson
from ml_lifecycle.foundation.metrics import Metric
from ml_lifecycle.foundation.report import Finding, NextStep

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEVEL = 0.95
Z = float(stats.norm.ppf((1 + LEVEL) / 2))
MOST_DRAWN = 16
MOST_NAMED = 8
BLUNT = 2.0  # times the smallest difference that counts: up to there an unseen one may be for a slice to be called fine
COLOUR = {"fails": PALETTE["vermillion"], "fine": PALETTE["green"], "harder": PALETTE["orange"],
          "cannot tell": PALETTE["grey"]}


def material(metric: Metric, rest: float, asked: float | None) -> float:
    """The smallest difference that counts: 0.05, or half of what the rest lacks; of unbounded metrics a fifth."""
    if asked is not None:
        return asked
    if np.isfinite(metric.high if metric.greater_is_better else metric.low) and np.isfinite([metric.low, metric.high]).all():
        lacks = abs((metric.high if metric.greater_is_better else metric.low) - rest)
        return float(min(0.05, 0.5 * lacks) if lacks > 0 else 0.01)
    return float(0.2 * abs(rest)) if not metric.greater_is_better else 0.05


def frame_of(names: list[str], sizes: list[int], scores: list[Score | None], metric: Metric, *, alpha: float, min_n: int,
             min_difference: float | None) -> pd.DataFrame:
    """One row a slice: score and interval, the other rows, the difference, and a verdict."""
    p = [np.nan if s is None else s.p for s in scores]
    adjusted = holm(p)
    rows = []
    for name, n, score, raw, p_all in zip(names, sizes, scores, p, adjusted):
        s = score or Score(np.nan, np.nan, np.nan, np.nan, np.nan, f"fewer than {min_n} rows")
        low, high = _interval(s, n, metric)
        gap = metric.sign * (s.value - s.rest)  # below 0: worse
        counts = material(metric, s.rest, min_difference) if np.isfinite(s.rest) else np.nan
        both = float(np.hypot(s.error, s.rest_error))
        verdict = "cannot tell"
        if np.isfinite(p_all) and np.isfinite(gap):
            if p_all < alpha and -gap >= counts:
                verdict = "fails"
            elif -gap + Z * both <= BLUNT * counts or (-gap < counts and -gap + Z * both <= 0.1 * _scale(metric, s)):
                verdict = "fine"
        rows.append({"slice": name, "n": n, "score": s.value, "low": low, "high": high, "rest": s.rest,
                     "difference": s.value - s.rest, "difference_low": s.value - s.rest - Z * both,
                     "difference_high": s.value - s.rest + Z * both, "counts": counts, "p": raw, "p_corrected": p_all,
                     "verdict": verdict, "note": s.why})
    columns = ["slice", "n", "score", "low", "high", "rest", "difference", "difference_low", "difference_high", "counts", "p",
               "p_corrected", "verdict", "note"]
    frame = pd.DataFrame(rows, columns=columns)
    frame = frame.astype({name: "object" if name in ("slice", "verdict", "note") else "int64" if name == "n" else "float64"
                          for name in columns})
    rank = frame["verdict"].map({"fails": 0}).fillna(1)
    order = np.lexsort([(metric.sign * frame["difference"]).fillna(np.inf), rank])
    return frame.iloc[order].reset_index(drop=True)


def _scale(metric: Metric, score: Score) -> float:
    return 1.0 if np.isfinite([metric.low, metric.high]).all() else abs(score.rest)


def _interval(s: Score, n: int, metric: Metric) -> tuple[float, float]:
    if not np.isfinite(s.value):
        return np.nan, np.nan
    if metric.name == "accuracy" and metric.function is None:
        share = wilson(round(s.value * n), n)
        return share.low, share.high
    t = float(stats.t.ppf((1 + LEVEL) / 2, max(n - 1, 1)))
    low, high = np.clip([s.value - t * s.error, s.value + t * s.error], metric.low, metric.high)
    return float(low), float(high)


def told(row: Any, metric: Metric) -> str:
    """A slice's score beside that of the other rows, in words."""
    return (f"{metric.label} {number(row.score)} ({number(row.low)} to {number(row.high)}; n = {row.n:,}) against "
            f"{number(row.rest)} on the other rows")


def findings_of(frame: pd.DataFrame, metric: Metric, *, same: dict[str, str], min_n: int, errors: bool) -> tuple[Finding, ...]:
    """SLI001 to SLI005."""
    if frame.empty:
        return (Finding("SLI002", "not applicable", "There are no slices to compare: no column splits the rows."),)
    if not errors:
        return (Finding("SLI002", "not applicable", "There are no errors, so no slice can have more of them."),)
    fails = frame[frame["verdict"] == "fails"]
    found = [_failing(row, metric) for row in fails.head(MOST_NAMED).itertuples(index=False)]
    if len(fails) > MOST_NAMED:
        found.append(Finding("SLI001", "issue", f"{len(fails) - MOST_NAMED} more slices are worse; `.frame` lists them.",
                             {"slices": list(fails["slice"][MOST_NAMED:MOST_NAMED + 50])}, NextStep(
                                 "ask what the failing slices have in common", "refinement", "error_clusters(X, y, pred)")))
    harder = frame[frame["verdict"] == "harder"]
    if len(harder):
        found.append(_harder(harder, metric))
    fine, open_ones = frame[frame["verdict"] == "fine"], frame[frame["verdict"] == "cannot tell"]
    if len(fine):
        found.append(Finding("SLI002", "passed", f"{count(len(fine), 'slice')} of {len(frame)} "
                             f"{'is' if len(fine) == 1 else 'are'} not worse by a difference that counts; there are rows enough "
                             "to say so.",
                             {"fine": len(fine), "slices": len(frame)}))
    if len(open_ones):
        found.append(_open(open_ones, len(frame), len(fine), min_n))
    if same:
        first = next(iter(same.items()))
        found.append(Finding("SLI004", "tip", f"{count(len(same), 'slice')} held the same rows as another and counted once, such "
                             f"as {first[0]!r}, which is {first[1]!r}.", {"same": dict(list(same.items())[:20])}))
    return tuple(found)


def _harder(rows: pd.DataFrame, metric: Metric) -> Finding:
    """SLI005: worse than the rest, as the model's own probabilities lead to expect; one sentence for all of them."""
    worst = next(rows.itertuples(index=False))
    more = f", and {count(len(rows) - 1, 'other slice')} likewise" if len(rows) > 1 else ""
    still = "the model still helps there" if metric.needs == "values" else \
        "most of that is what the model's own probabilities lead to expect"
    return Finding("SLI005", "tip", f"{worst.slice!r} is harder than the rest{more}: {told(worst, metric)}; {still}.",
                   {"slices": list(rows["slice"].head(50)), "n": int(worst.n), "score": worst.score, "low": worst.low,
                    "high": worst.high, "rest": worst.rest},
                   NextStep("say to users where the answers are less sure", "deployment"))


def _failing(row: Any, metric: Metric) -> Finding:
    gap = abs(row.difference)
    ends = sorted(abs(v) if row.difference_low * row.difference_high > 0 else v for v in (row.difference_low, row.difference_high))
    return Finding("SLI001", "issue", f"{row.slice!r} is worse: {told(row, metric)}, {number(gap)} worse ({number(ends[0])} to "
                   f"{number(ends[1])}; corrected p = {number(row.p_corrected)})" + (f"; {row.note}." if row.note else "."),
                   {"slice": row.slice, "n": row.n, "score": row.score, "low": row.low, "high": row.high, "rest": row.rest,
                    "difference": row.difference, "p": row.p, "p_corrected": row.p_corrected, "counts": row.counts,
                    "metric": metric.name},
                   NextStep("read rows of this slice, then collect or label more of them, or give the model what tells them apart",
                            "data", "top_losses(X, y, pred)"))


def _open(rows: pd.DataFrame, every: int, fine: int, min_n: int) -> Finding:
    """SLI003: what cannot be told. It leaves the whole open only where hardly a slice could be told."""
    small, other = int((rows["n"] < min_n).sum()), rows[rows["n"] >= min_n]
    parts = [f"{small} with fewer than {min_n} rows"] if small else []
    parts += [f"{len(other)} whose interval is too wide or whose score is undefined"] if len(other) else []
    names = ", ".join(map(repr, rows["slice"].head(3))) + (" …" if len(rows) > 3 else "")
    said = f"Cannot tell yet for {count(len(rows), 'slice')} of {every}: {' and '.join(parts)} ({names})."
    numbers = {"slices": list(rows["slice"].head(50)), "few": small, "wide": len(other), "of": every}
    return Finding("SLI003", "tip", said, numbers, NextStep("collect more rows of the slices that matter to users", "data"),
                   undecided=len(rows) > fine)


def draw(ax: "Axes", frame: pd.DataFrame, metric: Metric, overall: float) -> None:
    """The worst slices, each a dot with its interval, and the score of all rows as a line."""
    shown = frame[np.isfinite(frame["score"])]
    more = len(shown) - MOST_DRAWN
    shown = shown.head(MOST_DRAWN)
    ax.set_xlabel(f"{metric.label} ({'higher' if metric.greater_is_better else 'lower'} is better; line: 95 % interval)")
    if shown.empty:
        ax.set_yticks([])
        ax.text(0.5, 0.5, "no slice has a score", transform=ax.transAxes, ha="center", va="center")
        return
    for place, row in enumerate(shown.itertuples(index=False)):
        colour = COLOUR[str(row.verdict)]
        ax.plot([row.low, row.high], [place, place], color=colour, linewidth=2.2, solid_capstyle="round")
        ax.plot([row.score], [place], "o", color=colour, markersize=6)
        ax.text(1.01, place, f"{row.verdict}, n = {row.n:,}", transform=ax.get_yaxis_transform(), va="center", fontsize=8,
                color=colour)
    ax.axvline(overall, color=PALETTE["grey"], linestyle=":", linewidth=1.2, zorder=0)
    ax.text(overall, -0.75, "all rows", fontsize=7.5, color=PALETTE["grey"], ha="center", va="center")
    ax.set_yticks(range(len(shown)), [name if len(name) <= 34 else name[:33] + "…" for name in shown["slice"]])
    ax.set_ylim(len(shown) - 0.4, -1.1)
    if more > 0:
        ax.set_title(f"{count(more, 'better slice')} left out", loc="left", fontsize=8, color=PALETTE["grey"])
