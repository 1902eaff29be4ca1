"""A made-up machine's results, one name of which tries to break out of the page, and the report of them."""

import json
import math

import pytest

from bench import report
from bench.comparing import comparison
from bench.store import Store

HOSTILE = """</script><img src=x onerror="window.hacked=1"><b>bold</b> %{x} $style &amp; <!-- 'q"""
"""As a name from a result file: ends scripts, comments, attributes, templates."""
FACTS = {
    "identity": {"machine": "slow-chip-2-cores", "backend": "cpu", "device_kind": HOSTILE, "dtype": "float32",
                 "packages": {"jax": "0.10.1"}},
    "volatile": {"command": f"rnn-bench run {HOSTILE}", "commit": "0123456789abcdef", "memory_bytes": 8e9},
}  # fmt: skip
LAGS = (0, 1, 10, 100)
CELLS = ("elman_tanh", "gru", HOSTILE)
GAINS = (0.5, 1.0, 2.0)


def norm_of(gain, seed, lag):
    """log10 of the norm that the made-up net has at a lag; seed 1 lies between the two others."""
    return lag * math.log10(gain) - 0.1 - 0.1 * seed


def decay_rows(row):
    return [
        row("gradient_norms", cell=cell, gain=gain, seed=seed, lag=lag, case_id=f"{cell} {gain}",
            log10_spectral_norm=norm_of(gain, seed, lag))
        for cell in CELLS for gain in GAINS for seed in (0, 1, 2) for lag in LAGS
    ]  # fmt: skip


def pair_rows(row):
    return [
        row("pair_norms", cell=cell, case_id=f"pairs {cell}", later_time=later, earlier_time=earlier,
            log10_spectral_norm=-0.1 * (later - earlier))
        for cell in CELLS[1:] for later in (0, 50, 100) for earlier in (0, 50, 100) if earlier <= later
    ]  # fmt: skip


def spectrum_rows(row):
    tanh_nets = [
        row("lyapunov", gain=gain, input_size=0, input_scale=0.0, index=index, exponent_nats_per_step=0.2 - index * gain)
        for gain in (1.5, 2.0, 2.5, 3.0, 3.5) for index in (1, 2, 3, 4)
    ]  # fmt: skip
    products = [
        row("lyapunov", cell="gaussian_matrices", index=index, exponent_nats_per_step=0.5 - index)
        for index in (1, 2, 3, 4)
    ]
    return tanh_nets + products


def task_rows(row):
    return [
        row("task_accuracy", task=task, task_length=length, cell=cell, seed=seed, remedy=remedy,
            remedy_strength=None if remedy == "none" else 1.0, case_id=f"{task} {length} {cell} {remedy}",
            verdict="diverged" if seed else "solved", accuracy=None if seed else 0.9)
        for task in ("adding", HOSTILE) for length in (20, 100) for cell in CELLS for remedy in ("none", "clip_by_norm")
        for seed in (0, 1)
    ]  # fmt: skip


def timing_rows(row, seconds):
    return [
        row("timings", match_id=f"{cell} {size}", cell=cell, state_size=size, run_s=run_s)
        for cell in CELLS
        for size, run_s in seconds.items()
    ] + [
        # Has no lags, and at either number of seeds the same ratio.
        row("timings", match_id=f"ensemble {size} {count}", operation="ensemble", cell="gru", state_size=size,
            run_s=run_s * count, lag_count=None, seed_count=count)
        for size, run_s in seconds.items() for count in (1, 8)
    ]  # fmt: skip


@pytest.fixture(scope="session")
def whole(row, tmp_path_factory):
    """The paths of two result folders and of a comparison of them."""
    root = tmp_path_factory.mktemp("whole")
    tables = {
        "gradient_norms": decay_rows(row),
        "pair_norms": pair_rows(row),
        "lyapunov": spectrum_rows(row),
        "task_accuracy": task_rows(row),
        "decay": [row("decay", cell=cell, gain=gain) for cell in CELLS for gain in GAINS],
    }
    left = folder(root / "here" / "cpu", tables | {"timings": timing_rows(row, {16: 1.0, 64: 8.0})})
    right = folder(root / "there" / "gpu", {"timings": timing_rows(row, {16: 2.0, 64: 4.0})})
    (root / "kept").mkdir()
    (root / "kept" / comparison.FILE).write_text(
        '{"left": "../here/cpu", "right": "../there/gpu"}', encoding="utf-8"
    )
    return [left, right, root / "kept"]


@pytest.fixture(scope="session")
def page(whole):
    """The report of them."""
    return report.page(report.read(whole))


def folder(path, tables):
    store = Store(path)
    store.write_machine(FACTS)
    store.write("c0", json.loads(json.dumps(tables)))
    store.collate()
    return path
