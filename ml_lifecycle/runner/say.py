"""How the command line speaks: one line at a time."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

def one_line(
    text: object,  # anything; its lines are joined
    most: int | None = None,  # characters; None: as long as it is
) -> str:
    """A text in one line."""
    line = " ".join(str(text).split())
    return line if most is None or len(line) <= most else line[: most - 1] + "…"


def complain(message: object) -> None:
    """Say on stderr, in one line, what is wrong."""
    print(f"ml-lifecycle: {one_line(message)}", file=sys.stderr, flush=True)


@contextmanager
def waiting(
    what: str,  # what is being done
    after: float = 1.0,  # seconds of silence before it is said
) -> Iterator[None]:
    """Say in a terminal what takes long, and take it back when it is over; a file of messages stays as it is."""
    if not sys.stderr.isatty():
        yield
        return
    stream, over = sys.stderr, threading.Event()

    def say() -> None:
        if not over.wait(after):
            stream.write(f"{what} …")
            stream.flush()
            over.wait()
            stream.write("\r\x1b[K")
            stream.flush()

    speaker = threading.Thread(target=say, daemon=True)
    speaker.start()
    try:
        yield
    finally:
        over.set()
        speaker.join()


def shown(path: Path) -> str:
    """A path as a person would type it: relative to where they are, when it lies below."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)
