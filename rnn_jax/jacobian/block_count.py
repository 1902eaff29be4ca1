"""Into how many blocks the time of a chain is cut."""

import math
from typing import Any

import jax.numpy as jnp

from rnn_jax.coordinates import real_dtype, real_size
from rnn_jax.jacobian import block_table
from rnn_jax.step import State
from rnn_jax.whole_numbers import is_whole


def most_blocks(size: int, dtype: Any, length: int) -> int:
    """As many as there are steps, but one product a block shall fit into 256 MiB.

    The totals of blocks, the products at their ends, two turns of the loop and an assembled factor
    each take as much again, and `vmap` takes all of it once an example.
    """
    return max(1, min(2**28 // (size**2 * jnp.dtype(dtype).itemsize), length))


def untuned_blocks(size: int, dtype: Any, length: int) -> int:
    """With sqrt(2 T) there are fewest launches; but a device should find the products of all blocks in its cache.

    On an H200, 512 units, 16 blocks were best in float64 and 32 in float32, 32 MiB both; 128 took 11% and 5% longer.
    """
    in_cache = max(2, 2**25 // (size**2 * jnp.dtype(dtype).itemsize))
    return min(math.isqrt(2 * length), in_cache, most_blocks(size, dtype, length))


def block_count_of(method: str, asked: int | None, state: State, platform: str, length: int) -> int | None:
    """Into how many blocks a method cuts T steps on a platform; None for one step after the other."""
    if method == "sequential":
        return None
    if asked is not None:
        if not is_whole(asked) or not 1 <= asked <= max(1, length):
            raise ValueError(
                f"block_count must be a whole number in 1..{max(1, length)}, the length of the sequence, got {asked!r}"
            )
        return int(asked)
    size, dtype = real_size(state), real_dtype(state)
    if method == "auto":
        if platform == "cpu":
            return None  # blocks are slow there
        known = block_table.nearest(size, str(dtype), length)
        if known is not None and known.sequential_s is not None:
            faster = known.blocked_s < known.sequential_s
        else:
            # One product of a large net keeps a device busy. On an H200, 1,024 units, blocks took 0.7 and 0.9 of the time
            # in float32 and float64 where few rows were enough (`low_rank`); where they are not, they form every product twice.
            faster = size < 1024 and length >= 256
        if not faster:
            return None
    known = block_table.nearest(size, str(dtype), length)
    if known is None:
        return max(1, untuned_blocks(size, dtype, length))
    return max(1, min(known.block_count, most_blocks(size, dtype, length)))
