"""The kinds of measurement, one a file.

Each module has PARAMETERS (the keys a suite may set), VERSION (raised when the measured code changes
meaning), `resolved(parameters)` (fills in what depends on other keys, or raises ValueError) and
`run(case, environment, report)`, which returns rows by kind of result file.
"""

from bench.cases import (
    ceilings,
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

KINDS = {
    "gradient_norms": gradient_norms,
    "pair_norms": pair_norms,
    "exactness": exactness,
    "spectra": spectra,
    "task_accuracy": task_accuracy,
    "dependence": dependence,
    "timings": timings,
    "peers": peers,
    "devices": devices,
    "precision": precision,
    "ceilings": ceilings,
}
