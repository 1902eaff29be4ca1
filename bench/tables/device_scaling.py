"""What several devices gain, from device_timings.csv."""

import pandas as pd

_KEYS = [
    "operation",
    "cell",
    "state_size",
    "sequence_length",
    "lag_count",
    "seed_count",
    "batch_size",
    "dtype",
]


def device_scaling(timings: pd.DataFrame) -> pd.DataFrame:
    """Median time over each number of devices, and how many times faster than on one.

    Devices that one CPU plays share its cores: what they gain says nothing of as many real ones, so
    the column `devices` names them so.
    """
    rows = []
    for values, group in timings.groupby(_KEYS, dropna=False, sort=True):
        by_count = {int(str(count)): of_count for count, of_count in group.groupby("device_count")}
        medians = {count: float(of_count["run_s"].median()) for count, of_count in by_count.items()}
        for count, of_count in by_count.items():
            speedup = medians.get(1, float("nan")) / medians[count]
            rows.append(
                dict(zip(_KEYS, values, strict=True))
                | {
                    "devices": _named(count, bool(of_count["simulated"].iloc[0])),
                    "method": of_count["method"].iloc[0],
                    "rounds": len(of_count),
                    "run_s": medians[count],
                    "run_s_least": of_count["run_s"].min(),
                    "run_s_most": of_count["run_s"].max(),
                    "speedup": speedup,
                    "efficiency": speedup / count,
                }
            )
    return pd.DataFrame(rows)


def _named(count: int, simulated: bool) -> str:
    return f"{count} simulated on one CPU" if simulated and count > 1 else str(count)
