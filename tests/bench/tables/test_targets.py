"""Published results: the file, the suites that repeat them, the rules, and the table beside ours."""

import csv
import json

import pandas as pd
import pytest

from bench import suite, tables
from bench.cli.targets import targets as print_targets
from bench.errors import UsageError
from bench.tables.target_rules import judged
from bench.tables.target_table import AGREES, DIFFERS, NOT_RUN, counts, settings_that_differ, target_table
from bench.targets import TARGETS, checked_target, targets

SUITES = {"cpu": "targets-cpu", "cpu_long": "targets-cpu-long", "gpu": "targets-gpu"}
LSTM = "urnn-adding-100-lstm"
CHRONO = "chrono-adding-750"
LEM = "lem-adding-2000-first-below-0.05"


@pytest.fixture
def run_of(row):
    """`run_of(target_id, verdicts, **columns)`: rows of one case that repeats a target, a seed each; a list has a value a seed."""

    def make(target_id, verdicts, **chosen):
        target = targets()[target_id]
        settings = {
            "target_id": target_id,
            "task": target["task"],
            "variant": target["variant"],
            "task_length": int(target["sequence_length"]),
            "cell": target["cell"],
            "case_id": target_id,
            "step_budget": 1000,
            "steps_run": 1000,
            "steps_to_solve": None,
        }
        columns = settings | chosen
        return [
            row(
                "task_accuracy",
                **{name: each[seed] if isinstance(each, list) else each for name, each in columns.items()},
                seed=seed,
                verdict=verdict,
            )
            for seed, verdict in enumerate(verdicts)
        ]

    return make


def verdict_of(target_id, rows, beside=None, evaluations=None, **other):
    frames = [None if each is None else pd.DataFrame(each) for each in (rows, beside, evaluations)]
    return judged(dict(targets()[target_id]) | other, *frames)


# --- the file and the suites


def test_the_file_has_a_row_for_each_id_and_every_cell_filled_that_a_row_needs():
    with TARGETS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(targets()) == 66
    for row in rows:
        assert None not in row, f"{row['target_id']}: more values than columns"
        assert None not in row.values(), f"{row['target_id']}: fewer values than columns"
        for name in ("source", "task", "variant", "cell", "metric", "tier"):
            assert row[name], (row["target_id"], name)
        assert row["tier"] in {*SUITES, "reference"}
        assert bool(row["published_relation"]) == bool(row["published_value"])
        assert row["published_relation"] or row["published_verdict"]


def test_an_agreement_by_not_learning_in_fewer_steps_has_a_remark(run_of, folder_of):
    weak = [name for name, target in targets().items() if "weak evidence" in target["remark"]]
    for name in weak:
        assert (targets()[name]["published_verdict"], targets()[name]["published_relation"]) in (
            ("at_baseline", ""), ("", "<"),
        )  # fmt: skip
    assert "urnn-copy-100-elman" in weak
    name = "urnn-adding-200-elman"
    for verdict, budget, told in (
        ("at_baseline", 1500, targets()[name]["remark"]),
        ("at_baseline", 10, "Agrees by not learning in 10 steps."),
        ("solved", 1500, ""),
    ):
        rows = run_of(name, [verdict] * 3, step_budget=budget)
        table = target_table([folder_of(task_accuracy=rows)], only_run=True)
        assert table["remark"].tolist() == [told]
        assert table["shortened"].tolist() == [targets()[name]["shortened"] if budget == 1500 else "10 steps"]


@pytest.mark.parametrize("tier", SUITES)
def test_what_is_said_to_be_shortened_is_what_the_suite_shortens(tier):
    for case in suite.load(SUITES[tier]).cases:
        told = targets()[case["target"]]["shortened"]
        assert not told or told.startswith(f"{case['step_budget']:,} steps"), (case["target"], told)


def test_what_is_known_of_a_deep_net_is_not_said_of_one_of_one_layer(run_of, folder_of):
    name = "indrnn-adding-100-indrnn"
    for layers, told in ((2, targets()[name]["remark"]), (1, "")):
        rows = run_of(name, ["solved"] * 3, step_budget=12_000, layers=layers)
        table = target_table([folder_of(str(layers), task_accuracy=rows)], only_run=True)
        assert table["remark"].tolist() == [told]
        assert ("layers 1, there 2" in table["settings_that_differ"].iloc[0]) == (layers == 1)


@pytest.mark.parametrize("tier", SUITES)
def test_every_row_is_repeated_by_the_suite_of_its_tier_in_its_own_setting(tier):
    of_tier = {name: target for name, target in targets().items() if target["tier"] == tier}
    named = {case["target"]: case for case in suite.load(SUITES[tier]).cases}
    assert set(named) == set(of_tier)
    for name, case in named.items():
        target = targets()[name]
        assert (case["task"], case["variant"], case["cell"]) == (
            target["task"], target["variant"], target["cell"],
        )  # fmt: skip
        assert case["task_length"] == int(target["sequence_length"])
        assert len(case.seeds) >= 3
        for theirs, ours in (
            ("hidden_size", case["hidden_size"]),
            ("batch_size", case["batch_size"]),
            ("learning_rate", case["learning_rate"]),
        ):
            assert target[theirs] in ("", None) or float(target[theirs]) == ours, (name, theirs)
        assert target["optimizer"] in ("", case["optimizer"]), name
        assert target["shortened"].startswith(f"{case['step_budget']:,} steps"), name


@pytest.mark.parametrize("name", ["chrono-adding-200", "chrono-adding-750", "chrono-copy-500"])
def test_a_row_that_compares_two_is_run_in_both_ways(name):
    cases = suite.load(SUITES[targets()[name]["tier"]]).cases
    remedies = [case["remedy"] for case in cases if case["target"] == name]
    assert remedies == ["chrono_initialization", "none"]


def test_a_suite_that_names_no_target_of_the_file_is_refused(loaded):
    text = '[[task_accuracy]]\ncell = "lstm"\ntask = "adding"\ntask_length = 20\ntarget = "{}"\n'
    assert loaded(text.format(LSTM)).cases[0]["target"] == LSTM
    with pytest.raises(UsageError, match="got 'urnn-adding-100-lstn'; did you mean 'urnn-adding-100-lstm'"):
        loaded(text.format("urnn-adding-100-lstn"))
    with pytest.raises(ValueError, match="`rnn-bench targets` lists them"):
        checked_target("?")


# --- the rules


@pytest.mark.parametrize(
    ("published", "seeds", "agrees"),
    [
        ("solved", ["solved", "solved", "at_baseline"], True),
        ("solved", ["solved", "better_than_baseline", "better_than_baseline"], False),
        ("solved", ["solved", "at_baseline"], False),
        ("above_baseline", ["solved", "better_than_baseline", "at_baseline"], True),
        ("above_baseline", ["better_than_baseline", "at_baseline", "at_baseline"], False),
        ("at_baseline", ["at_baseline", "at_baseline", "solved"], True),
        ("at_baseline", ["better_than_baseline", "at_baseline", "diverged"], False),
        ("diverged", ["diverged", "diverged", "at_baseline"], True),
        ("diverged", ["at_baseline", "at_baseline", "diverged"], False),
    ],
)
def test_a_published_verdict_needs_most_seeds(published, seeds, agrees, run_of):
    judgement = verdict_of(LSTM, run_of(LSTM, seeds, loss=[0.1] * len(seeds)), published_verdict=published)
    assert judgement.agrees is agrees
    assert judgement.rule.startswith("most seeds ")


@pytest.mark.parametrize(
    ("relation", "losses", "agrees"),
    [
        ("=", [0.9, 0.21, 0.01], True),
        ("=", [0.219, 0.219, 0.219], True),
        ("=", [0.221, 0.221, 0.221], False),
        ("=", [0.181, 0.181, 0.181], True),
        ("=", [0.179, 0.179, 0.179], False),
        ("<", [None, None, 0.1], False),  # two diverged
        ("<", [0.19, 0.1, 0.9], True),
        ("<", [0.2, 0.2, 0.1], False),
    ],
)
def test_a_published_loss_is_met_by_the_median(relation, losses, agrees, run_of):
    rows = run_of(LSTM, ["at_baseline"] * 3, loss=losses)
    judgement = verdict_of(
        LSTM, rows, published_relation=relation, published_value="0.2", published_verdict="at_baseline"
    )
    assert judgement.agrees is agrees


@pytest.mark.parametrize(("verdicts", "agrees"), [(["solved"] * 3, True), (["at_baseline"] * 3, False)])
def test_a_published_loss_of_a_solved_task_needs_it_solved(verdicts, agrees, run_of):
    rows = run_of("tcn-adding-600-gru", verdicts, loss=[9e-4] * 3)
    assert verdict_of("tcn-adding-600-gru", rows).agrees is agrees


@pytest.mark.parametrize(("accuracies", "agrees"), [([0.3, 0.19, 0.1], True), ([0.3, 0.2, 0.1], False)])
def test_a_bound_on_recall_is_held_against_the_accuracy(accuracies, agrees, run_of):
    rows = run_of("tcn-recall-lstm", ["better_than_baseline"] * 3, accuracy=accuracies, loss=[9.0] * 3)
    assert verdict_of("tcn-recall-lstm", rows).agrees is agrees


@pytest.mark.parametrize(("solved", "share", "agrees"), [(3, 1.0, True), (2, 2 / 3, False)])
def test_a_success_rate_is_the_share_of_seeds_that_solved(solved, share, agrees, run_of):
    rows = run_of("pascanu-temporal-order-50", ["solved"] * solved + ["at_baseline"] * (3 - solved))
    judgement = verdict_of("pascanu-temporal-order-50", rows)
    assert judgement.measured == pytest.approx((share,))
    assert judgement.agrees is agrees


@pytest.mark.parametrize(
    ("first", "agrees"), [([900, 900, 5000], True), ([3600, 3600, 3600], True), ([3700, 3700, 100], False)]
)
def test_the_first_step_under_a_bound_is_within_a_factor_of_two(first, agrees, run_of):
    assert targets()[LEM]["published_value"] == "1800"
    evaluations = [
        {"seed": seed, "step": step, "loss": loss}
        for seed, under in enumerate(first)
        for step, loss in ((50, 0.05), (under, 0.049), (under + 100, 0.01))
    ]
    judgement = verdict_of(LEM, run_of(LEM, ["solved"] * 3), evaluations=evaluations)
    assert judgement.measured == tuple(first)
    assert judgement.agrees is agrees
    never = [dict(each, loss=0.5) for each in evaluations]
    assert (
        verdict_of(LEM, run_of(LEM, ["at_baseline"] * 3), evaluations=never).measured == (float("inf"),) * 3
    )
    assert verdict_of(LEM, run_of(LEM, ["solved"] * 3)) is None


@pytest.mark.parametrize(
    ("slow", "fast", "ratios", "agrees"),
    [
        ([7000, 3500, 700], [1000, 1000, 100], (7, 3.5, 7), True),
        ([None, None, None], [100, 100, 100], (10, 10, 10), True),  # at least: it ran 1000 steps
        ([3000, 3000, 3000], [1000, 1000, 1000], (3, 3, 3), False),
        ([700, 700, 700], [None, None, 100], (0, 0, 7), False),
    ],
)
def test_a_ratio_of_steps_compares_two_cases_seed_by_seed(slow, fast, ratios, agrees, run_of):
    faster, slower = (run_of(CHRONO, ["solved"] * 3, steps_to_solve=steps) for steps in (fast, slow))
    judgement = verdict_of(CHRONO, faster, slower)
    assert judgement.measured == pytest.approx(ratios)
    assert judgement.agrees is agrees
    assert verdict_of(CHRONO, faster) is None


@pytest.mark.parametrize("change", [
    {"published_relation": ">"}, {"metric": "elegance"}, {"published_relation": "", "published_verdict": "great"},
])  # fmt: skip
def test_what_has_no_rule_is_told(change, run_of):
    target = {"published_relation": "=", "published_value": "1"} | change
    with pytest.raises(ValueError, match=f"target {LSTM}: no rule for .*{list(change.values())[-1]}"):
        verdict_of(LSTM, run_of(LSTM, ["solved"]), **target)


def test_there_is_a_rule_for_every_row(run_of):
    for name, target in targets().items():
        rows = run_of(name, ["solved"] * 3, loss=0.1, accuracy=0.5, steps_to_solve=10)
        scores = [{"seed": 0, "step": 5, "loss": 0.0}]
        assert verdict_of(name, rows, rows, scores).rule, target


# --- settings


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, ""),
        ({"hidden_size": 64}, "hidden_size 64, there 128"),
        ({"optimizer": "adam"}, "optimizer adam, there rmsprop"),
        ({"learning_rate": 2e-3}, "learning_rate 0.002, there 1e-3"),
        ({"batch_size": 20}, "batch_size 20, there 50"),
        ({"initialization": "orthogonal"}, "initialization orthogonal, there glorot_uniform"),
        ({"clip_threshold": 2.0}, "clip value 2, there value 1"),
        (
            {"remedy": "clip_by_norm"},
            "clip norm 1, there value 1; remedy clip_by_norm, there clip_by_value",
        ),
        ({"remedy": "none"}, "clip none, there value 1; remedy none, there clip_by_value"),
    ],
)
def test_settings_that_differ_are_seen(change, told, run_of):
    published = {
        "hidden_size": 128, "optimizer": "rmsprop", "learning_rate": 1e-3, "batch_size": 50,
        "initialization": "glorot_uniform", "remedy": "clip_by_value", "clip_threshold": 1.0,
    }  # fmt: skip
    run = pd.DataFrame(run_of(LSTM, ["solved"], **(published | change)))
    assert settings_that_differ(targets()[LSTM], run) == told


def test_strengths_are_no_part_of_a_remedys_name(run_of):
    target = targets()["pascanu-temporal-order-50"]
    run = run_of(
        "pascanu-temporal-order-50", ["solved"], remedy="pascanu_omega(4)+clip_by_norm(1)",
        clip_threshold=1.0, hidden_size=50, initialization="sparse", optimizer="sgd", learning_rate=0.01,
        batch_size=20,
    )  # fmt: skip
    assert settings_that_differ(target, pd.DataFrame(run)) == ""


# --- the table


def test_what_nothing_ran_is_not_run_or_a_reference(folder_of, row):
    for stores in ([], [folder_of(task_accuracy=[row("task_accuracy", target_id="")])]):
        table = target_table(stores)
        assert counts(table) == {"agrees": 0, "differs": 0, NOT_RUN: 46, "reference": 20}
        assert table["ours_median"].isna().all()
        assert not len(target_table(stores, only_run=True))


def test_a_row_shows_ours_over_seeds_and_the_largest_budget(folder_of, run_of):
    small = folder_of(
        "small", task_accuracy=run_of(LSTM, ["at_baseline"] * 3, loss=[0.2] * 3, remedy="clip_by_value")
    )
    large = folder_of(
        "large",
        task_accuracy=run_of(
            LSTM, ["solved", "solved", "better_than_baseline"], loss=[1e-4, 3e-4, 0.1],
            remedy="clip_by_value", step_budget=5000,
        ),
    )  # fmt: skip
    (row,) = target_table([large, small], only_run=True).to_dict("records")
    assert (row["verdict"], row["ours"]) == (AGREES, "better_than_baseline 1, solved 2")
    assert (row["ours_median"], row["ours_least"], row["ours_most"]) == (3e-4, 1e-4, 0.1)
    assert (row["seeds"], row["step_budget"]) == (3, 5000)
    assert target_table([small], only_run=True)["verdict"].tolist() == [DIFFERS]


def test_the_compared_case_is_told_and_not_taken_for_the_published_one(folder_of, run_of):
    name = "chrono-copy-500"
    chrono = run_of(name, ["better_than_baseline"] * 3, loss=[0.01] * 3, remedy="chrono_initialization")
    plain = run_of(name, ["at_baseline"] * 3, loss=[0.04] * 3, remedy="none", case_id="other")
    (row,) = target_table([folder_of(task_accuracy=plain + chrono)], only_run=True).to_dict("records")
    assert (row["verdict"], row["compared_with"]) == (AGREES, "none: at_baseline 3")


def test_a_smaller_scale_repeats_nothing(folder_of, run_of):
    store = folder_of(task_accuracy=run_of(LSTM, ["solved"] * 3, task_length=10))
    assert not len(target_table([store], only_run=True))
    assert "targets" not in dict(tables.tables(store))


def test_the_table_is_derived_where_a_target_was_run(folder_of, run_of, row):
    assert "targets" not in dict(
        tables.tables(folder_of("a", task_accuracy=[row("task_accuracy", target_id="")]))
    )
    derived = dict(tables.tables(folder_of("b", task_accuracy=run_of(LSTM, ["solved"] * 3))))["targets"]
    assert derived["target_id"].tolist() == [LSTM]


# --- the verb


def test_the_verb_fits_eighty_columns_and_counts(folder_of, run_of, capsys):
    rows = run_of(
        "indrnn-adding-100-elman_tanh", ["solved"] * 3, loss=[1.234e-4, 9.876e-4, 5.4321e-4],
        learning_rate=0.5, step_budget=20000, hidden_size=128, batch_size=50,
    )  # fmt: skip
    folder = folder_of(task_accuracy=rows).folder
    print_targets([folder])
    lines = capsys.readouterr().out.splitlines()
    row = next(line for line in lines if "5.4e-4 (1e-4..1e-3)" in line)
    assert row.startswith("indrnn-adding-100-elman_tanh")
    assert len(row.rstrip()) <= 80
    assert row.split()[-2:] == ["20000", "differs"]
    assert [line for line in lines if line.startswith("  settings: ")] == [
        "  settings: learning_rate 0.5, there 2e-3"
    ]
    assert lines[-1] == "agrees 0, differs 1, not run 45, reference 20"
    print_targets([folder], as_json=True)
    as_json = json.loads(capsys.readouterr().out)
    assert as_json["verdicts"] == {"agrees": 0, "differs": 1, "not run": 45, "reference": 20}
    (ours,) = [each for each in as_json["targets"] if each["target_id"] == "indrnn-adding-100-elman_tanh"]
    assert ours["ours_most"] == pytest.approx(9.876e-4)
    assert ours["step_budget"] == 20000
    assert len(as_json["targets"]) == 66


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(UsageError, match="nowhere is not a folder"):
        print_targets([tmp_path / "nowhere"])
