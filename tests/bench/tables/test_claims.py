"""Each claim's verdict on results that were made up to have it."""

import math

import pytest

from bench import plots, suite
from bench.tables.claims import claims

CLAIMS = {
    "product": "The chain dh_T/dh_t is the product",
    "bracketed": "Where they contract",
    "negligible": "Gradients of early steps",
    "growing": "Where they expand",
    "dated": "Updates then turn erratic",
    "plain": "The plain RNN fails",
    "clipping": "Clipping mends",
    "gating": "LSTM and GRU",
}


@pytest.fixture
def held(row, folder_of):
    """`held(claim, kind=[changes, ...])` is the verdict and the number of one claim on such rows."""

    def hold(claim, **tables):
        rows = {kind: [row(kind, **each) for each in changes] for kind, changes in tables.items()}
        told = claims(folder_of(**rows))
        (found,) = [each for each in told.itertuples() if each.claim.startswith(CLAIMS[claim])]
        return found.verdict, found.number

    return hold


def test_every_claim_of_an_empty_folder_is_not_measured_here(folder_of):
    told = claims(folder_of())
    assert len(told) == len(CLAIMS)
    assert set(told["verdict"]) == {"not measured here"}
    assert set(told["number"]) == {""}
    assert all(command.startswith("rnn-bench run cpu --only kind=") for command in told["command"])
    assert set(told["figure"]) == {""}
    assert set(told.columns) == {"claim", "verdict", "number", "figure", "command"}


def test_the_figures_that_claims_name_are_those_that_are_drawn(folder_of, row):
    store = folder_of(
        gradient_norms=[row("gradient_norms")],
        task_accuracy=[row("task_accuracy")],
        training_curves=[row("training_curves")],
    )
    drawn = {str(path.relative_to(store.folder)) for path in plots.draw(store)}
    assert set(claims(store)["figure"]) - {""} <= drawn


@pytest.mark.parametrize(
    ("suite", "told"),
    [
        ("quick", "rnn-bench run quick --only kind=exactness"),
        ("gpu-tiny", "rnn-bench run gpu --scale tiny --only kind=exactness"),
        ("gpu-first", "rnn-bench run gpu-first --only kind=exactness"),
        ("my-suite", "rnn-bench run my-suite.toml --only kind=exactness"),
        ("probe", "rnn-bench probe MODULE:FUNCTION"),
    ],
)
def test_the_commands_that_claims_name_are_of_the_folders_suite(suite, told, folder_of, row):
    held = claims(folder_of(exactness=[row("exactness", suite=suite)]))
    assert held[held["verdict"] != "not measured here"]["command"].tolist() == [told]


def test_every_claim_is_measured_by_the_cpu_suite(folder_of):
    kinds = {case.kind for case in suite.load("cpu").cases}
    for command in claims(folder_of())["command"]:
        assert command.rsplit("kind=", 1)[1] in kinds


# --- the chain is the product


@pytest.mark.parametrize(
    ("dtype", "errors", "verdict"),
    [
        ("float32", [1e-7, 9e-5], "holds"),
        ("float32", [1e-7, 2e-4], "does not hold"),
        ("float64", [1e-15, 1e-12], "holds"),
        ("float64", [1e-15, 1e-7], "does not hold"),
        ("float64", [0.0, math.inf], "does not hold"),
    ],
)
def test_product(dtype, errors, verdict, held):
    rows = [{"lag": 5 * (k + 1), "relative_error": error, "dtype": dtype} for k, error in enumerate(errors)]
    found, number = held("product", exactness=rows)
    assert found == verdict
    assert f"{max(errors):.1e}" in number
    assert "1 cells, lags to 10" in number
    assert dtype in number


def test_product_does_not_hold_where_the_distance_is_not_a_number(held):
    rows = [{"relative_error": 1e-8}, {"relative_error": math.nan, "seed": 1}]
    assert held("product", exactness=rows)[0] == "does not hold"


# --- decay


def net(rate, bound, stderr=0.01, **more):
    return {
        "rate_nats_per_step": rate,
        "rate_stderr_nats_per_step": stderr,
        "step_norm_bound_nats_per_step": bound,
    } | more


@pytest.mark.parametrize(
    ("nets", "verdict", "count"),
    [
        ([net(-0.5, -0.3), net(-0.2, -0.1, seed=1)], "holds", "2 of 2"),
        ([net(-0.29, -0.3)], "holds", "1 of 1"),  # within two standard errors
        ([net(-0.27, -0.3)], "does not hold", "0 of 1"),
        ([net(-0.5, -0.3), net(-0.1, -0.3, seed=1)], "in part", "1 of 2"),
        ([net(-0.5, -0.3), net(0.5, 0.3, seed=1)], "holds", "1 of 1"),  # the second one does not contract
        ([net(-0.5, -0.3, stderr=None)], "holds", "1 of 1"),
        ([net(0.5, 0.3)], "not measured here", ""),
        ([net(-0.5, -0.3, weights="trained")], "not measured here", ""),
        ([net(-0.5, -0.3, input_kind="adding")], "not measured here", ""),
    ],
)
def test_bracketed(nets, verdict, count, held):
    found, number = held("bracketed", decay=nets)
    assert found == verdict
    assert count in number


def test_bracketed_shows_the_plain_net_of_the_least_gain(held):
    _, number = held(
        "bracketed",
        decay=[
            net(-0.9, -0.8, gain=0.1, cell="lstm", case_id="a"),
            net(-0.5, -0.25, gain=0.8, case_id="b"),
            net(-0.7, -0.625, gain=0.5, case_id="c"),
        ],
    )
    assert "elman_tanh, gain 0.5: rate -0.700 ± 0.01 nats a step, bound -0.625" in number


def test_a_net_of_several_seeds_is_told_by_their_median(held):
    rates = {0: -0.9, 1: -0.5, 2: -0.4}
    nets = [net(rate, -0.3, seed=seed, case_id="c") for seed, rate in rates.items()]
    nets.append(net(-0.35, -0.3, gain=5.0, case_id="d"))
    _, number = held("bracketed", decay=nets)
    assert "median of 3 seeds: rate -0.500 (-0.900 to -0.400) nats a step, bound -0.300" in number


def share(beyond, **more):
    return {"regime": "vanishing", "share_beyond_half_length": beyond, "lag_of_half_update_steps": 7.0} | more


@pytest.mark.parametrize(
    ("nets", "verdict", "count"),
    [
        ([share(1e-3), share(1e-9, seed=1)], "holds", "2 of 2"),
        ([share(1e-3), share(0.5, seed=1)], "in part", "1 of 2"),
        ([share(0.5)], "does not hold", "0 of 1"),
        ([share(1e-3), share(0.5, seed=1, regime="stable")], "holds", "1 of 1"),
        ([share(1e-3, regime="stable")], "not measured here", ""),
    ],
)
def test_negligible(nets, verdict, count, held):
    norms = [{"lag": 100, "log10_loss_gradient_norm": -42.25}, {"lag": 0, "log10_loss_gradient_norm": 0.0}]
    found, number = held("negligible", decay=nets, gradient_norms=norms)
    assert found == verdict
    assert count in number
    if number:
        assert "half of the update comes from the last 7 of 100 steps" in number
        assert "dL/dh_0 is 1e-42" in number


def test_negligible_survives_a_gradient_of_exactly_zero(held):
    norms = [{"lag": 100, "log10_loss_gradient_norm": -math.inf}]
    found, number = held("negligible", decay=[share(0.0)], gradient_norms=norms)
    assert found == "holds"
    assert "nan" not in number


@pytest.mark.parametrize(
    ("nets", "verdict"),
    [
        ([{"regime": "exploding", "rate_nats_per_step": 0.2}], "holds"),
        ([{"regime": "exploding", "rate_nats_per_step": -0.2}], "does not hold"),
        (
            [
                {"regime": "exploding", "rate_nats_per_step": 0.2},
                {"regime": "exploding", "rate_nats_per_step": -0.1, "seed": 1},
            ],
            "in part",
        ),
        ([{"regime": "vanishing", "rate_nats_per_step": 0.2}], "not measured here"),
    ],
)
def test_growing(nets, verdict, held):
    norms = [{"lag": 100, "log10_spectral_norm": 33.0}, {"lag": 1, "log10_spectral_norm": 99.0}]
    found, number = held("growing", decay=nets, gradient_norms=norms)
    assert found == verdict
    if verdict == "holds":
        assert "0.200 nats a step, norm 1e33 at lag 100" in number


# --- training


def run(verdict, **more):
    return {"verdict": verdict} | more


def expanding(verdict, **more):
    return {"verdict": verdict, "gain": 1.5, "optimizer": "sgd"} | more


def nan_at(step, **more):
    return expanding(
        "diverged",
        first_nonfinite_step=step,
        first_nonfinite_quantity="gradient",
        largest_gradient_norm=1000.0,
        median_gradient_norm=2.0,
        **more,
    )


@pytest.mark.parametrize(
    ("runs", "verdict", "words"),
    [
        (
            [nan_at(31), nan_at(9, seed=1)],
            "holds",
            "2 of 2 seeds not finite, at training steps 9 (gradient), 31 (gradient)",
        ),
        ([nan_at(9), expanding("at_baseline", seed=1)], "in part", "1 of 2 seeds"),
        ([expanding("at_baseline")], "does not hold", "0 of 1 seeds"),
        ([nan_at(9, remedy="clip_by_norm", remedy_strength=1.0)], "not measured here", ""),
        ([nan_at(9) | {"gain": 1.0}], "not measured here", ""),
        ([nan_at(9) | {"optimizer": "adam"}], "not measured here", ""),
    ],
)
def test_dated(runs, verdict, words, held):
    found, number = held("dated", task_accuracy=runs)
    assert found == verdict
    assert words in number
    if verdict == "holds":
        assert "5.0e+02 x the median" in number


@pytest.mark.parametrize(
    ("runs", "verdict", "words"),
    [
        ([run("at_baseline"), run("diverged", seed=1)], "holds", "2 of 2 runs"),
        ([run("at_baseline"), run("solved", seed=1)], "in part", "at_baseline 1, solved 1"),
        ([run("solved")], "does not hold", "0 of 1 runs"),
        ([run("at_baseline"), run("solved", seed=1, task_length=99)], "holds", "1 of 1"),
        ([run("at_baseline"), run("solved", seed=1, cell="lstm")], "holds", "1 of 1"),
        ([run("at_baseline"), run("solved", seed=1, optimizer="sgd")], "holds", "1 of 1"),
        ([run("at_baseline", task_length=50)], "not measured here", ""),
        ([run("at_baseline", cell="gru")], "not measured here", ""),
    ],
)
def test_plain(runs, verdict, words, held):
    found, number = held("plain", task_accuracy=runs)
    assert found == verdict
    assert words in number


CLIPPED = {"remedy": "clip_by_norm", "remedy_strength": 1.0, "case_id": "clipped"}


@pytest.mark.parametrize(
    ("runs", "verdict", "words"),
    [
        (
            [nan_at(9), nan_at(5, seed=1), expanding("solved", **CLIPPED)],
            "holds",
            "without clipping 2 of 2 seeds; with clip_by_norm at gain 1.5, T = 100: 0 of 1",
        ),
        (
            [nan_at(9), expanding("solved", **CLIPPED), expanding("diverged", seed=1, **CLIPPED)],
            "in part",
            "T = 100: 1 of 2",
        ),
        ([nan_at(9), expanding("diverged", **CLIPPED)], "does not hold", "T = 100: 1 of 1"),
        ([nan_at(9)], "not measured here", ""),
        ([expanding("solved", **CLIPPED)], "not measured here", ""),
        # Clipped runs of another setting say nothing about this one.
        ([nan_at(9), expanding("solved", learning_rate=9.0, **CLIPPED)], "not measured here", ""),
        ([nan_at(9), expanding("solved", gain=9.0, **CLIPPED)], "not measured here", ""),
        ([nan_at(9), expanding("solved", **CLIPPED) | {"optimizer": "adam"}], "not measured here", ""),
    ],
)
def test_clipping(runs, verdict, words, held):
    found, number = held("clipping", task_accuracy=runs)
    assert found == verdict
    assert words in number


def test_clipping_mends_nothing_where_nothing_broke(held):
    runs = [expanding("solved"), expanding("solved", **CLIPPED)]
    assert held("clipping", task_accuracy=runs)[0] != "holds"


@pytest.mark.parametrize(
    ("gated", "verdict", "words"),
    [
        ([("lstm", "solved"), ("gru", "solved")], "holds", "gru 1 of 1; lstm 1 of 1; elman_tanh 0 of 1"),
        (
            [("lstm", "solved"), ("gru", "at_baseline"), ("gru", "solved")],
            "holds",
            "gru 1 of 2; lstm 1 of 1",
        ),
        ([("lstm", "solved"), ("gru", "at_baseline")], "in part", "gru 0 of 1"),
        ([("lstm", "at_baseline"), ("gru", "better_than_baseline")], "does not hold", "lstm 0 of 1"),
        ([], "not measured here", ""),
    ],
)
def test_gating(gated, verdict, words, held):
    runs = [run("at_baseline")] + [run(told, cell=cell, seed=seed) for seed, (cell, told) in enumerate(gated)]
    found, number = held("gating", task_accuracy=runs)
    assert found == verdict
    assert words in number


def test_gating_needs_the_plain_net_beside_it(held):
    assert held("gating", task_accuracy=[run("solved", cell="lstm")])[0] == "not measured here"


def test_gating_mends_nothing_where_the_plain_net_solves_as_much(held):
    runs = [run("solved"), run("solved", cell="lstm"), run("solved", cell="gru")]
    assert held("gating", task_accuracy=runs)[0] != "holds"
