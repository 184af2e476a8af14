"""The checks of lesson 3. Each tests what must be true of a right attempt, on whatever data is loaded."""

from collections.abc import Callable, Iterable
from typing import Any

from ml_lifecycle.exploration.baselines import BaselineReport, baselines
from ml_lifecycle.exploration.learning import LearningCurve
from ml_lifecycle.exploration.overfit import OverfitReport, overfit_batch
from ml_lifecycle.exploration.published import reproduce
from ml_lifecycle.foundation.dataset import Dataset
from ml_lifecycle.foundation.exercises import exercise
from ml_lifecycle.foundation.metrics import Metric

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


@exercise("3.4",
          "Findings that stand in the way have the severity \"issue\".",
          "One bug is in how the network ends, the other in how it is trained.",
          "The codes of all findings of `probe` whose severity is \"issue\".")
def silent_bugs(attempt: Iterable[str], *, probe: OverfitReport) -> str | None:
    """The attempt names the codes of everything that stands in the way."""
    wrong = {finding.code for finding in probe.findings if finding.severity == "issue"}
    given = {attempt} if isinstance(attempt, str) else set(attempt)
    missing, extra = len(wrong - given), len(given - wrong)
    return f"{missing} missing, {extra} too many" if missing or extra else None


@exercise("3.5",
          "Two lines: one too many, one too few. And a convolution wants a channel: rows, channels, values.",
          "Which loss takes scores, and which one probabilities? What do gradients do between two calls of backward?",
          "nn.Unflatten(1, (1, 40)), then Conv1d and ReLU, Flatten, and a Linear at the end; a step that begins with "
          "optimizer.zero_grad().")
def mended_network(attempt: tuple[Callable[..., Any], Callable[..., Any]], *, batch: Any) -> str | None:
    """The attempt's network has a convolution over signals, and its step makes it learn a batch of them by heart."""
    import torch

    make, step = attempt
    network = make()
    if not any(isinstance(layer, torch.nn.Conv1d) for layer in network.modules()):
        return "there is no Conv1d in the network"
    probe = overfit_batch(network, batch, torch.nn.CrossEntropyLoss(), train_step=step,
                          optimizer=torch.optim.Adam(network.parameters(), lr=0.01))
    return None if probe.passed else probe.answer


@exercise("3.6",
          "`curve.extrapolate(n, model)` tells what to expect of n rows.",
          "Compare it with what the model reaches with the rows that there are.",
          "The difference between twice the most rows and the most rows, for each model; the largest one counts.")
def gains_most(attempt: str, *, curve: LearningCurve) -> str | None:
    """The attempt is the model whose expected score gains most from twice the rows, or gains as much to the last digit shown."""
    sign, most = 1 if curve.greater_is_better else -1, max(curve.sizes)
    if attempt not in curve.fold_scores:
        return f"{attempt!r} has no curve"
    gains = {name: sign * (curve.extrapolate(2 * most, name).value - curve.extrapolate(most, name).value)
             for name in curve.fold_scores}
    return None if gains[attempt] >= max(gains.values()) - 1e-9 else "another model gains more"


@exercise("3.7",
          "The columns of the wines have very different units.",
          "A linear model on scaled columns, or a kernel on them, goes far here.",
          "LinearDiscriminantAnalysis with shrinkage, or a scaler and a kernel machine")
def as_good_as_published(attempt: Any) -> str | None:
    """The attempt is not shown to be worse than the published classifier under the published protocol."""
    report = reproduce("wine-lda", attempt)
    yours = next(finding for finding in report.findings if finding.code == "REP004")
    return yours.message if yours.severity == "issue" else None
