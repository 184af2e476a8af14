"""How learning curves are drawn: measured scores with intervals, what is expected beyond them, and names at the ends."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ml_lifecycle.exploration._learning.ahead import LEVEL, Measured
from ml_lifecycle.foundation._render import PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = tuple(PALETTE[name] for name in ("blue", "vermillion", "green", "orange", "purple", "grey"))
MOST = len(COLOURS)  # curves that are drawn
AHEAD = 4.0  # times the largest size: as far as curves are drawn
BANDS = 3  # curves up to which every one has its band
FLAT, SHOWN = 15.0, 6.0  # a peak of so many times the height of the later half is cut off at so many times that height
CROWD = 0.055  # of the height of the axes that a name needs


def draw_curves(ax: "Axes", frame: pd.DataFrame, curves: Mapping[str, Measured], best: str | None, label: str,
                greater_is_better: bool) -> None:
    """One colour a model: validation with dots, training dashed where there is room, what is expected dotted in its band."""
    direction = "higher is better" if greater_is_better else "lower is better"
    ax.set_ylabel(f"{label} ({direction})")
    scored = frame[(frame["split"] == "validation") & np.isfinite(frame["score"])]
    if scored.empty or not curves:
        ax.set_xticks([])
        ax.set_yticks([])
        ax.text(0.5, 0.5, "no model has a score", transform=ax.transAxes, ha="center", va="center")
        return
    names = _drawn(scored, best, greater_is_better)
    left_out = scored["model"].nunique() - len(names)
    ax.set_xscale("log")
    ends: list[tuple[float, str, str]] = []
    reach: list[float] = []
    for colour, name in zip(COLOURS, names):
        rows = scored[scored["model"] == name]
        band = len(names) <= BANDS or name == best
        ends.append((_curve(ax, rows, curves[name], colour, band, reach), name, colour))
        if len(names) <= 2:
            train = frame[(frame["model"] == name) & (frame["split"] == "train") & np.isfinite(frame["score"])]
            ax.plot(train["n"], train["score"], color=colour, linestyle="--", linewidth=1.1, alpha=0.75,
                    marker="x" if len(train) == 1 else "", markersize=4)
            reach.extend(train["score"])
            if len(train) and name == names[0]:
                ax.annotate("on its own rows", (train["n"].iloc[0], train["score"].iloc[0]), xytext=(2, 4),
                            textcoords="offset points", fontsize=7, color=colour)
    _frame(ax, scored, reach, left_out)
    _names(ax, ends)


def _drawn(scored: pd.DataFrame, best: str | None, greater_is_better: bool) -> list[str]:
    """The names to draw, the best at their own largest size first."""
    last = scored.sort_values("n").groupby("model", sort=False)["score"].last()
    ordered = [str(name) for name in last.sort_values(ascending=not greater_is_better).index]
    return sorted(ordered, key=lambda name: name != best)[:MOST]


def _curve(ax: "Axes", rows: pd.DataFrame, curve: Measured, colour: str, band: bool, reach: list[float]) -> float:
    """Draw one curve and what is expected of it; gives the height of its end."""
    n, score = rows["n"].to_numpy(dtype=float), rows["score"].to_numpy(dtype=float)
    bounds = rows[["low", "high"]].to_numpy(dtype=float)
    ax.plot(n, score, color=colour, marker="o", markersize=3.5, linewidth=1.8)
    known = np.isfinite(bounds).all(axis=1)
    if band:
        ax.vlines(n[known], bounds[known, 0], bounds[known, 1], color=colour, linewidth=1.2, alpha=0.6)
    targets = np.geomspace(n[-1], AHEAD * n[-1], 30)
    ahead = curve.ahead(targets, LEVEL)
    ax.plot(targets, ahead.value, color=colour, linestyle=":", linewidth=1.6)
    reach.extend([*score, ahead.value[-1]])
    if band:
        _bars_in(reach, bounds[known], n[known] ** 2 >= n[0] * n[-1])
    if band and np.isfinite([ahead.low, ahead.high]).all():
        ax.fill_between(targets, ahead.low, ahead.high, color=colour, alpha=0.15, linewidth=0)
        reach.extend([ahead.low[-1], ahead.high[-1]])
    return float(ahead.value[-1])


def _bars_in(reach: list[float], bounds: np.ndarray, late: np.ndarray) -> None:
    """Make room for intervals; for those of the smaller sizes at most as much above and below as all else takes."""
    reach.extend(bounds[late].ravel())
    low, high = min(reach), max(reach)
    room = max(high - low, 0.05 * abs(high))
    reach.extend(np.clip(bounds, low - room, high + room).ravel())


def _frame(ax: "Axes", scored: pd.DataFrame, reach: list[float], left_out: int) -> None:
    from matplotlib.ticker import FixedLocator, NullFormatter

    n = scored["n"].to_numpy(dtype=float)
    low, high = n.min(), AHEAD * n.max()
    ax.set_xlim(low / 1.1, high * 1.05)
    ticks = _ticks(low, high)
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.set_xticks(ticks, [f"{tick:,.0f}" for tick in ticks])
    ax.xaxis.set_minor_formatter(NullFormatter())
    bottom, top = _height(scored, np.array(reach)[np.isfinite(reach)])
    ax.set_ylim(bottom, top)
    more = [f"{left_out} more not drawn"] if left_out else []
    more += ["a peak is cut off"] if not bottom <= scored["score"].min() <= scored["score"].max() <= top else []
    ax.set_xlabel("\n".join(["rows learned from (log scale; bars: 95 % interval; dotted: expected, 80 % band)",
                             *(["; ".join(more)] if more else [])]), fontsize=8.5)


def _height(scored: pd.DataFrame, values: np.ndarray) -> tuple[float, float]:
    """The heights to show: all of them, unless one peak would flatten the later half of the curves."""
    bottom, top = float(values.min()), float(values.max())
    late = scored.loc[scored["n"] >= np.sqrt(scored["n"].min() * scored["n"].max()), ["score", "low", "high"]].stack()
    wide = float(late.max() - late.min())
    if wide > 0 and top - bottom > FLAT * wide:
        bottom, top = max(bottom, float(late.min()) - SHOWN * wide), min(top, float(late.max()) + SHOWN * wide)
    pad = 0.06 * ((top - bottom) or abs(top) or 1.0)
    return bottom - pad, top + pad


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers in the range, seven at most."""
    found = [lead * 10.0**power for power in range(0, 12) for lead in (1, 2, 5)]
    inside = [tick for tick in found if low / 1.05 <= tick <= high * 1.05]
    if len(inside) > 7:
        inside = [tick for tick in inside if np.log10(tick) % 1 == 0 or len(inside) <= 9 and str(tick)[0] != "2"]
    return inside or [low]


def _names(ax: "Axes", ends: list[tuple[float, str, str]]) -> None:
    """Names beside the ends of the curves, moved apart where they would touch."""
    bottom, top = ax.get_ylim()
    ordered = sorted(ends, key=lambda end: end[0])
    places = np.array([np.clip((value - bottom) / (top - bottom), 0.02, 0.98) for value, _, _ in ordered])
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + CROWD)
    if len(places) and places[-1] > 0.98:
        places[-1] = 0.98
        for i in range(len(places) - 2, -1, -1):
            places[i] = min(places[i], places[i + 1] - CROWD)
    for place, (_, name, colour) in zip(places, ordered):
        short = name if len(name) <= 22 else name[:21] + "…"
        ax.text(1.01, place, short, transform=ax.transAxes, va="center", fontsize=8, color=colour)
