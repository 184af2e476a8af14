"""What a suite of tests says, as coded findings, and how it is drawn."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ml_lifecycle.evaluation._tests.result import KINDS, VERDICTS, Result
from ml_lifecycle.foundation._render import PALETTE, SEVERITY_MARK, number
from ml_lifecycle.foundation._words import count
from ml_lifecycle.foundation.report import Finding, NextStep

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MEASURED = ("no regression", "requirement")  # kinds whose value is no share of rows
MOST = 8  # findings of one verdict that are spelled out
SHOWN = 20  # rows of the plot
NEXT = {
    "MTE001": NextStep("make it predict on rows of this form: look at the pipeline's first step", "refinement"),
    "MTE002": NextStep("find what is random, or computed over the batch, and take it out of the prediction", "refinement"),
    "MTE003": NextStep("look at the rows, and at the last step of the model", "refinement"),
    "MTE004": NextStep("copy the rows at the start of `predict`", "refinement"),
    "MTE005": NextStep("put the preparation into the model", "exploration", "prepare(X)"),
    "MTE006": NextStep("compare with baselines before anything else", "exploration", "baselines(data)"),
    "MTE007": NextStep("look at the rows that failed, and at the errors that are like them", "refinement"),
    "MTE008": NextStep("look at the rows that moved, and at what the model makes of that column", "refinement"),
    "MTE012": NextStep("find a model that meets it, or ask whether the threshold is right", "refinement",
                       "measure_model(model, X, y, requirements=wish)"),
    "MTE009": NextStep("keep the model of before, and find out where the new one lost", "evaluation",
                       "evaluate_slices(X, y, model.predict_proba(X))"),
}
MORE = NextStep("test on more rows that no model was chosen by", "data")
COLOURS = {"issue": PALETTE["vermillion"], "cannot tell": PALETTE["blue"], "tip": PALETTE["blue"], "passed": PALETTE["green"],
           "not applicable": PALETTE["grey"]}
MARKS = {"issue": SEVERITY_MARK["issue"], "cannot tell": "?", "tip": SEVERITY_MARK["tip"], "passed": SEVERITY_MARK["passed"],
         "not applicable": SEVERITY_MARK["not applicable"]}

def frame_of(results: tuple[Result, ...]) -> pd.DataFrame:
    """One row a test."""
    names = ("test", "kind", "n", "value", "low", "high", "threshold", "verdict", "seconds", "message")
    frame = pd.DataFrame([{name: getattr(r, name) for name in names} for r in results], columns=list(names))
    numbers = dict.fromkeys(("value", "low", "high", "threshold", "seconds"), "float64")
    return frame.astype({"n": "int64", **numbers, **dict.fromkeys(("test", "kind", "verdict", "message"), object)})


def findings_of(results: tuple[Result, ...]) -> tuple[Finding, ...]:
    """Every test that did not hold by itself; those that held, by kind."""
    found: list[Finding] = []
    for verdict, severity in (("issue", "issue"), ("cannot tell", "tip"), ("tip", "tip")):
        those = [r for r in results if r.verdict == verdict]
        for r in those[:MOST]:
            then = MORE if verdict == "cannot tell" else NEXT[r.code]
            found.append(Finding(r.code, severity, r.message, _numbers(r), then, undecided=verdict == "cannot tell"))  # type: ignore[arg-type]
        if len(those) > MOST:
            what = {"issue": "do not hold", "cannot tell": "cannot be told", "tip": "call for a look"}[verdict]
            found.append(Finding(those[MOST].code, severity, f"{len(those) - MOST} more tests {what}: "  # type: ignore[arg-type]
                                 f"{', '.join(repr(r.test) for r in those[MOST:MOST + 5])}.", undecided=verdict == "cannot tell"))
    for kind in KINDS:
        those = [r for r in results if r.kind == kind and r.verdict == "passed"]
        if those:
            found.append(_passed(kind, those))
    apart = [r for r in results if r.verdict == "not applicable"]
    if apart:
        found.append(Finding("MTE010", "not applicable", f"{count(len(apart), 'test')} did not apply: "
                             + " ".join(r.message for r in apart[:4]), {"tests": [r.test for r in apart]}))
    if not results:
        then = NextStep("begin with what must always work", "evaluation", "ModelTests(model, X, y).functionality()")
        found.append(Finding("MTE011", "tip", "Nothing was tested yet.", {}, then, undecided=True))
    return tuple(found)


def _passed(kind: str, those: list[Result]) -> Finding:
    evidence = {"tests": [r.test for r in those]}
    if len(those) == 1:
        return Finding(those[0].code, "passed", those[0].message, {**evidence, **_numbers(those[0])})
    code = those[0].code if kind != "functionality" else "MTE001"
    names = ", ".join(r.test if kind == "functionality" else repr(r.test) for r in those[:12])
    more = f" and {len(those) - 12} more" if len(those) > 12 else ""
    return Finding(code, "passed", f"{len(those)} tests of {kind} hold: {names}{more}.", evidence)


def _numbers(r: Result) -> dict[str, Any]:
    return {"test": r.test, "kind": r.kind, "n": r.n, "value": r.value, "low": r.low, "high": r.high, "threshold": r.threshold,
            "rows": r.where}


def called(kind: Any, test: Any) -> str:
    """What a test is called where its kind is not said."""
    return f"no worse than {test}" if kind == "no regression" else str(test)


def sentence(results: pd.DataFrame, name: str) -> str:
    """The answer: how many hold, and which do not."""
    if results.empty:
        return f"Nothing was tested of {name} yet."
    counts = results["verdict"].value_counts()
    tried = len(results) - int(counts.get("not applicable", 0))
    held = int(counts.get("passed", 0)) + int(counts.get("tip", 0))
    told = f"{name}: {held} of {count(tried, 'test')} {'holds' if tried == 1 else 'hold'}"
    for verdict, words in (("issue", "do not"), ("cannot tell", "cannot be told")):
        those = results[results["verdict"] == verdict]
        names = [called(*one) for one in zip(those["kind"], those["test"])]
        if names:
            words = "does not" if verdict == "issue" and len(names) == 1 else words
            told += f"; {len(names)} {words} ({', '.join(n[:40] for n in names[:4])}{', …' if len(names) > 4 else ''})"
    return " ".join(told.split()) + "."


def ranked(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that the plot shows, the most important first."""
    order = frame["verdict"].map({v: i for i, v in enumerate(VERDICTS)})
    return frame.loc[order.sort_values(kind="stable").index].head(SHOWN)


def draw(ax: "Axes", frame: pd.DataFrame) -> None:
    """A row for each test: the share of rows that it holds for, with its interval and what was asked."""
    shown = ranked(frame)
    for place, row in enumerate(shown.itertuples(index=False)):
        colour, share = COLOURS[str(row.verdict)], row.kind not in MEASURED and row.test != "better than a constant"
        if share and np.isfinite(row.value):
            if np.isfinite(row.low) and np.isfinite(row.high):
                ax.plot([row.low, row.high], [place, place], color=colour, linewidth=2.2, solid_capstyle="butt")
            ax.plot([row.value], [place], "o", color=colour, markersize=6)
            if row.threshold < 1:
                ax.plot([row.threshold, row.threshold], [place - .3, place + .3], color=PALETTE["grey"], linewidth=1.5)
        elif np.isfinite(row.value):
            between = f" ({number(row.low)} to {number(row.high)})" if np.isfinite([row.low, row.high]).all() else ""
            what = "measured" if row.kind == "requirement" else "gain"
            ax.text(0.5, place, f"{what} {number(row.value)}{between}", va="center", ha="center", fontsize=8, color=colour)
        ax.text(1.02, place, f"{MARKS[str(row.verdict)]} {row.verdict}", transform=ax.get_yaxis_transform(), va="center",
                fontsize=8, color=colour)
    told = [called(*one) for one in zip(shown["kind"], shown["test"])]
    names = [text if len(text) <= 34 else text[:33] + "…" for text in told]
    ax.set_yticks(range(len(shown)), names, fontsize=9)
    ax.set_ylim(max(len(shown), 1) - 0.4, -0.6)
    ax.set_xlim(-0.03, 1.03)
    rest = f"; {len(frame) - SHOWN} more in .frame" if len(frame) > SHOWN else ""
    ax.set_xlabel(f"share of rows (or columns) that it holds for (line: 95 % interval){rest}")
