"""Measures somebody's own cell beside the usual ones, into a result folder like any other."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import jax
import numpy as np
import pandas as pd

from bench.cases.cell import bare_columns, create_cell, resolved_cell, seed_key, white_noise
from bench.cases.gradient_norms import along_direction, same_direction
from bench.cases.reach import probe
from bench.errors import UsageError
from bench.machine import Environment
from bench.probing import own_cell
from bench.probing.own_cell import MakeCell, Net
from bench.running.plan import Plan, Planned
from bench.schema import CASE_TIMES, DECAY, GRADIENT_NORMS, LYAPUNOV, PROBED
from bench.statistics.grouping import median_is_bound
from bench.suite.case import Case
from bench.tables.decay_summary import counted
from rnn_jax.coordinates import ravel_reals, real_size

BESIDE = ("elman_tanh", "lstm", "gru")
LAGS, EXPONENTS, RECORDED_SEQUENCES = 40, 3, 2


@dataclass(frozen=True)
class Setting:
    """What every cell of a probe is measured with.

    Attributes:
        hidden_size, input_size, length: sizes.
        seeds: how many nets are drawn.
        sequences: of white noise, for each net.
        input_scale: its standard deviation.
    """

    hidden_size: int
    input_size: int
    length: int
    seeds: int
    sequences: int
    input_scale: float

    def case(self, cell: str) -> Case:
        """As a case; of one of our cells the one that a suite would measure."""
        parameters = {
            "cell": cell,
            "initialization": None,
            "gain": None,
            "forget_bias": None,
            "dt": None,
            "hidden_size": self.hidden_size,
            "input_size": self.input_size,
            "input_scale": self.input_scale,
            "sequence_length": self.length,
            "sequences": self.sequences,
            "lags": LAGS,
        }
        if cell in BESIDE:
            parameters = resolved_cell(parameters | {"gain": 1.0})
        return Case("gradient_norms", parameters, tuple(range(self.seeds)))


def label(case: Case) -> str:
    """What a person calls a case of a probe."""
    return f"{case['cell']}, {case['hidden_size']} units, {case['sequence_length']} steps"


def plan_with(earlier: Plan | None, cases: Sequence[Case], environment: Environment) -> Plan:
    """What a folder is meant to hold: these cases, after those of earlier probes into it."""
    planned = {} if earlier is None else {case.case_id: case for case in earlier.cases}
    for case in cases:
        case_id = case.case_id(environment)
        planned[case_id] = Planned(case_id, case.match_id(), case.kind, label(case))
    return Plan(PROBED, tuple(planned.values()))


def maker(case: Case, environment: Environment, own: MakeCell | None) -> Callable[[int], Net]:
    """From a seed to the case's net: `own` makes it, or it is one of our cells."""

    def made(seed: int) -> Net:
        key, sizes = seed_key(seed, 0), (case["input_size"], case["hidden_size"])
        if own is not None:
            return own_cell.make(case["cell"], own, *sizes, key, environment.dtype)
        cell = create_cell(case, case["input_size"], key, environment)
        return Net(cell, cell.initial_state())

    return made


def look(case: Case, environment: Environment, made: Callable[[int], Net]) -> Net:
    """The first seed's net, found to be finite after its first step.

    Raises:
        UsageError: it is not, or as `own_cell.make`.
    """
    net = made(0)
    short = Case(case.kind, {**case.parameters, "sequence_length": 1}, case.seeds)
    _refuse_not_finite(case, net, white_noise(short, 0, 1, environment), 0)
    return net


def measured(
    case: Case,
    environment: Environment,
    made: Callable[[int], Net],
    report: Callable[[str, float], None],
    note: Callable[[str], None],
) -> dict[str, list[dict[str, Any]]]:
    """Probes each seed's net: rows by kind of result file.

    Args:
        case: one of `Setting.case`.
        environment: what it runs on.
        made: from a seed to its net.
        report: told what is being done and the fraction that is finished.
        note: told where a state did not stay finite.
    """
    norm_rows, decay_rows, exponent_rows, common = [], [], [], {}
    started = perf_counter()
    for seed in case.seeds:
        report(f"seed {seed}", seed / len(case.seeds))
        net = made(seed)
        inputs = white_noise(case, seed, case["sequences"], environment)
        step = _refuse_not_finite(case, net, inputs, seed)
        if step is not None:
            note(
                f"seed {seed}: the state is not finite from step {step} of {case['sequence_length']} on; "
                f"numbers that need what comes after it are NaN{_WIDER if environment.dtype == 'float32' else ''}"
            )
        loss, size = _loss(net)
        reading = probe(
            net.step,
            inputs,
            case["lags"],
            loss,
            same_direction(case, seed, size, environment),
            weights="initial",
            recorded_sequences=RECORDED_SEQUENCES,
            exponents=EXPONENTS,
            state=net.state,
        )
        common = _columns(case, environment, net)
        norm_rows += [common | {"seed": seed} | row for row in reading.norm_rows]
        decay_rows.append(common | {"seed": seed} | reading.decay_row)
        exponent_rows += [common | {"seed": seed, "state_scale": 0.0} | row for row in reading.exponent_rows]
    bare = {name: value for name, value in common.items() if name not in _OF_INPUT}
    took = bare | {"kind": case.kind, "elapsed_s": perf_counter() - started}
    return {
        CASE_TIMES.kind: [took],
        GRADIENT_NORMS.kind: norm_rows,
        DECAY.kind: decay_rows,
        LYAPUNOV.kind: exponent_rows,
    }


_WIDER = "; --dtype float64, with another --out, may give them"
_OF_INPUT = ("input_size", "input_kind", "input_scale", "sequence_length")


def _refuse_not_finite(case: Case, net: Net, inputs: jax.Array, seed: int) -> int | None:
    """The first step after which a state is not finite, where that is not the first one already."""
    step = own_cell.first_not_finite(net, inputs)
    if step is None or step > 1:
        return step
    when = "in the initial state" if step == 0 else "from step 1 on"
    raise UsageError(
        f"{case['cell']}: the state is not finite {when} (seed {seed}), so that every number after it would be NaN; "
        "look for a division by zero, a log or root of a negative number, or weights that are not finite"
    )


def along_state(direction: jax.Array, step: Any, states: Any) -> jax.Array:
    """The last state, all of it, along a fixed direction: the loss of a step without an output."""
    return direction @ ravel_reals(jax.tree.map(lambda leaf: leaf[-1], states))[0]


def _loss(net: Net) -> tuple[Callable[..., jax.Array], int]:
    """The loss that suits a step, and how many numbers its direction has."""
    if hasattr(net.step, "output"):
        shape = jax.eval_shape(net.step.output, net.state)
        if getattr(shape, "ndim", None) == 1:
            return along_direction, shape.size
    return along_state, real_size(net.state)


def _columns(case: Case, environment: Environment, net: Net) -> dict[str, Any]:
    return bare_columns(case, environment, PROBED) | {
        "cell": case["cell"],
        "layers": 1 if case["cell"] in BESIDE else None,
        "initialization": case["initialization"],
        "gain": case["gain"],
        "forget_bias": case["forget_bias"],
        "dt": case["dt"],
        "hidden_size": case["hidden_size"],
        "state_size": real_size(net.state),
        "input_size": case["input_size"],
        "input_kind": "white_noise",
        "input_scale": case["input_scale"],
        "sequence_length": case["sequence_length"],
    }


def summary(frames: Mapping[str, pd.DataFrame], case: Case, environment: Environment) -> dict[str, Any]:
    """What one cell's rows say, over its seeds: the mean rate and exponents with errors, the median reach and lag."""
    case_id = case.case_id(environment)
    decay, lyapunov = (
        frame[frame["case_id"] == case_id] for frame in (frames[DECAY.kind], frames[LYAPUNOV.kind])
    )
    rates = decay["rate_nats_per_step"].to_numpy(float)
    exponents = [of_index["exponent_nats_per_step"] for _, of_index in lyapunov.groupby("index", sort=True)]
    own_errors = [of_index["stderr_nats_per_step"] for _, of_index in lyapunov.groupby("index", sort=True)]
    return {
        "cell": case["cell"],
        "state_size": int(decay["state_size"].iloc[0]),
        "rate_nats_per_step": float(rates.mean()),
        "rate_stderr_nats_per_step": _error(rates, decay["rate_stderr_nats_per_step"]),
        "reach_steps": float(decay["reach_steps"].median()),
        "reach_censored": bool(median_is_bound(decay["reach_censored"].sum(), len(decay))),
        "explosion_lag_steps": float(decay["explosion_lag_steps"].median()),
        "regime": counted(decay["regime"]),
        "exponents_nats_per_step": [float(np.mean(each)) for each in exponents],
        "exponents_stderr_nats_per_step": [
            _error(each.to_numpy(float), own) for each, own in zip(exponents, own_errors, strict=True)
        ],
    }


def _error(values: np.ndarray, own: Sequence[float]) -> float:
    """The standard error of the mean over nets; of a single net its own."""
    if len(values) < 2:
        return float(next(iter(own)))
    with np.errstate(invalid="ignore"):
        return float(np.std(values, ddof=1) / np.sqrt(len(values)))
