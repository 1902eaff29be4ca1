"""The norm of dh_s/dh_t for every pair of chosen times: the picture of a whole sequence."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from rnn_jax.batching import over_examples
from rnn_jax.jacobian import scaled, sequential
from rnn_jax.jacobian.declared import check_declaration
from rnn_jax.jacobian.scaled import ScaledNumber
from rnn_jax.shown import brief
from rnn_jax.step import Inputs, State, Step, call_compiled, checked, concrete_integers

DEFAULT_TIMES = 33


@jax.tree_util.register_dataclass
@brief
@dataclass(frozen=True)
class JacobianPairs:
    """Norms of dh_s/dh_t; row i, column j stand for s = times[i], t = times[j].

    Attributes:
        times: the times, ascending, shape (k,).
        frobenius_norm: shape (k, k); NaN above the diagonal, where t is later than s.
        spectral_norm: likewise.
    """

    times: Array
    frobenius_norm: ScaledNumber
    spectral_norm: ScaledNumber

    @property
    def log_frobenius_norm(self) -> Float[Array, "*batch k k"]:
        """Natural log of the Frobenius norm; -inf where the product is exactly zero."""
        return self.frobenius_norm.log()

    @property
    def log_spectral_norm(self) -> Float[Array, "*batch k k"]:
        """Natural log of the spectral norm; -inf where the product is exactly zero."""
        return self.spectral_norm.log()


def jacobian_pairs(
    step: Step,
    state: State,
    xs: Inputs,
    times: Sequence[int] | np.ndarray | None = None,
    *,
    length: int | None = None,
) -> JacobianPairs:
    """Norms of dh_s/dh_t for every two chosen times t <= s.

    A chain ends at one time, T; this shows whether what it says holds along the whole sequence. The
    products between neighbouring times are formed once and combined, so that k times cost about T
    plus k**2 matrix products, and memory for k of them beyond the states. They can be differentiated forwards
    (`jax.jvp`, `jax.jacfwd`), not backwards.

    Args:
        step, state, xs, length: as for `jacobian_chain`.
        times: at least two ascending times in 0..T, concrete integers; 33 evenly spaced ones, or
            all if there are fewer, if None.

    Returns:
        a `JacobianPairs`; under `jax.vmap` its arrays get the batch axis.

    Raises:
        ValueError: a time lies outside 0..T, they do not ascend, or as `jacobian_chain`.
    """
    state, xs, length = checked(step, state, xs, length)
    check_declaration(step, state, xs)
    if times is None:
        times = np.unique(np.linspace(0, length, min(DEFAULT_TIMES, length + 1)).round().astype(int))
    if length == 0:
        raise ValueError("xs must hold at least one step, for two times to lie apart, got none")
    times = concrete_integers("times", times, 0, length)
    if times.size < 2 or (np.diff(times) <= 0).any():
        raise ValueError(f"times must be at least two and ascend, got {times.tolist()}")
    moments = jnp.asarray(times, jnp.int32)
    return call_compiled(_pairs, (step,), state, xs, moments, length=length)


def _pairs(step: Step, state: State, xs: Inputs, times: Array, *, length: int) -> JacobianPairs:
    neighbours, measure = sequential.products_between(step, state, xs, None, times, length=length)
    measure = replace(measure, spectral=True)
    count = times.shape[0]
    padded = jax.tree.map(lambda leaf: jnp.concatenate([leaf[:1], leaf]), neighbours)  # [i] ends at times[i]

    def further(products: Any, gap: Array) -> tuple[Any, Any]:
        """From dh_s/dh_t to the next earlier t, for every s at once."""
        norms = over_examples(measure, products)[:2]
        source = jnp.maximum(jnp.arange(count, dtype=jnp.int32) - gap, 0)
        earlier = jax.tree.map(lambda leaf: leaf[source], padded)
        with jax.default_matmul_precision("highest"):
            products = over_examples(lambda pair: measure.layout.product(*pair), (products, earlier))
        return products, norms

    one = scaled.from_array(measure.layout.identity(padded.mantissa.dtype))
    start = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (count, *leaf.shape)), one)
    _, (frobenius, spectral) = jax.lax.scan(further, start, jnp.arange(count, dtype=jnp.int32))
    gap = jnp.arange(count, dtype=jnp.int32)[:, None] - jnp.arange(count, dtype=jnp.int32)[None]

    def by_times(by_gap: Array) -> Array:
        return jnp.take_along_axis(by_gap.T, jnp.maximum(gap, 0), axis=1)

    def lower(norm: ScaledNumber) -> ScaledNumber:
        known = jax.tree.map(by_times, norm)
        return replace(known, mantissa=jnp.where(gap >= 0, known.mantissa, jnp.nan))

    return JacobianPairs(times, lower(frobenius), lower(spectral))
