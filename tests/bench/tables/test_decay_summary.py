"""Rate, reach and regime of initial nets, of frames whose numbers are known."""

import math

import pytest

from bench.tables.decay_summary import decay_summary

from .rows import only_row


@pytest.fixture
def decay(row, folder_of):
    def read(*rows):
        return folder_of(decay=[row("decay", **each) for each in rows]).read("decay")

    return read


def test_decay_summary_takes_medians_and_extremes_over_seeds(decay):
    rates = [-0.5, -0.1, -0.2, -0.3]
    told = only_row(
        decay_summary(
            decay(
                *(
                    {
                        "seed": seed,
                        "rate_nats_per_step": rate,
                        "rate_stderr_nats_per_step": 0.01 * (seed + 1),
                        "reach_steps": [10.0, 20.0, 40.0, 100.0][seed],
                        "reach_censored": seed == 3,
                        "regime": "stable" if seed == 3 else "vanishing",
                        "explosion_lag_steps": None,
                    }
                    for seed, rate in enumerate(rates)
                )
            )
        )
    )
    assert told["seeds"] == 4
    assert told["rate_nats_per_step"] == pytest.approx(-0.25)
    assert (told["rate_least"], told["rate_most"]) == (-0.5, -0.1)
    assert told["rate_stderr_nats_per_step"] == pytest.approx(0.025)
    assert told["reach_steps"] == 30.0
    assert told["reach_censored_seeds"] == 1
    assert told["regime"] == "stable 1, vanishing 3"
    assert math.isnan(told["explosion_lag_steps"])


def test_decay_summary_is_of_initial_nets_and_says_one_regime_once(decay):
    told = only_row(
        decay_summary(
            decay(
                {"rate_nats_per_step": -1.0},
                {"rate_nats_per_step": -9.0, "weights": "trained", "regime": "exploding"},
            )
        )
    )
    assert told["rate_nats_per_step"] == -1.0
    assert told["regime"] == "vanishing"


@pytest.fixture
def trained(row, folder_of):
    """`trained(*cases)`: decay.csv and task_accuracy.csv of nets on adding, each (case, remedy, rate, variant)."""

    def read(*cases):
        kept = [
            (
                {"case_id": case, "input_kind": "adding", "rate_nats_per_step": rate},
                {"case_id": case, "remedy": remedy, "remedy_strength": 1.0, "variant": variant},
            )
            for case, remedy, rate, variant in cases
        ]
        store = folder_of(
            decay=[row("decay", **probed) for probed, _ in kept],
            task_accuracy=[row("task_accuracy", **run) for _, run in kept],
        )
        return store.read("decay"), store.read("task_accuracy")

    return read


def test_a_net_that_begins_alike_for_several_remedies_counts_once(trained):
    told = decay_summary(
        *trained(
            ("clipped", "clip_by_norm", -1.0, "halves"),
            ("plain", "none", -1.0, "halves"),
            ("penalty", "pascanu_omega(2)+clip_per_step(1)", -1.0, "halves"),
        )
    )
    assert only_row(told)["seeds"] == 1
    assert told["remedy"].isna().all()


def test_a_net_that_a_remedy_makes_never_stands_for_the_plain_one(trained):
    told = decay_summary(
        *trained(
            ("a", "layer_norm", 2.0, "halves"),  # the first by its case
            ("b", "none", -1.0, "halves"),
            ("c", "skip(4)+clip_by_norm(1)", 3.0, "halves"),
            ("d", "of_tomorrow", 4.0, "halves"),
        )
    )
    rates = dict(zip(told["remedy"].fillna("plain"), told["rate_nats_per_step"], strict=True))
    assert rates == {"plain": -1.0, "layer_norm": 2.0, "skip(4)+clip_by_norm(1)": 3.0, "of_tomorrow": 4.0}
    assert (told["seeds"] == 1).all()


def test_two_variants_of_a_task_are_two_inputs(trained):
    told = decay_summary(*trained(("a", "none", -1.0, "halves"), ("b", "none", -2.0, "anywhere")))
    assert dict(zip(told["variant"], told["rate_nats_per_step"], strict=True)) == {
        "halves": -1.0,
        "anywhere": -2.0,
    }


@pytest.mark.parametrize(
    "change",
    [
        {"cell": "gru"},
        {"gain": 2.0},
        {"initialization": "orthogonal"},
        {"hidden_size": 8},
        {"input_kind": "adding"},
        {"input_scale": 0.1},
        {"sequence_length": 50},
        {"forget_bias": 5.0},
        {"dt": 0.1},
        {"input_size": 2},
    ],
    ids=lambda change: next(iter(change)),
)
def test_decay_summary_never_mixes_two_nets(change, decay):
    one = {"cell": "lstm", "forget_bias": 1.0, "rate_nats_per_step": -1.0, "case_id": "one"}
    told = decay_summary(decay(one, one | {"rate_nats_per_step": -2.0, "case_id": "other"} | change))
    assert sorted(told["rate_nats_per_step"]) == [-2.0, -1.0]
