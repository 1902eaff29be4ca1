"""Draws from a fixed set of examples that is parted into training and held-out ones."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

PARTS = ("training", "test")


def checked_part(task: Any) -> None:
    """Raises ValueError unless the task's part is one of PARTS."""
    if task.part not in PARTS:
        raise ValueError(f"part of {task.name} must be 'training' or 'test', got {task.part!r}")


def drawn(key: Array, batch_size: int, examples: int, part: str) -> Int[Array, " batch"]:
    """Which examples make a batch.

    Args:
        key: a random key.
        batch_size: how many to draw.
        examples: how many there are.
        part: "training": drawn with replacement; "test": each as often as any other (but for a
            remainder), in random order.
    """
    if part == "training":
        return jax.random.randint(key, (batch_size,), 0, examples, jnp.int32)
    rounds = -(-batch_size // examples)
    each = jax.random.permutation(key, jnp.arange(examples, dtype=jnp.int32))
    return jnp.tile(each, rounds)[:batch_size]
