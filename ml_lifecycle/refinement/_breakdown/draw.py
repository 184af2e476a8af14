"""The waterfall: how the errors of the parts follow from each other."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ml_lifecycle.foundation._render import PALETTE, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Triple = tuple[float, float, float]
LABELS = {"irreducible": "irreducible", "avoidable_bias": "avoidable bias", "variance": "variance",
          "distribution_shift": "distribution shift", "validation_overfitting": "validation overfitting"}


def draw_waterfall(ax: "Axes", components: Mapping[str, Triple | None], dominant: str | None, train: float,
                   last: tuple[str, float], label: str, partial: bool = False) -> None:
    """One bar for each component, begun where the one before ended, with its interval."""
    unknown = components["irreducible"] is None
    steps = [(name, value) for name in LABELS if (value := components[name]) is not None]
    names, start, reach = [], 0.0, [0.0, train]
    for place, (name, value) in enumerate(steps):
        open_ = unknown and name == "avoidable_bias"
        names.append("irreducible +\navoidable bias" if open_ else LABELS[name])
        bound = {"irreducible": "≤ ", "avoidable_bias": "≥ "}.get(name, "") if partial else ""
        plain = "grey" if open_ or name == "irreducible" else "blue"
        colour = PALETTE["vermillion" if name == dominant else plain]
        end = start + value[0]
        ax.barh(place, value[0], left=start, height=0.62, color=colour, alpha=0.45 if open_ else 0.9)
        low, high = (start + value[1], start + value[2]) if np.isfinite(value[1:]).all() else (end, end)
        if not open_ and high > low:
            ax.plot([low, high], [place, place], color="black", linewidth=1.2, marker="|", markersize=6)
        reach += [end, low, high]
        told = "at most " + number(value[0]) if open_ else bound + number(value[0])
        ax.text(1.01, place, told, transform=ax.get_yaxis_transform(), va="center", fontsize=9, color=colour)
        start = end
    ax.barh(len(steps), start, height=0.62, color="#333333", alpha=0.9)
    ax.text(1.01, len(steps), number(last[1]), transform=ax.get_yaxis_transform(), va="center", fontsize=9)
    ax.set_yticks(range(len(steps) + 1), [*names, f"error on {last[0]}"])
    ax.set_ylim(len(steps) + 0.6, -0.6)
    low, high = min(reach), max(reach)
    pad = 0.03 * ((high - low) or 1.0)
    ax.set_xlim(low - (pad if low < 0 else 0.0), high + pad)
    ax.locator_params(axis="x", nbins=6)
    ax.set_xlabel(f"{label} (line: 95 % interval of the part)")
