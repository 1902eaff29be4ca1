"""Cases go to whatever workers there are: none is lost with a worker, none is doubled, and all that is odd is told."""

import pytest

from bench.cluster import crew as crews
from bench.cluster import on_cluster
from bench.cluster.crew import Assignment, Crew
from bench.cluster.engine import Lost
from bench.cluster.gathering import gathered
from bench.cluster.on_cluster import OnCluster
from bench.cluster.places import Share
from bench.deriving import derived
from bench.errors import UsageError
from bench.running import runner
from bench.running.budget import Budget
from bench.store import Store, read_machine

LOST = Lost("the worker died")


class Diary:
    """A progress that remembers what was told of which case, by its number."""

    def __init__(self):
        self.told, self.number = [], 0

    def start(self, cases, already_done): ...

    def case(self, number, label):
        self.number = number

    def within(self, what, fraction):
        self.told.append((self.number, what))

    def note(self, line):
        self.told.append((self.number, line))

    def done(self, seconds):
        self.told.append((self.number, "done"))

    def failed(self, label, error):
        self.told.append((self.number, error))


@pytest.fixture
def go(suite, environment, facts, tmp_path, crew_of, row, monkeypatch):
    """`go()` runs the suite on a new crew; `go.tables(case)` is what a worker says of a case that is done."""
    monkeypatch.setattr(derived, "derive", lambda store, pictures: None)
    store = Store(tmp_path / "results")
    by_cell = {case["cell"]: case.case_id(environment) for case in suite.cases}

    def run(crew=None, **options):
        diary = Diary()
        dispatch = OnCluster(crew_of() if crew is None else crew, environment, store)
        return runner.run(suite, environment, store, facts, diary, dispatch=dispatch, **options), diary.told

    def rows_of(case):
        cell = case["parameters"]["cell"]
        return {"tables": {"exactness": [row("exactness", cell=cell, case_id=by_cell[cell])]}}

    run.store, run.tables, run.notes, run.id_of = store, rows_of, crew_of.notes, by_cell
    return run


def test_each_case_is_measured_once(go, engine):
    for node in "ab":
        engine.add(node, says=lambda case: [[{"within": ["half", 0.5]}], [], [go.tables(case)]])
    outcome, told = go()
    assert outcome == runner.Outcome(measured=3, found_done=0, failed=0)
    assert sorted(cell for _, cell, _ in engine.begun) == ["elman_tanh", "gru", "lstm"]
    assert {node for node, _, _ in engine.begun} == {"a", "b"}
    assert sorted(go.store.read("exactness")["cell"]) == ["elman_tanh", "gru", "lstm"]
    assert sorted(told) == [(number, word) for number in (1, 2, 3) for word in ("done", "half")]
    assert set(engine.stopped) == set(engine.started), "no worker outlives the run"


def test_the_case_of_a_lost_worker_is_given_to_another(go, engine):
    engine.add("a", says=lambda case: [engine.has.pop("a")])
    engine.add("b", says=lambda case: [[go.tables(case)]])
    outcome, told = go()
    assert outcome == runner.Outcome(measured=3, found_done=0, failed=0)
    assert [cell for _, cell, _ in engine.begun].count("elman_tanh") == 2
    assert (1, "its worker was lost, and it is given to another one: the node is gone") in told
    assert len(go.store.read("exactness")) == 3


def test_a_case_that_kills_its_workers_fails_in_the_end(go, engine):
    def says(case):
        return [LOST] if case["parameters"]["cell"] == "lstm" else [[go.tables(case)]]

    for node in "abc":
        engine.add(node, says=says)
    outcome, told = go()
    assert outcome == runner.Outcome(measured=2, found_done=0, failed=1)
    assert (2, "its worker was lost: the worker died") in told
    failure = go.store.read("failures").iloc[0]
    assert (failure["cell"], failure["status"]) == ("lstm", "failed")
    assert failure["error"] == "its worker was lost, 3 times over"
    assert [cell for _, cell, _ in engine.begun].count("lstm") == 3
    assert sorted(go.store.read("exactness")["cell"]) == ["elman_tanh", "gru"]


def test_a_node_that_keeps_losing_workers_is_left_alone(go, engine):
    engine.add("a", says=lambda case: [LOST])
    with pytest.raises(UsageError, match="no worker left, and what was finished is kept"):
        go()
    assert go.notes == ["the node at 10.0.0.1 is left out: it lost 3 workers in a row: the worker died"]
    assert len(engine.started) == 3


def test_a_failure_of_a_case_is_a_row(go, engine):
    engine.add("a", says=lambda case: [[{"failed": ["out_of_memory", "MemoryError: no room"]}]])
    outcome, _ = go()
    assert outcome.failed == 3
    frame = go.store.read("failures")
    assert set(frame["status"]) == {"out_of_memory"}
    assert set(frame["error"]) == {"MemoryError: no room"}
    assert len(engine.started) == 1, "its worker is not to blame"


def test_a_node_whose_disk_is_full_loses_its_case_to_another(go, engine):
    engine.add("a", says=lambda case: [[{"lost": "No space left on device"}]])
    engine.add("b", says=lambda case: [[go.tables(case)]])
    outcome, _ = go()
    assert outcome == runner.Outcome(measured=3, found_done=0, failed=0)


def test_a_node_that_joins_takes_part(go, engine):
    def says(case):
        engine.add("b", says=lambda case: [[go.tables(case)]])
        return [[], [], [], LOST]

    engine.add("a", says=says)
    outcome, _ = go()
    assert outcome.measured == 3
    assert [node for node, _, _ in engine.begun].count("b") == 3


@pytest.mark.parametrize(
    ("identity", "versions", "told"),
    [
        ({"cores": 64}, {}, "another kind of machine than those of this run: cores: 2 and 64"),
        ({}, {"jax": "0.0.1"}, "another installation: jax 0.0.1 there"),
    ],
)
def test_an_unlike_node_that_joins_is_left_out(identity, versions, told, go, engine):
    def says(case):
        engine.add("b", **identity)
        engine.facts["b"]["installation"] |= versions
        return [[], [], [go.tables(case)]]

    engine.add("a", says=says)
    outcome, _ = go()
    assert outcome.measured == 3
    assert {node for node, _, _ in engine.begun} == {"a"}
    assert len(go.notes) == 1
    assert told in go.notes[0]


def test_a_node_that_goes_while_it_is_idle_costs_no_attempt(go, engine, crew_of):
    for node in "abcd":
        engine.add(node, says=lambda case: [[go.tables(case)]])
    crew = crew_of()
    for node in "abc":
        del engine.has[node]
    crew.news(0.0)
    outcome, _ = go(crew)
    assert outcome.measured == 3
    assert {node for node, _, _ in engine.begun} == {"d"}


def test_a_training_goes_on_elsewhere_from_its_checkpoint(go, engine):
    def dies(case):
        yield [{"checkpoint": ["seed.npz", b"half"]}]
        del engine.has["a"]
        yield LOST

    engine.add("a", says=dies)
    engine.add("b", says=lambda case: [[{"checkpoint": ["seed.npz", b"whole"]}, go.tables(case)]])
    go()
    first = [(node, kept) for node, cell, kept in engine.begun if cell == "elman_tanh"]
    assert first == [("a", []), ("b", ["seed.npz"])]
    assert not go.store.checkpoints(go.id_of["elman_tanh"]).exists(), "what is done needs none"


def test_what_is_interrupted_is_kept_and_every_worker_stopped(go, engine):
    def says(case):
        if case["parameters"]["cell"] == "lstm":
            raise KeyboardInterrupt
        return [[{"checkpoint": ["seed.npz", b"half"]}, go.tables(case)]]

    engine.add("a", says=says)
    with pytest.raises(KeyboardInterrupt):
        go()
    assert list(go.store.read("exactness")["cell"]) == ["elman_tanh"]
    assert engine.stopped == engine.started
    engine.says["a"] = lambda case: [[go.tables(case)]]
    outcome, _ = go()
    assert outcome == runner.Outcome(measured=2, found_done=1, failed=0)


def test_the_time_is_kept(go, engine, monkeypatch):
    class Short(Budget):
        def fits(self, case):
            return case["cell"] != "gru"

        def limit_s(self):
            return 7.0

    limits = []

    def says(case):
        if case["parameters"]["cell"] == "lstm":
            monkeypatch.setattr(on_cluster, "perf_counter", lambda: float("inf"))
            return [LOST]
        return [[go.tables(case)]]

    engine.add("a", says=says)
    begin = engine.call
    engine.call = lambda worker, method, *rest: (
        limits.append(rest[4]) if method == "begin" else None,
        begin(worker, method, *rest),
    )[1]
    outcome, _ = go(budget=Short(None))
    assert outcome == runner.Outcome(measured=1, found_done=0, failed=1, left=1)
    assert all(6.0 < limit <= 7.0 for limit in limits)
    failure = go.store.read("failures").iloc[0]
    assert (failure["status"], failure["error"]) == ("timeout", "its worker was lost and the time was over")


@pytest.fixture
def plug(engine, monkeypatch):
    """`plug(*nodes)`: these are gone as soon as they are asked where they run."""

    def pull(*nodes):
        call = engine.call

        def and_gone(worker, method, *arguments):
            if worker.node in nodes:
                engine.has.pop(worker.node, None)
            return call(worker, method, *arguments)

        monkeypatch.setattr(engine, "call", and_gone)

    return pull


def test_a_node_that_goes_as_it_is_asked_is_gone_on_without(engine, crew_of, plug):
    engine.add("a")
    engine.add("b", cpus=4)
    plug("b")
    crew = crew_of(cpus=2)
    assert [place.node for place in crew.idle] == ["a"]
    assert crew.size == 1
    assert crew_of.notes == ["the node at 10.0.0.2 is gone: the node is gone"]


def test_a_cluster_says_only_later_that_a_node_is_gone(engine, crew_of, plug, monkeypatch):
    engine.add("a")
    engine.add("b")
    plug("b")
    nodes, stale = engine.nodes, [engine.nodes(), engine.nodes()]
    monkeypatch.setattr(engine, "nodes", lambda: stale.pop() if stale else nodes())
    monkeypatch.setattr(crews, "sleep", lambda seconds: None)
    monkeypatch.setattr(crews, "GONE_S", 60.0)
    crew = Crew(engine, Share(None, 0), Assignment("tiny", "cpu", "float32", (), 60.0), lambda line: None)
    crew.survey()
    assert [place.node for place in crew.idle] == ["a"]


def test_where_all_nodes_go_as_they_are_asked_that_is_said(engine, crew_of, plug):
    engine.add("a")
    plug("a")
    with pytest.raises(UsageError, match="no node of the cluster is left"):
        crew_of()


def test_a_node_whose_worker_cannot_start_is_refused(engine, crew_of):
    engine.add("a")
    engine.add("b")
    engine.facts["b"] = Lost("No module named 'bench'")
    with pytest.raises(
        UsageError, match=r"10\.0\.0\.2 cannot take part: rnn-jax-bench is not installed there"
    ):
        crew_of()


def test_places_of_one_node_work_side_by_side(engine, crew_of):
    engine.add("a", cpus=5)
    crew = crew_of(cpus=2)
    assert [place.slot for place in crew.idle] == [0, 1]
    assert {place.cpus for place in crew.idle} == {2}


def test_what_a_crew_stands_on_is_told(engine, facts):
    engine.add("a", cpus=4)
    engine.add("b", cpus=4)
    command = ["run", "tiny", "--ray", "10.9.8.7:6379", "--ray-cpus", "2"]
    job = Assignment("tiny", None, "float32", (), 60.0)
    found = gathered("10.9.8.7:6379", job, print, cpus=2, command=command, engine=engine)
    assert found.summary == "4 workers on 2 nodes, 2 cores a case"
    assert found.environment.machine == "slow-chip-2-cores"
    assert found.facts["identity"] == engine.facts["a"]["facts"]["identity"]
    assert found.facts["volatile"]["kernel"] == "6.1", "of where it is measured"
    assert found.facts["volatile"]["command"] == "rnn-bench run tiny --ray ADDRESS --ray-cpus 2"
    assert "10.9.8.7" not in str(found.facts)


def test_a_run_is_of_the_machines_that_measure(go, engine, facts):
    engine.add("a", says=lambda case: [[go.tables(case)]])
    go()
    assert read_machine(go.store.folder)["identity"] == facts["identity"]
