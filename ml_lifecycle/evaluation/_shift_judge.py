"""Which of the compared columns have shifted, what is said about it, and how it is drawn."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats
from tqdm import tqdm

from ml_lifecycle.evaluation._shift_edge import Pair
from ml_lifecycle.evaluation._shift_tests import (
    LEVELS,
    Compared,
    binned,
    block_test,
    codes_of,
    compare_column,
    edges_of,
)
from ml_lifecycle.exploration import _columns
from ml_lifecycle.foundation._render import PALETTE, number
from ml_lifecycle.foundation._words import count
from ml_lifecycle.foundation.intervals import holm
from ml_lifecycle.foundation.report import Finding, NextStep

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DRAWS = 999  # permutations of units at least
BLUNT = 2.0  # times `min_effect`: with a larger detectable effect, "no shift seen" is no answer
NAMED = 4  # columns that get a finding of their own; the others share one
MOST_DRAWN = 20
NEW_SHARE = 0.005  # of the current rows in new categories, from which they are named


def compare_all(pair: Pair, alpha: float, seed: int) -> dict[Any, Compared]:
    """Every column compared; with units, p values come from permuting whole units."""
    found: dict[Any, Compared] = {}
    every = [name for name in pair.reference.columns if name not in pair.skipped]
    for name in tqdm(every, desc="columns", delay=2, leave=False):
        a, b = pair.reference[name], pair.current[name]
        one = compare_column(a, b, text=name in pair.text)
        if pair.units is not None and not one.skipped:
            p, seen = _of_units(a, b, one.kind, pair.units, alpha / len(every), np.random.default_rng([seed, len(found)]))
            one = Compared(**{**vars(one), "p": max(p, one.p), "detectable": seen})
        found[name] = one
    for name, why in pair.skipped.items():
        a, b = pair.reference[name], pair.current[name]
        kind = _columns.kind_of(a) or _columns.kind_of(b) or "empty"
        found[name] = Compared(kind, (int(a.notna().sum()), int(b.notna().sum())), skipped=why)
    return found


def _of_units(a: pd.Series, b: pd.Series, kind: str, units: tuple[np.ndarray, np.ndarray], level: float,
              rng: Any) -> tuple[float, float]:
    """(p, detectable effect) when whole units change sides."""
    codes = _coded(a, b, kind)
    return block_test(units, codes, int(max(map(np.max, codes))) + 1, min(8_000, max(DRAWS, round(2 / level))), level, rng)


def _coded(a: pd.Series, b: pd.Series, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """The bin or level of every row; 0 for a missing value."""
    if kind in ("number", "date", "text"):
        x, y = (_as_numbers(part, kind) for part in (a, b))
        both = np.concatenate([x, y])
        known = both[~np.isnan(both)]
        edges = edges_of(known) if len(known) else np.zeros(0)
        return tuple(np.where(np.isnan(v), 0, 1 + binned(np.nan_to_num(v), edges)) for v in (x, y))  # type: ignore[return-value]
    x, y, levels = codes_of(a.astype(object).where(a.notna(), None), b.astype(object).where(b.notna(), None))
    common = np.argsort(-np.bincount(np.concatenate([x, y]), minlength=len(levels)), kind="stable")[:LEVELS]
    place = np.zeros(len(levels), dtype=int)
    place[common] = 1 + np.arange(len(common))
    return place[x], place[y]


def _as_numbers(column: pd.Series, kind: str) -> np.ndarray:
    if kind == "date":
        index = _columns.dates(column)
        return np.where(index.isna(), np.nan, index.asi8.astype(float))
    if kind == "text":
        return np.where(column.isna(), np.nan, [float(len(text)) for text in _columns.texts(column)])
    return _columns.numbers(column)


def detectable(n: int, m: int, alpha: float, columns: int) -> float:
    """The smallest difference of distribution functions that is found in four of five cases (Kolmogorov-Smirnov)."""
    if not n or not m:
        return 1.0
    width = float(np.sqrt(1 / n + 1 / m))
    return min(1.0, width * float(np.sqrt(-np.log(alpha / (2 * max(1, columns))) / 2) + 0.5 * stats.norm.ppf(0.8)))


def judged(found: dict[Any, Compared], *, alpha: float, min_effect: float, min_n: int) -> pd.DataFrame:
    """The frame: shifted when beyond chance and beyond `min_effect`; None when neither can be told."""
    tested = {name: c for name, c in found.items() if not c.skipped and min(c.n) >= min_n}
    adjusted = dict(zip(tested, holm([c.p for c in tested.values()])))
    rows = []
    for name, c in found.items():
        p = float(adjusted.get(name, np.nan))
        seen = c.detectable if c.detectable == c.detectable else detectable(*c.n, alpha, len(tested))
        shifted = None if name not in tested else bool(p < alpha and c.effect >= min_effect)
        if shifted is False and not p < alpha and seen > BLUNT * min_effect + 1e-9:
            shifted = None
        note = c.skipped or (f"fewer than {min_n} values on one side" if name not in tested else c.note)
        rows.append({"feature": str(name), "kind": c.kind, "n_reference": c.n[0], "n_current": c.n[1], "statistic": c.statistic,
                     "effect": c.effect, "p": c.p if name in tested else np.nan, "p_corrected": p, "shifted": shifted,
                     "missing_reference": c.missing[0], "missing_current": c.missing[1],
                     "detectable": seen if not c.skipped else np.nan, "compared": not c.skipped, "note": note})
    frame = pd.DataFrame(rows)
    rank = frame["shifted"].map(lambda s: {True: 0}.get(s, 1)) * 2 + (~frame["compared"])
    order = np.lexsort([-frame["effect"].fillna(-1), rank])
    frame = frame.iloc[order].reset_index(drop=True)
    frame["shifted"] = pd.Series(list(frame["shifted"]), dtype=object)
    return frame


def findings_of(frame: pd.DataFrame, found: dict[Any, Compared], *, min_effect: float, min_n: int, unit: str,
                absent: tuple[tuple[str, ...], tuple[str, ...]]) -> tuple[Finding, ...]:
    """Every finding."""
    said = [*_shifts(frame, min_effect), *_rest(frame, min_effect), *_fresh(found, min_n), *_absent(absent)]
    left = frame[~frame["compared"]]
    said += [Finding("SHI003", "not applicable", f"{row.feature!r} was not compared: {row.note}.", {"column": row.feature})
             for row in left.head(8).itertuples(index=False)]
    if len(left) > 8:
        said.append(Finding("SHI003", "not applicable", f"{len(left) - 8} more columns were not compared; `.frame` says why."))
    if unit == "row" and any(c.kind == "date" for c in found.values()):
        said.append(Finding("SHI006", "tip", "There are times among the columns, but every row counts by itself here: "
                            "neighbouring rows are alike, and then chance does more than the p values say.", {},
                            NextStep("name the column that orders the rows", "evaluation",
                                     "compare_distributions(reference, current, time='when')")))
    return tuple(said)


def _shifts(frame: pd.DataFrame, min_effect: float) -> list[Finding]:
    """SHI001, one for each of the columns that have shifted most, and one for the others."""
    found, shifted = [], frame[frame["shifted"].map(lambda s: s is True)]
    for row in shifted.head(NAMED).itertuples(index=False):
        numbers = {"column": row.feature, "effect": row.effect, "statistic": row.statistic, "p": row.p,
                   "p_corrected": row.p_corrected, "n_reference": row.n_reference, "n_current": row.n_current,
                   "min_effect": min_effect}
        found.append(Finding("SHI001", "issue", f"{row.feature!r} has shifted: {row.note} (effect {number(row.effect)}, at least "
                             f"{number(min_effect)} counts; corrected p = {number(row.p_corrected)}; n = {row.n_reference:,} and "
                             f"{row.n_current:,}).", numbers, NextStep(
                                 f"find out why {row.feature!r} changed; if it stays so, train on rows like the current ones",
                                 "data")))
    others = list(shifted["feature"][NAMED:])
    if others:
        listed = ", ".join(map(repr, others[:4])) + (" …" if len(others) > 4 else "")
        have = "has" if len(others) == 1 else "have"
        effects = shifted["effect"][NAMED:]
        found.append(Finding("SHI001", "issue", f"{count(len(others), 'more column')} {have} shifted: {listed} (effects from "
                             f"{number(effects.min())} to {number(effects.max())}, at least {number(min_effect)} counts).",
                             {"columns": others, "min_effect": min_effect},
                             NextStep("ask what these columns have in common: a source, a join, a season", "data")))
    return found


def _rest(frame: pd.DataFrame, min_effect: float) -> list[Finding]:
    """SHI002: what has not shifted, or cannot be told."""
    asked = frame[frame["compared"]]
    if asked.empty:
        return [Finding("SHI002", "not applicable", "No column was compared.")]
    open_ones, same = asked[asked["shifted"].map(lambda s: s is None)], asked[asked["shifted"].map(lambda s: s is False)]
    found = []
    if len(open_ones):
        names = ", ".join(map(repr, open_ones["feature"].head(4))) + (" …" if len(open_ones) > 4 else "")
        seen, n, m = open_ones["detectable"].max(), open_ones["n_reference"].min(), open_ones["n_current"].min()
        found.append(Finding("SHI002", "tip", f"Cannot tell yet for {count(len(open_ones), 'column')} ({names}): with {n:,} and "
                             f"{m:,} rows only an effect of about {number(seen)} or more would be seen.",
                             {"columns": list(open_ones["feature"]), "detectable": seen, "n_reference": n, "n_current": m},
                             NextStep("compare again when there are more current rows", "evaluation",
                                      "compare_distributions(reference, current)"), undecided=True))
    if len(same):
        sure = same["p_corrected"] < 0.05
        little = f"; {int(sure.sum())} of them differ beyond chance, by less than {number(min_effect)}" if sure.any() else ""
        found.append(Finding("SHI002", "passed", f"{count(len(same), 'column')} of {len(asked)} compared "
                             f"{'has' if len(same) == 1 else 'have'} not shifted by an effect that counts ({number(min_effect)})"
                             f"{little}; largest effect {number(same['effect'].max())}.",
                             {"columns": len(same), "largest": same["effect"].max(), "min_effect": min_effect}))
    return found


def _fresh(found: dict[Any, Compared], min_n: int) -> list[Finding]:
    """SHI004: categories that the reference does not have."""
    said = []
    for name, c in found.items():
        if c.fresh and min(c.n) >= min_n and c.fresh_rows >= max(2, NEW_SHARE * c.n[1]):
            listed = ", ".join(map(repr, c.fresh[:4])) + (" …" if len(c.fresh) > 4 else "")
            many = "a new category" if len(c.fresh) == 1 else f"{len(c.fresh):,} new categories"
            text = f"{str(name)!r} has {many}: {listed}, in {c.fresh_rows / c.n[1]:.1%} of {c.n[1]:,} current rows."
            numbers = {"column": str(name), "categories": list(c.fresh[:20]), "rows": c.fresh_rows, "n_current": c.n[1]}
            said.append(Finding("SHI004", "tip", text, numbers, NextStep(
                "see what the model says about rows of a category that it never saw", "evaluation",
                "evaluate_slices(X, y, pred)")))
    if len(said) <= NAMED:
        return said
    others = [str(one.evidence["column"]) for one in said[NAMED:]]
    listed = ", ".join(map(repr, others[:6])) + (" …" if len(others) > 6 else "")
    return [*said[:NAMED], Finding("SHI004", "tip", f"New categories also in {count(len(others), 'more column')}: {listed}.",
                                   {"columns": others}, said[0].next)]


def _absent(absent: tuple[tuple[str, ...], tuple[str, ...]]) -> list[Finding]:
    """SHI005: columns that only one of the tables has."""
    parts = [f"{where} has {', '.join(map(repr, names[:5]))}{' …' if len(names) > 5 else ''}" for where, names in
             (("only the reference", absent[0]), ("only the current table", absent[1])) if names]
    if not parts:
        return []
    return [Finding("SHI005", "tip", f"The tables do not have the same columns: {'; '.join(parts)}.",
                    {"reference": list(absent[0][:20]), "current": list(absent[1][:20])},
                    NextStep("bring both tables into the same columns before the model sees them", "data"))]


def draw(ax: "Axes", frame: pd.DataFrame, min_effect: float) -> None:
    """The effect of each column, the largest on top, with the smallest one that counts as a line."""
    asked = frame[frame["compared"] & frame["effect"].notna()]
    more, shown = len(asked) - MOST_DRAWN, asked.head(MOST_DRAWN)
    ax.set_xlabel("effect: share of the rows that would have to change to make both alike")
    if shown.empty:
        ax.set_yticks([])
        ax.text(0.5, 0.5, "no column was compared", transform=ax.transAxes, ha="center", va="center")
        return
    colour = [{True: PALETTE["vermillion"], False: PALETTE["green"]}.get(s, PALETTE["grey"]) for s in shown["shifted"]]
    ax.barh(range(len(shown)), shown["effect"], color=colour, height=0.6)
    far = max(float(shown["effect"].max()), 1.4 * min_effect)
    ax.set_xlim(0, 1.32 * far)
    ax.axvline(min_effect, color=PALETTE["grey"], linestyle=":", linewidth=1.2, zorder=0)
    words = {True: "shifted", False: "not shifted"}
    for place, row in enumerate(shown.itertuples(index=False)):
        ax.text(row.effect + 0.015 * far, place, f"{number(row.effect)} {words.get(row.shifted, 'cannot tell')}", va="center",
                fontsize=8, color=colour[place], bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5})
    ax.set_yticks(range(len(shown)), [_label(name) for name in shown["feature"]])
    ax.set_ylim(len(shown) - 0.4, -0.9)
    ax.text(min_effect, -0.62, " counts from here", fontsize=7.5, color=PALETTE["grey"], va="center")
    if more > 0:
        ax.set_title(f"{count(more, 'more column')} left out", loc="left", fontsize=8, color=PALETTE["grey"])


def _label(name: str) -> str:
    return name if len(name) <= 28 else name[:27] + "…"
