import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chisquare

from rnn_jax.tasks import draws
from rnn_jax.tasks.draws import distinct, put

EXAMPLES = 12_000
KEY = jax.random.key(20)


@pytest.mark.parametrize("few", [5, 4])
def test_every_ordered_choice_of_different_numbers_is_equally_likely(few, monkeypatch):
    """By a sort of all numbers, and by Floyd's algorithm."""
    monkeypatch.setattr(draws, "_FEW", few)
    drawn = np.asarray(distinct(KEY, EXAMPLES, 3, 5))
    assert drawn.dtype == np.int32
    counts = np.bincount(drawn @ [25, 5, 1], minlength=125)
    choices = [
        25 * a + 5 * b + c for a in range(5) for b in range(5) for c in range(5) if len({a, b, c}) == 3
    ]
    assert counts[choices].sum() == EXAMPLES
    assert chisquare(counts[choices]).pvalue > 1e-3


@pytest.mark.parametrize("size", [30, 100])
def test_a_whole_permutation_can_be_drawn(size):
    np.testing.assert_array_equal(
        np.sort(distinct(KEY, 7, size, size), axis=1), np.tile(np.arange(size), (7, 1))
    )


def test_put_writes_each_examples_symbols_at_its_own_places():
    places, symbols = jnp.array([[1, 3], [0, 1]]), jnp.array([[5, 6], [7, 8]])
    np.testing.assert_array_equal(
        put(jnp.zeros((2, 4), jnp.int64), places, symbols), [[0, 5, 0, 6], [7, 8, 0, 0]]
    )


def test_places_come_in_the_order_of_their_ranks():
    ranks = np.random.default_rng(0).integers(0, 2**32, (50, 23), dtype=np.uint32)
    np.testing.assert_array_equal(draws.places_by_rank(jnp.asarray(ranks)), np.argsort(ranks, axis=1))
    assert draws.places_by_rank(jnp.zeros((2, 1), jnp.uint32)).tolist() == [[0], [0]]
