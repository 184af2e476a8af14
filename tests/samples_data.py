"""Samples of the reports of data."""

from typing import Any

from samples import EVIL, sample

@sample
def LabelIssues() -> Any:  # noqa: N802
    import numpy as np

    from ml_lifecycle.data.labels import label_issues

    rng = np.random.default_rng(0)
    y = rng.choice([EVIL, "$no_{$"], 400)
    margin = np.where(y == EVIL, 2.0, -2.0) + rng.normal(size=400)
    flipped = np.where(rng.random(400) < 0.1, np.where(y == EVIL, "$no_{$", EVIL), y)
    proba = 1 / (1 + np.exp(-2 * margin))
    return label_issues(flipped, np.column_stack([1 - proba, proba]), classes=["$no_{$", EVIL])


@sample
def AgreementReport() -> Any:  # noqa: N802
    import numpy as np
    import pandas as pd

    from ml_lifecycle.data.annotators import agreement

    rng = np.random.default_rng(0)
    truth = rng.choice([EVIL, "$red_{$", "no"], 60)
    names = (EVIL, "$gap_{$", "C")
    return agreement(pd.DataFrame({name: np.where(rng.random(60) < 0.3, rng.permutation(truth), truth) for name in names}),
                     n_boot=100)
