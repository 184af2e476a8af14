"""`ml-lifecycle handoff`: writes the hand-off document, or says what is still to be filled in."""

from typing import TYPE_CHECKING

import click

from ml_lifecycle.runner.say import one_line, shown

if TYPE_CHECKING:
    from ml_lifecycle.foundation.project import Project

def hand_off(
    project: "Project",  # whose document it is
    *,
    check: bool = False,  # True: fail while a person has something to fill in
) -> int:  # 0 done, 1 when `check` finds places that are not filled in
    """Write handoff.md and handoff.html, and name what is still open, one line each."""
    from ml_lifecycle.maintenance.document import handoff

    document = handoff(project)
    for path in document.write():
        click.echo(shown(path))
    for place in document.open:
        click.echo(one_line(f"to fill in: {place} ({shown(project.path / 'handoff.yaml')})"), err=check)
    return 1 if check and document.open else 0
