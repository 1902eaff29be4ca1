"""Slopes of saturated units, which autodiff rounds away: held to mpmath, and to float64 at the same states."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from jax.sharding import PartitionSpec

import rnn_jax as rj
from rnn_jax import slopes
from rnn_jax.remedies.penalties import finite_time_exponents

FUNCTIONS = {
    "tanh": (slopes.tanh, jnp.tanh, lambda z: mpmath.sech(z) ** 2),
    "logistic": (slopes.logistic, jax.nn.sigmoid, lambda z: mpmath.sech(z / 2) ** 2 / 4),
}
LENGTH = 40


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(("dtype", "largest"), [("float32", 40), ("float64", 340)])
def test_a_slope_is_right_to_rounding_however_far_the_unit_is_saturated(name, dtype, largest):
    exact, autodiff, truth = FUNCTIONS[name]
    z = np.linspace(-largest, largest, 101).astype(dtype)
    wanted = np.array([float(truth(mpmath.mpf(float(each)))) for each in z])
    # What exp makes of the rounding of its argument.
    tolerance = (2 * np.abs(z) + 4) * np.finfo(dtype).eps
    errors = [np.abs(np.asarray(jax.vmap(jax.grad(each))(z)) / wanted - 1) for each in (exact, autodiff)]
    assert np.all(errors[0] < tolerance)
    assert np.max(errors[1]) > 0.9


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_of_higher_order_are_those_of_autodiff(name):
    exact, autodiff, _ = FUNCTIONS[name]
    z = jnp.linspace(-2, 2, 9)  # with 0, where |z| has no derivative
    for _ in range(4):
        np.testing.assert_allclose(jax.vmap(exact)(z), jax.vmap(autodiff)(z), rtol=1e-13, atol=1e-14)
        exact, autodiff = jax.grad(exact), jax.grad(autodiff)


def looping(z):
    def body(carry, _):
        return jnp.tanh(carry), carry

    return jax.lax.scan(body, z, None, length=1)[0]


WAYS = {
    "jit": jax.jit(jnp.tanh),
    "checkpoint": jax.checkpoint(jnp.tanh),
    "scan": looping,
    "while": lambda z: jax.lax.while_loop(
        lambda at: at[0] < 1, lambda at: (at[0] + 1, jnp.tanh(at[1])), (0, z)
    )[1],
    "cond": lambda z: jax.lax.cond(z > 0, jnp.tanh, lambda z: 2 * z, z),
    "vmap": lambda z: jax.vmap(jnp.tanh)(z[None])[0],
    "after a function with a derivative of its own": lambda z: jnp.tanh(jax.nn.relu(z)),
}


@pytest.mark.parametrize("way", WAYS)
def test_it_is_looked_through_what_a_step_is_made_of(way):
    function = WAYS[way]
    z = jnp.float32(12)
    exact = slopes.with_exact_slopes(function, z)
    assert exact(z) == function(z)
    slope, plain = (jax.jvp(each, (z,), (jnp.ones_like(z),))[1] for each in (exact, function))
    np.testing.assert_allclose(slope, 1 / np.cosh(12.0) ** 2, rtol=1e-5)
    assert abs(plain - slope) > 0.9 * slope


def with_a_reference(h):
    memory = jax.new_ref(jnp.zeros_like(h))

    def add(index, carry):
        memory[...] = jnp.tanh(h + memory[...])
        return carry

    jax.lax.fori_loop(0, 3, add, None)
    return memory[...]


def on_a_mesh(kind, function):
    """It, of an array that lies on a mesh of one device."""
    mesh = jax.make_mesh((1,), ("units",), axis_types=(kind,))

    def jacobian(h):
        return rj.step_jacobians(lambda state, x: function(state), h, None, length=1)[0]

    if kind is jax.sharding.AxisType.Explicit:
        with jax.set_mesh(mesh):
            return jacobian(jax.device_put(jnp.ones(1), jax.NamedSharding(mesh, PartitionSpec("units"))))
    sharded = jax.shard_map(
        jacobian, mesh=mesh, in_specs=PartitionSpec("units"), out_specs=PartitionSpec("units")
    )
    return jax.jit(sharded)(jnp.ones(1))


PLACES = {
    "shard_map": lambda: on_a_mesh(jax.sharding.AxisType.Auto, looping),
    "explicit sharding": lambda: on_a_mesh(jax.sharding.AxisType.Explicit, looping),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_loop_keeps_where_its_arrays_lie(place):
    np.testing.assert_allclose(PLACES[place](), [[1 / np.cosh(1.0) ** 2]], rtol=1e-12)


@pytest.mark.parametrize(("start", "dtype"), [(1.0, jnp.float64), (12.0, jnp.float32)])
def test_a_loop_that_writes_into_a_reference_has_its_slopes(start, dtype):
    h = jnp.full(1, start, dtype)
    jacobian = rj.step_jacobians(lambda state, x: with_a_reference(state), h, None, length=1)
    value, slope = 0.0, 0.0
    for _ in range(3):
        slope = (1 + slope) / np.cosh(start + value) ** 2
        value = np.tanh(start + value)
    np.testing.assert_allclose(jacobian, [[[slope]]], rtol=1e-12 if dtype == jnp.float64 else 1e-5)


def test_a_checkpoint_stays_one():
    function = jax.checkpoint(jnp.tanh, policy=jax.checkpoint_policies.nothing_saveable)
    program = jax.make_jaxpr(slopes.with_exact_slopes(function, 1.0))(1.0)
    assert "nothing_saveable" in str(program)


def test_a_derivative_that_a_function_states_itself_stands():
    @jax.custom_jvp
    def straight_through(z):
        return jnp.tanh(z)

    straight_through.defjvp(lambda primals, tangents: (straight_through(*primals), tangents[0]))
    z = jnp.float32(12)
    both = slopes.with_exact_slopes(lambda z: straight_through(z) + jnp.tanh(z), z)
    assert jax.grad(both)(z) == 1 + jax.grad(slopes.tanh)(z)


def test_pytrees_whole_numbers_and_complex_numbers_go_through():
    def function(state, x):
        return {"a": jnp.tanh(state["a"]) * x, "count": state["count"] + 1, "z": jnp.tanh(state["z"])}

    state = {"a": jnp.ones(3), "count": jnp.int32(2), "z": jnp.full(2, 1 + 1j)}
    exact = slopes.with_exact_slopes(function, state, jnp.float64(2))
    jax.tree.map(np.testing.assert_array_equal, exact(state, jnp.float64(2)), function(state, jnp.float64(2)))


def deep(weights, state, x):
    """A step that declares nothing, of both functions."""
    inner = jnp.tanh(weights @ state + x[0])
    return jax.nn.sigmoid(weights @ inner) * inner


def saturated(name, dtype):
    """A step most of whose units are saturated, and its states h_0..h_T and inputs, the same numbers in each dtype."""
    if name == "dense":
        weights = 5 * jax.random.normal(jax.random.key(0), (6, 6), jnp.float32)
        step = jax.tree_util.Partial(deep, weights)
        first = jnp.zeros(6, jnp.float32)
    else:
        others = {"activation": "tanh"} if name == "indrnn" else {"gain": 10.0}
        make = {
            "elman_tanh": rj.cells.Elman,
            "gru": rj.cells.GRU,
            "lstm": rj.cells.LSTM,
            "indrnn": rj.cells.IndRNN,
        }
        step = make[name].create(
            1, 1 if name == "indrnn" else 6, key=jax.random.key(0), dtype=jnp.float32, **others
        )
        first = step.initial_state()
    xs = (5 if name == "indrnn" else 3) * jax.random.normal(jax.random.key(1), (LENGTH, 1), jnp.float32)
    states = rj.trajectory(step, first, xs)
    return jax.tree.map(lambda leaf: leaf.astype(dtype), (step, states, xs))


def log_norms(step, states, xs):
    return rj.jacobian_chain(step, None, xs, states=states).log_frobenius_norm


@pytest.mark.parametrize("name", ["elman_tanh", "gru", "lstm", "indrnn", "dense"])
def test_a_chain_through_saturated_units_has_the_norms_of_float64(name):
    wanted = log_norms(*saturated(name, jnp.float64))
    assert np.all(np.isfinite(wanted))
    np.testing.assert_allclose(log_norms(*saturated(name, jnp.float32)), wanted, atol=1e-3)


def test_a_spectrum_through_saturated_units_sums_to_the_log_determinants():
    """Of J = D W log abs det J = sum of log D + log abs det W, here from the pre-activations in float64."""
    step, states, xs = saturated("elman_tanh", jnp.float64)
    weights = np.asarray(step.weight_hh)
    z = np.asarray(states[:-1]) @ weights.T + np.asarray(xs) @ np.asarray(step.weight_xh).T
    logs = -2 * np.log(np.cosh(z)).sum(axis=1) + np.linalg.slogdet(weights)[1]
    step, states, xs = saturated("elman_tanh", jnp.float32)
    spectrum = rj.lyapunov_spectrum(step, states[0], xs, transient=0, batches=2)
    np.testing.assert_allclose(np.sum(spectrum.exponents), logs.mean(), rtol=1e-5)


def test_an_output_whose_units_are_saturated_has_its_norm():
    step, states, xs = saturated("elman_tanh", jnp.float32)
    chain = rj.jacobian_chain(step, None, xs, [0], states=states, output=lambda state: jnp.tanh(12 * state))
    last = np.asarray(states[-1], float)
    wanted = np.linalg.norm(12 / np.cosh(12 * last) ** 2)
    np.testing.assert_allclose(chain.log_output_norm, np.log(wanted), atol=1e-4)


def first_exponent(step, states, xs):
    """That of a column, which is pushed through the step and never sees its Jacobian."""
    return rj.lyapunov_spectrum(step, states[0], xs, count=1, transient=0, batches=2).exponents


def flossed(step, states, xs):
    basis = jnp.ones((states.shape[1], 1), xs.dtype)
    return finite_time_exponents(step, states[0], xs, basis)


def by_states(step, states, xs):
    return rj.loss_gradients(lambda states: jnp.sum(states[-1]), step, states[0], xs).state.log_row_norms()


def by_inputs(step, states, xs):
    return rj.loss_gradients(lambda states: jnp.sum(states[-1]), step, states[0], xs).input.log_row_norms()


@pytest.mark.parametrize("name", ["elman_tanh", "dense"])
@pytest.mark.parametrize("measure", [first_exponent, flossed, by_states, by_inputs])
def test_whatever_is_measured_of_saturated_units_is_that_of_float64(measure, name):
    wanted = measure(*saturated(name, jnp.float64))
    assert np.all(np.isfinite(wanted))
    np.testing.assert_allclose(measure(*saturated(name, jnp.float32)), wanted, rtol=1e-3, atol=1e-3)


def test_shares_of_a_weight_gradient_through_a_saturated_unit_are_those_of_float64():
    def shares(dtype):
        cell = rj.cells.Elman.create(1, 1, key=jax.random.key(0), dtype=jnp.float32)
        cell, xs = jax.tree.map(lambda leaf: leaf.astype(dtype), (cell, jnp.array([[3.5], [5.0]])))
        return rj.weight_gradient_shares(lambda states: jnp.sum(states[-1]), cell, cell.initial_state(), xs)

    wanted = np.asarray(shares(jnp.float64))
    np.testing.assert_allclose(shares(jnp.float32), wanted, rtol=1e-3)
