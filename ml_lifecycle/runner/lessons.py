"""Where the lessons are, what they ask for, and copies of them to work in."""

import ast
import importlib.util
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ml_lifecycle.foundation._files import write_bytes
from ml_lifecycle.foundation.errors import BadInputError, MissingPackageError, UnknownNameError, did_you_mean
from ml_lifecycle.foundation.lifecycle import STEPS, Step, find_step

NEEDS = {"deployment": ("deploy", ("skops", "fastapi", "uvicorn", "prometheus_client"))}  # step -> extra and its packages
PLACE = "ML_LIFECYCLE_LESSONS"  # environment variable: a directory of lessons to use in place of the package's own


@dataclass(frozen=True)
class LessonFile:
    """A lesson on disk."""

    step: Step  # the step that it teaches
    path: Path  # the notebook

    @property
    def name(self) -> str:
        """As the progress and the messages call it, such as "lesson 3 exploration"."""
        return f"lesson {self.step.number} {self.step.key}"

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """Name -> default of its `parameters` cell; a default that is no literal is None."""
        import nbformat
        from papermill import inspect_notebook

        found = inspect_notebook(nbformat.read(self.path, as_version=4))
        return {name: _literal(about["default"]) for name, about in found.items()}

    @property
    def question(self) -> str:
        """The decision that the lesson ends in."""
        return self.step.question


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None


def lessons_place() -> Path:
    """The directory of the lessons: the package's own, else the checkout's."""
    if os.environ.get(PLACE):
        return Path(os.environ[PLACE]).expanduser().absolute()
    package = Path(__file__).resolve().parents[1]
    inside = package / "lessons"
    return inside if any(inside.glob("0[1-7]_*.ipynb")) else package.parent / "nbs"


def find_lessons(
    place: Path | None = None,  # a directory; None: `lessons_place()`
) -> dict[str, LessonFile]:  # step key -> lesson, in order; steps without a lesson are absent
    """The lessons of this version."""
    place = place or lessons_place()
    found = {}
    for path in sorted(place.glob("0[1-7]_*.ipynb")):
        step = next((s for s in STEPS if s.folder == path.stem), None)
        if step:
            found[step.key] = LessonFile(step, path)
    if not found:
        raise BadInputError(f"The lessons must be in {str(place)!r}. Got none there. "
                            "Install the package again: pip install --force-reinstall ml-lifecycle")
    return found


def check_packages(
    lessons: Iterable[LessonFile],  # those that are to be run
) -> None:  # raises MissingPackageError
    """Say before a run what a lesson of it lacks, and how to go on without."""
    for lesson in lessons:
        extra, packages = NEEDS.get(lesson.step.key, ("", ()))
        absent = [name for name in packages if importlib.util.find_spec(name) is None]
        if absent:
            named, before = ", ".join(f"`{name}`" for name in absent), f"--steps 1-{lesson.step.number - 1}"
            raise MissingPackageError(f"{lesson.name.capitalize()} needs {named}, not installed here. Install what is missing: "
                                      f'pip install "ml-lifecycle[{extra}]", or leave the lesson out: {before}')


def parse_steps(
    text: str,  # such as "1,3", "1-3", "exploration" or "planning-exploration"
) -> tuple[Step, ...]:  # in the order of the life cycle, each once
    """The steps that the text names."""
    chosen: set[int] = set()
    for part in filter(None, (p.strip() for p in text.split(","))):
        first, dash, last = (p.strip() for p in part.partition("-"))
        begin, end = _step(first, part).number, _step(last, part).number if dash else _step(first, part).number
        if begin > end:
            raise BadInputError(f"`--steps` must count upwards. Got {part!r}. Try --steps {last}-{first}")
        chosen |= set(range(begin, end + 1))
    if not chosen:
        raise BadInputError(f"`--steps` must name at least one step. Got {text!r}. Try --steps 1-7")
    return tuple(s for s in STEPS if s.number in chosen)


def _step(name: str, part: str) -> Step:
    try:
        return find_step(name)
    except UnknownNameError:
        raise UnknownNameError(f"`--steps` must be numbers from 1 to 7 or names of steps. Got {part!r}. "
                               + did_you_mean(name, [s.key for s in STEPS], noun="Steps")) from None


def copy_lessons(
    target: Path,  # a directory; made when it is missing
) -> list[tuple[str, str]]:  # (file name, "copied" | "unchanged" | "kept")
    """Copy the lessons to a directory that can be written; a file that is there and differs is kept as it is."""
    if target.exists() and not target.is_dir():
        raise BadInputError(f"`DIR` must be a directory. Got the file {str(target)!r}. Name another place.")
    done = []
    for lesson in find_lessons().values():
        copy, content = target / lesson.path.name, lesson.path.read_bytes()
        if not copy.exists():
            write_bytes(copy, content)
            done.append((copy.name, "copied"))
        else:
            done.append((copy.name, "unchanged" if copy.read_bytes() == content else "kept"))
    return done
