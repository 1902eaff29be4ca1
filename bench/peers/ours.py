"""Our own way to each problem's answer, the reference that the rivals are held to, and lower limits."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import rnn_jax as rj
from bench.measuring.bare_products import bare_products
from bench.peers.contender import Answer, ChainProblem, Contender, Problem, SpectrumProblem, TrainingProblem
from rnn_jax.jacobian.factorizations import fastest
from rnn_jax.tasks import Batch, Task
from rnn_jax.training.model import Model


def contenders(problem: Problem) -> tuple[Contender, ...]:
    """Ours first, then the lower limits that have no answer of their own."""
    makers: dict[str, Callable[[Any], tuple[Contender, ...]]] = {
        "jacobian_chain": _chain,
        "lyapunov_spectrum": _spectrum,
        "training_step": _training_step,
    }
    return makers[problem.operation](problem)


def _chain(problem: ChainProblem) -> tuple[Contender, ...]:
    cell, xs = problem.cell, problem.xs
    state = cell.initial_state()
    factor = jax.random.orthogonal(jax.random.key(0), state.shape[0], dtype=jnp.float32).astype(state.dtype)
    bare = jax.jit(bare_products, static_argnums=1)

    def log_norms() -> jax.Array:
        return rj.jacobian_chain(cell, state, xs).log_frobenius_norm

    return (
        Contender(
            name="rnn_jax",
            version=rj.__version__,
            method=rj.jacobian_chain(cell, state, xs).method,
            call=log_norms,
            answer=lambda: {"log_norm": np.asarray(log_norms())},
        ),
        Contender(
            name="bare_products",
            version=jax.__version__,
            method="sequential",
            call=lambda: bare(factor, len(xs)),
            answer=None,
        ),
    )


def _spectrum(problem: SpectrumProblem) -> tuple[Contender, ...]:
    cell, state = problem.cell, problem.state
    compute = partial(
        rj.lyapunov_spectrum,
        cell,
        state,
        None,
        length=problem.transient + problem.steps,
        transient=problem.transient,
    )

    def answer() -> Answer:
        found = compute()
        states = rj.trajectory(cell, state, None, length=found.transient + found.steps)
        return {"exponents": np.asarray(found.exponents), "states": np.asarray(states)[found.transient + 1 :]}

    return (
        Contender(
            name="rnn_jax",
            version=rj.__version__,
            method=f"{fastest()}_every_{problem.qr_interval}",
            call=lambda: compute().exponents,
            answer=answer,
        ),
    )


def _training_step(problem: TrainingProblem) -> tuple[Contender, ...]:
    optimizer = optax.adam(problem.learning_rate)
    model, state = problem.model, optimizer.init(problem.model)  # pyright: ignore[reportArgumentType]
    step = partial(trained_one_step, problem.task, optimizer, model, state, problem.batch)

    def answer() -> Answer:
        after, _, loss, gradient = step()
        update = jax.tree.map(lambda new, old: new - old, after, model)
        return {"loss": np.asarray(loss), "gradient": _as_vector(gradient), "update": _as_vector(update)}

    return (
        Contender(
            name="rnn_jax",
            version=rj.__version__,
            method=type(model.cell).__name__,
            call=step,
            answer=answer,
        ),
    )


@partial(jax.jit, static_argnums=(0, 1))
def trained_one_step(
    task: Task, optimizer: optax.GradientTransformation, model: Any, optimizer_state: Any, batch: Batch
):
    """What `rnn_jax.train` does at every step, on a given batch and without its bookkeeping."""

    def loss_of(model: Model) -> jax.Array:
        return task.loss(_outputs(model, task, batch), batch)

    with jax.default_matmul_precision("highest"):
        loss, gradient = jax.value_and_grad(loss_of)(model)
        updates, optimizer_state = optimizer.update(gradient, optimizer_state, model)
        return optax.apply_updates(model, updates), optimizer_state, loss, gradient


def _outputs(model: Any, task: Task, batch: Batch) -> jax.Array:
    if hasattr(model, "outputs"):
        return model.outputs(batch.inputs, task.target_steps)
    return jax.vmap(lambda sequence: model(sequence, task.target_steps))(batch.inputs)


def _as_vector(model: Any) -> np.ndarray:
    """Every trained number of a model: the cell's, in the order of its fields, then the readout's."""
    return np.concatenate([np.asarray(leaf).ravel() for leaf in jax.tree.leaves(model)])
