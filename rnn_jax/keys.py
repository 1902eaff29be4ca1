"""Random keys that users give."""

from typing import Any

import jax
import jax.numpy as jnp


def checked_key(key: Any) -> None:
    """Raises ValueError unless `key` is one random key, new style or old."""
    dtype, shape = getattr(key, "dtype", None), getattr(key, "shape", None)
    if dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key):
        if shape == ():
            return
        raise ValueError(
            f"key must be one random key, got an array of them of shape {shape}; split gives one each"
        )
    if dtype != jnp.uint32 or shape is None or len(shape) != 1:
        got = repr(key) if dtype is None else f"an array of {dtype} of shape {shape}"
        raise ValueError(f"key must be a random key such as jax.random.key(0), got {got}")
