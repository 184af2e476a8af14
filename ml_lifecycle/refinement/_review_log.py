"""The log of a review: one line of JSON a step, only ever added to."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from ml_lifecycle.foundation.errors import BadInputError, ProjectError

@dataclass(frozen=True)
class Event:
    """One step: some errors were given a category."""

    category: str  # "" takes it away
    rows: tuple[int, ...]  # positions in X
    cluster: int | None = None  # when a whole cluster was meant
    note: str = ""
    at: str = ""  # when, in UTC
    key: str = ""  # by which it can be undone


class Log:
    """Steps about one set of clusters, in a file that may hold steps about others, or in memory alone."""

    def __init__(self, path: Path | None, fingerprint: str) -> None:
        self.path, self.fingerprint = path, fingerprint
        self.others = self.unreadable = 0
        self._lines: list[dict[str, Any]] = []
        self._read_to = 0
        self._refresh()

    def _refresh(self) -> None:
        """Read what was added since, by this session or by another one."""
        if self.path is None or not self.path.exists():
            return
        try:
            with self.path.open("rb") as file:
                file.seek(self._read_to)
                added = file.read()
        except OSError as error:
            raise ProjectError(f"`project` must have a readable log. Got {str(self.path)!r}: {error.strerror or error}.") from None
        ended = added.rfind(b"\n") + 1  # the rest is being written, or was cut short
        self._read_to += ended
        for line in added[:ended].splitlines():
            self._take(line)

    def _take(self, line: bytes) -> None:
        if not line.strip():
            return
        try:
            step = json.loads(line)
            if step["clusters"] != self.fingerprint:
                self.others += 1
                return
            if step["do"] == "assign":
                step["event"] = Event(str(step["category"]), tuple(int(row) for row in step["rows"]), step["cluster"],
                                      str(step["note"]), str(step["at"]), str(step["key"]))
            self._lines.append(step)
        except (ValueError, KeyError, TypeError):
            self.unreadable += 1

    def events(self) -> tuple[Event, ...]:
        """Steps that hold, the oldest first."""
        self._refresh()
        undone = {step["key"] for step in self._lines if step["do"] == "undo"}
        return tuple(step["event"] for step in self._lines if step["do"] == "assign" and step["key"] not in undone)

    def append(self, events: Sequence[Event]) -> None:
        """Write steps, all or none."""
        self._write([{"do": "assign", "key": uuid4().hex[:12], "category": e.category, "note": e.note, "cluster": e.cluster,
                      "rows": list(e.rows)} for e in events])

    def undo(self) -> Event:
        """Take the last step that holds back."""
        events = self.events()
        if not events:
            raise BadInputError("`undo` must have a step to take back. Got none: nothing was assigned.")
        self._write([{"do": "undo", "key": events[-1].key}])
        return events[-1]

    def _write(self, steps: Sequence[dict[str, Any]]) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        text = "".join(json.dumps({**step, "at": now, "clusters": self.fingerprint}, ensure_ascii=False) + "\n" for step in steps)
        if self.path is None:
            for line in text.encode().splitlines():
                self._take(line)
            return
        try:
            _append(self.path, text.encode())
        except OSError as error:
            raise ProjectError(f"`project` must be a directory that can be written. Got {str(self.path)!r}: "
                               f"{error.strerror or error}. Nothing was changed.") from error
        self._refresh()


def _last(handle: int, size: int) -> bytes:
    os.lseek(handle, size - 1, os.SEEK_SET)
    return os.read(handle, 1)


def _append(path: Path, content: bytes) -> None:
    """Add whole lines in one write; a last line that was cut short is closed first. What cannot be written whole is taken back."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        size = os.fstat(handle).st_size
        if size and _last(handle, size) != b"\n":
            content = b"\n" + content
        if os.write(handle, content) != len(content):
            os.ftruncate(handle, size)
            raise OSError("the line could not be written whole")
        os.fsync(handle)
    finally:
        os.close(handle)
