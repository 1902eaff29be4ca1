"""The kind that times several devices, as a user runs it: on devices that the CPU plays."""

import pytest

from bench.schema import RESULT_FILES
from bench.store import Store

SUITE = """
[[devices]]
workload = ["chain", "ensemble"]
cell = "elman_tanh"
hidden_size = 4
sequence_length = 21
lags = 3
networks = 3
batch_size = 2
training_steps = 2
rounds = 3
seeds = 1
"""


@pytest.fixture(scope="module")
def folder(rnn_bench, tmp_path_factory):
    """What a run on two simulated devices wrote."""
    folder = tmp_path_factory.mktemp("devices")
    (folder / "mine.toml").write_text(SUITE)
    arguments = ("run", "mine.toml", "--backend", "cpu", "--out", "results")
    done = rnn_bench(*arguments, "--simulated-devices", "2", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "results"


def test_each_number_of_devices_has_its_rounds(folder):
    rows = Store(folder).read("device_timings")
    assert list(rows.columns) == [column.name for column in RESULT_FILES["device_timings"].all_columns]
    told = rows[["operation", "method", "device_count", "seed_count", "round"]].values.tolist()
    # Cases are in the order of their ids.
    assert sorted(told) == [
        [operation, method, count, networks, number]
        for operation, networks, methods in (
            ("jacobian_chain", 1, ("sequential", "sharded")),
            ("training_block", 3, ("one_device", "sharded")),
        )
        for count, method in zip((1, 2), methods, strict=True)
        for number in range(3)
    ]
    assert rows["simulated"].all()
    assert (rows["run_s"] > 0).all()
    assert set(rows["sequence_length"]) == {21}
    assert set(rows["input_kind"]) == {"white_noise", "adding"}


def test_the_derived_table_says_that_the_devices_were_simulated(folder):
    text = (folder / "tables" / "device_scaling.md").read_text()
    assert text.count("| 2 simulated on one CPU |") == 2


def test_one_device_is_too_few(rnn_bench, tmp_path):
    (tmp_path / "mine.toml").write_text(SUITE.replace(', "ensemble"', ""))
    done = rnn_bench("run", "mine.toml", "--backend", "cpu", "--out", "results", cwd=tmp_path)
    assert done.returncode == 1
    failure = Store(tmp_path / "results").read("failures")["error"][0]
    assert "a case of kind devices needs several devices, got 1" in failure
