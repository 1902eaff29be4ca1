import jax
import jax.numpy as jnp
import pytest

import rnn_jax as rj
from rnn_jax.cells import AddedSkip, LayerNorm, Leaky, Skip
from rnn_jax.remedies import added_skip, layer_norm, leaky, skip


def wrapped(remedy, name="elman_tanh"):
    cell = rj.cells.create(name, 2, 3, key=jax.random.key(0))
    return remedy.adapt_cell(cell, jax.random.key(1))


def test_each_puts_the_cell_into_its_wrapper_with_its_strength():
    normalized, slow, skipping = wrapped(layer_norm(0.5)), wrapped(leaky(0.2)), wrapped(skip(3.0, 0.5))
    assert isinstance(normalized, LayerNorm)
    assert (normalized.gain == 0.5).all()
    assert (type(slow), slow.leak) == (Leaky, 0.2)
    assert (type(skipping), skipping.delay) == (Skip, 3)
    halved = Skip.create(skipping.cell, 3, key=jax.random.key(1), gain=0.5)
    assert (skipping.weight_skip == halved.weight_skip).all()
    assert (layer_norm(0.5).strength, leaky(0.2).strength, skip(3).strength) == (0.5, 0.2, 3.0)


def test_an_added_skip_takes_any_cell():
    adding = wrapped(added_skip(3, 0.5), "lru")
    assert (type(adding), adding.delay, adding.weight) == (AddedSkip, 3, 0.5)


def test_the_gain_may_be_traced():
    gains = jax.jit(lambda gain: wrapped(layer_norm(gain), "lstm").gain)(jnp.float32(0.5))
    assert gains.shape == (4, 3)


@pytest.mark.parametrize(
    ("make", "value", "message"),
    [
        (layer_norm, 0.0, "gain must be positive, got 0.0"),
        (leaky, 0.0, "leak must be positive, got 0.0"),
        (leaky, 2.0, "leak must be at most 1, got 2.0"),
        (skip, 0, "delay must be a whole number of at least 1, got 0"),
        (lambda gain: skip(4, gain), -1, "gain must be at least 0, got -1"),
        (skip, 2.5, "delay must be a whole number of at least 1, got 2.5"),
    ],
)
def test_a_strength_that_is_not_allowed_is_refused(make, value, message):
    with pytest.raises(ValueError, match=message):
        make(value)


@pytest.mark.parametrize("make", [leaky, skip])
def test_a_strength_that_fixes_the_program_cannot_be_traced(make):
    with pytest.raises(ValueError, match="must be a concrete"):
        jax.jit(lambda value: make(value).strength)(1.0)
