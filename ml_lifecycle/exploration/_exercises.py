"""The checks of lesson 3. Each tests what must be true of a right attempt, on whatever data is loaded."""

from collections.abc import Callable, Iterable
from typing import Any

from ..foundation.dataset import Dataset
from ..foundation.exercises import exercise
from ..foundation.metrics import Metric
from .baselines import BaselineReport, baselines

@exercise("3.1",
          "A score is a range, not a point.",
          "Compare the `high` end (or the `low` end when lower is better) of each row with the best row's score.",
          "Every name whose interval, from low to high, contains the best row's score; the best is one of them.")
def inside_the_noise(attempt: Iterable[str], *, report: BaselineReport) -> str | None:
    """The attempt names every row whose interval contains the best score."""
    given, frame = set(attempt), report.frame.set_index("name")
    unknown = given - set(frame.index)
    if unknown:
        return f"{sorted(unknown)} are not in the table"
    top = frame.loc[report.best, "score"]
    inside = {str(name) for name, row in frame.iterrows() if row["low"] <= top <= row["high"]} | {report.best}
    missing, extra = len(inside - given), len(given - inside)
    return f"{missing} missing, {extra} too many" if missing or extra else None


@exercise("3.2",
          "What would you look at if you had to guess without a computer? The whole interval has to be better.",
          "Take one column of X, and turn it into a number that is higher where the answer is more likely.",
          "def rule(X): return a column, or where a column exceeds a value, one number per row")
def useful_rule(attempt: Callable[..., Any], *, data: Dataset, metric: Metric) -> str | None:
    """The attempt's rule scores better than the best constant answer."""
    report = baselines(data, metric=metric.name, models=(), heuristics={"attempt": attempt})
    frame = report.frame.set_index("name")
    low, high, score = frame.loc["attempt", ["low", "high", "score"]].astype(float)
    if score != score:
        return "the rule gives no usable answer: it must return one value per row"
    fixed = frame.loc[(frame["kind"] == "trivial") & (frame.index != "stratified"), "score"].astype(float)
    constant = fixed.max() if metric.greater_is_better else fixed.min()
    if (low > constant) if metric.greater_is_better else (high < constant):
        return None
    return f"the rule scores {score:.3g} ({low:.3g} to {high:.3g}), a constant answer {constant:.3g}: luck is not ruled out"


@exercise("3.3",
          "The score jumped. Which column was not there before?",
          "Which single column predicts the target almost by itself? Would you know it at the time of the prediction?",
          "Compare the columns of the two data sets.")
def the_leak(attempt: str, *, honest: Dataset, leaky: Dataset) -> str | None:
    """The attempt names a column without which the data are the honest ones again."""
    if attempt not in leaky.X.columns:
        return f"{attempt!r} is not a column of the data"
    rest = [column for column in leaky.X.columns if column != attempt]
    return None if set(rest) == set(honest.X.columns) else f"without {attempt!r} the jump is still there"
