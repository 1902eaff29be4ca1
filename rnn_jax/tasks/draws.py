"""Random choices that several tasks make."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int


def distinct(key: Array, batch_size: int, count: int, size: int) -> Int[Array, "batch count"]:
    """`count` different whole numbers under `size` for each example, every ordered choice equally likely."""
    bits = jax.random.bits(key, (batch_size, size), jnp.uint32)
    return jax.lax.top_k(bits, count)[1]


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
