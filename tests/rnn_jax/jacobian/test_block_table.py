import json
from dataclasses import replace

import jax
import jax.numpy as jnp
import pytest

import rnn_jax as rj
from rnn_jax.jacobian import block_table
from rnn_jax.jacobian.block_table import Entry


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    block_table.forget()
    yield
    block_table.forget()


@pytest.fixture
def entry():
    return Entry(block_table.device_kind(), "float64", 6, 10, 37, 0.5, 2.0)


def test_what_is_kept_is_read_again(entry):
    other = replace(entry, log2_size=8, sequential_s=None)
    for each in (entry, other):
        block_table.keep(each)
        block_table.forget()
    assert block_table.nearest(64, "float64", 1024) == entry
    assert block_table.nearest(256, "float64", 1024) == other


def test_two_processes_keep_each_others_entries(entry):
    block_table.nearest(64, "float64", 1024)  # this one has read the file before the other writes
    content = {"version": block_table.VERSION, "entries": [vars(replace(entry, log2_size=3))]}
    block_table.path().parent.mkdir(parents=True)
    block_table.path().write_text(json.dumps(content))
    block_table.keep(entry)
    block_table.forget()
    assert block_table.nearest(8, "float64", 1024).log2_size == 3
    assert block_table.nearest(64, "float64", 1024) == entry
    assert [each.name for each in block_table.path().parent.iterdir()] == ["blocks.json"]


def test_a_measurement_without_the_sequential_order_leaves_its_seconds(entry):
    block_table.keep(entry)
    narrower = replace(entry, block_count=3, blocked_s=0.4, sequential_s=None)
    block_table.keep(narrower)
    assert block_table.nearest(64, "float64", 1024) == replace(narrower, sequential_s=2.0)


def test_the_nearest_entry_of_the_same_device_and_dtype_counts(entry):
    for each in (entry, replace(entry, log2_length=12, block_count=74), replace(entry, log2_size=7)):
        block_table.keep(each)
    block_table.keep(replace(entry, device_kind="another", block_count=1))
    block_table.keep(replace(entry, dtype="float32", block_count=2))

    def count(size, length):
        found = block_table.nearest(size, "float64", length)
        return None if found is None else (found.log2_size, found.block_count)

    assert count(70, 1000) == (6, 37)
    assert count(64, 5000) == (6, 74)
    assert count(120, 5000) == (7, 37)  # the size counts before the length
    assert count(33, 16_000) == (6, 74)
    assert count(20, 1000) is None
    assert count(64, 100) is None
    assert count(64, 100_000) is None
    assert block_table.nearest(64, "bfloat16", 1000) is None


GOOD = {
    "device_kind": "cpu", "dtype": "float64", "log2_size": 6, "log2_length": 10,
    "block_count": 37, "blocked_s": 0.5, "sequential_s": None,
}  # fmt: skip
DAMAGED = {
    "empty": b"",
    "half": b'{"version": 1, "entries": [{"devi',
    "not text": b"\xff\xfe\x00",
    "another kind": b"[1, 2]",
    "another version": json.dumps({"version": 0, "entries": [GOOD]}).encode(),
    "no entries": b'{"version": 1}',
    "a field more": json.dumps({"version": 1, "entries": [{**GOOD, "colour": 1}]}).encode(),
    "text for a number": json.dumps({"version": 1, "entries": [{**GOOD, "block_count": "37"}]}).encode(),
    "a list for a device": json.dumps({"version": 1, "entries": [{**GOOD, "device_kind": []}]}).encode(),
    "truth for a number": json.dumps({"version": 1, "entries": [{**GOOD, "block_count": True}]}).encode(),
    "no blocks": json.dumps({"version": 1, "entries": [{**GOOD, "block_count": 0}]}).encode(),
    "no time": json.dumps({"version": 1, "entries": [{**GOOD, "blocked_s": None}]}).encode(),
}


@pytest.mark.parametrize("name", [*DAMAGED, "a folder", "good"])
def test_a_damaged_file_is_no_table_and_no_error(name):
    path = block_table.path()
    path.parent.mkdir(parents=True)
    if name == "a folder":
        path.mkdir()
    else:
        path.write_bytes(DAMAGED.get(name, json.dumps({"version": 1, "entries": [GOOD]}).encode()))
    found = block_table.nearest(64, "float64", 1024)
    assert (found is not None) == (name == "good" and block_table.device_kind() == "cpu")


def test_a_damaged_file_is_replaced(entry):
    block_table.path().parent.mkdir(parents=True)
    block_table.path().write_text("{")
    block_table.keep(entry)
    block_table.forget()
    assert block_table.nearest(64, "float64", 1024) == entry


def test_without_a_home_there_is_no_table(monkeypatch):
    def homeless(_):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(block_table.Path, "expanduser", homeless)
    assert block_table.nearest(64, "float64", 1024) is None


def chain_of(length=100, size=3, **options):
    """Traced only: nothing is compiled."""
    step = jax.tree_util.Partial(lambda factor, h, _: factor * h, jnp.float64(0.5))
    return jax.eval_shape(lambda: rj.jacobian_chain(step, jnp.ones(size), None, length=length, **options))


def test_a_chain_takes_the_count_that_was_measured(entry):
    assert chain_of(method="blocked").block_count == 14  # the root of 2 T
    block_table.keep(replace(entry, log2_size=2, log2_length=7, block_count=9))
    assert chain_of(method="blocked").block_count == 9
    assert chain_of(method="blocked", block_count=5).block_count == 5
    assert chain_of(method="blocked", length=40).block_count == 9
    block_table.keep(replace(entry, log2_size=2, log2_length=7, block_count=1000))
    assert chain_of(method="blocked").block_count == 100  # no more blocks than steps


@pytest.mark.parametrize(("sequential_s", "method"), [(2.0, "blocked"), (0.1, "sequential"), (None, None)])
def test_the_faster_order_is_taken_on_an_accelerator_only(entry, monkeypatch, sequential_s, method):
    block_table.keep(replace(entry, log2_size=2, log2_length=7, sequential_s=sequential_s))
    assert chain_of(method="auto").method == "sequential"
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert chain_of(method="auto").method == (method or "sequential")  # by rule: it is short
    assert chain_of(method="auto", length=300).method == (method or "blocked")
