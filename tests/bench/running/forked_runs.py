"""A program for tests: forks runs of the harness and kills them, so that only one process imports JAX.

It reads orders from its input, one a line of JSON, and answers each with a line. A run is either of a stub kind, which
measures nothing and so spends its time writing, or the program `rnn-bench` itself. Which phase a run is in stands in
memory that it shares with this process; there a kill finds out what it met.
"""

import gc
import hashlib
import json
import mmap
import os
import random
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import bench.cli.main
import bench.plots
from bench.cases import KINDS, exactness
from bench.cases.cell import setting_columns
from bench.deriving import derived
from bench.machine import Environment
from bench.running import runner
from bench.running.budget import Budget
from bench.store import Store
from bench.suite import Case, Suite

PHASES = ("between", "shard", "machine.json", "collate", "derive")
EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.chmod", "fcntl.flock", "shutil.rmtree"}
HERE = Environment("slow-chip-2-cores", "cpu", "Slow Chip", "0.10.1", "float32")
FACTS = {"identity": {"machine": "slow-chip-2-cores", "dtype": "float32"}, "volatile": {"command": "stub"}}
CASES = 24
FAILS = 7.0
SEEDS = 12


class Silent:
    """A progress that says nothing."""

    def __getattr__(self, name):
        return lambda *_: None


class Some(Budget):
    """Time for so many cases, and no more."""

    def __init__(self, count):
        super().__init__(None)
        self.count = count

    def fits(self, case):
        self.count -= 1
        return self.count >= 0


def rows_of_nothing(case, environment, suite, report):
    """Numbers that follow from the case alone."""
    with open(os.environ["MEASURED"], "a", encoding="utf-8") as log:
        log.write(f"{case['gain']}\n")
    time.sleep(float(os.environ.get("TAKES_S", "0")))
    if case["gain"] == FAILS:
        raise ValueError("a case that fails")
    chance = random.Random(hashlib.sha256(str(case["gain"]).encode()).hexdigest())
    common = setting_columns(case, environment, suite) | {"input_kind": "white_noise", "state_size": 4}
    decay = {"weights": "initial", "regime": "stable", "reach_censored": False, "sequence_count": 3}
    return {
        "exactness": [
            common | {"seed": seed, "lag": lag, "relative_error": chance.random()}
            for seed in case.seeds
            for lag in (1, 2)
        ],
        "decay": [
            common | decay | {"seed": seed, "rate_nats_per_step": chance.gauss(0, 1)} for seed in case.seeds
        ],
    }


def stub_run(folder, most):
    """As `rnn-bench run`, but for the command line."""
    KINDS["exactness"] = SimpleNamespace(PARAMETERS=exactness.PARAMETERS, VERSION=1, run=rows_of_nothing)
    plain = {each.name: each.default for each in exactness.PARAMETERS}
    cases = (
        plain | {"cell": "elman_tanh", "initialization": "gaussian", "gain": float(n)} for n in range(CASES)
    )
    suite = Suite("stub", "", None, tuple(Case("exactness", each, tuple(range(SEEDS))) for each in cases))
    store = Store(Path(folder))
    store.make_folder()
    with store.exclusive():
        store.refuse_other_suites("stub")
        store.claim(FACTS)
    budget = None if most is None else Some(most)
    outcome = runner.run(suite, HERE, store, FACTS, Silent(), budget=budget)
    return 0 if outcome.failed == 1 else 5


def watched(memory):
    """Has the run say in shared memory which phase it is in, and count what it asks of the file system there."""

    def during(phase, function):
        def call(*arguments, **options):
            before, memory[0] = memory[0], PHASES.index(phase)
            try:
                return function(*arguments, **options)
            finally:
                memory[0] = before

        return call

    Store.write = during("shard", Store.write)
    Store.write_machine = during("machine.json", Store.write_machine)
    Store.collate = during("collate", Store.collate)
    derived.derive = during("derive", derived.derive)


def torn(fdopen, event):
    """Writes each file in two halves, with a moment between them."""

    def opened(*arguments, **options):
        file = fdopen(*arguments, **options)
        if "b" not in file.mode or "w" not in file.mode:
            return file
        write = file.write

        def halves(content):
            half = len(content) // 2
            write(content[:half])
            file.flush()
            event()
            return half + write(content[half:])

        file.write = halves
        return file

    return opened


def child(order, memory):
    """Never returns: what the run would exit with is this process's exit code."""
    code = 70
    try:
        watched(memory)
        counts = [0] * len(PHASES)
        phase, event = order.get("at") or (None, 0)

        def count(name, _):
            if name in EVENTS:
                counts[memory[0]] += 1
                memory[1 + memory[0]] = min(255, counts[memory[0]])
                if phase is not None and memory[0] == PHASES.index(phase) and counts[memory[0]] == event:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        os.fdopen = torn(os.fdopen, lambda: count("open", ()))
        if "arguments" in order:
            os.chdir(order["folder"])
            sys.argv = ["rnn-bench", *order["arguments"]]
            bench.cli.main.main()
        else:
            code = stub_run(order["folder"], order.get("most"))
    except SystemExit as end:
        code = end.code or 0
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        sys.stdout.flush()
        os._exit(code)


def begun(order):
    """A run in a process of its own, and the memory that it shares."""
    memory = mmap.mmap(-1, 1 + len(PHASES))
    pid = os.fork()
    if pid == 0:
        said = os.open(order["said"], os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644)
        os.dup2(said, 1)
        os.dup2(said, 2)
        child(order, memory)
    return pid, memory


def main():
    os.environ.pop("PYTHONWARNINGS", None)
    bench.plots.draw(Store(Path("nowhere")))  # what every run imports is imported here once
    gc.collect()
    gc.freeze()
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        started = time.monotonic()
        runs = [begun(order) for _ in range(order.get("runs", 1))]
        if "after_s" in order:
            time.sleep(order["after_s"])
            for pid, _ in runs:
                os.kill(pid, signal.SIGKILL)
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid, _ in runs]
        answer = {
            "codes": codes,
            "phases": [PHASES[memory[0]] for _, memory in runs],
            "events": dict(zip(PHASES, list(runs[0][1][1:]), strict=True)),
            "took_s": time.monotonic() - started,
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
