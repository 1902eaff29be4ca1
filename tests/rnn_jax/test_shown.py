"""Results print on a line, whatever the arrays in them."""

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax as rj
from rnn_jax.shown import brief


@brief
@dataclass(frozen=True)
class Found:
    value: Any
    hidden: int = field(default=3, repr=False)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (np.array([1, 2]), "[1, 2]"),
        (np.arange(9), "int64[9]"),
        (np.zeros((1, 2)), "float64[1, 2]"),
        (jnp.zeros(2, jnp.float32), "float32[2]"),
        (jax.ShapeDtypeStruct((3, 4), jnp.float32), "float32[3, 4]"),
        ({"a": jnp.zeros(2)}, "dict(...)"),
        (rj.cells.GRU.create(2, 3, key=jax.random.key(0)), "GRU(...)"),
        (None, "None"),
        (["solved", ""], "['solved', '']"),
        (rj.tasks.Adding(length=20), "Adding(length=20, variant='halves')"),
    ],
)
def test_each_kind_of_value(value, told):
    assert repr(Found(value)) == f"Found(value={told})"


def test_what_is_no_pytree_may_hold_arrays_too():
    class Held:
        def __repr__(self):
            return f"Held(\n{np.zeros((30, 30))})"

    told = repr(Found(Held()))
    assert len(told) < 250
    assert "\n" not in told


def test_a_chain_and_one_that_is_traced():
    cell = rj.cells.GRU.create(2, 3, key=jax.random.key(0), dtype=jnp.float32)
    told = []

    def chain(xs):
        made = rj.jacobian_chain(cell, cell.initial_state(), xs)
        told.append(repr(made))
        return made.frobenius_norm

    xs = jnp.zeros((5, 2), jnp.float32)
    chain(xs)
    jax.jit(chain)(xs)
    norm = "ScaledNumber(mantissa=float32[6], exponent=int32[6])"
    assert told[0] == (
        f"JacobianChain(lags=int32[6], frobenius_norm={norm}, spectral_norm=None, output_norm=None, "
        "method='sequential', block_count=None)"
    )
    assert told == [told[0]] * 2
