"""What to collect: numbers that follow from the rates, in an order that pays; and the review that names what is collected."""

import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_lifecycle.foundation.errors import BadInputError, ProjectError, UnknownNameError
from ml_lifecycle.foundation.intervals import wilson
from ml_lifecycle.foundation.project import Project
from ml_lifecycle.foundation.report import Report
from ml_lifecycle.refinement import _plan_items
from ml_lifecycle.refinement.clusters import error_clusters
from ml_lifecycle.refinement.explore import ErrorReview
from ml_lifecycle.refinement.plan import collection_plan
from ml_lifecycle.refinement.slices import error_slices

def table(seed=0, n=2000):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"hour": rng.uniform(0, 24, n), "carrier": rng.choice(["AA", "EV", "UA"], n)})
    evening, morning = (X["carrier"] == "EV") & (X["hour"] > 18), (X["carrier"] == "UA") & (X["hour"] < 5)
    y = rng.integers(0, 2, n)
    return X, y, np.where(rng.random(n) < np.select([evening, morning], [0.85, 0.6], 0.04), 1 - y, y)


@pytest.fixture(scope="module")
def rows():
    return table()


@pytest.fixture(scope="module")
def report(rows):
    found = error_clusters(*rows)
    assert len(found.frame) == 2
    return found


# the plan ------------------------------------------------------------------------------------------------------------

def test_a_plan_of_clusters(report, tmp_path):
    plan = collection_plan(report)
    assert list(plan.frame["gain_per_row"]) == sorted(plan.frame["gain_per_row"], reverse=True)
    for row in plan.frame.itertuples():
        inside = report.frame.set_index("description").loc[row.like]
        rest = (report.errors - round(inside["rate"] * inside["rows"])) / (report.n - inside["rows"])
        assert row.rest_rate == pytest.approx(rest)
        assert row.gain == pytest.approx(inside["rows"] / report.n * (inside["rate"] - rest))
        assert 0 < row.gain_low < row.gain < row.gain_high
        assert row.collect == max(row.to_estimate, row.to_see_fall) == row.planned
        assert row.among >= row.collect
        assert "within ±5 points" in row.reason
    assert "collect" in plan.findings[0].message
    assert {f.code for f in plan.findings} == {"PLN001", "PLN003"}
    assert plan.passed is None
    again = pd.read_csv(plan.to_csv(tmp_path / "plan.csv"))
    assert list(again["like"]) == list(plan.frame["like"])
    assert Report.from_json(plan.to_json()).frame.equals(plan.frame)
    Project(tmp_path / "p").record(plan)


def test_a_budget_goes_to_the_first(report):
    plan = collection_plan(report, budget=150)
    assert plan.frame["planned"].sum() == 150
    assert plan.frame["planned"][0] == min(150, plan.frame["collect"][0])
    assert plan.findings[-1].code == "PLN004"


def test_a_narrower_margin_takes_more(report):
    wide, narrow = (collection_plan(report, margin=margin).frame.set_index("name")["to_estimate"] for margin in (0.1, 0.03))
    assert (narrow > wide).all()


def test_slices_bring_their_own_intervals(rows):
    report = error_slices(*rows)
    plan = collection_plan(report)
    assert len(plan.frame) == len(report.frame) > 0
    first = report.frame.iloc[0]
    mine = plan.frame.set_index("name").loc[f"slice {first['rank']}"]
    assert 0 < mine["gain_low"] < first["size"] / report.n * first["low"] < mine["gain"]
    assert "PLN003" not in {f.code for f in plan.findings}


def test_slices_of_a_loss():
    X, y, said = table()
    chance = np.where(said == 1, 0.9, 0.1)
    report = error_slices(X, y, chance, loss="log_loss")
    plan = collection_plan(report)
    assert not plan.counts
    assert "mean loss" in plan.answer + plan.frame["reason"][0]
    assert (plan.frame["collect"] > 1).all()
    plan.plot()


def test_a_frame_of_slices_is_enough():
    frame = pd.DataFrame({"predicate": ["a > 1", "b = x", "c"], "size": [100, 50, 30], "rate": [0.3, 0.9, 0.05],
                          "rest_rate": [0.1, 0.1, 0.1]})
    plan = collection_plan(frame, total=1000)
    by = plan.frame.set_index("like")
    assert by["gain"]["b = x"] == pytest.approx(0.04)
    assert by["to_see_fall"].isna()["c"]
    assert "not above" in by["reason"]["c"]
    assert plan.frame["like"].iloc[-1] == "c"
    assert next(f for f in plan.findings if f.code == "PLN002").undecided
    for bad, total in ((frame.drop(columns="rate"), 1000), (frame, None), (frame, 100), (frame, True),
                       (frame.assign(rate=7.0), 1000)):
        with pytest.raises(BadInputError):
            collection_plan(bad, total=total)


def test_nothing_to_collect(rows):
    X, y, _ = rows
    plan = collection_plan(error_clusters(X, y, y))
    assert plan.findings[0].severity == "not applicable"
    assert "nothing to collect" in plan.answer
    plan.plot()
    repr(plan)
    plan.to_json()


def test_many_long_names_are_capped(report):
    frame = pd.DataFrame({"predicate": [f"column {i} is very long indeed and long again = x" for i in range(30)],
                          "size": range(30, 60), "rate": 0.5, "rest_rate": 0.1})
    assert "first 12 of 30" in collection_plan(frame, total=900).plot().get_title()


@pytest.mark.parametrize("options", [{"margin": 0}, {"margin": 0.5}, {"level": 1}, {"power": True}, {"budget": 0},
                                     {"categories": "a"}])
def test_bad_arguments(report, options):
    with pytest.raises(BadInputError):
        collection_plan(report, **options)


def test_no_report():
    with pytest.raises(BadInputError, match="error_clusters or error_slices"):
        collection_plan([1, 2])


def test_the_interval_of_a_gain_holds_it():
    rng, held = np.random.default_rng(0), []
    share, rate, rest = 0.08, 0.5, 0.1
    for _ in range(500):
        rows = rng.binomial(1000, share)
        bad, others = rng.binomial(rows, rate), rng.binomial(1000 - rows, rest)
        found = {"size": rows, "rate": bad / rows, "rest_rate": others / (1000 - rows)}
        _, low, high = _plan_items.of_slices(pd.DataFrame([{"predicate": "a", **found}]), 1000, counts=True)[0].gain
        held.append(low <= share * (rate - rest) <= high)
    assert 0.92 <= np.mean(held) <= 0.985
    frame = pd.DataFrame([{"predicate": "a", "size": 50, "rate": 0.0, "rest_rate": 0.5}])
    gain, low, high = _plan_items.of_slices(frame, 1000, counts=True)[0].gain
    assert low < gain < high < 0


@given(st.floats(0, 1), st.floats(0.01, 0.4))
def test_the_fewest_rows_for_a_margin(rate, margin):
    need = _plan_items.rows_for_margin(rate, margin, 0.95)
    widths = [wilson(rate * n, n).high - wilson(rate * n, n).low for n in (need, max(1, need - 1))]
    assert widths[0] <= 2 * margin
    assert need == 1 or widths[1] > 2 * margin


def test_rows_to_see_a_fall_do_show_it():
    rng = np.random.default_rng(0)
    need = _plan_items.rows_to_see(0.6, 0.3, 0.95, 0.8)
    limit = 0.6 - 1.645 * np.sqrt(0.24 / need)
    assert 0.75 < (rng.binomial(need, 0.3, 4000) / need < limit).mean() < 0.9
    assert _plan_items.rows_to_see(0.1, 0.1, 0.95, 0.8) is None


# the review ----------------------------------------------------------------------------------------------------------

def test_categories_are_kept_and_undone(report, tmp_path):
    review = ErrorReview(report, project=tmp_path / "p")
    review.assign("evening  crews ", cluster=0, note="ask")
    other = report.assignments["row"][report.assignments["cluster"] != 0].iloc[0]
    review.assign("odd", rows=int(other))
    assert len(review.rows("evening crews")) == report.frame["size"][0]
    assert review.rows("odd") == (other,)
    again = ErrorReview(report, project=Project(tmp_path / "p"))
    assert again.frame.equals(review.frame)
    assert list(again.categories["category"]) == ["evening crews", "odd"]
    assert list(again.clusters["category"])[:1] == ["evening crews"]
    again.undo()
    assert list(review.categories["category"]) == ["evening crews"]  # the other session sees it
    review.undo()
    assert review.categories.empty
    with pytest.raises(BadInputError, match="Got none"):
        review.undo()
    assert len((tmp_path / "p" / "reviews" / "error_clusters.jsonl").read_text().splitlines()) == 4
    assert "0 of" in repr(review)


def test_the_last_word_counts_and_may_be_taken_away(report):
    review = ErrorReview(report)
    row = review.assign("a", cluster=0).rows[0]
    review.assign("b", rows=[row])
    assert review.rows("b") == (row,)
    review.assign("", cluster=0)
    assert review.categories.empty
    with pytest.raises(UnknownNameError):
        review.rows("a")


def test_a_plan_of_categories(report, tmp_path):
    review = ErrorReview(report)
    review.assign("evening", cluster=0, note="roster")
    plan = collection_plan(review, categories="evening")
    assert list(plan.frame["category"]) == ["evening"]
    assert list(plan.frame["note"]) == ["roster"]
    assert len(collection_plan(review).frame) == 2
    with pytest.raises(UnknownNameError):
        collection_plan(review, categories=["morning"])


def test_answers_from_a_table(report, tmp_path):
    row = int(report.assignments["row"].iloc[-1])
    path = tmp_path / "answers.csv"
    path.write_text(f"cluster,row,category,note\n0,,evening,\n,{row},NA,why\n")
    review = ErrorReview(report)
    assert review.take(path) == 2
    assert review.rows("NA") == (row,)
    other = ErrorReview(report)
    other.take(review.to_csv(tmp_path / "said.csv"))
    assert other.frame["category"].equals(review.frame["category"])
    for bad in ("category\nx\n", f"row,category\n{row},x\n-5,x\n", "cluster,category\n77,x\n", "cluster,row,category\n,,x\n"):
        path.write_text(bad)
        before = len(other.events)
        with pytest.raises((BadInputError, UnknownNameError)):
            other.take(path)
        assert len(other.events) == before
    with pytest.raises(BadInputError, match="can be read"):
        other.take(tmp_path / "absent.csv")


def test_other_clusters_and_torn_lines_are_left_alone(report, rows, tmp_path):
    review = ErrorReview(report, project=tmp_path)
    review.assign("a", cluster=0)
    X, y, said = rows
    fewer = ErrorReview(error_clusters(X[:1500], y[:1500], said[:1500]), project=tmp_path)
    assert fewer.categories.empty
    assert fewer.others == 1
    whole = review.path.read_bytes()
    review.path.write_bytes(whole + b'{"do": "assign", "cat')
    again = ErrorReview(report, project=tmp_path)
    again.assign("b", cluster=1)
    last = ErrorReview(report, project=tmp_path)
    assert sorted(last.categories["category"]) == ["a", "b"]
    assert last.unreadable == 1
    assert review.path.read_bytes().startswith(whole)
    assert all(set(json.loads(line)) >= {"do", "at", "clusters"} for line in whole.splitlines())


def test_what_cannot_be_written_is_one_line(report, tmp_path):
    review = ErrorReview(report, project=tmp_path)
    (tmp_path / "reviews").write_text("a file")
    with pytest.raises(ProjectError, match="Nothing was changed"):
        review.assign("a", cluster=0)
    assert review.categories.empty


def test_killed_while_writing(tmp_path):
    """Whatever the moment, every step that was said to be written is there."""
    program = textwrap.dedent("""
        import os, sys
        from pathlib import Path
        from ml_lifecycle.refinement._review_log import Event, Log
        log = Log(Path(sys.argv[1]), "x")
        for i in range(10**6):
            log.append([Event(str(i), (1, 2))])
            print(i, flush=True)
    """)
    path = tmp_path / "log.jsonl"
    run = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True, env={**os.environ})
    said = [run.stdout.readline() for _ in range(20)]
    run.kill()
    said += run.stdout.readlines()
    run.wait()
    from ml_lifecycle.refinement._review_log import Log

    kept = [event.category for event in Log(path, "x").events()]
    assert kept[: len(said)] == [line.strip() for line in said if line.strip()]


def test_examples_show_what_was_given(report, rows):
    X, y, said = rows
    review = ErrorReview(report, X=X.assign(truth=1), y=y, pred_or_proba=said)
    shown = review.examples(0, n=3)
    assert list(shown.columns) == ["row", "truth", "predicted", "hour", "carrier"]
    assert (shown["truth"] != shown["predicted"]).all()
    assert list(shown["row"]) == report.prototypes["row"][:3].tolist()
    assert list(ErrorReview(report, X=X).examples(-1, n=2).columns) == ["row", "hour", "carrier"]
    assert list(ErrorReview(report).examples(1).columns) == ["row"]
    with pytest.raises(UnknownNameError):
        review.examples(9)
    for given_ in ({"X": X[:10], "y": y[:10], "pred_or_proba": said[:10]}, {"X": X, "y": y}):
        with pytest.raises(BadInputError):
            ErrorReview(report, **given_)


def test_images_are_shown_as_pictures():
    from sklearn.datasets import load_digits

    data = load_digits()
    said = np.where((data.target == 8) & (np.arange(1797) % 5 > 0), 1, data.target)
    report = error_clusters(data.images, data.target, said)
    review = ErrorReview(report, X=data.images, y=data.target, pred_or_proba=said)
    assert list(review.examples(0).columns) == ["row", "truth", "predicted"]
    assert all(uri.startswith("data:image/png;base64,") for uri in review.pictures([0, 1]))
    assert list(ErrorReview(report, X=np.repeat(data.images[..., None], 3, axis=-1)).examples(0).columns) == ["row"]
    assert ErrorReview(report).pictures([0]) == []


@pytest.mark.parametrize(("category", "where"), [(3, {"cluster": 0}), ("a", {}), ("a", {"cluster": 0, "rows": [1]}),
                                                 ("a", {"rows": []}), ("a", {"rows": [-1]}), ("a", {"cluster": 9})])
def test_bad_steps_are_refused(report, category, where):
    review = ErrorReview(report)
    with pytest.raises((BadInputError, UnknownNameError)):
        review.assign(category, **where)
    assert not review.events


def test_a_review_is_of_clusters(report):
    with pytest.raises(BadInputError, match="error_clusters"):
        ErrorReview("x")
    with pytest.raises(BadInputError, match="project"):
        ErrorReview(report, project=3)
