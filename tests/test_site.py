"""The report site: what it says, that everything in it is escaped, and that nothing in it asks the network."""

import dataclasses
import re
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from ml_lifecycle.foundation.lifecycle import STEPS
from ml_lifecycle.foundation.project import Project
from ml_lifecycle.foundation.report import Finding, NextStep, Report
from ml_lifecycle.runner.cli import main
from ml_lifecycle.runner.pages import lesson_body
from ml_lifecycle.runner.site import write_site
from ml_lifecycle.runner.state import LessonState, RunState
from ml_lifecycle.runner.summary import loop, standing

NAMES = ("http://www.w3.org/", "http://purl.org/", "http://creativecommons.org/", "https://example.org/")  # never fetched
EVIL = "<script>alert('&')</script>"


@dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Measured(Report):
    """A report of step 3."""

    title = "Measured"
    slug = "measured"
    step = "exploration"


@pytest.fixture
def project(tmp_path):
    """A project with markup wherever a person or the data can put some."""
    found = Project(tmp_path / "flights & co")
    found.update(data={"name": EVIL, "rows": 1234, "target": EVIL, "task": "classification", "version": "0123456789"}, metric="f1")
    found.record(Measured(
        frame=pd.DataFrame({"model": [EVIL], "score": [.5]}),
        findings=(Finding("TST003", "passed", "All is well."), Finding("TST002", "tip", "More rows would help."),
                  Finding("TST001", "issue", f"{EVIL} leaks.", next=NextStep(EVIL, "data")),
                  Finding("TST004", "not applicable", "There is no time column."))))
    found.decide("exploration", question=f"Which {EVIL}?", options=(EVIL, "none"), choice=EVIL, evidence=(EVIL,), next_step="data")
    return found


def executed(project, name="03_exploration", cells=()):
    begin = new_markdown_cell("# 3. Model exploration\n> Which one?\n\nBack to [one](01_planning.ipynb), "
                              "on to [four](04_refinement.ipynb#x), [out](https://example.org/a.ipynb).")
    book = new_notebook(cells=[begin, *cells])
    path = project.path / "notebooks" / f"{name}.ipynb"
    path.parent.mkdir(exist_ok=True)
    nbformat.write(book, path)
    return path


def html_cell(source, html):
    return new_code_cell(source, execution_count=1, outputs=[new_output("display_data", {"text/html": html, "text/plain": "x"})])


class Reader(HTMLParser):
    """Collects tags, attributes and text; complains about tags that are not closed."""

    VOID = {"meta", "br", "img", "hr", "link", "input", "path", "use", "rect", "polyline", "col"}

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text, self.open = [], [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open, f"</{tag}> closes nothing"
            last = self.open.pop()
            assert last == tag, f"<{last}> is closed by </{tag}>"

    def handle_data(self, data):
        self.text += data if "style" not in self.open else ""


def standalone(text):
    """A page that is whole, runs nothing and fetches nothing."""
    page = Reader(text)
    assert page.open == []
    assert not {"script", "link", "iframe", "object", "embed", "base"} & set(page.tags)
    assert page.tags.count("h1") <= 1
    for name, value in page.attributes:
        assert not name.startswith("on"), (name, value)
        if name in ("src", "srcset", "action", "data"):
            assert (value or "").startswith("data:"), (name, value)
    assert "@import" not in text
    assert not re.search(r"url\((?!#|data:|['\"]#)", text)
    for address in re.findall(r"https?://[^\s\"'<>)]+", text):
        assert address.startswith(NAMES), address
    assert "default-src 'none'" in text
    return page


# index ---------------------------------------------------------------------------------------------------------------

def test_the_index_says_where_the_project_stands(project):
    executed(project)
    index = write_site(project)
    assert index == project.path / "site" / "index.html"
    text = index.read_text(encoding="utf-8")
    page = standalone(text)
    for step in STEPS:
        assert f"{step.number}. {step.title}" in page.text
    for said in ("flights & co", "1,234 rows", "metric f1", "version 01234567", "Go on with step 2", "! issue"):
        assert said in page.text
    assert EVIL in page.text  # as text
    assert EVIL not in text  # never as markup
    assert ("href", "03_exploration.html") in page.attributes
    assert ("href", "#exploration") in page.attributes


def test_findings_are_sorted_and_lead_to_their_evidence(project):
    text = write_site(project).read_text(encoding="utf-8")
    part = text[text.index('id="findings"'):text.index('<h2 id="exploration"')]
    assert re.findall(r"TST\d+", part) == ["TST001", "TST002", "TST003", "TST004"]
    assert 'href="#exploration-measured"' in part
    assert 'id="exploration-measured"' in text


def test_every_link_of_the_site_leads_somewhere(project):
    executed(project)
    executed(project, "01_planning")
    site = write_site(project).parent
    for path in site.glob("*.html"):
        page = standalone(path.read_text(encoding="utf-8"))
        ids = {value for name, value in page.attributes if name == "id"}
        for name, value in page.attributes:
            if name == "href" and value.startswith("#"):
                assert value[1:] in ids
            elif name == "href" and "://" not in value:
                assert (site / value).is_file(), value


def test_an_empty_project_has_a_site(tmp_path):
    page = standalone(write_site(Project(tmp_path / "new")).read_text(encoding="utf-8"))
    assert "Go on with step 1" in page.text
    assert "Findings" not in page.text


def test_a_lesson_that_failed_is_said(project):
    state = RunState("0.1.0", {"given": "flights", "name": "flights", "version": "x"}, {}, ["evaluation"],
                     {"evaluation": LessonState(state="failed", message=f"cell 3 of 9: {EVIL}")})
    state.save(project.path)
    text = write_site(project).read_text(encoding="utf-8")
    page = standalone(text)
    assert "Step 5, Testing and evaluation, did not finish:" in page.text
    assert "✗ failed" in page.text
    assert EVIL not in text


def test_an_unreadable_state_does_not_matter(project):
    (project.path / "run.json").write_text("{")
    standalone(write_site(project).read_text(encoding="utf-8"))


# lessons -------------------------------------------------------------------------------------------------------------

def test_a_lesson_page(project):
    path = executed(project, cells=[
        new_code_cell("data = 'default'", metadata={"tags": ["parameters"]}, execution_count=1),
        new_code_cell("# Parameters\ndata = 'mine'", metadata={"tags": ["injected-parameters"]}, execution_count=2),
        html_cell("print('<b>') # code", f"<p onclick='x()'>table</p>{EVIL}<link href='https://cdn.org/x.css'>"),
        new_code_cell("noise()", execution_count=3, outputs=[
            new_output("stream", name="stderr", text="a warning"), new_output("stream", name="stdout", text="printed <i>\n"),
            new_output("display_data", {"application/javascript": "alert(1)"}),
            new_output("display_data", {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "a widget"})]),
        new_markdown_cell("## Exercises\nReplace the dots"), new_markdown_cell("**3.1** Which?"),
        new_code_cell("attempt = ...", metadata={"tags": ["exercise"]}, execution_count=4),
        new_code_cell("secret", metadata={"tags": ["solution"]}, execution_count=5),
        new_markdown_cell(f"## Decision\n{EVIL}"), new_code_cell("  "),
        new_code_cell("hidden", metadata={"tags": ["hint"]}, execution_count=6)])
    body = lesson_body(path, pages=["01_planning"])
    for shown in ("Parameters of this run", "mine", "table", "printed &lt;i&gt;", "a widget", "Decision", "noise()"):
        assert shown in re.sub(r"</?span[^>]*>", "", body), shown
    for left_out in ("default", "a warning", "Replace the dots", "3.1", "attempt", "secret", "hidden", "alert", "cdn"):
        assert left_out not in body, left_out
    assert '<a href="01_planning.html">one</a>' in body
    assert "on to four" in body
    assert 'href="https://example.org/a.ipynb"' in body
    assert body.count("<details") == 3


def test_lesson_pages_are_standalone_and_lead_on(project):
    executed(project, "01_planning")
    executed(project, cells=[html_cell("1", "<table><tr><td>1</td></tr></table>")])
    site = write_site(project).parent
    first = standalone((site / "01_planning.html").read_text(encoding="utf-8"))
    assert ("href", "03_exploration.html") in first.attributes
    assert ("href", "index.html") in first.attributes


def test_a_notebook_that_cannot_be_read_is_said(project):
    path = executed(project)
    path.write_text("{broken & <b>")
    standalone(write_site(project).read_text(encoding="utf-8"))
    assert "cannot be read" in (project.path / "site" / "03_exploration.html").read_text(encoding="utf-8")


# the command, and the text form --------------------------------------------------------------------------------------

def test_the_site_command(project, capsys, monkeypatch):
    monkeypatch.chdir(project.path)
    assert main(["site"]) == 0
    assert capsys.readouterr().out.strip() == str(Path("site/index.html").absolute())


def test_a_site_that_cannot_be_written(project, capsys):
    (project.path / "site").write_text("in the way")
    assert main(["site", str(project.path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_loop_in_text():
    states = ("passed", "issue", "cannot tell", "open", "failed", "open", "open")
    drawn = loop(dict(zip((s.key for s in STEPS), states)), "refinement")
    lines = drawn.splitlines()
    assert len(lines) == 9
    assert max(map(len, lines)) == 77
    assert lines[1] == "│ 1 Planning    │ → │ 2 Data        │ → │ 3 Exploration │ → ║ 4 Refinement  ║"
    assert lines[6] == "        └─│ 7 Maintenance │ ← │ 6 Deployment  │ ← │ 5 Evaluation  │←┘"


def test_standing(project):
    state = RunState("0.1.0", {"given": "flights", "name": "flights", "version": "x"}, {}, ["planning", "exploration"],
                     {"planning": LessonState("running"), "exploration": LessonState("failed", message="cell 3: gone")})
    text = standing(project, state)
    assert "goes back, from model exploration to data collection and labelling" in text
    assert re.search(r"1 Planning and setup +· open · lesson stopped midway", text)
    assert re.search(r"3 Model exploration +✗ failed · 1 issue, 1 tip, 1 passed · decision: ", text)
    assert "a lesson stopped at cell 3: gone" in text
    assert f"ml-lifecycle run --resume --project '{project.path}'" in text


# in a browser --------------------------------------------------------------------------------------------------------

@pytest.mark.slow
def test_no_page_is_wider_than_the_window(project, page):
    wide = "".join(f"<td>column {i}</td>" for i in range(60))
    executed(project, cells=[html_cell("x = " + "1 + " * 200 + "1", f"<table class='dataframe'><tr>{wide}</tr></table>")])
    site = write_site(project).parent
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    for name in ("index.html", "03_exploration.html", "handoff.html"):
        for width in (1200, 390):
            page.set_viewport_size({"width": width, "height": 800})
            page.goto((site / name).as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (name, width)
    assert all(url.startswith(("file:", "data:")) for url in asked)


@pytest.mark.slow
def test_findings_are_ordered_and_filtered_without_a_script(project, page):
    project.record(dataclasses.replace(project.evidence("exploration")["measured"], findings=(
        Finding("AAA001", "tip", "Another one."),)), name="other")
    page.goto(write_site(project).as_uri())

    def codes():
        shown = [one for one in page.locator("ul.findings li").all() if one.is_visible()]
        return [one.locator("code").inner_text() for one in sorted(shown, key=lambda one: one.bounding_box()["y"])]

    assert codes() == ["TST001", "AAA001", "TST002"]
    page.get_by_text("code", exact=True).click()
    assert codes() == ["AAA001", "TST001", "TST002"]
    page.get_by_text("passed (1)").click()
    assert codes() == ["AAA001", "TST001", "TST002", "TST003"]
    page.get_by_text("issue (1)").click()
    assert codes() == ["AAA001", "TST002", "TST003"]
