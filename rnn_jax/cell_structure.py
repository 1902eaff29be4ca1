"""How a cell declares the structure of its step, which decides the cheapest exact form of its Jacobian.

An elementwise cell computes `state' = update(recurrent, drive, state)`, elementwise over units,
where `recurrent = W h` has one row a gate, h is the first leaf of the state, and `drive` comes from
the input. With D the diagonal matrices of the partial derivatives of `update`, its Jacobian is

    d s'_i / d h   = sum over gates g of D_ig W_g + D_i0      (dense: the first columns)
    d s'_i / d s_j = D_ij                                     (diagonal: all other columns)

A diagonal cell computes `state' = update(drive, state)`: each unit sees its own past only, its Jacobian is the D_ij
alone. A Kronecker cell has a matrix M as the first leaf of its state and computes `M' = M A + B`, where A, B and all
other leaves come from the input alone. Each row of M goes through the same A, so that its Jacobian is I (x) A^T, one
factor of key_size x key_size for value_size x key_size numbers. Every other step is dense.
"""

from typing import Any, Protocol

from jaxtyping import Array

from rnn_jax.step import Step

ELEMENTWISE, DIAGONAL, KRONECKER, DENSE = "elementwise", "diagonal", "kronecker", "dense"
_STRUCTURES = (ELEMENTWISE, DIAGONAL, KRONECKER, DENSE)


class ElementwiseCell(Protocol):
    """What a cell declares, beside `structure = "elementwise"`, to be treated as one."""

    weight_hh: Array

    def recurrent(self, state: Any) -> Array: ...
    def drive(self, x: Any) -> Array: ...
    def update(self, recurrent: Any, drive: Any, state: Any) -> Any: ...


class DiagonalCell(Protocol):
    """What a cell declares, beside `structure = "diagonal"`: all leaves of its state have one shape."""

    def drive(self, x: Any) -> Any: ...
    def update(self, drive: Any, state: Any) -> Any: ...


class KroneckerCell(Protocol):
    """A cell of `structure = "kronecker"` declares no more: the first leaf of its state is the matrix."""

    def __call__(self, state: Any, x: Any) -> Any: ...


def structure_of(step: Step) -> str:
    """ "elementwise", "diagonal" or "kronecker" where the step says so, else "dense".

    Raises:
        ValueError: the step names a structure that does not exist.
    """
    structure = getattr(step, "structure", DENSE)
    if structure not in _STRUCTURES:
        raise ValueError(f"step.structure must be among {', '.join(_STRUCTURES)}, got {structure!r}")
    return structure
