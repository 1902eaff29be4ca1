"""The figures that the library is to reach on a GPU, each beside what was measured."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from bench.store import Store
from bench.tables.ceilings import ceilings_of

NOT_MEASURED = "not measured"
COLUMNS = ["figure", "dtype", "target", "measured", "verdict"]
LARGEST_EXPONENT = 0.3102
"""Of the random tanh net at gain 3, in nats a step, as published."""
_TABLES = ("timings", "ceilings", "lyapunov", "precision")
_DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class _Target:
    figure: str
    comparison: str
    bound: float
    measured: Callable[[Mapping[str, pd.DataFrame], str], float | None]
    dtypes: tuple[str, ...] = _DTYPES


def is_asked(store: Store) -> bool:
    """True where the folder is of the suite that has these cases, at any scale."""
    for kind in store.kinds():
        suites = store.read(kind)["suite"]
        if len(suites):
            return str(suites.iloc[0]).split("-")[0] == "gpu"
    return False


def gpu_targets(store: Store) -> pd.DataFrame:
    """One row a figure and dtype; what no GPU has measured stays empty and says so."""
    tables = {}
    for kind in _TABLES:
        if kind in store.kinds():
            frame = store.read(kind)
            tables[kind] = frame[frame["backend"] == "gpu"]
    rows = []
    for target in _TARGETS:
        for dtype in target.dtypes:
            value = target.measured(tables, dtype)
            met = {"at least": operator.ge, "at most": operator.le}[target.comparison]
            verdict = NOT_MEASURED if value is None else "met" if met(value, target.bound) else "missed"
            aim = f"{target.comparison} {target.bound:g}"
            rows.append([target.figure, dtype, aim, float("nan") if value is None else value, verdict])
    return pd.DataFrame(rows, columns=COLUMNS)


def _times(
    tables: Mapping[str, pd.DataFrame], dtype: str, operation: str, **settings: object
) -> pd.DataFrame | None:
    """Our samples of an operation; None where there are none."""
    frame = tables.get("timings")
    if frame is None:
        return None
    chosen = (
        (frame["implementation"] == "rnn_jax") & (frame["operation"] == operation) & (frame["dtype"] == dtype)
    )
    for name, value in settings.items():
        chosen &= frame[name] == value
    return frame[chosen] if chosen.any() else None


def _long_chain(tables: Mapping[str, pd.DataFrame], dtype: str) -> float | None:
    settings = {"cell": "elman_tanh", "hidden_size": 64, "sequence_length": 100_000, "lag_count": 100_001}
    frame = _times(tables, dtype, "chain_at_known_states", **settings)
    medians = {} if frame is None else frame.groupby("method")["run_s"].median()
    if not {"sequential", "blocked"} <= set(medians.keys()):
        return None
    return float(medians["sequential"] / medians["blocked"])


def _share_of_ceiling(tables: Mapping[str, pd.DataFrame], dtype: str) -> float | None:
    """Of the better method, at the size where it is least."""
    frame = _times(tables, dtype, "chain_at_known_states", cell="elman_tanh")
    ceilings = ceilings_of(tables["ceilings"]) if "ceilings" in tables else None
    rate = None if ceilings is None else ceilings.flop_per_s.get((dtype, "highest"))
    if frame is None or rate is None:
        return None
    large = frame[(frame["hidden_size"] >= 512) & (frame["sequence_length"] >= 10_000)]
    if large.empty:
        return None
    keys = ["hidden_size", "sequence_length", "method"]
    medians = large.groupby(keys)[["flop", "run_s"]].median()
    shares = (medians["flop"] / medians["run_s"] / rate).groupby(["hidden_size", "sequence_length"]).max()
    return float(shares.min())


def _spectrum_s(tables: Mapping[str, pd.DataFrame], dtype: str) -> float | None:
    frame = _times(tables, dtype, "lyapunov_spectrum", hidden_size=4096, sequence_length=6000, gain=3.0)
    return None if frame is None else float(frame["run_s"].median())


def _exponents(tables: Mapping[str, pd.DataFrame], dtype: str) -> pd.DataFrame | None:
    frame = tables.get("lyapunov")
    if frame is None:
        return None
    chosen = (frame["hidden_size"] == 4096) & (frame["gain"] == 3.0) & (frame["dtype"] == dtype)
    return frame[chosen & (frame["sequence_length"] == 6000)].sort_values("index") if chosen.any() else None


def _largest_exponent(tables: Mapping[str, pd.DataFrame], dtype: str) -> float | None:
    frame = _exponents(tables, dtype)
    if frame is None or frame.empty:
        return None
    first = frame[frame["index"] == 1]["exponent_nats_per_step"].median()
    return float(100 * abs(first / LARGEST_EXPONENT - 1))


def _residual(tables: Mapping[str, pd.DataFrame], dtype: str) -> float | None:
    frame = _exponents(tables, dtype)
    if frame is None or frame.empty:
        return None
    worst = frame["logdet_residual_nats_per_step"].max()
    return None if worst != worst else float(worst)


def _ensemble(tables: Mapping[str, pd.DataFrame], dtype: str) -> float | None:
    settings = {"cell": "elman_tanh", "hidden_size": 128, "sequence_length": 400}
    frame = _times(tables, dtype, "ensemble", **settings)
    medians = {} if frame is None else frame.groupby("seed_count")["run_s"].median()
    return float(medians[64] / medians[1]) if {1, 64} <= set(medians.keys()) else None


def _agreement(tables: Mapping[str, pd.DataFrame], dtype: str) -> float | None:
    frame = tables.get("precision")
    if frame is None:
        return None
    chosen = frame[
        (frame["dtype"] == dtype)
        & (frame["matmul_precision"] == "highest")
        & (frame["states"] == "own")
        & (frame["sequence_length"] == 10_000)
    ]
    return float(chosen["log_norm_error_nats"].abs().max()) if len(chosen) else None


_TARGETS = (
    _Target(
        "chain at known states, T = 100,000, n = 64, every lag: sequential time over blocked",
        "at least",
        100,
        _long_chain,
    ),
    _Target(
        "chain at known states, n >= 512: least share of the matrix ceiling",
        "at least",
        0.5,
        _share_of_ceiling,
    ),
    _Target("spectrum, n = 4096, 6,000 steps: seconds", "at most", 60, _spectrum_s, ("float64",)),
    _Target(
        f"the same: largest exponent's distance from {LARGEST_EXPONENT}, %",
        "at most",
        1,
        _largest_exponent,
        ("float64",),
    ),
    _Target(
        "the same: mean exponent's distance from ln abs det J / n, nats",
        "at most",
        1e-3,
        _residual,
        ("float64",),
    ),
    _Target(
        "training 64 nets, adding T = 400, 128 units: time over one net's",
        "at most",
        3,
        _ensemble,
        ("float32",),
    ),
    _Target(
        "chain, T = 10,000: GPU's log norm from the CPU's, nats", "at most", 1e-9, _agreement, ("float64",)
    ),
)
