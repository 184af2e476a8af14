"""The log of a search: one line of JSON for each finished trial, so that a search that was killed goes on where it stood."""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ml_lifecycle.foundation.errors import BadInputError, ProjectError
from ml_lifecycle.refinement._search.space import Axis, Line, Space

FORM = 1  # of the lines


class Log:
    """Finished trials on disk, each once. A half line that a kill has left is dropped, never read."""

    def __init__(self, path: Any, about: Mapping[str, Any]) -> None:
        if not isinstance(path, (str, os.PathLike)) or not str(path):
            raise BadInputError(f"`log` must be the path of a file. Got {path!r:.60}. Write log='search.jsonl'.")
        self.path = Path(path)
        self.about = json.loads(json.dumps(about, default=repr))
        self.trials: dict[int, dict[str, Any]] = {}
        try:
            self._open()
        except OSError as error:
            raise ProjectError(f"`log` must be a file that can be written. Got {str(path)!r}: {error.strerror or error}. "
                               "Name another one.") from error

    def _open(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        whole = self.path.read_bytes() if self.path.exists() else b""
        kept, _, rest = whole.rpartition(b"\n")
        lines = [self._read(line) for line in kept.splitlines() if line.strip()]
        if not lines:
            if rest.strip() and not b'{"search"'.startswith(rest[:9]):
                raise self._strange()
            self._append({"search": self.about, "form": FORM}, cut=0)
            return
        head = lines[0].get("search")
        if not isinstance(head, dict) or lines[0].get("form") != FORM:
            raise self._strange()
        other = next((name for name in self.about if head.get(name) != self.about[name]), None)
        if other is not None:
            raise BadInputError(f"`log` must be of this search, or a new file. Got {str(self.path)!r}, written with another "
                                f"{other}: {str(head.get(other))[:50]}, not {str(self.about[other])[:50]}. Name another file.")
        if rest:
            os.truncate(self.path, len(kept) + 1)
        for line in lines[1:]:
            if isinstance(line.get("trial"), int):
                self.trials.setdefault(line["trial"], line)

    def _read(self, line: bytes) -> dict[str, Any]:
        try:
            found = json.loads(line)
        except ValueError:
            raise self._strange() from None
        if not isinstance(found, dict):
            raise self._strange()
        return found

    def _strange(self) -> BadInputError:
        return BadInputError(f"`log` must be the log of a search, or a new file. Got {str(self.path)!r}, which holds something "
                             "else. Name another file.")

    def add(self, line: Mapping[str, Any]) -> None:
        """Keep a finished trial; it is on the disk when this returns."""
        if line["trial"] not in self.trials:
            self.trials[line["trial"]] = dict(line)
            self._append(line)

    def _append(self, line: Mapping[str, Any], cut: int | None = None) -> None:
        if cut is not None and self.path.exists():
            os.truncate(self.path, cut)
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            os.write(handle, (json.dumps(line, default=repr) + "\n").encode())
            os.fsync(handle)
        finally:
            os.close(handle)


def words_of(space: Space) -> list[str]:
    """The axes of a space in words that are the same in every process."""
    def plain(axis: Axis) -> Axis:
        if not isinstance(axis, Line) or axis.law is None:
            return axis
        return replace(axis, law=(axis.law.dist.name, axis.law.args, axis.law.kwds))

    return [steady(plain(axis)) for axis in space.axes]


def steady(thing: Any) -> str:
    """The repr of something, without its place in memory."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(thing))


def mark_of(*arrays: Any) -> str:
    """A short mark of data: shapes, types and values."""
    found = hashlib.sha256()
    for array in arrays:
        if hasattr(array, "tocsr"):
            array = array.tocsr()
            found.update(array.indptr.tobytes() + array.indices.tobytes() + array.data.tobytes())
        elif isinstance(array, (pd.DataFrame, pd.Series)):
            found.update(pd.util.hash_pandas_object(array).to_numpy().tobytes())
        else:
            plain = np.asarray(array)
            found.update(f"{plain.shape}{plain.dtype}".encode())
            found.update(plain.tobytes() if plain.dtype != object else repr(plain.tolist()).encode())
    return found.hexdigest()[:16]
