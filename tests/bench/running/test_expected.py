"""What cases are expected to take, and what a budget makes of it."""

import pytest

from bench.running.budget import Budget
from bench.running.expected import Earlier, Expected, earlier_runs, expectations, total
from bench.running.folder_facts import Took
from bench.running.plan import Plan, Planned
from bench.store import Store
from bench.suite.case import Case


def planned(name, kind="exactness", estimate_s=None):
    return Planned(f"c-{name}", f"m-{name}", kind, name, estimate_s)


NOTHING = Earlier({}, {})


def test_the_best_known_source_is_taken():
    names = ["own", "other", "training", "both", "file", "alike"]
    plan = Plan(
        "tiny", tuple(planned(name, estimate_s=9.0 if name != "alike" else None) for name in names), 1000
    )
    here = {
        "c-own": Took(1.0, "m-own"),
        "c-training": Took(3.0, "m-training", True),
        "c-both": Took(4.0, "m-both", True),
    }
    found = expectations(
        plan, Earlier(here, {"m-own": Took(8.0, ""), "m-other": Took(2.0, ""), "m-both": Took(5.0, "")})
    )
    assert {case_id.removeprefix("c-"): (each.seconds, each.source) for case_id, each in found.items()} == {
        "own": (1.0, "measured"),
        "other": (2.0, "elsewhere"),
        "training": (3.0, "training"),
        "both": (5.0, "elsewhere"),
        "file": (9.0, "suite"),
        "alike": (2.0, "alike"),  # the median of 1, 2 and 5: a training alone is no whole case
    }  # fmt: skip


def test_what_the_suite_says_of_all_is_shared_by_the_rest():
    plan = Plan(
        "tiny", (planned("a", estimate_s=10.0), planned("b", "spectra"), planned("c", "timings")), 50.0
    )
    found = expectations(plan, NOTHING)
    assert [found[f"c-{name}"] for name in "abc"] == [
        Expected(10.0, "suite"), Expected(20.0, "share"), Expected(20.0, "share"),
    ]  # fmt: skip
    assert total(found.values()) == (50.0, 0)


def test_a_machine_that_is_slower_than_the_suite_says_goes_by_what_it_took():
    plan = Plan("tiny", (planned("a"), planned("b"), planned("c", "spectra")), 50.0)
    found = expectations(plan, Earlier({"c-a": Took(40.0, ""), "c-b": Took(20.0, "")}, {}))
    assert found["c-c"] == Expected(30.0, "others")


@pytest.mark.parametrize("estimate_s", [None, 5.0])
def test_where_nothing_is_left_to_share_nothing_is_known(estimate_s):
    plan = Plan("tiny", (planned("a", estimate_s=10.0), planned("b", "spectra")), estimate_s)
    found = expectations(plan, NOTHING)
    assert found["c-b"] == Expected(None, "unknown")
    assert total(found.values()) == (10.0, 1)


def test_earlier_runs_are_read_from_shards_files_and_other_folders(tmp_path, row):
    here, other = Store(tmp_path / "here"), Store(tmp_path / "other")
    here.write(
        "c-shard", {"case_times": [row("case_times", case_id="c-shard", match_id="m1", elapsed_s=7.5)]}
    )
    here.write(
        "c-failed", {"failures": [row("failures", case_id="c-failed", elapsed_s=99.0)]}, status="failed"
    )
    here.collate()
    here.write(
        "c-shard", {"case_times": [row("case_times", case_id="c-shard", match_id="m1", elapsed_s=8.5)]}
    )
    trained = row("task_accuracy", case_id="c-t", match_id="m-t", train_s=20.0, compile_s=3.0)
    times = [
        row("case_times", case_id="c-x", match_id="m-x", elapsed_s=2.0),
        row("case_times", case_id="c-y", match_id="m-y", elapsed_s=None),
    ]
    other.write("c-t", {"task_accuracy": [trained | {"seed": seed} for seed in (0, 1)]})
    other.write("c-x", {"case_times": times})
    other.collate()
    found = earlier_runs(here.folder, [here.folder, other.folder])
    assert found.of("c-shard", "m1") == Expected(8.5, "measured"), "a shard is newer than the file"
    assert found.of("c-failed", "m-f") is None, "a case that failed says nothing of how long it takes"
    assert found.of("c-0", "m-t") == Expected(23.0, "training"), "both seeds were trained together"
    assert found.of("c-0", "m-x") == Expected(2.0, "elsewhere")
    assert found.of("c-0", "m-y") is None, "it went on from a checkpoint"


def test_a_budget_believes_earlier_runs_more_than_the_suite():
    slow, quick = (Case("exactness", {"cell": cell}, (0,), estimate_s=100.0) for cell in ("lstm", "gru"))
    clock = [0.0]
    budget = Budget(1, lambda: clock[0], known=lambda case: 5.0 if case["cell"] == "gru" else None)
    assert (budget.fits(slow), budget.fits(quick)) == (False, True)
    budget.took(slow, 300.0)
    assert budget.expected_s(quick) == 5.0, "it was measured here, so that the machine's speed is in it"
    assert budget.expected_s(slow) == 300.0
