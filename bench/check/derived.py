"""Whether derived tables are what the CSV files give."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import pandas as pd

from bench.check.finding import DAMAGED, Finding
from bench.comparing import comparison
from bench.store import Store
from bench.store.files import csv_text
from bench.tables import TABLES, markdown, tables


def of_results(store: Store) -> list[Finding]:
    """Tables of a result folder that are missing, left over, or differ by a byte."""
    folder = store.folder / "tables"
    return list(_held(folder, lambda: tables(store), TABLES, f"rnn-bench tables {store.folder}"))


def of_comparison(folder: Path) -> list[Finding]:
    """The same of a kept comparison."""
    return list(_held(folder, lambda: comparison.tables(folder), (), f"rnn-bench tables {folder}"))


def _held(
    folder: Path, derive: Callable[[], Iterable[tuple[str, pd.DataFrame]]], known: Iterable[str], command: str
) -> Iterator[Finding]:
    try:
        expected = dict(derive())
    except Exception as error:  # rows that were tampered with can break any table
        problem = f"the tables cannot be derived: {type(error).__name__}: {error}".splitlines()[0]
        yield Finding(DAMAGED, "tables", problem, "mend what is said of the CSV files first")
        return
    for path, text in _texts(folder, expected).items():
        if not path.is_file():
            yield Finding(DAMAGED, _file_name(path), "is missing; the CSV files give it", command)
        elif path.read_bytes() != text.encode("utf-8"):
            yield Finding(DAMAGED, _file_name(path), "differs from what the CSV files give", command)
    for name in known:
        if name not in expected and (folder / f"{name}.csv").is_file():
            yield Finding(DAMAGED, f"tables/{name}.csv", "is no table that the CSV files give", command)


def _texts(folder: Path, expected: Mapping[str, pd.DataFrame]) -> dict[Path, str]:
    given = {}
    for name, table in expected.items():
        given[folder / f"{name}.csv"] = csv_text(table)
        given[folder / f"{name}.md"] = markdown(table)
    return given


def _file_name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"
