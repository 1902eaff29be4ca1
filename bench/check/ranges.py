"""Values that a column cannot have."""

# pandas types most results as a union of all that they might be.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false

from collections.abc import Iterator

import pandas as pd

import rnn_jax as rj
from bench.machine import BACKENDS
from bench.schema import RESULT_FILES, SCHEMA_VERSION
from bench.tables.trained_runs import VERDICTS

_LEAST_ONE = ("inner_calls", "batch_size", "seed_count", "device_count", "layers", "hidden_size", "state_size",
              "sequence_length", "task_length", "peak_bytes", "parameter_count", "sequence_count", "index")  # fmt: skip
_NOT_NEGATIVE = (
    "elapsed_s", "train_s", "relative_error", "deviation", "gain", "input_scale", "flop", "bytes_moved",
    "rate_stderr_nats_per_step", "stderr_nats_per_step", "gradient_norm", "largest_gradient_norm",
)  # fmt: skip
_SHARES = ("accuracy",)
_CHOICES = {
    "backend": BACKENDS,
    "dtype": ("float32", "float64", "bfloat16"),
    "verdict": VERDICTS,
    "regime": ("vanishing", "stable", "exploding", "not_finite"),
    "weights": ("initial", "trained"),
    "compile_cache": ("off", "cold", "warm"),
    "cell": (*rj.cells.CELLS, "gaussian_matrices", ""),
    "status": ("failed", "timeout", "out_of_memory"),
}
_METRICS_OF_SHARES = {kind.metric for kind in rj.tasks.TASKS.values()}


def out_of_range(kind: str, frame: pd.DataFrame) -> Iterator[tuple[pd.Series, str]]:
    """Masks of rows with a value that its column cannot have, each with a sentence about it; empty cells are none."""
    for column in RESULT_FILES[kind].all_columns:
        name, values = column.name, frame[column.name]
        if name == "schema_version":
            yield from _said(values.ne(SCHEMA_VERSION), f"schema_version must be {SCHEMA_VERSION}", values)
        elif name in _CHOICES and column.type == "text":
            known = _CHOICES[name]
            rule = f"{name} must be one of {', '.join(filter(None, known))}"
            unknown = values.notna() & ~values.isin(known)
            if name == "cell":  # a name with a colon is that of a cell of somebody's own
                rule += ", or MODULE:FUNCTION"
                unknown &= ~values.str.contains(":", na=False)
            yield from _said(unknown, rule, values)
        elif name == "run_s":
            yield from _said(values.isna() | values.le(0), "run_s must be over 0 seconds", values)
        elif name in _SHARES and "metric" in frame:
            of_shares = frame["metric"].isin(_METRICS_OF_SHARES)
            yield from _said(
                of_shares & ~values.between(0, 1) & values.notna(), f"{name} must be from 0 to 1", values
            )
        elif name in _LEAST_ONE:
            yield from _said(values.lt(1), f"{name} must be at least 1", values)
        elif column.type == "integer" or name in _NOT_NEGATIVE:
            yield from _said(values.lt(0), f"{name} must not be under 0", values)


def _said(where: pd.Series, rule: str, values: pd.Series) -> Iterator[tuple[pd.Series, str]]:
    where = where.fillna(False).astype(bool)
    if where.any():
        yield where, f"{rule}, got {values[where].iloc[0]}"
