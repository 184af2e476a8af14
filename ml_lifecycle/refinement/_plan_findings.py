"""What a plan to collect rows says, as coded findings, and how it is drawn."""

from typing import TYPE_CHECKING

import pandas as pd

from ml_lifecycle.foundation._render import PALETTE, number
from ml_lifecycle.foundation._words import count
from ml_lifecycle.foundation.report import Finding, NextStep

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DRAWN = 12


def findings_of(frame: pd.DataFrame, *, counts: bool, held_out: bool, budget: int | None) -> tuple[Finding, ...]:
    """PLN001 to PLN004."""
    if frame.empty:
        return (Finding("PLN001", "not applicable", "There is no cluster and no slice: nothing to collect more of.", {},),)
    found = [_first(frame.iloc[0], counts)]
    doubtful = frame[frame["gain_low"] <= 0]
    if len(doubtful):
        names = ", ".join(doubtful["name"].head(4))
        found.append(Finding("PLN002", "tip", f"Cannot tell whether errors are more frequent there than elsewhere: {names}. The "
                             f"interval of the gain reaches 0.", {"names": list(doubtful["name"].head(20))},
                             NextStep("collect the rows to tell the rate first, and judge it anew", "data"), undecided=True))
    if not held_out:
        found.append(Finding("PLN003", "tip", "The conditions were chosen on the very rows that the rates are of, so that gains "
                             "are rather smaller than said; fresh rows tell.", {}))
    if budget is not None:
        full = int((frame["planned"] == frame["collect"]).sum())
        needed = int(frame["collect"].sum())
        found.append(Finding("PLN004", "tip", f"{count(budget, 'row')} can be collected, {needed:,} would be needed: they suffice "
                             f"for {full} of {count(len(frame), 'kind')} of rows.",
                             {"budget": budget, "full": full, "kinds": len(frame)}))
    return tuple(found)


def gain_words(value: float, low: float, high: float, counts: bool) -> str:
    """A gain with its interval."""
    if counts:
        return f"{100 * value:.2g} points ({100 * low:.2g} to {100 * high:.2g})"
    return f"{number(value)} ({number(low)} to {number(high)})"


def _first(row: pd.Series, counts: bool) -> Finding:
    what = "the error rate of all rows" if counts else "the mean loss of all rows"
    said = (f"First collect {count(int(row['collect']), 'row')} where {row['like']}: if that falls to what the rest has, {what} "
            f"falls by {gain_words(row['gain'], row['gain_low'], row['gain_high'], counts)}.")
    numbers = {name: row[name] for name in ("name", "collect", "gain", "gain_low", "gain_high", "rows")}
    return Finding("PLN001", "tip", said, numbers,
                   NextStep("collect and label them, half for training and half to judge it; a curve tells whether more rows help "
                            "at all", "data", "learning_curve(models, X, y)"))


def draw(ax: "Axes", frame: pd.DataFrame, counts: bool) -> None:
    """The gain of each kind of rows with its interval, and how many rows it takes."""
    times = 100.0 if counts else 1.0
    ax.set_xlabel("fall of the error rate of all rows (points)" if counts else "fall of the mean loss of all rows")
    if frame.empty:
        ax.text(0.5, 0.5, "nothing to collect", transform=ax.transAxes, ha="center", va="center")
        ax.set_yticks([])
        return
    top = frame.head(DRAWN)
    for place, row in enumerate(top.itertuples(index=False)):
        ax.plot([times * row.gain_low, times * row.gain_high], [place, place], color=PALETTE["blue"], linewidth=2.5)
        ax.plot(times * row.gain, place, "o", color=PALETTE["blue"], markersize=7)
        ax.annotate(f"collect {count(row.collect, 'row')}", (times * row.gain, place), xytext=(0, 8), textcoords="offset points",
                    ha="center", fontsize=8, color="#333333")
    ax.axvline(0, color="#999999", linewidth=1, zorder=0)
    ax.set_yticks(range(len(top)), [_label(row) for row in top.itertuples(index=False)], fontsize=8)
    ax.set_ylim(len(top) - 0.5, -0.8)
    ax.margins(x=0.12)
    if len(frame) > DRAWN:
        ax.set_title(f"the first {DRAWN} of {len(frame)}", fontsize=9)


def _label(row: object) -> str:
    text = str(getattr(row, "category", "") or getattr(row, "like", ""))
    return "\n".join(part if len(part) <= 34 else part[:33] + "…" for part in text.split(" and ")[:3])
