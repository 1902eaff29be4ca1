"""What `rnn-bench run` says at its end to people and to programs, of kinds that measure nothing."""

import json
from types import SimpleNamespace

import pytest

from bench.cases import KINDS, exactness
from bench.deriving import derived
from bench.running import plan
from bench.running.heartbeat import heartbeats

TOML = '[[exactness]]\ncell = ["elman_tanh", "lstm", "gru"]\nseeds = 1\n'


@pytest.fixture
def run(tmp_path, monkeypatch, verb, row):
    """`run(*options, lstm=error)` runs the suite, in which one cell may raise an error."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.toml").write_text(TOML, encoding="utf-8")
    facts = {"identity": {"dtype": "float64"}, "volatile": {"command": ""}}
    monkeypatch.setattr("bench.running.job.machine.describe", lambda *_: facts)
    monkeypatch.setattr(derived, "derive", lambda store, pictures: {})
    monkeypatch.setattr("bench.cli.terminal.tables", lambda store: [])

    def call(*options, **errors):
        def measure(case, environment, suite, report):
            ((_, heartbeat),) = heartbeats(tmp_path / "out")
            assert heartbeat.in_hand[0].case_id == case.case_id(environment)
            if case["cell"] in errors:
                raise errors[case["cell"]]
            told = {"case_id": case.case_id(environment), "suite": suite, "cell": case["cell"]}
            return {"exactness": [row("exactness", **told)]}

        fake = SimpleNamespace(
            PARAMETERS=exactness.PARAMETERS, VERSION=1, resolved=exactness.resolved, run=measure
        )
        monkeypatch.setitem(KINDS, "exactness", fake)
        # The dtype of the tests: another would turn float64 off for all of them.
        return verb("run", "own.toml", "--dtype", "float64", "--out", "out", *options)

    return call


def test_a_run_with_a_failure(run, tmp_path):
    done = run("--json", lstm=ValueError("it broke"))
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert (document["measured"], document["failed"], document["left"]) == (2, 1, 0)
    (failure,) = document["failures"]
    assert (failure["label"], failure["status"]) == ("exactness lstm", "failed")
    assert failure["error"] == "ValueError: it broke"
    assert "[2/3] exactness lstm" in done.stderr, "progress is no part of the document"
    assert len(plan.read(tmp_path / "out").cases) == 3
    assert heartbeats(tmp_path / "out") == []


def test_the_same_run_for_people_goes_on(run):
    run(lstm=ValueError("it broke"))
    again = run()
    assert again.returncode == 0, again.stderr
    assert "cases: 1 measured, 2 done before" in again.stdout
    assert "CSV files: out" in again.stdout


def test_an_interruption_is_told_in_the_document(run, tmp_path):
    done = run("--json", elman_tanh=ValueError("it broke"), gru=KeyboardInterrupt())
    assert done.returncode == 130
    document = json.loads(done.stdout)
    assert (document["interrupted"], document["cases"]) == (True, 3)
    assert [document[name] for name in ("measured", "done_before", "failed", "left", "elsewhere")] == [
        1,
        0,
        1,
        1,
        0,
    ]
    assert [failure["label"] for failure in document["failures"]] == ["exactness elman_tanh"]
    assert "the same command goes on from there; rnn-bench tables out makes the tables of it" in done.stderr
    assert heartbeats(tmp_path / "out") == [], "a run that says good-bye leaves no heartbeat"


def test_what_failed_before_and_was_not_tried_again_is_left(run):
    run(lstm=ValueError("it broke"), elman_tanh=ValueError("it broke"))
    document = json.loads(run("--json", elman_tanh=KeyboardInterrupt()).stdout)
    assert [document[name] for name in ("measured", "done_before", "failed", "left")] == [0, 1, 0, 2]


def test_an_interruption_before_anything_was_measured_offers_no_tables(run):
    done = run(elman_tanh=KeyboardInterrupt())
    assert done.returncode == 130
    assert done.stdout.strip().endswith("the same command goes on from there")


def test_a_part_of_the_suite_keeps_the_plan_of_the_whole(run, tmp_path):
    done = run("--only", "cell=gru", "--json")
    assert json.loads(done.stdout)["cases"] == 1
    assert len(plan.read(tmp_path / "out").cases) == 3
