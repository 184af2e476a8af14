"""Samples of the reports of exploration."""

from typing import Any

from samples import EVIL, evil_frame, sample

@sample
def BaselineReport() -> Any:  # noqa: N802
    from ml_lifecycle.exploration.baselines import baselines

    frame = evil_frame()
    return baselines(frame.drop(columns="y"), frame["y"], heuristics={EVIL: lambda X: [EVIL] * len(X)}, models=("small tree",),
                     published=[{"name": "$paper_{$", "score": 0.9, "source": EVIL}], cv=3)


@sample
def OverfitReport() -> Any:  # noqa: N802
    import torch

    from ml_lifecycle.exploration.overfit import overfit_batch

    torch.manual_seed(0)
    model = torch.nn.Sequential()
    names = ("<script>alert('&')<-script>", "act$_{$", "head")
    for name, layer in zip(names, (torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))):
        model.add_module(name, layer)
    model[0].requires_grad_(False)
    return overfit_batch(model, (torch.randn(12, 4), torch.arange(12) % 3), torch.nn.functional.cross_entropy, steps=20)


@sample
def IdeaReport() -> Any:  # noqa: N802
    from ml_lifecycle.exploration.ideas import compare_ideas

    frame = evil_frame()

    def broken(X: Any, y: Any) -> None:
        raise ValueError(EVIL)

    return compare_ideas({EVIL: {"C": 0.1}, "$rule_{$": lambda X, y, Z: [EVIL] * len(Z), "$broken_{$": broken},
                         frame.drop(columns="y"), frame["y"], cv=3)


@sample
def ReproductionReport() -> Any:  # noqa: N802
    from sklearn.dummy import DummyClassifier

    from ml_lifecycle.exploration.published import reproduce

    return reproduce("iris-lda", model=type(EVIL + "$own_{$", (DummyClassifier,), {})())


@sample
def LearningCurve() -> Any:  # noqa: N802
    from ml_lifecycle.exploration.learning import learning_curve
    from ml_lifecycle.exploration.pipelines import default_models

    class Broken:
        def fit(self, X: Any, y: Any) -> None:
            raise ValueError(EVIL)

        def predict(self, X: Any) -> Any: ...

        def predict_proba(self, X: Any) -> Any: ...

    frame = evil_frame()
    X = frame.drop(columns="y")
    return learning_curve({EVIL: default_models("classification", X)["small tree"], "$tree_{$": Broken()}, X, frame["y"], cv=3)
