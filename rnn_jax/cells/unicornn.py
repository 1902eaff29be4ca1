"""The undamped independently controlled oscillators."""

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from rnn_jax.cells.cornn import CoRNNState
from rnn_jax.cells.initializers import (
    checked_arguments,
    checked_number,
    checked_range,
    checked_uniform,
    uniform_matrix,
)
from rnn_jax.dtypes import float_dtype


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class UnICORNN:
    """z' = z - d (tanh(w y + W_xh x + b) + alpha y); y' = y + d z', d = dt s(c), all elementwise.

    A symplectic step of one undamped oscillator a unit, y'' = -(tanh(w y + W_xh x + b) + alpha y), each at its own
    pace: the Jacobian of a unit's step has determinant 1. s is the logistic function.

    Attributes:
        weight_hh: w, shape (hidden_size,).
        weight_xh: shape (hidden_size, input_size).
        bias: shape (hidden_size,).
        pace: c, shape (hidden_size,).
        dt: the longest step in time.
        alpha: of the force that leads back to 0.

    References:
        Rusch & Mishra 2021, UnICORNN: a recurrent model for learning very long time dependencies, arXiv 2103.05487;
        defaults and initial weights are those of the authors' code for permuted sequential MNIST.
    """

    weight_hh: Array
    weight_xh: Array
    bias: Array
    pace: Array
    dt: float = field(metadata={"static": True})
    alpha: float = field(metadata={"static": True})

    structure = "diagonal"

    @classmethod
    def create(
        cls,
        input_size: int,
        hidden_size: int,
        *,
        key: Array,
        initialization: str = "uniform",
        gain: float = 1.0,
        dt: float = 0.19,
        alpha: float = 30.65,
        dtype: Any = None,
    ) -> "UnICORNN":
        """Draws a cell.

        Args:
            input_size: the number of inputs, 0 for an autonomous net.
            hidden_size: the number of oscillators; the state has twice as many numbers.
            key: a random key.
            initialization: "uniform": w between 0 and `gain`, c within 0.1 of 0.
            gain: the largest w.
            dt: above 0.
            alpha: at least 0.
            dtype: of the weights; JAX's default float if None.

        Raises:
            ValueError: a size, the key, the initialization or a number is not allowed.
        """
        checked_arguments(input_size, hidden_size, key)
        checked_number("gain", gain)
        checked_range("dt", dt, above=0)
        checked_range("alpha", alpha, at_least=0)
        checked_uniform("UnICORNN", initialization)
        dtype = float_dtype(dtype)
        recurrent_key, input_key, pace_key = jax.random.split(key, 3)
        weights = gain * jax.random.uniform(recurrent_key, (hidden_size,), jnp.float32)
        # Of PyTorch's kaiming_uniform_ with a = 8: the bound is sqrt(6 / ((1 + 8^2) fan_in)).
        bound = (6 / (65 * max(input_size, 1))) ** 0.5
        return cls(
            weight_hh=weights.astype(dtype),
            weight_xh=uniform_matrix(input_key, (hidden_size, input_size), bound, dtype),
            bias=jnp.zeros(hidden_size, dtype),
            pace=uniform_matrix(pace_key, (hidden_size,), 0.1, dtype),
            dt=float(dt),
            alpha=float(alpha),
        )

    def initial_state(self) -> CoRNNState:
        """y_0 = z_0 = 0."""
        return CoRNNState(y=jnp.zeros_like(self.bias), z=jnp.zeros_like(self.bias))

    def drive(self, x: Float[Array, " input"] | None) -> Float[Array, " hidden"]:
        """The part under the tanh that comes from the input and the bias."""
        return self.bias if x is None else self.weight_xh @ x + self.bias

    def update(self, drive: Array, state: CoRNNState) -> CoRNNState:
        """The next state, elementwise over units."""
        step = self.dt * jax.nn.sigmoid(self.pace)
        z = state.z - step * (jnp.tanh(self.weight_hh * state.y + drive) + self.alpha * state.y)
        return CoRNNState(y=state.y + step * z, z=z)

    def __call__(self, state: CoRNNState, x: Array | None) -> CoRNNState:
        """One step for one example."""
        return self.update(self.drive(x), state)

    def output(self, state: CoRNNState) -> Float[Array, " hidden"]:
        """The visible part of the state: y."""
        return state.y
