import jax
import numpy as np
import pytest
from scipy.stats import chisquare

from rnn_jax.tasks import TemporalXOR

EXAMPLES = 8_000
KEY = jax.random.key(20)


def bits_of(variant, length=20):
    task = TemporalXOR(length, variant)
    batch = task.sample(KEY, EXAMPLES)
    assert batch.inputs.shape == (EXAMPLES, task.sequence_length, task.input_size)
    assert batch.targets.shape == batch.mask.shape == (EXAMPLES, task.target_steps)
    assert np.asarray(batch.mask).all()
    return np.asarray(batch.inputs), np.asarray(batch.targets)


def test_marked_is_one_where_the_two_marked_bits_differ(assert_uniform):
    inputs, targets = bits_of("marked")
    assert inputs.shape[1] == 22
    marked = inputs[..., 0][inputs[..., 1] == 1].reshape(EXAMPLES, 2)
    np.testing.assert_array_equal(targets[:, 0], marked.sum(axis=1) == 1)
    assert_uniform(targets, 2)
    # Nobody can answer from one of the bits.
    for one in marked.T:
        assert_uniform((2 * one + targets[:, 0]).astype(int), 4)


def test_marked_has_its_marks_in_the_first_tenth_and_up_to_the_middle():
    inputs, _ = bits_of("marked")
    first, second = np.nonzero(inputs[..., 1])[1].reshape(-1, 2).T
    # Lengths 20, 21, 22 begin at steps 2, 1, 0; first at 0 or 1 of the sequence; second at 2..9 or 2..10.
    starts = {length: 22 - length for length in (20, 21, 22)}
    expected_first, expected_second = np.zeros(22), np.zeros(22)
    for length, start in starts.items():
        expected_first[start : start + 2] += 1 / 2 / 3
        expected_second[start + 2 : start + length // 2] += 1 / (length // 2 - 2) / 3
    for steps, share in ((first, expected_first), (second, expected_second)):
        counts = np.bincount(steps, minlength=22)
        assert counts[share == 0].sum() == 0
        assert chisquare(counts[share > 0], EXAMPLES * share[share > 0]).pvalue > 1e-3


def test_ends_is_one_where_the_first_bit_is_not_the_last(assert_uniform):
    inputs, targets = bits_of("ends")
    assert inputs.shape == (EXAMPLES, 20, 1)
    bits = inputs[..., 0]
    changes = np.abs(np.diff(bits, axis=1)).sum(axis=1)
    np.testing.assert_array_equal(targets[:, 0], changes % 2)
    assert_uniform(bits, 2)
    assert_uniform(targets, 2)


def test_delayed_is_one_where_a_bit_is_not_the_one_length_steps_before(assert_uniform):
    inputs, targets = bits_of("delayed", 6)
    bits = inputs[..., 0].astype(int)
    assert bits.shape == (EXAMPLES, 12)
    for step in range(6, 12):
        np.testing.assert_array_equal(targets[:, step - 6], bits[:, step] ^ bits[:, step - 6])
    assert_uniform(targets @ 2 ** np.arange(6), 64)


@pytest.mark.parametrize(("variant", "shortest"), [("marked", 10), ("ends", 2), ("delayed", 1)])
def test_each_variant_has_its_shortest_length(variant, shortest):
    TemporalXOR(shortest, variant).sample(KEY, 2)
    with pytest.raises(ValueError, match=f"length of temporal_xor must be at least {shortest}"):
        TemporalXOR(shortest - 1, variant)
