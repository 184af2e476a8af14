"""What clusters of errors say, as coded findings, and how they are drawn."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ml_lifecycle.foundation._render import PALETTE, number
from ml_lifecycle.foundation._words import count
from ml_lifecycle.foundation.report import Finding, NextStep

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = tuple(PALETTE[name] for name in ("blue", "vermillion", "green", "purple", "orange", "sky"))
MOST_NAMED = 6
MOSTLY = 0.5  # error rate above which the model is wrong more often than right: that is an issue
FEW = 20  # errors below which hardly a cluster can be seen


def findings_of(frame: pd.DataFrame, *, errors: int, n: int, told: Sequence[str], sampled: str, skipped: str,
                what: str) -> tuple[Finding, ...]:
    """CLU001 to CLU004."""
    if skipped:
        return (Finding("CLU001", "not applicable", skipped, {"errors": errors, "n": n}),)
    found = [_cluster(row, errors) for row in frame.head(MOST_NAMED).itertuples(index=False)]
    if len(frame) > MOST_NAMED:
        found.append(Finding("CLU001", "tip", f"{count(len(frame) - MOST_NAMED, 'smaller cluster')} more in `.frame`.",
                             {"clusters": len(frame)}))
    if frame.empty and errors < FEW:
        few = f"there {'is' if errors == 1 else 'are'} only {_many(errors, what)} among {n:,} rows"
        found.append(Finding("CLU001", "tip", f"Cannot tell whether errors gather: {few}.",
                             {"errors": errors, "n": n},
                             NextStep("look at these rows one by one", "refinement", "top_losses(X, y, pred)"), undecided=True))
    elif frame.empty:
        names = ", ".join(map(repr, told[:4]))
        more = f" Errors are more frequent in some values of {names}, without gathering." if told else ""
        said = f"The {_many(errors, what)} among {n:,} rows are spread like the data: no place is denser in errors than chance " \
               f"makes it.{more}"
        found.append(Finding("CLU001", "passed", said, {"errors": errors, "n": n, "columns": list(told)}))
    else:
        rest = errors - int(frame["size"].sum())
        found.append(Finding("CLU002", "tip", f"{rest:,} of {_many(errors, what)} "
                             f"({rest / errors:.0%}) are in no cluster.", {"errors": errors, "outside": rest, "n": n}))
    if sampled:
        found.append(Finding("CLU003", "tip", sampled, {"errors": errors, "n": n}))
    return tuple(found)


def _many(errors: int, what: str) -> str:
    """`2 errors above 97.7`: the noun takes the plural, whatever follows it."""
    noun, _, rest = what.partition(" ")
    return f"{count(errors, noun)} {rest}".strip()


def _cluster(row: Any, errors: int) -> Finding:
    said = (f"{row.size:,} of {errors:,} errors ({row.share:.0%}) gather where {row.description}: {row.rate:.0%} of the "
            f"{row.rows:,} rows there are wrong ({row.low:.0%} to {row.high:.0%}), {number(100 * row.overall)} % overall.")
    numbers = {"cluster": row.cluster, "size": row.size, "share": row.share, "rate": row.rate, "low": row.low, "high": row.high,
               "overall": row.overall, "n": row.rows, "p": row.p}
    return Finding("CLU001", "issue" if row.low > MOSTLY else "tip", said, numbers,
                   NextStep("read its examples and say what they have in common; then collect more of them, mend their labels, or "
                            "give the model a feature that tells them apart", "data", "collection_plan(report)"))


def draw(ax: "Axes", points: Sequence[tuple[float, float, int]], labels: Sequence[str]) -> None:
    """The errors seen from the side on which clusters lie apart; correct rows in the background (-2), errors alone (-1)."""
    ax.set_xlabel("first direction of the errors (standard deviations)")
    ax.set_ylabel("second direction")
    if not points:
        ax.text(0.5, 0.5, "nothing to draw", transform=ax.transAxes, ha="center", va="center")
        return
    table = np.array(points, dtype=float)
    where = table[:, 2].astype(int)
    for code, colour, size, name in ((-2, "#d0d0d0", 6, "correct"), (-1, PALETTE["grey"], 12, "errors in no cluster")):
        mine = table[where == code]
        if len(mine):
            ax.scatter(mine[:, 0], mine[:, 1], s=size, color=colour, linewidths=0, label=name)
    for cluster, label in enumerate(labels):
        mine = table[where == cluster, :2]
        if len(mine):
            colour = COLOURS[cluster % len(COLOURS)]
            ax.scatter(mine[:, 0], mine[:, 1], s=16, color=colour, linewidths=0)
            if cluster < MOST_NAMED:
                _label(ax, mine, label, colour, table, 10 if cluster % 2 else -14)
    if (where < 0).any():
        ax.legend(frameon=False, fontsize=7.5, loc="upper center", bbox_to_anchor=(0.5, 1.1), ncols=2)
    low, high = np.quantile(table[:, :2], [0.002, 0.998], axis=0)
    pad = 0.12 * np.maximum(high - low, 1e-9)
    ax.set_xlim(low[0] - pad[0], high[0] + pad[0])
    ax.set_ylim(low[1] - pad[1], high[1] + pad[1])


def _label(ax: "Axes", mine: np.ndarray, label: str, colour: str, table: np.ndarray, up: float) -> None:
    middle = np.median(mine, axis=0)
    right = middle[0] > np.median(table[:, 0])
    ax.annotate(label if len(label) <= 34 else label[:33] + "…", tuple(middle), xytext=(-8 if right else 8, up),
                textcoords="offset points", ha="right" if right else "left", fontsize=8, color=colour,
                bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1})
