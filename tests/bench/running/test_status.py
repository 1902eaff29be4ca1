"""What a folder holds of its suite, and what is being done there, while others write into it."""

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench import suite
from bench.errors import UsageError
from bench.machine import Environment
from bench.running import plan
from bench.running.heartbeat import HeartbeatWriter
from bench.running.status import folders_of, plan_to_keep, status_of
from bench.store import Store


class Silent:
    def __getattr__(self, name):
        return lambda *_: None


def test_what_is_done_failed_and_left(tiny_folder):
    found = status_of(tiny_folder)
    assert (found.suite, found.cases, found.done, found.failed, found.left) == ("tiny", 4, 2, 1, 1)
    assert found.left_s == 100.0, "the suite says so of this case; what failed is not left"
    assert found.sources == ["suite"]
    ((label, failure),) = found.last_failures
    assert (label, failure.status) == ("exactness cell_2", "timeout")
    assert found.runs == []


def test_a_folder_without_shards_holds_the_same(tiny_folder):
    before = status_of(tiny_folder)
    shutil.rmtree(tiny_folder / "shards")
    after = status_of(tiny_folder)
    assert (after.done, after.failed, after.left, after.left_s) == (
        before.done,
        before.failed,
        before.left,
        before.left_s,
    )


def test_a_file_that_no_other_verb_would_read_is_told(tiny_folder, verb):
    """A row with a value less, a column that is gone, one too many, and a row of another version of the schema."""
    path = min(tiny_folder.glob("*.csv"))
    whole = path.read_text()
    assert status_of(tiny_folder).damaged == []
    header, first, *rest = whole.splitlines()
    damages = (
        [header, first.rsplit(",", 1)[0], *rest],
        [header.replace(",dtype,", ",d,"), first, *rest],
        [f"{line},{more}" for line, more in zip(whole.splitlines(), ["mine", *"123456789"], strict=False)],
        [header, "2" + first.removeprefix("1"), *rest],
    )
    for lines in damages:
        path.write_text("\n".join([*lines, ""]))
        assert status_of(tiny_folder).damaged == [path.name]
        assert f"{path.name} cannot be read; rnn-bench check {tiny_folder.as_posix()}" in " ".join(
            verb("status", tiny_folder.as_posix()).stdout.split()
        )


def test_a_case_in_hand_has_had_part_of_its_time(tiny_folder, monkeypatch):
    now = [5000.0]
    monkeypatch.setattr("bench.running.heartbeat.time.time", lambda: now[0])
    with HeartbeatWriter(tiny_folder, "tiny", Silent(), {"some label": "c3"}) as first:
        first.case(1, "some label")
        found = status_of(tiny_folder, now=5030.0)
        assert [case.case_id for heartbeat in found.runs for case in heartbeat.in_hand] == ["c3"]
        assert found.left_s == 70.0
        assert status_of(tiny_folder, now=5500.0).left_s == 0.0
        monkeypatch.setattr("bench.running.heartbeat.os.getpid", os.getppid)
        with HeartbeatWriter(tiny_folder, "tiny", Silent(), {}):
            assert status_of(tiny_folder, now=5030.0).left_s == 35.0, "two share what is left"


@pytest.mark.parametrize("cut", ["gone", "header"])
def test_a_case_that_lost_its_rows_in_a_file_is_left(cut, tiny_folder):
    lost, content = tiny_folder / "exactness.csv", (tiny_folder / "exactness.csv").read_text()
    lost.write_text(content.splitlines(keepends=True)[0])
    if cut == "gone":
        lost.unlink()
    assert status_of(tiny_folder).done == 2, "the shards hold them still"
    shutil.rmtree(tiny_folder / "shards")
    found = status_of(tiny_folder)
    assert (found.done, found.failed, found.left, found.others) == (0, 1, 3, 0)


def test_a_case_that_lost_its_rows_is_none_where_no_plan_but_its_own_times_say_what_it_was(row, folder_of):
    times = row("case_times") | {"kind": "task_accuracy"}
    store = folder_of(case_times=[times], task_accuracy=[row("task_accuracy")], decay=[row("decay")])
    shutil.rmtree(store.shards)
    assert status_of(store.folder).done == 1
    (store.folder / "decay.csv").unlink()
    assert status_of(store.folder).done == 0


def test_rows_of_another_version_are_not_the_suites(tiny_folder, row):
    store = Store(tiny_folder)
    store.write("old", {"decay": [row("decay", case_id="old")]})
    store.collate()
    found = status_of(tiny_folder)
    assert (found.done, found.left, found.others) == (2, 1, 1)


def test_a_shipped_suite_is_known_without_a_plan(tmp_path, row, facts, monkeypatch):
    monkeypatch.chdir(tmp_path)
    identity = facts["identity"] | {
        "backend": "cpu",
        "device_kind": "Slow Chip",
        "jax_version": "0.10.1",
        "matmul_precision": "highest",
    }
    there = Environment(
        **{name: identity[name] for name in ("machine", "backend", "device_kind", "jax_version", "dtype")}
    )
    smoke = suite.load("smoke")
    store = Store(tmp_path / "results" / "slow-chip-2-cores" / "smoke")
    store.write_machine({"identity": identity, "volatile": {}})
    case_id = smoke.cases[0].case_id(there)
    store.write(case_id, {"exactness": [row("exactness", case_id=case_id, suite="smoke")]})
    store.collate()
    found = status_of(store.folder)
    assert (found.suite, found.cases, found.done) == ("smoke", len(smoke.cases), 1)
    assert found.left_s == pytest.approx(30.0 * (len(smoke.cases) - 1) / len(smoke.cases))
    kept = plan_to_keep(store.folder)
    assert kept == plan.plan_of(smoke, there, 30)
    (store.folder / plan.FILE).write_text(plan.text_of(kept), encoding="utf-8")
    assert plan.read(store.folder) == kept
    assert plan_to_keep(store.folder) is None
    assert [folder for folder, _ in folders_of(["smoke"])] == [Path("results/slow-chip-2-cores/smoke")]
    with pytest.raises(UsageError, match="no folder below results holds results of quick"):
        folders_of(["quick"])


def test_an_unknown_suite_is_told_by_its_file(tiny_folder, verb):
    (tiny_folder / plan.FILE).unlink()
    done = verb("status", tiny_folder)
    assert f"its suite is not known here; name its file too: status {tiny_folder} FILE.toml" in done.stdout
    Path("tiny.toml").write_text('[[exactness]]\ncell = ["lstm", "gru"]\n', encoding="utf-8")
    facts = json.loads((tiny_folder / "machine.json").read_text())
    facts["identity"] |= {
        "backend": "cpu",
        "device_kind": "Slow Chip",
        "jax_version": "0.10.1",
        "matmul_precision": "highest",
    }
    (tiny_folder / "machine.json").write_text(json.dumps(facts))
    for kind in Path(tiny_folder).glob("*.csv"):
        kind.unlink()
    shutil.rmtree(tiny_folder / "shards")
    found = json.loads(verb("status", tiny_folder, "tiny.toml", "--json").stdout)["folders"][0]
    assert (found["suite"], found["cases"], found["left"]) == ("tiny", 2, 2)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"suite": "x", "cases": [{}], "estimate_s": null, "estimate_on": ""}']
)
def test_a_damaged_plan_is_none(text, tiny_folder):
    (tiny_folder / plan.FILE).write_text(text, encoding="utf-8")
    assert plan.read(tiny_folder) is None
    assert status_of(tiny_folder).cases is None


def test_a_wrong_folder_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="no result folder below results"):
        folders_of([])
    with pytest.raises(UsageError, match="nowhere is neither a folder nor a suite"):
        folders_of(["nowhere"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="empty holds no results"):
        status_of(*folders_of(["empty"])[0])


def test_the_document(tiny_folder, verb):
    with HeartbeatWriter(tiny_folder, "tiny", Silent(), {"some label": "c3"}) as progress:
        progress.start(2, 2)
        progress.case(1, "some label")
        done = verb("status", "results", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert document["verb"] == "status"
    (folder,) = document["folders"]
    assert (folder["folder"], folder["done"], folder["failed"], folder["left"]) == (
        tiny_folder.as_posix(),
        2,
        1,
        1,
    )
    (run,) = folder["runs"]
    assert (run["state"], run["pid"], run["cases"], run["done"]) == ("measuring", os.getpid(), 2, 0)
    (case,) = run["in_hand"]
    assert case["label"] == "some label"
    assert abs((datetime.now(UTC) - datetime.fromisoformat(case["since_utc"])).total_seconds()) < 60
    assert folder["failures"][0]["case_id"] == "c2"


def test_it_changes_nothing_and_needs_neither_jax_nor_pandas(tiny_folder):
    with HeartbeatWriter(tiny_folder, "tiny", Silent(), {"some label": "c3"}) as progress:
        progress.case(1, "some label")
        before = {path: path.stat().st_mtime_ns for path in tiny_folder.rglob("*")}
        code = "import sys; sys.argv = ['rnn-bench', 'status']\nfrom bench.cli.main import main\n" \
            "try: main()\nfinally: print([name for name in ('jax', 'pandas', 'matplotlib') if name in sys.modules])"  # fmt: skip
        environment = os.environ | {"PYTHONPATH": str(Path(plan.__file__).parents[2])}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60
        )
        assert done.stdout.splitlines()[-1] == "[]", done.stderr
        assert f"process {os.getpid()} measures for" in done.stdout
        assert "in hand for" in done.stdout
        assert {path: path.stat().st_mtime_ns for path in tiny_folder.rglob("*")} == before
