"""Nodes of a real cluster die at random moments, and its trainings go on elsewhere to the same rows."""

import random
from collections import Counter

import pytest

from bench import suite
from bench.cluster.crew import Assignment
from bench.cluster.engine import Ray
from bench.cluster.gathering import gathered
from bench.cluster.on_cluster import OnCluster
from bench.deriving import derived
from bench.running import runner
from bench.store import Store

# Ray starts its processes by a fork that runs another program at once.
pytestmark = pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")

TOML = """
[[task_accuracy]]
cell = ["elman_tanh", "elman_relu", "gru", "lstm"]
hidden_size = 4
task = "adding"
task_length = 10
learning_rate_grid = "1e-3 1e-2"
tuning_steps = 600
step_budget = 2400
evaluate_every = 20
batch_size = 8
sequences = 2
lags = 4
seeds = 2
"""
KILLS = 6


class Watched(Ray):
    """Ray, and whenever answers are waited for `on_wait` is given the ids and nodes of all cases that began."""

    def __init__(self, address, on_wait):
        super().__init__(address)
        self._on_wait, self.begun, self._node_of = on_wait, [], {}

    def ready(self, calls, wait_s):
        self._on_wait(self.begun)
        return super().ready(calls, wait_s)

    def start(self, place, worker, *arguments):
        handle = super().start(place, worker, *arguments)
        self._node_of[handle] = place.node
        return handle

    def call(self, worker, method, *arguments):
        if method == "begin":
            self.begun.append((arguments[0], self._node_of[worker]))
        return super().call(worker, method, *arguments)


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


@pytest.mark.slow
def test_nodes_die_at_random_moments_and_trainings_go_on(
    nodes, rnn_bench, rows_of, tmp_path, monkeypatch, capsys
):
    import ray

    (tmp_path / "own.toml").write_text(TOML, encoding="utf-8")
    arguments = ("run", "own.toml", "--backend", "cpu", "--out", "local")
    done = rnn_bench(*arguments, "--checkpoint-every-s", "0", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    seed = random.SystemRandom().randrange(1_000_000)
    chance, killed = random.Random(seed), Counter()

    def on_wait(begun):
        """Kills the node of a case that may be lost once more, and has another one join."""
        if killed.total() < KILLS and begun and chance.random() < 0.5:
            case_id, node = chance.choice(begun)
            may_go = not killed[case_id] or (killed[case_id] < 2 and store.checkpoints(case_id).exists())
            if nodes.has(node) and dict(begun)[case_id] == node and may_go:
                killed[case_id] += 1
                nodes.kill(node)
                nodes.add()

    for _ in range(3):
        nodes.add()
    store = Store(tmp_path / "spread")
    monkeypatch.setattr(derived, "derive", lambda store, pictures: None)
    diary, chosen = Diary(), suite.load(str(tmp_path / "own.toml"))
    engine = Watched(nodes.address, on_wait)
    found = gathered(nodes.address, Assignment("own", "cpu", "float32", (), 0.0), diary.note, engine=engine)
    try:
        dispatch = OnCluster(found.crew, found.environment, store)
        outcome = runner.run(chosen, found.environment, store, found.facts, diary, dispatch=dispatch)
    finally:
        ray.shutdown()
    told = f"random.Random({seed}): {killed}, {diary.notes}"
    assert outcome == runner.Outcome(measured=4, found_done=0, failed=0), told
    assert killed.total() == KILLS, told
    assert any("goes on from step" in note for note in diary.notes), told
    assert rows_of(tmp_path / "spread") == rows_of(tmp_path / "local"), told
    assert capsys.readouterr().out == "", "what Ray prints does not stand amid our lines"
