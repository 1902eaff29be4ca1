"""A cluster without Ray: nodes that come and go, and workers that say what a test has them say."""

from itertools import count

import pytest

from bench import machine
from bench.cases import exactness
from bench.cluster import crew as crews
from bench.cluster import dispatch as dispatches
from bench.cluster.crew import Crew, Job
from bench.cluster.engine import Lost
from bench.cluster.places import Share
from bench.installation import installation
from bench.suite import Case, Suite


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
        (dispatches, "WAIT_S"),
        (dispatches, "_POLL_S"),
    ):
        monkeypatch.setattr(module, name, 0.0)
    notes = []

    def make(cpus=None, gpus=0):
        crew = Crew(engine, Share(cpus, gpus), Job("tiny", "cpu", "float32", (), 60.0), notes.append)
        assert machine.environment_of(crew.survey()).machine == "slow-chip-2-cores"
        return crew

    make.notes = notes
    return make


@pytest.fixture
def suite():
    """Three cases, known by their cells."""
    options = {"initialization": None, "gain": 1.0, "forget_bias": None, "hidden_size": 4}
    options |= {"input_size": 1, "input_scale": 1.0, "sequence_length": 10}
    cells = ("elman_tanh", "lstm", "gru")
    cases = [Case("exactness", exactness.resolved(options | {"cell": cell}), (0,)) for cell in cells]
    return Suite("tiny", "", None, tuple(cases))
