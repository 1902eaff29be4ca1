"""A case of training: what it may ask for, and what its rows say of it."""

import pytest

import rnn_jax as rj
from bench.cases import task_accuracy
from bench.machine import Environment
from bench.suite.case import Case

DOUBLE = Environment("slow-chip-2-cores", "cpu", "Slow Chip", "0.10.1", "float64")


def case(**chosen):
    """A case of one seed with the kind's defaults."""
    parameters = {each.name: each.default for each in task_accuracy.PARAMETERS}
    setting = {"cell": "lstm", "task": "adding", "task_length": 20} | chosen
    return Case("task_accuracy", task_accuracy.resolved(parameters | setting), (0,))


def rows_of(**chosen):
    return task_accuracy.run(case(**chosen), DOUBLE, "tiny", lambda what, fraction: None)


@pytest.mark.parametrize("name", sorted(rj.tasks.TASKS))
def test_a_suite_can_name_every_variant_of_every_task(name):
    for variant in rj.tasks.TASKS[name].VARIANTS:
        length = {"sequential_mnist": 28, "sequential_digits": 8, "forecasting": 336}.get(name, 20)
        length = {"sunspots": 22}.get(variant, length)
        made = case(task=name, variant=variant, task_length=length)
        assert made["variant"] == variant
    length = 22 if name == "forecasting" else length
    assert case(task=name, task_length=length)["variant"] == rj.tasks.TASKS[name].VARIANTS[0]


@pytest.mark.parametrize("name", sorted(rj.remedies.REMEDIES))
def test_every_remedy_can_be_named_and_has_its_own_strength(name):
    assert case(remedy=name)["remedy_strength"] == rj.remedies.REMEDIES[name].strength


def test_a_strength_that_a_remedy_does_not_allow_is_refused_before_anything_runs():
    with pytest.raises(ValueError, match=r"delay must be a whole number of at least 1, got 2.5"):
        case(remedy="skip", remedy_strength=2.5)


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        (
            {"remedy": "truncated_bptt", "remedy_strength": 2.5},
            r"remedy_strength 2\.5 does not suit truncated_bptt: steps must be a whole number",
        ),
        (
            {"remedy": "chrono_initialization"},
            "chrono_initialization needs a cell with a forget gate; Elman has none",
        ),
        (
            {"cell": "indrnn", "remedy": "skip"},
            "remedy skip does not fit cell indrnn: .* IndRNN is 'diagonal': AddedSkip, the remedy added_skip",
        ),
        ({"remedy": "skip+layer_norm"}, r"as remedies layer_norm\+skip"),
        (
            {"learning_rate": 1e-3, "learning_rate_grid": "1e-3 2e-3"},
            "learning_rate and learning_rate_grid exclude each other, got learning_rate = 0.001",
        ),
        ({"task": "mqar", "variant": "foo"}, "variant of mqar must be one of zoology, blank, got 'foo'"),
    ],
)
def test_what_does_not_fit_together_is_told_before_anything_runs(chosen, told):
    with pytest.raises(ValueError, match=told):
        case(**({"cell": "elman_tanh"} | chosen))


def test_a_remedy_that_enlarges_the_state_is_seen_in_its_rows(jax_promotes):
    tiny = {
        "hidden_size": 3,
        "batch_size": 4,
        "step_budget": 2,
        "evaluate_every": 2,
        "sequences": 2,
        "lags": 4,
    }
    rows = rows_of(cell="elman_tanh", remedy="skip", remedy_strength=2.0, **tiny)
    (row,) = rows["task_accuracy"]
    assert (row["remedy"], row["remedy_strength"], row["clip_threshold"]) == ("skip", 2.0, None)
    assert {each["state_size"] for kind in rows.values() for each in kind} == {3 + 3}


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        ({"task": "adding", "variant": "urnn"}, "variant of adding"),
        ({"remedy_strength": 1.0}, "remedy_strength needs a remedy"),
        ({"cell": "gru", "forget_bias": 1.0}, "cell gru has no forget gate"),
        ({"cell": "orthogonal", "initialization": "gaussian"}, "orthogonal fixes initialization"),
        ({"task": "adding", "task_length": 9}, "at least 10"),
    ],
)
def test_options_that_contradict_each_other_are_told(chosen, told):
    with pytest.raises(ValueError, match=told):
        case(**chosen)
