"""Remedies that act inside the backward pass over time; the forward pass stays what it is."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool

from rnn_jax.jacobian.scaled import power_of_two
from rnn_jax.remedies.clipping import norm_over, shortened
from rnn_jax.remedies.remedy import (
    BatchStep,
    Remedy,
    Strength,
    checked_strength,
    one_per_strength,
    whole_number,
)
from rnn_jax.step import State


@one_per_strength
def clip_per_step(threshold: Strength = 1.0) -> Remedy:
    """Scales dL/dh_t down to norm `threshold`, at every step of the backward pass, where it is longer.

    L is the loss of one sequence, h_t its whole state, and dL/dh_t what has come back to it: from
    its own output and from later steps, clipped already. So no explosion can build up over time, and
    the forward pass is unchanged. The loss of a batch is taken to be the mean over its sequences.

    Args:
        threshold: the largest norm let through, positive.

    Raises:
        ValueError: the threshold is not positive.

    References:
        Mikolov 2012, Statistical language models based on neural networks, section 3.2.2 (there
        entry by entry, as in Graves 2013, arXiv 1308.0850, section 2.1; here by norm, which keeps
        the direction).
    """
    checked_strength("threshold", threshold, above=0, at_most=np.inf)

    def adapt(step: BatchStep) -> BatchStep:
        def clipping(states: State, inputs: Array, steps_left: Array) -> State:
            return _clipped_backwards(step(states, inputs, steps_left), threshold)

        return clipping

    return Remedy("clip_per_step", threshold, adapt_step=adapt)


@one_per_strength
def truncated_bptt(steps: Strength = 20) -> Remedy:
    """Cuts the gradient between chunks of `steps` steps, counted back from the end of the sequence.

    The states h_{T-k}, h_{T-2k}, ... are passed on as constants: a loss at step t reaches back to the
    beginning of its chunk and no further, a loss at the end exactly k steps. The forward pass is
    unchanged.

    Args:
        steps: the length k of a chunk, at least 1. It cannot be traced.

    Raises:
        ValueError: it is not a whole number of at least 1.

    References:
        Williams & Peng 1990, An efficient gradient-based algorithm for on-line training of recurrent
        network trajectories: BPTT(k; k).
    """
    length = whole_number("steps", steps)

    def adapt(step: BatchStep) -> BatchStep:
        def cutting(states: State, inputs: Array, steps_left: Array) -> State:
            return step(_cut_where((steps_left + 1) % length == 0, states), inputs, steps_left)

        return cutting

    return Remedy("truncated_bptt", float(length), adapt_step=adapt)


def _cut_where(cut: Bool[Array, ""], states: State) -> State:
    return jax.tree.map(lambda leaf: jnp.where(cut, jax.lax.stop_gradient(leaf), leaf), states)


@jax.custom_vjp
def _clipped_backwards(states: State, threshold: Any) -> State:
    del threshold
    return states


def _pass_on(states: State, threshold: Any) -> tuple[State, Any]:
    return states, threshold


def _clip(threshold: Any, cotangents: State) -> tuple[State, None]:
    differentiable = [leaf for leaf in jax.tree.leaves(cotangents) if _has_length(leaf)]
    batch_size = differentiable[0].shape[0]
    norm, exponent = _norm_of_each(differentiable)
    # Of a mean loss a sequence's own gradient is batch_size times what comes back.
    most = jnp.asarray(threshold, norm.dtype) / batch_size

    def clipped(leaf: Array) -> Array:
        if not _has_length(leaf):
            return leaf
        shape = (batch_size, *[1] * (leaf.ndim - 1))
        return shortened(leaf, norm.reshape(shape), exponent.reshape(shape), most)

    return jax.tree.map(clipped, cotangents), None


def _has_length(cotangent: Array) -> bool:
    """Whether a leaf is part of a norm: not that of a counter, nor an empty one."""
    return cotangent.dtype != jax.dtypes.float0 and cotangent.size > 0


_clipped_backwards.defvjp(_pass_on, _clip)


def _norm_of_each(leaves: Sequence[Array]) -> tuple[Array, Array]:
    """The norm of each sequence's state over all its leaves, as mantissas and exponents, shape (batch,)."""
    norms = [norm_over(leaf, tuple(range(1, leaf.ndim))) for leaf in leaves]
    flat = [(norm.reshape(-1), exponent.reshape(-1)) for norm, exponent in norms]
    highest = jnp.max(jnp.stack([exponent for _, exponent in flat]), axis=0)
    scaled = jnp.stack([norm * power_of_two(exponent - highest, norm.dtype) for norm, exponent in flat])
    return jnp.sqrt(jnp.sum(jnp.square(scaled), axis=0)), highest
