"""The simplified state space layer."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from rnn_jax.cells.complex_diagonal import ComplexDiagonal
from rnn_jax.cells.initializers import checked_arguments, checked_range, log_uniform
from rnn_jax.dtypes import float_dtype


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class S5(ComplexDiagonal):
    """h_t = l h_{t-1} + (l - 1) / r B x_t with l = exp(d r), r the complex rates and d the steps in time, one a unit.

    The differential equation h' = r h + B x, its input held constant over each step. It begins as the normal
    part of a HiPPO-LegS matrix of twice the size in its own coordinates, of which one of each pair of conjugates is kept:
    hence the 2 in the output, 2 Re(C h). The published layer adds D x_t, which reads no state and stands
    outside the recurrence. Nothing keeps the rates' real part under 0 in training, as in the authors' default.

    Attributes:
        rate_real, rate_imaginary: r, shape (hidden_size,).
        log_step: log of d, shape (hidden_size,).
        input_real, input_imaginary: B, shape (hidden_size, input_size).
        output_real, output_imaginary: C, shape (hidden_size, hidden_size).

    References:
        Smith, Warrington, Linderman 2023, Simplified state space layers for sequence modeling, arXiv 2208.04933;
        initial B, C and d as in the authors' code.
    """

    rate_real: Array
    rate_imaginary: Array
    log_step: Array
    input_real: Array
    input_imaginary: Array
    output_real: Array
    output_imaginary: Array

    @classmethod
    def create(
        cls,
        input_size: int,
        hidden_size: int,
        *,
        key: Array,
        initialization: str = "hippo",
        gain: float = 1.0,
        least_step: float = 0.001,
        largest_step: float = 0.1,
        dtype: Any = None,
    ) -> "S5":
        """Draws a cell.

        Args:
            input_size: the number of inputs, 0 for an autonomous net.
            hidden_size: the number of complex units and of outputs; the state has twice as many real numbers.
            key: a random key.
            initialization, gain: "hippo" and 1: the rates are not drawn.
            least_step, largest_step: d is drawn between them, uniform in its log.
            dtype: of the weights; JAX's default float if None.

        Raises:
            ValueError: a size, the key, the initialization, the gain or a step is not allowed.
        """
        checked_arguments(input_size, hidden_size, key)
        if initialization != "hippo" or gain != 1:
            raise ValueError(
                f"initialization of S5 must be 'hippo' and gain 1, got {initialization!r} and {gain!r}; leave them out"
            )
        checked_range("least_step", least_step, above=0)
        checked_range("largest_step", largest_step, at_least=least_step)
        dtype = float_dtype(dtype)
        step_key, input_key, output_key = jax.random.split(key, 3)
        rates, vectors = _hippo_normal_part(2 * hidden_size)
        real, imaginary = (jnp.asarray(part(vectors), jnp.float32) for part in (np.real, np.imag))
        scale = (2 * hidden_size) ** -0.5
        B = scale * jax.random.normal(input_key, (2 * hidden_size, input_size), jnp.float32)
        C = scale * jax.random.normal(output_key, (2, hidden_size, 2 * hidden_size), jnp.float32)
        return cls(
            rate_real=jnp.asarray(np.real(rates), dtype),
            rate_imaginary=jnp.asarray(np.imag(rates), dtype),
            log_step=log_uniform(step_key, (hidden_size,), least_step, largest_step, dtype),
            # V^-1 B and C V, V unitary.
            input_real=(real.T @ B).astype(dtype),
            input_imaginary=(-imaginary.T @ B).astype(dtype),
            output_real=(C[0] @ real - C[1] @ imaginary).astype(dtype),
            output_imaginary=(C[0] @ imaginary + C[1] @ real).astype(dtype),
        )

    def modulus_and_phase(self) -> tuple[Float[Array, " hidden"], Float[Array, " hidden"]]:
        """|l| and its angle in radians."""
        step = jnp.exp(self.log_step)
        return jnp.exp(step * self.rate_real), step * self.rate_imaginary

    def drive(self, x: Float[Array, " input"] | None) -> Float[Array, "2 hidden"]:
        """Real and imaginary parts of (l - 1) / r B x, without the cancellation in l - 1 of short steps."""
        if x is None:
            return jnp.zeros((2, *self.log_step.shape), self.log_step.dtype)
        step = jnp.exp(self.log_step)
        growth, phase = jnp.expm1(step * self.rate_real), step * self.rate_imaginary
        above_real = growth * jnp.cos(phase) - 2 * jnp.square(jnp.sin(phase / 2))
        above_imaginary = (1 + growth) * jnp.sin(phase)
        square = jnp.square(self.rate_real) + jnp.square(self.rate_imaginary)
        real = (above_real * self.rate_real + above_imaginary * self.rate_imaginary) / square
        imaginary = (above_imaginary * self.rate_real - above_real * self.rate_imaginary) / square
        by_real, by_imaginary = self.input_real @ x, self.input_imaginary @ x
        return jnp.stack(
            [real * by_real - imaginary * by_imaginary, imaginary * by_real + real * by_imaginary]
        )

    def output(self, state: Any) -> Float[Array, " hidden"]:
        """2 Re(C h): of the pair of conjugates."""
        return 2 * super().output(state)


def _hippo_normal_part(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues and eigenvectors of the normal part of HiPPO-LegS, one of each pair of conjugates.

    Shapes (size / 2,) and (size, size / 2). It is -I/2 plus a skew-symmetric matrix of entries -+sqrt(2 i + 1) sqrt(2 j + 1) / 2.
    """
    root = np.sqrt(2 * np.arange(size) + 1)
    skew = -np.tril(np.outer(root, root) / 2, -1)
    frequencies, vectors = np.linalg.eigh(-1j * (skew - skew.T))
    return -0.5 + 1j * frequencies[: size // 2], vectors[:, : size // 2]
