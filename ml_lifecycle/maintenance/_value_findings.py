"""What the worth of the columns says, as coded findings; and how it is drawn."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ml_lifecycle.foundation._render import PALETTE, number
from ml_lifecycle.foundation._words import count
from ml_lifecycle.foundation.intervals import Difference
from ml_lifecycle.foundation.metrics import Metric
from ml_lifecycle.foundation.report import Finding, NextStep
from ml_lifecycle.maintenance._value import Worth

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOUR = {"keep": PALETTE["green"], "remove": PALETTE["vermillion"], "cannot tell": PALETTE["grey"]}
MOST = 20  # columns that a plot shows
CLOSER = 'feature_value(model, data, method="drop", features=[...])'  # the call that tells more


@dataclass
class Judged:
    """Everything that was found about the columns."""

    metric: Metric
    score: float
    n: int
    how: str
    method: str
    matters: float
    found: list[Worth]
    verdicts: dict[Any, str]  # column -> verdict
    pairs: dict[tuple[Any, Any], float]  # columns that say the same
    safe: tuple[Any, ...] = ()  # columns that can leave together
    joint: Difference | None = None  # what the safe (or the last tried) set is worth
    tried: tuple[Any, ...] = ()  # the last set that was tried together
    notes: tuple[str, ...] = ()
    columns: int = 0  # of the whole table
    fitted: bool = False  # True: a model that was fitted before; nothing was fitted again
    why: dict[Any, str] = field(default_factory=dict)  # column -> remark

    def value(self, name: Any) -> Difference:
        """The worth of one column."""
        return next(one.difference for one in self.found if one.names[0] == name)


def named(names: Sequence[Any], most: int = 6) -> str:
    """Columns in a sentence."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(repr(str(name)) for name in names[:most]) + more


def span(d: Difference) -> str:
    """A value with its interval."""
    return f"{number(d.value)} ({number(d.low)} to {number(d.high)})" if np.isfinite(d.low) else f"{number(d.value)} (no interval)"


def all_findings(j: Judged) -> tuple[Finding, ...]:
    """Every finding, the most important first within its severity."""
    return (*_carry(j), *_together(j), *_alike(j), *_open(j), *_shared(j), *_constant(j), *_notes(j))


def _carry(j: Judged) -> list[Finding]:
    """FEA001: which columns are shown to carry value? Nothing of it where a choice of columns holds none."""
    kept = [one for one in j.found if j.verdicts[one.names[0]] == "keep"]
    if not kept and len(j.found) < j.columns:
        return []
    if not kept:
        shared = 2 * len({name for pair in j.pairs for name in pair}) >= len(j.found) > 1
        return [Finding("FEA001", "tip", f"No column is shown to be worth anything by itself ({len(j.found)} were looked at; "
                       f"n = {j.n:,}, {j.how}).", {"columns": len(j.found), "n": j.n},
                       NextStep("several say the same: ask again for one of each, by fitting without it", "maintenance", CLOSER)
                       if shared else NextStep("see whether the model learns anything, and whether more rows would tell",
                                                "exploration", "baselines(data)"), undecided=True)]
    best = max(kept, key=lambda one: one.difference.value)
    return [Finding("FEA001", "passed", f"{len(kept)} of {len(j.found)} columns {'is' if len(kept) == 1 else 'are'} shown to be "
                   f"useful; {best.names[0]!r} is worth most: {span(best.difference)} of {j.metric.label} (n = {j.n:,}, "
                   f"{j.how}; corrected for {len(j.found)} columns).",
                   {"keep": [str(one.names[0]) for one in kept], "best": str(best.names[0]), "value": best.difference.value,
                    "low": best.difference.low, "high": best.difference.high, "n": j.n})]


def _together(j: Judged) -> list[Finding]:
    """FEA002: what can leave, all at once?"""
    if j.safe and j.joint is not None and j.fitted:
        they, cost = ("them", "shuffled together they cost") if len(j.safe) > 1 else ("it", "shuffled it costs")
        return [Finding("FEA002", "tip", f"The model takes little from {named(j.safe)}: {cost} {span(j.joint)} of "
                        f"{j.metric.label}, less than {j.matters:.3g}, the smallest loss that matters (n = {j.n:,}). Fit again "
                        f"without {they} before anything goes.",
                        {"columns": list(map(str, j.safe)), "value": j.joint.value, "low": j.joint.low, "high": j.joint.high,
                         "matters": j.matters, "n": j.n},
                        NextStep(f"leave {they} out and fit again, to see what is lost", "maintenance", CLOSER))]
    if j.safe and j.joint is not None:
        hurts = " The score is better without." if j.joint.high < 0 else ""
        they, together = ("them", " together") if len(j.safe) > 1 else ("it", "")
        return [Finding("FEA002", "tip", f"{named(j.safe)} can go{together}: leaving {they} out costs {span(j.joint)} of "
                        f"{j.metric.label}, less than {j.matters:.3g}, the smallest loss that matters (n = {j.n:,}).{hurts}",
                        {"columns": list(map(str, j.safe)), "value": j.joint.value, "low": j.joint.low, "high": j.joint.high,
                         "matters": j.matters, "n": j.n},
                        NextStep(f"leave {they} out, write down who decided it and why, and go round again", "exploration",
                                 "DeprecatedFeatures(path).deprecate(name, by=..., why=...)"))]
    if j.tried and j.joint is not None:
        they = "they are" if len(j.tried) > 1 else "it is"
        again = f"{'Shuffled' if j.fitted else 'Left out'}{' together' * (len(j.tried) > 1)} a second time"
        return [Finding("FEA002", "tip", f"{named(j.tried)} seemed dispensable at first. {again}, {they} worth {span(j.joint)} of "
                        f"{j.metric.label}, and {j.matters:.3g} would matter: take none out yet (n = {j.n:,}).",
                        {"columns": list(map(str, j.tried)), "value": j.joint.value, "low": j.joint.low, "high": j.joint.high,
                         "n": j.n},
                        NextStep("name a smaller set" if len(j.tried) > 1 else "keep it, and ask again with more rows or folds",
                                 "maintenance", CLOSER), undecided=True)]
    return []


def _alike(j: Judged) -> list[Finding]:
    """FEA003: which columns stand in for each other?"""
    alone = {name for name in j.verdicts if name in j.safe or name in j.why}
    held = [pair for pair in j.pairs if set(pair) <= alone and not set(pair) <= set(j.safe)]
    if not held:
        return []
    first = held[0]
    return [Finding("FEA003", "tip", f"{named(first)} say the same (association {j.pairs[first]:.2f}): one of them can do the "
                    f"other's work, so that either may go and never both{_more(len(held))}.",
                    {"pairs": [[*map(str, pair), j.pairs[pair]] for pair in held[:20]]},
                    NextStep("choose which one goes, and ask again without it", "maintenance", CLOSER))]


def _more(pairs: int) -> str:
    return f" ({count(pairs - 1, 'more such pair')})" if pairs > 1 else ""


def _open(j: Judged) -> list[Finding]:
    """FEA004: of which columns can it not be told?"""
    rest = [one.names[0] for one in j.found if j.verdicts[one.names[0]] == "cannot tell"]
    if not rest:
        return []
    call = 'feature_value(model, data, method="drop")' if j.method == "permute" else "feature_value(model, data, cv=10)"
    they, are = ("them", "they are") if len(rest) > 1 else ("it", "it is")
    return [Finding("FEA004", "tip", f"For {len(rest)} of {count(len(j.found), 'column')} it cannot be told yet whether {are} "
                    f"worth {j.matters:.3g}: {named(rest)} (n = {j.n:,}, {j.how}).",
                    {"columns": list(map(str, rest)), "n": j.n, "matters": j.matters},
                    NextStep(f"keep {they} for now, and ask again with more rows or more folds", "maintenance", call),
                    undecided=True)]


def _shared(j: Judged) -> list[Finding]:
    """FEA005: which columns share their value, so that shuffling one shows too little?"""
    if j.method != "permute" or not j.pairs:
        return []
    first = next(iter(j.pairs))
    return [Finding("FEA005", "tip", f"Shuffling shows too little for columns that say the same: {named(first)} (association "
                    f"{j.pairs[first]:.2f}) share one value{_more(len(j.pairs))}.",
                    {"pairs": [[*map(str, pair), s] for pair, s in list(j.pairs.items())[:20]]},
                    NextStep("fit again without them to see what each adds", "maintenance",
                             CLOSER))]


def _constant(j: Judged) -> list[Finding]:
    """FEA006: what could not be left out as such?"""
    held = [one.names[0] for one in j.found if one.note == "held constant"]
    failed = [one for one in j.found if one.note.startswith("failed")]
    found = []
    if held:
        found.append(Finding("FEA006", "tip", f"The model names its columns, so {len(held)} of them were held at one value "
                             "instead of being left out: nothing can be learned from them either way.",
                             {"columns": list(map(str, held))}, NextStep(
                                 "ask by shuffling instead", "maintenance", 'feature_value(model, data, method="permute")')))
    if failed:
        found.append(Finding("FEA006", "tip", f"{named([one.names[0] for one in failed])} could not be judged: the model "
                             f"{failed[0].note}.", {"columns": [str(one.names[0]) for one in failed]}, NextStep(
                                 "ask by shuffling instead", "maintenance", 'feature_value(model, data, method="permute")'),
                             undecided=True))
    return found


def _notes(j: Judged) -> list[Finding]:
    """FEA007: what is not as it was asked for?"""
    then = NextStep("see that the folds are what is meant", "maintenance", "feature_value(model, data, cv=5)")
    return [Finding("FEA007", "tip", note, {"n": j.n}, then) for note in j.notes]


def draw(ax: "Axes", frame: pd.DataFrame, lost: str, matters: float) -> None:
    """A dot and an interval for each column, the most useful on top, with the zone of what does not matter."""
    shown, left = frame[np.isfinite(frame["value"])], 0
    if len(shown) > MOST:
        left = len(shown) - MOST
        shown = pd.concat([shown.head(MOST - 8), shown.tail(8)])
    ax.set_xlabel(f"{lost} without the column (line: 95 % interval)")
    if shown.empty:
        ax.set_yticks([])
        ax.text(0.5, 0.5, "no column could be judged", transform=ax.transAxes, ha="center", va="center")
        return
    if np.isfinite(matters):
        ax.axvspan(-matters, matters, color=PALETTE["grey"], alpha=0.13, linewidth=0, zorder=0)
    ax.axvline(0, color=PALETTE["grey"], linewidth=1, zorder=0)
    for place, row in enumerate(shown.itertuples(index=False)):
        colour = COLOUR[str(row.verdict)]
        if np.isfinite([row.low, row.high]).all():
            ax.plot([row.low, row.high], [place, place], color=colour, linewidth=2.2, solid_capstyle="round")
        ax.plot([row.value], [place], marker="o", color=colour, markersize=5)
        ax.text(1.01, place, str(row.verdict), transform=ax.get_yaxis_transform(), va="center", fontsize=8, color=colour)
    ax.set_yticks(range(len(shown)), [name if len(name) <= 28 else name[:27] + "…" for name in map(str, shown["feature"])])
    ax.set_ylim(len(shown) - 0.4, -0.6)
    if left:
        ax.set_title(f"{left} more in between, in .frame", fontsize=8, loc="left", color=PALETTE["grey"])
