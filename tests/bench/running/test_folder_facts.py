"""What is read without pandas and JAX is what the store says."""

import pytest

from bench.running.folder_facts import failures, identity, in_files, kinds_of_cases, shards, took
from bench.schema import RESULT_FILES
from bench.store import Store


@pytest.fixture
def store(tmp_path, row):
    store = Store(tmp_path / "out")
    comma = row("decay", case_id="c1", cell='a "quoted, cell"', device_kind="Chip, slow")
    store.write("c1", {"case_times": [row("case_times", case_id="c1", elapsed_s=1.25e-3)], "decay": [comma]})
    store.write(
        "c2",
        {
            "case_times": [row("case_times", case_id="c2", elapsed_s=None)],
            "decay": [row("decay", case_id="c2")],
        },
    )
    broken = row("failures", case_id="c3", status="timeout", error="given up, after 3 s", elapsed_s=3.0) | {
        "kind": "spectra"
    }
    store.write("c3", {"failures": [broken]}, status="failed")
    store.collate()
    return store


def test_shards(store):
    found = shards(store.folder)
    assert {i: (shard.status, shard.elapsed_s) for i, shard in found.items()} == {
        "c1": ("done", 1.25e-3), "c2": ("done", None), "c3": ("failed", 3.0),
    }  # fmt: skip
    assert all(store.is_done(case_id) == (shard.status == "done") for case_id, shard in found.items())


def test_a_shard_that_is_not_whole_is_none(store):
    path = store.shards / "c1.json"
    path.write_bytes(path.read_bytes()[:-40])
    (store.shards / "c9.json").touch()
    assert set(shards(store.folder)) == {"c2", "c3"}
    assert not store.is_done("c1")


def test_what_the_files_hold(store, tmp_path):
    assert set(in_files(store.folder)) == store.case_ids() == {"c1", "c2"}
    assert {i: each.files for i, each in in_files(store.folder).items()} == store.files_of_cases()
    assert [each.suite for each in in_files(store.folder).values()] == ["tiny", "tiny"]
    assert kinds_of_cases(store.folder) == {"c1": "some text", "c2": "some text"}
    assert {i: each.seconds for i, each in took(store.folder).items()} == {"c1": 1.25e-3}
    assert in_files(tmp_path / "nowhere") == took(tmp_path / "nowhere") == {}


def test_failures_are_told_from_shards_and_from_files(store):
    for without_shard in (False, True):
        if without_shard:
            (store.shards / "c3.json").unlink()
        broken = {i: shard for i, shard in shards(store.folder).items() if shard.status != "done"}
        (failure,) = failures(store.folder, broken)
        assert (failure.case_id, failure.kind, failure.status) == ("c3", "spectra", "timeout")
        assert (failure.error, failure.elapsed_s) == ("given up, after 3 s", 3.0)
        assert (failure.written is None) == without_shard


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", "schema_version,case_id\n1", "\0\0", "schema_version,case_id,match_id,suite,x\n1"],
)
def test_a_file_that_is_not_ours_holds_nothing(text, tmp_path):
    for kind in RESULT_FILES:
        (tmp_path / f"{kind}.csv").write_text(text, encoding="utf-8")
    (tmp_path / "machine.json").write_text(text, encoding="utf-8")
    assert in_files(tmp_path) == kinds_of_cases(tmp_path) == took(tmp_path) == shards(tmp_path) == {}
    assert failures(tmp_path, {}) == []
    assert identity(tmp_path) == ({}, "")
