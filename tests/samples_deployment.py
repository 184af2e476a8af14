"""Samples of the reports of deployment."""

import tempfile
from pathlib import Path
from typing import Any

from samples import EVIL, evil_frame, sample

@sample
def ShadowReport() -> Any:  # noqa: N802
    from deployment_toys import filled_log

    from ml_lifecycle.deployment.rollout import shadow_report

    log = filled_log(Path(tempfile.mkdtemp()) / "log.sqlite", 80, right=(0.9, 0.6), users=40, classes=("no", EVIL), canary=0.3)
    log.write_shadow("r39", 2, EVIL)
    return shadow_report(log, n_boot=50)


@sample
def ReleaseReport() -> Any:  # noqa: N802
    from deployment_toys import MemoryRegistry
    from sklearn.tree import DecisionTreeClassifier

    from ml_lifecycle.deployment.release import check_release
    from ml_lifecycle.deployment.serving import create_app, running

    class Hostile:
        def __init__(self, inner: Any) -> None:
            self.inner, self.get = inner, inner.get

        def post(self, body: Any, path: str = "/predict") -> Any:
            status, said = self.inner.post(body, path)
            return (status, said) if status == 200 and said["predictions"] == ["no"] else (500, {"error": EVIL})

    frame = evil_frame()
    X = frame[[EVIL, "$gap_{$"]].fillna(0.0)
    registry = MemoryRegistry(DecisionTreeClassifier(max_depth=2).fit(X, frame["y"]))
    with running(create_app(registry)) as service:
        return check_release(registry, client_or_url=Hostile(service), X=X, n=12)
