"""The cells by the names that suites, CSV files and the command line use."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from jaxtyping import Array

from rnn_jax.cells.elman import Elman
from rnn_jax.cells.gru import GRU
from rnn_jax.cells.indrnn import IndRNN
from rnn_jax.cells.lstm import LSTM


@dataclass(frozen=True)
class CellFamily:
    """A cell by name: its class, the options that the name fixes, and where it was published."""

    create: Callable[..., Any]
    fixed: Mapping[str, Any]
    initialization: str
    reference: str
    has_forget_bias: bool = field(default=False)


_TANH, _RELU, _LINEAR = {"activation": "tanh"}, {"activation": "relu"}, {"activation": "identity"}
CELLS: Mapping[str, CellFamily] = MappingProxyType(
    {
        "elman_tanh": CellFamily(Elman.create, _TANH, "gaussian", "Elman 1990"),
        "elman_relu": CellFamily(Elman.create, _RELU, "gaussian", "Elman 1990, rectified"),
        "elman_identity": CellFamily(Elman.create, _LINEAR, "gaussian", "linear net"),
        "irnn": CellFamily(
            Elman.create,
            _RELU | {"initialization": "identity"},
            "identity",
            "Le, Jaitly, Hinton 2015, arXiv 1504.00941",
        ),
        "orthogonal": CellFamily(
            Elman.create,
            _TANH | {"initialization": "orthogonal"},
            "orthogonal",
            "Saxe et al. 2014, arXiv 1312.6120",
        ),
        "indrnn": CellFamily(
            IndRNN.create,
            _RELU | {"initialization": "uniform"},
            "uniform",
            "Li et al. 2018, arXiv 1803.04831",
        ),
        "lstm": CellFamily(
            LSTM.create, {}, "orthogonal", "Hochreiter & Schmidhuber 1997", has_forget_bias=True
        ),
        "gru": CellFamily(
            GRU.create,
            {"reset": "after"},
            "orthogonal",
            "Cho et al. 2014, reset after the product as in cuDNN",
        ),
        "gru_reset_before": CellFamily(
            GRU.create, {"reset": "before"}, "orthogonal", "Cho et al. 2014, arXiv 1406.1078"
        ),
    }
)


def create(name: str, input_size: int, hidden_size: int, *, key: Array, **options: Any) -> Any:
    """Draws the cell called `name`.

    Args:
        name: a key of `CELLS`.
        input_size, hidden_size, key: as for the cell's own `create`.
        **options: passed on, for example `gain=1.5` or `forget_bias=1.0`.

    Raises:
        ValueError: the name is unknown, or an option contradicts what the name fixes.
    """
    if name not in CELLS:
        raise ValueError(f"cell must be one of {', '.join(CELLS)}, got {name!r}")
    family = CELLS[name]
    for option, value in options.items():
        if option in family.fixed and family.fixed[option] != value:
            raise ValueError(f"{name} fixes {option}={family.fixed[option]!r}, got {value!r}")
    return family.create(input_size, hidden_size, key=key, **{**options, **family.fixed})
