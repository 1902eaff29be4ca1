"""Does reach predict success: tables of runs in which it does, and of runs in which it only seems to."""

import numpy as np
import pandas as pd
import pytest

from bench.tables.reach_answer import reach_answers
from bench.tables.reach_question import reach_predicts


@pytest.fixture
def frame(row):
    """`frame(cases)`: task_accuracy of cases given as dicts, whose lists hold one value a seed."""

    def make(cases):
        rows = []
        for number, case in enumerate(cases):
            seeds = max(len(value) for value in case.values() if isinstance(value, list))
            for seed in range(seeds):
                own = {
                    name: value[seed] if isinstance(value, list) else value for name, value in case.items()
                }
                told = {"case_id": f"c{number:02d}", "remedy_strength": float(number)} | own
                rows.append(row("task_accuracy", seed=seed, remedy="leaky", baseline_loss=1.0, **told))
        frame = pd.DataFrame(rows)
        numbers = [name for name in frame if "_nats_per_step" in name or name.endswith("_steps")]
        return frame.astype(dict.fromkeys([*numbers, "loss"], "float64"))

    return make


def case(reach, better, cell="gru", length=100, **more):
    """Two seeds that do better than the constant guess, or do not; further reach is a little less loss."""
    return {
        "cell": cell, "task_length": length, "sequence_length": length, "reach_before_steps": [reach, reach + 1.0],
        "reach_after_steps": 100.0, "verdict": "better_than_baseline" if better else "at_baseline",
        "loss": [0.4 - reach / 1000 if better else 1.0] * 2,
    } | more  # fmt: skip


def found(table, cell="all", predictor="reach_share", when="before", task="all"):
    (told,) = table[
        (table["cell"] == cell)
        & (table["task"] == task)
        & (table["predictor"] == predictor)
        & (table["when"] == when)
    ].to_dict("records")
    return told


def test_reach_that_tells_success_apart_has_area_one(frame):
    table = reach_predicts(frame([case(2.0 * n, n >= 12) for n in range(24)]))
    told = found(table)
    assert (told["runs"], told["cases"], told["distinct_values"], told["better"]) == (48, 24, 48, 24)
    assert [told[f"auc_better{part}"] for part in ("", "_low", "_high")] == [1, 1, 1]
    assert told["auc_better_matched"] == 1
    assert np.isnan(told["auc_solved"]), "nothing is solved"
    assert told["spearman"] > 0.8
    assert found(table, when="after")["auc_better"] == 0.5, "the same reach in all"
    answers = reach_answers(table).set_index("question")["answer"].tolist()
    assert answers == ["yes", "not shown"]
    assert set(table["cell"]) == {"all"}, "one cell is no group of its own"


def test_reach_that_only_tells_cells_apart_is_found_out(frame):
    # GRUs reach further and learn more often; among nets of one cell reach is drawn from the same few values.
    cases = [
        case(
            50.0 * (cell == "gru") + 5 * (n // 6 % 2),
            n % 6 < (5 if cell == "gru" else 1),
            cell,
            rate_before_nats_per_step=-0.01 * n,  # no two of them the same net
        )
        for cell in ("gru", "lstm")
        for n in range(30)
    ]
    table = reach_predicts(frame(cases))
    told = found(table)
    assert told["auc_better_low"] > 0.5
    assert told["auc_better_matched_low"] < 0.5 < told["auc_better_matched_high"]
    assert reach_answers(table)["answer"][0] == "over all, not within a setting"
    for cell in ("gru", "lstm"):
        assert found(table, cell=cell)["auc_better"] == found(table, cell=cell)["auc_better_matched"]
        assert cell in reach_answers(table)["figures"][0]


def test_reach_is_a_share_of_the_sequence_and_length_stands_beside_it(frame):
    # Reach in steps is further in the nets that fail, as a share it is less.
    cases = [case(30.0 + n, True, length=40) for n in range(10)]
    cases += [case(60.0 + n, False, length=400) for n in range(10)]
    table = reach_predicts(frame(cases))
    assert found(table)["auc_better"] == 1
    assert found(table, predictor="shortness", when="")["auc_better"] == 1
    assert np.isnan(found(table)["auc_better_matched"]), "no length has both"


def test_a_run_that_diverged_ranks_below_all_others(frame):
    bad = [case(0.0, False, verdict="diverged", loss=[np.nan] * 2) for _ in range(10)]
    worse = [case(50.0, False, loss=[9.0] * 2) for _ in range(10)]
    table = reach_predicts(frame([*bad, *worse, *(case(90.0, True) for _ in range(10))]))
    assert found(table)["spearman"] > 0.95


def test_distance_from_0_is_what_near_0_ranks_by(frame):
    rates = [-0.5, 0.5, -0.4, 0.4]
    cases = [case(5.0, False, rate_before_nats_per_step=rates[n % 4]) for n in range(12)]
    cases += [case(5.0, True, rate_before_nats_per_step=0.01) for n in range(12)]
    table = reach_predicts(frame(cases))
    assert found(table, predictor="rate_near_0")["auc_better"] == 1
    assert found(table, predictor="rate")["auc_better"] == 0.5


def test_files_without_exponents_have_no_row_of_them(frame):
    runs = frame([case(2.0 * n, n >= 12) for n in range(24)])
    runs.loc[:, [name for name in runs if "exponent" in name]] = np.nan
    assert set(reach_predicts(runs)["predictor"]) == {"reach_share", "rate", "rate_near_0", "shortness"}


def test_cases_that_share_their_initial_nets_are_one_observation_before_training(frame):
    """Of thirty remedies that leave the net as it is, all learn or none does: five nets, not thirty."""
    cases = [
        case(10.0 * net, net % 2 == 0, rate_before_nats_per_step=-0.1 * net, length=100 + net)
        for net in range(12)
        for _ in range(5)
    ]
    alone = [
        case(10.0 * net, net % 2 == 0, length=100 + net, rate_before_nats_per_step=-0.1 * net)
        for net in range(12)
    ]
    shared, single = (found(reach_predicts(frame(each))) for each in (cases, [*alone, *alone]))
    assert (shared["cases"], single["cases"]) == (60, 24)
    for part in ("", "_low", "_high"):
        assert shared[f"auc_better{part}"] == single[f"auc_better{part}"]
    after = found(
        reach_predicts(frame([each | {"reach_after_steps": 10.0 * n} for n, each in enumerate(cases)])),
        when="after",
    )
    assert (
        after["auc_better_high"] - after["auc_better_low"]
        < shared["auc_better_high"] - shared["auc_better_low"]
    )


@pytest.mark.parametrize(
    ("count", "better"), [(19, 9), (24, 4), (24, 20)], ids=["few cases", "few learn", "few do not"]
)
def test_the_question_is_not_asked_of_few_runs(count, better, frame):
    runs = frame([case(2.0 * n, n < better) for n in range(count)])
    assert reach_predicts(runs.assign(optimizer="sgd")).empty
    table = reach_predicts(runs)
    assert table.empty
    assert reach_answers(table).empty


def test_a_class_of_four_cases_has_no_interval(frame):
    cases = [case(2.0 * n, n >= 12, verdict="solved" if n >= 20 else "at_baseline") for n in range(24)]
    cases += [case(2.0 * n, True) for n in range(6)]
    told = found(reach_predicts(frame(cases)))
    assert told["solved"] == 8
    assert told["auc_solved"] == 1
    assert np.isnan(told["auc_solved_low"])
    assert told["auc_better_low"] == told["auc_better_low"]


def test_the_table_is_the_same_at_every_call_and_in_any_order_of_rows(frame):
    runs = frame([case(float(7 * n % 24), n % 3 == 0, ("gru", "lstm")[n % 2]) for n in range(36)])
    first = reach_predicts(runs).to_csv(float_format="%.17g")
    assert reach_predicts(runs).to_csv(float_format="%.17g") == first
    assert reach_predicts(runs.sample(frac=1, random_state=0)).to_csv(float_format="%.17g") == first
