"""Remedies that change the weights a cell, or every layer of a stack, begins with."""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from rnn_jax.cells.initializers import stacked_recurrent
from rnn_jax.cells.wrappers import with_innermost
from rnn_jax.remedies.remedy import Remedy, Strength, checked_strength, on_each_layer, one_per_strength


@one_per_strength
def orthogonal_initialization(gain: Strength = 1.0) -> Remedy:
    """Begins with an orthogonal recurrent matrix, one a gate.

    Args:
        gain: its scale: all its singular values, at least 0.

    Raises:
        ValueError: the gain is negative.

    References:
        Saxe, McClelland, Ganguli 2014, arXiv 1312.6120.
    """
    return _recurrent_initialization("orthogonal", gain)


@one_per_strength
def identity_initialization(gain: Strength = 1.0) -> Remedy:
    """Begins with the identity as recurrent matrix, one a gate.

    Args:
        gain: its scale, at least 0.

    Raises:
        ValueError: the gain is negative.

    References:
        Le, Jaitly, Hinton 2015, arXiv 1504.00941 (there with rectified units).
    """
    return _recurrent_initialization("identity", gain)


@one_per_strength
def chrono_initialization(longest: Strength = 100.0) -> Remedy:
    """Draws forget biases so that units begin with memories of all lengths up to `longest` steps.

    The forget gate's bias is log(u), u uniform in [1, longest - 1], one a unit; the input gate's is
    minus that. A GRU's update gate is its forget gate and, as 1 - z, its input gate too.

    Args:
        longest: the longest dependence expected, in steps, at least 2.

    Raises:
        ValueError: it is less than 2. In training: the cell has no forget gate.

    References:
        Tallec & Ollivier 2018, Can recurrent neural networks warp time?, arXiv 1804.11188, section 3,
        equation 16.
    """
    checked_strength("longest", longest, at_least=2)

    def draw(key: Array, hidden_size: int) -> Array:
        uniform = jax.random.uniform(key, (hidden_size,), jnp.float32)
        return jnp.log(1 + uniform * jnp.asarray(longest - 2, jnp.float32))

    return Remedy(
        "chrono_initialization",
        longest,
        adapt_cell=_on_innermost(lambda cell, key: _chrono(cell, draw, key)),
    )


@one_per_strength
def forget_bias(bias: Strength = 1.0) -> Remedy:
    """Begins with this bias in every unit's forget gate; a GRU's update gate is one, an MGU's gate is one turned round.

    Args:
        bias: the bias; positive ones keep the state.

    Raises:
        ValueError: it is not a finite number. In training: the cell has no forget gate.

    References:
        Gers, Schmidhuber, Cummins 2000; Jozefowicz, Zaremba, Sutskever 2015.
    """
    checked_strength("bias", bias, at_least=-1e6, at_most=1e6)

    def adapt(cell: Any, key: Array) -> Any:
        forget, input_gate = _gates("forget_bias", cell)
        value = jnp.asarray(bias, cell.bias.dtype)
        return _with_bias(cell, {input_gate: -value} if forget is None else {forget: value})

    return Remedy("forget_bias", bias, adapt_cell=_on_innermost(adapt))


def _recurrent_initialization(kind: str, gain: Strength) -> Remedy:
    name = f"{kind}_initialization"
    checked_strength("gain", gain, at_least=0)

    def adapt(cell: Any, key: Array) -> Any:
        # One that a cell computes from other weights, as an antisymmetric net does, cannot be set.
        own = "weight_hh" in {each.name for each in fields(cell)}
        shape = cell.weight_hh.shape if own else None
        if shape is None or len(shape) != 2 or shape[0] % shape[1]:
            found = "no weight_hh of its own" if shape is None else f"a weight_hh of shape {shape}"
            raise ValueError(
                f"{name} needs a cell with weight_hh, one square matrix a gate; "
                f"{type(cell).__name__} has {found}"
            )
        gates, hidden_size = shape[0] // shape[1], shape[1]
        drawn = stacked_recurrent(key, gates, hidden_size, kind, 1.0, cell.weight_hh.dtype)
        return replace(cell, weight_hh=jnp.asarray(gain, drawn.dtype) * drawn)

    return Remedy(name, gain, adapt_cell=_on_innermost(adapt))


def _on_innermost(adapt: Callable[[Any, Array], Any]) -> Callable[[Any, Array], Any]:
    """A change of weights, whatever wraps their cell, in every layer of a stack."""
    in_layers = on_each_layer(lambda cell, key: with_innermost(cell, lambda inner: adapt(inner, key)))
    return lambda cell, key: with_innermost(cell, lambda inner: in_layers(inner, key))


def _chrono(cell: Any, draw: Callable[[Array, int], Array], key: Array) -> Any:
    forget, input_gate = _gates("chrono_initialization", cell)
    bias = draw(key, cell.weight_hh.shape[1]).astype(cell.bias.dtype)
    return _with_bias(cell, {forget: bias, input_gate: -bias})


def _gates(name: str, cell: Any) -> tuple[int | None, int | None]:
    """The rows of the forget and the input gate among a cell's gates; one of them may be made of the other."""
    gates = getattr(cell, "forget_gate", None), getattr(cell, "input_gate", None)
    if gates == (None, None):
        raise ValueError(f"{name} needs a cell with a forget gate; {type(cell).__name__} has none")
    return gates


def _with_bias(cell: Any, rows: dict[int | None, Array]) -> Any:
    bias = cell.bias.reshape(-1, cell.weight_hh.shape[1])
    for row, value in rows.items():
        if row is not None:
            bias = bias.at[row].set(value)
    return replace(cell, bias=bias.ravel())
