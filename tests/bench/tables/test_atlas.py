import numpy as np
import pandas as pd
import pytest

from bench.tables.atlas import atlas, is_atlas

SETTING = {
    "initialization": "orthogonal",
    "gain": 1.0,
    "forget_bias": np.nan,
    "dt": np.nan,
    "layers": 1,
    "input_deviation": np.nan,
    "input_size": 1,
    "input_kind": "white_noise",
    "input_scale": 1.0,
    "dtype": "float32",
}


def net(cell, hidden_size=8, **facts):
    return {
        "case_id": cell,
        "cell": cell,
        "hidden_size": hidden_size,
        "sequence_length": 100,
        **SETTING,
        **facts,
    }


def decays(cell, regime, reach, explosion, seeds=(0, 1)):
    return [
        net(
            cell,
            seed=seed,
            state_size=16,
            weights="initial",
            rate_nats_per_step=-0.1 - seed,
            rate_stderr_nats_per_step=0.01,
            step_norm_bound_nats_per_step=0.0,
            reach_steps=reach,
            reach_censored=reach == 100,
            explosion_lag_steps=explosion,
            regime=regime,
            share_beyond_half_length=0.0,
        )
        for seed in seeds
    ]


@pytest.fixture
def tables():
    decay = [
        *decays("elman_tanh", "exploding", 100, 12.0),
        *decays("gru", "vanishing", 40, np.nan),
        *decays("lru", "stable", 100, np.nan),
        *decays("lstm", "vanishing", 70, np.nan),
    ]
    norms = [
        net(
            cell,
            seed=seed,
            weights="initial",
            lag=lag,
            log10_output_norm=-lag - seed,
            log10_input_gradient_norm=3 * seed,
        )
        for cell in ("elman_tanh", "gru")
        for seed in (0, 1)
        for lag in (0, 10, 50, 100)
    ]
    longer = {"case_id": "longer", "sequence_length": 1000, "lag": 500, "log10_output_norm": 99.0}
    norms.append({**norms[-1], **longer})
    lyapunov = [
        net("gru", seed=seed, index=index, exponent_nats_per_step=-index - seed)
        for seed in (0, 2)
        for index in (1, 2, 3, 4)
    ]
    timings = [
        net(
            "gru",
            seed=0,
            operation=operation,
            implementation=implementation,
            batch_size=1,
            lag_count=lag_count,
            run_s=run_s,
        )
        for operation, implementation, lag_count, run_s in (
            ("trajectory", "rnn_jax", np.nan, 1e-4),
            ("jacobian_chain", "rnn_jax", 101, 1e-3),
            ("jacobian_chain", "rnn_jax", 5, 7.0),  # at chosen lags: another question
            ("jacobian_chain", "bare_products", 101, 5.0),
        )
    ]
    return tuple(map(pd.DataFrame, (decay, norms, lyapunov, timings)))


def test_exploding_cells_are_last_and_a_longer_reach_is_before_a_shorter(tables):
    assert atlas(*tables)["cell"].tolist() == ["lru", "lstm", "gru", "elman_tanh"]


def test_a_cell_whose_seeds_differ_lies_between_the_regimes(tables):
    decay, *others = tables
    mixed = decay.copy()
    mixed.loc[(mixed["cell"] == "lru") & (mixed["seed"] == 1), "regime"] = "vanishing"
    table = atlas(pd.concat([mixed, pd.DataFrame(decays("irnn", "stable", 100, np.nan))]), *others)
    assert table["cell"].tolist() == ["irnn", "lru", "lstm", "gru", "elman_tanh"]
    assert table["regime"][1] == "stable 1, vanishing 1"


def test_exponents_norms_and_costs_are_those_of_the_same_net(tables):
    table = atlas(*tables).set_index("cell")
    gru = table.loc["gru"]
    assert gru[[f"exponent_{index}_nats_per_step" for index in (1, 2, 3)]].tolist() == [-2.0, -3.0, -4.0]
    assert (gru["output_norm_lag_steps"], gru["log10_output_norm"], gru["log10_input_gradient_norm"]) == (
        50,
        -50.5,
        1.5,
    )
    np.testing.assert_allclose(gru[["step_us", "jacobian_us"]].astype(float), [1.0, 10.0])
    assert np.isnan(table.loc["lru", "exponent_1_nats_per_step"])
    assert np.isnan(table.loc["lru", "step_us"])


def test_parameters_are_counted_and_families_named(tables):
    table = atlas(*tables).set_index("cell")
    # Of 8 units and one input: W, V, b a gate; the GRU's candidate has a second bias.
    assert table["parameter_count"].to_dict() == {
        "elman_tanh": 64 + 8 + 8,
        "gru": 3 * (64 + 8 + 8) + 8,
        "lstm": 4 * (64 + 8 + 8),
        "lru": 3 * 8 + 2 * 8 + 2 * 64,
    }
    assert table.loc["lru", "family"] == "linear"


def test_parameters_of_every_layer_are_counted(tables):
    decay, norms, lyapunov, timings = tables
    for frame in (decay, norms, lyapunov, timings):
        frame["layers"] = 2
    table = atlas(decay, norms, lyapunov, timings).set_index("cell")
    assert table.loc["elman_tanh", "parameter_count"] == (64 + 8 + 8) + (64 + 64 + 8)


def test_without_timings_there_are_no_costs_and_without_white_noise_no_atlas(tables):
    decay, norms, lyapunov, _ = tables
    assert "step_us" not in atlas(decay, norms, lyapunov, None)
    assert atlas(decay.assign(input_kind="adding"), norms, lyapunov, None).empty


def test_exponents_of_six_cells_make_an_atlas(tables):
    decay, _, _, _ = tables
    cells = ["elman_tanh", "gru", "lru", "lstm", "mingru", "slstm"]
    six = pd.concat([decay, *(pd.DataFrame(decays(cell, "stable", 100, np.nan)) for cell in cells[4:])])
    exponents = pd.DataFrame([net(cell, index=1, exponent_nats_per_step=0.0) for cell in cells])
    assert is_atlas(six, exponents)
    assert not is_atlas(six, exponents.assign(hidden_size=9)), "of other nets"
    assert not is_atlas(six, exponents[1:])
