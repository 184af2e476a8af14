"""The registry's one database: versions, events, and who holds which alias. Every change is one transaction on disk."""

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ml_lifecycle.deployment._blobs import sha256
from ml_lifecycle.foundation.errors import ProjectError

SCHEMA = 1  # raised when a database written before can no longer be read as it is
WAIT = 60.0  # seconds that a change waits for those of other processes
_TABLES = (
    "CREATE TABLE versions (number INTEGER PRIMARY KEY AUTOINCREMENT, registered TEXT NOT NULL, body TEXT NOT NULL, "
    "bundle TEXT NOT NULL)",
    "CREATE TABLE events (id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, event TEXT NOT NULL, number INTEGER, "
    "alias TEXT, by TEXT NOT NULL)",
    "CREATE TABLE aliases (alias TEXT PRIMARY KEY, number INTEGER NOT NULL REFERENCES versions(number))",
    "CREATE TABLE champions (place INTEGER PRIMARY KEY AUTOINCREMENT, number INTEGER REFERENCES versions(number))",
)


class Database:
    """A SQLite file; each call opens it anew, so that threads, forks and kills cannot share a broken connection."""

    def __init__(self, path: Path, create: bool) -> None:
        self.path = path
        if not create and not path.is_file():
            raise ProjectError(f"`registry` must be there. Got {str(path)!r}, which is not. Register a model first, or name the "
                               "directory of a registry.")
        found = self._schema()
        if found > SCHEMA:
            raise ProjectError(f"`registry` must have schema {SCHEMA} or lower. Got {found} in {str(path)!r}, written by a "
                               "newer ml_lifecycle: upgrade to read it.")
        if found == 0:
            with self.change() as db:  # waits for another process that is making the tables
                if int(db.execute("PRAGMA user_version").fetchone()[0]) == 0:
                    self._make(db)

    def _schema(self) -> int:
        return int(self.rows("PRAGMA user_version")[0][0])

    def _make(self, db: sqlite3.Connection) -> None:
        if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise ProjectError(f"`registry` must be a registry of ml_lifecycle. Got another database: {str(self.path)!r}. "
                               "Name another directory.")
        for statement in _TABLES:
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {SCHEMA}")

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        db = None
        try:
            db = sqlite3.connect(self.path, timeout=WAIT, isolation_level=None)
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA foreign_keys = ON")
            yield db
        except sqlite3.Error as error:
            raise ProjectError(f"`registry` must be a database that can be read and written. Got {str(self.path)!r}: {error}. "
                               "Bring it back from a copy, or name another directory.") from error
        finally:
            if db is not None:
                db.close()

    @contextlib.contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """One transaction, alone among all processes: all of it or nothing."""
        with self._open() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """What a query finds."""
        with self._open() as db:
            return db.execute(query, values).fetchall()


def now() -> str:
    """The time, in UTC, to the microsecond."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def bundle_of(number: int, registered: str, body: str) -> str:
    """The hash over everything that a version's row says."""
    return sha256(json.dumps([number, registered, body]).encode())


def add_version(db: sqlite3.Connection, body: Mapping[str, Any]) -> int:
    """Put a row, and give its number: one more than the highest ever given."""
    at, text = now(), json.dumps(body, sort_keys=True, ensure_ascii=False)
    number = 1 + (db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'versions'").fetchone() or (0,))[0]
    db.execute("INSERT INTO versions VALUES (?, ?, ?, ?)", (number, at, text, bundle_of(number, at, text)))
    return int(number)


def checked_row(row: tuple[Any, ...]) -> tuple[int, str, dict[str, Any]]:
    """Number, time and body of a row; raises ProjectError when the row is not what was written."""
    number, registered, text, bundle = row
    if bundle_of(number, registered, text) != bundle:
        raise ProjectError(f"`registry` must hold version {number} as it was registered. Got a row that was changed. Bring the "
                           "database back from a copy, or register the model again.")
    return number, registered, json.loads(text)


def note(db: sqlite3.Connection, event: str, number: int | None, alias: str | None, by: str) -> None:
    """Put an event behind the others."""
    db.execute("INSERT INTO events (at, event, number, alias, by) VALUES (?, ?, ?, ?, ?)", (now(), event, number, alias, by))


def holder(db: sqlite3.Connection, alias: str) -> int | None:
    """The number that has the alias."""
    found = db.execute("SELECT number FROM aliases WHERE alias = ?", (alias,)).fetchone()
    return None if found is None else int(found[0])


def give(db: sqlite3.Connection, alias: str, number: int | None) -> None:
    """Give the alias to a number, or to none."""
    if number is None:
        db.execute("DELETE FROM aliases WHERE alias = ?", (alias,))
    else:
        db.execute("INSERT OR REPLACE INTO aliases VALUES (?, ?)", (alias, number))


def push_champion(db: sqlite3.Connection, number: int | None) -> None:
    """The champion from now on, in the order that rollback walks back."""
    db.execute("INSERT INTO champions (number) VALUES (?)", (number,))


def champion_before(db: sqlite3.Connection) -> int | None:
    """Take the last champion off the order, with gaps below it, and give the one before; None when there is none."""
    stack = db.execute("SELECT place, number FROM champions ORDER BY place DESC").fetchall()
    for place, number in stack[1:]:
        if number is not None:
            db.execute("DELETE FROM champions WHERE place > ?", (place,))
            return int(number)
    return None
