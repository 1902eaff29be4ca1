"""Which remedies save an exploding net, in runs made up."""

import math

import pytest

from bench.tables.explosion_remedies import explosion_remedies


@pytest.fixture
def table(row, folder_of):
    """`table(remedy=[step that was not finite or None, one a seed])`."""

    def make(*, also=(), **steps):
        runs, norms = [], []
        for remedy, of_seeds in steps.items():
            strength = None if remedy == "none" else 1.0
            told = {"case_id": remedy, "remedy": remedy, "remedy_strength": strength}
            for seed, step in enumerate(of_seeds):
                finite = step is None
                runs.append(
                    row(
                        "task_accuracy", seed=seed, optimizer="sgd", gain=1.5, first_nonfinite_step=step,
                        first_nonfinite_quantity="" if finite else "gradient", baseline_loss=2.0,
                        loss=1.0 + seed if finite else None,
                        verdict=("better_than_baseline" if seed == 0 else "at_baseline") if finite else "diverged",
                        **told,
                    )
                )  # fmt: skip
                norms += [
                    row(
                        "explosions",
                        seed=seed,
                        rank=rank,
                        lag=lag,
                        log10_spectral_norm=lag + 0.5 * rank - seed,
                        **told,
                    )
                    for rank in (0, 1)
                    for lag in (0, 10, 5)
                    if not finite
                ]
        store = folder_of(task_accuracy=[*runs, *also], explosions=norms)
        found = explosion_remedies(store.read("task_accuracy"), store.read("explosions"))
        return found.set_index("remedy") if len(found) else found

    return make


def test_a_remedy_saves_all_seeds_some_or_none(table):
    told = table(none=[21, 34, 23], leaky=[None, 7, None], clip_by_norm=[None] * 3, skip=[1, 1, 1])
    assert told.index.tolist() == ["none", "clip_by_norm", "leaky", "skip"]
    assert told["verdict"].tolist() == ["not saved", "saved", "saved in part", "not saved"]
    assert told["saved"].tolist() == [0, 3, 2, 0]
    assert told["learnt"].tolist() == [0, 1, 1, 0]
    leaky = told.loc["leaky"]
    assert leaky["nonfinite"] == 1
    assert leaky["first_nonfinite_steps"] == "- 7 -"
    assert leaky["first_nonfinite_quantities"] == "- gradient -"
    assert leaky["log10_largest_chain_norms"] == "- 9.5 -", "over lags and sequences, of that seed"
    assert told.loc["clip_by_norm", "loss_over_baseline"] == pytest.approx(1.0)
    assert leaky["loss_over_baseline"] == pytest.approx(1.5), "the one that diverged is the worst of three"
    assert math.isnan(told.loc["none", "loss_over_baseline"])


def test_a_loss_far_over_the_baseline_is_not_saved_though_finite(table, row):
    far = row("task_accuracy", case_id="far", remedy="clip_by_value", remedy_strength=1.0, optimizer="sgd", gain=1.5,
              verdict="diverged", loss=None)  # fmt: skip
    told = table(none=[3], leaky=[None], also=[far])
    assert told.loc["clip_by_value", ["verdict", "nonfinite"]].tolist() == ["not saved", 0]


def test_the_identity_at_lag_0_is_no_chain(table, row, folder_of):
    run = {"optimizer": "sgd", "first_nonfinite_step": 2, "verdict": "diverged", "loss": None}
    runs = [
        row("task_accuracy", case_id=remedy, remedy=remedy, **run) for remedy in ("none", "leaky", "skip")
    ]
    norms = [
        row("explosions", case_id="none", lag=lag, log10_spectral_norm=norm)
        for lag, norm in ((0, 0.0), (1, -math.inf))
    ] + [row("explosions", case_id="leaky", lag=1, log10_spectral_norm=-0.04)]
    store = folder_of("saturated", task_accuracy=runs, explosions=norms)
    told = explosion_remedies(store.read("task_accuracy"), store.read("explosions"))
    assert told["log10_largest_chain_norms"].tolist() == ["-inf", "0.0", "-"]


@pytest.mark.parametrize(
    "steps",
    [
        {"none": [3], "leaky": [None]},
        {"none": [None], "leaky": [3], "skip": [None]},
        {"leaky": [3], "skip": [None]},
    ],
    ids=["one remedy", "nothing explodes", "no plain run"],
)
def test_where_there_is_nothing_to_compare_there_is_no_row(steps, table):
    assert table(**steps).empty


def test_another_step_size_is_another_net(table, row):
    other = row(
        "task_accuracy", case_id="other", remedy="layer_norm", optimizer="sgd", gain=1.5, learning_rate=9.0
    )
    assert "layer_norm" not in table(none=[3], leaky=[None], skip=[None], also=[other]).index
