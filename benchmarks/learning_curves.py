"""What `learning_curve` costs beside scikit-learn's on the same fits, what two workers bring, and whether its verdicts hold.

`python benchmarks/learning_curves.py [--rounds 5]`
"""

import argparse
import statistics
import time
import warnings
from functools import partial

import numpy as np
from _results import table, write_section
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import learning_curve as of_sklearn
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from threadpoolctl import threadpool_limits

from ml_lifecycle.exploration import _entries
from ml_lifecycle.exploration._learning import fit as _learning_fit
from ml_lifecycle.exploration._learning.order import make_nests
from ml_lifecycle.exploration.learning import learning_curve
from ml_lifecycle.exploration.pipelines import default_models
from ml_lifecycle.foundation.dataset import load_dataset

SCORING = {"roc_auc": "roc_auc", "accuracy": "accuracy", "rmse": "neg_root_mean_squared_error"}


def four_classifiers():
    return {"naive Bayes": GaussianNB(), "logistic regression": make_pipeline(StandardScaler(), LogisticRegression()),
            "tree": DecisionTreeClassifier(max_depth=6, random_state=0), "nearest neighbours": KNeighborsClassifier()}


def problems():
    """Name, models, X, y, metric, sizes: a mixed table with the default models, and models that cost next to nothing."""
    churn = load_dataset("churn").sample(800, seed=0)
    yield "churn, 800 rows, mixed frame, the 4 default models", default_models("classification", churn.X), churn.X, \
        (churn.y == "Yes").to_numpy().astype(int), "roc_auc", [60, 200, 640]
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    yield "breast cancer, 569 rows, frame, 4 cheap models", four_classifiers(), X, y, "roc_auc", None
    yield "digits, 1,797 rows, array, 4 cheap models", four_classifiers(), *load_digits(return_X_y=True), "accuracy", None
    yield "diabetes, 442 rows, array, 4 cheap models", {
        "ridge": Ridge(), "least squares": LinearRegression(), "tree": DecisionTreeRegressor(max_depth=4, random_state=0),
        "nearest neighbours": KNeighborsRegressor()}, *load_diabetes(return_X_y=True), "rmse", None


def same_fits(X, y, metric):
    """The folds of `learning_curve`, for scikit-learn, which takes the first n of each training part as well."""
    asked = _entries.pose(X, y, metric=metric, task=None, groups=None, time=None, positive=None)
    nests = make_nests(asked.problem, cv=5, groups=None, times=None, seed=0)
    return asked.problem.y, [(nest.train[:nests.limit], nest.test) for nest in nests.each]


def seconds(work):
    wall, cpu = time.perf_counter(), time.process_time()
    found = work()
    return time.perf_counter() - wall, time.process_time() - cpu, found


def theirs(models, X, y, pairs, sizes, scoring):
    return {name: of_sklearn(clone(model), X, y, train_sizes=np.array(sizes), cv=pairs, scoring=scoring)
            for name, model in models.items()}


def interval(ratios, seed=0):
    """Median ratio over the rounds with its bootstrap interval."""
    draws = np.random.default_rng(seed).choice(ratios, (2000, len(ratios)))
    low, high = np.quantile(np.median(draws, axis=1), [0.025, 0.975])
    return f"{statistics.median(ratios):.2f} ({low:.2f} to {high:.2f})"


def beside_sklearn(rounds):
    rows = []
    for name, models, X, y, metric, sizes in problems():
        target, pairs = same_fits(X, y, metric)
        ours, plain, off = [], [], 0.0
        with threadpool_limits(1):
            for turn in range(rounds + 1):  # the first one warms up
                mine = seconds(partial(learning_curve, models, X, y, metric=metric, sizes=sizes))
                other = seconds(partial(theirs, models, X, target, pairs, mine[2].sizes, SCORING[metric]))
                if turn:
                    ours.append(mine[:2])
                    plain.append(other[:2])
                for model, (_, _, test) in other[2].items():
                    off = max(off, float(np.abs(np.abs(test) - np.abs(np.array(mine[2].fold_scores[model]))).max()))
        wall, cpu = ([a[i] / b[i] for a, b in zip(ours, plain)] for i in (0, 1))
        rows.append({"data and models": name, "fits": len(models) * 5 * len(mine[2].sizes),
                     "learning_curve (s of CPU)": f"{statistics.median(a[1] for a in ours):.2f}",
                     "scikit-learn (s of CPU)": f"{statistics.median(b[1] for b in plain):.2f}",
                     "ratio of CPU time": interval(cpu), "ratio of wall time": interval(wall),
                     "largest difference of a score": f"{off:.0e}"})
    return rows


def as_it_comes(rounds):
    """scikit-learn with the threads that its models take by themselves, on a machine that others use too."""
    X, y = load_breast_cancer(return_X_y=True)
    models = {"gradient boosting": HistGradientBoostingClassifier(max_iter=20, random_state=0)}
    target, pairs = same_fits(X, y, "roc_auc")
    found = []
    for _ in range(min(rounds, 3)):
        ours = seconds(partial(learning_curve, models, X, y, metric="roc_auc", sizes=[100, 200, 400]))[0]
        found.append((ours, seconds(partial(theirs, models, X, target, pairs, [100, 200, 400], "roc_auc"))[0]))
    return statistics.median(a / b for a, b in found)


def two_workers(rounds):
    """Wall time with one and with two workers in turn, and what the tasks' own times allow."""
    X, y = load_digits(return_X_y=True)
    models = {"logistic regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=300)),
              "tree": DecisionTreeClassifier(random_state=0), "nearest neighbours": KNeighborsClassifier(),
              "gradient boosting": HistGradientBoostingClassifier(max_iter=10, random_state=0)}
    ask = partial(learning_curve, models, X, y, task="classification", metric="accuracy")
    taken, original = [], _learning_fit.point

    def timed(*task):
        start = time.process_time()
        done = original(*task)
        taken.append((task[6], time.process_time() - start))
        return done

    _learning_fit.point = timed
    try:
        _, whole, one = seconds(ask)
    finally:
        _learning_fit.point = original
    work = sum(spent for _, spent in taken)
    ends = [0.0, 0.0]
    for _, spent in sorted(taken, key=lambda task: -task[0]):
        ends[int(np.argmin(ends))] += spent
    serial = whole - work
    two = ask(n_jobs=2)  # starts the workers
    assert two.fold_scores == one.fold_scores
    gains = [seconds(ask)[0] / seconds(partial(ask, n_jobs=2))[0] for _ in range(rounds)]
    return {"serial share": serial / whole, "possible": whole / (serial + max(ends)), "measured": gains}


def verdicts(data_sets=60):
    """How often the verdicts on more rows hold, where rows can be drawn at will."""
    counts = {"will help": [0, 0], "will not help": [0, 0], "cannot tell": [0, 0]}
    held = []
    for seed in range(data_sets):
        rng = np.random.default_rng(seed)
        columns, noise, rows = int(rng.integers(3, 20)), float(rng.uniform(0.3, 2)), int(rng.integers(150, 600))
        weights = rng.normal(size=columns)

        def draw(n, rng=rng, weights=weights, noise=noise):
            X = rng.normal(size=(n, len(weights)))
            return X, (X @ weights + X[:, 0] * X[:, 1] + noise * rng.normal(size=n) > 0).astype(int)

        model = [GaussianNB(), DecisionTreeClassifier(max_depth=5), KNeighborsClassifier(), LogisticRegression()][seed % 4]
        report = learning_curve({"it": model}, *draw(rows), metric="accuracy", seed=seed)
        found = next(f for f in report.findings if f.code == "LRN001")
        n, X, y = found.evidence["n"], *draw(4000)
        truth = [np.mean([clone(model).fit(*draw(size)).score(X, y) for _ in range(30)]) for size in (n, 2 * n)]
        gain, worth = truth[1] - truth[0], found.evidence["worth"]
        kind = "cannot tell" if found.undecided else "will help" if found.severity == "tip" else "will not help"
        counts[kind][0] += 1
        counts[kind][1] += int((gain >= worth) == (kind == "will help")) if kind != "cannot tell" else 0
        held.append(found.evidence["low"] <= gain <= found.evidence["high"])
    return counts, float(np.mean(held)), len(held)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    warnings.simplefilter("ignore")
    start = time.perf_counter()
    cost, threads, workers = beside_sklearn(rounds), as_it_comes(rounds), two_workers(rounds)
    counts, held, data_sets = verdicts()
    said = [{"verdict": f"more rows {kind}" if kind != "cannot tell" else kind, "data sets": total,
             "right": f"{right} of {total}" if kind != "cannot tell" else "–"} for kind, (total, right) in counts.items()]
    write_section("learning_curves", f"""## Learning curves

`python benchmarks/learning_curves.py`, {rounds} rounds, {time.perf_counter() - start:.0f} s in all.

`learning_curve` on four models against scikit-learn's `learning_curve` called once a model, on the very same fits: train and
validation scores on both sides, intervals and findings on ours; one thread each, in turn. Median over the rounds with its
bootstrap interval. The machine is shared, so that CPU time says more than wall time.

{table(cost)}

scikit-learn's models take threads by themselves, `learning_curve` gives each fit one: with those threads left on, gradient
boosting on 569 rows takes {threads:.2f} times as long here as there (wall time, a busy machine).

Two workers on digits, four models: {workers['serial share']:.1%} of the time is serial, so that the tasks' own times allow a
speed-up of {workers['possible']:.2f}; measured on the shared machine {interval(workers['measured'])}. Scores are the same.

Verdicts on twice the rows (LRN001) where rows can be drawn at will: {data_sets} data sets of 150 to 600 rows, four learners in
turn, against the mean score over 30 draws of n and of 2 n rows. The 80 % interval of the gain holds it in {held:.0%}.

{table(said)}""")


if __name__ == "__main__":
    main()
