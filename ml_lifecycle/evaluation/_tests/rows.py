"""The rows that a written suite of tests asks about, kept beside it as Parquet."""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ml_lifecycle.foundation import _files, _scores
from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.errors import BadInputError
from ml_lifecycle.foundation.metrics import Predictions

@dataclass(frozen=True, eq=False)
class Saved:
    """Rows that were written beside a test file."""

    X: Any  # the rows, in the form that the model takes
    after: Any = None  # the same rows after the change
    answers: Any = None  # one expected answer a row
    predictions: Predictions | None = None  # what a baseline said about the rows


def write_rows(path: Path, X: Any) -> None:
    """Rows as one Parquet file, with their form beside it; raises BadInputError for what Parquet cannot hold."""
    form: dict[str, Any] = {"form": "frame"}
    if isinstance(X, pd.DataFrame):
        odd = [name for name in X.columns if not isinstance(name, (str, int, np.integer))]
        if odd:
            raise BadInputError(f"`X` must have names of text or whole numbers to be saved. Got {shown(odd[0])}. "
                                "Rename the column.")
        form["names"] = [name if isinstance(name, str) else int(name) for name in X.columns]
        table = X.reset_index(drop=True)
    elif isinstance(X, pd.Series):
        form, table = {"form": "series", "name": None if X.name is None else str(X.name)}, X.reset_index(drop=True).to_frame()
    elif hasattr(X, "tocsr"):
        form["form"], table = "sparse", pd.DataFrame(X.toarray())
    elif hasattr(X, "detach"):
        form, table = _array(X.detach().cpu().numpy(), "tensor")
    elif isinstance(X, np.ndarray):
        form, table = _array(X, "array")
    else:
        form, table = {"form": "list"}, pd.DataFrame({"0": list(X)})
    table = table.set_axis([f"c{i}" for i in range(table.shape[1])], axis=1)
    buffer = io.BytesIO()
    try:
        table.to_parquet(buffer, index=False)
    except Exception as error:
        why = " ".join(str(error).split())[:160]
        raise BadInputError(f"`X` must hold columns of one kind each to be saved as Parquet. Got {why}. "
                            "Convert the column.") from error
    _files.write_bytes(path.with_suffix(".parquet"), buffer.getvalue())
    _files.write_text(path.with_suffix(".json"), json.dumps(form, ensure_ascii=False, indent=1))


def _array(X: Any, form: str) -> tuple[dict[str, Any], pd.DataFrame]:
    known: dict[str, Any] = {"form": form, "shape": list(X.shape[1:]), "dtype": str(X.dtype)}
    return known, pd.DataFrame(X.reshape(len(X), -1))


def read_rows(path: Path) -> Any:
    """What `write_rows` wrote, in the same form."""
    form = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    table = pd.read_parquet(path.with_suffix(".parquet"))
    if form["form"] == "frame":
        table.columns = pd.Index(form["names"])
        return table
    if form["form"] == "series":
        return table.iloc[:, 0].rename(form["name"])
    if form["form"] == "list":
        return table.iloc[:, 0].tolist()
    if form["form"] == "sparse":
        from scipy import sparse

        return sparse.csr_matrix(table.to_numpy())
    values = table.to_numpy().astype(form["dtype"]).reshape(len(table), *form["shape"])
    if form["form"] == "tensor":
        import torch

        return torch.from_numpy(values)
    return values


def write_answers(path: Path, said: Predictions) -> None:
    """Predictions as Parquet."""
    parts = {"answer": said.values if said.values is not None else said.labels}
    table = said.proba if said.proba is not None else said.scores
    columns = {} if table is None else {f"c{i}": table[:, i] for i in range(table.shape[1])}
    buffer = io.BytesIO()
    pd.DataFrame({**parts, **columns}).to_parquet(buffer, index=False)
    _files.write_bytes(path.with_suffix(".parquet"), buffer.getvalue())
    what = "values" if said.values is not None else "proba" if said.proba is not None else "scores"
    form = {"form": "predictions", "what": what, "classes": plain(said.classes), "positive": plain(said.positive)}
    _files.write_text(path.with_suffix(".json"), json.dumps(form, ensure_ascii=False))


def plain(value: Any) -> Any:
    """A value of NumPy, or a list of them, as Python's own."""
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value.item() if isinstance(value, np.generic) else value


def read_answers(path: Path) -> Predictions:
    """What `write_answers` wrote."""
    form = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    table = pd.read_parquet(path.with_suffix(".parquet"))
    answer, rest = table["answer"].to_numpy(), table.drop(columns="answer").to_numpy(dtype=float)
    if form["what"] == "values":
        return Predictions(values=answer.astype(float))
    known = {form["what"]: rest} if rest.shape[1] else {}
    classes = None if form["classes"] is None else tuple(form["classes"])
    return Predictions(labels=answer, classes=classes, positive=form["positive"], **known)


def read_saved(folder: Path, name: str) -> Saved:
    """Everything that was saved under a name."""
    part = {key: folder / f"{name}_{key}" for key in ("rows", "after", "answers", "predictions")}
    there = {key: path for key, path in part.items() if path.with_suffix(".json").exists()}
    return Saved(read_rows(there["rows"]) if "rows" in there else None,
                 read_rows(there["after"]) if "after" in there else None,
                 read_rows(there["answers"]).tolist() if "answers" in there else None,
                 read_answers(there["predictions"]) if "predictions" in there else None)


def rows_file(folder: Path) -> tuple[Any, Any, Any]:
    """(X, y, groups) under test."""
    saved = read_saved(folder, "tested")
    y = None if saved.answers is None else read_rows(folder / "tested_answers")
    groups = None if saved.after is None else _scores.one_column(saved.after, "groups")
    return saved.X, y, groups
