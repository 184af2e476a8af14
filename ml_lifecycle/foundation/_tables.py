"""Files and frames as raw columns: encoding, delimiter, header and shape, each checked with one clear line."""

import codecs
import csv
import gzip
import io
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from ml_lifecycle.foundation._words import shown
from ml_lifecycle.foundation.errors import BadInputError, UnknownNameError, did_you_mean

TEXT_SUFFIXES = (".csv", ".tsv", ".txt")
SUFFIXES = (*TEXT_SUFFIXES, *(f"{s}.gz" for s in TEXT_SUFFIXES), ".parquet")
DELIMITERS = (",", ";", "\t", "|")
LARGE = 1 << 22  # bytes from which a text is read by several threads; a thread that still runs at exit can abort the process
NO_DELIMITER = "\x1f"  # for a file of one column: a character that its text does not hold
HEAD = 1 << 16  # characters of a file that its delimiter is told from
BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True)
class Coded:
    """A column of strings as the distinct ones and, for every row, which of them it holds."""

    codes: np.ndarray  # int, -1 where there is none
    values: pa.Array  # of strings, distinct


@dataclass(frozen=True)
class Raw:
    """Columns as they stood in the source."""

    columns: dict[str, "pd.Series | Coded"]
    rows: int
    decimal: str = "."  # the mark before decimals in strings: "." or ","
    notes: tuple[str, ...] = field(default=())


def suffix_of(path: Path) -> str:
    """The suffix that decides how a file is read, such as `.csv.gz`; in lower case."""
    name = path.name.lower()
    return next((s for s in sorted(SUFFIXES, key=len, reverse=True) if name.endswith(s)), path.suffix.lower())


def stem_of(path: Path) -> str:
    """The name of a file without that suffix."""
    return path.name[: len(path.name) - len(suffix_of(path))] or path.name


def check_file(path: Path) -> None:
    """Raise one clear line unless `path` is a file of a kind that can be read."""
    kinds = ", ".join(SUFFIXES)
    if path.is_dir():
        inside = sorted(p.name for p in path.iterdir() if suffix_of(p) in SUFFIXES)[:5]
        hint = f"It holds {', '.join(inside)}." if inside else "It holds no file of these kinds."
        raise BadInputError(f"`data` must be a file ({kinds}). Got the directory {shown(path)}. {hint}")
    if not path.exists():
        folder = path.parent
        near = sorted(p.name for p in folder.iterdir() if suffix_of(p) in SUFFIXES) if folder.is_dir() else []
        where = f"Directory {shown(folder)} does not exist." if not folder.is_dir() else \
            did_you_mean(path.name, near, noun="Files there", most=6) \
            or f"No table lies in {shown(folder.resolve(), 90)}."
        raise UnknownNameError(f"`data` must be a file that exists. Got {shown(path, 120)}. {where}")
    if suffix_of(path) not in SUFFIXES:
        raise BadInputError(f"`data` must be a file of a kind that can be read ({kinds}). Got {shown(path.name)}. "
                            "Save it as CSV or Parquet, or pass a pandas DataFrame.")


def check_names(names: Iterable[object], source: str) -> list[str]:
    """The column names as stripped text; raises BadInputError when one comes twice."""
    clean = [re.sub(r"\s*[\r\n\t]+\s*", " ", str(name)).strip() for name in names]
    clean = [name or f"Unnamed: {i}" for i, name in enumerate(clean)]
    twice = [name for name, times in Counter(clean).items() if times > 1]
    if twice:
        raise BadInputError(f"`data` must have distinct column names. Got {', '.join(map(shown, twice[:5]))} more than "
                            f"once in {source}. Rename or remove the copies.")
    return clean


def read_file(
    path: Path,  # a file that `check_file` let through
    encoding: str | None,  # of a text file; None: told from its first bytes, UTF-8 otherwise
) -> Raw:
    """The raw columns of a file."""
    if path.stat().st_size == 0:
        raise BadInputError(f"`data` must be a table. Got {shown(path.name)}, which is empty (0 bytes).")
    return _read_parquet(path) if suffix_of(path) == ".parquet" else _read_text(path, encoding)


def from_frame(frame: pd.DataFrame, source: str = "the DataFrame") -> Raw:
    """The raw columns of a frame; the frame itself is left as it is."""
    if isinstance(frame.columns, pd.MultiIndex):
        raise BadInputError("`data` must have one row of column names. Got a DataFrame with a MultiIndex as columns. "
                            "Flatten them: frame.columns = ['_'.join(map(str, c)) for c in frame.columns].")
    names = check_names(frame.columns, source)
    if not names or not len(frame):
        raise BadInputError(f"`data` must have rows and columns. Got {len(frame)} rows and {len(names)} columns in "
                            f"{source}.")
    plain = isinstance(frame.index, pd.RangeIndex) or frame.index.name is None
    notes = () if plain else (f"The index {shown(frame.index.name)} is not read; reset_index() makes it a column.",)
    columns = {name: frame.iloc[:, i].reset_index(drop=True) for i, name in enumerate(names)}
    return Raw(columns, len(frame), notes=notes)


def _read_parquet(path: Path) -> Raw:
    try:
        file = pa.parquet.ParquetFile(path)
        check_names(file.schema_arrow.names, shown(path.name))
        frame = file.read().to_pandas(ignore_metadata=True, date_as_object=False)
    except (pa.ArrowException, OSError) as error:
        raise BadInputError(f"`data` must be a readable Parquet file. Got {shown(path.name)}: "
                            f"{_one_line(error)}. Write it again, or pass it as CSV.") from None
    return from_frame(frame, shown(path.name))


def _one_line(error: BaseException) -> str:
    return re.sub(r"\s+", " ", str(error)).strip().rstrip(".")[:160]


def _decoded(path: Path, encoding: str | None) -> str:
    try:
        raw = path.read_bytes()
        raw = gzip.decompress(raw) if suffix_of(path).endswith(".gz") else raw
    except (OSError, EOFError) as error:
        raise BadInputError(f"`data` must be a readable file. Got {shown(path.name)}: {_one_line(error)}.") from None
    used = encoding or next((name for bom, name in BOMS if raw.startswith(bom)), "utf-8")
    try:
        codecs.lookup(used)
        text = raw.decode(used)
    except LookupError:
        raise UnknownNameError("`encoding` must be a text encoding that Python knows, such as 'utf-8' or 'latin1'. "
                               f"Got {shown(used)}.") from None
    except UnicodeDecodeError as error:
        remedy = "Pass another `encoding`." if encoding else (
            "Pass encoding='latin1' (or what it was saved in), or convert it: "
            f"iconv -f latin1 -t utf-8 {path.name} > utf8.csv")
        raise BadInputError(f"`data` must be {used} text. Got {shown(path.name)}, which is not from byte {error.start} "
                            f"on. {remedy}") from None
    text = text.removeprefix("\ufeff").lstrip("\r\n")
    if "\x00" in text[:HEAD]:
        raise BadInputError(f"`data` must be a text file. Got {shown(path.name)}, which holds zero bytes: it is no "
                            "CSV, or it is UTF-16 without a mark. Pass encoding='utf-16-le', or save it as CSV or "
                            "Parquet.")
    if not text.strip():
        raise BadInputError(f"`data` must be a table. Got {shown(path.name)}, which is empty.")
    return text


def _records(text: str, delimiter: str, most: int) -> list[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=None), delimiter=delimiter)
    try:
        return [row for row in islice(reader, most + 1) if row][:most]
    except csv.Error:
        return []


def find_delimiter(
    text: str,  # of the whole file, or its beginning
    suffix: str = ".csv",  # of the file: `.tsv` decides between equals
) -> str:
    """The delimiter under which the header has several fields and the rows have as many."""
    head = text[:HEAD]
    whole = len(text) <= HEAD
    best, found = (0.0, 0), NO_DELIMITER
    for delimiter in (("\t", ",", ";", "|") if suffix.startswith(".tsv") else DELIMITERS):
        rows = _records(head, delimiter, 200)
        width = len(rows[0]) if rows else 0
        body = rows[1:] if whole or len(rows) >= 200 else rows[1:-1]
        if width < 2:
            continue
        same = sum(len(row) == width for row in body) / max(1, len(body))
        if (round(same, 1), width) > best:
            best, found = (round(same, 1), width), delimiter
    return found


def _decimal_mark(text: str, delimiter: str) -> str:
    """Whether numbers are written 1,5 or 1.5; only a file that is not split at commas can have the first."""
    if delimiter == ",":
        return "."
    cells = [c.strip() for row in _records(text[:HEAD], delimiter, 500)[1:] for c in row]
    comma = sum(bool(re.fullmatch(r"[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+", c)) for c in cells)
    point = sum(bool(re.fullmatch(r"[+-]?\d*\.\d+", c)) and not re.fullmatch(r"[+-]?\d{1,3}\.\d{3}", c) for c in cells)
    return "," if comma > point else "."


def _header(text: str, delimiter: str, name: str) -> list[str]:
    rows = _records(text, delimiter, 1)
    if not rows:
        raise BadInputError(f"`data` must have the column names in its first line. Got {shown(text[:40])} in "
                            f"{shown(name)}. Close every quotation mark of that line.")
    first = rows[0]
    number = [bool(re.fullmatch(r"\s*[+-]?\d*\.?\d+([eE][+-]?\d+)?\s*", cell)) for cell in first]
    if len(first) > 1 and all(number) and [c.strip() for c in first] != [str(i) for i in range(len(first))]:
        raise BadInputError(f"`data` must have the column names in its first line. Got {shown(first[:4])} in "
                            f"{shown(name)}. Add a header line.")
    return check_names(first, shown(name))


def _read_text(path: Path, encoding: str | None) -> Raw:
    text = _decoded(path, encoding)
    hint = re.match(r"sep=(.)\r?\n", text)  # the line by which spreadsheets tell each other the delimiter
    text = text[hint.end():] if hint else text
    delimiter = hint[1] if hint else find_delimiter(text, suffix_of(path))
    names = _header(text, delimiter, path.name)
    table = _parse(text.encode("utf-8", "replace"), delimiter, names, path.name)
    if not table.num_rows:
        raise BadInputError(f"`data` must have rows. Got {shown(path.name)}, which holds a header only "
                            f"({', '.join(shown(n)[1:-1] for n in names[:6])}).")
    _check_quotes(table, text, path.name)
    columns: dict[str, Any] = {}
    notes = []
    for i, name in enumerate(names):
        coded = table.column(i).combine_chunks().dictionary_encode()
        coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
        if name == f"Unnamed: {i}" and set(coded.dictionary.to_pylist()) <= {""}:
            notes.append(f"A column without a name and without values (number {i + 1}) is left out.")
            continue
        columns[name] = Coded(coded.indices.to_numpy(zero_copy_only=False).astype(np.int64), coded.dictionary)
    return Raw(columns, table.num_rows, _decimal_mark(text, delimiter), tuple(notes))


def _parse(data: bytes, delimiter: str, names: list[str], name: str) -> pa.Table:
    """Every cell as a string; rows with another number of fields than the header raise BadInputError."""
    keys = [str(i) for i in range(len(names))]
    ragged: list[Any] = []

    def note(row: Any) -> str:
        ragged.append(row)
        return "skip"

    def parse(threads: bool) -> pa.Table:
        return pa.csv.read_csv(
            pa.BufferReader(data if data.endswith((b"\n", b"\r")) else data + b"\n"),
            read_options=pa.csv.ReadOptions(column_names=keys, skip_rows_after_names=1, use_threads=threads,
                                            block_size=1 << 26),
            parse_options=pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=note),
            convert_options=pa.csv.ConvertOptions(column_types=dict.fromkeys(keys, pa.string()),
                                                  strings_can_be_null=False))

    try:
        threads = len(data) > LARGE
        table = parse(threads)
        if ragged and threads:
            ragged.clear()
            parse(False)  # one thread: only then are rows numbered
    except pa.ArrowException as error:
        raise BadInputError(f"`data` must be a table of delimited text. Got {shown(name)}: {_one_line(error)}. "
                            "Look for a quotation mark that is never closed.") from None
    if ragged:
        first = ragged[0]
        more = f" ({len(ragged):,} such rows)" if len(ragged) > 1 else ""
        raise BadInputError(f"`data` must have as many fields in every row as in the header, {first.expected_columns}. "
                            f"Got {first.actual_columns} in row {first.number} of {shown(name)}{more}: "
                            f"{shown(first.text)}. Correct the row, or put quotes around values that hold the "
                            "delimiter.")
    return table


def _check_quotes(table: pa.Table, text: str, name: str) -> None:
    """A quotation mark that never closes swallows the rest of the file without any other sign."""
    last = table.column(table.num_columns - 1)[-1].as_py()
    if ("\n" in last or "\r" in last) and not text.rstrip("\r\n").endswith('"'):
        raise BadInputError(f"`data` must close every quotation mark. Got {shown(name)}, where the one in row "
                            f"{table.num_rows + 1} stays open to the end of the file. Close it, or double it inside "
                            "a value.")
