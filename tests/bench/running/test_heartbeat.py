"""A run says what it is doing, whoever dies is recognised, and nobody is in anybody's way."""

import json
import os
import subprocess
import sys
from dataclasses import asdict

import pytest

from bench.running.heartbeat import FOLDER, HeartbeatWriter, heartbeats


class Silent:
    """A progress that counts what reaches it."""

    def __init__(self):
        self.told = []

    def __getattr__(self, name):
        return lambda *arguments: self.told.append((name, *arguments))


@pytest.fixture
def made(tmp_path):
    return HeartbeatWriter(tmp_path, "tiny", Silent(), {"exactness lstm": "c1"})


def only(folder):
    ((_, heartbeat),) = heartbeats(folder)
    return heartbeat


def rewritten(folder, **changed):
    ((path, heartbeat),) = heartbeats(folder)
    path.write_text(json.dumps(asdict(heartbeat) | changed), encoding="utf-8")


def test_a_run_leaves_a_sign_while_it_goes_on_and_none_after(made, tmp_path):
    with made as progress:
        progress.start(3, 1)
        assert (only(tmp_path).cases, only(tmp_path).in_hand) == (3, ())
        progress.case(1, "exactness lstm")
        heartbeat = only(tmp_path)
        assert (heartbeat.suite, heartbeat.pid) == ("tiny", os.getpid())
        (case,) = heartbeat.in_hand
        assert (case.label, case.case_id) == ("exactness lstm", "c1")
        assert heartbeat.began <= case.began <= heartbeat.heard
        assert heartbeat.alive() is True
        progress.done(0.5)
        progress.case(2, "another")
        progress.failed("another", "it broke")
        assert (only(tmp_path).done, only(tmp_path).failed, only(tmp_path).in_hand) == (1, 1, ())
    assert not (tmp_path / FOLDER).exists()
    assert [each[0] for each in made._progress.told] == ["start", "case", "done", "case", "failed"]


def test_what_goes_on_within_a_case_is_written_only_now_and_then(made, tmp_path, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("bench.running.heartbeat.time.time", lambda: now[0])
    with made as progress:
        progress.case(1, "exactness lstm")
        progress.within("seed 0", 0.1)
        assert only(tmp_path).in_hand[0].within == ""
        now[0] += 6.0
        progress.within("seed 1", 0.5)
        (case,) = only(tmp_path).in_hand
        assert (case.within, case.fraction, case.began, only(tmp_path).heard) == (
            "seed 1",
            0.5,
            1000.0,
            1006.0,
        )
    assert [each for each in made._progress.told if each[0] == "within"] == [
        ("within", "seed 0", 0.1),
        ("within", "seed 1", 0.5),
    ]


def test_several_cases_in_hand_are_told_apart(made, tmp_path, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("bench.running.heartbeat.time.time", lambda: now[0])
    with made as progress:
        for number, label in enumerate(["one", "two", "three", "one"]):  # the first one is named again
            now[0] += 10.0
            progress.case(number, label)
        first = only(tmp_path).in_hand[0]
        assert (first.label, first.began) == ("one", 1010.0)
        progress.done(30.0)
        assert [(case.label, case.began) for case in only(tmp_path).in_hand] == [
            ("two", 1020.0),
            ("three", 1030.0),
        ]
        progress.failed("three", "it broke")
        assert [case.label for case in only(tmp_path).in_hand] == ["two"]


def test_an_interruption_takes_the_sign_away(made, tmp_path):
    with pytest.raises(KeyboardInterrupt), made:
        raise KeyboardInterrupt
    assert heartbeats(tmp_path) == []


def test_a_killed_run_is_recognised_and_the_next_one_clears_up(made, tmp_path):
    code = (
        "import os, sys; from pathlib import Path; from bench.running.heartbeat import HeartbeatWriter\n"
        "with HeartbeatWriter(Path(sys.argv[1]), 'tiny', None, {}) as s: os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False, timeout=60)
    assert only(tmp_path).alive() is False
    with made:
        assert only(tmp_path).pid == os.getpid(), "the dead one's is gone"


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc")
def test_another_process_of_the_same_number_is_another_process(made, tmp_path):
    with made:
        rewritten(tmp_path, process_began="1")
        assert only(tmp_path).alive() is False


def test_of_a_run_elsewhere_nobody_knows_and_nobody_removes_it(made, tmp_path):
    with made:
        rewritten(tmp_path, place="elsewhere")
        path = heartbeats(tmp_path)[0][0]
        path = path.rename(path.with_name("1-elsewhere.json"))
        assert only(tmp_path).alive() is None
        with HeartbeatWriter(tmp_path, "tiny", Silent(), {}):
            assert len(heartbeats(tmp_path)) == 2
    assert path.is_file()


def test_a_sign_that_cannot_be_written_stops_nothing(tmp_path):
    (tmp_path / "shards").write_text("a file where a folder should be", encoding="utf-8")
    with HeartbeatWriter(tmp_path, "tiny", Silent(), {}) as progress:
        progress.case(1, "exactness lstm")
        progress.done(1.0)
    assert (tmp_path / "shards").is_file()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"pid": 1}',
        "{",
        '{"pid": "x", "process_began": "", "place": "", "suite": "", "began": 0, "told": 0}',
    ],
)
def test_what_is_no_sign_is_passed_over(text, tmp_path):
    (tmp_path / FOLDER).mkdir(parents=True)
    (tmp_path / FOLDER / "7-x.json").write_text(text, encoding="utf-8")
    assert heartbeats(tmp_path) == []
