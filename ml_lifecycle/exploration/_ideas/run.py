"""One idea on one fold: every form of idea, from the same random state."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import clone

from ml_lifecycle.exploration import _measure
from ml_lifecycle.exploration._folds import Pair
from ml_lifecycle.exploration._ideas.seed import drawn, mixed_seeds
from ml_lifecycle.exploration._measure import Candidate, Outcome, Problem
from ml_lifecycle.foundation import _torch
from ml_lifecycle.foundation._random import undisturbed
from ml_lifecycle.foundation.metrics import Predictions
from ml_lifecycle.foundation.seed import set_seed

@dataclass(frozen=True)
class Function:
    """An idea that is a function of the training rows."""

    call: Callable[..., Any]
    predicts: bool  # True: takes the test rows, too, and gives predictions; False: gives a fitted model
    seed_as: str = ""  # the name of its argument that takes the seed; "" when it has none

    def answer_on_fold(self, problem: Problem, X_train: Any, y_train: Any, X_test: Any, seed: int) -> Predictions:
        """What it says about the test rows; raises ValueError when that cannot be understood."""
        more = {self.seed_as: seed} if self.seed_as else {}
        with mixed_seeds(seed):
            output = self.call(X_train, y_train, *([X_test] if self.predicts else []), **more)
        if self.predicts:
            return _measure.understood(output, X_test.shape[0], problem)
        model = output
        if not (hasattr(model, "predict") or _torch.is_module(model)):
            raise ValueError(f"gave {type(model).__name__}, not a fitted model with `predict`; to give predictions, take "
                             "three arguments: X_train, y_train, X_test")
        return _measure._asked(problem, model, X_test)


def measure_idea(problem: Problem, candidate: Candidate, fold: Pair, seed: int, alone: bool) -> Outcome:
    """Like `measure`, from a random state that all ideas share on this fold, and that no two folds share.

    An idea is judged, and not one draw of it: with the same draw on every fold a lucky seed would look like a good idea.
    """
    own = int(np.random.SeedSequence([seed, *fold[1][:8].tolist()]).generate_state(1)[0])
    if not isinstance(candidate.what, Function):
        candidate = replace(candidate, what=mixed(candidate.what, own))
    with unmoved():
        set_global(own)
        return _measure.measure(problem, candidate, fold, own, alone)


def mixed(model: Any, seed: int) -> Any:
    """The same estimator with every random state that is a number mixed with the seed; open ones stay open."""
    if not hasattr(model, "get_params"):
        return model
    states = {name: drawn(value, seed) for name, value in model.get_params().items()
              if (name == "random_state" or name.endswith("__random_state")) and isinstance(value, (int, np.integer))}
    return clone(model, safe=False).set_params(**states) if states else model


def set_global(seed: int) -> None:
    """Set Python's and numpy's random state, and that of torch where it is in use."""
    if "torch" in sys.modules:
        set_seed(seed)
        return
    import random

    random.seed(seed)
    np.random.seed(seed)


@contextlib.contextmanager
def unmoved() -> Iterator[None]:
    """Python's, numpy's and torch's random state come back afterwards."""
    torch = sys.modules.get("torch")
    before = torch.get_rng_state() if torch is not None else None
    with undisturbed():
        yield
    if torch is not None:
        torch.set_rng_state(before)
