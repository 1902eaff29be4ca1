"""What linear cells of complex units share: h_t = l h_{t-1} + b_t, one l a unit."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from rnn_jax.dtypes import at_least_float32


class ComplexState(NamedTuple):
    """Real and imaginary parts of the state; both shape (hidden_size,)."""

    real: Array
    imaginary: Array


class ComplexDiagonal:
    """A cell whose unit u multiplies its complex state by l_u, held as two real leaves.

    So its step Jacobian is diagonal over units. A subclass says what l is and what the input adds.

    Attributes:
        input_real, input_imaginary: B, shape (hidden_size, input_size).
        output_real, output_imaginary: C, shape (hidden_size, hidden_size).
    """

    input_real: Array
    input_imaginary: Array
    output_real: Array
    output_imaginary: Array

    structure = "diagonal"

    def modulus_and_phase(self) -> tuple[Float[Array, " hidden"], Float[Array, " hidden"]]:
        """|l| and its angle in radians."""
        raise NotImplementedError

    def drive(self, x: Float[Array, " input"] | None) -> Float[Array, "2 hidden"]:
        """Real and imaginary parts of what the input adds."""
        raise NotImplementedError

    @property
    def eigenvalues(self) -> Complex[Array, " hidden"]:
        """l, one a unit."""
        return jax.lax.complex(*map(at_least_float32, self._eigenvalue_parts()))

    def initial_state(self) -> ComplexState:
        """h_0 = 0."""
        zeros = jnp.zeros(self.input_real.shape[0], self.input_real.dtype)
        return ComplexState(zeros, zeros)

    def affine(self, drive: Float[Array, "2 hidden"]) -> tuple[Array, Array]:
        """a and b of h_t = a h_{t-1} + b, complex: of float32 where the cell has fewer bits."""
        return self.eigenvalues, jax.lax.complex(*map(at_least_float32, drive))

    def update(self, drive: Array, state: ComplexState) -> ComplexState:
        """The next state, elementwise over units."""
        real, imaginary = self._eigenvalue_parts()
        return ComplexState(
            real * state.real - imaginary * state.imaginary + drive[0],
            imaginary * state.real + real * state.imaginary + drive[1],
        )

    def __call__(self, state: ComplexState, x: Array | None) -> ComplexState:
        """One step for one example."""
        return self.update(self.drive(x), state)

    def output(self, state: ComplexState) -> Float[Array, " hidden"]:
        """Re(C h)."""
        return self.output_real @ state.real - self.output_imaginary @ state.imaginary

    def _eigenvalue_parts(self) -> tuple[Array, Array]:
        modulus, phase = self.modulus_and_phase()
        return modulus * jnp.cos(phase), modulus * jnp.sin(phase)
