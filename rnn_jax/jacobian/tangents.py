"""Columns pushed forward through step Jacobians."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from rnn_jax.cell_structure import DENSE, structure_of
from rnn_jax.coordinates import in_coordinates
from rnn_jax.jacobian.scaled import exponent_of, power_of_two
from rnn_jax.jacobian.structure import factor
from rnn_jax.step import Step


def pushed(step: Step, material: Any, columns: Float[Array, "n columns"]) -> Float[Array, "n columns"]:
    """J @ columns, from what `structure.prepared` gave for that step.

    A step without a declared structure pushes them through its linearization, which never builds J.
    """
    if structure_of(step) != DENSE:
        return factor(step, material).before(columns)
    state, x, _ = material
    _, linear = jax.linearize(*in_coordinates(step, state, x))
    return jax.vmap(linear, in_axes=1, out_axes=1)(columns)


def dense_jacobian(step: Step, material: Any, size: int, dtype: Any) -> Float[Array, "n n"]:
    """J itself, for the few steps at which it is looked at."""
    return factor(step, material).before(jnp.eye(size, dtype=dtype))


def rescaled(columns: Float[Array, "n columns"]) -> tuple[Float[Array, "n columns"], Array]:
    """The columns times 2**-exponent, which brings the largest entry to about 1, and the exponent."""
    exponent = exponent_of(jnp.max(jnp.abs(columns)))
    return columns * power_of_two(-exponent, columns.dtype), exponent
