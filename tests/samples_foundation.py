"""Samples of the reports of foundation."""

from typing import Any

from samples import EVIL, SAMPLES, evil_frame, sample

@sample
def Report() -> Any:  # noqa: N802 - named after the class
    import pandas as pd

    from ml_lifecycle.foundation.report import Finding, NextStep, Report

    frame = pd.DataFrame({"model": ["tree", EVIL], "score": [0.91, None], "at": pd.to_datetime(["2024-01-02", None])})
    findings = (Finding("TST001", "tip", f"More of {EVIL} would help.", {"rows": 7}, NextStep(EVIL, "data")),
                Finding("TST002", "passed", "The rows are distinct."))
    return Report(frame=frame, findings=findings, params={"name": EVIL, "seed": 0})


@sample
def StatusReport() -> Any:  # noqa: N802
    from ml_lifecycle.foundation.decision import Decision
    from ml_lifecycle.foundation.status import status_report

    card = Decision("exploration", "Which model?", (EVIL, "none"), EVIL, next_step="data", decided="2024-01-02")
    return status_report(EVIL, {"planning": {"report": SAMPLES["Report"]()}}, {"exploration": card})


@sample
def DataDescription() -> Any:  # noqa: N802
    from ml_lifecycle.foundation.course_data import describe_data
    from ml_lifecycle.foundation.dataset import load_dataset

    return describe_data(load_dataset(evil_frame(), target="y"))


@sample
def PassReport() -> Any:  # noqa: N802
    from tempfile import TemporaryDirectory

    from ml_lifecycle.foundation.passes import compare_passes, start_pass
    from ml_lifecycle.foundation.project import Project

    measured = {"score": 0.7, "low": 0.65, "high": 0.75, "n": 300, "metric": EVIL, "model": EVIL, "features": 9, "train_rows": 100}
    with TemporaryDirectory() as folder:
        project = Project(folder)
        project.decide("evaluation", question="?", options=(EVIL,), choice=EVIL, next_step="data",
                       values={**measured, "set_aside": {EVIL: EVIL, "$gap_{$": ""}})
        start_pass(project)
        project.decide("evaluation", question="?", options=(EVIL,), choice=EVIL, next_step="deployment",
                       values={**measured, "against": {"value": 0.02, "low": -0.01, "high": 0.05, "n": 300}})
        return compare_passes(project)
