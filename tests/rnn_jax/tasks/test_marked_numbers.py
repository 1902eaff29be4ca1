import jax
import numpy as np
import pytest
from scipy.stats import kstest

from rnn_jax.tasks.marked_numbers import marked_pair

EXAMPLES = 8_000
KEY = jax.random.key(20)
LENGTH = 40


def drawn(placement="tenths", varied=True, bits=False):
    inputs, marked = marked_pair(KEY, EXAMPLES, LENGTH, placement, varied, bits)
    return np.asarray(inputs[..., 0]), np.asarray(inputs[..., 1]), np.asarray(marked)


def test_the_marked_numbers_come_first_mark_first():
    for placement in ("halves", "tenths"):
        values, marks, marked = drawn(placement)
        examples, steps = np.nonzero(marks)
        np.testing.assert_array_equal(examples, np.repeat(np.arange(EXAMPLES), 2))
        np.testing.assert_array_equal(values[examples, steps].reshape(-1, 2), marked)


def test_varied_lengths_are_uniform_and_nothing_stands_before_the_sequence(assert_uniform):
    values, marks, _ = drawn()
    assert values.shape == (EXAMPLES, 44)
    starts = np.argmax(values > 0, axis=1)
    assert_uniform(starts, 5)
    before = np.arange(44) < starts[:, None]
    assert not values[before].any()
    assert not marks[before].any()
    assert kstest(values[~before][::10], "uniform").pvalue > 1e-3


def test_length_and_places_are_drawn_independently():
    values, marks, _ = drawn()
    starts = np.argmax(values > 0, axis=1)
    first, second = np.nonzero(marks)[1].reshape(-1, 2).T
    # All lengths, 40 to 44, have the same tenth; 42 and 43, which begin at steps 2 and 1, the same half.
    assert abs(np.corrcoef(starts, first - starts)[0, 1]) < 4 / np.sqrt(EXAMPLES)
    same_half = (starts == 1) | (starts == 2)
    facts = np.stack([starts, first - starts, second - starts])[:, same_half]
    assert np.abs(np.corrcoef(facts) - np.eye(3)).max() < 4 / np.sqrt(same_half.sum())


@pytest.mark.parametrize("varied", [False, True])
def test_bits_are_fair_and_independent_of_each_other(varied, assert_uniform):
    values, _, marked = drawn(varied=varied, bits=True)
    assert set(np.unique(values)) == {0.0, 1.0}
    assert_uniform((marked @ [2, 1]).astype(int), 4)
    assert_uniform(values[:, 10:].astype(int).ravel(), 2)
