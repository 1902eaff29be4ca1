from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rnn_jax.cells import Elman

ACTIVATIONS = {"tanh": np.tanh, "relu": lambda z: np.maximum(z, 0), "identity": lambda z: z}


def with_bias(cell):
    return replace(cell, bias=jax.random.normal(jax.random.key(11), cell.bias.shape))


@pytest.fixture
def state():
    return jax.random.normal(jax.random.key(2), (5,))


@pytest.fixture
def x():
    return jax.random.normal(jax.random.key(3), (3,))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_step_is_the_published_equation(activation, state, x):
    cell = with_bias(Elman.create(3, 5, key=jax.random.key(1), activation=activation))
    w_hh, w_xh, b = (np.asarray(each) for each in (cell.weight_hh, cell.weight_xh, cell.bias))
    expected = ACTIVATIONS[activation](w_hh @ np.asarray(state) + w_xh @ np.asarray(x) + b)
    np.testing.assert_allclose(cell(state, x), expected, rtol=1e-13)


def test_a_step_equals_torch(state, x):
    torch = pytest.importorskip("torch", reason="torch is not a dependency; a second opinion where it is")
    cell = with_bias(Elman.create(3, 5, key=jax.random.key(1)))
    theirs = torch.nn.RNNCell(3, 5, dtype=torch.float64)
    with torch.no_grad():
        theirs.weight_hh.copy_(torch.tensor(np.array(cell.weight_hh)))
        theirs.weight_ih.copy_(torch.tensor(np.array(cell.weight_xh)))
        theirs.bias_hh.zero_()
        theirs.bias_ih.copy_(torch.tensor(np.array(cell.bias)))
        expected = theirs(torch.tensor(np.array(x))[None], torch.tensor(np.array(state))[None])[0]
    np.testing.assert_allclose(cell(state, x), expected.numpy(), rtol=1e-12)


def test_without_input_only_the_bias_drives(state):
    cell = with_bias(Elman.create(0, 5, key=jax.random.key(1)))
    expected = np.tanh(np.asarray(cell.weight_hh @ state + cell.bias))
    np.testing.assert_allclose(cell(state, None), expected, rtol=1e-13)
    np.testing.assert_allclose(cell(state, jnp.zeros(0)), expected, rtol=1e-13)


def test_the_state_starts_at_zero_and_is_the_output(state):
    cell = Elman.create(3, 5, key=jax.random.key(1))
    np.testing.assert_array_equal(cell.initial_state(), np.zeros(5))
    np.testing.assert_array_equal(cell.output(state), state)


def test_gaussian_weights_have_deviation_gain_over_root_n_and_no_bias():
    cell = Elman.create(4, 400, key=jax.random.key(1), gain=1.7)
    # 160,000 draws: the standard error of a deviation is 0.18%.
    assert np.std(cell.weight_hh) == pytest.approx(1.7 / 20, rel=0.01)
    assert np.mean(cell.weight_hh) == pytest.approx(0.0, abs=4 * 1.7 / 20 / 400)
    assert np.std(cell.weight_xh) == pytest.approx(0.5, rel=0.08)
    np.testing.assert_array_equal(cell.bias, np.zeros(400))


def test_recurrent_and_input_weights_are_drawn_apart():
    cell = Elman.create(5, 5, key=jax.random.key(1))
    assert abs(np.corrcoef(cell.weight_hh.ravel(), cell.weight_xh.ravel())[0, 1]) < 0.6


def test_orthogonal_weights_are_gain_times_an_orthogonal_matrix():
    weight = np.asarray(
        Elman.create(3, 30, key=jax.random.key(1), initialization="orthogonal", gain=1.5).weight_hh
    )
    np.testing.assert_allclose(weight.T @ weight, 2.25 * np.eye(30), atol=1e-5)
    assert abs(weight[0, 0]) < 1.4  # not the identity


def test_identity_weights_are_gain_times_the_identity():
    weight = Elman.create(3, 6, key=jax.random.key(1), initialization="identity", gain=0.5).weight_hh
    np.testing.assert_array_equal(weight, 0.5 * np.eye(6))


@pytest.mark.parametrize("initialization", ["gaussian", "orthogonal", "identity", "sparse"])
def test_each_dtype_of_one_key_is_the_same_net(initialization):
    def create(dtype):
        return Elman.create(3, 8, key=jax.random.key(4), initialization=initialization, gain=0.9, dtype=dtype)

    single, double, half = create(jnp.float32), create(jnp.float64), create(jnp.float16)
    for name in ("weight_hh", "weight_xh", "bias"):
        weights = getattr(single, name)
        assert weights.dtype == jnp.float32
        assert getattr(double, name).dtype == jnp.float64
        np.testing.assert_array_equal(getattr(double, name), weights.astype(jnp.float64))
        np.testing.assert_array_equal(getattr(half, name), weights.astype(jnp.float16))


def test_another_key_is_another_net():
    one, two = (Elman.create(3, 5, key=jax.random.key(seed)) for seed in (1, 2))
    assert not np.any(one.weight_hh == two.weight_hh)
    assert not np.any(one.weight_xh == two.weight_xh)


def test_vmap_and_jit_of_a_step_equal_single_steps(x):
    cell = Elman.create(3, 5, key=jax.random.key(1))
    states = jax.random.normal(jax.random.key(5), (4, 5))
    batched = jax.jit(jax.vmap(lambda cell, state, x: cell(state, x), in_axes=(None, 0, None)))(
        cell, states, x
    )
    np.testing.assert_allclose(batched, jnp.stack([cell(state, x) for state in states]), rtol=1e-12)


def test_a_cell_is_a_pytree_of_its_three_arrays():
    cell = Elman.create(3, 5, key=jax.random.key(1), activation="relu")
    doubled = jax.tree.map(lambda leaf: 2 * leaf, cell)
    assert len(jax.tree.leaves(cell)) == 3
    assert doubled.activation == "relu"
    np.testing.assert_array_equal(doubled.weight_hh, 2 * cell.weight_hh)


@pytest.mark.parametrize(
    ("sizes", "options", "message"),
    [
        ((3, 0), {}, "hidden_size must be positive, got 0"),
        ((3, -3), {}, "hidden_size must be positive, got -3"),
        ((-1, 3), {}, "input_size must not be negative, got -1"),
        ((3, 4), {"activation": "gelu"}, "activation must be one of tanh, relu, identity, got 'gelu'"),
        (
            (3, 4),
            {"initialization": "xavier"},
            "initialization must be one of gaussian, orthogonal, identity, sparse, got 'xavier'",
        ),
        ((3, 4), {"dtype": jnp.int32}, "dtype must be a real floating dtype, got int32"),
        ((3, 4), {"dtype": jnp.complex64}, "dtype must be a real floating dtype, got complex64"),
    ],
)
def test_a_wrong_argument_is_named(sizes, options, message):
    with pytest.raises(ValueError, match=message):
        Elman.create(*sizes, key=jax.random.key(0), **options)


def test_float64_without_x64_says_how_to_switch_it_on():
    with (
        jax.enable_x64(False),
        pytest.raises(ValueError, match=r'jax\.config\.update\("jax_enable_x64", True\)'),
    ):
        Elman.create(3, 4, key=jax.random.key(0), dtype=jnp.float64)
