"""Random choices that several tasks make."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, UInt

from rnn_jax.keys import checked_key

_FEW = 64
"""Up to so many numbers sorting all of them is the quickest way to draw some."""


def checked_draw(key: Any, batch_size: Any) -> None:
    """Raises ValueError unless `key` is one random key and `batch_size` a whole number of at least 1."""
    checked_key(key)
    if isinstance(batch_size, bool) or not isinstance(batch_size, int | np.integer) or batch_size < 1:
        raise ValueError(f"batch_size must be a whole number of at least 1, got {batch_size!r}")


def below(key: Array, shape: tuple[int, ...], bound: int | Int[Array, " last"]) -> Int[Array, "*shape"]:
    """Whole numbers from 0 on and under `bound`, uniform to within bound / 2**32.

    `jax.random.randint` draws twice as many bits, to be uniform to within bound / 2**64.
    """
    bits = jax.random.bits(key, shape, jnp.uint32)
    return jax.lax.rem(bits, jnp.broadcast_to(jnp.asarray(bound, jnp.uint32), shape)).astype(jnp.int32)


def subset(key: Array, batch_size: int, count: int, size: int) -> Int[Array, "batch count"]:
    """`count` different whole numbers under `size` for each example, every set of them equally likely; in no
    certain order, but not in every order equally often. `count` is at least 1 and at most `size`.

    References:
        Floyd, in Bentley 1987, Programming pearls: a sample of brilliance.
    """
    assert 1 <= count <= size
    last = jnp.arange(size - count, size, dtype=jnp.int32)
    drawn = below(key, (batch_size, count), last + 1)

    def add(place: Array, chosen: Array) -> Array:
        new = jax.lax.dynamic_index_in_dim(drawn, place, 1)
        is_taken = jnp.any(chosen == new, axis=1, keepdims=True)
        return jax.lax.dynamic_update_slice_in_dim(chosen, jnp.where(is_taken, last[place], new), place, 1)

    return jax.lax.fori_loop(0, count, add, jnp.full((batch_size, count), -1, jnp.int32))


def distinct(key: Array, batch_size: int, count: int, size: int) -> Int[Array, "batch count"]:
    """`count` different whole numbers under `size` for each example, every ordered choice equally likely.

    Args:
        key: a random key.
        batch_size: how many examples.
        count: at most `size`, and at most 4,096: see `places_by_rank`.
        size: how many numbers there are.
    """
    assert 1 <= count <= min(size, 4096)
    if size <= _FEW:
        return places_by_rank(jax.random.bits(key, (batch_size, size), jnp.uint32))[:, :count]
    set_key, order_key = jax.random.split(key)
    order = places_by_rank(jax.random.bits(order_key, (batch_size, count), jnp.uint32))
    return jnp.take_along_axis(subset(set_key, batch_size, count, size), order, axis=1)


def places_by_rank(ranks: UInt[Array, "batch size"]) -> Int[Array, "batch size"]:
    """The places of each example's ranks, from the smallest rank on.

    The place takes the last bits of a rank, so that one array is sorted, in a fraction of the time of an
    argsort or a top_k on a CPU: of 100 places ranks are told apart by 25 bits, of 4,096 by 20. Ranks that
    are equal in those come in the order of their places: of more places that would show.
    """
    size = ranks.shape[1]
    digits = max(size - 1, 1).bit_length()
    packed = ranks >> digits << digits | jnp.arange(size, dtype=jnp.uint32)[None]
    return (jnp.sort(packed, axis=1) & (2**digits - 1)).astype(jnp.int32)


def marked_steps(
    placement: str, first_key: Array, second_key: Array, lengths: int | Int[Array, "batch 1"], batch_size: int
) -> tuple[Int[Array, "batch 1"], Int[Array, "batch 1"]]:
    """Two different steps of each example, each uniform in its own part of the sequence.

    Args:
        placement: "halves" (one in each half), "anywhere" (every pair equally likely), or "tenths"
            (one in the first tenth, one from there to the middle).
        first_key, second_key: random keys, one for each step.
        lengths: of all examples, or of each.
        batch_size: how many examples.
    """

    def steps(key: Array, low: int | Array, high: int | Array) -> Array:
        return jax.random.randint(key, (batch_size, 1), low, high, jnp.int32)

    if placement == "halves":
        return steps(first_key, 0, lengths // 2), steps(second_key, lengths // 2, lengths)
    if placement == "tenths":
        return steps(first_key, 0, lengths // 10), steps(second_key, lengths // 10, lengths // 2)
    first = steps(first_key, 0, lengths)
    other = steps(second_key, 0, lengths - 1)
    # Uniform over the steps that are not the first.
    return first, other + (other >= first).astype(jnp.int32)


def put(
    codes: Int[Array, "batch time"], places: Int[Array, "batch count"], symbols: Int[Array, "batch count"]
) -> Int[Array, "batch time"]:
    """The codes with each example's symbols at its places."""
    examples = jnp.arange(codes.shape[0], dtype=jnp.int32)[:, None]
    return codes.at[examples, places].set(symbols)
