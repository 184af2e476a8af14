"""The 28 tests of the ML Test Score, and what recorded evidence covers each of them.

Eric Breck, Shanqing Cai, Eric Nielsen, Michael Salib and D. Sculley: The ML Test Score: A Rubric for ML Production
Readiness and Technical Debt Reduction. IEEE Big Data 2017.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

SECTIONS = {"data": "Features and data", "model": "Model development", "infra": "Infrastructure", "monitor": "Monitoring"}
BANDS = (  # upper end of the score, what the paper says of it
    (0, "more of a research project than a productionized system"),
    (1, "not totally untested, but with the possibility of serious holes in reliability"),
    (2, "a first pass at basic productionization; more investment may be needed"),
    (3, "reasonably tested; more of the tests and procedures may be automated"),
    (5, "strong levels of automated testing and monitoring, fit for mission-critical systems"),
    (7, "exceptional levels of automated testing and monitoring"),
)


@dataclass(frozen=True)
class Gap:
    """Why a report does not cover a test."""

    why: str
    against: bool = False  # it was tried, and does not hold; otherwise it is open


Covers = Callable[[Any], Gap | None]  # a report -> why it does not cover the test, or None when it does

# ---- what a report must show

def passed(report: Any) -> Gap | None:
    """Something was looked at, nothing is wrong, and nothing is left undecided."""
    if report.frame.empty and not report.findings:
        return Gap("nothing was looked at")
    if report.passed is True:
        return None
    worst = next((f for f in report.findings if f.severity == "issue"), None) or next(
        (f for f in report.findings if f.undecided), None)
    return Gap(worst.message, report.passed is False) if worst else Gap(f"it does not decide: {report.answer}")


def decided(report: Any) -> Gap | None:
    """The question was asked and answered, whatever the answer is: nothing is wrong, and nothing is left undecided."""
    if report.findings and all(f.severity != "issue" and not f.undecided for f in report.findings):
        return None
    return passed(report)


def has_kind(kind: str) -> Covers:
    """Model tests of that kind were run, and hold; other kinds do not matter."""
    def covers(report: Any) -> Gap | None:
        rows = report.frame[report.frame["kind"] == kind]
        tried = rows[rows["verdict"] != "not applicable"]
        if tried.empty:
            return Gap(f"the model tests have none of {kind}")
        left = tried[~tried["verdict"].isin(["passed", "tip"])]
        return _first(left)
    return covers


def _first(left: Any) -> Gap | None:
    """The most important test that does not hold."""
    if left.empty:
        return None
    worst = left.loc[(left["verdict"] != "issue").sort_values(kind="stable").index[0]]
    return Gap(str(worst["message"]), worst["verdict"] == "issue")


def against_the_simplest(report: Any) -> Gap | None:
    """The comparison of the best with the simplest model was decided."""
    if report.passed is False:
        return passed(report)
    found = next((f for f in report.findings if f.code == "BAS002"), None)
    if found is None or found.severity == "not applicable":
        return Gap("the baselines do not compare the best model with the simplest")
    return Gap(str(found.message)) if found.undecided else None


def was_timed(report: Any) -> Gap | None:
    """The model tests hold a threshold for time, and it is met."""
    rows = report.frame[report.frame["kind"] == "requirement"]
    timed = rows[rows["test"].astype(str).str.contains("latency|throughput")]
    if timed.empty:
        return Gap("no threshold for the time of a prediction was tested")
    return _first(timed[timed["verdict"] != "passed"])


def _served(verb: str, name: str) -> str:
    return f"project.record({verb}, name={name!r}) on the rows that were served"


# ---- the tests

@dataclass(frozen=True)
class Source:
    """Evidence that covers a test."""

    name: str  # the name that the report is recorded under
    closes: str  # the call whose report it is
    covers: Covers = passed  # why it does not cover the test, None when it does


@dataclass(frozen=True)
class Rubric:
    """One of the 28."""

    id: str
    text: str
    sources: tuple[Source, ...] = ()  # any one of them will do; none: only a person can say

    @property
    def section(self) -> str:
        """The key of its section."""
        return self.id.rsplit("_", 1)[0]

    @property
    def closes(self) -> str:
        """The call that would close it."""
        return self.sources[0].closes if self.sources else said(self.id)


def said(test: str) -> str:
    """How a person answers."""
    return f"ml_test_score(project, answers={{{test!r}: {{'status': 'manual', 'by': ..., 'evidence': ...}}}})"


MODEL_TESTS = "ModelTests(model, X, y).functionality()"
RUBRIC: tuple[Rubric, ...] = (
    Rubric("data_1", "Feature expectations are captured in a schema", (
        Source("schema", "infer_schema(data)"),)),
    Rubric("data_2", "All features are beneficial", (Source("feature_value", "feature_value(model, X, y)"),)),
    Rubric("data_3", "No feature's cost is too much"),
    Rubric("data_4", "Features adhere to meta-level requirements"),
    Rubric("data_5", "The data pipeline has appropriate privacy controls"),
    Rubric("data_6", "New features can be added quickly"),
    Rubric("data_7", "All input feature code is tested"),
    Rubric("model_1", "Model specifications are reviewed and submitted"),
    Rubric("model_2", "Offline and online metrics correlate"),
    Rubric("model_3", "All hyperparameters have been tuned", (
        Source("search", "coarse_to_fine(estimator, space, X, y)", decided),)),
    Rubric("model_4", "The impact of model staleness is known", (Source("staleness", "staleness(model, data)"),)),
    Rubric("model_5", "A simpler model is not better", (Source("baselines", "baselines(data)", against_the_simplest),)),
    Rubric("model_6", "Model quality is sufficient on important data slices", (
        Source("slices", "evaluate_slices(X, y, model.predict_proba(X))"),)),
    Rubric("model_7", "The model has been tested for considerations of inclusion"),
    Rubric("infra_1", "Training is reproducible"),
    Rubric("infra_2", "Model specification code is unit tested", (
        Source("model_tests", MODEL_TESTS, has_kind("functionality")),)),
    Rubric("infra_3", "The full ML pipeline is integration tested", (
        Source("all steps", "ml-lifecycle run"),)),
    Rubric("infra_4", "Model quality is validated before serving", (
        Source("model_tests", "ModelTests(model, X, y).no_regression(baseline)", has_kind("no regression")),
        Source("release", "check_release(registry)"))),
    Rubric("infra_5", "The model allows debugging by observing its computation on a single example"),
    Rubric("infra_6", "Models are tested via a canary process before they serve", (
        Source("shadow", "shadow_report(log)"),
        Source("registry: canary", "registry.promote(number, 'canary')"))),
    Rubric("infra_7", "Models can be quickly and safely rolled back", (
        Source("registry: rollback", "registry.rollback()"),)),
    Rubric("monitor_1", "Dependency changes result in notification"),
    Rubric("monitor_2", "Data invariants hold in training and serving inputs", (
        Source("serving_schema", _served("schema.validate(rows)", "serving_schema")),)),
    Rubric("monitor_3", "Training and serving features compute the same values", (
        Source("serving_shift", _served("compare_distributions(reference, rows)", "serving_shift")),)),
    Rubric("monitor_4", "Models are not too stale", (Source("staleness", "staleness(model, data)"),)),
    Rubric("monitor_5", "The model is numerically stable"),
    Rubric("monitor_6", "No regression in training speed, serving latency, throughput or memory", (
        Source("model_tests", "ModelTests(model, X, y).requirements(wish)", was_timed),)),
    Rubric("monitor_7", "No regression in prediction quality on served data", (
        Source("serving_tests", _served("tests.no_regression(baseline)", "serving_tests"), has_kind("no regression")),)),
)
