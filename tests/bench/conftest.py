"""Synthetic result rows and folders, and the environment they claim to come from."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import jax
import pytest

from bench import suite
from bench.machine import Environment
from bench.running import plan
from bench.schema import RESULT_FILES, SCHEMA_VERSION
from bench.store import Store, write_text

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
    "dt": None,
    "input_deviation": None,
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


@pytest.fixture
def verb(capsys):
    """`verb(*arguments)` runs the program in this process: its exit code, standard output and standard error."""
    from bench.cli.main import app

    def call(*arguments):
        capsys.readouterr()
        code = app([str(each) for each in arguments], standalone_mode=False)
        said = capsys.readouterr()
        return SimpleNamespace(returncode=code or 0, stdout=said.out, stderr=said.err)

    return call


@pytest.fixture
def typed(capsys, monkeypatch):
    """`typed(*arguments, cwd=folder)`: as `rnn_bench`, but in this process, for what ends before it measures."""
    from bench.cli.main import main

    def call(*arguments, cwd):
        monkeypatch.chdir(cwd)
        monkeypatch.setenv("COLUMNS", "100")
        monkeypatch.setattr(sys, "argv", ["rnn-bench", *map(str, arguments)])
        before = dict(jax.config.values)
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        for name, value in before.items():
            if jax.config.values[name] != value:
                jax.config.update(name, value)
        return SimpleNamespace(returncode=ended.value.code or 0, stdout=said.out, stderr=said.err)

    return call


@pytest.fixture
def terminal(monkeypatch):
    """Both outputs are taken for terminals of 80 columns."""
    import typer.rich_utils  # noqa: F401 it reads these when it is first imported, and keeps what it read for later tests

    for name, value in {"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1", "COLUMNS": "80", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def made_tiny_folder(tmp_path_factory, row):
    """Of its four cases two are done, one failed and one is left."""
    store = Store(tmp_path_factory.mktemp("made") / "tiny")
    store.write_machine(FACTS)
    planned = [plan.Planned(f"c{n}", f"m{n}", "exactness", f"exactness cell_{n}", 100.0) for n in range(4)]
    write_text(store.folder / plan.FILE, plan.text_of(plan.Plan("tiny", tuple(planned), 400.0, "two cores")))
    for name in ("c0", "c1"):
        kinds = ("exactness", "gradient_norms", "decay", "task_accuracy", "timings")
        rows = {kind: [row(kind, case_id=name)] for kind in kinds}
        store.write(name, {"case_times": [row("case_times", case_id=name, elapsed_s=4.0)], **rows})
    failure = row("failures", case_id="c2", status="timeout", error="ValueError: " + "what went wrong " * 9)
    store.write("c2", {"failures": [failure]}, status="failed")
    store.collate()
    return store.folder


@pytest.fixture
def tiny_folder(made_tiny_folder, tmp_path, monkeypatch):
    """`made_tiny_folder` as `results/slow-chip-2-cores/tiny`, from a folder of the test's own."""
    monkeypatch.chdir(tmp_path)
    folder = Path("results") / "slow-chip-2-cores" / "tiny"
    shutil.copytree(made_tiny_folder, folder)
    return folder
