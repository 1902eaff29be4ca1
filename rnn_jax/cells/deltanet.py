"""The delta rule: a matrix of associations that is written to by correcting what it would have said."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from rnn_jax.cells.initializers import (
    checked_arguments,
    input_matrix,
    inverse_softplus,
    log_uniform,
    no_recurrent_matrix,
)
from rnn_jax.dtypes import float_dtype

_LEAST_NORM = 1e-6
_LARGEST_RATE = 16.0
_LEAST_STEP, _LARGEST_STEP = 0.001, 0.1


class DeltaNetState(NamedTuple):
    """S, the associations, shape (hidden_size, hidden_size), and q, the last query, shape (hidden_size,)."""

    memory: Array
    query: Array


class _DeltaRule:
    """What both share: what is kept of S is corrected towards v at the key k, and read at the query q."""

    weight_xh: Array
    weight_beta: Array
    bias: Array
    bias_beta: Array

    structure = "kronecker"

    def retained(
        self, memory: Float[Array, "hidden hidden"], x: Array | None
    ) -> Float[Array, "hidden hidden"]:
        """What is left of the associations before they are corrected."""
        raise NotImplementedError

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
        retained = self.retained(state.memory, x)
        memory = retained + beta * jnp.outer(v - retained @ k, k)
        return DeltaNetState(memory, _of_unit_length(jax.nn.silu(query)))

    def output(self, state: DeltaNetState) -> Float[Array, " hidden"]:
        """S q."""
        return state.memory @ state.query


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class DeltaNet(_DeltaRule):
    """S_t = S_{t-1} + beta (v - S_{t-1} k) k^T, read as y_t = S_t q; q, k, v and beta come from x_t.

    k and q are SiLU(W x + b) divided by their length, v = W x + b, as first published, without the SiLU that code
    of the second paper puts on it too; beta = s(W x + b), s the logistic function. Each row of S is
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

    def retained(
        self, memory: Float[Array, "hidden hidden"], x: Array | None
    ) -> Float[Array, "hidden hidden"]:
        """All of it."""
        return memory


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class GatedDeltaNet(_DeltaRule):
    """S_t = a S_{t-1} + beta (v - a S_{t-1} k) k^T, read as y_t = S_t q: a DeltaNet that also forgets all at once.

    a = exp(-r softplus(W_a x + b_a)), between 0 and 1, comes from x_t as q, k, v and beta do; for those see `DeltaNet`.
    Each row of S is multiplied by a (I - beta k k^T).

    Attributes:
        weight_xh: W of q, k and v stacked, shape (3 * hidden_size, input_size).
        weight_beta, weight_decay: shape (input_size,).
        bias: of q, k and v, shape (3 * hidden_size,).
        bias_beta, bias_decay: shape ().
        log_rate: log of r, shape ().

    References:
        Yang, Kautz, Hatamizadeh 2025, Gated delta networks: improving Mamba2 with delta rule, arXiv 2412.06464;
        r and b_a begin as in the authors' code: r uniform up to 16, softplus(b_a) between 0.001 and 0.1,
        uniform in its log. One head; without the convolutions and the gate around it, which read no state.
    """

    weight_xh: Array
    weight_beta: Array
    weight_decay: Array
    bias: Array
    bias_beta: Array
    bias_decay: Array
    log_rate: Array

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
    ) -> "GatedDeltaNet":
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
        no_recurrent_matrix("GatedDeltaNet", initialization, gain)
        shared_key, decay_key, rate_key, step_key = jax.random.split(key, 4)
        ungated = DeltaNet.create(input_size, hidden_size, key=shared_key, dtype=dtype)
        dtype = ungated.bias.dtype
        # In (0, 16]: the log of 0 is lost.
        rate = _LARGEST_RATE * (1 - jax.random.uniform(rate_key, (), jnp.float32))
        steps = jnp.exp(log_uniform(step_key, (), _LEAST_STEP, _LARGEST_STEP, jnp.float32))
        return cls(
            weight_xh=ungated.weight_xh,
            weight_beta=ungated.weight_beta,
            weight_decay=input_matrix(decay_key, 1, input_size, dtype)[0],
            bias=ungated.bias,
            bias_beta=ungated.bias_beta,
            bias_decay=inverse_softplus(steps).astype(dtype),
            log_rate=jnp.log(rate).astype(dtype),
        )

    def retained(
        self, memory: Float[Array, "hidden hidden"], x: Array | None
    ) -> Float[Array, "hidden hidden"]:
        """a S."""
        pace = self.bias_decay if x is None else self.weight_decay @ x + self.bias_decay
        return jnp.exp(-jnp.exp(self.log_rate) * jax.nn.softplus(pace)) * memory


def _of_unit_length(vector: Float[Array, " n"]) -> Float[Array, " n"]:
    return vector / jnp.sqrt(jnp.sum(jnp.square(vector)) + _LEAST_NORM**2)
