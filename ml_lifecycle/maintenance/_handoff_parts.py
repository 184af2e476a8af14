"""What the hand-off document says, section by section, from what the project holds."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from ml_lifecycle.foundation import _files
from ml_lifecycle.foundation._render import cell
from ml_lifecycle.foundation._words import count
from ml_lifecycle.foundation.errors import LifecycleError, ProjectError
from ml_lifecycle.foundation.lifecycle import STEPS, Step, find_step
from ml_lifecycle.foundation.project import Project
from ml_lifecycle.foundation.report import Report
from ml_lifecycle.maintenance._handoff_text import Block, Section, one_line
from ml_lifecycle.maintenance.deprecated import DeprecatedFeatures

PLACES: dict[str, tuple[str, str]] = {  # key in handoff.yaml -> (question, what is missing without an answer)
    "purpose": ("What is the model for, and which decision is taken with it?", "what it is for"),
    "users": ("Who uses its predictions, and where do they see them?", "who uses it"),
    "harm": ("Who is harmed when it is wrong, and how is that noticed?", "who is harmed"),
    "data_from": ("Where do the data come from, and who is asked when they stop?", "where the data come from"),
    "privacy": ("Are there personal data in it, and how long may they be kept?", "what may be kept"),
    "watching": ("Who watches the model in use, on which page, and how often?", "who watches it"),
    "owner": ("Who owns the model?", "who owns it"),
    "on_call": ("Who is on call when it fails, and how are they reached?", "who is on call"),
}
SECTIONS = ("What the model is for", "Data", "Metric and requirements", "Decisions", "The model",
            "Serving it, and taking it back", "Known limits", "Monitoring and staleness", "Features that were taken out",
            "ML Test Score", "How to train it again", "People")


class Facts:
    """What the project holds, read once."""

    def __init__(self, project: Project, answers: Mapping[str, str]) -> None:
        self.project, self.answers = project, answers
        self.settings, self.data = project.settings, project.data
        self.evidence = {key: report for key, report in project.evidence().items() if key != "maintenance/handoff"}
        self.cards = {step.key: project.decision(step.key) for step in STEPS}
        self.learned = project.learned()

    def report(self, name: str) -> Report | None:
        """The recorded report of that name, of whatever step."""
        return next((report for key, report in self.evidence.items() if key.split("/")[1] == name), None)

    def of_step(self, key: str) -> dict[str, Report]:
        """The recorded reports of a step."""
        return {name: report for name, report in self.evidence.items() if name.startswith(f"{key}/")}

    def place(self, key: str) -> Block:
        """A place that a person fills: the answer, or that it is open."""
        question, what = PLACES[key]
        return ("answer", question, self.answers[key]) if key in self.answers else ("fill", key, question, what)


def read_answers(path: Path) -> tuple[dict[str, str], dict[str, str]]:
    """(answers by key, answers to keys that nobody asked for); the file is made when it is missing, never changed after."""
    if not path.exists():
        lines = ["# What only people know. Fill in the places; they appear in handoff.md and handoff.html.",
                 "# This file is yours: it is read, and never written again.", ""]
        lines += [line for key, (question, _) in PLACES.items() for line in (f"# {question}", f'{key}: ""', "")]
        _files.write_text(path, "\n".join(lines))
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = one_line(str(error).splitlines()[0])
        raise ProjectError(f"`handoff.yaml` must be names and texts. Got {str(path)!r}, which cannot be read: {reason}. "
                           "Put texts with a colon in quotes.") from None
    if found is None:
        found = {}
    if not isinstance(found, dict):
        raise ProjectError(f"`handoff.yaml` must be names and texts, such as owner: Ada. Got {type(found).__name__} in "
                           f"{str(path)!r}.")
    said = {str(key): _said(value) for key, value in found.items()}
    known = {key: text for key, text in said.items() if key in PLACES and any(c.isalnum() for c in text)}
    return known, {key: text for key, text in said.items() if key not in PLACES}


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_said(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_said, value))
    return "" if value is None else one_line(value)


def missing(step: Step) -> Block:
    """What stands where a step has left nothing."""
    return ("p", f"Not recorded: run step {step.number}, {step.title} (ml-lifecycle run --steps {step.number}).")


def not_recorded(blocks: tuple[Block, ...]) -> bool:
    """Whether a section lacks what a step would have brought."""
    return any(block[0] == "p" and str(block[1]).startswith("Not recorded") for block in blocks)


def sections_of(facts: Facts, more: Mapping[str, str]) -> tuple[Section, ...]:
    """Every section."""
    makers = (_purpose, _data, _metric, _decisions, _model, _serving, _limits, _watching, _taken_out, _score, _again, _people)
    found = [(name, tuple(make(facts))) for name, make in zip(SECTIONS, makers)]
    if more:
        found.append(("More", tuple(("answer", f"{key}:", text) for key, text in more.items())))
    return tuple(found)


def _purpose(facts: Facts) -> list[Block]:
    data = facts.data
    said: list[Block] = [("p", f"It predicts {data['target']!r} ({data.get('task')}).")] if data.get("target") else []
    return [*said, *(facts.place(key) for key in ("purpose", "users", "harm"))]


def _data(facts: Facts) -> list[Block]:
    data = facts.data
    if not data:
        return [missing(find_step("data")), facts.place("data_from"), facts.place("privacy")]
    rows = [(name, data[name]) for name in ("name", "source", "rows", "version", "target", "task", "time", "group", "text", "drop")
            if data.get(name) not in (None, [], "")]
    told: list[Block] = [("table", ("what", "value"), tuple((name, _short(value)) for name, value in rows))]
    return [*told, *_answers(facts, "data"), facts.place("data_from"), facts.place("privacy")]


def _short(value: Any, most: int = 300) -> str:
    listed = isinstance(value, (list, tuple))
    text = ", ".join(map(str, value)) if listed else f"{value:,}" if isinstance(value, int) else str(value)
    return text if len(text) <= most else text[: most - 1] + "…"


def _answers(facts: Facts, key: str) -> list[Block]:
    """What the reports of a step answer, and what was decided; or that there is nothing."""
    reports, card, step = facts.of_step(key), facts.cards[key], find_step(key)
    if not reports and card is None:
        return [missing(step)]
    told: list[Block] = []
    if reports:
        told.append(("list", tuple(f"{report.title}: {report.answer}" for report in reports.values())))
    if card is not None:
        why = f" {_sentence(card.because)}" if card.because else ""
        told.append(("p", f"Decided in step {step.number}: {_sentence(card.choice)}{why}"))
    return told


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _metric(facts: Facts) -> list[Block]:
    metric = facts.settings.get("metric")
    told: list[Block] = [("p", f"The metric to optimize is {metric}.")] if metric else []
    return [*told, *_answers(facts, "planning")]


def _decisions(facts: Facts) -> list[Block]:
    told: list[Block] = []
    for key, card in facts.cards.items():
        if card is not None:
            told.append(("answer", f"{find_step(key).number}. {card.question}", _sentence(card.choice)))
            more = [f"because: {_sentence(card.because)}"] if card.because else []
            more += [f"evidence: {sentence}" for sentence in card.evidence]
            more += [f"would be reversed by: {_sentence(card.reverses_if)}"] if card.reverses_if else []
            told += [("list", tuple(more))] if more else []
    undecided = [step for step in STEPS if facts.cards[step.key] is None]
    if undecided:
        names = ", ".join(f"{step.number} ({step.title})" for step in undecided)
        told.append(("p", f"Not recorded: step{'s' * (len(undecided) > 1)} {names} without a decision; run "
                          f"{'them' if len(undecided) > 1 else 'it'} (ml-lifecycle run --steps "
                          f"{','.join(str(step.number) for step in undecided)})."))
    return told


def _model(facts: Facts) -> list[Block]:
    told: list[Block] = []
    if facts.learned.get("model"):
        params = ", ".join(f"{name} = {cell(value)}" for name, value in (facts.learned.get("params") or {}).items())
        told.append(("p", f"Chosen: {facts.learned['model']}" + (f", with {params}." if params else ", with its defaults.")))
    told += _answers(facts, "refinement") if facts.of_step("refinement") or facts.cards["refinement"] else []
    told += _answers(facts, "evaluation")
    champion = _champion(facts)
    return [*told, *(champion or [missing(find_step("deployment"))])]


def _registry(facts: Facts) -> Any:
    place = facts.project.path / "registry"
    if not place.is_dir():
        return None
    from ml_lifecycle.deployment.registry import Registry

    return Registry(place, create=False)


def _champion(facts: Facts) -> list[Block]:
    """The model that is in use, with the five parts that make it."""
    try:
        registry = _registry(facts)
        version = registry.get("champion") if registry is not None else None
    except LifecycleError as error:
        return [("p", f"Not recorded: the registry has no champion that can be read ({one_line(error)}); run step 6 again "
                      "(ml-lifecycle run --steps 6).")]
    if version is None:
        return []
    parts = tuple((name, str(digest)) for name, digest in version.parts.items())
    known = [("version", str(version.number)), ("trained on data version", str(version.train_version)),
             ("judged on data version", str(version.validation_version))]
    known += [(f"configuration: {name}", _short(value)) for name, value in dict(version.config).items()][:20]
    return [("p", f"In use: version {version.number} of the registry, the champion."),
            ("table", ("what", "value"), tuple(known)),
            ("p", "Its parts, by the SHA-256 of their content; the registry refuses a version of which any was changed:"),
            ("table", ("part", "sha256"), parts)]


def _serving(facts: Facts) -> list[Block]:
    name = facts.project.path.name
    told: list[Block] = [*_answers(facts, "deployment")]
    if (facts.project.path / "registry").is_dir():
        told += [("p", f"Serve the champion, from the directory that holds {name}:"),
                 ("code", f"ml-lifecycle serve {shlex.quote(name)}"),
                 ("p", "Take it back: the champion before it answers from the next request on."),
                 ("code", f"from ml_lifecycle.deployment import Registry\n\nRegistry({name + '/registry'!r}).rollback()")]
    return told


def _limits(facts: Facts) -> list[Block]:
    if not facts.evidence:
        return [missing(STEPS[0])]
    rows = []
    for severity in ("issue", "tip"):
        for report in facts.evidence.values():
            rows += [(finding.code, severity + (" (open)" if finding.undecided else ""), finding.message,
                      finding.next.action if finding.next else "") for finding in report.findings if finding.severity == severity]
    if not rows:
        return [("p", "The recorded evidence leaves no issue and no tip open.")]
    issues = sum(row[1].startswith("issue") for row in rows)
    return [("p", f"{count(issues, 'open issue')} and {count(len(rows) - issues, 'tip')} in the evidence; “(open)”: it cannot be "
                  "told yet."),
            ("table", ("code", "kind", "finding", "what to do"), tuple(rows))]


def _watching(facts: Facts) -> list[Block]:
    told: list[Block] = []
    for name, step in (("staleness", "maintenance"), ("distribution_shift", "evaluation"), ("shadow", "deployment")):
        report = facts.report(name)
        if report is not None:
            told.append(("p", f"{report.title}: {report.answer}"))
        elif name == "staleness":
            told.append(missing(find_step(step)))
    return [*told, facts.place("watching")]


def _taken_out(facts: Facts) -> list[Block]:
    place = facts.project.path / "deprecated.yaml"
    frame = DeprecatedFeatures(place).frame if place.exists() else pd.DataFrame(columns=["feature", "status"])
    rows = [tuple(str(value or "") for value in row) for row in
            frame.loc[frame["status"] == "deprecated"].itertuples(index=False, name=None)]
    names = {row[0] for row in rows}
    aside = facts.learned.get("set_aside") or {}
    rows += [(name, "set aside", "a decision of an earlier pass", str(why), "", "")
             for name, why in aside.items() if name not in names]
    if not rows:
        return [("p", "None.")]
    return [("table", ("feature", "status", "by", "why", "use instead", "when"), tuple(rows)),
            ("p", "Check it before every fit: DeprecatedFeatures(\"deprecated.yaml\").check(X)")]


def _score(facts: Facts) -> list[Block]:
    report = facts.report("ml_test_score")
    return [("p", report.answer)] if report is not None else [missing(find_step("evaluation"))]


def _again(facts: Facts) -> list[Block]:
    name, data = shlex.quote(facts.project.path.name), facts.data
    source = str(data.get("source") or "my.csv")
    given = ["ml-lifecycle run", shlex.quote(Path(source).name)]
    for option in ("target", "time", "group"):
        given += [f"--{option} {shlex.quote(str(data[option]))}"] if data.get(option) else []
    given += [f"--metric {shlex.quote(str(facts.settings['metric']))}"] if facts.settings.get("metric") else []
    told: list[Block] = [
        ("p", "The next pass of this project, from the step that the last decision leads to, with what was learned:"),
        ("code", f"ml-lifecycle run --from-decision --project {name}"),
        ("p", "From the beginning, on new data of the same form, in a project of its own:"),
        ("code", " ".join([*given, f"--project {shlex.quote(facts.project.path.name + '-new')}"]))]
    report = facts.report("staleness")
    every = getattr(report, "retrain_every", None)
    if report is not None and every:
        told.append(("p", f"How often: about every {cell(every[0])} {getattr(report, 'unit', '')} "
                          f"({cell(every[1])} to {cell(every[2])}), by the recorded staleness."))
    return told


def _people(facts: Facts) -> list[Block]:
    return [facts.place("owner"), facts.place("on_call")]
