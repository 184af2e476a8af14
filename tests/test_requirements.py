"""Requirements: how they are written, who qualifies, who wins, and when that cannot be told."""

import math
import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_lifecycle.foundation.errors import BadInputError, UnknownNameError
from ml_lifecycle.foundation.intervals import wilson
from ml_lifecycle.foundation.metrics import METRICS, Metric
from ml_lifecycle.foundation.report import Report
from ml_lifecycle.planning.requirements import Requirements, RequirementsReport

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning", "error::FutureWarning", "error::UserWarning")


def row(name, f1, half=0.01, **more):
    return {"name": name, "f1": f1, "f1_low": f1 - half, "f1_high": f1 + half, **more}


def codes(report):
    return [f.code for f in report.findings]


def finding(report, code):
    return next(f for f in report.findings if f.code == code)


# ---- writing them

@pytest.mark.parametrize(("text", "kept"), [
    ("<= 10", "<= 10"), (">=0.9", ">= 0.9"), ("< 5", "< 5"), (" >  1 ", "> 1"), ("≤ 10 ms", "<= 10"), ("=> 1e2MS", ">= 100"),
    ("<= 1_000", "<= 1000"), ("<= .5", "<= 0.5"), ("< 5. milliseconds", "< 5"),
])
def test_thresholds_as_one_says_them(text, kept):
    assert Requirements("f1", {"latency_ms": text}).satisfice == {"latency_ms": kept}


def test_thresholds_in_per_cent():
    wish = Requirements("f1", {"coverage": ">= 90 %", "mine": "> 5%"})
    assert [limit.value for limit in wish.thresholds] == [0.9, 0.05]


@pytest.mark.parametrize("text", ["10", "= 10", "<= ten", "", None, 10, "<= 10 and >= 5", "!= 3", "<= 10 <= 20", "<=", "<= nan"])
def test_other_thresholds_show_the_form(text):
    with pytest.raises(BadInputError, match=re.escape("`satisfice['latency_ms']` must be")):
        Requirements("f1", {"latency_ms": text})


@pytest.mark.parametrize(("quantity", "text", "words"), [
    ("latency_ms", "<= 0.01 s", "must be in ms. Got '<= 0.01 s'"),
    ("coverage", ">= 90", "lies between 0 and 1. Did you mean '>= 0.9'?"),
    ("f1", "> 1", "must be a threshold that can be met"),
    ("latency_ms", "< 0", "can be met"),
    ("latency_ms", "<= 10 %", "must be in ms"),
])
def test_thresholds_that_cannot_be_meant(quantity, text, words):
    with pytest.raises(BadInputError, match=re.escape(words)):
        Requirements("f1", {quantity: text})


def test_weights_are_scaled_to_one():
    wish = Requirements({"f1": 7, "recall": 3})
    assert wish.weights == {"f1": 0.7, "recall": 0.3}
    assert wish.score_label == "0.7 F1 + 0.3 Recall"
    assert Requirements({"f1": 2}) == Requirements("f1")
    assert Requirements("f1").weights == {"f1": 1}


@pytest.mark.parametrize(("optimize", "more", "words"), [
    ({"f1": 0.5, "log_loss": 0.5}, {}, "quantities of one direction"),
    ({"rmse": 1, "mape": 1}, {}, "can be added. Got rmse (units of the target), mape"),
    ({"r2": 1, "f1": 1}, {}, "can be added"),
    ({"f1": -1}, {}, "must be a weight above 0"),
    ({"f1": True}, {}, "must be a weight above 0"),
    ({"f1": math.inf}, {}, "must be a weight above 0"),
    ({}, {}, "`optimize` must be one metric"),
    ("", {}, "`optimize` must be one metric"),
    (None, {}, "`optimize` must be one metric"),
    ({3: 1}, {}, "`optimize` must be one metric"),
    ("profit", {}, "`greater_is_better` must be True or False for 'profit'"),
    ("f1", {"greater_is_better": False}, "`greater_is_better` must be True for 'f1'"),
    ("f1", {"confidence": 0}, "`confidence` must be a probability"),
    ("f1", {"confidence": True}, "`confidence` must be a probability"),
    ("f1", {"confidence": "high"}, "`confidence` must be a probability"),
    ("f1", {"satisfice": ["latency_ms"]}, "`satisfice` must map"),
])
def test_requirements_that_make_no_sense(optimize, more, words):
    with pytest.raises(BadInputError, match=re.escape(words)):
        Requirements(optimize, **more)


def test_what_may_be_added():
    assert Requirements({"mae": 1, "rmse": 1}).greater_is_better is False
    assert Requirements({"profit": 1, "savings": 2}, greater_is_better=True).greater_is_better is True
    assert Requirements({"f1": 1, "brier_skill": 1}).greater_is_better is True


def test_a_metric_object_and_one_of_ones_own():
    assert Requirements(METRICS["rmse"]).optimize == "rmse"
    own = Metric("cost", "Cost", False, 0, np.inf, "euros", ("classification",), "labels", function=lambda *_: 0.0)
    assert Requirements(own).greater_is_better is False


@pytest.mark.parametrize("wish", [
    Requirements("f1"), Requirements({"f1": 0.7, "recall": 0.3}, {"latency_ms": "<= 10", "coverage": ">= 0.9"}, confidence=0.7),
    Requirements("profit", {"cost": "< 3"}, greater_is_better=True), Requirements("rmse", None),
])
def test_there_and_back(wish):
    saved = wish.to_dict()
    assert Requirements.from_dict(saved) == wish
    assert all(isinstance(v, (str, dict, float, int, bool, type(None))) for v in saved.values())


def test_from_dict_says_what_is_wrong():
    with pytest.raises(UnknownNameError, match="Did you mean 'satisfice'"):
        Requirements.from_dict({"optimize": "f1", "satisfise": {}})
    for saved in ({}, [], {"satisfice": {}}):
        with pytest.raises(BadInputError, match="with the key 'optimize'"):
            Requirements.from_dict(saved)


def test_they_show_themselves():
    wish = Requirements("f1", {"latency_ms": "<= 10", "coverage": ">= 0.9", "<b>": "< 1"}, confidence=0.7)
    assert "optimize    F1 (greater is better)" in repr(wish)
    assert "coverage    >= 0.9 share of rows with a probability of 0.7 or more" in repr(wish)
    assert "<b>&lt;b&gt;</b>" in wish._repr_html_()
    ElementTree.fromstring(wish._repr_html_())
    assert wish.quantities == ("f1", "latency_ms", "coverage", "<b>")


# ---- who wins

def test_a_clear_winner():
    report = Requirements("f1").judge([row("a", 0.8), row("b", 0.9), row("c", 0.7)])
    assert (report.winner, report.tied, report.qualified) == ("b", (), ("b", "a", "c"))
    assert report.lead[0] == pytest.approx(0.1)
    assert report.lead[1] == pytest.approx(0.1 - 2.2414 * math.hypot(0.01, 0.01) / 1.96, abs=1e-4)  # two rivals
    assert report.passed is True
    assert report.answer.startswith("b wins: F1 0.900, 0.100 better than a")
    assert report.frame["rank"].tolist() == [1, 2, 3]


def test_within_the_noise_nobody_wins():
    report = Requirements("f1").judge([row("a", 0.80, 0.02, latency_ms=9), row("b", 0.81, 0.02, latency_ms=30), row("c", 0.5)])
    assert report.winner is None
    assert report.tied == ("b", "a")
    assert report.lead[1] < 0 < report.lead[0]
    assert report.passed is None
    assert "take the cheapest of the tied: a" in str(report.next)
    assert "a has the least latency_ms, 9" in report.answer


def test_a_tie_without_costs_and_equal_scores():
    report = Requirements("f1").judge(pd.DataFrame({"f1": [0.8, 0.8]}, index=["b", "a"]))
    assert report.tied == ("a", "b")
    assert report.next.action == "take the cheapest of the tied"


def test_noise_that_is_known_of_a_later_rival_only():
    report = Requirements("f1").judge([row("a", 0.9), row("b", 0.8), row("c", 0.79, 0.3)])
    assert report.tied == ("a", "c")


def test_less_is_better():
    report = Requirements("rmse").judge(pd.DataFrame({
        "name": ["a", "b"], "rmse": [10.0, 12.0], "rmse_low": [9.9, 11.9], "rmse_high": [10.1, 12.1]}))
    assert report.winner == "a"
    assert report.lead[0] == pytest.approx(2)
    assert "less is better" in report.plot().get_xlabel()
    assert "units of the target" in report.plot().get_xlabel()


def test_the_number_of_rows_alone_tells_the_noise_of_a_share():
    few = Requirements("accuracy").judge(pd.DataFrame({"accuracy": [0.9, 0.85], "n": [100, 100]}, index=["a", "b"]))
    many = Requirements("accuracy").judge(pd.DataFrame({"accuracy": [0.9, 0.85], "n": [10_000, 10_000]}, index=["a", "b"]))
    assert few.tied == ("a", "b")
    assert many.winner == "a"
    assert few.frame.loc[0, ["low", "high"]].tolist() == pytest.approx(wilson(90, 100)[1:])
    other = Requirements("f1").judge(pd.DataFrame({"f1": [0.9, 0.85], "n": [10_000, 10_000]}, index=["a", "b"]))
    assert other.winner == "a"
    assert other.passed is None
    assert codes(other) == ["REQ005"]
    assert other.lead == pytest.approx((0.05, math.nan, math.nan), nan_ok=True)


def test_one_candidate():
    report = Requirements("f1").judge([row("only", 0.8)])
    assert (report.winner, report.lead, report.tied) == ("only", None, ())
    assert "it alone qualifies" in report.answer


def test_weights_add_scores_and_their_intervals():
    rows = [row("a", 0.8, recall=0.6, recall_low=0.5, recall_high=0.7), row("b", 0.7, recall=0.9, recall_low=0.8, recall_high=1)]
    report = Requirements({"f1": 0.5, "recall": 0.5}).judge(rows)
    assert report.frame["score"].tolist() == pytest.approx([0.8, 0.7])
    assert report.frame["low"].tolist() == pytest.approx([0.745, 0.645])


# ---- who qualifies

def test_thresholds_decide_before_scores():
    wish = Requirements("f1", {"latency_ms": "<= 10", "memory_mb": "< 1024"})
    report = wish.judge([row("slow", 0.95, latency_ms=40, memory_mb=2000), row("good", 0.8, latency_ms=10, memory_mb=1000)])
    assert report.winner == "good"
    assert report.frame["qualifies"].tolist() == ["yes", "no"]
    assert report.frame["fails"].tolist() == [
        "", "latency_ms 40, not <= 10 (30 too much); memory_mb 2,000, not < 1024 (976 too much)"]


def test_a_limit_that_is_hit_exactly():
    report = Requirements("f1", {"latency_ms": "< 10"}).judge([row("a", 0.9, latency_ms=10)])
    assert report.frame["fails"].tolist() == ["latency_ms 10, not < 10"]
    assert Requirements("f1", {"gain": "> 1"}).judge([row("a", 0.9, gain=1)]).frame["fails"].tolist() == ["gain 1, not > 1"]


def test_nobody_qualifies():
    wish = Requirements("f1", {"latency_ms": "<= 10", "coverage": ">= 0.9"})
    report = wish.judge([row("a", 0.9, latency_ms=40, coverage=0.95), row("b", 0.8, latency_ms=11, coverage=0.95)])
    assert report.passed is False
    assert (report.winner, report.lead, report.tied, report.qualified) == (None, None, (), ())
    assert finding(report, "REQ001").evidence["nearest"] == "b"
    assert "bring latency_ms of b down by 1" in str(report.next)
    low = Requirements("f1", {"coverage": ">= 0.9"}).judge([row("a", 0.9, coverage=0.5)])
    assert "bring coverage of a up by 0.4" in str(low.next)


def test_an_interval_on_both_sides_cannot_tell():
    wish = Requirements("f1", {"coverage": ">= 0.9"})
    report = wish.judge([row("a", 0.9, coverage=0.91, n=100), row("b", 0.8, coverage=0.99, n=1000)])
    assert report.frame.set_index("name")["qualifies"].to_dict() == {"a": "cannot tell", "b": "yes"}
    assert report.winner == "b"
    assert report.passed is None
    assert set(codes(report)) == {"REQ003", "REQ006", "REQ010"}
    assert "may or may not be >= 0.9" in report.frame["fails"].iloc[1]


def test_a_candidate_that_may_qualify_and_is_clearly_worse_changes_nothing():
    wish = Requirements("f1", {"coverage": ">= 0.9"})
    report = wish.judge([row("a", 0.7, coverage=0.91, n=100), row("b", 0.8, coverage=0.99, n=1000)])
    assert report.winner == "b"
    assert report.passed is True


def test_what_is_not_measured_cannot_tell():
    wish = Requirements("f1", {"memory_mb": "<= 10", "coverage": ">= 0.9"})
    report = wish.judge([row("a", 0.9, coverage=0.95), row("b", 0.8, coverage=0.2)])
    assert report.frame["qualifies"].tolist() == ["cannot tell", "no"]
    assert report.winner is None
    assert report.passed is None
    assert codes(report) == ["REQ002", "REQ007"]
    assert finding(report, "REQ007").message == "memory_mb is not measured for a and b."
    assert report.frame["fails"].tolist()[0] == "memory_mb not measured"


def test_an_open_upper_bound_cannot_tell():
    rows = [row("a", 0.9, latency_ms=5, latency_ms_low=4, latency_ms_high=math.inf)]
    assert Requirements("f1", {"latency_ms": "<= 10"}).judge(rows).frame["qualifies"].tolist() == ["cannot tell"]
    assert Requirements("f1", {"latency_ms": "<= 3"}).judge(rows).frame["qualifies"].tolist() == ["no"]


def test_missing_scores():
    report = Requirements("f1").judge([row("a", math.nan), row("b", 0.8)])
    assert report.winner == "b"
    assert report.passed is None
    assert finding(report, "REQ008").undecided
    assert report.frame["name"].tolist() == ["b", "a"]
    nobody = Requirements("f1", {"latency_ms": "< 5"}).judge([row("a", math.nan, latency_ms=1), row("b", 0.8, latency_ms=9)])
    assert nobody.winner is None
    assert codes(nobody) == ["REQ002", "REQ008"]
    out = Requirements("f1", {"latency_ms": "< 5"}).judge([row("a", math.nan, latency_ms=9), row("b", 0.8, latency_ms=1)])
    assert out.passed is True


def test_a_threshold_that_points_the_wrong_way_is_a_tip():
    report = Requirements("f1", {"latency_ms": ">= 10", "recall": "<= 0.9"}).judge([row("a", 0.9, latency_ms=20, recall=0.8)])
    tips = [f.message for f in report.findings if f.code == "REQ009"]
    assert "latency_ms >= 10 keeps the worse candidates: less latency_ms is better" in tips[0]
    assert "more recall is better" in tips[1]
    assert report.answer.startswith("a wins")


def test_many_names_are_shortened():
    report = Requirements("f1", {"cost": "< 1"}).judge([row(f"m{i}", 0.5) for i in range(7)])
    assert finding(report, "REQ007").message == "cost is not measured for m0, m1, m2 and 4 more."


# ---- tables

def test_forms_of_tables():
    rows = [row("a", 0.9), row("b", 0.8)]
    frame = pd.DataFrame(rows)
    expected = Requirements("f1").judge(rows).to_json()
    for table in (frame, frame.set_index("name"), (r for r in rows), frame.astype({"f1": object}), frame.convert_dtypes()):
        assert Requirements("f1").judge(table).to_json() == expected
    assert "name" in frame.columns
    numbered = pd.DataFrame({"f1": [0.5, 0.6]})
    assert Requirements("f1").judge(numbered).winner == "1"


@pytest.mark.parametrize(("table", "words"), [
    ([], "at least one candidate. Got an empty table"),
    (pd.DataFrame({"f1": []}), "at least one candidate"),
    ([row("a", 0.9), row("a", 0.8)], "a different name for each row. Got ['a'] more than once"),
    ([{"name": "a", "f11": 0.9}], "must have a column 'f1', which is optimized. Did you mean 'f11'? Columns: f11."),
    ([{"name": "a", "f1": "good"}], "`candidates['f1']` must hold numbers. Got 'good'"),
    ([row("a", 0.9, -0.1)], "`candidates['f1_low']` must not lie above 'f1_high'"),
    ([row("a", 0.9, f1_low=0.5, f1_high=0.6)], "`candidates['f1']` must lie within its own interval. Got 0.9 for 'a', whose"),
    ([row("a", 0.3, f1_low=0.5, f1_high=0.6)], "Got 0.3 for 'a', whose interval is 0.5 to 0.6. Take the value and its bounds"),
    ([row("b", 0.3), row("a", 1.7)], "`candidates['f1']` must be between 0 and 1. Got 1.7 for 'a'. If it is in per cent"),
    ([row("a", 90.0)], "Got 90 for 'a'. If it is in per cent, write 0.9."),
    ([row("a", -0.1)], "must be between 0 and 1. Got -0.1 for 'a'. Measure it again, or leave it empty."),
    ([3], "Got a list with int"),
    (3, "Got int"),
    ({"a": 1}, "Got dict"),
    ("a.csv", "Got str"),
])
def test_tables_that_cannot_be_judged(table, words):
    with pytest.raises(BadInputError, match=re.escape(words)):
        Requirements("f1").judge(table)


@pytest.mark.parametrize(("wish", "table", "words"), [
    (Requirements("f1", {"latency_ms": "<= 10"}), [row("a", 0.9, latency_ms=-3)],
     "`candidates['latency_ms']` must be at least 0. Got -3 for 'a'"),
    (Requirements("r2"), [{"name": "a", "r2": 1.5}], "`candidates['r2']` must be at most 1. Got 1.5 for 'a'"),
    (Requirements("f1", {"cost": "< 1"}), [row("a", 0.9, cost=5, cost_low=1, cost_high=2)],
     "`candidates['cost']` must lie within"),
])
def test_values_that_cannot_be(wish, table, words):
    with pytest.raises(BadInputError, match=re.escape(words)):
        wish.judge(table)


def test_bounds_that_round_to_the_value_and_infinite_ones_are_fine():
    nearly = [{"name": "a", "f1": 0.1 + 0.2, "f1_low": 0.3, "f1_high": 0.3}]
    assert Requirements("f1").judge(nearly).winner == "a"
    assert Requirements("rmse").judge([{"name": "a", "rmse": math.inf}, {"name": "b", "rmse": 1.0}]).qualified == ("b", "a")


# ---- names, however they are spelled

def test_known_quantities_are_found_however_they_are_spelled():
    wish = Requirements("F1", {"Latency ms": "<= 10"})
    assert wish == Requirements("f1", {"latency_ms": "<= 10"})
    assert Requirements({"ROC AUC": 1, "Recall": 1}).weights == {"roc_auc": 0.5, "recall": 0.5}
    report = Requirements("f1").judge([{"name": "a", "F1": 0.9, "F1_low": 0.8, "F1_high": 1.0}])
    assert report.frame.loc[0, ["score", "low", "high"]].tolist() == [0.9, 0.8, 1.0]
    own = Requirements("F1", greater_is_better=True)
    assert own.optimize == "F1"
    assert own.judge([{"name": "a", "F1": 90, "f1": 0.5}]).frame["score"].tolist() == [90]


@pytest.mark.parametrize(("call", "words"), [
    (lambda: Requirements("recal"), "or choose a known one. Did you mean 'recall'? Metrics: accuracy"),
    (lambda: Requirements({"f1": 1, "F1": 2}), "`optimize` must name each quantity once. Got ['f1', 'F1']"),
    (lambda: Requirements("f1", {"recall": "> 0.1", "Recall": "> 0.2"}), "`satisfice` must name each quantity once"),
])
def test_names_that_are_not_clear(call, words):
    with pytest.raises(BadInputError, match=re.escape(words)):
        call()


@pytest.mark.parametrize(("text", "form"), [
    ("<= 1,5", "Write '<= 1.5'."), ("<= 1,000", "Write '<= 1000'."), ("<= 1,000,000 ms", "Write '<= 1000000 ms'."),
    (" >= 0,75 ", "Write '>= 0.75'."), ("<= 1.000,5", "Write '<= 10', '>= 0.9', '< 5' or '> 1'."),
])
def test_a_comma_in_a_number_shows_the_form(text, form):
    with pytest.raises(BadInputError, match=re.escape("must be a threshold with a decimal point")) as caught:
        Requirements("f1", {"latency_ms": text})
    assert str(caught.value).endswith(form)


def test_the_report_reads_back_and_shows_itself():
    wish = Requirements("f1", {"latency_ms": "<= 10", "coverage": ">= 0.9"})
    rows = [row("<script>", 0.9, latency_ms=40, coverage=0.99), row("b", 0.8, latency_ms=4, coverage=0.9),
            {"name": "c", "f1": math.nan, "latency_ms": 4, "coverage": 0.99}]
    report = wish.judge(rows)
    assert isinstance(Report.from_json(report.to_json()), RequirementsReport)
    assert Report.from_json(report.to_json()).to_json() == report.to_json()
    assert "<script>" not in report._repr_html_()
    assert set(report.columns) == set(report.frame.columns)
    labels = [label.get_text() for label in report.plot().get_yticklabels()]
    assert any("latency_ms 40" in label for label in labels)
    assert report.params["requirements"] == wish.to_dict()


# ---- what must hold for any table

scores = st.floats(0.05, 0.95).map(lambda v: round(v, 3))
tables = st.lists(st.tuples(scores, st.floats(0.001, 0.05), st.integers(1, 20)), min_size=1, max_size=6).map(
    lambda rows: [row(f"m{i}", score, half, latency_ms=latency) for i, (score, half, latency) in enumerate(rows)])
WISH = Requirements("f1", {"latency_ms": "<= 10"})


def outcome(report):
    return report.winner, report.tied, report.lead, report.qualified, report.passed


@settings(max_examples=25, deadline=None)
@given(tables, st.randoms())
def test_the_order_of_the_rows_does_not_matter(rows, random):
    shuffled = random.sample(rows, len(rows))
    assert WISH.judge(shuffled).to_json() == WISH.judge(rows).to_json()


@settings(max_examples=25, deadline=None)
@given(tables)
def test_who_does_not_qualify_changes_nothing(rows):
    before = WISH.judge(rows)
    if before.qualified:
        after = WISH.judge([*rows, row("bad", 0.01, latency_ms=1000)])
        assert outcome(after) == outcome(before)


@settings(max_examples=25, deadline=None)
@given(tables, st.sampled_from([0.001, 2.0, 1024.0]))
def test_the_unit_of_the_score_does_not_matter(rows, factor):
    def judged(by):
        frame = pd.DataFrame(rows)
        frame = frame.rename(columns={c: c.replace("f1", "profit") for c in frame.columns})
        columns = ["profit", "profit_low", "profit_high"]
        frame[columns] = frame[columns] * by
        return Requirements("profit", {"latency_ms": "<= 10"}, greater_is_better=True).judge(frame)

    one, scaled = judged(1.0), judged(factor)
    assert (one.winner, one.qualified) == (scaled.winner, scaled.qualified)
    assert set(one.tied) == set(scaled.tied)
    if one.lead:
        assert scaled.lead == pytest.approx(tuple(part * factor for part in one.lead))


@settings(max_examples=25, deadline=None)
@given(tables)
def test_more_noise_never_makes_a_winner(rows):
    sure, noisy = WISH.judge(rows), WISH.judge([row(r["name"], r["f1"], 3 * (r["f1_high"] - r["f1"]), latency_ms=r["latency_ms"])
                                                for r in rows])
    if sure.tied:
        assert set(sure.tied) <= set(noisy.tied)
    assert sure.qualified == noisy.qualified


def test_a_tie_is_seldom_missed():
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(200):
        measured = rng.normal(0.8, 0.02, 4)  # four equal candidates
        report = Requirements("f1").judge([row(f"m{i}", m, 1.96 * 0.02) for i, m in enumerate(measured)])
        wrong += report.winner is not None
    assert wrong / 200 < 0.08
