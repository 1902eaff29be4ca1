import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chisquare

from rnn_jax.tasks import MQAR

EXAMPLES = 6_000
KEY = jax.random.key(20)
LENGTH, PAIRS = 49, 3
ASKING = LENGTH - 2 * PAIRS


@pytest.fixture(scope="module", params=["zoology", "blank"])
def task(request):
    return MQAR(LENGTH, request.param)


@pytest.fixture(scope="module")
def batch(task):
    return task.sample(KEY, EXAMPLES)


@pytest.fixture(scope="module")
def codes(batch):
    inputs = np.asarray(batch.inputs)
    assert inputs.shape == (EXAMPLES, LENGTH, 129)
    np.testing.assert_array_equal(inputs.sum(axis=2), np.ones((EXAMPLES, LENGTH)))
    return inputs.argmax(axis=2)


@pytest.mark.costly
def test_every_key_comes_again_once_and_its_value_is_asked_for(batch, codes):
    targets, mask = np.asarray(batch.targets), np.asarray(batch.mask)
    assert targets.shape == mask.shape == (EXAMPLES, ASKING)
    assert (mask.sum(axis=1) == PAIRS).all()
    for row, target, asked in zip(codes.tolist(), targets.tolist(), mask.tolist(), strict=True):
        shown = dict(zip(row[: 2 * PAIRS : 2], row[1 : 2 * PAIRS : 2], strict=True))
        steps = [step for step in range(ASKING) if asked[step]]
        assert sorted(row[2 * PAIRS + step] for step in steps) == sorted(shown)
        assert [target[step] for step in steps] == [shown[row[2 * PAIRS + step]] - 65 for step in steps]
    assert not targets[~mask].any()


def test_keys_and_values_are_different_uniform_and_independent(codes, assert_uniform):
    keys, values = codes[:, : 2 * PAIRS : 2] - 1, codes[:, 1 : 2 * PAIRS : 2] - 65
    for each in (keys, values):
        assert min(len(set(row)) for row in each.tolist()) == PAIRS
        for column in each.T:
            assert_uniform(column, 64, 1e-4)
    for a in range(PAIRS):
        for b in range(PAIRS):
            assert abs(np.corrcoef(keys[:, a], values[:, b])[0, 1]) < 4 / np.sqrt(EXAMPLES)


def places_of(codes, mask):
    """At which of the places, every second step, each key comes again, in the order of the pairs."""
    _, steps = np.nonzero(mask)
    assert (steps % 2 == 0).all()
    steps = steps.reshape(-1, PAIRS)
    again = np.take_along_axis(codes[:, 2 * PAIRS :], steps, axis=1)
    order = np.argmax(again[:, None, :] == codes[:, : 2 * PAIRS : 2, None], axis=2)
    return np.take_along_axis(steps // 2, order, axis=1)


def test_places_are_drawn_one_after_another_by_a_power_law(batch, codes):
    places = places_of(codes, np.asarray(batch.mask))
    size = ASKING // 2
    law = np.arange(1, size + 1) ** -0.99
    law /= law.sum()
    assert chisquare(np.bincount(places[:, 0], minlength=size), EXAMPLES * law).pvalue > 1e-3
    # The second key takes a place that the first left.
    second = np.array(
        [sum(law[i] * law[j] / (1 - law[i]) for i in range(size) if i != j) for j in range(size)]
    )
    assert chisquare(np.bincount(places[:, 1], minlength=size), EXAMPLES * second).pvalue > 1e-3


def test_places_keys_values_and_the_rest_are_independent(task, batch, codes, assert_independent):
    keys, values = codes[:, : 2 * PAIRS : 2] - 1, codes[:, 1 : 2 * PAIRS : 2] - 65
    mask = np.asarray(batch.mask)
    places, rest = places_of(codes, mask), codes[:, 2 * PAIRS :]
    for pair in range(PAIRS):
        # Eights of keys and values, and places as often as each other, for enough examples a cell.
        coarse = np.digitize(places[:, pair], [1, 2, 4, 8])
        assert_independent(keys[:, pair] // 8, coarse)
        assert_independent(values[:, pair] // 8, coarse)
        assert_independent(keys[:, pair] // 8, values[:, pair] // 8)
        if task.variant == "zoology":
            at = 2 * pair + 1  # no key comes again at an odd step
            assert_independent(keys[:, pair] // 8, rest[:, at] // 16)
            assert_independent(values[:, pair] // 8, rest[:, at] // 16)
            assert_independent(coarse, rest[:, at] // 16)


def test_elsewhere_are_random_symbols_or_blanks(task, batch, codes, assert_uniform):
    rest = codes[:, 2 * PAIRS :][~np.asarray(batch.mask)]
    if task.variant == "blank":
        assert not rest.any()
    else:
        assert_uniform(rest, 129)


@pytest.mark.costly
def test_loss_and_accuracy_count_the_keys_that_come_again_and_nothing_else(task, batch):
    outputs = 40.0 * jax.nn.one_hot(batch.targets, 64, dtype=jnp.float64)
    wrong_elsewhere = jnp.where(batch.mask[..., None], outputs, jnp.roll(outputs, 1, axis=-1))
    assert task.loss(wrong_elsewhere, batch) < 1e-12
    assert task.accuracy(wrong_elsewhere, batch) == 1
    wrong_there = jnp.where(batch.mask[..., None], jnp.roll(outputs, 1, axis=-1), outputs)
    assert task.loss(wrong_there, batch) == pytest.approx(40)
    assert task.accuracy(wrong_there, batch) == 0


@pytest.mark.costly
def test_the_baseline_is_a_uniform_guess_where_a_key_comes_again(task):
    baseline = task.baseline(jax.random.key(1))
    assert baseline == pytest.approx(np.log(64), rel=2e-3)


@pytest.mark.parametrize(
    ("length", "message"), [(15, "at least 16, got 15"), (1040, "at most 1039, got 1040")]
)
def test_a_wrong_length_is_named(length, message):
    with pytest.raises(ValueError, match=f"length of mqar must be {message}"):
        MQAR(length)
