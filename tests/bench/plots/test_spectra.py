"""Pictures of Lyapunov spectra from made-up folders."""

import math
import re

import pytest

from bench import plots


def net_rows(row, exponents, seeds=2, **setting):
    size = len(exponents)
    setting = {"state_size": size, "hidden_size": size, "input_size": size, "input_scale": 0.0} | setting
    return [
        row("lyapunov", seed=seed, index=index, exponent_nats_per_step=value + 0.01 * seed, **setting)
        for seed in range(seeds)
        for index, value in enumerate(exponents, start=1)
    ]


def edge_rows(row, gains=(0.8, 0.9, 1.0, 1.5, 2.0), **setting):
    return [
        each
        for gain in gains
        for each in net_rows(
            row, [gain - 1.0], gain=gain, state_size=32, hidden_size=32, input_size=32, **setting
        )
    ]


def gaussian_rows(row, size=2):
    return net_rows(row, [-0.1 * i for i in range(size)], cell="gaussian_matrices", input_scale=1.0)


def drawn(store):
    return {
        path.stem: path.read_text(encoding="utf-8") for path in plots.draw(store) if path.suffix == ".svg"
    }


def test_each_kind_of_net_has_its_picture(row, folder_of):
    rows = net_rows(row, [0.2, 0.0, -0.3], gain=2.0) + gaussian_rows(row) + edge_rows(row)
    assert set(drawn(folder_of(lyapunov=rows))) == {"spectra", "gaussian_spectra", "edge"}


def test_a_net_without_theory_draws_nothing(row, folder_of):
    rows = net_rows(row, [0.2, 0.0, -0.3], cell="gru") + net_rows(
        row, [0.2, -0.3], input_scale=1.0, input_size=1
    )
    assert drawn(folder_of(lyapunov=rows)) == {}


def test_spectra_name_gains_sizes_and_noise(row, folder_of):
    rows = net_rows(row, [0.2, 0.0, -0.3], gain=2.0) + net_rows(row, [0.1, -0.3], gain=3.0, input_scale=0.5)
    svg = drawn(folder_of(lyapunov=rows))["spectra"]
    for words in (
        "gain 2, n = 3",
        "gain 3, n = 2",
        "no input",
        "noise 0.5 to each unit",
        "index fraction",
    ):
        assert words in svg


def test_spectra_draw_the_largest_net_of_a_gain(row, folder_of):
    rows = net_rows(row, [0.2, 0.0, -0.3], gain=2.0) + net_rows(row, [0.1, -0.3], gain=2.0)
    svg = drawn(folder_of(lyapunov=rows))["spectra"]
    assert "gain 2, n = 3" in svg
    assert "n = 2<" not in svg


def test_the_edge_says_where_it_is_predicted(row, folder_of):
    rows = edge_rows(row) + edge_rows(row, input_scale=0.5)
    svg = drawn(folder_of(lyapunov=rows))["edge"]
    for words in ("no input", "edge at gain 1<", "noise 0.5 to each unit", "edge at gain 1.55<", "n = 32"):
        assert words in svg


def test_the_edge_needs_a_line_of_several_gains(row, folder_of):
    assert drawn(folder_of(lyapunov=edge_rows(row, gains=(0.8, 0.9, 1.0, 1.5)))) == {}


def test_the_edge_takes_the_longest_run_of_a_net(row, folder_of):
    once, both = edge_rows(row, steps=2000), edge_rows(row, steps=2000)
    both += [each | {"steps": 10, "exponent_nats_per_step": 9.0, "case_id": "short"} for each in both]
    pictures = [drawn(folder_of(name, lyapunov=rows))["edge"] for name, rows in (("a", once), ("b", both))]
    assert pictures[0] == pictures[1]


def test_the_same_data_give_the_same_bytes(row, folder_of):
    rows = net_rows(row, [0.2, 0.0, -0.3], gain=2.0) + gaussian_rows(row) + edge_rows(row)
    store = folder_of(lyapunov=rows)
    assert drawn(store) == drawn(store)


@pytest.mark.costly
@pytest.mark.parametrize("value", [math.nan, -math.inf, 0.0, 1e6])
def test_no_exponent_breaks_a_picture(value, row, folder_of):
    rows = net_rows(row, [value, value], gain=2.0) + gaussian_rows(row) + edge_rows(row)
    for each in rows[-2:]:
        each["exponent_nats_per_step"] = value
    assert len(drawn(folder_of(lyapunov=rows))) == 3


def test_every_seed_of_a_gaussian_product_is_marked(row, folder_of):
    def marks(size):
        svg = drawn(folder_of(str(size), lyapunov=gaussian_rows(row, size)))["gaussian_spectra"]
        return len(re.findall(r"<use ", svg))

    assert marks(4) >= marks(2) + 2 * 2 * 2  # two seeds, two more exponents, two panels
