"""How sure medians of run times are: held against plain loops, and against how often intervals hold the truth."""

import math

import numpy as np
import pytest

from bench.statistics.bootstrap import REPLICATES, cluster_draws, nested_medians
from bench.statistics.time_spread import Spread, moderated, spread_of


def processes(rng, count=3, rounds=7, between=0.02, within=0.01, median_s=1e-3):
    """Samples whose processes differ by more than their rounds, as on a real machine."""
    effects = between * rng.normal(size=(count, 1))
    return list(median_s * np.exp(effects + within * rng.normal(size=(count, rounds))))


def test_a_replicate_holds_members_of_the_clusters_that_were_drawn():
    # Clusters far apart: a replicate's median says which cluster holds the middle of it.
    clusters = [np.full(5, 1.0), np.full(5, 10.0), np.full(5, 100.0)]
    expected = []
    for drawn in cluster_draws(3).T:
        members = np.concatenate(
            [np.repeat(c, int(n)) for c, n in zip(clusters, drawn, strict=True) if n > 0]
        )
        expected.append(np.median(members))
    assert nested_medians(clusters).tolist() == expected


def test_members_are_drawn_too():
    drawn = nested_medians([np.arange(101.0)])
    assert len(drawn) == REPLICATES
    # The standard error of a median of a uniform sample is 1 / (2 f sqrt(n)), f = 1/101.
    assert np.std(drawn) == pytest.approx(101 / (2 * math.sqrt(101)), rel=0.1)


def test_clusters_may_be_of_different_sizes():
    drawn = nested_medians([np.full(2, 1.0), np.full(9, 3.0)])
    assert set(drawn) == {1.0, 3.0}, "no gap in a short cluster is taken for a value"
    assert np.mean(drawn == 1.0) == pytest.approx(0.25, abs=0.05), "only where the short one is drawn twice"


def test_the_interval_of_three_processes_holds_the_median_in_95_of_100_cases():
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        low, high = spread_of(processes(rng, within=0.004)).interval()
        held += low <= 1e-3 <= high
    assert 0.92 <= held / 400 <= 0.98


def test_rounds_of_one_process_say_nothing_of_the_next():
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(200):
        own = spread_of(processes(rng, count=1))
        low, high = own.interval()
        held += low <= 1e-3 <= high
        assert not own.is_enough
    assert held / 200 < 0.6, "as if its processes did not differ"


@pytest.mark.parametrize("samples", [[2.0], [1.0, 3.0]])
def test_one_or_two_samples_have_no_interval(samples):
    alone = spread_of([np.array(samples)])
    assert alone.median_s == 2.0
    assert all(math.isnan(end) for end in alone.interval())
    assert all(math.isfinite(end) for end in spread_of([np.array([*samples, 2.0, 2.5])]).interval())


def test_equal_samples_are_not_known_exactly():
    low, high = spread_of([np.ones(7)] * 3).interval()
    assert 0.999 < low < 1.0 < high < 1.001


@pytest.mark.parametrize(
    ("count", "rounds", "enough"), [(3, 3, True), (2, 9, False), (9, 2, False), (1, 99, False)]
)
def test_what_is_enough_for_a_verdict(count, rounds, enough):
    assert spread_of(processes(np.random.default_rng(2), count, rounds)).is_enough == enough


def spreads(stderrs, count=3):
    return [Spread(1.0, stderr, count - 1.0, count, 7) for stderr in stderrs]


def test_errors_that_differ_by_chance_only_become_the_usual_one():
    # Of variances with two degrees of freedom each, drawn about one value.
    variances = 0.02**2 * np.random.default_rng(3).chisquare(2, 40) / 2
    found = moderated(spreads(np.sqrt(variances)))
    assert [each.stderr for each in found] == pytest.approx([0.02] * 40, rel=0.4)
    assert np.std(np.sqrt(variances)) > 3 * np.std([each.stderr for each in found])
    assert all(6 < each.degrees <= 80 for each in found)


def test_errors_that_differ_widely_are_left_alone():
    before = spreads(0.001 * 10.0 ** np.linspace(0, 4, 9))
    after = moderated(before)
    raised = [one.stderr / other.stderr for one, other in zip(after, before, strict=True)]
    assert raised[3:] == pytest.approx([1] * 6, rel=0.25)
    assert min(raised) > 0.75, "only the least are raised: that costs a verdict, and makes none"
    assert all(each.degrees < 3 for each in after)


def test_what_is_not_enough_is_given_back_and_teaches_nothing():
    few = Spread(1.0, 9.0, 6.0, 1, 7)
    assert moderated([*spreads([0.01, 0.02]), few])[-1] == few
    assert moderated([*spreads([0.01, 0.02]), few])[:2] == moderated(spreads([0.01, 0.02]))
    assert moderated(spreads([0.01])) == spreads([0.01])
