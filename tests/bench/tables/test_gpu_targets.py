"""Each figure from synthetic rows of a GPU; nothing from a CPU's, and nothing where there is none."""

import math

import pytest

from bench import tables
from bench.cli.terminal import terminal_tables
from bench.tables import gpu_targets

CHAIN = {"operation": "chain_at_known_states", "implementation": "rnn_jax", "cell": "elman_tanh"}
ENSEMBLE = {
    "operation": "ensemble", "implementation": "rnn_jax", "cell": "elman_tanh", "hidden_size": 128,
    "sequence_length": 400,
}  # fmt: skip
SPECTRUM = {"hidden_size": 4096, "sequence_length": 6000, "gain": 3.0}


@pytest.fixture
def of(row, folder_of):
    """`of(backend, kind=list of settings)`: the targets' measured values and verdicts by start of figure and dtype."""

    def make(backend="gpu", **settings):
        rows = {
            kind: [row(kind, **({"suite": "gpu", "backend": backend} | each)) for each in chosen]
            for kind, chosen in settings.items()
        }
        store = folder_of(**rows)
        assert "gpu_targets" in dict(tables.tables(store))
        table = gpu_targets.gpu_targets(store)
        return {(line.figure.split(":")[0], line.dtype): line for line in table.itertuples()}, table

    return make


def chains(blocked_s, **chosen):
    long = {"hidden_size": 64, "sequence_length": 100_000, "lag_count": 100_001}
    return [
        CHAIN | long | {"method": method, "run_s": run_s} | chosen
        for method, run_s in (("sequential", 2.0), ("blocked", blocked_s))
    ]


def test_without_rows_every_figure_is_empty_and_says_so(of):
    _, table = of(timings=[CHAIN | {"hidden_size": 8}])
    assert len(table) == 9
    assert set(table["verdict"]) == {"not measured"}
    assert table["measured"].isna().all()


@pytest.mark.parametrize(("hidden_size", "told"), [(8, False), (64, True)])
def test_the_terminal_tells_of_them_where_one_is_measured(hidden_size, told, row, folder_of):
    rows = chains(0.001, hidden_size=hidden_size)
    store = folder_of(timings=[row("timings", suite="gpu", backend="gpu", **each) for each in rows])
    assert ("What is to be reached on a GPU" in dict(terminal_tables(store.folder))) == told


def test_a_cpu_reaches_no_figure(of):
    _, table = of("cpu", timings=chains(0.001))
    assert set(table["verdict"]) == {"not measured"}


@pytest.mark.parametrize(("blocked_s", "verdict"), [(0.01, "met"), (0.02, "met"), (0.05, "missed")])
def test_the_long_chain(blocked_s, verdict, of):
    found, _ = of(timings=chains(blocked_s))
    line = found["chain at known states, T = 100,000, n = 64, every lag", "float32"]
    assert (line.measured, line.verdict) == (pytest.approx(2.0 / blocked_s), verdict)
    assert found["chain at known states, T = 100,000, n = 64, every lag", "float64"].verdict == "not measured"


@pytest.mark.parametrize(
    "change", [{"lag_count": 201}, {"hidden_size": 65}, {"cell": "gru"}, {"operation": "jacobian_chain"}]
)
def test_another_chain_does_not_count(change, of):
    found, _ = of(timings=chains(0.001, **change))
    assert found["chain at known states, T = 100,000, n = 64, every lag", "float32"].verdict == "not measured"


def test_the_share_is_the_better_methods_at_the_worse_size(of):
    ceiling = [
        {"quantity": "matrix_product", "run_s": 0.01, "flop": 1e9, "dtype": "float32", "size": 9},
        {"quantity": "copy", "run_s": 0.01, "bytes_moved": 1e9},
        {"quantity": "scan_iterations", "run_s": 0.01, "size": 10},
    ]
    large = {"sequence_length": 10_000, "flop": 1e9}
    found, _ = of(
        ceilings=ceiling,
        timings=[
            CHAIN | large | {"hidden_size": 512, "method": "sequential", "run_s": 0.1},
            CHAIN | large | {"hidden_size": 512, "method": "blocked", "run_s": 0.0125},
            CHAIN | large | {"hidden_size": 1024, "method": "sequential", "run_s": 0.016},
            CHAIN | large | {"hidden_size": 256, "method": "sequential", "run_s": 5.0},
        ],
    )
    line = found["chain at known states, n >= 512", "float32"]
    assert (line.measured, line.verdict) == (pytest.approx(0.625), "met")


def test_the_spectrum(of):
    exponents = [
        {
            "index": index,
            "exponent_nats_per_step": value,
            "logdet_residual_nats_per_step": 2e-4,
            "dtype": "float64",
        }
        for index, value in ((2, -9.0), (1, 0.3102 * 1.02))
    ]
    found, table = of(
        lyapunov=[SPECTRUM | each for each in exponents],
        timings=[
            SPECTRUM
            | {
                "operation": "lyapunov_spectrum",
                "implementation": "rnn_jax",
                "dtype": "float64",
                "run_s": 71.0,
            }
        ],
    )
    verdicts = table[table["dtype"] == "float64"].set_index("figure")["verdict"]
    assert found["spectrum, n = 4096, 6,000 steps", "float64"].measured == 71.0
    assert verdicts.filter(like="seconds").item() == "missed"
    assert verdicts.filter(like="largest exponent").item() == "missed"
    assert verdicts.filter(like="mean exponent").item() == "met"
    percent = table[(table["dtype"] == "float64") & table["figure"].str.contains("largest")][
        "measured"
    ].item()
    assert percent == pytest.approx(2.0)


def test_a_spectrum_without_a_residual_has_none(of):
    rows = [SPECTRUM | {"index": 1, "logdet_residual_nats_per_step": math.nan}]
    _, table = of(lyapunov=rows)
    assert table[table["figure"].str.contains("mean exponent")]["verdict"].unique() == ["not measured"]


@pytest.mark.parametrize(("all_s", "verdict"), [(0.3, "met"), (0.4, "missed")])
def test_the_ensemble(all_s, verdict, of):
    found, _ = of(
        timings=[
            ENSEMBLE | {"seed_count": count, "run_s": run_s}
            for count, run_s in ((1, 0.1), (8, 9), (64, all_s))
        ]
    )
    line = found["training 64 nets, adding T = 400, 128 units", "float32"]
    assert (line.measured, line.verdict) == (pytest.approx(10 * all_s), verdict)


def test_the_agreement_of_gpu_and_cpu_is_the_worst_lag_at_its_own_states(of):
    own = {"sequence_length": 10_000, "dtype": "float64", "states": "own"}
    found, _ = of(
        precision=[
            own | {"lag": 1, "log_norm_error_nats": 1e-12},
            own | {"lag": 10, "log_norm_error_nats": -2e-9},
            own | {"lag": 10, "log_norm_error_nats": 3.0, "states": "stored"},
            own | {"lag": 10, "log_norm_error_nats": 3.0, "matmul_precision": "tensorfloat32"},
            own | {"lag": 10, "log_norm_error_nats": 3.0, "sequence_length": 1000},
        ]
    )
    line = found["chain, T = 10,000", "float64"]
    assert (line.measured, line.verdict) == (2e-9, "missed")


@pytest.mark.parametrize(
    ("suite", "asked"), [("gpu", True), ("gpu-tiny", True), ("cpu", False), ("gpus", False)]
)
def test_only_the_suite_that_has_these_cases_gets_the_table(suite, asked, row, folder_of):
    assert gpu_targets.is_asked(folder_of(timings=[row("timings", suite=suite)])) == asked
