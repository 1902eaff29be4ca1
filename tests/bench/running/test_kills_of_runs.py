"""Runs of many cases, killed at random moments and begun again, or four at once: nothing lost, nothing doubled."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from bench.schema import RESULT_FILES

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
CASES = 24  # of the stub's suite; one fails
PHASES = ("shard", "machine.json", "collate", "derive")
REAL = """
[[exactness]]
cell = "elman_tanh"
gain = [0.5, 1.0, 1.5, 2.0]
hidden_size = 2
sequence_length = 6
seeds = 2
"""
RUN = ["run", "tiny.toml", "--out", "out", "--backend", "cpu"]


class Server:
    """The process that forks the runs."""

    def __init__(self, folder):
        self.measured, self.said = folder / "measured", folder / "said"
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("forked_runs.py"))],
            env=os.environ
            | {"PYTHONPATH": str(Path(__file__).parents[3]), "MEASURED": str(self.measured)}
            | {"JAX_COMPILATION_CACHE_DIR": str(folder / "compiled"), "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
            | {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0", "OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        assert json.loads(self.process.stdout.readline()) == "ready"

    def run(self, folder, **order):
        """The codes and phases with which one run, or `runs` at once, ended."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        for path in (self.measured, self.said):
            path.write_text("", encoding="utf-8")
        order |= {"folder": str(folder), "said": str(self.said)}
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def words(self):
        return self.said.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    started = Server(tmp_path_factory.mktemp("server"))
    yield started
    started.process.kill()
    started.process.communicate()


def content(folder):
    """All that a result folder holds, row by row, without times."""
    files = {}
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        name = path.relative_to(folder).as_posix()
        if path.suffix == ".csv" and path.stem in RESULT_FILES:
            times = {column.name for column in RESULT_FILES[path.stem].all_columns if column.is_time}
            with path.open(encoding="utf-8", newline="") as file:
                files[name] = [[row[key] for key in row if key not in times] for row in csv.DictReader(file)]
        elif path.name == "machine.json":
            facts = json.loads(path.read_text(encoding="utf-8"))
            assert facts["volatile"].pop("finished_utc")
            files[name] = facts
        elif path.parent.name == "shards":
            files[name] = json.loads(path.read_text(encoding="utf-8"))["status"]
        else:
            files[name] = path.read_bytes()
    return files


def finished(folder):
    """The shards of finished cases, byte for byte."""
    found = {path.name: path.read_bytes() for path in (folder / "shards").glob("*.json")}
    return {name: told for name, told in found.items() if b'"status": "done"' in told}


@pytest.fixture(scope="module")
def undisturbed(server, tmp_path_factory):
    """The content of a run that nobody killed, and how often it asked the file system for something, by phase."""
    folder = tmp_path_factory.mktemp("undisturbed") / "out"
    ended = server.run(folder)
    assert ended["codes"] == [0], server.words()
    found = content(folder)
    assert len(found["exactness.csv"]) == (CASES - 1) * 12 * 2
    assert len(found["failures.csv"]) == 1
    assert {"decay.csv", "machine.json", "tables/decay_summary.csv", "tables/exactness_summary.md"} <= set(
        found
    )
    assert Counter(name.split("/")[0] for name in found)["shards"] == CASES
    return found, ended["events"]


@pytest.mark.parametrize("kills", [10, pytest.param(50, marks=pytest.mark.slow)])
def test_a_run_killed_at_random_moments_ends_as_if_it_had_not(kills, server, undisturbed, tmp_path):
    wanted, events = undisturbed
    seed = random.SystemRandom().randrange(1_000_000)
    chance, told = random.Random(seed), f"random.Random({seed})"
    folder, met, before, whole_s = tmp_path / "out", Counter(), {}, 0.3
    for number in range(kills):
        order = {"most": chance.randint(1, max(2, 3 * CASES // kills))}
        if number % 5 < len(
            PHASES
        ):  # each phase in turn, at one of the first things that it asks of the file system
            phase = PHASES[number % 5]
            most = 9 if phase == "shard" else min(events[phase], 20)
            order["at"] = [phase, chance.randint(1, most)]
        else:  # at any time
            order["after_s"] = chance.uniform(0, whole_s)
        ended = server.run(folder, **order)
        if ended["codes"] == [-signal.SIGKILL]:
            met[ended["phases"][0]] += 1
        else:
            assert ended["codes"][0] in (0, 5), f"{told}, kill {number}: {server.words()}"
            whole_s = ended["took_s"]
        now = finished(folder)
        assert before.items() <= now.items(), f"{told}, kill {number}: a finished case was lost or changed"
        before = now
    ended = server.run(folder)
    assert ended["codes"] == [0], f"{told}: {server.words()}"
    measured = server.measured.read_text(encoding="utf-8").split()
    assert len(measured) == CASES - len(before), (
        f"{told}: what was finished was measured again, or not all the rest"
    )
    assert before.items() <= finished(folder).items(), told
    assert content(folder) == wanted, told
    assert set(PHASES) <= set(met), f"{told}: kills met {dict(met)}"
    assert sum(met.values()) >= 0.7 * kills, f"{told}: kills met {dict(met)}"


@pytest.mark.parametrize("rounds", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_four_runs_at_once_into_one_folder_share_the_work(rounds, server, undisturbed, tmp_path):
    wanted, _ = undisturbed
    for number in range(rounds):
        folder = tmp_path / f"out{number}"
        ended = server.run(folder, runs=4)
        # A run that was left no case that fails had nothing failed.
        assert set(ended["codes"]) <= {0, 5}, server.words()
        assert server.words() == "", "no exception"
        measured = Counter(server.measured.read_text(encoding="utf-8").split())
        # A run that begins after another one has seen a case fail tries it again.
        assert 1 <= measured.pop("7.0") <= 4
        assert list(measured.values()) == [1] * (CASES - 1), "each case by one of the four"
        assert content(folder) == wanted


@pytest.mark.parametrize("rounds", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_four_runs_at_once_that_are_all_killed(rounds, server, undisturbed, tmp_path):
    wanted, _ = undisturbed
    seed = random.SystemRandom().randrange(1_000_000)
    chance, told = random.Random(seed), f"random.Random({seed})"
    for number in range(rounds):
        folder, before = tmp_path / f"out{number}", {}
        for _ in range(2):
            server.run(folder, runs=4, after_s=chance.uniform(0.02, 0.4))
            now = finished(folder)
            assert before.items() <= now.items(), f"{told}: a finished case was lost or changed"
            before = now
        ended = server.run(folder, runs=2)
        assert set(ended["codes"]) <= {0, 5}, f"{told}: {server.words()}"
        assert content(folder) == wanted, told


@pytest.mark.parametrize("kills", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_the_program_itself_killed_at_random_moments(kills, server, tmp_path):
    seed = random.SystemRandom().randrange(1_000_000)
    chance, told = random.Random(seed), f"random.Random({seed})"
    for name in ("undisturbed", "killed"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tiny.toml").write_text(REAL, encoding="utf-8")
    whole = server.run(tmp_path / "undisturbed", arguments=RUN)
    assert whole["codes"] == [0], server.words()
    folder, before, died = tmp_path / "killed", {}, 0
    for number in range(kills):
        only = ["--only", f"gain<={chance.choice([0.5, 1, 1.5])}"]
        at = {"after_s": chance.uniform(0.2, 1.0) * whole["took_s"]}
        if number % 2 == 0:
            at = {"at": [chance.choice(PHASES[:3]), chance.randint(1, 6)]}
        ended = server.run(folder, arguments=[*RUN, *only] if number % 3 == 2 else RUN, **at)
        assert ended["codes"][0] in (0, -signal.SIGKILL), f"{told}: {server.words()}"
        died += ended["codes"] == [-signal.SIGKILL]
        now = finished(folder / "out")
        assert before.items() <= now.items(), f"{told}: a finished case was lost or changed"
        before = now
    ended = server.run(folder, arguments=RUN)
    assert ended["codes"] == [0], f"{told}: {server.words()}"
    assert died, told
    assert f"{len(before)} done before" in server.words() or not before, f"{told}: {server.words()}"
    assert content(folder / "out") == content(tmp_path / "undisturbed" / "out"), told
