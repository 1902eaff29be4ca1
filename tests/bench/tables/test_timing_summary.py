"""The table of run times: medians and quartiles of all samples, and of how many processes they are."""

import numpy as np
import pytest

from bench.tables import tables
from bench.tables.chain_cost import chain_cost
from bench.tables.peers import peers
from bench.tables.timing_summary import timing_summary

SECONDS = ((1.0, 1.1, 1.2), (2.0, 2.1, 2.2), (3.0, 3.1, 3.2))


@pytest.fixture
def timed(folder_of, row):
    """`timed(seconds by process, name=value)`: a folder with these samples."""

    def make(*processes, **more):
        rows = [
            row("timings", process=process, round=number, run_s=run_s, **more)
            for process, samples in enumerate(processes)
            for number, run_s in enumerate(samples)
        ]
        return folder_of(timings=rows)

    return make


def test_it_says_median_quartiles_interval_and_processes(timed):
    (told,) = dict(tables(timed(*SECONDS)))["timing_summary"].to_dict("records")
    everything = np.concatenate(SECONDS)
    assert told["median_s"] == np.median(everything)
    quartiles = told["lower_quartile_s"], told["upper_quartile_s"]
    assert quartiles == pytest.approx(tuple(np.quantile(everything, [0.25, 0.75])))
    assert told["median_low_s"] < 1.0, "three processes so far apart leave much open"
    assert told["median_high_s"] > 3.2
    assert (told["processes"], told["rounds"], told["basis"]) == (3, 3, "3 processes")


def test_one_process_is_told_as_such(timed):
    (told,) = timing_summary(timed(SECONDS[0]).read("timings")).to_dict("records")
    assert told["basis"] == "1 process"
    assert told["processes"] == 1


def test_ratios_are_of_the_same_process_and_round(folder_of, row):
    samples = [
        row("timings", implementation=name, process=process, round=number, run_s=run_s * factor)
        for name, factor in (("rnn_jax", 3.0), ("bare_products", 1.0))
        for process, seconds in enumerate(SECONDS)
        for number, run_s in enumerate(seconds)
    ]
    answers = [row("agreement", implementation=name) for name in ("rnn_jax", "bare_products")]
    store = folder_of(timings=samples, agreement=answers)
    (cost,) = chain_cost(store.read("timings")).to_dict("records")
    assert (cost["rounds"], cost["processes"]) == (9, 3)
    assert (cost["ratio_least"], cost["ratio_most"]) == pytest.approx((3.0, 3.0))
    beside = peers(store.read("agreement"), store.read("timings")).set_index("implementation")
    told = beside.loc["bare_products"]
    assert (told["rounds"], told["processes"], told["ratio_upper_quartile"]) == (9, 3, pytest.approx(1 / 3))
