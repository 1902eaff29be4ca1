"""The antisymmetric net: an Euler step of a differential equation that neither grows nor decays."""

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from rnn_jax.cells.initializers import checked_arguments, checked_range, input_matrix, recurrent_matrix
from rnn_jax.dtypes import float_dtype
from rnn_jax.gates import PreActivations


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Antisymmetric:
    """h_t = h_{t-1} + step_size tanh((W - W^T - diffusion I) h_{t-1} + W_xh x_t + b).

    W - W^T has imaginary eigenvalues only, so that the differential equation behind the step keeps
    distances; what the Euler step adds to them, `diffusion` takes away.

    Attributes:
        weight: W, shape (hidden_size, hidden_size); only its antisymmetric part counts.
        weight_xh: shape (hidden_size, input_size).
        bias: shape (hidden_size,).
        step_size: epsilon of the paper.
        diffusion: gamma of the paper.

    References:
        Chang, Chen, Haber, Chi 2019, AntisymmetricRNN, arXiv 1902.09689, equation 11. Weights are
        drawn as in its appendix C; step size and diffusion are the least that it tried there.
    """

    weight: Array
    weight_xh: Array
    bias: Array
    step_size: float = field(metadata={"static": True})
    diffusion: float = field(metadata={"static": True})

    structure = "elementwise"

    @classmethod
    def create(
        cls,
        input_size: int,
        hidden_size: int,
        *,
        key: Array,
        initialization: str = "gaussian",
        gain: float = 1.0,
        step_size: float = 0.01,
        diffusion: float = 0.01,
        dtype: Any = None,
    ) -> "Antisymmetric":
        """Draws a cell.

        Args:
            input_size: the number of inputs, 0 for an autonomous net.
            hidden_size: the number of units n.
            key: a random key.
            initialization: of W: "gaussian", as published, "orthogonal" or "sparse". The identity has no
                antisymmetric part.
            gain: its scale.
            step_size: epsilon, in (0, 1].
            diffusion: gamma, at least 0.
            dtype: of the weights; JAX's default float if None.

        Raises:
            ValueError: a size, the key, the initialization or a number is not allowed.
        """
        checked_arguments(input_size, hidden_size, key)
        checked_range("step_size", step_size, above=0, at_most=1)
        checked_range("diffusion", diffusion, at_least=0)
        if initialization == "identity":
            raise ValueError(
                "initialization of an antisymmetric net must be 'gaussian', 'orthogonal' or 'sparse', got "
                "'identity': W - W^T would be zero"
            )
        dtype = float_dtype(dtype)
        recurrent_key, input_key = jax.random.split(key)
        return cls(
            weight=recurrent_matrix(recurrent_key, hidden_size, initialization, gain, dtype),
            weight_xh=input_matrix(input_key, hidden_size, input_size, dtype),
            bias=jnp.zeros(hidden_size, dtype),
            step_size=float(step_size),
            diffusion=float(diffusion),
        )

    @property
    def weight_hh(self) -> Float[Array, "hidden hidden"]:
        """W - W^T - diffusion I."""
        return (
            self.weight - self.weight.T - self.diffusion * jnp.eye(*self.weight.shape, dtype=self.bias.dtype)
        )

    def initial_state(self) -> Float[Array, " hidden"]:
        """h_0 = 0."""
        return jnp.zeros_like(self.bias)

    def recurrent(self, state: Float[Array, " hidden"]) -> Float[Array, "1 hidden"]:
        """The part of the pre-activation that comes from the state."""
        return (self.weight_hh @ state)[None]

    def drive(self, x: Float[Array, " input"] | None) -> Float[Array, "1 hidden"]:
        """The part that comes from the input and the bias."""
        return (self.bias if x is None else self.weight_xh @ x + self.bias)[None]

    def update(
        self, recurrent: PreActivations, drive: PreActivations, state: Array
    ) -> Float[Array, " hidden"]:
        """The next state, elementwise over units."""
        return state + self.step_size * jnp.tanh((recurrent + drive)[0])

    def __call__(self, state: Array, x: Array | None) -> Float[Array, " hidden"]:
        """One step for one example."""
        return self.update(self.recurrent(state), self.drive(x), state)

    def output(self, state: Array) -> Float[Array, " hidden"]:
        """The visible part of the state: h."""
        return state
