"""The cells by the names that suites, CSV files and the command line use."""

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import jax
from jaxtyping import Array

from rnn_jax.cells.antisymmetric import Antisymmetric
from rnn_jax.cells.cornn import CoRNN
from rnn_jax.cells.deltanet import DeltaNet, GatedDeltaNet
from rnn_jax.cells.elman import Elman
from rnn_jax.cells.exprnn import ExpRNN
from rnn_jax.cells.fastgrnn import FastGRNN
from rnn_jax.cells.gru import GRU
from rnn_jax.cells.indrnn import IndRNN
from rnn_jax.cells.lem import LEM
from rnn_jax.cells.lru import LRU
from rnn_jax.cells.lstm import LSTM
from rnn_jax.cells.mgu import MGU
from rnn_jax.cells.minimal import MinGRU, MinLSTM
from rnn_jax.cells.reservoir import echo_state
from rnn_jax.cells.s5 import S5
from rnn_jax.cells.selective_ssm import SelectiveSSM
from rnn_jax.cells.slstm import SLSTM
from rnn_jax.cells.stack import Stack
from rnn_jax.cells.unicornn import UnICORNN
from rnn_jax.keys import checked_key
from rnn_jax.whole_numbers import checked_whole


@dataclass(frozen=True)
class CellFamily:
    """A cell by name: its class, the options that the name fixes, and where it was published.

    Attributes:
        create: draws one.
        fixed: options that the name decides.
        initialization: of the recurrent matrix, where nothing else is asked for; "none" without one.
        reference: where it was published.
        family: "simple", "gated", "differential equation", "linear" (in the state) or "matrix state".
        has_forget_bias: whether suites set its forget bias, 1 where they say nothing; others that `create` takes one for
            keep the one they were published with.
        dt: the step in time that `create` takes where none is given; None for a cell without one.
        state_size: from the number of units to that of real numbers in the state.
        gains: the least and the largest gain that `create` takes; 1 alone where there is no matrix that could be scaled.
    """

    create: Callable[..., Any]
    fixed: Mapping[str, Any]
    initialization: str
    reference: str
    family: str = field(default="simple")
    has_forget_bias: bool = field(default=False)
    dt: float | None = field(default=None)
    state_size: Callable[[int], int] = field(default=lambda units: units)
    gains: tuple[float, float] = field(default=(0.0, math.inf))

    @property
    def options(self) -> frozenset[str]:
        """The names of what `create` takes beside sizes and key, such as "forget_bias", and the name does not fix."""
        taken = inspect.signature(self.create).parameters
        return frozenset(taken) - {"input_size", "hidden_size", "key"} - set(self.fixed)


_TANH, _RELU, _LINEAR = {"activation": "tanh"}, {"activation": "relu"}, {"activation": "identity"}
_GATED, _EQUATION = "gated", "differential equation"
_UNSCALED, _UP_TO_ONE = (1.0, 1.0), (0.0, 1.0)


def _pairs(units: int) -> int:
    return 2 * units


def _of_matrix(units: int) -> int:
    return units * (units + 1)


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
        "exprnn": CellFamily(
            ExpRNN.create,
            {},
            "cayley",
            "Lezcano-Casado & Martinez-Rubio 2019, arXiv 1901.08428",
            gains=_UNSCALED,
        ),
        "echo_state": CellFamily(echo_state, {}, "sparse", "Jaeger 2001; Jaeger et al. 2007"),
        "indrnn": CellFamily(
            IndRNN.create,
            _RELU | {"initialization": "uniform"},
            "uniform",
            "Li et al. 2018, arXiv 1803.04831",
        ),
        "antisymmetric": CellFamily(
            Antisymmetric.create, {}, "gaussian", "Chang et al. 2019, arXiv 1902.09689", _EQUATION
        ),
        "cornn": CellFamily(
            CoRNN.create,
            {},
            "uniform",
            "Rusch & Mishra 2021, arXiv 2010.00951",
            _EQUATION,
            dt=0.042,
            state_size=_pairs,
        ),
        "unicornn": CellFamily(
            UnICORNN.create,
            {},
            "uniform",
            "Rusch & Mishra 2021, arXiv 2103.05487",
            _EQUATION,
            dt=0.19,
            state_size=_pairs,
        ),
        "lem": CellFamily(
            LEM.create,
            {},
            "uniform",
            "Rusch et al. 2022, arXiv 2110.04744",
            _EQUATION,
            dt=1.0,
            state_size=_pairs,
        ),
        "lstm": CellFamily(
            LSTM.create,
            {},
            "orthogonal",
            "Hochreiter & Schmidhuber 1997",
            _GATED,
            has_forget_bias=True,
            state_size=_pairs,
        ),
        "gru": CellFamily(
            GRU.create,
            {"reset": "after"},
            "orthogonal",
            "Cho et al. 2014, reset after the product as in cuDNN",
            _GATED,
        ),
        "gru_reset_before": CellFamily(
            GRU.create, {"reset": "before"}, "orthogonal", "Cho et al. 2014, arXiv 1406.1078", _GATED
        ),
        "mgu": CellFamily(MGU.create, {}, "orthogonal", "Zhou et al. 2016, arXiv 1603.09420", _GATED),
        "fastgrnn": CellFamily(
            FastGRNN.create, {}, "normal", "Kusupati et al. 2018, arXiv 1901.02358", _GATED
        ),
        "slstm": CellFamily(
            SLSTM.create,
            {},
            "orthogonal",
            "Beck et al. 2024, arXiv 2405.04517",
            _GATED,
            has_forget_bias=True,
            state_size=lambda units: 4 * units,
        ),
        "mingru": CellFamily(
            MinGRU.create, {}, "none", "Feng et al. 2024, arXiv 2410.01201", "linear", gains=_UNSCALED
        ),
        "minlstm": CellFamily(
            MinLSTM.create, {}, "none", "Feng et al. 2024, arXiv 2410.01201", "linear", gains=_UNSCALED
        ),
        "lru": CellFamily(
            LRU.create,
            {},
            "ring",
            "Orvieto et al. 2023, arXiv 2303.06349",
            "linear",
            gains=_UP_TO_ONE,
            state_size=_pairs,
        ),
        "s5": CellFamily(
            S5.create,
            {},
            "hippo",
            "Smith et al. 2023, arXiv 2208.04933",
            "linear",
            gains=_UNSCALED,
            state_size=_pairs,
        ),
        "selective_ssm": CellFamily(
            SelectiveSSM.create,
            {},
            "none",
            "Gu & Dao 2023, arXiv 2312.00752",
            "linear",
            gains=_UNSCALED,
            state_size=lambda units: 32 * units,
        ),
        "deltanet": CellFamily(
            DeltaNet.create,
            {},
            "none",
            "Schlag et al. 2021, arXiv 2102.11174; Yang et al. 2024, arXiv 2406.06484",
            "matrix state",
            gains=_UNSCALED,
            state_size=_of_matrix,
        ),
        "gated_deltanet": CellFamily(
            GatedDeltaNet.create,
            {},
            "none",
            "Yang et al. 2025, arXiv 2412.06464",
            "matrix state",
            gains=_UNSCALED,
            state_size=_of_matrix,
        ),
    }
)


def create(
    name: str, input_size: int, hidden_size: int, *, key: Array, layers: int = 1, **options: Any
) -> Any:
    """Draws the cell called `name`, or several on top of one another.

    Args:
        name: a key of `CELLS`.
        input_size, hidden_size: as for the cell's own `create`; of every layer but the lowest the input is the output
            of the one under it.
        key: a random key.
        layers: how many; more than one make a `Stack`, of layers drawn by keys of their own.
        **options: passed on, for example `gain=1.5` or `forget_bias=1.0`; to each layer.

    Raises:
        ValueError: the name is unknown, `layers` is not a whole number of at least 1, or an option contradicts what the
            name fixes or is none that the cell takes.
    """
    if name not in CELLS:
        raise ValueError(f"cell must be one of {', '.join(CELLS)}, got {name!r}")
    checked_whole("layers", layers)
    family = CELLS[name]
    for option, value in options.items():
        if option in family.fixed and family.fixed[option] != value:
            raise ValueError(f"{name} fixes {option}={family.fixed[option]!r}, got {value!r}")
    unknown = sorted(set(options) - family.options - set(family.fixed))
    if unknown:
        raise ValueError(f"{name} takes no {unknown[0]}; it takes {', '.join(sorted(family.options))}")
    chosen = {**options, **family.fixed}
    if layers == 1:
        return family.create(input_size, hidden_size, key=key, **chosen)
    checked_key(key)
    cells: list[Any] = []
    for of_layer in jax.random.split(key, layers):
        cells.append(family.create(input_size, hidden_size, key=of_layer, **chosen))
        (input_size,) = jax.eval_shape(cells[-1].output, cells[-1].initial_state()).shape
    return Stack.create(cells)
