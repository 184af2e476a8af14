"""How agreement is drawn: alpha, then classes, then annotators, each with its interval."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ml_lifecycle.foundation._render import PALETTE, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 8  # rows of one kind that are drawn: the lowest
COLOUR = {"all": PALETTE["grey"], "class": PALETTE["blue"], "annotator": PALETTE["green"], "pair": PALETTE["purple"]}


def drawn(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that are drawn: all together, and of every other kind those with the lowest values."""
    shown = frame[np.isfinite(frame["value"])]
    parts = [shown[shown["kind"] == "all"]]
    for kind in ("class", "annotator", "pair"):
        rows = shown[shown["kind"] == kind]
        if kind == "pair" and len(shown[shown["kind"] == "annotator"]):
            continue
        parts.append(rows.nsmallest(MOST, "value").sort_index())
    return pd.concat(parts, ignore_index=True)


def draw(ax: "Axes", frame: pd.DataFrame, enough: float) -> None:
    """A dot and an interval for each row, with the mark from which labels can be learned from."""
    shown = drawn(frame)
    ax.set_xlabel(f"agreement (1 is perfect; line: 95 % interval; dotted: {enough:g}, the least for alpha and kappa)")
    if shown.empty:
        ax.set_yticks([])
        ax.text(0.5, 0.5, "no item has two labels", transform=ax.transAxes, ha="center", va="center")
        return
    left = float(np.nanmin([0.0, *shown["low"], *shown["value"]]))
    ax.set_xlim(max(-1.0, left) - 0.03, 1.03)
    ax.axvline(enough, color=PALETTE["vermillion"], linestyle=":", linewidth=1.2, zorder=0)
    for place, row in enumerate(shown.itertuples(index=False)):
        colour = COLOUR[str(row.kind)]
        if np.isfinite([row.low, row.high]).all():
            ax.plot([row.low, row.high], [place, place], color=colour, linewidth=2.2, solid_capstyle="round")
        ax.plot([row.value], [place], "o", color=colour, markersize=6)
        ax.text(1.01, place, number(row.value), transform=ax.get_yaxis_transform(), va="center", fontsize=8, color=colour)
    names = [str(row.measure) if row.kind == "all" else f"{row.kind} {row.name}" for row in shown.itertuples(index=False)]
    ax.set_yticks(range(len(shown)), [name if len(name) <= 30 else name[:29] + "…" for name in names])
    ax.set_ylim(len(shown) - 0.4, -0.6)
    left_out = [f"{kind}s {n - MOST} more" for kind, n in frame["kind"].value_counts().items() if kind != "pair" and n > MOST]
    if left_out:
        ax.set_title("the lowest of each kind; " + ", ".join(left_out), fontsize=8, loc="left")
