"""What a result folder holds, read without pandas and JAX: in a moment, and while another process writes there."""

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.schema import CASE_TIMES, FAILURES, RESULT_FILES, SCHEMA_VERSION, TASK_ACCURACY, ResultFile

_HEAD_BYTES = 4096
_STATUS = re.compile(rb'"status": ?"(\w+)"')
_ELAPSED = re.compile(rb'"elapsed_s": ?([0-9.eE+-]+)')
_BEGINS = "schema_version,case_id,match_id,suite,"


@dataclass(frozen=True)
class Shard:
    """A case that was measured here.

    Attributes:
        status: done or failed.
        elapsed_s: seconds it took; None where nobody knows.
        path: its file.
        written: when, in seconds since 1970.
    """

    status: str
    elapsed_s: float | None
    path: Path
    written: float


@dataclass(frozen=True)
class InFiles:
    """A case of which the CSV files hold rows: its suite, and the kinds of result file with rows of it."""

    suite: str
    files: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Failure:
    """A case that did not finish; `written` in seconds since 1970, None where it is a row of failures.csv."""

    case_id: str
    kind: str
    status: str
    error: str
    elapsed_s: float | None
    written: float | None


@dataclass(frozen=True)
class Took:
    """What a case took, by its own record or, where `training_alone`, without all that is not training."""

    seconds: float
    match_id: str
    training_alone: bool = False


def shards(folder: Path) -> dict[str, Shard]:
    """The cases that have a shard, by id; one that is not whole is left out, as `run` measures it again."""
    found = {}
    for path in sorted(folder.glob("shards/*.json")):
        try:
            written = path.stat().st_mtime
            with path.open("rb") as file:
                head = file.read(_HEAD_BYTES)
                file.seek(-1, 2)
                last = file.read()
        except OSError:  # being replaced just now, or empty
            continue
        status, elapsed = _STATUS.search(head), _ELAPSED.search(head)
        if status is not None and last == b"}":
            seconds = _number(elapsed.group(1).decode()) if elapsed else None
            found[path.stem] = Shard(status.group(1).decode(), seconds, path, written)
    return found


def in_files(folder: Path) -> dict[str, InFiles]:
    """The finished cases of which the CSV files hold rows, by id."""
    found: dict[str, InFiles] = {}
    for kind in RESULT_FILES:
        if kind not in (FAILURES.kind, CASE_TIMES.kind):
            for line in _lines(folder / f"{kind}.csv"):
                begin = line.split(",", 4)
                if len(begin) == 5 and begin[0].isdigit():
                    found.setdefault(begin[1], InFiles(begin[3])).files.add(kind)
    return found


def kinds_of_cases(folder: Path) -> dict[str, str]:
    """The kinds of the cases that finished, by id, as far as case_times.csv knows."""
    return {row["case_id"]: row["kind"] for row in _rows(folder / f"{CASE_TIMES.kind}.csv", "kind")}


def damaged(folder: Path) -> list[str]:
    """The result files that no other verb would read: other columns, a row with more or fewer values than there are, or of
    another version of the schema."""
    found = []
    for kind, file in RESULT_FILES.items():
        path = folder / f"{kind}.csv"
        if path.is_file() and not _is_whole(path, file):
            found.append(path.name)
    return found


def _is_whole(path: Path, expected: ResultFile) -> bool:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            header = next(rows, [])
            version = header.index("schema_version")
            return header == expected.header_like(header) and all(
                len(row) == len(header) and _number(row[version]) == SCHEMA_VERSION for row in rows if row
            )
    except (OSError, ValueError, csv.Error):
        return False


def took(folder: Path) -> dict[str, Took]:
    """What cases took, by id, as far as the CSV files know.

    Files from before case_times.csv still say of a training how long it and its compilation took.
    """
    found = {}
    for row in _rows(folder / f"{TASK_ACCURACY.kind}.csv", "train_s", "compile_s"):
        parts = [_number(row["train_s"]), _number(row["compile_s"])]
        if parts[0] is not None:
            found[row["case_id"]] = Took(parts[0] + (parts[1] or 0.0), row["match_id"], training_alone=True)
    for row in _rows(folder / f"{CASE_TIMES.kind}.csv", "elapsed_s"):
        seconds = _number(row["elapsed_s"])
        if seconds is not None:
            found[row["case_id"]] = Took(seconds, row["match_id"])
    return found


def failures(folder: Path, failed: dict[str, Shard]) -> list[Failure]:
    """The cases that did not finish, the last one last: of shards, then of failures.csv where there is none."""
    found = {
        row["case_id"]: Failure(
            row["case_id"], row["kind"], row["status"], row["error"], _number(row["elapsed_s"]), None
        )
        for row in _rows(folder / f"{FAILURES.kind}.csv", "kind", "status", "error", "elapsed_s")
    }
    for case_id, shard in failed.items():
        row = _failure_row(shard.path)
        found[case_id] = Failure(
            case_id,
            str(row.get("kind", "")),
            str(row.get("status", "failed")),
            str(row.get("error", "")),
            shard.elapsed_s,
            shard.written,
        )
    return sorted(found.values(), key=lambda each: each.written or 0.0)


def identity(folder: Path) -> tuple[dict[str, Any], str]:
    """What machine.json says that the results are of, and the command that wrote it; empty where it says nothing."""
    try:
        facts = json.loads((folder / "machine.json").read_text(encoding="utf-8"))
        return dict(facts["identity"]), str(facts["volatile"].get("command", ""))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}, ""


def _failure_row(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))["tables"][FAILURES.kind][0]
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return {}


def _lines(path: Path) -> Iterator[str]:
    """The lines after the header of one of this project's CSV files; none of any other file."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            if file.readline().startswith(_BEGINS):
                yield from file
    except OSError:
        return


def _rows(path: Path, *needed: str) -> Iterator[dict[str, str]]:
    """The rows of one of this project's CSV files that has the columns that are needed; none of any other file."""
    try:
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            rows = csv.DictReader(file, restval="")
            names = rows.fieldnames or ()
            if ",".join(names).startswith(_BEGINS) and set(needed) <= set(names):
                yield from rows
    except (OSError, csv.Error):
        return


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None
