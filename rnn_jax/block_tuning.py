"""Measures into how many blocks the chain's time is best cut on this device."""

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rnn_jax.cells.elman import Elman
from rnn_jax.dtypes import float_dtype
from rnn_jax.jacobian import block_table
from rnn_jax.jacobian.block_count import most_blocks, untuned_blocks
from rnn_jax.jacobian.chain import jacobian_chain
from rnn_jax.whole_numbers import checked_whole, is_whole


@dataclass(frozen=True)
class BlockTuning:
    """Seconds that a chain took, medians over rounds, at each count of blocks.

    Attributes:
        device_kind: as JAX names the device.
        dtype: of the state.
        state_size: n.
        sequence_length: T.
        block_counts: ascending.
        blocked_s: seconds at each of them.
        sequential_s: seconds in the sequential order, or None where it was not measured.
        compile_s: seconds that compiling the blocked chain took, the longest over the counts.
    """

    device_kind: str
    dtype: str
    state_size: int
    sequence_length: int
    block_counts: tuple[int, ...]
    blocked_s: tuple[float, ...]
    sequential_s: float | None
    compile_s: float

    @property
    def block_count(self) -> int:
        """The fastest."""
        return self.block_counts[int(np.argmin(self.blocked_s))]


def tune_blocks(
    state_size: int,
    length: int,
    *,
    dtype: Any = None,
    block_counts: Sequence[int] | None = None,
    rounds: int = 5,
    sequential: bool = True,
    save: bool = True,
) -> BlockTuning:
    """Measures the blocked chain at several counts of blocks, and keeps the best for later chains.

    What is timed is every lag's norm along a chain of tanh units at states that are known: products
    and launches, of which every other step's chain is made too. From then on
    `jacobian_chain(..., method="blocked")` takes the best count on this device for states up to
    twice as large or small and sequences up to four times as long or short, and on an accelerator
    `method="auto"` takes the faster order. A program that is compiled already stays as it is.

    Args:
        state_size: n.
        length: T.
        dtype: float32 or float64; JAX's default float if None.
        block_counts: what to try; if None, powers of two up to eight times below and above what is taken untuned.
        rounds: timed calls of each, in turn, after two that are not timed.
        sequential: time the sequential order too.
        save: keep the result in memory and in `$XDG_CACHE_HOME/rnn_jax/blocks.json` (`~/.cache/...`).

    Returns:
        a `BlockTuning`.

    Raises:
        ValueError: an argument lies outside its range, or not one count of blocks fits into memory.

    Warns:
        RuntimeWarning: the file cannot be written; then this process alone knows the result.
    """
    for name, value, least in (("state_size", state_size, 1), ("length", length, 2), ("rounds", rounds, 1)):
        checked_whole(name, value, least)
    dtype = jnp.dtype(float_dtype(dtype))
    if dtype.itemsize < 4:
        raise ValueError(f"dtype must be float32 or float64, got {dtype}")
    cell = Elman.create(0, int(state_size), key=jax.random.key(0), dtype=dtype)
    most = most_blocks(state_size, dtype, length)
    if block_counts is None:
        counts = _ladder(untuned_blocks(state_size, dtype, length), most)
    else:
        given = list(block_counts) if isinstance(block_counts, Iterable) else []
        if not given or not all(is_whole(each) for each in given):
            raise ValueError(
                f"block_counts must be a sequence of whole numbers such as [8, 16], got {block_counts!r}"
            )
        counts = sorted({int(each) for each in given})
    if not 1 <= counts[0] <= counts[-1] <= most:
        raise ValueError(
            f"block_counts must lie in 1..{most} for {state_size} units, {length} steps and {dtype}, "
            f"got {block_counts}"
        )
    keys = jax.random.normal(jax.random.key(1), (length + 1, state_size), jnp.float32)
    states = jax.block_until_ready(jnp.tanh(keys).astype(dtype))

    def chain(**options: Any) -> Callable[[], Any]:
        return lambda: jacobian_chain(cell, None, None, length=length, states=states, **options)

    calls = {count: chain(method="blocked", block_count=count) for count in counts}
    if sequential:
        calls[0] = chain(method="sequential")
    compile_s, seconds = _interleaved(calls, rounds)
    made = BlockTuning(
        device_kind=block_table.device_kind(),
        dtype=str(dtype),
        state_size=int(state_size),
        sequence_length=int(length),
        block_counts=tuple(counts),
        blocked_s=tuple(seconds[count] for count in counts),
        sequential_s=seconds.get(0),
        compile_s=max(compile_s[count] for count in counts),
    )
    if save:
        _keep(made)
    return made


def _ladder(untuned: int, most: int) -> list[int]:
    """Powers of two around what is taken untuned, with the most that there can be where that cuts it short."""
    middle = block_table.power_of_two(untuned)
    counts = {2**power for power in range(max(0, middle - 3), middle + 4)}
    return sorted({min(count, most) for count in counts})


def _interleaved(calls: dict[int, Callable], rounds: int) -> tuple[dict[int, float], dict[int, float]]:
    """Seconds that the first call of each took longer, and the median seconds of later calls."""

    def timed(call: Callable) -> float:
        started = perf_counter()
        jax.block_until_ready(call().frobenius_norm)
        return perf_counter() - started

    first = {name: timed(call) for name, call in calls.items()}
    for call in calls.values():
        timed(call)
    taken = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            taken[name].append(timed(call))
    medians = {name: float(np.median(each)) for name, each in taken.items()}
    return {name: first[name] - medians[name] for name in calls}, medians


def _keep(made: BlockTuning) -> None:
    entry = block_table.Entry(
        device_kind=made.device_kind,
        dtype=made.dtype,
        log2_size=block_table.power_of_two(made.state_size),
        log2_length=block_table.power_of_two(made.sequence_length),
        block_count=made.block_count,
        blocked_s=min(made.blocked_s),
        sequential_s=made.sequential_s,
    )
    try:
        block_table.keep(entry)
    except (OSError, RuntimeError) as error:
        warnings.warn(
            f"the best count of blocks is known to this process alone, as it cannot be written: {error}; "
            "set XDG_CACHE_HOME to a folder that can be",
            RuntimeWarning,
            stacklevel=3,
        )
