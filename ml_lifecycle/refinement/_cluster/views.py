"""In which columns errors are searched, and in which words a cluster is told: they differ for images and embeddings."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ml_lifecycle.exploration._columns import as_table, row_shape
from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.dataset import Dataset
from ml_lifecycle.foundation.errors import BadInputError, one_of
from ml_lifecycle.refinement._cluster.hidden import last_hidden
from ml_lifecycle.refinement._cluster.space import Feature, category, features_of, number
from ml_lifecycle.refinement._loss_answers import Answers

WIDEST = 40  # columns of an embedding from which its main directions are searched instead
DIRECTIONS = 20  # of those
COLOURS = ("red", "green", "blue")


@dataclass(frozen=True)
class View:
    """Columns to search in, and columns to describe with."""

    searched: list[Feature]
    told: list[Feature] | None  # None: those in which the errors were found

    @property
    def words_tell(self) -> bool:
        """Whether the columns are a person's own, so that conditions on them say what is meant."""
        return self.told is None


@dataclass(frozen=True)
class Given:
    """What to search in, checked and not yet turned into columns."""

    table: pd.DataFrame
    own: bool  # columns of X: they describe as well
    images: np.ndarray | None = None  # of shape (n, height, width, channels)


def given(answers: Answers, X: Any, features: Any, model: Any) -> Given:
    """What `X`, `features` and `model` say to search in; raises BadInputError or UnknownNameError."""
    shape = () if isinstance(X, Dataset) else row_shape(X)
    images = pixels(X, answers.table)
    if model is not None:
        if features is not None:
            raise BadInputError("`features` must be None where `model` gives them. Got both. Leave one of them out.")
        return Given(pd.DataFrame(last_hidden(model, X.X if isinstance(X, Dataset) else X)), False, images)
    if features is None:
        return Given(answers.table, not shape, images)
    if _named(features):
        names = [features] if isinstance(features, str) else list(features)
        for name in names:
            one_of(name, answers.table.columns, "features", noun="Columns")
        return Given(answers.table[list(dict.fromkeys(names))], True, images)
    if np.ndim(features) < 2 or np.shape(features)[0] != len(answers):
        raise BadInputError(f"`features` must be names of columns, or a table of one row for each of the {len(answers):,} rows. "
                            f"Got shape {shown(np.shape(features))}.")
    found = as_table(features, "features")
    table = pd.DataFrame(found.toarray() if hasattr(found, "toarray") else found).set_axis(answers.table.index, axis=0)
    return Given(table, isinstance(features, pd.DataFrame), images)


def _named(features: Any) -> bool:
    return isinstance(features, str) or (isinstance(features, (list, tuple)) and np.ndim(features) == 1 and len(features) > 0
                                         and all(pd.api.types.is_hashable(name) for name in features))


def view_of(source: Given, answers: Answers, rows: np.ndarray, seed: int) -> View:
    """The columns of all rows; scales, words and directions are those of `rows`."""
    if source.own:
        return View(features_of(source.table, rows, seed), None)
    searched = _directions(source.table, rows, seed) if source.table.shape[1] > WIDEST else features_of(source.table, rows, seed)
    told = _looks(source.images, rows) if source.images is not None else \
        features_of(answers.table, rows, seed) if source.table is not answers.table else []
    if answers.task == "classification" and len(set(answers.y)) > 2:
        told = [*told, category("truth", pd.Series(answers.y, dtype=object))]
    return View(searched, told or searched)


def _directions(table: pd.DataFrame, rows: np.ndarray, seed: int) -> list[Feature]:
    """Principal directions of many columns of numbers."""
    from sklearn.decomposition import PCA

    values = np.nan_to_num(table.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float), posinf=0.0, neginf=0.0)
    many = min(DIRECTIONS, values.shape[1], len(rows) - 1)
    fitted = PCA(many, svd_solver="randomized", random_state=seed).fit(values[rows])
    kept = fitted.explained_variance_ > 1e-12 * max(float(fitted.explained_variance_.sum()), 1e-300)
    flat = fitted.transform(values)
    return [number(f"direction {i + 1}", flat[:, i], rows) for i in np.flatnonzero(kept)]


def pixels(X: Any, table: pd.DataFrame) -> np.ndarray | None:
    """Rows as (height, width, channels), whichever place the channels have; None where rows are no images."""
    shape = () if isinstance(X, Dataset) else row_shape(X)
    if len(shape) not in (2, 3):
        return None
    values = table.to_numpy(dtype=float).reshape(len(table), *shape)
    if len(shape) == 2:
        return values[..., None]
    return np.moveaxis(values, 1, -1) if shape[0] <= 4 < shape[-1] else values


def _looks(images: np.ndarray, rows: np.ndarray) -> list[Feature]:
    """What a person sees of images: how bright, how detailed, and where."""
    grey = images.mean(axis=-1)
    light = grey - grey.min(axis=(1, 2), keepdims=True)
    total = np.maximum(light.sum(axis=(1, 2)), 1e-12)
    steps = [np.abs(np.diff(grey, axis=axis)).mean(axis=(1, 2)) for axis in (1, 2) if grey.shape[axis] > 1]
    looks = {
        "brightness": grey.mean(axis=(1, 2)),
        "contrast": grey.std(axis=(1, 2)),
        "detail": np.sum(steps, axis=0) if steps else np.zeros(len(grey)),
        "middle from the left": light.sum(axis=1) @ np.linspace(0, 1, grey.shape[2]) / total,
        "middle from the top": light.sum(axis=2) @ np.linspace(0, 1, grey.shape[1]) / total,
    }
    if images.shape[-1] == len(COLOURS):
        looks |= {f"share of {name}": images[..., i].mean(axis=(1, 2)) / np.maximum(images.mean(axis=(1, 2, 3)) * 3, 1e-12)
                  for i, name in enumerate(COLOURS)}
    return [number(name, values, rows) for name, values in looks.items() if np.ptp(values) > 0]
