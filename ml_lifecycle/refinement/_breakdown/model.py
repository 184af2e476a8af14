"""The errors of a model on the parts of a split, each with a bootstrap interval over its rows."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_is_fitted

from ml_lifecycle.exploration._entries import infer_task
from ml_lifecycle.exploration._folds import make_folds
from ml_lifecycle.exploration._measure import seeded
from ml_lifecycle.foundation import _bootstrap
from ml_lifecycle.foundation.dataset import Dataset, Splits
from ml_lifecycle.foundation.errors import BadInputError, UnknownNameError, did_you_mean
from ml_lifecycle.foundation.intervals import Interval, bootstrap_interval
from ml_lifecycle.foundation.metrics import Metric, Predictions, predict_with
from ml_lifecycle.refinement._breakdown.parts import LEVEL, NAN, Part, as_error

NAMES = ("train", "val", "val_train", "val_test", "test")


@dataclass(frozen=True)
class Side:
    """The rows of one part."""

    X: Any
    y: Any
    groups: Any = None  # group of each row; rows of one group are resampled together

    @property
    def n(self) -> int:
        """How many rows."""
        return len(self.y)

    def take(self, rows: np.ndarray) -> "Side":
        """Some of the rows, by position."""
        groups = None if self.groups is None else self.groups[rows]
        return replace(self, X=_safe_indexing(self.X, rows), y=self.y[rows], groups=groups)


@dataclass(frozen=True)
class Sides:
    """All parts, and what is known of them."""

    parts: dict[str, Side]
    task: str
    classes: tuple[Any, ...] | None = None
    positive: Any = None
    by_time: bool = False


def sides_of(splits: Any, task: str | None) -> Sides:
    """The parts behind Splits, pairs (X, y), data sets, or a dict of them."""
    if isinstance(splits, Splits):
        splits = {name: part for name, part in zip(("train", "val", "test"), splits) if len(part)}
    if not isinstance(splits, Mapping):
        listed = list(splits) if isinstance(splits, (tuple, list)) else []
        if len(listed) not in (2, 3):
            got = f"{type(splits).__name__}{f' of {len(listed)}' if listed else ''}"
            raise BadInputError(f"`splits` must be Splits, two or three pairs (X, y), or a dict of them. Got {got}. "
                                "Write [(X_train, y_train), (X_val, y_val)].")
        splits = dict(zip(("train", "val", "test"), listed))
    for name in splits:
        if name not in NAMES:
            raise UnknownNameError(f"`splits` must name parts of the data. Got {name!r}. "
                                   + did_you_mean(name, NAMES, noun="Parts"))
    if "train" not in splits or not {"val", "val_train", "val_test"} & set(splits):
        raise BadInputError(f"`splits` must have a training and a validation part. Got {list(splits)}. Add the other one.")
    first = splits["train"]
    parts = {name: side_of(splits[name], name) for name in NAMES if splits.get(name) is not None}
    known = first if isinstance(first, Dataset) else None
    return Sides(parts, task or (known.task if known and known.task else infer_task(pd.Series(parts["train"].y))),
                 known.classes or None if known else None, known.positive if known else None,
                 bool(known and known.roles["time"]))


def side_of(part: Any, name: str) -> Side:
    if isinstance(part, Dataset):
        if part.y is None:
            raise BadInputError(f"`splits` must have a target in every part. Got none in {name!r}. Load the data with target=...")
        groups = None if part.groups is None else part.groups.to_numpy()
        return Side(part.X, _plain(np.asarray(part.y)), groups)
    if not isinstance(part, (tuple, list)) or len(part) != 2:
        raise BadInputError(f"`splits` must hold pairs (X, y) or data sets. Got {type(part).__name__} as {name!r}. Write (X, y).")
    X, y = part[0], np.asarray(part[1])
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    rows = X.shape[0] if hasattr(X, "shape") else len(X)
    if y.ndim != 1 or len(y) != rows or not rows:
        raise BadInputError(f"`splits` must have one value of y for each row of X. Got y of shape {y.shape} for {rows} rows "
                            f"as {name!r}.")
    absent = int(pd.isna(y).sum())
    if absent:
        raise BadInputError(f"`splits` must have no missing values in y. Got {absent} as {name!r}. Leave those rows out.")
    return Side(X, _plain(y))


def _plain(y: np.ndarray) -> np.ndarray:
    """Labels of one type as scikit-learn takes them; labels of several types as text."""
    if y.dtype.kind != "O":
        return y
    values = [value.item() if isinstance(value, np.generic) else value for value in y]
    return np.array(values if len({type(value) for value in values}) == 1 else [str(value) for value in values])


def is_fitted(model: Any) -> bool:
    """Whether a model was fitted; what is no estimator of scikit-learn is taken to be."""
    if not hasattr(model, "fit") or not hasattr(model, "get_params"):
        return True
    try:
        check_is_fitted(model)
    except NotFittedError:
        return False
    except TypeError:
        return True
    return True


def fitted_on(model: Any, side: Side, seed: int) -> Any:
    """A clone fitted on some rows; the model itself stays as it is."""
    fresh = seeded(clone(model, safe=False), seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            done = fresh.fit(side.X, side.y)
        except Exception as error:  # noqa: BLE001 - whatever a model raises becomes one line
            text = " ".join(str(error).split())[:200].rstrip(".")
            raise BadInputError(f"`model` must be one that fits the training part. Got {type(error).__name__}: {text}. "
                                "For tables that are not all numbers put prepare(X) before it.") from None
    return done if hasattr(done, "predict") else fresh


def with_held_out(model: Any, sides: Sides, share: float, seed: int) -> Sides | None:
    """The training part without some random rows (whole groups), which become `val_train`; None when it cannot be done."""
    train = sides.parts["train"]
    if "val_train" in sides.parts or not share or not (hasattr(model, "fit") and hasattr(model, "get_params")):
        return None
    try:
        found = make_folds(train.X, train.y, task=sides.task, cv=max(2, round(1 / share)), groups=train.groups, seed=seed)
    except BadInputError:
        return None
    kept, held = found.pairs[0]
    rest = {name: side for name, side in sides.parts.items() if name != "train"}
    return replace(sides, parts={"train": train.take(np.sort(kept)), "val_train": train.take(np.sort(held)), **rest})


def measured(model: Any, sides: Sides, metric: Metric, *, n_boot: int, seed: int) -> dict[str, Part]:
    """The error of a fitted model on each part where the metric is defined."""
    found = {}
    for number, (name, side) in enumerate(sides.parts.items()):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            said = predict_with(model, side.X, task=sides.task, classes=sides.classes, positive=sides.positive)
            value, low, high = _interval(metric, side, said, n_boot, seed + number)
        if np.isnan(value) and name == "train":
            raise BadInputError(f"`metric` must be defined on the training part. Got {metric.name!r}, which is not on its "
                                f"{side.n} rows. Choose another one, or a larger part.")
        if np.isnan(value):
            continue
        errors = sorted(as_error(metric, bound) for bound in (low, high)) if low == low else [NAN, NAN]
        found[name] = Part(as_error(metric, value), errors[0], errors[1], side.n)
    return found


def _interval(metric: Metric, side: Side, said: Predictions, n_boot: int, seed: int) -> Interval:
    """Bootstrap over rows, or over whole groups where rows belong together."""
    plain = bootstrap_interval(metric, side.y, said, n_boot=n_boot, seed=seed)
    codes = None if side.groups is None else pd.factorize(side.groups)[0]
    if codes is None or metric.function is not None or (codes < 0).all() or np.isnan(plain.value):
        return plain
    codes = np.where(codes < 0, codes.max() + 1 + np.arange(len(codes)), codes)  # a row without a group is one by itself
    codes = np.unique(codes, return_inverse=True)[1]
    rows, count = metric.rows(side.y, said), int(codes.max()) + 1
    if count == len(codes):
        return plain
    scores = _bootstrap.resampled(lambda weights: rows.compute(weights[:, codes[rows.order]]), count, n_boot, seed)
    low, high = _bootstrap.quantiles(scores, count, LEVEL)
    low, high = (np.fmin(low, plain.low), np.fmax(high, plain.high)) if low == low else (NAN, NAN)
    return Interval(plain.value, float(low), float(high))


def alike(parts: Mapping[str, Part], names: Sequence[str]) -> dict[str, Part]:
    """The parts in the order of `names`, those that are there."""
    return {name: parts[name] for name in names if name in parts}
