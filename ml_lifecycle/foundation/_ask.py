"""Asking a model for predictions, and saying in one line what went wrong when it raises instead."""

import contextlib
from collections.abc import Iterator
from typing import Any

from ml_lifecycle.foundation.errors import BadInputError, LifecycleError

LONGEST = 300  # letters of what a model says about its failure


@contextlib.contextmanager
def plainly() -> Iterator[None]:
    """Whatever a model raises inside becomes one BadInputError, with the exception as its cause."""
    from sklearn.exceptions import NotFittedError

    try:
        yield
    except (LifecycleError, NotFittedError):
        raise
    except Exception as error:  # noqa: BLE001 - a model may raise anything
        said = " ".join(str(error).split())
        said = said if len(said) <= LONGEST else said[:LONGEST - 1] + "…"
        raise BadInputError(f"`model` must predict on `X`. Got {type(error).__name__}: {said.rstrip('.') or 'no message'}. "
                            "Pass the columns that it was fitted on, in the same form.") from error


def ask(model: Any, method: str, X: Any) -> Any:
    """What `method` of the model says about `X`; raises BadInputError when the model is not fitted."""
    from sklearn.exceptions import NotFittedError

    try:
        return getattr(model, method)(X)
    except NotFittedError as error:
        raise BadInputError(f"`model` must be fitted. Got {type(model).__name__} that is not: {error} "
                            "Call model.fit(X_train, y_train) first.") from None


def check(model: Any) -> None:
    """Raise unless `model` is an object with `predict`."""
    if isinstance(model, type):
        raise BadInputError(f"`model` must be a fitted model. Got the class {model.__name__}. "
                            f"Make one and fit it: {model.__name__}().fit(X_train, y_train).")
    if not hasattr(model, "predict"):
        raise BadInputError(f"`model` must have a method `predict`. Got {type(model).__name__}.")
