"""What a person hands to `baselines`, checked and brought into one form before any work."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.dummy import DummyClassifier, DummyRegressor

from ml_lifecycle.exploration import _columns, _edge
from ml_lifecycle.exploration._measure import Candidate, Problem, mean_interval, understood
from ml_lifecycle.exploration._task import for_classes, whole
from ml_lifecycle.exploration.pipelines import default_models
from ml_lifecycle.foundation import _roles, _scores
from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.dataset import Dataset, load_dataset
from ml_lifecycle.foundation.errors import BadInputError, LifecycleError, did_you_mean, one_of
from ml_lifecycle.foundation.intervals import bootstrap_interval
from ml_lifecycle.foundation.metrics import Metric, get_metric

FEWEST = 10  # rows
DRAWS = 20  # of random answers


@dataclass(frozen=True)
class Asked:
    """The problem with what else is known about its rows."""

    problem: Problem
    groups: np.ndarray | None = None
    times: np.ndarray | None = None
    time: Any = None  # the name of the column of times
    text: tuple[Any, ...] = ()
    about: dict[str, Any] | None = None  # name and version of the data set


def pose(data: Any, y: Any, *, metric: Any, task: str | None, groups: Any, time: Any, positive: Any, models: Any = None,
         called: str = "data", **roles: Any) -> Asked:
    """The problem behind a data set or behind features and target; `called` is what the caller's argument is named."""
    if isinstance(y, str):
        roles, y = {**roles, "target": y}, None
    if task is not None:
        one_of(task, _roles.TASKS, "task", noun="Tasks")
    if y is None:
        return _from_dataset(data, metric, task, groups, time, positive, models, called, roles)
    for name in ("target", "drop"):
        if roles.get(name):
            raise BadInputError(f"`{name}` must be left out when `y` is given. Got {roles[name]!r}. "
                                "Pass the data set alone, or X and y.")
    X = _columns.as_table(data, called)
    if 0 in X.shape:
        raise BadInputError(f"`{called}` must have rows and columns. Got shape {X.shape}. Pass the features of at least "
                            f"{FEWEST} rows.")
    group_rows, time_rows = _edge.aligned(groups, X, "groups"), _edge.aligned(time, X, "time")
    features = X.drop(columns=[groups]) if isinstance(groups, str) and groups else X  # the name of a group is no feature
    problem = replace(_problem(features, y, metric, task, positive, None if task else models), shape=_columns.row_shape(data))
    return Asked(problem, group_rows, time_rows, time if isinstance(time, str) else None, _names(roles.get("text")))


def _from_dataset(data: Any, metric: Any, task: Any, groups: Any, time: Any, positive: Any, models: Any, called: str,
                  roles: dict[str, Any]) -> Asked:
    named: dict[str, Any] = {"group": groups if isinstance(groups, str) else None,
                             "time": time if isinstance(time, str) else None}
    try:
        found = load_dataset(data, task=task, **named, **{k: v for k, v in roles.items() if v})
    except LifecycleError as error:
        if called == "data":
            raise
        raise type(error)(str(error).replace("`data`", f"`{called}`", 1)) from None
    if found.y is None:
        raise BadInputError("`target` must name the column to predict. Got none. "
                            + did_you_mean("", found.frame.columns, noun="Columns"))
    X = found.X
    positive = found.positive if positive is None else positive
    open_to = models if task is None and not isinstance(data, Dataset) else None
    problem = _problem(X, found.y, metric, found.task, positive, open_to)
    own_groups = found.groups if groups is None or isinstance(groups, str) else groups
    own_times = found.time if time is None or isinstance(time, str) else time
    about = {"data": found.name, "version": found.version, "target": found.roles["target"]}
    return Asked(problem, _edge.aligned(own_groups, X, "groups"), _edge.aligned(own_times, X, "time"), found.roles["time"],
                 tuple(found.roles["text"]), about)


def _names(value: Any) -> tuple[Any, ...]:
    return (value,) if isinstance(value, str) else tuple(_edge.several(
        value, "text", "a name of a column, or several", "Write text=['note']."))


def _problem(X: Any, y: Any, metric: Any, task: str | None, positive: Any, models: Any = None) -> Problem:
    column, found = _edge.target_of(y, X.shape[0], FEWEST)
    if task in (None, "regression") and for_classes(models) and whole(column) and not _edge.too_many(found, len(column)):
        task = "classification"  # many whole numbers are numbers, unless whoever asks brings classifiers
    task = task or infer_task(column)
    if task == "regression":
        values = _edge.numbers_of(column, found, not _edge.too_many(found, len(column)))
        return Problem(X, values, task, get_metric(metric, task=task))
    if len({type(label) for label in found}) > 1:  # 1 and "b": models need labels of one type
        column = pd.Series(column).map(str)
    return _classification(X, column, metric, positive)


def _classification(X: Any, column: Any, metric: Any, positive: Any) -> Problem:
    codes, found = _scores.distinct(column)
    _edge.classes_come_back(found, len(codes))
    classes = _scores.in_order(found)
    place = {label: i for i, label in enumerate(classes)}
    codes = np.array([place[label] for label in found])[codes]
    positive = _edge.label_of(positive, classes)
    if len(classes) == 2 and positive is None:
        positive = _scores.positive_of(classes, np.bincount(codes))
    labels = np.array(classes)[codes]
    return Problem(X, labels, "classification", get_metric(metric, task="classification", y=labels), tuple(classes),
                   positive if len(classes) == 2 else None)


def infer_task(y: Any) -> str:
    """"regression" for numbers, unless they are few different whole ones; "classification" for all else."""
    column = pd.Series(y)
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype) or pd.api.types.is_bool_dtype(dtype):
        return "classification"
    if not pd.api.types.is_numeric_dtype(dtype):
        column = column.infer_objects()
        if not pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_bool_dtype(column.dtype):
            return "classification"
    whole = bool((column == column.round()).all())
    return "classification" if whole and column.nunique() <= _roles.MOST_CLASSES else "regression"


def trivial(task: str, seed: int) -> list[Candidate]:
    """The answers that need no features; the score of random ones is a mean over draws, so that no lucky one counts."""
    if task == "regression":
        return [Candidate("mean", "trivial", DummyRegressor(strategy="mean")),
                Candidate("median", "trivial", DummyRegressor(strategy="median"))]
    return [Candidate("majority", "trivial", DummyClassifier(strategy="prior")),
            Candidate("stratified", "trivial", DummyClassifier(strategy="stratified", random_state=seed), DRAWS)]


def as_models(models: Any, asked: Asked, seed: int) -> list[Candidate]:
    """The models to train: the default ones, a choice of them by name, or the person's own."""
    usual: dict[str, Any] = {}
    chosen = [models] if isinstance(models, str) or hasattr(models, "fit") else models
    if chosen is not None and not isinstance(chosen, Mapping):
        chosen = _edge.several(chosen, "models", "estimators, names of default ones, or None",
                               "Write models=[LogisticRegression()].")
    if chosen is None or (not isinstance(chosen, Mapping) and any(isinstance(model, str) for model in chosen)):
        usual = usual_models(asked, seed)
    if chosen is None:
        chosen = usual
    pairs: list[tuple[str, Any]] = []
    for item in chosen.items() if isinstance(chosen, Mapping) else chosen:
        if isinstance(item, str):
            one_of(item, usual, "models", noun="Default models")
            item = (item, usual[item])
        name, model = item if isinstance(item, (tuple, list)) and len(item) == 2 else (_label(item), item)
        if isinstance(model, type) or not (hasattr(model, "fit") and hasattr(model, "predict")):
            what = f"the class {model.__name__}; write {model.__name__}()" if isinstance(model, type) else f"{model!r:.80}"
            raise BadInputError(f"`models` must be estimators with `fit` and `predict`. Got {what}.")
        pairs.append((str(name), model))
    return [Candidate(name, "model", model) for name, model in pairs]


def usual_models(asked: Asked, seed: int) -> dict[str, Any]:
    """The default models for these rows."""
    problem = asked.problem
    return default_models(problem.task, problem.X, time=asked.time, text=asked.text, seed=seed, classes=len(problem.classes))


def _label(model: Any) -> str:
    """How an estimator is called: by its class, and a pipeline by the class of its last step."""
    last = model.steps[-1][1] if hasattr(model, "steps") else model
    return type(last).__name__


def as_heuristics(heuristics: Any) -> list[Candidate]:
    """Functions of the features, each with a name."""
    items = list(heuristics.items()) if isinstance(heuristics, Mapping) else \
        [("", heuristics)] if callable(heuristics) or isinstance(heuristics, str) else [("", rule) for rule in _edge.several(
            heuristics, "heuristics", "functions of X, a list or a dict of them", "Write heuristics=[rule].")]
    found = []
    for number, (name, rule) in enumerate(items, 1):
        if not name and isinstance(rule, (tuple, list)) and len(rule) == 2:
            name, rule = rule
        if not callable(rule):
            raise BadInputError(f"`heuristics` must be functions that take X and give one prediction a row. Got {rule!r:.80}. "
                                "Write heuristics=[rule].")
        own = getattr(rule, "__name__", type(rule).__name__)
        found.append(Candidate(str(name or (f"rule {number}" if own == "<lambda>" else own)), "heuristic", rule))
    return found


def unique_names(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The same candidates; a name that is taken gets a number."""
    taken: dict[str, int] = {}
    found = []
    for candidate in candidates:
        taken[candidate.name] = count = taken.get(candidate.name, 0) + 1
        found.append(candidate if count == 1 else replace(candidate, name=f"{candidate.name} {count}"))
    return found


@dataclass(frozen=True)
class Quoted:
    """A score that was measured elsewhere."""

    name: str
    kind: str  # "published" or "human"
    score: float
    low: float = math.nan
    high: float = math.nan
    n: float = math.nan
    source: str = ""


def as_published(published: Iterable[Any], metric: Metric) -> list[Quoted]:
    """Published results; each says where it was published."""
    items: list[Any] = [published] if isinstance(published, (Mapping, str)) else _edge.several(
        published, "published", "dicts with 'name', 'score' and 'source'", "Write published=[{'name': ..., 'score': 0.9, ...}].")
    found = []
    for item in items:
        given = {k for k in item if item[k] is not None and str(item[k])} if isinstance(item, Mapping) else set()
        if not {"name", "score", "source"} <= given:
            raise BadInputError("`published` must be dicts with 'name', 'score' and 'source' (where it can be read up), and "
                                f"if known 'low', 'high' and 'n'. Got {item!r:.120}.")
        found.append(Quoted(str(item["name"]), "published", source=str(item["source"]), **_quoted(item, "published", metric)))
    return found


def _quoted(item: Mapping[str, Any], argument: str, metric: Metric) -> dict[str, Any]:
    unknown = set(item) - {"name", "score", "source", "low", "high", "n"}
    if unknown:
        raise BadInputError(f"`{argument}` must have the keys name, score, source, low, high and n. Got {sorted(unknown)} too.")
    values = {}
    for key in ("score", "low", "high", "n"):
        value = item.get(key)
        try:
            values[key] = math.nan if value is None else float(value)
        except (TypeError, ValueError):
            raise BadInputError(f"`{argument}` must have numbers as scores. Got {key}={value!r}.") from None
    if not math.isfinite(values["score"]) or values["low"] > values["score"] or values["high"] < values["score"]:
        raise BadInputError(f"`{argument}` must have a finite score from low to high. Got {dict(item)!r:.120}.")
    if values["n"] <= 0:
        raise BadInputError(f"`{argument}` must have a number of rows above 0 as n. Got {values['n']:g}. "
                            "Leave it out when it is not known.")
    if not metric.low <= values["score"] <= metric.high:
        share = " Write a percentage as a share: 0.9 for 90." if metric.high == 1 and 1 < values["score"] <= 100 else \
            f" Quote it as {metric.label}, or choose its metric."
        raise BadInputError(f"`{argument}` must have a score that {metric.name} can take: from {metric.low:g} to {metric.high:g}. "
                            f"Got {values['score']:g}.{share}")
    return values


def as_human(human: Any, problem: Problem, seed: int) -> list[Quoted]:
    """What people reach: a number, a dict, or their labels, which are scored like the predictions of a model."""
    if human is None:
        return []
    if isinstance(human, Mapping):
        return [Quoted(str(human.get("name") or "human"), "human", source=str(human.get("source") or ""),
                       **_quoted(human, "human", problem.metric))]
    if isinstance(human, (int, float, np.integer, np.floating)) and not isinstance(human, (bool, np.bool_)):
        return [Quoted("human", "human", **_quoted({"score": human}, "human", problem.metric))]
    table = human.to_numpy(dtype=object) if isinstance(human, (pd.Series, pd.DataFrame)) else np.array(human, dtype=object)
    table = table.reshape(-1, 1) if table.ndim == 1 else table
    if table.ndim != 2 or len(table) != len(problem.y):
        got = f"shape {table.shape}" if table.ndim else shown(human)
        raise BadInputError(f"`human` must be a number, a dict with 'score', or labels for each of the {len(problem.y)} rows "
                            f"(rows x annotators). Got {got}. Write human=0.95.")
    return [_scored_people(table, problem, seed)]


def _scored_people(table: np.ndarray, problem: Problem, seed: int) -> Quoted:
    """The mean over annotators, and of their bounds: as if they all erred on the same rows, which is cautious."""
    found = []
    for column in table.T:
        rows = np.flatnonzero(~pd.isna(column))
        if not len(rows):
            continue
        try:
            labels = understood(pd.Series(column[rows]).infer_objects(), len(rows), problem)
        except (TypeError, ValueError) as error:
            raise BadInputError(f"`human` must hold the labels (or values) that the target has. Got something else: an "
                                f"annotator {error}.") from None
        found.append(bootstrap_interval(problem.metric, problem.truth(rows), labels, seed=seed))
    if not found:
        raise BadInputError("`human` must hold at least one label. Got only missing ones. Leave `human` out.")
    score, low, high = mean_interval(found)
    people = f"{len(found)} annotators" if len(found) > 1 else "one annotator"
    n = int((~pd.isna(table)).any(axis=1).sum())
    return Quoted("human", "human", score, low, high, n, source=people)
