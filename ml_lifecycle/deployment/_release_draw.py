"""How a rehearsal looks: one dot for each check."""

import textwrap
from typing import TYPE_CHECKING

import pandas as pd

from ml_lifecycle.foundation._render import PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_checks(ax: "Axes", frame: pd.DataFrame) -> None:
    """The share of requests that went as they should, with its interval."""
    for place, row in enumerate(frame.itertuples(index=False)):
        n, share = int(str(row.n)), float(str(row.share))
        if not n:
            ax.text(0.5, place, "not tried", ha="center", va="center", color=PALETTE["grey"], fontsize=9)
            continue
        colour = PALETTE["green" if share == 1 else "vermillion"]
        ax.plot([float(str(row.low)), float(str(row.high))], [place, place], color=colour, linewidth=2, solid_capstyle="round")
        ax.plot([share], [place], "o", color=colour)
        ax.annotate(f"{share:.0%} of {n:,}", (share, place), xytext=(0, 7), textcoords="offset points", fontsize=9,
                    ha="right" if share > 0.5 else "left")
    ax.set_yticks(range(len(frame)), [textwrap.fill(str(c), 26) for c in frame["check"]])
    ax.set_ylim(len(frame) - 0.4, -0.75)
    ax.set_xlim(-0.02, 1.03)
    ax.set_xlabel("share of requests that went as they should (95 % interval)")
