"""Shards: whole or not at all, set aside where damaged, and told where a folder does not take them."""

import os

import pytest

from bench.errors import UsageError
from bench.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results")


def test_is_done(store, row):
    assert not store.is_done("c0")
    store.write("c0", {"decay": [row("decay")]})
    assert store.is_done("c0")
    assert not store.is_done("c1")


def test_a_failed_case_is_not_done(store, row):
    store.write("c0", {"failures": [row("failures")]}, status="failed")
    assert not store.is_done("c0")


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[]",
        lambda text: '{"schema_version": 1}',
        lambda text: text.replace('"case_id": "c0"', '"case_id": "c7"', 1),
        lambda text: text.replace('"decay":', '"decoy":', 1),
        lambda text: text.replace('"reach_steps"', '"reach"', 1),
        lambda text: text.replace("0.125", '"fast"', 1),
        lambda text: "[" * 100_000,
        lambda text: "\xff",
    ],
    ids=[
        "truncated", "empty", "a list", "without content", "another case", "no such kind", "no such column",
        "no number", "deep", "no text",
    ],
)  # fmt: skip
def test_a_damaged_shard_is_set_aside_and_its_rows_stay(damage, store, row):
    store.write("c0", {"decay": [row("decay")]})
    store.write("c1", {"decay": [row("decay", case_id="c1")]})
    store.collate()
    before = (store.folder / "decay.csv").read_bytes()
    path = store.shards / "c0.json"
    path.write_bytes(damage(path.read_text(encoding="utf-8")).encode("latin-1"))
    damaged = path.read_bytes()
    told = []
    store.collate({"c0", "c1"}, told.append)
    (line,) = told
    assert f"{path} is no whole shard" in line
    assert "measures its case again" in line
    assert not store.has_shard("c0")
    assert store.is_done("c1")
    assert (store.put_aside / "c0.json").read_bytes() == damaged
    assert (store.folder / "decay.csv").read_bytes() == before


def test_what_is_set_aside_takes_no_others_place(store):
    store.shards.mkdir(parents=True)
    for content in ("one", "two", "three"):
        (store.shards / "c0.json").write_text(content, encoding="utf-8")
        assert not store.is_done("c0")
        assert "c0.json is no whole shard" in store.clean({"c0", "not measured yet"})[0]
    kept = {path.name: path.read_text(encoding="utf-8") for path in store.put_aside.iterdir()}
    assert kept == {"c0.json": "one", "c0.2.json": "two", "c0.3.json": "three"}


def test_a_shard_of_another_schema_is_refused_and_left(store, row):
    store.write("c0", {"decay": [row("decay")]})
    path = store.shards / "c0.json"
    text = path.read_text(encoding="utf-8").replace('"schema_version": 1', '"schema_version": 2', 1)
    path.write_text(text, encoding="utf-8")
    for refused in (lambda: store.is_done("c0"), lambda: store.clean({"c0"}), store.collate):
        with pytest.raises(UsageError, match=r"c0\.json has schema_version 2, this .* choose another --out"):
            refused()
    assert path.read_text(encoding="utf-8") == text


def test_a_column_or_kind_that_the_schema_does_not_know_is_not_written(store, row):
    with pytest.raises(ValueError, match="decay has no column 'speed'"):
        store.write("c0", {"decay": [row("decay"), row("decay") | {"speed": 1.0}]})
    with pytest.raises(ValueError, match="there is no result file 'decoy'"):
        store.write("c0", {"decoy": []})
    assert not store.shards.exists()


def test_a_shard_is_replaced_by_a_later_one(store, row):
    store.write("c0", {"decay": [row("decay", rate_nats_per_step=-1.0)]})
    store.write("c0", {"decay": [row("decay", rate_nats_per_step=-2.0)]})
    store.collate()
    assert store.read("decay")["rate_nats_per_step"].tolist() == [-2.0]


def test_a_write_that_is_cut_short_leaves_what_was_there(store, row, monkeypatch):
    store.write("c0", {"decay": [row("decay")]})
    before = (store.shards / "c0.json").read_bytes()

    def full_disk(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(UsageError, match=r"cannot write .*c0\.json: No space left on device"):
        store.write("c0", {"decay": []})
    assert (store.shards / "c0.json").read_bytes() == before
    assert [path.name for path in store.shards.iterdir()] == ["c0.json"]


def test_a_write_that_is_interrupted_leaves_no_temporary_file(store, monkeypatch):
    def interrupted(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.write("c0", {"decay": []})
    assert list(store.shards.iterdir()) == []


def test_a_file_in_place_of_the_folder_is_told(tmp_path):
    (tmp_path / "results").write_text("not a folder", encoding="utf-8")
    with pytest.raises(UsageError, match=r"cannot write .*results"):
        Store(tmp_path / "results").write("c0", {"decay": []})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_told(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match="cannot write"):
        Store(tmp_path).write("c0", {"decay": []})
