"""What a living process holds stays; what a killed one left goes."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from bench.store import files, locks

pytestmark = pytest.mark.skipif(locks.fcntl is None, reason="the system knows no holds")
# Holds a file or folder and says so, until it is killed.
HOLDER = "import os, sys; from bench.store import locks; d = os.open(sys.argv[1], int(sys.argv[2])); " \
    "print(locks.lock(d), flush=True); sys.stdin.read()"  # fmt: skip


@pytest.fixture
def holder(tmp_path):
    """`holder(path)`: a process that holds a path; `kill()` it."""
    started = []

    def start(path):
        flags = os.O_RDONLY if path.is_dir() else os.O_CREAT | os.O_RDWR
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(path), str(flags)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_killed_process_holds_nothing(holder, tmp_path):
    temporary, other = tmp_path / ".c0.json.x.tmp", tmp_path / ".c0.json"
    other.touch()
    process = holder(temporary)
    locks.delete_leftovers(tmp_path)
    assert temporary.exists(), "it is being written"
    with locks.reserved(temporary) as ours:
        assert ours is False
    process.send_signal(signal.SIGKILL)
    process.wait()
    locks.delete_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".c0.json"]
    with locks.reserved(temporary) as ours:
        assert ours is True
        with locks.reserved(temporary) as again:
            assert again is False
        assert temporary.exists(), "who does not have it does not delete it"
    assert not temporary.exists()


def test_turns_are_taken(holder, tmp_path):
    process = holder(tmp_path)
    told = []

    def waits():
        told.append("waits")
        process.kill()

    with locks.exclusive(tmp_path, waits):
        told.append("ours")
    assert told == ["waits", "ours"]
    with locks.exclusive(tmp_path, waits), locks.exclusive(tmp_path / "absent", waits):
        pass
    assert told == ["waits", "ours"], "nobody was there to wait for"


def test_a_file_that_is_swept_away_before_it_is_held_is_written_again(tmp_path, monkeypatch):
    swept = []

    def late(descriptor, *, wait=False):
        if len(swept) < 2:
            swept.extend(path.name for path in tmp_path.glob(".*.tmp"))
            locks.delete_leftovers(tmp_path)
        return locks.lock(descriptor, wait=wait)

    monkeypatch.setattr(files, "lock", late)
    files.write_text(tmp_path / "c0.json", "whole")
    assert len(swept) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["c0.json"]
    assert (tmp_path / "c0.json").read_text(encoding="utf-8") == "whole"


def test_where_the_system_knows_no_holds_only_old_files_go(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "fcntl", None)
    old, new = tmp_path / ".old.tmp", tmp_path / ".new.tmp"
    for path in (old, new):
        path.touch()
    os.utime(old, (0, 0))
    locks.delete_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".new.tmp"]
    with locks.reserved(tmp_path / ".c0.tmp") as ours, locks.exclusive(tmp_path):
        assert ours is None, "then every run measures what it does not find"
    files.write_text(tmp_path / "c0.json", "whole")
    assert (tmp_path / "c0.json").read_text(encoding="utf-8") == "whole"


def test_turns_lose_no_count(tmp_path):
    path = tmp_path / "counter"
    path.write_text("0", encoding="utf-8")

    def count(times):
        for _ in range(times):
            with locks.exclusive(tmp_path):  # each opens the folder anew, as other processes do
                path.write_text(str(int(path.read_text(encoding="utf-8")) + 1), encoding="utf-8")

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(count, [100] * 3))
    assert path.read_text(encoding="utf-8") == "300"


def test_half_a_surrogate_pair_is_written_out(tmp_path):
    files.write_text(tmp_path / "x.csv", "caf\udce9\n")
    assert (tmp_path / "x.csv").read_bytes() == b"caf\\udce9\n"
