"""The minimal gated unit."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from rnn_jax.cells.initializers import checked_arguments, input_matrix, stacked_recurrent
from rnn_jax.dtypes import float_dtype


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class MGU:
    """h' = (1 - f) h + f tanh(W_h x + U_h (f * h) + b_h) with one gate, f = s(W_f x + U_f h + b_f).

    It is a GRU, reset before the product, whose two gates are one. s is the logistic function. The state is h,
    shape (hidden_size,), and so is the output.

    Attributes:
        weight_hh: U_f, U_h stacked, shape (2 * hidden_size, hidden_size).
        weight_xh: W_f, W_h stacked, shape (2 * hidden_size, input_size).
        bias: shape (2 * hidden_size,).

    References:
        Zhou, Wu, Zhang, Zhou 2016, Minimal gated unit for recurrent neural networks, arXiv 1603.09420.
        Its weights begin as those of the GRU here do.
    """

    weight_hh: Array
    weight_xh: Array
    bias: Array

    structure = "dense"
    input_gate = 0  # the row of f in the bias, which opens writing: what is kept is 1 - f

    @classmethod
    def create(
        cls,
        input_size: int,
        hidden_size: int,
        *,
        key: Array,
        initialization: str = "orthogonal",
        gain: float = 1.0,
        dtype: Any = None,
    ) -> "MGU":
        """Draws a cell.

        Args:
            input_size: the number of inputs, 0 for an autonomous net.
            hidden_size: the number of units n.
            key: a random key.
            initialization: of both recurrent matrices: "gaussian", "orthogonal", "identity", "sparse".
            gain: its scale.
            dtype: of the weights; JAX's default float if None.

        Raises:
            ValueError: a size, the key or the initialization is not allowed.
        """
        checked_arguments(input_size, hidden_size, key)
        dtype = float_dtype(dtype)
        recurrent_key, input_key = jax.random.split(key)
        return cls(
            weight_hh=stacked_recurrent(recurrent_key, 2, hidden_size, initialization, gain, dtype),
            weight_xh=input_matrix(input_key, 2 * hidden_size, input_size, dtype),
            bias=jnp.zeros(2 * hidden_size, dtype),
        )

    def initial_state(self) -> Float[Array, " hidden"]:
        """h_0 = 0."""
        return jnp.zeros(self.weight_hh.shape[1], self.bias.dtype)

    def drive(self, x: Float[Array, " input"] | None) -> Float[Array, "2 hidden"]:
        """The part of the pre-activations that comes from the input and the bias."""
        return (self.bias if x is None else self.weight_xh @ x + self.bias).reshape(2, -1)

    def __call__(self, state: Array, x: Array | None) -> Float[Array, " hidden"]:
        """One step for one example."""
        forget_weights, candidate_weights = jnp.split(self.weight_hh, 2)
        of_gate, of_candidate = self.drive(x)
        f = jax.nn.sigmoid(forget_weights @ state + of_gate)
        return (1 - f) * state + f * jnp.tanh(candidate_weights @ (f * state) + of_candidate)

    def output(self, state: Array) -> Float[Array, " hidden"]:
        """The visible part of the state: h."""
        return state
