"""One seed in training: how it starts, a step of it, its score on held-out examples."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array

from rnn_jax.cells.initializers import checked_cell
from rnn_jax.dtypes import at_least_float32, is_real_number
from rnn_jax.messages import NEEDS_A_VALUE, first_line
from rnn_jax.remedies.clipping import global_norm
from rnn_jax.remedies.remedy import Remedy, none
from rnn_jax.step import materialized
from rnn_jax.tasks.task import Batch, Task, evaluation_task
from rnn_jax.training.model import Model
from rnn_jax.training.trained import trained, with_trained

EVALUATION_EXAMPLES = 2_000
QUANTITIES = ("loss", "gradient", "update", "optimizer_state")
"""What can become not finite in a training step; "loss" with the remedy's penalty."""
# No training step has these numbers, so the held-out examples are never trained on.
_HELD_OUT, _REMEDY = 2**31 - 1, 2**31 - 2


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Run:
    """One seed in training. Of an ensemble, every leaf leads with the seed axis.

    Attributes:
        model: a `Model`; optax's types know no dataclass.
        optimizer_state: as the optimiser with what the remedy adds makes it.
        key: of its training examples and of the held-out ones.
        step: training steps done.
        step_budget: the most steps.
        solved_step: after how many steps the held-out examples were first solved; -1 while they are not.
        nonfinite_step: the training step, counted from 1, at which something was not finite; -1 while all is.
        nonfinite_quantity: what it was, the place in `QUANTITIES`; -1 likewise.
        score: loss and accuracy on the held-out examples, shape (2,); NaN before the first evaluation and where diverged.
        strength, learning_rate: its own, or None.
    """

    model: Any
    optimizer_state: Any
    key: Array
    step: Array
    step_budget: Array
    solved_step: Array
    nonfinite_step: Array
    nonfinite_quantity: Array
    score: Array
    strength: Array | None
    learning_rate: Array | None

    @property
    def is_active(self) -> Array:
        """True while it is to be trained further."""
        return (self.solved_step < 0) & (self.nonfinite_step < 0) & (self.step < self.step_budget)


@dataclass(frozen=True)
class Recipe:
    """How seeds are trained; functions where each seed has a strength or a learning rate of its own."""

    remedy: Any
    optimizer: Any

    def of(self, strength: Array | None, learning_rate: Array | None) -> tuple[Remedy, Any]:
        """One seed's remedy, and its optimiser with what the remedy adds."""
        remedy = self.remedy if strength is None else self._remedy_at(strength)
        adapted = remedy.adapt_optimizer(self._optimizer_at(learning_rate))
        if not hasattr(adapted, "update"):
            raise ValueError(
                f"remedy {remedy.name}: adapt_optimizer must give an optax optimiser, got {adapted!r}"
            )
        return remedy, adapted

    def _remedy_at(self, strength: Array) -> Remedy:
        try:
            return self.remedy(strength)
        except NEEDS_A_VALUE as error:
            raise ValueError(
                "remedy must make a remedy of a strength that is not known beforehand, as there is one for each seed "
                f"(jnp.where for if): {first_line(error)}"
            ) from error

    def _optimizer_at(self, learning_rate: Array | None) -> Any:
        if learning_rate is None:
            return self.optimizer
        try:
            made = self.optimizer(learning_rate)
        except NEEDS_A_VALUE as error:
            raise ValueError(
                "optimizer must make an optimiser of a rate that is not known beforehand, as there is one for each seed; "
                "of a schedule that looks at its peak make one with peak 1, and multiply: lambda rate: optax.chain("
                f"optax.adam(schedule), optax.scale(rate)): {first_line(error)}"
            ) from error
        if not hasattr(made, "update"):
            raise ValueError(f"optimizer must make an optax optimiser of a learning rate, it made {made!r}")
        return made

    @property
    def after_start(self) -> "Recipe":
        """What it is once the cells are made: remedies that only change them then leave no trace."""
        if not isinstance(self.remedy, Remedy):
            return self
        remedy = replace(self.remedy, adapt_cell=None, parts=())
        plain = replace(remedy, name="none", strength=None)
        return replace(self, remedy=plain if plain == none() else remedy)


def start(
    task: Task,
    create: Callable,
    recipe: Recipe,
    step_budget: int,
    key: Array,
    strength: Array | None,
    learning_rate: Array | None,
) -> Run:
    """One seed before its first step: net, readout and optimiser state drawn from its key."""
    remedy, optimizer = recipe.of(strength, learning_rate)
    cell_key, readout_key, data_key = jax.random.split(key, 3)
    cell = create(cell_key)
    if remedy.adapt_cell is not None:
        cell = remedy.adapt_cell(cell, jax.random.fold_in(cell_key, _REMEDY))
        checked_cell(f"remedy {remedy.name}: what adapt_cell gives", cell)
    model: Any = Model.create(cell, task.output_size, key=readout_key)
    never = jnp.full((), -1, jnp.int32)
    return Run(
        model=model,
        optimizer_state=optimizer.init(trained(model)),
        key=data_key,
        step=jnp.zeros((), jnp.int32),
        step_budget=jnp.asarray(step_budget, jnp.int32),
        solved_step=never,
        nonfinite_step=never,
        nonfinite_quantity=never,
        score=jnp.full((2,), jnp.nan, jnp.promote_types(model.bias.dtype, jnp.float32)),
        strength=strength,
        learning_rate=learning_rate,
    )


def shared_out(runs: Run, mesh: Mesh) -> Run:
    """The runs, as many on each device; copies that are out of steps fill the last places."""
    seeds = runs.step.shape[0]
    places = np.arange(-(-seeds // mesh.size) * mesh.size)
    filled = jax.tree.map(lambda leaf: leaf[places % seeds], runs)
    filled = replace(filled, step=jnp.where(places < seeds, filled.step, filled.step_budget))
    return jax.device_put(filled, NamedSharding(mesh, PartitionSpec(*mesh.axis_names)))


def training_batch(
    task: Task, data_key: Array, steps_before: int | Array, batch_size: int, dtype: Any
) -> Batch:
    """The examples of the training step that comes after `steps_before` others, one seed's.

    Args:
        task: as given to `train`.
        data_key: that seed's of `TrainingResult.data_keys`.
        steps_before: 0 for the first step.
        batch_size: as given to `train`.
        dtype: of the inputs.
    """
    return task.sample(jax.random.fold_in(data_key, steps_before), batch_size, dtype)


def training_step(
    task: Task, recipe: Recipe, batch_size: int, backpropagation: str, run: Run, _: None
) -> tuple[Run, Array]:
    """The run after its next step, and that step's loss and gradient norm, NaN where it was over before."""
    batch = training_batch(task, run.key, run.step, batch_size, run.model.bias.dtype)
    return step_on(task, recipe, backpropagation, run, batch)


def step_on(task: Task, recipe: Recipe, backpropagation: str, run: Run, batch: Batch) -> tuple[Run, Array]:
    """The run after a step on this batch, and that step's loss and gradient norm, NaN where it was over before."""
    remedy, optimizer = recipe.of(run.strength, run.learning_rate)

    def loss_of(weights: Any) -> tuple[Array, Array]:
        model = materialized(with_trained(run.model, weights))
        outputs = model.outputs(batch.inputs, task.target_steps, backpropagation, remedy.adapt_step)
        loss = at_least_float32(jnp.asarray(task.loss(outputs, batch)))
        if remedy.penalty is None:
            return loss, loss
        key = jax.random.fold_in(jax.random.fold_in(run.key, _REMEDY), run.step)
        penalty = remedy.penalty(task, model, batch, key)
        if not is_real_number(penalty):
            raise ValueError(f"remedy {remedy.name}: penalty must give one real number, got {penalty!r}")
        return loss + jnp.asarray(penalty, loss.dtype), loss

    weights = trained(run.model)
    (total, loss), gradient = jax.value_and_grad(loss_of, has_aux=True)(weights)
    gradient = jax.tree.map(_uphill, gradient)
    update = optax.with_extra_args_support(optimizer).update
    more = {"value": total, "grad": gradient, "value_fn": lambda weights: loss_of(weights)[0]}
    try:
        updates, optimizer_state = update(gradient, run.optimizer_state, weights, **_taken(update, more))
    except AttributeError as error:
        raise ValueError(
            "optimizer must be one that trains a pytree of weights (optax.lookahead wants them in pairs); its update "
            f"fails: AttributeError: {first_line(error)}"
        ) from error
    moved = optax.apply_updates(weights, updates)
    stays = jax.tree.map(_as_finite_as, optimizer_state, run.optimizer_state)
    # In the order of QUANTITIES.
    bad = ~jnp.stack([*(_all_finite(each) for each in (total, gradient, updates)), _all(stays)])
    broken = jnp.any(bad)
    active = run.is_active
    advances = active & ~broken
    # A seed that breaks keeps its last finite weights, so that they can be looked at.
    moved, optimizer_state = jax.tree.map(
        lambda new, old: jnp.where(advances, new, old),
        (moved, optimizer_state),
        (weights, run.optimizer_state),
    )
    step = run.step + active.astype(jnp.int32)
    breaks = active & broken
    after = replace(
        run,
        model=with_trained(run.model, moved),
        optimizer_state=optimizer_state,
        step=step,
        nonfinite_step=jnp.where(breaks, step, run.nonfinite_step),
        nonfinite_quantity=jnp.where(breaks, jnp.argmax(bad).astype(jnp.int32), run.nonfinite_quantity),
    )
    curve = jnp.stack([each.astype(run.score.dtype) for each in (loss, global_norm(gradient))])
    return after, jnp.where(active, curve, jnp.nan)


def _taken(function: Callable, arguments: dict[str, Any]) -> dict[str, Any]:
    """Those of the named arguments that a function takes."""
    parameters = inspect.signature(function).parameters
    if any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
        return arguments
    return {name: value for name, value in arguments.items() if name in parameters}


def evaluated(task: Task, run: Run) -> Run:
    """Scores the held-out examples, which are the same at every evaluation of a seed."""
    held_out_key = jax.random.fold_in(run.key, _HELD_OUT)
    task = evaluation_task(task)
    batch = task.sample(held_out_key, EVALUATION_EXAMPLES, run.model.bias.dtype)
    outputs = run.model.outputs(batch.inputs, task.target_steps)
    loss, accuracy = task.loss(outputs, batch), task.accuracy(outputs, batch)
    broken = run.nonfinite_step >= 0
    solves = task.is_solved(loss, accuracy) & ~broken
    return replace(
        run,
        solved_step=jnp.where(solves, run.step, run.solved_step),
        score=jnp.where(broken, jnp.nan, jnp.stack([loss, accuracy]).astype(run.score.dtype)),
    )


def _uphill(leaf: Array) -> Array:
    """The direction of steepest ascent: by a complex weight JAX's gradient is its conjugate."""
    return jnp.conj(leaf) if jnp.iscomplexobj(leaf) else leaf


def _all_finite(tree: Any) -> Array:
    leaves = [leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(jnp.asarray(leaf).dtype, jnp.inexact)]
    return _all([jnp.all(jnp.isfinite(leaf)) for leaf in leaves])


def _as_finite_as(new: Array, old: Array) -> Array:
    """Whether all is finite but what was not before: some optimisers begin with a best loss of infinity."""
    if not jnp.issubdtype(jnp.asarray(new).dtype, jnp.inexact):
        return jnp.array(True)
    return jnp.all(jnp.isfinite(new) | (~jnp.isfinite(old) & ~jnp.isnan(new)))


def _all(truths: Any) -> Array:
    leaves = jax.tree.leaves(truths)
    return jnp.all(jnp.stack(leaves)) if leaves else jnp.array(True)
