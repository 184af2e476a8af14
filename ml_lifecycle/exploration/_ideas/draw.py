"""How a comparison of ideas is drawn."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ml_lifecycle.foundation._render import PALETTE, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 20  # ideas drawn
COLOUR = {"better": PALETTE["green"], "worse": PALETTE["vermillion"]}
FAR = 6.0  # differences further off than so many times the middle one are drawn at the edge


def draw_differences(ax: "Axes", frame: pd.DataFrame, wide: dict[str, tuple[float, float]], label: str, baseline: str) -> None:
    """A dot and an interval for each idea, best on top; the baseline is the line at 0, bounds for all at once are thin."""
    ideas = frame[np.isfinite(frame["difference"])]
    shown = ideas.head(MOST)
    ax.set_xlabel(f"gain in {label} over {_short(baseline, 34)} (right: better)\n"
                  "thick: 95 % interval; thin: for all ideas at once")
    ax.locator_params(axis="x", nbins=6)
    if shown.empty:
        ax.set_xticks([])
        ax.set_yticks([])
        ax.text(0.5, 0.5, "no idea could be compared", transform=ax.transAxes, ha="center", va="center")
        return
    low, high = _reach(shown, wide)
    pad = 0.06 * ((high - low) or 1.0)
    ax.set_xlim(low - pad, high + pad)
    ax.axvline(0, color=PALETTE["grey"], linewidth=1.2, zorder=0)
    for place, row in enumerate(shown.itertuples(index=False)):
        colour = COLOUR.get(str(row.verdict), PALETTE["grey"])
        for width, ends in ((0.9, wide.get(str(row.name), (np.nan, np.nan))), (2.6, (row.difference_low, row.difference_high))):
            if np.isfinite(ends).all():
                ax.plot(ends, [place, place], color=colour, linewidth=width, solid_capstyle="round")
        x = float(np.clip(row.difference, low, high))
        ax.plot([x], [place], marker="o" if x == row.difference else ("<" if x == low else ">"), color=colour, markersize=6)
        ax.text(1.01, place, f"{'+' if row.difference > 0 else ''}{number(row.difference)}  {row.verdict}",
                transform=ax.get_yaxis_transform(), va="center", fontsize=8, color=colour)
    ax.set_yticks(range(len(shown)), [_short(str(name), 28) for name in shown["name"]])
    ax.set_ylim(len(shown) - 0.4, -0.6)
    left_out = len(frame) - 1 - len(shown)
    if left_out:
        ax.set_title(f"the first {len(shown)}; {left_out} more in the table" if len(ideas) > MOST else
                     f"{left_out} without a score", fontsize=8, loc="left")


def _short(name: str, most: int) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"


def _reach(shown: pd.DataFrame, wide: dict[str, tuple[float, float]]) -> tuple[float, float]:
    """Bounds of the picture: ideas that are far worse than the others do not squeeze them."""
    size = shown["difference"].abs()
    near = shown[size <= FAR * max(float(size.median()), float(size.min()))]
    ends = near[["difference", "difference_low", "difference_high"]].to_numpy(dtype=float).ravel()
    ends = np.concatenate([ends, *(wide.get(str(name), ()) for name in near["name"]), [0.0]])
    return float(np.nanmin(ends)), float(np.nanmax(ends))
