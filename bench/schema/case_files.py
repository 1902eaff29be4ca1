"""The result files that each kind of case always writes: where one has no rows of a case, they were lost."""

from collections.abc import Collection

from bench.schema.data import DEPENDENCE, HELD_OUT_SCORES
from bench.schema.gradients import DECAY, EXACTNESS, GRADIENT_NORMS, LYAPUNOV, PAIR_NORMS, PRECISION
from bench.schema.times import AGREEMENT, CEILINGS, DATA_GENERATION, DEVICE_TIMINGS, TIMINGS
from bench.schema.training import TASK_ACCURACY

ALWAYS_WRITTEN = {
    "gradient_norms": (GRADIENT_NORMS.kind, DECAY.kind),
    "pair_norms": (PAIR_NORMS.kind,),
    "exactness": (EXACTNESS.kind,),
    "spectra": (LYAPUNOV.kind,),
    "task_accuracy": (TASK_ACCURACY.kind, DECAY.kind),
    "dependence": (DEPENDENCE.kind, HELD_OUT_SCORES.kind),
    "timings": (TIMINGS.kind,),
    "data_generation": (DATA_GENERATION.kind,),
    "peers": (AGREEMENT.kind,),
    "devices": (DEVICE_TIMINGS.kind,),
    "precision": (PRECISION.kind,),
    "ceilings": (CEILINGS.kind,),
}
"""By the names in `bench.cases.KINDS`; here, because who only looks at a folder does not wait for JAX.

A file is not among them whose rows depend on parameters, such as curves of no points, or on how it went, such as times
of rivals of which none agrees.
"""


def lacking(kind: str | None, files: Collection[str]) -> list[str]:
    """The files that a case of this kind always writes and that are not among those with rows of it.

    Of a case whose kind is not known nothing is lacking.
    """
    return [each for each in ALWAYS_WRITTEN.get(kind or "", ()) if each not in files]
