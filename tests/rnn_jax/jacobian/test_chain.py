import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj

T = 50


@pytest.fixture(params=["lstm", "gru", "gru_reset_before", "elman_tanh"])
def cell(request):
    return rj.cells.create(request.param, 3, 4, key=jax.random.key(1), gain=1.3)


def assert_chain_is(chain, expected, products_at=None, tolerance=1e-10):
    """The norms at every lag, and the matrices at some, are those of `expected`, ordered by t.

    Each product of a plain function compiles anew, so few are asked for there.
    """
    expected = expected[::-1]
    frobenius, spectral = np.linalg.norm(expected, axis=(1, 2)), np.linalg.norm(expected, 2, axis=(1, 2))
    np.testing.assert_allclose(np.exp(chain.log_frobenius_norm), frobenius, rtol=tolerance)
    np.testing.assert_allclose(np.exp(chain.log_spectral_norm), spectral, rtol=tolerance)
    for lag in chain.lags.tolist() if products_at is None else products_at:
        difference = chain.product(lag).to_array() - expected[lag]
        assert np.linalg.norm(difference) <= tolerance * frobenius[lag]


# Against reverse mode through the whole net


@pytest.mark.costly
def test_every_lag_of_a_cell_equals_reverse_mode_through_the_unrolled_net(cell, xs, end_jacobians):
    state = jax.tree.map(lambda leaf: leaf + 0.3, cell.initial_state())
    chain = rj.jacobian_chain(cell, state, xs, norms=("frobenius", "spectral"))
    assert chain.lags.tolist() == list(range(T + 1))
    assert_chain_is(chain, end_jacobians(cell, state, xs, T))


def test_a_plain_function_is_a_step(end_jacobians):
    weight = jax.random.normal(jax.random.key(3), (3, 3))

    def step(state, x):
        return jnp.sin(weight @ state + x * jnp.array([1.0, 2.0, -1.0]))

    state, xs = jnp.array([0.1, -0.4, 0.2]), jax.random.normal(jax.random.key(4), (8,))
    chain = rj.jacobian_chain(step, state, xs, norms=("spectral",))
    assert_chain_is(chain, end_jacobians(step, state, xs, 8), products_at=[8])


def test_an_integer_in_the_state_is_carried_and_not_differentiated(end_jacobians):
    # The counter changes the step, so a counter that is not carried changes the norms.
    def step(state, _):
        slow = 1.0 / (1 + state["count"].astype(jnp.float64))
        return {"count": state["count"] + 1, "h": jnp.tanh(state["h"] * slow + state["h"][::-1])}

    state = {"count": jnp.array(0, jnp.int32), "h": jnp.array([0.5, -1.0])}
    chain = rj.jacobian_chain(step, state, None, norms=("spectral",), length=9)
    expected = end_jacobians(
        step, state, None, 9, lambda tree: tree["h"], lambda vector, tree: {**tree, "h": vector}
    )
    assert expected.shape == (10, 2, 2)
    assert_chain_is(chain, expected, products_at=[4])


@pytest.mark.costly
def test_a_complex_state_counts_twice_real_parts_first(end_jacobians):
    rotation = jnp.array([0.9 * jnp.exp(1j), 1.1 * jnp.exp(-0.3j)])

    def step(state, x):
        return rotation * state + 0.2 * state**2 + 0.1 * jnp.conj(state[::-1]) + x

    state = jnp.array([0.1 + 0.2j, -0.2 + 0.1j])
    xs = 0.1 * jax.random.normal(jax.random.key(5), (7, 2)).astype(complex)
    chain = rj.jacobian_chain(step, state, xs, norms=("spectral",))
    expected = end_jacobians(
        step,
        state,
        xs,
        7,
        lambda z: jnp.concatenate([z.real, z.imag]),
        lambda vector, _: jax.lax.complex(vector[:2], vector[2:]),
    )
    assert expected.shape == (8, 4, 4)
    assert_chain_is(chain, expected, products_at=[7])


def test_the_inputs_may_be_a_pytree(end_jacobians):
    def step(state, x):
        return jnp.tanh(x["gain"] * state[::-1] + x["drive"]["a"])

    xs = {
        "gain": jax.random.uniform(jax.random.key(6), (6,)),
        "drive": {"a": jax.random.normal(jax.random.key(7), (6, 3))},
    }
    state = jnp.array([0.3, 0.1, -0.2])
    chain = rj.jacobian_chain(step, state, xs, norms=("spectral",))
    assert_chain_is(chain, end_jacobians(step, state, xs, 6), products_at=[5])


def test_later_factors_stand_on_the_left():
    first, second = [[1.0, 2.0], [3.0, 4.0]], [[0.0, 1.0], [5.0, -2.0]]
    xs = jnp.asarray([first, second])
    product = rj.jacobian_product(lambda h, matrix: matrix @ h, jnp.ones(2), xs, 2).to_array()
    np.testing.assert_array_equal(product, [[3.0, 4.0], [-1.0, 2.0]])


@pytest.mark.costly
def test_chosen_lags_equal_the_same_lags_of_all(gru, xs):
    state, norms = gru.initial_state(), ("frobenius", "spectral")
    every = rj.jacobian_chain(gru, state, xs, norms=norms, output=gru.output)
    lags = np.array([17, 0, 50, 3, 3, 49])
    some = rj.jacobian_chain(gru, state, xs, lags, norms=norms, output=gru.output)
    assert some.lags.tolist() == lags.tolist()
    for name in ("log_frobenius_norm", "log_spectral_norm", "log_output_norm"):
        np.testing.assert_allclose(getattr(some, name), getattr(every, name)[lags], rtol=1e-13)


@pytest.mark.costly
@pytest.mark.parametrize("steps", [1, 63, 64, 65, 200])
def test_every_length_gives_the_powers_of_the_step_jacobian(steps):
    weight = np.array([[0.9, 0.5], [-0.4, 0.8]])
    step = jax.tree_util.Partial(lambda weight, h, x: weight @ h + x, jnp.asarray(weight))
    chain = rj.jacobian_chain(step, jnp.ones(2), jnp.ones((steps, 2)), norms=("spectral",))
    powers = np.stack([np.linalg.matrix_power(weight, lag) for lag in range(steps + 1)])
    np.testing.assert_allclose(np.exp(chain.log_frobenius_norm), np.linalg.norm(powers, axis=(1, 2)))
    np.testing.assert_allclose(np.exp(chain.log_spectral_norm), np.linalg.norm(powers, 2, axis=(1, 2)))


def test_a_sequence_of_no_steps_has_the_identity_alone(gru):
    chain = rj.jacobian_chain(gru, gru.initial_state(), jnp.zeros((0, 3)), norms=("spectral",))
    assert chain.lags.tolist() == [0]
    assert chain.log_frobenius_norm[0] == pytest.approx(0.5 * np.log(4))
    assert chain.log_spectral_norm[0] == pytest.approx(0.0, abs=1e-15)


@pytest.mark.costly
def test_the_output_norm_is_that_of_the_readout_times_the_product(xs):
    lstm = rj.cells.create("lstm", 3, 4, key=jax.random.key(1))
    readout = jax.random.normal(jax.random.key(8), (2, 4))
    state, lags = lstm.initial_state(), np.array([0, 1, 20, 50])
    visible = rj.jacobian_chain(lstm, state, xs, lags, output=lstm.output)
    y = rj.jacobian_chain(lstm, state, xs, lags, output=lambda state: readout @ state.h**2)
    h = rj.trajectory(lstm, state, xs).h[-1]
    for index, lag in enumerate(lags.tolist()):
        product = np.asarray(visible.product(lag).to_array())[:4]  # h stands before c
        assert visible.log_output_norm[index] == pytest.approx(np.log(np.linalg.norm(product)), rel=1e-12)
        expected = np.linalg.norm(readout @ np.diag(2 * h) @ product)
        assert y.log_output_norm[index] == pytest.approx(np.log(expected), rel=1e-12)


# JAX's transformations, and what is compiled when


@pytest.mark.costly
def test_vmap_over_sequences_equals_a_loop(gru):
    batch = jax.random.normal(jax.random.key(9), (3, T, 3))
    batched = jax.vmap(lambda xs: rj.jacobian_chain(gru, gru.initial_state(), xs))(batch)
    looped = [rj.jacobian_chain(gru, gru.initial_state(), xs).log_frobenius_norm for xs in batch]
    assert batched.log_frobenius_norm.shape == (3, T + 1)
    np.testing.assert_allclose(batched.log_frobenius_norm, looped, rtol=1e-12)


@pytest.mark.costly
def test_a_chain_can_be_computed_under_jit_with_traced_weights(gru, xs):
    inside = jax.jit(lambda cell, xs: rj.jacobian_chain(cell, cell.initial_state(), xs, [0, 9, 50]))(gru, xs)
    outside = rj.jacobian_chain(gru, gru.initial_state(), xs, [0, 9, 50])
    np.testing.assert_allclose(inside.log_frobenius_norm, outside.log_frobenius_norm, rtol=1e-12)


@pytest.mark.costly
def test_product_after_vmap_says_what_to_call_instead(gru, xs):
    batched = jax.vmap(lambda xs: rj.jacobian_chain(gru, gru.initial_state(), xs))(xs[None])
    with pytest.raises(ValueError, match=r"call rnn_jax\.jacobian_product\(step, state, xs, lag\)"):
        batched.product(3)


@pytest.mark.costly
def test_the_weights_of_a_closure_are_never_stale():
    weights = {"w": 0.5}
    step = lambda h, _: weights["w"] * h  # noqa: E731 - the very same function object both times
    before = rj.jacobian_chain(step, jnp.ones(2), None, [4], ("spectral",), length=4)
    weights["w"] = 2.0
    after = rj.jacobian_chain(step, jnp.ones(2), None, [4], ("spectral",), length=4)
    assert before.log_spectral_norm[0] == pytest.approx(4 * np.log(0.5))
    assert after.log_spectral_norm[0] == pytest.approx(4 * np.log(2.0))
    np.testing.assert_allclose(after.product(4).to_array(), 16 * np.eye(2))


@pytest.mark.costly
def test_new_weights_of_a_cell_do_not_compile_again(gru, xs, compilations):
    other = jax.tree.map(lambda leaf: 0.5 * leaf, gru)
    state = gru.initial_state()

    def measure(cell, lags, output=None):
        return rj.jacobian_chain(cell, state, xs, lags, output=output).log_frobenius_norm[-1].item()

    def all_of(cell, lags):
        every, some = measure(cell, None), measure(cell, lags)
        return every, some, measure(cell, None, cell.output), rj.jacobian_product(cell, state, xs, lags[0])

    first = all_of(gru, [3, 50])
    with compilations() as compiled:
        second = all_of(other, [7, 50])
    assert compiled == []
    assert first[0] == pytest.approx(first[1], rel=1e-12)
    assert second[0] == pytest.approx(second[1], rel=1e-12)
    assert abs(first[0] - second[0]) > 1


def test_new_weights_of_a_partial_do_not_compile_again(compilations):
    def step(weight, h, _):
        return weight * h

    def measure(weight):
        partial = jax.tree_util.Partial(step, jnp.asarray(weight))
        chain = rj.jacobian_chain(partial, jnp.ones(2), None, norms=("spectral",), length=4)
        return chain.log_spectral_norm[-1].item()

    assert measure(0.5) == pytest.approx(4 * np.log(0.5))
    with compilations() as compiled:
        assert measure(2.0) == pytest.approx(4 * np.log(2.0))
    assert compiled == []


@pytest.mark.costly
def test_a_partial_without_parameters_is_never_stale():
    """It reads its weight from elsewhere, as a plain function does."""
    weight = {"value": 0.5}

    def step(state, _):
        return weight["value"] * state

    partial = jax.tree_util.Partial(step)
    halves = rj.jacobian_chain(partial, jnp.ones(1), None, length=10).log_frobenius_norm[-1]
    weight["value"] = 2.0
    doubles = rj.jacobian_chain(partial, jnp.ones(1), None, length=10).log_frobenius_norm[-1]
    np.testing.assert_allclose([halves, doubles], [-10 * np.log(2), 10 * np.log(2)])
