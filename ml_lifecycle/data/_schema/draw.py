"""How a frame against its schema is drawn: the share of rows that each broken rule fails in."""

from typing import TYPE_CHECKING

import pandas as pd

from ml_lifecycle.foundation._render import PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 15
COLOUR = {"issue": PALETTE["vermillion"], "cannot tell": PALETTE["orange"], "passed": PALETTE["green"]}


def rows_to_draw(frame: pd.DataFrame) -> pd.DataFrame:
    """Rules with failing rows, those that count first; where nothing fails, the columns with most missing values."""
    real = frame[frame["rule"] != "unexpected"]
    broken = real[real["verdict"].isin(["issue", "cannot tell"])]
    if len(broken):
        return broken
    return real[real["rule"] == "missing"].sort_values("share", ascending=False, kind="stable")


def draw_rules(ax: "Axes", frame: pd.DataFrame) -> None:
    """A bar and an interval for each broken rule."""
    rows = rows_to_draw(frame)
    left_out, rows = len(rows) - MOST, rows.head(MOST)
    ax.set_xlabel("share of rows (%; line: 95 % interval)")
    if rows.empty:
        ax.set_yticks([])
        ax.text(0.5, 0.5, "no rule was checked", transform=ax.transAxes, ha="center", va="center")
        return
    for place, row in enumerate(rows.itertuples(index=False)):
        colour = COLOUR.get(str(row.verdict), PALETTE["grey"])
        ax.barh([place], [100 * row.share], color=colour, height=0.6, alpha=0.85)
        ax.plot([100 * row.low, 100 * row.high], [place, place], color="#333333", linewidth=1.4)
        ax.text(1.01, place, f"{row.failing:,} of {row.n:,}", transform=ax.get_yaxis_transform(), va="center", fontsize=8)
    ax.set_yticks(range(len(rows)), [_name(str(r.column), str(r.rule)) for r in rows.itertuples(index=False)])
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_xlim(0, None)
    fine = set(rows["verdict"]) <= {"passed"}
    note = "no rule is broken; missing values" if fine else "rows that break a rule"
    ax.set_title(note + (f" ({left_out} more)" if left_out > 0 else ""), fontsize=9, loc="left")


def _name(column: str, rule: str) -> str:
    return f"{column if len(column) <= 24 else column[:23] + '…'} · {rule}"
