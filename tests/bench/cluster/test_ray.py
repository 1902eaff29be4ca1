"""A run on a real cluster of several nodes on this machine: what it writes is what a run here writes, whatever dies."""

import csv
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

import pytest

from bench import runner, suite, tables
from bench.cluster.crew import Job
from bench.cluster.dispatch import OnCluster
from bench.cluster.engine import Ray
from bench.cluster.gathering import gathered
from bench.machine import cores
from bench.schema import RESULT_FILES
from bench.store import Store, read_machine

pytest.importorskip("ray", reason="Ray is not installed: pip install 'rnn-jax-bench[ray]'")
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds processes in /proc")

TOML = """
[[exactness]]
cell = ["elman_tanh", "lstm", "gru"]
hidden_size = 4
sequence_length = 10
seeds = 2

[[exactness]]
cell = "elman_relu"
hidden_size = 4
sequence_length = 10
dtype = "float64"
process = "fresh"

[[precision]]
cell = "elman_tanh"
hidden_size = 4
sequence_length = 10
dtype = "float32"
"""
LONG = """
[[exactness]]
cell = "lstm"
hidden_size = 300
sequence_length = 1000
"""
QUIET = {
    "JAX_PLATFORMS": "cpu",
    "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    # A node that was killed is missed within seconds.
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_failure_threshold": "4",
}


class Nodes:
    """Nodes of one cluster, each of which claims all cores of this machine; the head has none."""

    def __init__(self):
        from ray.cluster_utils import Cluster

        self._cluster = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
        )
        self.address, self._nodes = self._cluster.address, []

    def add(self, **environment):
        node = self._cluster.add_node(
            num_cpus=cores(), env_vars={name: str(value) for name, value in environment.items()}
        )
        self._nodes.append(node)
        return node.node_id

    def kill(self, node_id):
        """As if its plug were pulled: every process of the node at once."""
        node = next(node for node in self._nodes if node.node_id == node_id)
        raylet = node.all_processes["raylet"][0].process.pid
        family = [raylet, *descendants(raylet)]
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in family:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
        self.remove(node_id)

    def remove(self, node_id):
        node = next(node for node in self._nodes if node.node_id == node_id)
        self._nodes.remove(node)
        self._cluster.remove_node(node, allow_graceful=False)

    def shut_down(self):
        self._cluster.shutdown()


def descendants(pid):
    """All processes that this one started, and those that they started."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


class Watched(Ray):
    """Ray, and what is called on which node: `on_begin(count, node)` is told of every case that begins."""

    def __init__(self, address, on_begin):
        super().__init__(address)
        self._on_begin, self.begun, self._node_of = on_begin, [], {}

    def start(self, place, worker, *arguments):
        handle = super().start(place, worker, *arguments)
        self._node_of[handle] = place.node
        return handle

    def call(self, worker, method, *arguments):
        called = super().call(worker, method, *arguments)
        if method == "begin":
            self.begun.append((arguments[0], self._node_of[worker]))
            self._on_begin(self.begun)
        return called


class Diary:
    """A progress that remembers its notes."""

    def __init__(self):
        self.notes = []

    def start(self, cases, already_done): ...
    def case(self, number, label): ...
    def within(self, what, fraction): ...
    def done(self, seconds): ...
    def failed(self, label, error): ...

    def note(self, line):
        self.notes.append(line)


def rows_of(folder):
    """Every CSV file of a result folder, row by row, without the columns that are times."""
    files = {}
    for path in folder.glob("*.csv"):
        times = {column.name for column in RESULT_FILES[path.stem].all_columns if column.is_time}
        with path.open(encoding="utf-8", newline="") as file:
            files[path.stem] = [
                {name: text for name, text in row.items() if name not in times}
                for row in csv.DictReader(file)
            ]
    return files


@pytest.fixture(scope="module")
def nodes():
    with pytest.MonkeyPatch.context() as patch:
        for name, value in QUIET.items():
            patch.setenv(name, value)
        cluster = Nodes()
        yield cluster
        cluster.shut_down()


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    folder = tmp_path_factory.mktemp("suites")
    (folder / "own.toml").write_text(TOML, encoding="utf-8")
    (folder / "long.toml").write_text(LONG, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def local(here, rnn_bench):
    """The folder of the same run on this machine."""
    done = rnn_bench("run", "own.toml", "--backend", "cpu", "--out", "local", cwd=here)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "4 measured, 1 failed" in done.stdout
    return here / "local"


@pytest.fixture
def ray_run(here, nodes, monkeypatch):
    """`ray_run(folder, on_begin)`: the outcome of a run on the cluster, and what was noted."""
    import ray

    monkeypatch.setattr(tables, "derive", lambda store: None)

    def go(folder, on_begin=lambda begun: None):
        diary = Diary()
        chosen = suite.load(str(here / "own.toml"))
        job = Job(chosen.name, "cpu", "float32", (), 60.0)
        found = gathered(
            nodes.address, job, diary.note, command=["run"], engine=Watched(nodes.address, on_begin)
        )
        store = Store(folder)
        store.claim(found.facts)
        dispatch = OnCluster(found.crew, found.environment, store)
        outcome = runner.run(chosen, found.environment, store, found.facts, diary, dispatch=dispatch)
        return outcome, diary.notes

    yield go
    ray.shutdown()


@pytest.fixture(scope="module")
def finished(here):
    """The folder of the run during which a node was killed: others look at it, and go on in it."""
    return here / "finished"


def test_a_node_is_killed_and_nothing_is_lost_or_doubled(ray_run, nodes, finished, local):
    for _ in range(3):
        nodes.add()
    killed = []

    def on_begin(begun):
        if len(begun) == 2:
            killed.append(begun[0])
            nodes.kill(begun[0][1])

    outcome, notes = ray_run(finished, on_begin)
    assert outcome == runner.Outcome(measured=4, found_done=0, failed=1)
    assert len(killed) == 1
    assert notes == ["its worker was lost; it is given to another one"]
    assert rows_of(finished) == rows_of(local)
    assert set(rows_of(finished)) == {"exactness", "failures"}
    assert read_machine(finished)["identity"] == read_machine(local)["identity"]
    shards = [path.name for path in (finished / "shards").iterdir()]
    assert sorted(shards) == sorted(path.name for path in (local / "shards").iterdir())


def test_the_program_goes_on_in_that_folder(nodes, here, finished, local, rnn_bench):
    done = rnn_bench("run", "own.toml", "--ray", nodes.address, "--out", finished.name, cwd=here)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"Ray: 2 workers on 2 nodes, {cores()} cores a case" in done.stdout
    assert "cases: 0 measured, 4 done before, 1 failed" in done.stdout
    assert "FAILED precision" in done.stderr
    assert "Traceback" not in done.stderr
    assert rows_of(finished) == rows_of(local)
    for path in (local / "tables").glob("*.csv"):
        assert path.read_bytes() == (finished / "tables" / path.name).read_bytes(), path.name
    assert nodes.address not in json.dumps(read_machine(finished))


def test_a_node_with_another_package_is_refused(nodes, here, finished, rnn_bench, complaint, tmp_path):
    (tmp_path / "optax-0.0.1.dist-info").mkdir()
    (tmp_path / "optax-0.0.1.dist-info" / "METADATA").write_text("Name: optax\nVersion: 0.0.1\n")
    other = nodes.add(PYTHONPATH=tmp_path)
    try:
        done = rnn_bench("run", "own.toml", "--ray", nodes.address, "--out", finished.name, cwd=here)
    finally:
        nodes.remove(other)
    told = complaint(done)
    assert "cannot take part: another installation: optax 0.0.1 there and " in told
    assert told.endswith("install the same on every node")


def test_ctrl_c_stops_what_runs_on_the_nodes(nodes, here):
    with subprocess.Popen(
        [sys.executable, "-m", "bench", "run", "long.toml", "--ray", nodes.address, "--out", "long"],
        cwd=here, env=os.environ | QUIET, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as run:  # fmt: skip
        assert run.stderr is not None
        first = run.stderr.readline()
        assert "[1/1] exactness lstm" in first, first + run.stderr.read()
        os.killpg(run.pid, signal.SIGINT)
        said, complained = run.communicate(timeout=60)
    assert run.returncode == 130, said + complained
    assert "interrupted; what was finished is in long, and the same command goes on from there" in said
    until = monotonic() + 30
    while children_at_work() and monotonic() < until:
        sleep(0.1)
    assert not children_at_work()


def children_at_work():
    """The processes of this session's cluster that measure."""
    found = []
    for pid in descendants(os.getpid()):
        with suppress(OSError):
            if b"bench.child" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found
