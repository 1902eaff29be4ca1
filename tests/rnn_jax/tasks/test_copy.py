import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chisquare

from rnn_jax.tasks import Copy

EXAMPLES = 4_000
KEY = jax.random.key(20)
LENGTH = 7


@pytest.fixture(scope="module", params=["urnn", "tcn", "exprnn"])
def task(request):
    return Copy(LENGTH, request.param)


@pytest.fixture(scope="module")
def batch(task):
    return task.sample(KEY, EXAMPLES)


def codes(task, batch):
    """The input as integers: the class of a one-hot, or the digit itself."""
    inputs = np.asarray(batch.inputs)
    if task.variant == "tcn":
        assert inputs.shape == (EXAMPLES, LENGTH + 20, 1)
        return inputs[..., 0].astype(int)
    assert inputs.shape == (EXAMPLES, LENGTH + 20, 10)
    np.testing.assert_array_equal(inputs.sum(axis=2), np.ones((EXAMPLES, LENGTH + 20)))
    return inputs.argmax(axis=2)


def test_every_symbol_of_the_layout_stands_in_its_place(task, batch):
    written = codes(task, batch)
    blank = 8 if task.variant == "urnn" else 0
    for code, target in zip(written[:50].tolist(), np.asarray(batch.targets[:50]).tolist(), strict=True):
        symbols = code[:10]
        if task.variant == "urnn":
            assert code[10:] == [8] * (LENGTH - 1) + [9] + [8] * 10
        elif task.variant == "exprnn":
            assert code[10:] == [0] * LENGTH + [9] + [0] * 9
        else:
            assert code[10:] == [0] * (LENGTH - 1) + [9] * 11
        assert target == [blank] * (LENGTH + 10) + symbols


def test_the_ten_symbols_are_independent_and_uniform_over_eight(task, batch):
    symbols = codes(task, batch)[:, :10] - (0 if task.variant == "urnn" else 1)
    assert symbols.min() == 0
    assert symbols.max() == 7
    for column in symbols.T:
        assert chisquare(np.bincount(column, minlength=8)).pvalue > 1e-4
    pairs = np.bincount(symbols[:, 0] * 8 + symbols[:, 9], minlength=64)
    assert chisquare(pairs).pvalue > 1e-3


def test_the_mask_marks_the_last_ten_steps(task, batch):
    assert task.target_steps == task.sequence_length == LENGTH + 20
    np.testing.assert_array_equal(batch.mask, np.tile(np.arange(LENGTH + 20) >= LENGTH + 10, (EXAMPLES, 1)))


def decoded(task, batch):
    """Blanks, then the ten symbols read from the first ten inputs, as sharp logits."""
    written = codes(task, batch)
    blank = 8 if task.variant == "urnn" else 0
    answer = np.concatenate([np.full((EXAMPLES, LENGTH + 10), blank), written[:, :10]], axis=1)
    return 50.0 * jax.nn.one_hot(jnp.asarray(answer), task.output_size, dtype=jnp.float64)


def test_a_decoder_written_by_hand_solves_it_from_the_inputs_alone(task, batch):
    outputs = decoded(task, batch)
    loss, accuracy = task.loss(outputs, batch), task.accuracy(outputs, batch)
    assert accuracy == 1
    assert loss < 1e-15
    assert task.is_solved(loss, accuracy)


def test_accuracy_counts_the_copied_symbols_only_and_the_loss_every_step(task, batch):
    outputs = decoded(task, batch)
    blanks_wrong = outputs.at[:, : LENGTH + 10].set(jnp.roll(outputs[:, : LENGTH + 10], 1, axis=-1))
    assert task.accuracy(blanks_wrong, batch) == 1
    assert task.loss(blanks_wrong, batch) == pytest.approx(50 * (LENGTH + 10) / (LENGTH + 20))
    last_wrong = outputs.at[:, -1].set(jnp.roll(outputs[:, -1], 1, axis=-1))
    assert task.accuracy(last_wrong, batch) == pytest.approx(0.9)
    assert not task.is_solved(jnp.array(0.0), task.accuracy(last_wrong, batch))


def test_it_is_solved_from_an_accuracy_of_099(task):
    assert task.is_solved(jnp.array(1.0), jnp.array(0.99))
    assert not task.is_solved(jnp.array(1.0), jnp.array(0.989))


@pytest.mark.costly
@pytest.mark.parametrize("length", [7, 60])
def test_the_baseline_is_a_uniform_guess_over_the_last_ten_steps(length):
    expected = 10 * np.log(8) / (length + 20)
    for variant in ("urnn", "tcn", "exprnn"):
        assert Copy(length, variant).baseline(jax.random.key(1)) == pytest.approx(expected, rel=1e-3)


def test_one_key_gives_one_batch_in_every_dtype(task):
    single, double = (task.sample(KEY, 5, dtype) for dtype in (jnp.float32, jnp.float64))
    assert single.inputs.dtype == jnp.float32
    assert single.targets.dtype == double.targets.dtype == jnp.int32
    np.testing.assert_array_equal(double.inputs, single.inputs.astype(jnp.float64))
    np.testing.assert_array_equal(double.targets, single.targets)


def test_the_shortest_copy_has_no_blank_between_symbols_and_delimiter():
    inputs = Copy(1, "urnn").sample(KEY, 3).inputs
    np.testing.assert_array_equal(inputs.argmax(axis=2)[:, 10:], np.tile([9] + [8] * 10, (3, 1)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((30, "ntm"), "variant of copy must be one of urnn, tcn, exprnn, got 'ntm'"),
        ((0,), "length of copy must be at least 1, got 0"),
    ],
)
def test_a_wrong_argument_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        Copy(*arguments)
