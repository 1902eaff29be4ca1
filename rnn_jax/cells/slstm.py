"""The scalar LSTM with exponential gates, its normalizer and its stabilizer."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from rnn_jax.cells.initializers import checked_arguments, checked_number, input_matrix, stacked_recurrent
from rnn_jax.dtypes import float_dtype
from rnn_jax.gates import PreActivations


class SLSTMState(NamedTuple):
    """h, the output; c, the cell; n, the normalizer; m, the stabilizer: each shape (hidden_size,)."""

    h: Array
    c: Array
    n: Array
    m: Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class SLSTM:
    """i, f, z, o from W_hh h + W_xh x + b, then an LSTM with an exponential input gate, divided by its weights.

    m' = max(log s(f) + m, i), or i where n = 0; f~ = exp(log s(f) + m - m'); i~ = exp(i - m');
    c' = f~ c + i~ tanh(z); n' = f~ n + i~; h' = s(o) c' / n'.
    s is the logistic function. m changes no h: it keeps the exponentials in range. Norms of the whole
    state depend on it; dh_T/dh_t does not. Nor do c and n scaled by exp(-a) and m raised by a change h, so that
    a quarter of the state's Lyapunov exponents are -inf, and those above them may be lost in rounding (NaN).

    Attributes:
        weight_hh: shape (4 * hidden_size, hidden_size).
        weight_xh: shape (4 * hidden_size, input_size).
        bias: shape (4 * hidden_size,).

    References:
        Beck et al. 2024, xLSTM: Extended long short-term memory, arXiv 2405.04517, equations 8 to 17, with the
        logistic forget gate and one head. The first m' is that of the authors' code, github.com/NX-AI/xlstm: with
        max(log s(f), i) instead n' would be exp(i), which is 0 for i under -87 in float32.
    """

    weight_hh: Array
    weight_xh: Array
    bias: Array

    structure = "elementwise"
    input_gate, forget_gate = 0, 1

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
    ) -> "SLSTM":
        """Draws a cell.

        Args:
            input_size: the number of inputs, 0 for an autonomous net.
            hidden_size: the number of units; the state has four times as many numbers.
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

    def initial_state(self) -> SLSTMState:
        """All zero: an empty memory, of weight n_0 = 0."""
        zeros = jnp.zeros(self.weight_hh.shape[1], self.bias.dtype)
        return SLSTMState(h=zeros, c=zeros, n=zeros, m=zeros)

    def recurrent(self, state: SLSTMState) -> Float[Array, "4 hidden"]:
        """The part of the pre-activations that comes from the state, one row a gate."""
        return (self.weight_hh @ state.h).reshape(4, -1)

    def drive(self, x: Float[Array, " input"] | None) -> Float[Array, "4 hidden"]:
        """The part that comes from the input and the bias."""
        return (self.bias if x is None else self.weight_xh @ x + self.bias).reshape(4, -1)

    def update(self, recurrent: PreActivations, drive: PreActivations, state: SLSTMState) -> SLSTMState:
        """The next state, elementwise over units."""
        i, f, z, o = recurrent + drive
        kept = jax.nn.log_sigmoid(f) + state.m
        m = jnp.where(state.n == 0, i, jnp.maximum(kept, i))
        # Over 1 where the memory is empty alone; bounded, as infinity times nothing is not nothing.
        most = math.log(float(jnp.finfo(m.dtype).max)) / 2
        keep, add = jnp.exp(jnp.minimum(kept - m, most)), jnp.exp(i - m)
        c = keep * state.c + add * jnp.tanh(z)
        n = keep * state.n + add
        return SLSTMState(h=jax.nn.sigmoid(o) * c / n, c=c, n=n, m=m)

    def __call__(self, state: SLSTMState, x: Array | None) -> SLSTMState:
        """One step for one example."""
        return self.update(self.recurrent(state), self.drive(x), state)

    def output(self, state: SLSTMState) -> Float[Array, " hidden"]:
        """The visible part of the state: h."""
        return state.h
