"""Formulas held against XLA's own count, where there is no loop that it would count once, and against hand counts."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import pytest

import rnn_jax as rj
from bench.measuring import formulas


def xla_flop(function, *arguments):
    analysis = jax.jit(function).lower(*arguments).compile().cost_analysis()
    return analysis["flops"]


@pytest.mark.parametrize("cell", ["elman_tanh", "lstm", "gru"])
def test_a_step_of_a_trajectory_is_what_xla_counts(cell):
    made = rj.cells.create(cell, 16, 128, key=jax.random.key(0), dtype=jnp.float32)
    state = jax.tree.map(lambda leaf: jnp.ones((8, *leaf.shape), leaf.dtype), made.initial_state())
    counted = xla_flop(jax.vmap(made), state, jnp.ones((8, 16), jnp.float32))
    told = formulas.trajectory_flop(**formulas.weight_shape(made), input_size=16, length=1, sequences=8)
    # XLA counts the few elementwise operations too.
    assert told <= counted < 1.1 * told


def test_a_spectrum_with_a_factorization_every_step():
    # 3 products of 4 x 4 matrices at 128 flop; 3 times R and Q at 8 n^3 / 3.
    told = formulas.spectrum_flop(state_size=4, visible_size=4, count=4, length=3, qr_interval=1)
    assert told == pytest.approx(3 * 128 + 3 * 8 * 64 / 3)
    # One column: its norm, and the column over it, is 2 n + 2 n flop but for the formula's lower orders.
    one = formulas.spectrum_flop(state_size=1000, visible_size=1000, count=1, length=1, qr_interval=1)
    assert one - 2 * 1000**2 == pytest.approx(4 * 1000, rel=1e-3)


def row(operation, **chosen):
    plain = {
        "operation": operation, "cell": "elman_tanh", "method": "sequential", "hidden_size": 10, "state_size": 10,
        "input_size": 2, "sequence_length": 100, "lag_count": 5, "batch_size": 3, "seed_count": 4,
    }  # fmt: skip
    return SimpleNamespace(**(plain | chosen))


@pytest.mark.parametrize(
    ("operation", "numbers", "steps"),
    [
        # 10 x 10 + 10 x 2 + 10 weights
        ("jacobian_chain", 100 * (10 + 2) + 130 + 5, 200),
        ("chain_at_known_states", 100 * (10 + 2) + 130 + 5, 100),
        ("trajectory", 3 * 100 * (10 + 2) + 130, 100),
        ("training_step", 3 * 100 * (20 + 2) + 6 * 130, 200),
        ("ensemble", 4 * (3 * 100 * (20 + 2) + 6 * 130), 200),
        ("lyapunov_spectrum", 100 * 2 + 130 + 10, 100),
    ],
)
def test_least_bytes_and_steps(operation, numbers, steps):
    assert formulas.least_bytes(row(operation), 8) == 8 * numbers
    assert formulas.least_bytes(row(operation), 4) == 4 * numbers
    assert formulas.least_steps(row(operation)) == steps


def test_a_blocked_chain_is_bound_by_its_trajectory_only():
    assert formulas.least_steps(row("jacobian_chain", method="blocked")) == 100
    assert formulas.least_steps(row("chain_at_known_states", method="blocked")) == 1
