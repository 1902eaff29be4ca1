"""A machine with a driver, JAX and the packages that we depend on, and nothing else, runs the GPU suite."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.store import Store

ROOT = Path(__file__).parents[2]
MISSING = (
    "torch", "lyapax", "beartype", "hypothesis", "equinox", "mpmath", "flax", "haiku", "pytest", "diffrax", "tqdm",
    "seaborn", "sympy", "plotly", "playwright",
)  # fmt: skip
FORBID = f"""
import sys

class Without:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        missing = name.partition(".")[0] in {MISSING!r}
        return None if missing else self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
"""
"""Runs at the start of every Python process: none of these is found there."""


@pytest.fixture
def bare(tmp_path):
    """`bare(*arguments)` runs the program from the repository root, not installed, without those packages."""
    (tmp_path / "sitecustomize.py").write_text(FORBID, encoding="utf-8")

    def call(*arguments):
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            # Nearly all of its time goes into compiling.
            env=os.environ
            | {"PYTHONPATH": str(tmp_path), "JAX_PLATFORMS": "cpu", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=280,
        )

    return call


def test_the_packages_are_missing(bare):
    for name in MISSING:
        done = bare("-c", f"import {name}")
        assert "ModuleNotFoundError" in done.stderr


@pytest.mark.parametrize(
    ("only", "kinds"),
    [
        pytest.param("kind=ceilings", {"ceilings"}, marks=pytest.mark.slow),
        ("operation=training_step,cell=lstm", {"timings"}),
        pytest.param("seed", None, marks=pytest.mark.slow),
    ],
    ids=["ceilings", "training", "everything"],
)
def test_the_gpu_suite_runs(only, kinds, bare, tmp_path):
    out = tmp_path / "out"
    chosen = () if kinds is None else ("--only", only)
    done = bare(
        "-m", "bench", "run", "gpu", "--backend", "cpu", "--scale", "tiny", "--out", str(out), *chosen
    )
    assert done.returncode == 0, done.stdout + done.stderr
    everything = {"ceilings", "timings", "lyapunov", "precision", "gradient_norms", "decay"}
    store = Store(out)
    assert set(store.kinds()) == (everything if kinds is None else kinds) | {"case_times"}
    for kind in store.kinds():
        assert set(store.read(kind)["suite"]) == {"gpu-tiny"}
    assert "not measured" in (out / "tables" / "gpu_targets.md").read_text(encoding="utf-8")
    assert "What is to be reached on a GPU" not in done.stdout  # nothing of it on a CPU
    if kinds is None:
        assert {"float32", "float64"} <= set(store.read("timings")["dtype"])
        assert set(store.read("timings")["operation"]) == {
            "jacobian_chain", "chain_at_known_states", "trajectory", "training_step", "ensemble",
            "lyapunov_spectrum",
        }  # fmt: skip
        assert (out / "figures" / "roofline.png").is_file()
