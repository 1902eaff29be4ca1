"""A QR decomposition whose batches are factorised one after the other, and its derivative."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rnn_jax.jacobian.differentiable_qr import qr


@pytest.mark.parametrize("shape", [(5, 5), (7, 3), (4, 1)])
def test_value_and_derivative_of_a_batch_are_those_of_jax(shape):
    columns = jax.random.normal(jax.random.key(1), (3, *shape))
    for_basis, for_upper = (
        jax.random.normal(jax.random.key(2 + place), (3, rows, shape[1]))
        for place, rows in enumerate((shape[0], shape[1]))
    )

    def value(factorise):
        def weighted(columns):
            basis, upper = jax.vmap(factorise)(columns)
            return jnp.sum(basis * for_basis) + jnp.sum(jnp.sin(upper) * for_upper)

        return jax.jit(jax.value_and_grad(weighted))(columns)

    (ours, our_slope), (theirs, their_slope) = value(qr), value(jnp.linalg.qr)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    np.testing.assert_allclose(our_slope, their_slope, rtol=1e-9, atol=1e-11)
