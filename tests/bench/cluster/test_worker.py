"""What a worker says of its case, and to which cores it is held. Its process is a stub that says what a test wants."""

import json
import os
import threading
from time import monotonic

import pytest

from bench.cluster.worker import Worker
from bench.running import children

STUB = """
import json, os, sys, time
from pathlib import Path
for line in sys.stdin:
    task = json.loads(line)
    answer = {"status": "done"}
    if "folder" in task:
        shards = Path(task["folder"]) / "shards"
        kept = shards / "c0.checkpoints"
        kept.mkdir(parents=True, exist_ok=True)
        shard = shards / "c0.json"
    say = lambda **message: print(json.dumps(message), flush=True)
    ACTION
    print(json.dumps(answer), flush=True)
"""
ENVIRONMENT = {"backend": "cpu", "dtype": "float32"}
SHARD = json.dumps({"tables": {"exactness": [{"relative_error": 0.1}, {"relative_error": float("nan")}]}})
ALL = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


@pytest.fixture
def worker_of(tmp_path, monkeypatch):
    """`worker_of(action)`: a worker whose process does this with each task."""
    workers = []

    def make(action, slot=0, cpus=ALL):
        (tmp_path / "stub.py").write_text(STUB.replace("ACTION", action), encoding="utf-8")
        monkeypatch.setattr(children, "COMMAND", (str(tmp_path / "stub.py"),))
        workers.append(Worker("tiny", slot, cpus, 60.0, False))
        return workers[-1]

    yield make
    for worker in workers:
        worker.close()


def said(worker, kept=None, limit_s=None):
    """All that it says until the case has ended."""
    told = worker.begin("c0", {"process": "shared"}, ENVIRONMENT, kept or {}, limit_s)
    until = monotonic() + 60
    while not any({"tables", "failed", "lost"} & set(message) for message in told):
        assert monotonic() < until, told
        told += worker.more(0.05)
    return told


def test_the_rows_of_a_case_are_its_last_word(worker_of):
    worker = worker_of(f"say(within=['seed 0', 0.5]); say(note='slow'); shard.write_text({SHARD!r})")
    for _ in range(2):
        within, note, last = said(worker)
        assert (within, note) == ({"within": ["seed 0", 0.5]}, {"note": "slow"})
        assert json.dumps(last) == SHARD, "NaN included"
        assert worker.more(0.0) == []


def test_checkpoints_come_and_go_with_the_case(worker_of):
    worker = worker_of(
        "assert (kept / 'old.npz').read_bytes() == b'first'; (kept / 'new.npz').write_bytes(b'second'); "
        "say(note='written'); time.sleep(0.5); "
        f"shard.write_text({SHARD!r})"
    )
    told = said(worker, {"old.npz": b"first"})
    assert [message for message in told if "checkpoint" in message] == [
        {"checkpoint": ["new.npz", b"second"]}
    ]


@pytest.mark.parametrize(
    ("action", "limit_s", "last"),
    [
        ("answer = {'status': 'out_of_memory', 'error': 'no room'}", None, {"failed": ["out_of_memory", "no room"]}),
        ("sys.exit(3)", None, {"failed": ["failed", "its process ended with code 3: it said nothing"]}),
        ("time.sleep(100)", 0.1, {"failed": ["timeout", "given up after 0 s: the time was over"]}),
        ("answer = {'status': 'unwritable', 'error': 'No space left'}", None, {"lost": "No space left"}),
    ],
    ids=["told", "died", "time", "disk"],
)  # fmt: skip
def test_what_becomes_of_a_case_that_is_not_done(action, limit_s, last, worker_of):
    assert said(worker_of(action), limit_s=limit_s)[-1] == last


def test_a_case_without_a_shard_is_not_waited_for_forever(worker_of):
    assert "lost" in said(worker_of("pass"))[-1]


def test_a_process_that_cannot_start_is_told(worker_of):
    told = worker_of("print('no such device', file=sys.stderr); sys.exit(1)").described("gpu", "float32", [])
    assert told == {"error": "its process ended with code 1: no such device"}


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no process can be held to cores here")
def test_each_worker_has_cores_of_its_own(worker_of):
    held = {}

    def look(slot):  # a thread, as that is what is held, and what it starts
        held[slot] = worker_of("answer = sorted(os.sched_getaffinity(0))", slot, 1).described(
            "cpu", "float32", []
        )

    for slot in (0, ALL - 1, ALL):
        thread = threading.Thread(target=look, args=(slot,))
        thread.start()
        thread.join()
    cores = sorted(os.sched_getaffinity(0))
    assert (held[0], held[ALL - 1]) == ([cores[0]], [cores[-1]])
    assert held[ALL] == {
        "error": f"Ray counts more CPUs there than the {ALL} cores that processes may use; "
        f"start it with --num-cpus={ALL}"
    }


def test_what_ray_sets_is_no_setting_of_the_machine(worker_of, monkeypatch):
    says = (
        "say(note=str(os.environ.get('OMP_NUM_THREADS')) + ' ' + os.environ['ELSE']); shard.write_text(SHARD)"
    )
    monkeypatch.setenv("ELSE", str(ALL))
    for threads, told in ((ALL, "None"), (ALL + 1, str(ALL + 1))):  # of Ray, of whoever started the node
        monkeypatch.setenv("OMP_NUM_THREADS", str(threads))
        worker = worker_of(says.replace("SHARD", repr(SHARD)))
        assert {"note": f"{told} {ALL}"} in said(worker)
