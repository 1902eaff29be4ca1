"""The linear recurrent unit."""

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from rnn_jax.cells.complex_diagonal import ComplexDiagonal
from rnn_jax.cells.initializers import checked_arguments, checked_range
from rnn_jax.dtypes import float_dtype


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LRU(ComplexDiagonal):
    """h_t = l h_{t-1} + exp(log_input_scale) B x_t with complex l = exp(-exp(nu) + i exp(theta)), one a unit.

    |l| < 1 for any nu, so that it is stable however it is trained. The state is held as real and
    imaginary parts, two real leaves, so that its step Jacobian is diagonal over units. The output is
    Re(C h); the published layer adds D x_t, which reads no state and stands outside the recurrence.

    Attributes:
        nu, theta: shape (hidden_size,); log of the decay and of the phase a step.
        input_real, input_imaginary: B, shape (hidden_size, input_size).
        log_input_scale: shape (hidden_size,); begins so that white noise gives a state of unit variance.
        output_real, output_imaginary: C, shape (hidden_size, hidden_size).

    References:
        Orvieto, Smith, Gu, Fernando, Gulcehre, Pascanu, De 2023, Resurrecting recurrent neural networks for
        long sequences, arXiv 2303.06349, section 3 and appendix A.
    """

    nu: Array
    theta: Array
    input_real: Array
    input_imaginary: Array
    log_input_scale: Array
    output_real: Array
    output_imaginary: Array

    @classmethod
    def create(
        cls,
        input_size: int,
        hidden_size: int,
        *,
        key: Array,
        initialization: str = "ring",
        gain: float = 1.0,
        least_modulus: float = 0.0,
        largest_phase: float = 2 * math.pi,
        dtype: Any = None,
    ) -> "LRU":
        """Draws a cell.

        Args:
            input_size: the number of inputs, 0 for an autonomous net.
            hidden_size: the number of complex units; the state has twice as many real numbers.
            key: a random key.
            initialization: "ring": l uniform over the ring between `least_modulus` and `gain`.
            gain: the largest modulus, r_max of the paper, in (0, 1].
            least_modulus: r_min of the paper, in [0, gain).
            largest_phase: in (0, 2 pi]; less for longer dependences.
            dtype: of the weights; JAX's default float if None.

        Raises:
            ValueError: a size, the key, the initialization or a number is not allowed.
        """
        checked_arguments(input_size, hidden_size, key)
        if initialization != "ring":
            raise ValueError(f"initialization of an LRU must be 'ring', got {initialization!r}; leave it out")
        checked_range("gain", gain, above=0, at_most=1)
        checked_range("least_modulus", least_modulus, at_least=0, below=gain)
        checked_range("largest_phase", largest_phase, above=0, at_most=2 * math.pi)
        dtype = float_dtype(dtype)
        keys = jax.random.split(key, 6)
        # In (0, 1]: at 0 the modulus would be 0 and its log lost.
        ring, turn = (1 - jax.random.uniform(each, (hidden_size,), jnp.float32) for each in keys[:2])
        square = jnp.clip(ring * (gain**2 - least_modulus**2) + least_modulus**2, 1e-12, 1 - 1e-6)
        nu, theta = jnp.log(-0.5 * jnp.log(square)), jnp.log(largest_phase * turn)

        def drawn(key: Array, columns: int, fan_in: int) -> Array:
            normal = jax.random.normal(key, (hidden_size, columns), jnp.float32)
            return (normal * max(fan_in, 1) ** -0.5).astype(dtype)

        return cls(
            nu=nu.astype(dtype),
            theta=theta.astype(dtype),
            input_real=drawn(keys[2], input_size, 2 * input_size),
            input_imaginary=drawn(keys[3], input_size, 2 * input_size),
            log_input_scale=(0.5 * jnp.log1p(-square)).astype(dtype),
            output_real=drawn(keys[4], hidden_size, hidden_size),
            output_imaginary=drawn(keys[5], hidden_size, hidden_size),
        )

    def modulus_and_phase(self) -> tuple[Float[Array, " hidden"], Float[Array, " hidden"]]:
        """|l| and its angle in radians."""
        return jnp.exp(-jnp.exp(self.nu)), jnp.exp(self.theta)

    def drive(self, x: Float[Array, " input"] | None) -> Float[Array, "2 hidden"]:
        """Real and imaginary parts of what the input adds."""
        if x is None:
            return jnp.zeros((2, *self.nu.shape), self.nu.dtype)
        return jnp.exp(self.log_input_scale)[None] * jnp.stack(
            [self.input_real @ x, self.input_imaginary @ x]
        )
