"""What a device can do at best, from ceilings.csv."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false, reportGeneralTypeIssues=false

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Ceilings:
    """The best that was measured, over all sizes.

    Attributes:
        flop_per_s: of a matrix product, by dtype and precision.
        bytes_per_s: of a copy, read and written.
        iteration_s: of a loop whose body does next to nothing, the shortest.
    """

    flop_per_s: Mapping[tuple[str, str], float]
    bytes_per_s: float
    iteration_s: float


def ceilings_of(frame: pd.DataFrame) -> Ceilings | None:
    """The ceilings of one folder; None where one of the three was not measured."""
    keys = ["quantity", "dtype", "matmul_precision", "size"]
    # The best of all rounds: a ceiling is what the device can do, not what others on it left at that moment.
    best = frame.groupby(keys, as_index=False)[["run_s", "flop", "bytes_moved"]].min()
    of = dict(list(best.groupby("quantity")))
    if not {"matrix_product", "copy", "scan_iterations"} <= of.keys():
        return None
    products = of["matrix_product"]
    rates = (products["flop"] / products["run_s"]).groupby([products["dtype"], products["matmul_precision"]])
    copies, loops = of["copy"], of["scan_iterations"]
    return Ceilings(
        flop_per_s={
            (str(dtype), str(precision)): float(rate) for (dtype, precision), rate in rates.max().items()
        },
        bytes_per_s=float((copies["bytes_moved"] / copies["run_s"]).max()),
        iteration_s=float((loops["run_s"] / loops["size"]).min()),
    )


def ceiling_table(frame: pd.DataFrame) -> pd.DataFrame:
    """One row a ceiling, in its own unit."""
    found = ceilings_of(frame)
    if found is None:
        return pd.DataFrame(columns=["ceiling", "dtype", "matmul_precision", "value", "unit"])
    rows = [
        ["matrix_product", dtype, precision, rate / 1e9, "GFLOP/s"]
        for (dtype, precision), rate in sorted(found.flop_per_s.items())
    ]
    rows.append(["copy", "", "", found.bytes_per_s / 1e9, "GB/s, read and written"])
    rows.append(["scan_iteration", "", "", found.iteration_s * 1e6, "microseconds"])
    return pd.DataFrame(rows, columns=["ceiling", "dtype", "matmul_precision", "value", "unit"])
