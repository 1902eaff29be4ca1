import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import kstest

from rnn_jax.tasks import Multiplication

EXAMPLES = 8_000
KEY = jax.random.key(20)
VARIANTS = ["halves", "pascanu", "martens"]


@pytest.fixture(scope="module", params=VARIANTS)
def task(request):
    return Multiplication(40, request.param)


@pytest.fixture(scope="module")
def batch(task):
    return task.sample(KEY, EXAMPLES)


def test_the_target_is_the_product_of_the_marked_numbers(batch):
    values, marks = np.asarray(batch.inputs[..., 0]), np.asarray(batch.inputs[..., 1])
    np.testing.assert_array_equal(marks.sum(axis=1), np.full(EXAMPLES, 2))
    expected = [np.prod(row[mark == 1]) for row, mark in zip(values, marks, strict=True)]
    np.testing.assert_allclose(batch.targets[:, 0, 0], expected, rtol=1e-6)


def test_the_target_is_distributed_as_a_product_of_two_uniform_numbers(batch):
    # P(UV <= x) = x - x ln x.
    assert kstest(np.asarray(batch.targets).ravel(), lambda x: x - x * np.log(x)).pvalue > 1e-3


@pytest.mark.parametrize(
    ("variant", "windows"), [("halves", [(0, 20), (20, 40)]), ("pascanu", [(0, 4), (4, 20)])]
)
def test_the_marks_are_uniform_in_their_windows(variant, windows, assert_uniform):
    marks = np.asarray(Multiplication(40, variant).sample(KEY, EXAMPLES).inputs[..., 1])
    for steps, (low, high) in zip(np.nonzero(marks)[1].reshape(-1, 2).T, windows, strict=True):
        assert_uniform(steps - low, high - low)


def test_only_martens_varies_the_length(task, batch):
    began = np.argmax(np.asarray(batch.inputs[..., 0]) > 0, axis=1)
    assert set(began) == (set(range(5)) if task.variant == "martens" else {0})
    assert task.sequence_length == batch.inputs.shape[1] == (44 if task.variant == "martens" else 40)


def test_accuracy_counts_examples_within_004_of_the_product(task, batch):
    miss = jnp.where(jnp.arange(EXAMPLES) % 4 == 0, 0.041, 0.039)[:, None, None]
    assert task.accuracy(batch.targets + miss, batch) == 0.75
    assert task.accuracy(batch.targets - miss, batch) == 0.75


def test_it_is_solved_below_the_fraction_of_the_variance_that_solves_adding(task, batch):
    limit = np.sqrt(1e-3 / (1 / 6) * 7 / 144)
    for factor, solved in ((0.99, True), (1.01, False)):
        loss = task.loss(batch.targets + factor * limit, batch)
        assert task.is_solved(loss, jnp.array(0.0)) == solved


def test_the_baseline_is_the_variance_of_the_target(task):
    assert task.baseline(jax.random.key(1)) == pytest.approx(7 / 144, rel=0.02)
