"""Whether result files are whole: written by the harness, no row twice, no seed missing, no value that cannot be."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

import io
from collections.abc import Collection, Iterator, Mapping

import pandas as pd

from bench.check.finding import DAMAGED, Finding, line_numbers, named
from bench.check.ranges import out_of_range
from bench.errors import UsageError
from bench.schema import (
    CASE_TIMES,
    DECAY,
    FAILURES,
    GRADIENT_NORMS,
    OF_OTHER_SEEDS,
    OF_SOME_SEEDS,
    RESULT_FILES,
    lacking,
)
from bench.store import Store
from bench.store.collation import ordered
from bench.store.files import csv_text

_AGAIN = "measure its case again, or take the file from a copy that was not touched"
_MISSING = (
    "take the file from a copy that was not touched; or `run` with --missing measures these cases again"
)
_AS_MANY_A_SEED = {DECAY.kind: ["case_id", "seed"], GRADIENT_NORMS.kind: ["case_id", "weights", "seed"]}
"""Result files with as many rows for each seed of a case, and by which columns those are counted."""


def readable(store: Store) -> tuple[dict[str, pd.DataFrame], list[Finding]]:
    """The result files that can be read, by kind, and what is wrong with the others and with how they are written."""
    frames, found = {}, []
    for kind in store.kinds():
        file = f"{kind}.csv"
        try:
            frames[kind] = store.read(kind)
        except UsageError as error:
            found.append(Finding(DAMAGED, file, str(error), "take it from a copy, or measure again"))
            continue
        content = (store.folder / file).read_bytes()
        text = content.decode("utf-8", errors="replace")
        # As the reader took them: another program may have quoted them, or put a mark before the first.
        columns = pd.read_csv(io.BytesIO(content), nrows=0).columns
        written = csv_text(ordered(RESULT_FILES[kind], frames[kind])[columns])
        if written != text:
            found.append(Finding(DAMAGED, file, f"{_first_difference(written, text)}", _AGAIN))
    return frames, found


def of_each_file(frames: Mapping[str, pd.DataFrame]) -> list[Finding]:
    """Doubled rows, missing seeds and rows, values out of range."""
    found: list[Finding] = []
    seeds = _seeds_of_cases(frames)
    for kind, frame in frames.items():
        found += _doubled(kind, frame)
        found += _missing_seeds(kind, frame, seeds)
        found += _missing_rows(kind, frame)
        found += [
            Finding(DAMAGED, f"{kind}.csv", f"{line_numbers(where)}: {problem}", _AGAIN)
            for where, problem in out_of_range(kind, frame)
        ]
    return found


def of_each_case(
    frames: Mapping[str, pd.DataFrame], unread: Collection[str], kinds: Mapping[str, str]
) -> Iterator[Finding]:
    """Cases that have rows in some file, and none in one that their kind always writes.

    Args:
        frames: the result files that can be read, by kind.
        unread: those that are there too, of which nobody knows what they hold.
        kinds: of cases, by id; what case_times.csv says of others is taken too.
    """
    files: dict[str, list[str]] = {}
    for kind in (kind for kind in frames if kind != FAILURES.kind):  # case_times.csv, the last, tells of all
        for case_id in frames[kind]["case_id"].dropna().unique():
            files.setdefault(case_id, []).append(kind)
    if CASE_TIMES.kind in frames:
        took = frames[CASE_TIMES.kind].dropna(subset=["case_id", "kind"])
        kinds = dict(zip(took["case_id"], took["kind"], strict=True)) | dict(kinds)
    gone: dict[str, list[str]] = {}
    for case_id, having in files.items():
        for kind in lacking(kinds.get(case_id), [*having, *unread]):
            gone.setdefault(kind, []).append(f"case {case_id} has rows in {having[0]}.csv and none here")
    for kind, cases in gone.items():
        yield Finding.naming(DAMAGED, f"{kind}.csv", "rows are missing", cases, _MISSING)


def _doubled(kind: str, frame: pd.DataFrame) -> Iterator[Finding]:
    keys = ["case_id", "seed", *RESULT_FILES[kind].order]
    twice = frame.duplicated(keys)
    if twice.any():
        problem = f"{line_numbers(twice)}: a row of the same {', '.join(keys)} stands there before"
        yield Finding(DAMAGED, f"{kind}.csv", problem, _AGAIN)


def _seeds_of_cases(frames: Mapping[str, pd.DataFrame]) -> dict[str, set[int]]:
    """The seeds of each case: 0, 1, .. up to the largest of which any file has a row."""
    most: dict[str, int] = {}
    for frame in (frame for kind, frame in frames.items() if kind not in OF_OTHER_SEEDS):
        for case_id, seed in frame.dropna(subset=["seed"]).groupby("case_id")["seed"].max().items():
            most[case_id] = max(most.get(case_id, -1), int(seed))
    return {case_id: set(range(seed + 1)) for case_id, seed in most.items()}


def _missing_seeds(kind: str, frame: pd.DataFrame, seeds: Mapping[str, set[int]]) -> Iterator[Finding]:
    if kind in OF_SOME_SEEDS:
        return
    cut = []
    for case_id, of_case in frame.dropna(subset=["seed"]).groupby("case_id")["seed"]:
        missing = sorted(seeds[case_id] - set(of_case.astype(int)))
        if missing:
            cut.append(f"case {case_id} lacks {named(missing)}")
    if cut:
        yield Finding.naming(DAMAGED, f"{kind}.csv", "seeds are missing", cut, "measure these cases again")


def _missing_rows(kind: str, frame: pd.DataFrame) -> Iterator[Finding]:
    keys = _AS_MANY_A_SEED.get(kind)
    if keys is None:
        return
    counts = frame.groupby(keys, dropna=False).size()
    spread = counts.groupby(keys[:-1], dropna=False).agg(["min", "max"])
    uneven = spread[spread["min"] < spread["max"]]
    if len(uneven):
        cases = [
            f"case {index[0] if isinstance(index, tuple) else index} has {least} to {most}"
            for index, (least, most) in zip(uneven.index, uneven.to_numpy(), strict=True)
        ]
        problem = "rows are missing, as the seeds of one case have different numbers of rows"
        yield Finding.naming(DAMAGED, f"{kind}.csv", problem, cases, "measure these cases again")


def _first_difference(expected: str, text: str) -> str:
    """Where a file departs from what the harness would have written of the same rows."""
    wanted, there = expected.split("\n"), text.split("\n")
    pairs = zip(wanted, there, strict=False)
    line = next((n for n, (one, other) in enumerate(pairs, start=1) if one != other), len(wanted))
    why = "in another order" if sorted(wanted) == sorted(there) else "otherwise"
    return f"not as the harness wrote it: from line {line} on these rows would be written {why}"
