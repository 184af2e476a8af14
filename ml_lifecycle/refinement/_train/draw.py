"""How a watched loop is drawn."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ml_lifecycle.exploration._probe.draw import draw_losses
from ml_lifecycle.foundation._render import PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(ax: "Axes", losses: Sequence[float], batches: Sequence[int], val_losses: Sequence[float]) -> None:
    """Training loss at each batch, and validation loss at the end of each epoch."""
    draw_losses(ax, losses, {}, PALETTE["sky"])
    ax.set_xlabel("training batch (count)")
    ends, values = np.cumsum(np.array(batches, dtype=float)) - 1, np.array(val_losses, dtype=float)
    there = np.isfinite(values)
    if not there.any():
        return
    if ax.get_yscale() == "log" and (values[there] <= 0).any():
        ax.set_yscale("linear")
    ax.plot(ends[there], values[there], color=PALETTE["vermillion"], linewidth=1.8, marker="o", markersize=4)
    low, high = ax.get_ylim()
    ax.set_ylim(min(low, 0.9 * float(values[there].min())), max(high, 1.1 * float(values[there].max())))
    for place, name, colour in ((0.98, "training", "blue"), (0.91, "validation", "vermillion")):
        ax.text(0.99, place, name, transform=ax.transAxes, ha="right", va="top", fontsize=9, color=PALETTE[colour])
