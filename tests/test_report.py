"""The one result object: the plain class here, and one conformance test for every class that derives from it."""

import contextlib
import dataclasses
import importlib
import inspect
import json
import pkgutil
import re
from typing import Any, ClassVar

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

import ml_lifecycle
from ml_lifecycle.foundation import _json, _render
from ml_lifecycle.foundation.errors import BadInputError, UnknownNameError
from ml_lifecycle.foundation.report import SEVERITIES, Finding, NextStep, Report, made_with

EVIL = "<script>alert('&')</script>"


def finding(severity: Any = "tip", code: str = "TST001", **more: Any) -> Finding:
    return Finding(code, severity, f"This is a {severity}.", {"n": 3}, **more)


@pytest.fixture
def report() -> Report:
    frame = pd.DataFrame({"model": ["tree", EVIL], "score": [0.91, np.nan]})
    then = NextStep("label 200 rows", "data", "label(items)")
    tip = Finding("TST002", "tip", "More rows would help.", {"rows": np.int64(7)}, then)
    return Report(frame=frame, findings=(tip, finding("passed")), params={"seed": 0})


# findings and verdicts

@pytest.mark.parametrize(("findings", "verdict"), [
    ((), "cannot tell"), (("passed",), "passed"), (("tip",), "cannot tell"), (("tip", "passed"), "passed"),
    (("issue", "passed"), "issue"), (("not applicable",), "cannot tell"),
])
def test_the_verdict(findings: tuple[str, ...], verdict: str) -> None:
    assert Report(frame=pd.DataFrame(), findings=tuple(map(finding, findings))).verdict == verdict


def test_cannot_tell_is_a_verdict() -> None:
    undecided = Report(frame=pd.DataFrame(), findings=(finding("passed"), finding("tip", undecided=True)))
    assert undecided.passed is None
    issue = Report(frame=pd.DataFrame(), findings=(finding("issue"), finding("tip", undecided=True)))
    assert issue.passed is False


@given(st.lists(st.sampled_from(SEVERITIES)))
def test_the_most_important_finding_comes_first_and_equals_keep_their_order(severities: list[Any]) -> None:
    given_order = [finding(s, f"TST{i:03d}") for i, s in enumerate(severities)]
    ordered = Report(frame=pd.DataFrame(), findings=tuple(given_order)).findings
    assert list(ordered) == sorted(given_order, key=lambda f: SEVERITIES.index(f.severity))


@pytest.mark.parametrize("code", ["tst001", "TST1", "TST0001", "TEST01", "", "TST001\n"])
def test_codes_have_one_form(code: str) -> None:
    with pytest.raises(BadInputError, match="`code` must be three capitals and three digits"):
        Finding(code, "tip", "x")


@pytest.mark.parametrize(("wrong", "argument"), [
    ({"code": 3}, "code"), ({"code": None}, "code"), ({"message": 3}, "message"), ({"evidence": [1]}, "evidence"),
    ({"next": "do it"}, "next")])
def test_parts_of_a_finding_that_cannot_be(wrong: dict[str, Any], argument: str) -> None:
    parts: dict[str, Any] = {"code": "TST001", "severity": "tip", "message": "A sentence."}
    with pytest.raises(BadInputError, match=f"`{argument}` must be") as caught:
        Finding(**parts | wrong)
    assert "\n" not in str(caught.value)


def test_an_unknown_severity_is_said() -> None:
    with pytest.raises(UnknownNameError, match="`severity` must be one of the known names. Got 'warning'"):
        Finding("TST001", "warning", "x")  # type: ignore[arg-type]


def test_a_finding_and_a_next_step_say_themselves(report: Report) -> None:
    assert str(report.findings[0]) == "→ TST002 More rows would help.\n    next: label 200 rows (step data): label(items)"
    assert str(NextStep("wait")) == "wait"
    assert report.next == NextStep("label 200 rows", "data", "label(items)")
    assert Report(frame=pd.DataFrame()).next is None


def test_a_finding_can_be_ignored(report: Report) -> None:
    less = report.ignore("TST002")
    assert [f.code for f in less.findings] == ["TST001"]
    assert len(report.findings) == 2
    assert report.ignore() is not report
    with pytest.raises(UnknownNameError, match="Codes in this report: TST002, TST001"):
        report.ignore("TST003")


def test_the_documented_columns_must_be_there() -> None:
    @dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=True)
    class Documented(Report):
        """A report with columns."""

        columns: ClassVar = {"model": "name", "score": "0 to 1"}

    try:
        with pytest.raises(BadInputError, match=r"documented columns of Documented. Missing: \['score'\]"):
            Documented(frame=pd.DataFrame({"model": []}))
    finally:
        Report.kinds.pop("Documented")


# text, HTML and plots

def test_the_text_says_the_answer_first(report: Report) -> None:
    lines = repr(report).splitlines()
    assert lines[0] == "Report: More rows would help."
    assert lines[2].split() == ["model", "score"]
    assert "–" in lines[4]
    assert repr(Report(frame=pd.DataFrame({"x": [1, 2]}))).startswith("Report: 2 rows.")
    assert "(no rows)" in repr(Report(frame=pd.DataFrame()))


def test_long_tables_are_cut_in_text_and_html() -> None:
    long = Report(frame=pd.DataFrame({"x": range(2000), "text": ["word " * 50] * 2000}))
    assert "… 1,990 more rows in .frame" in repr(long)
    assert "1,990 more rows" in long._repr_html_()
    assert max(map(len, repr(long).splitlines())) < 80


def test_values_from_data_are_never_markup(report: Report) -> None:
    evil = Report(frame=report.frame, findings=(Finding("TST001", "tip", EVIL, next=NextStep(EVIL)),))
    assert "<script" not in evil._repr_html_()
    assert "&lt;script" in evil._repr_html_()


def test_a_representation_never_raises(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Report, ax: Any) -> None:
        raise RuntimeError("no plot")

    monkeypatch.setattr(Report, "_draw", fail)
    assert report._repr_html_().startswith("<pre>Report: More rows")
    assert "<script" not in report._repr_html_()


def test_html_is_made_once(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    first = report._repr_html_()
    monkeypatch.setattr(Report, "_draw", lambda self, ax: pytest.fail("drawn again"))
    assert report._repr_html_() is first


def test_the_same_report_gives_the_same_picture(report: Report) -> None:
    assert report.svg() == report.svg()
    assert Report.from_json(report.to_json()).svg() == report.svg()
    assert "20" not in re.findall(r"<dc:date>(.*?)</dc:date>", report.svg())


def test_a_plot_shows_itself_once_in_a_notebook(report: Report) -> None:
    assert report.plot()._repr_html_().count("<svg") == 1  # type: ignore[attr-defined]
    assert not plt.get_fignums()


@pytest.mark.parametrize(("value", "text"), [
    (0, "0"), (12345, "12,345"), (0.123456, "0.123"), (1234.5, "1,234"), (-2.5, "-2.50"), (1e9, "1,000,000,000"),
    (1e-6, "1.00e-06"), (1.5e8, "150,000,000"),
    (12345678.9, "1.23e+07"), (float("nan"), "–"), (float("inf"), "∞"), (float("-inf"), "−∞"), (None, "–"),
])
def test_numbers_are_written_as_people_write_them(value: Any, text: str) -> None:
    assert _render.number(value) == text


@pytest.mark.parametrize(("value", "text"), [
    (True, "yes"), (np.False_, "no"), (np.float32(0.5), "0.500"), (pd.NaT, "–"), (pd.NA, "–"), ((1, 2.5), "1, 2.50"), ("a", "a"),
    (pd.Timestamp("2024-01-02"), "2024-01-02 00:00:00"),
])
def test_cells_are_written_as_people_write_them(value: Any, text: str) -> None:
    assert _render.cell(value) == text


# JSON

SCALARS = (st.none() | st.booleans() | st.integers(-2**53, 2**53) | st.floats(allow_nan=False) | st.text()
           | st.datetimes().map(pd.Timestamp))


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)


@given(st.recursive(SCALARS, nested, max_leaves=8))
def test_any_plain_value_comes_back(value: Any) -> None:
    assert _json.load(_json.dump(value)) == value


@pytest.mark.parametrize("key", ["$time", "$number", "$frame"])
def test_a_key_that_looks_like_a_tag_comes_back(key: str) -> None:
    assert _json.load(_json.dump({key: "price"})) == {key: "price"}


def test_what_json_lacks_comes_back() -> None:
    odd = [np.nan, np.inf, -np.inf, np.float32(1.5), np.int8(3), np.bool_(True), pd.NaT, pd.NA]
    values = _json.load(_json.dump({"a": odd}))["a"]
    assert np.isnan(values[0])
    assert values[1:] == [np.inf, -np.inf, 1.5, 3, True, None, None]
    assert _json.dump({"s": {3, 1, 2}}) == _json.dump({"s": [1, 2, 3]})


@pytest.mark.parametrize("frame", [
    pd.DataFrame(), pd.DataFrame({"x": []}), pd.DataFrame({"x": pd.Series([], dtype="datetime64[ns]")}),
    pd.DataFrame({"i": [1, 2], "f": [1.5, np.nan], "b": [True, False], "s": ["a", EVIL]}),
    pd.DataFrame({"t": pd.to_datetime(["2024-01-02", None]), "z": pd.to_datetime(["2024-01-02", "2024-01-03"], utc=True)}),
    pd.DataFrame({"c": pd.Categorical(["a", None]), "n": pd.array([1, None], dtype="Int64")}),
    pd.DataFrame({"b": pd.array([True, None], dtype="boolean")}),
    pd.DataFrame({"o": [(1, 2), (3, 4)], "m": [None, "a"]}, dtype=object),
])
def test_frames_come_back(frame: pd.DataFrame) -> None:
    back = _json.load(_json.dump(frame))
    pd.testing.assert_frame_equal(back, frame, check_index_type=False, check_column_type=False)


def test_a_report_comes_back(report: Report) -> None:
    back = Report.from_json(report.to_json())
    assert type(back) is Report
    assert back.findings == report.findings
    assert back.to_json() == report.to_json()
    saved = json.loads(report.to_json())
    assert saved["schema"] == _json.SCHEMA
    assert saved["verdict"] == "passed"


@pytest.mark.parametrize("text", ["", "no json", "[1]", "{}", '"text"', "null"])
def test_what_is_no_report_is_said(text: str) -> None:
    with pytest.raises(BadInputError):
        Report.from_json(text)


@pytest.mark.parametrize("text", [
    None, 3, b"x\xff", '{"schema": "x", "type": "Report", "module": "m", "fields": {}}',
    '{"schema": 1, "type": ["Report"], "module": "m", "fields": {}}',
    '{"schema": 1, "type": "Report", "module": "m", "fields": [1]}',
    '{"schema": 1, "type": "Report", "module": "m", "fields": {}}',
    '{"schema": 1, "type": "Report", "module": "m", "fields": {"zz": 1}}',
    '{"schema": 1, "type": "NoSuch", "module": "ml_lifecycle.nowhere", "fields": {}}',
    '{"schema": 1, "type": "Report", "module": "m", "fields": {"frame": {"$frame": [3]}}}',
    '{"schema": 1, "type": "Report", "module": "m", "fields": {"frame": 3}}',
])
def test_a_damaged_report_is_said_in_one_line(text: Any) -> None:
    with pytest.raises(BadInputError) as caught:
        Report.from_json(text)
    assert "\n" not in str(caught.value)


def test_frames_that_cannot_be_reported() -> None:
    twice = pd.DataFrame([[1, 2]], columns=["a", "a"])
    for call in (lambda: Report(frame=twice), lambda: _json.dump({"inner": twice})):
        with pytest.raises(BadInputError, match="`frame` must have distinct column names. Got 'a' more than once"):
            call()
    wrong: Any = None
    with pytest.raises(BadInputError, match="`frame` must be a pandas DataFrame"):
        Report(frame=wrong)
    wrong = ("a sentence",)
    with pytest.raises(BadInputError, match="`findings` must be findings"):
        Report(frame=pd.DataFrame(), findings=wrong)


@pytest.mark.parametrize("names", [
    [0, 1], [1, "1"], ["a", 2.5], [("a", 1), ("a", 2)], list(pd.date_range("2024-01-01", periods=2))])
def test_column_names_keep_their_type(names: list[Any]) -> None:
    frame = pd.DataFrame([[1, 2]], columns=pd.Index(names))
    back = Report.from_json(Report(frame=frame).to_json()).frame
    assert list(back.columns) == list(frame.columns)
    assert [type(n) for n in back.columns] == [type(n) for n in frame.columns]


def test_a_newer_or_an_unknown_report_is_said(report: Report) -> None:
    with pytest.raises(BadInputError, match="upgrade to read it"):
        Report.from_json(report.to_json().replace('"schema": 1', '"schema": 999'))
    with pytest.raises(BadInputError, match="import that module first"):
        Report.from_json(report.to_json().replace('"type": "Report"', '"type": "NoSuchReport"').replace("ml_lifecycle.", "other."))


def test_made_with_names_the_versions() -> None:
    made = made_with(seed=0, sizes=(1, 2))
    assert made["seed"] == 0
    assert {"python", "numpy", "pandas", "scikit-learn", "ml-lifecycle"} <= set(made["versions"])


# every class that derives from Report, found by importing the whole package

MODULES = sorted(m.name for m in pkgutil.walk_packages(ml_lifecycle.__path__, "ml_lifecycle.", onerror=lambda name: None))


def report_classes() -> list[type[Report]]:
    for name in MODULES:
        with contextlib.suppress(ImportError):  # said by the test below
            importlib.import_module(name)
    mine = [kind for kind in Report.kinds.values() if kind.__module__.startswith("ml_lifecycle.")]
    return sorted({Report, *mine}, key=lambda kind: kind.__name__)


@pytest.mark.parametrize("name", MODULES)
def test_every_module_can_be_imported(name: str) -> None:
    importlib.import_module(name)


@pytest.fixture(params=report_classes(), ids=lambda kind: kind.__name__)
def sample(request: pytest.FixtureRequest, report_samples: dict[str, Any]) -> Report:
    kind: type[Report] = request.param
    assert kind.__name__ in report_samples, f"tests/conftest.py: report_samples() needs a sample of {kind.__name__}"
    made = report_samples[kind.__name__]()
    assert type(made) is kind
    return made


def planted(value: Any) -> Any:
    """The value with markup behind every text in it."""
    if isinstance(value, str):
        return value + EVIL
    if isinstance(value, (tuple, list)):
        return type(value)(map(planted, value))
    if isinstance(value, dict):
        return {key: planted(item) for key, item in value.items()}
    return value


def without_cards(html: str) -> str:
    """HTML without plots: they stand on a white card of their own."""
    return re.sub(r"<svg.*?</svg>", "", re.sub(r'<div style="background:#fff;color:#111[^>]*>', "<div>", html), flags=re.S)


class TestEveryReport:
    """What every report class promises."""

    def test_it_is_documented(self, sample: Report) -> None:
        kind = type(sample)
        assert kind.__doc__
        assert not kind.__doc__.startswith(f"{kind.__name__}(")  # what dataclass writes when nobody did
        assert kind is Report or kind.slug != "report"
        assert re.fullmatch(r"[a-z0-9_]+", kind.slug)
        undocumented = [c for c in sample.frame.columns if c not in kind.columns]
        open_ended = any(str(c).endswith("…") for c in kind.columns)
        assert not undocumented or open_ended or kind is Report
        assert all(str(text).strip() for text in kind.columns.values())

    def test_it_is_frozen_and_plain(self, sample: Report) -> None:
        for field in dataclasses.fields(sample):
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(sample, field.name, None)
            value = getattr(sample, field.name)
            assert field.name == "frame" or not isinstance(value, (list, set, np.ndarray, pd.DataFrame, pd.Series)), field.name

    def test_it_comes_back_from_json(self, sample: Report) -> None:
        back = Report.from_json(sample.to_json())
        assert type(back) is type(sample)
        assert back.to_json() == sample.to_json()
        pd.testing.assert_frame_equal(back.frame, sample.frame, check_index_type=False, check_column_type=False)
        for field in dataclasses.fields(sample):
            if field.name != "frame":
                assert repr(getattr(back, field.name)) == repr(getattr(sample, field.name)), field.name
        assert repr(back) == repr(sample)

    def test_its_text_is_short_and_says_the_answer(self, sample: Report) -> None:
        text = repr(sample)
        assert sample.answer
        assert "\n" not in sample.answer
        assert text.splitlines()[0] == f"{sample.title}: {sample.answer}"
        assert len(text.splitlines()) <= 40

    def test_its_html_is_whole(self, sample: Report) -> None:
        html = sample._repr_html_()
        assert html.startswith('<section class="mll-report">'), "drawing it failed"
        assert html.count("<svg") >= 1
        assert "<script" not in html

    def test_its_html_escapes_what_comes_from_data(self, sample: Report) -> None:
        frame = sample.frame.copy()
        for name in frame.columns:
            if not pd.api.types.is_numeric_dtype(frame[name]) and not pd.api.types.is_datetime64_any_dtype(frame[name]):
                frame[name] = [planted(v) for v in frame[name]]
        findings = tuple(dataclasses.replace(f, message=planted(f.message), evidence=planted(f.evidence),
                                             next=NextStep(EVIL, f.next.step, EVIL) if f.next else None) for f in sample.findings)
        others = [f.name for f in dataclasses.fields(sample) if f.name not in ("frame", "findings")]
        fields = {name: planted(getattr(sample, name)) for name in others}
        for changes in ({"frame": frame}, {"findings": findings}, {"params": fields["params"]}, fields):
            try:
                html = dataclasses.replace(sample, **changes)._repr_html_()
            except (LookupError, ValueError):  # a class may refuse such values
                continue
            assert "<script" not in html.lower()

    def test_its_html_reads_on_dark_and_light_pages(self, sample: Report) -> None:
        html = without_cards(sample._repr_html_())
        assert not re.search(r"(?<!-)color:\s*(#000|#111|#222|#333|black|#fff|white)", html)
        assert not re.search(r"background(-color)?:\s*(#fff|white|#000|black)", html)

    def test_its_plot_draws_where_it_is_told(self, sample: Report) -> None:
        before = plt.get_fignums()
        ax = Figure().add_subplot()
        empty = len(ax.get_children())
        assert sample.plot(ax) is ax
        assert len(ax.get_children()) > empty
        assert len(ax.figure.axes) >= 1
        own = sample.plot()
        assert own.figure is not ax.figure
        assert plt.get_fignums() == before
        for axes in (ax, own):
            if axes.axison and axes.has_data():
                assert axes.get_xlabel() or axes.get_ylabel()

    def test_looking_at_it_changes_nothing(self, sample: Report) -> None:
        frame, text = sample.frame.copy(deep=True), sample.to_json()
        repr(sample), sample._repr_html_(), sample.plot(), sample.svg(), sample.answer, sample.next
        pd.testing.assert_frame_equal(sample.frame, frame)
        assert sample.to_json() == text

    def test_its_findings_have_codes_and_can_be_ignored(self, sample: Report) -> None:
        for code in {f.code for f in sample.findings}:
            less = sample.ignore(code)
            assert type(less) is type(sample)
            assert code not in {f.code for f in less.findings}
            repr(less)
            assert less._repr_html_()
        assert all(f.message.strip().endswith((".", "?", "!", ")", "”")) for f in sample.findings)
        assert all("\n" not in f.message for f in sample.findings)

    def test_its_codes_are_explained_in_its_notebook(self, sample: Report) -> None:
        from pathlib import Path

        if type(sample) is Report:
            return
        module = inspect.getsource(inspect.getmodule(type(sample)))
        book = re.search(r"File to edit: (\S+)\.$", module, flags=re.M)
        if not book:
            return
        text = (Path(inspect.getfile(type(sample))).parent / book[1]).read_text(encoding="utf-8")
        cells = json.loads(text)["cells"]
        prose = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
        missing = sorted({f.code for f in sample.findings if f.code not in prose})
        assert not missing, f"say in {book[1]} what these codes mean: {missing}"
