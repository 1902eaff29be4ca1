"""Cases: the ids that say which are the same, and the labels that people read."""

import hashlib
from dataclasses import replace

import pytest

import rnn_jax as rj
from bench import suite
from bench.cases import KINDS
from bench.machine import Environment

# The first 16 digits of `printf %s TEXT | sha256sum`. If a change here is meant, results measured before
# it are measured again and match nothing: say so, and freeze the new number.
GOLDEN_TEXT = '{"cell":"lstm","forget_bias":null,"gain":0.5,"kind":"exactness","seeds":[0,1],"version":1}'
GOLDEN_MATCH_ID = "e1d95d77c5896e0d"


@pytest.fixture
def case(loaded):
    return loaded('[[gradient_norms]]\ncell = "lstm"\ngain = 0.5\nseeds = 2\n').cases[0]


HERE = Environment("slow", "cpu", "Slow Chip", "0.10.1", "float32")


@pytest.mark.parametrize(
    "there",
    [
        Environment("fast", "cpu", "Slow Chip", "0.10.1", "float32"),
        Environment("slow", "gpu", "Slow Chip", "0.10.1", "float32"),
        Environment("slow", "cpu", "Slow Chip", "0.10.1", "float64"),
        Environment("slow", "cpu", "Slow Chip", "0.10.1", "float32", "default"),
    ],
    ids=["machine", "backend", "dtype", "precision"],
)
def test_case_id_says_where_and_match_id_does_not(there, case):
    assert case.case_id(HERE) != case.case_id(there)
    assert case.match_id() == case.match_id()


@pytest.mark.parametrize("name", [each.name for each in KINDS["gradient_norms"].PARAMETERS])
def test_both_ids_depend_on_every_parameter(name, case):
    changed = suite.Case(case.kind, dict(case.parameters) | {name: "other"}, case.seeds)
    assert changed.case_id(HERE) != case.case_id(HERE)
    assert changed.match_id() != case.match_id()


def test_both_ids_depend_on_seeds_kind_and_version(case, monkeypatch):
    for other in (
        suite.Case(case.kind, case.parameters, (0, 1, 2)),
        suite.Case("timings", case.parameters, case.seeds),
    ):
        assert other.case_id(HERE) != case.case_id(HERE)
        assert other.match_id() != case.match_id()
    before = case.case_id(HERE), case.match_id()
    monkeypatch.setattr(KINDS["gradient_norms"], "VERSION", 99)
    assert case.case_id(HERE) != before[0]
    assert case.match_id() != before[1]


def test_ids_do_not_depend_on_the_order_of_keys(case):
    turned = suite.Case(case.kind, dict(reversed(case.parameters.items())), case.seeds)
    assert list(turned.parameters) != list(case.parameters)
    assert (turned.case_id(HERE), turned.match_id()) == (case.case_id(HERE), case.match_id())


def test_a_whole_number_for_a_number_is_the_same_case(loaded):
    one, other = (loaded(f'[[exactness]]\ncell = "gru"\ngain = {gain}\n').cases[0] for gain in ("1", "1.0"))
    assert one.match_id() == other.match_id()


def test_match_id_leaves_out_method_and_implementation(case):
    def with_method(method):
        return suite.Case(case.kind, dict(case.parameters) | {"method": method}, case.seeds)

    assert with_method("blocks").match_id() == with_method("sequential").match_id()
    assert with_method("blocks").case_id(HERE) != with_method("sequential").case_id(HERE)


def test_match_id_is_the_one_that_was_first_published(monkeypatch):
    monkeypatch.setattr(KINDS["exactness"], "VERSION", 1)
    parameters = {"gain": 0.5, "forget_bias": None, "cell": "lstm"}
    assert hashlib.sha256(GOLDEN_TEXT.encode()).hexdigest()[:16] == GOLDEN_MATCH_ID
    assert suite.Case("exactness", parameters, (0, 1)).match_id() == GOLDEN_MATCH_ID


def test_a_label_names_what_tells_a_case_from_the_others_of_its_kind():
    quick = suite.load("quick")
    told = [quick.label(case) for case in quick.cases]
    assert told[0] == "exactness elman_tanh"
    assert "gradient_norms lstm gain=0.5 sequence_length=300" in told
    assert len(set(told)) == len(told)


@pytest.mark.parametrize("name", suite.names())
def test_no_two_cases_of_a_shipped_suite_have_one_label(name):
    shipped = suite.load(name)
    labels = [shipped.label(case) for case in shipped.cases]
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize(
    "sweep", ["forget_bias = [0.0, 1.0]", 'initialization = ["gaussian", "orthogonal"]', "gain = [1.0, 2.0]"]
)
def test_no_two_cases_of_a_sweep_have_one_label(sweep, loaded):
    swept = loaded(f'[[exactness]]\ncell = "lstm"\n{sweep}\n')
    assert len({swept.label(case) for case in swept.cases}) == 2


def test_what_a_name_means_now_is_part_of_a_cases_identity(loaded, monkeypatch):
    """So that cases of a remedy or task that became another are measured again, and no others."""
    cell = '[[task_accuracy]]\ncell = "elman_tanh"\ntask_length = 20\n'
    text = (
        f'{cell}task = "adding"\nremedy = "leaky"\n{cell}task = "adding"\nremedy = "leaky+clip_by_norm(2)"\n'
        f'{cell}task = "parity"\n{cell}task = "adding"\n'
    )
    cases = loaded(text).cases
    before = [(each.case_id(HERE), each.match_id()) for each in cases]
    families = rj.remedies.REMEDIES
    monkeypatch.setattr(rj.remedies, "REMEDIES", {**families, "leaky": replace(families["leaky"], version=2)})
    monkeypatch.setattr(rj.tasks.Parity, "draws_version", rj.tasks.Parity.draws_version + 1)
    after = [(each.case_id(HERE), each.match_id()) for each in cases]
    for one, other in zip(before[:3], after[:3], strict=True):
        assert not set(one) & set(other)
    assert before[3] == after[3]
