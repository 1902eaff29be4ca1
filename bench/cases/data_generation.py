"""Times drawing a batch beside the training step that it is for."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

import rnn_jax as rj
from bench.cases.cell import CELL_PARAMETERS, Report, create_cell, resolved_cell, seed_key, task_columns
from bench.cases.chosen_task import TASK_PARAMETERS, task_of, with_variant
from bench.cases.parameter import Parameter
from bench.machine import Environment
from bench.measuring.timing import interleaved, timing_columns
from bench.schema import DATA_GENERATION
from rnn_jax.tasks import Batch, Task
from rnn_jax.training.run import Recipe, Run, start, step_on, training_batch, training_step

VERSION = 1
PARAMETERS = (
    *CELL_PARAMETERS,
    *TASK_PARAMETERS,
    Parameter("batch_size", int, "examples a training step", 50, low=1, high=1_000_000),
    Parameter("training_steps", int, "in one compiled loop", 50, low=1, high=100_000),
    Parameter("rounds", int, "samples of each loop", 9, low=3, high=1000),
)
DRAWING, GIVEN_BATCH, WITH_DRAWING = "drawing", "step_on_given_batch", "training_step"
_RECIPE = Recipe(rj.remedies.none(), optax.adam(2e-3))
_TIMED = ("round", "inner_calls", "run_s", "compile_s", "steady")


def resolved(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Fills in the cell's options and the task's first variant.

    Raises:
        ValueError: the task knows no such variant or length, or the cell no such option.
    """
    return with_variant(resolved_cell(parameters))


def run(
    case: Any, environment: Environment, suite: str, report: Report
) -> Mapping[str, list[dict[str, Any]]]:
    """Times three loops of training steps in interleaved rounds; rows for data_generation.csv."""
    task, steps = task_of(case.parameters), case["training_steps"]

    def create(key: jax.Array) -> Any:
        return create_cell(case, task.input_size, key, environment)

    rows = []
    for seed in case.seeds:
        run = start(task, create, _RECIPE, steps, seed_key(seed, 3), None, None)
        samples = interleaved(loops(task, run, case["batch_size"], steps), case["rounds"], report)
        common = task_columns(case, environment, suite, task, seed=seed) | {
            "task": task.name,
            "variant": task.variant,
            "task_length": task.length,
            "batch_size": case["batch_size"],
            "training_steps": steps,
        }
        rows += [
            common | {"part": part} | {name: timed[name] for name in _TIMED}
            for part, sample in samples.items()
            for timed in timing_columns(sample)
        ]
    return {DATA_GENERATION.kind: rows}


def loops(task: Task, run: Run, batch_size: int, steps: int) -> dict[str, Callable[[], Any]]:
    """Drawing the batches of so many steps alone, steps on a batch that is there, and steps that draw theirs."""
    dtype = run.model.bias.dtype

    @jax.jit
    def drawing(run: Run) -> Batch:
        def draw(_: Batch, step: jax.Array) -> tuple[Batch, None]:
            return training_batch(task, run.key, step, batch_size, dtype), None

        # The loop carries the batch, so that all of it is written: of what is only looked at, no more is made.
        nothing = jax.tree.map(
            lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(draw, None, run.step)[0]
        )
        return jax.lax.scan(draw, nothing, jnp.arange(steps, dtype=jnp.int32))[0]

    @jax.jit
    def on_given_batch(run: Run, batches: Batch) -> Any:
        def advance(run: Run, place: jax.Array) -> tuple[Run, jax.Array]:
            # Looked up anew, so that nothing made of it can be moved out of the loop.
            batch = jax.tree.map(
                lambda leaf: jax.lax.dynamic_index_in_dim(leaf, place % 2, keepdims=False), batches
            )
            return step_on(task, _RECIPE, "auto", run, batch)

        return jax.lax.scan(advance, run, jnp.arange(steps, dtype=jnp.int32))

    @jax.jit
    def with_drawing(run: Run) -> Any:
        return jax.lax.scan(
            lambda run, _: training_step(task, _RECIPE, batch_size, "auto", run, None), run, length=steps
        )

    batches = jax.jit(
        lambda key: jax.vmap(lambda step: training_batch(task, key, step, batch_size, dtype))(jnp.arange(2))
    )(run.key)
    return {
        DRAWING: lambda: drawing(run),
        GIVEN_BATCH: lambda: on_given_batch(run, batches),
        WITH_DRAWING: lambda: with_drawing(run),
    }
