"""Planted causes of error: problems whose irreducible error is known, and models that fail on them for one reason each."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

FRESH = 30_000  # rows on which a model's true error is measured


@dataclass(frozen=True)
class Problem:
    """Rows at will, and what the best predictor gets wrong on them."""

    task: str  # "two classes", "classes" or "numbers"
    columns: int
    noise: float  # share of labels replaced, or standard deviation of what is added
    waves: float = 1.0  # how wiggly the truth is
    metric: str = "accuracy"
    shift: str = ""  # "", "turned" (the truth itself), "moved" (the features), "noisier"

    def _score(self, X):
        first = np.sin(self.waves * X[:, 0]) + 0.3 * X[:, 1]
        return -first if self.shift == "turned" else first

    def rows(self, n, rng):
        """Features."""
        X = rng.uniform(-3, 3, (n, self.columns))
        if self.shift == "moved":
            X[:, 2:] += 4
            X[:, 0] = 3 + X[:, 0]
        return X

    def clean(self, X):
        """The likeliest label, or the mean."""
        score = self._score(X)
        if self.task == "numbers":
            return score
        return (score > 0).astype(int) if self.task == "two classes" else np.digitize(score, [-0.6, 0.0, 0.6])

    def draw(self, n, rng, X=None):
        """Features and target; with `X` other targets of the same rows."""
        X = self.rows(n, rng) if X is None else X
        y, noise = self.clean(X), self.noise + (0.25 if self.shift == "noisier" else 0.0)
        if self.task == "numbers":
            return X, y + noise * rng.normal(size=len(X))
        classes = 2 if self.task == "two classes" else 4
        return X, np.where(rng.random(len(X)) < noise, (y + rng.integers(1, classes, len(X))) % classes, y)

    @property
    def best(self):
        """The error of the best predictor there can be, in the metric."""
        p = self.noise
        if self.metric == "log_loss":
            return -(p * np.log(p) + (1 - p) * np.log(1 - p))
        return p * (1 - p) if self.metric == "brier" else p

    def error(self, model, X, y):
        """What a model gets wrong, computed without the library that is judged."""
        if self.metric == "rmse":
            return float(np.sqrt(((model.predict(X) - y) ** 2).mean()))
        if self.metric == "mae":
            return float(np.abs(model.predict(X) - y).mean())
        if self.metric == "log_loss":
            return float(log_loss(y, model.predict_proba(X)))
        if self.metric == "brier":
            return float(((model.predict_proba(X)[:, 1] - y) ** 2).mean())
        return float((model.predict(X) != y).mean())


@dataclass(frozen=True)
class Case:
    """A fitted model with the parts that it is judged on, and the truth."""

    cause: str
    name: str
    model: Any
    learned: tuple  # X and y of the rows that it was fitted on
    parts: dict
    truth: dict  # component -> its true size
    problem: Problem


def of_case(cause, name, problem, model, rows, seed, *, shift="", leak=False):
    """Fit and measure. Rows that a model was fitted on count as they are; all others stand for fresh ones."""
    rng = np.random.default_rng([seed, *map(ord, cause + name)])
    problem = replace(problem, noise=float(problem.noise * rng.uniform(0.6, 1.4)))
    rows = {"train": rows["train"], "other": int(rows["other"] * rng.choice([0.25, 0.5, 1.0]))}
    later = replace(problem, shift=shift) if shift else None
    names = ("val_train", "val_test", "test") if later is not None else ("val", "test")
    source = {"train": problem, "val": problem, "val_train": problem, "val_test": later, "test": later or problem}
    parts = {part: source[part].draw(rows["train" if part == "train" else "other"], rng) for part in ("train", *names)}
    X, y = parts["train"]
    if leak:  # the validation rows were trained on
        X, y = np.vstack([X, parts["val"][0]]), np.concatenate([y, parts["val"][1]])
    fitted = clone(model).fit(X, y)
    error = {part: problem.error(fitted, *source[part].draw(FRESH, rng)) for part in names}
    error["train"] = problem.error(fitted, *parts["train"])
    if leak:
        error["val"] = problem.error(fitted, *parts["val"])
    first = "val_train" if later is not None else "val"
    last = "val_test" if later is not None else "val"
    truth = {"irreducible": problem.best, "avoidable_bias": error["train"] - problem.best,
             "variance": error[first] - error["train"], "validation_overfitting": error["test"] - error[last]}
    if later is not None:
        truth["distribution_shift"] = error[last] - error[first]
    return Case(cause, name, fitted, (X, y), parts, truth, problem)


def _well(task):
    """Models that fit a smooth truth when there are rows enough."""
    if task == "numbers":
        return {"boosting": HistGradientBoostingRegressor(max_iter=60, min_samples_leaf=60, random_state=0),
                "forest": RandomForestRegressor(30, min_samples_leaf=40, random_state=0),
                "neighbours": KNeighborsRegressor(60)}
    return {"boosting": HistGradientBoostingClassifier(max_iter=40, min_samples_leaf=80, random_state=0),
            "forest": RandomForestClassifier(30, min_samples_leaf=40, random_state=0),
            "neighbours": KNeighborsClassifier(60),
            "network": make_pipeline(StandardScaler(), MLPClassifier((16,), alpha=1.0, max_iter=200, tol=1e-3, random_state=0))}


def _stiff(task):
    """Models that cannot bend."""
    if task == "numbers":
        return {"linear": LinearRegression(), "ridge": Ridge(1e4), "stump": DecisionTreeRegressor(max_depth=1)}
    return {"logistic regression": LogisticRegression(), "naive Bayes": GaussianNB(),
            "stump": DecisionTreeClassifier(max_depth=1), "strict": LogisticRegression(C=1e-4)}


def _loose(task):
    """Models that know their training rows by heart."""
    if task == "numbers":
        return {"tree": DecisionTreeRegressor(random_state=0), "1 neighbour": KNeighborsRegressor(1),
                "forest": RandomForestRegressor(30, random_state=0)}
    return {"tree": DecisionTreeClassifier(random_state=0), "1 neighbour": KNeighborsClassifier(1),
            "forest": RandomForestClassifier(30, random_state=0), "3 neighbours": KNeighborsClassifier(3, weights="distance")}


def mixed(seed, count=60):
    """Whatever comes: noise, wiggles, rows, model and shift drawn at random, so that several causes mix."""
    rng = np.random.default_rng([seed, 7])
    for number in range(count):
        task = ("two classes", "classes", "numbers")[number % 3]
        models = [*_well(task).values(), *_stiff(task).values(), *_loose(task).values()]
        noise = float(rng.uniform(0.05, 0.5 if task == "numbers" else 0.35))
        problem = Problem(task, int(rng.integers(2, 8)), noise, float(rng.uniform(0.5, 4)),
                          "rmse" if task == "numbers" else "accuracy")
        rows = {"train": int(rng.choice([150, 600, 3_000])), "other": 2_000}
        shift = ("", "", "turned", "moved")[rng.integers(4)]
        leak = not shift and rng.random() < 0.2
        yield of_case("mixed", f"{number}", problem, models[rng.integers(len(models))], rows, seed, shift=shift, leak=leak)


def cases(seed=0):
    """All of them, of one seed."""
    many, few = {"train": 6_000, "other": 4_000}, {"train": 150, "other": 4_000}
    for task, metric in (("two classes", "accuracy"), ("classes", "accuracy"), ("numbers", "rmse"), ("two classes", "brier")):
        numbers = task == "numbers"
        for name, model in _well(task).items():
            label = f"{task}, {metric}, {name}"
            noisy = Problem(task, 3, 0.5 if numbers else 0.3, metric=metric)
            yield of_case("irreducible", label, noisy, model, many, seed)
            if metric == "brier":
                continue
            calm = Problem(task, 4, 0.1 if numbers else 0.04, metric=metric)
            shift = ("turned", "moved", "noisier")[len(name) % 3] if not numbers else ("turned", "moved")[len(name) % 2]
            yield of_case("distribution_shift", f"{label}, {shift}", calm, model, many, seed, shift=shift)
        for name, model in _stiff(task).items():
            wiggly = Problem(task, 3, 0.1 if numbers else 0.03, waves=5.0, metric=metric)
            yield of_case("avoidable_bias", f"{task}, {metric}, {name}", wiggly, model, many, seed)
        for name, model in _loose(task).items():
            if metric == "brier" and name != "forest":
                continue
            hard = Problem(task, 6, 0.1 if numbers else 0.04, waves=2.0, metric=metric)
            yield of_case("variance", f"{task}, {metric}, {name}", hard, model, few, seed)
            if metric != "brier":
                yield of_case("validation_overfitting", f"{task}, {metric}, {name}, trained on its validation rows", hard, model,
                              {"train": 150, "other": 1_500}, seed, leak=True)
