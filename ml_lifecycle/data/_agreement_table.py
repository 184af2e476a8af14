"""Labels of several annotators, in whatever form they come, as one table of codes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ml_lifecycle.foundation import _scores
from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.errors import BadInputError, UnknownNameError, did_you_mean

Array = NDArray[Any]
LONG = ("item", "annotator", "label")


@dataclass(frozen=True)
class Labels:
    """Who labelled which item how."""

    codes: Array  # (items, annotators), the place of the label in `classes`; -1 where there is none
    classes: tuple[Any, ...]  # the labels in order
    values: Array  # one number for each class: what differences are taken of on an ordered scale
    annotators: tuple[str, ...]  # their names
    repeated: int = 0  # labels that an annotator gave again for the same item; the last one counts

    @property
    def counts(self) -> Array:
        """How often each item has each label, (items, classes)."""
        table = np.zeros((len(self.codes), len(self.classes)))
        for column in self.codes.T:
            rows = np.flatnonzero(column >= 0)
            table[rows, column[rows]] += 1
        return table


def read_labels(labels: Any, names: Mapping[str, str | None], level: str, order: Sequence[Any] | None) -> Labels:
    """One table of codes from a wide or a long frame, an array or a dict; raises BadInputError when it is none."""
    frame = _as_frame(labels)
    named = {part: names.get(part) or part for part in LONG}
    for part, name in names.items():
        if name is not None and name not in frame.columns:
            raise UnknownNameError(f"`{part}` must be a column of `labels`. Got {name!r}. "
                                   + did_you_mean(name, frame.columns, noun="Columns"))
    repeated = 0
    if set(named.values()) <= set(frame.columns):
        frame, repeated = _from_long(frame, named)
    if frame.shape[1] < 2 or not len(frame):
        raise BadInputError(f"`labels` must hold two annotators or more, a column each. Got {frame.shape[1]} for {len(frame)} "
                            "items. A long table has the columns item, annotator, label.")
    codes, classes = _coded(frame, order)
    if level != "nominal" and order is None and _words_without_order(frame, classes):
        raise BadInputError(f"`order` must say how the labels are ordered when level={level!r}. Got words such as "
                            f"{shown(classes[0])}. Write order=[...], from the lowest to the highest.")
    return Labels(codes, tuple(classes), _numbers(classes, level, order), tuple(map(str, frame.columns)), repeated)


def _as_frame(labels: Any) -> pd.DataFrame:
    if isinstance(labels, pd.DataFrame):
        frame = labels
    elif isinstance(labels, Mapping):
        lengths = {len(column) for column in labels.values() if hasattr(column, "__len__")}
        if len(lengths) > 1:
            raise BadInputError(f"`labels` must have one label of each annotator for each item. Got {sorted(lengths)} labels. "
                                "Put None where there is none.")
        frame = pd.DataFrame({name: pd.Series(list(column), dtype=object) for name, column in labels.items()})
    else:
        try:
            array = np.asarray(labels)
        except ValueError:  # lists of several lengths
            array = np.empty(0)
        if array.ndim != 2:
            raise BadInputError("`labels` must be a table of items and annotators. Got "
                                f"{type(labels).__name__} of shape {array.shape}. Make one column for each annotator.")
        if isinstance(labels, (list, tuple)):
            array = np.array([list(row) for row in labels], dtype=object)  # a list may mix numbers and words
        frame = pd.DataFrame(array, columns=[f"annotator {i + 1}" for i in range(array.shape[1])])
    if not frame.columns.is_unique:
        raise BadInputError(f"`labels` must have distinct column names. Got {shown(list(map(str, frame.columns)))}. "
                            "Name each annotator.")
    return frame


def _from_long(frame: pd.DataFrame, named: Mapping[str, str]) -> tuple[pd.DataFrame, int]:
    """A column for each annotator; of several labels for one item the last one counts."""
    item, annotator, label = (frame[named[part]] for part in LONG)
    kept = (item.notna() & annotator.notna() & label.notna()).to_numpy()
    rows, items = pd.factorize(item[kept])
    columns, people = pd.factorize(annotator[kept])
    wide = np.full((len(items), len(people)), None, dtype=object)
    wide[rows, columns] = label[kept].to_numpy(dtype=object)
    repeated = int(kept.sum()) - len(set(zip(rows.tolist(), columns.tolist())))
    return pd.DataFrame(wide, columns=[str(person) for person in people]), repeated


def _coded(frame: pd.DataFrame, order: Sequence[Any] | None) -> tuple[Array, list[Any]]:
    flat = np.concatenate([frame.iloc[:, i].to_numpy(dtype=object) for i in range(frame.shape[1])])
    for value in flat:
        if pd.api.types.is_list_like(value):
            raise BadInputError(f"`labels` must have one label of an annotator for an item. Got {shown(value)}. "
                                "Put one number or one word there.")
    places, found = _scores.distinct(pd.Series(flat, dtype=object))
    if not found:
        raise BadInputError(f"`labels` must hold labels. Got none for {len(frame)} items.")
    given = _order_of(frame) if order is None else list(order)
    unknown = [label for label in found if label not in given] if given is not None else []
    if unknown:
        raise BadInputError(f"`order` must name every label. Got none for {shown(unknown[0])}. Add it at its place.")
    classes = [label for label in given if label in found] if given is not None else _scores.in_order(found)
    place = {label: i for i, label in enumerate(classes)}
    table = np.array([place[label] for label in found] + [-1])
    return table[places].reshape(frame.shape[1], len(frame)).T, classes


def _order_of(frame: pd.DataFrame) -> list[Any] | None:
    """The order that ordered categories bring along."""
    kinds = [kind for kind in frame.dtypes if isinstance(kind, pd.CategoricalDtype)]
    if len(kinds) == frame.shape[1] and all(kind.ordered and kind == kinds[0] for kind in kinds):
        return list(kinds[0].categories)
    return None


def _words_without_order(frame: pd.DataFrame, classes: Sequence[Any]) -> bool:
    return _order_of(frame) is None and not all(_is_number(label) for label in classes)


def _is_number(label: Any) -> bool:
    return isinstance(label, (int, float, np.number)) and bool(np.isfinite(float(label)))


def _numbers(classes: Sequence[Any], level: str, order: Sequence[Any] | None) -> Array:
    """What differences are taken of: the labels themselves on an interval scale, their places otherwise."""
    if level == "interval" and all(map(_is_number, classes)):
        return np.asarray([float(label) for label in classes])
    if level == "interval":
        raise BadInputError(f"`labels` must be numbers when level='interval'. Got {shown(classes[0])}. "
                            "Take level='ordinal', which uses their order alone.")
    return np.arange(len(classes), dtype=float)


def class_name(label: Any) -> str:
    """A label for tables; whole numbers without the point that missing values brought."""
    return str(int(label)) if isinstance(label, float) and label.is_integer() else str(label)
