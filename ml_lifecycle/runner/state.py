"""run.json: what a run was asked to do and how far it came, whole at every moment."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ml_lifecycle.foundation._files import write_text
from ml_lifecycle.foundation.errors import ProjectError
from ml_lifecycle.foundation.lifecycle import STEPS

SCHEMA = 1
FILE = "run.json"


@dataclass
class LessonState:
    """How far one lesson came."""

    state: str = "pending"  # "pending", "running", "done" or "failed"
    seconds: float | None = None  # wall time
    message: str = ""  # what stopped it
    notebook: str = ""  # the executed notebook, relative to the project
    sha256: str = ""  # of that file as it was written
    failed_sha256: str = ""  # of the failed notebook as it was written
    parameters: dict[str, Any] = field(default_factory=dict)  # what was injected


@dataclass
class RunState:
    """The content of run.json."""

    version: str  # of ml_lifecycle
    data: dict[str, str]  # "given" (what to load), "name" and "version" of the data set
    parameters: dict[str, Any]  # what was given, without the data
    steps: list[str]  # keys of the selected steps that have a lesson
    lessons: dict[str, LessonState] = field(default_factory=dict)  # step key -> state; also of steps run before
    started: str = ""  # date and time, UTC
    finished: str = ""  # empty while it runs, and after it was interrupted

    def of(self, step: str) -> LessonState:
        """The state of a step's lesson."""
        return self.lessons.setdefault(step, LessonState())

    def unfinished(self, project: Path) -> list[str]:
        """The selected steps that are not done, or whose executed notebook is gone."""
        return [s for s in self.steps if self.of(s).state != "done" or not (project / self.of(s).notebook).is_file()]

    def save(self, project: Path) -> None:
        """Write run.json."""
        order = [s.key for s in STEPS]
        lessons = {key: asdict(self.lessons[key]) for key in sorted(self.lessons, key=order.index)}
        content = {"schema": SCHEMA, **asdict(self), "lessons": lessons}
        write_text(project / FILE, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def now() -> str:
    """The time as it is written to files."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def read_state(
    project: Path,  # the project directory
) -> RunState | None:  # None when no run was made here; raises ProjectError when run.json cannot be read
    """What run.json says."""
    path = project / FILE
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        if saved.pop("schema") > SCHEMA:
            raise ProjectError(f"`--project` must hold a run of this version or an older one. Got {str(path)!r} "
                               f"of ml-lifecycle {saved.get('version')}: upgrade to go on with it.")
        lessons = {str(key): LessonState(**one) for key, one in saved.pop("lessons").items() if key in _KEYS}
        return RunState(**saved, lessons=lessons)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ProjectError(f"`--project` must have a readable {FILE}. Got {str(path)!r}: {error}. "
                           "Run without --resume: the file is kept aside and every lesson runs again.") from None


_KEYS = {s.key for s in STEPS}


def fresh_name(path: Path, label: str) -> Path:
    """A free name beside `path`: notebooks/03_x.ipynb, "edited" -> notebooks/03_x.edited-1.ipynb."""
    number = 1
    while (free := path.with_name(f"{path.stem}.{label}-{number}{path.suffix}")).exists():
        number += 1
    return free


def keep_aside(
    path: Path,  # a file that is about to be replaced
    known: Iterable[str],  # sha256 of what we wrote there
    label: str,  # what the kept file is called
) -> Path | None:  # where it lies now; None when there was nothing of the person's own
    """Move a file out of the way when somebody changed it since we wrote it."""
    import hashlib

    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() in set(known):
        return None
    return path.rename(fresh_name(path, label))
