"""Times of chains whose ratios and power laws are known."""

import pytest

from bench.tables.chain_cost import chain_cost, chain_scaling

from .rows import only_row


@pytest.fixture
def timings(row, folder_of):
    def read(*rows):
        return folder_of(timings=[row("timings", **each) for each in rows]).read("timings")

    return read


def rounds(chain, bare, **setting):
    """Two implementations' samples of the same rounds."""
    return [
        {"implementation": name, "round": number, "run_s": run_s, **setting}
        for name, samples in (("rnn_jax", chain), ("bare_products", bare))
        for number, run_s in enumerate(samples)
    ]


def test_chain_cost_pairs_the_samples_of_a_round(timings):
    # A slow second half hits both: each round's ratio is 2 but for one, while the ratio of medians is not.
    told = only_row(chain_cost(timings(*rounds([2.0, 4.0, 20.0, 40.0, 30.0], [1.0, 2.0, 10.0, 20.0, 10.0]))))
    assert told["rounds"] == 5
    assert told["ratio"] == 2.0
    assert (told["ratio_least"], told["ratio_most"]) == (2.0, 3.0)
    assert (told["chain_s"], told["bare_products_s"]) == (20.0, 10.0)


def test_chain_cost_leaves_other_operations_out(timings):
    told = chain_cost(
        timings(*rounds([2.0], [1.0]), *rounds([9.0], [1.0], operation="lyapunov", case_id="other"))
    )
    assert only_row(told)["ratio"] == 2.0


@pytest.mark.parametrize(
    "change",
    [{"cell": "gru"}, {"hidden_size": 8, "state_size": 8}, {"sequence_length": 9}, {"gain": 2.0}],
    ids=lambda change: next(iter(change)),
)
def test_chain_cost_never_mixes_two_cases(change, timings):
    told = chain_cost(
        timings(*rounds([2.0, 2.0], [1.0, 1.0]), *rounds([6.0, 6.0], [2.0, 2.0], case_id="other", **change))
    )
    # Two settings may share a line; then all of their rounds must be in it.
    assert told["rounds"].sum() == 4
    assert told["ratio_least"].min() == 2.0
    assert told["ratio_most"].max() == 3.0


def test_chain_cost_holds_an_lstm_to_its_own_products_too(timings):
    own = [{"implementation": "own_products", "round": number, "run_s": 0.5} for number in range(2)]
    told = only_row(chain_cost(timings(*rounds([2.0, 2.0], [1.0, 1.0]), *own)))
    assert (told["ratio"], told["ratio_to_own_products"]) == (2.0, 4.0)
    told = only_row(chain_cost(timings(*rounds([2.0, 2.0], [1.0, 1.0]))))
    assert told["ratio_to_own_products"] == 2.0, "where there are none, the bare ones are its own"


def test_chain_scaling_finds_the_exponents_of_power_laws(timings):
    made = []
    for length in (1000, 10_000, 100_000):
        made += rounds([2.0 * length**1.0] * 2, [length**1.1] * 2, case_id=f"T{length}",
                       sequence_length=length, lag_count=100, state_size=64)  # fmt: skip
    for size in (64, 128, 256):
        made += rounds([size**2.5] * 2, [size**3.0] * 2, case_id=f"n{size}",
                       sequence_length=1000, lag_count=100, state_size=size)  # fmt: skip
    told = chain_scaling(timings(*made)).set_index("varied")
    assert told["chain_exponent"].to_dict() == pytest.approx({"sequence_length": 1.0, "state_size": 2.5})
    assert told["bare_products_exponent"].to_dict() == pytest.approx(
        {"sequence_length": 1.1, "state_size": 3.0}
    )
    assert told["points"].to_dict() == {"sequence_length": 2, "state_size": 2}, "short ones tell no law"
