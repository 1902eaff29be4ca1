"""Two folders side by side."""

import math

import pytest

from bench.comparing import two_folders as compare
from bench.errors import NothingInCommonError, UsageError
from bench.store import Store


@pytest.fixture
def pair(row, tmp_path, facts):
    """`pair(left tables, right tables)`: two folders; case_id differs, as between two dtypes."""

    def make(left, right):
        folders = []
        for name, tables in (("left", left), ("right", right)):
            store = Store(tmp_path / name)
            identity = facts["identity"] | ({"dtype": "float64"} if name == "right" else {})
            store.write_machine({"identity": identity, "volatile": {"command": name}})
            store.write(
                "c0",
                {kind: [row(kind, case_id=name, **each) for each in rows] for kind, rows in tables.items()},
            )
            store.collate()
            folders.append(store.folder)
        return folders

    return make


def times(samples, **more):
    return [{"run_s": run_s, "round": number, **more} for number, run_s in enumerate(samples)]


def test_times_are_ratios_of_medians_right_over_left(pair):
    left, right = pair(
        {"timings": times([1.0, 2.0, 90.0]) + times([8.0], implementation="bare_products")},
        {"timings": times([1.0, 0.5, 0.1]) + times([2.0], implementation="bare_products")},
    )
    told = compare.compared(left, right)["times"].set_index("implementation")
    assert told.loc["rnn_jax", "ratio"] == 0.25
    assert told.loc["bare_products", "ratio"] == 0.25
    assert (told.loc["rnn_jax", "run_s_left"], told.loc["rnn_jax", "run_s_right"]) == (2.0, 0.5)
    assert len(told) == 2


def test_exponents_are_differences_in_units_of_their_error(pair):
    def exponents(*values, stderr):
        return [
            {"seed": 0, "index": index, "exponent_nats_per_step": value, "stderr_nats_per_step": stderr}
            for index, value in enumerate(values, start=1)
        ]

    left, right = pair(
        {"lyapunov": exponents(0.2, -0.3, stderr=0.03)},
        {"lyapunov": exponents(0.3, -0.35, stderr=0.04)},
    )
    told = compare.compared(left, right)["exponents"].set_index("index")
    assert told["difference"].to_list() == pytest.approx([0.1, -0.05])
    assert told["difference_in_stderr"].to_list() == pytest.approx([2.0, -1.0])


def test_exact_exponents_have_no_units_to_differ_by(pair):
    exact = [{"index": 1, "stderr_nats_per_step": 0.0}]
    told = compare.compared(*pair({"lyapunov": exact}, {"lyapunov": exact}))["exponents"]
    assert told["difference"].to_list() == [0.0]
    assert math.isnan(told["difference_in_stderr"].iloc[0])


def test_rates_are_differences_in_units_of_their_error(pair):
    def rates(*values, stderr):
        return [
            {"seed": seed, "rate_nats_per_step": rate, "rate_stderr_nats_per_step": stderr}
            for seed, rate in enumerate(values)
        ]

    left, right = pair(
        {"decay": rates(-0.5, -0.3, stderr=0.03)},
        {"decay": rates(-0.4, -0.35, stderr=0.04)},
    )
    told = compare.compared(left, right)["rates"]
    assert told["seed"].tolist() == [0, 1]
    assert told["difference"].tolist() == pytest.approx([0.1, -0.05])
    assert told["difference_in_stderr"].tolist() == pytest.approx([2.0, -1.0])
    assert told["same_regime"].tolist() == [True, True]


def test_equal_rates_do_not_differ_though_they_are_infinite_or_exact(pair):
    def rates(*values):
        return [
            {"seed": seed, "rate_nats_per_step": rate, "rate_stderr_nats_per_step": error}
            for seed, (rate, error) in enumerate(values)
        ]

    left, right = pair(
        {"decay": rates((-math.inf, None), (-0.5, 0.0), (-0.5, 0.0))},
        {"decay": rates((-math.inf, None), (-0.5, 0.0), (-0.4, 0.0))},
    )
    told = compare.compared(left, right)["rates"]
    assert told["difference"].tolist() == pytest.approx([0.0, 0.0, 0.1])
    assert told["difference_in_stderr"].isna().all()


def test_rates_of_initial_and_trained_nets_are_not_mixed(pair):
    def both(initial, trained):
        return {
            "decay": [
                {"weights": "initial", "rate_nats_per_step": initial},
                {"weights": "trained", "rate_nats_per_step": trained, "regime": "stable"},
            ]
        }

    left, right = pair(both(-1.0, -0.1), both(-1.0, -0.2))
    told = compare.compared(left, right)["rates"].set_index("weights")["difference"]
    assert told.to_dict() == pytest.approx({"initial": 0.0, "trained": -0.1})


def test_an_unknown_error_does_not_hide_a_difference(pair):
    def rate(value):
        return {"decay": [{"rate_nats_per_step": value, "rate_stderr_nats_per_step": None}]}

    told = compare.compared(*pair(rate(-1.0), rate(-2.0)))["rates"]
    assert told["difference"].tolist() == [-1.0]
    assert math.isnan(told["difference_in_stderr"].iloc[0])


def test_a_regime_that_differs_is_told(pair):
    left, right = pair({"decay": [{"regime": "vanishing"}]}, {"decay": [{"regime": "stable"}]})
    assert compare.compared(left, right)["rates"]["same_regime"].tolist() == [False]


def test_verdicts_are_compared_seed_by_seed(pair):
    def runs(*verdicts):
        return {
            "task_accuracy": [{"seed": seed, "verdict": verdict} for seed, verdict in enumerate(verdicts)]
        }

    left, right = pair(runs("solved", "solved", "diverged"), runs("solved", "diverged", "solved"))
    told = compare.compared(left, right)["verdicts"]
    assert told["same_verdict"].tolist() == [True, False, False]
    assert told["verdict_left"].tolist() == ["solved", "solved", "diverged"]
    assert told["verdict_right"].tolist() == ["solved", "diverged", "solved"]


@pytest.mark.parametrize("swapped", [False, True])
def test_a_seed_that_two_cases_hold_is_compared_once(swapped, row, folder_of):
    kinds = ("decay", "task_accuracy", "lyapunov", "precision")
    three = {kind: [row(kind, case_id="of three", seed=seed) for seed in range(3)] for kind in kinds}
    one = {kind: [row(kind, case_id="of one", match_id="m1")] for kind in kinds}
    both = folder_of("both", **{kind: three[kind] + one[kind] for kind in kinds}).folder
    told = compare.compared(both, both)
    assert {name: len(table) for name, table in told.items()} == dict.fromkeys(told, 3)
    assert set(told) == {"rates", "verdicts", "exponents", "precision"}
    for rows, seeds in ((three, [0, 1, 2]), (one, [0])):
        sides = both, folder_of(f"other of {len(seeds)}", **rows).folder
        told = compare.compared(*(sides[::-1] if swapped else sides))
        assert told["rates"]["seed"].tolist() == told["verdicts"]["seed"].tolist() == seeds


def test_only_what_both_hold_is_joined(pair):
    left, right = pair(
        {
            "decay": [{"match_id": "a"}, {"match_id": "b"}],
            "timings": times([1.0], match_id="only left"),
            "task_accuracy": [{}],
        },
        {
            "decay": [{"match_id": "b"}, {"match_id": "c"}, {"match_id": "b", "seed": 7}],
            "timings": times([1.0], match_id="only right"),
        },
    )
    joined = compare.compared(left, right)
    assert set(joined) == {"rates"}
    assert len(joined["rates"]) == 1


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({"decay": [{"match_id": "a"}]}, {"decay": [{"match_id": "b"}]}),
        ({"decay": [{}]}, {"timings": [{}]}),
        ({"decay": [{"seed": 0}]}, {"decay": [{"seed": 1}]}),
        ({}, {"decay": [{}]}),
    ],
    ids=["other cases", "other kinds", "other seeds", "an empty folder"],
)
def test_nothing_in_common_is_told(left, right, pair):
    with pytest.raises(UsageError, match=r"left and .*right have no case in common"):
        compare.compared(*pair(left, right))


def test_a_folder_that_is_none_is_told(pair, tmp_path):
    left, _ = pair({"decay": [{}]}, {"decay": [{}]})
    for folders in ((left, tmp_path / "nowhere"), (tmp_path / "nowhere", left)):
        with pytest.raises(UsageError, match="nowhere is not a folder"):
            compare.compared(*folders)


def test_what_differs_between_the_machines_is_listed(pair):
    left, right = pair({"decay": [{}]}, {"decay": [{}]})
    assert compare.unlike(left, right) == ["dtype: 'float32' and 'float64'"]
    assert compare.unlike(left, left) == []


def test_folders_of_several_dtypes_are_compared_dtype_by_dtype(pair):
    left, right = pair(
        {"timings": times([1.0], dtype="float32") + times([10.0], dtype="float64")},
        {"timings": times([2.0], dtype="float32") + times([5.0], dtype="float64")},
    )
    assert sorted(compare.compared(left, right)["times"]["ratio"]) == [0.5, 2.0]


def test_ceilings_are_ratios_of_the_best_right_over_left(pair):
    def ceilings(seconds):
        common = {"size": 100, "flop": 2e9, "bytes_moved": 4e9}
        return [
            common | {"quantity": quantity, "round": number, "run_s": run_s}
            for quantity in ("matrix_product", "copy", "scan_iterations")
            for number, run_s in enumerate([9 * seconds, seconds])
        ]

    for made in (ceilings(1.0), ceilings(0.5)):
        for each in made:
            each["dtype"] = "float32"
    told = compare.compared(*pair({"ceilings": ceilings(1.0)}, {"ceilings": ceilings(0.5)}))["ceilings"]
    told = told.set_index("ceiling")
    assert told.loc["matrix_product", ["value_left", "value_right", "ratio"]].tolist() == [2.0, 4.0, 2.0]
    assert told.loc["copy", "ratio"] == 2.0
    assert told.loc["scan_iteration", "ratio"] == 0.5


def test_ceilings_of_another_case_are_none_in_common(pair):
    rows = [{"quantity": each, "run_s": 1.0} for each in ("matrix_product", "copy", "scan_iterations")]
    others = [each | {"match_id": "another"} for each in rows]
    with pytest.raises(NothingInCommonError):
        compare.compared(*pair({"ceilings": rows}, {"ceilings": others}))


def test_precision_is_compared_at_the_longest_lag_in_the_same_arithmetic(pair):
    def precision(error, lags=(1, 50)):
        return [
            {
                "dtype": dtype,
                "matmul_precision": "highest",
                "states": "stored",
                "lag": lag,
                "log_norm_error_nats": error * lag * scale,
            }
            for dtype, scale in (("float32", 1e-6), ("float64", 1e-14))
            for lag in lags
        ]

    left, right = precision(1.0, lags=(1, 50, 99)), precision(-2.0)  # one lag is of the left folder alone
    told = compare.compared(*pair({"precision": left}, {"precision": right}))["precision"]
    assert told["lag"].tolist() == [50, 50]
    told = told.set_index("dtype")["difference_nats"]
    assert told.to_dict() == pytest.approx({"float32": -150e-6, "float64": -150e-14})
