"""Long short-term memory."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from rnn_jax.cells.initializers import checked_arguments, checked_number, input_matrix, stacked_recurrent
from rnn_jax.dtypes import float_dtype
from rnn_jax.gates import PreActivations


class LSTMState(NamedTuple):
    """h, the output, and c, the cell; both shape (hidden_size,), so n = 2 * hidden_size."""

    h: Array
    c: Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LSTM:
    """i, f, g, o from W_hh h + W_xh x + b; c' = s(f) c + s(i) tanh(g); h' = s(o) tanh(c').

    s is the logistic function; the gates stand in PyTorch's order i, f, g, o.

    Attributes:
        weight_hh: shape (4 * hidden_size, hidden_size).
        weight_xh: shape (4 * hidden_size, input_size).
        bias: shape (4 * hidden_size,); its second quarter is the forget bias.

    References:
        Hochreiter & Schmidhuber 1997; the forget gate: Gers, Schmidhuber, Cummins 2000; a forget
        bias of 1: Jozefowicz, Zaremba, Sutskever 2015.
    """

    weight_hh: Array
    weight_xh: Array
    bias: Array

    structure = "elementwise"
    input_gate, forget_gate = 0, 1  # rows of the bias

    @classmethod
    def create(
        cls,
        input_size: int,
        hidden_size: int,
        *,
        key: Array,
        initialization: str = "orthogonal",
        gain: float = 1.0,
        forget_bias: float = 1.0,
        dtype: Any = None,
    ) -> "LSTM":
        """Draws a cell.

        Args:
            input_size: the number of inputs, 0 for an autonomous net.
            hidden_size: the number of units; the state has twice as many numbers.
            key: a random key.
            initialization: of each gate's recurrent matrix: "gaussian", "orthogonal", "identity", "sparse".
            gain: its scale.
            forget_bias: the forget gate's initial bias.
            dtype: of the weights; JAX's default float if None.

        Raises:
            ValueError: a size, the key, the initialization or the bias is not allowed.
        """
        checked_arguments(input_size, hidden_size, key)
        checked_number("forget_bias", forget_bias)
        dtype = float_dtype(dtype)
        recurrent_key, input_key = jax.random.split(key)
        bias = jnp.zeros((4, hidden_size), jnp.float32).at[1].set(forget_bias)
        return cls(
            weight_hh=stacked_recurrent(recurrent_key, 4, hidden_size, initialization, gain, dtype),
            weight_xh=input_matrix(input_key, 4 * hidden_size, input_size, dtype),
            bias=bias.ravel().astype(dtype),
        )

    def initial_state(self) -> LSTMState:
        """h_0 = c_0 = 0."""
        zeros = jnp.zeros(self.weight_hh.shape[1], self.bias.dtype)
        return LSTMState(h=zeros, c=zeros)

    def recurrent(self, state: LSTMState) -> Float[Array, "4 hidden"]:
        """The part of the pre-activations that comes from the state, one row a gate."""
        return (self.weight_hh @ state.h).reshape(4, -1)

    def drive(self, x: Float[Array, " input"] | None) -> Float[Array, "4 hidden"]:
        """The part that comes from the input and the bias; it needs no state."""
        return (self.bias if x is None else self.weight_xh @ x + self.bias).reshape(4, -1)

    def update(self, recurrent: PreActivations, drive: PreActivations, state: LSTMState) -> LSTMState:
        """The next state, elementwise over units."""
        i, f, g, o = recurrent + drive
        c = jax.nn.sigmoid(f) * state.c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return LSTMState(h=jax.nn.sigmoid(o) * jnp.tanh(c), c=c)

    def __call__(self, state: LSTMState, x: Array | None) -> LSTMState:
        """One step for one example."""
        return self.update(self.recurrent(state), self.drive(x), state)

    def output(self, state: LSTMState) -> Float[Array, " hidden"]:
        """The visible part of the state: h."""
        return state.h
