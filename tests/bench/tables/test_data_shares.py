"""What drawing a batch costs, from times that are known."""

import pytest

from bench.tables.data_shares import data_shares

TIMES = {
    "drawing": (10.0, 20.0, 30.0),
    "step_on_given_batch": (80.0, 100.0, 100.0),
    "training_step": (100.0, 100.0, 120.0),
}


@pytest.fixture
def shares(row, folder_of):
    def table(**parts):
        rows = [
            row(
                "data_generation",
                part=part,
                round=number,
                run_s=1e-6 * microseconds,
                training_steps=10,
                **chosen,
            )
            for part, (times, chosen) in parts.items()
            for number, microseconds in enumerate(times)
        ]
        return data_shares(folder_of(data_generation=rows).read("data_generation"))

    return table


def test_times_are_medians_a_step_and_shares_are_of_the_same_round(shares):
    (line,) = shares(**{part: (times, {}) for part, times in TIMES.items()}).itertuples()
    assert (line.drawing_us, line.step_on_given_batch_us, line.training_step_us) == pytest.approx((2, 10, 10))
    assert line.rounds == 3
    # 0.1, 0.2 and 0.25; 1.25, 1 and 1.2.
    quartiles = line.share_percent, line.share_lower_quartile_percent, line.share_upper_quartile_percent
    assert quartiles == pytest.approx((20, 15, 22.5))
    quartiles = line.longer_percent, line.longer_lower_quartile_percent, line.longer_upper_quartile_percent
    assert quartiles == pytest.approx((20, 10, 22.5))


def test_where_a_part_is_missing_there_is_no_share(shares):
    (line,) = shares(drawing=(TIMES["drawing"], {})).itertuples()
    assert line.drawing_us == pytest.approx(2)
    assert line.share_percent != line.share_percent


def test_another_net_is_another_row(shares):
    table = shares(
        drawing=(TIMES["drawing"], {}), training_step=(TIMES["training_step"], {"hidden_size": 999})
    )
    assert len(table) == 2
