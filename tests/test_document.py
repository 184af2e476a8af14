"""The hand-off document: what the evidence says, what a person must add, safe in every form."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from ml_lifecycle.foundation import BadInputError, Finding, NextStep, Project, ProjectError, Report
from ml_lifecycle.maintenance import DeprecatedFeatures, handoff, staleness
from ml_lifecycle.maintenance._handoff_parts import PLACES, SECTIONS
from ml_lifecycle.maintenance._handoff_text import as_html, as_markdown, plain_markdown
from ml_lifecycle.runner.handoff import hand_off

EVIL = "<script>alert('&')</script>"


class Limited(Report):
    """A report with one issue."""

    slug, step = "limited", "evaluation"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "my project")


def fill(project: Project, **answers: str) -> None:
    lines = [f"{key}: {answers.get(key, 'somebody')!r}" for key in PLACES]
    (project.path / "handoff.yaml").write_text("\n".join(lines), encoding="utf-8")


def walk(html: str) -> list[str]:
    """Tags of a page; every one that is opened is closed."""
    tags, stack = [], []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: Any) -> None:
            tags.append(tag)
            if tag not in ("meta", "br"):
                stack.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert stack.pop() == tag

    Reader().feed(html)
    assert stack == []
    return tags


def test_an_empty_project_says_what_it_lacks(project: Project) -> None:
    report = handoff(project)
    assert list(report.frame["section"]) == list(SECTIONS)
    assert len(report.open) == len(PLACES)
    assert report.passed is None
    text = report.markdown
    for step in (1, 2, 5, 6, 7):
        assert f"ml-lifecycle run --steps {step}" in text
    assert text.count("[[fill in:") == len(PLACES) == report.html.count("[[fill in:")


def test_answers_are_kept_and_the_file_is_never_written_again(project: Project) -> None:
    handoff(project)
    path = project.path / "handoff.yaml"
    template = path.read_text(encoding="utf-8")
    assert all(f"# {question}" in template for question, _ in PLACES.values())
    path.write_text(template.replace('owner: ""', "owner: Ada  # for now"), encoding="utf-8")
    mine = path.read_text(encoding="utf-8")
    report = handoff(str(project.path))
    assert path.read_text(encoding="utf-8") == mine
    assert "**Who owns the model?** Ada" in report.markdown
    assert not any(place.startswith("owner") for place in report.open)


@pytest.mark.parametrize("answer", ["", "...", "'?'", "~", "[]", "' - '"])
def test_what_is_no_answer(project: Project, answer: str) -> None:
    fill(project)
    path = project.path / "handoff.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("owner: 'somebody'", f"owner: {answer}"), encoding="utf-8")
    assert [place.partition(":")[0] for place in handoff(project).open] == ["owner"]


def test_answers_of_other_kinds(project: Project) -> None:
    fill(project)
    path = project.path / "handoff.yaml"
    more = "\nbudget: {euros: 3, for: [a, b]}\nonwer: Ada\n"
    path.write_text(path.read_text(encoding="utf-8").replace("owner: 'somebody'", "owner: [Ada, Grace]") + more, encoding="utf-8")
    report = handoff(project)
    assert "Ada, Grace" in report.markdown
    assert "euros: 3; for: a, b" in report.markdown
    odd = next(f for f in report.findings if f.code == "HAN003")
    assert "'onwer'" in odd.message
    assert report.open == ()
    assert any(f.code == "HAN001" and f.severity == "passed" for f in report.findings)


@pytest.mark.parametrize("text", ["- a", "owner: [", "3", "owner: a: b"])
def test_a_file_of_answers_that_cannot_be_used(project: Project, text: str) -> None:
    (project.path / "handoff.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ProjectError, match="`handoff.yaml` must be names and texts") as caught:
        handoff(project)
    assert "\n" not in str(caught.value)


def test_a_file_of_answers_without_any(project: Project) -> None:
    (project.path / "handoff.yaml").write_text("", encoding="utf-8")
    assert len(handoff(project).open) == len(PLACES)


@pytest.fixture
def full(project: Project) -> Project:
    """A project with hostile data, evidence, decisions and a registry."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({EVIL: rng.normal(size=400), "day": pd.date_range("2024-01-01", periods=400),
                          "y": rng.choice([EVIL, "no"], 400)})
    data = project.dataset(frame, target="y", time="day")
    project.update(metric="roc_auc")
    stale = staleness(LogisticRegression(), data.frame[[EVIL]], data.y, time=data.time, periods=5)
    project.record(stale)
    issue = Finding("LIM001", "issue", f"It fails | for {EVIL}.", {}, NextStep("mend\nit", "data"))
    project.record(Limited(frame=pd.DataFrame({"a": [1]}), findings=(issue, Finding("LIM002", "tip", "Perhaps.", undecided=True))))
    project.decide("exploration", question="Which model?", options=["logistic regression", "b"], choice="logistic regression",
                   evidence=[EVIL], because="it is simple", reverses_if=EVIL, values={"model": "logistic regression"})
    DeprecatedFeatures(project.path / "deprecated.yaml").deprecate("postcode", by="Ada", why=EVIL, replaced_by="region")
    return project


def test_everything_recorded_stands_in_it(full: Project) -> None:
    report = handoff(full)
    text = report.markdown
    for part in ("LIM001", "LIM002", "Which model?", "it is simple", "postcode", "region", "roc\\_auc", "Staleness:",
                 "ml-lifecycle run --from-decision --project 'my project'", "--target y", "--time day"):
        assert part.replace("\\_", "_") in text.replace("\\_", "_"), part
    assert "1 open issue and" in text
    assert next(f for f in report.findings if f.code == "HAN004").evidence["issues"] == 1
    full.record(report)
    assert [s for s in handoff(full).sections if s[0] == "Known limits"] == [s for s in report.sections if s[0] == "Known limits"]


def test_nothing_from_data_is_markup(full: Project) -> None:
    fill(full, owner=EVIL)
    report = handoff(full)
    tags = walk(report.html)
    assert "script" not in tags
    assert not {"img", "link", "iframe", "object"} & set(tags)
    assert not re.search(r"https?://|src=|url\(", report.html)
    assert "<script" not in report.markdown
    assert "prefers-color-scheme: dark" in report.html
    assert 'name="viewport"' in report.html
    assert Report.from_json(report.to_json()).markdown == report.markdown  # type: ignore[attr-defined]


@given(st.text())
def test_any_text_means_itself(text: str) -> None:
    sections = ((text, (("p", text), ("list", (text,)), ("table", ("a", text), ((text, text),)), ("code", text),
                        ("fill", "key", text, text), ("answer", text, text))),)
    walk(as_html(text, text, sections))
    done = as_markdown(text, text, sections)
    outside = re.sub(r"^(`{3,}).*?^\1$", "", done, flags=re.M | re.S)
    assert "<" not in outside
    assert plain_markdown(text).count("\n") == 0


def test_a_registry_is_described(full: Project) -> None:
    from ml_lifecycle.deployment import Registry

    report = handoff(full)
    assert "run step 6" in report.markdown
    registry = Registry(full.path / "registry")
    assert "no champion" in handoff(full).markdown
    X = pd.DataFrame({"a": np.arange(20.0)})
    number = registry.register(LogisticRegression().fit(X, X["a"] > 9), config={"model": "logistic regression"},
                               train_version="aaa111", validation_version="bbb222")
    registry.promote(number, "champion")
    text = handoff(full).markdown
    for part in ("version 1 of the registry", "aaa111", "bbb222", "rollback()", "ml-lifecycle serve 'my project'"):
        assert part in text
    assert len(re.findall(r"\b[0-9a-f]{64}\b", text)) >= 3


def test_writing(full: Project, tmp_path: Path) -> None:
    report = handoff(full)
    markdown, html = report.write()
    assert markdown == full.path / "handoff.md"
    assert report.markdown.strip() in markdown.read_text(encoding="utf-8")
    assert html.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    report.write()
    assert not list(full.path.glob("handoff.edited*"))
    markdown.write_text("my own words", encoding="utf-8")
    html.write_bytes(b"\xff\xfe")
    report.write()
    assert (full.path / "handoff.edited-1.md").read_text(encoding="utf-8") == "my own words"
    assert (full.path / "handoff.edited-1.html").exists()
    markdown.write_text(markdown.read_text(encoding="utf-8").replace("Known", "Unknown"), encoding="utf-8")
    report.write()
    assert (full.path / "handoff.edited-2.md").exists()
    assert (report.write(tmp_path / "else")[0]).parent == tmp_path / "else"


def test_what_an_earlier_pass_set_aside_stands_in_it(project: Project) -> None:
    project.update(carried={"set_aside": {"postcode": "worth nothing"}, "model": "ridge regression",
                            "params": {"model__alpha": 2}})
    text = handoff(project).markdown
    assert "worth nothing" in text
    assert "model\\_\\_alpha = 2" in text or "model__alpha = 2" in text


def test_the_command(full: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert hand_off(full) == 0
    said = capsys.readouterr()
    assert "handoff.html" in said.out
    assert "to fill in: owner" in said.out
    assert hand_off(full, check=True) == 1
    assert len(capsys.readouterr().err.splitlines()) == len(PLACES)
    fill(full)
    assert hand_off(full, check=True) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("wrong", [3, None, ["a"]])
def test_what_is_no_project(wrong: Any) -> None:
    with pytest.raises(BadInputError, match="`project` must be a Project"):
        handoff(wrong)


def test_a_directory_without_a_project(tmp_path: Path) -> None:
    with pytest.raises(ProjectError):
        handoff(tmp_path)
