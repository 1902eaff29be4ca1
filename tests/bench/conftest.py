"""Synthetic result rows and folders, and the environment they claim to come from."""

import os
import subprocess
import sys

import pytest

from bench import suite
from bench.machine import Environment
from bench.schema import RESULT_FILES, SCHEMA_VERSION
from bench.store import Store

FACTS = {
    "identity": {"machine": "slow-chip-2-cores", "dtype": "float32", "packages": {"jax": "0.10.1"}},
    "volatile": {"command": "rnn-bench run tiny"},
}

_BY_TYPE = {"text": "some text", "integer": 3, "number": 0.125, "truth": True}
_PLAUSIBLE = {
    "schema_version": SCHEMA_VERSION,
    "case_id": "c0",
    "match_id": "m0",
    "suite": "tiny",
    "machine": "slow-chip-2-cores",
    "backend": "cpu",
    "device_kind": "Slow Chip",
    "dtype": "float32",
    "matmul_precision": "highest",
    "cell": "elman_tanh",
    "layers": 1,
    "initialization": "gaussian",
    "gain": 1.0,
    "forget_bias": None,
    "input_size": 1,
    "hidden_size": 4,
    "state_size": 4,
    "input_kind": "white_noise",
    "input_scale": 1.0,
    "sequence_length": 100,
    "seed": 0,
    "weights": "initial",
    "regime": "vanishing",
    "task": "adding",
    "variant": "halves",
    "task_length": 100,
    "remedy": "none",
    "remedy_strength": None,
    "clip_threshold": None,
    "optimizer": "adam",
    "learning_rate": 0.002,
    "metric": "within_0.04_of_sum",
    "verdict": "solved",
    "first_nonfinite_step": None,
    "first_nonfinite_quantity": None,
    "operation": "jacobian_chain",
    "implementation": "rnn_jax",
    "round": 0,
    "sequence": 0,
    "quantity": "log_norm",
    "tolerance": 0.01,
    "note": "",
}


@pytest.fixture
def environment():
    return Environment("slow-chip-2-cores", "cpu", "Slow Chip", "0.10.1", "float32")


@pytest.fixture
def facts():
    return {part: dict(content) for part, content in FACTS.items()}


@pytest.fixture(scope="session")
def row():
    """`row(kind, name=value)`: a plausible row of one result file, with the values that a test chooses."""

    def make(kind, **chosen):
        columns = {column.name: column.type for column in RESULT_FILES[kind].all_columns}
        assert set(chosen) <= set(columns), set(chosen) - set(columns)
        values = {name: _PLAUSIBLE.get(name, _BY_TYPE[type]) for name, type in columns.items()}
        return values | chosen

    return make


@pytest.fixture
def loaded(tmp_path):
    """`loaded(text)` writes a suite file and loads it."""

    def load(text):
        path = tmp_path / "mine.toml"
        path.write_text(text, encoding="utf-8")
        return suite.load(str(path))

    return load


@pytest.fixture
def folder_of(tmp_path):
    """`folder_of(name, kind=rows)`: a collated result folder with these rows and a machine.json."""

    def make(name="results", /, **tables):
        store = Store(tmp_path / name)
        store.write_machine(FACTS)
        store.write("c0", tables)
        store.collate()
        return store

    return make


@pytest.fixture(scope="session")
def rnn_bench():
    """`rnn_bench(*arguments, cwd=folder)` runs the program in a process of its own, on the CPU."""

    def call(*arguments, cwd):
        return subprocess.run(
            [sys.executable, "-m", "bench", *map(str, arguments)],
            cwd=cwd,
            # Compiling is most of what such a short run takes.
            env=os.environ
            | {"JAX_PLATFORMS": "cpu", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1", "COLUMNS": "100"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=280,
        )

    return call


@pytest.fixture
def complaint():
    """`complaint(done)`: the one line that a usage error is told in."""

    def only_line(done):
        assert done.returncode == 2, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        lines = done.stderr.strip().splitlines()
        assert len(lines) == 1, done.stderr
        return lines[0]

    return only_line
