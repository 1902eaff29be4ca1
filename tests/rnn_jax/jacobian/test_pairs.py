import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj


@pytest.fixture
def gru():
    return rj.cells.create("gru", 2, 4, key=jax.random.key(0))


@pytest.mark.costly
@pytest.mark.parametrize("times", [[0, 1, 18, 19, 37, 40], [3, 35]])
def test_every_pair_is_the_product_of_the_steps_between(gru, times):
    xs = jax.random.normal(jax.random.key(1), (40, 2))
    pairs = rj.jacobian_pairs(gru, gru.initial_state(), xs, times)
    jacobians = np.asarray(rj.step_jacobians(gru, gru.initial_state(), xs))
    for i, s in enumerate(times):
        for j, t in enumerate(times):
            found = pairs.log_frobenius_norm[i, j], pairs.log_spectral_norm[i, j]
            if t > s:
                assert np.isnan(found).all()
                continue
            product = np.eye(4)
            for step in range(t, s):
                product = jacobians[step] @ product
            expected = np.linalg.norm(product), np.linalg.norm(product, 2)
            np.testing.assert_allclose(np.exp(found), expected, rtol=1e-12)


def test_a_vanishing_net_does_not_underflow():
    def step(state, _):
        return 0.5 * state

    pairs = rj.jacobian_pairs(step, jnp.ones(3, jnp.float32), None, [0, 1000, 2000, 3000], length=3000)
    gaps = np.subtract.outer(np.arange(4), np.arange(4)) * 1000.0
    expected = np.where(gaps >= 0, gaps * np.log(0.5), np.nan)
    np.testing.assert_allclose(pairs.spectral_norm.log_float64(), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.costly
def test_the_default_times_span_the_sequence(gru):
    xs = jnp.zeros((100, 2))
    times = rj.jacobian_pairs(gru, gru.initial_state(), xs).times.tolist()
    assert (len(times), times[0], times[-1]) == (33, 0, 100)
    assert rj.jacobian_pairs(gru, gru.initial_state(), xs[:3]).times.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([5, 3], "ascend, got"),
        ([4], "at least two"),
        ([0, 101], "lie in 0..100"),
        (np.array([0.5, 2.0]), "whole numbers"),
    ],
)
def test_wrong_times_are_named(gru, times, message):
    with pytest.raises(ValueError, match=message):
        rj.jacobian_pairs(gru, gru.initial_state(), jnp.zeros((100, 2)), times)
