"""Clipping of the whole gradient, by norm or by value."""

from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from rnn_jax.jacobian.scaled import exponent_of, power_of_two
from rnn_jax.remedies.remedy import Remedy


def clip_by_norm(threshold: float) -> Remedy:
    """Scales the gradient down to norm `threshold` where it is longer.

    The norm is taken without squaring large numbers, so that a gradient of 1e25 in float32, whose
    square overflows, is still clipped rather than set to zero.

    Args:
        threshold: the largest norm let through, positive.

    Raises:
        ValueError: the threshold is not positive.

    References:
        Pascanu, Mikolov, Bengio 2013, arXiv 1211.5063, algorithm 1.
    """
    _positive(threshold)

    def clip(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        del params
        norm, exponent = _scaled_norm(updates)
        # In two factors: threshold / norm alone would be flushed to zero for the largest norms.
        down, factor = power_of_two(-exponent, norm.dtype), threshold / norm
        too_long = norm * power_of_two(exponent, norm.dtype) > threshold

        def clipped(leaf: Array) -> Array:
            wide = leaf.astype(norm.dtype)
            return jnp.where(too_long, wide * down * factor, wide).astype(leaf.dtype)

        return jax.tree.map(clipped, updates), state

    transform = optax.GradientTransformation(lambda params: optax.EmptyState(), clip)
    return Remedy("clip_by_norm", threshold, lambda optimizer: optax.chain(transform, optimizer))


def clip_by_value(threshold: float) -> Remedy:
    """Cuts every entry of the gradient to [-threshold, threshold].

    Args:
        threshold: the largest entry let through, positive.

    Raises:
        ValueError: the threshold is not positive.

    References:
        Mikolov 2012, Statistical language models based on neural networks, section 3.2.2.
    """
    _positive(threshold)
    return Remedy("clip_by_value", threshold, lambda optimizer: optax.chain(optax.clip(threshold), optimizer))


def global_norm(tree: Any) -> Float[Array, ""]:
    """Euclidean norm over all leaves, right up to the largest finite number; at least float32."""
    norm, exponent = _scaled_norm(tree)
    return norm * power_of_two(exponent, norm.dtype)


def _scaled_norm(tree: Any) -> tuple[Float[Array, ""], Int[Array, ""]]:
    """The norm as mantissa and exponent.

    By powers of two: XLA divides by multiplying with a reciprocal, which is flushed to zero above
    2**126.
    """
    dtypes = [leaf.dtype for leaf in jax.tree.leaves(tree)]
    dtype = reduce(np.promote_types, dtypes, np.dtype(np.float32))
    leaves = [leaf.astype(dtype) for leaf in jax.tree.leaves(tree) if leaf.size]
    exponent = exponent_of(jnp.max(jnp.stack([jnp.max(jnp.abs(leaf)) for leaf in leaves])))
    down = power_of_two(-exponent, dtype)
    return jnp.sqrt(sum(jnp.sum(jnp.square(leaf * down)) for leaf in leaves)), exponent


def _positive(threshold: float) -> None:
    if not threshold > 0:
        raise ValueError(f"threshold must be positive, got {threshold}")
