"""What labels beside out-of-sample probabilities say, as coded findings."""

from typing import Any

import numpy as np
import pandas as pd

from ml_lifecycle.data._label.floor import Floor
from ml_lifecycle.foundation._words import count, shown
from ml_lifecycle.foundation.report import Finding, NextStep

FEWEST = 50  # rows below which nothing is said
TOLERABLE = 0.01  # share of wrong labels that is not worth a finding
OVERLAP = 0.1  # of all contradictions: by so much more must a floor exceed what is tolerable, since overlap can imitate one
PASSED = 0.03  # upper end of the share up to which labels pass


WHY = {  # it cannot be told
    "alike": "rows that are alike get the same prediction, and a label that differs among them may be right",
    "weak": "the model spares too few errors, and what no column tells makes such contradictions, too",
    "one kind": "they all lie under one prediction, where something that no column tells looks the same",
    "overlap": "the model errs so often that a wrong label is not told from overlap of the classes",
    "few": "there are too few contradictions to tell",
}


def percent(share: float) -> str:
    """A share as people write it."""
    return f"{100 * share:.1f} %" if share < 0.0995 else f"{100 * share:.0f} %"


def of_share(floor: Floor | None, n: int, contradictions: int, doubt: str, confident: float) -> Finding:
    """LAB001: do labels look wrong?"""
    if floor is None:
        return Finding("LAB001", "tip", f"Cannot tell whether labels are wrong: {count(n, 'row')} are too few.", {"n": n},
                       NextStep(f"bring at least {FEWEST} rows", "data", "label_issues(y, proba)"), undecided=True)
    numbers = {"share": floor.share, "low": floor.low, "high": floor.high, "n": n, "contradictions": contradictions,
               "confident_learning": confident}
    interval = f"{percent(floor.low)} to {percent(floor.high)}"
    bar = TOLERABLE + OVERLAP * contradictions / n
    look = NextStep("have the flagged rows labelled again by somebody who does not see the given label", "data",
                    "label_issues(y, proba).rows")
    if floor.low > bar and not doubt:
        said = f"Labels look wrong: about {percent(floor.share)} of them ({interval}; n = {n:,}), since given labels contradict " \
               "confident predictions more often than overlap of the classes explains."
        return Finding("LAB001", "issue", said, numbers, look)
    if floor.high <= PASSED:
        said = f"No sign of wrong labels: at most {percent(floor.high)} of them (95 % interval; n = {n:,})."
        return Finding("LAB001", "passed", said, numbers)
    why = WHY[doubt] if doubt and floor.low > bar else WHY["overlap" if contradictions > 0.15 * n else "few"]
    more = NextStep("look at the rows with the largest loss, and ask again with another kind of model, or more rows", "data",
                    "rank_by_loss(y, proba)")
    said = f"Cannot tell whether labels are wrong: {interval} of them could be (n = {n:,}); {why}."
    return Finding("LAB001", "tip", said, numbers, more, undecided=True)


def of_pairs(frame: pd.DataFrame, issue: bool) -> list[Finding]:
    """LAB002: which label is given for which other one?"""
    flagged = frame[frame["is_issue"]]
    if not issue or flagged.empty:
        return []
    pairs = flagged.groupby(["given", "suggested"], observed=True).size().sort_values(ascending=False, kind="stable")
    named = [f"{shown(given)} that looks like {shown(other)} ({n:,})" for (given, other), n in pairs.head(3).items()]
    return [Finding("LAB002", "tip", f"{count(len(flagged), 'row')} {'is' if len(flagged) == 1 else 'are'} flagged; most often: "
                                     f"{', '.join(named)}.",
                    {"flagged": len(flagged), "pairs": [[given, other, int(n)] for (given, other), n in pairs.head(10).items()]},
                    NextStep("say in the labelling guide how these classes are told apart", "data"))]


def of_absent(absent: int, n: int) -> list[Finding]:
    """LAB003: which rows could not be judged?"""
    if not absent:
        return []
    said = f"{count(absent, 'row')} without probabilities {'is' if absent == 1 else 'are'} left out; {n:,} are judged."
    return [Finding("LAB003", "tip", said, {"absent": absent, "n": n},
                    NextStep("predict every row once with a model that has not seen it", "data"))]


def of_sample(given: Any, contradictions: int) -> list[Finding]:
    """LAB004: were the probabilities made out of sample?"""
    n = len(given)
    if n < FEWEST or contradictions or np.median(given) < 0.9:
        return []
    said = f"Not one of {n:,} labels is contradicted, as when a model is asked about the rows it was fitted on; then this " \
           "tells nothing."
    return [Finding("LAB004", "tip", said, {"n": n, "median_p_given": float(np.median(given))},
                    NextStep("make sure that each row is predicted by a model that has not seen it, such as with "
                             "scikit-learn's cross_val_predict", "data"))]
