"""Spectra of the same net by several factorizations: how far apart, how exact, how fast."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

import numpy as np
import pandas as pd

from bench.statistics.grouping import NET

REFERENCE = "elimination"
_NET = [*NET, "input_scale", "state_scale", "state_size", "sequence_length", "dtype", "seed"]


def factorizations(lyapunov: pd.DataFrame, timings: pd.DataFrame) -> pd.DataFrame:
    """A row for each net and factorization, where a net has more than one.

    Args:
        lyapunov: lyapunov.csv.
        timings: timings.csv, whose column `method` names the factorization.

    Returns:
        `largest_deviation` of an exponent from that of elimination, in nats a step, and
        `deviation_in_stderr` in units of its own standard error: a chaotic net takes another way after
        every rounding, so only the latter says whether they agree. Infinite where one of the two has
        an exponent that the other has not; empty where there is no elimination to hold it to.
        `logdet_residual` and the median time stand beside them.
    """
    spectra = timings[timings["operation"] == "lyapunov_spectrum"]
    method = spectra.groupby("case_id")["method"].first().to_dict()
    seconds = spectra.groupby(["case_id", "seed"])["run_s"].median()
    rows = []
    for values, group in lyapunov[lyapunov["case_id"].isin(list(method))].groupby(_NET, dropna=False):
        by_method = {
            method[case_id]: of_case.set_index("index").sort_index()
            for case_id, of_case in group.groupby("case_id")
        }
        if len(by_method) < 2:
            continue
        reference = next((by_method[name] for name in by_method if name.startswith(REFERENCE)), None)
        for name in sorted(by_method):
            own = by_method[name]
            rows.append(
                dict(zip(_NET, values, strict=True))
                | {
                    "method": name,
                    "largest_deviation": _largest(own, reference, in_stderr=False),
                    "deviation_in_stderr": _largest(own, reference, in_stderr=True),
                    "logdet_residual": own["logdet_residual_nats_per_step"].iloc[0],
                    "run_s": seconds[(own["case_id"].iloc[0], own["seed"].iloc[0])],
                }
            )
    return pd.DataFrame(rows)


def _largest(own: pd.DataFrame, reference: pd.DataFrame | None, *, in_stderr: bool) -> float:
    if reference is None:
        return float("nan")
    ours, theirs = (each["exponent_nats_per_step"].astype(float).to_numpy() for each in (own, reference))
    if len(ours) != len(theirs) or not np.array_equal(np.isfinite(ours), np.isfinite(theirs)):
        return float("inf")
    finite = np.isfinite(ours)
    deviation = np.abs(ours[finite] - theirs[finite])
    if in_stderr:
        error = own["stderr_nats_per_step"].astype(float).to_numpy()[finite]
        deviation = np.divide(deviation, error, out=np.zeros_like(deviation), where=error > 0)
    return float(deviation.max()) if len(deviation) else 0.0
