"""At which lags a chain is measured."""

from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int


def geometric_lags(length: int, count: int) -> np.ndarray:
    """Lag 0 and at most `count` lags up to `length`, spaced geometrically, without repeats."""
    return np.unique(np.concatenate([[0], np.geomspace(1, length, count).round().astype(int)]))


def every_lag(length: int) -> Int[Array, " lags"]:
    """0, 1, ..., `length` as an array; kept for the next call, as making it takes longer than many a short chain."""
    return _every_lag(length, jax.config.jax_default_device)  # pyright: ignore[reportAttributeAccessIssue]


@lru_cache(maxsize=8)
def _every_lag(length: int, device: Any) -> Array:
    del device  # where the array lies
    with jax.ensure_compile_time_eval():
        return jnp.arange(length + 1, dtype=jnp.int32)
