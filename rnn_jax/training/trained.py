"""What of a model is trained: its real and complex numbers. Whole numbers, truths and random keys stay as they are."""

from typing import Any

import jax
import jax.numpy as jnp


def trained(tree: Any) -> Any:
    """The tree with None in place of what is not trained; where all is, the tree itself."""
    return jax.tree.map(lambda leaf: leaf if _is_trained(leaf) else None, tree)


def with_trained(tree: Any, changed: Any) -> Any:
    """The tree with what is trained taken from another, as `trained` gives it."""
    return jax.tree.map(
        lambda new, old: old if new is None else new, changed, tree, is_leaf=lambda leaf: leaf is None
    )


def all_trained(tree: Any) -> bool:
    """Whether nothing stays as it is."""
    return all(map(_is_trained, jax.tree.leaves(tree)))


def _is_trained(leaf: Any) -> bool:
    return jnp.issubdtype(jnp.result_type(leaf), jnp.inexact)
