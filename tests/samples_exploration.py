"""Samples of the reports of exploration."""

from typing import Any

from samples import EVIL, evil_frame, sample

@sample
def BaselineReport() -> Any:  # noqa: N802
    from ml_lifecycle.exploration.baselines import baselines

    frame = evil_frame()
    return baselines(frame.drop(columns="y"), frame["y"], heuristics={EVIL: lambda X: [EVIL] * len(X)}, models=("small tree",),
                     published=[{"name": "$paper_{$", "score": 0.9, "source": EVIL}], cv=3)
