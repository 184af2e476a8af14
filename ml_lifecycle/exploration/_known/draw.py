"""How a rerun is drawn beside what was published."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ml_lifecycle.foundation._render import PALETTE, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOUR = {"published": PALETTE["blue"], "yours": PALETTE["orange"], "human": PALETTE["vermillion"], "trivial": PALETTE["grey"],
          "run": PALETTE["sky"], "step": PALETTE["blue"]}


def _short(text: str, most: int = 26) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def draw(ax: "Axes", frame: pd.DataFrame, label: str) -> None:
    """Published figures as diamonds on a band of their tolerance, ours as dots with intervals."""
    if (frame["kind"] == "step").any():
        _draw_steps(ax, frame)
        return
    shown, runs = frame[frame["kind"] != "run"], frame.loc[frame["kind"] == "run", "ours"].to_numpy(dtype=float)
    left, right = _limits(shown)
    ax.set_xlim(left, right)
    ax.locator_params(axis="x", nbins=6)
    for place, row in enumerate(shown.itertuples(index=False)):
        colour = COLOUR.get(str(row.kind), PALETTE["grey"])
        if np.isfinite(row.published):
            start, end = row.published - row.tolerance, min(row.published + row.tolerance, 1.0)
            ax.barh(place, end - start, left=start, height=0.62, color=PALETTE["purple"], alpha=0.3)
            ax.plot([row.published], [place], marker="D", color=PALETTE["purple"], markersize=10, fillstyle="none", zorder=4)
        if np.isfinite([row.low, row.high]).all():
            ax.plot([row.low, row.high], [place, place], color=colour, linewidth=2.2, solid_capstyle="round")
        if np.isfinite(row.ours):
            ax.plot([max(row.ours, left)], [place], marker="o" if row.ours >= left else "<", color=colour, markersize=6,
                    clip_on=False)
        value = number(row.ours if np.isfinite(row.ours) else row.published)
        ax.text(1.02, place, f"{value}  {row.verdict}", transform=ax.get_yaxis_transform(), va="center", fontsize=8, color=colour)
    ax.plot(runs, np.full(len(runs), 0.36), linestyle="none", marker="|", color=COLOUR["published"], markersize=6)
    ax.set_yticks(range(len(shown)), [_short(str(name)) for name in shown["what"]])
    ax.set_ylim(len(shown) - 0.4, -0.6)
    each = "; ticks: single runs" if len(runs) else ""
    ax.set_xlabel(f"{label} (diamond and band: published ± tolerance;\ndot and line: ours, 95 % interval{each})")


def _limits(shown: pd.DataFrame) -> tuple[float, float]:
    """An axis for what is to be compared; what needs no columns is drawn at its edge when it lies far off."""
    edges = shown[["published", "ours", "low", "high"]].to_numpy(dtype=float)
    edges = np.column_stack([edges, shown["published"] - shown["tolerance"],
                             (shown["published"] + shown["tolerance"]).clip(upper=1.0)])
    near = edges[(shown["kind"] != "trivial").to_numpy()]
    low, high = np.nanmin(near), np.nanmax(near)
    reach = max(high - low, 0.02)
    if np.nanmin(edges) >= low - 2 * reach:
        low = np.nanmin(edges)
    pad = max(0.06 * (high - low), (0.02 - (high - low)) / 2)
    return float(low - pad), float(high + pad)


def _draw_steps(ax: "Axes", frame: pd.DataFrame) -> None:
    steps = np.arange(1, len(frame) + 1)
    ax.plot(steps, frame["published"], linestyle="none", marker="D", color=PALETTE["purple"], markersize=11, fillstyle="none")
    ax.plot(steps, frame["ours"], linestyle="none", marker="o", color=PALETTE["blue"], markersize=5)
    for step, row in zip(steps, frame.itertuples(index=False)):
        name = str(row.what).partition(": ")[2]
        place = row.published if np.isfinite(row.published) else row.ours
        ax.annotate(_short(name, 12), (step, place), xytext=(0, 9), textcoords="offset points", ha="center", fontsize=8)
    ax.axhline(0, color=PALETTE["grey"], linewidth=0.8)
    ax.margins(y=0.14)
    ax.set_xticks(steps)
    ax.locator_params(axis="y", integer=True)
    ax.set_xlabel("step of the path (diamond: published; dot: ours)")
    ax.set_ylabel("column number\n(negative: it leaves)")
