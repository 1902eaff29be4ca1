from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj
from rnn_jax.remedies import gradient_flossing, pascanu_omega
from rnn_jax.remedies.penalties import finite_time_exponents
from rnn_jax.tasks import Adding
from rnn_jax.training.model import Model

TASK, HIDDEN, KEY = Adding(10), 4, jax.random.key(0)


def model_of(name, dtype=jnp.float64, **options):
    cell_key, readout_key = jax.random.split(jax.random.key(5))
    cell = rj.cells.create(name, 2, HIDDEN, key=cell_key, dtype=dtype, **options)
    return Model.create(cell, 1, key=readout_key)


def batch_of(size, dtype=jnp.float64):
    return TASK.sample(jax.random.key(8), size, dtype)


def value_and_gradient(remedy, model, batch):
    return jax.jit(jax.value_and_grad(lambda model: remedy.penalty(TASK, model, batch, KEY)))(model)


# Pascanu's Omega


def omega_by_hand(model, batch, weights, frozen):
    """Omega of a tanh net in NumPy: `frozen` weights make states, slopes and dL/dh, `weights` stand in J."""
    u, b = np.asarray(model.cell.weight_xh), np.asarray(model.cell.bias)
    out, shift = np.asarray(model.weight), np.asarray(model.bias)
    terms = []
    for sequence, target in zip(np.asarray(batch.inputs), np.asarray(batch.targets), strict=True):
        states = [np.zeros(HIDDEN)]
        for x in sequence:
            states.append(np.tanh(frozen @ states[-1] + u @ x + b))
        arriving = 2 * (out @ states[-1] + shift - target[0]) @ out
        for state in reversed(states[1:]):
            slopes = 1 - state**2
            back = (arriving * slopes) @ weights
            terms.append((np.linalg.norm(back) / np.linalg.norm(arriving) - 1) ** 2)
            arriving = (arriving * slopes) @ frozen
    return np.mean(terms)


@pytest.mark.costly
def test_omega_and_its_immediate_derivative_are_those_of_a_loop_by_hand():
    model, batch, step = model_of("elman_tanh"), batch_of(3), 1e-6
    value, gradient = value_and_gradient(pascanu_omega(0.5), model, batch)
    weights = np.asarray(model.cell.weight_hh)
    assert value == pytest.approx(0.5 * omega_by_hand(model, batch, weights, weights), rel=1e-10)
    for i, j in np.ndindex(weights.shape):
        ends = []
        for sign in (1, -1):
            moved = weights.copy()
            moved[i, j] += sign * step
            ends.append(omega_by_hand(model, batch, moved, weights))
        difference = 0.5 * (ends[0] - ends[1]) / (2 * step)
        assert gradient.cell.weight_hh[i, j] == pytest.approx(difference, rel=1e-6, abs=1e-8)
    others = (gradient.cell.weight_xh, gradient.cell.bias, gradient.weight, gradient.bias)
    assert not any(leaf.any() for leaf in others)


@pytest.mark.costly
@pytest.mark.parametrize(("name", "expected"), [("orthogonal", 0.0), ("identity", 0.25)])
def test_omega_of_a_linear_net_follows_from_its_singular_values(name, expected):
    """Where all singular values are s, every ratio is s."""
    gain = {"orthogonal": 1.0, "identity": 0.5}[name]
    model = model_of("elman_identity", initialization=name, gain=gain)
    value, _ = value_and_gradient(pascanu_omega(1.0), model, batch_of(2))
    assert value == pytest.approx(expected, abs=1e-12)


def test_omega_sees_a_gradient_that_has_vanished_below_float32():
    model = model_of("elman_identity", jnp.float32, initialization="identity", gain=1e-6)
    value, gradient = value_and_gradient(pascanu_omega(1.0), model, batch_of(2, jnp.float32))
    assert value == pytest.approx((1e-6 - 1) ** 2, rel=1e-6)
    assert np.isfinite(gradient.cell.weight_hh).all()
    assert gradient.cell.weight_hh.any()


@pytest.mark.costly
def test_omega_of_a_gated_cell_equals_the_ratios_of_its_whole_step_jacobians():
    model, batch = model_of("lstm"), batch_of(2)
    value, gradient = value_and_gradient(pascanu_omega(1.0), model, batch)
    terms = []
    for inputs, target in zip(batch.inputs, batch.targets, strict=True):

        def loss(states, target=target):
            return jnp.sum(jnp.square(model.readout(jax.tree.map(lambda leaf: leaf[-1], states)) - target[0]))

        jacobians = np.asarray(rj.step_jacobians(model.cell, model.cell.initial_state(), inputs))
        arriving = np.asarray(
            rj.loss_gradients(loss, model.cell, model.cell.initial_state(), inputs).state.mantissa
        )
        for jacobian, direction in zip(jacobians, arriving[1:], strict=True):
            terms.append((np.linalg.norm(direction @ jacobian) / np.linalg.norm(direction) - 1) ** 2)
    assert value == pytest.approx(np.mean(terms), rel=1e-10)
    assert gradient.cell.weight_hh.any()


# Gradient flossing


def exponents_by_hand(cell, inputs, basis):
    state, total = np.zeros(HIDDEN), np.zeros(basis.shape[1])
    w, u, b = (np.asarray(a) for a in (cell.weight_hh, cell.weight_xh, cell.bias))
    for x in np.asarray(inputs):
        state = np.tanh(w @ state + u @ x + b)
        basis, triangular = np.linalg.qr(np.diag(1 - state**2) @ w @ basis)
        total += np.log(np.abs(np.diag(triangular)))
    return total / len(inputs)


def test_the_exponents_and_their_gradient_are_those_of_a_qr_loop_by_hand():
    cell, inputs = model_of("elman_tanh").cell, batch_of(1).inputs[0]
    basis = np.linalg.qr(np.random.default_rng(1).normal(size=(HIDDEN, 2)))[0]
    exponents, jacobian = jax.jit(
        lambda cell: (
            finite_time_exponents(cell, cell.initial_state(), inputs, jnp.asarray(basis)),
            jax.jacrev(lambda c: finite_time_exponents(c, c.initial_state(), inputs, jnp.asarray(basis)))(
                cell
            ),
        )
    )(cell)
    np.testing.assert_allclose(exponents, exponents_by_hand(cell, inputs, basis), rtol=1e-10)
    weights, step = np.asarray(cell.weight_hh), 1e-6
    for i, j in ((0, 0), (1, 3), (2, 1)):
        ends = []
        for sign in (1, -1):
            moved = weights.copy()
            moved[i, j] += sign * step
            ends.append(exponents_by_hand(replace(cell, weight_hh=moved), inputs, basis))
        difference = (ends[0] - ends[1]) / (2 * step)
        np.testing.assert_allclose(jacobian.weight_hh[:, i, j], difference, rtol=1e-5, atol=1e-8)


def test_flossing_a_linear_net_has_a_closed_form():
    """With weights g I every exponent is log g: the penalty is w k (log g)**2, whatever the directions."""
    gain, count, weight = 0.8, 3, 0.5
    model = model_of("elman_identity", initialization="identity", gain=gain)
    remedy = gradient_flossing(weight, exponents=count, sequences=2)
    value, gradient = value_and_gradient(remedy, model, batch_of(4))
    assert value == pytest.approx(weight * count * np.log(gain) ** 2, rel=1e-6)
    by_gain = float(jnp.trace(gradient.cell.weight_hh))
    assert by_gain == pytest.approx(weight * count * 2 * np.log(gain) / gain, rel=1e-6)
    assert not gradient.weight.any()


def test_no_more_exponents_are_taken_than_the_state_has_numbers():
    model = model_of("elman_identity", initialization="identity", gain=2.0)
    value, _ = value_and_gradient(gradient_flossing(1.0, exponents=99), model, batch_of(1))
    assert value == pytest.approx(HIDDEN * np.log(2.0) ** 2, rel=1e-6)


@pytest.mark.costly
@pytest.mark.parametrize("mapped", [jax.vmap, lambda of_one: lambda all: jax.lax.map(of_one, all)])
def test_no_weight_is_no_penalty_where_it_would_be_infinite(mapped):
    """A rectified net has steps of any rank; 0 times infinity made the seed of strength 0 diverge."""
    model, batch = model_of("elman_relu"), batch_of(2)
    model = replace(model, cell=replace(model.cell, bias=model.cell.bias - 9.0))  # every unit is off
    value, gradient = value_and_gradient(gradient_flossing(0.0), model, batch)
    assert value == 0
    assert all((leaf == 0).all() for leaf in jax.tree.leaves(gradient))

    def of_one(weight):
        return value_and_gradient(gradient_flossing(weight), model, batch)

    values, gradients = mapped(of_one)(jnp.array([0.0, 1.0]))
    np.testing.assert_array_equal(values, [0, np.inf])
    assert all((leaf[0] == 0).all() for leaf in jax.tree.leaves(gradients))


def test_a_step_towards_less_flossing_penalty_brings_the_exponents_to_zero():
    model, batch, remedy = model_of("gru"), batch_of(4), gradient_flossing(1.0, exponents=2)
    evaluate = jax.jit(jax.value_and_grad(lambda model: remedy.penalty(TASK, model, batch, KEY)))
    first, _ = evaluate(model)
    for _ in range(30):
        _, gradient = evaluate(model)
        model = jax.tree.map(lambda leaf, by: leaf - 0.3 * by, model, gradient)
    assert float(evaluate(model)[0]) < 0.5 * float(first)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: pascanu_omega(-1.0), "weight must be at least 0, got -1.0"),
        (lambda: gradient_flossing(-1.0), "weight must be at least 0, got -1.0"),
        (lambda: gradient_flossing(exponents=0), "exponents must be a whole number of at least 1, got 0"),
        (lambda: gradient_flossing(sequences=0), "sequences must be a whole number of at least 1, got 0"),
    ],
)
def test_arguments_that_are_not_allowed_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
