"""The command line: `ml-lifecycle` and its command `run`; what a command needs is imported when it runs."""

import os
import sys
from collections.abc import Sequence

import click

from ml_lifecycle.runner.cli_lessons import data, lab, lessons
from ml_lifecycle.runner.cli_project import handoff, serve, site, status
from ml_lifecycle.runner.say import complain

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
    ml-lifecycle run --from-decision              once more, from the step that the evidence leads back to
    ml-lifecycle serve runs/my                    the registered model behind an HTTP interface
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
@click.option("--from-decision", "from_decision", is_flag=True, help="Begin the next pass: from the step that a decision leads "
              "back to, with what was learned.")
@click.option("--resume", is_flag=True, help="Go on where a run stopped, with what it was started with.")
@click.option("--debug", is_flag=True, help="Show the whole traceback of an error.")
def run(data: str | None, pairs: tuple[str, ...], steps: str | None, project: str | None, params: str | None,
        timeout: float | None, from_decision: bool, resume: bool, debug: bool, **options: str | None) -> int:
    """Run the lessons on DATA, and write a report site.

    DATA is a course data set (see `ml-lifecycle data list`) or a CSV or Parquet file; flights when it is left out. Everything
    is checked before anything runs. Each lesson is executed in a fresh kernel and kept as a notebook, what it found and decided
    goes to the project directory.

    \b
    ml-lifecycle run
    ml-lifecycle run my.csv --target churned --metric f1
    ml-lifecycle run sales.parquet --target price --time sold_on --steps 1-3 -p budget=full
    ml-lifecycle run --resume --project runs/my
    ml-lifecycle run --from-decision --project runs/my
    """
    from ml_lifecycle.runner.plan import TIMEOUT, Request
    from ml_lifecycle.runner.run import run_request

    given = {name: value for name, value in options.items() if value is not None}
    return run_request(Request(data, given, steps, project, params, pairs, TIMEOUT if timeout is None else timeout,
                               resume, from_decision, debug))


for command in (status, site, handoff, serve, lab, lessons, data):
    cli.add_command(command)


if __name__ == "__main__":
    sys.exit(main())
