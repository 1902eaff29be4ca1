"""Result folders: one shard a finished case, and the CSV files collated from them."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

import json
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from bench.errors import UsageError
from bench.machine import differences
from bench.schema import CASE_TIMES, FAILURES, RESULT_FILES
from bench.store import locks, result_csv, shard
from bench.store.collation import write_collected
from bench.store.files import make_folder, write_text
from bench.store.machine_file import read_machine, with_earlier_commits
from bench.store.more_seeds import measured_for_more_seeds
from bench.store.set_aside import set_aside
from bench.store.shard import Rows


def _silent(line: str) -> None:
    pass


@dataclass(frozen=True)
class Store:
    """One result folder.

    A case is written as a shard of its own: a temporary file, flushed to the disk, then renamed. So
    a kill loses the case in hand and no other; one whose kind keeps checkpoints goes on from the last of
    them. Several runs share a folder: each reserves the case that it measures, and they take turns
    at what is made of all shards.

    Attributes:
        folder: where.
        left_out: cases that `read` leaves out, as those of `each_seed_once`.
    """

    folder: Path
    left_out: frozenset[str] = frozenset()

    @property
    def shards(self) -> Path:
        """Where the finished cases lie."""
        return self.folder / "shards"

    @property
    def put_aside(self) -> Path:
        """Where what is damaged, or no longer what a run would write, is kept."""
        return self.shards / "set-aside"

    def checkpoints(self, case_id: str) -> Path:
        """The folder of what a case that was not finished goes on from."""
        return self.shards / f"{case_id}.checkpoints"

    def is_done(self, case_id: str) -> bool:
        """True where the case has a shard that says it finished.

        Raises:
            UsageError: the shard is of another version of the schema.
        """
        try:
            return shard.read(self._path(case_id))["status"] == "done"
        except (shard.DamagedError, FileNotFoundError):
            return False

    def has_shard(self, case_id: str) -> bool:
        """True where the case was tried before, whatever became of it."""
        return self._path(case_id).is_file()

    def written_at(self, case_id: str) -> int | None:
        """When the case was last tried, in nanoseconds; None if never."""
        try:
            return self._path(case_id).stat().st_mtime_ns
        except OSError:
            return None

    def write(self, case_id: str, tables: Mapping[str, Rows], *, status: str = "done") -> None:
        """Keeps what a case gave: rows by kind of result file. One that is done needs its checkpoints no more.

        A case that is done stays so, whoever failed to measure it again.

        Raises:
            UsageError: the folder or the disk does not take it.
            ValueError: the schema has no such kind or column.
            TypeError: a value is nothing that JSON knows.
        """
        if status != "done" and self.is_done(case_id):
            return
        write_text(self._path(case_id), shard.text_of(case_id, status, tables))
        if status == "done":
            shutil.rmtree(self.checkpoints(case_id), ignore_errors=True)

    @contextmanager
    def reserved(self, case_id: str) -> Iterator[bool]:
        """Reserves a case for this process; False where another run has it in hand.

        What killed runs left of the case but its checkpoints is cleared away.
        """
        with suppress(OSError):
            self.shards.mkdir(parents=True, exist_ok=True)
        with locks.reserved(self.shards / f".{case_id}{locks.TEMPORARY}") as held:
            if held:
                for path in self.checkpoints(case_id).glob(".*"):
                    with suppress(OSError):
                        path.unlink(missing_ok=True)
            yield held is not False

    def make_folder(self) -> None:
        """Makes the folder where there is none.

        Raises:
            UsageError: it cannot be made.
        """
        make_folder(self.folder)

    def exclusive(self, note: Callable[[str], None] = _silent) -> Any:
        """One run at a time, for what is written of all cases; a context manager.

        Args:
            note: told where another run has to be waited for.
        """
        return locks.exclusive(
            self.folder, lambda: note(f"waiting for another run to write the files of {self.folder}")
        )

    def clean(self, case_ids: Collection[str]) -> list[str]:
        """Clears away what killed runs left, and sets damaged shards aside; returns a line for each of these.

        Args:
            case_ids: whose shards are looked at.

        Raises:
            UsageError: a shard is of another version of the schema, or cannot be moved.
        """
        for folder in (self.folder, self.shards, self.folder / "tables", self.folder / "figures"):
            locks.delete_leftovers(folder)
        lines = []
        for case_id in sorted(case_ids):
            try:
                done = self.has_shard(case_id) and shard.read(self._path(case_id))["status"] == "done"
            except FileNotFoundError:  # another run set it aside just now
                continue
            except shard.DamagedError:
                lines.append(self._set_aside(case_id))
                continue
            if done:
                shutil.rmtree(self.checkpoints(case_id), ignore_errors=True)
        return [line for line in lines if line]

    def _set_aside(self, case_id: str) -> str:
        """Moves a damaged shard away, unless another run has its case in hand; returns a line that says so."""
        path = self._path(case_id)
        with self.reserved(case_id) as mine:
            if not mine:
                return ""
            try:
                shard.frames(shard.read(path))
            except shard.DamagedError as error:
                kept = set_aside(path, self.put_aside)
                return (
                    f"{path} is no whole shard ({error}): set aside as {kept}; `run` measures its case again"
                )
            except FileNotFoundError:
                pass
        return ""

    def _path(self, case_id: str) -> Path:
        return self.shards / f"{case_id}.json"

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
                dtype_alone = all(line.startswith("dtype: ") for line in unlike)
                other = "dtype" if dtype_alone else "machine or installation"
                raise UsageError(
                    f"{self.folder} holds results of another {other}; choose another --out. "
                    f"There, by its machine.json, and here: {'; '.join(unlike)}"
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
                    f"{self._table(kind)} holds results of suite {others[0]!r}; choose another --out for {suite!r}"
                )

    def write_machine(self, machine: Mapping[str, Any]) -> None:
        """Writes `machine.json`, which names the commits of earlier runs where the folder holds rows of theirs."""
        if self.case_ids() or any(self.shards.glob("*.json")):
            machine = with_earlier_commits(machine, self.folder)
        write_text(self.folder / "machine.json", json.dumps(machine, indent=2, sort_keys=True) + "\n")

    def collate(
        self, case_ids: Collection[str] | None = None, note: Callable[[str], None] = _silent
    ) -> dict[str, pd.DataFrame]:
        """Writes every CSV file anew, and returns them by kind.

        A CSV file that holds rows which neither a shard nor the new file has, such as one that was edited by
        hand, is set aside first.

        Args:
            case_ids: the cases that the files shall hold; every shard if None. Those without a shard
                keep the rows that the CSV files have of them, so that a folder that came without its
                shards loses nothing. Shards of other cases, such as those of an older version of the
                measuring code, are left where they are.
            note: told what was set aside: such a CSV file, or a damaged shard.

        Raises:
            UsageError: a shard or a CSV file is of another schema.
        """
        there = {path.stem for path in self.shards.glob("*.json")}
        wanted = there if case_ids is None else set(case_ids)
        without_shard = set(wanted)
        collected: dict[str, list[pd.DataFrame]] = {kind: [] for kind in RESULT_FILES}
        for case_id in sorted(wanted & there):
            try:
                content = shard.read(self._path(case_id))
                parts = shard.frames(content)
            except shard.DamagedError:
                note(self._set_aside(case_id) or f"case {case_id} is being measured again by another run")
                continue
            for kind, part in parts.items():
                collected[kind].append(part)
            if content["status"] == "done":
                without_shard.discard(case_id)
        for kind, parts in collected.items():
            parts += self._rows_of(kind, without_shard)
        return write_collected(self.folder, collected, there - wanted, self.put_aside, note)

    def _rows_of(self, kind: str, case_ids: set[str]) -> list[pd.DataFrame]:
        if kind == FAILURES.kind or not case_ids or kind not in self.kinds():
            return []
        frame = self._read_all(kind)
        return [frame[frame["case_id"].isin(case_ids)]]

    def read(self, kind: str) -> pd.DataFrame:
        """One result file as a DataFrame with the right dtypes.

        Raises:
            UsageError: there is no such file, or it is of another schema.
        """
        frame = self._read_all(kind)
        return frame[~frame["case_id"].isin(self.left_out)].reset_index(drop=True) if self.left_out else frame

    def _read_all(self, kind: str) -> pd.DataFrame:
        path = self._table(kind)
        if not path.is_file():
            raise UsageError(f"{self.folder} has no {kind}.csv")
        return result_csv.read(path, RESULT_FILES[kind])

    def each_seed_once(self, match_ids: Collection[str] | None = None) -> "Store":
        """The same folder, read without the cases that were measured for more seeds too: for whatever counts rows.

        Args:
            match_ids: of the cases that count; all if None.
        """
        frames = {}
        for kind in self.kinds():
            with suppress(UsageError):  # who needs a file that cannot be read will say so
                frames[kind] = self.read(kind)
        if match_ids is not None:
            frames = {kind: frame[frame["match_id"].isin(match_ids)] for kind, frame in frames.items()}
        return replace(self, left_out=self.left_out | measured_for_more_seeds(frames))

    def case_ids(self) -> set[str]:
        """The cases of which the CSV files hold rows, whether or not their shards are there; no failed ones.

        Raises:
            UsageError: a file cannot be read.
        """
        return set(self.files_of_cases())

    def files_of_cases(self) -> dict[str, set[str]]:
        """The kinds of result file that hold rows of each of these cases.

        Raises:
            UsageError: a file cannot be read.
        """
        found: dict[str, set[str]] = {}
        for kind in self.kinds():
            if kind not in (FAILURES.kind, CASE_TIMES.kind):
                for case_id in self.read(kind)["case_id"].unique():
                    found.setdefault(case_id, set()).add(kind)
        return found

    def kinds(self) -> list[str]:
        """The kinds of result file that the folder holds."""
        return [kind for kind in RESULT_FILES if self._table(kind).is_file()]

    def _table(self, kind: str) -> Path:
        return self.folder / f"{kind}.csv"

    def shard(self, case_id: str) -> dict[str, Any] | None:
        """What a case gave, its `status` and `tables`; None where its shard is not there or not whole."""
        try:
            return shard.read(self._path(case_id))
        except (shard.DamagedError, FileNotFoundError):
            return None
