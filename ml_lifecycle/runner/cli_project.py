"""The commands on a project: `status`, `site`, `handoff` and `serve`."""

import click

@click.command()
@click.argument("directory", metavar="[DIR]", required=False)
def status(directory: str | None) -> None:
    """Draw the loop: where a project stands, what is next, and why.

    DIR is a project directory; left out, it is the current directory or the only project in runs/.

    \b
    ml-lifecycle status
    ml-lifecycle status runs/flights
    """
    from ml_lifecycle.runner.projects import find_project
    from ml_lifecycle.runner.state import read_state
    from ml_lifecycle.runner.summary import standing

    project = find_project(directory)
    click.echo(standing(project, read_state(project.path)))


@click.command()
@click.argument("directory", metavar="[DIR]", required=False)
def site(directory: str | None) -> None:
    """Write the report site of a project again.

    \b
    ml-lifecycle site runs/flights
    """
    from ml_lifecycle.runner.projects import find_project
    from ml_lifecycle.runner.site import write_site

    click.echo(write_site(find_project(directory)))


@click.command()
@click.argument("directory", metavar="[DIR]", required=False)
@click.option("--check", is_flag=True, help="Fail (exit code 1) while a person has something to fill in.")
def handoff(directory: str | None, check: bool) -> int:
    """Write the hand-off document of a project: handoff.md and handoff.html.

    It is made of the recorded evidence. What only a person knows is marked in it, and asked for in handoff.yaml.

    \b
    ml-lifecycle handoff runs/flights
    ml-lifecycle handoff runs/flights --check
    """
    from ml_lifecycle.runner.handoff import hand_off
    from ml_lifecycle.runner.projects import find_project

    return hand_off(find_project(directory), check=check)


@click.command()
@click.argument("directory", metavar="[DIR]", required=False)
@click.option("--host", metavar="HOST", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), metavar="PORT", default=8000, show_default=True,
              help="The port to listen on; 0: a free one.")
@click.option("--canary", type=click.FloatRange(0, 1), metavar="SHARE", default=0.0, show_default=True,
              help="The share of users that the canary answers.")
def serve(directory: str | None, host: str, port: int, canary: float) -> int:
    """Serve the champion of a project's registry over HTTP.

    DIR is a project directory or a registry. POST /predict answers; /livez, /readyz and /metrics say how it is. A version that
    is promoted to shadow answers along, unseen; both answers are kept.

    \b
    ml-lifecycle serve runs/flights
    ml-lifecycle serve runs/flights --port 9000 --canary 0.05
    """
    from ml_lifecycle.runner.projects import find_project
    from ml_lifecycle.runner.serve import serve as serve_registry

    return serve_registry(directory or find_project(None).path, host, port, canary=canary)
