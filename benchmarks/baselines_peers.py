"""What `baselines` costs over a plain loop, how its models score, and what it notices, beside skrub, skore and scikit-learn.

skrub and skore are optional: `pip install skrub skore`. Without them their rows are left out, and the page says so.
"""

import contextlib
import io
import statistics
import time
import warnings

import numpy as np
import pandas as pd
from _results import table, write_section
from sklearn.base import clone
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold, StratifiedKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from ml_lifecycle.exploration.baselines import baselines
from ml_lifecycle.exploration.pipelines import default_models
from ml_lifecycle.foundation.dataset import load_dataset

ROUNDS = 3
try:
    from skrub import tabular_pipeline
except ImportError:
    tabular_pipeline = None
try:
    import skore
except ImportError:
    skore = None


def problems():
    churn, diabetes = load_dataset("churn"), load_diabetes(as_frame=True)
    yield "churn", churn.X, (churn.y == "Yes").to_numpy(), "classification", "roc_auc", StratifiedKFold
    yield "diabetes", diabetes.data, diabetes.target.to_numpy(), "regression", "neg_root_mean_squared_error", KFold


def of_sklearn(linear):
    """The same steps from scikit-learn's parts, as its guide shows them."""
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    known = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=30)
    return make_pipeline(make_column_transformer(
        (numbers, make_column_selector(dtype_include=["number", "bool"])),
        (known, make_column_selector(dtype_include=["category", "object", "string"]))), linear)


def loop(models, X, y, folds, scoring):
    """What a person writes by hand: the same models on the same folds."""
    dummies = [DummyClassifier(), DummyClassifier(strategy="stratified")] if scoring == "roc_auc" else \
        [DummyRegressor(), DummyRegressor(strategy="median")]
    for model in (*dummies, *models):
        cross_validate(clone(model), X, y, cv=folds, scoring=scoring)


def seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def overhead():
    rows = []
    for name, X, y, task, scoring, splitter in problems():
        folds = list(splitter(5, shuffle=True, random_state=0).split(X, y))
        models = list(default_models(task, X).values())
        ours, plain = [], []
        with threadpool_limits(1):
            for _ in range(ROUNDS):
                plain.append(seconds(lambda X=X, y=y, f=folds, m=models, s=scoring: loop(m, X, y, f, s)))
                ours.append(seconds(lambda X=X, y=y, f=folds, t=task: baselines(X, y, cv=f, task=t)))
        ratios = [a / b for a, b in zip(ours, plain)]
        rows.append({"data": name, "rows": f"{len(y):,}", "baselines (s)": f"{statistics.median(ours):.1f}",
                     "cross_validate in a loop (s)": f"{statistics.median(plain):.1f}",
                     "ratio": f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"})
    return rows


def contenders(task):
    linear = LogisticRegression(max_iter=1000) if task == "classification" else Ridge()
    found = {"scikit-learn parts, linear": of_sklearn(linear)}
    if tabular_pipeline is not None:
        found["skrub, linear"] = tabular_pipeline(clone(linear))
        kind = "classifier" if task == "classification" else "regressor"
        found["skrub, gradient boosting (its default)"] = tabular_pipeline(kind)
    return found


def one_row(models, X, y):
    """Median milliseconds for one row alone; the models take turns."""
    fitted = {name: clone(model).fit(X, y) for name, model in models.items()}
    taken = {name: [] for name in models}
    for i in range(40):
        row = X.iloc[[i]]
        for name, model in fitted.items():
            taken[name].append(1000 * seconds(lambda m=model, r=row: m.predict(r)))
    return {name: statistics.median(times[5:]) for name, times in taken.items()}


def quality():
    rows = []
    for name, X, y, task, _, splitter in problems():
        peers = contenders(task)
        models = {**{f"ml_lifecycle, {k}": m for k, m in default_models(task, X).items()}, **peers}
        folds = list(splitter(5, shuffle=True, random_state=0).split(X, y))
        report = baselines(X, y, cv=folds, task=task, models=models)
        frame = report.frame[report.frame["kind"] == "model"]
        with threadpool_limits(1):
            took = one_row(models, X, y)
        for row in frame.itertuples():
            rows.append({"data": name, "model": row.name, "metric": report.label,
                         "score": f"{row.score:.4g} ({row.low:.4g} to {row.high:.4g})",
                         "fit (s)": f"{row.fit_seconds:.2f}", "one row (ms)": f"{took[row.name]:.1f}"})
    return rows


def cases():
    """Rows with something to notice, and the codes of either side that notice it."""
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    rng = np.random.default_rng(0)
    yield "breast cancer: nothing wrong", X, y, (), ()
    yield "its labels shuffled: nothing to learn", X, pd.Series(rng.permutation(y)), ("BAS001",), ("SKD002",)
    leak = X.assign(bill=np.where(y == 1, 5.0, 6.0) + 0.05 * rng.normal(size=len(y)))
    yield "a column known only afterwards", leak, y, ("BAS006",), ("SKD011",)
    rare = np.flatnonzero((y == 1) | (rng.random(len(y)) < 0.05))
    yield "one class in thirty", X.iloc[rare].reset_index(drop=True), y.iloc[rare].reset_index(drop=True), ("BAS016", "BAS011"), \
        ("SKD004", "SKD005")
    curved = pd.Series(((X["mean radius"] - X["mean radius"].mean()).abs() + rng.normal(size=len(y)) > 3).astype(int))
    yield "what a linear model cannot see", X, curved, ("BAS002",), ("SKD009",)


def told(codes, wanted):
    found = [code for code in wanted if code in codes]
    return ", ".join(found) if found else "–" if wanted else "nothing to find"


def ours(X, y):
    start = time.process_time()
    report = baselines(X, y)
    html = report._repr_html_()
    codes = [f.code for f in report.findings if f.severity in ("tip", "issue") and not (f.code == "BAS002" and f.undecided)]
    codes += [f.code for f in report.findings if f.code == "BAS002" and f.severity == "passed" and report.best != report.simplest]
    issues = [f.code for f in report.findings if f.severity == "issue"]
    return time.process_time() - start, codes, issues, len(html)


def theirs(X, y):
    start = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        report = skore.evaluate(tabular_pipeline(LogisticRegression(max_iter=1000)), X, y, splitter=5)
        frame = report.checks.summarize().frame()
    codes = [str(row.code) for row in frame.itertuples() if row.section in ("issue", "tip")]
    issues = [str(row.code) for row in frame.itertuples() if row.section == "issue"]
    return time.process_time() - start, codes, issues


def notices():
    rows = []
    for name, X, y, our_codes, their_codes in cases():
        with threadpool_limits(1):
            took, codes, issues, _ = ours(X, y)
            row = {"rows": name, "baselines, whole report (s)": f"{took:.1f}", "names it": told(codes, our_codes),
                   "issues": ", ".join(issues) or "none"}
            if skore is not None and tabular_pipeline is not None:
                took, codes, issues = theirs(X, y)
                row |= {"skore, evaluate and checks.summarize() (s)": f"{took:.1f}", "skore names it": told(codes, their_codes),
                        "its issues": ", ".join(issues) or "none"}
        rows.append(row)
    return rows


def main():
    warnings.simplefilter("ignore")
    start = time.perf_counter()
    cost, scores, seen = overhead(), quality(), notices()
    gone = [name for name, module in (("skrub", tabular_pipeline), ("skore", skore)) if module is None]
    absent = "".join(f"\n{name} is not installed: its rows are left out (`pip install {name}`).\n" for name in gone)
    write_section("baselines_peers", f"""## Baselines

`python benchmarks/baselines_peers.py`, {ROUNDS} rounds, one thread, {time.perf_counter() - start:.0f} s in all.

`baselines` measures two trivial answers and four models on five folds, times single rows and judges the differences.
The loop fits and scores the very same models on the very same folds with scikit-learn's `cross_validate`.

{table(cost)}

Scores on the same five folds with 95 % intervals (corrected resampled t), and the median time for one row alone.
{absent}
{table(scores)}

What each notices. `baselines` runs six candidates and judges them; skore evaluates one model (a linear one, prepared by
skrub) on five folds, which its checks hold against dummies and a gradient boosting of its own. Times are seconds of
processor time, in turn, and for `baselines` with the HTML.

{table(seen)}""")


if __name__ == "__main__":
    main()
