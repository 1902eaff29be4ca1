"""The gated recurrent unit, in its two published forms."""

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from rnn_jax.cells.initializers import checked_arguments, input_matrix, stacked_recurrent
from rnn_jax.dtypes import float_dtype
from rnn_jax.gates import PreActivations


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class GRU:
    """r, z = s(...), then h' = (1 - z) n + z h with a candidate n in one of two forms.

    reset="after" (cuDNN, PyTorch): n = tanh(W_n x + b_n + r * (U_n h + c_n));
    reset="before" (as first published): n = tanh(W_n x + b_n + U_n (r * h) + c_n).
    s is the logistic function; the gates stand in PyTorch's order r, z, n. Two of the biases of
    PyTorch's cell add up in r and z, so only the candidate keeps its second one.

    Attributes:
        weight_hh: shape (3 * hidden_size, hidden_size).
        weight_xh: shape (3 * hidden_size, input_size).
        bias: shape (3 * hidden_size,).
        bias_candidate: c_n above, shape (hidden_size,).
        reset: "after" or "before".

    References:
        Cho et al. 2014, arXiv 1406.1078 (before); the cuDNN developer guide, GRU equations (after).
    """

    weight_hh: Array
    weight_xh: Array
    bias: Array
    bias_candidate: Array
    reset: str = field(metadata={"static": True})

    forget_gate = 1  # the row of z in the bias; the input gate is 1 - z

    @property
    def structure(self) -> str:
        """ "elementwise" where the reset gate acts after the product, else "dense"."""
        return "elementwise" if self.reset == "after" else "dense"

    @classmethod
    def create(
        cls,
        input_size: int,
        hidden_size: int,
        *,
        key: Array,
        reset: str = "after",
        initialization: str = "orthogonal",
        gain: float = 1.0,
        dtype: Any = None,
    ) -> "GRU":
        """Draws a cell.

        Args:
            input_size: the number of inputs, 0 for an autonomous net.
            hidden_size: the number of units n.
            key: a random key.
            reset: where the reset gate acts, "after" or "before" the product with U_n.
            initialization: of each gate's recurrent matrix: "gaussian", "orthogonal", "identity", "sparse".
            gain: its scale.
            dtype: of the weights; JAX's default float if None.

        Raises:
            ValueError: a size, the key, `reset` or the initialization is not allowed.
        """
        checked_arguments(input_size, hidden_size, key)
        if reset not in ("after", "before"):
            raise ValueError(f"reset must be 'after' or 'before', got {reset!r}")
        dtype = float_dtype(dtype)
        recurrent_key, input_key = jax.random.split(key)
        return cls(
            weight_hh=stacked_recurrent(recurrent_key, 3, hidden_size, initialization, gain, dtype),
            weight_xh=input_matrix(input_key, 3 * hidden_size, input_size, dtype),
            bias=jnp.zeros(3 * hidden_size, dtype),
            bias_candidate=jnp.zeros(hidden_size, dtype),
            reset=reset,
        )

    def initial_state(self) -> Float[Array, " hidden"]:
        """h_0 = 0."""
        return jnp.zeros_like(self.bias_candidate)

    def drive(self, x: Float[Array, " input"] | None) -> Float[Array, "3 hidden"]:
        """The part of the pre-activations that comes from the input and the bias."""
        return (self.bias if x is None else self.weight_xh @ x + self.bias).reshape(3, -1)

    def recurrent(self, state: Float[Array, " hidden"]) -> Float[Array, "3 hidden"]:
        """The part that comes from the state; for reset="before" its last row is not used."""
        return (self.weight_hh @ state).reshape(3, -1)

    def update(
        self, recurrent: PreActivations, drive: PreActivations, state: Array
    ) -> Float[Array, " hidden"]:
        """The next state with the reset gate after the product, elementwise over units."""
        r, z = (jax.nn.sigmoid(pre_activation) for pre_activation in recurrent[:2] + drive[:2])
        candidate = jnp.tanh(drive[2] + r * (recurrent[2] + self.bias_candidate))
        return (1 - z) * candidate + z * state

    def __call__(self, state: Array, x: Array | None) -> Float[Array, " hidden"]:
        """One step for one example."""
        drive = self.drive(x)
        if self.reset == "after":
            return self.update(self.recurrent(state), drive, state)
        size = state.shape[0]
        gates = (self.weight_hh[: 2 * size] @ state).reshape(2, -1)
        r, z = jax.nn.sigmoid(gates + drive[:2])
        candidate = jnp.tanh(drive[2] + self.weight_hh[2 * size :] @ (r * state) + self.bias_candidate)
        return (1 - z) * candidate + z * state

    def output(self, state: Array) -> Float[Array, " hidden"]:
        """The visible part of the state: h."""
        return state
