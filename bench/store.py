"""Result folders: one shard a finished case, and the CSV files collated from them."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

import itertools
import json
import os
import shutil
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bench.errors import UsageError
from bench.machine import differences
from bench.schema import CASE_TIMES, FAILURES, RESULT_FILES, SCHEMA_VERSION, ResultFile

Rows = Sequence[Mapping[str, Any]]
_DTYPES = {"text": "string", "integer": "Int64", "number": "float64", "truth": "boolean"}


@dataclass(frozen=True)
class Store:
    """One result folder.

    A case is written as a shard of its own: a temporary file, flushed to the disk, then renamed. So
    a kill loses the case in hand and no other, and several writers share a folder without a lock.
    Of the case in hand it loses only what its kind keeps no checkpoint of.
    """

    folder: Path

    @property
    def shards(self) -> Path:
        """Where the finished cases lie."""
        return self.folder / "shards"

    def checkpoints(self, case_id: str) -> Path:
        """The folder of what a case that was not finished goes on from."""
        return self.shards / f"{case_id}.checkpoints"

    def is_done(self, case_id: str) -> bool:
        """True where the case has a shard that says it finished."""
        shard = self._load(self.shards / f"{case_id}.json")
        return shard is not None and shard["status"] == "done"

    def has_shard(self, case_id: str) -> bool:
        """True where the case was tried before, whatever became of it."""
        return (self.shards / f"{case_id}.json").is_file()

    def write(self, case_id: str, tables: Mapping[str, Rows], *, status: str = "done") -> None:
        """Keeps what a case gave: rows by kind of result file. One that is done needs its checkpoints no more."""
        content = {"schema_version": SCHEMA_VERSION, "case_id": case_id, "status": status, "tables": tables}
        write_text(self.shards / f"{case_id}.json", json.dumps(content))
        if status == "done":
            shutil.rmtree(self.checkpoints(case_id), ignore_errors=True)

    def claim(self, facts: Mapping[str, Any]) -> None:
        """Makes the folder this machine's, or refuses as `refuse_other_machines` does."""
        self.refuse_other_machines(facts)
        self.write_machine(facts)

    def refuse_other_machines(self, facts: Mapping[str, Any]) -> None:
        """Keeps results of two machines apart.

        Raises:
            UsageError: the folder holds results of another machine, package version or dtype.
        """
        path = self.folder / "machine.json"
        if path.is_file():
            there = read_machine(self.folder)
            unlike = differences(there, facts)
            if unlike:
                raise UsageError(
                    f"{self.folder} holds results of another machine or installation; choose another --out. "
                    f"There and here: {'; '.join(unlike)}"
                )

    def refuse_without_results(self) -> None:
        """Tells an empty or wrong folder from one of results.

        Raises:
            UsageError: there is no such folder, or it holds no result file.
        """
        if not self.folder.is_dir():
            raise UsageError(f"{self.folder} is not a folder; name one that `rnn-bench run` wrote")
        if not self.kinds():
            raise UsageError(f"{self.folder} holds no result file; name a folder that `rnn-bench run` wrote")

    def refuse_other_suites(self, suite: str) -> None:
        """Keeps one suite's results from taking the place of another's.

        Raises:
            UsageError: the CSV files hold rows of a suite of another name.
        """
        for kind in self.kinds():
            others = sorted(set(self.read(kind)["suite"]) - {suite})
            if others:
                raise UsageError(
                    f"{self.folder} holds results of suite {others[0]!r}; choose another --out for {suite!r}"
                )

    def write_machine(self, machine: Mapping[str, Any]) -> None:
        """Writes `machine.json`."""
        write_text(self.folder / "machine.json", json.dumps(machine, indent=2, sort_keys=True) + "\n")

    def collate(self, case_ids: Collection[str] | None = None) -> dict[str, pd.DataFrame]:
        """Writes every CSV file anew, and returns them by kind.

        Args:
            case_ids: the cases that the files shall hold; every shard if None. Those without a shard
                keep the rows that the CSV files have of them, so that a folder that came without its
                shards loses nothing. Shards of other cases, such as those of an older version of the
                measuring code, are left where they are.

        Raises:
            UsageError: a shard is damaged, or a CSV file is of another schema.
        """
        shards = {path.stem: path for path in sorted(self.shards.glob("*.json"))}
        wanted = set(shards) if case_ids is None else set(case_ids)
        tables = []
        without_shard = set(wanted)
        for case_id in sorted(wanted & set(shards)):
            shard = self._load(shards[case_id])
            if shard is None:
                raise UsageError(
                    f"{shards[case_id]} is not a whole shard; delete it, and `run` measures its case again"
                )
            tables.append(shard["tables"])
            if shard["status"] == "done":
                without_shard.discard(case_id)
        collected = {kind: self._rows_of(kind, without_shard) for kind in RESULT_FILES}
        for kind, rows in itertools.chain.from_iterable(table.items() for table in tables):
            if rows:
                collected[kind].append(typed(RESULT_FILES[kind], rows))
        frames = {}
        for kind, parts in collected.items():
            path = self.folder / f"{kind}.csv"
            filled = [part for part in parts if len(part)]
            if filled:
                frames[kind] = ordered(RESULT_FILES[kind], pd.concat(filled, ignore_index=True))
                write_csv(path, frames[kind])
            elif path.is_file():
                path.unlink()
        return frames

    def _rows_of(self, kind: str, case_ids: set[str]) -> list[pd.DataFrame]:
        if kind == FAILURES.kind or not case_ids or kind not in self.kinds():
            return []
        frame = self.read(kind)
        return [frame[frame["case_id"].isin(case_ids)]]

    def read(self, kind: str) -> pd.DataFrame:
        """One result file as a DataFrame with the right dtypes.

        Raises:
            UsageError: there is no such file, or it is of another schema.
        """
        path = self.folder / f"{kind}.csv"
        if not path.is_file():
            raise UsageError(f"{self.folder} has no {kind}.csv")
        columns = RESULT_FILES[kind].all_columns
        names = [column.name for column in columns]
        later = {column.name for column in columns if column.later}
        texts = [column.name for column in columns if column.type == "text"]
        try:
            header = pd.read_csv(path, nrows=0).columns
            missing = set(names) - set(header)
            if list(header) != [name for name in names if name not in missing] or not missing <= later:
                raise UsageError(
                    f"{path} has other columns than schema version {SCHEMA_VERSION}; measure it again"
                )
            frame = pd.read_csv(
                path,
                keep_default_na=False,
                na_values={column.name: [""] for column in columns if column.type != "text"},
                dtype=dict.fromkeys(texts, "string"),
            )
            if not isinstance(frame.index, pd.RangeIndex):  # rows longer than the header
                raise ValueError("its rows have more values than it has columns")
            whole = frame.reindex(columns=names)
            return whole.astype({column.name: _DTYPES[column.type] for column in columns})
        except (ValueError, TypeError) as error:
            raise UsageError(f"{path} cannot be read as schema version {SCHEMA_VERSION}: {error}") from error

    def case_ids(self) -> set[str]:
        """The cases of which the CSV files hold rows, whether or not their shards are there; no failed ones.

        Raises:
            UsageError: a file cannot be read.
        """
        finished = (kind for kind in self.kinds() if kind not in (FAILURES.kind, CASE_TIMES.kind))
        return set(itertools.chain.from_iterable(self.read(kind)["case_id"] for kind in finished))

    def kinds(self) -> list[str]:
        """The kinds of result file that the folder holds."""
        return [kind for kind in RESULT_FILES if (self.folder / f"{kind}.csv").is_file()]

    def shard(self, case_id: str) -> dict[str, Any] | None:
        """What a case gave, its `status` and `tables`; None where its shard is not there or not whole."""
        return self._load(self.shards / f"{case_id}.json")

    @staticmethod
    def _load(path: Path) -> dict[str, Any] | None:
        try:
            shard = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        whole = isinstance(shard, dict) and {"status", "tables"} <= shard.keys()
        return shard if whole and shard.get("schema_version") == SCHEMA_VERSION else None


def read_machine(folder: Path) -> dict[str, Any]:
    """The facts in a folder's `machine.json`.

    Raises:
        UsageError: it is missing or damaged.
    """
    path = folder / "machine.json"
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(facts["identity"], dict):
            raise TypeError("identity is no object")
    except OSError as error:
        raise UsageError(f"{folder} is not a result folder: it has no machine.json") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path} is damaged ({error}); delete it if the results are this machine's"
        ) from error
    return facts


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    """Writes a DataFrame as this project's CSV, in UTF-8."""
    write_text(path, csv_text(frame))


def csv_text(frame: pd.DataFrame) -> str:
    """A DataFrame as this project's CSV: LF, nine significant digits."""
    return frame.to_csv(index=False, lineterminator="\n", float_format="%.9g")


def write_text(path: Path, text: str) -> None:
    """Writes a text file whole or not at all."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all: a temporary file, fsync, rename.

    Raises:
        UsageError: the folder or the disk does not take it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, 0o644)
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise UsageError(
            f"cannot write {path}: {error.strerror}; what was finished before is kept"
        ) from error


def typed(file: ResultFile, rows: Rows) -> pd.DataFrame:
    """Rows of a result file as a DataFrame with all of its columns, in their dtypes."""
    names = [column.name for column in file.all_columns]
    frame = pd.DataFrame(list(rows))
    unknown = sorted(set(frame.columns) - set(names))
    if unknown:
        raise ValueError(f"{file.kind} has no column {unknown[0]!r}")
    return frame.reindex(columns=names).astype({c.name: _DTYPES[c.type] for c in file.all_columns})


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
        [*case, "seed", *file.order], kind="stable", na_position="first", ignore_index=True
    )
