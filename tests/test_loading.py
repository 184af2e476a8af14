"""Files and frames become typed tables, or one clear line."""

import gzip

import numpy as np
import pandas as pd
import pytest

from ml_lifecycle.foundation import _tables
from ml_lifecycle.foundation.errors import BadInputError, UnknownNameError
from ml_lifecycle.foundation.loading import read_table

HEADER = "id,width,colour,label"
ROWS = [f"{i},{i * 1.5},{'red' if i % 3 else 'blue'},{'yes' if i % 2 else 'no'}" for i in range(5, 45)]
PLAIN = "\n".join([HEADER, *ROWS]) + "\n"


def write(folder, content, name="data.csv"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refused(data, *parts, kind=BadInputError, **options):
    with pytest.raises(kind) as caught:
        read_table(data, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("`")
    for part in parts:
        assert part in message
    return message


@pytest.mark.parametrize(("content", "name"), [
    (PLAIN, "data.csv"),
    (PLAIN.replace(",", ";"), "data.csv"),
    (PLAIN.replace(",", "\t"), "data.tsv"),
    (PLAIN.replace(",", "\t"), "data.txt"),
    (PLAIN.replace(",", "|"), "data.CSV"),
    ("sep=;\n" + PLAIN.replace(",", ";"), "data.csv"),
    (PLAIN.replace("\n", "\r\n"), "data.csv"),
    (PLAIN.replace("\n", "\r"), "data.csv"),
    ("\n\n" + PLAIN.rstrip("\n"), "data.csv"),
    (PLAIN.encode("utf-8-sig"), "data.csv"),
    (PLAIN.encode("utf-16"), "data.csv"),
    (b"\xfe\xff" + PLAIN.encode("utf-16-be"), "data.csv"),
    (PLAIN.encode("utf-32"), "data.csv"),
    (gzip.compress(PLAIN.encode(), mtime=0), "data.csv.gz"),
    (PLAIN.replace(",red", ', "red"').replace(", ", ","), "data.csv"),
    (PLAIN.replace(",", " , "), "data.csv"),
])
def test_the_same_table_in_every_form(tmp_path, content, name):
    table = read_table(write(tmp_path, content, name))
    assert table.kinds == {"id": "number", "width": "number", "colour": "category", "label": "category"}
    assert table.frame["width"].tolist() == [i * 1.5 for i in range(5, 45)]
    assert table.frame["label"].cat.categories.tolist() == ["no", "yes"]
    assert table.name == "data"
    assert table.source == str((tmp_path / name).resolve())


def test_encoding_is_taken_from_the_argument(tmp_path):
    path = write(tmp_path, "name,age\nJosé,22\nAna,23\n".encode("latin1"))
    assert read_table(path, encoding="latin1").frame["name"][0] == "José"
    refused(path, "utf-8", "encoding='latin1'", "iconv -f latin1 -t utf-8 data.csv >")
    refused(path, "utf-8", "Pass another `encoding`", encoding="utf-8")
    refused(path, "klingon", kind=UnknownNameError, encoding="klingon")


@pytest.mark.parametrize(("content", "name", "parts"), [
    ("", "data.csv", ["empty", "0 bytes"]),
    ("\n \n", "data.csv", ["empty"]),
    ("a,b\n", "data.csv", ["header only", "a, b"]),
    ("a,b", "data.csv", ["header only"]),
    ("a,b\n1,2\n3\n4,5,6\n", "data.csv", ["in every row", "Got 1 in row 3", "2 such rows"]),
    ("a,b\n1,2\n1,2,3\n", "data.csv", ["Got 3 in row 3"]),
    ('a,b\n1,"2\n3,4\n5,6\n', "data.csv", ["quotation mark", "row 2"]),
    ('a,"b\n1,2\n3,4\n', "data.csv", ["quotation mark"]),
    ('a,"' + "long " * 40_000, "data.csv", ["first line", "quotation mark"]),
    ("a,b,a\n1,2,3\n", "data.csv", ["distinct column names", "'a'"]),
    ("a, a\n1,2\n", "data.csv", ["distinct column names"]),
    ("5.1,3.5\n4.9,3.0\n", "data.csv", ["column names in its first line"]),
    ("a,b\n1,2\n".encode("utf-16-le"), "data.csv", ["zero bytes", "utf-16-le"]),
    (b"no gzip", "data.csv.gz", ["readable file"]),
    (gzip.compress(PLAIN.encode(), mtime=0)[:40], "data.csv.gz", ["readable file"]),
    (b"PK\x03\x04", "data.xlsx", [".csv", "'data.xlsx'", "DataFrame"]),
    (b"PAR1 no parquet at all", "data.parquet", ["Parquet"]),
    ("a,b\n1,\n2,\n", "data.csv", ["at least one value", "'b'", 'drop=("b",)', "--drop b"]),
    ("a,b,c\n1,,NA\n2,?,\n", "data.csv", ['drop=("b", "c")', "--drop b,c"]),
])
def test_what_cannot_be_read_is_refused_in_one_line(tmp_path, content, name, parts):
    refused(write(tmp_path, content, name), *parts)


def test_a_file_that_is_not_there(tmp_path, monkeypatch):
    write(tmp_path, PLAIN, "houses.csv")
    refused(tmp_path / "house.csv", "exists", "Did you mean 'houses.csv'", kind=UnknownNameError)
    refused(tmp_path / "no" / "house.csv", "does not exist", kind=UnknownNameError)
    refused(tmp_path, "directory", "houses.csv")
    (tmp_path / "bare").mkdir()
    refused(tmp_path / "bare", "holds no file of these kinds")
    refused(tmp_path / "bare" / "a.csv", "No table lies in", kind=UnknownNameError)
    monkeypatch.chdir(tmp_path)
    refused("chrun", "course data set or a file", "Did you mean 'churn'", "no such file", kind=UnknownNameError)
    refused("bare", "directory")
    assert len(read_table("houses.csv").frame) == 40


@pytest.mark.parametrize(("data", "part"), [
    (None, "NoneType"), ("", "''"), (7, "int"), (np.zeros((3, 2)), "pandas.DataFrame(array)"),
    ("https://example.org/a.csv", "Download it"), (pd.DataFrame(), "0 rows"), (pd.DataFrame({"a": []}), "0 rows"),
    (pd.DataFrame([[1, 2]], columns=["a", "a"]), "distinct column names"),
    (pd.DataFrame([[1, 2]], columns=[1, "1"]), "distinct column names"),
    (pd.DataFrame({("a", "b"): [1]}), "MultiIndex"),
    (pd.DataFrame({"a": [[1], [2]]}), "list"), (pd.DataFrame({"a": [{}, {}]}), "dict"),
    (pd.DataFrame({"a": [b"x", b"y"]}), "bytes"), (pd.DataFrame({"a": [1j, 2j]}), "real numbers"),
])
def test_what_is_no_table_is_refused(data, part):
    refused(data, part)


def test_names_that_are_not_there():
    frame = pd.DataFrame({"age": [1, 2], "note": ["a", "b"]})
    refused(frame, "`drop` must name columns", "Did you mean 'note'", kind=UnknownNameError, drop="notes")
    refused(frame, "`text` must name columns", kind=UnknownNameError, text="nothing")
    refused(frame, "`time` must be a column", kind=UnknownNameError, time="day")
    refused(frame, "`drop` must be a column that has no other role", text="note", drop=["note"])
    refused(frame, "`time` must be the name of one column", time=["age"])
    refused(frame, "`drop` must be column names", drop=3.5)


@pytest.mark.parametrize(("values", "kind"), [
    (["1", "2", "3"], "number"), (["1.5", ".5", "2."], "number"), (["1e5", "-3", "+2"], "number"),
    (["1,234", "12", "1,234,567.5"], "number"), (["inf", "1", "2"], "number"),
    (["01069", "10115", "80331"], "category"), (["1" * 20, "2" * 20, "3" * 20], "category"),
    (["True", "False", "true"], "boolean"), (["yes", "no", "yes"], "category"), (["t", "f", "t"], "category"),
    (["2024-01-31", "2024-02-01", "2024-02-02"], "datetime"), (["2024/1/5", "2024/12/31", "2024/2/2"], "datetime"),
    (["2024-01-31T10:00:00Z", "2024-01-31 11:00:00+02:00", "2024-02-01T00:00Z"], "datetime"),
    (["31/01/2024", "01/02/2024", "02/02/2024 10:30"], "datetime"), (["1.2.2024", "2.2.2024", "3.2.2024"], "datetime"),
    (["1/31/24", "2/1/24", "2/2/24"], "datetime"), (["12 Jan 2024", "13 February 2024", "1 Mar 2024"], "datetime"),
    (["Jan 12, 2024", "Feb 3 2024", "Mar 4, 2024 10:30 PM"], "datetime"),
    (["31/01/2024 1:30 pm", "01/02/2024 11:30PM", "02/02/2024 12:00 AM"], "datetime"),
    (["6-Aug-09", "7-Aug-09", "10-Sep-10"], "datetime"), (["1960 Jan", "1960 Feb", "1961 Mar"], "datetime"),
    (["Jan-2024", "Feb 2024", "March 2024"], "datetime"), (["1970 Q1", "1970Q2", "1970-Q3"], "datetime"),
    (["6-Aug-09", "7-Aug-2009", "8-Aug-09"], "category"), (["May", "June", "July"], "category"), (["Q1", "Q2", "Q3"], "category"),
    (["2010-11", "2011-12", "2012-13"], "category"), (["2010", "2011", "2012"], "number"),
    (["13/13/2024", "14/14/2024", "15/15/2024"], "category"), (["1-2-24", "3-4-24", "5-6-24"], "category"),
    (["10/11/2024", "10-11-2024", "10/12/2024"], "datetime"), (["1/2-2024", "2/3-2024", "3/4-2024"], "category"),
    (["192.168.0.1", "10.0.0.1", "10.0.0.2"], "category"), (["12:30", "13:00", "14:00"], "category"),
    (["the first of many long remarks", "another remark of some more words", "and so it goes on and on"], "text"),
])
def test_kinds_of_strings(tmp_path, values, kind):
    frame = pd.DataFrame({"column": values * 4 if kind != "text" else values, "other": "x"})
    assert read_table(frame).kinds["column"] == kind
    assert read_table(frame.astype("category")).kinds["column"] == kind
    frame.to_csv(tmp_path / "data.csv", index=False)
    assert read_table(tmp_path / "data.csv").kinds["column"] == kind


def test_missing_values_and_numbers():
    values = [str(i / 10) for i in range(95)] + ["?", "", " n/a ", "NULL", "-"]
    table = read_table(pd.DataFrame({"a": values}))
    assert table.kinds["a"] == "number"
    assert table.frame["a"].isna().sum() == 5
    assert any("'?' counts as missing: 1 value of `a`" in note for note in table.notes)
    some = read_table(pd.DataFrame({"a": [str(i) for i in range(96)] + ["many", "few", "none", "lots"]}))
    assert some.kinds["a"] == "number"
    assert any("4 values of `a` read as no numbers" in note and "'many'" in note for note in some.notes)
    mixed = read_table(pd.DataFrame({"a": [str(i) for i in range(90)] + ["many"] * 10}))
    assert mixed.kinds["a"] == "category"


def test_plus_and_minus_are_labels():
    table = read_table(pd.DataFrame({"sign": ["+", "-"] * 6, "gap": ["a", "-"] * 6}))
    assert table.frame["sign"].notna().all()
    assert table.frame["gap"].isna().sum() == 6


def test_whole_numbers_stay_whole_where_none_is_missing(tmp_path):
    path = write(tmp_path, "a,b,c\n1,1,1.0\n2,,2.0\n3,3,3.0\n")
    assert [str(t) for t in read_table(path).frame.dtypes] == ["int64", "float64", "float64"]


def test_decimal_commas(tmp_path):
    rows = "".join(f"{i},5;1.23{i},25;{i}.{i}{i}{i};x\n" for i in range(1, 9))
    frame = read_table(write(tmp_path, "a;b;c;d\n" + rows)).frame
    assert frame["a"].tolist() == [i + 0.5 for i in range(1, 9)]
    assert frame["b"].tolist() == [1230 + i + 0.25 for i in range(1, 9)]
    assert frame["c"].tolist() == [i * 1000 + i * 111 for i in range(1, 9)]  # 1.111 beside 1,5 is a thousand
    points = read_table(write(tmp_path, "a;b\n1.5;2.25\n2.5;3.125\n")).frame
    assert points["b"].tolist() == [2.25, 3.125]


def test_values_with_delimiters_quotes_and_line_breaks(tmp_path):
    path = write(tmp_path, 'a,b\n"x, y",5"\n"he said ""so""","two\nlines"\n')
    assert read_table(path).frame["a"].tolist() == ["x, y", 'he said "so"']
    assert read_table(path).frame["b"].tolist() == ['5"', "two\nlines"]


def test_one_column(tmp_path):
    path = write(tmp_path, "review\n" + "".join(f"Good, but number {i}; was not as good\n" for i in range(20)))
    table = read_table(path)
    assert table.kinds == {"review": "text"}


def test_columns_without_a_name(tmp_path):
    table = read_table(write(tmp_path, ",a,\n7,1,\n8,2,\n"))
    assert list(table.frame.columns) == ["Unnamed: 0", "a"]
    assert any("without a name" in note for note in table.notes)


def test_names_on_one_line(tmp_path):
    table = read_table(write(tmp_path, '"total\n(EUR)", b \n1,2\n2,2\n'))
    assert list(table.frame.columns) == ["total (EUR)", "b"]


def test_numbered_columns_are_a_header(tmp_path):
    assert list(read_table(write(tmp_path, "0,1,2\n5,6,7\n5,6,8\n")).frame.columns) == ["0", "1", "2"]


@pytest.mark.parametrize(("values", "first", "remark"), [
    (["03/04/2024", "25/12/2024"], "2024-04-03", ""),
    (["03/04/2024", "12/25/2024"], "2024-03-04", ""),
    (["03/04/2024", "05/06/2024"], "2024-03-04", "month/day/year"),
    (["03.04.2024", "05.06.2024"], "2024-04-03", "day.month.year"),
    (["03/04/24", "25/12/24"], "2024-04-03", ""),
    (["1970 Q2", "1971 Q1"], "1970-04-01", "quarters"),
    (["1960 Apr", "April 1961"], "1960-04-01", ""),
    (["6-Aug-09", "7-Aug-10"], "2009-08-06", ""),
    (["2024-04-03 10:30", "2024-04-04T11:00:00.25"], "2024-04-03 10:30", ""),
    (["03/04/2024 10:30:15.5", "25/12/2024 09:00:00"], "2024-04-03 10:30:15.5", ""),
])
def test_day_and_month(values, first, remark):
    table = read_table(pd.DataFrame({"day": values * 5}))
    assert table.frame["day"][0] == pd.Timestamp(first)
    assert str(table.frame["day"].dtype) == "datetime64[ns]"
    assert any(remark in note for note in table.notes) if remark else not table.notes


def test_dates_keep_their_zone_and_lose_what_is_none():
    aware = read_table(pd.DataFrame({"t": ["2024-01-31T10:00:00Z", "2024-01-31T12:00:00+02:00"]}))
    assert aware.frame["t"].nunique() == 1
    assert str(aware.frame["t"].dt.tz) == "UTC"
    some = read_table(pd.DataFrame({"t": ["2024-01-31"] * 39 + ["soon"]}))
    assert some.frame["t"].isna().sum() == 1
    assert any("no dates" in note for note in some.notes)
    far = read_table(pd.DataFrame({"t": ["2024-01-31"] * 39 + ["9999-12-31"]}))
    assert far.frame["t"].isna().sum() == 1


@pytest.mark.parametrize(("values", "first"), [
    ([20240131, 20240201], "2024-01-31"), ([1706695200, 1706781600], "2024-01-31 10:00"),
    ([1706695200000, 1706781600000], "2024-01-31 10:00"), (["20240131", "20240201"], "2024-01-31"),
    (["2024-01", "2024-02"], "2024-01-01"),
])
def test_times_that_are_asked_for(values, first):
    frame = pd.DataFrame({"t": values * 5})
    assert read_table(frame, time="t").frame["t"][0] == pd.Timestamp(first)
    assert read_table(frame).kinds["t"] in ("number", "category")


def test_numbers_that_are_no_times_stay_numbers():
    for values in ([2010, 2011], [0.5, 1.5], [20241399, 20240101], [np.nan, 3.0]):
        assert read_table(pd.DataFrame({"t": values * 5}), time="t").kinds["t"] == "number"


def test_types_of_a_frame():
    import datetime
    import decimal

    n = 12
    frame = pd.DataFrame({
        "nullable": pd.array([1, None] * 6, dtype="Int64"), "whole": pd.array([1, 2] * 6, dtype="Int8"),
        "truth": pd.array([True, None] * 6, dtype="boolean"), "objects": pd.Series([True, None] * 6, dtype=object),
        "period": pd.period_range("2024-01", periods=n, freq="M"), "duration": pd.to_timedelta(range(n), unit="h"),
        "codes": pd.Categorical([1, 2] * 6), "order": pd.Categorical(["lo", "hi"] * 6, categories=["lo", "hi"], ordered=True),
        "mixed": pd.Series([1, "x"] * 6, dtype=object), "numbers": pd.Series(["1", 2] * 6, dtype=object),
        "decimal": pd.Series([decimal.Decimal("1.5")] * n, dtype=object), "date": [datetime.date(2024, 1, 31)] * n,
        "float32": np.arange(n, dtype="float32"), "uint": np.array([2**63] * n, dtype="uint64"),
        "when": [datetime.datetime(2024, 1, 31, tzinfo=datetime.UTC)] * n, "infinite": [np.inf, 1.5] * 6,
    })
    before = frame.copy(deep=True)
    table = read_table(frame)
    pd.testing.assert_frame_equal(frame, before)
    assert {name: str(dtype) for name, dtype in table.frame.dtypes.items()} == {
        "nullable": "float64", "whole": "int64", "truth": "boolean", "objects": "boolean", "period": "datetime64[ns]",
        "duration": "float64", "codes": "int64", "order": "category", "mixed": "category", "numbers": "int64",
        "decimal": "float64", "date": "datetime64[ns]", "float32": "float64", "uint": "category",
        "when": "datetime64[ns, UTC]", "infinite": "float64"}
    assert table.frame["order"].cat.ordered
    assert table.frame["duration"][1] == 3600
    assert table.frame["infinite"].isna().sum() == 6
    assert any("infinite" in note for note in table.notes)


@pytest.mark.parametrize(("values", "kind"), [
    (["1152921504606846976", "-9223372036854775808", "+9223372036854775807"], "number"),
    (["9223372036854775808", "1", "2"], "category"), (["-9223372036854775809", "1", "2"], "category"),
    (["1,234,567,890,123,456,789,012", "1", "2"], "number"), (["9999999999999999999", "1.5", "2"], "category"),
])
def test_whole_numbers_are_numbers_as_far_as_64_bits_go(values, kind):
    table = read_table(pd.DataFrame({"a": values * 4}))
    assert table.kinds["a"] == kind
    if values[0].startswith("1152"):
        assert table.frame["a"].tolist() == [2**60, -2**63, 2**63 - 1] * 4


def test_labels_beyond_64_bits_stay_apart():
    for column in (np.array([2**63, 2**63 + 1] * 6, dtype="uint64"), pd.array([2**63, 2**63 + 1, None] * 4, dtype="UInt64"),
                   pd.Series([2**70, 2**70 + 1] * 6, dtype=object)):
        table = read_table(pd.DataFrame({"a": column}))
        assert table.kinds["a"] == "category"
        assert table.frame["a"].nunique() == 2


def test_durations_in_a_file_are_seconds():
    table = read_table(pd.DataFrame({"a": ["0 days 01:30:00", "-1 days +23:59:59.500000", ""] * 4}))
    assert table.frame["a"].tolist()[:2] == [5400.0, -0.5]
    assert any("durations" in note for note in table.notes)
    assert read_table(pd.DataFrame({"a": ["3 days", "5 days"] * 6})).kinds["a"] == "category"
    beyond = ["999999999999 days 00:00:00", "1 days 00:00:00"] * 6
    assert read_table(pd.DataFrame({"a": beyond})).kinds["a"] == "category"


def test_columns_held_by_arrow():
    import datetime
    import decimal

    import pyarrow as pa

    day = datetime.date(2024, 1, 31)
    columns = {
        "date32": (pa.date32(), [day, None]), "date64": (pa.date64(), [day, day]),
        "stamp": (pa.timestamp("us", "UTC"), [datetime.datetime(2024, 1, 31, tzinfo=datetime.UTC)] * 2),
        "span": (pa.duration("s"), [datetime.timedelta(hours=1), datetime.timedelta(hours=2)]),
        "clock": (pa.time32("s"), [datetime.time(10), datetime.time(11)]), "whole": (pa.int16(), [1, 2]),
        "gap": (pa.int64(), [1, None]), "truth": (pa.bool_(), [True, None]), "half": (pa.float32(), [0.1, None]),
        "word": (pa.string(), ["x", "y"]), "coded": (pa.dictionary(pa.int8(), pa.string()), ["x", "y"]),
        "decimal": (pa.decimal128(10, 2), [decimal.Decimal("1.25"), None])}
    frame = pd.DataFrame({name: pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array([pa.array(values * 6, kind)])))
                          for name, (kind, values) in columns.items()})
    before = frame.copy(deep=True)
    table = read_table(frame)
    pd.testing.assert_frame_equal(frame, before)
    assert {name: str(dtype) for name, dtype in table.frame.dtypes.items()} == {
        "date32": "datetime64[ns]", "date64": "datetime64[ns]", "stamp": "datetime64[ns, UTC]", "span": "float64",
        "clock": "category", "whole": "int64", "gap": "float64", "truth": "boolean", "half": "float64", "word": "category",
        "coded": "category", "decimal": "float64"}
    assert table.frame["date32"][0] == pd.Timestamp(day)
    assert table.frame["half"][0] == 0.1
    refused(frame.assign(a=pd.Series([[1]] * 12, dtype=pd.ArrowDtype(pa.list_(pa.int64())))), "one value in every cell", "'a'")


def test_categories_of_numbers_are_numbers():
    table = read_table(pd.DataFrame({"a": pd.Categorical([1, 2, None] * 4), "b": pd.cut(range(12), 3)}))
    assert table.kinds == {"a": "number", "b": "category"}
    assert any("`a` came as a category and is read as number" in note for note in table.notes)
    assert table.frame["b"].cat.ordered
    assert all(isinstance(label, str) for label in table.frame["b"].cat.categories)


def test_a_named_index_is_spoken_of():
    frame = pd.DataFrame({"a": [1, 2]}, index=pd.Index(["x", "y"], name="who"))
    assert any("'who'" in note for note in read_table(frame).notes)
    assert read_table(frame).frame.index.tolist() == [0, 1]


def test_halves_of_surrogate_pairs_do_no_harm():
    assert read_table(pd.DataFrame({"a": pd.Series(["x\ud800", "y"] * 5, dtype=object)})).frame["a"][0] == "x?"


def test_parquet(tmp_path):
    frame = pd.DataFrame({"a": [1.5, None], "b": pd.Categorical(["x", "y"]), "c": [True, None], "d": ["u", "v"],
                          "e": pd.to_datetime(["2024-01-31", "2024-02-01"])}, index=["r", "s"])
    frame.to_parquet(tmp_path / "data.parquet")
    table = read_table(tmp_path / "data.parquet")
    assert table.kinds == {"a": "number", "b": "category", "c": "boolean", "d": "category", "e": "datetime",
                           "__index_level_0__": "category"}
    pd.DataFrame({"a": [[1], [2]]}).to_parquet(tmp_path / "lists.parquet")
    refused(tmp_path / "lists.parquet", "one value in every cell")


def test_parquet_with_a_name_twice(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]), tmp_path / "data.parquet")
    refused(tmp_path / "data.parquet", "distinct column names", "'a'")


def test_a_representation_tells_kinds_and_notes():
    text = repr(read_table(pd.DataFrame({"a": ["1", "?"] * 5, "b": list("xyxyxyxyxy")})))
    assert "10 rows × 2 columns (1 number, 1 category)" in text
    assert "'?'" in text


@pytest.mark.parametrize(("text", "delimiter"), [
    ("a,b\n1,2\n", ","), ("a;b\n1,5;2,5\n", ";"), ("a\tb,c\n1\t2\n", "\t"), ("a|b\n1|2\n", "|"),
    ("a,b,c\nx;y;z,1,2\n", ","), ('"a;x",b\n1,2\n', ","), ("one\n1\n", _tables.NO_DELIMITER),
])
def test_delimiters(text, delimiter):
    assert _tables.find_delimiter(text) == delimiter


def test_many_tokens_are_put_together():
    frame = pd.DataFrame({f"c{i}": ["1", "?"] * 5 for i in range(8)})
    notes = read_table(frame).notes
    assert len(notes) == 1
    assert "40 values of" in notes[0]
    assert "and 3 more" in notes[0]
