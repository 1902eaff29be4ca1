"""Minimal gated units: gates that read the input alone, so that the state enters linearly."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from rnn_jax.cells.initializers import checked_arguments, checked_number, input_matrix, no_recurrent_matrix
from rnn_jax.dtypes import float_dtype


class _Minimal:
    """What both share: h_t = a h_{t-1} + b, where a and b are made of some gates of the input alone."""

    weight_xh: Array
    bias: Array

    structure = "diagonal"
    gates: int

    def initial_state(self) -> Float[Array, " hidden"]:
        """h_0 = 0."""
        return jnp.zeros(self.bias.shape[0] // self.gates, self.bias.dtype)

    def drive(self, x: Float[Array, " input"] | None) -> Float[Array, "gates hidden"]:
        """The pre-activations; they need no state."""
        return (self.bias if x is None else self.weight_xh @ x + self.bias).reshape(self.gates, -1)

    def affine(self, drive: Float[Array, "gates hidden"]) -> tuple[Array, Array]:
        """a and b of h_t = a h_{t-1} + b."""
        raise NotImplementedError

    def update(self, drive: Array, state: Array) -> Float[Array, " hidden"]:
        """The next state, elementwise over units."""
        keep, add = self.affine(drive)
        return keep * state + add

    def __call__(self, state: Array, x: Array | None) -> Float[Array, " hidden"]:
        """One step for one example."""
        return self.update(self.drive(x), state)

    def output(self, state: Array) -> Float[Array, " hidden"]:
        """The visible part of the state: h."""
        return state


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class MinGRU(_Minimal):
    """h_t = (1 - z_t) h_{t-1} + z_t (W_h x_t + b_h), z_t = s(W_z x_t + b_z), s the logistic function.

    The state is h, shape (hidden_size,), and so is the output.

    Attributes:
        weight_xh: W_z, W_h stacked, shape (2 * hidden_size, input_size).
        bias: shape (2 * hidden_size,).

    References:
        Feng, Tung, Ahmed, Bengio, Hajimirsadeghi 2024, Were RNNs all we needed?, arXiv 2410.01201, section 3.1.
    """

    weight_xh: Array
    bias: Array

    gates = 2

    @classmethod
    def create(
        cls,
        input_size: int,
        hidden_size: int,
        *,
        key: Array,
        initialization: str = "none",
        gain: float = 1.0,
        dtype: Any = None,
    ) -> "MinGRU":
        """Draws a cell.

        Args:
            input_size: the number of inputs, 0 for an autonomous net.
            hidden_size: the number of units n.
            key: a random key.
            initialization, gain: "none" and 1: there is no recurrent matrix.
            dtype: of the weights; JAX's default float if None.

        Raises:
            ValueError: a size, the key, the initialization or the gain is not allowed.
        """
        weight, bias = _drawn(
            cls.__name__, cls.gates, input_size, hidden_size, key, initialization, gain, dtype
        )
        return cls(weight, bias)

    def affine(self, drive: Float[Array, "2 hidden"]) -> tuple[Array, Array]:
        """a and b of h_t = a h_{t-1} + b."""
        z, candidate = drive
        return jax.nn.sigmoid(-z), jax.nn.sigmoid(z) * candidate


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class MinLSTM(_Minimal):
    """h_t = f h_{t-1} + i (W_h x_t + b_h) with gates of the input alone that add up to 1.

    f = s(W_f x + b_f) and i = s(W_i x + b_i), both divided by their sum; s is the logistic function.
    The state is h, shape (hidden_size,), and so is the output.

    Attributes:
        weight_xh: W_f, W_i, W_h stacked, shape (3 * hidden_size, input_size).
        bias: shape (3 * hidden_size,).

    References:
        Feng, Tung, Ahmed, Bengio, Hajimirsadeghi 2024, Were RNNs all we needed?, arXiv 2410.01201, section 3.2.
    """

    weight_xh: Array
    bias: Array

    gates = 3

    @classmethod
    def create(
        cls,
        input_size: int,
        hidden_size: int,
        *,
        key: Array,
        initialization: str = "none",
        gain: float = 1.0,
        forget_bias: float = 0.0,
        dtype: Any = None,
    ) -> "MinLSTM":
        """Draws a cell.

        Args:
            input_size: the number of inputs, 0 for an autonomous net.
            hidden_size: the number of units n.
            key: a random key.
            initialization, gain: "none" and 1: there is no recurrent matrix.
            forget_bias: b_f at the beginning.
            dtype: of the weights; JAX's default float if None.

        Raises:
            ValueError: a size, the key, the initialization, the gain or the bias is not allowed.
        """
        weight, bias = _drawn(
            cls.__name__, cls.gates, input_size, hidden_size, key, initialization, gain, dtype
        )
        checked_number("forget_bias", forget_bias)
        return cls(weight, bias.at[:hidden_size].set(forget_bias))

    def affine(self, drive: Float[Array, "3 hidden"]) -> tuple[Array, Array]:
        """a and b of h_t = a h_{t-1} + b."""
        f, i, candidate = drive
        # f / (f + i) of two logistic functions, as one logistic function: no quotient of tiny numbers.
        difference = jax.nn.log_sigmoid(f) - jax.nn.log_sigmoid(i)
        return jax.nn.sigmoid(difference), jax.nn.sigmoid(-difference) * candidate


def _drawn(
    name: str,
    gates: int,
    input_size: int,
    hidden_size: int,
    key: Array,
    initialization: str,
    gain: float,
    dtype: Any,
) -> tuple[Array, Array]:
    checked_arguments(input_size, hidden_size, key)
    no_recurrent_matrix(name, initialization, gain)
    dtype = float_dtype(dtype)
    return input_matrix(key, gates * hidden_size, input_size, dtype), jnp.zeros(gates * hidden_size, dtype)
