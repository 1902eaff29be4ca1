import jax
import numpy as np
import pytest
from scipy.stats import chisquare

from rnn_jax.tasks import ModularArithmetic
from rnn_jax.tasks.task import evaluation_task

EXAMPLES = 6_000
KEY = jax.random.key(20)
SIGNS = "01234+-*"


def expressions(task):
    """Each example as text, and its class."""
    batch = task.sample(KEY, EXAMPLES)
    inputs = np.asarray(batch.inputs)
    assert inputs.shape == (EXAMPLES, task.length, 8)
    there = inputs.sum(axis=2)
    counts = there.sum(axis=1).astype(int)
    np.testing.assert_array_equal(there, np.arange(task.length) >= task.length - counts[:, None])
    codes = inputs.argmax(axis=2)
    texts = [
        "".join(SIGNS[code] for code in row[len(row) - count :])
        for row, count in zip(codes, counts, strict=True)
    ]
    return texts, np.asarray(batch.targets)[:, 0]


@pytest.mark.parametrize(
    "task", [ModularArithmetic(15), ModularArithmetic(10), ModularArithmetic(12, "fixed")]
)
def test_the_class_is_the_value_of_the_expression(task):
    texts, targets = expressions(task)
    assert targets.tolist() == [eval(text) % 5 for text in texts]


def test_varied_expressions_have_the_odd_length_that_a_uniform_one_gives():
    lengths = np.array([len(text) for text in expressions(ModularArithmetic(8))[0]])
    # 1 or 2 give 1, 3 or 4 give 3 and so on.
    assert chisquare(np.bincount(lengths, minlength=8)[1::2]).pvalue > 1e-3
    assert set(lengths) == {1, 3, 5, 7}
    lengths = np.array([len(text) for text in expressions(ModularArithmetic(7))[0]])
    assert (
        chisquare(np.bincount(lengths, minlength=8)[1::2], EXAMPLES * np.array([2, 2, 2, 1]) / 7).pvalue
        > 1e-3
    )


def test_numbers_and_operators_are_uniform_and_independent(assert_uniform):
    texts, _ = expressions(ModularArithmetic(5, "fixed"))
    assert {len(text) for text in texts} == {5}
    codes = np.array([[SIGNS.index(sign) for sign in text] for text in texts])
    numbers, operators = codes[:, ::2], codes[:, 1::2] - 5
    for column in numbers.T:
        assert_uniform(column, 5)
    assert_uniform(3 * operators[:, 0] + operators[:, 1], 9)
    assert_uniform(3 * numbers[:, 1] + operators[:, 0], 15)
    assert_uniform(5 * numbers[:, 0] + numbers[:, 1], 25)


def test_the_length_says_nothing_of_the_signs(assert_independent):
    # As many lengths as there are pairs of a number and an operator: remainders of one draw would be the same.
    texts, _ = expressions(ModularArithmetic(15))
    for back in range(1, 8):
        having = [text for text in texts if len(text) >= back]
        lengths = np.array([len(text) for text in having])
        assert_independent(lengths, [SIGNS.index(text[-back]) for text in having])


@pytest.mark.parametrize("length", [8, 9])
def test_it_is_tested_on_longer_expressions_only(length):
    longer = evaluation_task(ModularArithmetic(length))
    assert longer.length == 5 * length
    lengths = {len(text) for text in expressions(longer)[0]}
    assert (min(lengths), max(lengths)) == {8: (9, 39), 9: (11, 45)}[length]


def test_products_make_0_the_most_frequent_class_and_the_baseline_knows():
    # Of three signs: a + b and a - b are uniform; a * b is 0 in 9 of 25 cases, else 4 of 25 each.
    shares = np.array([2 / 3 / 5 + 9 / 75] + 4 * [2 / 3 / 5 + 4 / 75])
    entropy = -np.sum(shares * np.log(shares))
    assert ModularArithmetic(3, "fixed").baseline(jax.random.key(1)) == pytest.approx(entropy, rel=1e-3)
    assert entropy < 0.995 * np.log(5)
