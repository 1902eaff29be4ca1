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

A cell of one's own may declare one of these: a frozen dataclass, registered as a pytree, such as

    structure = "elementwise"

    def recurrent(self, state):
        return (self.weight_hh @ state).reshape(2, -1)  # of one gate: (self.weight_hh @ state)[None]

    def drive(self, x):
        return (self.weight_xh @ x + self.bias).reshape(2, -1)

    def update(self, recurrent, drive, state):
        gate, candidate = recurrent + drive
        return state + jax.nn.sigmoid(gate) * (jnp.tanh(candidate) - state)

    def __call__(self, state, x):
        return self.update(self.recurrent(state), self.drive(x), state)

What it declares is held to its derivative when it is first used, and refused where it is another.
"""

from typing import Any, Protocol

from jaxtyping import Array

from rnn_jax.step import Step

ELEMENTWISE, DIAGONAL, KRONECKER, DENSE = "elementwise", "diagonal", "kronecker", "dense"
_STRUCTURES = (ELEMENTWISE, DIAGONAL, KRONECKER, DENSE)


class ElementwiseCell(Protocol):
    """What a cell declares, beside `structure = "elementwise"`, to be treated as one.

    Attributes:
        weight_hh: shape (gates * hidden_size, hidden_size), gate by gate.
        recurrent: gives weight_hh @ h, h the first leaf of the state, shape (gates, hidden_size).
        drive: as many rows, or any number where `recurrent` has one.
        update: the next state, each leaf of shape (hidden_size,). In training it is given `rnn_jax.gates.Gates` in
            place of the two arrays, where it takes them.
    """

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
