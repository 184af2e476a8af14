"""Samples of the reports of refinement."""

from typing import Any

from samples import EVIL, evil_frame, sample

@sample
def ErrorBreakdown() -> Any:  # noqa: N802
    from sklearn.tree import DecisionTreeClassifier

    from ml_lifecycle.refinement.breakdown import error_breakdown

    frame = evil_frame()
    X, y = frame[[EVIL]], frame["y"]
    parts = [(X[:50], y[:50]), (X[50:80], y[50:80]), (X[80:], y[80:])]
    return error_breakdown.from_model(DecisionTreeClassifier(random_state=0), parts, metric="accuracy", irreducible=.9)


@sample
def SearchReport() -> Any:  # noqa: N802
    from ml_lifecycle.exploration import default_models
    from ml_lifecycle.refinement.search import coarse_to_fine

    frame = evil_frame()
    model = default_models("classification", frame.drop(columns="y"))["small tree"]
    space = {"model__max_depth": (1, 5), "model__criterion": ["gini", EVIL, "$x_{$"]}
    return coarse_to_fine(model, space, frame.drop(columns="y"), frame["y"], budget=8, cv=2)


@sample
def TopLosses() -> Any:  # noqa: N802
    import numpy as np

    from ml_lifecycle.refinement.losses import top_losses

    frame = evil_frame()
    chance = np.random.default_rng(0).random(len(frame))
    named = frame.drop(columns="y").set_axis([f"{EVIL}{i}" for i in range(len(frame))], axis=0)
    return top_losses(named, list(frame["y"]), chance, positive=EVIL)


@sample
def ErrorClusters() -> Any:  # noqa: N802
    import numpy as np

    from ml_lifecycle.refinement.clusters import error_clusters

    frame = evil_frame(400)
    wrong = (frame["colour"] == EVIL) & (np.arange(400) % 5 > 0) | (np.arange(400) % 17 == 0)
    return error_clusters(frame.drop(columns="y"), frame["y"], np.where(wrong, "$_{$", frame["y"]))


@sample
def ErrorSlices() -> Any:  # noqa: N802
    import numpy as np

    from ml_lifecycle.refinement.slices import error_slices

    frame = evil_frame(400)
    wrong = (frame["colour"] == EVIL) & (np.arange(400) % 5 > 0) | (np.arange(400) % 17 == 0)
    return error_slices(frame.drop(columns="y"), frame["y"], np.where(wrong, "$_{$", frame["y"]))


@sample
def IrreducibleError() -> Any:  # noqa: N802
    import numpy as np

    from ml_lifecycle.refinement.irreducible import irreducible_error

    rng = np.random.default_rng(0)
    said = {name: np.where(rng.random(60) < .3, EVIL, "$no_{$") for name in (EVIL, "$gap_{$", "C")}
    return irreducible_error(said, method="annotators")


@sample
def LoaderProfile() -> Any:  # noqa: N802
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    from ml_lifecycle.refinement.loader import profile_loader

    return profile_loader(DataLoader(TensorDataset(torch.zeros(64, 3)), batch_size=8), seconds=0.3, train_step=0.001, workers=())


@sample
def Reproducibility() -> Any:  # noqa: N802
    import numpy as np

    from ml_lifecycle.refinement.again import reproducible

    return reproducible(lambda: {EVIL: np.random.default_rng().normal(size=3), "$x_{$": EVIL})


@sample
def CollectionPlan() -> Any:  # noqa: N802
    from ml_lifecycle.refinement.explore import ErrorReview
    from ml_lifecycle.refinement.plan import collection_plan

    review = ErrorReview(ErrorClusters())
    review.assign(EVIL, cluster=0, note=EVIL)
    return collection_plan(review, budget=10)


@sample
def TrainingDiagnosis() -> Any:  # noqa: N802
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    from ml_lifecycle.refinement.training import diagnose_training

    model = nn.Sequential()
    model.add_module("$x_{$<b>", nn.Linear(3, 4))
    model.add_module(EVIL.replace(".", "") or "evil", nn.Dropout(0.5))
    model.add_module("out", nn.Linear(4, 2))
    rows = TensorDataset(torch.arange(96.0).reshape(32, 3), torch.arange(32) % 2)
    optimizer = torch.optim.SGD(model.parameters(), 1e-6)

    def loop(model: Any, loader: Any, loss_fn: Any, optimizer: Any, val_loader: Any) -> None:
        for _ in range(2):
            for x, y in loader:
                loss_fn(model(x), y).backward()
                optimizer.step()
            for x, y in val_loader:
                loss_fn(model(x), y)
    given = model, DataLoader(rows, 8), nn.CrossEntropyLoss(), optimizer
    return diagnose_training(*given, val_loader=DataLoader(rows, 8), loop=loop, probe=False)
