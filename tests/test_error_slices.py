"""Slices of errors: planted ones are found with their bounds, noise gives none, and what is told holds for new rows."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_lifecycle.foundation.dataset import load_dataset
from ml_lifecycle.foundation.errors import BadInputError, UnknownNameError
from ml_lifecycle.foundation.intervals import Interval
from ml_lifecycle.foundation.report import Report
from ml_lifecycle.refinement import error_slices
from ml_lifecycle.refinement._slice import axes as _slice_axes
from ml_lifecycle.refinement._slice import find as _slice_find
from ml_lifecycle.refinement._slice import findings as _slice_findings
from ml_lifecycle.refinement._slice import judge as _slice_judge
from ml_lifecycle.refinement._slice import scan as _slice_scan
from ml_lifecycle.refinement._slice import sharpen as _slice_sharpen

def table(seed, n=3000):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(n, 8)), columns=[f"x{i}" for i in range(8)])
    frame["tail"] = rng.lognormal(0, 2, n)
    for i in range(6):
        frame[f"c{i}"] = rng.choice([f"{i}{letter}" for letter in "abcd"], n)
    return frame, rng


def flip(y, wrong):
    return np.where(wrong, 1 - y, y)


def case(seed, inside, n=3000, high=0.4, base=0.1):
    frame, rng = table(seed, n)
    mask = np.asarray(inside(frame))
    y = rng.integers(0, 2, n)
    return frame, y, flip(y, rng.random(n) < np.where(mask, high, base)), mask


def agreement(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


PLANTED = {
    "level and interval": lambda t: (t.c1 == "1b") & t.x2.between(-0.3, 0.9),
    "level": lambda t: t.c3 == "3c",
    "two levels of one column": lambda t: t.c3.isin(["3c", "3a"]),
    "one side": lambda t: t["tail"] > 5,
    "two intervals": lambda t: t.x0.between(-0.2, 1.2) & t.x5.between(-1.5, 0.1),
    "two levels": lambda t: (t.c0 == "0a") & (t.c4 == "4d"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_slice_is_found_once_with_its_bounds(name):
    frame, y, said, mask = case(1, PLANTED[name])
    report = error_slices(frame, y, said)
    assert len(report.frame) == 1, report.frame["predicate"].tolist()
    first = report.frame.iloc[0]
    found = report.mask(1, frame)
    assert agreement(found, mask) > 0.8
    assert first["size"] == found.sum()
    assert first["low"] <= 0.3 <= first["high"] + 0.03
    assert first["uplift"] == pytest.approx(first["rate"] - first["rest_rate"])
    assert first["p"] < 0.01
    assert report.findings[0].code == "ESL001"


def test_three_conditions():
    frame, y, said, mask = case(2, lambda t: (t.c0 == "0a") & (t.c1 == "1b") & (t.x0 > -0.5), n=4000, high=0.6)
    report = error_slices(frame, y, said)
    assert agreement(report.mask(1, frame), mask) > 0.85
    assert report.frame["predicate"][0].count(" and ") == 2
    assert all(text.count(" and ") < 2 for text in error_slices(frame, y, said, conditions=2).frame["predicate"])


def test_two_slices_are_both_found():
    frame, y, said, mask = case(3, lambda t: (t.c1 == "1b") & (t.x2 > 0), high=0.4)
    other = ((frame.c5 == "5a") & (frame.x7 < 0)).to_numpy()
    said = flip(y, (y != said) | other & (np.random.default_rng(0).random(len(y)) < 0.3))
    report = error_slices(frame, y, said)
    assert len(report.frame) == 2
    masks = [report.mask(rank, frame) for rank in (1, 2)]
    assert max(agreement(m, mask) for m in masks) > 0.85
    assert max(agreement(m, other) for m in masks) > 0.85
    assert report.answer.startswith("2 slices.")


@pytest.mark.parametrize("seed", range(4))
def test_noise_has_no_slice(seed):
    frame, y, said, _ = case(seed + 20, lambda t: t.x0 > 99, n=1500)
    frame["gone"] = frame["x0"].mask(np.random.default_rng(seed).random(len(frame)) < 0.5)
    report = error_slices(frame, y, said)
    assert report.frame.empty
    assert report.findings[0].code == "ESL002"


def test_a_slice_that_the_model_knows_of_is_a_tip_and_one_that_it_does_not_is_an_issue():
    frame, rng = table(4, 4000)
    inside = (frame["c1"] == "1b").to_numpy()
    truth = np.where(inside, rng.choice([0.3, 0.7], 4000), rng.choice([0.1, 0.9], 4000))
    y = (rng.random(4000) < truth).astype(int)
    known = error_slices(frame, y, truth)
    blind = error_slices(frame, y, np.where(truth > 0.5, 0.9, 0.1))
    assert known.findings[0].severity == "tip"
    assert "its own probabilities" in known.findings[0].message
    assert blind.findings[0].severity == "issue"
    assert "as sure" in blind.findings[0].message
    assert blind.passed is False


def test_mostly_wrong_is_an_issue_without_probabilities():
    frame, y, said, _ = case(5, lambda t: t.c1 == "1b", high=0.8)
    assert error_slices(frame, y, said).findings[0].severity == "issue"


def test_numbers():
    frame, rng = table(6, 1500)
    inside = ((frame.c2 == "2a") & (frame.x1 > 0)).to_numpy()
    y = rng.normal(size=len(frame))
    said = y + rng.standard_t(3, len(frame)) * np.where(inside, 4, 1)
    large, mean = error_slices(frame, y, said), error_slices(frame, y, said, loss="absolute_error")
    for report in (large, mean):
        assert len(report.frame) == 1
        assert agreement(report.mask(1, frame), inside) > 0.85
        assert report.frame["low"][0] > 0
        report.plot()
    assert large.what.startswith("errors above")
    assert mean.what == "absolute error"
    assert error_slices(frame[:50], y[:50], said[:50], threshold=1.0).what == "errors above 1"
    assert error_slices(frame, y, y + rng.standard_t(2, len(frame)), loss="squared_error", conditions=2).frame.empty


def test_log_loss_of_probabilities():
    frame, rng = table(7)
    inside = (frame.c2 == "2a").to_numpy()
    y = rng.integers(0, 2, len(frame))
    sure = np.where(inside, 0.55, 0.9)
    report = error_slices(frame, y, np.where(y == 1, sure, 1 - sure), loss="log_loss")
    assert report.frame["predicate"][0] == "c2 = 2a"
    assert report.what == "log loss"


def mixed(n=2000):
    frame, rng = table(8, n)
    frame = frame[["x0", "c0"]].assign(
        when=pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300 * 24, n), unit="h"), flag=rng.random(n) < 0.5,
        digit=rng.integers(0, 6, n), note=[f"free text number {i} with many words" for i in range(n)], empty=np.nan, same=1,
        ident=[f"id{i}" for i in range(n)])
    frame.loc[rng.random(n) < 0.3, "x0"] = np.nan
    frame["c0"] = frame["c0"].astype("category")
    return frame, rng


@pytest.mark.parametrize(("name", "inside"), {
    "x0 is missing": lambda t: t.x0.isna(), "flag = True": lambda t: t.flag, "digit = 3": lambda t: t.digit == 3,
    "c0 = 0b": lambda t: t.c0 == "0b", "when: hour": lambda t: t.when.dt.hour >= 17,
    "when >= 2024-06": lambda t: t.when >= "2024-06-10"}.items())
def test_every_kind_of_column(name, inside):
    frame, rng = mixed()
    mask = inside(frame).to_numpy()
    y = rng.integers(0, 2, len(frame))
    report = error_slices(frame, y, flip(y, rng.random(len(y)) < np.where(mask, 0.4, 0.1)))
    assert report.frame["predicate"][0].startswith(name)
    assert agreement(report.mask(1, frame), mask) > 0.95
    assert set(next(f for f in report.findings if f.code == "ESL003").evidence["columns"]) == {"empty", "ident", "note", "same"}
    again = Report.from_json(report.to_json())
    assert (again.mask(1, frame) == report.mask(1, frame)).all()


def test_new_rows_with_unknown_categories_and_missing_values():
    frame, y, said, _ = case(1, PLANTED["level and interval"])
    report = error_slices(frame, y, said)
    new = pd.DataFrame({"x2": [0.3, 0.3, np.nan, 9.0], "c1": ["1b", "new", "1b", "1b"]})
    assert report.mask(1, new).tolist() == [True, False, False, False]
    new["c1"] = ["1b", None, "1b", "1b"]
    assert report.mask(1, new).tolist() == [True, False, False, False]
    assert report.mask(1, new.astype({"c1": "category"})).tolist() == [True, False, False, False]
    with pytest.raises(BadInputError, match="Missing: \\['x2'\\]"):
        report.mask(1, new[["c1"]])
    with pytest.raises(UnknownNameError, match="rank"):
        report.mask(2, new)


def test_an_array_and_a_dataset():
    frame, y, said, mask = case(9, lambda t: t.x3 > 0.8, high=0.4)
    block = frame.iloc[:, :8].to_numpy()
    report = error_slices(block, y, said)
    assert report.frame["predicate"][0].startswith("column 3 >= ")
    assert agreement(report.mask(1, block), mask) > 0.9
    assert (report.mask(1, frame.iloc[:, :8].set_axis(range(8), axis=1)) == report.mask(1, block)).all()
    data = load_dataset(frame.assign(y=y), target="y", task="classification")
    given = error_slices(data, None, said)
    assert agreement(given.mask(1, data), mask) > 0.9


def test_rows_of_a_group_are_not_independent():
    rng = np.random.default_rng(3)
    found = {True: 0, False: 0}
    for _ in range(2):
        group = rng.integers(0, 60, 3000)
        frame = pd.DataFrame(rng.normal(size=(60, 6))[group] + 0.001 * rng.normal(size=(3000, 6)))
        y = rng.integers(0, 2, 3000)
        said = flip(y, rng.random(3000) < rng.beta(0.5, 3, 60)[group])
        for told in found:
            found[told] += len(error_slices(frame, y, said, groups=group if told else None).frame)
    assert found[True] == 0
    assert found[False] > 0


def test_copies_of_rows_are_one_witness():
    frame, y, said, _ = case(11, lambda t: t.x0 > 99, n=300)
    rows = np.random.default_rng(0).integers(0, 300, 1500)
    assert error_slices(frame.iloc[rows], y[rows], said[rows]).frame.empty


@pytest.mark.parametrize(("rows", "wrong", "word"), [
    (300, "none", "no errors"), (300, "all", "All 300 rows are errors"), (300, "some", "n is too small"),
    (12, "some", "n is too small"), (1, "none", "no errors"), (2, "half", "n is too small")])
def test_what_cannot_be_told_is_said(rows, wrong, word):
    frame, rng = table(12, rows)
    y = rng.integers(0, 2, rows)
    bad = {"none": np.zeros(rows, bool), "all": np.ones(rows, bool), "half": np.arange(rows) % 2 == 0}.get(
        wrong, np.arange(rows) % 6 == 0)
    report = error_slices(frame, y, flip(y, bad), task="classification")
    assert report.frame.empty
    assert word in report.answer
    assert report.passed is None
    report.plot()


def test_columns_that_cannot_be_cut():
    y = np.arange(200) % 2
    report = error_slices(pd.DataFrame({"same": [1] * 200, "empty": [None] * 200}), y, flip(y, np.arange(200) % 9 == 0))
    assert "No column can be cut" in report.answer
    assert report.findings[0].severity == "not applicable"
    same = error_slices(pd.DataFrame({"x": np.arange(200.0)}), np.arange(200.0), np.arange(200) + 1.0, loss="absolute_error")
    assert "is the same" in same.answer


@pytest.mark.parametrize(("asked", "message"), [
    ({"loss": "nonsense"}, "loss"), ({"alpha": 0}, "`alpha`"), ({"alpha": True}, "`alpha`"), ({"threshold": -1}, "`threshold`"),
    ({"conditions": 4}, "`conditions`"), ({"conditions": 0}, "`conditions`"), ({"min_rows": 2}, "`min_rows`"),
    ({"features": ["x9"]}, "x9"), ({"groups": [1, 2]}, "`groups`"), ({"loss": "absolute_error"}, "`loss`"),
    ({"loss": "log_loss"}, "`loss`"), ({"seed": -1}, "seed")])
def test_nonsense_is_refused_in_one_line(asked, message):
    frame, y, said, _ = case(0, lambda t: t.x0 > 99, n=60)
    with pytest.raises((BadInputError, UnknownNameError)) as caught:
        error_slices(frame, y, said, **asked)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_only_the_columns_that_are_asked_for():
    frame, y, said, _ = case(1, PLANTED["level"])
    assert error_slices(frame, y, said, features=["x0", "c0"]).frame.empty
    assert not error_slices(frame, y, said, features="c3").frame.empty


def test_the_same_call_gives_the_same_and_leaves_all_as_it_was():
    frame, y, said, _ = case(1, PLANTED["level"], n=1500)
    before, state = frame.copy(), np.random.get_state()[1].copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first, second = error_slices(frame, y, said), error_slices(frame, y, said)
    assert first.to_json() == second.to_json()
    assert frame.equals(before)
    assert (np.random.get_state()[1] == state).all()


@given(st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=3, max_size=30, unique=True), st.data())
@settings(max_examples=60, deadline=None)
def test_a_short_bound_cuts_where_the_exact_one_does(values, data):
    values = np.sort(np.array(values))
    k = data.draw(st.integers(1, len(values) - 1))
    axis = _slice_axes.Axis("x", "", values=values)
    low = _slice_axes.between(axis, values[k - 1], values[k], -1)
    high = _slice_axes.between(axis, values[k], values[k - 1], 1)
    assert ((values >= low) == (np.arange(len(values)) >= k)).all()
    assert ((values <= high) == (np.arange(len(values)) < k)).all()


@pytest.mark.parametrize("seed", range(6))
def test_no_bound_can_be_moved_for_the_better(seed):
    rng = np.random.default_rng(seed)
    values, wrong = rng.normal(size=80).round(1), rng.random(80) < 0.3
    grid = _slice_scan.Grid([_slice_axes.Axis("x", "", values=values)], np.arange(80), wrong, 3)
    start = _slice_scan.Part(0, (), float(np.quantile(values, 0.2)), float(np.quantile(values, 0.8)))
    best = _slice_sharpen.exact(grid, start, np.ones(80, dtype=bool))
    ends = [-np.inf, *np.unique(values), np.inf]
    for other in [*(_slice_scan.Part(0, (), low, best.high) for low in ends),
                  *(_slice_scan.Part(0, (), best.low, high) for high in ends)]:
        assert grid.score((other,)) <= grid.score((best,)) + 1e-9


def test_the_gain_is_kulldorffs_and_the_interval_newcombes():
    wrong = np.arange(100) < 20
    gain = _slice_scan.Gain(wrong, 5)(np.array([30]), np.array([12]))[0]
    direct = 12 * np.log(12 / 30) + 18 * np.log(18 / 30) + 8 * np.log(8 / 70) + 62 * np.log(62 / 70)
    assert gain == pytest.approx(direct - 20 * np.log(0.2) - 80 * np.log(0.8))
    first, second = (_slice_judge.level_of(np.arange(n) < k, None) for k, n in ((56, 70), (48, 80)))
    assert _slice_judge.apart(first, second) == pytest.approx(Interval(0.2, 0.0524, 0.3339), abs=1e-4)  # Newcombe, table II
    assert _slice_judge.difference(56, 70, 48, 80) == pytest.approx((0.0524, 0.3339), abs=1e-4)


def test_crowding_and_copies():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(50), 10)
    assert _slice_judge.crowding(np.repeat(rng.random(50) < 0.3, 10), groups) == pytest.approx(10, rel=0.1)
    assert _slice_judge.crowding(rng.random(500) < 0.3, groups) < 2
    assert _slice_judge.crowding(rng.random(500) < 0.3, np.arange(500)) == 1
    assert _slice_judge.crowding(rng.random(5) < 2, np.zeros(5, int)) == 5
    levels = [_slice_axes.Axis("c", "", codes=rng.integers(0, 3, 500), levels=("a", "b", "c"))]
    assert _slice_find.copies(pd.DataFrame({"c": range(500)}), levels) is None


def test_what_is_visible_grows_with_n():
    assert _slice_findings.visible(0.1, 100) is None
    assert _slice_findings.visible(0.1, 2000) > _slice_findings.visible(0.1, 20_000) > 0.1
