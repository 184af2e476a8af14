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
