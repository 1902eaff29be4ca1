"""Random choices that several tasks make."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, UInt

from rnn_jax.keys import checked_key
from rnn_jax.whole_numbers import checked_whole


def checked_draw(key: Any, batch_size: Any) -> None:
    """Raises ValueError unless `key` is one random key and `batch_size` a whole number of at least 1."""
    checked_key(key)
    checked_whole("batch_size", batch_size)


def bits(key: Array, batch_size: int, *counts: int) -> list[UInt[Array, "batch _"]]:
    """Random bits for each example, so many numbers of 32 bits in each part, all from one draw.

    Of most tasks a batch is so small that a draw of its own for each part, and a split of the key before,
    take longer than all their numbers.
    """
    drawn = jax.random.bits(key, (batch_size, sum(counts)), jnp.uint32)
    return jnp.split(drawn, np.cumsum(counts)[:-1].tolist(), axis=1)


def below(drawn: UInt[Array, "batch count"], bound: int | Int[Array, " count"]) -> Int[Array, "batch count"]:
    """Whole numbers from 0 on and under `bound`, uniform to within bound / 2**32.

    `jax.random.randint` draws twice as many bits, to be uniform to within bound / 2**64.
    """
    return jax.lax.rem(drawn, jnp.broadcast_to(jnp.asarray(bound, jnp.uint32), drawn.shape)).astype(jnp.int32)


def coins(key: Array, batch_size: int, count: int) -> Int[Array, "batch count"]:
    """Independent numbers, 0 or 1, each of one bit."""
    (drawn,) = bits(key, batch_size, -(-count // 32))
    each = (drawn[:, :, None] >> jnp.arange(32, dtype=jnp.uint32)[None, None]) & 1
    return each.reshape(batch_size, -1)[:, :count].astype(jnp.int32)


def randint(key: Array, shape: tuple[int, ...], low: int, high: int) -> Int[Array, "*shape"]:
    """The numbers that `jax.random.randint` draws, in half of the time where there is a power of two of them.

    It draws two words of 32 bits a number; of these only the second then matters.
    """
    span = high - low
    if span & (span - 1) or span > 2**16:
        return jax.random.randint(key, shape, low, high, jnp.int32)
    lower = jax.random.bits(jax.random.split(key)[1], shape, jnp.uint32)
    return low + (lower & (span - 1)).astype(jnp.int32)


def subset(drawn: UInt[Array, "batch count"], size: int) -> Int[Array, "batch count"]:
    """As many different whole numbers under `size` for each example, every set of them equally likely; their
    order is not uniformly random. There are at least 1 and at most `size`.

    References:
        Floyd, in Bentley 1987, Programming pearls: a sample of brilliance.
    """
    count = drawn.shape[1]
    assert 1 <= count <= size
    last = jnp.arange(size - count, size, dtype=jnp.int32)
    numbers = below(drawn, last + 1)

    def add(place: Array, chosen: Array) -> Array:
        new = jax.lax.dynamic_index_in_dim(numbers, place, 1)
        is_taken = jnp.any(chosen == new, axis=1, keepdims=True)
        return jax.lax.dynamic_update_slice_in_dim(chosen, jnp.where(is_taken, last[place], new), place, 1)

    return jax.lax.fori_loop(0, count, add, jnp.full(drawn.shape, -1, jnp.int32))


def distinct(drawn: UInt[Array, "batch size"], count: int) -> Int[Array, "batch count"]:
    """The first `count` numbers of a random permutation of 0 to size - 1, every one equally likely.

    They are the ranks of the numbers drawn, told by `count` comparisons of each: where there are few, as here, in
    a fraction of the time of a sort.
    """
    assert 1 <= count <= drawn.shape[1] <= 4096  # see _packed
    ordered = _packed(drawn)
    is_less = ordered[:, None, :] < ordered[:, :count, None]
    return jnp.sum(is_less, axis=2, dtype=jnp.int32)


def places_by_rank(ranks: UInt[Array, "batch size"]) -> Int[Array, "batch size"]:
    """The places of each example's ranks, from the smallest rank on.

    One array is sorted, in a fraction of the time of an argsort or a top_k on a CPU.
    """
    return (jnp.sort(_packed(ranks), axis=1) & (2 ** _digits(ranks) - 1)).astype(jnp.int32)


def _packed(ranks: UInt[Array, "batch size"]) -> UInt[Array, "batch size"]:
    """The ranks, with their places in the last bits, so that no two of an example are equal.

    Of 100 places ranks are told apart by 25 bits, of 4,096 by 20. Ranks that are equal in those come in the
    order of their places: of more places that would show.
    """
    digits = _digits(ranks)
    return ranks >> digits << digits | jnp.arange(ranks.shape[1], dtype=jnp.uint32)[None]


def _digits(ranks: UInt[Array, "batch size"]) -> int:
    return max(ranks.shape[1] - 1, 1).bit_length()


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
