"""What each column is for: roles checked, ids found, the task inferred, rows without a target set aside."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ml_lifecycle.foundation import _scores
from ml_lifecycle.foundation._columns import check_not_empty
from ml_lifecycle.foundation._notes import Note
from ml_lifecycle.foundation._words import count, shown
from ml_lifecycle.foundation.errors import BadInputError, UnknownNameError, did_you_mean, one_of

TASKS = ("classification", "regression")
FEWEST_ROWS = 10
MOST_CLASSES = 10  # distinct whole numbers up to which a target is taken for classes
ID_NAME = re.compile(r"(?:.*[_ .-])?(?:id|uuid|guid)|row_?(?:names?|nums?|numbers?|ids?)|index|idx|level_0|"
                     r"unnamed: ?\d+|__index_level_\d+__", re.IGNORECASE)
ID_CAMEL = re.compile(r".*[a-z](?:ID|Id|UUID|Uuid)")


@dataclass(frozen=True)
class Asked:
    """The roles that were asked for, by column name."""

    target: str | None = None
    time: str | None = None
    group: str | None = None
    text: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()  # columns known to be ids
    task: str | None = None


@dataclass(frozen=True)
class Assembled:
    """What a Dataset is made of."""

    frame: pd.DataFrame
    task: str | None
    roles: dict[str, Any]
    classes: tuple[Any, ...]
    positive: Any
    notes: tuple[str, ...] = field(default=())


def one_name(value: object, argument: str) -> str | None:
    """A column name or None; an empty string is None, as papermill passes it."""
    if value is None or value is False or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise BadInputError(f"`{argument}` must be the name of one column. Got {shown(value)}.")
    return value.strip()


def many_names(value: object, known: Sequence[str], argument: str) -> tuple[str, ...]:
    """Column names from a name, comma-separated names or a sequence."""
    if value is None or value is False:
        return ()
    if isinstance(value, str):
        whole = value.strip()
        return (whole,) if whole in known else tuple(part.strip() for part in whole.split(",") if part.strip())
    value = (value,) if isinstance(value, (int, np.integer)) and not isinstance(value, bool) else value
    if not isinstance(value, Iterable):
        raise BadInputError(f"`{argument}` must be column names. Got {shown(value)}.")
    names = (one_name(part, argument) for part in value)
    return tuple(dict.fromkeys(name for name in names if name))


def check_asked(asked: Asked, known: Sequence[str]) -> None:
    """Raise one clear line for a role whose column is not there, or for a column in two roles."""
    if asked.task is not None:
        one_of(asked.task, TASKS, "task", noun="Tasks")
    taken: dict[str, str] = {}
    named = [("target", asked.target), ("time", asked.time), ("group", asked.group)]
    named += [("text", name) for name in asked.text] + [("drop", name) for name in asked.drop]
    for argument, name in named:
        if name is None:
            continue
        if name not in known:
            what = "name columns" if argument in ("text", "drop") else "be a column"
            raise UnknownNameError(f"`{argument}` must {what} of the data. Got {shown(name)}. "
                                   + did_you_mean(name, known, noun="Columns"))
        if taken.setdefault(name, argument) != argument:
            raise BadInputError(f"`{argument}` must be a column that has no other role. Got {shown(name)}, "
                                f"which is `{taken[name]}` too. Name it once.")
    if asked.task and not asked.target:
        raise BadInputError(f"`task` must come with a `target`. Got task={asked.task!r} without one. Name the "
                            "target's column.")


def assemble(frame: pd.DataFrame, kinds: dict[str, str], asked: Asked, notes: Sequence[str]) -> Assembled:
    """Give every column its role."""
    remarks: list[str] = list(notes)
    _check_kinds(frame, kinds, asked)
    named = [name for name in (asked.target, asked.time, asked.group) if name]
    ids = find_ids(frame, kinds, {*named, *asked.text}, asked.ids)  # on all rows: without some, 1 to n has gaps
    frame = _with_target(frame, asked.target, remarks)
    if len(frame) < FEWEST_ROWS:
        raise BadInputError(f"`data` must have at least {FEWEST_ROWS} rows" + (" with a target" if asked.target else "")
                            + f". Got {len(frame)}. Bring more rows.")
    task, classes = None, ()
    if asked.target:
        task = _task(frame[asked.target], kinds[asked.target], asked, remarks)
        frame = frame.copy(deep=False)
        frame[asked.target] = _labels(frame[asked.target], task)
        classes = _classes(frame[asked.target], asked) if task == "classification" else ()
    if ids:
        listed = ", ".join(f"`{name}` ({why})" for name, why in list(ids.items())[:6])
        remarks.append(Note("DSC001", "Set aside as ids, not among the features: "
                                      f"{listed}{' …' if len(ids) > 6 else ''}."))
    outside = {asked.target, asked.group, *ids}
    features = [name for name in frame.columns if name not in outside]
    _check_features(frame, features, remarks)
    parts = {role: tuple(name for name in features if kinds[name] == kind)
             for role, kind in (("numeric", "number"), ("categorical", "category"), ("boolean", "boolean"),
                                ("datetime", "datetime"), ("text", "text"))}
    roles = {"target": asked.target, "time": asked.time, "group": asked.group, **parts,
             "id": tuple(ids), "set_aside": (), "dropped": asked.drop}
    if unasked := [name for name in parts["text"] if name not in asked.text]:
        remarks.append(Note("DSC012", f"Read as text: {', '.join(f'`{name}`' for name in unasked)}."))
    positive = positive_of(frame[asked.target], classes) if asked.target else None
    return Assembled(frame, task, roles, classes, positive, tuple(dict.fromkeys(remarks)))


def _check_kinds(frame: pd.DataFrame, kinds: dict[str, str], asked: Asked) -> None:
    if asked.time and kinds[asked.time] not in ("datetime", "number"):
        raise BadInputError(f"`time` must be a column of dates or numbers. Got {shown(asked.time)} with values such as "
                            f"{shown(frame[asked.time].dropna().iloc[0], 40)}. Write dates as 2024-01-31.")
    for name in asked.text:
        if kinds[name] != "text":
            raise BadInputError(f"`text` must name columns of text. Got {shown(name)}, a column of kind {kinds[name]}.")


def _with_target(frame: pd.DataFrame, target: str | None, remarks: list[str]) -> pd.DataFrame:
    if target is None:
        return frame
    known = frame[target].notna()
    if not known.any():
        raise BadInputError(f"`target` must have values. Got {shown(target)}, which is missing in every row.")
    absent = int((~known).sum())
    if not absent:
        return frame
    remarks.append(Note("DSC002", f"{absent:,} of {count(len(frame), 'row')} have no `{target}` and are set aside."))
    return frame[known]


def _task(values: pd.Series, kind: str, asked: Asked, remarks: list[str]) -> str:
    """The task that was asked for, checked, or the one that the target's values suggest."""
    name, distinct = shown(asked.target), values.nunique()
    if kind in ("text", "datetime"):
        what = "free text" if kind == "text" else "times"
        raise BadInputError(f"`target` must hold classes or numbers. Got {name}, which holds {what}. Name another "
                            "column.")
    if distinct < 2:
        raise BadInputError(f"`target` must have at least two values. Got {name}, where every row holds "
                            f"{shown(values.iloc[0], 40)}. Name another column.")
    if kind == "category" and len(values) >= 20 and distinct > 0.5 * len(values):
        raise BadInputError(f"`target` must hold classes that come back. Got {name} with {distinct:,} distinct values "
                            f"in {len(values):,} rows, which looks like an id or free text. Name another column.")
    if kind == "number" and _is_sequence(values):
        raise BadInputError(f"`target` must be something to predict. Got {name}, which numbers the rows from "
                            f"{int(values.min())} to {int(values.max())}. Name another column.")
    whole = kind == "number" and bool((values == values.round()).all())
    task = "classification" if kind != "number" or (whole and distinct <= MOST_CLASSES) else "regression"
    if asked.task is None:
        if kind == "number":
            more = f"{distinct} distinct whole numbers" if whole else f"{distinct:,} distinct numbers"
            other = TASKS[task == "classification"]
            remarks.append(Note("DSC003", f"`{asked.target}` holds {more}: taken as {task} (task={other!r} "
                                          "overrides)."))
        return task
    if asked.task == "regression" and kind != "number":
        raise BadInputError(f"`task` must be 'classification' for a target of kind {kind}. Got 'regression' for {name} "
                            f"with values such as {shown(values.iloc[0], 40)}. Leave `task` out, or name a column of "
                            "numbers.")
    if asked.task == "classification" and kind == "number" and distinct > max(MOST_CLASSES, 0.5 * len(values)):
        raise BadInputError("`task` must be 'regression' for numbers that hardly come back. Got 'classification' for "
                            f"{name} with {distinct:,} distinct values in {len(values):,} rows. Leave `task` out, or "
                            "bin the column.")
    return asked.task


def _labels(values: pd.Series, task: str) -> pd.Series:
    """The target without traces of what was set aside: no unused categories, whole labels as whole numbers."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.cat.remove_unused_categories()
        kind = pd.api.types.infer_dtype(values.cat.categories)
        return values if kind == "string" else values.astype(values.cat.categories.dtype)
    if pd.api.types.is_bool_dtype(values.dtype):
        return values.astype(bool)
    if task == "classification" and bool((values == values.round()).all()):
        return values.astype("int64")
    return values


def _classes(values: pd.Series, asked: Asked) -> tuple[Any, ...]:
    counts = values.value_counts()
    counts = counts[counts > 0]
    single = [shown(label, 24) for label, rows in counts.items() if rows < 2]
    if single:
        numbers = asked.task is None and pd.api.types.is_numeric_dtype(values.dtype)
        other = ", or pass task='regression'" if numbers and not pd.api.types.is_bool_dtype(values.dtype) else ""
        raise BadInputError("`target` must have at least two rows of each class. Got one row of "
                            f"{', '.join(single[:5])}"
                            f"{' …' if len(single) > 5 else ''} in {shown(asked.target)}. Merge such classes or remove "
                            f"the rows{other}.")
    return tuple(_scores.in_order(label.item() if isinstance(label, np.generic) else label for label in counts.index))


def positive_of(values: pd.Series, classes: tuple[Any, ...]) -> Any:
    """The label that counts as positive, by the rule of the metrics; None unless there are two classes."""
    counts = [int((values == label).sum()) for label in classes]
    return _scores.positive_of(list(classes), counts) if len(classes) == 2 else None


def find_ids(frame: pd.DataFrame, kinds: dict[str, str], taken: set[str], known: Sequence[str] = ()) -> dict[str, str]:
    """Columns that name the row rather than describe it, each with the reason."""
    found = {}
    for name in frame.columns:
        if name in taken:
            continue
        why = "named as an id" if name in known else _why_id(name, frame[name], kinds[name])
        if why:
            found[name] = why
    return found


def _why_id(name: str, values: pd.Series, kind: str) -> str:
    named = bool(ID_NAME.fullmatch(name) or ID_CAMEL.fullmatch(name))
    if kind == "category":
        known = int(values.notna().sum())
        distinct = int(values.nunique()) if len(values.cat.categories) > 0.5 * known else 0
        if distinct == known == len(values):
            return "every row its own"
        return "an id by its name" if named and distinct > 0.5 * known else ""
    if kind != "number" or values.isna().any() or not (named or values.dtype.kind == "i"):
        return ""
    if _is_sequence(values):
        return "the row's number"
    return "every row its own" if named and bool((values == values.round()).all()) and values.is_unique else ""


def _is_sequence(values: pd.Series) -> bool:
    """Whether whole numbers are 0 to n-1 or 1 to n, in any order."""
    array = values.to_numpy()
    if array.dtype.kind != "i" or len(array) < 2:
        return False
    low = int(array.min())
    if low not in (0, 1) or int(array.max()) != low + len(array) - 1:
        return False
    return bool((np.bincount(array - low, minlength=len(array)) == 1).all())


def _check_features(frame: pd.DataFrame, features: list[str], remarks: list[str]) -> None:
    """Features without a value raise; constant ones and categories that hardly come back are remarked on."""
    empty, constant, many = [], [], []
    for name in features:
        values = frame[name]
        codes = values.cat.codes.to_numpy() if isinstance(values.dtype, pd.CategoricalDtype) else None
        if codes is not None and len(values.cat.categories) > 0.5 * len(values):
            many.append(name)
        known = codes[codes >= 0] if codes is not None else values.dropna().to_numpy()
        if not len(known):
            empty.append(name)
        elif (known == known[0]).all():
            constant.append(name)
    if empty:
        check_not_empty(empty, " in the rows with a target")
    if constant:
        remarks.append(Note("DSC008", f"Constant, so of no use to a model: {', '.join(f'`{c}`' for c in constant[:6])}"
                                      f"{' …' if len(constant) > 6 else ''}."))
    if many:
        remarks.append(Note("DSC009", "More than half of the values are distinct: "
                                      f"{', '.join(f'`{c}`' for c in many[:6])}. "
                                      "A model learns little from them; `drop` leaves them out."))
    if not features:
        raise BadInputError("`data` must have at least one feature besides the target, the group and ids. Got none. "
                            "Bring columns to predict from.")
