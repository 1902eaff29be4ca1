"""The coupled oscillatory net."""

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


class CoRNNState(NamedTuple):
    """y, the positions and output, and z, the velocities; both shape (hidden_size,)."""

    y: Array
    z: Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class CoRNN:
    """z' = z + dt (tanh(W_y y + W_z z + W_xh x + b) - frequency y - damping z); y' = y + dt z'.

    Driven oscillators, coupled through what is under the tanh: an implicit-explicit step of
    y'' = tanh(W_y y + W_z y' + W_xh x + b) - frequency y - damping y'.

    Attributes:
        weight_hh: [W_y, W_z] side by side, shape (hidden_size, 2 * hidden_size).
        weight_xh: shape (hidden_size, input_size).
        bias: shape (hidden_size,).
        dt: the step in time.
        frequency: gamma of the paper.
        damping: epsilon of the paper.

    References:
        Rusch & Mishra 2021, Coupled oscillatory recurrent neural network (coRNN), arXiv 2010.00951,
        equation 3, with the damping at z as in the authors' code; its defaults are those of that
        code for sequential MNIST.
    """

    weight_hh: Array
    weight_xh: Array
    bias: Array
    dt: float = field(metadata={"static": True})
    frequency: float = field(metadata={"static": True})
    damping: float = field(metadata={"static": True})

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
        dt: float = 0.042,
        frequency: float = 2.7,
        damping: float = 4.7,
        dtype: Any = None,
    ) -> "CoRNN":
        """Draws a cell.

        Args:
            input_size: the number of inputs, 0 for an autonomous net.
            hidden_size: the number of oscillators; the state has twice as many numbers.
            key: a random key.
            initialization: "uniform": all weights and biases in +-1 / sqrt(2 hidden_size + input_size), as
                PyTorch draws the one linear layer of the authors' code.
            gain: scales W_y and W_z.
            dt: in (0, 1].
            frequency, damping: at least 0.
            dtype: of the weights; JAX's default float if None.

        Raises:
            ValueError: a size, the key, the initialization or a number is not allowed.
        """
        checked_arguments(input_size, hidden_size, key)
        checked_number("gain", gain)
        checked_range("dt", dt, above=0, at_most=1)
        checked_range("frequency", frequency, at_least=0)
        checked_range("damping", damping, at_least=0)
        checked_uniform("coRNN", initialization)
        dtype = float_dtype(dtype)
        recurrent_key, input_key, bias_key = jax.random.split(key, 3)
        bound = (2 * hidden_size + input_size) ** -0.5
        return cls(
            weight_hh=uniform_matrix(recurrent_key, (hidden_size, 2 * hidden_size), gain * bound, dtype),
            weight_xh=uniform_matrix(input_key, (hidden_size, input_size), bound, dtype),
            bias=uniform_matrix(bias_key, (hidden_size,), bound, dtype),
            dt=float(dt),
            frequency=float(frequency),
            damping=float(damping),
        )

    def initial_state(self) -> CoRNNState:
        """y_0 = z_0 = 0."""
        return CoRNNState(y=jnp.zeros_like(self.bias), z=jnp.zeros_like(self.bias))

    def drive(self, x: Float[Array, " input"] | None) -> Float[Array, " hidden"]:
        """The part of the pre-activation that comes from the input and the bias."""
        return self.bias if x is None else self.weight_xh @ x + self.bias

    def __call__(self, state: CoRNNState, x: Array | None) -> CoRNNState:
        """One step for one example."""
        force = jnp.tanh(self.weight_hh @ jnp.concatenate(state) + self.drive(x))
        z = state.z + self.dt * (force - self.frequency * state.y - self.damping * state.z)
        return CoRNNState(y=state.y + self.dt * z, z=z)

    def output(self, state: CoRNNState) -> Float[Array, " hidden"]:
        """The visible part of the state: y."""
        return state.y
