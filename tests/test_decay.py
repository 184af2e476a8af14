"""Age and hard months are told apart, and what cannot be told is said."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from ml_lifecycle.exploration import default_models
from ml_lifecycle.foundation import BadInputError, Interval, UnknownNameError, load_dataset
from ml_lifecycle.maintenance import _ageing, staleness

def world(rows: int = 2000, turn: float = 0.0, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """A table, labels and times; `turn` is the angle by which the world turns, some periods are hard."""
    rng = np.random.default_rng(seed)
    time = np.sort(rng.integers(0, 100, rows))
    X = pd.DataFrame(rng.normal(size=(rows, 2)), columns=["a", "b"])
    angle = time / 100 * turn
    hard = np.where((time // 10) % 3 == 1, 4.0, 0.7)
    y = np.where(hard * rng.logistic(size=rows) < 2.5 * (np.cos(angle) * X["a"] + np.sin(angle) * X["b"]), "yes", "no")
    return X, y, time


def test_a_world_that_turns_ages_a_model() -> None:
    X, y, time = world(turn=1.5)
    report = staleness(LogisticRegression(), X, y, time=time)
    assert report.stale is True
    assert report.passed is False
    assert report.loss is not None
    assert report.loss[1] > 0
    assert report.retrain_every is not None
    value, low, high = report.retrain_every
    assert low < value < high
    assert report.matters / value * report.span == pytest.approx(report.loss[0])
    assert "Train it again about every" in report.answer
    assert {"trained", "period", "age", "n", "score", "low", "high", "behind", "when"} == set(report.frame)


def test_hard_months_are_no_age() -> None:
    said = []
    for seed in range(4):
        X, y, time = world(seed=seed)
        report = staleness(LogisticRegression(), X, y, time=time, seed=seed)
        said.append(report.retrain_every is not None and report.stale)
        assert any(f.code == "STL003" for f in report.findings)
    assert sum(map(bool, said)) <= 1


def test_a_steady_world_with_many_rows_passes() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=6000)})
    report = staleness(Ridge(), X, 3 * X["a"] + rng.normal(size=6000), time=np.arange(6000), matters=0.2)
    assert report.stale is False
    assert report.passed
    assert "No staleness that matters" in report.answer
    assert report.retrain_every is None


def test_slow_ageing_is_a_tip() -> None:
    X, y, time = world(turn=1.5)
    report = staleness(LogisticRegression(), X, y, time=time, matters=0.9)
    assert report.findings[0].severity in ("passed", "tip")
    assert report.stale is not True


def test_an_older_model_is_compared_on_the_same_rows() -> None:
    X, y, time = world(400)
    frame = staleness(LogisticRegression(), X, y, time=time, periods=5).frame
    assert len(frame) == 10
    assert (frame["trained"] < frame["period"]).all()
    assert (frame["age"] > 0).all()
    newest = frame[frame["trained"] == frame["period"] - 1]
    assert (newest["behind"] == 0).all()
    assert frame.groupby("period")["n"].nunique().max() == 1


def test_a_dataset_with_dates(mixed_csv: Any) -> None:
    data = load_dataset(mixed_csv(600), target="y", time="when")
    model = default_models("classification", data.X, time="when", text=data.roles["text"])["logistic regression"]
    report = staleness(model, data, periods=5)
    assert report.unit == "days"
    assert report.frame["when"].str.match(r"\d{4}-\d\d-\d\d to \d{4}-\d\d-\d\d").all()
    assert report.params["data"] == data.name


@pytest.mark.parametrize(("time", "unit"), [
    (pd.date_range("2000-01-01", periods=300, freq="7D"), "months"), (pd.date_range("2024-01-01", periods=300, freq="D"), "days"),
    (pd.date_range("2024-01-01", periods=300, freq="10min"), "hours"),
    (pd.date_range("2024-01-01", periods=300, freq="s"), "minutes"),
    (np.linspace(0, 1, 300), "units of the time column"), ([f"{i:04d}" for i in range(300)], "units of the time column"),
    ([f"round {i:04d}" for i in range(300)], "steps of the time column"),
    ([str(day) for day in pd.date_range("2024-01-01", periods=300).date], "days"),
    (pd.date_range("2024-01-01", periods=300, freq="D").date, "days")])
def test_units_of_age(time: Any, unit: str) -> None:
    X, y, _ = world(300)
    report = staleness(LogisticRegression(), X, y, time=pd.Series(time), periods=5)
    assert report.unit == unit
    assert report.frame["age"].notna().all()


def test_without_a_time_it_is_not_applicable() -> None:
    X, y, _ = world(100)
    report = staleness(LogisticRegression(), X, y)
    assert [f.severity for f in report.findings] == ["not applicable"]
    assert report.passed is None
    assert report.frame.empty
    assert list(report.frame) == list(type(report).columns)
    report.plot()


@pytest.mark.parametrize(("rows", "times"), [(60, 60), (400, 3)])
def test_too_few_periods(rows: int, times: int) -> None:
    X, y, _ = world(rows)
    report = staleness(LogisticRegression(), X, y, time=np.arange(rows) % times)
    assert report.stale is None
    assert report.findings[0].undecided
    assert "Cannot tell" in report.answer


def test_periods_without_a_second_class() -> None:
    X, y, time = world(400)
    y = np.where(np.arange(400) < 250, "no", y)
    report = staleness(LogisticRegression(), X, y, time=time)
    assert report.stale is None
    only = staleness(LogisticRegression(), X, np.where(np.arange(400) < 390, "no", "yes"), time=np.arange(400))
    assert only.stale is None
    assert only.frame.empty or only.frame["score"].notna().any() is not None
    only.plot()


def test_missing_times_are_left_out() -> None:
    X, y, time = world(400)
    time = time.astype(float)
    time[::7] = np.nan
    report = staleness(LogisticRegression(), X, y, time=time, periods=5)
    assert report.frame["n"].max() <= 80


def test_nothing_is_changed_and_seeds_repeat() -> None:
    X, y, time = world(300)
    copy, model = X.copy(), LogisticRegression()
    one, two = (staleness(model, X, y, time=time, periods=5, seed=1) for _ in range(2))
    pd.testing.assert_frame_equal(one.frame, two.frame)
    pd.testing.assert_frame_equal(X, copy)
    assert not hasattr(model, "coef_")


@pytest.mark.parametrize(("wrong", "said"), [
    ({"periods": 2}, "`periods` must be"), ({"periods": True}, "`periods` must be"), ({"matters": 0}, "`matters` must be"),
    ({"seed": "a"}, "`seed` must be"), ({"time": "wen"}, "`time` must be"), ({"metric": "f2"}, "metric")])
def test_wrong_arguments_are_one_line(wrong: dict[str, Any], said: str) -> None:
    X, y, time = world(200)
    with pytest.raises((BadInputError, UnknownNameError), match=said) as caught:
        staleness(LogisticRegression(), X, y, **{"time": time, **wrong})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("model", "said"), [
    (LogisticRegression, "write LogisticRegression"), (3, "Got int"), (LogisticRegression(C=-1), "`model` must fit")])
def test_what_is_no_model(model: Any, said: str) -> None:
    X, y, time = world(400)
    with pytest.raises(BadInputError, match=said):
        staleness(model, X, y, time=time)


def test_the_slope_needs_models_and_periods() -> None:
    frame = pd.DataFrame({"trained": [1, 1, 2], "period": [2, 3, 3], "score": [0.8, 0.7, 0.8]})
    assert np.isnan(_ageing.slope(frame, np.arange(4.0), 1).low)
    assert np.isnan(_ageing._within(np.ones(3), np.arange(3.0), np.zeros(3)))
    assert np.isnan(_ageing._jackknife([1.0]))
    pairs = [(i, j) for i in range(1, 7) for j in range(i + 1, 8)]
    falling = pd.DataFrame([{"trained": i, "period": j, "score": 0.9 - 0.01 * (j - i)} for i, j in pairs])
    found = _ageing.slope(falling, np.arange(7.0), 1)
    assert found == Interval(pytest.approx(0.01), pytest.approx(0.01), pytest.approx(0.01))
