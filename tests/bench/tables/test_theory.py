"""What theory says of a measured net, and how the measurement is held against it."""

import math

import numpy as np
import pytest

import rnn_jax as rj
from bench import tables
from bench.cli import terminal
from bench.deriving import derived
from bench.tables.theory import kaplan_yorke_dimension, predicted_spectrum, random_tanh_net, theory_table


def rows_of(row, spectra, **setting):
    """Rows of one setting: a list of exponents a seed."""
    size = len(spectra[0])
    setting = {"hidden_size": size, "state_size": size, "input_size": size, "input_scale": 0.0} | setting
    return [
        row("lyapunov", seed=seed, index=index, exponent_nats_per_step=value, **setting)
        for seed, exponents in enumerate(spectra)
        for index, value in enumerate(exponents, start=1)
    ]


def table_of(rows, folder_of):
    table = theory_table(folder_of(lyapunov=rows).read("lyapunov"))
    return {line.quantity: line for line in table.itertuples()}


def test_a_tanh_nets_quantities_are_means_over_seeds(row, folder_of):
    lines = table_of(rows_of(row, [[0.4, 0.1, -0.2, -0.9], [0.2, -0.1, -0.3, -1.0]], gain=3.0), folder_of)
    net = rj.theory.random_tanh_net(3.0)
    wanted = {
        # Means over the two seeds; Kaplan-Yorke: 3 + 0.3/0.9 and 1 + 0.1/... of (0.2, 0.1, -0.2).
        "lambda_1": (0.3, 0.1, net.largest_exponent),
        "mean": (-0.225, 0.075, net.mean_exponent),
        "positive_fraction": (0.375, 0.125, net.positive_fraction),
        "entropy_rate_per_unit": (0.0875, 0.0375, net.entropy_rate_per_unit),
        "kaplan_yorke_dimension_per_unit": (
            (3 + 1 / 3 + 2 + 1 / 3) / 8,
            (3 + 1 / 3 - 2 - 1 / 3) / 8,
            net.kaplan_yorke_fraction,
        ),
    }
    assert set(lines) == set(wanted)
    for quantity, (measured, stderr, predicted) in wanted.items():
        line = lines[quantity]
        assert (line.gain, line.state_size, line.seeds, line.prediction) == (3.0, 4, 2, "n = infinity")
        assert line.measured == pytest.approx(measured)
        assert line.stderr_over_seeds == pytest.approx(stderr)
        assert line.predicted == pytest.approx(predicted)
        assert line.deviation_percent == pytest.approx(100 * (measured / predicted - 1) * np.sign(predicted))
        assert line.deviation_in_stderr == pytest.approx((measured - predicted) / stderr)


@pytest.mark.parametrize("setting", [{"layers": 2}, {"input_deviation": 0.1}])
def test_theory_is_of_one_layer_with_input_weights_as_it_has_them(row, folder_of, setting):
    rows = rows_of(row, [[0.1, -0.2]], gain=2.0, **setting)
    line = table_of(rows, folder_of)["lambda_1"]
    assert math.isnan(line.predicted)
    assert line.prediction == ""


def test_the_noise_of_a_driven_net_enters_the_prediction(row, folder_of):
    rows = rows_of(row, [[0.1, -0.2]], gain=2.0, input_scale=0.5)
    line = table_of(rows, folder_of)["lambda_1"]
    assert line.predicted == pytest.approx(rj.theory.random_tanh_net(2.0, 0.5).largest_exponent)
    assert math.isnan(line.stderr_over_seeds)
    assert math.isnan(line.deviation_in_stderr)


@pytest.mark.parametrize(
    "change",
    [
        {"cell": "lstm"},
        {"cell": "elman_relu"},
        {"initialization": "orthogonal"},
        {"input_scale": 0.5, "input_size": 1},
        {"gain": 0.0},
    ],
    ids=str,
)
def test_a_net_without_theory_is_measured_alone(change, row, folder_of):
    line = table_of(rows_of(row, [[0.1, -0.2], [0.2, -0.1]], **change), folder_of)["lambda_1"]
    assert line.measured == pytest.approx(0.15)
    assert math.isnan(line.predicted)
    assert math.isnan(line.deviation_percent)
    assert line.prediction == ""


def test_part_of_a_spectrum_gives_the_largest_exponent_alone(row, folder_of):
    rows = rows_of(row, [[0.1], [0.3]], state_size=8, hidden_size=8, gain=2.0)
    lines = table_of(rows, folder_of)
    assert list(lines) == ["lambda_1"]
    assert lines["lambda_1"].measured == pytest.approx(0.2)


def test_gaussian_products_are_held_against_newmans_values(row, folder_of):
    rows = rows_of(
        row,
        [[0.3, -0.6]],
        cell="gaussian_matrices",
        initialization="",
        gain=0.5,
        input_scale=2.0,
        input_size=4,
    )
    lines = table_of(rows, folder_of)
    assert lines["lambda_1"].prediction == "exact"
    assert lines["lambda_1"].predicted == pytest.approx(0.057966, abs=1e-6)
    assert lines["lambda_2"].predicted == pytest.approx(-0.635181, abs=1e-6)
    assert lines["mean"].predicted == pytest.approx(-0.2886075, abs=1e-6)
    assert lines["positive_fraction"].predicted == 0.5
    assert lines["kaplan_yorke_dimension_per_unit"].predicted == pytest.approx(
        (1 + 0.057966 / 0.635181) / 2, abs=1e-6
    )


@pytest.mark.parametrize("size", [2, 32])
def test_isometries_are_told_by_their_outermost_exponents(size, row, folder_of):
    rows = rows_of(row, [[0.5] * size], cell="elman_identity", initialization="orthogonal", gain=2.0)
    lines = table_of(rows, folder_of)
    assert set(lines) == {"lambda_1", f"lambda_{size}"}
    assert lines[f"lambda_{size}"].predicted == pytest.approx(math.log(2))
    assert lines["lambda_1"].deviation == pytest.approx(0.5 - math.log(2))


def test_a_seed_that_stands_twice_counts_once(row, folder_of):
    rows = rows_of(row, [[0.4, 0.1], [0.2, -0.1]], gain=3.0)
    again = [each | {"case_id": "other"} for each in rows if each["seed"] == 0]
    assert table_of(rows + again, folder_of)["lambda_1"].seeds == 2


def test_the_largest_residual_of_all_seeds_is_told(row, folder_of):
    rows = rows_of(row, [[0.4, 0.1], [0.2, -0.1]])
    for each in rows:
        each["logdet_residual_nats_per_step"] = 1e-15 if each["seed"] else 1e-9
    assert table_of(rows, folder_of)["mean"].logdet_residual_nats_per_step == 1e-9


def test_the_table_stands_among_the_derived_ones(row, folder_of):
    store = folder_of(lyapunov=rows_of(row, [[0.1, -0.2]]))
    assert "theory" in dict(tables.tables(store))
    derived.derive(store)
    assert (store.folder / "tables" / "theory.md").is_file()
    titles = [title for title, _ in terminal.terminal_tables(store.folder)]
    assert any("theory" in title for title in titles)


@pytest.mark.parametrize(
    ("exponents", "dimension"),
    [
        ([-0.1, -0.2], 0.0),
        ([0.3, -0.1, -0.1], 3.0),
        ([0.5, -1.0], 1.5),
        ([0.0, -1.0], 1.0),
        ([1.0, -math.inf], 1.0),
        ([0.5, math.nan], math.nan),
    ],
)
def test_kaplan_yorke_dimension(exponents, dimension):
    assert kaplan_yorke_dimension(np.array(exponents)) == pytest.approx(dimension, nan_ok=True)


def test_it_is_the_librarys_own():
    exponents = np.sort(np.random.default_rng(0).normal(-0.2, 0.5, 20))[::-1].copy()
    spectrum = rj.LyapunovSpectrum(
        exponents=exponents,
        standard_errors=exponents,
        logdet_residual=0.0,
        qr_interval=1,
        state_size=20,
        steps=1,
        transient=0,
        batches=2,
    )
    assert kaplan_yorke_dimension(exponents) == pytest.approx(float(spectrum.kaplan_yorke_dimension))


def test_a_predicted_spectrum_has_an_exponent_for_each_number_of_the_state(row):
    setting = row("lyapunov", gain=2.0, hidden_size=8, state_size=8, input_scale=0.0)
    spectrum = predicted_spectrum(setting)
    assert spectrum.shape == (8,)
    assert spectrum[0] == pytest.approx(float(random_tanh_net(setting).exponents(1 / 16)))
    assert predicted_spectrum(setting | {"cell": "gru"}) is None
