"""`rnn-bench run --dry-run` says what a run would do, measures nothing and writes nothing."""

import json
from dataclasses import replace

import pytest

from bench.cases import KINDS
from bench.cli.dry_run import dry_run as cli_dry_run
from bench.deriving import derived
from bench.errors import UsageError
from bench.running import dispatch, dry_run, plan, runner
from bench.running.job import job
from bench.schema import RESULT_FILES

TOML = """
estimate_s = 1090
estimate_on = "one H100"
[[exactness]]
cell = ["elman_tanh", "lstm", "gru"]
hidden_size = 4
seeds = 1

[[exactness]]
cell = "irnn"
hidden_size = [4, 8]
seeds = 1
estimate_s = 30

[[spectra]]
cell = "gru"
hidden_size = 4
seeds = 1

[scale.tiny]
hidden_size = 2
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.toml").write_text(TOML, encoding="utf-8")
    facts = {"identity": {"dtype": "float64"}, "volatile": {"command": ""}}
    monkeypatch.setattr("bench.running.job.machine.describe", lambda *_: facts)  # it asks git and the driver
    for kind in ("exactness", "spectra"):

        def forbidden(*_):
            raise AssertionError("a dry run measured something")

        monkeypatch.setattr(KINDS[kind], "run", forbidden)
    return tmp_path


@pytest.fixture
def asked():
    def ask(**options):
        # The dtype of the tests: another would turn float64 off for all of them.
        return job("own.toml", command=["run"], dtype="float64", out=options.pop("out", None), **options)

    return ask


@pytest.fixture
def half_done(here, asked, row):
    """A folder in which the first case took 50 s, the second failed, and the third has rows and no shard."""
    made = asked(out=here / "out")
    ids = [case.case_id(made.environment) for case in made.suite.cases]
    made.store.claim(made.facts)

    def told(kind, case_id, **chosen):
        return row(kind, case_id=case_id, suite="own", **chosen)

    made.store.write(ids[2], {"exactness": [told("exactness", ids[2])]})
    made.store.collate()
    (made.store.shards / f"{ids[2]}.json").unlink()
    took = told("case_times", ids[0], elapsed_s=50.0) | {"kind": "exactness"}
    made.store.write(ids[0], {"case_times": [took], "exactness": [told("exactness", ids[0])]})
    made.store.write(ids[1], {"failures": [told("failures", ids[1])]}, status="failed")
    made.store.collate(ids)
    return made


def in_short(cases):
    return [(case.label.removeprefix("exactness "), case.state, case.expected.seconds) for case in cases]


def test_states_order_and_times(half_done, here, asked):
    cases = dry_run.foreseen(asked(out=here / "out"), None)
    assert in_short(cases) == [
        ("elman_tanh hidden_size=4", "done", 50.0),
        ("gru hidden_size=4", "again", 50.0),
        ("irnn hidden_size=4", "to do", 30.0),
        ("irnn hidden_size=8", "to do", 30.0),
        ("spectra gru", "to do", 1090.0 - 3 * 50.0 - 2 * 30.0),
        ("lstm hidden_size=4", "failed before", 50.0),
    ]
    assert [case.expected.source for case in cases] == [
        "measured",
        "alike",
        "suite",
        "suite",
        "share",
        "alike",
    ]
    assert dry_run.time_of(cases) == (50.0 + 30.0 + 30.0 + 880.0 + 50.0, 0)
    assert dry_run.counts(cases) == {"done": 1, "to do": 3, "again": 1, "failed before": 1}


def test_it_foresees_what_the_run_does(half_done, here, asked, monkeypatch):
    """The same cases in the same order as `runner.run`, with the same budget."""
    measured = []
    monkeypatch.setattr(dispatch, "measure", lambda case, *_: measured.append(case) or {})
    monkeypatch.setattr(derived, "derive", lambda store, pictures: None)
    made = asked(out=here / "out")
    foreseen = [case.label for case in dry_run.foreseen(made, None) if case.state != "done"]

    class Silent:
        def __getattr__(self, name):
            return lambda *_: None

    runner.run(made.suite, made.environment, made.store, made.facts, Silent())
    assert [made.suite.label(case) for case in measured] == foreseen


def test_only_missing_seeds_and_scale(half_done, here, asked):
    out = here / "out"
    only = dry_run.foreseen(asked(out=out, only="cell=irnn,hidden_size<8"), None)
    assert in_short(only) == [("irnn", "to do", 30.0)]
    missing = dry_run.foreseen(asked(out=out, missing=True), None)
    assert not {"elman_tanh hidden_size=4", "gru hidden_size=4"} & {label for label, *_ in in_short(missing)}
    assert len(missing) == 4
    more_seeds = dry_run.foreseen(asked(out=out, seeds=2), None)
    assert {case.state for case in more_seeds} == {"to do"}
    assert {case.expected.source for case in more_seeds} == {"suite", "unknown"}, "1090 s are of one seed"
    tiny = dry_run.foreseen(asked(scale="tiny"), None)
    assert {case.expected.source for case in tiny} == {"unknown"}
    assert dry_run.time_of(tiny) == (0.0, 5)


def test_a_case_that_lost_its_rows_in_one_of_its_files_is_missing(here, asked, row):
    made = asked(out=here / "out")
    of_label = {made.suite.label(case): case.case_id(made.environment) for case in made.suite.cases}
    case_id = of_label["spectra gru"]
    took = row("case_times", case_id=case_id, suite="own", elapsed_s=7.0) | {"kind": "spectra"}
    tables = {kind: [row(kind, case_id=case_id, suite="own")] for kind in ("lyapunov", "timings")}
    made.store.claim(made.facts)
    made.store.write(case_id, {"case_times": [took], **tables})
    made.store.collate()
    (made.store.shards / f"{case_id}.json").unlink()

    def state():
        return {case.label: case.state for case in dry_run.foreseen(asked(out=here / "out"), None)}

    assert state()["spectra gru"] == "again"
    assert asked(out=here / "out", missing=True).in_files == 1
    (here / "out" / "lyapunov.csv").unlink()  # its times are there still
    assert state()["spectra gru"] == "to do"
    missing = asked(out=here / "out", missing=True)
    assert (missing.in_files, len(missing.suite.cases)) == (0, len(of_label))


def test_minutes_leave_out_what_does_not_fit(half_done, here, asked):
    cases = dry_run.foreseen(asked(out=here / "out"), minutes=1.0)
    states = {label: state for label, state, _ in in_short(cases)}
    assert states["irnn hidden_size=4"] == states["irnn hidden_size=8"] == "no time", (
        "50 s and 30 s are over 60"
    )
    assert states["elman_tanh hidden_size=4"] == "done"


def test_the_document_and_that_nothing_is_written(half_done, here, verb):
    before = {path: path.stat().st_mtime_ns for path in here.rglob("*")}
    done = verb("run", "own.toml", "--dtype", "float64", "--out", "out", "--dry-run", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert (document["verb"], document["dry_run"], document["suite"]) == ("run", True, "own")
    assert document["expected_s"] == 1040.0
    assert [case["state"] for case in document["cases"]][:2] == ["done", "again"]
    assert {path: path.stat().st_mtime_ns for path in here.rglob("*")} == before
    human = verb("run", "own.toml", "--dtype", "float64", "--out", "out", "--dry-run")
    assert "in all: 17 min; nothing was measured or written" in human.stdout
    assert "from share: an even share of what the suite's file says of all, on one H100" in human.stdout


def test_a_folder_that_a_run_refuses_is_refused(half_done, here, verb):
    (here / "out" / "machine.json").write_text('{"identity": {"dtype": "float16"}, "volatile": {}}')
    done = verb("run", "own.toml", "--dtype", "float64", "--out", "out", "--dry-run")
    assert done.returncode == 2
    assert "holds results of another dtype" in done.stderr


def test_every_case_keeps_what_it_took(half_done, monkeypatch):
    from bench.cases import measure
    from bench.store.checkpoints import Checkpoints

    case, environment = half_done.suite.cases[0], half_done.environment
    monkeypatch.setattr(KINDS["exactness"], "run", lambda *_: {"exactness": []})
    checkpoints = Checkpoints(half_done.store.checkpoints("c9"), 60.0, print)
    (row,) = measure(case, environment, "own", lambda *_: None, checkpoints)["case_times"]
    assert row["elapsed_s"] >= 0
    assert row["case_id"] == case.case_id(environment)
    assert set(row) <= {column.name for column in RESULT_FILES["case_times"].all_columns}
    checkpoints.folder.mkdir()
    (row,) = measure(case, environment, "own", lambda *_: None, checkpoints)["case_times"]
    assert row["elapsed_s"] is None, "the rest of a case is not what it takes"


def test_a_folder_that_another_suite_was_begun_in_is_left_alone(here):
    """Its run was killed before any CSV file was written."""
    shards = here / "out" / "shards"
    shards.mkdir(parents=True)
    own = job("own.toml", command=["run"], out=here / "out")
    (here / "out" / plan.FILE).write_text(plan.text_of(own.plan()))
    (here / "other.toml").write_text(TOML)
    assert job("other.toml", command=["run"], out=here / "out").suite.name == "other", "nothing is in it"
    (shards / "0123.json").write_text("{}")
    assert job("own.toml", command=["run"], out=here / "out").suite.name == "own"
    with pytest.raises(
        UsageError, match="out holds results of suite 'own'; choose another --out for 'other'"
    ):
        job("other.toml", command=["run"], out=here / "out")


def test_singular_values_without_float64_are_told_before_anything_is_begun(here, capsys):
    mine = here / "double.toml"
    mine.write_text(
        '[[spectra]]\ncell = "gru"\nhidden_size = 4\nsequence_length = 60\nsingular_value_lag = 20\n'
    )
    double = job("double.toml", command=["run"], dtype="float64")
    assert double.will_fail() == []
    # Not by job(), which would turn float64 off for all tests.
    asked = replace(double, environment=replace(double.environment, dtype="float32"))
    told = 'spectra gru will fail: singular_value_lag needs float64: give the case dtype = "float64"'
    assert asked.will_fail() == [told]
    cli_dry_run(asked, None, as_json=False)
    assert told in " ".join(capsys.readouterr().out.split())
    cli_dry_run(asked, None, as_json=True)
    assert json.loads(capsys.readouterr().out)["will_fail"] == [told]
