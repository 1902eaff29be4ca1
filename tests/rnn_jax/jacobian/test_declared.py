"""A structure that a cell of somebody's own declares wrongly is refused, not taken at its word."""

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj
from rnn_jax.jacobian.declared import check_declaration

N, T = 4, 5
KEYS = jax.random.split(jax.random.key(0), 4)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Own:
    """An elementwise cell with two leaves, and what can be wrong with it."""

    weight_hh: jax.Array
    weight_xh: jax.Array
    wrong: str = field(default="", metadata={"static": True})

    structure = "elementwise"

    def recurrent(self, state):
        if self.wrong == "no axis of gates":
            return self.weight_hh @ state["h"]
        if self.wrong == "twice the matrix":
            return 2 * (self.weight_hh @ state["h"])[None]
        return (self.weight_hh @ state["m" if self.wrong == "the second leaf" else "h"])[None]

    def drive(self, x):
        made = self.weight_xh @ x
        return made if self.wrong == "no axis of the drive" else made[None]

    def update(self, recurrent, drive, state):
        z = (recurrent + drive)[0]
        z = z - jnp.mean(z) if self.wrong == "mixes units" else z
        return {"h": jnp.tanh(z + state["m"]), "m": 0.9 * state["m"] + 0.1 * jnp.tanh(z)}

    def __call__(self, state, x):
        after = self.update(self.recurrent(state), self.drive(x), state)
        if self.wrong == "mixes units by the input":
            after = {**after, "m": after["m"] + x[0] * jnp.mean(state["m"])}
        if self.wrong == "a shifted value":
            return jax.tree.map(lambda leaf: leaf + 0.1, after)
        return jax.tree.map(lambda leaf: leaf / 2, after) if self.wrong == "another step" else after

    def initial_state(self):
        return {"h": jnp.zeros(N), "m": jnp.zeros(N)}

    def output(self, state):
        return state["h"]


def own(wrong="", key=KEYS[0]):
    return Own(jax.random.normal(key, (N, N)), jax.random.normal(KEYS[1], (N, 2)), wrong)


XS = jax.random.normal(KEYS[2], (T, 2))
WRONG = (
    "the second leaf",
    "twice the matrix",
    "mixes units",
    "another step",
    "a shifted value",
    "mixes units by the input",
)
CALLS = {
    "chain": lambda cell: rj.jacobian_chain(cell, cell.initial_state(), XS),
    "product": lambda cell: rj.jacobian_product(cell, cell.initial_state(), XS, 2),
    "pairs": lambda cell: rj.jacobian_pairs(cell, cell.initial_state(), XS),
    "spectrum": lambda cell: rj.lyapunov_spectrum(cell, cell.initial_state(), XS),
    "singular values": lambda cell: rj.log_singular_values(cell, cell.initial_state(), XS),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_step_that_is_not_what_it_declares_is_refused(wrong):
    with pytest.raises(
        ValueError, match=r"Own declares structure = 'elementwise', but its derivative or value is another"
    ):
        rj.jacobian_chain(own(wrong), own().initial_state(), XS.at[0].set(0))


@pytest.mark.parametrize("call", CALLS)
def test_every_way_in_looks(call):
    with pytest.raises(ValueError, match="mend it, or leave the declaration out"):
        CALLS[call](own("twice the matrix"))


@pytest.mark.parametrize(
    ("wrong", "named"), [("no axis of gates", r"recurrent\(state\)"), ("no axis of the drive", r"drive\(x\)")]
)
def test_rows_that_are_missing_are_told(wrong, named, jax_promotes):
    with pytest.raises(ValueError, match=rf"Own.{named} must have the shape \(gates, 4\).* got \(4,\)"):
        rj.jacobian_chain(own(wrong), own().initial_state(), XS)


def test_training_looks_too(jax_promotes):
    with pytest.raises(ValueError, match="Own declares structure"):
        rj.train(
            rj.tasks.Adding(10), lambda key: own("mixes units", key), key=KEYS[3], seeds=1, step_budget=1
        )


def test_a_right_declaration_gives_what_no_declaration_does():
    cell = own()
    declared = rj.jacobian_chain(cell, cell.initial_state(), XS)
    plain = rj.jacobian_chain(lambda h, x: cell(h, x), cell.initial_state(), XS)
    np.testing.assert_allclose(declared.log_frobenius_norm, plain.log_frobenius_norm, rtol=1e-10)
    assert rj.jacobian_chain(cell, cell.initial_state(), XS[:0]).lags.tolist() == [0]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_a_right_declaration_passes_in_numbers_of_few_digits(dtype):
    cell = jax.tree.map(lambda leaf: leaf.astype(dtype), own())
    state = jax.tree.map(lambda leaf: leaf.astype(dtype), cell.initial_state())
    check_declaration(cell, state, XS.astype(dtype))
    with pytest.raises(ValueError, match="its derivative or value is another"):
        check_declaration(own("twice the matrix"), own().initial_state(), XS)


def test_a_wrong_cell_around_which_one_of_ours_stands_is_found():
    leaky = rj.cells.Leaky(own("twice the matrix"), 0.5)
    with pytest.raises(ValueError, match="Leaky declares structure"):
        rj.jacobian_chain(leaky, leaky.initial_state(), XS)


@pytest.mark.parametrize("name", list(rj.cells.CELLS))
def test_ours_are_not_looked_at(name, monkeypatch):
    monkeypatch.setattr("rnn_jax.jacobian.declared._distance", None)
    cell = rj.cells.CELLS[name].create(2, N, key=KEYS[0])
    check_declaration(cell, cell.initial_state(), XS)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Diagonal:
    """Says that it is diagonal; with a matrix it is not."""

    weight: jax.Array

    structure = "diagonal"

    def drive(self, x):
        return jnp.sum(x)

    def update(self, drive, state):
        return jnp.tanh(self.weight @ state + drive)

    def __call__(self, state, x):
        return self.update(self.drive(x), state)


def test_another_structure_is_held_to_its_own_meaning():
    with pytest.raises(
        ValueError, match=r"structure = 'diagonal'.*each unit of `update` reading its own numbers alone"
    ):
        rj.jacobian_chain(Diagonal(jnp.ones((N, N))), jnp.zeros(N), XS)
