"""Whether a step has the structure that it declares: without it numbers would be wrong, and nothing would say so."""

from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array

from rnn_jax.cell_structure import DENSE, DIAGONAL, ELEMENTWISE, KRONECKER, structure_of
from rnn_jax.coordinates import in_coordinates, ravel_reals
from rnn_jax.jacobian.layout import layout_of
from rnn_jax.jacobian.structure import factor, prepared
from rnn_jax.messages import first_line
from rnn_jax.step import Inputs, State, Step, call_compiled

_MEANING = {
    ELEMENTWISE: "step(state, x) must be update(recurrent(state), drive(x), state), each unit of `update` reading its own "
    "numbers alone, with recurrent(state) = weight_hh @ h a row a gate, h the first leaf of the state",
    DIAGONAL: "step(state, x) must be update(drive(x), state), each unit of `update` reading its own numbers alone",
    KRONECKER: "each row of the state's first leaf, a matrix, must go through the same matrix that comes from x alone, and "
    "all other leaves must come from x alone",
}
_TOLERANCE = 1e-6
"""Of the size; of numbers of few digits the root of their precision."""
_NOISE = 0.1, 1.0
"""Deviations of what is added to the state, and the second time to the input too."""


def declares_its_own(step: Any) -> bool:
    """Whether a step declares a structure, and is not of this package: those of this package are held to theirs by tests."""
    return structure_of(step) != DENSE and not _is_ours(step)


def check_declaration(step: Step, state: State, xs: Inputs) -> None:
    """Holds what a step of somebody's own declares to its value and derivative at two points; what is traced is not
    looked at.

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
    name = type(step).__name__
    declares = f"{name} declares structure = {structure!r}, but"
    mend = f"for that {_MEANING[structure]}; mend it, or leave the declaration out"
    try:
        if structure == ELEMENTWISE:
            _check_rows(name, step, state, x)
        distance = float(call_compiled(_distance, (step,), state, x))
    except (AttributeError, TypeError, IndexError) as error:
        raise ValueError(f"{declares} cannot be taken so ({first_line(error)}): {mend}") from error
    if distance > _tolerance(step, state, x):
        raise ValueError(
            f"{declares} its derivative or value is another, by {distance:.2g} of its size: {mend}"
        )


def _first_input(xs: Inputs) -> Any:
    """The input of the first step; zeros where there is none."""
    return jax.tree.map(lambda leaf: leaf[0] if leaf.shape[0] else jnp.zeros(leaf.shape[1:], leaf.dtype), xs)


def _is_ours(step: Any) -> bool:
    """A cell of this package, around another of it if around any."""
    return type(step).__module__.startswith("rnn_jax.") and (not hasattr(step, "cell") or _is_ours(step.cell))


def _check_rows(name: str, step: Any, state: State, x: Any) -> None:
    size = jax.tree.leaves(state)[0].size
    for path, leaf in jax.tree.leaves_with_path(state):
        if leaf.shape != (size,) or not jnp.issubdtype(leaf.dtype, jnp.floating):
            raise ValueError(
                f"{name} declares structure = 'elementwise', for which every leaf of the state must be real and of shape "
                f"({size},), got state{jax.tree_util.keystr(path)} {leaf.shape} {leaf.dtype}; leave the declaration out"
            )
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
    """The larger one at two points of how far J v, and the next state, by the structure are from the step's own."""
    keys = jax.random.split(jax.random.key(0), 2)
    return jnp.maximum(
        *(_distance_at(step, state, x, key, noise) for key, noise in zip(keys, _NOISE, strict=True))
    )


def _distance_at(step: Any, state: State, x: Any, key: Array, noise: float) -> Array:
    vector, rebuild = ravel_reals(state)
    state_key, tangent_key, input_key = jax.random.split(key, 3)
    vector = vector + noise * jax.random.normal(state_key, vector.shape, vector.dtype)
    along = jax.random.normal(tangent_key, vector.shape, vector.dtype)
    if noise >= 1:
        x = jax.tree.map(lambda leaf: _noisy(leaf, input_key), x)
    with jax.default_matmul_precision("highest"):
        moved = rebuild(vector)
        next_vector, vector = in_coordinates(step, moved, x)
        value, plain = jax.jvp(next_vector, (vector,), (along,))
        short = factor(step, prepared(step, moved, x)).before(along[:, None])[:, 0]
        made = _by_update(step, moved, x)
    made = value if made is None else ravel_reals(made)[0]
    return jnp.maximum(_relative(plain, short), _relative(value, made))


def _by_update(step: Any, state: State, x: Any) -> State | None:
    """The next state by the functions that the structure names; None where it names none."""
    structure = structure_of(step)
    if structure == ELEMENTWISE:
        return step.update(step.recurrent(state), step.drive(x), state)
    return step.update(step.drive(x), state) if structure == DIAGONAL else None


def _noisy(leaf: Array, key: Array) -> Array:
    inexact = jnp.issubdtype(leaf.dtype, jnp.inexact)
    return leaf + jax.random.normal(key, leaf.shape, leaf.dtype) if inexact else leaf


def _relative(left: Array, right: Array) -> Array:
    """How far apart two are, of their size; 0 where that is no number."""
    distance = jnp.max(jnp.abs(left - right)) / (jnp.max(jnp.abs(left)) + jnp.max(jnp.abs(right)))
    return jnp.where(jnp.isfinite(distance), distance, 0)
