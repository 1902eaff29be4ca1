"""The selective state space model."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from rnn_jax.cells.initializers import (
    checked_arguments,
    inverse_softplus,
    log_uniform,
    no_recurrent_matrix,
    uniform_matrix,
)
from rnn_jax.dtypes import float_dtype
from rnn_jax.whole_numbers import checked_whole

_LEAST_STEP, _LARGEST_STEP = 0.001, 0.1


class SelectiveSSMState(NamedTuple):
    """h, its channels one after the other, and the last C, once for each channel; both of hidden_size * state_size."""

    h: Array
    read: Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class SelectiveSSM:
    """h_t = exp(-d r) h_{t-1} + (1 - exp(-d r)) / r B_t u_t, y_t = C_t . h_t, where d, B, C and u come from x_t.

    Each of hidden_size channels has an input u of its own, a step in time d = softplus(W_d x + b_d) and state_size
    numbers h that decay at the rates r; B_t and C_t, of state_size numbers, are those of all channels. It is
    what stands between the projections of a Mamba block: the convolution, the SiLU and the gate around it, and D u_t, read
    no state. Differences: the block makes d, B and C of u, here all four are made of x, which is the same
    for a linear u; and B u is discretized as in the paper's equation 4, where the authors' code takes d B u.

    Attributes:
        log_rate: log of r, shape (hidden_size, state_size).
        weight_xh: of u, d, B and C stacked, shape (2 * hidden_size + 2 * state_size, input_size).
        bias: shape (2 * hidden_size + 2 * state_size,).

    References:
        Gu & Dao 2023, Mamba: linear-time sequence modeling with selective state spaces, arXiv 2312.00752,
        algorithm 2; initial rates and steps as in the authors' code. B and C have
        biases, drawn from N(0, 1): without them a net of one input has one direction for all time.
    """

    log_rate: Array
    weight_xh: Array
    bias: Array

    structure = "diagonal"

    @classmethod
    def create(
        cls,
        input_size: int,
        hidden_size: int,
        *,
        key: Array,
        initialization: str = "none",
        gain: float = 1.0,
        state_size: int = 16,
        dtype: Any = None,
    ) -> "SelectiveSSM":
        """Draws a cell.

        Args:
            input_size: the number of inputs, 0 for an autonomous net.
            hidden_size: the number of channels, and of outputs.
            key: a random key.
            initialization, gain: "none" and 1: there is no recurrent matrix. r is 1, 2, ..., state_size.
            state_size: how many numbers each channel keeps.
            dtype: of the weights; JAX's default float if None.

        Raises:
            ValueError: a size, the key, the initialization or the gain is not allowed.
        """
        checked_arguments(input_size, hidden_size, key)
        no_recurrent_matrix("SelectiveSSM", initialization, gain)
        checked_whole("state_size", state_size)
        dtype = float_dtype(dtype)
        input_key, step_key, bias_key = jax.random.split(key, 3)
        steps = log_uniform(step_key, (hidden_size,), _LEAST_STEP, _LARGEST_STEP, jnp.float32)
        rates = jnp.arange(1, state_size + 1, dtype=jnp.float32)
        bias = [
            jnp.zeros(hidden_size, jnp.float32),
            inverse_softplus(jnp.exp(steps)),
            jax.random.normal(bias_key, (2 * state_size,), jnp.float32),
        ]
        size = 2 * (hidden_size + state_size)
        return cls(
            log_rate=jnp.broadcast_to(jnp.log(rates), (hidden_size, state_size)).astype(dtype),
            weight_xh=uniform_matrix(input_key, (size, input_size), max(input_size, 1) ** -0.5, dtype),
            bias=jnp.concatenate(bias).astype(dtype),
        )

    def initial_state(self) -> SelectiveSSMState:
        """h_0 = 0, read by zeros."""
        zeros = jnp.zeros(self.log_rate.size, self.log_rate.dtype)
        return SelectiveSSMState(zeros, zeros)

    def drive(self, x: Float[Array, " input"] | None) -> Float[Array, "3 state"]:
        """What each number of h is multiplied by, what is added to it, and C."""
        hidden_size, state_size = self.log_rate.shape
        made = self.bias if x is None else self.weight_xh @ x + self.bias
        u, steps = made[: 2 * hidden_size].reshape(2, -1, 1)
        write, read = made[2 * hidden_size :].reshape(2, -1)
        rates = jnp.exp(self.log_rate)
        exponents = -jax.nn.softplus(steps) * rates
        add = -jnp.expm1(exponents) / rates * write[None] * u
        parts = (jnp.exp(exponents), add, jnp.broadcast_to(read, (hidden_size, state_size)))
        return jnp.stack(parts).reshape(3, -1)

    def affine(self, drive: Float[Array, "3 state"]) -> tuple[SelectiveSSMState, SelectiveSSMState]:
        """a and b of s_t = a s_{t-1} + b, s the whole state."""
        keep, add, read = drive
        return SelectiveSSMState(keep, jnp.zeros_like(read)), SelectiveSSMState(add, read)

    def update(self, drive: Array, state: SelectiveSSMState) -> SelectiveSSMState:
        """The next state, elementwise over its numbers."""
        keep, add, read = drive
        return SelectiveSSMState(keep * state.h + add, read)

    def __call__(self, state: SelectiveSSMState, x: Array | None) -> SelectiveSSMState:
        """One step for one example."""
        return self.update(self.drive(x), state)

    def output(self, state: SelectiveSSMState) -> Float[Array, " hidden"]:
        """C . h, one number a channel."""
        return jnp.sum((state.h * state.read).reshape(self.log_rate.shape), axis=1)
