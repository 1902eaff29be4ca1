import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import rnn_jax as rj


def times_matrix(state, matrix):
    """A linear net whose inputs are its step Jacobians."""
    return matrix @ state


@jax.jit
def of_chain(matrices):
    return rj.log_singular_values(times_matrix, jnp.ones(matrices.shape[1]), matrices)


def by_many_digits(matrices, digits=120):
    """The product and its singular values with mpmath."""
    with mpmath.workdps(digits):
        product = mpmath.eye(matrices.shape[1])
        for matrix in matrices:
            product = mpmath.matrix(matrix.tolist()) * product
        values = mpmath.svd_r(product, compute_uv=False)
        return np.array(sorted((float(mpmath.log(value)) for value in values), reverse=True))


def orthogonals(count, size, seed=0):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(count, size, size)))[0]


def aligned(stretches):
    """J_t = U_t diag(stretches_t) U_{t-1}^T, whose product has the product of the stretches."""
    count, size = stretches.shape
    frames = orthogonals(count + 1, size)
    return frames[1:] @ (stretches[:, :, None] * frames[:-1].transpose(0, 2, 1))


def tanh_net(gain, steps, size):
    generator = np.random.default_rng(1)
    weight = gain * generator.normal(size=(size, size)) / size**0.5
    state, matrices = generator.normal(size=size), []
    for _ in range(steps):
        state = np.tanh(weight @ state + 0.2 * generator.normal(size=size))
        matrices.append((1 - state**2)[:, None] * weight)
    return np.stack(matrices)


def there_and_back(size):
    """One direction grows by 18 nats and shrinks again."""
    logs = np.random.default_rng(2).normal(size=(60, size)) * 0.3
    logs[:30, 0] += 0.6
    logs[30:, 0] -= 0.6
    return aligned(np.exp(logs))


def symmetric(size):
    """The chain is its own transpose, and all of its errors too."""
    directions = orthogonals(1, size)[0]
    matrix = directions @ np.diag(np.logspace(3, -3, size)) @ directions.T
    return (matrix + matrix.T) / 2


CHAINS = {
    "gaussian": lambda n: np.random.default_rng(3).normal(size=(60, n, n)),
    "short": lambda n: np.random.default_rng(4).normal(size=(2, n, n)),
    "gaps of 12 nats": lambda n: aligned(np.tile(np.exp(-0.2 * np.arange(n)), (60, 1))),
    "gaps of 3 nats": lambda n: aligned(np.tile(np.exp(-0.05 * np.arange(n)), (60, 1))),
    "gaps of 0.2 nats": lambda n: aligned(np.tile(np.exp(-0.2 / 60 * np.arange(n)), (60, 1))),
    "two clusters": lambda n: aligned(np.tile(np.where(np.arange(n) < n // 2, 1.5, 0.7), (60, 1))),
    "orthogonal": lambda n: 0.9 * orthogonals(200, n),
    "nearly isometric": lambda n: aligned(1 + 1e-3 * np.random.default_rng(5).normal(size=(200, n))),
    "contracting tanh net": lambda n: tanh_net(0.9, 60, n),
    "chaotic tanh net": lambda n: tanh_net(2.0, 60, n),
    "there and back": there_and_back,
    "one symmetric matrix": lambda n: np.tile(symmetric(n), (12, 1, 1)),
}


@pytest.mark.costly
@pytest.mark.parametrize("size", [3, 8])
@pytest.mark.parametrize("name", CHAINS)
def test_every_singular_value_agrees_with_many_digits(name, size):
    matrices = CHAINS[name](size)
    measured = of_chain(jnp.asarray(matrices))
    error = np.abs(np.asarray(measured) - by_many_digits(matrices, digits=200))
    assert error.max() < 1e-8
    assert (error <= measured.errors).all()
    assert measured.errors.max() < 1e-8


@pytest.mark.costly
@pytest.mark.parametrize("size", [16, 32])
@pytest.mark.parametrize("gap", [0.0, 0.2, 1.0, 3.0])
def test_a_chain_of_known_singular_values(size, gap):
    # The stretches differ from step to step, so that the order of directions changes on the way.
    logs = 0.3 * np.random.default_rng(6).normal(size=(60, size))
    logs += (-gap * np.arange(size) - logs.sum(axis=0)) / 60
    measured = of_chain(jnp.asarray(aligned(np.exp(logs))))
    # J_t was rounded when it was made.
    np.testing.assert_allclose(measured.values, -gap * np.arange(size), atol=1e-10)


@pytest.mark.costly
def test_a_singular_value_of_e_to_the_minus_1600_is_right():
    logs = np.array([0.0, -1.0, -8.0]) * np.ones((200, 3))
    matrices = aligned(np.exp(logs))
    measured = of_chain(jnp.asarray(matrices))
    expected = by_many_digits(matrices, digits=1600)
    assert expected[2] == pytest.approx(-1600, abs=1)
    np.testing.assert_allclose(measured.values, expected, rtol=0, atol=1e-8)


@pytest.mark.costly
def test_the_smallest_of_a_long_chain_are_not_the_sums_of_qr_diagonals():
    matrices = CHAINS["gaps of 12 nats"](4)
    q, sums = np.eye(4), np.zeros(4)
    for matrix in matrices:
        q, r = np.linalg.qr(matrix @ q)
        sums += np.log(np.abs(np.diag(r)))
    assert np.abs(sums - of_chain(jnp.asarray(matrices)).values).max() > 1


@pytest.mark.costly
@pytest.mark.parametrize("line", ["row", "column"])
def test_a_zero_row_or_column_gives_minus_infinity_and_leaves_the_rest_right(line):
    # The smallest others lie far under what rounding leaves of a zero.
    matrices = aligned(np.tile(np.exp(-0.4 * np.arange(6)), (60, 1)))
    if line == "row":
        matrices[[4, 57], 2] = 0  # a dead unit
    else:
        matrices[[4, 57], :, 4] = 0  # a unit that nothing listens to
    measured = of_chain(jnp.asarray(matrices))
    assert np.isneginf(measured[5])
    with mpmath.workdps(300):
        product = mpmath.eye(6)
        for matrix in matrices:
            product = mpmath.matrix(matrix.tolist()) * product
        values = sorted(mpmath.svd_r(product, compute_uv=False), reverse=True)
        assert values[5] < 1e-150
        expected = [float(mpmath.log(value)) for value in values[:5]]
    np.testing.assert_allclose(measured[:5], expected, rtol=0, atol=1e-8)
    assert (measured.errors[:5] < 1e-8).all()


@pytest.mark.costly
def test_a_product_that_is_zero_is_minus_infinity_throughout():
    nilpotent = jnp.broadcast_to(jnp.array([[0.0, 1.0], [0.0, 0.0]]), (2, 2, 2))
    np.testing.assert_array_equal(of_chain(nilpotent).values, [-np.inf, -np.inf])


@pytest.mark.costly
def test_a_contraction_of_many_steps_stays_exact():
    measured = rj.log_singular_values(lambda h, _: 0.5 * h, jnp.ones(3), None, length=20_000)
    np.testing.assert_allclose(measured.values, 20_000 * np.log(0.5), rtol=1e-13)


@pytest.mark.costly
def test_a_sequence_of_no_steps_has_the_identity():
    np.testing.assert_array_equal(of_chain(jnp.zeros((0, 3, 3))).values, np.zeros(3))


@pytest.mark.costly
def test_a_nan_in_an_input_is_nan():
    cell = rj.cells.create("elman_relu", 1, 4, key=jax.random.key(1))
    xs = jnp.ones((30, 1)).at[7].set(jnp.nan)
    measured = rj.log_singular_values(cell, cell.initial_state(), xs)
    assert np.isnan(measured.values).all()
    assert np.isnan(measured.errors).all()


@pytest.mark.costly
@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_a_cell_of_a_few_steps_agrees_with_the_svd_of_the_unrolled_net(name, end_jacobians):
    cell = rj.cells.create(name, 2, 3, key=jax.random.key(1))
    xs = jax.random.normal(jax.random.key(2), (5, 2))
    expected = np.linalg.svd(end_jacobians(cell, cell.initial_state(), xs, 5)[0], compute_uv=False)
    measured = rj.log_singular_values(cell, cell.initial_state(), xs)
    np.testing.assert_allclose(np.exp(measured), expected, rtol=1e-8, atol=1e-14)


@pytest.mark.costly
def test_the_largest_is_the_spectral_norm_of_the_chain():
    cell = rj.cells.create("elman_tanh", 1, 12, key=jax.random.key(3), gain=2.0)
    xs = jax.random.normal(jax.random.key(4), (400, 1))
    measured = rj.log_singular_values(cell, cell.initial_state(), xs)
    chain = rj.jacobian_chain(cell, cell.initial_state(), xs, [400], ("spectral",))
    assert float(measured[0]) == pytest.approx(float(chain.log_spectral_norm[0]), abs=1e-9)


def test_it_behaves_as_the_array_of_its_values():
    measured = of_chain(jnp.asarray(CHAINS["gaussian"](3)))
    assert measured.shape == (3,)
    assert len(measured) == 3
    assert measured[0] == measured.values[0]
    np.testing.assert_array_equal(np.asarray(measured), measured.values)
    np.testing.assert_array_equal(jnp.exp(measured.__jax_array__()), jnp.exp(measured.values))
    assert int(measured.sweeps) >= 1


@pytest.mark.costly
def test_vmap_equals_a_loop():
    batch = jax.random.normal(jax.random.key(5), (3, 10, 4, 4))
    batched = jax.vmap(of_chain)(batch)
    np.testing.assert_allclose(batched.values, [of_chain(each).values for each in batch], atol=1e-12)


def test_a_float32_state_is_refused_with_the_mend():
    with pytest.raises(
        ValueError, match=r"needs a float64 state, got float32; give the state, the cell and xs"
    ):
        rj.log_singular_values(lambda h, _: h, jnp.ones(2, jnp.float32), None, length=3)


def test_without_x64_it_says_how_to_switch_it_on():
    with (
        jax.enable_x64(False),
        pytest.raises(ValueError, match=r'set jax\.config\.update\("jax_enable_x64", True\)'),
    ):
        rj.log_singular_values(lambda h, _: h, jnp.ones(2, jnp.float32), None, length=3)


@pytest.mark.costly
def test_a_lost_value_leaves_the_larger_ones_known():
    matrices = np.random.default_rng(3).normal(size=(10, 6, 6))
    matrices[5] = matrices[5] @ np.diag([1.0, 1, 1, 1, 1, 0]) @ matrices[4]
    found = rj.log_singular_values(lambda h, J: J @ h, jnp.zeros(6), jnp.asarray(matrices))
    product = np.linalg.multi_dot(matrices[::-1])
    # An SVD knows to 1e-16 of the largest.
    np.testing.assert_allclose(found.values[:5], np.log(np.linalg.svd(product)[1][:5]), atol=1e-7)
    assert np.all(np.asarray(found.errors[:5]) < 1e-6)
    assert found.errors[5] > 0.01  # by rounding; mostly over one nat, and then NaN
