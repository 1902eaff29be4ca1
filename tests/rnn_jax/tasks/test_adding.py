import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chisquare, kstest

from rnn_jax.tasks import Adding

VARIANTS = ["halves", "anywhere", "mean", "martens"]
EXAMPLES = 8_000
# A fixed key: a correct sampler passes these tests always, a biased one fails them always.
KEY = jax.random.key(20)
SMALLEST_P = 1e-3


@pytest.fixture(scope="module", params=VARIANTS)
def task(request):
    return Adding(30, request.param)


@pytest.fixture(scope="module")
def batch(task):
    return task.sample(KEY, EXAMPLES)


def marked_steps(batch):
    """The two marked steps of each example, the earlier one first."""
    examples, steps = np.nonzero(np.asarray(batch.inputs[..., 1]))
    assert np.array_equal(examples, np.repeat(np.arange(len(batch.inputs)), 2))
    return steps.reshape(-1, 2)


def assert_uniform(steps, low, high):
    assert steps.min() >= low
    assert steps.max() < high
    assert chisquare(np.bincount(steps - low, minlength=high - low)).pvalue > SMALLEST_P


@pytest.mark.costly
def test_shapes_and_dtypes(task, batch):
    steps = 33 if task.variant == "martens" else 30
    assert batch.inputs.shape == (EXAMPLES, task.sequence_length, task.input_size) == (EXAMPLES, steps, 2)
    assert batch.targets.shape == (EXAMPLES, task.target_steps, task.output_size) == (EXAMPLES, 1, 1)
    assert batch.mask.shape == (EXAMPLES, 1)
    assert batch.mask.all()
    assert batch.inputs.dtype == batch.targets.dtype == jnp.float64


def test_two_different_steps_are_marked_with_a_one(batch):
    marks = np.asarray(batch.inputs[..., 1])
    assert set(np.unique(marks)) == {0.0, 1.0}
    np.testing.assert_array_equal(marks.sum(axis=1), np.full(EXAMPLES, 2))


def test_the_target_is_made_of_the_marked_numbers(task, batch):
    values, marks = np.asarray(batch.inputs[..., 0]), np.asarray(batch.inputs[..., 1])
    total = np.sum(values * marks, axis=1)
    expected = total / 2 if task.variant == "mean" else total
    np.testing.assert_allclose(batch.targets[:, 0, 0], expected, rtol=1e-6)


def test_the_numbers_are_uniform_on_0_to_1_marked_or_not(task, batch):
    values, marks = np.asarray(batch.inputs[..., 0]), np.asarray(batch.inputs[..., 1])
    assert values.min() >= 0
    assert values.max() < 1
    shown = values > 0 if task.variant == "martens" else np.ones_like(values, bool)
    for part in (values[marks == 1], values[(marks == 0) & shown][::10]):
        assert kstest(part, "uniform").pvalue > SMALLEST_P


def test_halves_marks_one_step_of_each_half():
    first, second = marked_steps(Adding(31, "halves").sample(KEY, EXAMPLES)).T  # odd: 15 and 16 steps
    assert_uniform(first, 0, 15)
    assert_uniform(second, 15, 31)


def test_anywhere_marks_every_pair_of_steps_equally_often():
    first, second = marked_steps(Adding(10, "anywhere").sample(KEY, EXAMPLES)).T
    pairs = np.bincount(first * 10 + second, minlength=100).reshape(10, 10)
    above = np.triu_indices(10, 1)
    assert pairs[above].sum() == EXAMPLES
    assert chisquare(pairs[above]).pvalue > SMALLEST_P


def test_mean_marks_the_first_tenth_and_from_there_to_the_middle():
    first, second = marked_steps(Adding(100, "mean").sample(KEY, EXAMPLES)).T
    assert_uniform(first, 0, 10)
    assert_uniform(second, 10, 50)


@pytest.mark.parametrize("variant", ["halves", "mean"])
def test_the_two_marks_are_drawn_independently(variant):
    first, second = marked_steps(Adding(40, variant).sample(KEY, EXAMPLES)).T
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / np.sqrt(EXAMPLES)


def test_a_decoder_written_by_hand_solves_it_from_the_inputs_alone(task, batch):
    total = jnp.sum(batch.inputs[..., 0] * batch.inputs[..., 1], axis=1) * (
        0.5 if task.variant == "mean" else 1.0
    )
    outputs = total[:, None, None]
    loss, accuracy = task.loss(outputs, batch), task.accuracy(outputs, batch)
    assert accuracy == 1
    assert task.is_solved(loss, accuracy)


def test_accuracy_counts_examples_within_004_of_the_sum(task, batch):
    width = 0.02 if task.variant == "mean" else 0.04
    miss = jnp.where(jnp.arange(EXAMPLES) % 4 == 0, 1.01, 0.99) * width
    above = batch.targets + miss[:, None, None]
    assert task.accuracy(above, batch) == 0.75
    assert task.accuracy(2 * batch.targets - above, batch) == 0.75


def test_it_is_solved_below_a_mean_squared_error_of_one_thousandth_of_the_sum(task, batch):
    limit = np.sqrt(1e-3) * (0.5 if task.variant == "mean" else 1.0)
    for factor, solved in ((0.99, True), (1.01, False)):
        loss = task.loss(batch.targets + factor * limit, batch)
        assert loss == pytest.approx((factor * limit) ** 2)
        assert task.is_solved(loss, jnp.array(0.0)) == solved


@pytest.mark.costly
def test_martens_has_the_same_marks_in_sequences_whose_length_varies():
    batch = Adding(100, "martens").sample(KEY, EXAMPLES)
    values = np.asarray(batch.inputs[..., 0])
    starts = np.argmax(values > 0, axis=1)
    assert_uniform(starts, 0, 11)
    first, second = marked_steps(batch).T
    lengths = 110 - starts
    assert (first - starts < lengths // 10).all()
    assert (second - starts >= lengths // 10).all()
    assert (second - starts < lengths // 2).all()


@pytest.mark.costly
@pytest.mark.parametrize(
    ("variant", "expected"), [("halves", 1 / 6), ("anywhere", 1 / 6), ("mean", 1 / 24), ("martens", 1 / 6)]
)
def test_the_baseline_is_the_variance_of_the_target(variant, expected):
    # 131,072 examples: the standard error is 0.33%.
    assert Adding(20, variant).baseline(jax.random.key(1)) == pytest.approx(expected, rel=0.012)


def test_one_key_gives_one_batch_in_every_dtype(task):
    single, double = (task.sample(KEY, 5, dtype) for dtype in (jnp.float32, jnp.float64))
    assert single.inputs.dtype == single.targets.dtype == jnp.float32
    np.testing.assert_array_equal(double.inputs, single.inputs.astype(jnp.float64))
    np.testing.assert_array_equal(double.targets, single.targets.astype(jnp.float64))


def test_another_key_gives_another_batch(task):
    assert not np.array_equal(
        task.sample(jax.random.key(1), 5).inputs, task.sample(jax.random.key(2), 5).inputs
    )


def test_a_batch_can_be_drawn_under_jit(task):
    np.testing.assert_array_equal(
        jax.jit(lambda key: task.sample(key, 5))(KEY).inputs, task.sample(KEY, 5).inputs
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((30, "sum"), "variant of adding must be one of halves, anywhere, mean, martens, got 'sum'"),
        ((9,), "length of adding must be at least 10, got 9"),
        ((10.0,), "length of adding must be a whole number, got 10.0"),
    ],
)
def test_a_wrong_argument_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        Adding(*arguments)
