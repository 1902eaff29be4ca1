"""The tests that need several devices, run in a process that simulates them."""

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent


def test_what_needs_eight_devices_passes_on_simulated_ones():
    """How many devices a CPU plays is settled when JAX starts, and no other test shall run that way."""
    files = [path for path in sorted(TESTS.rglob("test_*.py")) if "eight_devices" in path.read_text()]
    files.remove(Path(__file__))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *map(str, files)],
        cwd=TESTS.parent,
        # Nearly all of its time goes into compiling.
        env={
            **os.environ,
            "JAX_PLATFORMS": "cpu",
            "JAX_NUM_CPU_DEVICES": "8",
            "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout, done.stdout
