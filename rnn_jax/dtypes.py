"""Dtypes: the one a user asked for, and the least that a norm is summed in."""

from typing import Any

import jax
import jax.numpy as jnp
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
