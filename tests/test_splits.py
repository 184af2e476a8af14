"""Parts are disjoint, complete but for what is noted, the same for the same seed, and honest about time and groups."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml_lifecycle.foundation import _splits
from ml_lifecycle.foundation.dataset import load_dataset
from ml_lifecycle.foundation.errors import BadInputError

QUICK = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
shares = st.tuples(st.floats(0.05, 0.45), st.sampled_from([0.0, 0.1, 0.2, 0.3, 0.45]))


def data(n=200, classes=2, seed=0, **more):
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.repeat(np.arange(classes), 2), rng.integers(0, classes, n - 2 * classes)])
    frame = pd.DataFrame({"x": rng.normal(size=n), "y": rng.permutation(y), **more})
    roles = {role: role for role in ("time", "group") if role in more}
    return load_dataset(frame, target="y", **roles)


def rows(splits):
    return [set(part.frame.index) for part in splits]


def check_parts(whole, splits, aside=0):
    parts = rows(splits)
    assert sum(map(len, parts)) == len(set().union(*parts))
    assert sum(map(len, parts)) == len(whole) - aside
    assert set().union(*parts) <= set(whole.frame.index)


@QUICK
@given(st.integers(12, 300), st.integers(2, 6), shares, st.integers(0, 5))
def test_by_class(n, classes, share, seed):
    n = max(n, 3 * classes)
    whole = data(n, min(classes, 10), seed)
    test, val = share
    if int(n * test + 0.5) == 0 or (val and int(n * val + 0.5) == 0):
        return
    splits = whole.split(test=test, val=val, seed=seed)
    check_parts(whole, splits)
    assert set(splits.train.y) == set(whole.y)
    counts = whole.y.value_counts()
    for part, size in ((splits.test, test), (splits.val, val)):
        assert abs(len(part) - size * n) <= 1 + classes
        held = part.y.value_counts().reindex(counts.index, fill_value=0)
        assert ((held - size * counts).abs() <= 2).all()
    assert rows(whole.split(test=test, val=val, seed=seed)) == rows(splits)


def test_sizes_and_balance():
    whole = load_dataset(pd.DataFrame({"x": np.arange(1000) % 7 / 3, "y": [1] * 50 + [0] * 950}), target="y")
    splits = whole.split()
    assert [len(p) for p in splits] == [600, 200, 200]
    assert [int(p.y.sum()) for p in splits] == [30, 10, 10]
    assert rows(whole.split(seed=1)) != rows(splits)
    plain = load_dataset(whole.frame, target="x", task="regression").split(test=0.1, val=0)
    assert [len(p) for p in plain] == [900, 0, 100]
    assert len(load_dataset(whole.frame).split().train) == 600


@pytest.mark.parametrize("options", [
    {"test": 0}, {"test": 1}, {"test": -0.1}, {"test": "a"}, {"val": -0.1}, {"val": 1.5}, {"test": True},
    {"test": 0.5, "val": 0.5}, {"test": float("nan")}, {"seed": -1}, {"seed": 1.5}, {"seed": None},
])
def test_wrong_arguments(options):
    with pytest.raises(BadInputError, match="must"):
        data().split(**options)


def test_a_part_without_rows_is_refused():
    with pytest.raises(BadInputError, match="none for val and test"):
        data(12).split(test=0.01, val=0.01)


# time

@QUICK
@given(st.lists(st.integers(0, 30), min_size=12, max_size=120), shares, st.integers(0, 3), st.booleans())
def test_by_time(times, share, seed, as_dates):
    n = len(times)
    test, val = share
    time = pd.Timestamp("2024-01-01") + pd.to_timedelta(times, unit="D") if as_dates else times
    whole = data(n, time=time, seed=seed)
    need = 3 if val else 2
    if len(set(times)) < need:
        return
    splits = whole.split(test=test, val=val, seed=seed)
    check_parts(whole, splits)
    order = [p.time for p in splits if len(p)]
    assert len(order) == need
    for before, after in zip(order, order[1:]):
        assert before.max() < after.min()
    assert rows(whole.split(test=test, val=val, seed=seed + 1)) == rows(splits)


def test_times_with_a_zone_and_missing_ones():
    when = pd.Series(pd.date_range("2024-01-01", periods=200, tz="Europe/Berlin"))
    when[[3, 50]] = pd.NaT
    whole = data(200, time=when)
    splits = whole.split()
    check_parts(whole, splits, aside=2)
    assert splits.notes[0] == "Set aside: 2 rows without a time."
    assert splits.train.time.max() < splits.val.time.min()
    assert [len(p) for p in splits] == [119, 39, 40]


def test_too_few_times_are_cut_and_noted():
    splits = data(100, time=[1.5, 2.5] * 50).split()
    assert [len(p) for p in splits] == [60, 20, 20]
    assert "only 2 distinct times" in splits.notes[0]
    assert splits.train.time.max() <= splits.test.time.min()


def test_uneven_times_are_noted():
    splits = data(100, time=[1] * 85 + [2] * 5 + [3] * 10).split()
    assert [len(p) for p in splits] == [85, 5, 10]
    assert "cannot be cut" in splits.notes[0]


# groups

@QUICK
@given(st.lists(st.integers(0, 25), min_size=15, max_size=150), shares, st.integers(0, 3))
def test_by_group(groups, share, seed):
    test, val = share
    whole = data(len(groups), group=[f"g{g}" for g in groups], seed=seed)
    need = 3 if val else 2
    if len(set(groups)) < need:
        with pytest.raises(BadInputError, match="at least"):
            whole.split(test=test, val=val, seed=seed)
        return
    splits = whole.split(test=test, val=val, seed=seed)
    check_parts(whole, splits)
    held = [set(p.groups) for p in splits]
    assert sum(map(len, held)) == len(set(groups))
    assert all(held[i] for i in ((0, 1, 2) if val else (0, 2)))
    assert rows(whole.split(test=test, val=val, seed=seed)) == rows(splits)


def test_groups_keep_sizes_and_classes():
    rng = np.random.default_rng(1)
    groups = rng.integers(0, 120, 3000)
    y = (rng.random(3000) < np.where(groups % 3 == 0, 0.5, 0.05)).astype(int)
    whole = load_dataset(pd.DataFrame({"x": rng.normal(size=3000), "who": groups, "y": y}), target="y", group="who")
    splits = whole.split()
    for part, share in zip(splits, (0.6, 0.2, 0.2)):
        assert abs(len(part) / 3000 - share) < 0.02
        assert abs(part.y.mean() - y.mean()) < 0.02
    assert not splits.notes


def test_one_giant_group_and_missing_groups():
    splits = data(100, group=["big"] * 90 + ["b"] * 4 + ["c"] * 4 + [None] * 2).split()
    assert sorted(len(p) for p in splits) == [4, 4, 90]
    assert splits.notes[0] == "Set aside: 2 rows without a group."
    assert "cannot be cut" in splits.notes[1]
    uneven = _splits.by_group(np.array([0] * 50 + [1] * 50 + [2]), np.zeros(101, dtype=int), np.array([0.98, 0.01, 0.01]),
                              np.random.default_rng(0))
    assert set(uneven) == {0, 1, 2}


def test_very_many_groups():
    groups = np.arange(60_000) // 2
    parts = _splits.by_group(groups, np.zeros(60_000, dtype=int), np.array([0.6, 0.2, 0.2]), np.random.default_rng(0))
    assert np.allclose(np.bincount(parts) / 60_000, [0.6, 0.2, 0.2], atol=0.001)
    assert (parts[::2] == parts[1::2]).all()


def test_a_class_that_a_part_lacks_is_noted():
    whole = load_dataset(pd.DataFrame({"x": np.arange(100) / 3, "t": range(100), "y": [0] * 50 + [1] * 50}), target="y", time="t")
    assert any("train has no row" in n or "test has no row of 1 class: 0" in n for n in whole.split().notes)


# time and groups

@QUICK
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 60)), min_size=60, max_size=200), st.integers(0, 3))
def test_by_time_and_group(pairs, seed):
    time, group = zip(*pairs)
    whole = data(len(pairs), time=time, group=group, seed=seed)
    try:
        splits = whole.split(seed=seed)
    except BadInputError:
        return
    kept = sum(len(p) for p in splits)
    check_parts(whole, splits, aside=len(whole) - kept)
    if kept < len(whole):
        assert f"{len(whole) - kept:,} of {len(whole):,} rows" in splits.notes[0]
    assert splits.train.time.max() < splits.val.time.min()
    assert splits.val.time.max() < splits.test.time.min()
    held = [set(p.groups) for p in splits]
    assert sum(map(len, held)) == len(set().union(*held))
    assert rows(whole.split(seed=seed)) == rows(splits)


def test_groups_that_come_and_go_keep_their_first_part():
    time = np.arange(300)
    splits = data(300, time=time, group=time // 7).split()
    assert "first appears" in splits.notes[0]
    assert sum(len(p) for p in splits) > 285


def test_groups_that_stay_are_dealt_out():
    time = np.arange(3000)
    splits = data(3000, time=time, group=time % 50).split()
    assert "at random" in splits.notes[0]
    assert min(len(p) for p in splits) >= 120
    assert rows(data(3000, time=time, group=time % 50).split(seed=1)) != rows(splits)
    two = data(3000, time=time, group=time % 50).split(val=0)
    assert two.train.time.max() < two.test.time.min()
    assert len(two.val) == 0


def test_time_and_group_that_leave_nothing():
    with pytest.raises(BadInputError, match="at least 3 distinct values"):
        data(60, time=[1, 2] * 30, group=np.arange(60) // 5).split()
    with pytest.raises(BadInputError, match="leave rows for every part"):
        data(60, time=np.arange(60), group=["only"] * 60).split()


# the arithmetic below

@QUICK
@given(st.lists(st.integers(0, 60), min_size=1, max_size=12), shares)
def test_allocation(counts, share):
    counts = np.array(counts)
    test, val = share
    wanted = np.array([1 - test - val, val, test])
    given_rows = _splits.allocate(counts, wanted)
    assert (given_rows.sum(axis=1) == counts).all()
    assert (given_rows >= 0).all()
    assert (given_rows[counts > 0, 0] >= 1).all()


@QUICK
@given(st.lists(st.integers(1, 60), min_size=1, max_size=8), st.integers(1, 100), st.integers(0, 3))
def test_drawing(counts, n, seed):
    codes = np.repeat(np.arange(len(counts)), counts)
    least = np.minimum(counts, 2)
    if not least.sum() <= n <= len(codes):
        return
    drawn = _splits.draw(codes, n, np.random.default_rng(seed))
    assert len(drawn) == len(set(drawn)) == n
    assert (np.diff(drawn) > 0).all()
    assert (np.bincount(codes[drawn], minlength=len(counts)) >= least).all()
