"""The checks of lesson 5. Each tests what must be true of a right attempt, on whatever data is loaded."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from ml_lifecycle.evaluation.model_tests import ModelTests
from ml_lifecycle.evaluation.shift import ShiftReport
from ml_lifecycle.foundation.exercises import exercise

@exercise("5.1",
          "Two numbers decide: is it more than chance, and is it enough to matter?",
          "Look at `p_corrected` and at `effect`; both have a limit, `report.alpha` and `report.min_effect`.",
          "The names of the compared rows with p_corrected below alpha and an effect of at least min_effect; none is an answer.")
def what_has_shifted(attempt: Iterable[str], *, report: ShiftReport) -> str | None:
    """The attempt names the columns that changed beyond chance, by enough."""
    given, frame = set(attempt), report.frame.set_index("feature")
    unknown = given - set(frame.index)
    if unknown:
        return f"{sorted(map(str, unknown))} are not in the report"
    right = set(frame.index[frame["shifted"].map(lambda shifted: shifted is True)])
    missing, extra = len(right - given), len(given - right)
    return f"{missing} missing, {extra} too many" if missing or extra else None


@exercise("5.2",
          "A model that always answers the same must fail it: the scenario needs rows with different answers.",
          "Find rows that the model is surest of, in both directions. Would you bet on them, too?",
          "In a classification, two rows with two labels; for numbers, a function that asks whether one answer is above another.")
def a_scenario_that_tells(attempt: Any, *, tests: ModelTests, X: pd.DataFrame, y: Any) -> str | None:
    """The attempt (rows, expectation) holds for the model, and for no constant answer."""
    rows, expect = attempt
    task = tests._subject.task
    tried = ModelTests(tests._subject.model, X, y, task=task)
    told = tried.scenario("attempt", rows, expect)
    if told.passed is not True:
        return f"the model does not pass it: {told.frame.loc[0, 'message']}"
    answers = pd.Series(y).unique()[:50] if task == "classification" else [float(np.mean(np.asarray(y, dtype=float)))]
    for answer in answers:
        constant = ModelTests(_Always(answer), X, y, task=task)
        if constant.scenario("attempt", rows, expect).passed:
            return f"a model that always answers {answer!r} passes it, too"
    return None


class _Always:
    """One answer for every row."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def predict(self, X: Any) -> np.ndarray:
        """The same for every row."""
        return np.array([self.answer] * len(X))


@exercise("5.3",
          "Which bar stands out, and would a season do that?",
          "Compare a few values of that column before and after.",
          "The first row of the report on the planted change.")
def the_planted_change(attempt: str, *, honest: pd.DataFrame, changed: pd.DataFrame) -> str | None:
    """The attempt names the column without which nothing was changed."""
    if attempt not in changed.columns:
        return f"{attempt!r} is not a column of the data"
    same = honest.drop(columns=attempt).equals(changed.drop(columns=attempt))
    return None if same else f"without {attempt!r} the rows still differ"
