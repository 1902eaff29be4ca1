import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import rnn_jax as rj
from rnn_jax.remedies import (
    chrono_initialization,
    forget_bias,
    identity_initialization,
    leaky,
    orthogonal_initialization,
)

KEY = jax.random.key(4)


def cell_of(name, hidden_size=5, dtype=jnp.float64, **options):
    return rj.cells.create(name, 2, hidden_size, key=jax.random.key(0), dtype=dtype, **options)


def rows_of(cell):
    return np.asarray(cell.bias).reshape(-1, cell.weight_hh.shape[1])


@pytest.mark.parametrize(("name", "gates"), [("elman_tanh", 1), ("gru_reset_before", 3), ("lstm", 4)])
def test_every_gate_begins_with_an_orthogonal_matrix_of_its_own(name, gates):
    before = cell_of(name)
    after = orthogonal_initialization(0.5).adapt_cell(before, KEY)
    blocks = np.asarray(after.weight_hh).reshape(gates, 5, 5)
    for block in blocks:
        np.testing.assert_allclose(block.T @ block, 0.25 * np.eye(5), atol=1e-6)
    assert len({round(float(block[0, 0]), 6) for block in blocks}) == gates
    np.testing.assert_array_equal(after.weight_xh, before.weight_xh)
    other = orthogonal_initialization(0.5).adapt_cell(before, jax.random.key(5))
    assert not np.allclose(after.weight_hh, other.weight_hh)


def test_the_identity_stands_in_every_gate():
    after = identity_initialization(0.5).adapt_cell(cell_of("gru"), KEY)
    np.testing.assert_array_equal(after.weight_hh, np.tile(0.5 * np.eye(5), (3, 1)))


def test_weights_keep_their_dtype():
    cell = cell_of("lstm", dtype=jnp.float32)
    for remedy in (orthogonal_initialization(), chrono_initialization(), forget_bias()):
        after = remedy.adapt_cell(cell, KEY)
        assert {leaf.dtype for leaf in jax.tree.leaves(after)} == {jnp.dtype("float32")}


def test_chrono_biases_of_an_lstm_have_the_published_distribution():
    """exp of the forget bias is uniform in [1, T - 1]; the input gate has minus it."""
    before = cell_of("lstm", 1000, initialization="identity")
    biases = rows_of(chrono_initialization(50).adapt_cell(before, KEY))
    assert stats.kstest(np.exp(biases[1]), stats.uniform(1, 48).cdf).pvalue > 0.01
    np.testing.assert_array_equal(biases[0], -biases[1])
    np.testing.assert_array_equal(biases[2:], rows_of(before)[2:])


def test_chrono_biases_of_a_gru_stand_in_its_update_gate_alone():
    before = cell_of("gru", 1000, initialization="identity")
    biases = rows_of(chrono_initialization(50).adapt_cell(before, KEY))
    assert stats.kstest(np.exp(biases[1]), stats.uniform(1, 48).cdf).pvalue > 0.01
    assert not biases[[0, 2]].any()


def test_chrono_biases_of_an_mgu_are_those_of_a_gate_that_opens_writing():
    before = cell_of("mgu", 1000, initialization="identity")
    biases = rows_of(chrono_initialization(50).adapt_cell(before, KEY))
    assert stats.kstest(np.exp(-biases[0]), stats.uniform(1, 48).cdf).pvalue > 0.01
    assert not biases[1].any()


@pytest.mark.parametrize("name", ["gru", "gru_reset_before", "mgu"])
def test_a_large_forget_bias_keeps_the_state_of_a_gru(name):
    cell = forget_bias(50.0).adapt_cell(cell_of(name), KEY)
    state = jnp.linspace(-1.0, 1.0, 5)
    np.testing.assert_allclose(cell(state, jnp.ones(2)), state, rtol=1e-12, atol=1e-20)


def test_a_large_forget_bias_keeps_the_cell_of_an_lstm():
    before = cell_of("lstm")
    cell = forget_bias(50.0).adapt_cell(before, KEY)
    state = rj.cells.LSTMState(jnp.zeros(5), jnp.full(5, 1e6))
    np.testing.assert_allclose(cell(state, jnp.ones(2)).c, state.c, rtol=1e-5)
    np.testing.assert_array_equal(rows_of(cell)[[0, 2, 3]], rows_of(before)[[0, 2, 3]])


def test_the_cell_in_a_wrapper_is_what_is_initialized():
    wrapped = leaky(0.5).adapt_cell(cell_of("elman_tanh"), KEY)
    after = identity_initialization().adapt_cell(wrapped, KEY)
    np.testing.assert_array_equal(after.cell.weight_hh, np.eye(5))


@pytest.mark.parametrize(
    ("remedy", "name", "message"),
    [
        (
            orthogonal_initialization(),
            "indrnn",
            r"orthogonal_initialization needs a cell with weight_hh, one square matrix a gate; "
            r"IndRNN has a weight_hh of shape \(5,\)",
        ),
        (
            chrono_initialization(),
            "elman_tanh",
            "chrono_initialization needs a cell with a forget gate; Elman has none",
        ),
        (forget_bias(), "indrnn", "forget_bias needs a cell with a forget gate; IndRNN has none"),
    ],
)
def test_a_cell_that_lacks_what_is_needed_is_named(remedy, name, message):
    with pytest.raises(ValueError, match=message):
        remedy.adapt_cell(cell_of(name), KEY)


@pytest.mark.parametrize(
    ("make", "value", "message"),
    [
        (orthogonal_initialization, -1.0, "gain must be at least 0, got -1.0"),
        (identity_initialization, -1.0, "gain must be at least 0, got -1.0"),
        (chrono_initialization, 1, "longest must be at least 2, got 1"),
        (forget_bias, float("nan"), "bias must be a number, got nan"),
    ],
)
def test_a_strength_that_is_not_allowed_is_refused(make, value, message):
    with pytest.raises(ValueError, match=message):
        make(value)


def test_a_stack_inside_a_wrapper_is_found_too():
    stack = rj.cells.create("elman_tanh", 2, 3, key=KEY, layers=2)
    after = identity_initialization().adapt_cell(rj.cells.Leaky.create(stack, 0.5), KEY)
    for layer in after.cell.layers:
        np.testing.assert_array_equal(layer.weight_hh, np.eye(3))
