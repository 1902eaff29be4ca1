"""Each timed operation's share of the ceiling that the device sets it: the roofline model.

References:
    Williams, Waterman, Patterson 2009, Communications of the ACM 52(4), 65.
"""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

import numpy as np
import pandas as pd

from bench.measuring.formulas import least_bytes, least_steps
from bench.tables.ceilings import ceilings_of

COLUMNS = [
    "operation", "cell", "method", "state_size", "hidden_size", "sequence_length", "batch_size", "seed_count",
    "dtype", "time_s", "gflop_per_s", "flop_per_byte", "ceiling_gflop_per_s", "share", "bound_by",
]  # fmt: skip
_KEYS = [
    "operation", "cell", "method", "state_size", "hidden_size", "input_size", "sequence_length", "batch_size",
    "seed_count", "lag_count", "dtype", "matmul_precision",
]  # fmt: skip


def roofline(timings: pd.DataFrame, ceilings: pd.DataFrame) -> pd.DataFrame:
    """One row an operation of ours and size: flop a second, beside min(compute, bandwidth x intensity).

    `bound_by` names which of three lower limits of the time is the longest: the flop at the rate of a large matrix
    product, the least bytes at the rate of a copy, or as many empty loop iterations as must follow each other
    ("launches"). Where it is the last, the share says how much more could run at once, not what is slow.
    """
    best = ceilings_of(ceilings)
    own = timings[
        (timings["implementation"] == "rnn_jax") & timings["operation"].notna() & timings["flop"].gt(0)
    ]
    if best is None or own.empty:
        return pd.DataFrame(columns=COLUMNS)
    rows = []
    for values, group in own.groupby(_KEYS, dropna=False, sort=True):
        row = pd.Series(dict(zip(_KEYS, values, strict=True)))
        rate = best.flop_per_s.get((row["dtype"], row["matmul_precision"]))
        if rate is None:
            continue
        time_s, flop = float(group["run_s"].median()), float(group["flop"].iloc[0])
        moved = least_bytes(row, np.dtype(row["dtype"]).itemsize)
        limits = {
            "compute": flop / rate,
            "bandwidth": moved / best.bytes_per_s,
            "launches": least_steps(row) * best.iteration_s,
        }
        ceiling = min(rate, best.bytes_per_s * flop / moved)
        rows.append(
            row.to_dict()
            | {
                "time_s": time_s,
                "gflop_per_s": flop / time_s / 1e9,
                "flop_per_byte": flop / moved,
                "ceiling_gflop_per_s": ceiling / 1e9,
                "share": flop / time_s / ceiling,
                "bound_by": max(limits, key=lambda name: limits[name]),
            }
        )
    return pd.DataFrame(rows, columns=COLUMNS).infer_objects()
