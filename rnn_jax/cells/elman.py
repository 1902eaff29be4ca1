"""The simple recurrent net."""

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from rnn_jax.cells.initializers import checked_arguments, input_matrix, recurrent_matrix
from rnn_jax.dtypes import float_dtype
from rnn_jax.gates import PreActivations

ACTIVATIONS = {"tanh": jnp.tanh, "relu": jax.nn.relu, "identity": lambda z: z}


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Elman:
    """h_t = activation(W_hh h_{t-1} + W_xh x_t + b).

    The state is h, shape (hidden_size,), and so is the output.

    Attributes:
        weight_hh: shape (hidden_size, hidden_size).
        weight_xh: shape (hidden_size, input_size).
        bias: shape (hidden_size,).
        activation: "tanh", "relu" or "identity".

    References:
        Elman 1990, Finding structure in time.
    """

    weight_hh: Array
    weight_xh: Array
    bias: Array
    activation: str = field(metadata={"static": True})

    structure = "elementwise"

    @classmethod
    def create(
        cls,
        input_size: int,
        hidden_size: int,
        *,
        key: Array,
        activation: str = "tanh",
        initialization: str = "gaussian",
        gain: float = 1.0,
        input_deviation: float | None = None,
        dtype: Any = None,
    ) -> "Elman":
        """Draws a cell.

        Args:
            input_size: the number of inputs, 0 for an autonomous net.
            hidden_size: the number of units n.
            key: a random key.
            activation: "tanh", "relu" or "identity".
            initialization: of the recurrent matrix: "gaussian", "orthogonal", "identity" or "sparse".
            gain: its scale.
            input_deviation: standard deviation of the input weights; 1 / sqrt(input_size) if None, so that
                unit-variance input drives each unit by N(0, 1).
            dtype: of the weights; JAX's default float if None.

        Raises:
            ValueError: a size, the key, the activation, the initialization or a number is not allowed.
        """
        checked_arguments(input_size, hidden_size, key)
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}")
        dtype = float_dtype(dtype)
        recurrent_key, input_key = jax.random.split(key)
        return cls(
            weight_hh=recurrent_matrix(recurrent_key, hidden_size, initialization, gain, dtype),
            weight_xh=input_matrix(input_key, hidden_size, input_size, dtype, input_deviation),
            bias=jnp.zeros(hidden_size, dtype),
            activation=activation,
        )

    def initial_state(self) -> Float[Array, " hidden"]:
        """h_0 = 0."""
        return jnp.zeros_like(self.bias)

    def recurrent(self, state: Float[Array, " hidden"]) -> Float[Array, "1 hidden"]:
        """The part of the pre-activation that comes from the state, one row a gate."""
        return (self.weight_hh @ state)[None]

    def drive(self, x: Float[Array, " input"] | None) -> Float[Array, "1 hidden"]:
        """The part that comes from the input and the bias; it needs no state."""
        return (self.bias if x is None else self.weight_xh @ x + self.bias)[None]

    def update(
        self, recurrent: PreActivations, drive: PreActivations, state: Array
    ) -> Float[Array, " hidden"]:
        """The next state, elementwise over units."""
        return ACTIVATIONS[self.activation]((recurrent + drive)[0])

    def __call__(self, state: Array, x: Array | None) -> Float[Array, " hidden"]:
        """One step for one example."""
        return self.update(self.recurrent(state), self.drive(x), state)

    def output(self, state: Array) -> Float[Array, " hidden"]:
        """The visible part of the state: h."""
        return state
