"""Where a registry lies, and who is at work."""

import getpass
from pathlib import Path
from typing import Any

from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.errors import BadInputError, ProjectError

_FILES = (".db", ".sqlite", ".sqlite3")
_REMEDY = "Name a directory, such as runs/my/registry."


def place_of(uri: Any, create: bool) -> Path:
    """The database file of a registry; its directory is made when it may be."""
    if not isinstance(uri, (str, Path)) or not str(uri).strip():
        raise BadInputError(f"`uri` must be a path, or 'sqlite:///path'. Got {shown(uri)}. {_REMEDY}")
    text = str(uri).removeprefix("sqlite:///")
    if "://" in text or text.startswith("sqlite:") or not text.strip():
        raise BadInputError(f"`uri` must be a path, or 'sqlite:///path'. Got {shown(uri)}. {_REMEDY}")
    path = Path(text).expanduser().absolute()
    if path.suffix not in _FILES or path.is_dir():
        path = path / "registry.sqlite"
    if path.parent.exists() and not path.parent.is_dir():
        raise ProjectError(f"`uri` must be a directory. Got the file {str(path.parent)!r}. {_REMEDY}")
    if create:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ProjectError(f"`uri` must be a place that can be written. Got {str(path.parent)!r}: "
                               f"{error.strerror or error}. {_REMEDY}") from error
    return path


def login_name() -> str:
    """Who is at work; empty where the system does not say."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return ""
