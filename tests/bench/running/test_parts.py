"""Several fresh processes of one case: in which order they come, and how what they gave becomes one result."""

import json
from dataclasses import replace

import pytest

from bench.running import parts
from bench.running.parts import CasePart, keep, parts_to_measure
from bench.store import Store
from bench.suite.case import Case

ONE, TWO = (Case("timings", {"cell": cell, "processes": 3}, (0,), estimate_s=9) for cell in ("gru", "lstm"))
ALONE = Case("exactness", {"cell": "gru"}, (0,))


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results")


def rows(run_s, row):
    return {"timings": [row("timings", case_id="c", run_s=run_s)]}


def test_the_processes_of_a_case_lie_apart(store, environment):
    order = parts_to_measure([ONE, ALONE, TWO], store, environment)
    told = [(part.case.parameters["cell"], part.case.kind, part.process) for part in order]
    first = [("gru", "timings", 0), ("gru", "exactness", None), ("lstm", "timings", 0)]
    later = [(cell, "timings", process) for process in (1, 2) for cell in ("gru", "lstm")]
    assert told == first + later


def test_a_case_is_done_when_its_last_process_is(store, row):
    for process in (0, 2):
        keep(store, ONE, "c", process, rows(1.0 + process, row))
        assert not store.has_shard("c")
    keep(store, ONE, "c", 1, rows(2.0, row))
    assert store.is_done("c")
    assert not store.checkpoints("c").exists()
    frame = store.collate()["timings"]
    assert frame["process"].to_list() == [0, 1, 2]
    assert frame["run_s"].to_list() == [1.0, 2.0, 3.0]


def test_a_run_goes_on_with_the_processes_that_are_missing(store, environment, row):
    keep(store, ONE, ONE.case_id(environment), 1, rows(1.0, row))
    assert [part.process for part in parts_to_measure([ONE], store, environment)] == [0, 2]


def test_a_part_that_is_damaged_is_measured_again(store, environment, row):
    keep(store, ONE, ONE.case_id(environment), 0, rows(1.0, row))
    (part,) = store.checkpoints(ONE.case_id(environment)).iterdir()
    part.write_text(part.read_text()[:-9])
    assert [part.process for part in parts_to_measure([ONE], store, environment)] == [0, 1, 2]


def test_a_kill_before_the_parts_were_put_together_costs_the_last_of_them(store, environment, row):
    case_id = ONE.case_id(environment)
    for process in range(3):
        path = store.checkpoints(case_id) / f"process-{process}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(rows(1.0, row)))
    assert [part.process for part in parts_to_measure([ONE], store, environment)] == [2]
    keep(store, ONE, case_id, 2, rows(2.0, row))
    assert store.is_done(case_id)


def test_of_answers_the_one_that_is_furthest_off_is_kept(store, row):
    for process, deviation in enumerate((0.1, 0.3, 0.2)):
        answer = row("agreement", case_id="c", implementation="torch", deviation=deviation)
        skipped = row("agreement", case_id="c", implementation="lyapax", quantity="", deviation=None)
        keep(store, ONE, "c", process, {"agreement": [answer, skipped]})
    frame = store.collate()["agreement"].set_index("implementation")
    assert len(frame) == 2
    assert frame.loc["torch", "deviation"] == 0.3


def test_a_turn_takes_its_part_of_the_estimate_and_says_which_it_is():
    assert CasePart(ONE, 1).costed == replace(ONE, estimate_s=3)
    assert CasePart(ALONE).costed == ALONE
    assert CasePart(ONE, 1).label("timings gru") == "timings gru, process 2 of 3"
    assert CasePart(ALONE).label("exactness gru") == "exactness gru"


def test_processes_are_of_the_case_but_not_of_what_it_matches(environment):
    alone = replace(ONE, parameters={"cell": "gru", "processes": 1})
    before = replace(ONE, parameters={"cell": "gru"})
    assert ONE.match_id() == alone.match_id() == before.match_id()
    assert alone.case_id(environment) == before.case_id(environment) != ONE.case_id(environment)


def test_a_part_is_no_shard(store, row):
    keep(store, ONE, "c", 0, rows(1.0, row))
    assert store.collate() == {}
    assert parts.parts_to_measure([], store, None) == []  # type: ignore[arg-type]
