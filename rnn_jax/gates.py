"""Pre-activations of several gates, held row by row."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import jax.numpy as jnp
from jaxtyping import Array, Float

PreActivations: TypeAlias = Any
"""An array of shape (gates, hidden_size), or `Gates`."""


class Gates:
    """What a cell's `update` is given in place of an array of shape (gates, hidden_size) where each row is to have a
    gradient of its own.

    Of a row of an array the gradient is an array of all gates that is zero elsewhere. It can be added, unpacked and
    indexed as the array can. What it cannot do as the array does raises TypeError; the cell is then given arrays.
    """

    def __init__(self, rows: Sequence[Float[Array, " hidden"]]):
        self._rows = tuple(rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Array]:
        return iter(self._rows)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, int) and not isinstance(key, bool):
            return self._rows[key]
        return Gates(self._rows[key]) if isinstance(key, slice) else self.__jax_array__()[key]

    def _unlike_an_array(self, *_: Any) -> Any:
        raise TypeError("Gates cannot be compared, nor be a truth or a key")

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __hash__ = _unlike_an_array

    def __add__(self, other: Any) -> Any:
        if not isinstance(other, Gates):
            return self.__jax_array__() + other
        count = max(len(self), len(other))
        pairs = zip(self._times(count), other._times(count), strict=True)
        return Gates([left + right for left, right in pairs])

    def __jax_array__(self) -> Float[Array, "gates hidden"]:
        return jnp.stack(self._rows)

    def _times(self, count: int) -> tuple[Array, ...]:
        """The rows; one alone as often as it is wanted, as arrays are broadcast."""
        return self._rows * count if len(self) == 1 else self._rows
