"""Cases in processes of their own: what they measure is stored, and what kills one of them is told."""

import json
import subprocess
import sys
from time import perf_counter

import pytest

from bench import suite
from bench.errors import CaseError, UsageError
from bench.machine import Environment
from bench.running import children
from bench.running.children import Children
from bench.store import Store
from bench.suite.case import Case

SINGLE = Environment("slow-chip-2-cores", "cpu", "Slow Chip", "0.10.1", "float32")
TOML = """
[[exactness]]
cell = "elman_tanh"
hidden_size = 24
sequence_length = 40
dtype = ["float32", "float64"]
process = ["shared", "fresh"]
seeds = 1
"""
STUB = """
import os, signal, sys, time, json
{words}
for line in sys.stdin:
    {action}
"""


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results")


@pytest.fixture
def stub(tmp_path, monkeypatch):
    """`stub(words, action)`: children run a program of these lines instead of ours."""

    def replace(words, action):
        (tmp_path / "stub.py").write_text(STUB.format(words=words, action=action), encoding="utf-8")
        monkeypatch.setattr(children, "COMMAND", (str(tmp_path / "stub.py"),))

    return replace


def quiet(what, fraction):
    assert 0 <= fraction <= 1


def measure(store, case, limit_s=None, **options):
    with Children(store, "tiny", **options) as own:
        own.measure(case, case.own(SINGLE), quiet, limit_s)


def test_each_dtype_and_process_gives_its_shard(store, tmp_path):
    (tmp_path / "own.toml").write_text(TOML, encoding="utf-8")
    cases = suite.load(str(tmp_path / "own.toml")).cases
    assert len(cases) == 4
    told = []
    with Children(store, "tiny") as own:
        for case in cases:
            own.measure(case, case.own(SINGLE), lambda what, fraction: told.append(what))
    assert all(store.is_done(case.case_id(SINGLE)) for case in cases)
    assert told == ["seed 0"] * 4
    store.collate()
    frame = store.read("exactness")
    worst = frame.groupby("dtype")["relative_error"].max()
    assert 0 < worst["float64"] < 1e-13, "the process had float64"
    assert 1e-9 < worst["float32"] < 1e-5
    assert set(frame["suite"]) == {"tiny"}


def test_an_error_of_a_case_is_told_in_one_line(store):
    wrong = Case("precision", {"cell": "elman_tanh"}, (0,))
    with pytest.raises(CaseError, match="ValueError: the reference needs float64") as caught:
        measure(store, wrong)
    assert caught.value.status == "failed"


def test_debug_shows_the_traceback(store, capsys):
    with pytest.raises(CaseError):
        measure(store, Case("precision", {"cell": "elman_tanh"}, (0,)), debug=True)
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "action", "status", "told"),
    [
        ("", "os.kill(os.getpid(), signal.SIGKILL)", "failed", "was killed by SIGKILL: it said nothing"),
        (
            "",
            "os.kill(os.getpid(), signal.SIGRTMIN + 1)",
            "failed",
            "was killed by signal 35: it said nothing",
        ),
        ("print('last words', file=sys.stderr)", "sys.exit(3)", "failed", "ended with code 3: last words"),
        (
            "print('RESOURCE_EXHAUSTED: Out of memory', file=sys.stderr); print('bye', file=sys.stderr)",
            "os.abort()",
            "out_of_memory",
            "was killed by SIGABRT: bye",
        ),
        ("", "time.sleep(100)", "timeout", "given up after 1 s"),
        (
            "",
            "[print(json.dumps({'within': ['step', 0.5]}), flush=True) for _ in iter(lambda: time.sleep(0.1), 1)]",
            "timeout",
            "given up after 1 s",
        ),
        (
            "",
            "print(json.dumps({{'status': 'out_of_memory', 'error': 'no room'}}), flush=True)".replace(
                "{{", "{"
            ).replace("}}", "}"),
            "out_of_memory",
            "no room",
        ),
    ],
    ids=["killed", "real time", "exit", "memory", "time", "time though it tells", "told"],
)
def test_a_process_that_dies_loses_its_case_only(words, action, status, told, store, stub):
    stub(words, action)
    with Children(store, "tiny") as own:
        for _ in range(2):  # the second meets a new process
            with pytest.raises(CaseError, match=told) as caught:
                own.measure(Case("exactness", {}, (0,)), SINGLE, quiet, 1.0 if status == "timeout" else None)
            assert caught.value.status == status


def test_a_disk_that_is_full_is_not_the_cases_failure(store, stub):
    stub("", "print(json.dumps(dict(status='unwritable', error='No space left')), flush=True)")
    with pytest.raises(UsageError, match="No space left"):
        measure(store, Case("exactness", {}, (0,)))


def test_a_process_is_kept_for_the_next_case_unless_it_is_to_be_fresh(store, stub):
    stub(
        "number = str(os.getpid())",
        "print(json.dumps({'within': [number, 0.5]})); print(json.dumps({'status': 'done'}), flush=True)",
    )
    told = []
    with Children(store, "tiny") as own:
        for process in ("shared", "shared", "fresh", "fresh", "shared"):
            case = Case("exactness", {}, (0,), process=process)
            own.measure(case, SINGLE, lambda what, _: told.append(what))
    first, second, third, fourth, fifth = told
    assert first == second
    assert len({first, third, fourth, fifth}) == 4


def test_what_a_case_notes_is_told_once_and_is_no_answer(store, stub):
    note, answer = {"note": "training goes on from step 40"}, {"status": "done"}
    stub("", f"print(json.dumps({note})); print(json.dumps({answer}), flush=True)")
    notes = []
    with Children(store, "tiny", note=notes.append) as own:
        own.measure(Case("exactness", {}, (0,)), SINGLE, quiet)
    assert notes == ["training goes on from step 40"]


def test_no_process_outlives_its_parent():
    with subprocess.Popen(
        [sys.executable, "-m", "bench.running.child", "cpu", "float32"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as child:  # fmt: skip
        assert child.stdin is not None
        assert child.stdout is not None
        slow = {"cell": "elman_tanh", "initialization": "gaussian", "gain": 1.0}
        slow |= {"forget_bias": None, "dt": None, "hidden_size": 64}
        slow |= {"input_size": 1, "input_scale": 1.0, "sequence_length": 20_000, "sequences": 500, "lags": 40}
        task = {"case": {"kind": "gradient_norms", "parameters": slow, "seeds": [0]}, "suite": "tiny"}
        task |= {"environment": vars(SINGLE), "folder": "nowhere", "checkpoint_every_s": 60.0}
        child.stdin.write(json.dumps(task) + "\n")
        child.stdin.flush()
        assert "within" in child.stdout.readline(), "it is at work"
        started = perf_counter()
        child.stdin.close()
        child.wait(timeout=60)
        assert perf_counter() - started < 60
