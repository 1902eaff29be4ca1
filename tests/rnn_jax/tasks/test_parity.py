import jax
import numpy as np
import pytest

from rnn_jax.tasks import Parity
from rnn_jax.tasks.task import evaluation_task

EXAMPLES = 8_000
KEY = jax.random.key(20)


def strings(task):
    """Inputs, which steps have a bit, and targets."""
    batch = task.sample(KEY, EXAMPLES)
    inputs = np.asarray(batch.inputs)
    assert inputs.shape == (EXAMPLES, task.length, 2)
    assert set(np.unique(inputs)) == {0.0, 1.0}
    return inputs, inputs.sum(axis=2), np.asarray(batch.targets)[:, 0]


@pytest.mark.parametrize("variant", ["varied", "fixed"])
def test_the_class_is_the_parity_of_the_ones(variant, assert_uniform):
    inputs, _, targets = strings(Parity(12, variant))
    np.testing.assert_array_equal(targets, inputs[..., 1].sum(axis=1) % 2)
    assert_uniform(targets, 2)


def test_varied_strings_fill_the_end_and_have_every_length_equally_often(assert_uniform, assert_independent):
    inputs, there, targets = strings(Parity(12))
    lengths = there.sum(axis=1).astype(int)
    np.testing.assert_array_equal(there, np.arange(12) >= 12 - lengths[:, None])
    assert_uniform(lengths - 1, 12)
    assert_independent(lengths, targets)
    for step in range(12):
        filled = there[:, step] == 1
        assert_uniform(inputs[filled, step, 1], 2)
        if step:
            assert_independent(lengths[filled], inputs[filled, step, 1])


def test_fixed_strings_fill_all_steps_with_independent_bits(assert_uniform):
    inputs, there, _ = strings(Parity(8, "fixed"))
    assert (there == 1).all()
    strings_seen = inputs[..., 1].astype(int) @ 2 ** np.arange(8)
    assert_uniform(strings_seen, 256)


def test_it_is_tested_on_longer_strings(assert_uniform):
    longer = evaluation_task(Parity(12))
    assert longer == Parity(60, "varied", shortest=14)
    _, there, _ = strings(longer)
    lengths = there.sum(axis=1).astype(int)
    assert lengths.min() == 14
    assert_uniform(lengths - 14, 47)
    assert evaluation_task(Parity(12, "fixed")) == Parity(60, "fixed")


def test_a_wrong_shortest_length_is_named():
    with pytest.raises(ValueError, match=r"shortest of parity must be a whole number in 1\.\.12, got 13"):
        Parity(12, shortest=13)
