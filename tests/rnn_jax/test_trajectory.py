import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj


@pytest.mark.costly
def test_states_are_h_0_to_h_t_of_a_loop():
    cell = rj.cells.create("lstm", 3, 4, key=jax.random.key(1))
    state = cell.initial_state()._replace(c=jnp.array([0.1, 0.2, -0.3, 0.4]))
    xs = jax.random.normal(jax.random.key(2), (5, 3))
    states = rj.trajectory(cell, state, xs)
    expected = [state]
    for x in xs:
        expected.append(cell(expected[-1], x))
    np.testing.assert_allclose(states.h, jnp.stack([each.h for each in expected]), rtol=1e-12)
    np.testing.assert_allclose(states.c, jnp.stack([each.c for each in expected]), rtol=1e-12)


def test_without_inputs_the_length_counts_the_steps():
    states = rj.trajectory(lambda h, _: 2 * h, jnp.array([1.0]), None, length=4)
    np.testing.assert_array_equal(states.ravel(), [1, 2, 4, 8, 16])


def test_no_steps_leave_the_initial_state():
    states = rj.trajectory(lambda h, x: h + x, jnp.array([3.0]), jnp.zeros((0, 1)))
    np.testing.assert_array_equal(states, [[3.0]])


def test_states_that_are_not_differentiated_are_stacked_too():
    start = {"count": 0, "h": jnp.array([1.0])}

    def step(state, _):
        return {"count": state["count"] + 1, "h": state["h"] * 0.5}

    states = rj.trajectory(step, start, None, length=2)
    np.testing.assert_array_equal(states["count"], [0, 1, 2])
    np.testing.assert_array_equal(states["h"].ravel(), [1.0, 0.5, 0.25])


def test_vmap_over_initial_states_equals_a_loop():
    cell = rj.cells.create("gru", 2, 3, key=jax.random.key(1))
    starts = jax.random.normal(jax.random.key(2), (4, 3))
    xs = jax.random.normal(jax.random.key(3), (5, 2))
    batched = jax.vmap(lambda state: rj.trajectory(cell, state, xs))(starts)
    looped = jnp.stack([rj.trajectory(cell, state, xs) for state in starts])
    np.testing.assert_allclose(batched, looped, rtol=1e-12)


def test_new_weights_do_not_compile_again_and_are_used(compilations):
    cell = rj.cells.create("gru", 2, 3, key=jax.random.key(1))
    other = jax.tree.map(lambda leaf: 2 * leaf, cell)
    state, xs = jnp.full(3, 0.1), jnp.ones((5, 2))
    first = rj.trajectory(cell, state, xs)
    with compilations() as compiled:
        second = rj.trajectory(other, state, xs)
    assert compiled == []
    np.testing.assert_allclose(second[1], other(state, xs[0]), rtol=1e-12)
    assert not np.allclose(first[1], second[1])


@pytest.mark.parametrize(
    ("xs", "length", "message"),
    [
        (None, None, "length must be given"),
        (jnp.ones((3, 1)), 4, "length is 4 but the time axis of xs has 3"),
        (jnp.ones(()), None, "must lead with the time axis, got a scalar"),
    ],
)
def test_a_wrong_length_is_named(xs, length, message):
    with pytest.raises(ValueError, match=message):
        rj.trajectory(lambda h, x: h, jnp.ones(2), xs, length=length)
