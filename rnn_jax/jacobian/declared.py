"""Whether a step has the structure that it declares: without it numbers would be wrong, and nothing would say so."""

from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array

from rnn_jax.cell_structure import DENSE, DIAGONAL, ELEMENTWISE, KRONECKER, structure_of
from rnn_jax.coordinates import ravel_reals
from rnn_jax.jacobian.layout import layout_of
from rnn_jax.jacobian.structure import factor, prepared
from rnn_jax.messages import first_line
from rnn_jax.step import Inputs, State, Step, is_pytree_of_arrays, signature

_MEANING = {
    ELEMENTWISE: "step(state, x) must be update(recurrent(state), drive(x), state), each unit of `update` reading its own "
    "numbers alone, with recurrent(state) = weight_hh @ h a row a gate, h the first leaf of the state",
    DIAGONAL: "step(state, x) must be update(drive(x), state), each unit of `update` reading its own numbers alone",
    KRONECKER: "each row of the state's first leaf, a matrix, must go through the same matrix that comes from x alone, and "
    "all other leaves must come from x alone",
}
_TOLERANCE = 1e-3
"""Of the derivatives' size; of numbers of few digits the root of their precision."""
_RIGHT: dict[Any, None] = {}
_MOST = 1024


def declares_its_own(step: Any) -> bool:
    """Whether a step declares a structure, and is not of this package: those of this package are held to theirs by tests."""
    return structure_of(step) != DENSE and not _is_ours(step)


def check_declaration(step: Step, state: State, xs: Inputs) -> None:
    """Holds what a step of somebody's own declares to its derivative near one state; what is traced is not looked at.

    Args:
        step, state, xs: a step that accepts the state and the inputs; of these the first is taken.

    Raises:
        ValueError: it has not the structure that it declares, or the state is none that a step of it can have.
    """
    if not declares_its_own(step):
        return
    structure = structure_of(step)
    if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves((step, state, xs))):
        return
    layout_of(step, state)
    x = _first_input(xs)
    known = signature(step, state, x) if is_pytree_of_arrays(step) else None
    if known is not None and known in _RIGHT:
        return
    name = type(step).__name__
    declares = f"{name} declares structure = {structure!r}, but"
    mend = f"for that {_MEANING[structure]}; mend it, or leave the declaration out"
    try:
        if structure == ELEMENTWISE:
            _check_rows(name, step, state, x)
        distance = float(jax.jit(lambda state, x: _distance(step, state, x))(state, x))
    except (AttributeError, TypeError, IndexError) as error:
        raise ValueError(f"{declares} cannot be taken so ({first_line(error)}): {mend}") from error
    if distance > _tolerance(step, state, x):
        raise ValueError(f"{declares} its derivative is another, by {distance:.2g} of its size: {mend}")
    if known is not None:
        _RIGHT[known] = None
        if len(_RIGHT) > _MOST:
            _RIGHT.pop(next(iter(_RIGHT)))


def _first_input(xs: Inputs) -> Any:
    """The input of the first step; zeros where there is none."""
    return jax.tree.map(lambda leaf: leaf[0] if leaf.shape[0] else jnp.zeros(leaf.shape[1:], leaf.dtype), xs)


def _is_ours(step: Any) -> bool:
    """A cell of this package, around another of it if around any."""
    return type(step).__module__.startswith("rnn_jax.") and (not hasattr(step, "cell") or _is_ours(step.cell))


def _check_rows(name: str, step: Any, state: State, x: Any) -> None:
    size = jax.tree.leaves(state)[0].size
    made = {
        "recurrent(state)": jax.eval_shape(step.recurrent, state),
        "drive(x)": jax.eval_shape(step.drive, x),
    }
    for call, each in made.items():
        if len(each.shape) != 2 or each.shape[1] != size:
            raise ValueError(
                f"{name}.{call} must have the shape (gates, {size}), a row a gate, got {each.shape}; of one gate it is "
                "such as (W @ h)[None]"
            )
    gates = made["recurrent(state)"].shape[0]
    if step.weight_hh.shape != (gates * size, size):
        raise ValueError(
            f"{name}.weight_hh must have the shape {(gates * size, size)}, {gates} x {size} rows, got "
            f"{step.weight_hh.shape}"
        )


def _tolerance(*trees: Any) -> float:
    dtypes = {leaf.dtype for leaf in jax.tree.leaves(trees) if hasattr(leaf, "dtype")}
    return max(
        [
            _TOLERANCE,
            *(float(jnp.finfo(each).eps) ** 0.5 for each in dtypes if jnp.issubdtype(each, jnp.inexact)),
        ]
    )


def _distance(step: Any, state: State, x: Any) -> Array:
    """Between J v by the step itself and by its structure, relative to both; 0 where it is not a number."""
    vector, rebuild = ravel_reals(state)
    noise, along = jax.random.normal(jax.random.key(0), (2, vector.size), vector.dtype)
    vector = vector + 0.1 * noise
    with jax.default_matmul_precision("highest"):
        _, plain = jax.jvp(lambda vector: ravel_reals(step(rebuild(vector), x))[0], (vector,), (along,))
        short = factor(step, prepared(step, rebuild(vector), x)).before(along[:, None])[:, 0]
    distance = jnp.max(jnp.abs(plain - short)) / (jnp.max(jnp.abs(plain)) + jnp.max(jnp.abs(short)))
    return jnp.where(jnp.isfinite(distance), distance, 0)
