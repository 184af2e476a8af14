"""What `baselines` costs over a plain loop, how its models score, and how fast they answer, beside skrub and scikit-learn.

skrub is optional: `pip install skrub`. Without it its rows are left out, and the page says so.
"""

import statistics
import time
import warnings

from _results import table, write_section
from sklearn.base import clone
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_diabetes
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


def main():
    warnings.simplefilter("ignore")
    start = time.perf_counter()
    cost, scores = overhead(), quality()
    absent = "" if tabular_pipeline is not None else "\nskrub is not installed: its rows are left out (`pip install skrub`).\n"
    write_section("baselines_peers", f"""## Baselines

`python benchmarks/baselines_peers.py`, {ROUNDS} rounds, one thread, {time.perf_counter() - start:.0f} s in all.

`baselines` measures two trivial answers and four models on five folds, times single rows and judges the differences.
The loop fits and scores the very same models on the very same folds with scikit-learn's `cross_validate`.

{table(cost)}

Scores on the same five folds with 95 % intervals (corrected resampled t), and the median time for one row alone.
{absent}
{table(scores)}""")


if __name__ == "__main__":
    main()
