"""Folds in which every row is predicted by a model that has not seen it, its group, or its future."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from ml_lifecycle.foundation.dataset import Dataset
from ml_lifecycle.foundation.errors import BadInputError
from ml_lifecycle.foundation.metrics import predict_with

Array = NDArray[Any]
Pair = tuple[Array, Array]


def make_pairs(data: Dataset, folds: int, seed: int) -> list[Pair]:
    """Positions to train on and to predict: forward in time, whole groups, else by class."""
    groups = None if data.groups is None else pd.factorize(data.groups)[0]
    if data.time is not None and data.time.nunique() > 1:
        return _forward(data, folds, groups)
    if groups is not None and groups.max() < 1:  # one group: its rows cannot be kept apart
        groups = None
    known = np.arange(len(data)) if groups is None else np.flatnonzero(groups >= 0)
    codes = pd.factorize(data.y)[0] if data.task == "classification" else None
    count = folds if groups is None else min(folds, len(np.unique(groups[known])))
    rows = known if groups is None else groups[known]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class rarer than the folds: its rows are predicted all the same
        if groups is None:
            splitter: Any = KFold if codes is None else StratifiedKFold
            found = splitter(min(count, len(known)), shuffle=True, random_state=seed).split(known, codes)
        elif codes is None:
            found = GroupKFold(count).split(known, groups=rows)
        else:
            found = StratifiedGroupKFold(count, shuffle=True, random_state=seed).split(known, codes[known], groups=rows)
        return [(known[train], known[test]) for train, test in found]


def _forward(data: Dataset, folds: int, groups: Array | None) -> list[Pair]:
    """Blocks of whole times; each is predicted from those before it, the first one not at all."""
    assert data.time is not None
    places = pd.factorize(data.time, sort=True)[0]
    known = places >= 0
    ranks = pd.Series(places[known]).rank(method="min", pct=True).to_numpy()
    block = np.full(len(places), -1)
    block[known] = np.minimum((ranks * (folds + 1) - 1e-9).astype(int), folds)
    pairs = []
    for i in range(1, folds + 1):
        train, test = np.flatnonzero((block >= 0) & (block < i)), np.flatnonzero(block == i)
        if groups is not None:
            test = test[~np.isin(groups[test], groups[train]) & (groups[test] >= 0)]
        if len(train) and len(test):
            pairs.append((train, test))
    return pairs


def predict_unseen(model: Any, data: Dataset, pairs: list[Pair], n_jobs: int | None) -> Array:
    """Probabilities (rows, classes), or values (rows,), of each row; nan where no model may predict it."""
    y = data.y
    assert y is not None
    jobs = [(train, test) for train, test in pairs if data.task == "regression" or y.iloc[train].nunique() > 1]
    said = Parallel(n_jobs=n_jobs)(delayed(_one)(model, data, train, test) for train, test in jobs)
    table = np.full((len(data), len(data.classes)) if data.task == "classification" else len(data), np.nan)
    for (_, test), predicted in zip(jobs, said):
        table[test] = predicted
    return table


def _one(model: Any, data: Dataset, train: Array, test: Array) -> Array:
    X, y = data.X, data.y
    assert y is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a model warns of while it learns is the matter of step 3
        fitted = clone(model).fit(X.iloc[train], y.iloc[train])
        said = predict_with(fitted, X.iloc[test], task=str(data.task), classes=data.classes or None, positive=data.positive)
    if data.task == "regression":
        return np.asarray(said.values)
    if said.proba is None:
        raise BadInputError(f"`model` must give probabilities. Got {type(model).__name__}, which has no predict_proba. "
                            "Calibrate it with sklearn's CalibratedClassifierCV.")
    return np.asarray(said.proba)
