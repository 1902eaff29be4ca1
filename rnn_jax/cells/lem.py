"""Long expressive memory."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from rnn_jax.cells.initializers import (
    checked_arguments,
    checked_number,
    checked_range,
    checked_uniform,
    uniform_matrix,
)
from rnn_jax.dtypes import float_dtype


class LEMState(NamedTuple):
    """y, the output, and z, the slow memory; both shape (hidden_size,)."""

    y: Array
    z: Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LEM:
    """Two time scales a unit, each learnt:

    a, b = dt s(W_a y + V_a x + b_a), dt s(W_b y + V_b x + b_b);
    z' = (1 - a) z + a tanh(W_z y + V_z x + b_z); y' = (1 - b) y + b tanh(W_y z' + V_y x + b_y).
    s is the logistic function; y' reads the new z'.

    Attributes:
        weight_hh: W_a, W_b, W_z stacked, shape (3 * hidden_size, hidden_size).
        weight_zy: W_y, shape (hidden_size, hidden_size).
        weight_xh: V_a, V_b, V_z, V_y stacked, shape (4 * hidden_size, input_size).
        bias: in the same order, shape (4 * hidden_size,).
        dt: the largest step in time.

    References:
        Rusch, Mishra, Erichson, Mahoney 2022, Long expressive memory for sequence modeling, arXiv
        2110.04744, equation 3.
    """

    weight_hh: Array
    weight_zy: Array
    weight_xh: Array
    bias: Array
    dt: float = field(metadata={"static": True})

    structure = "dense"

    @classmethod
    def create(
        cls,
        input_size: int,
        hidden_size: int,
        *,
        key: Array,
        initialization: str = "uniform",
        gain: float = 1.0,
        dt: float = 1.0,
        dtype: Any = None,
    ) -> "LEM":
        """Draws a cell.

        Args:
            input_size: the number of inputs, 0 for an autonomous net.
            hidden_size: the number of units; the state has twice as many numbers.
            key: a random key.
            initialization: "uniform": all weights and biases in +-1 / sqrt(hidden_size), as published.
            gain: scales the matrices that read y and z.
            dt: in (0, 1]; 1 is the default of the authors' code.
            dtype: of the weights; JAX's default float if None.

        Raises:
            ValueError: a size, the key, the initialization or dt is not allowed.
        """
        checked_arguments(input_size, hidden_size, key)
        checked_number("gain", gain)
        checked_range("dt", dt, above=0, at_most=1)
        checked_uniform("LEM", initialization)
        dtype = float_dtype(dtype)
        recurrent_key, memory_key, input_key, bias_key = jax.random.split(key, 4)
        bound = hidden_size**-0.5
        return cls(
            weight_hh=uniform_matrix(recurrent_key, (3 * hidden_size, hidden_size), gain * bound, dtype),
            weight_zy=uniform_matrix(memory_key, (hidden_size, hidden_size), gain * bound, dtype),
            weight_xh=uniform_matrix(input_key, (4 * hidden_size, input_size), bound, dtype),
            bias=uniform_matrix(bias_key, (4 * hidden_size,), bound, dtype),
            dt=float(dt),
        )

    def initial_state(self) -> LEMState:
        """y_0 = z_0 = 0."""
        zeros = jnp.zeros(self.weight_hh.shape[1], self.bias.dtype)
        return LEMState(y=zeros, z=zeros)

    def drive(self, x: Float[Array, " input"] | None) -> Float[Array, "4 hidden"]:
        """The part of the pre-activations that comes from the input and the bias."""
        return (self.bias if x is None else self.weight_xh @ x + self.bias).reshape(4, -1)

    def __call__(self, state: LEMState, x: Array | None) -> LEMState:
        """One step for one example."""
        drive = self.drive(x)
        slow, fast, memory = (self.weight_hh @ state.y).reshape(3, -1) + drive[:3]
        a, b = self.dt * jax.nn.sigmoid(slow), self.dt * jax.nn.sigmoid(fast)
        z = (1 - a) * state.z + a * jnp.tanh(memory)
        return LEMState(y=(1 - b) * state.y + b * jnp.tanh(self.weight_zy @ z + drive[3]), z=z)

    def output(self, state: LEMState) -> Float[Array, " hidden"]:
        """The visible part of the state: y."""
        return state.y
