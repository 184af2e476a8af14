"""The metrics of regression, each for many weightings of the same rows at once."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ml_lifecycle.foundation._scores import Array, Rows, lexical, mean_loss, one_column, ratio, same_length
from ml_lifecycle.foundation.errors import BadInputError

if TYPE_CHECKING:
    from ml_lifecycle.foundation.metrics import Predictions


def valued(y: Any, predictions: "Predictions") -> tuple[Array, Array]:
    """(true values, predicted values) as floats; raises when they cannot be numbers."""
    if predictions.values is None:
        raise BadInputError("`predictions` must hold values for a metric of regression. Got labels of a classification.")
    try:
        truth = np.asarray(one_column(y, "y"), dtype=float)
    except (TypeError, ValueError):
        raise BadInputError("`y` must hold numbers for a metric of regression. Got text. Did you mean "
                            "task='classification'?") from None
    if not np.isfinite(truth).all():
        raise BadInputError(f"`y` must hold finite numbers. Got {int((~np.isfinite(truth)).sum())} of {len(truth)} rows "
                            "that are missing or infinite. Leave those rows out.")
    said = np.asarray(one_column(predictions.values, "predictions.values"), dtype=float)
    same_length(len(truth), len(said))
    return truth, said


def continuous(values: Any) -> float | None:
    """A number with a fraction among `values`, which no label has; None when there is none."""
    column = pd.Series(one_column(values, "y")).infer_objects()
    if not pd.api.types.is_float_dtype(column.dtype):
        return None
    found = column.to_numpy(dtype=float, na_value=np.nan)
    found = found[np.isfinite(found) & (found != np.round(found))]
    return float(found[0]) if len(found) else None


def numbers(said: Any) -> Array:
    """What a model of regression predicts, as floats; raises when it is no numbers."""
    try:
        return np.asarray(said, dtype=float)
    except (TypeError, ValueError):
        strange = next((v for v in said.tolist() if isinstance(v, str)), said.ravel()[0])
        raise BadInputError(f"`model` must predict numbers in regression. Got {strange!r}. Did you mean "
                            "task='classification', or a metric of classification?") from None


def _typical(values: Array) -> float:
    return float(values.mean()) if len(values) else float("nan")


@np.errstate(all="ignore")
def mae(y: Any, predictions: "Predictions") -> Rows:
    """Mean absolute error."""
    truth, said = valued(y, predictions)
    return mean_loss(np.abs(truth - said), _typical(np.abs(truth - np.median(truth))) if len(truth) else np.nan)


@np.errstate(all="ignore")
def rmse(y: Any, predictions: "Predictions") -> Rows:
    """Root of the mean squared error."""
    truth, said = valued(y, predictions)
    return mean_loss((truth - said) ** 2, float(truth.std()) if len(truth) else np.nan, root=2)


@np.errstate(all="ignore")
def mape(y: Any, predictions: "Predictions") -> Rows:
    """Mean of |error| / |true value|; nan as soon as a true value is 0."""
    truth, said = valued(y, predictions)
    size = np.where(truth == 0, np.nan, np.abs(truth))
    typical = _typical(np.abs(truth - np.median(truth)) / size) if len(truth) else np.nan
    return mean_loss(np.abs(truth - said) / size, typical)


def median_ae(y: Any, predictions: "Predictions") -> Rows:
    """Median absolute error."""
    truth, said = valued(y, predictions)
    loss = np.abs(truth - said)
    order = lexical(loss)
    sorted_loss = loss[order]

    def compute(weights: Array) -> Array:
        reached = np.cumsum(weights, axis=1)
        half = reached[:, -1:] / 2
        near = 1e-12 * half
        low, high = (reached >= half - near).argmax(1), (reached > half + near).argmax(1)
        return (sorted_loss[low] + sorted_loss[high]) / 2

    return Rows(order, compute, support=len(loss))


@np.errstate(all="ignore")
def r2(y: Any, predictions: "Predictions") -> Rows:
    """1 - squared error / squared deviation from the mean; nan when the true values do not vary."""
    truth, said = valued(y, predictions)
    order = lexical(truth, said)
    centre = truth[order] - _typical(truth)  # a shift leaves the deviations as they are and keeps them exact
    loss = (truth - said)[order] ** 2

    @np.errstate(all="ignore")
    def compute(weights: Array) -> Array:
        total = weights.sum(1)
        deviation = weights @ centre**2 - (weights @ centre) ** 2 / np.maximum(total, np.finfo(float).tiny)
        floor = 1e-13 * (weights @ centre**2)
        value = np.where(deviation > floor, 1 - ratio(weights @ loss, np.maximum(deviation, floor)), np.nan)
        return np.where(np.isfinite(value), value, np.nan)

    return Rows(order, compute, support=len(loss), worst=0.0)
