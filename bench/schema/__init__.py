"""The result files: their columns, types and meaning. `results/README.md` is written from here."""

from bench.schema.case_files import ALWAYS_WRITTEN as ALWAYS_WRITTEN
from bench.schema.case_files import lacking as lacking
from bench.schema.columns import COMMON as COMMON
from bench.schema.columns import PROBED as PROBED
from bench.schema.columns import SCHEMA_VERSION as SCHEMA_VERSION
from bench.schema.columns import Column, ResultFile
from bench.schema.data import DEPENDENCE, HELD_OUT_SCORES
from bench.schema.gradients import (
    DECAY,
    EXACTNESS,
    GRADIENT_NORMS,
    LYAPUNOV,
    PAIR_NORMS,
    PRECISION,
    SINGULAR_VALUES,
)
from bench.schema.times import AGREEMENT, CASE_TIMES, CEILINGS, DATA_GENERATION, DEVICE_TIMINGS, TIMINGS
from bench.schema.training import EVALUATIONS, EXPLOSIONS, SNAPSHOTS, TASK_ACCURACY, TRAINING_CURVES, TUNING

FAILURES = ResultFile(
    "failures",
    "case that did not finish",
    (
        Column("kind", "text", "the kind of case"),
        Column("status", "text", "failed, timeout or out_of_memory"),
        Column("error", "text", "the error in one line"),
        Column("elapsed_s", "number", "seconds until then", is_time=True),
    ),
)

RESULT_FILES = {
    file.kind: file
    for file in (
        GRADIENT_NORMS,
        PAIR_NORMS,
        DECAY,
        EXACTNESS,
        LYAPUNOV,
        SINGULAR_VALUES,
        TASK_ACCURACY,
        TRAINING_CURVES,
        EVALUATIONS,
        EXPLOSIONS,
        HELD_OUT_SCORES,
        DEPENDENCE,
        TUNING,
        SNAPSHOTS,
        TIMINGS,
        DATA_GENERATION,
        DEVICE_TIMINGS,
        CEILINGS,
        PRECISION,
        AGREEMENT,
        CASE_TIMES,
        FAILURES,
    )
}

OF_OTHER_SEEDS = (TUNING.kind, CASE_TIMES.kind, FAILURES.kind)
"""Kinds of result file whose rows are of no seed, or of other seeds than those of their case."""

OF_SOME_SEEDS = (*OF_OTHER_SEEDS, EXPLOSIONS.kind, SNAPSHOTS.kind)
"""Those that do not have rows of every seed of a case."""
