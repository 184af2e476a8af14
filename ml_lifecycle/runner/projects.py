"""Which project is meant when a command names none."""

from pathlib import Path
from typing import TYPE_CHECKING

from ml_lifecycle.foundation.errors import ProjectError

if TYPE_CHECKING:
    from ml_lifecycle.foundation.project import Project


def find_project(
    directory: str | None,  # a project directory; None: that of the current directory or the only one in runs/
    argument: str = "DIR",  # what the directory is called on the command line
) -> "Project":  # raises ProjectError when there is none, or more than one
    """The project that is meant."""
    from ml_lifecycle.foundation.project import Project

    if directory is not None:
        return Project(directory, create=False)
    here = [p.parent for p in (Path("project.yaml"), *sorted(Path("runs").glob("*/project.yaml"))) if p.is_file()]
    if len(here) == 1 or (here and here[0] == Path(".")):
        return Project(here[0], create=False)
    names = ", ".join(str(p) for p in here)
    raise ProjectError(f"`{argument}` must be given: there are several projects. Got none. Projects: {names}." if here else
                       f"`{argument}` must be a project directory. Got none, and there is none here. Start one: ml-lifecycle run")
