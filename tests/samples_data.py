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


@sample
def SchemaReport() -> Any:  # noqa: N802
    import numpy as np
    from samples import evil_frame

    from ml_lifecycle.data.schema import infer_schema

    frame = evil_frame(300).drop(columns="word")
    broken = frame.assign(colour=np.where(np.arange(300) < 5, EVIL + "$new_{$", frame["colour"]), more=1)
    broken.loc[3, EVIL] = 1e6
    return infer_schema(frame.assign(gone=1.0)).validate(broken.set_index(broken["colour"]))


@sample
def QualityReport() -> Any:  # noqa: N802
    from samples import evil_frame

    from ml_lifecycle.data.quality import check_quality
    from ml_lifecycle.foundation import load_dataset

    frame = evil_frame(200)
    data = load_dataset(frame.assign(**{f"$copy_{EVIL}": frame["y"] + "$x_{$"}), target="y")
    return check_quality(data, splits=data.split())


@sample
def DatasetDiff() -> Any:  # noqa: N802
    import tempfile

    from samples import evil_frame

    from ml_lifecycle.data.store import DatasetStore

    with tempfile.TemporaryDirectory() as folder:
        store, frame = DatasetStore(folder), evil_frame()
        other = frame.iloc[5:].rename(columns={"word": f"$new_{EVIL}"}).reset_index(drop=True)
        return store.diff(store.commit(frame), store.commit(other))
