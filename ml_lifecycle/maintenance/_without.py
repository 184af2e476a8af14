"""A model and its table without some columns: really left out where that is safe, else held at one value or shuffled."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer

from ml_lifecycle.exploration._text import Words
from ml_lifecycle.exploration.pipelines import Columns

_PLACES = ("categorical_features", "monotonic_cst", "interaction_cst", "cat_features", "categorical_feature",
           "monotone_constraints", "feature_weights")  # parameters that name columns by their place
_OURS = ("sklearn.", "ml_lifecycle.")


def names_of(X: Any) -> list[Any]:
    """The names of the columns; positions where there are none."""
    return list(X.columns) if isinstance(X, pd.DataFrame) else list(range(X.shape[1]))


def parts_of(model: Any) -> list[Any]:
    """The model and every estimator inside it."""
    inside = model.get_params(deep=True).values() if hasattr(model, "get_params") and not isinstance(model, type) else ()
    return [model, *(part for part in inside if hasattr(part, "get_params") and not isinstance(part, type))]


def can_leave_out(model: Any) -> bool:
    """Whether columns can be taken from the table without the model mistaking another one for them.

    Pipelines of `prepare` are made again for fewer columns, and a plain estimator takes what it gets. What names columns by
    name or place (a ColumnTransformer, a function, a list of categorical columns), or what is not known, does not.
    """
    parts = parts_of(model)
    if any(_knows_places(part) for part in parts):
        return False
    strangers = [part for part in parts[1:] if not type(part).__module__.startswith(_OURS)]
    last = getattr(model, "steps", [(None, None)])[-1][1]
    return all(part is last for part in strangers)


def _knows_places(part: Any) -> bool:
    if isinstance(part, (ColumnTransformer, FunctionTransformer)):
        return True
    params = part.get_params(deep=False) if hasattr(part, "get_params") else {}
    return any(params.get(name) is not None and not isinstance(params[name], str) for name in _PLACES)


def model_without(model: Any, gone: set[Any]) -> Any:
    """An unfitted copy whose columns do not name what is gone; None when it would have nothing left to look at."""
    if isinstance(model, Words):
        return None if model.column in gone else clone(model)
    if isinstance(model, Columns):
        return _columns_without(model, gone)
    if isinstance(model, FeatureUnion):
        kept = [(name, model_without(part, gone)) for name, part in model.transformer_list]
        kept = [(name, part) for name, part in kept if part is not None]
        return clone(model).set_params(transformer_list=kept) if kept else None
    if isinstance(model, Pipeline):
        steps = [(name, model_without(part, gone)) for name, part in model.steps]
        return None if any(part is None for _, part in steps) else clone(model).set_params(steps=steps)
    if not hasattr(model, "get_params") or isinstance(model, type):
        return model
    inside = {name: part for name, part in model.get_params(deep=False).items() if isinstance(part, (Pipeline, Columns))}
    changed = {name: model_without(part, gone) for name, part in inside.items()}
    if any(part is None for part in changed.values()):
        return None
    copy = clone(model, safe=False)
    return copy.set_params(**changed) if changed else copy


def _columns_without(columns: Columns, gone: set[Any]) -> Any:
    if columns.number is None:
        return clone(columns)
    kinds = {kind: tuple(name for name in getattr(columns, kind) if name not in gone) for kind in ("number", "category", "date")}
    return clone(columns).set_params(**kinds) if any(kinds.values()) else None


def table_without(X: Any, gone: Sequence[Any]) -> Any:
    """The table without some columns."""
    if isinstance(X, pd.DataFrame):
        return X[[name for name in X.columns if name not in set(gone)]]
    return X[:, [place for place in range(X.shape[1]) if place not in set(gone)]]


def held_constant(X: Any, names: Iterable[Any]) -> Any:
    """The table with some columns at one of their own values everywhere: nothing can be learned from them."""
    return _changed(X, names, _one_value)


def shuffled(X: Any, names: Iterable[Any], rng: np.random.Generator) -> Any:
    """The table with some columns shuffled, all of them in the same way."""
    order = rng.permutation(X.shape[0])
    return _changed(X, names, lambda column: order)


def _changed(X: Any, names: Iterable[Any], rows_of: Any) -> Any:
    """The table with other rows' values in some columns; types stay as they are."""
    if isinstance(X, pd.DataFrame):
        copy = X.copy(deep=False)
        for name in names:
            column = X[name]
            copy[name] = column.take(rows_of(column)).set_axis(X.index)
        return copy
    if sparse.issparse(X):
        table = X.tocsc()
        columns = [table[:, [place]] for place in range(X.shape[1])]
        for place in names:
            columns[place] = columns[place][rows_of(columns[place].toarray().ravel())]
        return sparse.hstack(columns).tocsr()
    array = np.array(X)
    for place in names:
        array[:, place] = X[:, place][rows_of(X[:, place])]
    return array


def _one_value(column: Any) -> np.ndarray:
    """Row numbers that all stand for one value: the middle one of numbers, else the most frequent one."""
    values = pd.Series(np.asarray(column) if not isinstance(column, pd.Series) else column.array)
    known = np.flatnonzero(values.notna())
    if not len(known):
        return np.zeros(len(values), dtype=int)
    kept = values.iloc[known]
    if pd.api.types.is_numeric_dtype(kept.dtype) and not pd.api.types.is_bool_dtype(kept.dtype):
        place = known[np.argsort(kept.to_numpy(dtype=float), kind="stable")[len(known) // 2]]
    else:
        codes = pd.factorize(kept.astype(str))[0]
        place = known[np.flatnonzero(codes == np.bincount(codes).argmax())[0]]
    return np.full(len(values), place)
