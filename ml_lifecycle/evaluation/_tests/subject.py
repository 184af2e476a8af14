"""The model under test with its rows: how it is asked, how rows are copied and taken, and when two answers are the same."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ml_lifecycle.foundation import _ask, _scores, _torch
from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.dataset import Dataset
from ml_lifecycle.foundation.errors import BadInputError
from ml_lifecycle.foundation.metrics import Metric, Predictions, get_metric, predict_with
from ml_lifecycle.planning._costs import is_loader, joined, rows_of, some_rows

CLOSE = 1e-4  # numbers that differ by less, relative to their spread, are the same: a batch is added up in another order

@dataclass(frozen=True, eq=False)
class Subject:
    """A model, the rows it is tested on, and what is known of its answers."""

    model: Any
    X: Any
    y: Any  # None: unknown
    task: str
    classes: tuple[Any, ...] | None
    positive: Any
    metric: Metric | None  # None without y
    groups: Any
    name: str
    seed: int

    def __len__(self) -> int:
        return rows_of(self.X)

    def said(self, X: Any, model: Any = None) -> Predictions:
        """What the model answers on a copy of `X`; raises whatever the model raises."""
        asked = self.model if model is None else model
        said = predict_with(asked, copied(X), task=self.task, classes=self.classes, positive=self.positive)
        if len(said) != rows_of(X):
            raise BadInputError(f"`model` must give one answer for each row. Got {len(said)} for {rows_of(X)}.")
        return said

    def some(self, most: int) -> Any:
        """At most so many rows, drawn at random."""
        n = len(self)
        rows = np.sort(np.random.default_rng(self.seed).choice(n, min(n, most), replace=False))
        return some_rows(self.X, rows)


def make_subject(
    model: Any, X: Any, y: Any, *, metric: Any, task: Any, classes: Any, positive: Any, groups: Any, name: Any, seed: int
) -> Subject:
    """Check everything, and find out what was not said."""
    if not _torch.is_module(model):
        _ask.check(model)
    if isinstance(X, Dataset):
        y, task = X.y if y is None else y, task or X.task
        classes, positive = classes or X.classes or None, X.positive if positive is None else positive
        groups = X.groups if groups is None else groups
        X = X.X
    elif is_loader(X):
        X, own = joined(X)
        y = own if y is None else y
    n = rows_of(X)
    if n == 0:
        raise BadInputError("`X` must have rows. Got none. Pass rows that the model was not fitted on.")
    y = _truth(y, n)
    task = _task(model, y, task, metric)
    classes = _classes(model, y, task, classes)
    subject = Subject(model, X, y, task, classes, positive, None, _groups(groups, n), str(name or _name(model)), seed)
    _fitted(subject)
    return Subject(**{**vars(subject), "metric": _metric(subject, metric)})


def _truth(y: Any, n: int) -> Any:
    if y is None:
        return None
    y = _scores.one_column(y.detach().cpu().numpy() if hasattr(y, "detach") else y, "y")
    if len(y) != n:
        raise BadInputError(f"`X` and `y` must have the same rows. Got {n} and {len(y)}.")
    gone = int(pd.isna(y).sum())
    if gone:
        raise BadInputError(f"`y` must have no missing values. Got {gone} of {n}. Leave those rows out.")
    return y.reset_index(drop=True) if isinstance(y, pd.Series) else pd.Series(y).infer_objects()


def _groups(groups: Any, n: int) -> NDArray[np.int64] | None:
    if groups is None:
        return None
    codes = np.asarray(pd.factorize(np.asarray(_scores.one_column(groups, "groups")), use_na_sentinel=False)[0])
    if len(codes) != n:
        raise BadInputError(f"`groups` must have one value for each row. Got {len(codes)} for {n} rows.")
    return codes


def _task(model: Any, y: Any, task: Any, metric: Any) -> str:
    """"classification" or "regression": as said, else from the metric, the model, the target."""
    if task:
        get_metric(None, task=task)
        return str(task)
    from sklearn.base import is_classifier, is_regressor

    from ml_lifecycle.foundation.metrics import METRICS

    found = metric if isinstance(metric, Metric) else METRICS.get(str(metric))
    if found is not None and len(found.tasks) == 1:
        return found.tasks[0]
    known = not _torch.is_module(model) and hasattr(model, "fit")
    if known and (is_classifier(model) or is_regressor(model)):
        return "classification" if is_classifier(model) else "regression"
    if hasattr(model, "predict_proba") or hasattr(model, "classes_"):
        return "classification"
    if y is None:
        raise BadInputError("`task` must be said when neither `y` nor the model tells it. Got None. "
                            "Pass task='classification' or task='regression'.")
    return "regression" if pd.api.types.is_float_dtype(y.dtype) else "classification"


def _classes(model: Any, y: Any, task: str, classes: Any) -> tuple[Any, ...] | None:
    if task == "regression":
        return None
    if classes is not None:
        if isinstance(classes, str) or not isinstance(classes, (Sequence, np.ndarray, pd.Index)):
            raise BadInputError(f"`classes` must be the labels in order. Got {shown(classes)}. Pass a list.")
        return tuple(v.item() if isinstance(v, np.generic) else v for v in classes)
    own = getattr(model, "classes_", None)
    if own is not None:
        return tuple(v.item() if isinstance(v, np.generic) else v for v in own)
    found = _scores.in_order(_scores.distinct(y)[1]) if y is not None else []
    numbered = _torch.is_module(model) and all(isinstance(v, (int, float)) for v in found)
    return tuple(found) if found and not numbered else None


def _fitted(subject: Subject) -> None:
    """Raise when the model was never fitted; any other failure is a test's to tell."""
    from sklearn.exceptions import NotFittedError

    try:
        _ask.ask(_torch.TorchPredictor(subject.model, task=subject.task, classes=subject.classes)
                 if _torch.is_module(subject.model) else subject.model, "predict", copied(some_rows(subject.X, [0])))
    except BadInputError as error:
        if "must be fitted" in str(error) or isinstance(error.__cause__, NotFittedError):
            raise
    except Exception:  # noqa: BLE001 - a model may raise anything; its tests say so
        return


def _metric(subject: Subject, metric: Any) -> Metric | None:
    """The metric; where none is named and the model gives no scores, one of labels."""
    if subject.y is None:
        return None if metric is None else get_metric(metric, task=subject.task)
    found = get_metric(metric, task=subject.task, y=subject.y)
    scores = any(hasattr(subject.model, way) for way in ("predict_proba", "decision_function")) or _torch.is_module(subject.model)
    if not metric and found.needs == "scores" and not scores:
        return get_metric("balanced_accuracy", task=subject.task)
    return found


def _name(model: Any) -> str:
    steps = getattr(model, "steps", None)  # a pipeline is called by its last step
    return type(steps[-1][1] if steps else model).__name__


def copied(X: Any) -> Any:
    """The same rows in memory of their own."""
    if isinstance(X, (pd.DataFrame, pd.Series)):
        return X.copy(deep=True)
    if hasattr(X, "detach"):
        return X.detach().clone()
    return X.copy() if isinstance(X, np.ndarray) or hasattr(X, "tocsr") else copy.deepcopy(X)


def unchanged(before: Any, after: Any) -> bool:
    """Whether rows are what they were: values, names, types and order."""
    if isinstance(before, pd.DataFrame):
        same = list(before.columns) == list(after.columns) and list(before.dtypes) == list(after.dtypes)
        return bool(same and before.index.equals(after.index) and before.equals(after))
    if isinstance(before, pd.Series):
        return bool(before.equals(after))
    if hasattr(before, "tocsr"):
        return before.shape == after.shape and not abs(before.tocsr() - after.tocsr()).sum()
    first, second = (np.asarray(v.detach().cpu().numpy() if hasattr(v, "detach") else v) for v in (before, after))
    if first.dtype.kind in "fc":
        return np.array_equal(first, second, equal_nan=True)
    return np.array_equal(first, second)


def same_answers(a: Predictions, b: Predictions) -> NDArray[np.bool_]:
    """For each row whether two answers are the same, apart from rounding."""
    if a.values is not None and b.values is not None:
        return np.asarray(_close(a.values, b.values))
    labels = np.array([left == right for left, right in zip(np.asarray(a.labels), np.asarray(b.labels))], dtype=bool)
    for left, right in ((a.proba, b.proba), (a.scores, b.scores)):
        if left is not None and right is not None and left.shape == right.shape:
            near = np.all(_close(left, right), axis=1)
            ranked = np.sort(left, axis=1)
            tied = ranked[:, -1] - ranked[:, max(0, ranked.shape[1] - 2)] <= 2 * CLOSE * _spread(left)
            return np.asarray(near & (labels | tied))
    return labels


def _spread(values: NDArray[Any]) -> float:
    finite = values[np.isfinite(values)]
    return float(np.ptp(finite)) if len(finite) and np.ptp(finite) > 0 else 1.0


def _close(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    with np.errstate(invalid="ignore"):
        return np.isclose(a, b, rtol=CLOSE, atol=CLOSE * _spread(np.asarray(a, dtype=float)), equal_nan=True)
