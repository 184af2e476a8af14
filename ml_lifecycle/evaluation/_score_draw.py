"""How the ML test score is drawn."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from ml_lifecycle.foundation._render import PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

def draw(ax: "Axes", frame: pd.DataFrame, sections: Mapping[str, float], score: float) -> None:
    """Four bars, automated before manual, with the least of them marked."""
    for place, name in enumerate(sections):
        rows = frame[frame["section"] == name]
        whole = float(rows.loc[rows["status"] == "automated", "points"].sum())
        half = float(rows.loc[rows["status"] == "manual", "points"].sum())
        ax.barh(place, 7, color=PALETTE["grey"], alpha=0.12, height=0.62)
        ax.barh(place, whole, color=PALETTE["blue"], height=0.62)
        ax.barh(place, half, left=whole, color=PALETTE["sky"], height=0.62)
        least = "  ◂ least" if sections[name] == score else ""
        left = int((rows["status"] == "open").sum())
        ax.text(whole + half + 0.1, place, f"{sections[name]:g}{least}  ({left} open)", va="center", fontsize=8.5)
    ax.axvline(score, color=PALETTE["vermillion"], linewidth=1.5, linestyle="--")
    ax.set_yticks(range(len(sections)), list(sections), fontsize=9)
    ax.set_ylim(len(sections) - 0.4, -0.6)
    ax.set_xlim(0, 7)
    ax.set_xlabel("points of 7 (dark: repeated by a system, light: done once; dashed: the score)")
