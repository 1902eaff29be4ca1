"""The axis of trained nets and probes holds what is drawn, not twelve empty decades on either side."""

import numpy as np
import pytest

from bench.plots.decay import limits


@pytest.mark.parametrize(
    ("drawn", "wanted"),
    [
        ([[-0.2, 0.1], [-0.4]], (-3.5, 0.6)),
        ([[-7.0, 2.0]], (-7.5, 2.5)),
        ([[-1e9, 40.0]], (-12.5, 12.5)),
        ([[np.nan], [np.nan]], (-3.5, 0.5)),
        ([], (-3.5, 0.5)),
    ],
)
def test_limits(drawn, wanted):
    assert limits([np.array(each) for each in drawn]) == pytest.approx(wanted)
