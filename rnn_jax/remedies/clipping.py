"""Clipping of the whole gradient, by norm or by value."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from rnn_jax.dtypes import at_least_float32
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
        norm = global_norm(updates)
        factor = jnp.where(norm > threshold, threshold / norm, 1.0)
        return jax.tree.map(lambda leaf: leaf * factor.astype(leaf.dtype), updates), state

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
    leaves = [at_least_float32(leaf) for leaf in jax.tree.leaves(tree)]
    peak = jnp.max(jnp.stack([jnp.max(jnp.abs(leaf)) for leaf in leaves if leaf.size]))
    usable = jnp.isfinite(peak) & (peak > 0)
    scale = jnp.where(usable, peak, 1.0)
    return scale * jnp.sqrt(sum(jnp.sum(jnp.square(leaf / scale)) for leaf in leaves))


def _positive(threshold: float) -> None:
    if not threshold > 0:
        raise ValueError(f"threshold must be positive, got {threshold}")
