"""Arithmetic modulo five."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from rnn_jax.dtypes import float_dtype
from rnn_jax.tasks.draws import below, bits, checked_draw
from rnn_jax.tasks.generalization import LengthGeneralization
from rnn_jax.tasks.task import Batch

_MODULUS = 5
_PLUS, _MINUS, _TIMES = 0, 1, 2


@dataclass(frozen=True)
class ModularArithmetic(LengthGeneralization):
    """Give the value modulo 5 of an expression such as 3 + 1 * 4 - 2, products before sums.

    Numbers 0..4 and the operators +, -, *, all uniform, take turns, one a step, one-hot over eight
    symbols (five numbers, then +, -, *). Variant "varied": the expression's length is that odd number
    which a length uniform on 1..length gives, less one if even, and steps before it have no symbol (all
    inputs 0); held-out expressions are longer, of length + 2 to 5 length. Variant "fixed": all
    expressions are as long as `length` allows.

    Solved when at least 0.99 of the longer expressions are right. The classes are not equally frequent,
    for products are often 0; the baseline is computed for the longer expressions.

    References:
        Deletang et al. 2022, arXiv 2207.02098, modular arithmetic (simple): trained on lengths 1..40,
        tested on up to 500; even lengths are made odd in their code too.
    """

    name = "modular_arithmetic"
    draws_version = 3
    input_size = _MODULUS + 3
    output_size = _MODULUS

    def sample(self, key: Array, batch_size: int, dtype: Any = None) -> Batch:
        """Draws `batch_size` examples; targets are classes of shape (batch, 1)."""
        checked_draw(key, batch_size)
        dtype = float_dtype(dtype)
        terms = (self.length + 1) // 2
        for_symbols, for_lengths = bits(key, batch_size, terms, 1)
        # Each number has an operator before it; that of an expression's first number is not shown.
        pairs = below(for_symbols, 3 * _MODULUS)
        numbers, operators = pairs % _MODULUS, pairs // _MODULUS
        absent = terms - (self.lengths(for_lengths) + 1) // 2
        term = jnp.arange(terms, dtype=jnp.int32)[None]
        symbols = jnp.stack(
            [
                jnp.where(term > absent, operators + _MODULUS, -1),  # -1 has no symbol
                jnp.where(term >= absent, numbers, -1),
            ],
            axis=-1,
        ).reshape(batch_size, 2 * terms)
        steps = symbols[:, 1:] if self.length % 2 else symbols
        value = _value(jnp.where(term >= absent, numbers, 0), jnp.where(term > absent, operators, _PLUS))
        return Batch(
            inputs=jax.nn.one_hot(steps, self.input_size, dtype=dtype),
            targets=value[:, None],
            mask=jnp.ones((batch_size, 1), bool),
        )


def _value(numbers: Int[Array, "batch terms"], operators: Int[Array, "batch terms"]) -> Int[Array, " batch"]:
    """Modulo 5; `operators` stand before the numbers of the same index."""

    def read(carry: tuple[Array, Array], term: tuple[Array, Array]) -> tuple[tuple[Array, Array], None]:
        total, product = carry
        number, operator = term
        times = operator == _TIMES
        total = jnp.where(times, total, total + product) % _MODULUS
        product = (
            jnp.where(times, product * number, jnp.where(operator == _MINUS, -number, number)) % _MODULUS
        )
        return (total, product), None

    nothing = jnp.zeros(numbers.shape[0], jnp.int32)
    (total, product), _ = jax.lax.scan(read, (nothing, nothing), (numbers.T, operators.T))
    return (total + product) % _MODULUS
