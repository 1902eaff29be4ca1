"""The real coordinates of a pytree: what a Jacobian's rows and columns count.

Floating leaves contribute their entries, complex leaves their real parts and then their imaginary
parts. Integers, booleans and random keys have no derivative; they are carried along unchanged.
"""

from collections.abc import Callable
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from rnn_jax.slopes import with_exact_slopes


def real_size(tree: Any) -> int:
    """The number n of real coordinates of a pytree (a complex number counts twice)."""
    return sum(leaf.size * _reals_per_entry(leaf) for leaf in jax.tree.leaves(tree))


def real_dtype(tree: Any) -> Any:
    """The real dtype in which the coordinates of a pytree are held.

    Raises:
        ValueError: the tree holds nothing that can be differentiated.
    """
    dtypes = [jnp.finfo(leaf.dtype).dtype for leaf in jax.tree.leaves(tree) if _reals_per_entry(leaf)]
    if not dtypes:
        raise ValueError(
            "the state holds no floating or complex numbers, so it has no Jacobian; "
            f"its leaves are {[str(leaf.dtype) for leaf in jax.tree.leaves(tree)]}"
        )
    return reduce(np.promote_types, dtypes)


def ravel_reals(tree: Any) -> tuple[Float[Array, " n"], Callable[[Array], Any]]:
    """Flattens a pytree to its real coordinates.

    Args:
        tree: a pytree of arrays.

    Returns:
        the coordinates, shape (n,), in leaf order; and a function that puts a vector of
        coordinates back into the tree, its undifferentiated leaves carried over.
    """
    leaves, structure = jax.tree.flatten(tree)
    dtype = real_dtype(tree)
    parts = []
    for leaf in leaves:
        if jnp.issubdtype(leaf.dtype, jnp.complexfloating):
            parts += [leaf.real.ravel(), leaf.imag.ravel()]
        elif _reals_per_entry(leaf):
            parts.append(leaf.ravel())
    vector = jnp.concatenate([part.astype(dtype) for part in parts])

    def rebuild(vector: Array) -> Any:
        rebuilt, start = [], 0
        for leaf in leaves:
            count = _reals_per_entry(leaf)
            if count == 0:
                rebuilt.append(leaf)
                continue
            part = vector[start : start + count * leaf.size]
            start += count * leaf.size
            if count == 2:
                real, imaginary = part[: leaf.size], part[leaf.size :]
                part = jax.lax.complex(real, imaginary)
            rebuilt.append(part.reshape(leaf.shape).astype(leaf.dtype))
        return jax.tree.unflatten(structure, rebuilt)

    return vector, rebuild


def in_coordinates(
    step: Callable[[Any, Any], Any], state: Any, x: Any
) -> tuple[Callable[[Array], Array], Float[Array, " n"]]:
    """A step as a function of its state's coordinates, to be differentiated, and the coordinates of `state`.

    Args:
        step, state, x: a step, and where it is taken.

    Returns:
        `vector -> vector`, both of shape (n,), with exact slopes (`rnn_jax.slopes`); and where to take it.
    """
    vector, rebuild = ravel_reals(state)

    def next_vector(vector: Array) -> Array:
        return ravel_reals(step(rebuild(vector), x))[0]

    return with_exact_slopes(next_vector, vector), vector


def _reals_per_entry(leaf: Any) -> int:
    if jnp.issubdtype(leaf.dtype, jnp.complexfloating):
        return 2
    return 1 if jnp.issubdtype(leaf.dtype, jnp.floating) else 0
