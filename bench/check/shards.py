"""Whether shards, where they are there, say the same as the CSV files."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

import itertools
from collections.abc import Collection, Iterator, Mapping

import pandas as pd

from bench.check.finding import DAMAGED, NOTE, Finding
from bench.schema import RESULT_FILES
from bench.store import Store
from bench.store.collation import ordered
from bench.store.files import csv_text
from bench.store.shard import Rows, typed

_AGAIN = (
    "the command that measured the folder writes the CSV files anew from the shards, once those that cannot be read "
    "are moved away"
)


def beside(store: Store, frames: Mapping[str, pd.DataFrame]) -> Iterator[Finding]:
    """Shards that are damaged, whose rows differ from those in the CSV files, or whose case is not there."""
    unread, unlike, absent = [], [], []
    kinds = {*store.kinds(), *frames}  # those too that cannot be read
    in_files = set(itertools.chain.from_iterable(frame["case_id"] for frame in frames.values()))
    for path in sorted(store.shards.glob("*.json")):
        shard = store.shard(path.stem)
        if shard is None:
            unread.append(path.name)
        elif shard["status"] == "done":
            if path.stem not in in_files:
                absent.append(path.name)
            elif not _same(path.stem, shard["tables"], frames, kinds):
                unlike.append(path.name)
    if unread:
        mend = "delete them, and `run` measures their cases again"
        yield Finding.naming(DAMAGED, "shards", "not whole", unread, mend)
    if unlike:
        yield Finding.naming(DAMAGED, "shards", "other rows than in the CSV files", unlike, _AGAIN)
    if absent:
        problem = "cases of which the CSV files hold nothing"
        mend = f"of an older suite or version, or a run was killed: {_AGAIN}"
        yield Finding.naming(NOTE, "shards", problem, absent, mend)


def _same(
    case_id: str, tables: Mapping[str, Rows], frames: Mapping[str, pd.DataFrame], kinds: Collection[str]
) -> bool:
    for kind, frame in frames.items():
        file = RESULT_FILES[kind]
        there = frame[frame["case_id"] == case_id]
        given = typed(file, tables.get(kind, []))
        if csv_text(ordered(file, given)) != csv_text(ordered(file, there)):
            return False
    return all(kind in kinds for kind, rows in tables.items() if rows)
