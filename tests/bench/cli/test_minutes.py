"""`rnn-bench run --minutes --scale`: pieces of a run, and a run that is small."""

import json
import os
import signal
import subprocess
import sys
from time import monotonic, sleep

import pytest

from bench.store import Store

TOML = """
[[exactness]]
cell = ["elman_tanh", "gru"]
hidden_size = 3
sequence_length = 8
dtype = "float64"
seeds = 1
estimate_s = 1

[[exactness]]
cell = "lstm"
hidden_size = 300
sequence_length = 8
dtype = "float32"
seeds = 1
estimate_s = 1000

[scale.tiny]
hidden_size = 2
"""


@pytest.fixture
def here(tmp_path):
    (tmp_path / "own.toml").write_text(TOML, encoding="utf-8")
    return tmp_path


def test_what_does_not_fit_is_left_for_the_next_time(here, typed):
    done = typed("run", "own.toml", "--out", "out", "--minutes", "2", cwd=here)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "cases: 2 measured, 1 left" in done.stdout
    assert "1 cases are left: the same command goes on from there" in done.stdout
    assert set(Store(here / "out").read("exactness")["cell"]) == {"elman_tanh", "gru"}
    again = typed("run", "own.toml", "--out", "out", "--minutes", "2", cwd=here)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "cases: 0 measured, 2 done before, 1 left" in again.stdout
    assert "none was expected to fit into --minutes 2: the shortest takes about 1000 s" in again.stdout
    rest = typed("run", "own.toml", "--out", "out", "--minutes", "30", cwd=here)
    assert rest.returncode == 0, rest.stdout + rest.stderr
    assert "cases: 1 measured, 2 done before" in rest.stdout
    assert "left" not in rest.stdout
    frame = Store(here / "out").read("exactness")
    assert dict(zip(frame["cell"], frame["dtype"], strict=True)) == {
        "elman_tanh": "float64", "gru": "float64", "lstm": "float32",
    }  # fmt: skip


def test_a_scaled_run_says_so(here, typed):
    done = typed("run", "own.toml", "--scale", "tiny", "--out", "out", cwd=here)
    assert done.returncode == 0, done.stdout + done.stderr
    frame = Store(here / "out").read("exactness")
    assert set(frame["suite"]) == {"own-tiny"}
    assert set(frame["hidden_size"]) == {2}
    other = typed("run", "own.toml", "--out", "out", cwd=here)
    assert other.returncode == 2
    assert "holds results of suite 'own-tiny'" in other.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("own.toml", "--minutes", "0"), "--minutes must be a positive number, got 0"),
        (("own.toml", "--minutes", "nan"), "--minutes must be a positive number, got nan"),
        (("own.toml", "--scale", "huge"), "no scale 'huge'; it has 'tiny'"),
        (("quick", "--scale", "tiny"), "no scale 'tiny'; it has none"),
    ],
)
def test_what_cannot_be_is_told(arguments, told, here, typed):
    done = typed("run", *arguments, "--out", "out", cwd=here)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_keeps_what_is_finished_and_leaves_no_process(here):
    with subprocess.Popen(
        [sys.executable, "-m", "bench", "run", "own.toml", "--out", "out"],
        cwd=here, env=os.environ | {"JAX_PLATFORMS": "cpu"}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as run:  # fmt: skip
        until = monotonic() + 120
        while monotonic() < until and not list((here / "out").glob("shards/*.json")):
            sleep(0.1)
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does: the child gets it too
        said, complained = run.communicate(timeout=120)
    assert run.returncode == 130, said + complained
    assert "interrupted; what was finished is in out" in said
    assert len(Store(here / "out").read("exactness")) >= 3
    with pytest.raises(ProcessLookupError):
        os.killpg(run.pid, 0)
    shards = [json.loads(path.read_text()) for path in (here / "out" / "shards").glob("*.json")]
    assert {shard["status"] for shard in shards} == {"done"}
