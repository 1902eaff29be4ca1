"""The lags that a chain is measured at where none are asked for."""

import jax
import jax.numpy as jnp
import numpy as np

from rnn_jax.lags import every_lag


def test_every_lag_is_an_array_of_its_callers_own():
    """One that is kept for all could be given away by one, or be another trace's."""
    np.testing.assert_array_equal(jax.jit(lambda x: every_lag(37) + x)(jnp.int32(1)), np.arange(1, 39))
    zeros = jnp.zeros(2, jnp.int32)
    np.testing.assert_array_equal(jax.vmap(lambda x: every_lag(37) + x)(zeros), [np.arange(38)] * 2)
    first = every_lag(37)
    first.delete()
    np.testing.assert_array_equal(every_lag(37), np.arange(38))
    np.testing.assert_array_equal(every_lag(0), [0])
    assert every_lag(0).dtype == jnp.int32
