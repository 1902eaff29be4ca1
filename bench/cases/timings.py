"""Times an operation in interleaved rounds; a chain next to the bare loop of matrix products of the same size."""

from collections.abc import Mapping
from typing import Any

from bench.cases.cell import NOISE_PARAMETERS, Report, resolved_cell
from bench.cases.operations import OPERATIONS
from bench.cases.parameter import Parameter
from bench.cases.peers import CELLS
from bench.machine import Environment
from bench.measuring.timing import interleaved, timing_columns
from bench.schema import TIMINGS
from rnn_jax.jacobian.chain import METHODS

VERSION = 2
ONE_SEED = True
PARAMETERS = (
    *NOISE_PARAMETERS,
    Parameter("sequence_length", int, "number of steps", 1000, low=1, high=1_000_000),
    Parameter("lags", int, "at how many geometrically spaced lags; 0: at every one", 0, low=0, high=200),
    Parameter("rounds", int, "samples of each implementation", 7, low=3, high=1000),
    Parameter("operation", str, "what is timed", "jacobian_chain", choices=tuple(OPERATIONS), later=True),
    Parameter("method", str, "how a chain is formed", "auto", choices=METHODS, later=True),
    Parameter("batch_size", int, "sequences at once", 1, low=1, high=1_000_000, later=True),
    Parameter("networks", int, "nets of an ensemble", 1, low=1, high=100_000, later=True),
    Parameter(
        "processes", int, "fresh processes, each with rounds of its own", 1, low=1, high=100, later=True
    ),
)
_ONLY_FOR = {
    "lags": ("jacobian_chain", "chain_at_known_states"),
    "method": ("jacobian_chain", "chain_at_known_states"),
    "batch_size": ("trajectory", "training_step", "ensemble"),
    "networks": ("ensemble",),
}
_LEAST_LENGTH = {"lyapunov_spectrum": 30, "training_step": 2, "ensemble": 2}


def resolved(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Fills in the cell's options.

    Raises:
        ValueError: the cell fixes an option that is given, an option is given that the operation does not
            have, or the sequence is too short for it.
    """
    operation, length = parameters["operation"], parameters["sequence_length"]
    defaults = {each.name: each.default for each in PARAMETERS}
    for name, having in _ONLY_FOR.items():
        if operation not in having and parameters[name] != defaults[name]:
            raise ValueError(f"{name} is for {', '.join(having)}; {operation} has none, so leave it out")
    if length < _LEAST_LENGTH.get(operation, 1):
        raise ValueError(
            f"sequence_length of {operation} must be at least {_LEAST_LENGTH[operation]}, got {length}"
        )
    if operation == "lyapunov_spectrum" and parameters["cell"] not in CELLS[operation]:
        raise ValueError(
            f"cell of {operation} must be one of {', '.join(CELLS[operation])}, got {parameters['cell']!r}; "
            "[[spectra]] with rounds = 3 times the others"
        )
    return resolved_cell(parameters)


def run(
    case: Any, environment: Environment, suite: str, report: Report
) -> Mapping[str, list[dict[str, Any]]]:
    """Times the case's operation; rows for timings.csv."""
    operation = OPERATIONS[case["operation"]](case, environment, suite)
    samples = interleaved(operation.calls, case["rounds"], report)
    return {
        TIMINGS.kind: [
            {**operation.common, "implementation": name, **operation.columns[name], **timed}
            for name, sample in samples.items()
            for timed in timing_columns(sample)
        ]
    }
