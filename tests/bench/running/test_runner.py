"""A run goes on past a failure, keeps what is finished and measures nothing twice."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from bench.cases import KINDS, exactness
from bench.deriving import derived
from bench.errors import UsageError
from bench.running import runner
from bench.running.budget import Budget
from bench.store import Store, read_machine
from bench.suite import Suite
from bench.suite.case import Case

CELLS = ("elman_tanh", "lstm", "gru")


class Diary:
    """A progress that remembers what it was told."""

    def __init__(self):
        self.told = []

    def start(self, cases, already_done):
        self.told.append(("start", cases, already_done))

    def case(self, number, label):
        self.told.append(("case", number, label.split()[1]))

    def within(self, what, fraction):
        self.told.append(("within", what, fraction))

    def note(self, line):
        self.told.append(("note", line))

    def done(self, seconds):
        assert seconds >= 0
        self.told.append(("done",))

    def failed(self, label, error):
        self.told.append(("failed", error))


@pytest.fixture
def suite():
    chosen = [
        exactness.resolved(
            {
                "cell": cell,
                "initialization": None,
                "gain": 1.0,
                "forget_bias": None,
                "dt": None,
                "hidden_size": 4,
                "input_size": 1,
                "input_scale": 1.0,
                "sequence_length": 10,
            }
        )
        for cell in CELLS
    ]
    return Suite("tiny", "", None, tuple(Case("exactness", each, (0, 1)) for each in chosen))


@pytest.fixture
def kind(monkeypatch, row):
    """A kind that measures nothing: `measured` lists what it was asked for, `raises` what it does not survive."""
    fake = SimpleNamespace(PARAMETERS=exactness.PARAMETERS, VERSION=1, measured=[], raises={})

    def run(case, environment, suite_name, report):
        fake.measured.append(case["cell"])
        report("half", 0.5)
        if case["cell"] in fake.raises:
            raise fake.raises[case["cell"]]
        told = {"case_id": case.case_id(environment), "suite": suite_name, "cell": case["cell"]}
        return {"exactness": [row("exactness", seed=seed, **told) for seed in case.seeds]}

    fake.run = run
    monkeypatch.setitem(KINDS, "exactness", fake)
    return fake


@pytest.fixture
def go(suite, environment, tmp_path, facts, monkeypatch):
    """`go()` runs the suite into one folder, without the pictures."""
    written = []
    monkeypatch.setattr(derived, "derive", lambda store, pictures: written.append(store))
    store = Store(tmp_path / "results")

    def run(**options):
        diary = Diary()
        outcome = runner.run(suite, environment, store, facts, diary, **options)
        return outcome, diary.told

    run.store = store
    run.derived = written
    return run


def test_everything_is_measured_once(go, kind, facts):
    outcome, told = go()
    assert outcome == runner.Outcome(measured=3, found_done=0, failed=0)
    assert kind.measured == list(CELLS)
    assert told[0] == ("start", 3, 0)
    assert told[1:4] == [("case", 1, "elman_tanh"), ("within", "half", 0.5), ("done",)]
    assert len(told) == 1 + 3 * 3
    assert go.store.kinds() == ["exactness", "case_times"]
    assert len(go.store.read("exactness")) == 6
    assert go.derived == [go.store]
    machine = read_machine(go.store.folder)
    assert machine["volatile"].pop("finished_utc")
    assert machine == facts


def test_nothing_is_measured_twice(go, kind):
    go()
    before = (go.store.folder / "exactness.csv").read_bytes()
    kind.measured.clear()
    outcome, told = go()
    assert outcome == runner.Outcome(measured=0, found_done=3, failed=0)
    assert kind.measured == []
    assert told == [("start", 0, 3)]
    assert (go.store.folder / "exactness.csv").read_bytes() == before


def test_another_version_of_the_kind_is_measured_again(go, kind):
    go()
    kind.VERSION = 2
    outcome, _ = go()
    assert outcome.measured == 3


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (ValueError("bad\nsecond line"), "failed", "ValueError: bad"),
        (MemoryError(), "out_of_memory", "MemoryError: "),
        (
            RuntimeError("RESOURCE_EXHAUSTED: Out of memory"),
            "out_of_memory",
            "RuntimeError: RESOURCE_EXHAUSTED",
        ),
        (AssertionError(), "failed", "AssertionError"),
    ],
    ids=["error", "memory", "device memory", "no words"],
)
def test_a_failing_case_leaves_a_row_and_the_run_goes_on(error, status, line, go, kind, environment, suite):
    kind.raises = {"lstm": error}
    outcome, told = go()
    assert outcome == runner.Outcome(measured=2, found_done=0, failed=1)
    assert kind.measured == list(CELLS)
    failure = go.store.read("failures").iloc[0]
    assert failure["status"] == status
    assert failure["error"].startswith(line)
    assert "\n" not in failure["error"]
    assert (failure["kind"], failure["cell"], failure["suite"]) == ("exactness", "lstm", "tiny")
    assert failure["case_id"] == suite.cases[1].case_id(environment)
    assert failure["match_id"] == suite.cases[1].match_id()
    assert failure["elapsed_s"] >= 0
    assert ("failed", failure["error"]) in told
    assert set(go.store.read("exactness")["cell"]) == {"elman_tanh", "gru"}
    assert go.derived, "what did finish has its tables"


def test_the_next_run_retries_only_what_failed(go, kind):
    kind.raises = {"lstm": ValueError("bad")}
    go()
    kind.measured.clear()
    outcome, _ = go()
    assert kind.measured == ["lstm"]
    assert outcome == runner.Outcome(measured=0, found_done=2, failed=1)
    assert len(go.store.read("failures")) == 1
    kind.measured.clear()
    kind.raises = {}
    outcome, _ = go()
    assert kind.measured == ["lstm"]
    assert outcome == runner.Outcome(measured=1, found_done=2, failed=0)
    assert go.store.kinds() == ["exactness", "case_times"], "a mended case is no failure any more"


def test_a_cell_that_cannot_be_made_still_leaves_a_row(go, kind, monkeypatch):
    def no_cell(*_, **__):
        raise TypeError("no cell")

    monkeypatch.setattr("bench.cases.cell.create_cell", no_cell)
    kind.raises = {"gru": TypeError("no cell")}
    outcome, _ = go()
    assert outcome.failed == 1
    failure = go.store.read("failures").iloc[0]
    assert (failure["suite"], failure["status"]) == ("tiny", "failed")
    assert (failure["cell"], failure["machine"]) == ("gru", "slow-chip-2-cores")
    assert failure["schema_version"] == 1


def test_an_interruption_keeps_what_is_finished(go, kind):
    kind.raises = {"gru": KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        go()
    assert set(go.store.read("exactness")["cell"]) == {"elman_tanh", "lstm"}
    assert go.store.kinds() == ["exactness", "case_times"], "an interrupted case did not fail"
    kind.raises = {}
    kind.measured.clear()
    outcome, _ = go()
    assert kind.measured == ["gru"]
    assert outcome == runner.Outcome(measured=1, found_done=2, failed=0)


def test_a_full_disk_is_not_the_cases_failure(go, kind, monkeypatch):
    def full(self, *_, **__):
        raise UsageError("cannot write: No space left on device")

    monkeypatch.setattr(Store, "write", full)
    with pytest.raises(UsageError, match="No space left"):
        go()
    assert kind.measured == ["elman_tanh"], "nothing is measured that cannot be kept"


def test_debug_shows_the_traceback(go, kind, capsys):
    kind.raises = {"lstm": ValueError("bad")}
    go()
    assert "Traceback" not in capsys.readouterr().err
    go(debug=True)
    assert "ValueError: bad" in capsys.readouterr().err


def test_what_does_not_fit_into_the_time_is_left(go, kind, suite):
    class Half(Budget):
        def fits(self, case):
            return case["cell"] != "lstm"

    outcome, told = go(budget=Half(None))
    assert kind.measured == ["elman_tanh", "gru"]
    assert outcome == runner.Outcome(measured=2, found_done=0, failed=0, left=1)
    assert [entry[2] for entry in told if entry[0] == "case"] == ["elman_tanh", "gru"]
    kind.measured.clear()
    outcome, _ = go()
    assert kind.measured == ["lstm"]
    assert outcome == runner.Outcome(measured=1, found_done=2, failed=0)


def test_what_failed_before_comes_last(go, kind, suite, environment):
    class Two(Budget):
        def fits(self, case):
            return len(kind.measured) < 2

    kind.raises = {"elman_tanh": ValueError("bad")}
    go(budget=Two(None))
    assert kind.measured == ["elman_tanh", "lstm"]
    kind.measured.clear()
    go()
    assert kind.measured == ["gru", "elman_tanh"]


def test_a_suite_with_a_case_of_its_own_dtype_measures_all_in_other_processes(go, kind, suite, environment):
    own = replace(suite, cases=(replace(suite.cases[0], dtype="float64"), suite.cases[1]))
    diary = Diary()
    store = go.store
    runner.run(own, environment, store, {"identity": {}, "volatile": {}}, diary)
    assert kind.measured == [], "not in this process, where the kind is a fake"
    frame = store.read("exactness")
    assert dict(zip(frame["cell"], frame["dtype"], strict=True)) == {
        "elman_tanh": "float64",
        "lstm": "float32",
    }
    assert set(frame["case_id"]) == {case.case_id(environment) for case in own.cases}


def test_a_failure_in_another_process_leaves_its_row(go, environment, suite, monkeypatch):
    wrong = Case(
        "precision", dict(suite.cases[0].parameters) | {"lags": 3, "method": "auto"}, (0,), "float32"
    )
    runner.run(
        Suite("tiny", "", None, (wrong,)), environment, go.store, {"identity": {}, "volatile": {}}, Diary()
    )
    failure = go.store.read("failures").iloc[0]
    assert (failure["kind"], failure["status"], failure["dtype"]) == ("precision", "failed", "float32")
    assert "the reference needs float64" in failure["error"]


def test_cases_that_the_suite_has_no_more_are_told_before_their_rows_leave_the_files(go, kind):
    go()
    assert runner.note_of_dropped_cases(go.store, go.store.case_ids()) == []
    kept = sorted(go.store.case_ids())[:1]
    (line,) = runner.note_of_dropped_cases(go.store, kept)
    assert line.startswith("2 cases measured earlier, not of this suite as it is now")


def test_a_run_says_which_cases_leave_the_files(go, kind):
    go()
    kind.VERSION = 2
    _, told = go()
    assert [each[1] for each in told if each[0] == "note" and each[1].startswith("3 cases measured earlier")]
