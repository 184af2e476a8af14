"""How the quality of data is drawn: what each column alone tells of the target, against all of them together."""

from typing import TYPE_CHECKING

import pandas as pd

from ml_lifecycle.foundation._render import PALETTE, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 15
COLOUR = {"issue": PALETTE["vermillion"], "tip": PALETTE["orange"], "passed": PALETTE["blue"]}


def rows_to_draw(frame: pd.DataFrame) -> pd.DataFrame:
    """Single columns by score; without a target, missing values by share."""
    alone = frame[frame["check"] == "column alone"]
    if alone.empty:
        alone = frame[frame["check"] == "missing"]
    return alone.sort_values("value", ascending=False, kind="stable")


def draw(ax: "Axes", frame: pd.DataFrame, chance: float) -> None:
    """A bar and an interval for each column; a line for what a quick model reaches with all of them."""
    rows = rows_to_draw(frame)
    left_out, rows = len(rows) - MOST, rows.head(MOST)
    if rows.empty:
        ax.set_xlabel("share of rows")
        ax.set_yticks([])
        ax.text(0.5, 0.5, "no column to draw", transform=ax.transAxes, ha="center", va="center")
        return
    scores = rows["check"].iloc[0] == "column alone"
    unit = str(rows["unit"].iloc[0])
    for place, row in enumerate(rows.itertuples(index=False)):
        colour = COLOUR.get(str(row.verdict), PALETTE["grey"])
        ax.barh([place], [max(0.0, row.value)], color=colour, height=0.62, alpha=0.85)
        ax.plot([max(row.low, 0.0), max(row.high, 0.0)], [place, place], color="#333333", linewidth=1.4)
        ax.text(1.01, place, number(row.value), transform=ax.get_yaxis_transform(), va="center", fontsize=8, color=colour)
    ax.set_yticks(range(len(rows)), [n if len(n) <= 26 else n[:25] + "…" for n in map(str, rows["column"])])
    ax.set_ylim(len(rows) - 0.4, -0.9 if scores else -0.6)
    ax.set_xlabel(f"{unit} of one column alone (line: 95 % interval)" if scores else "missing values (share of rows; line: "
                        "95 % interval)")
    ax.set_xlim(0.0, None if not scores else 1.0)
    if scores:
        _lines(ax, frame, chance)
    if left_out > 0:
        ax.set_title(f"{left_out} more columns not drawn", fontsize=9, loc="left")


def _lines(ax: "Axes", frame: pd.DataFrame, chance: float) -> None:
    """What chance reaches, and a quick model with all columns."""
    every = frame.loc[frame["check"] == "all columns", "value"]
    value = float(every.iloc[0]) if len(every) else 0.0
    if chance > 0:
        ax.axvline(chance, color="white", linestyle=":", linewidth=1.4)
        ax.text(chance, -0.62, "chance ", fontsize=8, color=PALETTE["grey"], ha="right", va="center")
    if value > chance:
        ax.axvline(value, color=PALETTE["grey"], linestyle="--", linewidth=1.3)
        right = value > 0.8
        text = f"{' ' * (not right)}all columns, a quick model: {number(value)}{' ' * right}"
        ax.text(value, -0.62, text, fontsize=8, color=PALETTE["grey"], ha="right" if right else "left", va="center")
