import jax
import numpy as np
import pytest

from rnn_jax.tasks import DelayedCopy

EXAMPLES = 4_000
KEY = jax.random.key(20)
LENGTH = 6


@pytest.mark.parametrize(("variant", "kinds"), [("symbols", 8), ("bits", 2)])
def test_the_answer_is_the_symbol_length_steps_before(variant, kinds, assert_uniform):
    batch = DelayedCopy(LENGTH, variant).sample(KEY, EXAMPLES)
    inputs, targets = np.asarray(batch.inputs), np.asarray(batch.targets)
    assert inputs.shape == (EXAMPLES, 2 * LENGTH, kinds)
    np.testing.assert_array_equal(inputs.sum(axis=2), np.ones((EXAMPLES, 2 * LENGTH)))
    codes = inputs.argmax(axis=2)
    assert targets.shape == batch.mask.shape == (EXAMPLES, LENGTH)
    for step in range(LENGTH, 2 * LENGTH):
        np.testing.assert_array_equal(targets[:, step - LENGTH], codes[:, step - LENGTH])
    for column in codes.T:
        assert_uniform(column, kinds, 1e-4)
    for other in (1, LENGTH):
        assert_uniform(kinds * codes[:, 0] + codes[:, other], kinds**2)
