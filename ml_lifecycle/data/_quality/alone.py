"""How well each column alone tells the target, on rows that were not fitted: small trees, and tables for categories."""

import warnings
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from tqdm import tqdm

from ml_lifecycle.foundation import _version
from ml_lifecycle.foundation.dataset import Dataset

ROWS = 5000  # rows that are tried at most
FOLDS = 5
FEWEST = 50  # rows from which a leak can be told
FEWEST_OF_CLASS = 10
MOST_CLASSES = 60
TREES = 24
MOST_TOGETHER = 300  # columns that go into the model of all columns


@dataclass(frozen=True)
class Problem:
    """The rows that are tried, and the folds."""

    y: np.ndarray  # class numbers, or values
    classes: int  # 0: regression
    folds: list[tuple[np.ndarray, np.ndarray]]
    coded: dict[str, np.ndarray]  # column -> floats, nan where missing
    discrete: dict[str, bool]  # column -> whether its values are labels
    ids: frozenset[str]  # columns that name rows
    seed: int


@dataclass(frozen=True)
class Alone:
    """What one column, or all but one, tells of the target."""

    column: str
    score: float  # balanced accuracy, or R²
    low: float
    high: float
    n: int
    guesses: np.ndarray = field(repr=False)  # out of fold
    filled: bool = False  # True: it is whether the column is filled in that tells
    straight: float = np.nan  # R² of a straight line; regression only
    copy: bool = False  # each of few values belongs to one class
    part: bool = False  # True: judged on the rows where the column is filled in
    only: int | None = None  # class number: it is (nearly) only filled in, or only missing, in rows of that class


def pose(data: Dataset, seed: int) -> Problem | str:
    """The rows to try, or why nothing can be told."""
    y = data.y
    if y is None:
        return "there is no target"
    if len(data) < FEWEST:
        return f"there are only {len(data)} rows"
    classes = len(data.classes) if data.task == "classification" else 0
    if classes > MOST_CLASSES:
        return f"there are {classes} classes"
    if classes and int(y.value_counts().min()) < FEWEST_OF_CLASS:
        return f"there are only {int(y.value_counts().min())} rows of one class"
    part = data.sample(ROWS, seed=seed) if len(data) > ROWS else data
    y = part.y
    assert y is not None
    target = pd.Categorical(y, categories=list(data.classes)).codes.astype(int) if classes else y.to_numpy(dtype="float64")
    kind = StratifiedKFold if classes else KFold
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # classes so rare that the draw left fewer rows than folds
        folds = list(kind(FOLDS, shuffle=True, random_state=seed).split(target, target if classes else None))
    coded, discrete = {}, {}
    skip = {data.roles["target"], data.roles["group"], data.roles["time"]}
    for name in map(str, part.frame.columns):
        values = part.frame[name]
        if name in skip or name in data.roles.get("set_aside", ()) or not values.notna().any():
            continue
        coded[name], discrete[name] = _coded(values, name in data.roles["id"])
    return Problem(target, classes, folds, coded, discrete, frozenset(data.roles["id"]), seed)


def _coded(values: pd.Series, as_id: bool) -> tuple[np.ndarray, bool]:
    """A column as floats, nan where missing, and whether the numbers are labels."""
    values = _version.uncategorised(values)
    kind = _version.kind_of(values)
    if kind == "datetime":
        return np.where(values.isna(), np.nan, values.astype("int64").to_numpy().astype("float64")), False
    if kind in ("number", "boolean"):
        return values.to_numpy(dtype="float64", na_value=np.nan), kind == "boolean"
    if as_id:  # the number in it, such as 17 of A-0017
        digits = values.astype(object).map(str, na_action="ignore").str.extract(r"(\d+)\D*$")[0]
        return pd.to_numeric(digits, errors="coerce").to_numpy(dtype="float64"), False
    codes = pd.factorize(values)[0].astype("float64")
    return np.where(codes < 0, np.nan, codes), True


def try_columns(problem: Problem, texts: set[str]) -> list[Alone]:
    """Every column alone, the best first."""
    found = []
    for name, values in tqdm(problem.coded.items(), desc="columns alone", delay=2, leave=False):
        absent = np.isnan(values)
        one = None if name in texts else _alone(problem, name, values, problem.discrete[name])
        if 0.005 < absent.mean() < 0.995:
            gaps = _alone(problem, name, absent.astype("float64"), True, filled=True)
            if one is None or gaps.score >= one.score - 0.01 or (gaps.only is not None and not one.copy):
                one = gaps
        if one is not None:
            found.append(one)
    return sorted(found, key=lambda a: -a.score)


def _alone(problem: Problem, name: str, values: np.ndarray, discrete: bool, filled: bool = False) -> Alone:
    y, guesses = problem.y, np.zeros(len(problem.y))
    for train, test in problem.folds:
        if discrete:
            guesses[test] = _from_table(problem, values[train], y[train], values[test])
        else:
            tree = _tree(problem, int(np.bincount(y[train]).min()) if problem.classes else 0)
            guesses[test] = tree.fit(values[train, None], y[train]).predict(values[test, None])
    copy = bool(problem.classes) and _is_copy(values, y, problem.classes)
    straight = np.nan if problem.classes or discrete else _straight(problem, values)
    only = _only_in(values > 0.5, y, problem.classes) if filled and problem.classes else None
    return Alone(name, *judge(problem, guesses), len(y), guesses, filled, straight, copy, only=only)


def where_filled(problem: Problem, name: str) -> tuple[Problem, Alone] | None:
    """The rows in which a column has a value, and how well it tells the classes there; None where they are few."""
    there = ~np.isnan(problem.coded[name])
    y = problem.y[there]
    if not problem.classes or not 0.05 < there.mean() < 0.95 or len(y) < FEWEST \
            or np.bincount(y, minlength=problem.classes).min() < FEWEST_OF_CLASS:
        return None
    place = np.cumsum(there) - 1
    folds = [(place[train[there[train]]], place[test[there[test]]]) for train, test in problem.folds]
    part = replace(problem, y=y, folds=folds, coded={other: values[there] for other, values in problem.coded.items()})
    return part, replace(_alone(part, name, part.coded[name], part.discrete[name]), part=True)


def _tree(problem: Problem, rarest: int) -> Any:
    if problem.classes:
        return DecisionTreeClassifier(max_leaf_nodes=min(8 * problem.classes, 128), min_samples_leaf=max(2, min(5, rarest // 4)),
                                      class_weight="balanced", random_state=problem.seed)
    return DecisionTreeRegressor(max_leaf_nodes=64, min_samples_leaf=5, random_state=problem.seed)


def _from_table(problem: Problem, x: np.ndarray, y: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """For each label, the class that it speaks for (classes weighed alike), or the mean of the target."""
    levels, place = np.unique(np.nan_to_num(x, nan=-1.0), return_inverse=True)
    where = np.searchsorted(levels, np.nan_to_num(asked, nan=-1.0)).clip(0, len(levels) - 1)
    known = levels[where] == np.nan_to_num(asked, nan=-1.0)
    if problem.classes:
        counts = np.zeros((len(levels), problem.classes))
        np.add.at(counts, (place, y), 1.0)
        speaks = (counts / np.maximum(1.0, counts.sum(axis=0))).argmax(axis=1)
        return np.where(known, speaks[where], np.bincount(y).argmax())
    sums, sizes = np.bincount(place, y), np.bincount(place)
    means = (sums + 2 * y.mean()) / (sizes + 2)
    return np.where(known, means[where], y.mean())


def _is_copy(values: np.ndarray, y: np.ndarray, classes: int) -> bool:
    """Whether few values stand for the classes one by one, nearly always."""
    levels, place = np.unique(np.nan_to_num(values, nan=-1e308), return_inverse=True)
    if not classes <= len(levels) <= classes + 1:
        return False
    counts = np.zeros((len(levels), classes))
    np.add.at(counts, (place, y), 1.0)
    best = counts.argmax(axis=0)
    pure = counts[best, np.arange(classes)]
    return len(set(best)) == classes and bool((pure >= 0.9 * counts.sum(axis=0)).all()) \
        and bool((pure >= 0.9 * counts[best].sum(axis=1)).all())


def _only_in(absent: np.ndarray, y: np.ndarray, classes: int) -> int | None:
    """The class in most rows of which a column is filled in (or missing), where it hardly ever is in rows of the others."""
    for mask in (~absent, absent):
        inside = np.bincount(y, mask, minlength=classes)
        sizes = np.bincount(y, minlength=classes)
        for one in range(classes):
            others = inside.sum() - inside[one]
            if inside[one] >= max(FEWEST_OF_CLASS, 0.5 * sizes[one]) and others <= 0.02 * (sizes.sum() - sizes[one]):
                return one
    return None


def _straight(problem: Problem, values: np.ndarray) -> float:
    """R² of a straight line where the column has a value, out of fold."""
    there, y = ~np.isnan(values), problem.y
    guesses = np.full(len(y), np.nan)
    for train, test in problem.folds:
        rows = train[there[train]]
        x = values[rows] - values[rows].mean() if len(rows) else values[rows]
        spread = float(np.dot(x, x)) if len(rows) > 2 else 0.0
        if not np.isfinite(spread) or spread <= 0:
            return np.nan
        slope = float(np.dot(x, y[rows])) / spread
        guesses[test] = y[rows].mean() + slope * (values[test] - values[rows].mean())
    rest = y[there]
    spread = float(((rest - rest.mean()) ** 2).sum())
    return 1 - float(((guesses[there] - rest) ** 2).sum()) / spread if spread > 0 and there.mean() > 0.5 else np.nan


def together(problem: Problem, leave_out: set[str]) -> Alone | None:
    """A quick forest on all columns but some: Geurts et al. (2006)."""
    names = [name for name in problem.coded if name not in leave_out][:MOST_TOGETHER]
    if not names:
        return None
    table = np.column_stack([problem.coded[name] for name in names])
    gaps = np.isnan(table)
    table = np.hstack([np.where(gaps, -1.0, table), gaps[:, gaps.any(axis=0)].astype(float)]).astype("float64")
    table = np.clip(table, -1e30, 1e30)
    guesses = np.zeros(len(problem.y))
    for train, test in problem.folds:
        forest: Any = ExtraTreesClassifier(TREES, class_weight="balanced", min_samples_leaf=2, random_state=problem.seed) \
            if problem.classes else ExtraTreesRegressor(TREES, min_samples_leaf=2, random_state=problem.seed)
        guesses[test] = forest.fit(table[train], problem.y[train]).predict(table[test])
    return Alone("all others" if leave_out else "all columns", *judge(problem, guesses), len(problem.y), guesses)


def judge(problem: Problem, guesses: np.ndarray) -> tuple[float, float, float]:
    """(score, low, high): balanced accuracy with a normal interval of the classes' shares, or R² by the errors' spread."""
    y = problem.y
    if problem.classes:
        right = (guesses == y).astype(float)
        sizes = np.bincount(y, minlength=problem.classes)
        hits = np.bincount(y, right, minlength=problem.classes)
        sizes, hits = sizes[sizes > 0], hits[sizes > 0]
        score = float(np.mean(hits / sizes))
        p = (hits + 1) / (sizes + 2)
        error = 1.96 * float(np.sqrt((p * (1 - p) / (sizes + 2)).sum())) / len(sizes)
        return score, max(0.0, score - error), min(1.0, score + error)
    losses = (guesses - y) ** 2
    spread = float(y.var()) or 1.0
    score, error = 1 - losses.mean() / spread, 1.96 * losses.std(ddof=1) / np.sqrt(len(y)) / spread
    return float(score), float(score - error), float(min(1.0, score + error))


def better(problem: Problem, one: Alone, other: Alone) -> float:
    """Standard errors by which one is better than the other on the same rows."""
    y = problem.y
    if problem.classes:
        gap = (one.guesses == y).astype(float) - (other.guesses == y).astype(float)
        sizes = np.bincount(y, minlength=problem.classes)[y]
        weights = len(y) / (sizes * len(np.unique(y)))
    else:
        gap, weights = (other.guesses - y) ** 2 - (one.guesses - y) ** 2, np.ones(len(y))
    spread = float((gap * weights).std(ddof=1)) / np.sqrt(len(y))
    mean = float((gap * weights).mean())
    return mean / spread if spread > 0 else float(np.sign(mean) * np.inf if mean else 0.0)
