import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chisquare

from rnn_jax.tasks import TemporalOrder

EXAMPLES = 4_000
KEY = jax.random.key(20)
# Where Pascanu et al. put the relevant symbols, as fractions of the length.
WINDOWS = {"two_symbol": [(0.1, 0.2), (0.5, 0.6)], "three_symbol": [(0.1, 0.2), (0.3, 0.4), (0.6, 0.7)]}


@pytest.fixture(scope="module", params=WINDOWS)
def task(request):
    return TemporalOrder(50, request.param)


@pytest.fixture(scope="module")
def batch(task):
    return task.sample(KEY, EXAMPLES)


def relevant(batch):
    """Steps and kinds (0 for A, 1 for B) of the relevant symbols, in the order of time."""
    codes = np.asarray(batch.inputs).argmax(axis=2)
    examples, steps = np.nonzero(codes < 2)
    count = len(steps) // len(codes)
    assert np.array_equal(examples, np.repeat(np.arange(len(codes)), count))
    return steps.reshape(-1, count), codes[examples, steps].reshape(-1, count)


def test_every_step_is_one_of_six_symbols(task, batch):
    inputs = np.asarray(batch.inputs)
    assert inputs.shape == (EXAMPLES, 50, 6)
    assert set(np.unique(inputs)) == {0.0, 1.0}
    np.testing.assert_array_equal(inputs.sum(axis=2), np.ones((EXAMPLES, 50)))
    assert batch.targets.shape == (EXAMPLES, 1)


def test_the_relevant_symbols_are_uniform_in_their_windows(task, batch):
    steps, _ = relevant(batch)
    assert steps.shape[1] == len(WINDOWS[task.variant])
    for places, (start, end) in zip(steps.T, WINDOWS[task.variant], strict=True):
        low, high = round(50 * start), round(50 * end)
        assert places.min() == low
        assert places.max() == high - 1
        assert chisquare(np.bincount(places - low, minlength=high - low)).pvalue > 1e-3


def test_the_distractors_are_uniform_over_four_symbols(batch):
    codes = np.asarray(batch.inputs).argmax(axis=2)
    assert chisquare(np.bincount(codes[codes >= 2] - 2, minlength=4)).pvalue > 1e-3


def test_the_class_counts_the_orders_in_binary_the_first_symbol_lowest(task, batch):
    _, kinds = relevant(batch)
    expected = sum(kinds[:, place] * 2**place for place in range(kinds.shape[1]))
    np.testing.assert_array_equal(batch.targets[:, 0], expected)


def test_the_classes_are_equally_frequent_and_all_there(task, batch):
    assert task.output_size == {"two_symbol": 4, "three_symbol": 8}[task.variant]
    counts = np.bincount(np.asarray(batch.targets[:, 0]), minlength=task.output_size)
    assert len(counts) == task.output_size
    assert chisquare(counts).pvalue > 1e-3


def test_places_and_kinds_are_drawn_independently(batch):
    steps, kinds = relevant(batch)
    correlations = np.corrcoef(np.concatenate([steps, kinds], axis=1).T)
    assert np.abs(correlations - np.eye(len(correlations))).max() < 4 / np.sqrt(EXAMPLES)


def test_a_decoder_written_by_hand_solves_it_from_the_inputs_alone(task, batch):
    _, kinds = relevant(batch)
    answer = kinds @ (2 ** np.arange(kinds.shape[1]))
    outputs = 50.0 * jax.nn.one_hot(jnp.asarray(answer)[:, None], task.output_size, dtype=jnp.float64)
    loss, accuracy = task.loss(outputs, batch), task.accuracy(outputs, batch)
    assert accuracy == 1
    assert loss < 1e-15
    assert task.is_solved(loss, accuracy)
    wrong_in_50 = outputs.at[::50].set(jnp.roll(outputs[::50], 1, axis=-1))
    assert task.accuracy(wrong_in_50, batch) == pytest.approx(0.98)
    assert not task.is_solved(loss, task.accuracy(wrong_in_50, batch))


def test_a_uniform_guess_has_the_loss_of_the_baseline(task, batch):
    baseline = float(task.baseline(jax.random.key(1)))
    assert baseline == pytest.approx(np.log(task.output_size), rel=1e-3)
    assert task.loss(jnp.zeros((EXAMPLES, 1, task.output_size)), batch) == pytest.approx(baseline, rel=1e-3)


def test_one_key_gives_one_batch_in_every_dtype(task):
    single, double = (task.sample(KEY, 5, dtype) for dtype in (jnp.float32, jnp.float64))
    assert single.inputs.dtype == jnp.float32
    np.testing.assert_array_equal(double.inputs, single.inputs.astype(jnp.float64))
    np.testing.assert_array_equal(double.targets, single.targets)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((30, "four"), "variant of temporal_order must be one of two_symbol, three_symbol, got 'four'"),
        ((9,), "length of temporal_order must be at least 10, got 9"),
    ],
)
def test_a_wrong_argument_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        TemporalOrder(*arguments)
