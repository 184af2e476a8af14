"""Samples of the reports of planning."""

from typing import Any

from samples import EVIL, sample

@sample
def RequirementsReport() -> Any:  # noqa: N802
    import pandas as pd

    from ml_lifecycle.planning.requirements import Requirements

    candidates = pd.DataFrame({"name": [EVIL, "$b_{$", "c"], "f1": [0.8, 0.7, 0.9], "f1_low": [0.75, 0.6, 0.8],
                               "f1_high": [0.85, 0.8, 0.95], "latency_ms": [3.0, 4.0, 50.0]})
    return Requirements("f1", {"latency_ms": "<= 10"}).judge(candidates)
