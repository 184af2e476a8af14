"""How a probe of one batch is drawn."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ml_lifecycle.foundation._render import PALETTE, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_losses(ax: "Axes", losses: Sequence[float], lines: dict[str, float], colour: str) -> None:
    """Loss over steps, with levels to hold it against; on a log scale where every loss is above zero."""
    from matplotlib.ticker import MaxNLocator

    ax.set_xlabel("step")
    values = np.array(losses, dtype=float)
    finite = np.isfinite(values)
    if not finite.any():
        ax.set_yticks([])
        ax.set_ylabel("loss")
        ax.text(0.5, 0.5, "no loss could be computed", transform=ax.transAxes, ha="center", va="center")
        return
    levels = {name: value for name, value in lines.items() if math.isfinite(value)}
    logged = bool((values[finite] > 0).all())
    if logged:
        ax.set_yscale("log")
        levels = {name: value for name, value in levels.items() if value > 0}
    ax.set_ylabel("loss" + (" (log scale)" if logged else ""))
    x = np.arange(len(values))
    ax.plot(x[finite], values[finite], color=colour, linewidth=1.8, marker="o" if finite.sum() < 3 else None)
    broken = np.flatnonzero(~finite)
    if len(broken):
        ax.axvline(broken[0], color=PALETTE["vermillion"], linewidth=1)
        ax.text(broken[0], 0.02, " NaN from here", transform=ax.get_xaxis_transform(), fontsize=8, color=PALETTE["vermillion"])
    end = max(len(values) - 1, 1)
    ax.set_xlim(-0.02 * end, 1.02 * end)
    beyond = [value for value in levels.values()
        if values[finite].max() / 1e3 <= value <= values[finite].max() * 1e3] if logged else []
    top, bottom = max([values[finite].max(), *beyond]), min([values[finite].min(), *beyond])
    if logged:
        ax.set_ylim(bottom / 1.6, top * 1.8)
        _plain_ticks(ax, top / bottom)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    _levels(ax, _merged(levels))


def _plain_ticks(ax: "Axes", span: float) -> None:
    """Ticks of the log scale as plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if span < 300 else (1.0,), numticks=12))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_locator(NullLocator())


def _merged(levels: dict[str, float]) -> dict[str, float]:
    """Levels that cannot be told apart in the drawing share a line."""
    found: list[tuple[str, float]] = []
    for name, value in sorted(levels.items(), key=lambda item: -item[1]):
        if found and math.isclose(found[-1][1], value, rel_tol=0.02):
            found[-1] = f"{found[-1][0]}, {name}", found[-1][1]
        else:
            found.append((name, value))
    return dict(found)


def _levels(ax: "Axes", levels: dict[str, float]) -> None:
    """Dotted lines with their names at the right, apart from each other."""
    low, high = ax.get_ylim()
    place = ax.transData.transform
    last = math.inf
    for name, value in sorted(levels.items(), key=lambda item: -item[1]):
        if not low <= value <= high:
            continue
        ax.axhline(value, color=PALETTE["grey"], linestyle=":", linewidth=1.2, zorder=0)
        height = float(place((0, value))[1])
        above = last - height > 14
        ax.text(0.99, value, f"{name}: {number(value)}", transform=ax.get_yaxis_transform(), ha="right",
                va="bottom" if above else "top", fontsize=8, color=PALETTE["grey"])
        last = height
