"""What only a GPU can get wrong: arithmetic that is not what was asked for, loops and factorizations of its own.

`pytest -m gpu` on a machine with one; skipped elsewhere. The truth is the same machine's CPU in float64.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj
from rnn_jax.jacobian import factorizations, scaled

pytestmark = [pytest.mark.gpu, pytest.mark.as_users_compile]
T = 400


@pytest.fixture(scope="module", autouse=True)
def gpu():
    if jax.default_backend() == "cpu":
        pytest.skip("JAX finds no GPU here")
    return jax.devices()[0]


@pytest.fixture(scope="module")
def cpu():
    return jax.devices("cpu")[0]


def net(name, size=48, dtype=jnp.float64):
    cell = rj.cells.create(name, 3, size, key=jax.random.key(0), dtype=dtype)
    return cell, jax.random.normal(jax.random.key(1), (T, 3), jnp.float32).astype(dtype)


def on_cpu(cpu, cell, xs, states=None):
    """Log norms of a chain on the CPU, in float64."""
    cell, xs, states = jax.device_put(
        jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), (cell, xs, states)), cpu
    )
    with jax.default_device(cpu):
        chain = rj.jacobian_chain(cell, cell.initial_state(), xs, states=states, method="sequential")
        return chain.frobenius_norm.log_float64()


@pytest.mark.parametrize("method", ["sequential", "blocked"])
@pytest.mark.parametrize("name", ["elman_tanh", "lstm", "gru"])
def test_a_chain_in_float64_is_the_cpus(name, method, cpu):
    cell, xs = net(name)
    chain = rj.jacobian_chain(cell, cell.initial_state(), xs, method=method)
    np.testing.assert_allclose(chain.frobenius_norm.log_float64(), on_cpu(cpu, cell, xs), atol=1e-9)


@pytest.mark.parametrize("method", ["sequential", "blocked"])
def test_float32_is_not_cut_to_fewer_bits(method, cpu):
    """TF32, a GPU's way unless told otherwise, is wrong by a hundred times as much."""
    cell, xs = net("elman_tanh", dtype=jnp.float32)
    states = rj.trajectory(cell, cell.initial_state(), xs)
    chain = rj.jacobian_chain(cell, None, xs, states=states, method=method)
    error = chain.frobenius_norm.log_float64() - on_cpu(cpu, cell, xs, states)
    assert np.abs(error).max() < 2e-5
    cut = rj.jacobian_chain(cell, None, xs, states=states, method=method, precision="BF16_BF16_F32")
    assert np.abs(cut.frobenius_norm.log_float64() - on_cpu(cpu, cell, xs, states)).max() > 1e-3


def test_a_chain_of_many_blocks(cpu):
    """Their totals are joined in groups."""
    cell, xs = net("elman_tanh")
    chain = rj.jacobian_chain(cell, cell.initial_state(), xs, method="blocked", block_count=100)
    np.testing.assert_allclose(chain.frobenius_norm.log_float64(), on_cpu(cpu, cell, xs), atol=1e-9)


@pytest.mark.parametrize(("initialization", "gain"), [("gaussian", 0.8), ("orthogonal", 1.0)])
def test_a_chain_of_few_rows_and_one_that_needs_all(initialization, gain, cpu):
    cell = rj.cells.create(
        "elman_tanh",
        3,
        128,
        key=jax.random.key(0),
        initialization=initialization,
        gain=gain,
        dtype=jnp.float64,
    )
    xs = 0.01 * net("elman_tanh")[1]
    chain = rj.jacobian_chain(cell, cell.initial_state(), xs, method="blocked", block_count=4)
    np.testing.assert_allclose(chain.frobenius_norm.log_float64(), on_cpu(cpu, cell, xs), atol=1e-9)


def test_a_batch_of_small_scaled_matrices_is_a_batch_of_plain_ones():
    """Products with ones of a few numbers, many at once: a library call of its own there."""
    batch = jax.random.normal(jax.random.key(0), (4, 3, 2), jnp.float32).astype(jnp.float64)
    held = jax.vmap(scaled.from_array)(batch)
    np.testing.assert_array_equal(held.to_array(), batch)
    plain = np.log(np.linalg.norm(np.asarray(batch), axis=(1, 2)))
    np.testing.assert_allclose(jax.vmap(scaled.ScaledMatrix.log_frobenius_norm)(held), plain, rtol=1e-12)


@pytest.mark.parametrize("size", [2, 3, 48])
def test_a_batch_of_chains_is_the_cpus(size, cpu):
    cell, xs = net("elman_tanh", size)
    batch = jnp.stack([xs, -xs, 0.5 * xs, xs[::-1]])
    chain = jax.vmap(lambda xs: rj.jacobian_chain(cell, cell.initial_state(), xs))(batch)
    logs = chain.frobenius_norm.log_float64()
    for place in range(len(batch)):
        np.testing.assert_allclose(logs[place], on_cpu(cpu, cell, batch[place]), atol=1e-9)


@pytest.mark.parametrize("size", [40, 600])
def test_every_factorization_finds_one_spectrum(size):
    cell = rj.cells.create("elman_tanh", 0, size, key=jax.random.key(2), gain=3.0, dtype=jnp.float64)
    state = jax.random.normal(jax.random.key(3), (size,), jnp.float32).astype(jnp.float64)
    spectra = {
        name: rj.lyapunov_spectrum(cell, state, None, length=120, factorization=name)
        for name in factorizations.FACTORIZATIONS
    }
    assert spectra["auto"].factorization == "cholesky"
    for spectrum in spectra.values():
        np.testing.assert_allclose(spectrum.exponents, spectra["qr"].exponents, atol=1e-6)
        assert spectrum.logdet_residual < 1e-9


def test_an_exploding_state_is_not_taken_for_a_vanished_gradient():
    cell = rj.cells.create("elman_relu", 3, 48, key=jax.random.key(0), gain=40.0, dtype=jnp.float32)
    chain = rj.jacobian_chain(cell, cell.initial_state(), net("elman_tanh", dtype=jnp.float32)[1])
    assert np.isnan(chain.log_frobenius_norm[-1])


def test_seeds_trained_together_are_those_trained_alone(jax_promotes):
    """On an accelerator by one program, on a CPU each by its own."""
    task = rj.tasks.Adding(length=20)

    def losses(seeds):
        made = rj.train(
            task,
            lambda key: rj.cells.create("gru", 2, 16, key=key, dtype=jnp.float64),
            key=jax.random.key(5),
            seeds=seeds,
            step_budget=40,
            evaluate_every=10,
        )
        return made.loss

    np.testing.assert_allclose(losses([0, 1])[1], losses([1])[0], rtol=1e-6)
