"""Errors that are known."""

import math

from bench.tables.exactness_summary import exactness_summary


def test_exactness_summary_takes_the_worst(row, folder_of):
    frame = folder_of(
        exactness=[
            row("exactness", seed=seed, lag=lag, relative_error=error)
            for seed, lag, error in ((0, 1, 1e-8), (1, 1, 1e-7), (0, 9, math.inf), (1, 9, 0.0))
        ]
    ).read("exactness")
    told = exactness_summary(frame)
    assert told["lag"].tolist() == [1, 9]
    assert told["largest_relative_error"].tolist() == [1e-7, math.inf]
    assert told["seeds"].tolist() == [2, 2]
