"""Two real runs of the same code, and a third that is 1.3 times as slow: what `compare` makes of them."""

import pytest

from bench import machine, suite
from bench.comparing.compared_times import regressions
from bench.comparing.two_folders import compared
from bench.running import children, runner
from bench.store import Store

SUITE = """
[[timings]]
cell = "elman_tanh"
hidden_size = 64
sequence_length = 500
lags = 20
rounds = 7
processes = 5
seeds = 1
"""
# What a child runs: the harness itself, ours made slower by so much of each call's own time.
PLANTED = """
import sys, time
import jax
from bench.running import child
from bench.cases import timings

FACTOR = {factor}
plain = timings.interleaved

def interleaved(calls, rounds, report):
    ours = calls["rnn_jax"]

    def slower():
        started = time.perf_counter()
        given = jax.block_until_ready(ours())
        until = started + FACTOR * (time.perf_counter() - started)
        while time.perf_counter() < until:
            pass
        return given

    return plain(dict(calls) | ({{"rnn_jax": slower}} if FACTOR > 1 else {{}}), rounds, report)

timings.interleaved = interleaved
child.main(sys.argv[1], sys.argv[2], "--debug" in sys.argv[3:])
"""


class Silent:
    """Progress that is told to nobody."""

    def __getattr__(self, name):
        return lambda *_: None


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """`measured(name, factor)`: a result folder of a run in which ours takes so many times as long."""
    (tmp_path / "tiny.toml").write_text(SUITE, encoding="utf-8")
    environment = machine.environment("float32")

    def run(name, factor=1.0):
        script = tmp_path / f"{name}.py"
        script.write_text(PLANTED.format(factor=factor), encoding="utf-8")
        monkeypatch.setattr(children, "COMMAND", (str(script),))
        store = Store(tmp_path / name)
        facts = machine.describe(environment, ["run", "tiny.toml"])
        outcome = runner.run(
            suite.load(str(tmp_path / "tiny.toml")), environment, store, facts, Silent(), debug=True
        )
        assert (outcome.measured, outcome.failed) == (1, 0)
        return store.folder

    return run


@pytest.mark.slow
def test_a_planted_slowdown_is_found_and_the_same_code_is_not_called_slower(measured):
    before, again, slow = measured("before"), measured("again"), measured("slow", 1.3)
    timings = Store(before).read("timings")
    assert sorted(set(timings["process"])) == [0, 1, 2, 3, 4]
    assert timings.groupby(["implementation", "process"]).size().eq(7).all()
    same = compared(before, again)["times"]
    assert not set(same["verdict"]) & {"faster", "slower"}, same
    found = compared(before, slow)["times"].set_index("implementation")
    assert found.loc["rnn_jax", "verdict"] == "slower", found
    assert found.loc["bare_products", "verdict"] not in ("faster", "slower"), found
    assert len(regressions(found.reset_index())) == 1
