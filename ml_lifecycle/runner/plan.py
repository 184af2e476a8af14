"""Before a run: everything that can be wrong is found out before anything runs."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml_lifecycle.foundation.errors import BadInputError, ProjectError
from ml_lifecycle.foundation.lifecycle import STEPS, Step
from ml_lifecycle.runner.lessons import LessonFile, check_packages, find_lessons, parse_steps
from ml_lifecycle.runner.options import read_pairs, read_params, settle
from ml_lifecycle.runner.state import FILE, LessonState, RunState, fresh_name, now, read_state

if TYPE_CHECKING:
    from ml_lifecycle.foundation.passes import NextPass
    from ml_lifecycle.foundation.project import Project

TIMEOUT = 1800.0  # seconds for one lesson, unless told otherwise


@dataclass
class Request:
    """What was asked on the command line."""

    data: str | None = None  # course data set or file; None: flights, or what is resumed
    options: dict[str, Any] = field(default_factory=dict)  # target, time, …, seed, budget: those that were given
    steps: str | None = None  # None: all, or what is resumed
    project: str | None = None  # None: runs/<data name>
    params: str | None = None  # a YAML file
    pairs: tuple[str, ...] = ()  # of -p
    timeout: float = TIMEOUT  # seconds per lesson
    resume: bool = False  # go on where a run stopped
    from_decision: bool = False  # begin the next pass, where a decision leads back to
    debug: bool = False  # show tracebacks


@dataclass
class Plan:
    """What is going to be run, after every check."""

    project: "Project"
    state: RunState
    lessons: dict[str, LessonFile]  # the selected ones, in order
    todo: list[str]  # step keys that are to be run
    absent: tuple[Step, ...]  # asked for, but not part of this version
    values: dict[str, Any]  # the parameters, data and project among them
    timeout: float
    debug: bool
    held: ExitStack  # keeps other runs out of the project until it is closed
    coming: "NextPass | None" = None  # the pass that begins; None when none does


def plan_run(request: Request) -> Plan:
    """Check the request, load the data once, and open the project; raises LifecycleError before anything is run."""
    if not request.timeout > 0:
        raise BadInputError(f"`--timeout` must be a number of seconds above 0. Got {request.timeout:g}. Try --timeout 1800")
    lessons, absent = _select(request.steps)
    file = read_params(Path(request.params).expanduser()) if request.params else {}
    named = {"data": request.data, "project": request.project}
    options = {**request.options, **{name: value for name, value in named.items() if value is not None}}
    values = settle(lessons.values(), file=file, pairs=read_pairs(request.pairs), options=options)
    place = values.pop("project", "")
    where = Path(place).expanduser().absolute() if place else None
    before, coming = None, None
    if request.from_decision:
        where, coming = _to_repeat(request, where, values)
        lessons, absent = _select(f"{coming.step}-{STEPS[-1].key}")
    if request.resume:
        where = where or _usual_project(values.get("data"))
        before = _to_resume(where)
        lessons, absent = _resumed(request, before, values)
        values.setdefault("data", before.data["given"])
    values["data"] = _absolute(values.get("data") or "flights")
    return _opened(request, where, before, lessons, absent, values, coming)


def _to_repeat(request: Request, where: Path | None, values: dict[str, Any]) -> tuple[Path, "NextPass"]:
    """Where the next pass takes place and begins; fills `values` with what the pass before was run with."""
    from ml_lifecycle.foundation.passes import next_pass
    from ml_lifecycle.runner.projects import find_project

    for given, name in ((request.resume, "--resume"), (request.steps, "--steps"), (request.data, "DATA")):
        if given:
            raise BadInputError(f"`--from-decision` must stand without {name}. Got both. Leave {name} out: the project knows.")
    project = find_project(str(where) if where else None, "--project")
    coming, run = next_pass(project), _readable(project.path)
    if run:
        values.update({**run.parameters, **values, "data": run.data["given"]})
    elif project.data.get("source"):
        values["data"] = project.data["source"]
    else:
        raise ProjectError(f"`--from-decision` must know the data. {str(project.path)!r} was started with a frame, not with a "
                           "file. Run the lessons in the notebook that has it.")
    return project.path, coming


def _opened(request: Request, where: Path | None, before: RunState | None, lessons: dict[str, LessonFile],
            absent: tuple[Step, ...], values: dict[str, Any], coming: "NextPass | None") -> Plan:
    import inspect

    from ml_lifecycle.foundation.lesson import start_lesson
    from ml_lifecycle.foundation.passes import start_pass

    check_packages(lessons.values())
    _check_place(where or _usual_project(values["data"]))
    takes = inspect.signature(start_lesson).parameters
    known = {name: value for name, value in values.items() if name in takes}
    started = start_lesson(next(iter(lessons)), **{**known, "project": str(where) if where else ""})
    project, dataset = started.project, started.dataset
    _check_writable(project.path)
    values = {"data": values["data"], **values, **_defaults(lessons, values), "project": str(project.path)}
    state = before or _fresh(_readable(project.path), lessons, values, dataset)
    todo = state.unfinished(project.path) if before else list(lessons)
    state.finished = ""
    with ExitStack() as held:
        held.enter_context(_one_at_a_time(project.path))
        if coming:
            start_pass(project)
        state.save(project.path)
        return Plan(project, state, lessons, todo, absent, values, request.timeout, request.debug, held.pop_all(), coming)


def _select(steps: str | None) -> tuple[dict[str, LessonFile], tuple[Step, ...]]:
    found = find_lessons()
    wanted = parse_steps(steps) if steps is not None else STEPS
    lessons = {step.key: found[step.key] for step in wanted if step.key in found}
    absent = tuple(step for step in wanted if step.key not in found)
    if not lessons:
        names = ", ".join(f"{step.number} {step.key}" for step in absent)
        has = ", ".join(f"{lesson.step.number} {key}" for key, lesson in found.items())
        raise BadInputError(f"`--steps` must name a step that has a lesson. Got {names}: not part of this version. "
                            f"Lessons: {has}.")
    return lessons, absent


def _to_resume(where: Path) -> RunState:
    """What the run left that is to be gone on with."""
    found = None if where.is_file() else read_state(where)
    if found is None:
        raise ProjectError(f"`--resume` must find a run to go on with. Got none in {str(where)!r}. "
                           "Name its directory with --project, or run without --resume.")
    if not found.unfinished(where):
        raise ProjectError(f"`--resume` must find a run that is not finished. Got one that is, in {str(where)!r}. "
                           "Run without --resume to run it again.")
    return found


def _usual_project(data: Any) -> Path:
    """Where a run on these data goes when nothing is said."""
    from ml_lifecycle.foundation._tables import stem_of

    return Path("runs", stem_of(Path(str(data or "flights")))).absolute()


def _readable(where: Path) -> RunState | None:
    """The state of an earlier run; a file that cannot be read is kept aside."""
    try:
        return read_state(where)
    except ProjectError:
        try:
            (where / FILE).rename(fresh_name(where / FILE, "unreadable"))
        except OSError as error:
            raise ProjectError(f"`--project` must be a directory that can be written. Got {str(where)!r}: "
                               f"{error.strerror}.") from None
        return None


def _resumed(request: Request, before: RunState, values: dict[str, Any],
             ) -> tuple[dict[str, LessonFile], tuple[Step, ...]]:
    """The lessons of the run that is resumed; fills `values` from it, and refuses what differs."""
    found = find_lessons()
    defaults = {name: value for lesson in found.values() for name, value in lesson.parameters.items()}
    for name, value in values.items():
        was = before.data["given"] if name == "data" else before.parameters.get(name, defaults.get(name))
        same = {value, _absolute(value)} if name == "data" else {value}
        if was not in same:
            raise BadInputError(f"`--resume` must go on with what the run was started with. Got {name} {value!r} in place "
                                f"of {was!r}. Leave it out, or run without --resume.")
    if request.steps is not None and [s.key for s in parse_steps(request.steps) if s.key in found] != before.steps:
        raise BadInputError(f"`--resume` must go on with the same steps. Got {request.steps!r} in place of "
                            f"{', '.join(before.steps)!r}. Leave --steps out, or run without --resume.")
    gone = [key for key in before.steps if key not in found]
    if gone:
        raise BadInputError(f"`--resume` must find the lessons of the run. Got none for {', '.join(gone)}: not part of "
                            "this version. Run without --resume.")
    values.update({**before.parameters, **values})
    lessons = {key: found[key] for key in before.steps}
    return lessons, tuple(s for s in STEPS if s.key not in found) if request.steps is None else ()


def _absolute(data: Any) -> Any:
    """The path of a file made absolute, since a kernel works elsewhere; the name of a course data set as it is."""
    from ml_lifecycle.foundation.course_data import COURSE

    if data in COURSE or not Path(str(data)).expanduser().exists():
        return data
    return str(Path(str(data)).expanduser().resolve())


def _check_place(where: Path) -> None:
    """Refuse a directory in which somebody else's files would be in the way."""
    if where.exists() and not where.is_dir():
        raise ProjectError(f"`--project` must be a directory. Got the file {str(where)!r}. Name another place.")
    if (where / "project.yaml").exists() or (where / FILE).exists():
        return
    taken = [name for name in ("site", "notebooks", "evidence", "decisions") if (where / name).exists()]
    if taken:
        raise ProjectError(f"`--project` must be a new directory or a project. Got {str(where)!r}, which holds "
                           f"{taken[0]!r} of something else. Name another directory.")


def _check_writable(where: Path) -> None:
    """Find out by writing: permissions do not tell about read-only file systems, nor about full ones."""
    for folder in (where, where / "notebooks", where / "site"):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=folder, prefix=".probe-") as probe:
                probe.write(b"0" * 4096)
                probe.flush()
        except OSError as error:
            raise ProjectError(f"`--project` must be a directory that can be written. Got {str(folder)!r}: "
                               f"{error.strerror or error}. Nothing was run; name another directory.") from None


def _defaults(lessons: dict[str, LessonFile], values: dict[str, Any]) -> dict[str, Any]:
    """What a run sets unless told otherwise: nobody is there to solve exercises."""
    known = any("exercises" in lesson.parameters for lesson in lessons.values())
    return {"exercises": False} if known and "exercises" not in values else {}


def _fresh(before: RunState | None, lessons: dict[str, LessonFile], values: dict[str, Any], dataset: Any) -> RunState:
    from importlib.metadata import version

    kept = {name: value for name, value in values.items() if name not in ("data", "project")}
    state = RunState(version("ml-lifecycle"), {"given": values["data"], "name": dataset.name, "version": dataset.version},
                     kept, list(lessons), dict(before.lessons) if before else {}, now())
    for key in lessons:
        known = state.of(key)
        state.lessons[key] = LessonState(notebook=known.notebook, sha256=known.sha256, failed_sha256=known.failed_sha256)
    return state


@contextmanager
def _one_at_a_time(project: Path) -> Iterator[None]:
    """Hold the project, so that two runs do not write into each other; given back by the system however we end."""
    try:
        import fcntl
    except ImportError:  # Windows: goes without
        yield
        return
    handle = os.open(project, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ProjectError(f"`--project` must not be in use. Got {str(project)!r}, where another run is at work. "
                               "Wait for it, or name another directory.") from None
        except OSError:  # a file system without locks
            pass
        yield
    finally:
        os.close(handle)
