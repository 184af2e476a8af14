"""The log of requests: what was answered, what the shadow would have answered, and what turned out later; in one SQLite file."""

import contextlib
import hashlib
import json
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.errors import BadInputError, ProjectError, UnknownNameError

_TABLES = """
CREATE TABLE IF NOT EXISTS requests (
    request_id TEXT PRIMARY KEY, at TEXT, user TEXT, arm TEXT, number INTEGER, shadow INTEGER, n INTEGER,
    inputs TEXT, ms REAL, shadow_ms REAL, shadow_error TEXT);
CREATE TABLE IF NOT EXISTS rows (
    request_id TEXT, position INTEGER, output TEXT, proba TEXT, shadow_output TEXT, shadow_proba TEXT, outcome TEXT,
    PRIMARY KEY (request_id, position)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS models (number INTEGER PRIMARY KEY, classes TEXT);
"""
_FRAME = """
SELECT r.request_id, r.at, r.user, r.arm, r.number, r.shadow, r.ms, r.shadow_ms, r.shadow_error,
       w.position, w.output, w.proba, w.shadow_output, w.shadow_proba, w.outcome
FROM requests r JOIN rows w USING (request_id) ORDER BY r.rowid, w.position
"""
NOT_RUN = "left out: "  # how the reason begins when the shadow was not asked
_LATER = {"outcome", "output", "proba", "shadow_output", "shadow_proba"}


@dataclass(frozen=True)
class Answer:
    """What one model said to the records of one request."""

    outputs: tuple[Any, ...]  # one plain value a record
    proba: tuple[tuple[float, ...], ...] | None  # one probability for each class, a record; None without
    ms: float  # milliseconds that the model took
    number: int  # the version that answered
    classes: tuple[Any, ...] | None = None  # what the columns of `proba` stand for; None in regression


class RequestLog:
    """Requests with both outputs, in a SQLite file; safe to use from several threads and processes."""

    def __init__(
        self,
        path: str | Path,  # the file; made when it is missing
        *,
        keep_inputs: bool = False,  # keep the records themselves, not only their hash: they may be personal
    ) -> None:
        if not isinstance(path, (str, Path)) or not str(path).strip():
            raise BadInputError(f"`log` must be the path of a file. Got {shown(path)}. Name one, such as requests.sqlite.")
        self.path, self.keep_inputs, self._lock = Path(path).expanduser().absolute(), keep_inputs, threading.RLock()
        self._held: tuple[int, sqlite3.Connection] | None = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._open() as connection:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.executescript(_TABLES)
        except (sqlite3.Error, OSError) as error:
            raise ProjectError(f"`log` must be a SQLite file that can be written. Got {str(self.path)!r}: {error}. "
                               "Name another file.") from None

    def __repr__(self) -> str:
        return f"RequestLog({str(self.path)!r})"

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """The connection of this process, for one transaction of one thread at a time."""
        with self._lock:
            if self._held is None or self._held[0] != os.getpid():
                connection = sqlite3.connect(self.path, timeout=10, check_same_thread=False)
                connection.execute("PRAGMA synchronous=NORMAL")
                self._held = os.getpid(), connection
            with self._held[1]:
                yield self._held[1]

    def close(self) -> None:
        """End the connection; the next use opens it again."""
        with self._lock:
            if self._held is not None:
                self._held[1].close()
            self._held = None

    def write(
        self,
        request_id: str,  # unique
        *,
        user: str | None,  # a hash of the user's id, never the id
        arm: str,  # "champion" or "canary"
        records: Sequence[Any],  # what was asked
        answer: Answer,  # what the user got
    ) -> None:
        """Keep a request and its answer."""
        text = json.dumps(list(records), sort_keys=True, default=str)
        inputs = text if self.keep_inputs else hashlib.sha256(text.encode()).hexdigest()
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        rows = [(request_id, i, *pair) for i, pair in enumerate(_pairs(answer))]
        with self._open() as connection:
            connection.execute("INSERT INTO requests (request_id, at, user, arm, number, n, inputs, ms) VALUES (?,?,?,?,?,?,?,?)",
                               (request_id, at, user, arm, answer.number, len(rows), inputs, answer.ms))
            connection.executemany("INSERT INTO rows (request_id, position, output, proba) VALUES (?,?,?,?)", rows)
            _know(connection, answer)

    def write_shadow(
        self,
        request_id: str,  # of a request that was written
        shadow: int,  # the shadow's version
        said: Answer | str,  # what it said, or why it said nothing
    ) -> None:
        """Keep beside a request what the shadow said."""
        failed = isinstance(said, str)
        with self._open() as connection:
            connection.execute("UPDATE requests SET shadow=?, shadow_ms=?, shadow_error=? WHERE request_id=?",
                               (shadow, None if isinstance(said, str) else said.ms, said if failed else None, request_id))
            if not isinstance(said, str):
                connection.executemany("UPDATE rows SET shadow_output=?, shadow_proba=? WHERE request_id=? AND position=?",
                                       [(*pair, request_id, i) for i, pair in enumerate(_pairs(said))])
                _know(connection, said)

    def outcome(
        self,
        request_id: str,  # what the answer to the request said
        y: Any,  # what turned out: one value, or one for each record of the request; None: not known yet
    ) -> None:  # raises UnknownNameError for an unknown request, BadInputError for another number of values
        """Add what turned out later."""
        given = [y] if y is None or np.ndim(y) == 0 else list(y)
        with self._open() as connection:
            found = connection.execute("SELECT n FROM requests WHERE request_id=?", (str(request_id),)).fetchone()
            if found is None:
                raise UnknownNameError(f"`request_id` must be one of a request in the log. Got {shown(request_id)}. "
                                       "It stands in the answer to the request.")
            if len(given) != found[0]:
                raise BadInputError(f"`y` must have one value for each of the {found[0]} records of the request. "
                                    f"Got {len(given)}.")
            connection.executemany("UPDATE rows SET outcome=? WHERE request_id=? AND position=?",
                                   [(_text(v), request_id, i) for i, v in enumerate(given)])

    def frame(self) -> pd.DataFrame:  # one row a record: request_id, at, user, arm, number, output, shadow_output, outcome, …
        """Everything that was logged, the oldest first."""
        with self._open() as connection:
            cursor = connection.execute(_FRAME)
            names = [column[0] for column in cursor.description]
            rows = cursor.fetchall()
        table = {}
        for i, name in enumerate(names):
            read = _read if name in _LATER else _same
            table[name] = pd.Series([read(row[i]) for row in rows], dtype=float if name.endswith("ms") else object)
        return pd.DataFrame(table)

    def classes(
        self,
        number: int,  # a version
    ) -> tuple[Any, ...] | None:  # None in regression, and for a version that has not answered
        """What the columns of a version's probabilities stand for."""
        with self._open() as connection:
            found = connection.execute("SELECT classes FROM models WHERE number=?", (int(number),)).fetchone()
        return None if found is None or found[0] is None else tuple(json.loads(found[0]))


def as_log(log: Any) -> RequestLog:
    """A log, or the one in a file that is there already."""
    if isinstance(log, RequestLog):
        return log
    if isinstance(log, (str, Path)) and str(log).strip() and not Path(log).expanduser().is_file():
        raise BadInputError(f"`log` must be a log of requests. Got {str(log)!r}, and there is no such file. "
                            "create_app(registry, log=...) writes one.")
    return RequestLog(log)


def plain(value: Any) -> Any:
    """A predicted value as JSON can hold it: nan and infinity are none."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _text(value: Any) -> str | None:
    value = None if value is pd.NA or value is pd.NaT else plain(value)
    return None if value is None else json.dumps(value)


def _read(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _same(value: Any) -> Any:
    return value


def _pairs(answer: Answer) -> list[tuple[str | None, str | None]]:
    proba: Sequence[Any] = answer.proba if answer.proba is not None else [None] * len(answer.outputs)
    return [(_text(o), None if p is None else json.dumps([float(v) for v in p])) for o, p in zip(answer.outputs, proba)]


def _know(connection: sqlite3.Connection, answer: Answer) -> None:
    classes = None if answer.classes is None else json.dumps([plain(c) for c in answer.classes])
    connection.execute("INSERT OR REPLACE INTO models (number, classes) VALUES (?,?)", (answer.number, classes))
