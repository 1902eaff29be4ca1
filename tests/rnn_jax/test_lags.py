"""The lags that a chain is measured at where none are asked for."""

import jax
import jax.numpy as jnp
import numpy as np

from rnn_jax.lags import every_lag


def test_every_lag_is_made_once_and_is_a_number_outside_of_what_is_traced():
    """A kept tracer would make every later chain of that length fail."""
    traced = jax.jit(lambda x: every_lag(37) + x)(jnp.int32(1))
    np.testing.assert_array_equal(traced, np.arange(1, 39))
    assert every_lag(37) is every_lag(37)
    np.testing.assert_array_equal(
        jax.vmap(lambda x: every_lag(37) + x)(jnp.zeros(2, jnp.int32)), [np.arange(38)] * 2
    )
    np.testing.assert_array_equal(every_lag(0), [0])
    assert every_lag(0).dtype == jnp.int32


def test_they_lie_on_the_default_device():
    (cpu, *_) = jax.local_devices(backend="cpu")
    kept = every_lag(5)
    with jax.default_device(cpu):
        assert every_lag(5).devices() == {cpu}
        assert every_lag(5) is not kept
