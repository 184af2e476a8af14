"""Schemas: what was seen passes, what is planted is named, and YAML comes back exactly."""

import datetime
import string
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn import datasets

from ml_lifecycle.data import ColumnRule, Schema, SchemaReport, infer_schema
from ml_lifecycle.data._schema.infer import number_limits, outward
from ml_lifecycle.foundation import BadInputError, MissingPackageError, UnknownNameError, load_dataset

def people(rows: int = 400, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({
        "person_id": [f"P{i:05d}" for i in range(rows)],
        "age": rng.integers(18, 90, rows), "income": rng.lognormal(10, 0.5, rows).round(2),
        "children": np.where(rng.random(rows) < 0.1, np.nan, rng.integers(0, 4, rows)),
        "colour": rng.choice(["red", "green", "blue"], rows), "member": rng.random(rows) < 0.4,
        "since": pd.date_range("2020-01-01", periods=rows, freq="D"),
        "note": [f"note number {i} says {w} and some more words" for i, w in enumerate(rng.choice(["a", "b"], rows))]})


def codes(report: SchemaReport, severity: str = "issue") -> set[str]:
    return {f.code for f in report.findings if f.severity == severity}


# what is inferred

def test_every_kind_of_column() -> None:
    schema = infer_schema(people())
    assert {rule.name: rule.type for rule in schema.columns} == {
        "person_id": "category", "age": "integer", "income": "number", "children": "integer", "colour": "category",
        "member": "boolean", "since": "datetime", "note": "text"}
    assert schema["person_id"] == ColumnRule("person_id", "category", role="id", unique=True)
    assert schema["colour"].values == ("blue", "green", "red")
    assert schema["age"].min < 18
    assert 89 < schema["age"].max < 120
    assert schema["income"].min == 0
    assert 0.05 < schema["children"].missing < 0.15
    assert schema["since"].min < "2020-01-01"
    assert schema["since"].max > "2035"
    assert "blue" in repr(schema)
    assert "<table" in schema._repr_html_()
    with pytest.raises(UnknownNameError, match="Did you mean 'age'"):
        schema["aga"]


def test_a_dataset_brings_its_roles(mixed_csv: Any) -> None:
    data = load_dataset(mixed_csv(), target="y", time="when", group="colour")
    schema = infer_schema(data)
    assert {rule.name: rule.role for rule in schema.columns if rule.role != "feature"} == {
        "order_id": "id", "when": "time", "colour": "group", "y": "target"}
    assert not schema["y"].required
    assert schema.validate(data.X.assign(order_id="a", colour="red").drop(columns="order_id")).passed is False  # ids are required
    assert schema.validate(data.frame.drop(columns="y")).passed
    assert infer_schema(mixed_csv(), target="y")["y"].role == "target"
    assert schema.validate(mixed_csv()).passed, schema.validate(mixed_csv())


def test_lists_stay_open_where_new_categories_must_come() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"city": [f"c{i}" for i in rng.zipf(1.6, 400) % 5000], "street": [f"s{i // 2}" for i in range(400)],
                          "few": rng.choice(list("ab"), 400)})
    schema = infer_schema(frame)
    assert schema["city"].values is None
    assert schema["street"].values is None
    assert schema["few"].values == ("a", "b")
    assert infer_schema(frame, max_categories=1)["few"].values is None


@pytest.mark.parametrize(("values", "slack", "limits"), [
    ([0.0, 100.0], 0.1, (0.0, 110.0)), ([-50.0, 50.0], 0.1, (-60.0, 60.0)), ([-8.0, -3.0], 0.1, (-8.5, -2.5)),
    ([5.0, 5.0], 0.1, (4.5, 5.5)), ([0.0, 0.0], 0.1, (0.0, 0.0)), ([1.0, 3.0], 0, (1.0, 3.0)),
    ([-1e308, 1e308], 0.1, (-np.inf, np.inf)),
])
def test_limits(values: list[float], slack: float, limits: tuple[float, float]) -> None:
    assert number_limits(np.array(values), slack) == pytest.approx(limits)


@given(st.floats(-1e12, 1e12), st.floats(1e-9, 1e12))
def test_limits_are_rounded_outward(value: float, width: float) -> None:
    import math

    assert outward(value, width, math.ceil) >= value - 1e-9 * abs(value) - 1e-12
    assert abs(outward(value, width, math.ceil) - value) <= 0.02 * width + 1e-9 * abs(value)


# invariants

words = st.text(string.ascii_letters + " é\n'\":#-{}[]&*!|>%@`,", max_size=6)
columns = st.one_of(
    st.lists(st.one_of(st.none(), st.floats(allow_infinity=True)), min_size=1, max_size=30).map(
        lambda v: pd.Series(v, dtype="float64")),
    st.lists(st.integers(-2**53, 2**53), min_size=1, max_size=30).map(pd.Series),
    st.lists(st.one_of(st.none(), st.integers(-9, 9)), min_size=1, max_size=30).map(lambda v: pd.Series(v, dtype="Int64")),
    st.lists(st.one_of(st.none(), words), min_size=1, max_size=30).map(lambda v: pd.Series(v, dtype=object)),
    st.lists(st.one_of(st.none(), st.sampled_from(["yes", "no", "1", "07", "NA", "-", "31.12.2024", "1/2/2024"])), min_size=1,
             max_size=30).map(lambda v: pd.Series(v, dtype=object)),
    st.lists(st.one_of(st.none(), st.booleans()), min_size=1, max_size=30).map(lambda v: pd.Series(v, dtype="boolean")),
    st.lists(st.one_of(st.none(), st.sampled_from("abc")), min_size=1, max_size=30).map(lambda v: pd.Series(v, dtype="category")),
    st.lists(st.one_of(st.none(), st.datetimes(datetime.datetime(1800, 1, 1), datetime.datetime(2200, 1, 1))), min_size=1,
             max_size=30).map(lambda v: pd.Series(v, dtype="datetime64[us]")),
)


@st.composite
def frames(draw: Any) -> pd.DataFrame:
    drawn = draw(st.lists(columns, min_size=1, max_size=4))
    n = min(map(len, drawn))
    return pd.DataFrame({f"c{i}": c.iloc[:n].reset_index(drop=True) for i, c in enumerate(drawn)})


@given(frames(), st.integers(0, 9))
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_a_frame_passes_its_own_schema_and_yaml_comes_back(frame: pd.DataFrame, seed: int) -> None:
    schema = infer_schema(frame)
    report = schema.validate(frame)
    assert report.passed, report
    assert Schema.from_yaml(schema.to_yaml()) == schema
    assert Schema.from_dict(schema.to_dict()) == schema
    shuffled = frame.sample(frac=1, random_state=seed)[list(frame.columns)[::-1]]
    again = schema.validate(shuffled)
    assert again.passed
    assert sorted(map(str, again.frame[["column", "rule", "failing"]].itertuples(index=False))) == sorted(
        map(str, report.frame[["column", "rule", "failing"]].itertuples(index=False)))
    half = shuffled.iloc[: max(1, len(frame) // 2)]
    assert not codes(schema.validate(half)) - {"SCH005"}


@pytest.mark.parametrize("seed", range(5))
def test_half_of_the_data_passes_the_schema_of_the_whole(seed: int) -> None:
    frame = people(600, seed)
    schema = infer_schema(frame)
    half = frame.sample(frac=0.5, random_state=seed)
    assert schema.validate(half).passed
    assert schema.validate(half.assign(since=half["since"].astype(str), age=half["age"].astype(str))).passed


def test_a_csv_passes_the_schema_of_its_frame(tmp_path: Path) -> None:
    frame = people()
    frame.to_csv(tmp_path / "people.csv", index=False)
    schema = infer_schema(frame)
    assert schema.validate(tmp_path / "people.csv").passed
    assert schema.validate(pd.read_csv(tmp_path / "people.csv")).passed
    assert infer_schema(pd.read_csv(tmp_path / "people.csv")).validate(frame).passed
    integers = pd.DataFrame({"n": pd.array([1, 2, None] * 20, "Int64")})
    integers.to_csv(tmp_path / "n.csv", index=False)
    assert infer_schema(integers)["n"].type == "integer"
    assert infer_schema(integers).validate(pd.read_csv(tmp_path / "n.csv")).passed
    assert infer_schema(pd.read_csv(tmp_path / "n.csv"))["n"].type == "integer"


def test_decimal_commas_and_dates_with_the_day_first(tmp_path: Path) -> None:
    days = pd.date_range("2024-01-01", periods=60).strftime("%d/%m/%Y")
    frame = pd.DataFrame({"day": days, "price": [f"{i},5" for i in range(60)]})
    frame.to_csv(tmp_path / "a.csv", index=False, sep=";")
    assert infer_schema(tmp_path / "a.csv").validate(tmp_path / "a.csv").passed
    schema = infer_schema(frame[["day"]])
    assert schema["day"].day_first is True
    assert schema.validate(frame[["day"]].head(12)).passed  # where no value tells
    assert schema.validate_record({"day": "03/02/2024"}) == ()


@pytest.mark.parametrize("name", ["iris", "diabetes", "wine"])
def test_held_out_rows_pass(name: str) -> None:
    data = load_dataset(getattr(datasets, f"load_{name}")(as_frame=True).frame, target="target")
    failed = 0
    for seed in range(6):
        splits = data.split(seed=seed)
        failed += infer_schema(splits.train).validate(splits.test).passed is False
    assert failed <= 1


@pytest.mark.parametrize("draw", ["normal", "exponential", "lognormal", "uniform", "standard_cauchy"])
def test_new_rows_of_the_same_source_pass(draw: str) -> None:
    rng = np.random.default_rng(0)
    failed = 0
    for _ in range(60):
        limits = number_limits(getattr(rng, draw)(size=300), 0.1)
        new = getattr(rng, draw)(size=300)
        failed += bool((new < limits[0]).any() or (new > limits[1]).any())
    assert failed <= (6 if draw == "standard_cauchy" else 2)


# what is planted

@pytest.mark.parametrize(("change", "code", "column"), [
    (lambda f: f.assign(age=f["age"].where(f.index != 7, -5)), "SCH003", "age"),
    (lambda f: f.assign(age=f["age"].where(f.index != 7, 999)), "SCH003", "age"),
    (lambda f: f.assign(age=f["age"].where(f.index != 7, 20.5)), "SCH002", "age"),
    (lambda f: f.assign(age=f["age"].astype(object).where(f.index != 7, "old")), "SCH002", "age"),
    (lambda f: f.assign(age=f["age"].astype(str) + " years"), "SCH002", "age"),
    (lambda f: f.assign(colour=f["colour"].where(f.index != 7, "pink")), "SCH004", "colour"),
    (lambda f: f.assign(member="maybe"), "SCH002", "member"),
    (lambda f: f.assign(since=f["since"].where(f.index != 7, pd.Timestamp("1901-01-01"))), "SCH003", "since"),
    (lambda f: f.assign(since=f["since"].where(f.index != 7, pd.Timestamp("2199-01-01"))), "SCH003", "since"),
    (lambda f: f.assign(since=f["since"].astype(str).where(f.index != 7, "soon")), "SCH002", "since"),
    (lambda f: f.assign(since=1.5), "SCH002", "since"),
    (lambda f: f.assign(age=f["since"]), "SCH002", "age"),
    (lambda f: f.assign(income=f["income"].where(f.index > 40)), "SCH005", "income"),
    (lambda f: f.assign(children=f["children"].where(f.index > 200)), "SCH005", "children"),
    (lambda f: f.assign(person_id=f["person_id"].where(f.index != 7, "P00009")), "SCH006", "person_id"),
    (lambda f: f.drop(columns="income"), "SCH001", "income"),
    (lambda f: f.rename(columns={"income": "Income"}), "SCH001", "income"),
])
def test_what_is_planted_is_named(change: Any, code: str, column: str) -> None:
    frame = people()
    schema = infer_schema(frame)
    report = schema.validate(change(frame))
    assert report.passed is False
    assert codes(report) == {code}
    found = report.findings[0]
    assert repr(column) in found.message
    assert found.evidence["column"] == column
    assert column in report.answer
    if code not in ("SCH001",):
        assert set(report.rows["column"]) == {column}
        assert list(report.rows.columns) == ["row", "column", "rule", "value"]
    report.plot()


def test_failing_rows_carry_their_labels() -> None:
    frame = people().set_index(pd.date_range("2024", periods=400, freq="h"))
    schema = infer_schema(frame)
    broken = frame.assign(age=np.where(np.arange(400) == 3, -5, frame["age"]))
    row = schema.validate(broken).rows.iloc[0]
    assert (str(row["row"]), row["column"], row["rule"], row["value"]) == (str(frame.index[3]), "age", "min", -5)
    levels = broken.set_index([broken["colour"], broken["age"]])
    assert schema.validate(levels).rows.iloc[0]["row"] == (broken["colour"].iloc[3], -5)


def test_failing_rows_are_capped() -> None:
    frame = people(3000)
    report = infer_schema(frame).validate(frame.assign(**dict.fromkeys(("age", "income", "children", "member", "since"), "?!")))
    assert len(report.rows) == 500
    assert "500 of 15,000 failures" in next(f.message for f in report.findings if f.code == "SCH009")


def test_a_little_more_missing_in_few_rows_is_no_issue() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=1000)
    x[:10] = np.nan
    schema = infer_schema(pd.DataFrame({"x": x}))
    new = x[100:150].copy()
    new[0] = np.nan
    assert schema.validate(pd.DataFrame({"x": np.r_[new, np.nan]})).passed
    new[:10] = np.nan
    assert codes(schema.validate(pd.DataFrame({"x": new}))) == {"SCH005"}
    never = infer_schema(pd.DataFrame({"x": x[10:110]}))
    report = never.validate(pd.DataFrame({"x": [*x[10:59], np.nan]}))
    assert report.passed is None
    assert codes(report, "tip") == {"SCH005"}
    assert report.rows["rule"].tolist() == ["missing"]
    many = infer_schema(pd.DataFrame({"x": np.where(np.arange(100_000) < 1000, np.nan, 1.0)}))
    assert many.validate(pd.DataFrame({"x": np.where(np.arange(100_000) < 1200, np.nan, 1.0)})).passed  # real, and of no weight


def test_columns_that_nobody_asked_for_are_a_tip() -> None:
    report = infer_schema(people()).validate(people().assign(extra=1))
    assert report.passed
    assert codes(report, "tip") == {"SCH007"}


def test_many_broken_columns_are_summed_up() -> None:
    frame = pd.DataFrame({f"x{i}": np.arange(50) / 7 for i in range(30)})
    report = infer_schema(frame).validate(frame * 100)
    assert len(report.findings) < 20
    assert "more columns break" in " ".join(f.message for f in report.findings)
    report.plot()


def test_no_rows_at_all() -> None:
    schema = infer_schema(people())
    report = schema.validate(people().head(0))
    assert report.passed
    assert report.n == 0
    report.plot()


# YAML

def test_a_file_comes_back(tmp_path: Path) -> None:
    schema = infer_schema(people())
    text = schema.to_yaml(tmp_path / "schema.yaml")
    assert Schema.from_yaml(tmp_path / "schema.yaml") == schema == Schema.from_yaml(str(tmp_path / "schema.yaml"))
    assert text.startswith("# What the columns")
    assert hash(Schema.from_yaml(text)) == hash(schema)
    edited = Schema.from_yaml(text.replace("- red", "- red").replace("[blue, green, red]", "[blue, green, red, pink]"))
    assert edited.validate(people().assign(colour="pink")).passed


HEAD = "rows: 10\ncolumns:\n  age: {type: integer, min: 0}\n"


@pytest.mark.parametrize(("text", "said"), [
    (HEAD.replace("min", "minn"), "Did you mean 'min'"), (HEAD.replace("integer", "integr"), "Did you mean 'integer'"),
    (HEAD.replace("rows", "row"), "Did you mean 'rows'"),
    (HEAD.replace("min: 0", "min: a"), "`min` of column 'age' must be a number"),
    (HEAD.replace("min: 0", "min: 3, max: 1"), "must not lie above"),
    (HEAD.replace("min: 0", "role: targt"), "Did you mean 'target'"),
    (HEAD.replace("min: 0", "missing: 2"), "a share from 0 to 1"), (HEAD.replace("min: 0", "required: maybe"), "true or false"),
    (HEAD.replace("min: 0", "values: [a]"), "must stand with type 'category'"), (HEAD.replace("integer", "text"), "has an order"),
    (HEAD.replace("integer, min: 0", "category, values: [a, a]"), "Got 'a' twice"),
    (HEAD.replace("min: 0", "day_first: 3"), "day_first"),
    (HEAD.replace("integer, min: 0", "category, values: [1, 2]"), "a list of texts"),
    (HEAD.replace("integer", "datetime"), "a date such"),
    (HEAD + "  age: {type: text}\n", "Got 'age' in line 3 and in line 4"), (HEAD + "  - x\n", "in line 4"),
    ("rows: 10\n", "`columns`"),
    (HEAD.replace("  age: {type: integer, min: 0}", "  age: 3"), "`type` among them"), (HEAD.replace("age", "3"), "Quote it"),
    (HEAD.replace("rows: 10", "rows: no"), "`rows` must be"), (HEAD + "slack: -1\n", "`slack` must be"),
    (HEAD + "schema: 7\n", "`schema`"),
    ("- a\n- b\n", "must hold the keys"), ("a: !!python/object:os.system {}\nb: 1\n", "must be YAML"),
    ("{a: [}\n", "must be YAML"),
    ("? [a]\n: 3\n", "names as keys"), ("no such file.yaml", "No such file"), (3, "must be YAML or a file"),
    ("\x00a\nb", "must be YAML"),
    (HEAD.replace("min: 0", "min: .nan"), "a number"),
])
def test_a_typo_is_one_line(text: Any, said: str) -> None:
    with pytest.raises(BadInputError) as caught:
        Schema.from_yaml(text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


# nonsense

@pytest.mark.parametrize(("call", "said"), [
    (lambda: infer_schema(3), "`data` must be"), (lambda: infer_schema(people().head(0)), "must have rows"),
    (lambda: infer_schema(people(), slack=-1), "`slack`"), (lambda: infer_schema(people(), slack="a"), "`slack`"),
    (lambda: infer_schema(people(), max_categories=-1), "`max_categories`"), (lambda: infer_schema(pd.DataFrame()), "columns"),
    (lambda: infer_schema(people()).validate(3), "`data` must be"),
    (lambda: infer_schema(people()).validate(pd.DataFrame()), "columns"),
    (lambda: infer_schema(pd.DataFrame([[1, 2]], columns=["a", "a"])), "distinct column names"),
    (lambda: infer_schema(people()).validate(pd.DataFrame([[1, 2]], columns=["a", "a"])), "distinct column names"),
    (lambda: infer_schema(people()).validate(people().set_axis(pd.MultiIndex.from_arrays([list("abcdefgh")] * 2), axis=1)),
     "MultiIndex"),
])
def test_nonsense_is_said(call: Any, said: str) -> None:
    with pytest.raises(BadInputError, match=said) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_odd_cells_are_failures_and_no_crash() -> None:
    schema = infer_schema(people())
    odd = people().astype(object)
    for i, value in enumerate([[1], {"a": 1}, b"x", object(), datetime.date(2020, 1, 1), 10**400, 1j]):
        for name in ("age", "income", "since", "member"):
            odd.loc[i, name] = None
            odd.at[i, name] = value
    report = schema.validate(odd)
    assert codes(report) >= {"SCH002"}
    assert report.to_json()


def test_inputs_stay_as_they_are() -> None:
    frame = people().set_index(np.arange(400)[::-1])
    before = frame.copy(deep=True)
    infer_schema(frame).validate(frame)
    pd.testing.assert_frame_equal(frame, before)


# records

def test_records(mixed_csv: Any) -> None:
    data = load_dataset(mixed_csv(), target="y")
    schema = infer_schema(data)
    good = {"size": 0.1, "count": 3, "colour": "red", "member": "yes", "when": "2024-01-02 07:00", "note": "late again"}
    assert schema.validate_record(good) == ()
    assert schema.validate_record({**good, "order_id": "A1", "y": "yes", "size": None}) == ()
    for change, said in (
        ({"count": "3"}, "'count' must be a whole number. Got '3'."), ({"count": 2.5}, "whole number"),
        ({"count": True}, "whole number"),
        ({"count": -9}, "'count' must be at least 0"), ({"count": float("inf")}, "whole number"), ({"size": 1e9}, "at most"),
        ({"colour": "pink"}, "'colour' must be one of 'blue', 'green', 'red'. Got 'pink'."), ({"colour": 3}, "a text"),
        ({"when": "soon"}, "a date such as 2024-01-31"), ({"when": 3}, "a date"), ({"when": "1901-01-01"}, "at least"),
        ({"note": 3}, "a text"), ({"count": None}, "'count' must have a value"), ({"count": np.nan}, "must have a value"),
        ({"sice": 3}, "Did you mean 'size'"),
    ):
        problems = schema.validate_record({**good, **change})
        assert len(problems) == 1, change
        assert said in problems[0]
        assert "\n" not in problems[0]
    gone = {name: value for name, value in good.items() if name != "count"}
    assert schema.validate_record(gone) == ("'count' must be there. It is not.",)
    assert schema.validate_record([1])[0].startswith("the record must be an object")  # type: ignore[arg-type]
    for value in (pd.Timestamp("2024-01-02"), np.datetime64("2024-01-02"), datetime.date(2024, 1, 2), "2024-01-02T00:00:00Z",
                  datetime.datetime(2024, 1, 2, tzinfo=datetime.UTC), "Jan 2, 2024"):
        assert schema.validate_record({**good, "when": value}) == ()
    flag = infer_schema(people())
    record = {k: v for k, v in people().iloc[0].items() if k != "person_id"}
    assert flag.validate_record(record) == ()
    assert flag.validate_record({**record, "member": "yes"}) == ("'member' must be true or false. Got 'yes'.",)


def test_a_record_takes_less_than_a_millisecond() -> None:
    frame = pd.concat([people().drop(columns=["person_id", "since"]).add_suffix(f"_{i}") for i in range(4)], axis=1).iloc[:, :20]
    schema = infer_schema(frame)
    record = frame.astype(object).iloc[0].to_dict()
    assert schema.validate_record(record) == ()
    start = time.process_time()
    for _ in range(200):
        schema.validate_record(record)
    assert (time.process_time() - start) / 200 < 0.001


# pandera

BROKEN = {
    "nothing": lambda f: f, "range": lambda f: f.assign(age=f["age"].where(f.index != 7, 999)),
    "below": lambda f: f.assign(income=-1.0), "category": lambda f: f.assign(colour="pink"),
    "type": lambda f: f.assign(age=f["age"].astype(object).where(f.index != 7, "old")), "gone": lambda f: f.drop(columns="age"),
    "missing": lambda f: f.assign(income=f["income"].where(f.index > 60)), "more": lambda f: f.assign(extra=1),
    "date": lambda f: f.assign(since=pd.Timestamp("1901-01-01")), "twice": lambda f: f.assign(person_id="P1"),
    "order": lambda f: f[list(f.columns)[::-1]].sample(frac=1, random_state=0), "whole": lambda f: f.assign(children=0.5),
}


@pytest.mark.parametrize("name", BROKEN)
def test_pandera_says_the_same(name: str) -> None:
    pytest.importorskip("pandera")
    import pandera.pandas as pa

    frame = people()
    schema = infer_schema(frame)
    theirs = schema.to_pandera()
    broken = BROKEN[name](frame)
    try:
        theirs.validate(broken, lazy=True)
        passes = True
    except pa.errors.SchemaErrors:
        passes = False
    assert passes == (schema.validate(broken).passed is not False)


def test_without_pandera_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pandera", None)
    with pytest.raises(MissingPackageError, match=r'pip install "ml-lifecycle\[data\]"'):
        infer_schema(people()).to_pandera()


@pytest.mark.parametrize("value", [[1], {"a": 1}, {1}])
def test_lists_in_cells_are_refused_in_one_line(value):
    with pytest.raises(BadInputError, match="one value in every cell.*'a'") as caught:
        infer_schema(pd.DataFrame({"a": [value, None], "b": [1, 2]}))
    assert "\n" not in str(caught.value)


def test_other_groups_are_no_news_and_a_plain_column_gets_plain_limits():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"clinic": rng.choice(list("abcdefgh"), 400), "ward": rng.integers(1, 9, 400),
                          "size": rng.normal(size=400), "y": rng.choice(["no", "yes"], 400)})
    for group in ("clinic", "ward"):
        schema = infer_schema(load_dataset(frame[frame[group].isin(["a", "b", "c", 1, 2, 3, 4])], target="y", group=group))
        assert schema.validate(frame).passed, group
    widths = [schema["size"].max - schema["size"].min for seed in range(20) for schema in [infer_schema(pd.DataFrame(
        {"size": np.random.default_rng(seed).normal(size=500)}))]]
    assert np.median(widths) < 14
    assert max(widths) < 40
