import jax
import numpy as np
from scipy.stats import chisquare

from rnn_jax.tasks import RandomPermutation

EXAMPLES = 4_000
KEY = jax.random.key(20)


def test_the_first_symbol_is_the_class_and_the_others_are_uniform_over_the_rest():
    batch = RandomPermutation(12).sample(KEY, EXAMPLES)
    inputs = np.asarray(batch.inputs)
    assert inputs.shape == (EXAMPLES, 12, 100)
    np.testing.assert_array_equal(inputs.sum(axis=2), np.ones((EXAMPLES, 12)))
    codes = inputs.argmax(axis=2)
    np.testing.assert_array_equal(batch.targets, codes[:, :1])
    assert chisquare(np.bincount(codes[:, 0], minlength=2)).pvalue > 1e-3
    others = codes[:, 1:]
    assert others.min() == 2
    assert chisquare(np.bincount(others.ravel() - 2, minlength=98)).pvalue > 1e-3
    for step in (0, 10):
        assert abs(np.corrcoef(codes[:, 0], others[:, step])[0, 1]) < 4 / np.sqrt(EXAMPLES)
    assert abs(np.corrcoef(others[:, 0], others[:, 1])[0, 1]) < 4 / np.sqrt(EXAMPLES)
