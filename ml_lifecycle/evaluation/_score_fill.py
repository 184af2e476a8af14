"""Fill the rubric: what a project has recorded, what people say, and what that is worth."""

import contextlib
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ml_lifecycle.evaluation._score_tests import RUBRIC, Rubric, Source
from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.errors import BadInputError, ProjectError, UnknownNameError, did_you_mean, one_of
from ml_lifecycle.foundation.lifecycle import STEPS
from ml_lifecycle.foundation.project import Project
from ml_lifecycle.foundation.report import Report

STATUS = ("manual", "automated", "no")
POINTS = {"automated": 1.0, "manual": 0.5, "open": 0.0}
KEYS = ("status", "by", "evidence")
FILE = "ml_test_score.yaml"

@dataclass(frozen=True)
class Filled:
    """One of the 28 tests as it stands."""

    rubric: Rubric
    status: str  # "automated", "manual" or "open"
    evidence: str  # what it rests on, or why it is open
    closes: str
    against: bool = False  # recorded evidence speaks against it
    unproven: bool = False  # a person says so and names no evidence


# ---- what people say

def read_answers(project: Project, answers: Any) -> dict[str, dict[str, str]]:
    """Answers by test: those of the project's own file, and over them those that are given; checked."""
    own = project.path / FILE
    known = _checked(_from_file(own), f"`answers` ({FILE})") if own.exists() else {}
    if isinstance(answers, (str, Path)):
        answers = _from_file(Path(answers).expanduser())
    return {**known, **_checked({} if answers is None else answers, "`answers`")}


def _checked(answers: Any, where: str) -> dict[str, dict[str, str]]:
    if not isinstance(answers, Mapping):
        raise BadInputError(f"{where} must map a test to its answer. Got {shown(answers)}. "
                            "Write {'data_5': {'status': 'manual', 'by': 'who', 'evidence': 'where'}}.")
    known = {rubric.id: rubric for rubric in RUBRIC}
    found: dict[str, dict[str, str]] = {}
    for name, answer in answers.items():
        test = str(name).strip().lower().replace(" ", "_").replace("-", "_")
        if test not in known:
            raise UnknownNameError(f"{where} must name tests of the score. Got {name!r}. "
                                   + did_you_mean(test, known, noun="Tests", most=28))
        found[test] = _answer(test, answer, where)
    return found


def _from_file(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ProjectError(f"`answers` must be a readable YAML file. Got {str(path)!r}: {str(error).splitlines()[0]}.") from None


def _answer(test: str, answer: Any, where: str) -> dict[str, str]:
    if isinstance(answer, bool) or answer is None:  # YAML reads a bare `no` as False
        answer = "manual" if answer else "no"
    given = {"status": answer} if isinstance(answer, str) else answer
    if not isinstance(given, Mapping) or "status" not in given:
        raise BadInputError(f"{where} must say the status of {test!r}. Got {shown(answer)}. Statuses: {', '.join(STATUS)}.")
    for key in given:
        one_of(key, KEYS, f"answers[{test!r}]", noun="Keys")
    status = given["status"]
    status = "no" if status is False else str(status).strip().lower()
    one_of(status, STATUS, f"answers[{test!r}]['status']", noun="Statuses")
    return {"status": status, "by": str(given.get("by") or ""), "evidence": str(given.get("evidence") or "").strip()}


# ---- what was recorded

def recorded(project: Project) -> dict[str, Report]:
    """Reports by the name that they are recorded under; of two steps the later one."""
    return {key.split("/", 1)[1]: report for key, report in project.evidence().items()}


def registry_events(project: Project) -> list[tuple[str, str, int]]:
    """(event, alias, version) of the project's registry; nothing where there is none."""
    path = project.path / "registry" / "registry.sqlite"
    if not path.is_file():
        return []
    with contextlib.suppress(sqlite3.Error), \
            contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
        return [(str(e), str(a), int(n or 0)) for e, a, n in db.execute("SELECT event, alias, number FROM events ORDER BY id")]
    return []


def _looked_up(source: Source, project: Project, reports: Mapping[str, Report]) -> tuple[bool | None, str]:
    """(covered, sentence); False where what was recorded speaks against it, None where it does not tell."""
    if source.name == "all steps":
        asked = [s for s in STEPS if s.key != "maintenance"]
        open_ones = [s.key for s in asked if project.decision(s.key) is None]
        if len(open_ones) == len(asked):
            return None, ""
        return (True, "every step up to deployment was run on these data, and decided") if not open_ones else \
            (None, f"not run to its end: no decision in {', '.join(open_ones)}")
    if source.name.startswith("registry: "):
        wanted = source.name.removeprefix("registry: ")
        numbers = [n for event, alias, n in registry_events(project) if wanted in (event, alias if event == "promote" else "")]
        what = "was rolled back to" if wanted == "rollback" else "was a canary"
        return (True, f"version {numbers[-1]} {what} (registry)") if numbers else (None, "")
    report = reports.get(source.name)
    if report is None:
        return None, ""
    try:
        gap = source.covers(report)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None, f"a report of another kind is recorded as {source.name!r}"
    return (True, f"{source.name}: {report.answer}") if gap is None else \
        (False if gap.against else None, f"{source.name}: {gap.why}")


def filled(rubric: Rubric, project: Project, reports: Mapping[str, Report], answer: Mapping[str, str] | None,
           repeated_by: str) -> Filled:
    """One test: recorded evidence against it outweighs what is said; a person's no outweighs recorded evidence."""
    found = [(source, *_looked_up(source, project, reports)) for source in rubric.sources]
    good = next((text for _, covered, text in found if covered), None)
    bad = next((text for _, covered, text in found if covered is False), None)
    note = next((text for _, _, text in found if text), "")
    if answer is not None and answer["status"] == "no":
        told = ", ".join(filter(None, (answer["by"], answer["evidence"])))
        return Filled(rubric, "open", "said not to be done" + (f" ({told})" if told else ""), rubric.closes)
    if good is None and bad is not None:
        return Filled(rubric, "open", bad, rubric.closes, against=True)
    if answer is not None:
        who = f"{answer['by']}: " if answer["by"] else ""
        text = f"{who}{answer['evidence'] or 'said without evidence'}"
        return Filled(rubric, answer["status"], text, "", unproven=not answer["evidence"])
    if good is not None:
        again = f" (repeated by {repeated_by})" if repeated_by else ""
        return Filled(rubric, "automated" if repeated_by else "manual", good + again, "")
    return Filled(rubric, "open", note or ("nothing is recorded" if rubric.sources else "only a person can say"), rubric.closes)
