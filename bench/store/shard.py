"""A shard: one JSON file with all that a case gave."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportCallIssue=false

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bench.errors import UsageError
from bench.schema import RESULT_FILES, SCHEMA_VERSION, ResultFile

Rows = Sequence[Mapping[str, Any]]
DTYPES = {"text": "string", "integer": "Int64", "number": "float64", "truth": "boolean"}
UNREADABLE = (OSError, ValueError, TypeError, OverflowError, RecursionError)
"""What reading a file may raise whose content is not what it should be."""


class DamagedError(Exception):
    """A file is no whole shard; the message says why."""


def text_of(case_id: str, status: str, tables: Mapping[str, Rows]) -> str:
    """A shard's content.

    Raises:
        ValueError: the schema has no such kind or column.
        TypeError: a value is nothing that JSON knows.
    """
    for kind, rows in tables.items():
        if kind not in RESULT_FILES:
            raise ValueError(f"there is no result file {kind!r}")
        _refuse_unknown(RESULT_FILES[kind], itertools.chain.from_iterable(rows))
    return json.dumps(
        {"schema_version": SCHEMA_VERSION, "case_id": case_id, "status": status, "tables": tables}
    )


def read(path: Path) -> dict[str, Any]:
    """A shard's content; its rows are not looked at.

    Raises:
        DamagedError: it is no whole shard of this case.
        UsageError: it is of another version of the schema.
        FileNotFoundError: there is none.
    """
    try:
        shard = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise
    except UNREADABLE as error:
        raise DamagedError(f"{type(error).__name__}: {error}") from error
    if not isinstance(shard, dict) or "schema_version" not in shard:
        raise DamagedError("it has no schema_version")
    version = shard["schema_version"]
    if version != SCHEMA_VERSION:
        raise UsageError(
            f"{path} has schema_version {version!r}, this rnn-bench reads and writes {SCHEMA_VERSION}; "
            "choose another --out, or go on with the version of rnn-bench that wrote it"
        )
    if shard.get("case_id") != path.stem:
        raise DamagedError(f"its case_id is {shard.get('case_id')!r}, not its file's name")
    if not isinstance(shard.get("status"), str):
        raise DamagedError("it has no status")
    tables = shard.get("tables")
    if not isinstance(tables, dict) or not all(_is_rows(rows) for rows in tables.values()):
        raise DamagedError("its tables are no lists of rows by kind of result file")
    return shard


def frames(shard: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """A shard's rows by kind of result file; kinds without rows are left out.

    Raises:
        DamagedError: a row does not fit the schema.
    """
    found = {}
    for kind, rows in shard["tables"].items():
        if kind not in RESULT_FILES:
            raise DamagedError(f"there is no result file {kind!r}")
        if rows:
            try:
                found[kind] = typed(RESULT_FILES[kind], rows)
            except UNREADABLE as error:
                raise DamagedError(f"a row of {kind} does not fit: {error}") from error
    return found


def _is_rows(rows: Any) -> bool:
    return isinstance(rows, list) and all(isinstance(row, dict) for row in rows)


def typed(file: ResultFile, rows: Rows) -> pd.DataFrame:
    """Rows as a DataFrame with every column of the file, in its order and dtypes.

    Raises:
        ValueError, TypeError: a column is not the schema's, or a value not of its type.
    """
    frame = pd.DataFrame(list(rows))
    _refuse_unknown(file, frame.columns)
    frame = frame.reindex(columns=[column.name for column in file.all_columns])
    try:
        return frame.astype({column.name: DTYPES[column.type] for column in file.all_columns})
    except UNREADABLE as error:
        raise ValueError(f"{_wrong_column(file, frame)}{error}") from error


def _refuse_unknown(file: ResultFile, names: Iterable[str]) -> None:
    unknown = sorted(map(str, set(names) - {column.name for column in file.all_columns}))
    if unknown:
        raise ValueError(f"{file.kind} has no column {unknown[0]!r}")


def _wrong_column(file: ResultFile, frame: pd.DataFrame) -> str:
    """The first column whose values are not of its type, as the beginning of a sentence."""
    for column in file.all_columns:
        try:
            frame[column.name].astype(DTYPES[column.type])
        except UNREADABLE:
            return f"column {column.name}: "
    return ""
