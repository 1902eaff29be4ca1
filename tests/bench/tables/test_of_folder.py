"""Which tables a folder gives."""

from pathlib import Path

import pytest

from bench.running.folders import result_folders
from bench.tables import TABLES, tables


def test_tables_of_a_folder_are_those_that_its_files_allow(row, folder_of):
    assert not list(tables(folder_of("empty")))
    store = folder_of("some", decay=[row("decay")])
    assert [name for name, _ in tables(store)] == ["decay_summary"]
    store = folder_of("with a claim", exactness=[row("exactness")])
    assert [name for name, _ in tables(store)] == ["exactness_summary", "claims"]


@pytest.mark.parametrize("folder", result_folders(), ids=lambda folder: "/".join(folder.parts[1:]))
def test_every_committed_table_is_one_that_is_derived(folder):
    """So CI, which derives them all again and compares bytes, leaves none out."""
    known = {f"{name}{suffix}" for name in TABLES for suffix in (".csv", ".md")}
    there = {path.name for path in (folder / "tables").iterdir()}
    assert there <= known
    assert all({f"{Path(name).stem}.csv", f"{Path(name).stem}.md"} <= there for name in there)
