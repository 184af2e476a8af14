"""How the rounds of a search are drawn."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ml_lifecycle.foundation._render import PALETTE, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("grey", "sky", "blue", "purple", "green", "orange")
NAMED = 7  # rounds up to which the word stands beside the number
SEVERAL = 30  # rounds up to which the number is written at all
DARK = "#333333"


def draw_rounds(ax: "Axes", frame: pd.DataFrame, label: str, greater_is_better: bool, best: int) -> None:
    """The score of every trial in its order, a colour for each round, with the best so far and the estimator as given."""
    shown = frame[np.isfinite(frame["score"])]
    low, high = _window(shown["score"].to_numpy(dtype=float), greater_is_better)
    pad = 0.08 * ((high - low) or abs(high) or 1.0)
    ax.set_ylim(low - pad, high + 2 * pad)
    whole = shown[shown["note"] == ""]["score"].to_numpy(dtype=float)
    so_far = np.maximum.accumulate(whole) if greater_is_better else np.minimum.accumulate(whole)
    ax.step(shown[shown["note"] == ""]["trial"], np.clip(so_far, low, high), where="post", color=PALETTE["vermillion"],
            linewidth=1.2, zorder=1)
    rounds = int(shown["round"].max())
    for round_, part in shown.groupby("round"):
        colour = PALETTE[COLOURS[int(round_) % len(COLOURS)]] if round_ else DARK
        _points(ax, part, (low, high), colour, "v" if greater_is_better else "^")
        if round_ and rounds <= SEVERAL:
            ax.text(float(part["trial"].mean()), high + 1.3 * pad, f"round {int(round_)}" if rounds <= NAMED else f"{int(round_)}",
                    ha="center", fontsize=8, color=colour)
    _compared(ax, shown, (low, high), best)
    marks = [*(["triangles lie outside"] if ((shown["score"] < low) | (shown["score"] > high)).any() else []),
             *(["hollow: stopped early"] if (shown["note"] != "").any() else [])]
    ax.set_xlabel(f"trial (in order{'; ' if marks else ''}{', '.join(marks)})")
    ax.set_ylabel(f"{label}\n({'higher' if greater_is_better else 'lower'} is better)")
    ax.ticklabel_format(axis="y", useOffset=False)


def _compared(ax: "Axes", shown: pd.DataFrame, window: tuple[float, float], best: int) -> None:
    """Lines and words for the estimator as given and for the best."""
    given = shown.loc[shown["round"] == 0, "score"]
    if len(given):
        at = float(np.clip(given.iloc[0], *window))
        ax.axhline(at, color=DARK, linestyle=":", linewidth=1.1, zorder=0)
        ax.text(1.01, at, f"as given {number(given.iloc[0])}", transform=ax.get_yaxis_transform(), fontsize=8, va="top",
                color=DARK)
    top = shown.loc[shown["trial"] == best]
    if top["round"].iloc[0]:
        score = float(top["score"].iloc[0])
        ax.text(1.01, score, f"best {number(score)}", transform=ax.get_yaxis_transform(), fontsize=8, va="bottom",
                color=PALETTE["vermillion"])


def _window(scores: np.ndarray, greater_is_better: bool) -> tuple[float, float]:
    """The range that is drawn: a few hopeless candidates do not squeeze the others."""
    low, high = float(scores.min()), float(scores.max())
    if greater_is_better:
        return max(low, high - 2 * (high - float(np.quantile(scores, 0.25)))) if low < high else low, high
    return low, min(high, low + 2 * (float(np.quantile(scores, 0.75)) - low)) if low < high else high


def _points(ax: "Axes", part: pd.DataFrame, window: tuple[float, float], colour: str, beyond: str) -> None:
    """The trials of one round; hollow where they were stopped, on the rim where they lie outside."""
    at, stopped = part["score"].to_numpy(dtype=float), (part["note"] != "").to_numpy()
    inside = (at >= window[0]) & (at <= window[1])
    for mask, marker, size in ((inside, "o", 22), (~inside, beyond, 26)):
        for hollow in (False, True):
            rows = mask & (stopped == hollow)
            ax.scatter(part["trial"][rows], np.clip(at[rows], *window), s=size, marker=marker, linewidths=0.8, zorder=2,
                       facecolors="none" if hollow else colour, edgecolors=colour)
