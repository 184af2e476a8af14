"""What the data and single rows do to a comparison of baselines, as coded findings."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ml_lifecycle.exploration._judge import Table
from ml_lifecycle.exploration._measure import Problem
from ml_lifecycle.foundation._words import count
from ml_lifecycle.foundation.report import Finding, NextStep

IMBALANCE = 0.8  # share of the most frequent class from which accuracy misleads
RARE = 0.05  # share of the rarer class: with AUC 0.95 and 80 % of its rows found, 38 % of those called so are right
UNEVEN = 0.2  # share of the rarer class: with AUC 0.85 a threshold of one half costs 8 points of balanced accuracy, 7 of F1
CUT = ("f1", "precision", "recall", "balanced_accuracy")  # metrics of labels
SQUARED = ("rmse", "r2")
HEAVY = 0.4  # share of the variance in 1 % of the rows: one row in 16 counts at most (Kish); normal targets 8 %, exponential 22 %
FEW = 200  # rows below which intervals are said to be wide
FEW_OF_CLASS = 20

def about_the_rows(table: Table, unlimited: Sequence[str]) -> list[Finding]:
    """BAS005: rows without a score. BAS012: what warned. BAS014: what took longer than it may."""
    found = []
    for row in table.rows:
        if np.isfinite(row.late):
            found.append(Finding("BAS014", "tip", f"{row.name} has no score: it was {row.note}.",
                                 {"name": row.name, "seconds": row.late, "folds": int(np.isfinite(row.scores).sum())},
                                 NextStep("give it more time, seconds=..., or fewer rows", "exploration")))
        elif row.error:
            remedy = "test the rule on a few rows of X by itself" if row.kind == "heuristic" else \
                "give all columns names that are strings, or put prepare(X) before it" if "string names" in row.error else \
                "fit it on X by itself; for tables that are not all numbers put prepare(X) before it"
            call = None if row.kind == "heuristic" else "make_pipeline(prepare(X), model)"
            found.append(Finding("BAS005", "issue", f"{row.name} has no score: it {row.note}.", {"name": row.name,
                                 "error": row.error}, NextStep(remedy, "exploration", call)))
        elif not row.measured and row.scores:
            found.append(Finding("BAS005", "issue", f"{row.name} has no score: {row.note}.", {"name": row.name},
                                 NextStep("choose a metric that is defined on these rows", "planning")))
    for row in table.rows:
        if row.warned:
            more = f" (and {len(row.warned) - 1} more)" if len(row.warned) > 1 else ""
            found.append(Finding("BAS012", "tip", f"{row.name} warned: {row.warned[0]}{more}",
                                 {"name": row.name, "warnings": row.warned}))
    if unlimited:
        found.append(Finding("BAS014", "tip", f"{', '.join(unlimited)} ran without a time limit: what cannot be sent to another "
                             "process cannot be stopped.", {"names": list(unlimited)}))
    return found


def about_the_data(table: Table, problem: Problem, dated: Sequence[str]) -> list[Finding]:
    """BAS007, BAS010, BAS011, BAS013 and BAS015 to BAS017: what limits the comparison."""
    found, n = [], len(problem.y)
    counts = pd.Series(problem.y).value_counts() if problem.task == "classification" else pd.Series([n])
    share = counts.iloc[0] / n
    if problem.task == "classification" and problem.metric.name == "accuracy" and share >= IMBALANCE:
        found.append(Finding("BAS007", "tip", f"Accuracy misleads here: always saying {str(counts.index[0])!r} is right for "
                             f"{share:.1%} of {n:,} rows.", {"share": share, "n": n},
                             NextStep("choose a metric that weighs the classes", "planning",
                                      'baselines(data, metric="balanced_accuracy")')))
    found += [Finding("BAS010", "tip", note, {"n": table.folds.n, "folds": len(table.folds.pairs)}) for note in table.folds.notes]
    rare = problem.task == "classification" and counts.iloc[-1] < FEW_OF_CLASS
    if n < FEW or rare:
        few = f"{n} rows" if n < FEW else f"{count(int(counts.iloc[-1]), 'row')} of class {str(counts.index[-1])!r}"
        found.append(Finding("BAS011", "tip", f"There {'is' if few.startswith('1 ') else 'are'} only {few}: differences between "
                             "models are hard to tell.",
                             {"n": n, "rarest": int(counts.iloc[-1])},
                             NextStep("collect or label more rows before tuning", "data")))
    if dated:
        found.append(Finding("BAS013", "tip", f"The rows have dates ({', '.join(map(repr, dated[:3]))}), but the folds are "
                             "shuffled: scores are too high if the model is to predict the future.", {"columns": list(dated)},
                             NextStep("say which column orders the rows", "exploration", f"baselines(data, time={dated[0]!r})")))
    return [*found, *_rare(problem, counts), *_arrays(problem), *_skewed(problem)]


def _arrays(problem: Problem) -> list[Finding]:
    """BAS015: rows are images, or other arrays of several axes."""
    if not problem.shape:
        return []
    size = " x ".join(map(str, problem.shape))
    return [Finding("BAS015", "tip", f"Each row is an array of {size}: estimators see it as {problem.X.shape[1]:,} columns, which "
                    "the default models scale one by one; functions see it as it is.", {"shape": list(problem.shape)},
                    NextStep("try a network that knows which values are neighbours; can it fit one batch?", "exploration",
                             "overfit_batch(model, batch, loss_fn)"))]


def _rare(problem: Problem, counts: pd.Series) -> list[Finding]:
    """BAS016: one of two classes is rare, and the metric needs to be read with that in mind."""
    name, n = problem.metric.name, int(counts.sum())
    if problem.task != "classification" or len(counts) != 2:
        return []
    label, share = str(counts.index[-1]), float(counts.iloc[-1]) / n
    numbers = {"label": label, "share": share, "n": n}
    if name == "roc_auc" and share <= RARE:
        return [Finding("BAS016", "tip", f"Only {share:.1%} of {n:,} rows are {label!r}: with a ROC AUC that looks good, most "
                        "of the rows that are called so may still not be.", numbers,
                        NextStep("look at the precision as well", "planning", 'baselines(data, metric="average_precision")'))]
    if name in CUT and share <= UNEVEN:
        return [Finding("BAS016", "tip", f"Only {share:.1%} of {n:,} rows are {label!r}, and labels are cut at a probability of "
                        f"one half: another threshold can give a better {problem.metric.label}.", numbers,
                        NextStep("choose the threshold within the training rows (TunedThresholdClassifierCV), and hand the result "
                                 "over as one of the models", "exploration"))]
    return []


def _skewed(problem: Problem) -> list[Finding]:
    """BAS017: a few rows carry a squared error."""
    if problem.task != "regression" or problem.metric.name not in SQUARED or len(problem.y) < 100:
        return []
    y = np.asarray(problem.y, dtype=float)
    squares = np.sort((y - y.mean()) ** 2)
    top = max(1, len(y) // 100)
    share = float(squares[-top:].sum() / squares.sum()) if squares.sum() > 0 else 0.0
    if not share >= HEAVY:
        return []
    log = "; or predict the logarithm: TransformedTargetRegressor(model, func=np.log1p, inverse_func=np.expm1)" \
        if y.min() >= 0 else ""
    return [Finding("BAS017", "tip", f"The target has a long tail: {top / len(y):.1%} of the rows carry {share:.0%} of its "
                    f"variance, so {problem.metric.label} rests on few rows.", {"share": share, "rows": top, "n": len(y)},
                    NextStep(f"compare by a metric that they do not rule{log}", "planning", 'baselines(data, metric="mae")'))]
