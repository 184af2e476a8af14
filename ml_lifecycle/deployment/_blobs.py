"""Contents kept by their SHA-256: whole on disk before anything names them, and checked whenever they are read."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from ml_lifecycle.foundation import _files
from ml_lifecycle.foundation.errors import ProjectError

def sha256(content: bytes) -> str:
    """The name that a content has."""
    return hashlib.sha256(content).hexdigest()


class Blobs:
    """A directory of contents: `ab/abcd…`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def place(self, name: str) -> Path:
        """Where the content of that name lies."""
        return self.folder / name[:2] / name

    def put(self, content: bytes) -> str:
        """Keep a content, and give its name; one that is there and whole stays as it is."""
        name = sha256(content)
        path = self.place(name)
        try:
            if path.is_file() and sha256(path.read_bytes()) == name:
                return name
            _files.put_bytes(path, content, mode=0o444)
            for folder in (path.parent, self.folder, self.folder.parent):
                _files.settle(folder)
        except OSError as error:
            raise ProjectError(f"`registry` must be a directory that can be written. Got {str(path)!r}: "
                               f"{error.strerror or error}. Nothing was registered; free the space or name another place."
                               ) from error
        return name

    def get(self, name: str, what: str) -> bytes:
        """The content of that name; raises ProjectError when it is gone or is not what was put there."""
        remedy = "Bring the file back from a copy, or register the model again."
        path = self.place(name)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ProjectError(f"`registry` must hold the {what}. Got {error.strerror or error} for {str(path)!r}. "
                               f"{remedy}") from None
        found = sha256(content)
        if found != name:
            raise ProjectError(f"`registry` must hold the {what} as it was registered. Got a file with sha256 {found[:12]}… "
                               f"instead of {name[:12]}…: {str(path)!r} was changed. {remedy}")
        return content

    def remove_all_but(self, names: Iterable[str]) -> tuple[int, int]:
        """Delete every other file, also half-written ones; gives how many files and bytes."""
        kept, files, size = set(names), 0, 0
        for path in sorted(self.folder.glob("*/*")):
            if path.is_file() and path.name not in kept:
                size += path.stat().st_size
                path.unlink()
                files += 1
        return files, size
