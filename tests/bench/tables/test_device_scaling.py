"""What several devices gain, from frames whose numbers are known."""

import math

import pytest

from bench.tables.device_scaling import device_scaling


@pytest.fixture
def scaling(row, folder_of):
    def table(*rows):
        rows = [row("device_timings", **{"round": at} | each) for at, each in enumerate(rows)]
        return device_scaling(folder_of(device_timings=rows).read("device_timings"))

    return table


def test_speedup_is_of_medians_and_efficiency_a_device(scaling):
    times = {1: (4.0, 8.0, 9.0), 4: (1.0, 2.5, 2.0)}
    table = scaling(
        *(
            {"device_count": count, "simulated": False, "run_s": s}
            for count, all_s in times.items()
            for s in all_s
        )
    )
    assert table["devices"].tolist() == ["1", "4"]
    assert table["run_s"].tolist() == [8.0, 2.0]
    assert table["run_s_least"].tolist() == [4.0, 1.0]
    assert table["run_s_most"].tolist() == [9.0, 2.5]
    assert table["speedup"].tolist() == [1.0, 4.0]
    assert table["efficiency"].tolist() == [1.0, 1.0]
    assert table["rounds"].tolist() == [3, 3]


def test_devices_that_a_cpu_plays_are_named_so(scaling):
    table = scaling(*({"device_count": count, "simulated": True, "run_s": 1.0} for count in (1, 8)))
    assert table["devices"].tolist() == ["1", "8 simulated on one CPU"]


def test_other_work_is_another_row_and_without_one_device_there_is_no_speedup(scaling):
    table = scaling(
        {"device_count": 2, "operation": "jacobian_chain", "lag_count": 3},
        {"device_count": 2, "operation": "training_block", "lag_count": None},
    )
    assert table["operation"].tolist() == ["jacobian_chain", "training_block"]
    assert all(math.isnan(speedup) for speedup in table["speedup"])
