"""Whether the estimators that a person brings tell that many whole numbers are classes."""

import warnings
from collections.abc import Mapping
from typing import Any

import pandas as pd
from sklearn.base import is_classifier

def whole(column: Any) -> bool:
    """Whether all values are whole numbers."""
    values = pd.Series(column).infer_objects()
    return bool(pd.api.types.is_numeric_dtype(values.dtype) and (values == values.round()).all())


def for_classes(models: Any) -> bool:
    """Whether estimators are handed in, and all of them are classifiers; names and functions tell nothing."""
    given = list(models.values()) if isinstance(models, Mapping) else models if isinstance(models, (list, tuple)) else [models]
    given = [item[1] if isinstance(item, (tuple, list)) and len(item) == 2 else item for item in given]
    estimators = [model for model in given if hasattr(model, "fit") and not isinstance(model, type)]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return bool(estimators) and all(is_classifier(model) for model in estimators)
    except Exception:  # noqa: BLE001 - a model without tags tells nothing
        return False
