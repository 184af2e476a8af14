"""The checks of lesson 4. Each tests what must be true of a right attempt, on whatever data is loaded."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..foundation.exercises import exercise
from ..foundation.intervals import wilson
from ..foundation.metrics import Predictions
from .breakdown import ErrorBreakdown
from .search import SearchReport

FAR = 3.0  # absolute errors of numbers beyond so many times the median are errors


@exercise("4.1",
          "Variance is the step from rows that the model was trained on to rows like them that it has not seen.",
          "Which validation rows are like the training rows: those held out from them, or those that come later?",
          "The error on those validation rows minus the error on the training rows; it may be below zero.")
def variance_by_hand(attempt: float, *, report: ErrorBreakdown) -> str | None:
    """The attempt is the step from the training rows to validation rows like them."""
    errors = {part: triple[0] for part, triple in report.errors.items()}
    like = errors.get("val_train", errors.get("val", errors.get("val_test", np.nan)))
    right, given = like - errors["train"], float(attempt)
    if np.isclose(given, right, rtol=.02, atol=1e-9):
        return None
    if np.isclose(given, -right, rtol=.02):
        return f"{given:.3g} has the wrong sign: the error on new rows comes first"
    later = errors.get("val", like) - errors["train"]
    if later != right and np.isclose(given, later, rtol=.02):
        return f"{given:.3g} holds the shift too: some of the validation rows are like the training rows"
    return f"{given:.3g} does not lie between the two errors that are meant"


@exercise("4.2",
          "Read the description of the largest cluster: it is a condition on columns.",
          "A function that takes X and returns one True or False a row, such as where a column equals a value.",
          "def fails(X): return X[column] == value, with the column and the value of the description")
def failing_region(attempt: Callable[[Any], Any], *, X: Any, y: Any, answers: Predictions) -> str | None:
    """Inside of the attempt's region the model errs more often than outside, beyond what luck explains."""
    wrong = _wrong(np.asarray(y), answers)
    mask = np.asarray(attempt(X))
    if mask.dtype != bool or mask.shape != wrong.shape:
        return f"the function must give {len(wrong)} values True or False, one for each row"
    if not mask.any() or mask.all():
        return "a region holds some of the rows, but not all of them"
    inside, outside = wrong[mask], wrong[~mask]
    in_, out = wilson(int(inside.sum()), len(inside)), wilson(int(outside.sum()), len(outside))
    if in_.low > out.high:
        return None
    return (f"inside {in_.value:.0%} ({in_.low:.0%} to {in_.high:.0%}) are errors, elsewhere {out.value:.0%} "
            f"({out.low:.0%} to {out.high:.0%}): luck is not ruled out")


def _wrong(y: np.ndarray, answers: Predictions) -> np.ndarray:
    """Which rows are errors: another label, or a number that is far off."""
    if answers.values is None:
        return np.asarray(answers.labels) != y
    gap = np.abs(np.asarray(answers.values) - y.astype(float))
    return np.asarray(gap > FAR * np.median(gap))


@exercise("4.3",
          "An interval holds a score when the score is neither below its low end nor above its high end.",
          "Compare the columns `low` and `high` of `search.frame` with `search.best_score`; a candidate that failed has neither.",
          "Count the rows with low <= best_score and best_score <= high.")
def inside_the_noise(attempt: int, *, report: SearchReport) -> str | None:
    """The attempt counts the candidates whose interval holds the best score."""
    frame = report.frame
    right = int(((frame["low"] <= report.best_score) & (report.best_score <= frame["high"])).sum())
    given = int(attempt)
    return None if given == right else f"{given} is too {'many' if given > right else 'few'}"
