"""A training case whose program is killed at random moments gives the same CSV files as one left alone."""

import csv
import os
import random
import signal
import subprocess
import sys
from contextlib import suppress
from time import monotonic, sleep

import pytest

from bench.schema import RESULT_FILES

CASE = """
[[task_accuracy]]
cell = "elman_tanh"
hidden_size = 4
task = "adding"
task_length = 10
remedy = "clip_by_norm"
learning_rate_grid = "1e-3 1e-2"
tuning_steps = 600
step_budget = 1200
evaluate_every = 20
batch_size = 8
snapshots = 2
sequences = 2
lags = 4
seeds = 2
"""
# A dtype of its own makes the run measure the case in another process: it is the same case.
HERE, IN_A_CHILD = CASE, CASE + 'dtype = "float32"\n'
COMMAND = "run tiny.toml --out out --checkpoint-every-s 0 --no-pictures"
# It writes 30 + 60 checkpoints, more than any test waits for.
LONGEST_WAIT_S = 900


def begun(folder, suite, cache):
    """`rnn-bench run` with a checkpoint after every block, and what it compiles kept for the next time."""
    (folder / "tiny.toml").write_text(suite, encoding="utf-8")
    keep = {"JAX_COMPILATION_CACHE_DIR": str(cache), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    # XLA says two lines about each program that it finds; nobody reads the pipe before the run is killed.
    keep["TF_CPP_MIN_LOG_LEVEL"] = "3"
    return subprocess.Popen(
        [sys.executable, "-m", "bench", *COMMAND.split()],
        cwd=folder,
        env=os.environ | keep | {"JAX_PLATFORMS": "cpu", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(run):
    said, _ = run.communicate(timeout=LONGEST_WAIT_S)
    return said


def written(folder):
    """Which checkpoints lie there now."""
    found = set()
    for path in folder.glob("out/shards/*.checkpoints/*.npz"):
        with suppress(FileNotFoundError):  # its case was finished just now
            found.add((path.name, path.stat().st_mtime_ns))
    return found


def kill_after_checkpoints(run, folder, count, seconds):
    """Kills the run so many seconds after it has written so many new checkpoints."""
    before = written(folder)
    until, seen = monotonic() + LONGEST_WAIT_S, set()
    while len(seen) < count and run.poll() is None and monotonic() < until:
        seen |= written(folder) - before
        sleep(0.001)
    sleep(seconds)
    run.kill()
    return finish(run)


def rows_of(folder):
    """Every CSV file of a result folder, row by row, without the columns that are times."""
    files = {}
    for path in (folder / "out").glob("*.csv"):
        times = {column.name for column in RESULT_FILES[path.stem].all_columns if column.is_time}
        with path.open(encoding="utf-8", newline="") as file:
            files[path.stem] = [
                {name: text for name, text in row.items() if name not in times}
                for row in csv.DictReader(file)
            ]
    return files


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, cache):
    """The rows of a run that nobody killed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    run = begun(folder, HERE, cache)
    said = finish(run)
    assert run.returncode == 0, said
    assert "goes on" not in said
    rows = rows_of(folder)
    assert {"task_accuracy", "tuning", "snapshots", "training_curves", "gradient_norms"} <= set(rows)
    return rows


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(
    ("kills", "longest"), [(3, 20), pytest.param(12, 6, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_a_case_killed_at_random_moments_ends_with_the_same_rows(
    kills, longest, undisturbed, tmp_path, cache
):
    seed = random.SystemRandom().randrange(1_000_000)
    told = f"random.Random({seed})"
    chance = random.Random(seed)
    for number in range(kills):
        suite = chance.choice((HERE, IN_A_CHILD))
        run = begun(tmp_path, suite, cache)
        said = kill_after_checkpoints(run, tmp_path, chance.randint(1, longest), chance.uniform(0, 0.05))
        assert run.returncode == -signal.SIGKILL, f"{told}: it was not killed in time: {said}"
        assert ("goes on from step" in said) == (number > 0), f"{told}, kill {number}: {said}"
    run = begun(tmp_path, HERE, cache)
    said = finish(run)
    assert run.returncode == 0, f"{told}: {said}"
    assert "goes on from step" in said, f"{told}: {said}"
    assert rows_of(tmp_path) == undisturbed, told
    left = [path.name for path in (tmp_path / "out" / "shards").iterdir()]
    assert len(left) == 1, f"{told}: {left}"
