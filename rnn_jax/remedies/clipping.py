"""Clipping of the gradient: whole, by entry, or each unit's by the size of its weights."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from rnn_jax.dtypes import at_least_float32
from rnn_jax.jacobian.scaled import exponent_of, power_of_two
from rnn_jax.remedies.remedy import Remedy, Strength, checked_strength, one_per_strength

_LEAST_WEIGHT_NORM = 1e-3


@one_per_strength
def clip_by_norm(threshold: Strength = 1.0) -> Remedy:
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
    checked_strength("threshold", threshold, above=0, at_most=np.inf)

    def clip(updates: Any, params: Any) -> Any:
        del params
        norm, exponent = _scaled_norm(updates)
        return jax.tree.map(lambda leaf: shortened(leaf, norm, exponent, threshold), updates)

    return Remedy("clip_by_norm", threshold, _before(clip))


@one_per_strength
def clip_by_value(threshold: Strength = 1.0) -> Remedy:
    """Cuts every entry of the gradient to [-threshold, threshold].

    Args:
        threshold: the largest entry let through, positive.

    Raises:
        ValueError: the threshold is not positive.

    References:
        Mikolov 2012, Statistical language models based on neural networks, section 3.2.2.
    """
    checked_strength("threshold", threshold, above=0, at_most=np.inf)

    def clip(updates: Any, params: Any) -> Any:
        del params

        def cut(leaf: Array) -> Array:
            if jnp.iscomplexobj(leaf):
                return jax.lax.complex(cut(leaf.real), cut(leaf.imag))
            bound = jnp.asarray(threshold, leaf.dtype)
            return jnp.clip(leaf, -bound, bound)

        return jax.tree.map(cut, updates)

    return Remedy("clip_by_value", threshold, _before(clip))


@one_per_strength
def adaptive_clipping(ratio: Strength = 0.01) -> Remedy:
    """Scales each unit's gradient down to `ratio` times the norm of its weights where it is longer.

    A unit is a row of a matrix, or of each of several stacked: all weights that lead into it. A vector, such as a
    bias, is one unit as a whole. Norms of weights count as at least 1e-3, so that weights of zero can leave it.

    Args:
        ratio: the largest ratio of the two norms let through, positive.

    Raises:
        ValueError: the ratio is not positive.

    References:
        Brock, De, Smith, Simonyan 2021, High-performance large-scale image recognition without
        normalization, arXiv 2102.06171, equation 3. `optax.adaptive_grad_clip` is the same for
        matrices that stand transposed, shape (inputs, units).
    """
    checked_strength("ratio", ratio, above=0, at_most=np.inf)

    def clip(updates: Any, params: Any) -> Any:
        def clipped(leaf: Array, weights: Array) -> Array:
            if leaf.size == 0:
                return leaf
            axes = tuple(range(max(leaf.ndim - 1, 0), leaf.ndim))
            norm, exponent = norm_over(leaf, axes)
            size, size_exponent = norm_over(weights, axes)
            least = jnp.asarray(_LEAST_WEIGHT_NORM, size.dtype)
            most = jnp.asarray(ratio, size.dtype) * jnp.maximum(
                size * power_of_two(size_exponent, size.dtype), least
            )
            return shortened(leaf, norm, exponent, most)

        return jax.tree.map(clipped, updates, params)

    return Remedy("adaptive_clipping", ratio, _before(clip))


def global_norm(tree: Any) -> Float[Array, ""]:
    """Euclidean norm over all leaves, right up to the largest finite number; at least float32."""
    norm, exponent = _scaled_norm(tree)
    return norm * power_of_two(exponent, norm.dtype)


def norm_over(array: Array, axes: tuple[int, ...]) -> tuple[Array, Array]:
    """Euclidean norms over some axes, which stay with length 1, as mantissas and exponents."""
    wide = at_least_float32(_moduli(array))
    exponent = exponent_of(jnp.max(jnp.abs(wide), axis=axes, keepdims=True))
    scaled = wide * power_of_two(-exponent, wide.dtype)
    return jnp.sqrt(jnp.sum(jnp.square(scaled), axis=axes, keepdims=True)), exponent


def shortened(leaf: Array, norm: Array, exponent: Array, threshold: Strength) -> Array:
    """The leaf times threshold / (norm 2**exponent) where that norm is over the threshold.

    The norm and the threshold are scalars or broadcast against the leaf by axes of length 1.
    """
    threshold = jnp.asarray(threshold, norm.dtype)
    # In two factors: threshold / norm alone would be flushed to zero for the largest norms.
    down, factor = power_of_two(-exponent, norm.dtype), threshold / norm
    too_long = norm * power_of_two(exponent, norm.dtype) > threshold
    wide = leaf if jnp.iscomplexobj(leaf) else leaf.astype(norm.dtype)
    return jnp.where(too_long, wide * down * factor, wide).astype(leaf.dtype)


def _before(
    clip: Callable[[Any, Any], Any],
) -> Callable[[optax.GradientTransformation], optax.GradientTransformation]:
    """Puts `clip(gradient, weights)` before an optimiser."""

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        return clip(updates, params), state

    transform = optax.GradientTransformation(lambda params: optax.EmptyState(), update)
    return lambda optimizer: optax.chain(transform, optimizer)


def _moduli(leaf: Array) -> Array:
    """The leaf, of a complex one the absolute values."""
    return jnp.abs(leaf) if jnp.iscomplexobj(leaf) else leaf


def _scaled_norm(tree: Any) -> tuple[Float[Array, ""], Int[Array, ""]]:
    """The norm as mantissa and exponent.

    By powers of two: XLA divides by multiplying with a reciprocal, which is flushed to zero above
    2**126.
    """
    leaves = [_moduli(leaf) for leaf in jax.tree.leaves(tree) if leaf.size]
    dtype = reduce(np.promote_types, [leaf.dtype for leaf in leaves], np.dtype(np.float32))
    leaves = [leaf.astype(dtype) for leaf in leaves]
    exponent = exponent_of(jnp.max(jnp.stack([jnp.max(jnp.abs(leaf)) for leaf in leaves])))
    down = power_of_two(-exponent, dtype)
    return jnp.sqrt(sum(jnp.sum(jnp.square(leaf * down)) for leaf in leaves)), exponent
