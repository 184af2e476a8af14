"""The checks of lesson 4. Each tests what must be true of a right attempt, on whatever data is loaded."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ml_lifecycle.foundation._random import undisturbed
from ml_lifecycle.foundation.exercises import exercise
from ml_lifecycle.foundation.intervals import wilson
from ml_lifecycle.foundation.metrics import Predictions
from ml_lifecycle.foundation.seed import set_seed
from ml_lifecycle.refinement.again import reproducible
from ml_lifecycle.refinement.breakdown import ErrorBreakdown
from ml_lifecycle.refinement.clusters import ErrorClusters
from ml_lifecycle.refinement.explore import ErrorReview
from ml_lifecycle.refinement.irreducible import irreducible_error
from ml_lifecycle.refinement.search import SearchReport
from ml_lifecycle.refinement.training import diagnose_training

LEARNED = 0.8  # share of the validation digits that a network knows which has learned; a tenth is luck
FAR = 3.0  # absolute errors of numbers beyond so many times the median are errors


@exercise("4.1",
          "Variance is the step from rows that the model was trained on to rows like them that it has not seen.",
          "Which validation rows are like the training rows: those held out from them, or those that come later?",
          "The error on those validation rows minus the error on the training rows; it may be below zero.")
def variance_by_hand(attempt: float, *, report: ErrorBreakdown) -> str | None:
    """The attempt is the step from the training rows to validation rows like them."""
    errors = {part: triple[0] for part, triple in report.errors.items()}
    like = errors.get("val_train", errors.get("val", errors.get("val_test", np.nan)))
    right, given = like - errors["train"], float(attempt)
    if np.isclose(given, right, rtol=.02, atol=1e-9):
        return None
    if np.isclose(given, -right, rtol=.02):
        return f"{given:.3g} has the wrong sign: the error on new rows comes first"
    later = errors.get("val", like) - errors["train"]
    if later != right and np.isclose(given, later, rtol=.02):
        return f"{given:.3g} holds the shift too: some of the validation rows are like the training rows"
    return f"{given:.3g} does not lie between the two errors that are meant"


@exercise("4.2",
          "Read the first slice of `revealed`: it is a condition on columns.",
          "A function that takes X and returns one True or False a row, such as where a column equals a value.",
          "def fails(X): return X[column] == value, with the column and the value of the slice; or revealed.mask(1, X).")
def failing_region(attempt: Callable[[Any], Any], *, X: Any, y: Any, answers: Predictions) -> str | None:
    """Inside of the attempt's region the model errs more often than outside, beyond what luck explains."""
    wrong = _wrong(np.asarray(y), answers)
    mask = np.asarray(attempt(X))
    if mask.dtype != bool or mask.shape != wrong.shape:
        return f"the function must give {len(wrong)} values True or False, one for each row"
    if not mask.any() or mask.all():
        return "a region holds some of the rows, but not all of them"
    inside, outside = wrong[mask], wrong[~mask]
    in_, out = wilson(int(inside.sum()), len(inside)), wilson(int(outside.sum()), len(outside))
    if in_.low > out.high:
        return None
    return (f"inside {in_.value:.0%} ({in_.low:.0%} to {in_.high:.0%}) are errors, elsewhere {out.value:.0%} "
            f"({out.low:.0%} to {out.high:.0%}): luck is not ruled out")


def _wrong(y: np.ndarray, answers: Predictions) -> np.ndarray:
    """Which rows are errors: another label, or a number that is far off."""
    if answers.values is None:
        return np.asarray(answers.labels) != y
    gap = np.abs(np.asarray(answers.values) - y.astype(float))
    return np.asarray(gap > FAR * np.median(gap))


@exercise("4.3",
          "An interval holds a score when the score is neither below its low end nor above its high end.",
          "Compare the columns `low` and `high` of `search.frame` with `search.best_score`; a candidate that failed has neither.",
          "Count the rows with low <= best_score and best_score <= high.")
def inside_the_noise(attempt: int, *, report: SearchReport) -> str | None:
    """The attempt counts the candidates whose interval holds the best score."""
    frame = report.frame
    right = int(((frame["low"] <= report.best_score) & (report.best_score <= frame["high"])).sum())
    given = int(attempt)
    return None if given == right else f"{given} is too {'many' if given > right else 'few'}"


@exercise("4.4",
          "The diagnosis names what the model does at validation, and when it happens.",
          "Dropout and batch normalization behave differently in training and at validation; the loop says which it is.",
          "model.train() before the training batches of every epoch, model.eval() before the validation batches.")
def sound_loop(attempt: Callable[..., Any], *, make: Callable[[int], tuple[Any, ...]] | None) -> str | None:
    """Under the attempt's loop the diagnosis finds no issue, and the network learns."""
    if make is None:
        return "PyTorch is not installed here, so there is nothing to train"
    import torch

    model, loader, loss_fn, optimizer, val_loader = make(0)
    report = diagnose_training(model, loader, loss_fn, optimizer, val_loader=val_loader, loop=attempt)
    found = next((f for f in report.findings if f.severity == "issue"), None)
    if found is not None:
        return f"the diagnosis still finds: {found.message}"
    model.eval()
    with torch.no_grad():
        pairs = [(model(inputs).argmax(1), targets) for inputs, targets in val_loader]
    right = float(torch.cat([said == targets for said, targets in pairs]).float().mean())
    return None if right > LEARNED else f"after it the network knows only {right:.0%} of the validation pictures"


@exercise("4.5",
          "`reproducible` sets the seeds of Python, NumPy and PyTorch; which generator of NumPy hears of that?",
          "np.random.default_rng() makes a generator of its own from the clock of the machine; np.random.permutation does not.",
          "lambda: np.random.permutation(100)[:20]")
def same_draw(attempt: Callable[[], Any], *, positions: int = 100) -> str | None:
    """The attempt draws a fifth of the positions, the same under one seed and others under another."""
    draws = {}

    def draw() -> Any:
        return np.sort(np.asarray(attempt()))

    for seed in (0, 1):
        report = reproducible(draw, seed=seed)
        if report.same is not True:
            return f"two runs with seed {seed} differ: {report.answer}"
        with undisturbed():
            set_seed(seed)
            draws[seed] = draw()
    first = draws[0]
    if len(first) != positions // 5 or len(set(first.tolist())) != len(first) or not set(first.tolist()) <= set(range(positions)):
        return f"{positions // 5} different positions from 0 to {positions - 1} are asked for; these are {first.tolist()[:25]}"
    return "it draws the same under every seed" if np.array_equal(first, draws[1]) else None


@exercise("4.6",
          "Who has labelled a picture must not also elect the label that he is held against.",
          "With three people, hold each against the others; or ask the helper that does so.",
          "irreducible_error(ratings).value")
def contradiction(attempt: float, *, ratings: Any) -> str | None:
    """The attempt lies in the interval of what people contradict."""
    known, given = irreducible_error(ratings), float(attempt)
    among = 1 - np.mean([row.value_counts(normalize=True).iloc[0] for _, row in ratings.iterrows()])
    if given <= among + 1e-6:
        return f"{given:.1%} is too low: {among:.1%} contradict even the majority that they belong to themselves"
    if known.low <= given <= known.high:
        return None
    return f"{given:.1%} is too {'low' if given < known.low else 'high'}: {known.low:.1%} to {known.high:.1%} would be believable"


@exercise("4.7",
          "Look at the examples: what do these rows have in common that the others have not?",
          "review.assign(category, cluster=…) gives a cluster its category, `review.clusters` lists them.",
          "for number in review.clusters['cluster']: review.assign('what is the matter', cluster=int(number))")
def named_clusters(attempt: ErrorReview, *, clusters: ErrorClusters) -> str | None:
    """Every cluster has a category in words."""
    if not isinstance(attempt, ErrorReview):
        return f"a review is asked for, this is of type {type(attempt).__name__}"
    table = attempt.clusters
    said = dict(zip(table["cluster"], table["category"]))
    missing = [int(number) for number in clusters.frame["cluster"] if not str(said.get(number, "")).strip()]
    if missing:
        return f"cluster {missing[0]} has no category yet"
    bare = [name for name in said.values() if not any(letter.isalpha() for letter in str(name).lower().replace("cluster", ""))]
    return f"{bare[0]!r} says nothing about the rows" if bare else None
