"""Writes the CSV files of a result folder, and keeps what that would lose."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportCallIssue=false, reportReturnType=false

import csv
import io
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

import pandas as pd

from bench.schema import CASE_TIMES, FAILURES, RESULT_FILES, ResultFile
from bench.store.files import csv_text, encoded, write_bytes
from bench.store.set_aside import set_aside


def write_collected(
    folder: Path,
    collected: Mapping[str, list[pd.DataFrame]],
    in_shards: Collection[str],
    put_aside: Path,
    note: Callable[[str], None],
) -> dict[str, pd.DataFrame]:
    """Writes every CSV file anew whose content changes, and returns all by kind; one without rows goes away.

    Args:
        folder: where they lie.
        collected: their rows, in parts, by kind.
        in_shards: further cases, whose rows may go, because their shards hold them.
        put_aside: the folder for a copy of a file that has other rows that would be lost.
        note: told of such a copy.

    Raises:
        UsageError: the folder or the disk does not take them.
    """
    frames = {}
    for kind, parts in collected.items():
        path, text = folder / f"{kind}.csv", ""
        filled = [part for part in parts if len(part)]
        if filled:
            frames[kind] = ordered(RESULT_FILES[kind], pd.concat(filled, ignore_index=True))
            text = csv_text(frames[kind])
        before = path.read_bytes() if path.is_file() else b""
        if encoded(text) == before and (text or not path.is_file()):
            continue
        lost = 0 if kind in (FAILURES.kind, CASE_TIMES.kind) else _rows_lost(before, text, in_shards)
        if lost:
            copy = set_aside(path, put_aside, copy=True)
            rows = "a row that is" if lost == 1 else f"{lost} rows that are"
            note(
                f"{path} had {rows} in no shard, as after an edit by hand or where a shard was set aside: kept as {copy}"
            )
        if text:
            write_bytes(path, encoded(text))
        else:
            path.unlink(missing_ok=True)
    return frames


def ordered(file: ResultFile, frame: pd.DataFrame) -> pd.DataFrame:
    """The rows in the order in which the file has them."""
    case = [
        "suite",
        "cell",
        "initialization",
        "gain",
        "hidden_size",
        "input_kind",
        "sequence_length",
        "case_id",
    ]
    return frame.sort_values(
        [*case, "seed", *file.order],
        kind="stable",
        na_position="first",
        ignore_index=True,
        key=_empty_as_no_text,
    )


def _empty_as_no_text(column: pd.Series) -> pd.Series:
    """Of a text that is missing: a shard has none, a CSV file an empty one, and both have one place in the order."""
    return column.fillna("") if isinstance(column.dtype, pd.StringDtype) else column


def _rows_lost(before: bytes, after: str, in_shards: Collection[str]) -> int:
    """How many rows of a CSV file's content another does not have, nor any shard.

    Columns that came later are empty in the old rows.

    Args:
        in_shards: cases whose rows may go, because their shards hold them.
    """
    old = _rows(before.decode("utf-8", errors="replace"))
    new = _rows(after)
    header = next(new, [])
    new_rows = {tuple(row) for row in new}
    old_header, lost = next(old, []), 0
    for row in old:
        values = dict(zip(old_header, row, strict=False))
        known = len(row) == len(old_header) and (not header or set(old_header) <= set(header))
        whole = tuple(values.get(name, "") for name in header) if known else tuple(row)
        lost += whole not in new_rows and values.get("case_id") not in in_shards
    return lost


def _rows(text: str) -> Iterator[list[str]]:
    """The rows of a CSV text that are not empty; where it is none, its lines."""
    try:
        yield from [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    except csv.Error:  # a field longer than csv's limit
        yield from ([line] for line in text.splitlines() if line)
