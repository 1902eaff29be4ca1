import pandas as pd
import pytest
from matplotlib.figure import Figure

from bench.plots.real_uses import real_uses as picture
from bench.tables.real_uses import forecast_horizons, real_uses

DATA = {"task": "forecasting", "variant": "sunspots", "task_length": 22}
CELLS = ("elman_tanh", "gru")
NAIVE = {1: 40.0, 11: 50.0}


@pytest.fixture
def folder(folder_of, row):
    """Two cells and three seeds on one series: skills 0.1, 0.2, 0.6 of the first, 0.1 more of the second."""
    accuracy, scores = [], []
    for number, cell in enumerate(CELLS):
        for seed, skill in enumerate((0.1, 0.2, 0.6)):
            head = {"cell": cell, "seed": seed, "case_id": f"c{number}", "remedy": "clip_by_norm"}
            accuracy.append(
                row(
                    "task_accuracy",
                    **DATA,
                    **head,
                    data_regime="fixed",
                    sequence_length=22,
                    reach_before_steps=5.0,
                    reach_after_steps=8.0 + seed,
                    reach_after_censored=seed == 2,
                )
            )
            net = DATA | head | {"predictor": "net", "unit": "spots"}
            scores.append(
                row(
                    "held_out_scores", **net, quantity="skill", horizon_steps=None, score=skill + 0.1 * number
                )
            )
            scores += [
                row(
                    "held_out_scores",
                    **net,
                    quantity="root_mean_squared_error",
                    horizon_steps=h,
                    score=error * (1 - skill),
                )
                for h, error in NAIVE.items()
            ]
    plain = DATA | {
        "cell": None,
        "hidden_size": None,
        "seed": 0,
        "case_id": "d",
        "remedy": "",
        "unit": "spots",
    }
    for name, skill in (("seasonal_naive", 0.0), ("seasonal_naive_with_drift", 0.3), ("last_value", -2.0)):
        scores.append(
            row("held_out_scores", **plain, predictor=name, quantity="skill", horizon_steps=None, score=skill)
        )
    scores += [
        row(
            "held_out_scores",
            **plain,
            predictor="seasonal_naive",
            quantity="root_mean_squared_error",
            horizon_steps=h,
            score=error,
        )
        for h, error in NAIVE.items()
    ]
    context = [
        row("dependence", **DATA, case_id="d", context_steps=steps, reference_loss=loss)
        for steps, loss in ((0, 1.0), (1, 0.95), (5, 0.9), (11, 0.7), (22, 0.695))
    ]
    image = row("task_accuracy", task="sequential_mnist", data_regime="fixed", case_id="m", accuracy=0.5)
    fresh = row("task_accuracy", task="adding", data_regime="fresh", case_id="a")
    return folder_of(task_accuracy=[*accuracy, image, fresh], held_out_scores=scores, dependence=context)


def test_a_net_stands_beside_its_baseline_and_the_dependence_of_its_data(folder):
    table = real_uses(folder)
    assert table["task"].tolist() == ["forecasting", "forecasting", "sequential_mnist"]
    first, second, image = (table.iloc[number] for number in range(3))
    assert (first["cell"], first["seeds"], first["quantity"]) == ("elman_tanh", 3, "skill")
    assert (first["score"], first["score_least"], first["score_most"]) == pytest.approx((0.2, 0.1, 0.6))
    assert second["score"] == pytest.approx(0.3)
    assert (first["baseline"], first["baseline_score"]) == ("seasonal_naive", 0.0)
    assert (first["best_plain"], first["best_plain_score"]) == ("seasonal_naive_with_drift", 0.3)
    assert (first["dependence_steps"], first["dependence_censored"]) == (11, False)
    assert (first["reach_before_steps"], first["reach_after_steps"], first["reach_censored_seeds"]) == (
        5,
        9,
        1,
    )
    assert image["score"] == 0.5
    assert pd.isna(image["dependence_steps"])


def test_errors_by_horizon_stand_beside_the_seasonal_naive_one(folder):
    table = forecast_horizons(folder.read("held_out_scores"))
    net = table[table["predictor"] == "gru, clip_by_norm"].set_index("horizon_steps")
    assert net["seeds"].tolist() == [3, 3]
    assert net["error"].tolist() == pytest.approx([32, 40])
    assert (net.loc[11, "error_least"], net.loc[11, "error_most"]) == pytest.approx((20, 45))
    assert net["ratio"].tolist() == pytest.approx([0.8, 0.8])
    assert net["unit"].tolist() == ["spots", "spots"]
    naive = table[table["predictor"] == "seasonal_naive"]
    assert naive["ratio"].tolist() == [1, 1]


def test_the_picture_shows_each_series_and_every_reach(folder, folder_of, row):
    figure = picture(folder)
    assert isinstance(figure, Figure)
    errors, reaches = figure.axes
    naive = next(line for line in errors.lines if line.get_label() == "seasonal naive")
    assert naive.get_ydata().tolist() == list(NAIVE.values())
    (bar,) = [patch for patch in reaches.patches if patch.get_width() == 11]
    assert [label.get_text() for label in reaches.get_yticklabels()][
        round(bar.get_y() + 0.35)
    ] == "forecasting\nsunspots"
    assert picture(folder_of("other", task_accuracy=[row("task_accuracy")])) is None
