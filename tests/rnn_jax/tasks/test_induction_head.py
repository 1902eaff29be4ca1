import jax
import numpy as np

from rnn_jax.tasks import InductionHead

EXAMPLES = 6_000
KEY = jax.random.key(20)


def test_the_answer_follows_the_special_symbol_which_stands_anywhere(assert_uniform):
    batch = InductionHead(10).sample(KEY, EXAMPLES)
    inputs = np.asarray(batch.inputs)
    assert inputs.shape == (EXAMPLES, 10, 16)
    np.testing.assert_array_equal(inputs.sum(axis=2), np.ones((EXAMPLES, 10)))
    codes = inputs.argmax(axis=2)
    assert (codes[:, -1] == 15).all()
    np.testing.assert_array_equal((codes == 15).sum(axis=1), np.full(EXAMPLES, 2))
    place = (codes == 15).argmax(axis=1)
    assert_uniform(place, 8)
    after = codes[np.arange(EXAMPLES), place + 1]
    np.testing.assert_array_equal(batch.targets[:, 0], after)
    assert_uniform(after, 15)
    assert_uniform(codes[codes < 15], 15)


def test_no_symbol_says_where_the_special_one_stands(assert_independent):
    # As many places as symbols: remainders of one draw would be the same.
    codes = np.asarray(InductionHead(17).sample(KEY, EXAMPLES).inputs).argmax(axis=2)
    place = (codes == 15).argmax(axis=1)
    for step in range(16):
        elsewhere = place != step
        assert_independent(place[elsewhere], codes[elsewhere, step])


def test_the_shortest_has_one_place_for_it():
    codes = np.asarray(InductionHead(3).sample(KEY, 50).inputs).argmax(axis=2)
    assert (codes[:, [0, 2]] == 15).all()
