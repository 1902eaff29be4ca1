"""How far back a real task's answers depend on what is read, and how plain predictors fare on it."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

import rnn_jax as rj
from bench.cases.cell import Report, bare_columns
from bench.cases.chosen_task import task_of, with_variant
from bench.cases.held_out import data_columns, plain_rows
from bench.cases.parameter import Parameter
from bench.machine import Environment
from bench.measuring.dependence import contexts, questions, reference_losses
from bench.schema import DEPENDENCE, HELD_OUT_SCORES
from rnn_jax.tasks.task import RealTask, evaluation_task

VERSION = 1
ONE_SEED = True
# Their data are read only when they are measured: a suite can be listed without the packages.
REAL_TASKS = {name: kind for name, kind in rj.tasks.TASKS.items() if hasattr(kind, "plain_outputs")}

PARAMETERS = (
    Parameter("task", str, "the task of real data", required=True, choices=tuple(REAL_TASKS)),
    Parameter(
        "variant",
        str,
        "which data; the first one if missing",
        choices=tuple(variant for kind in REAL_TASKS.values() for variant in kind.VARIANTS),
    ),
    Parameter("task_length", int, "the task's length", required=True, low=1, high=100_000),
    Parameter("contexts", int, "how many lengths of context, geometrically spaced", 16, low=2, high=200),
)


resolved = with_variant


def run(
    case: Any, environment: Environment, suite: str, report: Report
) -> Mapping[str, list[dict[str, Any]]]:
    """Rows for dependence and held_out_scores; the data are fixed, so one seed is all there is."""
    task = task_of(case.parameters)
    assert isinstance(task, RealTask)
    common = bare_columns(case, environment, suite) | {
        "input_size": task.input_size,
        "input_kind": task.name,
        "input_scale": 1.0,
        "sequence_length": task.sequence_length,
        "seed": case.seeds[0],
    }
    held_out: Any = evaluation_task(task)
    training_questions, held_out_questions = (
        questions(each.examples(jnp.float32), task.output_size) for each in (task, held_out)
    )
    steps = contexts(task.sequence_length, case["contexts"])
    losses = reference_losses(
        training_questions, held_out_questions, steps, lambda done: report("contexts", done)
    )
    return {
        DEPENDENCE.kind: [
            common | data_columns(task) | {"context_steps": int(context), "reference_loss": float(loss)}
            for context, loss in zip([0, *steps], losses, strict=True)
        ],
        HELD_OUT_SCORES.kind: [common | row for row in plain_rows(task)],
    }
