"""How to go over independent examples, sequences or seeds."""

from collections.abc import Callable
from typing import Any

import jax


def over_examples(function: Callable[[Any], Any], examples: Any) -> Any:
    """Applies a function to each of a batch of examples, whose leaves lead with the batch axis.

    On a CPU one follows the other: products of a batch of small matrices are slow there. On an
    accelerator all go together, by `jax.vmap`.
    """
    if jax.default_backend() == "cpu":
        return jax.lax.map(function, examples)
    return jax.vmap(function)(examples)
