"""Writing files so that nothing is ever half there: a temporary file beside the target, then one rename."""

import os
import tempfile
from pathlib import Path

from ml_lifecycle.foundation.errors import ProjectError

def put_bytes(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Put `content` at `path` whole, or leave what was there; `mode` is less what the umask takes. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if os.name != "nt" or mode & 0o200:  # there, what cannot be written cannot be replaced or deleted either
            os.chmod(name, mode & ~_umask())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def settle(folder: Path) -> None:
    """Make the names in a directory outlive a power cut; where directories cannot be opened, the system does so itself.

    Raises OSError.
    """
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_bytes(path: Path, content: bytes) -> Path:
    """Put `content` at `path` whole, or leave what was there; raises ProjectError when the place cannot be written."""
    try:
        put_bytes(path, content)
    except OSError as error:
        raise ProjectError(f"`project` must be a directory that can be written. Got {str(path)!r}: "
                           f"{error.strerror or error}. Nothing was changed; name another directory or free the space."
                           ) from error
    return path


def write_text(path: Path, text: str) -> Path:
    """Put `text` at `path` whole, as UTF-8."""
    return write_bytes(path, text.encode())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
