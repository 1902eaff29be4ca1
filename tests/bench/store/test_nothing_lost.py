"""What goes wrong around a run: a sentence each time, what was finished kept, nothing overwritten."""

import errno
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from threading import Event
from types import SimpleNamespace

import pytest

from bench.cases import KINDS, exactness
from bench.errors import UsageError
from bench.running import runner
from bench.store import Store, files
from bench.store import folder as store_module
from bench.suite import Case, Suite

GAINS = (0.5, 1.0, 1.5)
PLAIN = {each.name: each.default for each in exactness.PARAMETERS} | {
    "cell": "gru",
    "initialization": "orthogonal",
}
SUITE = Suite("tiny", "", None, tuple(Case("exactness", PLAIN | {"gain": gain}, (0, 1)) for gain in GAINS))


class Notes:
    """A progress that keeps the notes alone."""

    def __init__(self):
        self.notes = []

    def note(self, line):
        self.notes.append(line)

    def __getattr__(self, name):
        return lambda *_: None


@pytest.fixture
def measured(monkeypatch, row):
    """The gains that a kind which measures nothing was asked for."""
    asked = []

    def run(case, environment, suite_name, report):
        asked.append(case["gain"])
        told = {"case_id": case.case_id(environment), "suite": suite_name, "gain": case["gain"]}
        return {
            "exactness": [row("exactness", seed=seed, **told) for seed in case.seeds],
            "decay": [row("decay", seed=seed, **told) for seed in case.seeds],
        }

    fake = SimpleNamespace(PARAMETERS=exactness.PARAMETERS, VERSION=1, run=run)
    monkeypatch.setitem(KINDS, "exactness", fake)
    return asked


@pytest.fixture
def go(environment, facts, tmp_path, measured, monkeypatch):
    """`go()` runs the suite into `go.store` as the verb does; gives the outcome and what was noted."""
    monkeypatch.setattr("bench.cases.perf_counter", lambda: 0.0)  # a case takes no time
    store = Store(tmp_path / "results")

    def run(suite=SUITE, also_kept=()):
        told = Notes()
        store.make_folder()
        with store.exclusive():
            store.refuse_other_suites("tiny")
            store.claim(facts)
        return runner.run(suite, environment, store, facts, told, also_kept=also_kept), told.notes

    run.store = store
    run.ids = [case.case_id(environment) for case in SUITE.cases]
    return run


def bytes_of(folder, but=("machine.json",)):
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if name not in but}


# --- a disk that takes no more


@contextmanager
def disk_that_fails(number, code, monkeypatch):
    """From the number-th of these calls on, all fail; gives how many there were."""
    calls = []

    def failing(function):
        def call(*arguments, **options):
            calls.append(function)
            if len(calls) >= number:
                raise OSError(code, os.strerror(code))
            return function(*arguments, **options)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(files.tempfile, "mkstemp", failing(files.tempfile.mkstemp))
        for name in ("fsync", "replace", "chmod"):
            patch.setattr(files.os, name, failing(getattr(os, name)))
        yield calls


def complaint_of(go):
    """What a UsageError says; nothing where there is none."""
    try:
        go()
    except UsageError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS], ids=["full", "read-only"])
def test_a_disk_that_fails_at_any_moment_loses_nothing(code, go, measured, monkeypatch, tmp_path):
    monkeypatch.setattr("bench.plots.draw", lambda store: [])
    with disk_that_fails(10**9, code, monkeypatch) as calls:
        go()
    whole, total = bytes_of(go.store.folder), len(calls)
    assert total > 40
    for number in range(1, total + 1, 8 if code == errno.ENOSPC else 23):
        for path in sorted(go.store.folder.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
        with disk_that_fails(number, code, monkeypatch):
            told = complaint_of(go)  # none where an fsync of a folder fails: what it makes last is there
        assert f": {os.strerror(code)}" in told or (told == "" and number > total - 3), number
        assert "Errno" not in told
        before = bytes_of(go.store.shards) if go.store.shards.is_dir() else {}
        done = sum(map(go.store.is_done, go.ids))
        measured.clear()
        outcome, _ = go()
        assert (outcome.found_done, len(measured)) == (done, len(GAINS) - done)
        assert bytes_of(go.store.folder) == whole, number
        assert before.items() <= bytes_of(go.store.shards).items(), number


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_disk_that_is_full_in_earnest(go, measured, monkeypatch):
    monkeypatch.setattr("bench.plots.draw", lambda store: [])
    go.store.make_folder()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12k", "none", go.store.folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this root may not mount")
    try:
        with pytest.raises(
            UsageError, match="No space left on device; nothing that was there before is lost"
        ):
            go()
        done = sum(map(go.store.is_done, go.ids))
        assert 0 < done < len(GAINS)
        assert not list(go.store.folder.rglob(".*")), "no half a file"
        subprocess.run(["mount", "-o", "remount,size=1m", go.store.folder], check=True)
        measured.clear()
        outcome, _ = go()
        assert (outcome.found_done, len(measured)) == (done, len(GAINS) - done)
        assert len(go.store.read("exactness")) == 2 * len(GAINS)
    finally:
        subprocess.run(["umount", go.store.folder], check=True)


# --- damaged and edited files


def test_a_damaged_shard_is_set_aside_and_its_case_measured_again(go, measured):
    go()
    whole = bytes_of(go.store.folder)
    path = go.store.shards / f"{go.ids[1]}.json"
    path.write_bytes(path.read_bytes()[:100])
    measured.clear()
    outcome, notes = go()
    assert measured == [GAINS[1]]
    assert (outcome.measured, outcome.found_done) == (1, 2)
    (line,) = notes
    assert f"{path} is no whole shard" in line
    assert f"set aside as {go.store.put_aside / path.name}" in line
    now = bytes_of(go.store.folder)
    assert now.pop(f"shards/set-aside/{path.name}") == whole[f"shards/{path.name}"][:100]
    assert now == whole


def test_a_csv_file_edited_by_hand_is_kept_beside_the_one_of_the_shards(go, measured):
    go()
    whole = bytes_of(go.store.folder)
    path = go.store.folder / "decay.csv"
    edited = path.read_bytes().replace(b"0.125", b"0.126", 1)
    path.write_bytes(edited)
    measured.clear()
    _, notes = go()
    assert measured == []
    assert notes == [
        f"{path} had a row that is in no shard, as after an edit by hand or where a shard was set aside: "
        f"kept as {go.store.put_aside / 'decay.csv'}"
    ]
    now = bytes_of(go.store.folder)
    assert now.pop("shards/set-aside/decay.csv") == edited
    assert now == whole
    assert go()[1] == [], "told once"


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda text: text.replace(",0.125", ",fast", 1), r"line 2, column \w+: 'fast' is no number"),
        (lambda text: text.replace("\n1,", "\n2,"), r"row 1 has schema_version 2"),
        (lambda text: text.replace("regime", "rejime", 1), r"'rejime' where 'regime' belongs"),
        (lambda text: text[: len(text) * 2 // 3], r"line \d+ has \d+ values for \d+ columns"),
    ],
    ids=["no number", "another schema", "another column", "cut off"],
)
def test_a_csv_file_that_cannot_be_read_stops_a_run_before_it_begins(edit, told, go, measured):
    go()
    path = go.store.folder / "decay.csv"
    path.write_text(edit(path.read_text(encoding="utf-8")), encoding="utf-8")
    before = bytes_of(go.store.folder, but=())
    measured.clear()
    with pytest.raises(UsageError, match=rf"decay\.csv .*{told}.*restore the file, or move it away"):
        go()
    assert measured == []
    assert bytes_of(go.store.folder, but=()) == before
    path.unlink()
    go()
    assert len(go.store.read("decay")) == 2 * len(GAINS), "moved away, it is made again"


def test_results_of_another_jax_are_refused_and_left(go, facts, measured):
    go()
    before = bytes_of(go.store.folder, but=())
    facts["identity"]["packages"] = {"jax": "0.12.0"}
    with pytest.raises(UsageError, match=r"another machine or installation.*packages: .*0\.10\.1.*0\.12\.0"):
        go()
    assert bytes_of(go.store.folder, but=()) == before


def test_rows_without_shards_that_the_suite_no_longer_has_are_set_aside(go, measured):
    go()
    for path in go.store.shards.glob("*.json"):
        path.unlink()
    measured.clear()
    outcome, notes = go(Suite("tiny", "", None, SUITE.cases[:1]))
    assert outcome.measured == 1
    assert [line.split(" ")[2] for line in notes] == ["4", "4"]
    assert set(go.store.read("decay")["gain"]) == {0.5}
    assert (go.store.put_aside / "decay.csv").is_file()
    assert (go.store.put_aside / "exactness.csv").is_file()


def test_rows_that_a_shard_has_are_no_loss(go):
    go()
    _, notes = go(Suite("tiny", "", None, SUITE.cases[:1]))
    assert [line.split(",")[0] for line in notes] == ["2 cases measured earlier"]
    assert not go.store.put_aside.exists()
    go()
    assert len(set(go.store.read("decay")["gain"])) == 3, "they are there again"


# --- other runs


def test_a_case_that_another_run_has_in_hand_is_left_to_it(go, measured):
    with Store(go.store.folder).reserved(go.ids[1]) as ours:
        assert ours
        outcome, _ = go()
    assert measured == [GAINS[0], GAINS[2]]
    assert outcome == runner.Outcome(measured=2, found_done=0, failed=0, elsewhere=1)
    assert go()[0] == runner.Outcome(measured=1, found_done=2, failed=0)
    assert not [path for path in go.store.shards.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    ("becomes", "outcome"),
    [
        ("killed", runner.Outcome(measured=3, found_done=0, failed=0)),
        ("done", runner.Outcome(measured=2, found_done=1, failed=0)),
        ("failed", runner.Outcome(measured=2, found_done=0, failed=1)),
    ],
)
def test_what_another_run_had_in_hand_and_let_go_is_looked_at_again(go, row, monkeypatch, becomes, outcome):
    first, other = KINDS["exactness"].run, ExitStack()
    assert other.enter_context(Store(go.store.folder).reserved(go.ids[0]))

    def run(case, environment, *rest):
        if case["gain"] == GAINS[2]:
            if becomes == "done":
                go.store.write(go.ids[0], first(SUITE.cases[0], environment, *rest))
            if becomes == "failed":
                go.store.write(go.ids[0], {"failures": [row("failures", case_id=go.ids[0])]}, status="failed")
            other.close()
        return first(case, environment, *rest)

    monkeypatch.setattr(KINDS["exactness"], "run", run)
    assert go()[0] == outcome


def test_what_another_run_finished_since_is_not_measured_again(go, measured, row, monkeypatch):
    first = KINDS["exactness"].run

    def run(case, environment, *rest):
        if case["gain"] == GAINS[0]:
            go.store.write(go.ids[1], first(SUITE.cases[1], environment, *rest))
            go.store.write(go.ids[2], {"failures": [row("failures", case_id=go.ids[2])]}, status="failed")
            measured.clear()
        return first(case, environment, *rest)

    monkeypatch.setattr(KINDS["exactness"], "run", run)
    outcome, _ = go()
    assert measured == [GAINS[0]]
    assert outcome == runner.Outcome(measured=1, found_done=1, failed=1)


def test_what_two_runs_write_at_the_end_holds_what_both_measured(go, monkeypatch):
    """The first has read all shards there are and is about to write the CSV files when the second comes to its end."""
    monkeypatch.setattr("bench.plots.draw", lambda store: [])
    second_ended, write = Event(), store_module.write_collected

    def first_writes(*arguments):
        monkeypatch.setattr(store_module, "write_collected", write)
        second = pool.submit(go, Suite("tiny", "", None, SUITE.cases[1:]), go.ids)
        second.add_done_callback(lambda _: second_ended.set())
        second_ended.wait(1.0)  # it does not, for it is not its turn
        return write(*arguments)

    with ThreadPoolExecutor(1) as pool:
        monkeypatch.setattr(store_module, "write_collected", first_writes)
        # It holds the files of all cases, as a run of a part of a suite does.
        go(Suite("tiny", "", None, SUITE.cases[:1]), also_kept=go.ids)
    assert len(go.store.read("decay")) == 2 * len(GAINS)
    assert set(go.store.read("exactness")["gain"]) == set(GAINS)


def test_a_case_that_is_done_stays_so(go, row):
    go()
    go.store.write(go.ids[0], {"failures": [row("failures")]}, status="failed")
    assert go.store.is_done(go.ids[0])


def test_what_killed_runs_left_goes(go):
    go.store.shards.mkdir(parents=True)
    left = [go.store.folder / ".decay.csv.x.tmp", go.store.shards / f".{go.ids[0]}.json.y.tmp"]
    left += [go.store.shards / f".{go.ids[1]}.tmp", go.store.checkpoints(go.ids[2]) / ".tuning.npz.z"]
    go.store.checkpoints(go.ids[2]).mkdir()
    for path in left:
        path.touch()
    go()
    assert not [path for path in left if path.exists()]
    go.store.checkpoints(go.ids[0]).mkdir()  # killed between its shard and this
    go()
    assert not go.store.checkpoints(go.ids[0]).exists()
