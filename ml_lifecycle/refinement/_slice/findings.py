"""What slices of errors say, as coded findings, and how they are drawn."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from ml_lifecycle.foundation._render import PALETTE, number
from ml_lifecycle.foundation._words import count
from ml_lifecycle.foundation.report import Finding, NextStep

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_NAMED = 6
MOSTLY = 0.5  # error rate above which the model is wrong more often than right
STRATA = 20  # levels of the model's own confidence
DRAWN = 12
SHARE = 0.1  # of the rows: the slice by which it is told whether n suffices
NEED = 12.0  # nats that a category and an interval of twenty columns must bring to be proposed


def visible(rate: float, n: int) -> float | None:
    """The error rate from which a slice of a tenth of the rows is seen in half of `n` rows; None when even 100 % is not."""
    inside, tried = SHARE * n / 2, np.linspace(rate, 1.0, 400)[1:]
    with np.errstate(all="ignore"):
        gain = np.where(tried < 1, tried * np.log(tried / rate) + (1 - tried) * np.log((1 - tried) / (1 - rate)), -np.log(rate))
    seen = tried[inside * gain >= NEED]
    return float(seen[0]) if len(seen) else None


def beyond_confidence(wrong: np.ndarray, doubt: np.ndarray, mask: np.ndarray) -> tuple[float, float]:
    """(one-sided p, uplift) of a slice among rows of which the model is equally sure.

    Cochran-Mantel-Haenszel over strata of the model's own doubt (1 - its largest probability).
    """
    edges = np.unique(np.quantile(doubt, np.arange(1, STRATA) / STRATA))
    place = np.searchsorted(edges, doubt, side="right")
    size = len(edges) + 1
    n, inside = (np.bincount(place[rows], minlength=size).astype(float) for rows in (np.ones(len(mask), bool), mask))
    bad, hit = (np.bincount(place[rows], minlength=size).astype(float) for rows in (wrong, wrong & mask))
    use = (inside > 0) & (inside < n) & (n > 1)
    n, inside, bad, hit = n[use], inside[use], bad[use], hit[use]
    if not len(n):
        return 1.0, 0.0
    variance = (inside * (n - inside) * bad * (n - bad) / (n**2 * (n - 1))).sum()
    weight = inside * (n - inside) / n
    uplift = float((weight * (hit / inside - (bad - hit) / (n - inside))).sum() / weight.sum())
    p = float(stats.norm.sf(((hit - inside * bad / n).sum() - 0.5) / np.sqrt(variance))) if variance > 0 else 1.0
    return p, uplift


def sentence(row: Any, what: str, counts: bool) -> str:
    """One slice in words, without the full stop."""
    rows = f"{row.judged:,} held-out rows, {row.size:,} rows in all"
    if counts:
        return (f"Where {row.predicate}, {_percent(row.rate)} are {what}, elsewhere {_percent(row.rest_rate)}: "
                f"{100 * row.uplift:.1f} points more ({100 * row.low:.1f} to {100 * row.high:.1f}; {rows})")
    return (f"Where {row.predicate}, the mean {what} is {number(row.rate)}, elsewhere {number(row.rest_rate)}: "
            f"{number(row.uplift)} more ({number(row.low)} to {number(row.high)}; {rows})")


def slice_finding(row: Any, what: str, counts: bool, own: tuple[float, float] | None, alpha: float) -> Finding:
    """ESL001: one slice; an issue where the model does not know it, or is mostly wrong."""
    said = sentence(row, what, counts)
    numbers = {"rank": row.rank, "size": row.size, "rate": row.rate, "rest_rate": row.rest_rate, "uplift": row.uplift,
               "low": row.low, "high": row.high, "p": row.p, "n": row.judged}
    blind = own is not None and own[0] < alpha and own[1] > row.uplift / 2
    if own is not None:
        numbers |= {"p_same_confidence": own[0], "uplift_same_confidence": own[1]}
        said += f", and {100 * own[1]:.1f} points more than where the model is as sure" if blind else \
            ", about as often as its own probabilities lead to expect"
    worst = counts and row.rate - (row.uplift - row.low) > MOSTLY
    todo = "find out what is different there: read its rows, check their labels, then give the model a feature or more rows of it"
    return Finding("ESL001", "issue" if blind or worst else "tip", said + ".", numbers,
                   NextStep(todo, "data", "top_losses(X, y, pred)"))


def none_found(loss: np.ndarray, counts: bool, what: str, tried: int) -> Finding:
    """ESL002: no slice, and whether there are rows enough to have seen one."""
    n, rate = len(loss), float(loss.mean())
    said = f"No slice is shown to have more {what} than the other rows" if counts else f"No slice is shown to have a higher {what}"
    numbers: dict[str, Any] = {"n": n, "rate": rate, "tested": tried}
    if not counts:
        few = 0.5 * np.sqrt(SHARE * n / 2) < np.sqrt(2 * NEED)
        seen = "a slice of a tenth of the rows that is half a standard deviation worse"
        text = f"{said} ({count(n, 'row')}): {seen} would " + ("not be seen for sure." if few else "be seen.")
        return _verdict(text, few, numbers)
    least = visible(rate, n)
    few = least is None or least > max(2.5 * rate, rate + 0.15)
    numbers["visible"] = least
    told = "even one of a tenth of the rows that is always wrong would not be seen for sure" if least is None else \
        f"one of a tenth of the rows is seen from about {_percent(least)}"
    return _verdict(f"{said} ({_percent(rate)} of {count(n, 'row')}); {told}.", few, numbers)


def _verdict(said: str, few: bool, numbers: dict[str, Any]) -> Finding:
    if not few:
        return Finding("ESL002", "passed", said, numbers)
    return Finding("ESL002", "tip", f"Cannot tell yet, n is too small: {said[:1].lower()}{said[1:]}", numbers,
                   NextStep("judge the model on more rows, such as those of all folds", "refinement", "error_slices(X, y, pred)"),
                   undecided=True)


def left_out(names: Sequence[str]) -> Finding:
    """ESL003: columns that no slice can be cut along."""
    more = f" and {len(names) - 5:,} more" if len(names) > 5 else ""
    return Finding("ESL003", "not applicable", "Not searched, for they hold free text, one value, or no value often enough: "
                   f"{', '.join(map(repr, names[:5]))}{more}.", {"columns": list(names[:50]), "many": len(names)})


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def draw(ax: "Axes", frame: pd.DataFrame, counts: bool, what: str) -> None:
    """The rate inside every slice with its interval, beside that of the other rows."""
    ax.set_xlabel(f"{what} (% of held-out rows)" if counts else f"mean {what} (held-out rows)")
    if frame.empty:
        ax.text(0.5, 0.5, "no slice", transform=ax.transAxes, ha="center", va="center")
        ax.set_yticks([])
        return
    top, times = frame.head(DRAWN), 100.0 if counts else 1.0
    for place, row in enumerate(top.itertuples(index=False)):
        rest, rate = times * row.rest_rate, times * row.rate
        ax.plot([rest, rate], [place, place], color="#d0d0d0", linewidth=1, zorder=1)
        ax.plot([rest + times * row.low, rest + times * row.high], [place, place], color=PALETTE["vermillion"], linewidth=2.5)
        ax.plot(rest, place, "o", color=PALETTE["grey"], markersize=6)
        ax.plot(rate, place, "o", color=PALETTE["vermillion"], markersize=7)
        if not place:
            ax.annotate("other rows", (rest, place), xytext=(0, 9), textcoords="offset points", ha="center", fontsize=8,
                        color=PALETTE["grey"])
            ax.annotate("in the slice", (rate, place), xytext=(0, 9), textcoords="offset points", ha="center", fontsize=8,
                        color=PALETTE["vermillion"])
    ax.set_yticks(range(len(top)), [_short(text) for text in top["predicate"]], fontsize=8)
    ax.set_ylim(len(top) - 0.4, -0.7)
    ax.margins(x=0.12)
    if len(frame) > DRAWN:
        ax.set_title(f"the first {DRAWN} of {len(frame)}", fontsize=9)


def _short(text: str) -> str:
    lines = [part if len(part) <= 36 else part[:35] + "…" for part in text.split(" and ")]
    return "\n".join(lines[:3])
