"""Dtypes: the one a user asked for, the least that a norm is summed in, and what is a number."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array


def float_dtype(dtype: Any) -> Any:
    """The dtype asked for, or JAX's default float.

    Raises:
        ValueError: it is no dtype or not a real floating one, or x64 is off and float64 was asked for.
    """
    try:
        chosen = jnp.zeros(()).dtype if dtype is None else jnp.dtype(dtype)
    except TypeError as error:
        raise ValueError(f"dtype must be a real floating dtype such as 'float32', got {dtype!r}") from error
    if not jnp.issubdtype(chosen, jnp.floating):
        raise ValueError(f"dtype must be a real floating dtype, got {chosen}")
    if jax.dtypes.canonicalize_dtype(chosen) != chosen:
        raise ValueError(f'dtype {chosen} needs jax.config.update("jax_enable_x64", True) at start-up')
    return chosen


def at_least_float32(array: Array) -> Array:
    """The array, cast to float32 if it has fewer bits: sums of squares overflow or lose their digits in 8 or 16."""
    return array.astype(jnp.float32) if jnp.finfo(array.dtype).bits < 32 else array


def is_real_number(value: Any) -> bool:
    """Whether it is one real number and no truth value: of Python's, of NumPy's, or an array of none dimensions, traced or not."""
    if np.ndim(value):
        return False
    dtype = getattr(value, "dtype", None)
    if dtype is None:
        dtype = np.result_type(type(value))
    return any(jnp.issubdtype(dtype, kind) for kind in (np.integer, np.floating))
