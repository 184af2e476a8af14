"""The checks of lesson 7. Each tests what must be true of a right attempt, on whatever data is loaded."""

from collections.abc import Callable, Iterable
from typing import Any

import pandas as pd

from ml_lifecycle.foundation.exercises import exercise
from ml_lifecycle.maintenance.decay import Staleness
from ml_lifecycle.maintenance.deprecated import DeprecatedFeatures
from ml_lifecycle.maintenance.features import FeatureValue

@exercise("7.1",
          "A column that is worth nothing alone may be worth something when its stand-in goes too.",
          "The list that was tried all at once is in the report; single values do not tell.",
          "Look at `safe`; when it holds nothing, the right answer is an empty set.")
def what_can_go(attempt: Iterable[str], *, value: FeatureValue) -> str | None:
    """The attempt names all columns that can go together, and no other."""
    given = {attempt} if isinstance(attempt, str) else set(map(str, attempt or ()))
    verdicts = dict(zip(value.frame["feature"].map(str), value.frame["verdict"]))
    unknown = given - set(verdicts)
    if unknown:
        return f"{sorted(unknown)} are not in the table"
    wrong = sorted(name for name in given if name not in value.safe)
    if wrong:
        why = "is shown to be useful" if verdicts[wrong[0]] == "keep" else "cannot be told to go together with the others"
        return f"{wrong[0]!r} {why}"
    missing = len(set(value.safe) - given)
    return f"{missing} more can go" if missing else None


@exercise("7.2",
          "The report says how long it takes to lose what matters. Does it say so here at all?",
          "The loss grows in proportion to age: twice the loss takes twice the time.",
          "`retrain_every` holds (time, low, high), or None when the evidence does not say.")
def twice_the_loss(attempt: float | None, *, stale: Staleness) -> str | None:
    """The attempt is the age at which twice what matters is lost; None where the evidence cannot say."""
    if stale.retrain_every is None:
        return None if attempt is None else "the evidence does not say that anything is lost with age, so no age can be given"
    if attempt is None:
        return "the evidence does give an age here"
    wanted = 2 * stale.retrain_every[0]
    if abs(float(attempt) - wanted) <= 0.05 * wanted:
        return None
    return f"at that age {'less' if float(attempt) < wanted else 'more'} than twice what matters is lost"


@exercise("7.3",
          "A guard must do two things: let a clean table pass, and stop every table with a column that is out.",
          "The list of what is out has a method for this. What does it raise, and what does it give back?",
          "def guard(frame): hand the frame to the list's check")
def the_guard(attempt: Callable[[pd.DataFrame], Any], *, out: DeprecatedFeatures, frame: pd.DataFrame) -> str | None:
    """The attempt lets a table without deprecated columns pass, and stops every one with such a column."""
    clean = frame.drop(columns=[name for name in frame.columns if str(name) in out.names])
    try:
        attempt(clean)
    except Exception as error:  # noqa: BLE001 - whatever it raises, it raised without a reason
        return f"a table without any column that is out was stopped: {type(error).__name__}"
    for name in out.names:
        try:
            attempt(clean.assign(**{name: 0}))
        except Exception:  # noqa: BLE001, S112 - stopped, as it should be
            continue
        return f"a table with {name!r}, which is out, got through"
    return None
