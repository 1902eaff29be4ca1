"""A simple net whose recurrent matrix stays orthogonal while it is trained."""

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from rnn_jax.cells.initializers import checked_arguments, input_matrix
from rnn_jax.dtypes import float_dtype
from rnn_jax.gates import PreActivations

INITIALIZATIONS = ("cayley", "henaff")
_BIAS = 0.01


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ModReLUNet:
    """h_t = sign(z) max(|z| + b, 0), z = W_hh h_{t-1} + W_xh x_t: what an `ExpRNN` is along one sequence.

    Attributes:
        weight_hh: shape (hidden_size, hidden_size).
        weight_xh: shape (hidden_size, input_size).
        bias: b, shape (hidden_size,).
    """

    weight_hh: Array
    weight_xh: Array
    bias: Array

    structure = "elementwise"

    def initial_state(self) -> Float[Array, " hidden"]:
        """h_0 = 0."""
        return jnp.zeros_like(self.bias)

    def recurrent(self, state: Float[Array, " hidden"]) -> Float[Array, "1 hidden"]:
        """The part of z that comes from the state."""
        return (self.weight_hh @ state)[None]

    def drive(self, x: Float[Array, " input"] | None) -> Float[Array, "1 hidden"]:
        """The part that comes from the input."""
        return (jnp.zeros_like(self.bias) if x is None else self.weight_xh @ x)[None]

    def update(
        self, recurrent: PreActivations, drive: PreActivations, state: Array
    ) -> Float[Array, " hidden"]:
        """The next state, elementwise over units."""
        z = (recurrent + drive)[0]
        return jnp.sign(z) * jax.nn.relu(jnp.abs(z) + self.bias)

    def __call__(self, state: Array, x: Array | None) -> Float[Array, " hidden"]:
        """One step for one example."""
        return self.update(self.recurrent(state), self.drive(x), state)

    def output(self, state: Array) -> Float[Array, " hidden"]:
        """The visible part of the state: h."""
        return state


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ExpRNN:
    """h_t = modReLU(exp(A) h_{t-1} + W_xh x_t), A skew-symmetric, so that exp(A) is orthogonal whatever A is.

    A is what is trained. Its exponential is formed once a sequence, by `materialized`, wherever rnn_jax runs a
    net; a loop of one's own over steps should call that first.

    Attributes:
        weight_skew: the entries of A above its diagonal, row by row, shape (hidden_size (hidden_size - 1) / 2,).
        weight_xh: shape (hidden_size, input_size).
        bias: of modReLU, shape (hidden_size,).

    References:
        Lezcano-Casado, Martinez-Rubio 2019, Cheap orthogonal constraints in neural networks, arXiv 1901.08428.
        modReLU: Arjovsky, Shah, Bengio 2016, arXiv 1511.06464, equation 8.
    """

    weight_skew: Array
    weight_xh: Array
    bias: Array

    @classmethod
    def create(
        cls,
        input_size: int,
        hidden_size: int,
        *,
        key: Array,
        initialization: str = "cayley",
        gain: float = 1.0,
        dtype: Any = None,
    ) -> "ExpRNN":
        """Draws a cell: pairs of units turn by an angle each; of an odd number one stays as it is.

        Args:
            input_size: the number of inputs, 0 for an autonomous net.
            hidden_size: the number of units.
            key: a random key.
            initialization: of the angles: "cayley": tan(u / 2), u uniform in [0, pi / 2] (Helfrich, Willmott, Ye
                2018, arXiv 1707.09520); "henaff": uniform in [-pi, pi] (Henaff, Szlam, LeCun 2016, arXiv 1602.06662).
            gain: 1: an orthogonal matrix has no scale.
            dtype: of the weights; JAX's default float if None.

        Raises:
            ValueError: a size, the key, the initialization or the gain is not allowed.
        """
        checked_arguments(input_size, hidden_size, key)
        if initialization not in INITIALIZATIONS:
            raise ValueError(
                f"initialization of an ExpRNN must be one of {', '.join(INITIALIZATIONS)}, got {initialization!r}"
            )
        if gain != 1:
            raise ValueError(
                f"gain of an ExpRNN must be 1, as its matrix stays orthogonal, got {gain!r}; leave it out"
            )
        dtype = float_dtype(dtype)
        angle_key, input_key, bias_key = jax.random.split(key, 3)
        angles = jnp.zeros(hidden_size - 1, jnp.float32)
        pairs = (hidden_size // 2,)
        if initialization == "cayley":
            drawn = jnp.tan(jax.random.uniform(angle_key, pairs, jnp.float32, 0, math.pi / 2) / 2)
        else:
            drawn = jax.random.uniform(angle_key, pairs, jnp.float32, -math.pi, math.pi)
        return cls(
            weight_skew=jnp.diag(-angles.at[::2].set(drawn), k=1)[_above(hidden_size)].astype(dtype),
            weight_xh=input_matrix(input_key, hidden_size, input_size, dtype),
            bias=jax.random.uniform(bias_key, (hidden_size,), jnp.float32, -_BIAS, _BIAS).astype(dtype),
        )

    @property
    def weight_hh(self) -> Float[Array, "hidden hidden"]:
        """exp(A), computed anew at every reading."""
        (size,) = self.bias.shape
        above = jnp.zeros((size, size), self.bias.dtype).at[_above(size)].set(self.weight_skew)
        with jax.default_matmul_precision("highest"):
            return jax.scipy.linalg.expm(above - above.T)

    def materialized(self) -> ModReLUNet:
        """The same net with its orthogonal matrix in full."""
        return ModReLUNet(self.weight_hh, self.weight_xh, self.bias)

    def initial_state(self) -> Float[Array, " hidden"]:
        """h_0 = 0."""
        return jnp.zeros_like(self.bias)

    def __call__(self, state: Array, x: Array | None) -> Float[Array, " hidden"]:
        """One step for one example."""
        return self.materialized()(state, x)

    def output(self, state: Array) -> Float[Array, " hidden"]:
        """The visible part of the state: h."""
        return state


def _above(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the entries above the diagonal are."""
    return np.triu_indices(size, k=1)
