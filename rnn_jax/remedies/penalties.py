"""Remedies that add a penalty to the loss in training."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Float

from rnn_jax.cell_structure import ELEMENTWISE, structure_of
from rnn_jax.coordinates import in_coordinates, ravel_reals, real_size
from rnn_jax.gradients import loss_gradients
from rnn_jax.jacobian.differentiable_qr import qr
from rnn_jax.remedies.remedy import Remedy, Strength, checked_strength, one_per_strength, whole_number
from rnn_jax.slopes import with_exact_slopes
from rnn_jax.step import State
from rnn_jax.tasks.task import Batch, Task


@one_per_strength
def pascanu_omega(weight: Strength = 2.0) -> Remedy:
    """Penalizes steps that change the size of dL/dh: weight * mean over t of (ratio_t - 1)**2.

    ratio_t = ||dL/dh_{t+1} J_{t+1}|| / ||dL/dh_{t+1}||, t = 0..T-1, with L the task's loss of one
    sequence and J_{t+1} = dh_{t+1}/dh_t; averaged over the batch too. As published, only the
    immediate derivative by the recurrent weights is taken: in J = diag(f'(z)) W the states, f'(z)
    and dL/dh_{t+1} are constants. So it is for elementwise cells, where every gate's W counts; for
    any other cell states, inputs and dL/dh_{t+1} are constants and every parameter that J depends
    on gets its derivative.

    The source's equations have the sum over t; its program and here the mean, so that a weight
    means the same at every length. dL/dh is formed without underflow, so that a gradient that has
    vanished far below the dtype's range still has a direction. A step that no loss reaches, where
    dL/dh is exactly zero, does not count.

    Args:
        weight: of the penalty, at least 0.

    Raises:
        ValueError: the weight is negative.

    References:
        Pascanu, Mikolov, Bengio 2013, On the difficulty of training recurrent neural networks, arXiv
        1211.5063, equations 9 and 10; the mean and the weight 2: its program, RNN.py of
        github.com/pascanur/trainingRNNs.
    """
    checked_strength("weight", weight, at_least=0)

    def penalty(task: Task, model: Any, batch: Batch, key: Array) -> Float[Array, ""]:
        del key
        terms = jax.vmap(partial(_omega, task, model))(batch)
        mean = jnp.mean(terms)
        return jnp.asarray(weight, mean.dtype) * mean

    return Remedy("pascanu_omega", weight, penalty=penalty)


@one_per_strength
def gradient_flossing(weight: Strength = 1.0, exponents: int = 4, sequences: int = 4) -> Remedy:
    """Penalizes the squares of the largest Lyapunov exponents: weight * sum over i of lambda_i**2.

    The exponents are those of finite time, along the trajectories of the first sequences of the
    training batch: lambda_i = 1/T sum over t of log |R_t,ii|, where Q_t R_t = J_t Q_{t-1} and Q_0 is
    drawn anew at every training step. The gradient is that of all of it, back through the QR
    decompositions, the step Jacobians and the states. The sum is averaged over the sequences. It is
    taken at every training step; the source takes it before training and in phases between. A step
    Jacobian whose rank is below `exponents` makes the penalty infinite: with rectifiers some units that are off at once
    are enough.

    Args:
        weight: of the penalty, at least 0.
        exponents: how many, at least 1; no more than the state has numbers are taken.
        sequences: of the batch, at least 1; no more than it has are taken.

    Raises:
        ValueError: the weight is negative, or a count not a whole number of at least 1.

    References:
        Engelken 2023, Gradient flossing: improving gradient descent through dynamic control of
        Jacobians, arXiv 2312.17306, section 3.
    """
    checked_strength("weight", weight, at_least=0)
    count, sequence_count = whole_number("exponents", exponents), whole_number("sequences", sequences)

    def penalty(task: Task, model: Any, batch: Batch, key: Array) -> Float[Array, ""]:
        del task
        inputs = batch.inputs[:sequence_count]
        state = model.cell.initial_state()
        size, dtype = real_size(state), ravel_reals(state)[0].dtype
        shape = (inputs.shape[0], size, min(count, size))
        bases, _ = jax.vmap(qr)(jax.random.normal(key, shape, jnp.float32).astype(dtype))

        def mean() -> Float[Array, ""]:
            spectra = jax.vmap(partial(finite_time_exponents, model.cell, state))(inputs, bases)
            return jnp.mean(jnp.sum(jnp.square(spectra), axis=1))

        return _weighted(weight, mean)

    return Remedy("gradient_flossing", weight, penalty=penalty)


def _weighted(weight: Strength, mean: Callable[[], Array]) -> Float[Array, ""]:
    """weight * mean; nothing where the weight is 0, though the mean or its gradient be infinite."""
    dtype = jax.eval_shape(mean).dtype

    def weighted() -> Array:
        return jnp.asarray(weight, dtype) * mean()

    def nothing() -> Array:
        return jnp.zeros((), dtype)

    if isinstance(weight, Tracer):
        return jax.lax.cond(weight > 0, weighted, nothing)
    return weighted() if weight > 0 else nothing()


def finite_time_exponents(
    cell: Any, state: State, inputs: Float[Array, "time input"], basis: Float[Array, "n k"]
) -> Float[Array, " k"]:
    """The first k Lyapunov exponents along a sequence, in nats a step; it can be differentiated.

    Args:
        cell: a recurrent cell.
        state: h_0.
        inputs: x_1..x_T.
        basis: Q_0, orthonormal columns.
    """

    def advance(carry: tuple[State, Array, Array], x: Array) -> tuple[tuple[State, Array, Array], None]:
        state, basis, total = carry
        after, push = jax.linearize(*in_coordinates(cell, state, x))
        basis, triangular = qr(jax.vmap(push, in_axes=1, out_axes=1)(basis))
        return (ravel_reals(state)[1](after), basis, total + jnp.log(jnp.abs(jnp.diagonal(triangular)))), None

    start = (state, basis, jnp.zeros(basis.shape[1], basis.dtype))
    (_, _, total), _ = jax.lax.scan(advance, start, inputs)
    return total / inputs.shape[0]


def _omega(task: Task, model: Any, batch: Batch) -> Float[Array, ""]:
    """The mean over the steps of one sequence."""
    fixed = jax.tree.map(jax.lax.stop_gradient, model)
    state = fixed.cell.initial_state()

    def loss_of(states: State) -> Array:
        last = jax.tree.map(lambda leaf: leaf[-task.target_steps :], states)
        return task.loss(jax.vmap(fixed.readout)(last)[None], jax.tree.map(lambda leaf: leaf[None], batch))

    gradients = loss_gradients(loss_of, fixed.cell, state, batch.inputs)
    directions = jax.lax.stop_gradient(gradients.state.mantissa[1:])

    def advance(state: State, at: tuple[Array, Array]) -> tuple[State, tuple[Array, Array]]:
        x, direction = at
        back = _pulled_back(model.cell, fixed.cell, state, x, direction)
        length = jnp.sum(jnp.square(direction))
        reached = length > 0
        squared = jnp.sum(jnp.square(back)) / jnp.where(reached, length, 1)
        # A product of exactly zero has no derivative of its norm; its term is 1.
        moves = reached & (squared > 0)
        ratio = jnp.where(moves, jnp.sqrt(jnp.where(moves, squared, 1)), 0)
        return fixed.cell(state, x), (jnp.where(reached, jnp.square(ratio - 1), 0), reached)

    _, (terms, reached) = jax.lax.scan(advance, state, (batch.inputs, directions))
    count = jnp.sum(reached.astype(terms.dtype))
    return jnp.sum(terms) / jnp.maximum(count, 1)


def _pulled_back(cell: Any, fixed: Any, state: State, x: Array, direction: Float[Array, " n"]) -> Array:
    """direction @ J, to be differentiated by `cell` alone; `fixed` is the same cell as a constant."""
    if structure_of(cell) != ELEMENTWISE:
        return jax.vjp(*in_coordinates(cell, state, x))[1](direction)[0]
    vector, rebuild = ravel_reals(state)
    drive = fixed.drive(x)

    def update(recurrent: Array, h: Array) -> Array:
        return ravel_reals(fixed.update(recurrent, drive, rebuild(h)))[0]

    recurrent = fixed.recurrent(state)
    exact = with_exact_slopes(update, recurrent, vector)
    by_recurrent, directly = jax.vjp(exact, recurrent, vector)[1](direction)
    through_weights = jax.vjp(lambda h: cell.recurrent(rebuild(h)), vector)[1](by_recurrent)[0]
    return directly + through_weights
