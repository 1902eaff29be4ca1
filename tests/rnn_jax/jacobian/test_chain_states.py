"""Chains at states that are known beforehand, and in a chosen precision."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj

T = 40


@pytest.fixture(params=["lstm", "gru_reset_before", "indrnn"])
def cell(request):
    return rj.cells.create(request.param, 3, 4, key=jax.random.key(1), gain=1.3)


@pytest.fixture
def xs():
    return jax.random.normal(jax.random.key(2), (T, 3))


def stray(cell, xs):
    """States that no run of the cell goes through."""
    states = rj.trajectory(cell, cell.initial_state(), xs)
    leaves, structure = jax.tree.flatten(states)
    keys = jax.random.split(jax.random.key(3), len(leaves))
    noisy = [leaf + jax.random.normal(key, leaf.shape) for leaf, key in zip(leaves, keys, strict=True)]
    return jax.tree.unflatten(structure, noisy)


def products_at(cell, states, xs):
    """J_T ... J_{t+1} for lag 0..T from jacrev of the single steps, multiplied in NumPy."""
    one = jax.jit(jax.vmap(lambda h, x: rj.step_jacobians(cell, h, x[None])[0]))
    jacobians = np.asarray(one(jax.tree.map(lambda leaf: leaf[:-1], states), xs))
    products = [np.eye(jacobians.shape[1])]
    for jacobian in jacobians[::-1]:
        products.append(products[-1] @ jacobian)
    return np.array(products)


@pytest.mark.costly
@pytest.mark.parametrize("method", ["sequential", "blocked"])
def test_jacobians_are_taken_at_exactly_the_states_that_are_given(cell, xs, method):
    states = stray(cell, xs)
    expected = products_at(cell, states, xs)
    norms = np.linalg.norm(expected, axis=(1, 2))
    every = rj.jacobian_chain(cell, None, xs, states=states, method=method, output=cell.output)
    np.testing.assert_allclose(np.exp(every.log_frobenius_norm), norms, rtol=1e-10)
    lags = [0, 7, T]
    few = rj.jacobian_chain(cell, None, xs, lags, ("spectral",), method=method, states=states)
    np.testing.assert_allclose(np.exp(few.log_frobenius_norm), norms[lags], rtol=1e-10)
    np.testing.assert_allclose(
        np.exp(few.log_spectral_norm), np.linalg.norm(expected[lags], 2, axis=(1, 2)), rtol=1e-10
    )
    for chain in (every, few):
        np.testing.assert_allclose(chain.product(7).to_array(), expected[7], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(
        rj.jacobian_product(cell, None, xs, T, states=states).to_array(), expected[T], rtol=1e-9, atol=1e-12
    )


@pytest.mark.costly
def test_its_own_trajectory_gives_what_the_cell_gives_itself(cell, xs):
    state = jax.tree.map(lambda leaf: leaf + 0.3, cell.initial_state())
    states = rj.trajectory(cell, state, xs)
    for given in (None, state):
        known = rj.jacobian_chain(cell, given, xs, states=states)
        own = rj.jacobian_chain(cell, state, xs)
        np.testing.assert_allclose(known.log_frobenius_norm, own.log_frobenius_norm, rtol=1e-12, atol=1e-12)


def test_a_net_without_input_and_without_steps():
    states = jnp.ones((1, 3))
    chain = rj.jacobian_chain(lambda h, _: 2 * h, None, None, length=0, states=states)
    np.testing.assert_allclose(chain.log_frobenius_norm, 0.5 * np.log(3))
    np.testing.assert_array_equal(chain.product(0).to_array(), np.eye(3))


def test_a_state_that_is_not_finite_among_them_is_nan():
    states = jnp.ones((31, 2)).at[10].set(jnp.inf)
    chain = rj.jacobian_chain(lambda h, _: jax.nn.relu(h), None, None, length=30, states=states)
    assert np.isfinite(chain.log_frobenius_norm[:20]).all()
    assert np.isnan(chain.log_frobenius_norm[20:]).all()


@pytest.mark.costly
@pytest.mark.parametrize("size", [4, 20])  # from 16 on examples go one after the other on a CPU
def test_vmap_over_sequences_of_states(size):
    cell = rj.cells.create("gru", 3, size, key=jax.random.key(1))
    batch = jax.random.normal(jax.random.key(5), (3, T, 3))
    states = jax.vmap(lambda xs: stray(cell, xs))(batch)

    def norms(states, xs):
        return rj.jacobian_chain(cell, None, xs, states=states).log_frobenius_norm

    expected = [norms(*each) for each in zip(states, batch, strict=True)]
    np.testing.assert_allclose(jax.jit(jax.vmap(norms))(states, batch), expected, rtol=1e-10, atol=1e-10)


ERRORS = {
    "too few": (
        {"states": jnp.ones((5, 3))},
        r"states must be h_0\.\.h_T, T \+ 1 = 6 of them .* got states of shape \(5, 3\)",
    ),
    "scalar": ({"states": jnp.ones(())}, r"got states of shape \(\)"),
    "none": ({"states": ()}, "states must hold arrays"),
    "other shape": (
        {"states": jnp.ones((6, 4)), "state": jnp.ones(3)},
        r"each \(3,\) float64 .* got \(4,\) float64 .*leave state out",
    ),
    "other dtype": (
        {"states": jnp.ones((6, 3), jnp.float32), "state": jnp.ones(3)},
        r"each \(3,\) float64 .* got \(3,\) float32",
    ),
    "other structure": (
        {"states": (jnp.ones((6, 3)),), "state": jnp.ones(3)},
        "states must be stacked states like state",
    ),
    "not of the step": ({"states": jnp.ones((6, 4))}, "shape"),
    "checkpoint": ({"states": jnp.ones((6, 3)), "checkpoint": True}, "checkpoint=True makes states again"),
    "neither": ({"state": None}, "state is None; give the initial state h_0, or states="),
    "unknown precision": (
        {"state": jnp.ones(3), "precision": "exact"},
        "precision must be a name that jax.default_matmul_precision takes, .*got 'exact'",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_a_wrong_argument_is_named_before_anything_is_compiled(name, compilations):
    options, message = ERRORS[name]
    state, matrix = options.get("state"), jnp.eye(3)
    rest = {key: value for key, value in options.items() if key != "state"}
    xs = jnp.ones((5, 3))
    with compilations() as compiled, pytest.raises(ValueError, match=message) as raised:
        rj.jacobian_chain(lambda h, x: matrix @ h + x, state, xs, **rest)
    assert name == "not of the step" or compiled == []
    assert "\n" not in str(raised.value)


# Precision: a CPU multiplies float32 the same way whatever it is asked for, so the program is read.


def program_of(cell, xs, precision, **options):
    def norms(xs):
        chain = rj.jacobian_chain(cell, cell.initial_state(), xs, precision=precision, **options)
        return chain.frobenius_norm, chain.spectral_norm  # what is not returned may not be computed

    return jax.jit(norms).lower(xs).as_text()


def precisions_of(program, size):
    """Of each product of two matrices of which one is (size, size): what it asks for."""
    lines = [line for line in program.splitlines() if "dot_general" in line]
    square = [line for line in lines if line.count(f"{size}x{size}x") >= 2]
    assert square
    return {re.search(r"precision = \[(\w+)", line).group(1) for line in square}


@pytest.mark.costly
@pytest.mark.parametrize("options", [{}, {"method": "blocked"}, {"lags": [0, 30]}], ids=str)
@pytest.mark.parametrize("name", ["elman_tanh", "gru_reset_before"])
def test_every_product_of_the_chain_asks_for_the_precision(name, options):
    cell = rj.cells.create(name, 3, 5, key=jax.random.key(1), dtype=jnp.float32)
    xs = jnp.ones((T, 3), jnp.float32)
    for precision, said in (("highest", "HIGHEST"), ("high", "HIGH"), ("bfloat16", "DEFAULT")):
        assert precisions_of(program_of(cell, xs, precision, **options), 5) == {said}


def test_norms_are_measured_in_full_precision():
    cell = rj.cells.create("indrnn", 3, 5, key=jax.random.key(1), dtype=jnp.float32)
    xs = jnp.ones((T, 3), jnp.float32)
    # Its product is elementwise: the sums of squares of rows are all that is left but for the drive.
    program = program_of(cell, xs, "default", lags=[3])
    sums = [line for line in program.splitlines() if "dot_general" in line and "5x1x" in line]
    assert sums
    assert all("HIGHEST" in line for line in sums)
    cell = rj.cells.create("elman_tanh", 3, 5, key=jax.random.key(1), dtype=jnp.float32)
    program = program_of(cell, xs, "default", lags=[3], norms=("spectral",))
    assert precisions_of(program, 5) == {"DEFAULT", "HIGHEST"}  # of the chain, and of the Gram matrix


@pytest.mark.costly
def test_a_precision_is_no_stale_program(compilations):
    cell = rj.cells.create("elman_tanh", 3, 7, key=jax.random.key(1))
    xs = jnp.ones((T, 3))

    def measure(precision):
        return rj.jacobian_chain(cell, cell.initial_state(), xs, precision=precision).log_frobenius_norm

    exact = measure("highest")
    with compilations() as compiled:
        np.testing.assert_allclose(measure("default"), exact, rtol=1e-12)
    assert len(compiled) == 1
    with compilations() as compiled:
        measure("highest"), measure("default")
    assert compiled == []
