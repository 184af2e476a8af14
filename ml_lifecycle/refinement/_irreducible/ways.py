"""Which way to the irreducible error an input asks for, and that way taken."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ml_lifecycle.data.annotators import AgreementReport
from ml_lifecycle.exploration.baselines import BaselineReport
from ml_lifecycle.foundation.dataset import Dataset
from ml_lifecycle.foundation.errors import BadInputError, one_of
from ml_lifecycle.refinement._irreducible import models as _irreducible_models
from ml_lifecycle.refinement._irreducible import near as _irreducible_near
from ml_lifecycle.refinement._irreducible import ratings as _irreducible_ratings
from ml_lifecycle.refinement._irreducible import read as _irreducible_read
from ml_lifecycle.refinement._irreducible.parts import ESTIMATE, Found, Line

METHODS = ("ratings", "counts", "probabilities", "annotators", "models", "neighbours")
TASKS = ("classification", "regression")


@dataclass(frozen=True)
class Asked:
    """What was handed in."""

    data: Any
    y: Any
    models: Any
    truth: Any
    metric: Any
    n: Any
    task: str | None
    names: Mapping[str, str | None]  # columns of a long table

    @property
    def features(self) -> Any:
        """X, also of a data set."""
        return self.data.X if isinstance(self.data, Dataset) else self.data

    @property
    def target(self) -> Any:
        """y, also of a data set."""
        return self.data.y if isinstance(self.data, Dataset) and self.y is None else self.y


def way_of(asked: Asked, method: str | None) -> str:
    """The method that the input asks for, checked."""
    way = _told_from(asked) if method is None else method
    one_of(way, METHODS, "method", noun="Methods")
    if asked.task is not None:
        one_of(asked.task, TASKS, "task", noun="Tasks")
    scores = asked.models is not None and asked.data is None
    quoted = isinstance(asked.data, BaselineReport) or (scores and way == "models")
    if way in ("models", "neighbours") and not quoted and (asked.target is None or asked.data is None):
        raise BadInputError(f"`data` and `y` must be features and target with method={way!r}. Got none. "
                            "Write irreducible_error(X, y).")
    return way


def _told_from(asked: Asked) -> str:
    if asked.models is not None or isinstance(asked.data, BaselineReport):
        return "models"
    if asked.target is not None:
        return "neighbours"
    if asked.truth is not None or isinstance(asked.data, AgreementReport):
        return "annotators"
    return "probabilities" if _irreducible_read.looks_like_probabilities(asked.data) else "ratings"


def found_by(asked: Asked, way: str, n_boot: int, seed: int) -> Found:
    """The irreducible error by one way."""
    if isinstance(asked.data, AgreementReport):
        return _of_agreement(asked.data)
    if way == "models":
        return _irreducible_models.by_models(asked.features, asked.target, asked.models, metric=asked.metric, n=asked.n,
                                             task=asked.task or getattr(asked.data, "task", None), seed=seed)
    if way == "neighbours":
        return _irreducible_near.by_neighbours(asked.features, asked.target, asked.task or getattr(asked.data, "task", None),
                                               n_boot, seed)
    if way == "probabilities":
        return _irreducible_ratings.by_probabilities(_irreducible_read.read_probabilities(asked.data), n_boot, seed)
    numbers = asked.task is None and way == "ratings" and _irreducible_read.looks_like_numbers(asked.data)
    if asked.task == "regression" or numbers:
        return _irreducible_ratings.by_numbers(_irreducible_read.numbers_of(asked.data), n_boot, seed)
    if way == "counts":
        return _irreducible_ratings.by_ratings(_irreducible_read.read_counts(asked.data), n_boot, seed)
    people = _irreducible_read.read_people(asked.data, asked.names)
    if way == "annotators":
        return _irreducible_ratings.by_annotators(people, asked.truth, n_boot, seed)
    return _irreducible_ratings.by_ratings(_irreducible_read.of_counts(people.counts), n_boot, seed)


def _of_agreement(report: AgreementReport) -> Found:
    if report.human != report.human:
        raise BadInputError("`data` must be an agreement of three people or more. Got "
                            f"{report.annotators}. Let a third person label.")
    value, low, high = 1 - report.human, 1 - report.human_high, 1 - report.human_low
    line = Line("one person", value, low, high, report.items, ESTIMATE, "mean over items, against the majority of the others")
    return Found(value, low, high, report.items, "accuracy", False, (line,))
