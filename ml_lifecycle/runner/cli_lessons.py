"""The commands of the course: `lab`, `lessons` and `data`."""

import click

@click.command()
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
    from ml_lifecycle.runner.lab import open_lab

    return open_lab(directory, browser=not no_browser, port=port)


@click.group()
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
    from ml_lifecycle.runner.lessons import find_lessons

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
    from ml_lifecycle.runner.lab import say_copied

    say_copied(directory)


# data ----------------------------------------------------------------------------------------------------------------

@click.group()
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
    from ml_lifecycle.runner.datasets import describe_course

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
    from ml_lifecycle.runner.datasets import describe

    click.echo(describe(data_, {name: value for name, value in roles.items() if value}))
