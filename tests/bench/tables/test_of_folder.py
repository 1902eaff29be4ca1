"""Which tables a folder gives."""

from pathlib import Path

import pytest

from bench.running.folders import result_folders
from bench.store.files import csv_text
from bench.tables import TABLES, tables


def test_tables_of_a_folder_are_those_that_its_files_allow(row, folder_of):
    assert not list(tables(folder_of("empty")))
    store = folder_of("some", decay=[row("decay")])
    assert [name for name, _ in tables(store)] == ["decay_summary"]
    store = folder_of("with a claim", exactness=[row("exactness")])
    assert [name for name, _ in tables(store)] == ["exactness_summary", "claims"]


@pytest.mark.parametrize("name", ["before", "of three: after"])
def test_a_run_of_fewer_seeds_beside_one_of_more_changes_no_table(name, row, folder_of):
    """As `run --seeds 1` leaves a folder that was measured for three."""
    own = {
        "exactness": {},
        "gradient_norms": {"cell": "gru"},
        "decay": {"cell": "gru", "step_norm_bound_nats_per_step": -0.1},
        "task_accuracy": {"remedy": "none", "optimizer": "sgd", "gain": 4.0, "first_nonfinite_step": 18},
    }
    three = {
        kind: [row(kind, case_id="of three", seed=seed, **columns) for seed in range(3)]
        for kind, columns in own.items()
    }
    again = {kind: [rows[0] | {"case_id": name, "match_id": "of one"}, *rows] for kind, rows in three.items()}
    plain, both = (
        dict(tables(folder_of(each, **rows))) for each, rows in (("plain", three), ("both", again))
    )
    assert {table: csv_text(frame) for table, frame in both.items()} == {
        table: csv_text(frame) for table, frame in plain.items()
    }
    assert plain["exactness_summary"]["seeds"].tolist() == [3]
    numbers = " ".join(plain["claims"]["number"])
    assert "3 of 3 contracting nets" in numbers
    assert "3 of 3 seeds not finite" in numbers


@pytest.mark.parametrize("folder", result_folders(), ids=lambda folder: "/".join(folder.parts[1:]))
def test_every_committed_table_is_one_that_is_derived(folder):
    """So CI, which derives them all again and compares bytes, leaves none out."""
    known = {f"{name}{suffix}" for name in TABLES for suffix in (".csv", ".md")}
    there = {path.name for path in (folder / "tables").iterdir()}
    assert there <= known
    assert all({f"{Path(name).stem}.csv", f"{Path(name).stem}.md"} <= there for name in there)
