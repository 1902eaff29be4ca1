"""The kinds of case: what they draw and what they write, held against nets whose numbers are known."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj
from bench.cases import KINDS, exactness, gradient_norms, peers
from bench.cases.cell import common_columns, create_cell, seed_key, white_noise
from bench.machine import Environment
from bench.schema import RESULT_FILES, lacking
from bench.suite.case import Case
from rnn_jax.lags import geometric_lags

SINGLE = Environment("slow-chip-2-cores", "cpu", "Slow Chip", "0.10.1", "float32")
DOUBLE = Environment("slow-chip-2-cores", "cpu", "Slow Chip", "0.10.1", "float64")
REQUIRED = {"cell": "lstm", "task": "adding", "task_length": 20, "operation": "training_step"}


def case(kind, seeds=(0,), **chosen):
    """A case with the kind's defaults."""
    parameters = {each.name: each.default for each in KINDS[kind].PARAMETERS}
    required = {each.name: REQUIRED[each.name] for each in KINDS[kind].PARAMETERS if each.required}
    return Case(kind, KINDS[kind].resolved(parameters | required | chosen), seeds)


def quiet(what, fraction):
    assert 0 <= fraction <= 1


def rows_of(kind, environment=DOUBLE, **chosen):
    return KINDS[kind].run(case(kind, **chosen), environment, "tiny", quiet)


# --- parameters


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_parameters_are_named_once_explained_and_right_by_default(kind):
    parameters = KINDS[kind].PARAMETERS
    assert len({each.name for each in parameters}) == len(parameters)
    assert "seeds" not in {each.name for each in parameters}
    for each in parameters:
        assert each.meaning
        assert each.name in REQUIRED or not each.required
        if each.default is not None:
            assert each.problem(each.default) == ""
            assert type(each.default) is each.type


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("cell", sorted(rj.cells.CELLS))
def test_every_kind_fills_in_every_cells_options(kind, cell):
    family = rj.cells.CELLS[cell]
    if "cell" not in {each.name for each in KINDS[kind].PARAMETERS}:
        pytest.skip(f"{kind} measures no cell")
    if kind == "peers" and cell not in peers.CELLS["training_step"]:
        with pytest.raises(ValueError, match="cell of training_step must be one of"):
            case(kind, cell=cell)
        return
    made = case(kind, cell=cell)
    assert made["initialization"] == family.initialization
    assert made["forget_bias"] == (1.0 if family.has_forget_bias else None)
    assert made["dt"] is None
    create_cell(made, 1, jax.random.key(0), SINGLE)  # so the filled-in options fit the cell


@pytest.mark.parametrize(("cell", "own"), [("cornn", 0.042), ("lem", 1.0), ("unicornn", 0.19)])
def test_a_step_in_time_reaches_the_cell_and_counts_where_it_is_not_the_cell_s_own(cell, own):
    plain, given, other = (case("gradient_norms", cell=cell, dt=dt) for dt in (None, own, 0.5 * own))
    assert given.match_id() == plain.match_id() != other.match_id()
    made = create_cell(other, 1, jax.random.key(0), SINGLE)
    assert (made.dt, create_cell(given, 1, jax.random.key(0), SINGLE).dt) == (0.5 * own, own)
    assert common_columns(other, SINGLE, "tiny")["dt"] == 0.5 * own
    assert common_columns(given, SINGLE, "tiny")["dt"] is None


@pytest.mark.parametrize("kind", ["gradient_norms", "exactness", "pair_norms", "spectra", "task_accuracy"])
def test_deep_nets_and_narrow_input_weights_count_where_they_are_told(kind):
    plain, same, deep, narrow = (
        case(kind, cell="indrnn", layers=layers, input_deviation=deviation)
        for layers, deviation in ((1, None), (1, None), (2, None), (1, 0.5))
    )
    silent = {
        name: value for name, value in plain.parameters.items() if name not in ("layers", "input_deviation")
    }
    assert plain.match_id() == same.match_id() == Case(kind, silent, (0,)).match_id()
    assert len({each.match_id() for each in (plain, deep, narrow)}) == 3
    made = create_cell(deep, 1, jax.random.key(0), SINGLE)
    assert len(made.layers) == 2
    told = common_columns(deep, SINGLE, "tiny")
    assert (told["layers"], told["input_deviation"], told["state_size"]) == (2, None, 2 * deep["hidden_size"])
    assert common_columns(narrow, SINGLE, "tiny")["input_deviation"] == 0.5


@pytest.mark.usefixtures("jax_promotes")
def test_a_deep_net_is_trained_with_a_remedy_in_every_layer_and_probed_whole():
    rows = rows_of(
        "task_accuracy", cell="gru", layers=2, remedy="layer_norm", task_length=10, hidden_size=3, step_budget=2,
        evaluate_every=2, batch_size=2, sequences=2, lags=3,
    )  # fmt: skip
    (outcome,) = rows["task_accuracy"]
    key = jax.random.key(0)
    adapted = rj.remedies.layer_norm().adapt_cell(rj.cells.create("gru", 2, 3, key=key, layers=2), key)
    readout = 3 + 1
    assert outcome["parameter_count"] == sum(leaf.size for leaf in jax.tree.leaves(adapted)) + readout
    assert (outcome["layers"], outcome["state_size"]) == (2, 6)
    assert {row["lag"] for row in rows["gradient_norms"]} >= {0, 10}


@pytest.mark.parametrize(
    ("kind", "chosen", "told"),
    [
        ("spectra", {"layers": 2, "rounds": 1}, "rounds times nets of one layer.* got layers = 2"),
        (
            "spectra",
            {"cell": "gaussian_matrices", "input_scale": 1.0, "layers": 2},
            "has one layer, got layers = 2",
        ),
        (
            "gradient_norms",
            {"cell": "lstm", "input_deviation": 0.1},
            "lstm draws its input weights as published",
        ),
    ],
)
def test_what_a_net_cannot_have_is_told(kind, chosen, told):
    with pytest.raises(ValueError, match=told):
        case(kind, **chosen)


@pytest.mark.parametrize(
    ("task", "variant"), [("adding", "halves"), ("copy", "urnn"), ("temporal_order", "two_symbol")]
)
def test_a_task_has_its_first_variant_and_a_remedy_its_threshold(task, variant):
    made = case("task_accuracy", task=task)
    assert (made["variant"], made["remedy"], made["remedy_strength"]) == (variant, "none", None)
    assert case("task_accuracy", task=task, remedy="clip_by_norm")["remedy_strength"] == 1.0
    assert case("task_accuracy", remedy="clip_by_norm", remedy_strength=5.0)["remedy_strength"] == 5.0


def test_resolving_does_not_change_what_it_was_given():
    given = {each.name: each.default for each in exactness.PARAMETERS} | {"cell": "lstm"}
    before = dict(given)
    exactness.resolved(given)
    assert given == before


# --- draws


@pytest.mark.parametrize("cell", ["elman_tanh", "orthogonal", "lstm", "gru"])
def test_both_dtypes_start_from_the_same_weights(cell):
    made = case("gradient_norms", cell=cell, gain=0.7, hidden_size=5)
    single, double = (create_cell(made, 2, seed_key(3, 0), here) for here in (SINGLE, DOUBLE))
    for one, other in zip(jax.tree.leaves(single), jax.tree.leaves(double), strict=True):
        assert (one.dtype, other.dtype) == (jnp.float32, jnp.float64)
        np.testing.assert_array_equal(np.asarray(one, np.float64), np.asarray(other))


def test_both_dtypes_are_driven_by_the_same_noise():
    made = case("gradient_norms", input_scale=0.3, input_size=2, sequence_length=50)
    single, double = (white_noise(made, 1, 4, here) for here in (SINGLE, DOUBLE))
    assert (single.dtype, double.dtype) == (jnp.float32, jnp.float64)
    assert single.shape == (4, 50, 2)
    np.testing.assert_array_equal(np.asarray(single, np.float64), np.asarray(double))


def test_white_noise_has_the_scale_and_is_another_for_each_seed():
    made = case("gradient_norms", input_scale=0.1, input_size=3, sequence_length=2000)
    noise = [np.asarray(white_noise(made, seed, 2, DOUBLE)) for seed in (0, 1)]
    for each in noise:
        assert abs(each.mean()) < 0.005
        assert each.std() == pytest.approx(0.1, rel=0.03)
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.05
    assert abs(np.corrcoef(noise[0][0].ravel(), noise[0][1].ravel())[0, 1]) < 0.05


def test_keys_differ_by_seed_and_purpose():
    keys = {
        tuple(np.asarray(jax.random.key_data(seed_key(seed, purpose))).tolist())
        for seed in range(5)
        for purpose in range(5)
    }
    assert len(keys) == 25


# --- lags


@pytest.mark.parametrize("length", [1, 2, 10, 99, 1000, 1_000_000])
@pytest.mark.parametrize("count", [2, 5, 40, 200])
def test_geometric_lags_go_from_none_to_all(length, count):
    lags = geometric_lags(length, count)
    assert lags[0] == 0
    assert lags[-1] == length
    assert 1 in lags
    assert (np.diff(lags) > 0).all()
    assert len(lags) <= count + 1
    if length > 10 * count**2:
        ratios = lags[2:] / lags[1:-1]
        assert ratios[-1] == pytest.approx(length ** (1 / (count - 1)), rel=0.05)


# --- how far a gradient reaches

SIZE, LENGTH = 6, 60
LINEAR = {
    "cell": "elman_identity",
    "initialization": "orthogonal",
    "hidden_size": SIZE,
    "sequence_length": LENGTH,
    "sequences": 3,
    "lags": 12,
}


@pytest.mark.parametrize("gain", [0.7, 0.98, 1.0, 1.3])
def test_a_scaled_rotation_decays_at_the_log_of_its_gain(gain):
    told = rows_of("gradient_norms", gain=gain, **LINEAR)
    norms, (decay,) = told["gradient_norms"], told["decay"]
    rate = math.log(gain)
    assert len(norms) == 2 * len(geometric_lags(LENGTH, 12)), "two sequences are written"
    for row in norms:
        expected = row["lag"] * math.log10(gain)
        assert row["log10_spectral_norm"] == pytest.approx(expected, abs=1e-5)
        assert row["log10_frobenius_norm"] == pytest.approx(expected + 0.5 * math.log10(SIZE), abs=1e-5)
        assert row["log10_output_norm"] == pytest.approx(row["log10_frobenius_norm"], abs=1e-5)
        # The loss is a direction of norm 1, and a rotation keeps its norm.
        assert row["log10_loss_gradient_norm"] == pytest.approx(expected, abs=1e-5)
        assert ("log10_input_gradient_norm" in row) == (row["lag"] < LENGTH)
    assert decay["rate_nats_per_step"] == pytest.approx(rate, abs=1e-6)
    assert decay["rate_stderr_nats_per_step"] < 1e-6
    assert decay["step_norm_bound_nats_per_step"] == pytest.approx(rate, abs=1e-6)
    assert decay["sequence_count"] == 3, "all count, though two are written"
    last = LENGTH * math.log10(gain)
    assert decay["regime"] == ("vanishing" if last < -3 else "exploding" if last > 3 else "stable")
    if last < -3:
        assert not decay["reach_censored"]
        assert decay["reach_steps"] == pytest.approx(-3 / math.log10(gain), rel=1e-3)
    else:
        assert decay["reach_censored"]
        assert decay["reach_steps"] == LENGTH
    over = [lag for lag in geometric_lags(LENGTH, 12) if lag * math.log10(gain) > 3]
    assert decay["explosion_lag_steps"] == (over[0] if over else None) or (
        not over and math.isnan(decay["explosion_lag_steps"])
    )


def test_a_decay_row_follows_from_its_norm_rows():
    told = rows_of(
        "gradient_norms", cell="lstm", gain=0.5, hidden_size=4, sequence_length=80, sequences=2, lags=20
    )
    (decay,) = told["decay"]
    by_lag = {}
    for row in told["gradient_norms"]:
        by_lag.setdefault(row["lag"], []).append(row["log10_spectral_norm"] * math.log(10))
    means = {lag: float(np.mean(values)) for lag, values in by_lag.items()}
    # The rate is the mean increment after lag T/10, whatever lags it is taken from.
    after = min(lag for lag in means if lag >= 8)
    slope = (means[80] - means[after]) / (80 - after)
    assert decay["rate_nats_per_step"] == pytest.approx(slope, rel=0.05)
    assert decay["rate_nats_per_step"] < 0
    assert means[80] < -math.log(1000) or decay["regime"] == "stable"
    assert 0 <= decay["share_beyond_half_length"] < 0.5
    assert 1 <= decay["lag_of_half_update_steps"] < 40


def test_a_net_without_recurrence_has_no_gradient_beyond_one_step():
    told = rows_of("gradient_norms", **(LINEAR | {"cell": "elman_tanh", "gain": 0.0}))
    for row in told["gradient_norms"]:
        # The identity's norm is computed like every other: which last digit it ends in is the processor's.
        assert row["log10_spectral_norm"] == (pytest.approx(0.0, abs=1e-15) if row["lag"] == 0 else -math.inf)
    (decay,) = told["decay"]
    assert decay["regime"] == "vanishing"
    assert decay["reach_steps"] <= 1


@pytest.mark.parametrize("kind", ["exactness", "gradient_norms"])
def test_a_seeds_rows_do_not_depend_on_the_other_seeds(kind):
    small = {"hidden_size": 3, "sequence_length": 12} | (
        {"sequences": 2, "lags": 4} if kind != "exactness" else {}
    )

    def results(seeds):
        told = rows_of(kind, seeds=seeds, **small)
        return [
            {name: value for name, value in row.items() if name not in ("case_id", "match_id")}
            for rows in told.values()
            for row in rows
            if row["seed"] == 1
        ]

    alone = results((1,))
    assert alone
    # As text, for a missing lag of explosion is NaN.
    assert repr(results((0, 1))) == repr(alone)
    seeds = {row["seed"] for rows in rows_of(kind, seeds=(0, 1), **small).values() for row in rows}
    assert seeds == {0, 1}


# --- exactness


def test_exactness_is_at_the_precision_of_the_dtype():
    small = {"cell": "gru", "hidden_size": 4, "sequence_length": 21}
    single, double = (
        rows_of("exactness", environment=here, **small)["exactness"] for here in (SINGLE, DOUBLE)
    )
    assert [row["lag"] for row in double] == [1, 10, 21]
    assert max(row["relative_error"] for row in double) < 1e-13
    assert 1e-9 < max(row["relative_error"] for row in single) < 1e-5


def test_exactness_at_a_single_step():
    (row,) = rows_of("exactness", hidden_size=3, sequence_length=1)["exactness"]
    assert row["lag"] == 1
    assert row["relative_error"] < 1e-13


def test_exactness_notices_a_wrong_chain(monkeypatch):
    real = rj.jacobian_product

    class Transposed:
        def __init__(self, product):
            self.product = product

        def to_array(self):
            return self.product.to_array().T

    monkeypatch.setattr(exactness.rj, "jacobian_product", lambda *given: Transposed(real(*given)))
    for row in rows_of("exactness", cell="lstm", hidden_size=3, sequence_length=6)["exactness"]:
        assert row["relative_error"] > 0.1


def test_exactness_of_a_chain_that_is_zero():
    rows = rows_of("exactness", cell="elman_tanh", gain=0.0, hidden_size=3, sequence_length=6)["exactness"]
    assert [row["relative_error"] for row in rows] == [0.0] * 3


# --- timings


def test_timings_have_a_row_a_round_and_implementation():
    rows = rows_of("timings", hidden_size=3, sequence_length=20, rounds=4, seeds=(0,))["timings"]
    assert [(row["implementation"], row["round"]) for row in rows] == [
        (name, number) for name in ("rnn_jax", "bare_products", "own_products") for number in range(4)
    ]
    for row in rows:
        assert row["run_s"] > 0
        assert row["inner_calls"] >= 1
        assert row["lag_count"] == 21
        share = 1 if row["implementation"] == "bare_products" else 0.5  # half of its Jacobian is diagonal
        assert row["flop"] == share * 2 * 20 * 6**3, "an LSTM's state is twice its units"
        assert row["peak_bytes"] > 1e7


def test_timings_at_chosen_lags_count_them():
    told = rows_of("timings", cell="gru", hidden_size=3, sequence_length=200, lags=5, rounds=3)["timings"]
    assert {row["implementation"] for row in told} == {"rnn_jax", "bare_products"}
    assert {row["lag_count"] for row in told} == {6}


# --- rows


@pytest.mark.parametrize("kind", ["exactness", "gradient_norms", "timings"])
def test_rows_have_only_known_columns_and_all_that_are_common(kind):
    small = {
        "exactness": {"sequence_length": 6},
        "gradient_norms": {"sequence_length": 12, "sequences": 2, "lags": 4},
        "timings": {"sequence_length": 12, "rounds": 3},
    }[kind]
    told = rows_of(kind, hidden_size=3, **small)
    assert not lacking(kind, told)
    for name, rows in told.items():
        columns = {column.name for column in RESULT_FILES[name].all_columns}
        common = {column.name for column in RESULT_FILES[name].all_columns} - {
            column.name for column in RESULT_FILES[name].columns
        }
        for row in rows:
            assert set(row) <= columns, name
            assert common <= set(row), name
            assert (row["state_size"], row["hidden_size"], row["suite"]) == (6, 3, "tiny")


def test_gradient_norms_and_suites_agree_on_the_loss_direction():
    made = case("gradient_norms", hidden_size=4)
    cell = create_cell(made, 1, seed_key(0, 0), DOUBLE)
    states = rj.trajectory(cell, cell.initial_state(), jnp.ones((5, 1)))
    direction = jnp.array([0.0, 1.0, 0.0, 0.0])
    last = cell.output(jax.tree.map(lambda leaf: leaf[-1], states))
    assert gradient_norms.along_direction(direction, cell, states) == last[1]
