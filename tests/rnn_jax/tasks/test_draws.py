from collections import Counter
from itertools import combinations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chisquare, kstest

from rnn_jax.tasks import draws
from rnn_jax.tasks.draws import below, bits, coins, distinct, put, randint, subset

EXAMPLES = 12_000
KEY = jax.random.key(20)


def test_every_ordered_choice_of_different_numbers_is_equally_likely():
    (drawn,) = bits(KEY, EXAMPLES, 5)
    choices = np.asarray(distinct(drawn, 3))
    assert choices.dtype == np.int32
    counts = np.bincount(choices @ [25, 5, 1], minlength=125)
    possible = [
        25 * a + 5 * b + c for a in range(5) for b in range(5) for c in range(5) if len({a, b, c}) == 3
    ]
    assert counts[possible].sum() == EXAMPLES
    assert chisquare(counts[possible]).pvalue > 1e-3


def test_distinct_gives_the_ranks_of_the_numbers_drawn_also_where_some_are_equal():
    drawn = np.random.default_rng(0).integers(0, 2**32, (50, 23), dtype=np.uint32)
    ranks = np.argsort(np.argsort(drawn, axis=1), axis=1)
    np.testing.assert_array_equal(distinct(jnp.asarray(drawn), 23), ranks)
    np.testing.assert_array_equal(distinct(jnp.asarray(drawn), 4), ranks[:, :4])
    assert distinct(jnp.full((1, 5), 2**32 - 1, jnp.uint32), 5).tolist() == [[0, 1, 2, 3, 4]]


def test_every_set_is_equally_likely():
    (drawn,) = bits(KEY, EXAMPLES, 3)
    chosen = np.sort(subset(drawn, 6), axis=1)
    counts = Counter(map(tuple, chosen.tolist()))
    assert set(counts) == set(combinations(range(6), 3))
    assert chisquare(list(counts.values())).pvalue > 1e-3


def test_a_set_of_all_numbers_can_be_drawn():
    (drawn,) = bits(KEY, 7, 30)
    np.testing.assert_array_equal(np.sort(subset(drawn, 30), axis=1), np.tile(np.arange(30), (7, 1)))


def test_parts_of_one_draw_are_different_columns_of_it():
    first, second, third = bits(KEY, 6, 2, 1, 4)
    assert (first.shape, second.shape, third.shape) == ((6, 2), (6, 1), (6, 4))
    assert np.unique(np.concatenate([first, second, third], axis=1)).size == 6 * 7


@pytest.mark.parametrize("bound", [3, 1000, 2**31 - 1])
def test_numbers_below_a_bound_are_uniform(bound):
    (drawn,) = bits(KEY, EXAMPLES, 1)
    numbers = np.asarray(below(drawn, bound))
    assert 0 <= numbers.min() <= numbers.max() < bound
    assert (
        kstest(numbers[:, 0] + np.random.default_rng(1).uniform(size=EXAMPLES), "uniform", (0, bound)).pvalue
        > 1e-3
    )


def test_coins_are_fair_and_independent_of_each_other():
    """Also across the borders of the words of 32 bits that they come from."""
    thrown = np.asarray(coins(KEY, EXAMPLES, 70))
    assert thrown.shape == (EXAMPLES, 70)
    assert set(np.unique(thrown)) == {0, 1}
    assert np.abs(thrown.mean(axis=0) - 0.5).max() < 4.5 * 0.5 / np.sqrt(EXAMPLES)
    correlations = np.corrcoef(thrown.T) - np.eye(70)
    assert np.abs(correlations).max() < 5 / np.sqrt(EXAMPLES)


@pytest.mark.parametrize(("low", "high"), [(2, 6), (0, 1), (-3, 5), (0, 2**16), (0, 2**17), (2, 12)])
def test_randint_gives_the_numbers_of_jax(low, high):
    np.testing.assert_array_equal(
        randint(KEY, (40, 5), low, high), jax.random.randint(KEY, (40, 5), low, high, jnp.int32)
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
