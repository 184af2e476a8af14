"""Where a project stands, in text: the loop, the steps, the next one and why."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from ml_lifecycle.foundation.errors import ProjectError
from ml_lifecycle.foundation.lifecycle import STATES, STEPS, Step, find_step
from ml_lifecycle.foundation.passes import compare_passes, in_words, next_pass
from ml_lifecycle.runner.say import shown
from ml_lifecycle.runner.site import facts, states
from ml_lifecycle.runner.state import RunState

if TYPE_CHECKING:
    from ml_lifecycle.foundation.passes import NextPass
    from ml_lifecycle.foundation.project import Project

_WIDTH = 13  # of the text in a box: "3 Exploration", "? cannot tell"
_INDENT = 10  # of the lower row
_LIGHT, _LIT = ("┌", "─", "┐", "│", "└", "┘"), ("╔", "═", "╗", "║", "╚", "╝")


def _box(step: Step, state: str, lit: bool) -> list[str]:
    a, b, c, side, d, e = _LIT if lit else _LIGHT
    lines = (f"{step.number} {step.key.capitalize()}", f"{STATES[state][0]} {state}")
    return [a + b * (_WIDTH + 2) + c, *(f"{side} {line:<{_WIDTH}} {side}" for line in lines), d + b * (_WIDTH + 2) + e]


def _row(boxes: list[list[str]], arrow: str) -> list[str]:
    links = ["   ", f" {arrow} ", "   ", "   "]
    return [link.join(box[i] for box in boxes) for i, link in enumerate(links)]


def loop(
    known: dict[str, str],  # step key -> state
    lit: str | None,  # key of the step to do next
) -> str:  # 77 characters wide
    """The seven steps as a loop of boxes; the next step has a double frame."""
    boxes = [_box(step, known[step.key], step.key == lit) for step in STEPS]
    upper, lower = _row(boxes[:4], "→"), _row(boxes[:3:-1], "←")
    half, width = (_WIDTH + 4) // 2, len(upper[0])
    lines = [*upper, f"{'↑':>{half + 1}}{'│':>{width - 2 * half - 1}}"]
    for left, right, fill, line in zip("│└  ", ("│", "←┘", "", ""), " ─  ", lower):
        lines.append(f"{left:>{half + 1}}".ljust(_INDENT, fill) + line + right.rjust(width - half - _INDENT - len(line), fill))
    return "\n".join(line.rstrip() for line in lines)


def table(
    project: "Project",
    run: RunState | None,  # what run.json says
    absent: tuple[Step, ...] = (),  # steps that were asked for and have no lesson
) -> str:
    """One line per step: verdict, decision, and what became of its lesson."""
    status = project.status()
    rows = []
    for step, (_, row), state in zip(STEPS, status.frame.iterrows(), states(status, run).values()):
        lesson = run.lessons.get(step.key) if run else None
        words = [f"{STATES[state][0]} {state}" if state != "open" else "· open"]
        words.append(row["verdict"])
        words.append(f"decision: {row['decision']}" if row["decision"] else "")
        if step in absent:
            words = ["– not part of this version"] if state == "open" else [*words, "lesson not part of this version"]
        elif lesson is not None and lesson.state == "running":
            words.append("lesson stopped midway")
        elif lesson is not None and lesson.state == "pending" and run and step.key in run.steps:
            words.append("lesson not finished" if lesson.message else "lesson not run yet")
        rows.append(f"  {step.number} {step.title:<30} {' · '.join(filter(None, words))}")
    return "\n".join(rows)


def then(project: "Project") -> str:
    """The next step and why."""
    status = project.status()
    lines = [f.message for f in status.findings if f.code != "STA001"][:1]
    if status.back:
        lines.append(f"The decision goes back, from {find_step(status.back[0]).title.lower()} "
                     f"to {find_step(status.back[1]).title.lower()}.")
    try:
        coming = next_pass(project)
    except ProjectError:
        return " ".join(lines)
    cards = [card for step in STEPS if (card := project.decision(step.key)) and card.repeats and card.step != coming.decided.step]
    also = ", ".join(f"step {find_step(card.step).number} to {card.next_step}" for card in cards)
    lines += [f"What else leads back is done on the way: {also}."] if also else []
    said = in_words(coming.carried)
    lines += [f"Carried along: {said}."] if said else []
    command = f"ml-lifecycle run --from-decision --project {shlex.quote(shown(project.path))}"
    return f"{' '.join(lines)}\n      repeat it: {command}"


def begins(coming: "NextPass") -> str:
    """What a pass begins with, in one line."""
    said = in_words(coming.carried)
    step, decided = find_step(coming.step), find_step(coming.decided.step)
    return (f"pass {coming.number} begins with step {step.number}, {step.title.lower()}, as step {decided.number} decided"
            + (f"; carried along: {said}" if said else ""))


def _passes(project: "Project") -> list[str]:
    """In what the latest pass differs from the one before; nothing after the first."""
    report = compare_passes(project) if int(project.settings.get("pass", 1)) > 1 else None
    return ["", f"pass {len(report.frame)}: {report.answer}"] if report else []


def summary(
    project: "Project",
    run: RunState,
    absent: tuple[Step, ...],  # steps that were asked for and have no lesson
    index: Path | None,  # the report site, when it was written
) -> str:
    """What a run ends with."""
    lines = ["", f"{project.path.name}: {' · '.join(facts(project))}", "", table(project, run, absent), "",
             f"next: {then(project)}", *_passes(project), ""]
    lines += [f"report     {shown(index)}"] if index else []
    return "\n".join([*lines, f"notebooks  {shown(project.path / 'notebooks')}", f"project    {shown(project.path)}"])


def standing(
    project: "Project",
    run: RunState | None,
) -> str:
    """What `ml-lifecycle status` prints."""
    status = project.status()
    lines = [f"{project.path.name}: {' · '.join(facts(project))}", "", loop(states(status, run), status.next_step), "",
             table(project, run), "", f"next: {then(project)}", *_passes(project)]
    failed = [one.message for one in run.lessons.values() if one.state == "failed"] if run else []
    lines += [f"a lesson stopped at {message}" for message in failed]
    if run and run.unfinished(project.path):
        lines.append(f"unfinished run: ml-lifecycle run --resume --project {shlex.quote(shown(project.path))}")
    return "\n".join(lines)
