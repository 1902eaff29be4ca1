import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj


def _times_matrix(_, state, matrix):
    """A linear net whose inputs are its step Jacobians."""
    return matrix @ state


@pytest.fixture(scope="session")
def of_products():
    """Lyapunov spectra of products of given matrices, shape (steps, n, n)."""
    # A pytree, which is compiled once a shape and not at every call.
    times_matrix = jax.tree_util.Partial(_times_matrix, np.ones(()))

    def spectrum(xs, **options):
        return rj.lyapunov_spectrum(times_matrix, jnp.zeros(xs.shape[-1], xs.dtype), xs, **options)

    return spectrum
