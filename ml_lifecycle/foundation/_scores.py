"""How each metric is computed for many weightings of the same rows at once: one pass serves a score and its bootstrap."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ml_lifecycle.foundation.errors import BadInputError

if TYPE_CHECKING:
    from ml_lifecycle.foundation.metrics import Predictions

Array = NDArray[Any]
POSITIVE_WORDS = ("yes", "y", "true", "t", "positive", "pos", "1", "1.0")


@dataclass(frozen=True)
class Rows:
    """A metric on given rows: `compute` takes weights of shape (b, n), rows in `order`, and gives b scores."""

    order: Array  # canonical row order, so that a shuffled table gives the same resamples
    compute: Callable[[Array], Array]
    support: int = 0  # how many rows a perfect (or a worst) score rests on
    parts: int = 1  # how many equal shares the score is the mean of (classes of a macro average)
    worst: float = np.nan  # the score, had the model known nothing (or been wrong) on every row; nan: not of use
    root: int = 1  # 2 when the score is the square root of a mean
    losses: Array | None = None  # in `order`, when the score is a mean of them and they are more than right or wrong

    def score(self, weight: Array | None) -> float:
        """The score under one weighting, None for equal weights; nan when it is undefined."""
        weights = np.ones(len(self.order)) if weight is None else weight[self.order]
        return float(self.compute(weights[None, :])[0]) if weights.sum() > 0 else float("nan")


# ---- labels

def one_column(values: Any, name: str) -> Any:
    """`values` as a pandas or numpy column; raises when it has another shape."""
    kind = object if isinstance(values, (list, tuple)) else None  # a list may mix numbers and words
    column = values if isinstance(values, pd.Series) else np.asarray(values, dtype=kind)
    if column.ndim == 2 and column.shape[1] == 1:
        column = column[:, 0]
    if column.ndim != 1:
        raise BadInputError(f"`{name}` must be one column. Got shape {column.shape}. Pass the target alone.")
    return column


def distinct(values: Any) -> tuple[Array, list[Any]]:
    """(code of each row, the distinct values as Python's own); a missing value has the code -1."""
    codes, found = pd.factorize(values)
    return np.asarray(codes), [v.item() if isinstance(v, np.generic) else v for v in found]


def in_order(labels: Iterable[Any]) -> list[Any]:
    """Labels sorted, by their text where they cannot be compared."""
    labels = list(labels)
    try:
        return sorted(labels)
    except TypeError:
        return sorted(labels, key=str)


def encode(values: Any, classes: list[Any], name: str) -> Array:
    """The place of each value in `classes`; raises on missing values. 1, 1.0 and True are the same label."""
    codes, found = distinct(one_column(values, name))
    if (codes < 0).any():
        raise BadInputError(f"`{name}` must have no missing labels. Got {int((codes < 0).sum())} of {len(codes)} rows "
                            "without one. Leave those rows out.")
    place = {label: i for i, label in enumerate(classes)}
    return np.asarray([place.get(label, -1) for label in found], dtype=int)[codes] if found else codes


def positive_of(classes: list[Any], counts: Iterable[float] | None = None) -> Any:
    """The positive one of two labels by its name, else the rarer, else None."""
    if len(classes) > 2:
        return None
    words = [str(label).strip().casefold() for label in classes]
    named = [i for i, word in enumerate(words) if word in POSITIVE_WORDS]
    if len(named) == 1 and not (words[named[0]] in ("1", "1.0") and _other_number(words, named[0])):
        return classes[named[0]]
    if counts is None or len(classes) != 2:
        return None
    first, second = counts
    return classes[0] if first < second else classes[1]


def _other_number(words: list[str], place: int) -> bool:
    """Whether the 1 at `place` stands beside something else than 0 or -1: then 1 is a mere number of a class."""
    return any(word not in ("0", "0.0", "-1", "-1.0") for i, word in enumerate(words) if i != place)


# ---- what the metrics are computed from

@dataclass(frozen=True)
class Labelled:
    """Codes of the true and the predicted labels in one list of classes."""

    truth: Array
    said: Array
    classes: list[Any]
    positive: int | None  # its place in classes; None with more than two classes


def labelled(y: Any, predictions: "Predictions") -> Labelled:
    """True and predicted labels on one scale; raises when they cannot belong together."""
    if predictions.labels is None:
        raise BadInputError("`predictions` must hold labels for a metric of classification. Got values of a regression.")
    truth = distinct(one_column(y, "y"))[1]
    said = distinct(one_column(predictions.labels, "predictions.labels"))[1]
    known = list(predictions.classes) if predictions.classes is not None else []
    place = dict.fromkeys(known or in_order(label for label in said if label == label))
    if known and len(truth) > 1 and not any(label in place for label in truth):
        raise BadInputError(f"`y` must hold labels that the model knows. Got {in_order(truth)[:5]}; the model knows "
                            f"{known[:5]}. Give `y` in the form the model was fitted on.")
    more = [label for label in dict.fromkeys([*truth, *said]) if label == label and label not in place]
    classes = known + in_order(more) if known else in_order([*place, *more])
    codes = encode(y, classes, "y")
    labels = encode(predictions.labels, classes, "predictions.labels")
    same_length(len(codes), len(labels))
    positive = predictions.positive
    if positive is None and len(classes) <= 2:
        positive = positive_of(classes, np.bincount(codes, minlength=2)[:2] if len(classes) == 2 else None)
    here = classes.index(positive) if len(classes) <= 2 and positive in classes else None
    return Labelled(codes, labels, classes, here)


def same_length(rows: int, predicted: int) -> None:
    """Raise unless there is one prediction a row."""
    if rows != predicted:
        raise BadInputError(f"`predictions` must have one row for each of `y`. Got {predicted} predictions for {rows} rows.")


def spread(given: Array, predictions: "Predictions", classes: list[Any], fill: float) -> Array:
    """Columns of the model's classes, then a constant column for each class that only `y` has."""
    missing = len(classes) - given.shape[1]
    same_length(len(predictions.labels), len(given))  # type: ignore[arg-type]
    return np.column_stack([given, np.full((len(given), missing), fill)]) if missing > 0 else given


def lexical(*keys: Array) -> Array:
    """The row order by the first key, then the second, ...; rows that tie are the same in every key."""
    return np.lexsort([np.asarray(key) for key in reversed(keys)])


def ratio(top: Array, bottom: Array) -> Array:
    """top / bottom, nan where bottom is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(bottom > 0, top / bottom, np.nan)


def mean_loss(loss: Array, worst: float, *, root: int = 1) -> Rows:
    """A metric that is the mean of a loss per row (or its square root)."""
    loss = np.where(np.isfinite(loss), loss, np.nan)
    order = lexical(loss)
    sorted_loss = loss[order]

    def compute(weights: Array) -> Array:
        mean = ratio(weights @ sorted_loss, weights.sum(1))
        return np.sqrt(mean) if root == 2 else mean

    graded = len(loss) > 1 and np.isfinite(loss).all() and len(np.unique(loss)) > 2
    return Rows(order, compute, support=len(loss), worst=worst, root=root, losses=sorted_loss if graded else None)


# ---- metrics of labels

def accuracy(y: Any, predictions: "Predictions") -> Rows:
    """Share of rows with the right label."""
    rows = labelled(y, predictions)
    return mean_loss((rows.truth == rows.said).astype(float), 0.0)


def tallies(rows: Labelled, formula: Callable[[Array, Array, Array], Array], support: int, parts: int = 1) -> Rows:
    """A metric of (rows of a class, rows called so, rows rightly called so), each of shape (b, classes)."""
    order = lexical(rows.truth, rows.said)
    truth, said, size = rows.truth[order], rows.said[order], len(rows.classes)
    hit = np.flatnonzero(truth == said)

    def compute(weights: Array) -> Array:
        real = np.array([np.bincount(truth, w, size) for w in weights])
        called = np.array([np.bincount(said, w, size) for w in weights])
        right = np.array([np.bincount(truth[hit], w[hit], size) for w in weights])
        return formula(real, called, right)

    return Rows(order, compute, support=support, parts=parts, worst=0.0)


def smallest(rows: Labelled) -> tuple[int, int]:
    """(rows of the smallest class that occurs, how many classes occur)."""
    counts = np.bincount(rows.truth, minlength=1)
    counts = counts[counts > 0]
    return (int(counts.min()), len(counts)) if len(counts) else (0, 1)


def balanced_accuracy(y: Any, predictions: "Predictions") -> Rows:
    """Mean recall of the classes that occur."""
    rows = labelled(y, predictions)
    return tallies(rows, lambda real, called, right: macro(ratio(right, real)), *smallest(rows))


def macro(by_class: Array) -> Array:
    """Mean over the classes that are defined; nan when none is."""
    defined = np.isfinite(by_class)
    return ratio(np.where(defined, by_class, 0.0).sum(1), defined.sum(1))


def of_counts(formula: Callable[[Array, Array, Array], tuple[Array, Array]], base: str) -> Callable[..., Rows]:
    """precision, recall or F1: of the positive class with two classes, else the mean over the classes that occur."""

    def prepare(y: Any, predictions: "Predictions") -> Rows:
        rows = labelled(y, predictions)
        if len(rows.classes) > 2:
            return tallies(rows, lambda *n: macro(_macro_terms(formula, *n)), *smallest(rows))
        one = rows.positive if rows.positive is not None else len(rows.classes)  # a class without any row

        def compute(real: Array, called: Array, right: Array) -> Array:
            padded = [np.column_stack([part, np.zeros(len(part))]) for part in (real, called, right)]
            return ratio(*formula(*(part[:, one] for part in padded)))

        return tallies(rows, compute, int((getattr(rows, base) == one).sum()))

    return prepare


def _macro_terms(formula: Callable[..., tuple[Array, Array]], real: Array, called: Array, right: Array) -> Array:
    """Score by class: 0 where a class is missed altogether, nan where it is neither in the rows nor predicted."""
    value = ratio(*formula(real, called, right))
    return np.where((real + called > 0) & np.isnan(value), 0.0, value)


precision = of_counts(lambda real, called, right: (right, called), "said")
recall = of_counts(lambda real, called, right: (right, real), "truth")
f1 = of_counts(lambda real, called, right: (2 * right, real + called), "truth")


# ---- metrics of scores

def scored(y: Any, predictions: "Predictions") -> tuple[Labelled, Array]:
    """Labels, and a score for each class: probabilities, or decision scores where the model has no others."""
    rows = labelled(y, predictions)
    given, fill = (predictions.proba, 0.0) if predictions.proba is not None else (predictions.scores, -np.inf)
    return rows, spread(np.asarray(given, dtype=float), predictions, rows.classes, fill)


def of_ranks(one_class: Callable[[Array, Array], Callable[[Array], Array]], both: bool) -> Callable[..., Rows]:
    """A ranking metric: of the positive class with two classes, else the mean of one class against the rest."""

    def prepare(y: Any, predictions: "Predictions") -> Rows:
        rows, scores = scored(y, predictions)
        binary = len(rows.classes) <= 2
        which = ([rows.positive] if rows.positive is not None else []) if binary else range(len(rows.classes))
        order = lexical(rows.truth, *(scores[:, k] for k in range(scores.shape[1])))
        parts = [one_class(scores[order, k], (rows.truth[order] == k).astype(float)) for k in which]
        counts = [int((rows.truth == k).sum()) for k in which]
        counts = [min(c, len(order) - c) if both else c for c in counts if c]

        def compute(weights: Array) -> Array:
            if not parts or np.isnan(scores).any():
                return np.full(len(weights), np.nan)
            return macro(np.column_stack([part(weights) for part in parts]))

        return Rows(order, compute, support=min(counts, default=0), parts=max(1, len(counts)), worst=0.0)

    return prepare


def _steps(scores: Array) -> tuple[Array, Array]:
    """(row order by score, where each distinct score starts in it)."""
    by_score = np.argsort(scores, kind="stable")
    ordered = scores[by_score]
    return by_score, np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(scores) else np.empty(0, int)


def _by_step(weights: Array, starts: Array) -> Array:
    return weights if len(starts) == weights.shape[1] else np.add.reduceat(weights, starts, axis=1)


def area(scores: Array, hit: Array) -> Callable[[Array], Array]:
    """Area under the ROC curve: how often a positive row has the higher score; ties count half."""
    by_score, starts = _steps(scores)
    sorted_hit = hit[by_score]

    def compute(weights: Array) -> Array:
        rows = weights[:, by_score]
        up = rows * sorted_hit
        down = _by_step(rows - up, starts)
        up = _by_step(up, starts)
        pairs = (up * (np.cumsum(down, axis=1) - down / 2)).sum(1)
        return ratio(pairs, up.sum(1) * down.sum(1))

    return compute


def precision_area(scores: Array, hit: Array) -> Callable[[Array], Array]:
    """Average precision: the precision at each distinct score, weighted by the recall it adds."""
    by_score, starts = _steps(-scores)
    sorted_hit = hit[by_score]

    def compute(weights: Array) -> Array:
        rows = weights[:, by_score]
        up = _by_step(rows * sorted_hit, starts)
        above = np.cumsum(_by_step(rows, starts), axis=1)
        level = np.where(above > 0, np.cumsum(up, axis=1) / np.maximum(above, np.finfo(float).tiny), 0.0)
        return ratio((up * level).sum(1), up.sum(1))

    return compute


roc_auc = of_ranks(area, both=True)
average_precision = of_ranks(precision_area, both=False)


def log_loss(y: Any, predictions: "Predictions") -> Rows:
    """Mean of -ln(probability of the label that came true)."""
    rows, proba = scored(y, predictions)
    total = np.maximum(proba.sum(1), np.finfo(float).tiny)
    given = proba[np.arange(len(proba)), rows.truth] / total
    tiny = np.finfo(np.asarray(predictions.proba).dtype if np.asarray(predictions.proba).dtype.kind == "f" else float).eps
    return mean_loss(-np.log(np.clip(given, tiny, 1.0)), float(np.log(max(2, len(rows.classes)))))


def brier(y: Any, predictions: "Predictions") -> Rows:
    """Half the mean squared distance between the probabilities and what came true."""
    rows, proba = scored(y, predictions)
    came_true = rows.truth[:, None] == np.arange(len(rows.classes))
    return mean_loss(((proba - came_true) ** 2).sum(1) / 2, 1.0)
