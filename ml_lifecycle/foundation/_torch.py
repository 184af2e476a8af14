"""A torch.nn.Module seen as a model with `predict` and `predict_proba`; torch itself is imported only where one is met."""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ml_lifecycle.foundation.errors import BadInputError

def is_module(model: Any) -> bool:
    """Whether `model` is a torch.nn.Module; does not import torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)


def as_tensor(X: Any, model: Any) -> Any:
    """A tensor of `X` (tensor, array or frame of numbers) on the device and in the number format of the model."""
    import torch

    if isinstance(X, pd.DataFrame):
        words = [str(name) for name in X.columns if not pd.api.types.is_numeric_dtype(X[name])]
        if words:
            raise BadInputError(f"`X` must hold numbers for a torch model. Got columns of text or dates: {words[:5]}. "
                                "Encode them first, or pass a tensor.")
        X = X.to_numpy(dtype=float, na_value=np.nan)
    tensor = X if isinstance(X, torch.Tensor) else torch.from_numpy(_numeric(X))
    like = next((p for p in model.parameters() if p.is_floating_point()), None)
    if like is None:
        return tensor
    whole = isinstance(X, torch.Tensor) and not tensor.is_floating_point()  # tokens for an embedding stay whole numbers
    return tensor.to(device=like.device, dtype=tensor.dtype if whole else like.dtype)


def _numeric(X: Any) -> NDArray[Any]:
    """An array of numbers from an array, a list or a sparse matrix; raises when there is anything else in it."""
    given = X.toarray() if hasattr(X, "toarray") else np.array(X)
    if given.dtype.kind in "biuf":
        return np.asarray(given)
    try:
        return np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        raise BadInputError(f"`X` must hold numbers for a torch model. Got an array of {given.dtype}. "
                            "Encode text and dates first, or pass a tensor.") from None


@contextlib.contextmanager
def at_rest(model: Any) -> Iterator[None]:
    """Evaluation mode without gradients; the mode of every part and the random state come back afterwards."""
    import torch

    modes = [(part, part.training) for part in model.modules()]
    state, cuda = torch.get_rng_state(), torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for part, mode in modes:
            part.training = mode
        torch.set_rng_state(state)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)


class TorchPredictor:
    """`predict` and `predict_proba` of a module whose last layer gives logits (classification) or values."""

    def __init__(self, model: Any, *, task: str, classes: Sequence[Any] | None = None) -> None:
        self.model = model
        self.task = task
        self.classes = classes

    def outputs(self, X: Any) -> NDArray[Any]:
        """What the module gives, as an array of shape (n,) or (n, k)."""
        with at_rest(self.model):
            given = self.model(as_tensor(X, self.model))
        if isinstance(given, (tuple, list)):
            given = given[0]
        return np.asarray(given.detach().cpu().double().numpy())

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Softmax of the logits, of shape (n, classes); one logit a row is the log-odds of the second class."""
        logits = self.outputs(X)
        if logits.ndim == 1 or logits.shape[1] == 1:
            logits = np.column_stack([np.zeros(len(logits)), logits.ravel()])
        raised = np.exp(logits - logits.max(1, keepdims=True))
        return np.asarray(raised / raised.sum(1, keepdims=True))

    @property
    def classes_(self) -> list[Any] | None:
        """The labels behind the outputs, as far as they were said."""
        return list(self.classes) if self.classes is not None else None

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable label, or the value."""
        if self.task == "regression":
            return self.outputs(X)
        best = self.predict_proba(X).argmax(1)
        return np.asarray(self.classes)[best] if self.classes is not None else best
