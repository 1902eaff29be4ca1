"""A run on a real cluster of several nodes on this machine writes what a run here writes, whatever dies."""

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from time import monotonic, sleep

import pytest

from bench.store import read_machine
from rnn_jax.devices import usable_cores

# Ray starts its processes by a fork that runs another program at once.
pytestmark = pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")

TOML = """
[[exactness]]
cell = ["elman_tanh", "lstm"]
hidden_size = 4
sequence_length = 10
seeds = 2

[[precision]]
cell = "elman_tanh"
hidden_size = 4
sequence_length = 10
dtype = "float32"

[[exactness]]
cell = "gru"
hidden_size = 4
sequence_length = 10
dtype = "float64"
process = "fresh"
"""
LONG = """
[[exactness]]
cell = "lstm"
hidden_size = 500
sequence_length = 500
"""


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    folder = tmp_path_factory.mktemp("here")
    (folder / "own.toml").write_text(TOML, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def local(here, rnn_bench):
    """The folder of the same run without a cluster."""
    done = rnn_bench("run", "own.toml", "--backend", "cpu", "--out", "local", cwd=here)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "cases: 3 measured, 1 failed" in done.stdout
    return here / "local"


@contextmanager
def started(nodes, folder, out):
    """`rnn-bench run own.toml --ray` as it goes on."""
    with subprocess.Popen(
        [sys.executable, "-m", "bench", "run", "own.toml", "--ray", nodes.address, "--out", str(out)],
        cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
    ) as run:  # fmt: skip
        try:
            yield run
        finally:
            run.kill()


def told_until(run, word):
    """What it says as it goes on, to the first line with this word."""
    lines = []
    for line in run.stderr:
        lines.append(line)
        if word in line:
            return "".join(lines)
    raise AssertionError("".join(lines) + run.stdout.read())


@pytest.fixture(scope="module")
def spread(nodes, here):
    """The folder of the run on three nodes of which one was killed, and what was said; one node is left."""
    first, second, _ = (nodes.add() for _ in range(3))
    with started(nodes, here, "spread") as run:
        before = told_until(run, "[3/4]")
        nodes.kill(first)  # each of the three has a case by now
        said, rest = run.communicate(timeout=600)
    nodes.remove(second)
    assert run.returncode == 1, said + before + rest
    return here / "spread", said, before + rest


def test_a_node_is_killed_and_nothing_is_lost_or_doubled(spread, nodes, local, rows_of):
    folder, said, told = spread
    assert f"Ray: 3 workers on 3 nodes, {usable_cores()} cores a case" in said
    assert "its worker was lost, and it is given to another one" in told
    assert "Traceback" not in told
    assert "cases: 3 measured, 1 failed" in said
    assert rows_of(folder) == rows_of(local)
    assert {"exactness", "failures"} <= set(rows_of(folder))
    shards = [path.name for path in (folder / "shards").iterdir()]
    assert sorted(shards) == sorted(path.name for path in (local / "shards").iterdir())
    for path in (local / "tables").glob("*.csv"):
        assert path.read_bytes() == (folder / "tables" / path.name).read_bytes(), path.name
    assert read_machine(folder)["identity"] == read_machine(local)["identity"]
    assert nodes.address not in json.dumps(read_machine(folder))


def test_ctrl_c_stops_what_runs_on_the_nodes(spread, nodes, rows_of, tmp_path):
    folder, before = spread[0], rows_of(spread[0])
    (tmp_path / "own.toml").write_text(TOML + LONG, encoding="utf-8")
    with started(nodes, tmp_path, folder) as run:
        told_until(run, "[1/2] exactness lstm")
        assert nodes.measuring()
        os.killpg(run.pid, signal.SIGINT)
        said, rest = run.communicate(timeout=300)
    assert run.returncode == 130, said + rest
    assert f"interrupted; what was finished is in {folder}, and the same command goes on" in said
    until = monotonic() + 60
    while nodes.measuring() and monotonic() < until:
        sleep(0.1)
    assert not nodes.measuring()
    assert rows_of(folder) == before, "what was there before is there still"


@pytest.mark.slow  # what it is refused for is told apart in test_agreement
def test_a_node_with_another_package_is_refused(nodes, here, rnn_bench, complaint, tmp_path):
    (tmp_path / "optax-0.0.1.dist-info").mkdir()
    (tmp_path / "optax-0.0.1.dist-info" / "METADATA").write_text("Name: optax\nVersion: 0.0.1\n")
    nodes.add(PYTHONPATH=tmp_path)
    done = rnn_bench("run", "own.toml", "--ray", nodes.address, "--out", "refused", cwd=here)
    told = complaint(done)
    assert "cannot take part: another installation: optax 0.0.1 there and " in told
    assert told.endswith("install the same on every node")
    assert not (here / "refused").exists()
