"""Loops of matrix products and nothing else: what no sequential chain can be faster than."""

import jax
import jax.numpy as jnp


def bare_products(factor: jax.Array, count: int) -> jax.Array:
    """The lower limit of a sequential chain: P <- P J, and nothing else."""
    with jax.default_matmul_precision("highest"):
        start = jnp.eye(factor.shape[0], dtype=factor.dtype)
        return jax.lax.scan(lambda product, _: (product @ factor, None), start, length=count)[0]


def own_products(factor: jax.Array, count: int) -> jax.Array:
    """The same for a Jacobian that is dense in its first columns only, as an LSTM's is."""
    size, dense = factor.shape
    with jax.default_matmul_precision("highest"):

        def multiply(product: jax.Array, _: None) -> tuple[jax.Array, None]:
            return jnp.concatenate([product @ factor, product[:, dense:]], axis=1), None

        return jax.lax.scan(multiply, jnp.eye(size, dtype=factor.dtype), length=count)[0]
