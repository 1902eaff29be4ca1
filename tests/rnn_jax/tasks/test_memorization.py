import jax
import numpy as np
import pytest

from rnn_jax.tasks import NoiselessMemorization

EXAMPLES = 4_000
KEY = jax.random.key(20)
LENGTH = 7


@pytest.mark.parametrize(("variant", "count", "kinds"), [("5_bit", 5, 2), ("20_bit", 10, 5)])
def test_the_layout_and_the_patterns(variant, count, kinds, assert_uniform):
    batch = NoiselessMemorization(LENGTH, variant).sample(KEY, EXAMPLES)
    inputs = np.asarray(batch.inputs)
    steps = LENGTH + 2 * count
    assert inputs.shape == (EXAMPLES, steps, kinds + 2)
    np.testing.assert_array_equal(inputs.sum(axis=2), np.ones((EXAMPLES, steps)))
    codes = inputs.argmax(axis=2)
    pattern = codes[:, :count]
    blank, delimiter = kinds, kinds + 1
    rest = [blank] * LENGTH + [delimiter] + [blank] * (count - 1)
    np.testing.assert_array_equal(codes[:, count:], np.tile(rest, (EXAMPLES, 1)))
    np.testing.assert_array_equal(
        batch.targets[:, : LENGTH + count], np.full((EXAMPLES, LENGTH + count), blank)
    )
    np.testing.assert_array_equal(batch.targets[:, LENGTH + count :], pattern)
    np.testing.assert_array_equal(batch.mask, np.tile(np.arange(steps) >= LENGTH + count, (EXAMPLES, 1)))
    for column in pattern.T:
        assert_uniform(column, kinds, 1e-4)
    assert_uniform(pattern[:, 0] * kinds + pattern[:, 1], kinds**2)


def test_all_patterns_of_five_bits_are_equally_likely(assert_uniform):
    codes = np.asarray(NoiselessMemorization(1).sample(KEY, EXAMPLES).inputs).argmax(axis=2)[:, :5]
    assert_uniform(codes @ 2 ** np.arange(5), 32)


@pytest.mark.costly
def test_the_baseline_is_a_uniform_guess_of_the_pattern():
    baseline = NoiselessMemorization(40, "20_bit").baseline(jax.random.key(1))
    assert baseline == pytest.approx(10 * np.log(5) / 60, rel=1e-3)
