"""The numbers of an array as NumPy's, and back; those of a random key too, which NumPy does not know."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array


def to_numbers(leaf: Any) -> np.ndarray:
    """A leaf's numbers; those behind a random key."""
    return np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf)


def of_numbers(numbers: np.ndarray | np.generic, like: Array) -> Array:
    """An array of these numbers, a random key where the leaf `like` is one."""
    array = jax.device_put(numbers)  # unlike `jnp.asarray` it compiles nothing
    return jax.random.wrap_key_data(array, impl=jax.random.key_impl(like)) if _is_key(like) else array


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
