"""Samples of the reports of evaluation."""

from typing import Any

from samples import EVIL, evil_frame, sample

@sample
def TestReport() -> Any:  # noqa: N802
    from sklearn.dummy import DummyClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    from ml_lifecycle.evaluation import ModelTests
    from ml_lifecycle.exploration import prepare

    frame = evil_frame()
    X, y = frame.drop(columns="y"), frame["y"]
    model = make_pipeline(prepare(X), LogisticRegression()).fit(X, y)
    tests = ModelTests(model, X, y, name=EVIL)
    tests.scenario("$never_{$ " + EVIL, X, "no")
    tests.no_regression(DummyClassifier().fit(X, y), name=EVIL)
    return tests.functionality()


@sample
def TestScore() -> Any:  # noqa: N802
    import tempfile
    from pathlib import Path

    from ml_lifecycle.evaluation import ml_test_score
    from ml_lifecycle.foundation import Project

    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder) / "one")
        project.update(name=EVIL)
        project.record(TestReport())
        said = {"data_5": {"status": "manual", "by": EVIL, "evidence": "$x_{$"}, "data_6": "automated"}
        return ml_test_score(project, answers=said)


@sample
def ShiftReport() -> Any:  # noqa: N802
    from ml_lifecycle.evaluation.shift import compare_distributions

    before, now = evil_frame(300), evil_frame(200)
    now["colour"], now["$new_{$"], now["only"] = EVIL + "new", "x", EVIL
    return compare_distributions(before, now)


@sample
def SliceReport() -> Any:  # noqa: N802
    import numpy as np

    from ml_lifecycle.evaluation.slices import evaluate_slices

    frame = evil_frame(400)
    wrong = (frame["colour"] == EVIL) & (np.arange(400) % 3 > 0)
    return evaluate_slices(frame.drop(columns="y"), frame["y"], np.where(wrong, "$_{$", frame["y"]))
