"""The seven lessons on anyone's data: everything is checked first, then each lesson runs whole or leaves no trace."""

import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml_lifecycle.foundation._files import write_bytes
from ml_lifecycle.foundation.errors import LifecycleError
from ml_lifecycle.runner.lessons import LessonFile
from ml_lifecycle.runner.options import for_lesson
from ml_lifecycle.runner.plan import Plan, Request, plan_run
from ml_lifecycle.runner.progress import Progress
from ml_lifecycle.runner.say import complain, shown, waiting
from ml_lifecycle.runner.state import LessonState, keep_aside, now
from ml_lifecycle.runner.summary import begins

if TYPE_CHECKING:
    from ml_lifecycle.runner.execute import Outcome
    from ml_lifecycle.runner.kernel import KernelGuard

DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


def run(plan: Plan) -> tuple[int, str]:
    """Run the lessons of a plan; the exit code, and the one line that says what stopped it."""
    from ml_lifecycle.runner.kernel import KernelGuard

    guard, progress = KernelGuard(), Progress()
    code, problem = DONE, ""
    try:
        if plan.coming:
            progress.say(begins(plan.coming))
        with plan.held, _signals(guard):
            for key in plan.lessons:
                if key not in plan.todo:
                    progress.say(f"{plan.lessons[key].name} was done before")
                    continue
                if guard.stopped:
                    return INTERRUPTED, f"interrupted before {plan.lessons[key].name}; {_again(plan.project.path)}"
                code, problem = _run_lesson(plan, plan.lessons[key], guard, progress)
                if code != DONE:
                    break
            if code == DONE:
                plan.state.finished = now()
                plan.state.save(plan.project.path)
    finally:
        progress.end("")
        guard.close()
    return code, problem


def _run_lesson(plan: Plan, lesson: LessonFile, guard: "KernelGuard", progress: Progress) -> tuple[int, str]:
    from ml_lifecycle.runner.execute import execute

    state, project = plan.state.of(lesson.step.key), plan.project.path
    state.state, state.message, state.seconds = "running", "", None
    state.parameters = for_lesson(lesson, plan.values)
    plan.state.save(project)
    progress.start(lesson.name)
    outcome = execute(lesson.path, state.parameters, cwd=project, timeout=plan.timeout, guard=guard, on_cell=progress.cell)
    state.seconds, state.message = round(outcome.seconds, 1), outcome.message
    state.state = "pending" if outcome.state == "interrupted" else outcome.state
    kept = _keep(project, lesson, state, outcome)
    plan.state.save(project)
    if outcome.state == "done":
        progress.end(f"{lesson.name} done in {outcome.seconds:.0f} s" + (f"; your changed copy is kept: {kept}" if kept else ""))
        return DONE, ""
    progress.end("")
    if outcome.state == "interrupted":
        return INTERRUPTED, f"interrupted in {lesson.name}; what was finished is kept; {_again(project)}"
    if plan.debug and outcome.traceback:
        print(outcome.traceback, file=sys.stderr)
    saved = f"; as far as it came: {shown(project / 'notebooks' / _failed(lesson))}" if outcome.notebook else ""
    return FAILED, f"{lesson.name} stopped at {outcome.message}{saved}; {_again(project)}"


def _again(project: Path) -> str:
    return f"go on with: ml-lifecycle run --resume --project {shlex.quote(shown(project))}"


def _failed(lesson: LessonFile) -> str:
    return f"{lesson.step.folder}.failed.ipynb"


def _keep(project: Path, lesson: LessonFile, state: LessonState, outcome: "Outcome") -> str:
    """Write the executed notebook; where a copy that a person changed was moved to, if there was one."""
    from ml_lifecycle.runner.execute import notebook_bytes, sha, tidy

    whole, failed = project / "notebooks" / f"{lesson.step.folder}.ipynb", project / "notebooks" / _failed(lesson)
    if outcome.notebook is None or outcome.state == "interrupted":
        return ""
    content = notebook_bytes(tidy(outcome.notebook))
    aside = keep_aside(failed, [state.failed_sha256], "edited")
    if outcome.state == "failed":
        write_bytes(failed, content)
        state.failed_sha256 = sha(content)
        return shown(aside) if aside else ""
    aside = keep_aside(whole, [state.sha256], "edited") or aside
    write_bytes(whole, content)
    failed.unlink(missing_ok=True)
    state.notebook, state.sha256, state.failed_sha256 = f"notebooks/{whole.name}", sha(content), ""
    return shown(aside) if aside else ""


@contextmanager
def _signals(guard: "KernelGuard") -> Iterator[None]:
    """Ctrl-C and a polite request to end stop the kernel; the run then ends in order. A second Ctrl-C ends it at once."""
    def stop(number: int, frame: Any) -> None:
        if guard.stopped:
            raise KeyboardInterrupt
        guard.stop()

    before = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, stop)
    except ValueError:  # not in the main thread: whoever runs us there handles signals
        pass
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_request(request: Request) -> int:
    """The whole of `ml-lifecycle run`: check, run, write the site, sum up; an exit code."""
    try:
        with waiting("reading and checking the data"):
            plan = plan_run(request)
    except KeyboardInterrupt:
        complain("interrupted before anything was run")
        return INTERRUPTED
    code, problem = FAILED, ""
    try:
        code, problem = run(plan)
    except LifecycleError as error:  # a file that could not be written
        problem = str(error)
    except OSError as error:
        problem = f"{error.strerror or error}: {error.filename or plan.project.path}"
    except KeyboardInterrupt:
        code, problem = INTERRUPTED, f"interrupted; {_again(plan.project.path)}"
    problem = _sum_up(plan, problem) or problem
    if problem:
        complain(problem)
    return code or (FAILED if problem else DONE)


def _sum_up(plan: Plan, problem: str) -> str:
    """The report site and the summary, also after a run that stopped; what went wrong here, unless that is known."""
    from ml_lifecycle.runner.site import write_site
    from ml_lifecycle.runner.summary import summary

    said, index = "", None
    try:
        index = write_site(plan.project)
    except (LifecycleError, OSError) as error:
        said = problem or f"the report site could not be written: {error}"
    try:
        with suppress(BrokenPipeError):  # nobody reads it; the exit code still tells
            print(summary(plan.project, plan.state, plan.absent, index), flush=True)
    except LifecycleError as error:
        said = problem or str(error)
    return said
