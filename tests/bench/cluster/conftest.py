"""A cluster without Ray, whose workers say what a test has them say; and a real one, on this machine."""

import csv
import os
import signal
import sys
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

from bench import machine
from bench.cases import exactness
from bench.cluster import crew as crews
from bench.cluster import on_cluster
from bench.cluster.crew import Assignment, Crew
from bench.cluster.engine import Lost
from bench.cluster.places import Share
from bench.running.installation import installation
from bench.schema import RESULT_FILES
from bench.suite import Suite
from bench.suite.case import Case
from rnn_jax.devices import usable_cores


class FakeEngine:
    """Answers calls at once. `says[node](case)` gives the answers to `begin` and to every `more` that follows.

    Attributes:
        has: resources of each node that is alive, by name.
        facts: what a worker says of where it runs, by node.
        begun: node, cell of the case and names of the checkpoints of every case that was begun.
        started, stopped: places of workers.
    """

    def __init__(self, facts):
        self.has, self.facts, self.says = {}, {}, {}
        self.begun, self.started, self.stopped = [], [], []
        self._default, self._answers, self._calls, self._rest = facts, {}, count(), {}

    def add(self, node, cpus=2, gpus=0, says=None, **identity):
        self.has[node] = {"CPU": float(cpus), "GPU": float(gpus)}
        facts = {"identity": self._default["identity"] | identity, "volatile": {"kernel": "6.1"}}
        self.facts[node] = {"facts": facts, "installation": installation()}
        self.says[node] = says or (lambda case: [[{"tables": {}}]])

    def nodes(self):
        return [
            {"NodeID": node, "NodeManagerAddress": f"10.0.0.{number}", "Alive": node in self.has,
             "Resources": self.has.get(node, {})}
            for number, node in enumerate(self.facts, start=1)
        ]  # fmt: skip

    def start(self, place, worker, *arguments):
        self.started.append(place)
        return place

    def call(self, worker, method, *arguments):
        call = next(self._calls)
        if method == "described":
            self._answers[call] = self.facts[worker.node]
        elif method == "close":
            self._answers[call] = None
        elif method == "begin":
            case, kept = arguments[1], arguments[3]
            self.begun.append((worker.node, case["parameters"]["cell"], sorted(kept)))
            self._rest[worker] = iter(self.says[worker.node](case))
            self._answers[call] = next(self._rest[worker])
        else:
            self._answers[call] = next(self._rest[worker])
        if worker.node not in self.has:
            self._answers[call] = Lost("the node is gone")
        return call

    def ready(self, calls, wait_s):
        return list(calls)

    def value(self, call):
        answer = self._answers.pop(call)
        if isinstance(answer, Lost):
            raise answer
        return answer

    def stop(self, worker):
        self.stopped.append(worker)


@pytest.fixture
def engine(environment, facts):
    identity = environment.columns() | {"cores": 2}
    return FakeEngine({"identity": identity, "volatile": facts["volatile"]})


@pytest.fixture
def crew_of(engine, monkeypatch):
    """`crew_of(cpus, gpus)`: the crew of the fake engine, surveyed; `crew_of.notes` is what it noted."""
    for module, name in (
        (crews, "_LOOK_S"),
        (crews, "CLOSE_S"),
        (crews, "GONE_S"),
        (on_cluster, "WAIT_S"),
        (on_cluster, "_POLL_S"),
    ):
        monkeypatch.setattr(module, name, 0.0)
    notes = []

    def make(cpus=None, gpus=0):
        crew = Crew(engine, Share(cpus, gpus), Assignment("tiny", "cpu", "float32", (), 60.0), notes.append)
        assert machine.environment_of(crew.survey()).machine == "slow-chip-2-cores"
        return crew

    make.notes = notes
    return make


@pytest.fixture
def suite():
    """Three cases, known by their cells."""
    options = {"initialization": None, "gain": 1.0, "forget_bias": None, "dt": None, "hidden_size": 4}
    options |= {"input_size": 1, "input_scale": 1.0, "sequence_length": 10}
    cells = ("elman_tanh", "lstm", "gru")
    cases = [Case("exactness", exactness.resolved(options | {"cell": cell}), (0,)) for cell in cells]
    return Suite("tiny", "", None, tuple(cases))


QUIET = {
    "JAX_PLATFORMS": "cpu",
    "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    # A node that was killed is missed within ten seconds; one that a busy machine makes wait is not.
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_failure_threshold": "10",
}


class Nodes:
    """Nodes of one cluster, each of which claims all cores of this machine; the head has none."""

    def __init__(self):
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 0, "include_dashboard": False, "include_log_monitor": False, "no_monitor": True}
        self._cluster = patiently(lambda: Cluster(initialize_head=True, head_node_args=head))
        self.address, self._nodes = self._cluster.address, []

    def add(self, **environment):
        own = {name: str(value) for name, value in environment.items()}
        node = patiently(lambda: self._cluster.add_node(num_cpus=usable_cores(), env_vars=own))
        self._nodes.append(node)
        return node.node_id

    def has(self, node_id):
        return any(node.node_id == node_id for node in self._nodes)

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

    def measuring(self):
        """The processes that measure, on any node."""
        found = []
        for pid in descendants(os.getpid()):
            with suppress(OSError):
                if b"bench.running.child" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(pid)
        return found

    def shut_down(self):
        self._cluster.shutdown()


def patiently(start):
    """Ray gives a node 30 s to start, and a machine that does much else can need longer: it is tried again."""
    before = descendants(os.getpid())
    try:
        return start()
    except Exception as error:
        if "timed out during startup" not in str(error):
            raise
    for pid in descendants(os.getpid()) - before:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return start()


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


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    """A real cluster of a head that measures nothing; `nodes.add()` has a node join."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'rnn-jax-bench[ray]'")
    if not sys.platform.startswith("linux"):
        pytest.skip("finds the processes of a node in /proc")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in QUIET.items():
            patch.setenv(name, value)
        patch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path_factory.mktemp("compiled")))
        cluster = Nodes()
        yield cluster
        cluster.shut_down()


@pytest.fixture(scope="session")
def rows_of():
    """`rows_of(folder)`: its CSV files, row by row, without the columns that are times."""

    def rows(folder):
        files = {}
        for path in folder.glob("*.csv"):
            times = {column.name for column in RESULT_FILES[path.stem].all_columns if column.is_time}
            with path.open(encoding="utf-8", newline="") as file:
                files[path.stem] = [
                    {name: text for name, text in row.items() if name not in times}
                    for row in csv.DictReader(file)
                ]
        return files

    return rows
