"""Nets of one cell that differ in their layers or input weights are told apart wherever results are shown or joined."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from bench import plots
from bench.cli import terminal
from bench.cli.comparison_rows import titled_rows
from bench.comparing.two_folders import compared
from bench.plots.labels import line_name
from bench.plots.style import STYLE
from bench.report.sections.remedies import _with_nets
from bench.schema.net_names import cell_name, varying_columns
from bench.tables.claims import claims
from bench.tables.factorizations import factorizations
from bench.tables.reach_question import reach_predicts

OTHERS = [{"layers": 2}, {"input_deviation": 0.25}]
WORDS = ["layers 2", "input deviation 0.25"]
CASES = list(zip(OTHERS, WORDS, strict=True))


@pytest.mark.parametrize(("other", "told"), CASES)
def test_a_net_is_called_by_what_is_unusual_about_it(other, told, row):
    assert cell_name(pd.Series(row("decay", cell="gru") | other)) == f"gru, {told}"
    assert cell_name(pd.Series(row("decay", cell="gru"))) == "gru"


def test_what_is_unusual_is_told_even_where_it_does_not_vary():
    frame = pd.DataFrame({"layers": [2, 2], "gain": [1.0, 1.0], "input_deviation": [np.nan, np.nan]})
    assert varying_columns(frame, list(frame)) == ["layers"]
    assert varying_columns(frame.assign(layers=1, input_deviation=0.1), list(frame)) == ["input_deviation"]
    assert varying_columns(frame.assign(layers=[1, 2], gain=[1.0, 2.0]), list(frame)) == ["layers", "gain"]


# --- pictures


def words(store, name):
    """All that is written in a picture."""
    with mpl.rc_context(STYLE):
        figure = getattr(plots, name)(store)
    return "\n".join(text.get_text() for text in figure.findobj(Text))


@pytest.fixture
def trained(row):
    """Rows of whole task cases of two nets: the usual one and another."""

    def make(other):
        made = {
            "task_accuracy": [],
            "gradient_norms": [],
            "training_curves": [],
            "snapshots": [],
            "explosions": [],
        }
        for case_id, unusual in (("other", other), ("usual", {})):
            net = {"case_id": case_id, "cell": "gru", "input_kind": "adding"} | unusual
            made["task_accuracy"].append(row("task_accuracy", accuracy=0.5, **net))
            made["gradient_norms"] += [
                row("gradient_norms", weights=weights, lag=lag, log10_spectral_norm=-0.1 * lag, **net)
                for weights in ("initial", "trained")
                for lag in (0, 1, 10, 100)
            ]
            made["training_curves"] += [
                row("training_curves", step=step, loss=0.1, **net) for step in (1, 50)
            ]
            made["snapshots"] += [row("snapshots", step=step, reach_steps=5.0, **net) for step in (1, 50)]
            made["explosions"] += [
                row("explosions", step=9, quantity="loss", lag=lag, rank=0, sequence=0,
                    log10_spectral_norm=np.nan, **net)
                for lag in (0, 1, 10)
            ]  # fmt: skip
        return made

    return make


@pytest.mark.costly
@pytest.mark.parametrize(("other", "told"), CASES)
@pytest.mark.parametrize(
    "name", ["accuracy", "training_loss", "trained_decay", "reach_in_training", "explosion"]
)
def test_a_picture_of_trained_nets_tells_them_apart(name, other, told, trained, folder_of):
    assert words(folder_of(**trained(other)), name).count(told) == 1
    assert told not in words(folder_of("usual", **trained({})), name)


@pytest.mark.parametrize(("other", "told"), CASES)
def test_a_picture_of_nets_on_noise_tells_them_apart(other, told, row, folder_of):
    nets = (("other", other), ("usual", {}))
    norms = [
        row("gradient_norms", case_id=case_id, lag=lag, log10_spectral_norm=-0.1 * lag, **net)
        for case_id, net in nets
        for lag in (0, 1, 10, 100)
    ]
    pairs = [
        row("pair_norms", case_id=case_id, later_time=s, earlier_time=t, log10_spectral_norm=0.0, **net)
        for case_id, net in nets
        for s, t in ((0, 0), (5, 0), (5, 5))
    ]
    store = folder_of(gradient_norms=norms, pair_norms=pairs)
    assert words(store, "decay").count(told) == 1
    assert words(store, "pairs").count(told) == 1


def test_runs_of_other_nets_that_broke_alike_are_no_row_of_one_cell(trained, folder_of):
    assert words(folder_of(**trained({"layers": 2})), "explosion").count("loss not finite at step 9") == 2


def test_nets_of_many_depths_are_too_many_lines_for_one_picture(row, folder_of):
    rows = [
        row("task_accuracy", case_id=f"{layers} {remedy}", cell="gru", layers=layers, remedy=remedy,
            remedy_strength=None if remedy == "none" else 1.0)
        for layers in range(1, 8)
        for remedy in ("none", "leaky")
    ]  # fmt: skip
    assert "leaky" not in words(folder_of(task_accuracy=rows), "accuracy")
    assert "leaky" in words(folder_of("few", task_accuracy=rows[:4]), "accuracy")


def test_the_report_s_remedies_have_a_column_for_each_net(row):
    rows = [row("task_accuracy", cell="gru", **net) for net in ({}, *OTHERS)]
    assert _with_nets(pd.DataFrame(rows))["net"].tolist() == ["gru", *(f"gru, {words}" for words in WORDS)]


def test_a_line_is_named_as_one_wants(row):
    told = next(pd.DataFrame([row("task_accuracy", cell="gru", layers=2)]).itertuples())
    assert line_name(told) == "gru, none"
    assert line_name(told, named=cell_name(told)) == "gru, layers 2, none"


# --- what is joined, matched or counted


@pytest.mark.parametrize("other", OTHERS)
def test_clipping_is_held_against_the_same_net_without_it(other, row, folder_of):
    expanding = {"gain": 1.5, "optimizer": "sgd"}
    rows = [
        row("task_accuracy", verdict=verdict, remedy=remedy, **expanding, **net)
        for net, remedy, verdict in (
            ({}, "none", "diverged"), ({}, "clip_by_norm", "at_baseline"),
            (other, "none", "at_baseline"), (other, "clip_by_norm", "diverged"),
        )
    ]  # fmt: skip
    found = claims(folder_of(task_accuracy=rows)).set_index("claim").loc["Clipping mends the explosion"]
    assert found["verdict"] == "holds"
    assert "at gain 1.5, T = 100: 0 of 1" in found["number"]


@pytest.mark.parametrize("other", OTHERS)
def test_reach_is_matched_among_runs_of_the_same_net(other, row):
    rows = [
        row("task_accuracy", case_id=f"c{number}", seed=0, remedy="leaky", remedy_strength=float(number),
            verdict="better_than_baseline" if net else "at_baseline", reach_before_steps=50.0 if net else 5.0,
            loss=0.5 if net else 1.0, baseline_loss=1.0, **net)
        for number, net in enumerate([other, {}] * 20)
    ]  # fmt: skip
    table = reach_predicts(pd.DataFrame(rows))
    told = table[(table["predictor"] == "reach_share") & (table["when"] == "before")].iloc[0]
    assert told["auc_better"] == 1
    assert np.isnan(told["auc_better_matched"]), "no two runs of one net differ in success"


@pytest.mark.parametrize("other", OTHERS)
def test_factorizations_are_of_one_net(other, row, folder_of):
    rows = {"lyapunov": [], "timings": []}
    for method, exponent, net in (("elimination", 1.0, {}), ("cholesky", 2.0, other)):
        told = {"case_id": method, "match_id": method} | net
        rows["timings"].append(
            row("timings", operation="lyapunov_spectrum", method=f"{method}_every_4", run_s=1.0, **told)
        )
        rows["lyapunov"].append(row("lyapunov", index=1, exponent_nats_per_step=exponent, **told))
    store = folder_of(**rows)
    assert factorizations(store.read("lyapunov"), store.read("timings")).empty


@pytest.mark.parametrize(("other", "column"), [(OTHERS[0], "layers"), (OTHERS[1], "W_in")])
def test_compare_and_the_terminal_have_a_row_for_each_net(other, column, row, folder_of):
    nets = (("usual", {}), ("other", other))
    sides = [
        folder_of(
            side,
            decay=[row("decay", match_id=name, case_id=name, rate_nats_per_step=rate, **net) for name, net in nets],
            lyapunov=[
                row("lyapunov", match_id=name, case_id=name, index=1, exponent_nats_per_step=rate, **net)
                for name, net in nets
            ],
            task_accuracy=[
                row("task_accuracy", match_id=name, case_id=name, verdict=verdict, **net) for name, net in nets
            ],
        ).folder
        for side, rate, verdict in (("left", -0.1, "solved"), ("right", -0.2, "at_baseline"))
    ]  # fmt: skip
    shown = [rows for _, rows in titled_rows(compared(*sides)) if rows]
    assert len(shown) == 3
    for rows in shown:
        assert len(rows) == 2
        assert rows[0][column] != rows[1][column]
    for title, table in terminal.terminal_tables(sides[0]):
        if "cell" in table.columns:
            assert table[column].nunique(dropna=False) == 2, title


def test_compare_says_nothing_of_layers_where_all_have_one(row, folder_of):
    sides = [
        folder_of(side, decay=[row("decay", rate_nats_per_step=-0.1)]).folder for side in ("left", "right")
    ]
    assert not {"layers", "input_deviation"} & set(compared(*sides)["rates"].columns)
