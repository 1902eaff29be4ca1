"""Times one workload over 1, 2, 4, ... devices: an ensemble by its seeds, a long chain by its time."""

from collections.abc import Mapping
from time import perf_counter
from typing import Any

import jax
import numpy as np

import rnn_jax as rj
from bench.cases.cell import (
    NOISE_PARAMETERS,
    Report,
    create_cell,
    noise_columns,
    resolved_cell,
    seed_key,
    task_columns,
    white_noise,
)
from bench.cases.parameter import Parameter
from bench.machine import Environment
from bench.measuring.timing import interleaved, timing_columns
from bench.schema import DEVICE_TIMINGS
from rnn_jax.devices import Devices
from rnn_jax.lags import geometric_lags

VERSION = 1
ONE_SEED = True
CHAIN, ENSEMBLE = "chain", "ensemble"
PARAMETERS = (
    *NOISE_PARAMETERS,
    Parameter("workload", str, "what the devices share", CHAIN, choices=(CHAIN, ENSEMBLE)),
    Parameter("sequence_length", int, "number of steps", 1000, low=10, high=1_000_000),
    Parameter("lags", int, "of a chain: at how many lags; 0: at every one", 200, low=0, high=200),
    Parameter("networks", int, "of an ensemble: how many seeds are trained", 16, low=1, high=10_000),
    Parameter("batch_size", int, "of an ensemble: examples a training step", 50, low=1, high=1_000_000),
    Parameter("training_steps", int, "of an ensemble: in one sample", 50, low=1, high=100_000),
    Parameter("rounds", int, "samples of each number of devices", 5, low=3, high=1000),
)
resolved = resolved_cell


def run(
    case: Any, environment: Environment, suite: str, report: Report
) -> Mapping[str, list[dict[str, Any]]]:
    """Rows for device_timings.csv.

    Raises:
        ValueError: there is one device only, or a seed stopped early, so that blocks differ in work.
    """
    devices = jax.devices()
    if len(devices) < 2:
        raise ValueError(
            "a case of kind devices needs several devices, got 1; on a CPU add --simulated-devices 8"
        )
    counts = [2**power for power in range(len(devices).bit_length())]
    shared = {count: devices[:count] for count in counts}
    common, rows = (_chain if case["workload"] == CHAIN else _ensemble)(
        case, environment, suite, shared, report
    )
    common |= {"seed": case.seeds[0], "simulated": environment.backend == "cpu"}
    return {DEVICE_TIMINGS.kind: [common | row for row in rows]}


def _chain(
    case: Any, environment: Environment, suite: str, shared: Mapping[int, Devices], report: Report
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """One device is what a call without `devices` uses, in the order that is fastest there."""
    seed = case.seeds[0]
    cell = create_cell(case, case["input_size"], seed_key(seed, 0), environment)
    (xs,) = white_noise(case, seed, 1, environment)
    lags = geometric_lags(case["sequence_length"], case["lags"]) if case["lags"] else None

    def chain(count: int) -> rj.JacobianChain:
        devices = None if count == 1 else shared[count]
        return rj.jacobian_chain(cell, cell.initial_state(), xs, lags, devices=devices)

    calls = {str(count): lambda count=count: chain(count).frobenius_norm for count in shared}
    samples = interleaved(calls, case["rounds"], report)
    common = noise_columns(case, environment, suite) | {
        "operation": "jacobian_chain",
        "batch_size": 1,
        "lag_count": case["sequence_length"] + 1 if lags is None else len(lags),
        "seed_count": 1,
    }
    columns = ("round", "inner_calls", "run_s", "compile_s")
    rows = [
        {"method": chain(count).method, "device_count": count} | {name: timed[name] for name in columns}
        for count in shared
        for timed in timing_columns(samples[str(count)])
    ]
    return common, rows


def _ensemble(
    case: Any, environment: Environment, suite: str, shared: Mapping[int, Devices], report: Report
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A sample is a block of training steps with the evaluation after it.

    Training compiles at every call, so the rounds of one number of devices follow each other. The
    first block is dropped.
    """
    task = rj.tasks.Adding(case["sequence_length"])
    steps, blocks = case["training_steps"], case["rounds"] + 1
    rows = []
    for done, (count, devices) in enumerate(shared.items()):
        ends: list[float] = []
        report(f"training on {count} devices", done / len(shared))
        result = rj.train(
            task,
            lambda key: create_cell(case, task.input_size, key, environment),
            key=seed_key(case.seeds[0], 3),
            seeds=case["networks"],
            batch_size=case["batch_size"],
            step_budget=steps * blocks,
            evaluate_every=steps,
            devices=None if count == 1 else devices,
            on_progress=lambda *_, ends=ends: ends.append(perf_counter()),
        )
        if (result.steps_run < steps * blocks).any():
            raise ValueError(
                "a seed was solved or diverged, so the blocks are not of equal work; "
                "choose another cell, a longer sequence or fewer training_steps"
            )
        rows += [
            {
                "method": "one_device" if count == 1 else "sharded",
                "device_count": count,
                "round": number,
                "inner_calls": 1,
                "run_s": float(run_s),
                "compile_s": result.compile_s,
            }
            for number, run_s in enumerate(np.diff(ends))
        ]
    common = task_columns(case, environment, suite, task) | {
        "operation": "training_block",
        "batch_size": case["batch_size"],
        "lag_count": None,
        "seed_count": case["networks"],
    }
    return common, rows
