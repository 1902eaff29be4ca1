"""The kinds of measurement, one a file.

Each module has PARAMETERS (the keys a suite may set), VERSION (raised when the measured code changes
meaning), `resolved(parameters)` (fills in what depends on other keys, or raises ValueError) and
`run(case, environment, suite, report)`, which returns rows by kind of result file; those that it always writes are
named in `bench.schema.case_files`. Where it also has
`GOES_ON = True`, its `run` takes `checkpoints` too, and goes on from them after a kill; where it has
`ONE_SEED = True`, its cases are of one seed, for what it measures depends on shapes or data alone; where it has
`check(case, environment)`, that raises ValueError, before anything is measured, at what its dtype does not allow.
"""

from collections.abc import Mapping
from time import perf_counter
from typing import Any

from bench.cases import (
    ceilings,
    data_generation,
    dependence,
    devices,
    exactness,
    gradient_norms,
    pair_norms,
    peers,
    precision,
    spectra,
    task_accuracy,
    timings,
)
from bench.cases.cell import Report, setting_columns
from bench.machine import Environment
from bench.measuring.memory_maps import drop_programs_before_there_are_too_many
from bench.schema import CASE_TIMES
from bench.store.checkpoints import Checkpoints

MOST_SEEDS = 10_000
KINDS = {
    "gradient_norms": gradient_norms,
    "pair_norms": pair_norms,
    "exactness": exactness,
    "spectra": spectra,
    "task_accuracy": task_accuracy,
    "dependence": dependence,
    "timings": timings,
    "data_generation": data_generation,
    "peers": peers,
    "devices": devices,
    "precision": precision,
    "ceilings": ceilings,
}


def most_seeds(kind: str) -> int:
    """How many seeds a case of this kind may be measured for."""
    return 1 if getattr(KINDS[kind], "ONE_SEED", False) else MOST_SEEDS


def check(case: Any, environment: Environment) -> None:
    """Raises ValueError where the case cannot be measured in this environment, its own."""
    checked = getattr(KINDS[case.kind], "check", None)
    if checked is not None:
        checked(case, environment)


def measure(
    case: Any, environment: Environment, suite: str, report: Report, checkpoints: Checkpoints
) -> Mapping[str, list[dict[str, Any]]]:
    """Has a case measured by its kind: rows by kind of result file, and what it took."""
    drop_programs_before_there_are_too_many()
    kind = KINDS[case.kind]
    more = {"checkpoints": checkpoints} if getattr(kind, "GOES_ON", False) else {}
    goes_on = checkpoints.folder.exists()  # then its first part was measured in another process
    started = perf_counter()
    rows = kind.run(case, environment, suite, report, **more)
    elapsed_s = None if goes_on else perf_counter() - started
    took = setting_columns(case, environment, suite) | {"kind": case.kind, "elapsed_s": elapsed_s}
    return {CASE_TIMES.kind: [took], **rows}
