"""What the tests of deployment share: a registry without files, and toy versions."""

from typing import Any

import numpy as np
import pandas as pd

from ml_lifecycle.deployment._log import Answer, RequestLog
from ml_lifecycle.foundation.errors import ProjectError, UnknownNameError

class Version:
    """A version that answers as it is told."""

    def __init__(self, number: int, model: Any, schema: Any = None) -> None:
        self.number, self.model, self.schema, self.features = number, model, schema, None

    def predict(self, X: Any) -> Any:
        return self.model.predict(X)

    @property
    def predict_proba(self) -> Any:
        return self.model.predict_proba

    @property
    def classes_(self) -> Any:
        return self.model.classes_


class MemoryRegistry:
    """Versions and names in memory, with the calls of a Registry that a service makes."""

    def __init__(self, *models: Any, schema: Any = None) -> None:
        self.held = {i + 1: Version(i + 1, model, schema) for i, model in enumerate(models)}
        self.aliases: dict[str, int] = {"champion": 1} if models else {}
        self.before: list[int] = []

    def get(self, which: Any = "champion") -> Version:
        number = self.aliases.get(which) if isinstance(which, str) else which
        if number not in self.held:
            raise UnknownNameError(f"`which` must be a version. Got {which!r}.")
        return self.held[number]

    def promote(self, number: int, alias: str = "champion") -> int:
        if alias == "champion":
            self.before.append(self.aliases["champion"])
        self.aliases[alias] = number
        return number

    def rollback(self) -> int:
        if not self.before:
            raise ProjectError("`registry` must have had a champion before this one.")
        self.aliases["champion"] = self.before.pop()
        return self.aliases["champion"]


class Constant:
    """A model of two columns that says the same to everything."""

    feature_names_in_ = np.array(["size", "colour"], dtype=object)

    def __init__(self, label: Any, wait: float = 0.0, error: Exception | None = None) -> None:
        self.label, self.wait, self.error, self.seen = label, wait, error, []

    def predict(self, X: pd.DataFrame) -> Any:
        if self.wait:
            import time

            time.sleep(self.wait)
        if self.error is not None:
            raise self.error
        self.seen.append(X)
        return np.full(len(X), self.label)


def filled_log(path: Any, requests: int = 200, *, right: tuple[float, float] = (0.9, 0.9), users: int | None = None,
               classes: tuple[Any, ...] | None = ("no", "yes"), canary: float = 0.0, outcomes: bool = True, rows: int = 1,
               seed: int = 0, shadow: bool = True) -> RequestLog:
    """A log of two models that are right with some probability; regression when there are no classes."""
    rng, log = np.random.default_rng(seed), RequestLog(path)
    for i in range(requests):
        truth = rng.choice(classes, rows).tolist() if classes else rng.normal(size=rows).tolist()
        user = None if users is None else f"u{i % users}"
        arm = "canary" if users is not None and (i % users) < canary * users else "champion"
        said = [_said(rng, truth, share, classes) for share in right]
        first = said[1] if arm == "canary" else said[0]
        number = 2 if arm == "canary" else 1
        log.write(f"r{i}", user=user, arm=arm, records=[{"x": i}] * rows, answer=Answer(first, None, 2.0, number, classes))
        if shadow and arm == "champion":
            log.write_shadow(f"r{i}", 2, Answer(said[1], None, 2.0 * float(rng.lognormal(0, 0.1)), 2, classes))
        if outcomes:
            log.outcome(f"r{i}", truth)
    return log


def _said(rng: Any, truth: list[Any], share: float, classes: tuple[Any, ...] | None) -> tuple[Any, ...]:
    if classes is None:
        return tuple(float(t + (1 - share) * rng.normal()) for t in truth)
    others = {c: [o for o in classes if o != c] for c in classes}
    return tuple(t if rng.random() < share else rng.choice(others[t]) for t in truth)
