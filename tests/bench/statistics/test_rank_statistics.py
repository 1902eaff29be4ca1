"""Rank statistics against scikit-learn and SciPy, and their intervals on samples drawn one by one."""

import math

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr
from sklearn.metrics import roc_auc_score

from bench.statistics.bootstrap import REPLICATES, cluster_draws
from bench.statistics.rank_statistics import area_under_roc, spearman


def tied_sample(seed, runs=60, clusters=20):
    """Scores with many equals, classes, another score, and clusters of different sizes."""
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 8, runs) / 7
    positive = rng.random(runs) < 0.2 + 0.6 * scores
    return scores, positive, np.round(scores + rng.normal(size=runs), 1), rng.integers(0, clusters, runs)


@pytest.mark.parametrize("seed", range(5))
def test_values_are_those_of_scikit_learn_and_scipy(seed):
    scores, positive, other, clusters = tied_sample(seed)
    area = area_under_roc(scores, positive, clusters, interval=False)
    assert area.value == pytest.approx(roc_auc_score(positive, scores), abs=1e-12)
    rank = spearman(scores, other, clusters, interval=False)
    assert rank.value == pytest.approx(spearmanr(scores, other).statistic, abs=1e-12)
    assert math.isnan(area.low)
    assert math.isnan(rank.high)


def test_an_infinite_value_has_the_first_rank():
    x, y = np.array([1.0, 2.0, 3.0]), np.array([-np.inf, 0.5, 0.7])
    assert spearman(x, y, np.arange(3), interval=False).value == pytest.approx(1.0)


def test_intervals_are_percentiles_over_samples_of_whole_clusters():
    scores, positive, other, clusters = tied_sample(1, runs=40, clusters=12)
    names = np.unique(clusters)
    areas, ranks = [], []
    for drawn in cluster_draws(len(names)).T:
        of_sample = np.concatenate(
            [np.flatnonzero(clusters == name) for name, count in zip(names, drawn, strict=True)
             for _ in range(int(count))]
        )  # fmt: skip
        first, second = rankdata(scores[of_sample]), rankdata(other[of_sample])
        ones = positive[of_sample].sum()
        if 0 < ones < len(of_sample):  # Mann and Whitney's U from the sum of ranks
            wins = first[positive[of_sample]].sum() - ones * (ones + 1) / 2
            areas.append(wins / (ones * (len(of_sample) - ones)))
        ranks.append(np.corrcoef(first, second)[0, 1])
    area = area_under_roc(scores, positive, clusters)
    assert (area.low, area.high) == pytest.approx(tuple(np.quantile(areas, [0.025, 0.975])), abs=1e-9)
    rank = spearman(scores, other, clusters)
    assert (rank.low, rank.high) == pytest.approx(tuple(np.quantile(ranks, [0.025, 0.975])), abs=1e-9)


def test_each_replicate_draws_as_many_clusters_as_there_are():
    draws = cluster_draws(7)
    assert draws.shape == (7, REPLICATES)
    assert (draws.sum(axis=0) == 7).all()
    assert draws.mean() == pytest.approx(1)
    assert draws.std(axis=1) == pytest.approx(np.full(7, math.sqrt(6 / 7)), rel=0.1), (
        "as a multinomial varies"
    )


def test_seeds_of_a_case_do_not_narrow_an_interval():
    scores, positive, other, _ = tied_sample(2, runs=30)
    alone = np.arange(30)
    ten = [np.repeat(each, 10) for each in (scores, positive, other, alone)]
    assert area_under_roc(*ten[:2], ten[3]) == area_under_roc(scores, positive, alone)
    many, once = spearman(ten[0], ten[2], ten[3]), spearman(scores, other, alone)
    assert (many.value, many.low, many.high) == pytest.approx((once.value, once.low, once.high), abs=1e-12)


def test_pairs_of_different_strata_do_not_count():
    scores, positive, _, clusters = tied_sample(3)
    strata = clusters % 4
    pairs = [
        (scores[one] > scores[other]) + (scores[one] == scores[other]) / 2
        for one in np.flatnonzero(positive)
        for other in np.flatnonzero(~positive)
        if strata[one] == strata[other]
    ]
    area = area_under_roc(scores, positive, clusters, strata=strata)
    assert area.value == pytest.approx(np.mean(pairs), abs=1e-12)
    # What differs between strata alone is no evidence.
    assert area_under_roc(strata.astype(float), positive, clusters, strata=strata).value == 0.5


def test_noise_is_told_to_be_noise():
    hits = {"area": 0, "rank": 0}
    for seed in range(20):
        rng = np.random.default_rng(100 + seed)
        case = np.repeat(np.arange(30), 2)
        luck, noise = rng.normal(size=30)[case], rng.normal(size=30)[case]
        area = area_under_roc(noise, luck + 0.3 * rng.normal(size=60) > 0, case)
        rank = spearman(noise, luck, case)
        hits["area"] += area.low <= 0.5 <= area.high
        hits["rank"] += rank.low <= 0 <= rank.high
    assert hits["area"] >= 17
    assert hits["rank"] >= 17


def test_a_link_is_told_to_be_one():
    rng = np.random.default_rng(0)
    x = rng.normal(size=60)
    y = x + rng.normal(size=60)
    assert area_under_roc(x, y > 0, np.arange(60)).low > 0.5
    assert spearman(x, y, np.arange(60)).low > 0


@pytest.mark.parametrize("positive", [[True, True], [False, False]])
def test_one_class_alone_has_no_area(positive):
    assert math.isnan(area_under_roc(np.array([1.0, 2.0]), np.array(positive), np.arange(2)).value)


def test_a_constant_has_no_correlation():
    assert math.isnan(spearman(np.ones(4), np.arange(4.0), np.arange(4)).value)
