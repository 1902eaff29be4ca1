"""The dtype a user asked for."""

from typing import Any

import jax
import jax.numpy as jnp


def float_dtype(dtype: Any) -> Any:
    """The dtype asked for, or JAX's default float.

    Raises:
        ValueError: it is not a real floating dtype, or x64 is off and float64 was asked for.
    """
    chosen = jnp.zeros(()).dtype if dtype is None else jnp.dtype(dtype)
    if not jnp.issubdtype(chosen, jnp.floating):
        raise ValueError(f"dtype must be a real floating dtype, got {chosen}")
    if jax.dtypes.canonicalize_dtype(chosen) != chosen:
        raise ValueError(f'dtype {chosen} needs jax.config.update("jax_enable_x64", True) at start-up')
    return chosen
