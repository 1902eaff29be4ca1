"""Reads a result file, and says where it is not what the schema says."""

import csv
import io
import math
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pandas as pd

from bench.errors import UsageError
from bench.privacy import error_line
from bench.schema import SCHEMA_VERSION, Column, ResultFile
from bench.store.shard import DTYPES, UNREADABLE

_MEND = "restore the file, or move it away: a run of its suite makes it again from the shards, or measures"
_TRUTHS = {"true", "false", ""}
_TOLD_CHARACTERS = 60


def read(path: Path, file: ResultFile) -> pd.DataFrame:
    """A result file as a DataFrame with the right dtypes; columns that came later are empty where missing.

    Raises:
        UsageError: it cannot be read, or is of another schema; the message names the line and the column.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    try:
        frame = _parsed(content, file).copy()
    except UNREADABLE as error:
        found = _problem(content, file) or f"{type(error).__name__}: {error_line(str(error))}"
        raise UsageError(
            f"{path} cannot be read as schema version {SCHEMA_VERSION}: {found}; {_MEND}"
        ) from error
    other = frame["schema_version"] != SCHEMA_VERSION
    if other.isna().any() or other.any():
        line = int(other.fillna(True).to_numpy().argmax())
        raise UsageError(
            f"{path} is not of schema version {SCHEMA_VERSION}: row {line + 1} has schema_version "
            f"{frame['schema_version'].iloc[line]}; {_MEND}"
        )
    return frame


@lru_cache(maxsize=32)  # tables, claims and pictures each read the same few files
def _parsed(content: bytes, file: ResultFile) -> pd.DataFrame:
    names = [column.name for column in file.all_columns]
    if not content.strip():
        raise ValueError("it is empty")
    header = list(pd.read_csv(io.BytesIO(content), nrows=0).columns)
    wrong = _wrong_column(header, file)
    if wrong:
        raise ValueError(wrong)
    if not _is_whole(content, len(header)):
        raise ValueError("a row has fewer values than there are columns")  # pandas would fill it up
    texts = [column.name for column in file.all_columns if column.type == "text"]
    frame = pd.read_csv(
        io.BytesIO(content),
        keep_default_na=False,
        na_values={column.name: [""] for column in file.all_columns if column.type != "text"},
        dtype=dict.fromkeys([name for name in texts if name in header], "string"),
        low_memory=False,
    )
    if not isinstance(frame.index, pd.RangeIndex):  # rows longer than the header
        raise ValueError("its rows have more values than it has columns")
    return frame.reindex(columns=names).astype({each.name: DTYPES[each.type] for each in file.all_columns})


def _is_whole(content: bytes, columns: int) -> bool:
    """Whether every row has as many values as there are columns."""
    if b'"' in content:
        rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        try:
            return all(len(row) == columns for row in rows if row)
        except csv.Error:  # a value longer than csv takes
            return False
    return all(line.count(b",") == columns - 1 for line in content.splitlines() if line)


def _wrong_column(header: list[str], file: ResultFile) -> str:
    """How a header differs from the schema's; empty if it does not."""
    expected = file.header_like(header)
    if header == expected:
        return ""
    pairs = zip([*header, "nothing"], [*expected, "nothing"], strict=False)
    there, wanted = next(pair for pair in pairs if pair[0] != pair[1])
    return (
        f"it has other columns than schema version {SCHEMA_VERSION}: {_short(there)} where {wanted!r} belongs"
    )


def _problem(content: bytes, file: ResultFile) -> str:
    """The first thing that is wrong, with its line and column."""
    if not content.strip():
        return "it is empty"
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return f"line {line}: byte {content[error.start]:#04x} is no UTF-8"
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(rows, [])
        wrong = _wrong_column(header, file)
        return wrong or next(_wrong_values(rows, header, file), "")
    except csv.Error as error:
        return f"line {rows.line_num}: {error}"


def _wrong_values(rows: "csv.Reader", header: list[str], file: ResultFile) -> Iterator[str]:  # type: ignore[name-defined]
    columns = {column.name: column for column in file.all_columns}
    for row in rows:
        if row and len(row) != len(header):
            yield f"line {rows.line_num} has {len(row)} values for {len(header)} columns"
        for name, value in zip(header, row, strict=False):
            wrong = _wrong_value(columns[name], value)
            if wrong:
                yield f"line {rows.line_num}, column {name}: {_short(value)} {wrong}"


def _wrong_value(column: Column, value: str) -> str:
    """What is wrong with a value, as the end of a sentence; empty if nothing is."""
    if column.type == "text" or value == "":
        return ""
    if column.type == "truth":
        return "" if value.strip().lower() in _TRUTHS else "is neither True nor False"
    try:
        number = float(value)
    except ValueError:
        return "is no number"
    if column.type == "integer" and not (math.isfinite(number) and number == int(number)):
        return "is no whole number"
    if column.type == "integer" and not -(2**63) <= number < 2**63:
        return "is too large"
    return ""


def _short(value: str) -> str:
    return repr(value if len(value) <= _TOLD_CHARACTERS else f"{value[:_TOLD_CHARACTERS]}...")
