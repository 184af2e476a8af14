"""How a comparison of baselines is drawn."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ml_lifecycle.foundation._render import PALETTE, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KIND_COLOUR = {
    "model": PALETTE["blue"], "heuristic": PALETTE["green"], "trivial": PALETTE["grey"],
    "published": PALETTE["purple"], "human": PALETTE["vermillion"],
}
MOST = 20  # rows drawn
FAR = 4.0  # rows further from the best than so many times the best trivial row are drawn at the edge


def draw_rows(ax: "Axes", frame: pd.DataFrame, label: str, greater_is_better: bool) -> None:
    """A dot and an interval for each row, best on top, with the best trivial row as a line."""
    shown = frame[np.isfinite(frame["score"])]
    direction = "higher is better" if greater_is_better else "lower is better"
    ax.set_xlabel(f"{label} ({direction}; line: 95 % interval)")
    if shown.empty:
        ax.set_xticks([])
        ax.set_yticks([])
        ax.text(0.5, 0.5, "no row has a score", transform=ax.transAxes, ha="center", va="center")
        return
    plain = shown.loc[shown["kind"] == "trivial", "score"]
    if len(shown) > MOST:
        ax.set_title(f"the first {MOST}; {len(shown) - MOST} more in the table", fontsize=8, loc="left")
    near = _near(shown)[:MOST]
    shown = shown.head(MOST)
    edges = shown.loc[near, ["score", "low", "high"]].to_numpy(dtype=float)
    low, high = np.nanmin(edges), np.nanmax(edges)
    pad = 0.05 * ((high - low) or abs(high) or 1.0)
    ax.set_xlim(low - pad, high + pad)
    ax.locator_params(axis="x", nbins=7)
    if len(plain):
        ax.axvline(plain.iloc[0], color=PALETTE["grey"], linestyle=":", linewidth=1.2, zorder=0)
    for place, (row, close) in enumerate(zip(shown.itertuples(index=False), near)):
        colour = KIND_COLOUR.get(str(row.kind), PALETTE["grey"])
        if close and np.isfinite([row.low, row.high]).all():
            ax.plot([row.low, row.high], [place, place], color=colour, linewidth=2.2, solid_capstyle="round")
        x = float(np.clip(row.score, low, high))
        ax.plot([x], [place], marker="o" if close else ("<" if x == low else ">"), color=colour, markersize=6)
        ax.text(1.01, place, f"{number(row.score)}  {row.kind}", transform=ax.get_yaxis_transform(), va="center",
                fontsize=8, color=colour)
    ax.set_yticks(range(len(shown)), [name if len(name) <= 28 else name[:27] + "…" for name in map(str, shown["name"])])
    ax.set_ylim(len(shown) - 0.4, -0.6)


def _near(shown: pd.DataFrame) -> np.ndarray:
    """Which rows are near enough to the others to be drawn to scale."""
    distance = (shown["score"] - shown["score"].iloc[0]).abs().to_numpy()
    plain = (shown["kind"] == "trivial").to_numpy()
    reach = distance[plain].min() if plain.any() and distance[plain].min() > 0 else np.median(distance)
    return distance <= FAR * reach if reach > 0 else np.ones(len(shown), dtype=bool)
