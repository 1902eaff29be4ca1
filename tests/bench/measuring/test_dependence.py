"""Dependence of synthetic data that is known beforehand."""

import jax.numpy as jnp
import numpy as np
import pytest

from bench.measuring.dependence import (
    Questions,
    contexts,
    dependence_steps,
    is_censored,
    questions,
    reference_losses,
)
from rnn_jax.tasks.task import Batch

CONTEXTS = np.array([1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16])


def of_series(values, length=16):
    """The next value asked for after each window, in two parts by time."""
    read = np.lib.stride_tricks.sliding_window_view(values[:-1], length)
    everything = Questions(read, values[length:, None])
    half = len(read) // 2
    return (
        Questions(everything.histories[:half], everything.answers[:half]),
        Questions(everything.histories[half + length :], everything.answers[half + length :]),
    )


def autoregression(coefficients, steps=6_000, seed=0):
    noise = np.random.default_rng(seed).standard_normal(steps + 500)
    values = np.zeros(steps + 500)
    for step in range(len(coefficients), len(values)):
        past = values[step - len(coefficients) : step][::-1]
        values[step] = np.dot(coefficients, past) + noise[step]
    return values[500:]


def dependence_of(values):
    losses = reference_losses(*of_series(values), CONTEXTS)
    return dependence_steps(CONTEXTS, losses), losses


def test_an_autoregression_depends_as_far_back_as_its_order():
    far, losses = dependence_of(autoregression([0.3, 0.0, 0.6]))
    assert far == 3
    # Nothing is left then but the noise, of variance 1; without any context all of the variance.
    assert losses[3] == pytest.approx(1, rel=0.06)
    assert losses[0] > 1.5


def test_a_seasonal_series_depends_a_season_back():
    coefficients = np.zeros(12)
    coefficients[11] = 0.8
    assert dependence_of(autoregression(coefficients))[0] == 12


def test_noise_depends_on_nothing():
    far, losses = dependence_of(autoregression([0.0]))
    assert far == 0
    assert not is_censored(CONTEXTS, losses)


def test_where_only_all_that_is_read_will_do_it_is_censored():
    coefficients = np.zeros(16)
    coefficients[15] = 0.8
    far, losses = dependence_of(autoregression(coefficients))
    assert far == 16
    assert is_censored(CONTEXTS, losses)


def test_text_depends_as_far_back_as_the_character_that_decides():
    drawn = np.random.default_rng(1).integers(0, 4, (1_200, 16))
    answers = np.eye(4)[drawn[:, -3]]
    parts = [Questions(drawn[rows], answers[rows]) for rows in (slice(0, 800), slice(800, None))]
    losses = reference_losses(*parts, CONTEXTS)
    assert dependence_steps(CONTEXTS, losses) == 3
    assert losses[0] == pytest.approx(3 / 16, rel=0.02)  # of a uniform guess among four
    assert losses[3] < 0.1 * losses[0]


def test_text_depends_on_a_message_far_back_that_chooses_among_ways_to_go_on():
    """The last character and an early one, wherever it stands, decide together."""
    rng = np.random.default_rng(2)
    drawn = np.full((1_200, 16), 9)
    drawn[:, -1] = rng.integers(0, 2, 1_200)
    early = rng.integers(2, 4, 1_200)
    drawn[np.arange(1_200), rng.integers(2, 6, 1_200)] = early
    answers = np.eye(2)[(drawn[:, -1] + early) % 2]
    parts = [Questions(drawn[rows], answers[rows]) for rows in (slice(0, 800), slice(800, None))]
    losses = reference_losses(*parts, np.array([1, 4, 8, 10, 14, 16]))
    assert dependence_steps(np.array([1, 4, 8, 10, 14, 16]), losses) == 14
    assert losses[-1] < 0.2 * losses[0]


def test_the_rule_looks_at_all_longer_contexts():
    steps = np.array([1, 2, 4, 8])
    assert dependence_steps(steps, np.array([1.0, 0.9, 0.95, 0.5, 0.505])) == 4
    assert dependence_steps(steps, np.array([1.0, 0.9, 0.895, 0.894, 0.892])) == 1
    assert dependence_steps(steps, np.array([1.0, 1.2, 1.1, 1.0, 0.995])) == 0
    assert is_censored(steps, np.array([1.0, 0.9, 0.8, 0.7, 0.6]))


def test_questions_are_asked_one_by_one_with_what_was_read_before_each():
    one_hot = np.eye(3)[[[0, 1, 2, 0], [2, 1, 0, 1]]]
    one_hot[1, 0] = 0  # nothing is read at that step
    batch = Batch(
        inputs=jnp.asarray(one_hot),
        targets=jnp.array([[1, 2], [0, 1]], jnp.int32),
        mask=jnp.array([[True, True], [True, False]]),
    )
    asked = questions(batch, classes=3)
    assert asked.histories.tolist() == [[-1, 0, 1, 2], [0, 1, 2, 0], [-1, -1, 1, 0]]
    assert asked.answers.tolist() == np.eye(3)[[1, 2, 0]].tolist()
    numbers = Batch(jnp.array([[[1.0], [2.0]]]), jnp.array([[[3.0, 4.0]]]), jnp.ones((1, 1), bool))
    asked = questions(numbers, classes=0)
    assert (asked.histories.tolist(), asked.answers.tolist()) == ([[1.0, 2.0]], [[3.0, 4.0]])


def test_contexts_go_from_one_step_to_all():
    assert contexts(384, 16)[[0, -1]].tolist() == [1, 384]
    assert contexts(11, 30).tolist() == list(range(1, 12))
