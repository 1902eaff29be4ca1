"""Against torch.nn where it is installed, and always against PyTorch's documented equations in numpy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.special import expit

import rnn_jax as rj
from rnn_jax.cells import LSTMState

GATES = {"rnn": 1, "gru": 3, "lstm": 4}
EVERY = pytest.mark.parametrize("kind", GATES)


def drawn(kind, dtype, seed=0, bias=True):
    """A state dict of 4 units and 3 inputs, all of it random, the two biases apart."""
    rng, rows = np.random.default_rng(seed), 4 * GATES[kind]
    shapes = {"weight_ih_l0": (rows, 3), "weight_hh_l0": (rows, 4)}
    if bias:
        shapes |= {"bias_ih_l0": (rows,), "bias_hh_l0": (rows,)}
    return {name: rng.normal(size=shape).astype(dtype) * dtype(0.7) for name, shape in shapes.items()}


def documented(kind, weights, activation=jnp.tanh):
    """The equations of torch.nn's documentation, a gate at a time, with both biases where it has them."""
    by_gate = {name: np.split(each, GATES[kind]) for name, each in weights.items()}
    zeros = [np.zeros(4, weights["weight_hh_l0"].dtype)] * GATES[kind]
    w_i, w_h = by_gate["weight_ih_l0"], by_gate["weight_hh_l0"]
    b_i, b_h = by_gate.get("bias_ih_l0", zeros), by_gate.get("bias_hh_l0", zeros)

    def of_input(gate, x):
        return w_i[gate] @ x + b_i[gate]

    def of_state(gate, h):
        return w_h[gate] @ h + b_h[gate]

    def rnn(h, x):
        return activation(of_input(0, x) + of_state(0, h))

    def gru(h, x):
        r = expit(of_input(0, x) + of_state(0, h))
        z = expit(of_input(1, x) + of_state(1, h))
        n = jnp.tanh(of_input(2, x) + r * of_state(2, h))
        return (1 - z) * n + z * h

    def lstm(state, x):
        h, c = state
        i, f, g, o = (of_input(gate, x) + of_state(gate, h) for gate in range(4))
        c = expit(f) * c + expit(i) * jnp.tanh(g)
        return LSTMState(h=expit(o) * jnp.tanh(c), c=c)

    return {"rnn": rnn, "gru": gru, "lstm": lstm}[kind]


@EVERY
@pytest.mark.parametrize("bias", [True, False])
def test_states_are_those_of_the_documented_equations(kind, bias, inputs, states_agree):
    weights = drawn(kind, np.float32, bias=bias)
    cell = rj.adapters.from_torch(weights)
    states_agree(cell, documented(kind, weights), cell.initial_state(), inputs(jnp.float32), 1e-6)


@pytest.mark.costly
@EVERY
def test_the_chain_is_jacrev_of_the_documented_equations_unrolled(kind, inputs, jacobians_agree):
    weights = drawn(kind, np.float64)
    cell = rj.adapters.from_torch(weights)
    jacobians_agree(cell, documented(kind, weights), cell.initial_state(), inputs(jnp.float64))


def test_a_rectified_net_is_asked_for_by_name(inputs, states_agree):
    weights = drawn("rnn", np.float64)
    weights["weight_hh_l0"] *= 0.3
    cell = rj.adapters.from_torch(weights, nonlinearity="relu")
    states_agree(
        cell, documented("rnn", weights, jax.nn.relu), cell.initial_state(), inputs(jnp.float64), 1e-10
    )


@pytest.mark.parametrize(
    ("kind", "options"), [("rnn", {}), ("rnn", {"nonlinearity": "relu"}), ("gru", {}), ("lstm", {})]
)
@pytest.mark.parametrize("bias", [True, False])
def test_states_are_those_of_torch(kind, options, bias, inputs):
    torch = pytest.importorskip("torch", reason="torch is not a dependency; a second opinion where it is")
    torch.manual_seed(3)
    module = getattr(torch.nn, kind.upper())(3, 4, bias=bias, **options)
    xs = np.array(inputs(jnp.float32))
    cell = rj.adapters.from_torch(module.state_dict(), **options)
    got = rj.trajectory(cell, cell.initial_state(), jnp.asarray(xs))
    with torch.no_grad():
        expected, last = module(torch.tensor(xs))
    np.testing.assert_allclose(jax.vmap(cell.output)(got)[1:], expected.numpy(), rtol=1e-6, atol=1e-6)
    if kind == "lstm":
        np.testing.assert_allclose(got.c[-1], last[1][0].numpy(), rtol=1e-6, atol=1e-6)


@EVERY
def test_the_chain_is_the_jacobian_that_torch_takes_of_the_unrolled_module(kind, inputs):
    torch = pytest.importorskip("torch", reason="torch is not a dependency; a second opinion where it is")
    torch.manual_seed(3)
    module = getattr(torch.nn, kind.upper())(3, 4, dtype=torch.float64)
    xs = np.array(inputs(jnp.float64))
    cell = rj.adapters.from_torch(module.state_dict())

    def unrolled(vector):
        parts = tuple(vector.reshape(-1, 1, 4))
        last = module(torch.tensor(xs), parts if kind == "lstm" else parts[0])[1]
        return torch.cat([each.reshape(-1) for each in last]) if kind == "lstm" else last.reshape(-1)

    size = 8 if kind == "lstm" else 4
    expected = torch.autograd.functional.jacobian(unrolled, torch.zeros(size, dtype=torch.float64)).numpy()
    product = rj.jacobian_product(cell, cell.initial_state(), jnp.asarray(xs), len(xs)).to_array()
    np.testing.assert_allclose(product, expected, atol=1e-9 * np.abs(expected).max())


@EVERY
def test_other_weights_use_the_compiled_program(kind, inputs, programs_for_other_weights):
    first, second = (rj.adapters.from_torch(drawn(kind, np.float64, seed)) for seed in (0, 1))
    assert programs_for_other_weights(first, second, first.initial_state(), inputs(jnp.float64)) == 0


@EVERY
def test_the_keys_of_a_torch_cell_are_read_too(kind):
    weights = drawn(kind, np.float64)
    short = {name.removesuffix("_l0"): each for name, each in weights.items()}
    pair = (rj.adapters.from_torch(each, kind) for each in (weights, short))
    jax.tree.map(np.testing.assert_array_equal, *pair)


class Tensor:
    """As much of a tensor as is read."""

    def __init__(self, array):
        self.array = array

    def detach(self):
        return self

    cpu = detach

    def numpy(self):
        if self.array is None:
            raise TypeError("Got unsupported ScalarType BFloat16")
        return self.array


def test_tensors_are_read_without_torch_and_copied():
    weights = drawn("gru", np.float64)
    tensors = {name: Tensor(each.copy()) for name, each in weights.items()}
    cell = rj.adapters.from_torch(tensors)
    for tensor in tensors.values():
        tensor.array[:] = 0  # as an optimiser does, in place
    jax.tree.map(np.testing.assert_array_equal, cell, rj.adapters.from_torch(weights))


def test_a_dtype_that_numpy_has_not_is_named():
    weights = drawn("rnn", np.float64) | {"bias_hh_l0": Tensor(None)}
    with pytest.raises(ValueError, match=r"state_dict\['bias_hh_l0'\] .* numpy has not .*v.float\(\)"):
        rj.adapters.from_torch(weights)


EXTRA_KEYS = {
    "weight_ih_l1": "another layer than the first; pass one layer at a time",
    "weight_ih_l0_reverse": "second direction of a bidirectional module; pass the weights of one direction",
    "weight_hr_l0": "a projection .proj_size., which our LSTM has not; train without proj_size",
    "encoder.rnn.bias_ih_l0": r"module inside another; pass .* model\.encoder\.rnn\.state_dict",
    "parametrizations.weight_hh_l0.original0": r"remove_parametrizations\(module, 'weight_hh_l0'\)",
    "rnn.parametrizations.weight_hh_l0.original0": r"remove_parametrizations\(module, 'weight_hh_l0'\)",
    "weight_hh_l0_g": r"'weight_hh_l0' is computed anew .*remove_weight_norm\(module, 'weight_hh_l0'\)",
    "head": "no weight of one RNN, GRU or LSTM; leave it out",
    "weight_hh": "must be that of one module, but has both 'weight_hh_l0' and 'weight_hh'",
}


@pytest.mark.parametrize("key", EXTRA_KEYS)
def test_a_key_without_a_place_is_named_with_what_to_do(key):
    with pytest.raises(ValueError, match=f"state_dict .*{EXTRA_KEYS[key]}") as error:
        rj.adapters.from_torch(drawn("lstm", np.float64) | {key: np.ones((16, 4))})
    assert repr(key) in str(error.value)


ONES = {name: np.ones(shape) for name, shape in (("weight_ih_l0", (4, 3)), ("weight_hh_l0", (4, 4)))}


@pytest.mark.parametrize(
    ("state_dict", "options", "message"),
    [
        ({}, {}, "must have the key 'weight_ih_l0', got no keys"),
        (ONES | {"bias_ih_l0": np.ones(4)}, {}, "both biases or none, got 'bias_ih_l0' alone"),
        (ONES | {"weight_hh_l0": np.ones((8, 4))}, {}, r"4 \(LSTM\) gates, got \(8, 4\)"),
        (ONES | {"weight_hh_l0": np.ones((5, 4))}, {}, r"4 \(LSTM\) gates, got \(5, 4\)"),
        (ONES | {"weight_hh_l0": np.ones(4)}, {}, r"4 \(LSTM\) gates, got \(4,\)"),
        (ONES | {"weight_ih_l0": np.ones((3, 4))}, {}, r"'weight_ih_l0'\] must have 4 rows .* got shape \(3, 4\)"),
        (ONES | {"weight_ih_l0": np.ones((4, 3), np.float32)}, {}, "float64, got float32; cast all to one"),
        ({name: each.astype(int) for name, each in ONES.items()}, {}, "must be a real floating dtype, got int64"),
        (ONES, {"kind": "LSTM"}, "kind must be one of rnn, gru, lstm, or None, got 'LSTM'"),
        (ONES, {"kind": "gru"}, r"kind is 'gru' but weight_hh of shape \(4, 4\) has .* of 'rnn'; leave kind out"),
        (ONES, {"nonlinearity": "sine"}, "nonlinearity must be one of tanh, relu, got 'sine'"),
        (drawn("gru", np.float64), {"nonlinearity": "relu"}, "nonlinearity is 'relu' but .* of 'gru'"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_named(state_dict, options, message):
    with pytest.raises(ValueError, match=message):
        rj.adapters.from_torch(state_dict, **options)


def test_a_module_in_place_of_its_state_dict_is_named():
    with pytest.raises(TypeError, match=r"must map names to arrays, got Tensor; pass module.state_dict\(\)"):
        rj.adapters.from_torch(Tensor(None))


def test_the_example_holds(examples_hold):
    examples_hold(rj.adapters.from_torch)
