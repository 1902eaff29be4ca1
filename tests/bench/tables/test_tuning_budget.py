"""What was spent on step sizes, in rows made up and in the suites that there are."""

import pytest

from bench import suite
from bench.cases.tuning import FIRST_TUNING_SEED
from bench.tables.tuning_budget import tuning_budget

GRID = (5e-4, 2e-3, 8e-3)


@pytest.fixture
def table(row, folder_of):
    """`table(remedy=changes)`: two tuned cases a remedy, of lengths 10 and 20, whose best step sizes differ."""

    def make(**remedies):
        reported, tuned = [], []
        for remedy, changes in remedies.items():
            budget = {
                "grid": GRID,
                "tuning_steps": 200,
                "seed": FIRST_TUNING_SEED,
                "step_budget": 1000,
            } | changes
            for length, best in ((10, budget["grid"][1]), (20, budget["grid"][0])):
                case = {"case_id": f"{remedy}{length}", "remedy": remedy, "task_length": length}
                reported += [
                    row(
                        "task_accuracy", seed=seed, tuning_seeds=1, tuning_steps=budget["tuning_steps"],
                        step_budget=budget["step_budget"], **case,
                    )
                    for seed in range(3)
                ]  # fmt: skip
                tuned += [
                    row(
                        "tuning", seed=budget["seed"], learning_rate=rate, chosen=rate == best,
                        steps_run=150 if rate == best else 200, verdict="diverged" if rate > 5e-3 else "at_baseline",
                        **case,
                    )
                    for rate in budget["grid"]
                ]  # fmt: skip
        store = folder_of(task_accuracy=reported, tuning=tuned)
        return tuning_budget(store.read("task_accuracy"), store.read("tuning")).set_index("remedy")

    return make


def test_equal_budgets_are_told_to_be_equal(table):
    told = table(none={}, leaky={}, skip={})
    assert told["same_budget"].all()
    leaky = told.loc["leaky"]
    assert (leaky["cases"], leaky["step_sizes"], leaky["tuning_seeds"]) == (2, "0.0005 0.002 0.008", "1")
    assert (leaky["steps_a_run"], leaky["tuning_runs"], leaky["tuning_steps_granted"]) == ("200", "3", "600")
    assert leaky["tuning_steps_run"] == 550, "the best one stopped early"
    assert (leaky["chosen"], leaky["chosen_at_an_end"]) == ("0.0005: 1, 0.002: 1", 1)
    assert leaky["diverged_runs"] == 2
    assert leaky["reported_seeds_tuned_on"] == 0


@pytest.mark.parametrize(
    "change",
    [{"tuning_steps": 400}, {"grid": (*GRID, 3e-2)}, {"grid": (1e-3, 2e-3, 8e-3)}, {"step_budget": 2000}],
    ids=["steps", "more", "others", "budget"],
)
def test_a_remedy_that_got_another_budget_is_named(change, table):
    told = table(none={}, leaky=change, skip={})
    assert told["same_budget"].to_dict() == {"none": True, "leaky": False, "skip": True}


def test_a_reported_seed_that_was_tuned_on_is_counted(table):
    told = table(none={}, leaky={"seed": 2})
    assert told["reported_seeds_tuned_on"].to_dict() == {"none": 0, "leaky": 2}, "in both of its cases"


@pytest.mark.parametrize("name", ["remedies", "remedies-gpu"])
def test_the_suites_of_remedies_give_every_case_the_same_budget_and_report_other_seeds(name):
    cases = suite.load(name).cases
    budgets = {
        tuple(case[each] for each in ("learning_rate_grid", "tuning_seeds", "tuning_steps", "step_budget"))
        for case in cases
    }
    assert len(budgets) == 1
    assert max(max(case.seeds) for case in cases) < FIRST_TUNING_SEED
