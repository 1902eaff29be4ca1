"""What tests of a distribution share."""

import numpy as np
import pytest
from scipy.stats import chisquare


@pytest.fixture
def assert_uniform():
    """Whole numbers are drawn uniformly from 0..size - 1: none is outside, all are as frequent."""

    def check(values, size, smallest_p=1e-3):
        counts = np.bincount(np.ravel(values).astype(int), minlength=size)
        assert len(counts) == size
        assert chisquare(counts).pvalue > smallest_p

    return check
