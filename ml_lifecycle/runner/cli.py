"""The command line: `ml-lifecycle run`, `status`, `lab`, `lessons` and `data`; imports what a command needs when it runs."""

import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from .say import complain

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_CODES = "Exit codes: 0 done · 1 a lesson failed · 2 bad arguments or data, nothing was run · 130 interrupted."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code. Every error is one line on stderr."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that lacks a character still gets the line
    try:
        code = cli.main(given, prog_name="ml-lifecycle", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.Abort:
        return _complain("interrupted", 130)
    except click.ClickException as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # "ml-lifecycle data": the help is the answer
            click.echo(error.format_message())
            return 0
        return _complain(f"{error.format_message()} Help: {_help_of(error)}", 2)
    except KeyboardInterrupt:
        return _complain("interrupted", 130)
    except (BrokenPipeError, SystemExit):  # whoever read our output has gone; click ends the process then
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - for what is still to be flushed
        return 0
    except Exception as error:  # noqa: BLE001 - the last resort: one line, and the way to the whole story
        return _failed(error, given)


def _failed(error: Exception, given: list[str]) -> int:
    from ml_lifecycle.foundation.errors import LifecycleError

    if "--debug" in given:
        import traceback

        traceback.print_exc()
    if isinstance(error, LifecycleError):
        return _complain(error, 2)
    if isinstance(error, OSError):
        return _complain(f"{error.strerror or error}: {error.filename or 'a file'}", 2)
    hint = "" if "--debug" in given else " For the whole story: ml-lifecycle --debug …"
    return _complain(f"an error of ml-lifecycle itself: {type(error).__name__}: {error}.{hint}", 1)


def _complain(message: object, code: int) -> int:
    complain(message)
    return code


def _help_of(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f"{context.command_path if context else 'ml-lifecycle'} --help"


def _show_version(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"ml-lifecycle {version('ml-lifecycle')}")
        context.exit()


@click.group(context_settings=_CONTEXT, epilog=_CODES, invoke_without_command=True)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Show the version.")
@click.option("--debug", is_flag=True, expose_value=False, help="Show the whole traceback of an error.")
@click.pass_context
def cli(context: click.Context) -> None:
    """The seven steps of a machine-learning project.

    \b
    ml-lifecycle run                              the lessons on the flights data
    ml-lifecycle run my.csv --target churned      the lessons on your own data
    ml-lifecycle status runs/my                   where the project stands, and what is next
    ml-lifecycle lab                              JupyterLab on the lessons, to work through
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


# run -----------------------------------------------------------------------------------------------------------------

@cli.command(epilog=_CODES)
@click.argument("data", required=False)
@click.option("--target", metavar="COLUMN", help="The column to predict.")
@click.option("--time", metavar="COLUMN", help="The column that orders the rows, if any.")
@click.option("--group", metavar="COLUMN", help="The column whose rows belong together, if any.")
@click.option("--text", metavar="COLUMNS", help="Columns of free text, comma-separated; found by themselves otherwise.")
@click.option("--task", metavar="TASK", help='"classification" or "regression"; inferred otherwise.')
@click.option("--metric", metavar="NAME", help="The metric to optimize; a default for the task otherwise.")
@click.option("--drop", metavar="COLUMNS", help="Columns to leave out, comma-separated.")
@click.option("--steps", metavar="STEPS", help="Which steps: 1-3 or 1,3 or exploration. All otherwise.")
@click.option("--project", metavar="DIR", help="The project directory; runs/<data name> otherwise.")
@click.option("--params", metavar="FILE", help="A YAML file of parameters, one `name: value` per line.")
@click.option("-p", "pairs", metavar="NAME=VALUE", multiple=True, help="A parameter of the lessons; can be repeated. "
              "What the command line says wins over --params.")
@click.option("--seed", metavar="N", help="The seed of every random draw.")
@click.option("--budget", metavar="SIZE", help='"quick" fits on a sample of the rows, "full" on all of them.')
@click.option("--timeout", metavar="SECONDS", type=float, help="Time for each lesson; 1800 otherwise.")
@click.option("--resume", is_flag=True, help="Go on where a run stopped, with what it was started with.")
@click.option("--debug", is_flag=True, help="Show the whole traceback of an error.")
def run(data: str | None, pairs: tuple[str, ...], steps: str | None, project: str | None, params: str | None,
        timeout: float | None, resume: bool, debug: bool, **options: str | None) -> int:
    """Run the lessons on DATA, and write a report site.

    DATA is a course data set (see `ml-lifecycle data list`) or a CSV or Parquet file; flights when it is left out. Everything
    is checked before anything runs. Each lesson is executed in a fresh kernel and kept as a notebook, what it found and decided
    goes to the project directory.

    \b
    ml-lifecycle run
    ml-lifecycle run my.csv --target churned --metric f1
    ml-lifecycle run sales.parquet --target price --time sold_on --steps 1-3 -p budget=full
    ml-lifecycle run --resume --project runs/my
    """
    from .plan import TIMEOUT, Request
    from .run import run_request

    given = {name: value for name, value in options.items() if value is not None}
    return run_request(Request(data, given, steps, project, params, pairs, TIMEOUT if timeout is None else timeout,
                               resume, debug))


@cli.command()
@click.argument("directory", metavar="[DIR]", required=False)
def status(directory: str | None) -> None:
    """Draw the loop: where a project stands, what is next, and why.

    DIR is a project directory; left out, it is the current directory or the only project in runs/.

    \b
    ml-lifecycle status
    ml-lifecycle status runs/flights
    """
    from .state import read_state
    from .summary import standing

    project = _project(directory)
    click.echo(standing(project, read_state(project.path)))


@cli.command()
@click.argument("directory", metavar="[DIR]", required=False)
def site(directory: str | None) -> None:
    """Write the report site of a project again.

    \b
    ml-lifecycle site runs/flights
    """
    from .site import write_site

    click.echo(write_site(_project(directory)))


def _project(directory: str | None) -> Any:
    """The project in a directory; without one, that of the current directory or the only one in runs/."""
    from pathlib import Path

    from ml_lifecycle.foundation.errors import ProjectError
    from ml_lifecycle.foundation.project import Project

    if directory is not None:
        return Project(directory, create=False)
    here = [p.parent for p in (Path("project.yaml"), *sorted(Path("runs").glob("*/project.yaml"))) if p.is_file()]
    if len(here) == 1 or (here and here[0] == Path(".")):
        return Project(here[0], create=False)
    names = ", ".join(str(p) for p in here)
    raise ProjectError(f"`DIR` must be given: there are several projects. Got none. Projects: {names}." if here else
                       "`DIR` must be a project directory. Got none, and there is none here. Start one: ml-lifecycle run")


# lessons -------------------------------------------------------------------------------------------------------------

@cli.command()
@click.argument("directory", metavar="[DIR]", default="lessons")
@click.option("--no-browser", is_flag=True, help="Do not open a browser; the address is printed.")
@click.option("--port", type=click.IntRange(1, 65535), metavar="PORT", help="The port to listen on; 8888 or the next free one "
              "otherwise.")
def lab(directory: str, no_browser: bool, port: int | None) -> int:
    """Work through the lessons in JupyterLab.

    The lessons are copied to DIR (./lessons when it is left out); copies that you changed stay as they are. JupyterLab listens on
    this machine only.

    \b
    ml-lifecycle lab
    ml-lifecycle lab ~/learning --no-browser --port 9999
    """
    from .lab import open_lab

    return open_lab(directory, browser=not no_browser, port=port)


@cli.group()
def lessons() -> None:
    """The lessons of this version.

    \b
    ml-lifecycle lessons list
    ml-lifecycle lessons copy ~/learning
    """


@lessons.command("list")
def lessons_list() -> None:
    """List the lessons and the decision that each ends in.

    \b
    ml-lifecycle lessons list
    """
    from .lessons import find_lessons

    for lesson in find_lessons().values():
        click.echo(f"{lesson.step.number}  {lesson.step.title:<30} {lesson.step.question}")
        click.echo(f"   {lesson.path}")


@lessons.command("copy")
@click.argument("directory", metavar="DIR")
def lessons_copy(directory: str) -> None:
    """Copy the lessons to DIR, to work in; what is there and differs is never overwritten.

    \b
    ml-lifecycle lessons copy ~/learning
    """
    from .lab import say_copied

    say_copied(directory)


# data ----------------------------------------------------------------------------------------------------------------

@cli.group()
def data() -> None:
    """The course data, and a look at your own.

    \b
    ml-lifecycle data list
    ml-lifecycle data describe my.csv --target churned
    """


@data.command("list")
def data_list() -> None:
    """List the course data sets.

    \b
    ml-lifecycle data list
    """
    from .datasets import describe_course

    click.echo(describe_course())


@data.command("describe")
@click.argument("data_", metavar="DATA")
@click.option("--target", metavar="COLUMN", help="The column to predict.")
@click.option("--time", metavar="COLUMN", help="The column that orders the rows, if any.")
@click.option("--group", metavar="COLUMN", help="The column whose rows belong together, if any.")
@click.option("--text", metavar="COLUMNS", help="Columns of free text, comma-separated.")
@click.option("--task", metavar="TASK", help='"classification" or "regression"; inferred otherwise.')
@click.option("--drop", metavar="COLUMNS", help="Columns to leave out, comma-separated.")
def data_describe(data_: str, **roles: str | None) -> None:
    """Say what a data set holds: rows, roles of the columns, and what was noticed while loading.

    \b
    ml-lifecycle data describe flights
    ml-lifecycle data describe my.csv --target churned
    """
    from .datasets import describe

    click.echo(describe(data_, {name: value for name, value in roles.items() if value}))


if __name__ == "__main__":
    sys.exit(main())
