"""Backpropagation gate by gate: the gradients are those of autodiff, whatever the cell, and however many inputs."""

from dataclasses import dataclass, field
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj
from rnn_jax.cell_structure import ELEMENTWISE, structure_of
from rnn_jax.step import materialized
from rnn_jax.training.backpropagation import last_states
from rnn_jax.training.by_gate import goes_by_gate, is_affine

STEPS, BATCH, HIDDEN = 4, 3, 5
KEYS = jax.random.split(jax.random.key(0), 3)
NAMES = [
    name
    for name, kind in rj.cells.CELLS.items()
    if structure_of(kind.create(1, HIDDEN, key=KEYS[0])) == ELEMENTWISE
]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Bent:
    """A cell of somebody's own, whose drive is not affine in its input."""

    weight_hh: jax.Array
    weight_xh: jax.Array

    structure = ELEMENTWISE

    def recurrent(self, state):
        return (self.weight_hh @ state).reshape(2, -1)

    def drive(self, x):
        return jnp.stack([jnp.sin(self.weight_xh @ x), self.weight_xh @ (x * x)])

    def update(self, recurrent, drive, state):
        gate, candidate = recurrent + drive
        return state + jax.nn.sigmoid(gate) * (jnp.tanh(candidate) - state)

    def __call__(self, state, x):
        return self.update(self.recurrent(state), self.drive(x), state)

    def initial_state(self):
        return jnp.zeros(HIDDEN)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Own(Bent):
    """As `Bent`, but for what a test puts in its place."""

    bias: jax.Array
    way: str = field(metadata={"static": True})

    def recurrent(self, state):
        if self.way == "a bias on the recurrent side":
            return (self.weight_hh @ state + self.bias).reshape(2, -1)
        if self.way == "a masked matrix":
            return (jnp.tril(self.weight_hh) @ state).reshape(2, -1)
        return super().recurrent(state)

    def drive(self, x):
        return (jnp.concatenate([self.weight_xh, self.weight_xh]) @ x).reshape(2, -1)

    def update(self, recurrent, drive, state):
        if self.way == "what Gates cannot do":
            gate, candidate = 2 * recurrent + drive
        elif self.way == "a comparison":
            gate, candidate = jnp.where(recurrent == 0, jnp.sin(drive), drive)
        elif self.way == "another program for arrays":
            gate, candidate = jnp.sin(recurrent) if isinstance(recurrent, jax.Array) else recurrent + drive
        else:
            gate, candidate = recurrent[0] + drive[0], recurrent[-1] + drive[1:][0]
        return state + jax.nn.sigmoid(gate) * (jnp.tanh(candidate) - state)


def bent(inputs):
    return Bent(
        jax.random.normal(KEYS[0], (2 * HIDDEN, HIDDEN)), jax.random.normal(KEYS[1], (HIDDEN, inputs))
    )


def assert_as_autodiff(cell, inputs):
    state = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (BATCH, *leaf.shape)), cell.initial_state())
    state = jax.tree.map(lambda leaf: leaf + 0.1, state)
    xs = jax.random.normal(KEYS[2], (STEPS, BATCH, inputs))

    def plain(cell, state, xs, count):
        del count
        return jax.lax.scan(lambda h, x: (jax.vmap(cell)(h, x), None), state, xs)[0]

    def score(run, cell, state, xs):
        return sum(jnp.sum(jnp.sin(leaf)) for leaf in jax.tree.leaves(run(materialized(cell), state, xs, 1)))

    fast, slow = (
        jax.jit(jax.grad(partial(score, run), (0, 1, 2)))(cell, state, xs) for run in (last_states, plain)
    )
    for got, expected in zip(jax.tree.leaves(fast), jax.tree.leaves(slow), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-11)
    assert any(np.abs(leaf).max() > 1e-3 for leaf in jax.tree.leaves(fast))


@pytest.mark.parametrize("inputs", [1, 9])
@pytest.mark.parametrize("name", NAMES)
def test_of_every_elementwise_cell_the_gradients_are_those_of_autodiff(name, inputs):
    assert_as_autodiff(rj.cells.CELLS[name].create(inputs, HIDDEN, key=KEYS[0], dtype=jnp.float64), inputs)


def test_a_drive_that_is_not_affine_is_differentiated_as_it_stands():
    assert_as_autodiff(bent(2), 2)


def own(way):
    parts = bent(2)
    return Own(parts.weight_hh, parts.weight_xh, jax.random.normal(KEYS[2], (2 * HIDDEN,)), way)


@pytest.mark.parametrize(
    ("way", "by_gate"),
    [
        ("plain", True),
        ("a bias on the recurrent side", False),
        ("a masked matrix", False),
        ("what Gates cannot do", False),
        ("a comparison", False),
        ("another program for arrays", False),
    ],
)
def test_a_cell_of_ones_own_has_its_gradients_and_goes_by_gate_where_it_allows_it(way, by_gate):
    cell = own(way)
    assert goes_by_gate(cell, cell.initial_state(), jnp.zeros(2)) == by_gate
    assert_as_autodiff(cell, 2)


def test_every_elementwise_cell_goes_by_gate():
    for name in NAMES:
        cell = materialized(rj.cells.CELLS[name].create(2, HIDDEN, key=KEYS[0], dtype=jnp.float64))
        assert goes_by_gate(cell, cell.initial_state(), jnp.zeros(2)), name
        half = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), cell)
        assert not goes_by_gate(half, cell.initial_state(), jnp.zeros(2)), "two dtypes"


def test_a_net_without_input_has_the_gradients_of_autodiff():
    assert_as_autodiff(rj.cells.LSTM.create(0, HIDDEN, key=KEYS[0], dtype=jnp.float64), 0)


W, B = jnp.ones((4, 3)), jnp.ones(4)


@jax.custom_jvp
def straight_through(x):
    return x + 1


straight_through.defjvp(lambda primals, tangents: (primals[0] + 1, 2 * tangents[0]))


@pytest.mark.parametrize(
    ("function", "affine"),
    [
        (lambda x: W @ x + B, True),
        (lambda x: ((B - W @ x) / B).reshape(2, 2), True),
        (lambda x: B, True),
        (lambda x: jnp.tanh(W @ x), False),
        (lambda x: W @ (x * x), False),
        (lambda x: W @ jax.nn.relu(x), False),
        (lambda x: W @ (x / jnp.linalg.norm(x)), False),
        (lambda x: W @ jax.lax.stop_gradient(x), False),
        (lambda x: W @ x.astype(int).astype(x.dtype), False),
        (lambda x: W @ x.astype(jnp.bfloat16).astype(x.dtype), False),
        (lambda x: W @ straight_through(x), False),
    ],
)
def test_what_is_affine(function, affine):
    assert is_affine(function, jnp.zeros(3)) == affine


@pytest.mark.parametrize("name", NAMES)
def test_the_drives_of_the_cells_are_affine(name):
    cell = materialized(rj.cells.CELLS[name].create(2, HIDDEN, key=KEYS[0]))
    assert is_affine(cell.drive, jnp.zeros(2))
