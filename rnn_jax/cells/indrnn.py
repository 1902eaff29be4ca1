"""The independently recurrent net: each unit sees its own past only."""

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from rnn_jax.cells.elman import ACTIVATIONS
from rnn_jax.cells.initializers import checked_arguments, checked_number, input_matrix
from rnn_jax.dtypes import float_dtype


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class IndRNN:
    """h_t = activation(u * h_{t-1} + W_xh x_t + b), u one number a unit.

    The state is h, shape (hidden_size,), and so is the output. Its step Jacobian is diagonal, so that
    a chain of it costs O(n) a step.

    Attributes:
        weight_hh: u, shape (hidden_size,).
        weight_xh: shape (hidden_size, input_size).
        bias: shape (hidden_size,).
        activation: "relu", "tanh" or "identity".

    References:
        Li et al. 2018, Independently recurrent neural network, arXiv 1803.04831.
    """

    weight_hh: Array
    weight_xh: Array
    bias: Array
    activation: str = field(metadata={"static": True})

    structure = "diagonal"

    @classmethod
    def create(
        cls,
        input_size: int,
        hidden_size: int,
        *,
        key: Array,
        activation: str = "relu",
        initialization: str = "uniform",
        gain: float = 1.0,
        input_deviation: float | None = None,
        dtype: Any = None,
    ) -> "IndRNN":
        """Draws a cell.

        Args:
            input_size: the number of inputs, 0 for an autonomous net.
            hidden_size: the number of units n.
            key: a random key.
            activation: "relu", as published, "tanh" or "identity".
            initialization: of u: "uniform" between 0 and `gain`, as published for long memory, or
                "identity": all u equal `gain`.
            gain: its scale.
            input_deviation: standard deviation of the input weights; 1 / sqrt(input_size) if None, so that
                unit-variance input drives each unit by N(0, 1). The authors'
                program for the adding problem draws them at 0.001.
            dtype: of the weights; JAX's default float if None.

        Raises:
            ValueError: a size, the key, the activation, the initialization or a number is not allowed.
        """
        checked_arguments(input_size, hidden_size, key)
        checked_number("gain", gain)
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}")
        if initialization not in ("uniform", "identity"):
            raise ValueError(f"initialization must be 'uniform' or 'identity', got {initialization!r}")
        dtype = float_dtype(dtype)
        recurrent_key, input_key = jax.random.split(key)
        weights = jnp.ones(hidden_size, jnp.float32)
        if initialization == "uniform":
            weights = jax.random.uniform(recurrent_key, (hidden_size,), jnp.float32)
        return cls(
            weight_hh=(gain * weights).astype(dtype),
            weight_xh=input_matrix(input_key, hidden_size, input_size, dtype, input_deviation),
            bias=jnp.zeros(hidden_size, dtype),
            activation=activation,
        )

    def initial_state(self) -> Float[Array, " hidden"]:
        """h_0 = 0."""
        return jnp.zeros_like(self.bias)

    def drive(self, x: Float[Array, " input"] | None) -> Float[Array, " hidden"]:
        """The part of the pre-activation that comes from the input and the bias."""
        return self.bias if x is None else self.weight_xh @ x + self.bias

    def update(self, drive: Array, state: Array) -> Float[Array, " hidden"]:
        """The next state, elementwise over units."""
        return ACTIVATIONS[self.activation](self.weight_hh * state + drive)

    def __call__(self, state: Array, x: Array | None) -> Float[Array, " hidden"]:
        """One step for one example."""
        return self.update(self.drive(x), state)

    def output(self, state: Array) -> Float[Array, " hidden"]:
        """The visible part of the state: h."""
        return state
