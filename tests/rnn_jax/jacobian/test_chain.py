import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import rnn_jax as rj

T = 50
LONG = 1_000_000


@pytest.fixture(params=["lstm", "gru", "gru_reset_before", "elman_tanh"])
def cell(request):
    return rj.cells.create(request.param, 3, 4, key=jax.random.key(1), gain=1.3)


@pytest.fixture
def gru():
    return rj.cells.create("gru", 3, 4, key=jax.random.key(1))


@pytest.fixture
def xs():
    return jax.random.normal(jax.random.key(2), (T, 3))


def times_matrix(state, matrix):
    """A linear net whose inputs are its step Jacobians."""
    return matrix @ state


def matrices(*runs):
    """Step Jacobians J_1, J_2, ... from (count, matrix) pairs."""
    return jnp.concatenate([jnp.broadcast_to(jnp.asarray(matrix), (count, 2, 2)) for count, matrix in runs])


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
    xs = matrices((1, first), (1, second))
    product = rj.jacobian_product(times_matrix, jnp.ones(2), xs, 2).to_array()
    np.testing.assert_array_equal(product, [[3.0, 4.0], [-1.0, 2.0]])


def test_chosen_lags_equal_the_same_lags_of_all(gru, xs):
    state, norms = gru.initial_state(), ("frobenius", "spectral")
    every = rj.jacobian_chain(gru, state, xs, norms=norms, output=gru.output)
    lags = np.array([17, 0, 50, 3, 3, 49])
    some = rj.jacobian_chain(gru, state, xs, lags, norms=norms, output=gru.output)
    assert some.lags.tolist() == lags.tolist()
    for name in ("log_frobenius_norm", "log_spectral_norm", "log_output_norm"):
        np.testing.assert_allclose(getattr(some, name), getattr(every, name)[lags], rtol=1e-13)


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


# Long products


def test_a_contraction_of_a_million_steps_in_float32_is_exact():
    chain = rj.jacobian_chain(
        lambda h, _: 0.5 * h, jnp.ones(8, jnp.float32), None, [LONG], ("spectral",), length=LONG
    )
    log_norm = LONG * np.log(0.5)
    assert chain.log_spectral_norm[0] == pytest.approx(log_norm, rel=1e-6)
    assert chain.log_frobenius_norm[0] == pytest.approx(log_norm + 0.5 * np.log(8), rel=1e-6)
    assert chain.log_spectral_norm.dtype == jnp.float32
    np.testing.assert_allclose(chain.spectral_norm.log_float64(), log_norm, rtol=1e-12)


def test_an_exploding_orthogonal_net_of_a_million_steps_in_float32_is_right():
    cell = rj.cells.create(
        "elman_identity",
        0,
        8,
        key=jax.random.key(1),
        initialization="orthogonal",
        gain=1.5,
        dtype=jnp.float32,
    )
    chain = rj.jacobian_chain(cell, cell.initial_state(), None, [LONG], ("spectral",), length=LONG)
    assert chain.log_spectral_norm[0] == pytest.approx(LONG * np.log(1.5), rel=1e-6)


def test_a_vanishing_tanh_net_in_float32_agrees_with_many_digits():
    cell = rj.cells.create("elman_tanh", 1, 3, key=jax.random.key(3), gain=0.9, dtype=jnp.float32)
    xs = jax.random.normal(jax.random.key(4), (1_500, 1), jnp.float32)
    chain = rj.jacobian_chain(cell, cell.initial_state(), xs, norms=("spectral",))
    weight = mpmath.matrix(np.asarray(cell.weight_hh, float).tolist())
    states = np.asarray(rj.trajectory(cell, cell.initial_state(), xs), float)
    product = mpmath.eye(3)
    with mpmath.workdps(30):
        for lag, h in enumerate(states[:0:-1], start=1):
            product = product * mpmath.diag([1 - mpmath.mpf(each) ** 2 for each in h]) * weight
            if lag % 300 == 0:
                frobenius = mpmath.log(mpmath.mnorm(product, "f"))
                spectral = mpmath.log(max(mpmath.svd_r(product, compute_uv=False)))
                assert chain.log_frobenius_norm[lag] == pytest.approx(float(frobenius), abs=2e-3)
                assert chain.log_spectral_norm[lag] == pytest.approx(float(spectral), abs=2e-3)
    assert frobenius < -400  # float32 alone ends at -103


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_a_small_row_survives_when_an_early_factor_kills_the_large_one(dtype):
    # Going back in time, row 0 stays at 1 while row 1 falls to 1e-9000; then row 0 becomes zero.
    xs = matrices((1, [[0.0, 0.0], [0.0, 1.0]]), (3_000, [[1.0, 0.0], [0.0, 1e-3]])).astype(dtype)
    chain = rj.jacobian_chain(times_matrix, jnp.ones(2, dtype), xs, norms=("spectral",))
    assert chain.log_spectral_norm[3_000] == pytest.approx(0.0, abs=1e-6)
    assert chain.log_spectral_norm[3_001] == pytest.approx(3_000 * np.log(1e-3), rel=1e-6)
    assert chain.log_frobenius_norm[3_001] == pytest.approx(3_000 * np.log(1e-3), rel=1e-6)


def test_one_factor_may_span_more_than_the_dtype_can_hold_as_a_product_of_its_entries():
    wide = [[1e25, 0.0], [0.0, 1e-25]]
    xs = matrices((1, [[0.0, 0.0], [0.0, 1.0]]), (2, wide)).astype(jnp.float32)
    chain = rj.jacobian_chain(times_matrix, jnp.ones(2, jnp.float32), xs)
    expected = np.log(10) * np.array([25, 50, -50])
    np.testing.assert_allclose(chain.log_frobenius_norm[1:], expected, rtol=1e-6)


@pytest.mark.xfail(
    strict=True,
    reason="a known limit: within one row, columns further apart than the dtype's range are lost",
)
def test_a_small_column_survives_when_an_early_factor_kills_the_large_one():
    mixed = [[0.6, -0.8], [0.8, 0.6]]
    xs = matrices((1, [[0.0, 0.0], [0.0, 1.0]]), (300, [[1.0, 0.0], [0.0, 1e-3]]), (1, mixed))
    chain = rj.jacobian_chain(times_matrix, jnp.ones(2), xs, norms=("spectral",))
    assert chain.log_spectral_norm[302] == pytest.approx(300 * np.log(1e-3), rel=1e-6)


def test_a_product_that_is_exactly_zero_has_log_norm_minus_infinity():
    xs = matrices((3, [[1.0, 1.0], [0.0, 1.0]]), (2, [[0.0, 1.0], [0.0, 0.0]]), (1, np.eye(2)))
    chain = rj.jacobian_chain(times_matrix, jnp.ones(2), xs, norms=("spectral",))
    np.testing.assert_array_equal(np.isneginf(chain.log_frobenius_norm), [False] * 3 + [True] * 4)
    np.testing.assert_array_equal(np.isneginf(chain.log_spectral_norm), [False] * 3 + [True] * 4)
    assert rj.decay(chain).regime == "vanishing"


# The derivative of relu at NaN is 0, and that of a linear net is its weight: neither says NaN by itself.
@pytest.mark.parametrize("name", ["gru", "lstm", "elman_relu", "elman_identity"])
def test_a_nan_in_an_input_is_a_nan_in_the_norms_and_not_a_number_that_looks_right(name, xs):
    cell = rj.cells.create(name, 3, 4, key=jax.random.key(1))
    broken = xs.at[T - 3, 1].set(jnp.nan)
    chain = rj.jacobian_chain(cell, cell.initial_state(), broken, norms=("spectral",))
    # States 48, 49, 50 are NaN, so every factor from J_48 on is: all lags but 0.
    assert np.isnan(chain.log_frobenius_norm[1:]).all()
    assert np.isnan(chain.log_spectral_norm[1:]).all()
    decay = rj.decay(chain)
    assert decay.regime == "not_finite"
    assert np.isnan(decay.rate)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_16_bit_cells_give_norms_close_to_float32(dtype, xs):
    def log_norms(dtype):
        cell = rj.cells.create("gru", 3, 4, key=jax.random.key(1), dtype=dtype)
        return rj.jacobian_chain(cell, cell.initial_state(), xs.astype(dtype), norms=("spectral",))

    half, single = log_norms(dtype), log_norms(jnp.float32)
    np.testing.assert_allclose(half.log_frobenius_norm, single.log_frobenius_norm, atol=0.4)
    np.testing.assert_allclose(half.log_spectral_norm, single.log_spectral_norm, atol=0.4)


# JAX's transformations, and what is compiled when


def test_vmap_over_sequences_equals_a_loop(gru):
    batch = jax.random.normal(jax.random.key(9), (3, T, 3))
    batched = jax.vmap(lambda xs: rj.jacobian_chain(gru, gru.initial_state(), xs))(batch)
    looped = [rj.jacobian_chain(gru, gru.initial_state(), xs).log_frobenius_norm for xs in batch]
    assert batched.log_frobenius_norm.shape == (3, T + 1)
    np.testing.assert_allclose(batched.log_frobenius_norm, looped, rtol=1e-12)


def test_a_chain_can_be_computed_under_jit_with_traced_weights(gru, xs):
    inside = jax.jit(lambda cell, xs: rj.jacobian_chain(cell, cell.initial_state(), xs, [0, 9, 50]))(gru, xs)
    outside = rj.jacobian_chain(gru, gru.initial_state(), xs, [0, 9, 50])
    np.testing.assert_allclose(inside.log_frobenius_norm, outside.log_frobenius_norm, rtol=1e-12)


def test_product_after_vmap_says_what_to_call_instead(gru, xs):
    batched = jax.vmap(lambda xs: rj.jacobian_chain(gru, gru.initial_state(), xs))(xs[None])
    with pytest.raises(ValueError, match=r"call rnn_jax\.jacobian_product\(step, state, xs, lag\)"):
        batched.product(3)


def test_the_weights_of_a_closure_are_never_stale():
    weights = {"w": 0.5}
    step = lambda h, _: weights["w"] * h  # noqa: E731 - the very same function object both times
    before = rj.jacobian_chain(step, jnp.ones(2), None, [4], ("spectral",), length=4)
    weights["w"] = 2.0
    after = rj.jacobian_chain(step, jnp.ones(2), None, [4], ("spectral",), length=4)
    assert before.log_spectral_norm[0] == pytest.approx(4 * np.log(0.5))
    assert after.log_spectral_norm[0] == pytest.approx(4 * np.log(2.0))
    np.testing.assert_allclose(after.product(4).to_array(), 16 * np.eye(2))


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


# Errors, raised before anything is compiled

ERRORS = {
    "shape": (
        lambda h, x: h[:2],
        {"xs": jnp.ones((5, 3))},
        r"must keep the shape of the state: state came in as \(3,\) and went out as \(2,\)",
    ),
    "dtype": (
        lambda h, x: h.astype(jnp.float32),
        {"xs": jnp.ones((5, 3))},
        "must keep the dtype of the state: state came in as float64 and went out as float32",
    ),
    "structure": (lambda h, x: (h, h), {"xs": jnp.ones((5, 3))}, "must return a state of the structure"),
    "leading axes": (
        lambda h, x: h,
        {"xs": {"a": jnp.ones((5, 3)), "b": jnp.ones((4, 3))}},
        r"must lead with the same time axis, but xs\['a'\] has 5, xs\['b'\] has 4",
    ),
    "scalar": (lambda h, x: h, {"xs": jnp.ones(())}, "must lead with the time axis, got a scalar"),
    "no length": (lambda h, x: h, {"xs": None}, "length must be given"),
    "negative length": (
        lambda h, x: h,
        {"xs": None, "length": -1},
        "length must be a whole number of at least 0, got -1",
    ),
    "length contradicts": (
        lambda h, x: h,
        {"xs": jnp.ones((5, 3)), "length": 6},
        "length is 6 but the time axis of xs has 5",
    ),
    "lag above": (lambda h, x: h, {"xs": jnp.ones((5, 3)), "lags": [0, 6]}, r"must lie in 0\.\.5.*got 6"),
    "lag below": (lambda h, x: h, {"xs": jnp.ones((5, 3)), "lags": [-1]}, r"must lie in 0\.\.5.*got -1"),
    "float lags": (
        lambda h, x: h,
        {"xs": jnp.ones((5, 3)), "lags": np.array([1.5])},
        r"one-dimensional array of integers, got array\(\[1\.5\]\)",
    ),
    "no lags": (
        lambda h, x: h,
        {"xs": jnp.ones((5, 3)), "lags": np.array([], int)},
        "one-dimensional array of integers",
    ),
    "norm": (
        lambda h, x: h,
        {"xs": jnp.ones((5, 3)), "norms": ("nuclear",)},
        "norms must be among frobenius, spectral, got 'nuclear'",
    ),
    "norms as a string": (
        lambda h, x: h,
        {"xs": jnp.ones((5, 3)), "norms": "spectral"},
        'got the string "spectral"',
    ),
    "method": (
        lambda h, x: h,
        {"xs": jnp.ones((5, 3)), "method": "magic"},
        "method must be among auto, sequential, blocked, got 'magic'",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_a_wrong_argument_is_named_before_anything_is_compiled(name, compilations):
    step, arguments, message = ERRORS[name]
    state = jnp.ones(3)
    with compilations() as compiled, pytest.raises(ValueError, match=message) as raised:
        rj.jacobian_chain(step, state, **arguments)
    assert compiled == []
    assert "\n" not in str(raised.value)


def test_swapped_arguments_ask_for_the_order_state_then_input(gru, xs):
    with pytest.raises(ValueError, match=r"is the order \(state, x\)\?"):
        rj.jacobian_chain(lambda x, h: gru(h, x), gru.initial_state(), xs)


def test_traced_lags_are_refused(gru, xs):
    with pytest.raises(ValueError, match="lags must be concrete integers"):
        jax.jit(lambda lags: rj.jacobian_chain(gru, gru.initial_state(), xs, lags))(jnp.arange(3))


def test_a_state_of_integers_has_no_jacobian():
    with pytest.raises(ValueError, match=r"no floating or complex numbers.*int32"):
        rj.jacobian_chain(lambda h, _: h, jnp.arange(3, dtype=jnp.int32), None, length=2)


@pytest.mark.parametrize("lag", [-1, 51])
def test_product_refuses_a_lag_outside_the_sequence(gru, xs, lag):
    chain = rj.jacobian_chain(gru, gru.initial_state(), xs, [0])
    with pytest.raises(ValueError, match="lags must"):
        chain.product(lag)


def test_a_norm_that_was_not_asked_for_says_how_to_ask(gru, xs):
    chain = rj.jacobian_chain(gru, gru.initial_state(), xs, [0])
    with pytest.raises(ValueError, match=r'norms=\("frobenius", "spectral"\)'):
        chain.log_spectral_norm  # noqa: B018 - the property raises
    with pytest.raises(ValueError, match="give output="):
        chain.log_output_norm  # noqa: B018


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
