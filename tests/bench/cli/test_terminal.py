"""Tables for the terminal."""

import pandas as pd

from bench.cli import terminal
from bench.cli.terminal import terminal_tables


def test_the_terminal_tells_layers_where_a_net_has_more_than_one(row, folder_of):
    for layers, shown in (((1, 1), False), ((1, 4), True)):
        rows = [row("decay", layers=each, seed=each, case_id=f"c{each}") for each in layers]
        ((_, table),) = terminal_tables(folder_of(str(layers), decay=rows).folder)
        assert ("layers" in table.columns) == shown
        if shown:
            assert list(table.columns[:3]) == ["cell", "layers", "gain"]
            assert table["layers"].tolist() == [1, 4]


def test_terminal_tables_leave_out_what_a_task_drives(row, folder_of):
    store = folder_of(
        decay=[
            row("decay", case_id="noise", rate_nats_per_step=-1.0),
            row("decay", case_id="task", input_kind="adding", rate_nats_per_step=-2.0),
        ]
    )
    ((title, table),) = terminal_tables(store.folder)
    assert "white-noise" in title
    assert table["rate/step"].tolist() == [-1.0]


def test_rows_that_differ_in_what_is_not_shown_are_told_apart(row, folder_of):
    def columns(*scales):
        rows = [row("decay", input_scale=scale, case_id=f"c{scale}") for scale in scales]
        ((_, table),) = terminal_tables(folder_of(f"{scales}", decay=rows).folder)
        return table

    assert "input" not in columns(1.0)
    table = columns(0.1, 1.0)
    assert table["input"].tolist() == [0.1, 1.0]
    assert "T" not in table, "one column is enough"


def test_times_of_two_methods_and_numbers_of_nets_are_told_apart(row, folder_of):
    rows = [
        row("timings", method=method, seed_count=nets, case_id=f"c{method}{nets}", round=number)
        for method, nets in (("blocked", 1), ("sequential", 1), ("blocked", 8))
        for number in range(3)
    ]
    tables = dict(terminal_tables(folder_of(timings=rows).folder))
    (times,) = (table for title, table in tables.items() if title.startswith("Times"))
    assert sorted(zip(times["method"], times["nets"], strict=True)) == [
        ("blocked", 1),
        ("blocked", 8),
        ("sequential", 1),
    ]


def test_only_a_column_that_tells_rows_apart_is_added_and_under_a_name_of_its_own(row, folder_of):
    rows = [
        row("timings", hidden_size=size, state_size=size, inner_calls=1, batch_size=batch, round=number,
            case_id=f"c{size}{batch}")
        for size, batch in ((16, 1), (32, 1), (32, 8))
        for number in range(3)
    ]  # fmt: skip
    (times,) = (table for _, table in terminal_tables(folder_of(timings=rows).folder) if "median s" in table)
    assert times.columns.is_unique
    assert "batch" in times
    assert "units" not in times, "the size of the state says it"


def test_a_reach_over_as_many_seeds_that_never_reached_it_as_did_is_a_lower_bound(row, folder_of):
    for lags, shown in (((50.0, 100.0), ">75"), ((50.0, 60.0, 100.0), "60"), ((50.0, 100.0, 100.0), ">100")):
        rows = [
            row("decay", seed=seed, reach_steps=lag, reach_censored=lag == 100, sequence_length=100)
            for seed, lag in enumerate(lags)
        ]
        ((_, table),) = terminal_tables(folder_of(str(len(lags)) + shown[-2:], decay=rows).folder)
        assert table["reach"].tolist() == [shown]


def test_a_reach_that_nobody_knows_is_no_lower_bound(row, folder_of):
    rows = [row("decay", reach_steps=None, reach_censored=True)]
    ((_, table),) = terminal_tables(folder_of(decay=rows).folder)
    assert table["reach"].tolist() == [""]


def test_a_short_name_that_is_taken_is_not_given_twice():
    table = pd.DataFrame({"task_length": [5, 5], "sequence_length": [20, 30]})
    assert terminal._telling(table, {"task_length": "T"}) == {"sequence_length": "sequence length"}
    assert terminal._telling(table, {"task_length": "length"}) == {"sequence_length": "T"}
