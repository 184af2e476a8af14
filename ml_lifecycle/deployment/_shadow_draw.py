"""How a comparison of two models on logged requests looks."""

import textwrap
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ml_lifecycle.foundation._render import PALETTE, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHARES = ("same answer", "failures of the shadow")
COLOURS = {"champion": "grey", "shadow": "blue", "canary": "orange", "same answer": "green",
           "failures of the shadow": "vermillion"}


def draw_measures(ax: "Axes", frame: pd.DataFrame) -> None:
    """The scores of the models where there are any, else how often they agree; each with its interval."""
    names = frame["measure"].astype(str)
    scores = frame[names.isin(["champion", "shadow", "champion, other users", "canary"])]
    rows = scores if len(scores) else frame[names.isin(SHARES)]
    if not len(rows):
        ax.set_axis_off()
        ax.text(0, 0.5, "Nothing to compare yet.", transform=ax.transAxes)
        return
    for place, row in enumerate(rows.itertuples(index=False)):
        colour = PALETTE[COLOURS.get(str(row.measure).split(",")[0], "grey")]
        value, low, high = (float(str(getattr(row, name))) for name in ("value", "low", "high"))
        if np.isfinite(low) and np.isfinite(high):
            ax.plot([low, high], [place, place], color=colour, linewidth=2, solid_capstyle="round")
        ax.plot([value], [place], "o", color=colour)
        ax.annotate(f"{number(value)}  (n = {int(str(row.n)):,})", (value, place), xytext=(0, 7), textcoords="offset points",
                    ha="center", fontsize=9)
    ax.set_yticks(range(len(rows)), [textwrap.fill(str(m), 24) for m in rows["measure"]])
    ax.set_ylim(len(rows) - 0.4, -0.75)
    unit = str(rows["unit"].iloc[0]) if len(scores) else "share, with its 95 % interval"
    ax.set_xlabel(textwrap.shorten(unit, 80, placeholder=" …"))
    ax.margins(x=0.12)
