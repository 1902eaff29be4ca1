"""Gradients of a loss over time: dL/dh_t, dL/dx_t for every t, and each lag's share of dL/dW."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from rnn_jax.coordinates import in_coordinates, ravel_reals, real_size
from rnn_jax.dtypes import at_least_float32
from rnn_jax.jacobian import scaled
from rnn_jax.jacobian.material import nan_or_zero
from rnn_jax.jacobian.scaled import ScaledMatrix
from rnn_jax.messages import first_line
from rnn_jax.shown import brief
from rnn_jax.slopes import with_exact_slopes
from rnn_jax.step import Inputs, State, Step, call_compiled, checked, is_pytree_of_arrays, materialized
from rnn_jax.trajectory import run
from rnn_jax.unrolling import heavy_unroll

Loss = Callable[[State], Array]


@jax.tree_util.register_dataclass
@brief
@dataclass(frozen=True)
class LossGradients:
    """Gradients of a loss along a sequence, each time step with its own integer exponent.

    Attributes:
        loss: the loss itself, a scalar.
        state: row t is dL/dh_t (total: through every later state), t = 0..T; shape (T + 1, n) in
            the coordinate order of `step_jacobians`.
        input: row t - 1 is dL/dx_t, t = 1..T; shape (T, m); None where the inputs have no real
            numbers.
    """

    loss: Array
    state: ScaledMatrix
    input: ScaledMatrix | None


def loss_gradients(
    loss: Loss, step: Step, state: State, xs: Inputs, *, length: int | None = None
) -> LossGradients:
    """dL/dh_t and dL/dx_t for every t in one backward pass that does not underflow with its length.

    A plain backward pass in float32 returns exact zeros once the gradient has shrunk by 1e-38;
    here each step is rescaled by a power of two, which is exact. Of one dL/dh_t, units whose parts are further apart
    than the dtype's range (1e38 in float32, 1e308 in float64) are lost to the larger: of an input that drives
    nothing but such a unit dL/dx_t is then zero.

    Args:
        loss: `loss(states) -> scalar`, of the stacked states h_0..h_T as `trajectory` returns them.
        step: a callable `(state, x) -> state`.
        state: the initial state h_0.
        xs: the inputs x_1..x_T, or None.
        length: T, for `xs=None`.

    Returns:
        a `LossGradients`; `.state.log_row_norms()` is log of the norm of dL/dh_t for t = 0..T. What
        goes through a state that is not finite is NaN.

    Raises:
        ValueError: the loss is not a real scalar, or as `jacobian_chain`.
    """
    if not callable(loss):
        raise TypeError(f"loss must be a callable states -> scalar, got {type(loss).__name__}")
    if hasattr(loss, "initial_state"):
        raise TypeError(
            f"loss must be a callable states -> scalar, got the cell {type(loss).__name__}: it comes second"
        )
    state, xs, length = checked(step, state, xs, length)
    states = jax.eval_shape(lambda h, x: run(step, h, x, length=length), state, xs)
    try:
        shape = jax.eval_shape(lambda states: loss(states), states)
    except (TypeError, AttributeError, KeyError, IndexError) as error:
        held = jax.tree.map(lambda leaf: f"{leaf.dtype}{list(leaf.shape)}", states)
        raise ValueError(
            f"loss does not accept states stacked as {held}, h_0..h_T on the leading axis: {first_line(error)}"
        ) from error
    if getattr(shape, "shape", None) != ():
        raise ValueError(
            f"loss must return a scalar, got {getattr(shape, 'shape', shape)}; take a mean or a sum"
        )
    if not jnp.issubdtype(shape.dtype, jnp.floating):
        raise ValueError(f"loss must return a real floating number, got {shape.dtype}")
    return call_compiled(_loss_gradients, (loss, step), state, xs, length=length)


def _loss_gradients(loss: Loss, step: Step, state: State, xs: Inputs, *, length: int) -> LossGradients:
    with jax.default_matmul_precision("highest"):
        states = run(step, state, xs, length=length)
        coordinates = jax.vmap(lambda each: ravel_reals(each)[0])(states)

        def loss_of(vectors: Array) -> Array:
            return loss(jax.vmap(lambda vector, each: ravel_reals(each)[1](vector))(vectors, states))

        value, direct = jax.value_and_grad(loss_of)(coordinates)
        before = jax.tree.map(lambda leaf: leaf[:-1], states)
        driven = real_size(xs) > 0
        finite = jnp.all(jnp.isfinite(coordinates), axis=1)
        poison = nan_or_zero(finite[:-1] & finite[1:], coordinates.dtype)

        def backward(after: ScaledMatrix, at: tuple[State, Any, Array, Array]):
            past, x, direct_past, nan_here = at
            through_state, through_input = _pull_back(step, past, x, after.mantissa[0], driven)
            total = _add(
                scaled.normalized(through_state[None] + nan_here, after.exponent),
                scaled.from_array(direct_past[None]),
            )
            to_input = None
            if through_input is not None:
                nan_there = nan_here.astype(through_input.dtype)
                to_input = scaled.normalized(through_input[None] + nan_there, after.exponent)
            return total, (total, to_input)

        last = scaled.from_array(direct[-1][None])
        _, (earlier, inputs) = jax.lax.scan(
            backward,
            last,
            (before, xs, direct[:-1], poison),
            length=length,
            reverse=True,
            unroll=heavy_unroll(),
        )
        rows = jax.tree.map(lambda leaf, end: jnp.concatenate([leaf[:, 0], end]), earlier, last)
        return LossGradients(loss=value, state=rows, input=jax.tree.map(lambda leaf: leaf[:, 0], inputs))


def _pull_back(
    step: Step, state: State, x: Any, cotangent: Float[Array, " n"], driven: bool
) -> tuple[Array, Array | None]:
    """J_t^T and (dh_t/dx_t)^T applied to a vector."""
    if not driven:
        return jax.vjp(*in_coordinates(step, state, x))[1](cotangent)[0], None
    (vector, rebuild), (input_vector, rebuild_input) = ravel_reals(state), ravel_reals(x)

    def next_state(vector: Array, input_vector: Array) -> Array:
        return ravel_reals(step(rebuild(vector), rebuild_input(input_vector)))[0]

    exact = with_exact_slopes(next_state, vector, input_vector)
    return jax.vjp(exact, vector, input_vector)[1](cotangent)


def _add(left: ScaledMatrix, right: ScaledMatrix) -> ScaledMatrix:
    """Row by row sum; the smaller term is shifted, which is exact until it falls below rounding."""
    lowest = jnp.iinfo(jnp.int32).min // 2
    sizes = [jnp.where(jnp.any(each.mantissa != 0, axis=1), each.exponent, lowest) for each in (left, right)]
    exponent = jnp.maximum(*sizes)
    terms = [
        each.mantissa * scaled.power_of_two(size - exponent, each.mantissa.dtype)[:, None]
        for each, size in zip((left, right), sizes, strict=True)
    ]
    return scaled.normalized(terms[0] + terms[1], exponent)


def weight_gradient_shares(
    loss: Loss,
    step: Step,
    state: State,
    xs: Inputs,
    *,
    length: int | None = None,
    gradients: LossGradients | None = None,
) -> Float[Array, " lags"]:
    """How much of the weight gradient comes from further back than each lag.

    With g = dL/dW, W what is trained, and g_k its part that comes from the last k steps,
    share(k) = 1 - <g_k, g> / <g, g>. It starts at 1, to rounding, for k = 0 and ends at 0 for k = T; where it is
    close to 0 already at a small k, the update has no part in what lies further back. Parts can
    point against the sum, so a share can be negative or exceed 1.

    Args:
        loss: `loss(states) -> scalar`.
        step: a step that is a pytree of its weights: a cell, or `Partial(function, params)`.
        state, xs, length: as for `loss_gradients`.
        gradients: what `loss_gradients` gave for the same arguments, where they are known; `loss` is not called then.

    Returns:
        share(k) for k = 0..T, shape (T + 1,), at least in float32; NaN where the weight gradient is exactly zero.

    Raises:
        ValueError: the step holds no floating weights, the sequence has no step, `gradients` are of
            another number of steps, or as `loss_gradients`.
    """
    if is_pytree_of_arrays(step):
        step = jax.tree.map(jnp.asarray, step)  # plain Python numbers have no size
    if not is_pytree_of_arrays(step) or real_size(step) == 0:
        others = [
            repr(leaf) for leaf in jax.tree.leaves(step) if leaf is not step and not hasattr(leaf, "dtype")
        ]
        raise ValueError(
            "step must be a pytree of its weights and of nothing else, such as a cell or "
            f"jax.tree_util.Partial(function, params); {step!r} holds "
            + (f"{', '.join(others)}: make that a static field" if others else "none")
        )
    if gradients is None:
        gradients = loss_gradients(loss, step, state, xs, length=length)
    state, xs, length = checked(step, state, xs, length)
    if (got := gradients.state.exponent.shape) != (length + 1,):
        raise ValueError(
            f"gradients must be those of the same {length} steps, so of {length + 1} states; got {got}"
        )
    if length == 0:
        raise ValueError(
            "xs must hold at least one step: without one there is no weight gradient to share out"
        )
    return call_compiled(_shares, (), step, state, xs, gradients.state, length=length)


def _shares(trained: Step, state: State, xs: Inputs, gradients: ScaledMatrix, *, length: int) -> Array:
    with jax.default_matmul_precision("highest"):
        # What is trained, and the weights as the steps read them, which may be computed from it.
        parameters, with_parameters = ravel_reals(trained)
        step = materialized(trained)
        states = run(step, state, xs, length=length)
        before = jax.tree.map(lambda leaf: leaf[:-1], states)
        weights, rebuild = ravel_reals(step)

        def weights_of(parameters: Array) -> Array:
            return ravel_reals(materialized(with_parameters(parameters)))[0]

        later = ScaledMatrix(gradients.mantissa[1:], gradients.exponent[1:])
        rows, _ = scaled.aligned(later)

        def next_state(vector: Array, at: tuple[State, Any]) -> Array:
            return ravel_reals(rebuild(vector)(*at))[0]

        def accumulate(total, at):
            past, x, cotangent = at
            exact = with_exact_slopes(lambda vector: next_state(vector, (past, x)), weights)
            return total + at_least_float32(jax.vjp(exact, weights)[1](cotangent)[0]), None

        # In 16 bits a sum of many equal terms stops growing.
        nothing = jnp.zeros_like(at_least_float32(weights))
        total, _ = jax.lax.scan(accumulate, nothing, (before, xs, rows), length=length, unroll=heavy_unroll())
        total = (total / jnp.max(jnp.abs(total))).astype(weights.dtype)
        total = jax.vjp(weights_of, parameters)[1](total)[0]
        _, direction = jax.jvp(weights_of, (parameters,), (total / jnp.max(jnp.abs(total)),))

        def contribution(_, at):
            past, x, cotangent = at
            exact = with_exact_slopes(lambda vector: next_state(vector, (past, x)), weights)
            _, change = jax.jvp(exact, (weights,), (direction,))
            return None, at_least_float32(cotangent) @ at_least_float32(change)

        _, parts = jax.lax.scan(contribution, None, (before, xs, rows), length=length, unroll=heavy_unroll())
        # Summed from the earliest step on, so that a tiny share is not the difference of two ones.
        from_start = jnp.concatenate([jnp.zeros(1, parts.dtype), jnp.cumsum(parts)])
        return (from_start / from_start[-1])[::-1]
