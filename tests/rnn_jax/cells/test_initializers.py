import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj
from rnn_jax.cells.initializers import recurrent_matrix


@pytest.mark.parametrize("hidden_size", [1, 7, 40])
def test_sparse_weights_have_fifteen_inputs_a_unit_and_the_gain_as_spectral_radius(hidden_size):
    matrix = recurrent_matrix(jax.random.key(3), hidden_size, "sparse", 0.95, jnp.float32)
    inputs = np.count_nonzero(matrix, axis=1)
    np.testing.assert_array_equal(inputs, min(15, hidden_size))
    radius = np.abs(np.linalg.eigvals(np.asarray(matrix, np.float64))).max()
    assert radius == pytest.approx(0.95, rel=1e-4)


def test_sparse_weights_choose_other_inputs_for_each_unit():
    matrix = recurrent_matrix(jax.random.key(3), 40, "sparse", 1.0, jnp.float32)
    patterns = {tuple(row) for row in np.asarray(matrix != 0).tolist()}
    assert len(patterns) == 40


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="an accelerator factorises a batch at once")
def test_no_batch_of_matrices_is_factorised_on_a_cpu():
    """Two at once on two cores never ended: each waits on a thread of the pool for threads of the pool."""

    def create(key):
        return rj.cells.create("lstm", 2, 5, key=key, dtype=jnp.float32)

    keys = jax.random.split(jax.random.key(0), 3)
    program = jax.jit(jax.vmap(create)).lower(keys).as_text()
    assert set(re.findall(r'lapack_.*num_batch_dims = "(\d)"', program)) == {"0"}
    many = jax.vmap(create)(keys)
    for place, key in enumerate(keys):
        np.testing.assert_array_equal(many.weight_hh[place], create(key).weight_hh)
