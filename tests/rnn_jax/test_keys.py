import jax
import jax.numpy as jnp
import pytest

import rnn_jax as rj
from rnn_jax.keys import checked_key


@pytest.mark.parametrize("key", [jax.random.key(0), jax.random.PRNGKey(0), jax.random.key(0, impl="rbg")])
def test_old_and_new_keys_of_every_kind_pass(key):
    checked_key(key)
    jax.jit(checked_key)(key)


@pytest.mark.parametrize(
    ("key", "told"),
    [
        (0, "got 0"),
        (jnp.zeros(2), r"got an array of float64 of shape \(2,\)"),
        (jax.random.split(jax.random.key(0), 3), r"one random key, got an array of them of shape \(3,\)"),
        (jax.random.split(jax.random.PRNGKey(0), 3), r"got an array of uint32 of shape \(3, 2\)"),
    ],
)
def test_what_is_no_single_key_is_told(key, told):
    with pytest.raises(ValueError, match=told):
        checked_key(key)


def test_cells_and_tasks_and_training_ask_for_one():
    many = jax.random.split(jax.random.key(0), 3)
    for call in (
        lambda: rj.cells.LSTM.create(2, 4, key=many),
        lambda: rj.cells.create("indrnn", 2, 4, key=many),
        lambda: rj.tasks.Adding(10).sample(many, 2),
        lambda: rj.train(rj.tasks.Adding(10), lambda key: rj.cells.GRU.create(2, 4, key=key), key=many),
    ):
        with pytest.raises(ValueError, match="key must be one random key"):
            call()
