"""What tests of a distribution share."""

import numpy as np
import pytest
from scipy.stats import chi2_contingency, chisquare
from scipy.stats.contingency import crosstab


@pytest.fixture
def assert_uniform():
    """Whole numbers are drawn uniformly from 0..size - 1: none is outside, all are as frequent."""

    def check(values, size, smallest_p=1e-3):
        counts = np.bincount(np.ravel(values).astype(int), minlength=size)
        assert len(counts) == size
        assert chisquare(counts).pvalue > smallest_p

    return check


@pytest.fixture
def assert_independent():
    """Two whole numbers of each example are drawn independently of each other.

    A correlation would not do: two remainders of one draw are nearly uncorrelated.
    """

    def check(one, other, smallest_p=1e-4):
        table = crosstab(np.asarray(one), np.asarray(other)).count
        assert min(table.shape) > 1
        assert chi2_contingency(table).expected_freq.mean() > 5, "too few examples a cell"
        assert chi2_contingency(table).pvalue > smallest_p

    return check
