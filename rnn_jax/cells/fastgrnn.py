"""The gated net of one pair of matrices."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from rnn_jax.cells.initializers import checked_arguments, checked_number, normal_matrix, recurrent_matrix
from rnn_jax.dtypes import float_dtype
from rnn_jax.gates import PreActivations

_DEVIATION = 0.1


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class FastGRNN:
    """h' = (s(zeta) (1 - z) + s(nu)) tanh(a + b_h) + z h with z = s(a + b_z) and a = W x + U h for both.

    s is the logistic function. The state is h, shape (hidden_size,), and so is the output. The published
    cell can also hold W and U as products of narrow matrices; here they are full.

    Attributes:
        weight_hh: U, shape (hidden_size, hidden_size).
        weight_xh: W, shape (hidden_size, input_size).
        bias: b_z, b_h stacked, shape (2 * hidden_size,).
        zeta, nu: shape ().

    References:
        Kusupati, Singh, Bhatia, Kumar, Jain, Varma 2018, FastGRNN: a fast, accurate, stable and tiny kilobyte sized
        gated recurrent neural network, arXiv 1901.02358; initial values as in the authors' code.
    """

    weight_hh: Array
    weight_xh: Array
    bias: Array
    zeta: Array
    nu: Array

    structure = "elementwise"
    forget_gate = 0  # the row of z in the bias; the input gate is 1 - z

    @classmethod
    def create(
        cls,
        input_size: int,
        hidden_size: int,
        *,
        key: Array,
        initialization: str = "normal",
        gain: float = 1.0,
        dtype: Any = None,
    ) -> "FastGRNN":
        """Draws a cell.

        Args:
            input_size: the number of inputs, 0 for an autonomous net.
            hidden_size: the number of units n.
            key: a random key.
            initialization: of U: "normal", as published: entries N(0, (gain / 10)**2) whatever the size; or "gaussian",
                "orthogonal", "identity", "sparse".
            gain: its scale.
            dtype: of the weights; JAX's default float if None.

        Raises:
            ValueError: a size, the key or the initialization is not allowed.
        """
        checked_arguments(input_size, hidden_size, key)
        checked_number("gain", gain)
        dtype = float_dtype(dtype)
        recurrent_key, input_key = jax.random.split(key)
        if initialization == "normal":
            weight = normal_matrix(recurrent_key, (hidden_size, hidden_size), gain * _DEVIATION, dtype)
        else:
            weight = recurrent_matrix(recurrent_key, hidden_size, initialization, gain, dtype)
        return cls(
            weight_hh=weight,
            weight_xh=normal_matrix(input_key, (hidden_size, input_size), _DEVIATION, dtype),
            bias=jnp.ones(2 * hidden_size, dtype),
            zeta=jnp.ones((), dtype),
            nu=jnp.full((), -4.0, dtype),
        )

    def initial_state(self) -> Float[Array, " hidden"]:
        """h_0 = 0."""
        return jnp.zeros(self.weight_hh.shape[0], self.bias.dtype)

    def recurrent(self, state: Float[Array, " hidden"]) -> Float[Array, "1 hidden"]:
        """U h, which both gate and candidate read."""
        return (self.weight_hh @ state)[None]

    def drive(self, x: Float[Array, " input"] | None) -> Float[Array, "2 hidden"]:
        """W x plus each one's bias."""
        bias = self.bias.reshape(2, -1)
        return bias if x is None else (self.weight_xh @ x)[None] + bias

    def update(
        self, recurrent: PreActivations, drive: PreActivations, state: Array
    ) -> Float[Array, " hidden"]:
        """The next state, elementwise over units."""
        gate, candidate = recurrent + drive
        write = jax.nn.sigmoid(self.zeta) * jax.nn.sigmoid(-gate) + jax.nn.sigmoid(self.nu)
        return write * jnp.tanh(candidate) + jax.nn.sigmoid(gate) * state

    def __call__(self, state: Array, x: Array | None) -> Float[Array, " hidden"]:
        """One step for one example."""
        return self.update(self.recurrent(state), self.drive(x), state)

    def output(self, state: Array) -> Float[Array, " hidden"]:
        """The visible part of the state: h."""
        return state
