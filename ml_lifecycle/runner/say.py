"""How the command line speaks: one line at a time."""

import sys
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


def shown(path: Path) -> str:
    """A path as a person would type it: relative to where they are, when it lies below."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)
