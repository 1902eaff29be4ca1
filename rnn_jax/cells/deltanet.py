"""The delta rule: a matrix of associations that is written to by correcting what it would have said."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from rnn_jax.cells.initializers import checked_arguments, input_matrix, no_recurrent_matrix
from rnn_jax.dtypes import float_dtype

_LEAST_NORM = 1e-6


class DeltaNetState(NamedTuple):
    """S, the associations, shape (hidden_size, hidden_size), and q, the last query, shape (hidden_size,)."""

    memory: Array
    query: Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class DeltaNet:
    """S_t = S_{t-1} + beta (v - S_{t-1} k) k^T, read as y_t = S_t q; q, k, v and beta come from x_t.

    k and q are SiLU(W x) divided by their length, beta = s(W x), s the logistic function. Each row of S is
    multiplied by I - beta k k^T, whose eigenvalues are 1 and 1 - beta: no direction of it grows.

    Attributes:
        weight_xh: W of q, k and v stacked, shape (3 * hidden_size, input_size).
        weight_beta: shape (input_size,).
        bias: of q, k and v, shape (3 * hidden_size,): without it a net of few inputs has few keys.
        bias_beta: shape ().

    References:
        Schlag, Irie, Schmidhuber 2021, Linear transformers are secretly fast weight programmers, arXiv
        2102.11174, equation 24; SiLU and keys of unit length: Yang, Wang, Zhang, Shen, Kim 2024, Parallelizing
        linear transformers with the delta rule over sequence length, arXiv 2406.06484.
    """

    weight_xh: Array
    weight_beta: Array
    bias: Array
    bias_beta: Array

    structure = "kronecker"

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
    ) -> "DeltaNet":
        """Draws a cell.

        Args:
            input_size: the number of inputs, 0 for an autonomous net.
            hidden_size: the size of keys, queries and values; the state has its square and as much again.
            key: a random key.
            initialization, gain: "none" and 1: there is no recurrent matrix.
            dtype: of the weights; JAX's default float if None.

        Raises:
            ValueError: a size, the key, the initialization or the gain is not allowed.
        """
        checked_arguments(input_size, hidden_size, key)
        no_recurrent_matrix("DeltaNet", initialization, gain)
        dtype = float_dtype(dtype)
        input_key, beta_key, bias_key = jax.random.split(key, 3)
        bias = jax.random.normal(bias_key, (3 * hidden_size,), jnp.float32).at[2 * hidden_size :].set(0)
        return cls(
            weight_xh=input_matrix(input_key, 3 * hidden_size, input_size, dtype),
            weight_beta=input_matrix(beta_key, 1, input_size, dtype)[0],
            bias=bias.astype(dtype),
            bias_beta=jnp.zeros((), dtype),
        )

    def initial_state(self) -> DeltaNetState:
        """No associations, and a query of zero."""
        size = self.bias.shape[0] // 3
        return DeltaNetState(jnp.zeros((size, size), self.bias.dtype), jnp.zeros(size, self.bias.dtype))

    def __call__(self, state: DeltaNetState, x: Array | None) -> DeltaNetState:
        """One step for one example."""
        drive = self.bias if x is None else self.weight_xh @ x + self.bias
        query, k, v = drive.reshape(3, -1)
        k = _of_unit_length(jax.nn.silu(k))
        beta = jax.nn.sigmoid(self.bias_beta if x is None else self.weight_beta @ x + self.bias_beta)
        memory = state.memory + beta * jnp.outer(v - state.memory @ k, k)
        return DeltaNetState(memory, _of_unit_length(jax.nn.silu(query)))

    def output(self, state: DeltaNetState) -> Float[Array, " hidden"]:
        """S q."""
        return state.memory @ state.query


def _of_unit_length(vector: Float[Array, " n"]) -> Float[Array, " n"]:
    return vector / jnp.sqrt(jnp.sum(jnp.square(vector)) + _LEAST_NORM**2)
