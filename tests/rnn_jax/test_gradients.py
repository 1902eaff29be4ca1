import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import rnn_jax as rj

T = 12


@pytest.fixture
def lstm():
    return rj.cells.create("lstm", 3, 4, key=jax.random.key(1))


@pytest.fixture
def xs():
    return jax.random.normal(jax.random.key(2), (T, 3))


def loss_at_several_times(states):
    return (
        jnp.sum(states.h[0])
        + jnp.sum(states.h[3] ** 2)
        + jnp.dot(states.c[7], jnp.arange(4.0))
        + jnp.sum(states.h[-1] ** 3)
        + jnp.mean(states.c)
    )


def loss_of_disturbed(loss, step, state, xs, shifts):
    """The loss when a shift is added to the coordinates of every state, h_0 included."""
    flat, unflatten = ravel_pytree(state)

    def advance(h, at):
        x, shift = at
        after = unflatten(ravel_pytree(step(h, x))[0] + shift)
        return after, after

    start = unflatten(flat + shifts[0])
    _, later = jax.lax.scan(advance, start, (xs, shifts[1:]))
    return loss(jax.tree.map(lambda first, rest: jnp.concatenate([first[None], rest]), start, later))


@pytest.mark.costly
def test_gradients_of_every_state_and_input_equal_jax_grad(lstm, xs):
    state = jax.tree.map(lambda leaf: leaf + 0.2, lstm.initial_state())
    ours = rj.loss_gradients(loss_at_several_times, lstm, state, xs)
    by_inputs, by_states = jax.jit(
        jax.grad(lambda xs, shifts: loss_of_disturbed(loss_at_several_times, lstm, state, xs, shifts), (0, 1))
    )(xs, jnp.zeros((T + 1, 8)))
    assert ours.loss == pytest.approx(loss_at_several_times(rj.trajectory(lstm, state, xs)).item(), rel=1e-12)
    np.testing.assert_allclose(ours.state.to_array(), by_states, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(ours.input.to_array(), by_inputs, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(
        ours.state.log_row_norms(), np.log(np.linalg.norm(by_states, axis=1)), rtol=1e-9, atol=1e-9
    )


def test_a_state_after_the_last_one_the_loss_sees_has_gradient_zero(lstm, xs):
    ours = rj.loss_gradients(lambda states: jnp.sum(states.h[5]), lstm, lstm.initial_state(), xs)
    assert np.isneginf(ours.state.log_row_norms()[6:]).all()
    assert np.isneginf(ours.input.log_row_norms()[5:]).all()
    np.testing.assert_array_equal(ours.state.to_array()[5], [1, 1, 1, 1, 0, 0, 0, 0])
    assert np.isfinite(ours.state.log_row_norms()[:6]).all()


@pytest.mark.costly
def test_gradients_that_plain_float32_backpropagation_loses_are_right():
    steps = 400
    single = rj.cells.create("elman_tanh", 2, 6, key=jax.random.key(1), gain=1.4, dtype=jnp.float32)
    double = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), single)
    xs = jax.random.normal(jax.random.key(2), (steps, 2), jnp.float32)

    def loss(states):
        return jnp.sum(states[-1])

    ours = rj.loss_gradients(loss, single, single.initial_state(), xs)

    def plain(cell, xs):
        shifts = jnp.zeros((steps + 1, 6), xs.dtype)
        gradient = jax.jit(jax.grad(lambda s: loss_of_disturbed(loss, cell, cell.initial_state(), xs, s)))(
            shifts
        )
        return np.linalg.norm(np.asarray(gradient, float), axis=1)

    assert np.sum(plain(single, xs) == 0) > 100  # why the scaled pass exists
    truth = plain(double, xs.astype(jnp.float64))
    assert truth.min() > 0
    np.testing.assert_allclose(ours.state.log_row_norms(), np.log(truth), atol=2e-3)


def test_a_direct_gradient_takes_over_where_the_one_from_the_future_has_vanished():
    # dL/dh_t = 1e-3**(T - t) from the end, and 1 more at t = 10, from where it decays anew.
    def loss(states):
        return jnp.sum(states[-1]) + jnp.sum(states[10])

    step = jax.tree_util.Partial(lambda h, _: jnp.float32(1e-3) * h)
    ours = rj.loss_gradients(loss, step, jnp.ones(1, jnp.float32), None, length=100)
    powers = np.concatenate([np.arange(-10, 1), np.arange(-89, 1)]) * np.log(1e-3) * -1.0
    np.testing.assert_allclose(ours.state.log_row_norms(), powers, rtol=1e-5, atol=1e-6)
    assert ours.input is None


def test_integers_in_states_and_inputs_are_carried(xs):
    def step(state, x):
        drive, which = x
        grown = state["h"] * jnp.where(which > 0, 2.0, 3.0) + drive
        return {"count": state["count"] + 1, "h": grown}

    def loss(states):
        return jnp.sum(states["h"][-1] * states["count"][-1].astype(jnp.float64))

    state = {"count": jnp.array(0, jnp.int32), "h": jnp.zeros(2)}
    inputs = (jnp.zeros((3, 2)), jnp.array([0, 1, 0]))
    ours = rj.loss_gradients(loss, step, state, inputs)
    np.testing.assert_allclose(ours.state.to_array(), np.outer([54, 18, 9, 3], np.ones(2)))
    np.testing.assert_allclose(ours.input.to_array(), np.outer([18, 9, 3], np.ones(2)))


@pytest.mark.costly
def test_vmap_over_sequences_equals_a_loop(lstm):
    batch = jax.random.normal(jax.random.key(3), (3, T, 3))

    def norms(xs):
        gradients = rj.loss_gradients(loss_at_several_times, lstm, lstm.initial_state(), xs)
        return gradients.state.log_row_norms()

    each = [norms(xs) for xs in batch]
    np.testing.assert_allclose(jax.vmap(norms)(batch), each, rtol=1e-10)
    together = jax.vmap(
        lambda xs: rj.loss_gradients(loss_at_several_times, lstm, lstm.initial_state(), xs).state
    )(batch)
    np.testing.assert_allclose(together.log_row_norms(), each, rtol=1e-10)


def test_a_complex_loss_is_refused(lstm, xs):
    with pytest.raises(ValueError, match="loss must return a real floating number, got complex128"):
        rj.loss_gradients(
            lambda states: jnp.sum(jax.lax.complex(states.h[-1], states.h[-1])),
            lstm,
            lstm.initial_state(),
            xs,
        )


@pytest.mark.parametrize("of", [rj.loss_gradients, rj.weight_gradient_shares])
def test_a_loss_that_is_no_scalar_is_refused(of, lstm, xs):
    with pytest.raises(ValueError, match=r"loss must return a scalar, got \(13,\); take a mean or a sum"):
        of(lambda states: jnp.sum(states.h, axis=1), lstm, lstm.initial_state(), xs)


def test_a_wrong_step_is_named(xs):
    with pytest.raises(ValueError, match="must keep the shape of the state"):
        rj.loss_gradients(jnp.sum, lambda h, x: h[:1], jnp.ones(2), xs)


# Shares of the weight gradient


def flat_gradient(tree):
    return np.asarray(ravel_pytree(tree)[0])


@pytest.mark.costly
@pytest.mark.parametrize("name", ["lstm", "gru_reset_before", "exprnn"])
def test_shares_equal_truncated_backpropagation(name):
    steps = 6
    cell = rj.cells.create(name, 3, 4, key=jax.random.key(1))
    xs = jax.random.normal(jax.random.key(2), (steps, 3))

    def truncated_loss(cell, k):
        state = cell.initial_state()
        for t, x in enumerate(xs, start=1):
            state = cell(state, x)
            if t == steps - k:
                state = jax.lax.stop_gradient(state)
        return jnp.sum(cell.output(state) ** 2)

    whole = flat_gradient(jax.grad(truncated_loss)(cell, steps + 1))
    parts = [flat_gradient(jax.grad(truncated_loss)(cell, k)) for k in range(1, steps + 1)]
    expected = [1.0, *(1 - part @ whole / (whole @ whole) for part in parts)]

    shares = rj.weight_gradient_shares(
        lambda states: jnp.sum(cell.output(jax.tree.map(lambda leaf: leaf[-1], states)) ** 2),
        cell,
        cell.initial_state(),
        xs,
    )
    np.testing.assert_allclose(shares, expected, atol=1e-10)


@pytest.mark.costly
def test_shares_of_a_loss_at_several_times_count_the_steps_the_weights_act_in(lstm, xs):
    copies = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (T, *leaf.shape)), lstm)
    start = lstm.initial_state()

    @jax.jit
    @jax.grad
    def gradient_of_each_step(copies):
        def advance(state, at):
            cell, x = at
            after = cell(state, x)
            return after, after

        _, later = jax.lax.scan(advance, start, (copies, xs))
        return loss_at_several_times(
            jax.tree.map(lambda first, rest: jnp.concatenate([first[None], rest]), start, later)
        )

    by_step = gradient_of_each_step(copies)
    parts = np.stack([flat_gradient(jax.tree.map(lambda leaf, t=t: leaf[t], by_step)) for t in range(T)])
    whole = parts.sum(axis=0)
    expected = [1 - parts[T - k :].sum(axis=0) @ whole / (whole @ whole) for k in range(1, T + 1)]
    shares = rj.weight_gradient_shares(loss_at_several_times, lstm, start, xs)
    np.testing.assert_allclose(shares, [1.0, *expected], atol=1e-10)


def test_a_tiny_share_is_not_the_difference_of_two_numbers_close_to_one():
    # With h' = w h + x and L = h_T: dL/dw at step t is w**(T - t) h_{t-1}, all of one sign.
    w, steps = 0.5, 60
    step = jax.tree_util.Partial(lambda w, h, x: w * h + x, jnp.array([w], jnp.float32))
    shares = rj.weight_gradient_shares(
        lambda states: jnp.sum(states[-1]), step, jnp.ones(1, jnp.float32), jnp.ones((steps, 1), jnp.float32)
    )
    states = [1.0]
    for _ in range(steps):
        states.append(w * states[-1] + 1)
    parts = np.array([w ** (steps - t) * states[t - 1] for t in range(1, steps + 1)])
    expected = np.concatenate([[0.0], np.cumsum(parts)])[::-1] / parts.sum()
    assert expected[-2] < 1e-17
    np.testing.assert_allclose(shares, expected, rtol=1e-5)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32])
def test_shares_of_many_equal_parts_are_summed_in_at_least_float32(dtype):
    # Weight 0 acts in the first 1,000 steps, weight 1 in the 3,000 after them: g is along (1, 3).
    steps = jnp.arange(4000)
    xs = jnp.stack([steps < 1000, steps >= 1000], axis=1).astype(dtype)
    step = jax.tree_util.Partial(lambda w, h, x: h + jnp.sum(w * x) / 1024, jnp.ones(2, dtype))
    shares = rj.weight_gradient_shares(lambda states: jnp.sum(states[-1]), step, jnp.zeros(1, dtype), xs)
    assert shares.dtype == jnp.float32
    np.testing.assert_allclose(shares[3000], 0.1, rtol=0.01)


def test_shares_need_a_step_that_holds_its_weights(xs):
    with pytest.raises(
        ValueError, match="step must be a pytree of its weights and of nothing else, such as a cell"
    ):
        rj.weight_gradient_shares(lambda states: jnp.sum(states[-1]), lambda h, x: 0.5 * h, jnp.ones(2), xs)
    with pytest.raises(
        ValueError, match="step must be a pytree of its weights and of nothing else, such as a cell"
    ):
        rj.weight_gradient_shares(
            lambda states: jnp.sum(states[-1]), jax.tree_util.Partial(lambda h, x: 0.5 * h), jnp.ones(2), xs
        )


@pytest.mark.costly
def test_a_weight_may_be_a_python_number():
    def shares(weight):
        step = jax.tree_util.Partial(lambda w, h, _: w * h, weight)
        return rj.weight_gradient_shares(
            lambda states: jnp.sum(states[-1]), step, jnp.ones(1), None, length=4
        )

    # h_T = w**4 h_0: each of the four steps has the same part in dL/dw.
    np.testing.assert_allclose(shares(0.5), [1.0, 0.75, 0.5, 0.25, 0.0], atol=1e-15)
    np.testing.assert_array_equal(shares(0.5), shares(jnp.array(0.5)))


@pytest.mark.costly
@pytest.mark.parametrize("broken", [jnp.nan, jnp.inf])
def test_a_state_that_is_not_finite_is_a_nan_in_the_gradients_and_not_a_vanished_one(broken):
    """The derivative of a rectifier at NaN is 0."""
    irnn = rj.cells.create("irnn", 1, 4, key=jax.random.key(3))
    xs = jax.random.normal(jax.random.key(3), (10, 1)).at[4].set(broken)
    gradients = rj.loss_gradients(lambda states: states[-1].sum(), irnn, irnn.initial_state(), xs)
    assert np.isnan(gradients.state.log_row_norms()[:10]).all()
    assert np.isnan(gradients.input.log_row_norms()).all()


def test_loss_and_step_swapped_are_told(lstm, xs):
    with pytest.raises(TypeError, match="got the cell LSTM: it comes second"):
        rj.loss_gradients(lstm, loss_at_several_times, lstm.initial_state(), xs)


def test_shares_take_gradients_that_are_known_and_refuse_those_of_other_steps():
    cell = rj.cells.create("elman_tanh", 2, 3, key=jax.random.key(0))
    state, xs = cell.initial_state(), jax.random.normal(jax.random.key(1), (12, 2))

    def loss(states):
        return jnp.sum(states[-1] ** 2)

    known = rj.loss_gradients(loss, cell, state, xs)
    shares = rj.weight_gradient_shares(loss, cell, state, xs, gradients=known)
    np.testing.assert_array_equal(shares, rj.weight_gradient_shares(loss, cell, state, xs))
    with pytest.raises(ValueError, match="the same 11 steps, so of 12 states"):
        rj.weight_gradient_shares(loss, cell, state, xs[1:], gradients=known)


def without_words(states):
    raise KeyError


@pytest.mark.parametrize(
    "loss", [lambda states: states["h"].sum(), lambda states: states.h.sum(), without_words]
)
def test_a_loss_that_does_not_fit_the_states_is_told_what_they_are(loss):
    with pytest.raises(ValueError, match=r"loss does not accept states stacked as float64\[4, 2\]"):
        rj.loss_gradients(loss, lambda h, x: h, jnp.zeros(2), None, length=3)


def test_shares_say_what_of_a_step_is_no_weight():
    step = jax.tree_util.Partial(lambda W, act, h, x: act(W @ h), jnp.eye(2), jnp.tanh)
    with pytest.raises(ValueError, match=r"holds .*tanh.*: make that a static field"):
        rj.weight_gradient_shares(lambda s: s.sum(), step, jnp.ones(2), None, length=3)
