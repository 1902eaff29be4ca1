"""Times ours beside other ways to the same numbers, after checking that they are the same numbers."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from multiprocessing import get_context
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import rnn_jax as rj
from bench import machine, peers
from bench.cases.cell import (
    NOISE_PARAMETERS,
    Report,
    common_columns,
    create_cell,
    noise_columns,
    resolved_cell,
    seed_key,
    task_columns,
    white_noise,
)
from bench.cases.parameter import Parameter
from bench.machine import Environment
from bench.measuring import agreement
from bench.measuring.agreement import Agreement
from bench.measuring.formulas import trajectory_flop, weight_shape
from bench.measuring.timing import interleaved, timing_columns
from bench.peers import ours, reference
from bench.peers.contender import Answer, ChainProblem, Contender, Problem, SpectrumProblem, TrainingProblem
from bench.schema import AGREEMENT, TIMINGS
from rnn_jax.training.model import Model

VERSION = 1
ONE_SEED = True
LOWER_LIMIT = "lower limit"
CELLS = {
    "jacobian_chain": ("elman_tanh",),
    "lyapunov_spectrum": ("elman_tanh",),
    "training_step": ("elman_tanh", "gru", "lstm"),
}
"""The cells that the rivals in each operation have too."""

PARAMETERS = (
    Parameter("operation", str, "what is asked for", required=True, choices=tuple(CELLS)),
    *NOISE_PARAMETERS,
    Parameter("sequence_length", int, "number of steps", 1000, low=10, high=1_000_000),
    Parameter("batch_size", int, "sequences at once, for training_step", 1, low=1, high=1_000_000),
    Parameter("rounds", int, "samples of each implementation", 7, low=3, high=1000),
    Parameter(
        "processes", int, "fresh processes, each with rounds of its own", 1, low=1, high=100, later=True
    ),
)

# Log norms and exponents are compared by their difference in nats, the rest by relative distance.
# A chain's norm is the end of a thousand rounded products, in float32 some 1e-4 off.
_LOG_NORM_TOLERANCE = 1e-2
_RESIDUAL_TOLERANCE = 1e-3
_RELATIVE = {"loss": 1e-4, "gradient": 1e-3, "update": 1e-2}
_LEARNING_RATE = 2e-3


def resolved(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Fills in the cell's options.

    Raises:
        ValueError: no rival has that cell in that operation, or a batch is asked for where there is none.
    """
    operation = parameters["operation"]
    if parameters["cell"] not in CELLS[operation]:
        raise ValueError(
            f"cell of {operation} must be one of {', '.join(CELLS[operation])}, got {parameters['cell']!r}: "
            "the others are not among its rivals' cells"
        )
    if operation != "training_step" and parameters["batch_size"] != 1:
        raise ValueError(f"batch_size is for training_step; {operation} takes one sequence")
    return resolved_cell(parameters)


def run(
    case: Any, environment: Environment, suite: str, report: Report
) -> Mapping[str, list[dict[str, Any]]]:
    """Compares, then times in interleaved rounds what agrees; rows for agreement.csv and timings.csv.

    Raises:
        ModuleNotFoundError: a rival is not installed.
    """
    peers.require(case["operation"])
    if case["operation"] != "lyapunov_spectrum" or environment.dtype == "float64":
        return measured(case, environment, suite, report)
    # Exponents need float64, and one process has one dtype.
    report("in float64, in a process of its own", 0.0)
    double = replace(environment, dtype="float64")
    with ProcessPoolExecutor(
        1, get_context("spawn"), initializer=machine.configure, initargs=(environment.backend, "float64")
    ) as processes:
        tables = processes.submit(measured, case, double, suite, silent).result()
    own = {"case_id": case.case_id(environment)}
    return {kind: [row | own for row in rows] for kind, rows in tables.items()}


def silent(what: str, fraction: float) -> None:
    """Reports to nobody."""


def measured(
    case: Any, environment: Environment, suite: str, report: Report
) -> Mapping[str, list[dict[str, Any]]]:
    """`run` in this process, whose dtype must be the environment's."""
    makers = {
        "jacobian_chain": chain_problem,
        "lyapunov_spectrum": spectrum_problem,
        "training_step": training_problem,
    }
    problem, common, facts = makers[case["operation"]](case, environment, suite)
    rivals = peers.contenders(problem)
    return compared_and_timed(
        problem, ours.contenders(problem), rivals, common, facts, case["rounds"], report
    )


def compared_and_timed(
    problem: Problem,
    own: Sequence[Contender],
    rivals: Sequence[Contender],
    common: Mapping[str, Any],
    facts: Mapping[str, Any],
    rounds: int,
    report: Report,
) -> Mapping[str, list[dict[str, Any]]]:
    """Every rival against `own[0]`; only what agrees with it is timed.

    Args:
        problem: what was asked.
        own: ours, and limits that have no answer.
        rivals: what stands beside it.
        common: columns of both files.
        facts: columns of timings.csv that do not depend on the implementation.
        rounds: samples of each.
        report: where to say what is going on.
    """
    assert own[0].answer is not None
    expected = own[0].answer()
    judge = _judge(problem, expected)
    agreement_rows = []
    timed = {}
    for contender in (*own, *rivals):
        report(f"comparing {contender.name}", 0.0)
        columns = dict(common) | {
            "operation": problem.operation,
            "batch_size": facts["batch_size"],
            "implementation": contender.name,
            "implementation_version": contender.version,
            "method": contender.method,
        }
        answer, note = (expected, "") if contender is own[0] else _answer_or_note(contender)
        verdicts = judge(answer) if answer is not None else []
        agreement_rows += [columns | {"agrees": each.agrees} | asdict(each) for each in verdicts]
        if note:
            agreement_rows.append(columns | {"quantity": "", "note": note})
        if note == LOWER_LIMIT or (verdicts and all(each.agrees for each in verdicts)):
            timed[contender.name] = columns
    calls = {each.name: each.call for each in (*own, *rivals) if each.name in timed}
    samples = interleaved(calls, rounds, report)
    timing_rows = [
        timed[name] | facts | row for name, sample in samples.items() for row in timing_columns(sample)
    ]
    return {AGREEMENT.kind: agreement_rows, TIMINGS.kind: timing_rows}


Judge = Callable[[Answer], list[Agreement]]


def _answer_or_note(contender: Contender) -> tuple[Answer | None, str]:
    """The contender's answer, or in a note why there is none."""
    if contender.not_run:
        return None, f"not run: {contender.not_run}"
    if contender.answer is None:
        return None, LOWER_LIMIT
    try:
        return contender.answer(), ""
    except Exception as error:  # a rival that breaks must not take the others' numbers with it
        return None, f"failed: {type(error).__name__}: {error}".splitlines()[0]


def _judge(problem: Problem, expected: Answer) -> Judge:
    """Holds an answer to NumPy's where there is one, which ours has to meet too, and else to ours."""
    if isinstance(problem, ChainProblem):
        return partial(_judged_chain, reference.chain_log_norms(problem.cell, problem.xs))
    if isinstance(problem, SpectrumProblem):
        return partial(_judged_spectrum, problem, _true_exponents(problem))
    return partial(_judged_training, expected)


def _true_exponents(problem: SpectrumProblem) -> np.ndarray:
    length = problem.transient + problem.steps
    states = np.asarray(rj.trajectory(problem.cell, problem.state, None, length=length))
    return reference.lyapunov_exponents(np.asarray(problem.cell.weight_hh), states[1:], problem.transient)


def _judged_chain(truth: np.ndarray, answer: Answer) -> list[Agreement]:
    measure = agreement.by_lag(_LOG_NORM_TOLERANCE)
    return [agreement.compared("log_norm", truth, answer["log_norm"], measure, _LOG_NORM_TOLERANCE)]


def _judged_spectrum(problem: SpectrumProblem, truth: np.ndarray, answer: Answer) -> list[Agreement]:
    weight, exponents = np.asarray(problem.cell.weight_hh), answer["exponents"]
    # Where the columns start from is forgotten slowly: that much two exact methods differ by.
    tolerance = 3 * float(np.max(problem.standard_errors))
    residual = reference.logdet_residual(exponents, weight, answer["states"])
    return [
        agreement.compared("exponents", truth, exponents, agreement.largest_difference, tolerance),
        agreement.compared(
            "logdet_residual", 0.0, residual, agreement.largest_difference, _RESIDUAL_TOLERANCE
        ),
    ]


def _judged_training(expected: Answer, answer: Answer) -> list[Agreement]:
    return [
        agreement.compared(
            quantity, value, answer[quantity], agreement.relative_distance, _RELATIVE[quantity]
        )
        for quantity, value in expected.items()
    ]


def chain_problem(case: Any, environment: Environment, suite: str):
    """A tanh net on white noise."""
    cell, length = _cell(case, case["input_size"], environment), case["sequence_length"]
    (xs,) = white_noise(case, case.seeds[0], 1, environment)
    common = noise_columns(case, environment, suite) | {"seed": case.seeds[0]}
    flop = 2.0 * length * common["state_size"] ** 3
    facts = {"batch_size": 1, "lag_count": length + 1, "seed_count": 1, "flop": flop}
    return ChainProblem(cell, xs, environment.backend == "gpu"), common, facts


def spectrum_problem(case: Any, environment: Environment, suite: str):
    """The same net left to itself, from a random state, for a tenth of its steps unmeasured."""
    cell, length = _cell(case, case["input_size"], environment), case["sequence_length"]
    size = cell.bias.shape[0]
    state = jax.random.normal(seed_key(case.seeds[0], 1), (size,), jnp.float32).astype(environment.dtype)
    found = rj.lyapunov_spectrum(cell, state, None, length=length)
    common = common_columns(
        case, environment, suite, input_kind="none", sequence_length=length, seed=case.seeds[0]
    )
    problem = SpectrumProblem(
        cell,
        state,
        transient=found.transient,
        steps=found.steps,
        qr_interval=int(found.qr_interval),
        standard_errors=np.asarray(found.standard_errors),
        on_gpu=environment.backend == "gpu",
    )
    # A step's product; the factorizations depend on the interval.
    facts = {"batch_size": 1, "seed_count": 1, "flop": 2.0 * length * size**3}
    return problem, common, facts


def training_problem(case: Any, environment: Environment, suite: str):
    """The adding problem, whose loss is asked for after the last step."""
    seed, batch_size = case.seeds[0], case["batch_size"]
    task = rj.tasks.Adding(case["sequence_length"])
    model = Model.create(_cell(case, task.input_size, environment), task.output_size, key=seed_key(seed, 3))
    batch = task.sample(seed_key(seed, 1), batch_size, model.bias.dtype)
    common = task_columns(case, environment, suite, task, seed=seed)
    # Forward, back through the state, back to the weights: three products with the weights a step.
    flop = 3 * trajectory_flop(
        **weight_shape(model.cell),
        input_size=task.input_size,
        length=task.sequence_length,
        sequences=batch_size,
    )
    facts = {"batch_size": batch_size, "seed_count": 1, "flop": flop}
    return TrainingProblem(model, task, batch, _LEARNING_RATE, environment.backend == "gpu"), common, facts


def _cell(case: Any, input_size: int, environment: Environment) -> Any:
    return create_cell(case, input_size, seed_key(case.seeds[0], 0), environment)
