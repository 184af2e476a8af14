"""Samples of the reports of maintenance."""

from typing import Any

from samples import EVIL, evil_frame, sample

@sample
def FeatureValue() -> Any:  # noqa: N802
    from sklearn.pipeline import make_pipeline
    from sklearn.tree import DecisionTreeClassifier

    from ml_lifecycle.exploration import prepare
    from ml_lifecycle.maintenance.features import feature_value

    frame = evil_frame()
    X = frame.drop(columns="y").assign(again=frame[EVIL] * 2)
    return feature_value(make_pipeline(prepare(X, style="tree"), DecisionTreeClassifier(max_depth=3)), X, frame["y"], cv=3)


@sample
def Staleness() -> Any:  # noqa: N802
    import numpy as np

    from ml_lifecycle.exploration import default_models
    from ml_lifecycle.maintenance.decay import staleness

    frame = evil_frame(400)
    X = frame.drop(columns="y")
    return staleness(default_models("classification", X)["small tree"], X, frame["y"], time=np.arange(400), periods=6)


@sample
def Handoff() -> Any:  # noqa: N802
    import tempfile
    from pathlib import Path

    from samples import SAMPLES

    from ml_lifecycle.foundation import Project
    from ml_lifecycle.maintenance import DeprecatedFeatures, handoff

    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder) / "evil & co")
        project.dataset(evil_frame(), target="y")
        project.record(SAMPLES["FeatureValue"]())
        project.decide("exploration", question=f"Which, {EVIL}?", options=[EVIL, "b"], choice=EVIL, evidence=[EVIL],
                       because="|_*`")
        DeprecatedFeatures(project.path / "deprecated.yaml").deprecate(EVIL, by=EVIL, why=f"{EVIL}\n# [x](y)")
        (project.path / "handoff.yaml").write_text(f'owner: "{EVIL}"\n"{EVIL}": "**more**"\n', encoding="utf-8")
        return handoff(project)
