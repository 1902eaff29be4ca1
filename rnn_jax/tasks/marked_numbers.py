"""Two marked numbers of a sequence: what the adding, multiplication and XOR problems share."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from rnn_jax.tasks.draws import marked_steps


def longest(length: int, varied: bool) -> int:
    """The number of steps: a tenth more where the length of the examples varies."""
    return length + length // 10 if varied else length


def marked_pair(
    key: Array, batch_size: int, length: int, placement: str, varied: bool = False, bits: bool = False
) -> tuple[Float[Array, "batch time 2"], Float[Array, "batch 2"]]:
    """Numbers with two marks, and the two marked numbers, in float32.

    Args:
        key: a random key.
        batch_size: how many examples.
        length: of a sequence; where it varies, the shortest.
        placement: of the marks, see `marked_steps`.
        varied: whether each example's length is uniform on length..length + length // 10. All take
            as many steps: shorter ones begin later, after steps whose two inputs are 0.
        bits: 0 or 1 in place of numbers uniform on [0, 1).

    Returns:
        inputs: the numbers, and 1 at the two marked steps, else 0.
        marked: the two marked numbers.
    """
    values_key, first_key, second_key, *length_key = jax.random.split(key, 4 if varied else 3)
    steps = longest(length, varied)
    if bits:
        values = jax.random.bernoulli(values_key, 0.5, (batch_size, steps)).astype(jnp.float32)
    else:
        values = jax.random.uniform(values_key, (batch_size, steps), jnp.float32)
    at = jnp.arange(steps, dtype=jnp.int32)[None]
    if varied:
        lengths = _lengths(length_key[0], batch_size, length)
        first, second = marked_steps(placement, first_key, second_key, lengths, batch_size)
        start = steps - lengths
        first, second, values = first + start, second + start, jnp.where(at >= start, values, 0)
    else:
        first, second = marked_steps(placement, first_key, second_key, length, batch_size)
    marks = (at == first) | (at == second)
    marked = jnp.take_along_axis(values, jnp.concatenate([first, second], axis=1), axis=1)
    return jnp.stack([values, marks.astype(jnp.float32)], axis=-1), marked


def _lengths(key: Array, batch_size: int, length: int) -> Int[Array, "batch 1"]:
    return jax.random.randint(key, (batch_size, 1), length, longest(length, varied=True) + 1, jnp.int32)
