"""Quality of data: what is planted is named, and what is right is left alone."""

import functools
import time
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import datasets

from ml_lifecycle.data import QualityReport, check_quality
from ml_lifecycle.data._quality.rows import find_twins
from ml_lifecycle.data._quality.table import _far
from ml_lifecycle.data._store.rows import column_hash, row_hashes
from ml_lifecycle.foundation import BadInputError, Dataset, load_dataset

@functools.cache
def frame_of(name: str) -> tuple[pd.DataFrame, str]:
    if name == "customers":
        return customers(), "left"
    return getattr(datasets, f"load_{name}")(as_frame=True).frame, "target"


def customers(rows: int = 800, seed: int = 0) -> pd.DataFrame:
    """Mixed columns, one class in four, nothing wrong."""
    rng = np.random.default_rng(seed)
    tenure, contract = rng.integers(0, 73, rows), rng.choice(["month", "year", "two years"], rows, p=[0.55, 0.21, 0.24])
    odds = -0.6 - 0.035 * tenure + 1.2 * (contract == "month")
    return pd.DataFrame({
        "tenure": tenure, "contract": contract, "price": rng.uniform(18, 119, rows).round(2),
        "paperless": rng.choice(["yes", "no"], rows), "discount": np.where(rng.random(rows) < 0.3, np.nan, rng.random(rows)),
        "left": np.where(rng.random(rows) < 1 / (1 + np.exp(-odds)), "yes", "no")})


def checked(frame: pd.DataFrame, target: str | None = None, **more: Any) -> QualityReport:
    return check_quality(load_dataset(frame, target=target), **more)


def issues(report: QualityReport) -> set[str]:
    return {f.code for f in report.findings if f.severity == "issue"}


def of(report: QualityReport, code: str) -> Any:
    return next(f for f in report.findings if f.code == code)


# nothing wrong

@pytest.mark.parametrize("name", ["iris", "breast_cancer", "diabetes", "wine", "customers"])
def test_data_with_nothing_wrong_have_no_issue(name: str) -> None:
    frame, target = frame_of(name)
    data = load_dataset(frame, target=target)
    report = check_quality(data, splits=data.split())
    assert report.passed, report
    assert report.leaks == ()
    assert not [f for f in report.findings if f.code == "QUA001" and f.severity != "passed"]


@pytest.mark.parametrize("seed", range(3))
def test_a_strong_driver_among_noise_is_no_leak(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(400, 4))
    frame = pd.DataFrame(X, columns=list("abcd"))
    assert checked(frame.assign(y=np.where(X[:, 0] + 0.4 * rng.normal(size=400) > 0, "p", "q")), "y").leaks == ()
    assert checked(frame.assign(y=2 * X[:, 0] + X[:, 1] + 0.5 * rng.normal(size=400)), "y").leaks == ()


def test_a_law_of_nature_is_a_tip_at_most() -> None:
    rng = np.random.default_rng(0)
    radius = rng.uniform(0.1, 3, 600)
    report = checked(pd.DataFrame({"radius": radius, "colour": rng.choice(["r", "g"], 600), "x": rng.normal(size=600),
                                   "volume": 4.19 * radius**3}), "volume")
    assert "QUA001" not in issues(report)
    assert of(report, "QUA001").severity == "tip"
    assert "filled in" in of(report, "QUA001").message


# leaks

def planted(name: str, how: str) -> tuple[pd.DataFrame, str]:
    frame, target = frame_of(name)
    rng, y, n = np.random.default_rng(1), frame[target], len(frame)
    codes = pd.factorize(y, sort=True)[0]
    wrong, k = rng.random(n) < 0.02, int(codes.max()) + 1
    if how in ("times a constant", "in other units"):
        values = y * 3.7 + (0 if how == "times a constant" else 32) + rng.normal(size=n) * 0.02 * y.std()
    elif how == "number of the row":
        values = np.empty(n, dtype=int)
        values[np.argsort(codes, kind="stable")] = np.arange(1, n + 1)
    elif how == "id with letters":
        order = np.empty(n, dtype=int)
        order[np.argsort(codes, kind="stable")] = np.arange(n)
        values = [f"C-{i:05d}" for i in order]
    else:
        values = {
            "noisy copy": np.where(wrong, (codes + 1) % k, codes),
            "noisy copy in words": np.array(list("ABC"))[np.where(wrong, (codes + 1) % k, codes)],
            "filled in for one class": np.where(codes == 1, rng.random(n), np.nan),
            "mostly filled in for one class": np.where((codes == 1) & (rng.random(n) < 0.9), rng.random(n), np.nan),
            "codes that map to the label": [f"{'XYZ'[c]}{rng.integers(0, 4)}" for c in codes],
            "known later": codes * 10 + rng.random(n) * 9,
        }[how]
    return frame.assign(planted=values), target


KINDS = ("noisy copy", "noisy copy in words", "filled in for one class", "mostly filled in for one class", "known later",
         "codes that map to the label", "number of the row", "id with letters")
LEAKS = [("customers", how) for how in KINDS] + [("diabetes", "times a constant"), ("diabetes", "in other units")] + [
    pytest.param(name, how, marks=pytest.mark.slow) for name in ("breast_cancer", "iris") for how in KINDS]


@pytest.mark.parametrize(("name", "how"), LEAKS)
def test_a_planted_leak_is_named(name: str, how: str) -> None:
    frame, target = planted(name, how)
    report = checked(frame, target)
    assert report.leaks == ("planted",), report
    found = of(report, "QUA001")
    assert found.severity == "issue"
    assert "'planted'" in found.message
    assert found.evidence["column"] == "planted"
    assert found.evidence["low"] <= found.evidence["score"] <= found.evidence["high"]
    assert "when" in found.next.action


def test_two_leaks_do_not_hide_each_other() -> None:
    frame, target = frame_of("customers")
    copy = np.where(frame[target] == "yes", 1, 0)
    report = checked(frame.assign(one=copy, two=np.where(copy, "stopped", "active")), target)
    assert set(report.leaks) == {"one", "two"}


@pytest.mark.parametrize("share", [0.02, 0.5])
def test_a_leak_is_named_with_a_rare_class(share: float) -> None:
    rng = np.random.default_rng(0)
    y = rng.random(3000) < share
    frame = pd.DataFrame(rng.normal(size=(3000, 3)), columns=list("abc")).assign(
        flag=np.where(rng.random(3000) < 0.02, ~y, y), y=np.where(y, "bad", "good"))
    assert checked(frame, "y").leaks == ("flag",)


def test_columns_that_were_set_aside_and_groups_are_not_tried() -> None:
    frame, target = planted("customers", "noisy copy in words")
    assert check_quality(load_dataset(frame, target=target, group="planted")).leaks == ()
    data = load_dataset(frame, target=target)
    if hasattr(data, "without"):
        assert check_quality(data.without(["planted"])).leaks == ()


def test_few_rows_cannot_tell() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=30), "y": rng.choice(["a", "b"], 30)})
    report = checked(frame.assign(leak=frame["y"]), "y")
    assert report.passed is None
    found = of(report, "QUA001")
    assert found.undecided
    assert "30 rows" in found.message
    one_feature = checked(pd.DataFrame({"x": np.arange(100) / 7, "y": np.repeat(["a", "b"], 50)}), "y")
    assert one_feature.leaks == ()
    assert of(one_feature, "QUA001").undecided


def test_without_a_target() -> None:
    report = checked(frame_of("customers")[0].drop(columns="left"))
    assert of(report, "QUA001").severity == "not applicable"
    assert report.passed
    report.plot()


def test_strong_numbers_that_are_no_certain_leaks_are_tips() -> None:
    rng = np.random.default_rng(0)
    diabetes, target = frame_of("diabetes")
    numbered = diabetes.assign(row=pd.Series(range(len(diabetes)), index=diabetes[target].sort_values().index))
    assert of(checked(numbered, target), "QUA001").severity == "tip"  # the order of the rows follows the target
    wine, target = frame_of("wine")
    report = checked(wine.assign(later=wine[target] * 10 + rng.random(len(wine)) * 9), target)
    assert "'later' alone tells the classes apart perfectly" in of(report, "QUA001").message
    few = pd.DataFrame({"x": rng.normal(size=60), "y": np.repeat(["a", "b"], [48, 12])})
    report = checked(few.assign(z=np.where(few["y"] == "a", "u", "v")), "y")
    assert of(report, "QUA001").evidence["column"] == "z"
    lags = np.cumsum(rng.normal(size=(500, 1)), axis=0) + 0.001 * rng.normal(size=(500, 4))
    assert checked(pd.DataFrame(lags, columns=["lag1", "lag2", "lag3", "y"]), "y").leaks == ()  # in line with the others


@pytest.mark.parametrize("name", ["customers", "diabetes"])
def test_it_draws(name: str) -> None:
    report = checked(*frame_of(name))
    ax = report.plot()
    assert report.columns["unit"]
    assert ("R²" if name == "diabetes" else "balanced accuracy") in ax.get_xlabel()
    assert report.answer.startswith("Nothing in")
    assert "<svg" in report._repr_html_()


# the table

def test_missing_values_are_measured() -> None:
    report = checked(*frame_of("customers"))
    line = report.frame[(report.frame["check"] == "missing") & (report.frame["column"] == "discount")].iloc[0]
    assert line["low"] < 0.3 < line["high"]
    assert (line["n"], line["verdict"]) == (800, "tip")
    assert of(report, "QUA002").evidence["columns"] == ["discount"]


def test_copies_are_an_issue_where_rows_can_be_told_apart() -> None:
    frame, target = frame_of("customers")
    assert "QUA003" in issues(checked(pd.concat([frame, frame.head(60)], ignore_index=True), target))
    assert of(checked(frame, target), "QUA003").severity == "passed"
    with_id = pd.concat([frame, frame.head(60)], ignore_index=True)
    assert "QUA003" in issues(checked(with_id.assign(customer_id=[f"c{i}" for i in range(len(with_id))]), target))


def test_copies_of_columns_with_few_values_are_to_be_expected() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({c: rng.choice(["yes", "no"], 500) for c in "abcd"}).assign(y=rng.choice(["p", "q"], 500))
    report = checked(frame, "y")
    assert report.passed
    assert "to be expected" in of(report, "QUA003").message
    assert of(report, "QUA004").severity == "tip"


def test_conflicting_labels() -> None:
    frame, target = frame_of("customers")
    other = frame.head(80).assign(left=np.where(frame["left"].head(80) == "yes", "no", "yes"))
    found = of(checked(pd.concat([frame, other], ignore_index=True), target), "QUA004")
    assert found.severity == "issue"
    assert found.evidence["lost"] >= 75


def test_constant_columns_and_isolated_values() -> None:
    frame, target = frame_of("customers")
    odd = frame.assign(always="x", nearly=np.r_[1.0, np.zeros(len(frame) - 1)],
                       price=np.where(np.arange(len(frame)) < 9, -999.0, frame["price"]))
    report = checked(odd, target)
    assert report.passed
    assert of(report, "QUA005").evidence["columns"] == ["always", "nearly"]
    assert of(report, "QUA006").evidence == {"columns": ["price"], "rows": [9], "n": len(frame)}


@pytest.mark.parametrize("draw", ["normal", "exponential", "uniform", "standard_t"])
def test_natural_numbers_are_not_isolated(draw: str) -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_t(4, 2000) if draw == "standard_t" else getattr(rng, draw)(size=2000)
    assert not _far(values).any()
    assert _far(np.r_[values, 1e4]).sum() == 1
    assert _far(np.r_[values, 1e4, -1e4]).sum() == 2


# splits

def test_rows_on_both_sides() -> None:
    frame, target = frame_of("customers")
    data = load_dataset(frame, target=target)
    splits = data.split()
    mixed = data.take(np.concatenate([splits.test.frame.index[50:], splits.train.frame.index[:50]]))
    for given in ((splits.train, splits.val, mixed), (splits.train, mixed), {"train": splits.train, "late": mixed}):
        report = check_quality(data, splits=given)
        assert issues(report) == {"QUA007"}
        assert of(report, "QUA007").evidence["rows"] == 50
    assert check_quality(data, splits=splits).passed


def test_rows_on_both_sides_by_chance() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({c: rng.choice(["yes", "no"], 500) for c in "abcd"}).assign(y=rng.choice(["p", "q"], 500))
    data = load_dataset(frame, target="y")
    report = check_quality(data, splits=data.split())
    assert report.passed
    assert "as is to be expected" in of(report, "QUA007").message


def test_time_and_groups_on_both_sides() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"when": pd.date_range("2024", periods=300, freq="h"), "shop": rng.choice(list("abcdefghijklmnop"), 300),
                          "x": rng.normal(size=300), "y": rng.choice(["p", "q"], 300)})
    data = load_dataset(frame, target="y", time="when", group="shop")
    shuffled = rng.permutation(300)
    report = check_quality(data, splits=(data.take(shuffled[:200]), data.take(shuffled[200:])))
    assert issues(report) == {"QUA008", "QUA009"}
    assert of(report, "QUA009").evidence["groups"] > 5
    right = load_dataset(frame, target="y", time="when")
    assert not issues(check_quality(right, splits=right.split()))
    grouped = load_dataset(frame, target="y", group="shop")
    assert not issues(check_quality(grouped, splits=grouped.split()))


@pytest.mark.parametrize(("splits", "said"), [
    (3, "must be what data.split"), ((), "must be what data.split"), (("a", "b"), "must be what data.split"),
    ([pd.DataFrame({"a": [1]})] * 2, "must be what data.split"),
])
def test_splits_that_are_none(splits: Any, said: str) -> None:
    with pytest.raises(BadInputError, match=said) as caught:
        check_quality(load_dataset(frame_of("iris")[0], target="target"), splits=splits)
    assert "\n" not in str(caught.value)


def test_nonsense_is_said() -> None:
    data = load_dataset(frame_of("iris")[0], target="target")
    other = load_dataset(frame_of("wine")[0], target="target")
    with pytest.raises(BadInputError, match="same columns in every part"):
        check_quality(data, splits=(data, other))
    for seed in (-1, "a", True, 1.5):
        with pytest.raises(BadInputError, match="`seed` must be"):
            check_quality(data, seed=seed)  # type: ignore[arg-type]
    with pytest.raises(BadInputError, match="`data` must be"):
        check_quality(3)


# form

def test_it_takes_a_path_and_leaves_everything_as_it_was(mixed_csv: Any) -> None:
    np.random.seed(3)
    state = np.random.get_state()[1].copy()  # type: ignore[union-attr]
    report = check_quality(mixed_csv(), target="y")
    assert (np.random.get_state()[1] == state).all()  # type: ignore[index]
    assert report.leaks == ()
    assert repr(report) == repr(check_quality(load_dataset(mixed_csv(), target="y")))


@pytest.mark.parametrize("how", ["object", "category", "string"])
def test_types_and_order_do_not_matter(how: str) -> None:
    frame, target = planted("customers", "noisy copy in words")
    other = frame.astype({"contract": how, "paperless": how, "planted": how, "left": how})[list(reversed(frame.columns))]
    assert checked(other.set_index(np.arange(len(frame)) * 7 + 3), target).leaks == ("planted",)


def test_equal_values_have_equal_hashes() -> None:
    one = pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": pd.Categorical(["u", "v"]), "z": [True, False],
                        "t": pd.to_datetime(["2024", None])})
    other = one.astype({"a": float, "b": "category", "c": object})[["z", "c", "t", "b", "a"]]
    assert (row_hashes(one) == row_hashes(other)).all()
    assert column_hash(pd.Series([0.0, -0.0]))[0] == column_hash(pd.Series([-0.0]))[0]
    assert len(row_hashes(one[[]])) == 2


def test_many_columns_and_many_classes() -> None:
    rng = np.random.default_rng(0)
    wide = pd.DataFrame(rng.normal(size=(120, 60))).assign(y=rng.choice(["a", "b"], 120))
    wide.columns = [*(f"x{i}" for i in range(60)), "y"]
    assert checked(wide, "y").leaks == ()
    y = np.repeat([f"c{i:02d}" for i in range(30)], 15)
    many = pd.DataFrame(rng.normal(size=(450, 3)), columns=list("abc")).assign(code=[f"k{v}" for v in y], y=y)
    assert checked(many, "y").leaks == ("code",)
    too_many = np.repeat([f"c{i:02d}" for i in range(70)], 15)
    report = checked(pd.DataFrame(rng.normal(size=(1050, 2)), columns=list("ab")).assign(y=too_many), "y")
    assert of(report, "QUA001").undecided


def test_expected_twins() -> None:
    frame, target = frame_of("customers")
    twins = find_twins(load_dataset(frame, target=target), 0)
    assert twins.continuous
    assert twins.expected < 0.001


@pytest.mark.slow
def test_flights_take_seconds(course_home: Any) -> None:
    data: Dataset = load_dataset("flights")
    splits = data.split()
    start = time.process_time()
    report = check_quality(data, splits=splits)
    assert time.process_time() - start < 12
    assert report.passed
    assert report.params["rows_tried"] == 5000


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["text", "number"])
def test_a_leak_in_the_rows_where_it_is_filled_in_is_named(seed: int, kind: str) -> None:
    frame, rng = customers(seed=seed), np.random.default_rng(seed)
    code = frame["left"].map({"yes": "closed", "no": "open"}) if kind == "text" else (frame["left"] == "yes") * 1.0
    leaky = checked(frame.assign(status=code.where(rng.random(len(frame)) < 0.6)), target="left")
    assert leaky.leaks == ("status",)
    assert "Where it is filled in, 'status' alone gives the target away" in of(leaky, "QUA001").message
    noise = checked(frame.assign(status=pd.Series(rng.permutation(code)).where(rng.random(len(frame)) < 0.6)), target="left")
    assert noise.leaks == ()
