"""Samples are taken in turn, and none of them includes compilation."""

import jax
import jax.numpy as jnp
import pytest
from jax.experimental.compilation_cache import compilation_cache

from bench.measuring import timing


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


@pytest.fixture
def clock(monkeypatch):
    """`clock(durations)`: calls that last so many seconds each, the last of them for ever, by a clock of their own."""
    now = 0.0
    monkeypatch.setattr(timing, "perf_counter", lambda: now)

    def calls(*durations):
        left = list(durations)

        def call():
            nonlocal now
            now += left.pop(0) if len(left) > 1 else left[0]

        return call

    return calls


def test_a_time_is_of_one_call_however_many_a_sample_has(clock):
    sample = timing.Sample(clock(1.0, 1 / 4096))
    sample.add()
    assert sample.inner_calls == 5, "at least a millisecond"
    assert sample.run_s == [1 / 4096]
    assert sample.compile_s == 1 - 1 / 4096


def test_warm_up_lasts_until_three_samples_agree(clock):
    falling = [2.0**-power for power in range(3, 9)]
    sample = timing.Sample(clock(1.0, *falling, 1 / 512))
    sample.add()
    assert sample.steady is True
    assert sample.run_s == [1 / 512]
    never = [3.0 ** -(3 + number % 3) for number in range(400)]
    assert timing.Sample(clock(1.0, *never)).steady is False


def test_samples_are_long_enough_where_the_first_calls_were_slow(clock):
    sample = timing.Sample(clock(1.0, 0.25, 0.25, 1 / 4096))
    assert sample.inner_calls == 5


def test_a_long_call_is_not_warmed_up_again_and_again(clock):
    told = []
    slow = clock(30.0)
    sample = timing.Sample(lambda: told.append(slow()))
    assert len(told) == 2
    assert sample.steady is None


def test_compiling_is_in_the_first_call_though_the_program_was_compiled_before():
    double = jax.jit(lambda x: 2.0 * x)
    double(jnp.ones(3))
    before = timing._COMPILED
    timing.interleaved({"double": lambda: double(jnp.ones(3))}, 1, quiet)
    assert before < timing._COMPILED


def test_the_state_of_the_persistent_cache_is_told(tmp_path):
    program = jax.jit(lambda x: x * 3.0 + 1.5)

    def first_call():
        jax.clear_caches()
        return timing.Sample(lambda: program(2.0)).compile_cache

    settings = {"jax_compilation_cache_dir": str(tmp_path), "jax_persistent_cache_min_compile_time_secs": 0.0,
                "jax_persistent_cache_min_entry_size_bytes": -1}  # fmt: skip
    before = {name: jax.config.values[name] for name in settings}
    try:
        jax.config.update("jax_compilation_cache_dir", None)
        compilation_cache.reset_cache()
        assert first_call() == "off"
        for name, value in settings.items():
            jax.config.update(name, value)
        compilation_cache.reset_cache()
        assert first_call() == "cold"
        assert first_call() == "warm"
    finally:
        for name, value in before.items():
            jax.config.update(name, value)
        compilation_cache.reset_cache()


def test_columns_have_a_row_a_round():
    samples = timing.interleaved({"one": lambda: jnp.zeros(())}, 3, quiet)
    rows = timing.timing_columns(samples["one"])
    assert [row["round"] for row in rows] == [0, 1, 2]
    assert [row["run_s"] for row in rows] == samples["one"].run_s
