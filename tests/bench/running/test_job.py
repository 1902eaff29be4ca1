"""What a run is asked to do."""

from bench.cases import timings
from bench.running.job import Job
from bench.running.parts import parts_to_measure
from bench.store import Store
from bench.suite import Suite
from bench.suite.case import Case


def test_every_turn_that_progress_names_is_of_a_known_case(environment, tmp_path):
    shared = {"cell": "elman_tanh", "hidden_size": 4, "sequence_length": 20}
    cases = [
        Case("timings", timings.resolved(_defaults() | shared | more), (0,))
        for more in ({"processes": 3}, {"cell": "gru"})
    ]
    suite, store = Suite("tiny", "", None, tuple(cases)), Store(tmp_path)
    ids = Job(suite, suite, suite, (), 0, environment, {}, store).case_ids()
    for part in parts_to_measure(cases, store, environment):
        assert ids[part.label(suite.label(part.case))] == part.case.case_id(environment)
    assert len(ids) == 2 + 3
    by_id = {case_id: label for label, case_id in ids.items()}
    assert set(by_id.values()) == {suite.label(case) for case in cases}, "a case's own label comes last"


def _defaults():
    return {each.name: each.default for each in timings.PARAMETERS}
