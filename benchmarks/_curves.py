"""Learning curves to judge an extrapolation by: those of LCDB 1.0, and curves of scikit-learn models measured on the spot."""

import subprocess
import sys
import tarfile
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn import datasets
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, root_mean_squared_error
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

SEEN = (0.1, 0.25, 0.5)  # of the final size
FEWEST = 4  # sizes seen


@dataclass(frozen=True)
class Case:
    """The start of a curve, and the score at its final size."""

    data: object
    learner: str
    seen: float
    sizes: np.ndarray
    scores: np.ndarray
    final: float
    truth: float
    greater: bool


def starts(data, learner, sizes, scores, greater=True):
    if len(sizes) <= FEWEST or not np.isfinite(scores).all():
        return []
    cut = {share: sizes <= share * sizes[-1] * (1 + 1e-9) for share in SEEN}
    return [Case(data, learner, share, sizes[keep], scores[keep], float(sizes[-1]), float(scores[-1]), greater)
            for share, keep in cut.items() if keep.sum() >= FEWEST]


def find_lcdb(path):
    """The directory with LCDB's CSV files: as given, or downloaded; None, and why in one line, when it cannot be had."""
    if path is not None:
        found = Path(path)
        found = found if found.is_dir() else found.parent
        return (found, "") if (found / "database-accuracy.csv").exists() else (None, f"no database-accuracy.csv in {found}")
    into = Path(tempfile.mkdtemp(prefix="lcdb"))
    done = subprocess.run([sys.executable, "-m", "pip", "download", "lcdb==0.1.0", "--no-deps", "--no-binary", ":all:", "-q",
                           "--no-build-isolation", "-d", str(into)], capture_output=True, text=True, check=False)
    archive = next(into.glob("lcdb-*.tar.gz"), None)
    if archive is None:
        return None, f"`pip download lcdb` failed: {(done.stderr.strip().splitlines() or ['no word'])[-1]}"
    with tarfile.open(archive) as packed:
        packed.extractall(into, filter="data")
    return next(into.rglob("database-accuracy.csv")).parent, ""


def lcdb(folder, metric, runs, score="score_valid"):
    """Cases of a metric; runs: "all" (mean over outer and inner seeds), "five" (one outer seed) or "one" (one seed pair)."""
    table = pd.read_csv(folder / f"database-{metric}.csv",
                        usecols=["openmlid", "learner", "size_train", "outer_seed", "inner_seed", score])
    if runs != "all":
        table = table[(table["outer_seed"] == 0) & ((runs == "five") | (table["inner_seed"] == 0))]
    mean = table.groupby(["openmlid", "learner", "size_train"])[score].mean().dropna().reset_index()
    return [case for (data, learner), part in mean.groupby(["openmlid", "learner"])
            for case in starts(int(data), learner, part["size_train"].to_numpy(float), part[score].to_numpy(float),
                               metric != "logloss")]


def tuned_on(folder):
    """The half of the data sets and the half of the learners that the constants were set on."""
    keys = ["openmlid", "learner"]
    table = pd.read_csv(folder / "database-accuracy.csv", usecols=[*keys, "size_train", "score_valid"]).dropna()
    known = table.groupby(keys)["size_train"].nunique()
    long = known[known > FEWEST].reset_index()
    rng, names, learners = np.random.default_rng(1), sorted(long["openmlid"].unique()), sorted(long["learner"].unique())
    return (set(rng.choice(names, len(names) // 2, replace=False).tolist()),
            set(rng.choice(learners, len(learners) // 2, replace=False).tolist()))


def classification():
    """Problems and models of which no curve is in LCDB."""
    problems = {"digits": datasets.load_digits(return_X_y=True), "breast cancer": datasets.load_breast_cancer(return_X_y=True),
                "hastie": datasets.make_hastie_10_2(1500, random_state=0),
                "moons": datasets.make_moons(1500, noise=0.3, random_state=0),
                "many columns": datasets.make_classification(1500, 60, n_informative=15, n_classes=4, random_state=0)}
    models = {"neighbours": KNeighborsClassifier(), "bayes": GaussianNB(), "tree": DecisionTreeClassifier(random_state=0),
              "lda": LinearDiscriminantAnalysis(),
              "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))}
    return problems, models


def regression():
    problems = {"diabetes": datasets.load_diabetes(return_X_y=True),
                "friedman 1": datasets.make_friedman1(1500, noise=1, random_state=0),
                "friedman 2": datasets.make_friedman2(1500, noise=50, random_state=0),
                "linear": datasets.make_regression(1500, 40, noise=30, random_state=0)}
    models = {"ridge": make_pipeline(StandardScaler(), Ridge()), "tree": DecisionTreeRegressor(random_state=0),
              "neighbours": make_pipeline(StandardScaler(), KNeighborsRegressor()),
              "svr": make_pipeline(StandardScaler(), SVR(C=100))}
    return problems, models


def own():
    """Cases measured here: geometric or linear sizes, the mean of five splits or one of them, four metrics."""
    found = []
    for problems, models in (classification(), regression()):
        for name, (X, y) in problems.items():
            for label, model in models.items():
                found += _measured(name, label, model, X, y)
    return found


def _measured(name, label, model, X, y):
    last = int(0.7 * len(X))
    low = max(20, last // 60)
    grids = {"geometric": np.geomspace(low, last, 12), "linear": np.linspace(last / 40, last, 40)[np.r_[:20, 39]]}
    grids = {kind: np.unique(sizes.round().astype(int)) for kind, sizes in grids.items()}
    every = np.unique(np.concatenate(list(grids.values())))
    runs = np.array([_split(model, X, y, every, last, seed) for seed in range(5)])
    cases = []
    for metric, (column, greater) in enumerate(_metrics(y)):
        for kind, sizes in grids.items():
            at = np.searchsorted(every, sizes)
            for how, scores in (("five", runs[:, at, metric].mean(axis=0)), ("one", runs[0, at, metric])):
                cases += [(column, how, kind, case) for case in starts(name, label, sizes.astype(float), scores, greater)]
    return cases


def _metrics(y):
    return (("accuracy", True), ("log loss", False)) if len(np.unique(y)) < 20 else (("R2", True), ("RMSE", False))


def _split(model, X, y, sizes, last, seed):
    order = np.random.default_rng(seed).permutation(len(X))
    train, test = order[:last], order[last:]
    rows = []
    for size in sizes:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X[train[:size]], y[train[:size]])
            if hasattr(model, "predict_proba"):
                proba = np.full((len(test), len(np.unique(y))), 1e-6)
                proba[:, np.searchsorted(np.unique(y), model.classes_)] += model.predict_proba(X[test])
                rows.append((model.score(X[test], y[test]), log_loss(y[test], proba / proba.sum(axis=1, keepdims=True))))
            else:
                rows.append((model.score(X[test], y[test]), root_mean_squared_error(y[test], model.predict(X[test]))))
    return rows
