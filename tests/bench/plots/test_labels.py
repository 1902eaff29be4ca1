"""What pictures call things."""

import pytest

from bench.plots.labels import metric_label
from rnn_jax.tasks import TASKS


@pytest.mark.parametrize("metric", sorted({kind.metric for kind in TASKS.values()}))
def test_every_tasks_metric_is_told_in_words(metric):
    assert "_" not in metric_label(metric)
