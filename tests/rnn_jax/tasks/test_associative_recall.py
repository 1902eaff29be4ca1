import jax
import numpy as np
import pytest

from rnn_jax.tasks import AssociativeRecall

EXAMPLES = 6_000
KEY = jax.random.key(20)


@pytest.fixture(scope="module", params=[("ba", 5), ("delayed", 11)])
def task(request):
    variant, length = request.param
    return AssociativeRecall(length, variant)


@pytest.fixture(scope="module")
def batch(task):
    return task.sample(KEY, EXAMPLES)


@pytest.fixture(scope="module")
def codes(task, batch):
    inputs = np.asarray(batch.inputs)
    pairs, marks = (5, 2) if task.variant == "ba" else (8, 11)
    assert inputs.shape == (EXAMPLES, 2 * pairs + marks + 1, 37)
    np.testing.assert_array_equal(inputs.sum(axis=2), np.ones(inputs.shape[:2]))
    codes = inputs.argmax(axis=2)
    assert (codes[:, 2 * pairs : -1] == 36).all()
    return codes


def test_the_answer_is_the_digit_after_the_letter_asked_for(task, batch, codes):
    answers = []
    for row in codes.tolist():
        shown = dict(zip(row[: 2 * task.pairs : 2], row[1 : 2 * task.pairs : 2], strict=True))
        assert len(shown) == task.pairs  # letters are different
        answers.append(shown[row[-1]] - 26)
    np.testing.assert_array_equal(batch.targets[:, 0], answers)


def test_letters_digits_and_the_question_are_uniform_and_independent(
    task, codes, assert_uniform, assert_independent
):
    letters, digits = codes[:, : 2 * task.pairs : 2], codes[:, 1 : 2 * task.pairs : 2] - 26
    for column in letters.T:
        assert_uniform(column, 26, 1e-4)
    for column in digits.T:
        assert_uniform(column, 10, 1e-4)
    assert_uniform(10 * digits[:, 0] + digits[:, 1], 100)
    asked = (letters == codes[:, -1:]).argmax(axis=1)
    assert_uniform(asked, task.pairs)
    for letter, digit in zip(letters.T, digits.T, strict=True):
        assert_independent(letter, digit)
        assert_independent(letter, asked)
        assert_independent(digit, asked)
    # Different letters are a little anticorrelated: -1 / 25.
    assert abs(np.corrcoef(letters[:, 0], letters[:, 1])[0, 1] + 1 / 25) < 4 / np.sqrt(EXAMPLES)


def test_there_are_26_letters():
    assert AssociativeRecall(26).sample(KEY, 2).inputs.shape == (2, 55, 37)
    with pytest.raises(
        ValueError, match="length of associative_recall, variant 'ba', must be at most 26, got 27"
    ):
        AssociativeRecall(27)
    assert AssociativeRecall(27, "delayed").sequence_length == 44
