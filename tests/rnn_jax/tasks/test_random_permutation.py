import jax
import numpy as np

from rnn_jax.tasks import RandomPermutation

EXAMPLES = 4_000
KEY = jax.random.key(20)


def test_the_first_symbol_is_the_class_and_the_others_are_uniform_over_the_rest(
    assert_uniform, assert_independent
):
    batch = RandomPermutation(12).sample(KEY, EXAMPLES)
    inputs = np.asarray(batch.inputs)
    assert inputs.shape == (EXAMPLES, 12, 100)
    np.testing.assert_array_equal(inputs.sum(axis=2), np.ones((EXAMPLES, 12)))
    codes = inputs.argmax(axis=2)
    np.testing.assert_array_equal(batch.targets, codes[:, :1])
    assert_uniform(codes[:, 0], 2)
    others = codes[:, 1:]
    assert others.min() == 2
    assert_uniform(others.ravel() - 2, 98)
    for column in others.T:
        assert_independent(codes[:, 0], column)
    assert abs(np.corrcoef(others[:, 0], others[:, 1])[0, 1]) < 4 / np.sqrt(EXAMPLES)
