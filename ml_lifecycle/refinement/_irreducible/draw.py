"""How the irreducible error is drawn: every figure behind it, and the interval that they leave."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ml_lifecycle.foundation._render import PALETTE, number
from ml_lifecycle.refinement._irreducible.parts import AT_LEAST, AT_MOST, ESTIMATE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 14  # figures that are drawn
MARK = {ESTIMATE: "o", AT_LEAST: ">", AT_MOST: "<"}
COLOUR = {ESTIMATE: PALETTE["vermillion"], AT_LEAST: PALETTE["green"], AT_MOST: PALETTE["blue"]}


def drawn(frame: pd.DataFrame) -> pd.DataFrame:
    """The first figures that have a value."""
    return frame[np.isfinite(frame["value"])].head(MOST)


def _short(name: str) -> str:
    return name if len(name) <= 44 else name[:43] + "…"


def draw(ax: "Axes", frame: pd.DataFrame, value: float, low: float, high: float, label: str) -> None:
    """A mark and an interval for each figure; the band is where the irreducible error lies."""
    shown = drawn(frame)
    if np.isfinite([low, high]).all():
        ax.axvspan(low, high, color=PALETTE["sky"], alpha=0.2, zorder=0)
    for place, row in enumerate(shown.itertuples(index=False)):
        reads = str(row.reads)
        colour = COLOUR.get(reads, PALETTE["grey"])
        if np.isfinite([row.low, row.high]).all():
            ax.plot([row.low, row.high], [place, place], color=colour, linewidth=1.8, solid_capstyle="round")
        ax.plot([row.value], [place], MARK.get(reads, "."), color=colour, markersize=7)
        ax.text(1.01, place, f"{reads} {number(row.value)}", transform=ax.get_yaxis_transform(), va="center", fontsize=8,
                color=colour)
    ax.set_yticks(range(len(shown)), [_short(str(name)) for name in shown["name"]])
    ax.set_ylim(len(shown) - 0.4, -0.6)
    ends = shown[["value", "low", "high"]].to_numpy(dtype=float).ravel()
    top = float(np.nanmax([*ends[np.isfinite(ends)], value, 0.0]))
    ax.set_xlim(-0.02 * (top or 1.0), 1.05 * (top or 1.0))
    ax.locator_params(axis="x", nbins=6)
    left_out = len(frame) - len(shown)
    ax.set_xlabel(f"{label} (band: where it lies; line: 95 % interval)" + (f"; {left_out} more not drawn" if left_out else ""))
