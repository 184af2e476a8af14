"""The report site of a project: plain HTML files that need no network, no script and no server."""

from datetime import UTC, datetime
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from ml_lifecycle.foundation._files import write_text
from ml_lifecycle.foundation._render import number
from ml_lifecycle.foundation._words import count
from ml_lifecycle.foundation.errors import LifecycleError
from ml_lifecycle.foundation.lifecycle import STATES, STEPS, Step, find_step, lifecycle_figure
from ml_lifecycle.foundation.passes import compare_passes
from ml_lifecycle.runner.findings import findings_list
from ml_lifecycle.runner.state import RunState, read_state

if TYPE_CHECKING:
    from ml_lifecycle.foundation.project import Project
    from ml_lifecycle.foundation.report import Report
    from ml_lifecycle.foundation.status import StatusReport
    from ml_lifecycle.maintenance import Handoff

ASSETS = Path(__file__).parent / "assets"


def write_site(
    project: "Project",  # whose report it is
) -> Path:  # site/index.html
    """Write the report site: what was found, decided and measured, and each executed lesson."""
    from ml_lifecycle.maintenance import handoff
    from ml_lifecycle.runner.pages import lesson_body

    site, books = project.path / "site", _executed(project)
    names = [step.folder for step in books]
    for step, book in books.items():
        body = _crumbs(book) + lesson_body(book, pages=names) + _pager(step, names)
        write_text(site / f"{step.folder}.html", page(f"{step.number}. {step.title} · {project.path.name}", body))
    document = handoff(project) if books or project.evidence() else None
    if document:
        write_text(site / "handoff.html", document.html)
    return write_text(site / "index.html", page(f"{project.path.name}: report", _index(project, document)))


def page(title: str, body: str) -> str:
    """A whole HTML page around a body; the title is escaped here, the body is HTML already."""
    from importlib.metadata import version

    made = f"Made by ml-lifecycle {version('ml-lifecycle')}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC."
    frame = Template((ASSETS / "page.html").read_text(encoding="utf-8"))
    style = (ASSETS / "page.css").read_text(encoding="utf-8")
    return frame.substitute(title=escape(title), body=body, style=style, footer=escape(made), version=version("ml-lifecycle"))


def _executed(project: "Project") -> dict[Step, Path]:
    """The executed notebooks of a project, by step."""
    places = {step: project.path / "notebooks" / f"{step.folder}.ipynb" for step in STEPS}
    return {step: path for step, path in places.items() if path.is_file()}


def _crumbs(book: Path) -> str:
    return ('<nav aria-label="report"><a href="index.html">← Report</a> '
            f'<a href="../notebooks/{book.name}">the executed notebook</a></nav>')


def _pager(step: Step, pages: list[str]) -> str:
    at = pages.index(step.folder)
    before = pages[at - 1] if at else None
    after = pages[at + 1] if at + 1 < len(pages) else None
    links = [f'<a href="{name}.html">{arrow}</a>' if name else "<span></span>" for name, arrow in (
        (before, f"← {_title(before)}"), (after, f"{_title(after)} →"))]
    return f'<nav class="pager" aria-label="lessons">{"".join(links)}</nav>'


def _title(folder: str | None) -> str:
    step = find_step(folder) if folder else None
    return f"{step.number}. {escape(step.title)}" if step else ""


# index ---------------------------------------------------------------------------------------------------------------

def _index(project: "Project", document: "Handoff | None") -> str:
    status, run = project.status(), _state(project)
    evidence = {step: project.evidence(step.key) for step in STEPS}
    parts = [f"<h1>{escape(project.path.name)}</h1>", f'<p class="lead">{_facts(project)}</p>', _stopped(run),
             f'<div class="figure">{figure(status, run)._repr_html_()}</div>', _next(status),
             _contents(project, evidence, document), _steps_table(project, status, run), _passes(project), findings_list(evidence),
             *(_step_section(project, s, evidence[s]) for s in STEPS), _hand_off(document)]
    return "\n".join(filter(None, parts))


def _state(project: "Project") -> RunState | None:
    try:
        return read_state(project.path)
    except LifecycleError:
        return None


def states(status: "StatusReport", run: RunState | None) -> dict[str, str]:
    """The state of each step: what the evidence says, unless its lesson failed."""
    failed = {key for key, one in run.lessons.items() if one.state == "failed"} if run else set()
    return {key: "failed" if key in failed else state for key, state in status.states().items()}


def figure(status: "StatusReport", run: RunState | None) -> Any:
    """The loop with where the project stands."""
    return lifecycle_figure(status.next_step, states(status, run), back=status.back)


def facts(project: "Project") -> list[str]:
    """What the project is about, in short phrases."""
    settings = project.settings
    data = settings.get("data") or {}
    found = [f"{data['name']}, {data['rows']:,} rows"] if {"name", "rows"} <= set(data) else []
    found += [f"target {data['target']} ({data.get('task')})"] if data.get("target") else []
    found += [f"{name} {data[name]}" for name in ("time", "group") if data.get(name)]
    found += [f"metric {settings['metric']}"] if settings.get("metric") else []
    return found + ([f"version {str(data['version'])[:8]}"] if data.get("version") else [])


def _facts(project: "Project") -> str:
    return escape(" · ".join(facts(project)))


def _stopped(run: RunState | None) -> str:
    failed = [(key, one) for key, one in run.lessons.items() if one.state == "failed"] if run else []
    return "".join(
        f'<p class="stopped"><b>Step {find_step(key).number}, {escape(find_step(key).title)}, did not finish:</b> '
        f"{escape(one.message)}</p>" for key, one in failed)


def _next(status: "StatusReport") -> str:
    then = [f.message for f in status.findings if f.code != "STA001"]
    return f'<p class="next"><b>Next:</b> {escape(then[0])}</p>' if then else ""


def _steps_table(project: "Project", status: "StatusReport", run: RunState | None) -> str:
    rows = [_step_row(project, step, row, state, run)
            for step, (_, row), state in zip(STEPS, status.frame.iterrows(), states(status, run).values())]
    return ('<div class="wide"><table class="steps"><thead><tr><th>Step</th><th>Verdict</th><th>Decision</th>'
            f'<th>Executed</th></tr></thead><tbody>{"".join(rows)}</tbody></table></div>')


def _step_row(project: "Project", step: Step, row: Any, state: str, run: RunState | None) -> str:
    name = f"{step.number}. {escape(step.title)}"
    name = name if row["state"] == "open" else f'<a href="#{step.key}">{name}</a>'
    short = f'<br><small>{escape(row["verdict"])}</small>' if row["verdict"] else ""
    books = project.path / "notebooks"
    links = [f'<a href="{step.folder}.html">lesson</a>'] if (books / f"{step.folder}.ipynb").is_file() else []
    if (books / f"{step.folder}.failed.ipynb").is_file():
        links.append(f'<a href="../notebooks/{step.folder}.failed.ipynb">as far as it came</a>')
    one = run.lessons.get(step.key) if run else None
    took = f"<small>{one.seconds:.0f} s</small>" if links and one and one.seconds is not None else ""
    return (f'<tr><td>{name}</td><td><span class="state {state.replace(" ", "-")}">{STATES[state][0]} {state}</span>{short}</td>'
            f'<td data-label="decision: ">{escape(row["decision"])}</td><td>{" ".join([*links, took])}</td></tr>')


def _contents(project: "Project", evidence: dict[Step, dict[str, "Report"]], document: "Handoff | None") -> str:
    """Links to what is on the page beside the steps, the ML test score with its figure."""
    from ml_lifecycle.evaluation import TestScore

    links = [("passes", "Passes")] if int(project.settings.get("pass", 1)) > 1 else []
    links += [("findings", "Findings")] if any(evidence.values()) else []
    score = evidence[find_step("evaluation")].get("ml_test_score")
    links += [("evaluation-ml_test_score", f"ML test score: {number(score.score)} of 7")] if isinstance(score, TestScore) else []
    links += [("hand-off", "Hand-off")] if document else []
    return '<nav aria-label="on this page">' + "".join(f'<a href="#{at}">{escape(said)}</a>' for at, said in links) + "</nav>"


def _passes(project: "Project") -> str:
    """The passes side by side, from the second one on."""
    if int(project.settings.get("pass", 1)) < 2:
        return ""
    return f'<h2 id="passes">Passes</h2>{compare_passes(project)._repr_html_()}'


def _hand_off(document: "Handoff | None") -> str:
    if document is None:
        return ""
    todo = (f" {count(len(document.open), 'place')} only a person can fill in; <code>ml-lifecycle handoff --check</code> fails "
            "until they are." if document.open else " Nothing is left to fill in.")
    return (f'<h2 id="hand-off">Hand-off</h2><p><a href="handoff.html">The hand-off document</a>: what somebody needs to take '
            f"over.{todo}</p>")


def _step_section(project: "Project", step: Step, reports: dict[str, "Report"]) -> str:
    card = project.decision(step.key)
    if not reports and card is None:
        return ""
    shown = "".join(_report(step, slug, report) for slug, report in reports.items())
    decided = card._repr_html_() if card else ""
    return (f'<h2 id="{step.key}">{step.number}. {escape(step.title)}</h2>'
            f'<p class="lead">{escape(step.question)}</p>{decided}{shown}')


def _report(step: Step, slug: str, report: "Report") -> str:
    """A report that unfolds; one with an issue is unfolded."""
    state, named = report.verdict, "" if slug == report.slug else f" ({escape(slug.replace('_', ' '))})"
    return (f'<details class="report" id="{step.key}-{escape(slug)}"{" open" if report.passed is False else ""}>'
            f'<summary><span class="state {state.replace(" ", "-")}">{STATES[state][0]} {state}</span> '
            f"<b>{escape(report.title)}</b>{named}: {escape(report.answer)}</summary>{report._repr_html_()}</details>")
