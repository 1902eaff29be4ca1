import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import chisquare

from rnn_jax.tasks.draws import distinct, put

EXAMPLES = 12_000
KEY = jax.random.key(20)


def test_every_ordered_choice_of_different_numbers_is_equally_likely():
    drawn = np.asarray(distinct(KEY, EXAMPLES, 3, 5))
    assert drawn.dtype == np.int32
    counts = np.bincount(drawn @ [25, 5, 1], minlength=125)
    choices = [
        25 * a + 5 * b + c for a in range(5) for b in range(5) for c in range(5) if len({a, b, c}) == 3
    ]
    assert counts[choices].sum() == EXAMPLES
    assert chisquare(counts[choices]).pvalue > 1e-3


def test_a_whole_permutation_can_be_drawn():
    np.testing.assert_array_equal(np.sort(distinct(KEY, 7, 30, 30), axis=1), np.tile(np.arange(30), (7, 1)))


def test_put_writes_each_examples_symbols_at_its_own_places():
    places, symbols = jnp.array([[1, 3], [0, 1]]), jnp.array([[5, 6], [7, 8]])
    np.testing.assert_array_equal(
        put(jnp.zeros((2, 4), jnp.int64), places, symbols), [[0, 5, 0, 6], [7, 8, 0, 0]]
    )
