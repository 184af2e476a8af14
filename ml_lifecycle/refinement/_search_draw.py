"""How the rounds of a search are drawn."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..foundation._render import PALETTE, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("grey", "sky", "blue", "purple", "green", "orange")


def draw_rounds(ax: "Axes", frame: pd.DataFrame, label: str, greater_is_better: bool, best: int) -> None:
    """The score of every trial in its order, a colour for each round, with the best so far and the estimator as given."""
    shown = frame[np.isfinite(frame["score"])]
    scores = shown["score"].to_numpy(dtype=float)
    low, high = scores.min(), scores.max()
    middle = np.median(scores)  # a few hopeless candidates do not squeeze the others
    if greater_is_better:
        low = max(low, middle - 3 * (high - middle)) if high > middle else low
    else:
        high = min(high, middle + 3 * (middle - low)) if middle > low else high
    pad = 0.08 * ((high - low) or abs(high) or 1.0)
    ax.set_ylim(low - pad, high + 2 * pad)
    so_far = np.maximum.accumulate(scores) if greater_is_better else np.minimum.accumulate(scores)
    ax.step(shown["trial"], np.clip(so_far, low, high), where="post", color=PALETTE["vermillion"], linewidth=1.2, zorder=1)
    for number_, part in shown.groupby("round"):
        colour = PALETTE[COLOURS[int(number_) % len(COLOURS)]] if number_ else "#333333"
        at = part["score"].to_numpy(dtype=float)
        inside = (at >= low) & (at <= high)
        ax.scatter(part["trial"][inside], at[inside], s=22, color=colour, zorder=2)
        ax.scatter(part["trial"][~inside], np.clip(at[~inside], low, high), s=26, color=colour, zorder=2,
                   marker="v" if greater_is_better else "^")
        if number_:
            ax.text(float(part["trial"].mean()), high + 1.3 * pad, f"round {int(number_)}", ha="center", fontsize=8, color=colour)
    given = frame.loc[frame["trial"] == 0, "score"]
    if len(given) and np.isfinite(given.iloc[0]):
        ax.axhline(float(np.clip(given.iloc[0], low, high)), color="#333333", linestyle=":", linewidth=1.1, zorder=0)
        ax.text(1.01, float(np.clip(given.iloc[0], low, high)), f"as given {number(given.iloc[0])}", fontsize=8, va="top",
                transform=ax.get_yaxis_transform(), color="#333333")
    top = float(frame.loc[frame["trial"] == best, "score"].iloc[0])
    if best:
        ax.text(1.01, top, f"best {number(top)}", transform=ax.get_yaxis_transform(), fontsize=8, va="bottom",
                color=PALETTE["vermillion"])
    ax.set_xlabel("trial (in order; triangles lie outside)" if ((scores < low) | (scores > high)).any() else "trial (in order)")
    ax.set_ylabel(f"{label}\n({'higher' if greater_is_better else 'lower'} is better)")
