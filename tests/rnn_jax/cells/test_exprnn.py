import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.linalg

import rnn_jax as rj
from rnn_jax.cells import ExpRNN, Leaky, Stack
from rnn_jax.cells.exprnn import ModReLUNet
from rnn_jax.step import materialized
from rnn_jax.training.model import Model


@pytest.fixture
def cell():
    drawn = ExpRNN.create(2, 5, key=jax.random.key(1))
    return jax.tree.map(
        lambda leaf: leaf + 0.4 * jax.random.normal(jax.random.key(leaf.size), leaf.shape), drawn
    )


@pytest.mark.costly
def test_a_step_is_the_papers_equation_with_scipys_exponential(cell):
    cell = ExpRNN(cell.weight_skew, cell.weight_xh, cell.bias.at[1].set(-2.0))
    h, x = np.array([0.3, -0.2, 0.5, 0.1, -0.7]), np.array([0.4, -1.0])
    a = np.zeros((5, 5))
    a[0, 1:], a[1, 2:], a[2, 3:], a[3, 4:] = np.split(np.asarray(cell.weight_skew), [4, 7, 9])
    z = scipy.linalg.expm(a - a.T) @ h + np.asarray(cell.weight_xh) @ x
    expected = np.sign(z) * np.maximum(np.abs(z) + np.asarray(cell.bias), 0)
    assert expected[1] == 0, "this unit is off"
    assert np.count_nonzero(expected) == 4
    np.testing.assert_allclose(cell(jnp.asarray(h), jnp.asarray(x)), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("initialization", ["cayley", "henaff"])
def test_pairs_of_units_begin_as_rotations_and_an_odd_one_stays(initialization):
    cell = ExpRNN.create(0, 41, key=jax.random.key(2), initialization=initialization)
    matrix = np.asarray(cell.weight_hh)
    angles = -np.asarray(jnp.zeros((41, 41)).at[np.triu_indices(41, 1)].set(cell.weight_skew))[
        np.arange(0, 40, 2), np.arange(1, 41, 2)
    ]
    for place, angle in enumerate(angles):
        pair = slice(2 * place, 2 * place + 2)
        turned = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        np.testing.assert_allclose(matrix[pair, pair], turned, atol=1e-12)
    np.testing.assert_allclose(matrix[40], np.eye(41)[40], atol=1e-12)
    if initialization == "cayley":
        # tan(u / 2), u uniform in [0, pi / 2]: its mean is (2 / pi) ln 2.
        assert ((angles >= 0) & (angles <= 1)).all()
        assert np.mean(angles) == pytest.approx(2 / np.pi * np.log(2), abs=4 * 0.29 / 20**0.5)
    else:
        assert (angles < 0).any()
        assert 2 < np.abs(angles).max() <= np.pi


@pytest.mark.costly
@pytest.mark.usefixtures("jax_promotes")
@pytest.mark.parametrize("backpropagation", ["auto", "autodiff"])
def test_it_stays_orthogonal_while_it_is_trained_and_an_orthogonal_start_does_not(backpropagation):
    def trained(name):
        result = rj.train(
            rj.tasks.Adding(length=10),
            lambda key: rj.cells.create(name, 2, 6, key=key),
            key=jax.random.key(0),
            seeds=1,
            batch_size=8,
            optimizer=optax.adam(3e-2),
            step_budget=30,
            evaluate_every=30,
            backpropagation=backpropagation,
        )
        return jax.tree.map(lambda leaf: leaf[0], result.model).cell

    def from_orthogonal(matrix):
        return np.abs(np.asarray(matrix).T @ np.asarray(matrix) - np.eye(6)).max()

    begun, cell = ExpRNN.create(2, 6, key=jax.random.key(0)), trained("exprnn")
    assert np.abs(cell.weight_skew).max() > 0
    assert np.linalg.norm(np.asarray(cell.weight_skew) - np.asarray(begun.weight_skew)) > 0.05
    assert from_orthogonal(cell.weight_hh) < 1e-5
    assert from_orthogonal(trained("orthogonal").weight_hh) > 1e-2


@pytest.mark.costly
def test_both_ways_of_backpropagation_give_the_gradient_by_finite_differences(cell):
    model = Model.create(cell, 1, key=jax.random.key(3))
    inputs = jax.random.normal(jax.random.key(4), (3, 7, 2))

    def loss(skew, backpropagation):
        changed = jax.tree.map(lambda leaf: leaf, model)
        changed = type(model)(type(cell)(skew, cell.weight_xh, cell.bias), changed.weight, changed.bias)
        return jnp.sum(jnp.square(changed.outputs(inputs, 2, backpropagation)))

    direction = jax.random.normal(jax.random.key(5), cell.weight_skew.shape)
    auto, plain = (
        jnp.dot(jax.grad(loss)(cell.weight_skew, each), direction) for each in ("auto", "autodiff")
    )
    step = 1e-6
    ahead, behind = (loss(cell.weight_skew + sign * step * direction, "auto") for sign in (1, -1))
    np.testing.assert_allclose(auto, plain, rtol=1e-10)
    np.testing.assert_allclose(auto, (ahead - behind) / (2 * step), rtol=1e-6)


@pytest.mark.costly
def test_a_sequence_takes_one_exponential(cell, monkeypatch):
    formed = []
    whole = ExpRNN.materialized
    monkeypatch.setattr(ExpRNN, "materialized", lambda self: formed.append(1) or whole(self))
    state, xs = cell.initial_state(), jax.random.normal(jax.random.key(4), (20, 2))
    rj.step.checked(cell, state, xs, None)  # looks at the step itself, by shapes alone
    formed.clear()
    chain = rj.jacobian_chain(cell, state, xs)
    assert len(formed) == 1
    plain = rj.jacobian_chain(whole(cell), state, xs)
    np.testing.assert_allclose(chain.log_frobenius_norm, plain.log_frobenius_norm, rtol=1e-12)


@pytest.mark.costly
def test_cells_within_others_are_materialized_too(cell):
    deep = Stack.create([Leaky.create(cell, 0.5), ExpRNN.create(5, 3, key=jax.random.key(6))])
    first, second = materialized(deep).layers
    assert isinstance(first.cell, ModReLUNet)
    assert first.structure == "elementwise"
    assert isinstance(second, ModReLUNet)


def test_what_an_orthogonal_matrix_does_not_have_is_refused():
    with pytest.raises(
        ValueError, match="gain of an ExpRNN must be 1, as its matrix stays orthogonal, got 2"
    ):
        ExpRNN.create(1, 4, key=jax.random.key(0), gain=2.0)
    with pytest.raises(ValueError, match="must be one of cayley, henaff, got 'gaussian'"):
        ExpRNN.create(1, 4, key=jax.random.key(0), initialization="gaussian")
