"""How the floor under the error rate is drawn."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ml_lifecycle.data._label.floor import Floor
from ml_lifecycle.foundation._render import PALETTE
from ml_lifecycle.foundation.intervals import wilson

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[Any]
PARTS = 10  # groups of rows of like confidence


def curve(confidence: Array, contradicted: Array, floor: Floor | None) -> tuple[tuple[float, ...], ...]:
    """(middle of the group as a share of the rows, contradicted, its Wilson interval, fitted) of groups of like confidence."""
    if floor is None:
        return ()
    order, found = np.argsort(confidence, kind="stable"), []
    for part, rows in enumerate(np.array_split(order, PARTS)):
        fitted = floor.share + (1 - floor.share) * expit(-(floor.a + floor.b * confidence[rows])).mean()
        seen = wilson(float(contradicted[rows].sum()), len(rows))
        found.append(((part + 0.5) / PARTS, *map(float, seen), float(fitted)))
    return tuple(found)


def draw(ax: "Axes", points: tuple[tuple[float, ...], ...], share: float, low: float, high: float) -> None:
    """How often labels contradict the prediction, over its confidence, with the fitted curve and its floor."""
    ax.set_xlabel("confidence of the prediction (percentile of the rows)")
    ax.set_ylabel("labels that contradict it (%)")
    if not points:
        ax.text(0.5, 0.5, "too few rows", transform=ax.transAxes, ha="center", va="center")
        return
    x, seen, below, above, fitted = (100 * np.array(column) for column in zip(*points))
    ax.axhspan(100 * low, 100 * high, color=PALETTE["vermillion"], alpha=0.15, linewidth=0)
    ax.axhline(100 * share, color=PALETTE["vermillion"], linewidth=1.2)
    ax.plot(x, fitted, color=PALETTE["grey"], linewidth=1.4)
    ax.vlines(x, below, above, color=PALETTE["blue"], linewidth=2)
    ax.plot(x, seen, "o", color=PALETTE["blue"], markersize=6)
    ax.set_xlim(0, 100)
    ax.set_ylim(0, max(1.15 * above.max(), 1.3 * 100 * high))
    ax.text(1.01, 100 * share, "estimated share\nof wrong labels", transform=ax.get_yaxis_transform(), va="center", fontsize=8,
            color=PALETTE["vermillion"])
