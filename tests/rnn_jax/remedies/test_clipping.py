import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from rnn_jax.remedies import adaptive_clipping, clip_by_norm, clip_by_value, global_norm

# Plain gradient steps of size 1: what comes out is minus the gradient that the optimiser saw.
SEEN = optax.sgd(1.0)


def gradient_seen(remedy, gradient, weights=None):
    optimizer = remedy.adapt_optimizer(SEEN)
    updates, _ = optimizer.update(gradient, optimizer.init(gradient), weights)
    return jax.tree.map(lambda leaf: -leaf, updates)


def gradient_of_norm(norm, dtype=jnp.float64):
    tree = {"a": jnp.array([[1.0, -2.0], [0.0, 4.0]]), "b": (jnp.array(2.0), jnp.array([0.0, 0.0]))}
    return jax.tree.map(lambda leaf: (leaf * (norm / 5.0)).astype(dtype), tree)  # its norm is 5


@pytest.mark.costly
@pytest.mark.parametrize("norm", [0.01, 0.99, 1.01, 50.0])
def test_clip_by_norm_equals_optax_on_ordinary_gradients(norm, jax_promotes):
    gradient = gradient_of_norm(norm)
    theirs, _ = optax.clip_by_global_norm(1.0).update(gradient, optax.EmptyState())
    ours = gradient_seen(clip_by_norm(1.0), gradient)
    jax.tree.map(lambda left, right: np.testing.assert_allclose(left, right, rtol=1e-12), ours, theirs)


@pytest.mark.parametrize("norm", [1e25, 3e38])
def test_a_float32_gradient_whose_square_overflows_keeps_its_direction(norm, jax_promotes):
    gradient = gradient_of_norm(norm, jnp.float32)
    clipped = gradient_seen(clip_by_norm(2.0), gradient)
    expected = gradient_of_norm(2.0, jnp.float32)
    jax.tree.map(lambda left, right: np.testing.assert_allclose(left, right, rtol=1e-5), clipped, expected)
    theirs, _ = optax.clip_by_global_norm(2.0).update(gradient, optax.EmptyState())
    assert not theirs["a"].any()  # why we do not use optax's


def test_a_gradient_of_zeros_stays_zero():
    clipped = gradient_seen(clip_by_norm(1.0), gradient_of_norm(0.0))
    assert all(not leaf.any() for leaf in jax.tree.leaves(clipped))


@pytest.mark.parametrize("bad", [jnp.nan, jnp.inf])
def test_a_gradient_that_is_not_finite_is_not_hidden(bad):
    gradient = gradient_of_norm(1.0)
    gradient["b"] = (jnp.array(bad), gradient["b"][1])
    clipped = gradient_seen(clip_by_norm(1.0), gradient)
    assert not jnp.isfinite(clipped["b"][0])


def test_clip_by_value_cuts_every_entry(jax_promotes):
    gradient = {"a": jnp.array([0.3, -0.3, 5.0, -1e25], jnp.float32)}
    clipped = gradient_seen(clip_by_value(0.5), gradient)
    np.testing.assert_array_equal(clipped["a"], np.array([0.3, -0.3, 0.5, -0.5], np.float32))


def test_the_optimizer_comes_after_the_clipping(jax_promotes):
    optimizer = clip_by_norm(1.0).adapt_optimizer(optax.sgd(0.1))
    gradient = gradient_of_norm(100.0)
    updates, _ = optimizer.update(gradient, optimizer.init(gradient))
    assert global_norm(updates) == pytest.approx(0.1)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.float32, jnp.float64])
def test_the_global_norm_is_right_up_to_the_largest_number(dtype):
    largest = jnp.finfo(dtype).max
    tree = [jnp.array([0.6], dtype) * largest, jnp.array([[0.0, 0.8]], dtype) * largest]
    assert float(global_norm(tree)) == pytest.approx(float(largest), rel=1e-3)


@pytest.mark.parametrize("size", [0.0, 1e-30, 1.0])
def test_the_global_norm_does_not_underflow(size):
    tree = [jnp.array([3 * size], jnp.float32), jnp.array([4 * size], jnp.float32)]
    assert global_norm(tree) == pytest.approx(5 * size, rel=1e-6)


@pytest.mark.parametrize("make", [clip_by_norm, clip_by_value])
@pytest.mark.parametrize("threshold", [0.0, -1.0])
def test_a_threshold_that_is_not_positive_is_refused(make, threshold):
    with pytest.raises(ValueError, match=f"threshold must be positive, got {threshold}"):
        make(threshold)


def weights_and_gradient(dtype=jnp.float64):
    keys = jax.random.split(jax.random.key(3), 4)
    weights = {
        "matrix": jax.random.normal(keys[0], (5, 3), dtype).at[0].set(0.0),
        "bias": jax.random.normal(keys[1], (4,), dtype),
    }
    # Rows from far under to far over the ratio.
    sizes = jnp.array([1e-2, 1e-9, 1e-3, 1e-1, 10.0], dtype)[:, None]
    gradient = {
        "matrix": sizes * jax.random.normal(keys[2], (5, 3), dtype),
        "bias": jax.random.normal(keys[3], (4,), dtype),
    }
    return weights, gradient


def transposed(tree):
    return jax.tree.map(lambda leaf: leaf.T, tree)


@pytest.mark.costly
def test_adaptive_clipping_equals_optax_on_transposed_matrices(jax_promotes):
    weights, gradient = weights_and_gradient()
    theirs, _ = optax.adaptive_grad_clip(0.02).update(
        transposed(gradient), optax.EmptyState(), transposed(weights)
    )
    ours = gradient_seen(adaptive_clipping(0.02), gradient, weights)
    jax.tree.map(
        lambda left, right: np.testing.assert_allclose(left, right, rtol=1e-12), ours, transposed(theirs)
    )
    assert np.array_equal(ours["matrix"][1], gradient["matrix"][1])  # one row is left alone


@pytest.mark.costly
def test_adaptive_clipping_is_not_blind_to_a_gradient_whose_square_overflows(jax_promotes):
    weights, gradient = weights_and_gradient(jnp.float32)
    gradient["matrix"] = gradient["matrix"].at[4].set(jnp.array([3e25, 0.0, 4e25], jnp.float32))
    clipped = gradient_seen(adaptive_clipping(0.5), gradient, weights)
    size = np.linalg.norm(weights["matrix"][4])
    np.testing.assert_allclose(clipped["matrix"][4], 0.5 * size * np.array([0.6, 0, 0.8]), rtol=1e-6)


def test_adaptive_clipping_takes_matrices_without_columns(jax_promotes):
    empty = {"weight_xh": jnp.zeros((4, 0))}
    assert gradient_seen(adaptive_clipping(), empty, empty)["weight_xh"].shape == (4, 0)


def test_a_ratio_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match="ratio must be positive, got 0"):
        adaptive_clipping(0)


def test_a_unit_of_several_matrices_is_a_row_of_one(jax_promotes):
    """As in a skip connection's, one matrix a gate: each row by itself, whatever stands beside it."""
    weights = jnp.ones((2, 3, 4)).at[:, 1].set(100.0)
    gradient = jnp.ones((2, 3, 4))
    clipping = adaptive_clipping(0.01).adapt_optimizer(optax.sgd(1.0))
    found, _ = clipping.update(gradient, clipping.init(weights), weights)
    for gate in range(2):
        expected, _ = clipping.update(gradient[gate], clipping.init(weights[gate]), weights[gate])
        np.testing.assert_allclose(found[gate], expected, rtol=1e-12)
    assert abs(found[0, 0, 0]) < abs(found[0, 1, 0])
