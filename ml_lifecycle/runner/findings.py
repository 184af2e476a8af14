"""All findings of a project as one list that a reader sorts and filters; it takes no script, only radio buttons and boxes."""

from collections.abc import Callable, Iterable
from html import escape
from typing import TYPE_CHECKING, Any

from ml_lifecycle.foundation import _render
from ml_lifecycle.foundation.lifecycle import Step
from ml_lifecycle.foundation.report import SEVERITIES

if TYPE_CHECKING:
    from ml_lifecycle.foundation.report import Finding, Report

Place = tuple[Step, str, "Finding"]  # the step, the report's name, the finding
_ORDERS = ("severity", "step", "code")


def findings_list(
    evidence: dict[Step, dict[str, "Report"]],  # every recorded report
) -> str:  # HTML; empty without findings
    """Every finding, worst first; the reader may order them otherwise, and bring in those that passed."""
    found = [(step, slug, finding) for step, reports in evidence.items() for slug, report in reports.items()
             for finding in report.findings]
    if not found:
        return ""
    found.sort(key=_by_severity)
    counts: dict[str, int] = {s: sum(finding.severity == s for _, _, finding in found) for s in SEVERITIES}
    quiet = "" if counts["issue"] + counts["tip"] else '<p class="calm">No issue and no tip.</p>'
    return (f'<h2 id="findings">Findings</h2><div class="sorter">{_controls(counts)}{quiet}'
            f'<ul class="findings">{"".join(_items(found))}</ul></div>')


def _by_severity(place: Place) -> tuple[int, int, str]:
    step, _, finding = place
    return SEVERITIES.index(finding.severity), step.number, finding.code


def _controls(counts: dict[str, int]) -> str:
    orders = "".join(f'<input type="radio" name="order" id="by-{name}"{" checked" if name == "severity" else ""}>'
                     f'<label for="by-{name}">{name}</label>' for name in _ORDERS)
    shown = "".join(
        f'<input type="checkbox" id="show-{_css(s)}"{" checked" if s in ("issue", "tip") else ""}>'
        f'<label for="show-{_css(s)}">{s} ({counts[s]})</label>' for s in SEVERITIES if counts[s])
    return f'<span class="say">Order by</span>{orders}<span class="say">Show</span>{shown}'


def _css(severity: str) -> str:
    return severity.replace(" ", "-")


def _items(found: Iterable[Place]) -> Iterable[str]:
    found = list(found)
    by_step = _places(found, lambda place: (place[0].number, *_by_severity(place)))
    by_code = _places(found, lambda place: (place[2].code, place[0].number))
    for number, (step, slug, finding) in enumerate(found):
        then = f'<span class="then"><b>Next:</b> {escape(str(finding.next))}</span>' if finding.next else ""
        yield (f'<li class="{_css(finding.severity)}" style="--step:{by_step[number]};--code:{by_code[number]}">'
               f'<span class="mark">{_render.SEVERITY_MARK[finding.severity]} {finding.severity}</span> '
               f"<code>{finding.code}</code> {escape(finding.message)} "
               f'<span class="where">step {step.number}, <a href="#{step.key}-{escape(slug)}">'
               f'{escape(slug.replace("_", " "))}</a></span>{then}</li>')


def _places(found: list[Place], key: Callable[[Place], Any]) -> dict[int, int]:
    """Where each finding stands when they are ordered by the key."""
    order = sorted(range(len(found)), key=lambda number: key(found[number]))
    return {number: place for place, number in enumerate(order)}
