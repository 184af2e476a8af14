"""Predictions and scores of one fitted model, each asked for once."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ml_lifecycle.foundation.errors import BadInputError
from ml_lifecycle.foundation.metrics import METRICS, Metric, Predictions, predict_with

@dataclass(frozen=True)
class Judge:
    """What predictions are compared by; labels are compared as places in `classes`, which is faster than as words."""

    task: str
    metric: Metric
    classes: tuple[Any, ...] = ()
    positive: Any = None

    @cached_property
    def labels(self) -> np.ndarray:
        """The classes as an array, ascending."""
        return np.array(self.classes)

    @property
    def plain(self) -> bool:
        """Whether the labels themselves are needed: by a metric of the person's own."""
        return self.metric.function is not None

    def truth(self, y: np.ndarray) -> np.ndarray:
        """The target in the form in which it is compared."""
        if self.task == "regression" or self.plain:
            return y
        return np.searchsorted(self.labels, y)

    def ask(self, model: Any, X: Any) -> Predictions:
        """What a model says about `X`, by one call of the method that the metric is computed from."""
        if self.task == "regression":
            return _finite(predict_with(model, X, task=self.task))
        if self.plain:
            return _finite(predict_with(model, X, task=self.task, classes=self.classes, positive=self.positive))
        if self.metric.needs == "labels":
            return self._said(self._places(np.asarray(model.predict(X))))
        found = self._columns(model, X)
        return _finite(self._coded(model, X) if found is None else found)

    def _said(self, codes: np.ndarray, **more: Any) -> Predictions:
        positive = self.classes.index(self.positive) if self.positive is not None else None
        return Predictions(labels=codes, classes=tuple(range(len(self.classes))), positive=positive, **more)

    def _places(self, said: np.ndarray) -> np.ndarray:
        """Labels as places in `classes`; raises ValueError for a label that is none of them."""
        said = said[:, 0] if said.ndim == 2 and said.shape[1] == 1 else said
        if said.ndim != 1:
            raise ValueError(f"gave predictions of shape {said.shape}, not one label a row")
        if said.dtype.kind == self.labels.dtype.kind or {said.dtype.kind, self.labels.dtype.kind} <= set("biuf"):
            codes = np.minimum(np.searchsorted(self.labels, said), len(self.labels) - 1)
            strange = self.labels[codes] != said
        else:
            place = {label: i for i, label in enumerate(self.classes)}
            codes = np.array([place.get(label, -1) for label in said.tolist()])
            strange = codes < 0
        if strange.any():
            first = said[strange][:1].tolist()[0]
            raise ValueError(f"gave {first!r:.40}, which is none of the classes {list(self.classes)[:5]}")
        return codes

    def _columns(self, model: Any, X: Any) -> Predictions | None:
        """Probabilities or scores of each class by one call; None when the model does not say which column is which."""
        own = getattr(model, "classes_", None)
        if not isinstance(own, np.ndarray) or own.ndim != 1 or len(own) < 2:
            return None
        method = "predict_proba" if hasattr(model, "predict_proba") else "decision_function"
        table = np.asarray(getattr(model, method)(X), dtype=float)
        if table.ndim == 1 and len(own) == 2:
            table = np.column_stack([-table, table] if method == "decision_function" else [1 - table, table])
        if table.ndim != 2 or table.shape[1] != len(own):
            return None
        proba = method == "predict_proba"
        full = np.full((len(table), len(self.classes)), 0.0 if proba else -np.inf)
        full[:, self._places(own)] = table
        return self._said(full.argmax(axis=1), **({"proba": full} if proba else {"scores": full}))

    def _coded(self, model: Any, X: Any) -> Predictions:
        said = predict_with(model, X, task=self.task, classes=self.classes, positive=self.positive)
        if said.classes is not None and len(said.classes) > len(self.classes):
            raise ValueError(f"knows {said.classes[-1]!r:.40}, which is none of the classes {list(self.classes)[:5]}")
        return self._said(self._places(np.asarray(said.labels)), proba=said.proba, scores=said.scores)

    def score(self, truth: np.ndarray, said: Predictions) -> float:
        """The metric; nan when it is undefined on these rows."""
        return float(self.metric.score(truth, said))


def _finite(said: Predictions) -> Predictions:
    for part in (said.values, said.proba):
        if part is not None and not np.isfinite(part).all():
            raise ValueError(f"{int((~np.isfinite(part)).sum())} predictions are missing or infinite")
    return said


def check_methods(name: str, model: Any, metric: Metric) -> None:
    """Raise unless an unfitted model has the method that the metric is computed from."""
    if metric.needs != "scores" or metric.function is not None or hasattr(model, "predict_proba"):
        return
    if hasattr(model, "decision_function") and not metric.probabilities:
        return
    what = "`predict_proba`" if metric.probabilities else "`predict_proba` or `decision_function`"
    others = ", ".join(m.name for m in METRICS.values() if m.needs == "labels")
    raise BadInputError(f"`metric` must be one that every model gives enough for. Got {metric.name!r}, and {name} without "
                        f"{what}. Choose one of {others}, or put the model into sklearn's CalibratedClassifierCV.")
