"""Layer normalization."""

import jax.numpy as jnp
from jaxtyping import Array, Float

_LEAST_VARIANCE = 1e-5


def normalized(values: Float[Array, "*rows hidden"]) -> Float[Array, "*rows hidden"]:
    """Mean 0 and variance 1 over units, but for 1e-5 added to the variance.

    References:
        Ba, Kiros, Hinton 2016, Layer normalization, arXiv 1607.06450.
    """
    centred = values - jnp.mean(values, axis=-1, keepdims=True)
    variance = jnp.mean(jnp.square(centred), axis=-1, keepdims=True)
    return centred / jnp.sqrt(variance + _LEAST_VARIANCE)
