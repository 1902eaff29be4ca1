import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj
from rnn_jax.jacobian import factorizations, tangents
from rnn_jax.jacobian.structure import prepared


@pytest.mark.parametrize("shape", [(5, 5), (5, 2)])
def test_elimination_keeps_the_span_of_every_first_columns(shape):
    columns = jax.random.normal(jax.random.key(1), shape)
    made = factorizations.eliminated(columns)
    upper = np.linalg.lstsq(made.basis, columns)[0]
    np.testing.assert_allclose(made.basis @ upper, columns, atol=1e-13)
    np.testing.assert_allclose(np.tril(upper, -1), 0, atol=1e-13)
    np.testing.assert_allclose(np.abs(np.diag(upper)), made.pivots, rtol=1e-12)
    assert np.abs(made.basis).max() == 1
    assert not made.is_rounding.any()


def test_a_pivot_that_is_nothing_but_rounding_says_so():
    factors = jax.random.normal(jax.random.key(2), (2, 6, 3))
    made = factorizations.eliminated(factors[0] @ factors[1].T)  # of rank 3
    assert made.is_rounding.tolist() == [False] * 3 + [True] * 3


@pytest.mark.costly
@pytest.mark.parametrize("name", ["lstm", "gru_reset_before"])
def test_columns_are_pushed_as_by_the_dense_jacobian(name):
    cell = rj.cells.create(name, 2, 3, key=jax.random.key(1))
    state, x = cell.initial_state(), jnp.array([1.0, -0.5])
    jacobian = rj.step_jacobians(cell, state, x[None])[0]
    columns = jax.random.normal(jax.random.key(3), (jacobian.shape[0], 2))
    pushed = tangents.pushed(cell, prepared(cell, state, x), columns)
    np.testing.assert_allclose(pushed, jacobian @ columns, rtol=1e-12, atol=1e-14)
