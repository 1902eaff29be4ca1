"""Samples are taken in turn, and none of them includes compilation."""

import jax
import jax.numpy as jnp
import pytest

from bench import timing


def quiet(what, fraction):
    assert 0 <= fraction <= 1


def test_a_sample_during_which_something_compiles_is_thrown_away():
    def compiles_each_time():
        return jax.jit(lambda x: x + 1.0)(jnp.ones(3))

    with pytest.raises(RuntimeError, match="something compiled"):
        timing.interleaved({"restless": compiles_each_time}, 1, quiet)


def test_rounds_are_interleaved():
    told = []
    calls = {name: lambda name=name: told.append(name) or jnp.zeros(()) for name in ("one", "other")}
    samples = timing.interleaved(calls, 3, quiet)
    assert {name: len(sample.run_s) for name, sample in samples.items()} == {"one": 3, "other": 3}
    turns = [name for place, name in enumerate(told) if place == 0 or told[place - 1] != name]
    assert turns == ["one", "other"] * 4, "once to warm up, then each round"


def test_a_time_is_of_one_call_however_many_a_sample_has(monkeypatch):
    clock = iter(range(10**9))
    # Every look at the clock is one later, so a sample lasts one tick whatever it holds.
    monkeypatch.setattr(timing, "perf_counter", lambda: float(next(clock)))
    monkeypatch.setattr(timing, "_SHORTEST_SAMPLE_S", 4.0)
    sample = timing.Sample(lambda: None)
    sample.add()
    assert sample.inner_calls == 4
    assert sample.run_s == [0.25]
    assert sample.compile_s == 0.75


def test_columns_have_a_row_a_round():
    samples = timing.interleaved({"one": lambda: jnp.zeros(())}, 3, quiet)
    rows = timing.timing_columns(samples["one"])
    assert [row["round"] for row in rows] == [0, 1, 2]
    assert [row["run_s"] for row in rows] == samples["one"].run_s
