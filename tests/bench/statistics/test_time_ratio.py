"""Verdicts on two runs of the same code are held to the stated rate of false alarms; a planted slowdown is found."""

import math

import numpy as np
import pytest

from bench.statistics.time_ratio import FALSE_ALARM_RATE, geometric_mean, ratios
from bench.statistics.time_spread import Spread, spread_of


def run_of(rng, between, rounds=7, slower=1.0, spoilt=0.03):
    """One run: of each timing three processes with effects of their own, and rounds that something else delays."""
    told = []
    for spread in between:
        samples = []
        for _ in range(3):
            effect = spread * rng.normal() + (0.1 if rng.random() < spoilt else 0.0)
            noise = np.exp(effect + 0.3 * spread * rng.normal(size=rounds))
            delayed = np.where(rng.random(rounds) < 0.1, 1 + rng.exponential(0.2, rounds), 1.0)
            samples.append(slower * 1e-3 * noise * delayed)
        told.append(spread_of(samples))
    return told


def alarms(rng, timings, factor, repetitions):
    """In how many comparisons of two runs of the same code anything is called faster or slower."""
    count = 0
    for _ in range(repetitions):
        between = 0.005 * np.exp(rng.uniform(0, 2.3, timings))  # from 0.5% to 5%, another for each timing
        found = ratios(run_of(rng, between), run_of(rng, between), factor)
        count += any(each.verdict in ("faster", "slower") for each in found)
    return count


def test_two_runs_of_the_same_code_are_called_different_no_oftener_than_stated():
    # Nothing of twenty comparisons of twelve timings: at 5% each, two or more would come in one of four.
    assert alarms(np.random.default_rng(0), 12, 1.05, 20) <= 1
    # With no factor to help, the intervals alone: 5% of 100, within three standard deviations.
    assert alarms(np.random.default_rng(1), 6, 1 + 1e-9, 100) <= 11


@pytest.mark.slow
@pytest.mark.parametrize("timings", [1, 2, 5, 20])
def test_the_rate_of_false_alarms_at_every_number_of_timings(timings):
    repetitions = 600
    bound = FALSE_ALARM_RATE * repetitions + 3 * math.sqrt(FALSE_ALARM_RATE * repetitions)
    assert alarms(np.random.default_rng(timings), timings, 1 + 1e-9, repetitions) <= bound
    assert alarms(np.random.default_rng(timings), timings, 1.05, repetitions // 3) <= bound / 3


def test_a_planted_slowdown_is_found_and_nothing_beside_it():
    rng = np.random.default_rng(2)
    found = beside = 0
    for _ in range(20):
        between = np.full(12, 0.02)
        slow = [*run_of(rng, between[:1], slower=1.3, spoilt=0.0), *run_of(rng, between[1:])]
        told = ratios(run_of(rng, between), slow, 1.1)
        found += told[0].verdict == "slower"
        beside += sum(each.verdict in ("faster", "slower") for each in told[1:])
    assert found >= 18
    assert beside == 0


def test_intervals_widen_with_the_number_of_timings():
    rng = np.random.default_rng(3)
    one, other = run_of(rng, [0.02] * 8), run_of(rng, [0.02] * 8)
    (alone,), together = ratios(one[:1], other[:1]), ratios(one, other)
    width = [math.log(each.high / each.low) for each in (alone, together[0])]
    assert alone.value == together[0].value
    assert width[0] != width[1]
    few = Spread(1.0, 0.1, 6.0, 1, 7)
    wide = ratios([*one, few], [*other, few])
    assert (wide[0].low, wide[0].high) == (together[0].low, together[0].high), (
        "who is not judged costs nothing"
    )


def sure(median_s, stderr=1e-3):
    return Spread(median_s, stderr, 50.0, 51, 7)


@pytest.mark.parametrize(
    ("ratio", "stderr", "verdict"),
    [
        (0.8, 1e-3, "faster"),
        (1.25, 1e-3, "slower"),
        (1.0, 1e-3, "same"),
        (1.04, 1e-3, "same"),
        (1.0, 0.1, "too few samples"),
        (1.06, 0.01, "too few samples"),  # surely slower, but perhaps by less than the factor
        (1.3, 0.2, "too few samples"),
    ],
)
def test_the_whole_interval_decides(ratio, stderr, verdict):
    (found,) = ratios([sure(1.0, stderr)], [sure(ratio, stderr)], 1.05)
    assert found.value == ratio
    assert found.low < ratio < found.high
    assert found.verdict == verdict


def test_too_few_processes_have_no_interval():
    few = Spread(1.0, 1e-4, 6.0, 1, 7)
    for pair in (([few], [sure(9.0)]), ([sure(9.0)], [few])):
        (found,) = ratios(*pair)
        assert found.verdict == "too few samples"
        assert math.isnan(found.low)


def test_the_geometric_mean_is_that_of_the_ratios():
    found = ratios([sure(1.0), sure(1.0)], [sure(0.5), sure(4.0)])
    mean, low, high = geometric_mean(found)
    assert mean == pytest.approx(math.sqrt(2))
    # Two independent ratios, each of two medians: the error of the mean log is that of one median.
    assert math.log(high / mean) == pytest.approx(1.96e-3, rel=0.05)
    assert math.log(mean / low) == pytest.approx(math.log(high / mean))
    few = Spread(1.0, 1e-4, 6.0, 1, 7)
    mean, low, _ = geometric_mean([*found, *ratios([few], [few])])
    assert mean == pytest.approx(2 ** (1 / 3))
    assert math.isnan(low)
